"""Evidence: which work was judged, what changed in it, and whether a quote really stands there.

A grader may say what it likes; a quote either stands in the work or it does not. Letters are compared as they
are, case included. What programs change by themselves is not: white space, typographic quotes and dashes,
compatibility forms (NFKC), and characters of no width.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

from reverie.domain.outcomes import Deliverable, Proof, Work

__all__ = ["MESSAGE", "SHORTEST", "WITHHELD", "Evidence", "changed", "digest", "find", "marks"]

MESSAGE: Final = ""
"""The final message, where a path is expected."""
SHORTEST: Final = 12
"""Characters of a quote. A shorter one counts where it is a whole line, or a whole cell of a table."""
WITHHELD: Final = "«[withheld: text addressed to the grader]»"
"""What stands in place of text that was kept from the grader. It is no part of the work, hence no proof."""

_LETTERS: Final = 3  # letters or digits of a quote of full length: a rule of dashes proves nothing
_CELL: Final = re.compile(r"[\t|]+")
_COMMA_CELL: Final = re.compile(r"[\t|,;]+")
_NUMBERED: Final = re.compile(
    r"^[A-Z]{1,3}[1-9]\d{0,6}\s*[:=]\s*"
)  # "B7: 42", as a reader of sheets gives it
_FOLDED: Final = {
    **dict.fromkeys("“”„‟«»″〝〞", '"'),
    **dict.fromkeys("‘’‚‛′‹›`´", "'"),
    **dict.fromkeys("‐‑‒–—―−﹘﹣", "-"),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
}


def marks(work: Work) -> dict[str, str]:
    """SHA-256 by path, and of the final message under ``MESSAGE``: what to keep of a work to compare it by."""
    message = hashlib.sha256(work.message.encode("utf-8", "surrogatepass")).hexdigest()
    return {MESSAGE: message, **{d.path: d.sha256 for d in work.deliverables}}


def digest(work: Work) -> str:
    """SHA-256 (hex) of every path, every file and the final message. Same digest, same work."""
    whole = hashlib.sha256()
    for path, sha in sorted(marks(work).items()):
        for part in (path, sha):
            raw = part.encode("utf-8", "surrogatepass")
            whole.update(len(raw).to_bytes(8, "big") + raw)
    return whole.hexdigest()


def changed(before: Work | Mapping[str, str], after: Work | Mapping[str, str]) -> set[str]:
    """Paths that came, went or hold something else, and ``MESSAGE`` where the final message is another."""
    old, new = (marks(w) if isinstance(w, Work) else w for w in (before, after))
    return {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}


def find(quote: str | None, work: Work, file: str | None = None, place: str | None = None) -> Proof | None:
    """Where a quote stands, or the place that is named without one; None where there is no such thing.

    For more than one quote of the same work, ask one ``Evidence``.
    """
    return Evidence(work).find(quote, file, place)


class Evidence:
    """One work, to look quotes up in. What is folded for it is folded once."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._folded: dict[str, str] = {}
        self._pieces: dict[str, frozenset[str]] = {}

    @cached_property
    def files(self) -> dict[str, Deliverable]:
        return {d.path: d for d in self.work.deliverables}

    def find(self, quote: str | None, file: str | None = None, place: str | None = None) -> Proof | None:
        """``file`` None with a quote: anywhere, the files first, then the final message. A file that is named
        wrongly does not void a quote that stands elsewhere: then the proof names where. Without a quote the
        file must be there, or, with ``file`` None, a final message."""
        if quote is None or not quote.strip():
            return self._location(file, place)
        for name, text in self._texts(file):
            if self._holds(name, text, quote):
                return Proof(name or None, quote, _line(text, quote) or place)
        return None

    def _location(self, file: str | None, place: str | None) -> Proof | None:
        if file is not None:
            return Proof(file, None, place) if file in self.files else None
        return Proof(None, None, place) if place and self.work.message.strip() else None

    def _texts(self, first: str | None) -> Iterator[tuple[str, str]]:
        for path, one in sorted(self.files.items(), key=lambda item: item[0] != first):
            if one.text is not None:
                yield path, one.text
        yield MESSAGE, self.work.message

    def _holds(self, name: str, text: str, quote: str) -> bool:
        wanted = _fold(quote)
        if "[withheld: text" in wanted:
            return False
        if len(wanted) < SHORTEST:
            return any(c.isalnum() for c in wanted) and wanted in self._whole_pieces(name, text)
        if sum(map(str.isalnum, wanted)) < _LETTERS:
            return False
        if quote in text:
            return True
        if name not in self._folded:
            self._folded[name] = _fold(text)
        return wanted in self._folded[name]

    def _whole_pieces(self, name: str, text: str) -> frozenset[str]:
        """Lines and cells of at most the length of a short quote."""
        if name not in self._pieces:
            cell = _COMMA_CELL if name.endswith((".csv", ".tsv")) else _CELL
            self._pieces[name] = frozenset(_short_pieces(text, cell))
        return self._pieces[name]


def _short_pieces(text: str, cell: re.Pattern[str]) -> Iterator[str]:
    for line in text.splitlines():
        for piece in (line, *cell.split(line)) if cell.search(line) else (line,):
            for form in (piece, _NUMBERED.sub("", piece.strip())):
                if len(form) < 4 * SHORTEST and 0 < len(folded := _fold(form)) < SHORTEST:
                    yield folded


def _fold(text: str) -> str:
    if not text.isascii():
        for sign, plain in _FOLDED.items():  # before NFKC, which would make a space and an accent of some
            if sign in text:
                text = text.replace(sign, plain)
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.split())


def _line(text: str, quote: str) -> str | None:
    at = text.find(quote)
    return None if at < 0 else f"line {text.count(chr(10), 0, at) + 1}"
