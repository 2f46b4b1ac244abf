"""What a sandbox costs: `true` in one, beside `true` as a bare subprocess; alone, and twenty at a time.

    python -m benchmarks.sandbox [--commands N]

Both are started from asyncio, with their output read, in turns, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.table import Row, print_table
from reverie.environments.bubblewrap import Bubblewrap
from reverie.plugins import Mount, SandboxSpec

AT_ONCE = 20
MOST_OVER_BARE_MS = 25.0

Command = Callable[[], Awaitable[object]]


async def bare() -> None:
    """What everybody does without a sandbox."""
    process = await asyncio.create_subprocess_exec(
        "true",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    await process.communicate()


async def timed(command: Command) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    await command()
    return (time.perf_counter() - began) * 1000


async def rate(command: Command, commands: int) -> float:
    """Commands a second, AT_ONCE at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with places:
            await command()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(commands)))
    return commands / (time.perf_counter() - began)


async def measure(environment: Bubblewrap, folder: Path, commands: int) -> list[Row]:
    """The table's rows."""
    sandbox = environment.open(SandboxSpec("bench", [Mount(folder, "/workspace")]))

    async def closed() -> None:
        await sandbox.run(["true"])

    for command in (bare, closed):  # warm
        await rate(command, AT_ONCE)
    pairs = [(await timed(bare), await timed(closed)) for _ in range(commands)]
    bares, closeds = (sorted(times) for times in zip(*pairs, strict=True))
    rates = [(await rate(bare, commands), await rate(closed, commands)) for _ in range(3)]
    over = statistics.median(closeds) - statistics.median(bares)
    return [
        Row("bare subprocess, p50 / p99", _shown(bares)),
        Row("in a sandbox, p50 / p99", _shown(closeds)),
        Row("p50 over bare", f"{over:.1f} ms", f"≤ {MOST_OVER_BARE_MS:.0f} ms", over <= MOST_OVER_BARE_MS),
        Row(f"bare, {AT_ONCE} at a time", f"{statistics.median(r[0] for r in rates):,.0f} a second"),
        Row(f"in sandboxes, {AT_ONCE} at a time", f"{statistics.median(r[1] for r in rates):,.0f} a second"),
    ]


def _shown(times: list[float]) -> str:
    return f"{statistics.median(times):.1f} / {times[int(len(times) * 0.99)]:.1f} ms"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--commands", type=int, default=300)
    given = options.parse_args()
    environment = Bubblewrap()
    obstacle = environment.obstacle()
    if obstacle is not None:
        sys.exit(f"no sandbox here: {obstacle}")
    with tempfile.TemporaryDirectory(prefix="reverie-bench-") as folder:
        rows = asyncio.run(measure(environment, Path(folder), given.commands))
    print_table("A command in a sandbox (bubblewrap)", rows)


if __name__ == "__main__":
    main()
