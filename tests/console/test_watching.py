"""What runs, in a real browser: a session at work, a server that is killed under it, answers from the page, a dream as
it goes on, two of them side by side, schedules. Nothing in the error console, and nothing runs that a log says."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.console.at_work import MODELS

PATIENCE = 30.0
RUBRIC = (
    '# The report\n\n- Says "the sums are right".\n- Says "the sources are named".\n'
    "- It is a draft.\n  ```check\n  kind = 'text'\n  message = true\n  matches = 'Draft'\n  ```\n"
)
PRICE = {
    "type": "custom",
    "name": "price",
    "description": "What it costs.",
    "input_schema": {"type": "object", "properties": {"article": {"type": "string"}}},
}


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1200, "height": 700})
    found = context.new_page()
    wrong: list[str] = []
    found.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.on("dialog", lambda dialog: wrong.append(f"a script ran: {dialog.message}"))
    yield found
    context.close()
    gone = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
    assert [each for each in wrong if not any(name in each for name in gone)] == []


@dataclass
class Served:
    """A server with agents at work; it can be killed and started again."""

    database: Path
    port: int = 0
    session: str = ""
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "tests.console.at_work", str(self.database), str(self.port)]
        command += [self.session] if self.session else []
        root = Path(__file__).parents[2]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=root,
            env={**os.environ},
        )
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], "the server says nothing"
        self.session = self.process.stdout.readline().split()[1]

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()

    def post(self, path: str, body: Any = None) -> Any:
        answer = httpx2.post(f"{self.url}{path}", json=body or {}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        answer = httpx2.get(f"{self.url}{path}", timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def say(self, session: str, text: str) -> None:
        content = [{"type": "text", "text": text}]
        self.post(
            f"/v1/sessions/{session}/events", {"events": [{"type": "user.message", "content": content}]}
        )

    def begin(self, name: str, **agent: Any) -> str:
        """A session of an agent of that name."""
        place = self.post("/v1/environments", {"name": name, "config": {"type": "cloud"}})["id"]
        made = self.agent(name, **agent)
        return self.post("/v1/sessions", {"agent": made, "environment_id": place, "title": f"The {name}"})[
            "id"
        ]

    def agent(self, name: str, **more: Any) -> str:
        return self.post("/v1/agents", {"name": name, "model": f"scripted:{MODELS}:{name}", **more})["id"]

    def seqs(self, session: str) -> int:
        """How many events it has."""
        found = httpx2.get(f"{self.url}/sessions/{session}/since?end=1", timeout=PATIENCE).text
        return int(re.search(r'data-last="(\d+)"', found)[1])  # type: ignore[index]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    found = Served(home / "reverie.db")
    found.start()
    yield found
    found.kill()


def until(enough: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not enough():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)


def shown(page: Any) -> list[int]:
    """The numbers of the events on the page, in the order in which they stand there."""
    return [int(text) for text in page.locator(".events .no, .strip a").all_inner_texts()]


def test_a_session_is_watched_while_it_works(page: Any, served: Served) -> None:
    page.goto(f"{served.url}/sessions/{served.session}")
    page.wait_for_selector("#line:not([hidden])")
    page.fill("#say", "Count to 12")
    page.click(".say button")
    page.wait_for_selector("text=Counted to 12", timeout=30_000)
    until(lambda: page.locator("#standing .status-idle").count() == 1)
    until(lambda: len(shown(page)) == served.seqs(served.session))
    assert sorted(shown(page)) == list(range(1, served.seqs(served.session) + 1)), "no gap, and none twice"
    assert page.locator(".event .event").count() == 12, "each result stands in its call"
    assert page.locator("text=<b>done</b>").count() == 1, "what the agent says is text"


def test_what_is_new_takes_no_focus_and_is_told(page: Any, served: Served) -> None:
    served.say(served.session, "Count to 20")
    until(lambda: served.get(f"/v1/sessions/{served.session}")["status"] == "idle")
    page.goto(f"{served.url}/sessions/{served.session}?end=1")
    page.wait_for_selector("#line:not([hidden])")
    page.focus("input[type=search]")
    page.keyboard.type("half a wo")
    page.evaluate("window.scrollTo(0, 0)")
    served.say(served.session, "Count to 22")
    page.wait_for_selector("text=Counted to 22", timeout=30_000)
    assert page.evaluate("document.activeElement.value") == "half a wo"
    assert page.evaluate("window.scrollY") == 0
    page.wait_for_selector("#newest:not([hidden])")
    until(lambda: "new event" in page.locator("#heard").inner_text())
    page.click("#newest")
    assert page.evaluate("document.activeElement.matches('.events > li')")
    assert page.locator("#newest").is_hidden()


def test_the_server_is_killed_and_nothing_is_missed(page: Any, served: Served) -> None:
    page.goto(f"{served.url}/sessions/{served.session}")
    page.wait_for_selector("#line:not([hidden])")
    served.say(served.session, "Count to 25")
    page.wait_for_selector("text=Step 5 of 25", timeout=30_000)
    served.kill()
    page.wait_for_selector("#line.cut-off")
    served.start()
    page.wait_for_selector("text=Counted to 25", timeout=30_000)
    page.wait_for_selector("#line:not(.cut-off)")
    until(lambda: page.locator("#standing .status-idle").count() == 1)
    until(lambda: len(shown(page)) == served.seqs(served.session))
    assert sorted(shown(page)) == list(range(1, served.seqs(served.session) + 1))
    page.fill("#say", "Count to 0")  # the form's token is the new server's
    page.click(".say button")
    page.wait_for_selector("text=Counted to 0", timeout=30_000)


def test_what_it_waits_for_is_answered_from_the_page(page: Any, served: Served) -> None:
    session = served.begin("asker", tools=[PRICE])
    page.goto(f"{served.url}/sessions/{session}")
    page.wait_for_selector("#line:not([hidden])")
    served.say(session, "What does tea cost?")
    page.wait_for_selector(".asks", timeout=30_000)
    page.fill(".asks input[name=text]", "3 euros")
    page.click(".asks button")
    page.wait_for_selector("text=Tea costs 3 euros.", timeout=30_000)
    until(lambda: page.locator(".asks").count() == 0)


def test_an_outcome_is_a_matrix_and_its_proof_leads_to_the_transcript(page: Any, served: Served) -> None:
    session = served.begin("drafter", grader={"model": f"scripted:{MODELS}:judge"})
    page.goto(f"{served.url}/sessions/{session}/outcomes")
    assert "Nothing was wanted" in page.inner_text("main")
    told = {"type": "text", "content": RUBRIC}
    wanted = {"type": "user.define_outcome", "description": "Write the report.", "rubric": told}
    page.goto(f"{served.url}/sessions/{session}")
    page.wait_for_selector("#line:not([hidden])")
    served.post(f"/v1/sessions/{session}/events", {"events": [wanted]})
    page.wait_for_selector(".result-satisfied", timeout=30_000)
    page.goto(f"{served.url}/sessions/{session}/outcomes")
    rows = page.locator(".matrix tbody tr")
    assert rows.count() == 3 and page.locator(".matrix thead th").count() == 3
    assert "not met" in rows.nth(1).locator("td").nth(0).inner_text()
    assert "not" not in rows.nth(1).locator("td").nth(1).inner_text()
    assert page.locator(".trend polyline").count() == 1
    rows.nth(1).locator("td").nth(1).locator("summary").click()
    rows.nth(1).locator("td").nth(1).locator("text=in the transcript").click()
    page.wait_for_selector("[data-here] mark")
    assert page.locator("[data-here] mark").inner_text() == "the sources are named"


def test_a_team_is_a_graph_and_a_table(page: Any, served: Served) -> None:
    made = [served.agent(name) for name in ("reader", "broken")]
    session = served.begin("lead", multiagent={"type": "coordinator", "agents": made})
    served.say(session, "go")
    until(lambda: served.get(f"/v1/sessions/{session}")["status"] == "idle" and served.seqs(session) > 5)
    page.goto(f"{served.url}/sessions/{session}/team")
    assert page.locator(".graph").count() == 2
    assert "it needs price" in page.locator("#task-write").inner_text()
    assert (
        page.locator(".node.state-failed").count() == 1 and page.locator(".node.state-skipped").count() == 1
    )
    page.locator("#task-read a").click()
    page.wait_for_url(re.compile("thread="))
    lanes = set(page.locator(".lane-tag").all_inner_texts())
    assert len(lanes) == 1
    assert page.locator(".lanes [aria-current]").inner_text().split()[0] == "read"


def test_a_dream_is_started_followed_and_laid_beside_another(page: Any, served: Served) -> None:
    _desk(served, 30, seed=7)
    page.goto(f"{served.url}/dreams/new")
    page.select_option("select[name=outcome]", "success")
    page.click("text=Count again")
    page.wait_for_url(re.compile("outcome=success"))
    fewer = int(page.locator("fieldset p b").first.inner_text())
    assert 0 < fewer < 30
    page.click("text=Start dreaming")
    page.wait_for_url(re.compile("/dreams/drm_"))
    page.wait_for_selector(".status-completed", timeout=30_000)  # the page looks again by itself
    assert page.locator("#run[hx-get]").count() == 0, "and then no more"
    assert f"{fewer} sessions read" in page.inner_text("main").replace("\n", " ")
    page.goto(f"{served.url}/dreams/new")
    page.click("text=Start dreaming")
    page.wait_for_url(re.compile("/dreams/drm_"))
    page.wait_for_selector(".status-completed", timeout=30_000)
    page.click("button:has-text('Compare')")
    page.wait_for_url(re.compile("/compare/drm_"))
    assert "sessions" in page.locator("table").first.inner_text()
    told = served.get(page.url.removeprefix(served.url) + ".json")
    assert len(told["changed_findings"]) + len(told["new_findings"]) + len(told["gone_findings"]) > 0


def test_a_schedule_is_made_paused_run_and_removed(page: Any, served: Served) -> None:
    _desk(served, 12, seed=3)
    page.goto(f"{served.url}/dreams/schedules")
    page.click("text=make a schedule")
    page.fill("input[name=expression]", "61 * * * *")
    page.click("text=Show the next times")
    page.wait_for_selector(".note.warn")
    page.fill("input[name=expression]", "30 2 * * 1-5")
    page.fill("input[name=timezone]", "Europe/Berlin")
    page.click("text=Show the next times")
    page.wait_for_selector(".due li")
    assert page.locator(".due li").count() == 5
    page.fill("input[name=name]", "weekdays")
    page.click("text=Make it")
    page.wait_for_url(re.compile("/dreams/schedules/dsched_"))
    page.click("button[value=pause]")
    page.wait_for_selector("text=Paused: by hand")
    page.click("button[value=unpause]")
    page.wait_for_selector("button[value=pause]")
    page.click("button[value=run]")
    page.wait_for_url(re.compile("/dreams/drm_"))
    page.wait_for_selector(".status-completed", timeout=30_000)
    page.goto(f"{served.url}/dreams/schedules")
    page.click("text=weekdays")
    page.click("text=Remove…")
    page.click("button[value=remove]")
    page.wait_for_url(re.compile("/dreams/schedules$"))
    assert served.get("/v1/dream_schedules")["data"] == []


def _desk(served: Served, sessions: int, *, seed: int) -> None:
    """Sessions to dream over, and a store to dream into."""
    import reverie
    from reverie.testing.desk import DeskClock, file_documents

    clock = DeskClock()
    with reverie.open(served.database, clock=clock) as house:
        for _ in file_documents(house.session, clock=clock, sessions=sessions, seed=seed):
            pass
        house.memory.store("default")
