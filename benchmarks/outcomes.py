"""What an evaluation costs beside its model: from its first event to its last, end to end, per criterion.

    python -m benchmarks.outcomes

A session's work (its final message, and a report of 20 kB among its outputs) is judged by a grader that answers at once,
or by checks of text. Threads, transactions, the copy of the folders, reading, briefing and settling are counted; the
worker's turn and the grader's own answer are not. Each figure is the fastest of sessions of their own, on a new
database, which is nearest to a machine with nothing else to do; the median stands beside it.
"""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.table import Row, print_table
from reverie.app import Reverie
from reverie.domain.events import JsonObject
from reverie.domain.messages import ModelRequest, Text, ToolCall, UserTurn
from reverie.models.scripted import ScriptedModel
from reverie.runtime.house import Plugs
from reverie.storage.database import Database
from reverie.storage.events import Link, read

__all__ = ["main"]

LIMIT_MS = 5.0
ROUNDS = 9
COUNTS = (1, 10, 50)
SAID = "Costs of kind {n} fell in March, after the second change."


class Judges(Reverie):
    """A house whose worker and grader answer at once. ``thought_s`` is how long the grader took to answer."""

    thought_s: float = 0.0
    says: str = ""

    def plugs(self) -> Plugs:
        return replace(super().plugs(), model=self._model)

    def _model(self, id: str) -> ScriptedModel:
        return ScriptedModel(id, self._grade if id == "scripted:grader" else lambda request: self.says)

    def _grade(self, request: ModelRequest) -> Any:
        start = time.perf_counter()
        text = "\n".join(
            part.text
            for turn in request.messages
            if isinstance(turn, UserTurn)
            for part in turn.parts
            if isinstance(part, Text)
        )
        nonce = re.findall(r"with the nonce (\w+)", text)[-1]
        judged: list[JsonObject] = []
        for label, wanted in re.findall(r"^- \[(\w{4})\] (.*)$", text, re.MULTILINE):
            topic = re.search(r"topic (\d+)", wanted)
            judged.append({
                "label": label, "status": "not_satisfied" if topic is None else "satisfied",
                "proof": None if topic is None else {"file": None, "quote": SAID.format(n=topic[1]), "place": None},
                "change": "Name it." if topic is None else "", "reason": "It does.", "confidence": 0.9,
            })  # fmt: skip
        told = {"nonce": nonce, "criteria": judged, "inapplicable": None, "summary": ""}
        self.thought_s += time.perf_counter() - start
        return [ToolCall("v", "verdict", told)]


class _Rest:
    """Notes when an evaluation begins and ends, and when the session rests."""

    def __init__(self) -> None:
        self.begun = self.ended = 0.0
        self.result = ""
        self.rested = threading.Event()

    def appended(self, links: Sequence[Link]) -> None:
        for link in links:
            if link.type == "span.outcome_evaluation_start":
                self.begun = time.perf_counter()
            elif link.type == "span.outcome_evaluation_end":
                self.ended, self.result = time.perf_counter(), str(read(link).payload["result"])
            elif link.type == "session.status_idle":
                self.rested.set()

    def changed(self) -> None: ...
    def previewed(self, thread: str, preview: JsonObject) -> None: ...
    def deleted(self) -> None: ...


def _by_grader(number: int) -> str:
    return f"- It tells what became of the costs, topic {number}.\n"


def _by_check(number: int) -> str:
    told = f"  ```check\n  kind = 'text'\n  file = 'report.md'\n  contains = ['kind {number} ']\n  ```\n"
    return f"- It has the costs, topic {number}.\n{told}"


def _once(house: Judges, count: int, line: Callable[[int], str], agent: str, place: str) -> float:
    """Seconds of one evaluation, in a session of its own."""
    session = house.sessions.create({"agent": agent, "environment_id": place}).row.id
    parts = [SAID.format(n=number) for number in range(count)]
    house.says, house.thought_s = "\n".join(parts), 0.0
    outputs = Path(f"{house.database.where}.files") / "sessions" / house.id / session / "outputs"
    outputs.mkdir(parents=True)
    (outputs / "report.md").write_text("\n".join(parts + ["More was found in the annex."] * 600))
    rest = _Rest()
    stop = house.feed.subscribe(session, rest)
    rubric = {"type": "text", "content": "".join(line(number) for number in range(count))}
    told = {"description": "Write a report.", "rubric": rubric, "grader": {"model": "scripted:grader"}}
    house.sessions.send(session, [{"type": "user.define_outcome", **told}])
    if not rest.rested.wait(60) or rest.result != "satisfied":
        raise SystemExit(f"the work was to be satisfied, and is {rest.result or 'not judged'}")
    stop()
    return rest.ended - rest.begun - house.thought_s


def main() -> None:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, Judges(Database.open(Path(folder) / "reverie.db")) as house:
        house.attend()
        agent = house.agents.create({"name": "clerk", "model": "scripted:worker"}).id
        place = house.environments.create({"name": "here"}).id
        for what, line in (("a grader", _by_grader), ("checks of text", _by_check)):
            for count in COUNTS:
                _once(house, count, line, agent, place)
                took = sorted(_once(house, count, line, agent, place) * 1_000 for _ in range(ROUNDS))
                rows.append(_row(what, count, took[0], took[ROUNDS // 2]))
    print_table("An evaluation, without its model, end to end", rows)


def _row(what: str, count: int, took_ms: float, median_ms: float) -> Row:
    each = took_ms / count
    figure = f"{took_ms:.1f} ms (median {median_ms:.1f}), {each:.2f} ms per criterion"
    if count == 1:
        return Row(f"1 criterion, by {what}: what an evaluation costs at least", figure)
    return Row(
        f"{count} criteria, by {what}", figure, f"at most {LIMIT_MS:g} ms per criterion", each <= LIMIT_MS
    )


if __name__ == "__main__":
    main()
