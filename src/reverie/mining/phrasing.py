"""Words for an error nobody has seen before, made from the shape of its own text.

"gift card balance is not enough" → *Check the gift card balance before …*; "X cannot be used to Y" →
*Do not use X to Y*. A text of no known shape is quoted as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reverie.domain.findings import Nature

__all__ = [
    "Advice",
    "advise",
    "capital",
    "code",
    "listed",
    "quoted",
    "replacement",
    "shortened",
    "with_article",
]

MAX_QUOTED: Final = 160

_PREFIX = re.compile(
    r"^(?:(?:error|fatal|failed|exception|\w+Error|\w+Exception)(?: \w+ing(?: \w+){0,3})?\s*[:(-]\s*|(?:HTTP(?:/\S+)? )?[45]\d\d(?: [A-Z][\w-]*){0,4}:\s*)+",
    re.IGNORECASE,
)
_NOUN = re.compile(r"(^|\b(?:on|in|for|of|to|at|from|with) )((?:[a-z]+ ){0,2}[a-z]+) <\w+>")
_MASKED = re.compile(r"\s*<\w+>")


@dataclass(frozen=True, slots=True)
class Advice:
    """What to make of an error: an instruction (behaviour) or a warning (situation)."""

    nature: Nature
    advice: str = ""
    warning: str = ""


_SHAPES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (r"^(?P<x>\S+) must not be called[.;,] use (?P<y>\S+)", "Use `{y}`, not `{x}`"),
        (r"^(?P<x>.{3,60}?)(?: is deprecated)?[.;,:] (?:please )?use (?P<y>[\w.:/`'-]+)(?: instead)", "Use {y} instead of {x}"),
        (r"^(?P<x>.{3,60}?) (?:does|do) not add up(?=.*\b(?P<y>total \w+))", "Before {tool}, make sure that {x} adds up to the {y}"),
        (r"^(?P<x>.{3,60}?) (?:does|do) not add up", "Before {tool}, make sure that {x} adds up"),
        (r"^(?P<x>.{3,60}?) (?:does|do) not match (?P<y>.{3,60})", "Before {tool}, make sure that {x} matches {y}"),
        (r"^(?P<x>.{3,60}?) (?:is|are) (?:not enough|insufficient|too low)", "Check {x} before {tool}"),
        (r"^(?:not enough|insufficient) (?P<many>[a-z]+s\b.{0,60})", "Before {tool}, check that there are enough {many}"),
        (r"^(?:not enough|insufficient) (?P<much>.{3,60})", "Before {tool}, check that there is enough {much}"),
        (r"^(?P<x>.{3,60}?) (?:is |are )?(?:not|no longer) available (?P<y>.{2,50})", "Before {tool}, check that {x} is available {y}"),
        (r"^(?P<x>.{3,60}?) (?:is |are )?(?:not|no longer) available", "Before {tool}, check that {x} is available"),
        (r"^(?P<x>.{3,60}?) (?:cannot|can't|can not|may not) be used (?P<y>(?:to|for|with|in) .{3,60})", "Do not use {a_x} {y}"),
        (r"^(?P<x>.{3,60}?) (?:is|are|was|were|has|have) not (?:been )?(?P<y>\w+ed(?: .{2,50})?|\w+en in.{0,50})$",
         "Before {tool}, make sure that {x} is {y}"),
        (r"^(?P<x>.{3,60}?) already exists", "Before {tool}, check whether {x} exists already"),
        (r"^(?P<x>.{3,60}?) (?:was |is |were )?not found$|^(?:could not find|no such|unknown|unrecognized) (?P<alt>.{3,60})$",
         "Look {x} up before {tool}; do not guess it"),
        (r"^(?P<x>.{3,60}?) (?:does|do) not exist", "Look {x} up before {tool}; do not guess it"),
        (r"\b(?:missing|requires?|required|must (?:be|have|provide|specify|contain))\b", "Give {tool} what it requires: “{quote}”"),
        (r"\b(?:invalid|malformed|expected|unsupported|not a valid|exceeds|too (?:large|long|many|big|small|short))\b",
         "Mind what {tool} accepts: “{quote}”"),
    )
)  # fmt: skip


def advise(example: str, template: str, tool: str, *, refused: bool) -> Advice:
    """Advice from the text of an error.

    ``tool`` is the name of what was called, ready to print; ``refused``: the tool itself refused the
    call, which makes an unknown error a behaviour (the caller can ask otherwise); else it is a situation.
    """
    text = _plain(template)
    for pattern, advice in _SHAPES:
        found = pattern.search(text)
        if found is not None:
            given = {name: (value or "").strip(" .") for name, value in found.groupdict().items()}
            x = given.get("x") or given.get("alt") or ""
            words = {"x": _the(x), "a_x": with_article(x), "y": _a_thing(given.get("y", "")), "many": given.get("many", ""),
                     "much": given.get("much", ""), "tool": tool, "quote": quoted(example)}  # fmt: skip
            return Advice("behaviour", capital(advice.format(**words)) + ".")
    if refused:
        return Advice("behaviour", warning=f"Mind what makes {tool} fail: “{quoted(example)}”.")
    return Advice("situation", warning=f"{capital(tool)} may fail with “{quoted(example)}”.")


def replacement(example: str) -> str:
    """ "Use Y, not X" where the error itself names Y; empty where it does not."""
    for pattern, advice in _SHAPES[:2]:
        found = pattern.search(example)
        if found is not None:
            return advice.format(**found.groupdict())
    return ""


_DETERMINED = re.compile(r"(?:the|a|an|this|that|your|its|no|each|every)\b|[`'\"“\d(<-]", re.IGNORECASE)


def _the(noun: str) -> str:
    """A noun phrase with an article, unless it has one or is no plain words."""
    return noun if _DETERMINED.match(noun) or not re.fullmatch(r"[a-z][a-z '’-]*", noun) else f"the {noun}"


def with_article(noun: str) -> str:
    """``a test``, ``an index``; a plural or a phrase as it is."""
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}" if re.fullmatch(r"[a-z]+[^s\W]", noun) else noun


def _a_thing(words: str) -> str:
    """ "to update reservation" → "to update a reservation"."""
    found = re.fullmatch(r"(to [a-z]+) ([a-z]+[^s\W])", words)
    return f"{found[1]} {with_article(found[2])}" if found else words


def _plain(template: str) -> str:
    """The text of a template without masks: "flight <id>" reads "the flight"."""
    text = _PREFIX.sub("", template)
    text = text[:1].lower() + text[1:] if text[1:2].islower() else text
    return " ".join(_MASKED.sub("", _NOUN.sub(r"\1the \2", text)).split())


def code(name: str) -> str:
    """A name in backticks."""
    return f"`{name}`"


def quoted(text: str) -> str:
    """A text on one line, shortened, for use between quotation marks."""
    return shortened(" ".join(text.split()), MAX_QUOTED)


def shortened(text: str, limit: int) -> str:
    """A text cut at a word, with an ellipsis, at most ``limit`` characters."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    return (cut[: cut.rfind(" ")] if " " in cut[limit // 2 :] else cut).rstrip(" ,;:") + "…"


def listed(names: list[str], most: int = 3) -> str:
    """``a``, ``b`` or ``c``."""
    shown = names[:most]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " or " + shown[-1]


def capital(text: str) -> str:
    """With its first letter large."""
    return text[:1].upper() + text[1:]
