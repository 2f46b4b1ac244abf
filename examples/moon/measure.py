"""``python -m examples.moon measure``: success by kind of site, without experience, with all of it, with each piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from examples.moon.remedies import EVERYTHING, REMEDIES
from examples.moon.simulate import run_mission
from examples.moon.terrain import KINDS, Kind

__all__ = ["measure", "table"]


def measure(kind: Kind, seeds: Sequence[int], memory: str) -> tuple[float, Counter[str]]:
    """The share of missions whose first drone lands where it should, and what became of the others."""
    causes: Counter[str] = Counter()
    for seed in seeds:
        mission = run_mission(kind, seed, memory=memory).mission
        facts = mission.facts
        causes["landed" if mission.succeeded else str(facts.get("cause") or "away")] += 1
    return causes["landed"] / len(seeds), causes


def table(runs: int, first: int = 0, kinds: Sequence[Kind] = KINDS, *, each: bool = True) -> Iterator[str]:
    """Lines of a table in Markdown, as they are known."""
    seeds = range(first, first + runs)
    cases = {"naive": "", "all told": EVERYTHING} | (dict(REMEDIES) if each else {})
    yield f"| site ({runs} seeds) | " + " | ".join(cases) + " | what happens to the naive |"
    yield "|---|" + "---|" * (len(cases) + 1)
    for kind in kinds:
        found = {name: measure(kind, seeds, memory) for name, memory in cases.items()}
        shares = " | ".join(f"{share:.0%}" for share, _ in found.values())
        lost = ", ".join(f"{cause} {n}" for cause, n in found["naive"][1].most_common() if cause != "landed")
        yield f"| {kind} | {shares} | {lost or '–'} |"
