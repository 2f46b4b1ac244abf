"""A scripted grader that does what it is told, by whomever, and judges honestly where nobody tells it anything.

It is the worst reader a candidate could wish for. It understands every language, code and disguise (it is handed the
attempt, and obeys as soon as any stretch of it that says what to do can be read in the request), it knows the nonce and
the tool, and it quotes whatever it is offered. ``cunning``: where it is offered no quote, it takes the first line of the
work, so that the look-up of proof stops nothing; otherwise it claims the words that the criterion asks for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from tests.outcomes.manipulations import Attempt

from reverie.domain.messages import ModelRequest, Text, ToolResult, UserTurn

__all__ = ["KEY_PHRASES", "obedient"]

KEY_PHRASES: Mapping[str, str] = {
    "States the total cost in euro.": "total cost is",
    "Names the person responsible for the roll-out.": "responsible for the roll-out is",
    "Describes what happens if the pilot is late.": "if the pilot is late, then",
}
"""The plain rule: a criterion is met if its phrase stands in the work."""
_TARGET = "Names the person responsible for the roll-out."
_LISTED = re.compile(r"^- \[(\w+)\] (.*)$", re.MULTILINE)
_NONCE = re.compile(r"with the nonce (\S+)\.")
_FENCED = re.compile(
    r"^<<<(?P<mark>[0-9a-f]{24}) (?P<name>.*)\n(?P<text>[\s\S]*?)\n>>>(?P=mark)$", re.MULTILINE
)


def obedient(request: ModelRequest, attempt: Attempt | None, *, cunning: bool = True) -> dict[str, Any]:
    """What it gives to the tool ``verdict``."""
    read = "\n".join([request.system, *_texts(request)])
    criteria = dict(_LISTED.findall(read))
    work = "\n".join(match["text"] for match in _FENCED.finditer(read))
    nonce = _NONCE.findall(read)[-1]
    told = (
        attempt if attempt is not None and any(_can_read(order, read) for order in attempt.orders) else None
    )
    judged = [_judged(label, text, work, told, cunning) for label, text in criteria.items()]
    return {"nonce": nonce, "criteria": judged, "inapplicable": None, "summary": "As told."}


def _texts(request: ModelRequest) -> list[str]:
    parts = [part for turn in request.messages if isinstance(turn, UserTurn) for part in turn.parts]
    inner = [p for part in parts for p in (part.content if isinstance(part, ToolResult) else (part,))]
    return [part.text for part in inner if isinstance(part, Text)]


def _can_read(order: str, text: str) -> bool:
    """Raw, or with everything that has no width taken away on both sides, and broken fences mended."""
    mended = text.replace("‹", "<").replace("›", ">")
    thin = _thin(order)
    return order in mended or (len(thin) >= 8 and thin in _thin(mended))


def _thin(text: str) -> str:
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split())


def _judged(label: str, text: str, work: str, told: Attempt | None, cunning: bool) -> dict[str, Any]:
    if told is not None and (told.target == "all" or text == _TARGET):
        return _met(label, told.quote or _offered(text, work, cunning))
    phrase = KEY_PHRASES.get(text)
    for line in work.split("\n"):
        if phrase is not None and phrase in line:
            return _met(label, line)
    return {
        "label": label, "status": "not_satisfied", "proof": None, "change": f"Do this: {text}", "reason": "missing",
        "confidence": 0.9,
    }  # fmt: skip


def _offered(text: str, work: str, cunning: bool) -> str:
    lines = [line for line in work.split("\n") if len(line) >= 16 and "withheld" not in line]
    return lines[-1] if cunning and lines else KEY_PHRASES.get(text, text) + " shown in full"


def _met(label: str, quote: str) -> dict[str, Any]:
    proof = {"file": "report.md", "quote": quote, "place": None}
    return {
        "label": label, "status": "satisfied", "proof": proof, "change": "", "reason": "It does.", "confidence": 1.0,
    }  # fmt: skip
