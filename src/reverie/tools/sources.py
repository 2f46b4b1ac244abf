"""Which URLs an agent may be given: by their domain, and by where the model has them from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit, urlunsplit

from reverie.domain.events import JsonObject
from reverie.plugins import Shown

__all__ = ["Domains", "is_shown"]

_URL: Final = re.compile(r"https?://[^\s<>\"'`\\^{|}]{1,2048}", re.IGNORECASE)
_AFTER: Final = ".,;:!?)]*_"  # what follows a URL in a sentence, more often than it ends one


@dataclass(frozen=True, slots=True)
class Domains:
    """Domains that alone are ``allowed`` (all, where that is None), and those that are ``blocked``. A domain
    holds for what is below it; one with a path, for what is below the path."""

    allowed: Sequence[str] | None = None
    blocked: Sequence[str] = ()

    @staticmethod
    def of(config: JsonObject) -> Domains:
        """As the configuration of a tool says them."""
        allowed = cast("Sequence[str] | None", config.get("allowed_domains"))
        blocked = cast("Sequence[str] | None", config.get("blocked_domains"))
        return Domains(allowed, blocked or ())

    def allow(self, host: str, path: str) -> bool:
        """Whether a host, in lower case, and a path there are within them."""
        if any(_within(host, path, entry) for entry in self.blocked):
            return False
        return self.allowed is None or any(_within(host, path, entry) for entry in self.allowed)

    def allow_link(self, url: str) -> bool:
        """The same of a URL that is shown, and not connected to; one that cannot be read is not."""
        try:
            parts = urlsplit(url)
            return self.allow(_ascii((parts.hostname or "").rstrip(".")), parts.path)
        except ValueError:
            return False


def is_shown(url: str, sources: JsonObject, shown: Iterable[Shown]) -> bool:
    """Whether a URL stood in a text that may be a source of URLs (``url_sources`` of the wire)."""
    wanted = _normal(url)
    texts = (text.text for text in shown if _is_source(text, sources))
    return any(wanted == _normal(found) for text in texts for found in _urls(text))


def _is_source(shown: Shown, sources: JsonObject) -> bool:
    said = cast("dict[str, Any] | None", sources.get(shown.source))
    if said is None:
        return True
    named = shown.tool in {tool["name"] for tool in said.get("tools", ())}
    return {"all": True, "none": False, "only": named, "except": not named}[said["type"]]


def _urls(text: str) -> Iterator[str]:
    """The URLs in a text, each as it stands, and without one sign after the other that a sentence, or a
    bracket around it, may have put behind it."""
    for match in _URL.finditer(text):
        url = match[0]
        yield url.partition(")")[0].partition("]")[0]  # as in Markdown, with something right behind it
        yield url
        while url[-1] in _AFTER:
            url = url[:-1]
            yield url


def _normal(url: str) -> str:
    """The same for two spellings of what a server is asked for: fragments are not sent."""
    try:
        parts = urlsplit(url.strip())
        host = parts.netloc.lower()
    except ValueError:
        return url
    default = {"http": ":80", "https": ":443"}.get(parts.scheme.lower(), "\0")
    return urlunsplit((parts.scheme.lower(), host.removesuffix(default), parts.path or "/", parts.query, ""))


def _within(host: str, path: str, entry: str) -> bool:
    domain, _, below = entry.partition("/")
    domain = _ascii(domain.rstrip(".").lower())
    if host != domain and not host.endswith(f".{domain}"):
        return False
    prefix = "/" + below.rstrip("/")
    return prefix in ("/", path) or path.startswith(f"{prefix}/")


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode("ascii")
