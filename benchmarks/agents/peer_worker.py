"""One peer's agent on the same task; runs in the peers' own environment, tells what it took as JSON.

    python peer_worker.py NAME FOLDER STEPS FULL|NORMAL

Each as its documents show it: its own agent, a model that answers at once, a tool with typed arguments, and what
it has to keep the conversation in an SQLite file (write-ahead log, the same flushing for all). A short run
first loads what is loaded once.
"""

import asyncio
import json
import resource
import sqlite3
import sys
import time
from pathlib import Path


async def reading(meter: int) -> str:
    """What a meter shows.

    Args:
        meter: Its number.
    """
    return f"Meter {meter} shows 230 V, 50 Hz, and nothing that anybody would have to look after today."


# ---------------------------------------------------------------------- LangGraph


def _graph(saver, function):
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, ChatResult
    from langchain_core.tools import tool
    from langgraph.prebuilt import create_react_agent

    class Model(BaseChatModel):
        steps: int = 0

        @property
        def _llm_type(self):
            return "meters"

        def bind_tools(self, tools, **more):
            return self

        def _generate(self, messages, stop=None, run_manager=None, **more):
            done = len(messages) // 2
            calls = [{"name": "reading", "args": {"meter": done}, "id": f"c{done}"}]
            usage = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
            if done < self.steps:
                said = AIMessage("", tool_calls=calls, usage_metadata=usage)
            else:
                said = AIMessage("Done.", usage_metadata=usage)
            return ChatResult(generations=[ChatGeneration(message=said)])

    known = tool(function)
    model = Model()
    return create_react_agent(model, [known], checkpointer=saver), model


async def _graph_runs(saver):
    graph, model = _graph(saver, reading)

    async def run(steps, name):
        config = {"configurable": {"thread_id": name}, "recursion_limit": 10 * steps + 100}
        told = {"messages": [("user", "Read the meters.")]}
        more = {} if saver is None else {"durability": "sync"}
        model.steps = steps
        found = await graph.ainvoke(told, config, **more)
        assert found["messages"][-1].content == "Done." and len(found["messages"]) == 2 * steps + 2

    return run


async def langgraph(path, level):
    """With its SQLite checkpointer; ``sync``: a step is kept before the next one begins."""
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    connection = await aiosqlite.connect(path)
    saver = AsyncSqliteSaver(connection)
    await saver.setup()
    await connection.execute(f"PRAGMA synchronous={level}")
    return await _graph_runs(saver), connection.close


async def langgraph_threads(path, level):
    """The same with the checkpointer for programs without an event loop, which is the faster one."""
    from langgraph.checkpoint.sqlite import SqliteSaver

    connection = sqlite3.connect(path, check_same_thread=False)
    saver = SqliteSaver(connection)
    saver.setup()
    connection.execute(f"PRAGMA synchronous={level}")

    def reading_now(meter: int) -> str:
        """What a meter shows.

        Args:
            meter: Its number.
        """
        return f"Meter {meter} shows 230 V, 50 Hz, and nothing that anybody would have to look after today."

    reading_now.__name__ = "reading"
    graph, model = _graph(saver, reading_now)

    async def run(steps, name):
        config = {"configurable": {"thread_id": name}, "recursion_limit": 10 * steps + 100}
        told = {"messages": [("user", "Read the meters.")]}
        model.steps = steps
        found = graph.invoke(told, config, durability="sync")
        assert found["messages"][-1].content == "Done." and len(found["messages"]) == 2 * steps + 2

    async def close():
        connection.close()

    return run, close


async def langgraph_memory(path, level):
    """Nothing kept."""

    async def close():
        pass

    return await _graph_runs(None), close


# ---------------------------------------------------------------------- pydantic-ai and DBOS


