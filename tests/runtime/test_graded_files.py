"""What was handed over is judged, in real folders and real sandboxes: whatever it is, and whatever a check or a grader
does to it, that is a result, and not a fault; and nothing but the copy is touched."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.graders import Grader, defined, ends, honest, rubric
from tests.runtime.houses import Watch, rested, results

from reverie.app import Reverie
from reverie.domain.errors import SandboxFailed
from reverie.domain.events import Event
from reverie.domain.messages import ModelRequest, Text, ToolCall
from reverie.models.scripted import ScriptedModel
from reverie.runtime.house import Plugs
from reverie.storage.database import Database

PHRASE = "the figures are those of March"
TOOLSET = {"type": "agent_toolset_20260401"}


class Real(Reverie):
    """A house with folders and sandboxes, whose models are functions of a test."""

    models_here: dict[str, Any]
    folder: Path

    def plugs(self) -> Plugs:
        return replace(super().plugs(), model=lambda id: ScriptedModel(id, self.models_here[id]))

    def judged(
        self, worker: Any, judge: Any, content: str, *, max_iterations: int = 1, votes: int = 1, **more: Any
    ) -> tuple[str, list[Event]]:
        """A session whose work is judged, at its rest."""
        self.models_here = {"scripted:it": worker, "scripted:grader": judge}
        agent = self.agents.create({"name": "clerk", "model": "scripted:it", "tools": [TOOLSET]}).id
        place = self.environments.create({"name": "here", "config": {"type": "cloud"}}).id
        session = self.sessions.create({"agent": agent, "environment_id": place, **more}).row.id
        told = {"model": "scripted:grader", "votes": votes}
        watch = Watch(self.feed, session)
        try:
            self.sessions.send(session, [defined(content, max_iterations=max_iterations, grader=told)])
            return session, watch.until(rested)
        finally:
            watch.stop()

    def root(self, session: str) -> Path:
        return self.folder / "sessions" / self.id / session

    def outputs(self, session: str) -> dict[str, bytes]:
        folder = self.root(session) / "outputs"
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }


@pytest.fixture
def house(sqlite_url: str) -> Iterator[Real]:
    with Real(Database.open(sqlite_url)) as house:
        house.folder = Path(sqlite_url.removeprefix("sqlite:///") + ".files")
        try:
            house.plugs().environment()
        except SandboxFailed as failed:
            pytest.skip(f"no sandbox: {failed}")
        house.attend()
        yield house  # type: ignore[misc]


def bash(command: str) -> ToolCall:
    return ToolCall("c", "bash", {"command": command})


def delivers(command: str = f"echo {PHRASE} > report.md") -> Callable[[ModelRequest], Any]:
    """A worker that makes files with one command, in the folder for them."""

    def works(request: ModelRequest) -> Any:
        return "Done." if results(request) else bash(f"cd /mnt/session/outputs && {command}")

    return works


def check(kind: str, name: str = "It holds", **wants: Any) -> str:
    told = "".join(
        f"  {key} = {str(value).lower() if value is True else repr(value)}\n" for key, value in wants.items()
    )
    return f"- {name}.\n  ```check\n  kind = '{kind}'\n{told}  ```\n"


def last(events: list[Event]) -> dict[str, Any]:
    return [dict(e.payload) for e in events if e.type == "span.outcome_evaluation_end"][-1]


def statuses(events: list[Event]) -> list[str]:
    return [c["status"] for c in last(events)["criteria"]]


def troubles(events: list[Event]) -> list[Any]:
    return [e.payload for e in events if e.type == "session.error"]


def output(request: ModelRequest) -> str:
    """What the last call of a grader gave."""
    return "".join(part.text for part in results(request)[-1].content if isinstance(part, Text))


# ---------------------------------------------------------------------- what is handed over


def test_files_are_judged_and_handed_over_once(house: Real) -> None:
    content = (
        rubric(PHRASE) + check("file", file="report.md") + check("text", file="report.md", matches="March")
    )
    grader = Grader()
    session, events = house.judged(delivers(), grader, content)
    assert ends(events) == ["satisfied"] and troubles(events) == []
    by = {c["by"]: c for c in last(events)["criteria"]}
    assert by["grader"]["proof"]["file"] == "report.md" and by["check"]["status"] == "satisfied"
    (file,) = house.files.list(session_id=session)
    assert file.body["filename"] == "report.md" and house.outputs(session) == {
        "report.md": f"{PHRASE}\n".encode()
    }
    assert [head for head in grader.briefs[0].works if "report.md" in head]
    assert not list((house.root(session) / "copies").glob("*")), "the copy is thrown away"


def test_what_is_not_there_is_a_criterion_that_is_not_met(house: Real) -> None:
    content = check("file", file="report.md") + check("docx", file="report.docx", headings=["Risks"])
    _, events = house.judged(lambda request: "Done.", honest, content)
    assert ends(events) == ["max_iterations_reached"] and statuses(events) == ["not_satisfied"] * 2
    assert troubles(events) == []


def put(name: str, make: Callable[[Path], None]) -> Callable[[Real], Callable[[ModelRequest], Any]]:
    """A worker of which a file remains that no shell would make."""

    def of(house: Real) -> Callable[[ModelRequest], Any]:
        def works(request: ModelRequest) -> Any:
            if not results(request):
                return bash("true")
            (folder,) = (house.folder / "sessions" / house.id).glob("*/outputs")
            make(folder / name)
            return "Done."

        return works

    return of


def _encrypted(path: Path) -> None:
    from pypdf import PdfWriter

    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.encrypt("secret")
    writer.write(path)


def _bomb(path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"\0" * (200 << 20))
    path.write_bytes(data.getvalue())


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(300 << 20)


def _many(path: Path) -> None:
    path.mkdir()
    for number in range(2_000):
        (path / f"{number:04}.txt").write_text(str(number))


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


ODD: list[tuple[str, str, Callable[[Path], None], str]] = [
    ("huge", "report.md", _huge, check("text", file="report.md", matches="March")),
    ("encrypted", "report.pdf", _encrypted, check("pdf", file="report.pdf", matches="March")),
    ("corrupt", "report.docx", lambda path: path.write_bytes(b"PK\3\4 no"), check("docx", file="report.docx", matches="March")),
    ("bomb", "report.docx", _bomb, check("docx", file="report.docx", matches="March")),
    ("not text", "report.md", lambda path: path.write_bytes(bytes(range(256)) * 9), check("text", file="report.md", matches="March")),
    ("thousands", "many", _many, check("file", file="many/*.txt", at_least=3_000)),
    ("link", "report.md", _link, check("text", file="report.md", matches="root")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make", "content"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_files_that_are_odd_are_results_and_no_faults(
    house: Real, name: str, make: Callable[[Path], None], content: str
) -> None:
    grader = Grader()
    _, events = house.judged(put(name, make)(house), grader, content + rubric(PHRASE))
    assert ends(events) == ["max_iterations_reached"], last(events)["explanation"]
    assert statuses(events) == ["not_satisfied", "not_satisfied"]
    assert len(grader.requests) == 1
    assert len(last(events)["explanation"]) < 10_000 and "root:" not in grader.briefs[0].text


# ---------------------------------------------------------------------- commands


def test_commands_begin_among_the_outputs(house: Real) -> None:
    content = check("command", command="test -f report.md && pwd", output="^/mnt/session/outputs$") + check(
        "command", "In the workspace too", command='cat "/workspace/notes.txt"', output="made on the way"
    )
    made = delivers("echo x > report.md && echo made on the way > /workspace/notes.txt")
    _, events = house.judged(made, honest, content)
    assert ends(events) == ["satisfied"], last(events)["explanation"]


def test_a_command_that_misbehaves_is_not_met_and_harms_nothing(house: Real, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("outside")
    bad = {
        "hangs": check("command", "Hangs", command="sleep 100", timeout=1),
        "floods": check("command", "Floods", command="yes | head -c 50000000; exit 1"),
        "forks": check("command", "Forks", command="for i in $(seq 40); do sleep 100 & done; exit 1"),
        "leaves": check("command", "Leaves", command=f"cat {tmp_path}/outside.txt"),
        "writes": check("command", "Writes outside", command=f"echo x > {tmp_path}/outside.txt"),
        "calls": check(
            "command", "Calls home", command="echo > /dev/tcp/1.1.1.1/53 || getent hosts example.com"
        ),
        "spoils": check("command", "Spoils", command="rm -rf ./* && echo spoilt > report.md && exit 1"),
    }
    good = check("text", "Is as delivered", file="report.md", matches=PHRASE)
    session, events = house.judged(delivers(), honest, "".join(bad.values()) + good)
    assert ends(events) == ["max_iterations_reached"]
    found = {c["text"].rstrip("."): c for c in last(events)["criteria"]}
    assert found.pop("Is as delivered")["status"] == "satisfied"
    assert {c["status"] for c in found.values()} == {"not_satisfied"}
    assert "must end within 1 s" in found["Hangs"]["change"]
    assert len(found["Floods"]["change"]) < 5_000
    assert (tmp_path / "outside.txt").read_text() == "outside"
    assert house.outputs(session) == {"report.md": f"{PHRASE}\n".encode()}
    assert [file.body["filename"] for file in house.files.list(session_id=session)] == ["report.md"]
    assert not list((house.root(session) / "copies").glob("*"))


# ---------------------------------------------------------------------- graders with tools


def test_a_grader_reads_and_runs_in_a_copy_and_can_change_nothing(house: Real) -> None:
    store = house.stores.create("notes", "what we know", actor="test").id
    house.memory.write(store, "/a.md", "as it was", actor="person")
    seen: list[str] = []
    steps = [
        "cat report.md /workspace/draft.txt",
        "echo all is met > report.md; echo more > more.md; rm /workspace/draft.txt; ls /mnt/session/outputs",
        "ls -A /mnt /mnt/memory; echo bad > /mnt/memory/notes/a.md",
        "env",
    ]

    def looks(request: ModelRequest) -> Any:
        done = results(request)
        if done:
            seen.append(output(request))
        if len(done) < len(steps):
            return bash(f"cd /mnt/session/outputs; {steps[len(done)]}")
        return honest(request)

    resource = {"type": "memory_store", "memory_store_id": store, "access": "read_write"}
    worker = delivers(f"echo {PHRASE} > report.md; echo on the way > /workspace/draft.txt")
    session, events = house.judged(worker, looks, rubric(PHRASE), resources=[resource])
    assert ends(events) == ["satisfied"], last(events)["explanation"]
    reads, wrote, memory, variables = seen
    assert PHRASE in reads and "on the way" in reads and "more.md" in wrote
    assert "a.md" not in memory.replace("notes/a.md", "") and "as it was" not in memory
    assert "KEY" not in variables
    assert house.outputs(session) == {"report.md": f"{PHRASE}\n".encode()}
    assert (house.root(session) / "workspace" / "draft.txt").read_text() == "on the way\n"
    assert [file.body["filename"] for file in house.files.list(session_id=session)] == ["report.md"]
    assert [(m.path, m.content) for m in house.memory.list(store)] == [("/a.md", "as it was")]
    assert len(house.memories.versions(store)) == 1
    assert not list((house.root(session) / "copies").glob("*"))


def test_each_of_several_graders_finds_the_work_as_it_was_delivered(house: Real) -> None:
    """They share a copy: what one leaves there, others may find. Their verdicts rest on what was delivered."""

    def spoils(request: ModelRequest) -> Any:
        if not results(request):
            return bash("cd /mnt/session/outputs; echo spoilt > report.md; cat report.md")
        return honest(request)

    self_ = Grader(spoils)
    session, events = house.judged(delivers(), self_, rubric(PHRASE), votes=3)
    assert ends(events) == ["satisfied"]
    assert all(PHRASE in one.work for one in self_.briefs)
    assert house.outputs(session) == {"report.md": f"{PHRASE}\n".encode()}
