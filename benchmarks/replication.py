"""Do findings hold where they were not found? Real sessions split in half, shuffled, and with planted causes.

``python -m benchmarks.replication [--shuffles 40] [--splits 10] [set …]`` reads ``../shared/data`` where it is there. Each set
is cut in two, by time where its sessions are dated, else by whole tasks; all miners look at one half, and every
finding is looked at again in the other, both ways round. A claim that was tested must show the same direction
there with a one-sided p below .05; a claim that is a count ("in n sessions") must be seen again.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

import reverie
from benchmarks.table import Row, print_table
from reverie.domain.findings import Condition, Finding
from reverie.domain.observations import Call, Failure, Observation
from reverie.mining.conditional import Table
from reverie.mining.conditional.judging import up_to_first_failure
from reverie.mining.conditional.report import Bound, Clause, rows_of
from reverie.mining.conditional.targets import Question, question_about, survey_of
from reverie.mining.evidence import original_calls, strata_of
from reverie.mining.identity import Names
from reverie.mining.mistakes import collect
from reverie.mining.observe import SessionObserver
from reverie.mining.responses import RETRY, responses_to
from reverie.mining.statistics import Table as Fourfold
from reverie.mining.statistics import exact_p
from reverie.mining.workflows.sequences import matched, steps_of
from reverie.plugins import MINERS, Corpus, Miner, load

DATA: Final = Path(__file__).parents[2] / "shared" / "data"
SETS: Final = ("claude-code", "codex-and-claude", "tau-airline", "intercode")
TESTING: Final = ("conditional-patterns", "workarounds", "workflows")
ALPHA: Final = 0.05
PLANTS: Final = 20


def observed(name: str) -> list[Observation]:
    """The sessions of a set, imported into a database that is thrown away."""
    with tempfile.TemporaryDirectory() as folder, reverie.open(Path(folder) / "a.db") as rv:
        rv.import_paths(DATA / name)
        sessions = rv.log.sessions()
        observer = SessionObserver()
        found: list[Observation] = []
        for start in range(0, len(sessions), 50):
            part = sessions[start : start + 50]
            events = rv.log.events_of([s.id for s in part])
            found += [observer.observe(s, events[s.id]) for s in part]
        return found


def mined(observations: Sequence[Observation], names: Sequence[str] | None = None) -> list[Finding]:
    miners = [cast(Miner, kind()) for name, kind in load(MINERS).items() if names is None or name in names]
    said = [one for miner in miners for one in miner.mine(Corpus(observations))]
    return [one for one in said if isinstance(one, Finding)]


# ---------------------------------------------------------------------- halves


@dataclass(frozen=True)
class Split:
    how: str
    halves: tuple[list[Observation], list[Observation]]

    @classmethod
    def of(cls, observations: Sequence[Observation], salt: int = 0) -> Split:
        """By time where sessions are dated (one way only), else by whole tasks, another way for each salt."""
        dated = [o for o in observations if o.started_at is not None]
        if 2 * len(dated) > len(observations):
            ordered = sorted(dated, key=lambda o: (o.started_at, o.session_id))
            return cls("by time", (ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]))
        halves: tuple[list[Observation], list[Observation]] = ([], [])
        for o in observations:
            halves[hashlib.sha256(f"{salt}{o.task or o.session_id}".encode()).digest()[0] % 2].append(o)
        return cls("by whole tasks", halves)

    def ways(self) -> Iterator[tuple[str, list[Observation], list[Observation]]]:
        """(name of the half to mine, it, the half to look again in)."""
        first, second = self.halves
        yield "first", first, second
        yield "second", second, first


# ---------------------------------------------------------------------- a finding in other sessions


@dataclass(frozen=True)
class Again:
    """A finding looked at elsewhere: what is seen there, and p (None: a count, or nothing to see it in)."""

    seen: str
    p: float | None
    holds: bool | None


NOTHING: Final = Again("nothing there to see it in", None, None)


def again(finding: Finding, observations: Sequence[Observation]) -> Again:
    if finding.kind == "conditional_pattern":
        return _conditions_again(finding, observations)
    if finding.kind == "workaround":
        return _workaround_again(finding, observations)
    if finding.kind == "workflow":
        return _workflow_again(finding, observations)
    return _seen_again(finding, observations)


def _conditions_again(finding: Finding, observations: Sequence[Observation]) -> Again:
    target = cast(dict[str, Any], finding.statement["target"])
    error = target["error"] or finding.statement.get("mistake")
    question = question_about(observations, target["kind"], target["tool"], error)
    if question is None:
        return NOTHING
    here = rows_of(question.table(), [_clause(c) for c in finding.conditions])
    if not here.any() or here.all():
        return NOTHING
    first = up_to_first_failure(question)
    tested, counted = _counts(question, here, first), _counts(question, here, np.ones(len(first), dtype=bool))
    p = exact_p([tested], alternative="greater")
    return Again(f"{counted.a} of {counted.n}; elsewhere {counted.b} of {counted.m}", p, p < ALPHA)


def _counts(question: Question, here: np.ndarray[Any, Any], among: np.ndarray[Any, Any]) -> Fourfold:
    """Failures here and elsewhere among some of the cases."""
    failed = question.happened & among
    return Fourfold(
        *(
            int(np.count_nonzero(rows))
            for rows in (failed & here, among & here, failed & ~here, among & ~here)
        )
    )


def _clause(condition: Condition) -> Clause:
    name, value = condition.attribute, condition.value
    if condition.op == "==":
        return Clause(name, "category", value if isinstance(value, bool) else str(value))
    if condition.op == "in":
        hours = cast(tuple[int, ...], value)
        return Clause(name, "hour", low=_bound(hours[0]), high=_bound((hours[-1] + 1) % 24))
    bound = _bound(cast(float, value))
    return Clause(name, "number", low=bound) if condition.op == ">=" else Clause(name, "number", high=bound)


def _bound(value: float) -> Bound:
    return Bound(value, value, value)


def _workaround_again(finding: Finding, observations: Sequence[Observation]) -> Again:
    wanted, against = finding.statement["response"], finding.statement["against"]
    own = original_calls(observations)
    names = Names(own)
    votes: dict[tuple[str, str], bool] = {}
    for o, calls in own:
        for call in calls:
            if call.failure is None or names.of(call.failure).key != finding.statement["mistake"]:
                continue
            for trial in responses_to(o, calls, call, call.failure):
                label = trial.response.label
                if label in (wanted, RETRY) or against == "others":
                    votes.setdefault((o.session_id, "it" if label == wanted else "other"), trial.worked)
    it = [worked for (_, side), worked in votes.items() if side == "it"]
    other = [worked for (_, side), worked in votes.items() if side == "other"]
    if not it or not other:
        return NOTHING
    p = exact_p([Fourfold(sum(it), len(it), sum(other), len(other))], alternative="greater")
    return Again(f"worked in {sum(it)} of {len(it)}; otherwise {sum(other)} of {len(other)}", p, p < ALPHA)


def _workflow_again(finding: Finding, observations: Sequence[Observation]) -> Again:
    steps = cast(list[str], finding.statement["steps"])
    having = {o.session_id for o, calls in original_calls(observations) if matched(steps_of(calls), steps)}
    if finding.effect.raw is None:
        return Again(f"taken in {len(having)} of {len(observations)} sessions", None, len(having) > 0)
    known = [o for o in observations if o.outcome != "unknown"]
    _, stratum = strata_of(known)
    groups: dict[str | None, list[Observation]] = defaultdict(list)
    for o in known:
        groups[stratum(o)].append(o)
    p = exact_p([_fourfold(group, having) for group in groups.values()], alternative="greater")
    pooled = _fourfold(known, having)
    return Again(f"success {pooled.a} of {pooled.n}; without {pooled.b} of {pooled.m}", p, p < ALPHA)


def _fourfold(group: Sequence[Observation], having: set[str]) -> Fourfold:
    with_ = [o.outcome == "success" for o in group if o.session_id in having]
    without = [o.outcome == "success" for o in group if o.session_id not in having]
    return Fourfold(sum(with_), len(with_), sum(without), len(without))


def _seen_again(finding: Finding, observations: Sequence[Observation]) -> Again:
    mistake = finding.statement.get("mistake")
    found = next((m for m in collect(original_calls(observations)) if m.identity.key == mistake), None)
    if found is not None:
        return Again(f"in {len(found.sessions)} of {len(observations)} sessions", None, True)
    twin = next((f for f in mined(observations, [finding.miner]) if f.key == finding.key), None)
    if twin is not None:
        return Again(f"in {twin.counts.sessions} of {twin.counts.of_sessions} sessions", None, True)
    return Again("not seen", None, False)


# ---------------------------------------------------------------------- shuffled, planted


def shuffled(observations: Sequence[Observation], seed: int) -> list[Observation]:
    """Outcomes dealt anew among sessions, and failures among the calls of each tool."""
    dice = random.Random(seed)
    outcomes = [(o.outcome, o.score) for o in observations]
    dice.shuffle(outcomes)
    pools: dict[str, list[tuple[Failure | None, tuple[Failure, ...]]]] = defaultdict(list)
    for call in (c for o in observations for c in o.calls if _ended(c)):
        pools[call.tool].append((call.failure, call.also))
    for pool in pools.values():
        dice.shuffle(pool)
    return [
        replace(o, outcome=label, score=score, calls=tuple(_dealt(c, pools) for c in o.calls))
        for o, (label, score) in zip(observations, outcomes, strict=True)
    ]


def _ended(call: Call) -> bool:
    return call.ran and call.result_event_id is not None


def _dealt(call: Call, pools: dict[str, list[tuple[Failure | None, tuple[Failure, ...]]]]) -> Call:
    if not _ended(call):
        return call
    failure, also = pools[call.tool].pop()
    return replace(call, failure=_moved(failure, call), also=tuple(_moved(f, call) for f in also))


def _moved(failure: Any, call: Call) -> Any:
    """A failure as if it had come of this call."""
    return failure and replace(failure, span=replace(failure.span, event_id=call.event_id, seq=call.seq))


def tests_something(finding: Finding) -> bool:
    """A claim that was tested against outcomes or failures (not a mere count, not a withheld one)."""
    if finding.nature in ("explained", "tautology"):
        return False
    return finding.kind in ("conditional_pattern", "workaround") or (
        finding.kind == "workflow" and finding.effect.raw is not None
    )


def false_claims(observations: Sequence[Observation], shuffles: int) -> int:
    """In how many shuffles anything is claimed."""
    return sum(
        any(tests_something(f) for f in mined(shuffled(observations, seed), TESTING))
        for seed in range(shuffles)
    )


def planted(
    observations: Sequence[Observation], seed: int
) -> tuple[list[Observation], str, Table, np.ndarray[Any, Any]] | None:
    """A cause of two conditions planted into the calls of one tool: nine of ten calls fail there."""
    dice = random.Random(seed)
    busy = [q for q in _tools(observations) if len(q.cases) >= 200]
    if not busy:
        return None
    question = dice.choice(busy)
    for _ in range(200):
        clauses = [_any_clause(column, dice) for column in dice.sample(question.table().columns, 2)]
        if any(clause is None for clause in clauses):
            continue
        rows = rows_of(question.table(), cast(list[Clause], clauses))
        sessions = len(np.unique(question.cases.places[rows]))
        if sessions >= 15 and rows.sum() <= len(rows) / 8:
            return _with_failures(observations, question, rows, dice), question.about, question.table(), rows
    return None


def _tools(observations: Sequence[Observation]) -> Iterator[Question]:
    for tool in sorted({c.tool for o in observations for c in o.calls}):
        question = question_about(observations, "call", tool, None)
        if question is not None:
            yield question


def _any_clause(column: Any, dice: random.Random) -> Clause | None:
    if column.kind == "category":
        counts = np.bincount(column.values[column.values >= 0], minlength=len(column.labels))
        frequent = np.flatnonzero((counts >= 15) & (counts < len(column.values)))
        return (
            Clause(column.name, "category", column.labels[int(dice.choice(frequent))])
            if len(frequent)
            else None
        )
    values = np.unique(column.values[np.isfinite(column.values)])
    if len(values) < 4:
        return None
    bound = _bound(float(dice.choice(values[1:])))
    return (
        Clause(column.name, column.kind, low=bound)
        if dice.random() < 0.5
        else Clause(column.name, column.kind, high=bound)
    )


def _with_failures(
    observations: Sequence[Observation], question: Question, rows: np.ndarray[Any, Any], dice: random.Random
) -> list[Observation]:
    hit = {
        (question.cases.session(row).session_id, frozenset(question.cases.given[row].items()))
        for row in map(int, np.flatnonzero(rows))
        if dice.random() < 0.9
    }

    def call_of(o: Observation, c: Call) -> Call:
        if c.tool != question.about or (o.session_id, frozenset(c.arguments.items())) not in hit:
            return c
        return replace(c, failure=Failure("planted cause", "planted cause", c.use, False, "tool"), also=())

    return [replace(o, calls=tuple(call_of(o, c) for c in o.calls)) for o in observations]


def found_back(observations: Sequence[Observation], seed: int) -> bool | None:
    """Whether a planted cause is found: a finding about the tool whose conditions cover much the same calls."""
    plant = planted(observations, seed)
    if plant is None:
        return None
    world, tool, table, rows = plant
    for finding in mined(world, ["conditional-patterns"]):
        target = cast(dict[str, Any], finding.statement["target"])
        if target["tool"] == tool:
            mine = rows_of(table, [_clause(c) for c in finding.conditions])
            if (mine & rows).sum() >= 0.8 * (mine | rows).sum():
                return True
    return False


# ---------------------------------------------------------------------- what is printed


@dataclass
class Tally:
    conditional: int = 0
    conditional_hold: int = 0


def replicate(name: str, observations: Sequence[Observation], tally: Tally) -> None:
    split = Split.of(observations)
    first, second = split.halves
    print(f"\n### {name}: {len(first)} and {len(second)} sessions, {split.how}\n")
    print("| found in | kind | claim | in the other half | p | holds |\n|---|---|---|---|---|---|")
    claims = 0
    for half, mine, other in split.ways():
        for finding in mined(mine):
            if finding.nature in ("explained", "tautology"):
                continue
            look = again(finding, other)
            holds = "–" if look.holds is None else "yes" if look.holds else "**no**"
            p = "" if look.p is None else f"{look.p:.2g}"
            kind = finding.kind.replace("_", " ")
            print(f"| {half} | {kind} | {_short(finding.claim)} | {look.seen} | {p} | {holds} |")
            if finding.kind == "conditional_pattern":
                claims += 1
                tally.conditional += 1
                tally.conditional_hold += bool(look.holds)
    if not claims:
        print(f"\nno conditional claim in either half: {_why_not(observations)}")


def replicate_more(observations: Sequence[Observation], splits: int, tally: Tally) -> None:
    """Conditional findings of further splits, where there are any: one split of few claims says little."""
    if Split.of(observations).how == "by time":
        return
    for salt in range(1, splits):
        for _, mine, other in Split.of(observations, salt).ways():
            for finding in mined(mine, ["conditional-patterns"]):
                if finding.nature in ("explained", "tautology"):
                    continue
                look = again(finding, other)
                tally.conditional += 1
                tally.conditional_hold += bool(look.holds)
                if not look.holds:
                    print(f"\nsplit {salt}: {_short(finding.claim)}; there {look.seen}, p {look.p}: **no**")


def _why_not(observations: Sequence[Observation]) -> str:
    asked = survey_of(observations).questions
    if not asked:
        return "no tool fails in six sessions or more, and outcomes are unknown"
    most = max(asked, key=lambda q: q.failing_sessions)
    return (
        f"of {len(asked)} targets in the whole set the most frequent ({most.key}) happens in "
        f"{most.failing_sessions} sessions, and none stands out in any circumstances known beforehand"
    )


def _short(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= 150 else text[:149] + "…"


def natures(observations: Sequence[Observation]) -> None:
    """Situation or behaviour, with the figures within tasks."""
    print("\n| nature | claim | raw | within task |\n|---|---|---|---|")
    for finding in mined(observations):
        raw, within = finding.effect.raw, finding.effect.within
        print(
            f"| {finding.nature} | {_short(finding.claim)} | {_points(raw)} | {_points(within)}"
            f"{f' ({within.strata} tasks)' if within else ''} |"
        )


def _points(comparison: Any) -> str:
    return "–" if comparison is None else f"{comparison.difference * 100:+.0f}"


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({part / whole:.0%})" if whole else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--shuffles", type=int, default=40)
    parser.add_argument("--splits", type=int, default=10, help="ways to halve sets without dates")
    asked = parser.parse_args()
    rows: list[Row] = []
    tally = Tally()
    for name in asked.sets:
        if not (DATA / name).is_dir():
            rows.append(Row(name, "no such folder in ../shared/data"))
            continue
        observations = observed(name)
        replicate(name, observations, tally)
        replicate_more(observations, asked.splits, tally)
        if name == "tau-airline":
            natures(observations)
        rows += _measured(name, observations, asked.shuffles)
    if tally.conditional:
        share = tally.conditional_hold / tally.conditional
        rows.insert(0, Row("conditional findings that hold in the other half (all splits, both ways)",
                           _share(tally.conditional_hold, tally.conditional), "≥ 80 %", share >= 0.8))  # fmt: skip
    print_table("Replication", rows)


def _measured(name: str, observations: Sequence[Observation], shuffles: int) -> Iterator[Row]:
    if shuffles:
        false = false_claims(observations, shuffles)
        what = f"{name}: outcomes and failures shuffled, runs with any tested claim"
        yield Row(what, _share(false, shuffles), "≤ 5 %", false <= 0.05 * shuffles)
    tried = [found for seed in range(PLANTS) if (found := found_back(observations, seed)) is not None]
    if tried:
        yield Row(
            f"{name}: planted causes of two conditions found back (of 15 sessions or more)",
            _share(sum(tried), len(tried)),
        )


if __name__ == "__main__":
    main()
