"""The import service: again changes nothing, grown is continued, and what changes underneath is not kept."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.transcripts import session_lines, write_sessions

from reverie.domain.errors import DiskFull, NotFound, UsageError
from reverie.domain.events import NewEvent
from reverie.domain.imports import FileReport, Guess, Skipped, Used
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.importers.claude_code import ClaudeCode
from reverie.importers.codex import Codex
from reverie.plugins import Importer, Read, TranscriptFile
from reverie.sessions import files, intake
from reverie.sessions.files import Disk, walk
from reverie.sessions.imports import ImportReport, ImportService
from reverie.sessions.log import SessionLog
from reverie.sessions.secrets import Masker
from reverie.storage.database import Database

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class House:
    """A database, a log and a folder, and an import of the folder."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db = db
        self.folder = folder
        self.importers: dict[str, Importer] = {"claude-code": ClaudeCode(), "codex": Codex()}
        self.log = SessionLog(db, clock=lambda: NOW, mask=Masker())

    def run(self, *paths: str | Path, **options: Any) -> ImportReport:
        service = ImportService(self.db, self.log, self.importers, clock=lambda: NOW)
        report = service.run(paths or [self.folder], **options)
        assert report.records == report.used + sum(report.skipped.values()) + report.quarantined
        for file in report.files:
            assert file.records == file.used + sum(file.skipped.values()) + len(file.quarantined)
        return report

    def contents(self) -> dict[str, str]:
        return {session.id: session.content_sha256 for session in self.log.sessions()}

    def write(self, name: str, *numbers: int) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(lines(number) for number in numbers))
        return path


def lines(number: int, first: int = 0, last: int | None = None) -> bytes:
    some = list(session_lines(number))[first:last]
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in some)


def statuses(report: ImportReport) -> list[str]:
    return [file.status for file in report.files]


