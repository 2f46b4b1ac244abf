"""``python -m examples.moon measure``: success by kind of site, without experience, with all of it, with each piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from examples.moon.remedies import EVERYTHING, REMEDIES
from examples.moon.simulate import run_mission
from examples.moon.terrain import KINDS, Kind

__all__ = ["measure", "table"]


def measure(kind: Kind, seeds: Sequence[int], memories: Mapping[str, str]) -> dict[str, Counter[str]]:
    """For each memory, what became of the first drones: ``landed`` where it should, or why not."""
    found: dict[str, Counter[str]] = {name: Counter() for name in memories}
    for seed in seeds:
        for name, memory in memories.items():
            mission = run_mission(kind, seed, memory=memory).mission
            ended = "landed" if mission.succeeded else str(mission.facts.get("cause") or "away")
            found[name][ended] += 1
    return found


def table(runs: int, first: int = 0, kinds: Sequence[Kind] = KINDS, *, each: bool = True) -> Iterator[str]:
    """Lines of a table in Markdown, as they are known."""
    seeds = range(first, first + runs)
    cases = {"naive": "", "all told": EVERYTHING} | (dict(REMEDIES) if each else {})
    yield f"| site ({runs} seeds) | " + " | ".join(cases) + " | what happens to the naive |"
    yield "|---|" + "---|" * (len(cases) + 1)
    for kind in kinds:
        found = measure(kind, seeds, cases)
        shares = " | ".join(f"{causes['landed'] / runs:.0%}" for causes in found.values())
        lost = ", ".join(f"{cause} {n}" for cause, n in found["naive"].most_common() if cause != "landed")
        yield f"| {kind} | {shares} | {lost or '–'} |"
