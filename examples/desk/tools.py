"""The tools of the desk. They do what their descriptions say, and have ways of their own that nobody wrote down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from examples.desk.matters import Matter
from examples.desk.office import Document, Office, Refused

__all__ = ["TOOLS", "Tools"]

TOOLS: Final = (
    "search_precedents", "refresh_index", "draft_document", "proofread", "check_conflicts", "label_exhibits",
    "convert_document", "compress_document", "split_document", "sign_document", "stamp_document", "upload_filing",
    "mail_document", "open_record", "fill_form", "serve_notice",
)  # fmt: skip
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MIME: Final = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "odt": "application/vnd.oasis.opendocument.text",
    "rtf": "application/rtf",
    "pdf": "application/pdf",
}


class Tools:
    """The tools of one matter. ``now`` is the office's clock."""

    def __init__(self, matter: Matter, now: Callable[[], datetime]) -> None:
        self.matter = matter
        self.office = Office()
        self._now = now
        self._fresh = False
        if matter.kind in ("bundle", "deed"):
            self.office.put(
                Document(matter.file, matter.size_mb, (f"{matter.kind.upper()}: {matter.party}",))
            )
        if matter.kind == "bundle":
            self.office.change(matter.file, lambda d: d.having(*_tables(matter)))

    def named(self) -> Mapping[str, Callable[..., Any]]:
        """Every tool by its name."""
        return {name: getattr(self, name) for name in TOOLS}

    # ------------------------------------------------------------------ research and drafting

    def search_precedents(self, question: str) -> dict[str, Any]:
        """Search the collection of cases; the leading case on a question comes first.

        Args:
            question: A party or a point of law.
        """
        old = self.matter.stale and not self._fresh
        year = 2019 if old else 2026
        return {"question": question, "leading_case": f"{question} ({year})"}

    def refresh_index(self) -> dict[str, Any]:
        """Bring the index of the collection of cases up to date."""
        self._fresh = True
        return {"index": "up to date"}

    def draft_document(self, file: str, cite: str, authority: str) -> dict[str, Any]:
        """Draft a document from the templates of the house, and lay it on the desk.

        Args:
            file: Its name.
            cite: How sources are cited: pages or paragraphs.
            authority: The leading case it rests on.
        """
        _one_of("cite", cite, ("pages", "paragraphs"))
        matter = self.matter
        place = "p. 12" if cite == "pages" else "para. 31"
        lines = (f"{matter.kind.upper()}: {matter.party}", f"See {authority}, {place}.")
        tables = _tables(matter) if matter.kind == "opinion" else ()
        return _shown(self.office.put(Document(file, matter.size_mb, (*lines, *tables))))

    def proofread(self, file: str) -> dict[str, Any]:
        """Look a document over for slips.

        Args:
            file: Its name.
        """
        self.office.get(file)
        return {"file": file, "slips": 0}

    def check_conflicts(self, party: str) -> dict[str, Any]:
        """Whether the house has acted for a party before.

        Args:
            party: Its name.
        """
        return {"party": party, "conflicts": 0}

    # ------------------------------------------------------------------ documents

    def label_exhibits(self, file: str, exhibits: int, scheme: str) -> dict[str, Any]:
        """Label the exhibits in a document, from the first to the last.

        Args:
            file: Its name.
            exhibits: How many there are.
            scheme: letters or numbers.
        """
        _one_of("scheme", scheme, ("letters", "numbers"))
        labels = [_LETTERS[i % 26] if scheme == "letters" else str(i + 1) for i in range(exhibits)]
        self.office.change(file, lambda d: d.having(*(f"EXHIBIT {label}" for label in labels)))
        return {"file": file, "labelled": exhibits}

    def convert_document(self, file: str, to: str, keep_tables: bool = False) -> dict[str, Any]:
        """Convert a document; the original stays.

        Args:
            file: Its name.
            to: pdf, docx, odt or rtf.
            keep_tables: Set tables as tables; slower.
        """
        _one_of("to", to, tuple(_MIME))
        found = self.office.get(file)
        kept = tuple(line for line in found.lines if keep_tables or not line.startswith("|"))
        return _shown(self.office.put(Document(found.name, found.size_mb, kept).renamed(to)))

    def compress_document(self, file: str) -> dict[str, Any]:
        """Make a document somewhat smaller, by its pictures.

        Args:
            file: Its name.
        """
        found = self.office.get(file)
        return _shown(self.office.put(Document(file, round(found.size_mb * 0.97, 1), found.lines)))

    def split_document(self, file: str, parts: int) -> dict[str, Any]:
        """Split a document into parts of equal size.

        Args:
            file: Its name.
            parts: How many, 2 to 5.
        """
        if not 2 <= parts <= 5:
            raise Refused(f"parts must be between 2 and 5, not {parts}")
        found = self.office.get(file)
        stem, _, type = found.name.rpartition(".")
        size = round(found.size_mb / parts, 1)
        names = [f"{stem}.part{i + 1}.{type}" for i in range(parts)]
        for name in names:
            self.office.put(Document(name, size, found.lines))
        return {"files": names, "size_mb": size}

    def sign_document(self, file: str) -> dict[str, Any]:
        """Sign a document for the house.

        Args:
            file: Its name.
        """
        return _shown(self.office.change(file, lambda d: d.having("SIGNED for the house")))

    def stamp_document(self, file: str) -> dict[str, Any]:
        """Put the stamp of the house on a document.

        Args:
            file: Its name.
        """
        return _shown(self.office.change(file, lambda d: d.having("STAMPED by the house")))

    # ------------------------------------------------------------------ handing in

    def upload_filing(self, file: str, mime: str, size_mb: float, court: str) -> dict[str, Any]:
        """File a document with a court through its gateway.

        Args:
            file: Its name.
            mime: Its media type.
            size_mb: Its size.
            court: The court.
        """
        found = self.office.get(file)
        if found.type == "docx" and found.size_mb > 50 and self._now().hour >= 17:
            raise Refused("transfer incomplete, gateway code 7")
        self.office.sent.append(found)
        return {"filed": found.name, "court": court, "receipt": f"R-{self.matter.seed % 10_000}"}

    def mail_document(self, file: str) -> dict[str, Any]:
        """Mail a document to the client.

        Args:
            file: Its name.
        """
        self.office.sent.append(self.office.get(file))
        return {"mailed": file}

    def open_record(self, record: str) -> dict[str, Any]:
        """Open a record in the register.

        Args:
            record: Its number.
        """
        if self.matter.held and record == self.matter.record:
            raise Refused("record in use at desk 4")
        self.office.records.append(record)
        return {"record": record, "open": True}

    def fill_form(self, court: str, party: str, hearing_date: str) -> dict[str, Any]:
        """Fill in the form of a court.

        Args:
            court: The court.
            party: The other side.
            hearing_date: The day of the hearing.
        """
        day = hearing_date.split(".")
        german = len(day) == 3 and [len(part) for part in day] == [2, 2, 4]
        iso = [len(part) for part in hearing_date.split("-")] == [4, 2, 2]
        if (court == "Lindau" and not german) or (court != "Lindau" and not iso):
            raise Refused("field 3 could not be read")
        self.office.forms.append(f"{court}: {party}, {hearing_date}")
        return {"court": court, "form": "filled in"}

    def serve_notice(self, registry: str, by: str, recipient: str) -> dict[str, Any]:
        """Serve notice through a registry.

        Args:
            registry: The registry.
            by: portal, courier or telefax.
            recipient: To whom.
        """
        _one_of("by", by, ("portal", "courier", "telefax"))
        if by == "telefax":
            raise Refused("no carrier on the line")
        if by == "portal" and registry == "Harbour" and self._now().hour < 12:
            raise Refused("recipient address incomplete")
        self.office.notices.append(recipient)
        return {"registry": registry, "served": recipient}


def _tables(matter: Matter) -> tuple[str, ...]:
    return tuple(f"| costs {i + 1} | {(i + 3) * 410} EUR |" for i in range(matter.tables))


def _shown(document: Document) -> dict[str, Any]:
    return {
        "file": document.name,
        "mime": _MIME.get(document.type, "text/plain"),
        "size_mb": document.size_mb,
    }


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise Refused(f"{name} is one of {', '.join(known)}; {value!r} is none of them")
