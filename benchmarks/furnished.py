"""A house with something on every screen of the console: sessions of the desk, two dreams, decisions, a memory on trial,
a team that ran a plan, an outcome that was graded, policies, an import with a record in quarantine."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from tests.console.at_work import MODELS, NAMES

from reverie.app import Reverie
from reverie.domain.proposals import Proposal
from reverie.dreaming.trials.service import Terms
from reverie.storage.database import Database
from reverie.testing.desk import DeskClock, file_documents

__all__ = ["Furnished", "furnish", "served"]

ANA = "ana"
AFTER = 140
"""Sessions that came after the first approvals."""
_THINGS = ("lease", "affidavit", "expert report", "claim form", "witness statement")
_RUBRIC = (
    '# The report\n\n- Says "the sums are right".\n- Says "the sources are named".\n'
    "- It is a draft.\n  ```check\n  kind = 'text'\n  message = true\n  matches = 'Draft'\n  ```\n"
)


def furnish(database: Path, *, sessions: int = 160, seed: int = 7) -> str:
    """Make the house in a new database; the path of the memory that is on trial."""
    clock = DeskClock()
    with Reverie(Database.open(database), clock=clock, entropy=random.Random(seed).randbytes) as rv:
        for _ in file_documents(rv.session, clock=clock, sessions=sessions, seed=seed):
            pass
        _import(rv, database.parent)
        rv.dream()
        waiting = rv.review.list(status="pending")
        tried = _about_mistakes(rv, waiting)
        rv.approve(tried.id, by=ANA)
        path = tried.path
        _decide(rv, [each for each in waiting if each.id != tried.id])
        clock.now += timedelta(hours=1)
        rv.trials.begin(path, by=ANA, terms=Terms(share=0.5, budget=1_000))
        _go_on(rv, clock, path)
        rv.trials.look()
        rv.policies.add("default", by=ANA, memory_kinds=["preference"], min_sessions=3, why=None)
        rv.memory.write(
            "default", "/notes/desk/portal.md", _NOTE, actor=ANA, reason="told by the clerk of the court"
        )
        rv.memory.write("default", "/notes/desk/portal.md", _NOTE + "\nAsk for a receipt.\n", actor=ANA)
        rv.dream()
    return path


_NOTE = "# The court portal\n\nIt is down on the first Sunday of a month, from 6:00 to 9:00.\n"


def _about_mistakes(rv: Reverie, waiting: Sequence[Proposal]) -> Proposal:
    """The proposal about the error that agents make most."""
    found = [each for each in waiting if rv.finding(each.findings[0]).kind == "recurring_mistake"]
    return (found or waiting)[0]


def _decide(rv: Reverie, waiting: Sequence[Proposal]) -> None:
    if waiting:
        rv.reject(waiting[-1].id, reason="useless", by="bo", note="everybody knows")


def _import(rv: Reverie, folder: Path) -> None:
    """A transcript whose second line is cut off."""
    file = folder / "session.jsonl"
    good = '{"type":"user","uuid":"u1","sessionId":"s1","timestamp":"2026-11-02T09:00:00Z","message":{"role":"user","content":"Which register is the lease in?"}}'
    file.write_text(good + '\n{"type":"assistant","uu\n', encoding="utf-8")
    rv.import_paths(file)


def _go_on(rv: Reverie, clock: DeskClock, path: str) -> None:
    """Sessions after the approval: who sees the memory checks in more often."""
    dice = random.Random(3)
    begun = clock.now
    for number in range(AFTER):
        clock.now = begun + timedelta(days=number * 24 // AFTER, minutes=dice.randrange(9 * 60))
        goal = f"File the {dice.choice(_THINGS)} with the court portal and send me a summary"
        with rv.session(goal, agent=dice.choice(("clerk-a", "clerk-b")), user=dice.choice(("ana", "bo", "dana")),
                        native_id=f"after-{number}", repository="desk", timezone="UTC") as log:  # fmt: skip
            sees = path in {memory.path for memory in rv.recall(session=log.id)}
            log.user(goal)
            clock.work(20)
            fails = dice.random() < (0.12 if sees else 0.5)
            if not fails:
                log.action("check_in", register="civil")
                log.result("checked in, receipt issued")
            for _ in range(2 if fails else 1):
                log.action("upload", file_ext=".docx", size_mb=12)
                clock.work(30)
                if fails:
                    log.error("409 Conflict: document is not checked in to the register")
                else:
                    log.result("accepted")
            log.outcome("failure" if fails and dice.random() < 0.7 else "success")


class Furnished:
    """The house while it is served, with agents at work in it."""

    def __init__(self, url: str, session: str) -> None:
        self.url = url
        self.session = session
        self._http = httpx2.Client(base_url=url, timeout=60)
        self.outcome = self.team = ""

    def close(self) -> None:
        """Ask it nothing more."""
        self._http.close()

    def get(self, path: str) -> Any:
        """An answer of the API."""
        answer = self._http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def page(self, path: str) -> str:
        """A page of the console."""
        answer = self._http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, path: str, body: Any) -> Any:
        """What the API says of it."""
        answer = self._http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def work(self) -> None:
        """An agent that counts, one whose draft is graded until it is good, and a team with a plan."""
        self.say(self.session, "Count to 6")
        place = self.post("/v1/environments", {"name": "desk", "config": {"type": "cloud"}})["id"]
        drafter = self._agent("drafter", grader={"model": f"scripted:{MODELS}:judge"})
        self.outcome = self._begin(drafter, place, "Write the weekly report")
        told = {"type": "text", "content": _RUBRIC}
        wanted = {"type": "user.define_outcome", "description": "Write the weekly report.", "rubric": told}
        self.post(f"/v1/sessions/{self.outcome}/events", {"events": [wanted]})
        made = [self._agent(name) for name in ("reader", "broken")]
        lead = self._agent("lead", multiagent={"type": "coordinator", "agents": made})
        self.team = self._begin(lead, place, "Check the papers, and write them up")
        self.say(self.team, "Check the papers")
        for each in (self.session, self.outcome, self.team):
            self._rest(each)

    def say(self, session: str, text: str) -> None:
        """A message to an agent."""
        content = [{"type": "text", "text": text}]
        self.post(
            f"/v1/sessions/{session}/events", {"events": [{"type": "user.message", "content": content}]}
        )

    def _agent(self, name: str, **more: Any) -> str:
        return self.post("/v1/agents", {"name": name, "model": f"scripted:{MODELS}:{name}", **more})["id"]

    def _begin(self, agent: str, place: str, title: str) -> str:
        return self.post("/v1/sessions", {"agent": agent, "environment_id": place, "title": title})["id"]

    def _rest(self, session: str) -> None:
        deadline, quiet = time.monotonic() + 60, 0
        while quiet < 5:
            assert time.monotonic() < deadline, "an agent does not come to rest"
            idle = self.get(f"/v1/sessions/{session}")["status"] == "idle"
            quiet = quiet + 1 if idle else 0
            time.sleep(0.2)


@contextmanager
def served(database: Path) -> Iterator[Furnished]:
    """Serve a furnished house in a process of its own."""
    command = [sys.executable, "-m", "tests.console.at_work", str(database), "0"]
    names = ",".join(f"scripted:{MODELS}:{name}" for name in NAMES)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "REVERIE_MODELS": names, "REVERIE_USER": ANA},
    ) as process:
        assert process.stdout is not None
        url, session = process.stdout.readline().split()
        house = Furnished(url, session)
        try:
            yield house
        finally:
            house.close()
            process.terminate()
