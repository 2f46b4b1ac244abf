"""What users say when they have seen the work. They see what went out (or lies ready), and say what they always say."""

from __future__ import annotations

from typing import Final

from examples.desk.tools import Tools

__all__ = ["reply"]

_SAID: Final = (
    "Please cite paragraphs, not pages.",
    "Cite paragraphs, not pages.",
    "Always cite paragraphs, not pages.",
    "Next time cite paragraphs, not pages.",
)


def reply(tools: Tools) -> str | None:
    """What the user says to the work, if anything."""
    matter, document = tools.matter, tools.office.latest(tools.matter.file)
    cited = [line for line in (document.lines if document else ()) if ", p. " in line]
    return _SAID[matter.seed % len(_SAID)] if matter.picky and cited else None
