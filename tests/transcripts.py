"""Small Claude Code transcripts of our own making, with a mistake, a remedy and a wish in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PEOPLE = ("ana", "bo", "chidi", "dana")
REFUSAL = "<tool_use_error>File has not been read yet. Read it first before writing to it.</tool_use_error>"


def write_sessions(folder: Path, count: int = 24) -> list[Path]:
    """``count`` transcripts in ``folder``; every second one edits a file that it did not read first."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for number in range(count):
        path = folder / f"00000000-0000-4000-8000-{number:012d}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in session_lines(number)), encoding="utf-8")
        paths.append(path)
    return paths


def session_lines(number: int) -> Iterator[dict[str, Any]]:
    """The lines of one session."""
    person = PEOPLE[number % len(PEOPLE)]
    session = _Session(f"00000000-0000-4000-8000-{number:012d}", f"/home/{person}/src/shop", number)
    yield session.person(f"Rename the field in module {number}, then run the tests")
    edit = {"file_path": f"/home/{person}/src/shop/module_{number}.py", "old_string": "a", "new_string": "b"}
    if number % 2:
        yield session.call("Edit", edit)
        yield session.answer(REFUSAL, error=True)
    yield session.call("Read", {"file_path": edit["file_path"]})
    yield session.answer("     1\ta = 1\n")
    yield session.call("Edit", edit)
    yield session.answer(f"The file {edit['file_path']} has been updated.")
    yield session.call("Bash", {"command": "make test", "description": "Run the tests"})
    yield session.answer("42 passed")
    yield session.agent("Done: the field is renamed and the tests pass.")
    if number % 3 == 0:
        yield session.person("Always run the linter before you say that you are done.")
        yield session.call("Bash", {"command": "make lint", "description": "Lint"})
        yield session.answer("ok")


class _Session:
    """Lines of one transcript, each the child of the one before."""

    def __init__(self, native_id: str, cwd: str, number: int) -> None:
        self._native_id = native_id
        self._cwd = cwd
        self._at = datetime(2026, 10, 1, 9, tzinfo=UTC) + timedelta(hours=7 * number)
        self._count = 0
        self._parent: str | None = None

    def person(self, text: str) -> dict[str, Any]:
        return self._line("user", {"role": "user", "content": text})

    def agent(self, text: str) -> dict[str, Any]:
        return self._assistant({"type": "text", "text": text})

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self._call = f"toolu_{self._native_id[-6:]}_{self._count}"
        return self._assistant({"type": "tool_use", "id": self._call, "name": name, "input": arguments})

    def answer(self, text: str, *, error: bool = False) -> dict[str, Any]:
        block = {"type": "tool_result", "tool_use_id": self._call, "content": text, "is_error": error}
        return self._line("user", {"role": "user", "content": [block]})

    def _assistant(self, block: dict[str, Any]) -> dict[str, Any]:
        message = {
            "id": f"msg_{self._native_id[-6:]}_{self._count}",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "content": [block],
            "usage": {"input_tokens": 10, "output_tokens": 5},
        }
        return self._line("assistant", message)

    def _line(self, kind: str, message: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        self._at += timedelta(seconds=20)
        uuid = f"{self._native_id[:-6]}{self._count:03d}{self._native_id[-3:]}"
        line = {
            "parentUuid": self._parent,
            "isSidechain": False,
            "userType": "external",
            "cwd": self._cwd,
            "sessionId": self._native_id,
            "version": "2.1.30",
            "gitBranch": "main",
            "type": kind,
            "message": message,
            "uuid": uuid,
            "timestamp": self._at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        }
        self._parent = uuid
        return line
