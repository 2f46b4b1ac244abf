"""Secrets are masked at the door of the log, before anything is stored, shown or sent.

Two kinds are known. *Registered* values are those somebody named: they are found in whatever form they
come (base64, percent-encoded, hexadecimal, JSON inside JSON). *Rules* know the forms that issuers give
their tokens, and the places where passwords stand (``rules/*.toml``). A value that is neither, or one
that is cut in two, is not found: register what must never be kept.

A sieve, one pass of a finite automaton over the event's JSON, lets a clean event pass at some hundreds
of megabytes a second; only an event that it stops is looked at closely.
"""

from __future__ import annotations

import base64
import copy
import html
import json
import math
import re
import threading
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, cast
from urllib.parse import quote, quote_plus

import msgspec
import re2  # pyright: ignore[reportMissingTypeStubs]

from reverie.domain.errors import ConfigError
from reverie.domain.events import Json, NewEvent
from reverie.domain.sessions import SessionInfo

__all__ = [
    "Masker",
    "Rule",
    "encoded_forms",
    "entropy",
    "shipped_rules",
]

REGISTERED: Final = "registered"
_SHORTEST: Final = 6  # characters: anything shorter would mask ordinary text
_HEAD: Final = 8  # characters of a registered value, or of a form of it, that make an event suspicious
_PIECE: Final = 6  # characters of an encoded value that are left when its neighbours are cut off
_ESCAPED_START: Final = r"(?:\b|\\[nrtbfv])"
_MEMORY: Final = (
    256 << 20
)  # bytes an automaton may grow to; with RE2's default, large ones start over too often
_PLACEHOLDER: Final = re.compile(
    r"(?i)redact|example|placeholder|changeme|x{5}|\*{4}|your[_-]?|dummy|1234567890?$"
)
_WORDS: Final = re.compile(r"[/.~]?(?:[A-Za-z]+|[0-9]{1,4})(?:[-_/=+~](?:[A-Za-z]+|[0-9]{1,4}))*")
_SIGNS: Final = frozenset("!#%*+^&@?~=,;|")
_COMMON_PASSWORDS: Final = frozenset(
    {"admin", "changeme", "example", "guest", "mypassword", "mysql", "pass", "passw0rd", "passwd", "password",
     "postgres", "pwd", "root", "secret", "test", "token", "user", "username", "xxx"}
)  # fmt: skip

_encode: Final = msgspec.json.Encoder().encode
_NOTHING: Final = Counter[str]()
_re2: Final[Any] = re2  # it has no types of its own


