"""LangGraph's team on the same task; runs in an environment of its own, tells what it took as JSON.

    python peer_worker.py langgraph|langgraph-threads FOLDER SPECIALISTS STEPS

A lead's node asks its model, which gives a task to each specialist; ``Send`` runs the specialists side by side, as
its documents have it, each an agent of its prebuilt kind in a sub-graph that inherits the checkpointer; then the
lead is asked once more. Every step is kept before the next one begins (``durability="sync"``), flushed to the disk.
"""

import asyncio
import json
import operator
import resource
import sqlite3
import sys
import time
from pathlib import Path
from typing import Annotated, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import create_react_agent
from langgraph.types import Send


async def reading(meter: int) -> str:
    """What a meter shows.

    Args:
        meter: Its number.
    """
    return f"Meter {meter} shows 230 V, 50 Hz, and nothing that anybody would have to look after today."


def reading_now(meter: int) -> str:
    """What a meter shows.

    Args:
        meter: Its number.
    """
    return f"Meter {meter} shows 230 V, 50 Hz, and nothing that anybody would have to look after today."


USAGE = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}


class Specialist(BaseChatModel):
    steps: int = 0

    @property
    def _llm_type(self):
        return "meters"

    def bind_tools(self, tools, **more):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **more):
        done = len(messages) // 2
        calls = [{"name": "reading", "args": {"meter": done}, "id": f"c{done}"}]
        said = AIMessage("", tool_calls=calls) if done < self.steps else AIMessage("Read.")
        said.usage_metadata = USAGE
        return ChatResult(generations=[ChatGeneration(message=said)])

    async def _agenerate(self, messages, stop=None, run_manager=None, **more):
        return self._generate(messages)


class Lead(Specialist):
    def _generate(self, messages, stop=None, run_manager=None, **more):
        if len(messages) == 1:
            tasks = [f"Read the meters of house {n}." for n in range(self.steps)]
            said = AIMessage(json.dumps(tasks), usage_metadata=USAGE)
        else:
            said = AIMessage(f"{len(messages) - 2} reports", usage_metadata=USAGE)
        return ChatResult(generations=[ChatGeneration(message=said)])


class State(TypedDict):
    messages: Annotated[list, operator.add]


class Task(TypedDict):
    task: str


def team(saver, function, lead, model, *, threads):
    agent = create_react_agent(model, [tool(function)])

    def plan(state):
        return {"messages": [lead.invoke(state["messages"])]}

    async def plan_async(state):
        return {"messages": [await lead.ainvoke(state["messages"])]}

    def specialist(state: Task):
        found = agent.invoke({"messages": [HumanMessage(state["task"])]})
        return {"messages": [HumanMessage(found["messages"][-1].content)]}

    async def specialist_async(state: Task):
        found = await agent.ainvoke({"messages": [HumanMessage(state["task"])]})
        return {"messages": [HumanMessage(found["messages"][-1].content)]}

    def tasks(state):
        return [Send("specialist", {"task": task}) for task in json.loads(state["messages"][-1].content)]

    graph = StateGraph(State)
    graph.add_node("plan", plan if threads else plan_async)
    graph.add_node("specialist", specialist if threads else specialist_async)
    graph.add_node("report", plan if threads else plan_async)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", tasks, ["specialist"])
    graph.add_edge("specialist", "report")
    graph.add_edge("report", END)
    return graph.compile(checkpointer=saver)


async def measure(name, folder, specialists, steps):
    threads = name == "langgraph-threads"
    path = str(folder / "peer.db")
    lead, model = Lead(), Specialist()
    if threads:
        from langgraph.checkpoint.sqlite import SqliteSaver

        connection = sqlite3.connect(path, check_same_thread=False)
        saver = SqliteSaver(connection)
        saver.setup()
        connection.execute("PRAGMA synchronous=FULL")
    else:
        import aiosqlite
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        connection = await aiosqlite.connect(path)
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        await connection.execute("PRAGMA synchronous=FULL")
    graph = team(saver, reading_now if threads else reading, lead, model, threads=threads)

    async def run(count, each, thread):
        lead.steps, model.steps = count, each
        config = {"configurable": {"thread_id": thread}, "recursion_limit": 10 * each + 100}
        told = {"messages": [HumanMessage("Read the meters.")]}
        if threads:
            found = graph.invoke(told, config, durability="sync")
        else:
            found = await graph.ainvoke(told, config, durability="sync")
        assert found["messages"][-1].content == f"{count} reports", found

    await run(2, 1, "warm")
    wall, cpu = time.perf_counter(), time.process_time()
    await run(specialists, steps, "measured")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    closing = connection.close()
    if not threads:
        await closing
    kept = sqlite3.connect(path).execute("SELECT count(*) FROM checkpoints").fetchone()[0]
    assert kept > specialists * steps, "the specialists' steps are kept too"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": wall, "cpu": cpu, "peak_mb": peak, "checkpoints": kept}


if __name__ == "__main__":
    asked, where, count, each = sys.argv[1:]
    print(json.dumps(asyncio.run(measure(asked, Path(where), int(count), int(each)))))