async def pydantic_ai_dbos(path, level):
    """Its agent made durable by DBOS, the tool a step of DBOS's too, as its documents have it."""
    from dbos import DBOS
    from pydantic_ai import Agent
    from pydantic_ai.durable_exec.dbos import DBOSAgent
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.usage import RequestUsage, UsageLimits
    from sqlalchemy import Engine, event

    def wal(connection, record):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={level}")

    event.listen(Engine, "connect", wal)
    wanted = 0

    def model(messages, info):
        done = len(messages) // 2
        part = ToolCallPart("reading", {"meter": done}, f"c{done}") if done < wanted else TextPart("Done.")
        return ModelResponse([part], usage=RequestUsage(input_tokens=100, output_tokens=20))

    DBOS(
        config={
            "name": "meters",
            "system_database_url": f"sqlite:///{path}",
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    agent = DBOSAgent(Agent(FunctionModel(model), name="meters", tools=[DBOS.step()(reading)]))
    DBOS.launch()

    async def run(steps, name):
        nonlocal wanted
        wanted = steps
        found = await agent.run("Read the meters.", usage_limits=UsageLimits(request_limit=None))
        assert found.output == "Done." and len(found.all_messages()) == 2 * steps + 2

    async def close():
        DBOS.destroy()

    return run, close


# ---------------------------------------------------------------------- OpenAI Agents


async def openai_agents(path, level):
    """With its SQLiteSession."""
    from openai.types.responses import (
        ResponseFunctionToolCall,
        ResponseOutputMessage,
        ResponseOutputText,
    )

    from agents import (
        Agent,
        Model,
        ModelResponse,
        Runner,
        SQLiteSession,
        Usage,
        function_tool,
        set_tracing_disabled,
    )

    set_tracing_disabled(True)
    wanted = 0

    class Meters(Model):
        async def get_response(self, system_instructions, input, *rest, **more):
            done = (len(input) - 1) // 2
            if done < wanted:
                arguments = json.dumps({"meter": done})
                said = ResponseFunctionToolCall(
                    arguments=arguments, call_id=f"c{done}", name="reading", type="function_call"
                )
            else:
                text = ResponseOutputText(annotations=[], text="Done.", type="output_text")
                said = ResponseOutputMessage(
                    id="m", content=[text], role="assistant", status="completed", type="message"
                )
            return ModelResponse([said], Usage(1, 100, output_tokens=20, total_tokens=120), None)

        def stream_response(self, *rest, **more):
            raise NotImplementedError

    agent = Agent("meters", model=Meters(), tools=[function_tool(reading)])
    open_ = sqlite3.connect

    def connect(*rest, **more):
        connection = open_(*rest, **more)
        connection.execute(f"PRAGMA synchronous={level}")
        return connection

    sqlite3.connect = connect
    sessions = []

    async def run(steps, name):
        nonlocal wanted
        wanted = steps
        session = SQLiteSession(name, path)
        sessions.append(session)
        found = await Runner.run(agent, "Read the meters.", session=session, max_turns=steps + 2)
        assert found.final_output == "Done."

    async def close():
        for session in sessions:
            session.close()

    return run, close


# ---------------------------------------------------------------------- Google ADK


async def google_adk(path, level):
    """With its database sessions on SQLite."""
    from google.adk.agents import Agent
    from google.adk.models import BaseLlm, LlmResponse
    from google.adk.runners import Runner
    from google.adk.sessions import DatabaseSessionService
    from google.genai import types
    from sqlalchemy import Engine, event

    def wal(connection, record):
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={level}")
        cursor.close()

    event.listen(Engine, "connect", wal)
    wanted = 0

    class Meters(BaseLlm):
        async def generate_content_async(self, request, stream=False):
            done = len(request.contents) // 2
            if done < wanted:
                part = types.Part.from_function_call(name="reading", args={"meter": done})
            else:
                part = types.Part(text="Done.")
            usage = types.GenerateContentResponseUsageMetadata(
                prompt_token_count=100, candidates_token_count=20, total_token_count=120
            )
            yield LlmResponse(content=types.Content(role="model", parts=[part]), usage_metadata=usage)

    from google.adk.agents.run_config import RunConfig

    agent = Agent(name="meters", model=Meters(model="meters"), tools=[reading])
    sessions = DatabaseSessionService(f"sqlite+aiosqlite:///{path}")
    runner = Runner(agent=agent, app_name="bench", session_service=sessions)

    async def run(steps, name):
        nonlocal wanted
        wanted = steps
        await sessions.create_session(app_name="bench", user_id="u", session_id=name)
        said = types.Content(role="user", parts=[types.Part(text="Read the meters.")])
        last = None
        limits = RunConfig(max_llm_calls=steps + 2)
        async for event_ in runner.run_async(
            user_id="u", session_id=name, new_message=said, run_config=limits
        ):
            last = event_
        assert last.content.parts[0].text == "Done."

    async def close():
        await sessions.close()

    return run, close


# ---------------------------------------------------------------------- the measurement


async def measure(name, folder, steps, level):
    path = folder / "peer.db"
    run, close = await PEERS[name](str(path), level)
    await run(3, "warm")
    wall, cpu = time.perf_counter(), time.process_time()
    await run(steps, "measured")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    await close()
    size = sum(file.stat().st_size for file in folder.iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": wall, "cpu": cpu, "bytes": size, "peak_mb": peak}


PEERS = {
    "langgraph": langgraph,
    "langgraph-threads": langgraph_threads,
    "langgraph-memory": langgraph_memory,
    "pydantic-ai-dbos": pydantic_ai_dbos,
    "openai-agents": openai_agents,
    "google-adk": google_adk,
}

if __name__ == "__main__":
    asked, where, count, flushed = sys.argv[1:]
    print(json.dumps(asyncio.run(measure(asked, Path(where), int(count), flushed))))
