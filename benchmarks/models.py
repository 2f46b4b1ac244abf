"""What a model costs besides the model: ours beside pydantic-ai alone, and a scripted one.

    python -m benchmarks.models

A model of pydantic-ai's own (``FunctionModel``, which answers at once) is asked through ``respond``, and by
pydantic-ai alone in two ways: ``direct.model_request`` with messages that were translated before, and the same
after ``Model.prepare_messages``, which its Agent does before each request and a conversation with system turns or
foreign ids needs. What is between the latter and ours is ours: translation there and back, limits, prices. Rounds
alternate and their medians are compared, so that a busy machine slows all. The conversation has 100 messages (50
calls of a tool and what they gave). The scripted model is asked the next step of conversations of 50 and of 500
steps, as a loop asks it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

from benchmarks.table import Row, print_table
from reverie.domain.messages import (
    AssistantTurn,
    Message,
    ModelRequest,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    UserTurn,
)
from reverie.models.scripted import ScriptedModel

ROUNDS = 15
STEPS = 50
LONG = 500
MOST_OF_PEER = 2.0
MOST_SCRIPTED_US = 25.0
MOST_GROWTH = 1.5
MOST_IMPORT_MS = 30.0

TOOLS = [ToolSpec("add", "Adds numbers.", {"type": "object", "properties": {"a": {"type": "integer"}}})]


def steps(count: int) -> list[Message]:
    """A conversation: a wish, then calls of a tool and what they gave."""
    said: list[Message] = [UserTurn([Text("Add the numbers from one on until I say stop.")])]
    for number in range(count):
        said += step(number)
    return said


def step(number: int) -> list[Message]:
    call = ToolCall(f"call_{number}", "add", {"a": number})
    return [
        AssistantTurn([Text("Next."), call]),
        UserTurn([ToolResult(call.id, call.name, [Text(f"{number + 1}")])]),
    ]


async def each(ask: Callable[[], Awaitable[object]], times: int) -> float:
    """Microseconds of one."""
    begun = time.perf_counter()
    for _ in range(times):
        await ask()
    return (time.perf_counter() - begun) / times * 1e6


async def beside_direct() -> tuple[float, float, float]:
    """Microseconds of one request: (direct, direct and prepared, ours)."""
    from pydantic_ai.direct import model_request
    from pydantic_ai.messages import ModelResponse, TextPart
    from pydantic_ai.models.function import FunctionModel

    from reverie.models.asking import ProviderModel
    from reverie.models.translate import conversation, parameters
    from reverie.models.wire import Patience, client

    theirs = FunctionModel(lambda messages, info: ModelResponse([TextPart("Done.")], finish_reason="stop"))
    patience = Patience()
    ours = ProviderModel("function:instant", lambda made: theirs, lambda: client(patience), patience)
    request = ModelRequest(steps(STEPS), system="Be brief.", tools=TOOLS)
    messages, told = conversation(request.messages), parameters(request)

    def prepared() -> Awaitable[object]:
        ready = theirs.prepare_messages(messages, told)
        return model_request(theirs, ready, model_request_parameters=told)

    ways: list[Callable[[], Awaitable[object]]] = [
        lambda: model_request(theirs, messages, model_request_parameters=told),
        prepared,
        lambda: ours.respond(request),
    ]
    rounds = [[await each(way, 20) for way in ways] for _ in range(ROUNDS)]
    await ours.aclose()
    direct, ready, through = (statistics.median(round_[way] for round_ in rounds) for way in range(3))
    return direct, ready, through


async def scripted(count: int) -> float:
    """Microseconds of one request of a loop that grows from ``count`` steps by fifty."""
    model = ScriptedModel("scripted:bench:instant", lambda request: "Done.")
    rounds: list[float] = []
    for _ in range(ROUNDS):
        said = steps(count)
        await model.respond(ModelRequest(said, system="Be brief.", tools=TOOLS))
        took = 0.0
        for number in range(STEPS):
            said = [*said, *step(count + number)]
            request = ModelRequest(said, system="Be brief.", tools=TOOLS)
            begun = time.perf_counter()
            await model.respond(request)
            took += time.perf_counter() - begun
        rounds.append(took / STEPS * 1e6)
    return statistics.median(rounds)


def importing(module: str) -> float:
    """Milliseconds to import a module, beyond those of its own foundation, in a process of its own."""
    code = f"import time; import reverie.plugins; t=time.perf_counter(); import {module}; print(time.perf_counter()-t)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(5)
    ]
    return statistics.median(float(run.stdout) for run in runs) * 1e3


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0]).parse_args()
    direct, ready, ours = asyncio.run(beside_direct())
    short, long = asyncio.run(scripted(STEPS)), asyncio.run(scripted(LONG))
    light = importing("reverie.models.providers, reverie.models.scripted")
    size = f"{2 * STEPS} messages"
    print_table(
        "Models: what is between a loop and an answer",
        [
            Row(f"pydantic-ai's direct request, {size}", f"{direct:,.0f} µs", "a peer"),
            Row(f"the same, prepared as its Agent does, {size}", f"{ready:,.0f} µs", "the peer"),
            Row(
                f"ours, {size}",
                f"{ours:,.0f} µs, {ours / ready:.2f} ×",
                f"≤ {MOST_OF_PEER} × the peer",
                ours <= MOST_OF_PEER * ready,
            ),
            Row(
                f"a scripted model, step {STEPS} and on",
                f"{short:.1f} µs",
                f"≤ {MOST_SCRIPTED_US:.0f} µs",
                short <= MOST_SCRIPTED_US,
            ),
            Row(
                f"the same at step {LONG}",
                f"{long / short:.2f} ×",
                f"≤ {MOST_GROWTH} ×",
                long <= MOST_GROWTH * short,
            ),
            Row(
                "importing the makers of models",
                f"{light:.1f} ms",
                f"≤ {MOST_IMPORT_MS:.0f} ms",
                light <= MOST_IMPORT_MS,
            ),
        ],
    )


if __name__ == "__main__":
    main()
