"""A visitor of the console without a browser: links, forms, and what a page says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final

import httpx2

__all__ = ["SAME", "Seen", "Visitor"]

SAME: Final = {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}
_VOID: Final = frozenset({"meta", "link", "input", "br", "hr", "line", "rect", "circle", "img"})


@dataclass
class Seen(HTMLParser):
    """A page as a browser takes it apart: its elements, its words, its forms."""

    text: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    forms: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._form: dict[str, str] | None = None
        self._open: list[str] = []
        self.feed(self.text)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {key: value or "" for key, value in attrs}
        self.tags.append((tag, told))
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "form":
            self._form = self.forms.setdefault(told.get("action", ""), {})
        elif tag == "input" and told.get("type") == "hidden" and self._form is not None:
            self._form[told["name"]] = told.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        while self._open and tag not in _VOID:
            closed = self._open.pop()
            if closed == tag:
                break
            assert closed in {"p", "li", "td", "tr", "option"}, f"{closed} is open where {tag} ends"

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def said(self) -> str:
        """The words of the page."""
        return re.sub(r"\s+", " ", " ".join(self.words))

    def links(self, pattern: str) -> list[str]:
        """Where links lead that match."""
        return [a["href"] for tag, a in self.tags if tag == "a" and re.search(pattern, a.get("href", ""))]

    def forms_to(self, what: str) -> list[str]:
        """The addresses that forms are sent to which end so."""
        return [action for action in self.forms if action.endswith(f"/{what}")]

    def keyed(self, key: str) -> dict[str, str]:
        """The element that a key presses."""
        return next(a for _, a in self.tags if key in a.get("data-key", "").split())


@dataclass
class Visitor:
    """Looks at pages and sends their forms."""

    http: httpx2.Client
    headers: dict[str, str]

    def look(self, path: str, status: int = 200) -> Seen:
        """A page."""
        answer = self.http.get(path.partition("#")[0], headers=self.headers)
        assert answer.status_code == status, answer.text
        return Seen(answer.text)

    def send(self, page: Seen, action: str, **more: str) -> httpx2.Response:
        """A form of a page, with what a person filled in."""
        return self.http.post(action, data={**page.forms[action], **more}, headers=self.headers)

    def decide(self, page: Seen, action: str, **more: str) -> Seen:
        """Send a form and look at where it leads."""
        answer = self.send(page, action, **more)
        assert answer.status_code == 303, answer.text
        return self.look(answer.headers["location"])

    def first(self) -> str:
        """The id of the proposal that the inbox opens."""
        return re.search(r"prop_\w+", self.look("/").links(r"/proposals/prop_\w+$")[0])[0]  # type: ignore[index]

    def json(self, path: str) -> Any:
        """A twin."""
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()
