"""How work is graded: the grader's settings and the rubrics of outcomes, as they are kept; and models, whose
form the grader's shares with the agent's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from reverie.domain.errors import Invalid
from reverie.domain.outcomes import MAX_RUBRIC
from reverie.outcomes.rubrics import read_rubric
from reverie.workspaces.files import Files

__all__ = ["resolved_grader", "resolved_model", "rubric_text"]

_EFFORT: Final = "high"

Said: TypeAlias = Mapping[str, Any]


def resolved_model(asked: str | Said, stored: Said | None = None) -> dict[str, Any]:
    """A model with everything said. ``stored`` is what it replaces: an effort left out stays."""
    if isinstance(asked, str):
        asked = {"id": asked}
    effort: str | Said = asked.get("effort") or (stored or {}).get("effort") or _EFFORT
    return {
        "id": asked["id"],
        "effort": {"type": effort} if isinstance(effort, str) else effort,
        "inference_geo": asked.get("inference_geo"),
        "speed": asked.get("speed") or "standard",
    }


def resolved_grader(asked: Said) -> dict[str, Any]:
    """The settings of a grader that were said, and no others; its model with everything said."""
    found = {name: value for name, value in asked.items() if value is not None}
    if "model" in found:
        found["model"] = resolved_model(found["model"])
    return found


def rubric_text(rubric: Said, field: str, files: Files) -> str:
    """The text of a rubric that is one.

    Args:
        rubric: As on the wire: text, or an uploaded file.
        field: What the request calls it, for errors.
        files: Where it was uploaded.

    Raises:
        NotFound: no such file here.
        Invalid: it is empty, too long or no text, or has a check that cannot be made.
    """
    place = f"{field}.{'file_id' if rubric['type'] == 'file' else 'content'}"
    text = _uploaded(rubric["file_id"], place, files) if rubric["type"] == "file" else rubric["content"]
    try:
        read_rubric(text)
    except Invalid as error:
        limit = error.limit if error.field == "rubric" else f"{error.field}: {error.limit}"
        raise Invalid(place, limit, error.value, hint=error.hint) from None
    return text


def _uploaded(file_id: str, place: str, files: Files) -> str:
    size: int = files.get(file_id).body["size_bytes"]
    if size > 4 * MAX_RUBRIC:  # bytes that a character may take
        raise Invalid(place, f"at most {MAX_RUBRIC:,} characters, and this file has {size:,} bytes")
    _, chunks = files.read(file_id)
    try:
        text = b"".join(chunks).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid(place, "a file of UTF-8 text", file_id) from None
    if "\0" in text:
        raise Invalid(place, "a file of text", file_id)
    return text