@dataclass(frozen=True, slots=True)
class Rule:
    """How to tell one kind of secret. The fields are explained where the rules are written."""

    id: str
    regex: str
    sieve: str
    secret: int = 0
    entropy: float = 0.0
    like: Literal["token", "password"] | None = None
    word: bool = False

    def pattern(self) -> tuple[str, int]:
        """(regex, number of the group to mask), with the boundary on the left that ``word`` asks for."""
        if self.word:
            return f"{_ESCAPED_START}({self.regex})", self.secret + 1
        return self.regex, self.secret

    def accepts(self, secret: str) -> bool:
        """Whether what stands in the secret's place is one, and no placeholder or name."""
        if secret.startswith("[REDACTED:"):
            return False
        if self.like is not None and not _is_random(secret, self.like):
            return False
        if self.id == "url-password" and secret.lower() in _COMMON_PASSWORDS:
            return False
        return entropy(secret) >= max(self.entropy, 1.5)


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """The rules that come with Reverie.

    Raises:
        ConfigError: the installation is damaged.
    """
    folder = resources.files("reverie.sessions") / "rules"
    try:
        files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
        return tuple(rule for file in files for rule in _read(file.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"the rules for secrets cannot be read: {error}", where=str(folder)) from error


def _read(text: str) -> list[Rule]:
    return msgspec.convert(tomllib.loads(text)["rule"], list[Rule])


class Masker:
    """Takes secrets out of events and texts. Safe to share between threads.

    Args:
        rules: What unregistered secrets look like; by default the shipped rules.
        registered: Values that must never be stored, as they are (not encoded).

    Raises:
        ConfigError: a registered value has fewer than six characters, or a rule does not compile.
    """

    def __init__(self, rules: Sequence[Rule] | None = None, registered: Sequence[str] = ()) -> None:
        self._rules = tuple(shipped_rules() if rules is None else rules)
        self._door = threading.Lock()
        self._registered: set[str] = set()
        self._forms: set[str] = set()
        self._compiled: _Compiled | None = None
        self._before: Callable[[], None] | None = None
        self.register(*registered)

    def apart(self, before: Callable[[], None]) -> Masker:
        """One that knows the same, and goes its own way from now on. ``before`` is called before each look,
        to register what has come to be known meanwhile."""
        own = copy.copy(self)
        own._door = threading.Lock()
        own._registered, own._forms = set(self._registered), set(self._forms)
        own._before = before
        return own

    def register(self, *values: str) -> None:
        """Mask these from now on, in every encoding.

        Raises:
            ConfigError: one has fewer than six characters.
        """
        short = next((value for value in values if len(value) < _SHORTEST), None)
        if short is not None:
            raise ConfigError(
                f"a registered secret has {len(short)} characters; with fewer than {_SHORTEST} it would mask "
                "ordinary text",
                hint="register a longer value, or a longer part of it",
            )
        with self._door:
            fresh = {form for value in {*values} - self._registered for form in encoded_forms(value)}
            if not fresh:
                return
            self._registered.update(values)
            self._forms |= fresh
            self._compiled = None

    def __call__(self, event: NewEvent) -> tuple[NewEvent, Counter[str]]:
        """The event without its secrets, and how many of each kind were masked: for reading, not to be changed."""
        try:
            suspicious = self._ready().suspicious(_encode(event.payload))
        except (TypeError, ValueError, RecursionError):  # no JSON: whoever stores it will say so
            suspicious = True
        if not suspicious:
            return event, _NOTHING
        counts: Counter[str] = Counter()
        payload = self._value(event.payload, counts)
        return (replace(event, payload=payload), counts) if counts else (event, counts)

    def mask_text(self, text: str) -> str:
        """``text`` without its secrets."""
        return self._text(text, Counter())

    def mask_info(self, info: SessionInfo) -> tuple[SessionInfo, Counter[str]]:
        """A session's facts without their secrets. The identity (``native_id``) stays as it is."""
        counts: Counter[str] = Counter()
        facts = ("goal", "cwd", "branch", "repository", "task", "user", "agent", "model")
        masked = {
            name: self._text(value, counts)
            for name in facts
            if (value := cast(str | None, getattr(info, name)))
        }
        extra = self._value(info.extra, counts)
        return (replace(info, **masked, extra=extra), counts) if counts else (info, counts)

    def leaks(self, text: str) -> bool:
        """Whether ``text`` holds a secret."""
        counts: Counter[str] = Counter()
        self._text(text, counts)
        return bool(counts)

    def _ready(self) -> _Compiled:
        if self._before is not None:
            self._before()
        ready = self._compiled
        if ready is None:  # not before it is needed: reading memory asks for none of this
            with self._door:
                longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
                ready = self._compiled = self._compiled or _Compiled(self._rules, longest_first)
        return ready

    def _value(self, value: Json, counts: Counter[str]) -> Json:
        if isinstance(value, str):
            return self._text(value, counts)
        if isinstance(value, Mapping):
            items = cast(Mapping[str, Json], value).items()
            return {self._text(key, counts): self._value(inner, counts) for key, inner in items}
        if isinstance(value, list | tuple):
            return [self._value(inner, counts) for inner in cast(Sequence[Json], value)]
        if isinstance(value, int | float) and str(value) in self._registered:
            counts[REGISTERED] += 1
            return f"[REDACTED:{REGISTERED}]"
        return value

    def _text(self, text: str, counts: Counter[str]) -> str:
        data = text.encode("utf-8", "surrogatepass")
        masked = self._ready().mask(data, counts)
        return text if masked is data else masked.decode("utf-8", "surrogatepass")


class _Compiled:
    """The automata. All of them see bytes: RE2 then has no offsets to translate."""

    def __init__(self, rules: Sequence[Rule], forms: Sequence[str]) -> None:
        # Beginnings will do for the sieve, and keep its automaton small however many values there are.
        heads = {json.dumps(form, ensure_ascii=False)[1:-1][:_HEAD] for form in forms}
        self._rules = rules
        self._sieve = _sieves(rules)
        self._heads = _any_of(sorted(heads))
        self._registered = _any_of(forms)
        self._regexes: dict[int, Any] = {}  # made when first needed, which of most is never

    def suspicious(self, data: bytes) -> bool:
        """False: ``data`` (JSON) holds no secret. True: it may."""
        return bool(self._sieve(data)) or (self._heads is not None and self._heads.search(data) is not None)

    def mask(self, data: bytes, counts: Counter[str]) -> bytes:
        """``data`` (text) without its secrets; the very same object when there are none."""
        if self._registered is not None and self._registered.search(data):
            data, found = self._registered.subn(f"[REDACTED:{REGISTERED}]".encode(), data)
            counts[REGISTERED] += found
        for number in sorted(self._sieve(data) or ()):
            data = self._masked(data, number, counts)
        return data

    def _masked(self, data: bytes, number: int, counts: Counter[str]) -> bytes:
        rule = self._rules[number]
        pattern, group = rule.pattern()
        if number not in self._regexes:
            self._regexes[number] = _compiled(pattern, rule.id)
        parts: list[bytes] = []
        start = 0
        for match in self._regexes[number].finditer(data):
            begin, end = match.span(group)
            if begin < start or not rule.accepts(data[begin:end].decode("utf-8", "replace")):
                continue
            parts += [data[start:begin], f"[REDACTED:{rule.id}]".encode()]
            counts[rule.id] += 1
            start = end
        return b"".join([*parts, data[start:]]) if parts else data


def _compiled(regex: str, rule: str) -> Any:
    try:
        return _re2.compile(regex.encode(), _options())
    except _re2.error as error:
        raise ConfigError(f"the rule {rule!r} for secrets does not compile: {error}") from None


def _any_of(literals: Sequence[str]) -> Any:
    """Finds any of some texts; of those that begin at one place, the one named first. None: there are none."""
    return _compiled("|".join(_re2.escape(literal) for literal in literals), REGISTERED) if literals else None


def _sieves(rules: Sequence[Rule]) -> Callable[[bytes], list[int] | None]:
    """One automaton that tells, in one pass, which rules are worth trying on a text: their numbers."""
    if not rules:
        return lambda _: None
    found = _re2.Set.SearchSet(_options())
    for rule in rules:
        try:
            found.Add(rule.sieve.encode())
        except _re2.error as error:
            raise ConfigError(f"the rule {rule.id!r} for secrets does not compile: {error}") from None
    found.Compile()
    return found.Match


def _options() -> Any:
    options = _re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    return options


def entropy(text: str) -> float:
    """Shannon entropy of the characters of ``text``, in bits per character."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values()) if total else 0.0


def _is_random(secret: str, like: Literal["token", "password"]) -> bool:
    """Random strings have letters and digits (passwords: or signs); placeholders and joined words are none."""
    password = like == "password"
    others = sum(c.isdigit() or (password and c in _SIGNS) for c in secret)
    if others < (1 if password else 2) or not any(c.isalpha() for c in secret):
        return False
    return not _PLACEHOLDER.search(secret) and not _WORDS.fullmatch(secret)


def encoded_forms(value: str) -> set[str]:
    """The forms in which ``value`` may stand in a text: itself, escaped, and encoded.

    Base64 is found inside longer base64 too: for each of the three places where the value may begin
    within a group of three bytes, the digits that do not depend on what stands around it.
    """
    data = value.encode("utf-8", "surrogatepass")
    plain = {value, html.escape(value), quote(value, safe=""), quote(value), quote_plus(value)}
    plain |= {re.sub("%[0-9A-F]{2}", lambda m: m[0].lower(), form) for form in plain}
    found = set(plain)
    for _ in range(3):  # JSON inside JSON inside JSON
        found |= {escape(form) for form in found for escape in _JSON_ESCAPES}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found.add(encode(data).decode())
        found |= {piece for offset in range(3) if len(piece := _piece(data, offset, encode)) >= _PIECE}
    return found | {data.hex(), data.hex().upper()}


def _piece(data: bytes, offset: int, encode: Callable[[bytes], bytes]) -> str:
    digits = encode(bytes(offset) + data).decode()
    return digits[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6]


def _escaped_for_html(text: str) -> str:
    """JSON as encoders write it that fear for HTML: ``<``, ``>``, ``&``, ``'`` and ``=`` as ``\\u00XX``."""
    return re.sub("[<>&'=+]", lambda m: f"\\u{ord(m[0]):04x}", json.dumps(text)[1:-1])


_JSON_ESCAPES: Final[tuple[Callable[[str], str], ...]] = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    _escaped_for_html,
)
