"""Models for tests of outcomes: a worker that adds what is missing, and a grader that looks for words."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn

_LISTED = re.compile(r"^- \[(\w+)\] (.*)$", re.MULTILINE)
_NONCE = re.compile(r"with the nonce (\S+)\.")
_WORDS = re.compile(r"`([^`]+)`")
_REPORT = "/mnt/session/outputs/report.md"


def _said(request: ModelRequest) -> list[str]:
    parts = [part for turn in request.messages if isinstance(turn, UserTurn) for part in turn.parts]
    return [part.text for part in parts if isinstance(part, Text)]


def honest(request: ModelRequest) -> ToolCall:
    """A grader: a criterion is met if a line of the work holds the words that it has in backticks."""
    told = "\n".join(_said(request))
    judged: list[dict[str, Any]] = []
    for label, text in dict(_LISTED.findall(told)).items():
        wanted = _WORDS.search(text)
        line = next((each for each in _work(told) if wanted and wanted[1] in each), None)
        judged.append(_met(label, line, told) if line else _missing(label, text))
    verdict = {"nonce": _NONCE.findall(told)[-1], "criteria": judged, "inapplicable": None, "summary": "Read."}
    return ToolCall(f"verdict-{len(request.messages)}", "verdict", verdict)


def _work(told: str) -> list[str]:
    return told.partition("# The work")[2].partition("# The criteria")[0].splitlines()


def _met(label: str, line: str, told: str) -> dict[str, Any]:
    before = told.partition(line)[0]
    named = re.findall(r"^<<<\w+ (?:file \"([^\"]+)\"|the maker's)", before, re.MULTILINE)
    proof = {"file": named[-1] or None, "quote": line, "place": None}
    return {"label": label, "status": "satisfied", "proof": proof, "change": "", "reason": "It stands there.",
            "confidence": 0.9}  # fmt: skip


def _missing(label: str, text: str) -> dict[str, Any]:
    return {"label": label, "status": "not_satisfied", "proof": None, "change": f"Add this: {text}",
            "reason": "It is nowhere.", "confidence": 0.9}  # fmt: skip


def silent(request: ModelRequest) -> str:
    """A grader that never judges."""
    return "It is all very well."


def obeying(request: ModelRequest) -> ToolCall:
    """A grader that calls everything met, whatever it is."""
    told = "\n".join(_said(request))
    line = next((each for each in _work(told) if len(each) > 12 and "<<<" not in each), "nothing at all is there")
    judged = [_met(label, line, told) for label in dict(_LISTED.findall(told))]
    verdict = {"nonce": _NONCE.findall(told)[-1], "criteria": judged, "inapplicable": None, "summary": ""}
    return ToolCall(f"verdict-{len(request.messages)}", "verdict", verdict)


def drafter(request: ModelRequest) -> Any:
    """A worker: writes a report of one line, and adds whatever words it is told are missing."""
    last = request.messages[-1]
    if isinstance(last, UserTurn) and any(isinstance(part, ToolResult) for part in last.parts):
        return "The report is in the outputs folder."
    lines = ["The valve was tested in March and is tight."]
    lines += [f"It is noted here: {words}." for text in _said(request)[1:] for words in _WORDS.findall(text)]
    return ToolCall(f"write-{len(request.messages)}", "write", {"file_path": _REPORT, "content": "\n".join(lines)})


def stubborn(request: ModelRequest) -> Any:
    """A worker that changes nothing, whatever it is told."""
    short = ModelRequest(request.model, request.system, request.messages[:2], request.tools) if False else request
    return drafter(msgspec.structs.replace(short)) if False else "I am done."
