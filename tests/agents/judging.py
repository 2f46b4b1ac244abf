"""Models for tests of outcomes: a worker that adds what is missing, and a grader that looks for words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn

_LISTED = re.compile(r"^- \[(\w+)\] (.*)$", re.MULTILINE)
_NONCE = re.compile(r"with the nonce (\S+)\.")
_WORDS = re.compile(r"`([^`]+)`")
_HEAD = re.compile(r"^<<<\w+ (?:file \"([^\"]+)\"|the maker's)", re.MULTILINE)
REPORT = "/mnt/session/outputs/report.md"


def _said(request: ModelRequest) -> list[str]:
    parts = [part for turn in request.messages if isinstance(turn, UserTurn) for part in turn.parts]
    return [part.text for part in parts if isinstance(part, Text)]


def _verdict(request: ModelRequest, judge: Callable[[str, str, str], dict[str, Any]]) -> ToolCall:
    told = "\n".join(_said(request))
    judged = [judge(label, text, told) for label, text in dict(_LISTED.findall(told)).items()]
    given = {"nonce": _NONCE.findall(told)[-1], "criteria": judged, "inapplicable": None, "summary": "Read."}
    return ToolCall(f"verdict-{len(request.messages)}", "verdict", given)


def honest(request: ModelRequest) -> ToolCall:
    """A grader: a criterion is met if a line of the work holds the words that it has in backticks."""
    return _verdict(request, _looked_up)


def obeying(request: ModelRequest) -> ToolCall:
    """A grader that calls everything met, whatever it is."""
    return _verdict(request, lambda label, _, told: _met(label, next(iter(_work(told))), told))


def silent(request: ModelRequest) -> str:
    """A grader that never judges."""
    return "It is all very well."


def _looked_up(label: str, text: str, told: str) -> dict[str, Any]:
    wanted = _WORDS.search(text)
    line = next((each for each in _work(told) if wanted and wanted[1] in each), None)
    if line is not None:
        return _met(label, line, told)
    return {
        "label": label, "status": "not_satisfied", "proof": None, "change": f"Add this: {text}",
        "reason": "It is nowhere.", "confidence": 0.9,
    }  # fmt: skip


def _work(told: str) -> list[str]:
    lines = told.partition("# The work")[2].partition("# The criteria")[0].splitlines()
    return [line for line in lines if line and not line.startswith(("<<<", ">>>"))]


def _met(label: str, line: str, told: str) -> dict[str, Any]:
    named = _HEAD.findall(told.partition(line)[0])
    proof = {"file": (named[-1] if named else None) or None, "quote": line, "place": None}
    return {
        "label": label, "status": "satisfied", "proof": proof, "change": "", "reason": "It stands there.",
        "confidence": 0.9,
    }  # fmt: skip


def drafter(request: ModelRequest) -> Any:
    """A worker: writes a report of one line, and adds whatever words it is told are missing."""
    last = request.messages[-1]
    if isinstance(last, UserTurn) and any(isinstance(part, ToolResult) for part in last.parts):
        return "The report is in the outputs folder."
    missing = dict.fromkeys(words for text in _said(request)[1:] for words in _WORDS.findall(text))
    lines = [
        "The valve was tested in March and is tight.",
        *(f"It is noted here: {each}." for each in missing),
    ]
    return ToolCall(f"w-{len(request.messages)}", "write", {"file_path": REPORT, "content": "\n".join(lines)})


def stubborn(request: ModelRequest) -> str:
    """A worker that changes nothing, whatever it is told."""
    return "I am done."
