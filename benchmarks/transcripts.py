"""Transcript files of any number of sessions of twenty events, with mistakes of several kinds in them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

__all__ = ["write_transcripts"]

PEOPLE = ("ana", "bo", "chidi", "dana", "emil", "fay", "gus", "hana")
PARTS = ("billing", "search", "stock", "login", "mail")
CALLS = 9  # with their answers, a request and a closing word: twenty events
UNREAD = "<tool_use_error>File has not been read yet. Read it first before writing to it.</tool_use_error>"


def write_transcripts(folder: Path, sessions: int, seed: int = 7) -> int:
    """Writes ``sessions`` Claude Code transcripts below ``folder``; gives the number of bytes."""
    size = 0
    for number in range(sessions):
        lines = _Lines(number, random.Random(f"{seed}/{number}"))
        place = folder / lines.person / f"{lines.id}.jsonl"
        place.parent.mkdir(parents=True, exist_ok=True)
        size += place.write_text("".join(json.dumps(line) + "\n" for line in lines.all()), encoding="utf-8")
    return size


class _Lines:
    """The lines of one session."""

    def __init__(self, number: int, dice: random.Random) -> None:
        self.id = f"00000000-0000-4000-8000-{number:012d}"
        self.person = dice.choice(PEOPLE)
        self._dice = dice
        self._at = datetime(2026, 1, 5, 6, tzinfo=UTC) + timedelta(minutes=13 * number)
        self._parent: str | None = None
        self._count = 0

    def all(self) -> Iterator[dict[str, Any]]:
        part = self._dice.choice(PARTS)
        yield self._line(
            "user", {"role": "user", "content": f"Mend the {part} page and check it with the tests"}
        )
        for _ in range(CALLS):
            tool, given, answer, failed = self._step(part)
            call = f"toolu_{self.id[-7:]}_{self._count}"
            yield self._agent({"type": "tool_use", "id": call, "name": tool, "input": given})
            block = {"type": "tool_result", "tool_use_id": call, "content": answer, "is_error": failed}
            yield self._line("user", {"role": "user", "content": [block]})
        yield self._agent({"type": "text", "text": f"The {part} page is mended."})

    def _step(self, part: str) -> tuple[str, dict[str, Any], str, bool]:
        dice = self._dice
        path = f"/home/{self.person}/src/shop/{part}/view_{dice.randrange(40)}.py"
        match dice.randrange(5):
            case 0:
                return (
                    "Read",
                    {"file_path": path},
                    "".join(f"{i}\tx{i} = {i * i}\n" for i in range(30)),
                    False,
                )
            case 1:
                unread = dice.random() < 0.2
                given = {"file_path": path, "old_string": "x1 = 1", "new_string": "x1 = 2"}
                return "Edit", given, UNREAD if unread else f"The file {path} has been updated.", unread
            case 2:
                broken = dice.random() < 0.25
                said = f"E   AssertionError: page {dice.randrange(99)} is empty\n== 1 failed, 7 passed in 0.3s ==\n"
                return (
                    "Bash",
                    {"command": "pytest -q | tail -20"},
                    said if broken else "8 passed in 0.3s\n",
                    False,
                )
            case 3:
                said = "".join(
                    f"{part}/view_{i}.py:{dice.randrange(90)}: def render_{i}():\n" for i in range(12)
                )
                return "Grep", {"pattern": "def render", "path": part}, said, False
            case _:
                size, kind = dice.randrange(1, 120), dice.choice(("docx", "pdf", "png", "csv"))
                refused = (size > 50 and kind == "docx") or dice.random() < 0.03
                given = {"name": f"report_{dice.randrange(999)}.{kind}", "size_mb": size}
                return "upload", given, "Error: 413 Payload refused" if refused else "stored", refused

    def _agent(self, block: dict[str, Any]) -> dict[str, Any]:
        usage = {"input_tokens": 900, "output_tokens": 60}
        message = {"id": f"msg_{self._count}", "role": "assistant", "model": "claude-sonnet-4-5"}
        return self._line("assistant", message | {"content": [block], "usage": usage})

    def _line(self, kind: str, message: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        self._at += timedelta(seconds=17, milliseconds=self._dice.randrange(1, 999))
        uuid = f"{self.id[:-4]}{self._count:04d}"
        line = {
            "parentUuid": self._parent, "isSidechain": False, "userType": "external", "cwd": f"/home/{self.person}/src/shop",
            "sessionId": self.id, "version": "2.1.30", "gitBranch": "main", "type": kind, "message": message, "uuid": uuid,
            "timestamp": self._at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }  # fmt: skip
        self._parent = uuid
        return line
