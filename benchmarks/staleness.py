"""Stale memory: how soon is a change seen, and how often is a true memory called stale by someone who looks every night?

    python -m benchmarks.staleness            200 nights over each of 40 worlds, a few minutes
    python -m benchmarks.staleness --quick    10 worlds

A portal refuses uploads that were not checked in before. A memory says so. Five clerks, two uploads a day.
Then pairs of memories that demand opposite things among pairs that only sound alike, and rules that are broken
more or less often though nothing fails.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from benchmarks.table import Row, print_table
from reverie.domain.memories import Memory
from reverie.domain.observations import Call, Failure, Observation, Span
from reverie.mining.staleness import StaleMemory
from reverie.plugins import Corpus

__all__ = ["main"]

FIRST_DAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
NIGHTS, A_DAY = 200, 2
REFUSAL = "409 Conflict: document is not checked in to the register"
BUSY = "503 Service busy, try again later"
NOTE = Memory(
    "mem_1", "memstore_1", "/notes/check-in.md",
    f"# Call `check_in` before `upload`\n\nCall `check_in` before `upload`.\n\n> {REFUSAL}\n",
    "sha", "memver_1", 1, FIRST_DAY,
)  # fmt: skip

Habit = Callable[[float, int], float]
"""(progress from 0 to 1, clerk) → the chance to check in first."""

UNCHANGED: dict[str, Habit] = {
    "mostly followed": lambda progress, clerk: 0.97,
    "taken up little by little": lambda progress, clerk: 0.3 + 0.69 * min(1.0, 3 * progress),
    "by some clerks, not by others": lambda progress, clerk: clerk / 4,
    "given up little by little": lambda progress, clerk: 0.9 - 0.8 * progress,
}


def world(seed: int, habit: Habit, sessions: int, changed: int | None = None) -> list[Observation]:
    """Sessions in order of time; from number ``changed`` on the portal asks for no check-in."""
    dice = random.Random(seed)
    made: list[Observation] = []
    for number in range(sessions):
        clerk = dice.randrange(5)
        ready = dice.random() < habit(number / sessions, clerk)
        error = None if ready or (changed is not None and number >= changed) else REFUSAL
        if error is None and dice.random() < 0.05:
            error = BUSY
        steps = [("open_document", None), *([("check_in", None)] if ready else []), ("upload", error)]
        made.append(_session(number, clerk, steps))
    return made


def _session(number: int, clerk: int, steps: Sequence[tuple[str, str | None]]) -> Observation:
    name, at = f"sesn_{number:06d}", FIRST_DAY + timedelta(days=number / A_DAY)
    calls: list[Call] = []
    for i, (tool, error) in enumerate(steps):
        event = f"{name}-{i}"
        failure = None
        if error is not None:
            failure = Failure(
                error, error, Span(f"{event}r", 2 * i + 2, "/content/0/text", 0, len(error)), False, "http"
            )
        use = Span(event, 2 * i + 1, "/name", 0, len(tool))
        calls.append(Call(2 * i + 1, event, f"{event}r", "", 1, at, tool, tool, event, use, {}, failure))
    return Observation(
        name, name, "bench", "agent", "model", f"clerk-{clerk}", "desk", None, None, at.date().isoformat(), at, None,
        "unknown", None, {}, {}, tuple(calls),
    )  # fmt: skip


def verdicts(observations: Sequence[Observation]) -> set[str]:
    return {f.statement["what"] for f in StaleMemory().mine(Corpus(observations, [NOTE]))}


def unchanged_rows(worlds: int) -> list[Row]:
    rows: list[Row] = []
    for name, habit in UNCHANGED.items():
        stale = 0
        for seed in range(worlds):
            all_nights = world(seed, habit, NIGHTS * A_DAY)
            stale += any(
                verdicts(all_nights[: A_DAY * night]) - {"not_followed"} for night in range(1, NIGHTS + 1)
            )
        rows.append(
            Row(
                f"{name}: called stale on any of {NIGHTS} nights",
                f"{stale} of {worlds}",
                "≤ 5 %",
                stale <= 0.05 * worlds,
            )
        )
    return rows


def changed_rows(worlds: int) -> list[Row]:
    delays: list[int] = []
    off: list[int] = []
    for seed in range(worlds):
        observations = world(seed, lambda progress, clerk: 0.5, 200, changed=100)
        for n in range(100, 201):
            found = [
                f
                for f in StaleMemory().mine(Corpus(observations[:n], [NOTE]))
                if f.statement["what"] == "no_longer_so"
            ]
            if found:
                delays.append(n - 100)
                since = datetime.fromisoformat(found[0].statement["since"])
                off.append(round((since - FIRST_DAY) / timedelta(days=1) * A_DAY) - 100)
                break
    seen = len(delays) / worlds
    return [
        Row(
            f"the portal changes, half check in: seen within 100 sessions, {worlds} worlds",
            f"{seen:.2f}",
            "≥ 0.90",
            seen >= 0.9,
        ),
        Row("sessions until it is seen, the median", str(sorted(delays)[len(delays) // 2])),
        Row(
            "its date is off by at most (sessions), 9 of 10 times",
            str(sorted(off)[int(0.9 * (len(off) - 1))]),
        ),
    ]


# ---------------------------------------------------------------------- two memories, and rules

DEMANDS = (
    "run the linter before you commit", "use tabs for indentation", "squash commits on merge", "send the summary as PDF", "call `check_in` first",
    "pin the versions of libraries", "write tests for new code", "log every request in full", "ask a person for the budget", "restart the service after a deploy",
    "store the reports as JSON files", "rebase onto main each morning", "quote paths in shell commands", "close the browser at the end", "commit generated files",
    "mock the clock of the tests", "keep functions under forty lines", "name branches after the ticket", "sign every release tag", "export the tables as CSV",
)  # fmt: skip
CHOICES = (
    ("rg", "grep"),
    ("pnpm", "npm"),
    ("ruff", "flake8"),
    ("uv", "pip"),
    ("podman", "docker"),
    ("fd", "find"),
)
FIGURES = (
    ("Retry an upload at most {} times.", 3, 5),
    ("Set the timeout to {} seconds.", 30, 60),
    ("Keep pull requests under {} lines.", 200, 400),
)


def opposite_pairs() -> list[tuple[str, str]]:
    """Two texts that cannot both be followed."""
    pairs = [(f"Always {d}.", f"Never {d}.") for d in DEMANDS]
    pairs += [(f"{d[0].upper()}{d[1:]}.", f"Do not {d}.") for d in DEMANDS]
    pairs += [(f"Please {d}.", f"Avoid it: don't {d}.") for d in DEMANDS]
    pairs += [(f"Prefer `{a}` over `{b}`.", f"Use `{b}`, not `{a}`.") for a, b in CHOICES]
    pairs += [(f"Use `{a}` instead of `{b}`.", f"Prefer `{b}` to `{a}`.") for a, b in CHOICES]
    return pairs + [(text.format(one), text.format(other)) for text, one, other in FIGURES]


def compatible_pairs() -> list[tuple[str, str]]:
    """Two texts that can both be followed, however alike they sound."""
    pairs = [(f"Always {a}.", f"Never {b}.") for a, b in pairwise(DEMANDS)]
    pairs += [(f"Always {d}.", f"Do not {d} when the disk is full.") for d in DEMANDS]
    pairs += [(f"Always {d}.", f"Please {d}.") for d in DEMANDS]
    pairs += [(f"Never {d}.", f"Do not {d}.") for d in DEMANDS]
    pairs += [(f"Use `{a}`, not `{b}`.", f"Prefer `{c}` over `{d}`.") for (a, b), (c, d) in pairwise(CHOICES)]
    return pairs + [(text.format(one), text.format(one)) for text, one, _ in FIGURES]


def contradicted(pair: tuple[str, str]) -> bool:
    memories = [_rule(f"/{i}.md", text) for i, text in enumerate(pair)]
    return any(f.kind == "contradiction" for f in StaleMemory().mine(Corpus([], memories)))


def _rule(path: str, text: str) -> Memory:
    return Memory(f"mem_{path}", "memstore_1", path, f"# A rule\n\n{text}\n", "sha", "memver_1", 1, FIRST_DAY)


def contradiction_rows() -> list[Row]:
    opposite, compatible = opposite_pairs(), compatible_pairs()
    found, false = sum(map(contradicted, opposite)), sum(map(contradicted, compatible))
    return [
        Row(
            f"opposite demands found, of {len(opposite)} pairs",
            f"{found / len(opposite):.2f}",
            "≥ 0.90",
            found >= 0.9 * len(opposite),
        ),
        Row(
            "pairs that agree or have nothing to do with each other, called contradictory",
            f"{false} of {len(compatible)}",
            "≤ 5 %",
            false <= 0.05 * len(compatible),
        ),
    ]


def obeyed(seed: int, sessions: int, broken: float) -> list[Observation]:
    """Sessions that search, with this chance by the tool that a rule forbids."""
    dice = random.Random(seed)
    return [
        _session(n, dice.randrange(5), [("grep" if dice.random() < broken else "rg", None), ("build", None)])
        for n in range(sessions)
    ]


def rule_rows(worlds: int) -> list[Row]:
    """The same rule, broken in a third of the sessions, or in one of fifty; in the second, any night counts."""
    rule = _rule("/search.md", "Use `rg`, not `grep`.")

    def ignored(observations: Sequence[Observation]) -> bool:
        return any(f.statement["what"] == "ignored" for f in StaleMemory().mine(Corpus(observations, [rule])))

    seen = sum(ignored(obeyed(seed, 100, 0.33)) for seed in range(worlds))
    false = sum(any(ignored(obeyed(seed, 200, 0.08)[:n]) for n in range(4, 201, 4)) for seed in range(worlds))
    return [
        Row(
            f"broken in every third of 100 sessions: called not followed, {worlds} worlds",
            f"{seen / worlds:.2f}",
            "≥ 0.90",
            seen >= 0.9 * worlds,
        ),
        Row(
            "broken in 8 % of 200 sessions: called not followed on any night",
            f"{false} of {worlds}",
            "≤ 5 %",
            false <= 0.05 * worlds,
        ),
    ]


def main(arguments: Sequence[str] = ()) -> None:
    worlds = 10 if "--quick" in arguments else 40
    print_table("Stale memory: the world has not changed", unchanged_rows(worlds))
    print_table("Stale memory: the world has changed", changed_rows(worlds))
    print_table("Two memories, and rules that nothing enforces", [*contradiction_rows(), *rule_rows(worlds)])


if __name__ == "__main__":
    main(sys.argv[1:])
