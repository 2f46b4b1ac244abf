"""The simulated office: documents as small real texts with declared sizes, and where they are handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

__all__ = ["Document", "Office", "Refused"]


class Refused(Exception):
    """A tool does not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its name, the megabytes it is said to have, and its text, line by line."""

    name: str
    size_mb: float
    lines: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        return self.name.rpartition(".")[2]

    def having(self, *lines: str) -> Document:
        """With lines added."""
        return replace(self, lines=(*self.lines, *lines))

    def renamed(self, type: str) -> Document:
        """Under the same name with another extension."""
        return replace(self, name=f"{self.name.rpartition('.')[0]}.{type}")


@dataclass(slots=True)
class Office:
    """What is on the desk (``files``), and what went out: ``sent`` to the court or the client, ``forms`` and
    ``notices`` with the registries, ``records`` that are open."""

    files: dict[str, Document] = field(default_factory=dict[str, Document])
    sent: list[Document] = field(default_factory=list[Document])
    forms: list[str] = field(default_factory=list[str])
    notices: list[str] = field(default_factory=list[str])
    records: list[str] = field(default_factory=list[str])

    def put(self, document: Document) -> Document:
        """Lay a document on the desk, in the place of one of that name."""
        self.files[document.name] = document
        return document

    def get(self, name: str) -> Document:
        """
        Raises:
            Refused: there is none of that name.
        """
        if name not in self.files:
            raise Refused(f"no document {name!r} on this desk")
        return self.files[name]

    def change(self, name: str, how: Callable[[Document], Document]) -> Document:
        """A document with something done to it."""
        return self.put(how(self.get(name)))

    def latest(self, name: str) -> Document | None:
        """What went out last; where nothing did, the document of that name that should have."""
        return self.sent[-1] if self.sent else self.files.get(name)

    def save(self, folder: Path) -> Iterable[Path]:
        """Write what was sent into a folder, as text; gives the files."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, document in enumerate(self.sent, 1):
            path = folder / f"{number}-{document.name}.txt"
            path.write_text("\n".join(document.lines), "utf-8")
            yield path