@pytest.fixture
def house(sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    folder = tmp_path / "transcripts"
    folder.mkdir()
    with Database.open(sqlite_url, clock=lambda: NOW) as db:
        yield House(db, folder)


# ------------------------------------------------------------------ what is read, and how often


def test_a_folder_and_again(db: Database, tmp_path: Path) -> None:
    house = House(db, tmp_path / "t")
    write_sessions(house.folder, 6)
    seen: list[FileReport] = []
    first = house.run(on_file=seen.append)
    assert (first.new_sessions, statuses(first), seen) == (6, ["imported"] * 6, list(first.files))
    assert first.new_events == sum(file.events for file in first.files) > 30
    before = house.contents()
    second = house.run()
    assert (second.new_sessions, second.new_events, statuses(second)) == (0, 0, ["unchanged"] * 6)
    assert (second.records, second.used) == (first.records, first.used)
    assert house.contents() == before
    assert not first.failed


def test_an_unchanged_file_is_not_even_opened(house: House) -> None:
    write_sessions(house.folder, 2)
    house.run()
    read: list[str] = []

    class Watching(ClaudeCode):
        def read(self, file: TranscriptFile) -> Iterator[Read]:
            read.append(file.name)
            return super().read(file)

        def sniff(self, head: bytes, file: TranscriptFile) -> Guess:
            read.append(file.name)
            return super().sniff(head, file)

    house.importers["claude-code"] = Watching()
    assert house.run().new_events == 0
    assert read == []
    os.utime(house.folder / "00000000-0000-4000-8000-000000000001.jsonl", (1, 1))
    assert statuses(house.run()) == ["unchanged", "unchanged"], (
        "touched, but the same bytes: looked at, not read"
    )
    assert "read" not in read
    assert statuses(house.run()) == ["unchanged", "unchanged"]


def test_a_file_that_grew_is_continued(house: House) -> None:
    path = house.folder / "00000000-0000-4000-8000-000000000001.jsonl"
    path.write_bytes(lines(1, 0, 4))
    first = house.run()
    with path.open("ab") as file:
        file.write(lines(1, 4))
    second = house.run()
    assert statuses(second) == ["grown"]
    assert (second.new_sessions, second.new_events) == (0, second.files[0].events - first.files[0].events)
    grown = house.contents()
    other = House(house.db, house.folder)
    assert other.run().new_events == 0
    assert other.contents() == grown


def test_imported_in_pieces_or_at_once_it_is_the_same(house: House, tmp_path: Path) -> None:
    path = house.folder / "00000000-0000-4000-8000-000000000003.jsonl"
    data = lines(3)
    for cut in (200, len(data) // 2, len(data) - 10, len(data)):
        path.write_bytes(data[:cut])
        house.run()
    (events,) = [house.log.events(s.id) for s in house.log.sessions()]
    with Database.open(tmp_path / "whole.db") as db:
        whole = House(db, house.folder)
        whole.run()
        (expected,) = [whole.log.events(s.id) for s in whole.log.sessions()]
    assert [(e.type, e.payload, e.key) for e in events] == [(e.type, e.payload, e.key) for e in expected]


def test_a_rewritten_file_keeps_what_was_read_and_adds_the_rest(house: House) -> None:
    path = house.write("00000000-0000-4000-8000-000000000001.jsonl", 1)
    house.run()
    path.write_bytes(lines(2))
    report = house.run()
    assert statuses(report) == ["imported"]
    assert report.new_sessions == 1
    assert len(house.contents()) == 2


def test_the_same_bytes_elsewhere_are_a_copy(house: House) -> None:
    path = house.write("00000000-0000-4000-8000-000000000001.jsonl", 1)
    house.run()
    shutil.copy(path, house.folder / "1.jsonl")
    report = house.run()
    assert statuses(report) == ["unchanged", "copy"]
    assert report.new_events == 0
    assert report.files[1].message == f"the same as {path}"
    assert statuses(house.run()) == ["unchanged", "unchanged"]


def test_a_newer_reader_reads_again(house: House) -> None:
    house.write("00000000-0000-4000-8000-000000000001.jsonl", 1)
    house.run()

    class Newer(ClaudeCode):
        version = "next"

    house.importers["claude-code"] = Newer()
    report = house.run()
    assert (statuses(report), report.new_events) == (["imported"], 0)
    assert statuses(house.run()) == ["unchanged"]


def test_a_sub_agents_file_belongs_to_its_session(house: House) -> None:
    main = house.write("00000000-0000-4000-8000-000000000001.jsonl", 1)
    report = house.run()
    assert statuses(report) == ["imported"]
    agent = main.with_suffix("") / "subagents" / "agent-a1.jsonl"
    agent.parent.mkdir(parents=True)
    agent.write_bytes(lines(2, 0, 2))
    report = house.run()
    assert statuses(report) == ["imported"], "read again: a side file came"
    assert report.new_events == 3  # the thread, its brief, its call
    assert report.passed_over == 1
    assert statuses(house.run()) == ["unchanged"]
    with agent.open("ab") as file:
        file.write(lines(2, 2, 3))
    assert house.run().new_events > 0
    assert len(house.contents()) == 1
    asked = house.run(agent)
    assert statuses(asked) == ["not_a_transcript"]
    assert asked.files[0].message == "a sub-agent's file: it is read together with its session"


def test_what_is_no_transcript_is_passed_over_in_a_folder_and_named_alone(house: House) -> None:
    house.write("00000000-0000-4000-8000-000000000001.jsonl", 1)
    (house.folder / "notes.md").write_text("# Notes\n")
    (house.folder / "empty.jsonl").write_text("")
    (house.folder / "node_modules").mkdir()
    (house.folder / "node_modules" / "x.jsonl").write_bytes(lines(5))
    os.mkfifo(house.folder / "pipe")
    report = house.run()
    assert (statuses(report), report.passed_over, report.failed) == (["imported"], 3, [])
    alone = house.run(house.folder / "notes.md", house.folder / "empty.jsonl", house.folder / "pipe")
    assert [(f.status, f.message) for f in alone.files] == [
        ("not_a_transcript", "no reader knows this file (import --explain FILE says why)"),
        ("not_a_transcript", "the file is empty"),
        ("failed", "not a regular file"),
    ]
    assert len(alone.failed) == 3


def test_each_file_once_in_a_fixed_order(house: House) -> None:
    for name in ("b/2.jsonl", "a/9.jsonl", "c.jsonl", "a/1.jsonl"):
        house.write(name, 1)
    order = [str(p.relative_to(house.folder)) for p in walk(house.folder)]
    assert order == ["c.jsonl", "a/1.jsonl", "a/9.jsonl", "b/2.jsonl"]
    report = house.run(house.folder, house.folder / "c.jsonl", house.folder / "a")
    assert len(report.files) == 4


# ------------------------------------------------------------------ asking wrongly


def test_a_path_that_is_not_there(house: House) -> None:
    with pytest.raises(NotFound, match="no such file or folder"):
        house.run(house.folder / "nowhere")


def test_a_format_that_is_not_there(house: House) -> None:
    with pytest.raises(UsageError, match="claude-code, codex"):
        house.run(format="fax")


def test_a_forced_format_is_not_questioned(house: House) -> None:
    path = house.write("a.jsonl", 1)
    report = house.run(path, format="codex")
    assert (report.files[0].format, report.raw["?"] + report.raw["user"] > 0) == ("codex", True)
    assert house.run(path, format="claude-code").files[0].status == "imported"


def test_named_places(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    with pytest.raises(NotFound, match="no sessions of claude-code"):
        house.run("claude-code")
    write_sessions(tmp_path / "home" / ".claude" / "projects" / "-x", 2)
    assert house.run("claude-code").new_sessions == 2
    write_sessions(tmp_path / "elsewhere" / "projects" / "-y", 3)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "elsewhere"))
    assert house.run("claude-code").new_sessions == 1


def test_explain_shows_every_guess(house: House) -> None:
    service = ImportService(house.db, house.log, house.importers, clock=lambda: NOW)
    path = house.write("a.jsonl", 1)
    (best, guess), (other, none) = service.explain(path)
    assert (best, guess.confidence, other, none.confidence) == ("claude-code", 1.0, "codex", 0.0)
    with pytest.raises(NotFound):
        service.explain(house.folder / "nowhere")
    with pytest.raises(UsageError, match="a folder"):
        service.explain(house.folder)


# ------------------------------------------------------------------ labels


def test_labels_by_native_id_by_our_id_and_by_path(house: House) -> None:
    paths = write_sessions(house.folder, 4)
    house.run()
    ids = {s.info.native_id: s.id for s in house.log.sessions()}
    names = [path.stem for path in paths]
    report = house.run(
        labels={
            names[0]: Outcome("success", 1.0, "file:a.csv"),
            ids[names[1]]: Outcome("failure", None, "file:a.csv"),
            str(paths[2]): Outcome("success", None, "file:a.csv"),
            "nobody": Outcome("success"),
        }
    )
    assert report.unmatched_labels == ["nobody"]
    outcomes = {s.info.native_id: s.info.outcome for s in house.log.sessions()}
    assert [outcomes[name].label for name in names] == ["success", "failure", "success", "unknown"]
    assert outcomes[names[0]] == Outcome("success", 1.0, "file:a.csv")
    (told,) = [e for e in house.log.events(ids[names[0]]) if e.type == "session.outcome"]
    assert told.payload == {"label": "success", "label_source": "file:a.csv", "score": 1.0}
    assert house.run().new_events == 0
    assert {s.info.native_id: s.info.outcome for s in house.log.sessions()} == outcomes, (
        "a label outlives re-imports"
    )


# ------------------------------------------------------------------ secrets


def test_secrets_are_masked_and_counted_and_never_reach_the_disk(house: House, sqlite_url: str) -> None:
    token = "gh" + "p_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"
    data = lines(1).replace(b"Rename the field", f"use {token} and rename the field".encode())
    (house.folder / "00000000-0000-4000-8000-000000000001.jsonl").write_bytes(data)
    report = house.run()
    assert report.redactions["github"] >= 1
    assert house.run().redactions == {}
    goal = house.log.sessions()[0].info.goal
    assert goal is not None
    assert "[REDACTED:github]" in goal
    for path in Path(sqlite_url.removeprefix("sqlite:///")).parent.iterdir():
        assert token.encode() not in path.read_bytes()


# ------------------------------------------------------------------ files that misbehave


class Interfering(ClaudeCode):
    """Does something to the file in the middle of reading it."""

    def __init__(self, deed: Callable[[Path], object]) -> None:
        self.deed = deed

    def read(self, file: TranscriptFile) -> Iterator[Read]:
        for number, item in enumerate(super().read(file)):
            if number == 1:
                self.deed(Path(file.uri))
            yield item


def replaced(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(lines(7))
    new.replace(path)


@pytest.mark.parametrize(
    "deed",
    [
        lambda path: os.truncate(path, 100),
        lambda path: path.write_bytes(lines(7)),
        replaced,
        lambda path: path.unlink(),
    ],
    ids=["cut", "rewritten", "replaced", "removed"],
)
def test_a_file_that_changes_underneath_is_not_kept(house: House, deed: Callable[[Path], object]) -> None:
    house.write("00000000-0000-4000-8000-000000000001.jsonl", 1)
    house.importers["claude-code"] = Interfering(deed)
    report = house.run()
    assert statuses(report) == ["failed"]
    assert "changed while it was read" in str(report.files[0].message)
    assert house.contents() == {}
    house.importers["claude-code"] = ClaudeCode()
    house.write("00000000-0000-4000-8000-000000000001.jsonl", 1)
    assert statuses(house.run()) == ["imported"]


def test_a_file_that_only_grows_underneath_is_read_as_it_was(house: House) -> None:
    path = house.folder / "00000000-0000-4000-8000-000000000001.jsonl"
    path.write_bytes(lines(1, 0, 4))

    def grow(path: Path) -> None:
        with path.open("ab") as file:
            file.write(lines(1, 4))

    house.importers["claude-code"] = Interfering(grow)
    assert statuses(house.run()) == ["imported"]
    house.importers["claude-code"] = ClaudeCode()
    report = house.run()
    assert statuses(report) == ["grown"]
    assert report.new_events > 0


def test_an_unfinished_last_line_waits(house: House) -> None:
    path = house.folder / "00000000-0000-4000-8000-000000000001.jsonl"
    whole = lines(1, 0, 3)
    path.write_bytes(whole[:-30])
    report = house.run()
    (broken,) = report.files[0].quarantined
    assert (broken.line, broken.why) == (3, "incomplete last line, will be read when it is finished")
    path.write_bytes(whole)
    report = house.run()
    assert (statuses(report), report.quarantined) == (["grown"], 0)
    assert report.new_events > 0


def test_broken_lines_are_quarantined_by_number_and_the_rest_goes_on(house: House) -> None:
    path = house.folder / "00000000-0000-4000-8000-000000000001.jsonl"
    bad = [
        b"{oops}",
        b'{"a":NaN}',
        b'{"a":1,"a":2}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"type":"x","t":"\\ud800"}',
    ]
    path.write_bytes(lines(1, 0, 2) + b"".join(line + b"\n" for line in bad) + lines(1, 2))
    report = house.run()
    assert [q.line for q in report.files[0].quarantined] == [3, 4, 5, 6, 7]
    assert report.raw == {"x": 1}
    with house.db.read() as conn:
        from reverie.storage import sources

        assert len(sources.quarantined(conn, sources.source_id(str(path)))) == 5


def test_a_line_beyond_the_cap_is_refused_without_being_held(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LINE_CAP", 4 << 20)
    path = house.folder / "00000000-0000-4000-8000-000000000001.jsonl"
    with path.open("wb") as file:
        file.write(lines(1, 0, 2) + b'{"x":"')
        for _ in range(200):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n' + lines(1, 2))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = house.run()
    assert [(q.line, q.why) for q in report.files[0].quarantined] == [
        (3, "the line is longer than a record may be")
    ]
    assert report.new_events > 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_a_reader_that_breaks_its_word_costs_its_file_only(house: House) -> None:
    class Rude:
        name = "rude"

        def sniff(self, head: bytes, file: TranscriptFile) -> Guess:
            if b"rude" not in head:
                raise ValueError("what is this")
            return Guess(1.0, "rude")

        def read(self, file: TranscriptFile) -> Iterable[Read]:
            yield Transcript(SessionInfo("rude", "1"), [NewEvent("raw", {}, "k")])
            raise ZeroDivisionError("oops")

        def default_places(self) -> Sequence[str]:
            return ()

    house.importers["rude"] = Rude()
    (house.folder / "a.txt").write_text("rude")
    house.write("b.jsonl", 1)
    report = house.run()
    assert statuses(report) == ["failed", "imported"]
    assert "rude" in str(report.files[0].message)
    assert "oops" in str(report.files[0].message)
    assert [s.info.format for s in house.log.sessions()] == ["claude-code"]


def test_a_full_disk_stops_the_run_and_keeps_what_was_done(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sessions(house.folder, 3)
    write, count = house.db.write, iter(range(10))

    def filling(work: Any) -> Any:
        if next(count) == 1:
            raise DiskFull("no room left")
        return write(work)

    monkeypatch.setattr(intake, "_SHARED", 1)
    monkeypatch.setattr(house.db, "write", filling)
    with pytest.raises(DiskFull):
        house.run()
    monkeypatch.undo()
    assert len(house.contents()) == 1
    report = house.run()
    assert statuses(report) == ["unchanged", "imported", "imported"]


def test_a_file_that_may_not_be_read_is_named(house: House) -> None:
    path = house.write("a.jsonl", 1)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")
    report = house.run()
    assert [(f.status, f.message) for f in report.files] == [("failed", "Permission denied")]


@pytest.mark.parametrize(("shared", "kept"), [(1, 2), (1 << 20, 0)])
def test_killed_at_any_moment_the_next_run_completes(tmp_path: Path, shared: int, kept: int) -> None:
    """The process ends without a farewell in the middle of its third file, after the work, before the commit.
    Files that shared that commit are not there either; those that were reported are."""
    folder, db_path = tmp_path / "t", tmp_path / "x.db"
    write_sessions(folder, 5)
    program = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from reverie.importers.claude_code import ClaudeCode
from reverie.sessions import intake
from reverie.sessions.imports import ImportService
from reverie.sessions.log import SessionLog
from reverie.storage.database import Database
intake._SHARED = int(sys.argv[3])
db = Database.open(Path(sys.argv[1]))
log = SessionLog(db)
record, count = log.record, iter(range(9))
def dying(*args, **kwargs):
    done = record(*args, **kwargs)
    if next(count) == 2:
        os._exit(9)
    return done
log.record = dying
service = ImportService(db, log, {"claude-code": ClaudeCode()}, clock=lambda: datetime.now(UTC))
service.run([sys.argv[2]], on_file=lambda file: print(file.uri, flush=True))
"""
    command = [sys.executable, "-c", program, str(db_path), str(folder), str(shared)]
    killed = subprocess.run(command, check=False, capture_output=True, text=True)
    assert killed.returncode == 9
    assert len(killed.stdout.splitlines()) == kept
    with Database.open(db_path) as db:
        house = House(db, folder)
        assert len(house.contents()) == kept
        assert statuses(house.run()) == ["unchanged"] * kept + ["imported"] * (5 - kept)


def test_small_files_share_a_commit_and_are_told_in_order_when_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sessions(house.folder, 6)
    (house.folder / "00000000-0000-4000-8000-000000000002.bad.jsonl").write_text("")
    commits: list[int] = []
    told: list[str] = []
    write = house.db.write

    def counting(work: Any) -> Any:
        commits.append(len(told))
        return write(work)

    monkeypatch.setattr(house.db, "write", counting)
    bad = house.folder / "00000000-0000-4000-8000-000000000002.bad.jsonl"
    report = house.run(bad, house.folder, on_file=lambda file: told.append(file.uri))
    assert commits == [1], "the one that needs no commit is told at once, then one commit for the rest"
    assert told == [file.uri for file in report.files] == [str(bad), *sorted(told[1:])]
    assert report.new_sessions == 6


# ------------------------------------------------------------------ the bytes a reader gets


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")), max_size=12),
    st.booleans(),
    st.integers(1, 9),
)
def test_lines_are_those_of_the_file_whatever_the_chunks(
    tmp_path: Path, content: list[bytes], ended: bool, chunk: int
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\n".join(content) + (b"\n" if ended and content else b""))
    patch = pytest.MonkeyPatch()
    patch.setattr(files, "_CHUNK", chunk)
    patch.setattr(files, "LINE_CAP", 20)
    try:
        found = list(Disk().file(path).lines())
    finally:
        patch.undo()
    expected = content if ended or (content and content[-1]) else content[:-1]
    assert found == [(n, line if len(line) <= 20 else None) for n, line in enumerate(expected, 1)]


def test_nothing_past_the_size_at_the_beginning_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one\ntw")
    file = Disk().file(path)
    with path.open("ab") as stream:
        stream.write(b"o\nthree\n")
    assert list(file.lines()) == [(1, b"one"), (2, b"tw")]
    with file.open() as stream:
        assert stream.read() == b"one\ntw"
        stream.seek(-2, os.SEEK_END)
        assert stream.read() == b"tw"


def test_what_lies_around_is_found_and_remembered(tmp_path: Path) -> None:
    (tmp_path / "s" / "deep").mkdir(parents=True)
    for name in ("main.jsonl", "s/b.x", "s/a.x", "s/deep/c.x", "other"):
        (tmp_path / name).write_text(name)
    disk = Disk()
    main = disk.file(tmp_path / "main.jsonl")
    assert [f.name for f in main.neighbours("s/**/*.x")] == ["a.x", "b.x", "c.x"]
    beside = main.neighbour("s/a.x")
    assert beside is not None
    assert beside.neighbour("../other") is not None
    assert main.neighbour("nothing") is None
    asked = tuple(sorted(main.asked))
    assert {what for _, what in asked} == {"s/**/*.x", "s/a.x", "other", "nothing"}
    before = main.surroundings(asked)
    assert Disk().file(tmp_path / "main.jsonl").surroundings(asked) == before
    (tmp_path / "s" / "deep" / "d.x").write_text("new")
    assert Disk().file(tmp_path / "main.jsonl").surroundings(asked) != before


def test_skipped_and_used_count_as_many_records_as_they_say(house: House) -> None:
    class Counting:
        name = "counting"

        def sniff(self, head: bytes, file: TranscriptFile) -> Guess:
            return Guess(1.0, "yes")

        def read(self, file: TranscriptFile) -> Iterable[Read]:
            yield from (Used(3), Skipped("dull", 2), Skipped("dull"))

        def default_places(self) -> Sequence[str]:
            return ()

    house.importers = {"counting": Counting()}
    (house.folder / "x").write_text("x")
    report = house.run()
    assert (report.records, report.used, report.skipped) == (6, 3, {"dull": 3})


# ------------------------------------------------------------------ real sessions


def test_real_sessions_are_imported_whole(house: House, data_dir: Path) -> None:
    report = house.run(data_dir / "codex-and-claude")
    assert (report.new_sessions, report.quarantined, report.failed) == (11, 0, [])
    again = house.run(data_dir / "codex-and-claude")
    assert (again.new_events, set(statuses(again))) == (0, {"unchanged"})
