"""Advice in a memory, as a clerk understands it: what to do before a call, with it, or after it failed.

Sentences of the kinds that a dream writes by itself are understood for any tool and argument:

    When `size_mb` is 51 or more and it is 17:00 or later, expect `upload_filing` to fail with “…”.
    Instead: use `convert_document` first, then `upload_filing` again; the same call again does not help.
    When `open_record` fails with “…”, do not send the same call again; use `open_record` with `record` K-#-b instead of K-#.
    When `registry` is Harbour, call `serve_notice` with another `by` than portal, say courier: …
    When `keep_tables` is false, expect the session to mostly fail.
    Before you call `search_precedents`, call `refresh_index`.      (or: In the task deed, call `a`, then `b`.)
    Call `draft_document` with `cite` = `paragraphs`, not `pages`.

So are plain ones, whoever writes them, with circumstances (docx, over 50 MB, after 17:00, before noon, the court of
Lindau, the Harbour registry, more than 26 exhibits) or with none:

    Convert to PDF before uploading        Refresh the index before searching        Sign before you stamp
    Set keep_tables=true                   Write dates as DD.MM.YYYY                 Cite paragraphs
    Serve by courier                       Open the record under another name        Label exhibits with numbers

They are understood as whole sentences, which begin with what to do or with a circumstance: words of them in another
order, or among others, say nothing, nor does advice that a sentence quotes. What is not understood is left alone.
What is understood is followed, be it true or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

from examples.desk.tools import TOOLS

__all__ = ["ANOTHER", "Condition", "First", "Give", "Instead", "Rule", "parse"]

Value: TypeAlias = str | float | bool


@dataclass(frozen=True, slots=True)
class Condition:
    """``name`` ``op`` ``value``: ``is``, ``not``, ``>=``, ``>``, ``<``, or ``speaks`` (of one of the words)."""

    name: str
    op: str
    value: Value

    def holds(self, known: Mapping[str, Any]) -> bool:
        found = known.get(self.name)
        if found is None:
            return False
        if self.op == "speaks":
            return any(word in str(found).lower() for word in str(self.value).split("|"))
        if self.op in ("is", "not"):
            return _same(found, self.value) == (self.op == "is")
        if not isinstance(found, int | float):
            return False
        limit = float(self.value)
        return {">=": found >= limit, ">": found > limit, "<": found < limit}[self.op]


@dataclass(frozen=True, slots=True)
class First:
    """Call another tool before."""

    tool: str


@dataclass(frozen=True, slots=True)
class Give:
    """Give an argument so that ``op`` ``value`` holds of it: as a condition's, or ``shape`` (``K-#-b``), ``lower``,
    ``higher``, ``another``. ``say``: a value for that, where one was named."""

    name: str
    op: str
    value: Value = ""
    say: Value | None = None


@dataclass(frozen=True, slots=True)
class Instead:
    """Call another tool in the place of this one."""

    tool: str


Deed: TypeAlias = First | Give | Instead


@dataclass(frozen=True, slots=True)
class Rule:
    """Where all of ``when`` hold, do so at calls of ``tool`` (of any, where it is empty); with an ``error`` only
    after it (``ANY``: after whichever)."""

    tool: str
    do: Deed
    when: tuple[Condition, ...] = ()
    error: str | None = None


ANOTHER: Final[Mapping[str, tuple[str | bool, ...]]] = {
    "cite": ("pages", "paragraphs"),
    "scheme": ("letters", "numbers"),
    "keep_tables": (False, True),
    "by": ("portal", "courier", "telefax"),
    "to": ("pdf", "docx"),
}
"""Arguments that are the clerk's to choose, and what there is to choose from."""
ANY: Final = ""

_NAME: Final = r"`(?P<{}>[\w.]+)`"
_CONDITION: Final = re.compile(
    r"`(?P<name>[\w.]+)` is (?:between (?P<from>-?[\d.]+\d|\d) and (?P<to>-?[\d.]*\d)|below (?P<below>-?[\d.]*\d)"
    r"|(?P<least>-?[\d.]*\d) or more|(?P<label>[\w./+-]*\w))"
    r"|it is (?:between (?P<h1>\d+):\d\d and (?P<h2>\d+):\d\d|(?P<late>\d+):\d\d or later|before (?P<early>\d+):\d\d"
    r"|a (?P<day>\w+day))",
    re.I,
)
_LIMITS: Final = re.compile(r" \(the exact limit lies[^)]*\)")
_EXPECT: Final = re.compile(
    r"when (?P<when>[^:“]*(?::\d\d[^:“]*)*), expect (?:`(?P<tool>\w+)`|the session) to (?:mostly |often )?fail(?: with “(?P<error>[^”]*)”)?",
    re.I,
)
_AFTER: Final = re.compile(r"when `(?P<tool>\w+)` fails with “(?P<error>[^”]*)”,(?P<rest>.*)", re.I)
_CALL: Final = re.compile(
    r"(?:when (?P<when>.*?), )?call `(?P<tool>\w+)` with (?:another `(?P<other>\w+)` than (?P<than>[\w./+-]*\w)(?:, say (?P<say>[\w./+-]*\w))?"
    r"|`(?P<name>\w+)` (?:= `(?P<value>[^`]+)`|of (?P<least>-?[\d.]*\d) or more|below (?P<below>-?[\d.]*\d)))",
    re.I,
)
_BEFORE: Final = re.compile(r"call `(?P<step>\w+)`(?: on a `\.\w+` file)? before `(?P<tool>\w+)`", re.I)
_FLOW: Final = re.compile(
    r"(?:before you call `(?P<trigger>\w+)`[^,]*|when a request speaks of (?P<words>[^,]*(?:, “[^,]*)*)|in the task (?P<task>[\w -]+)), "
    r"(?P<steps>call .*)",
    re.I,
)
_USE: Final = re.compile(
    rf"use (?:{_NAME.format('step')} first, then|{_NAME.format('other')} instead of `|`\w+` with(?P<out>out)? (?:a (?P<how>lower|higher) |(?P<another>another ))?"
    r"`(?P<arg>\w+)`(?: (?P<new>\S+) instead of (?P<old>\S*[^\s.;,]))?)",
    re.I,
)


@lru_cache(maxsize=64)
def parse(text: str) -> tuple[Rule, ...]:
    """All rules that a text gives, in its order. A line of dashes or a heading ends what hangs together."""
    found: list[Rule] = []
    pending: list[Rule] = []
    for sentence in _sentences(text):
        if sentence.startswith(("#", "---")):
            found += _decided(pending)
            pending = []
            continue
        if expected := list(_expected(sentence)):
            pending += expected
        elif sentence.lower().startswith("instead:") and pending and (deed := _deed(sentence)):
            found += _routed(pending, deed)
            pending = []
        else:
            found += _formal(sentence) or list(_plain(sentence))
    return (*found, *_decided(pending))


def _sentences(text: str) -> Iterator[str]:
    for line in _LIMITS.sub("", text).split("\n"):
        if line.startswith(("> ", "description:", "title:", "idea:")):
            continue
        yield from (part.strip(" *-") if not part.startswith("---") else part for part in _split(line))


def _split(line: str) -> list[str]:
    """Sentences of a line. What is quoted is no end of a sentence."""
    return [part for part in re.split(r"(?<=[.!])\s+(?=[A-Z`])(?![^“]*”)", line.strip()) if part]


# ------------------------------------------------------------------ as dreams write


def _expected(sentence: str) -> Iterator[Rule]:
    if found := _EXPECT.match(sentence):
        conditions = tuple(_conditions(found["when"]))
        if conditions:
            yield Rule(found["tool"] or "", First(""), conditions, found["error"])


def _routed(pending: Iterable[Rule], deed: Deed) -> Iterator[Rule]:
    """Where it is to be expected, what to do is done beforehand; where it happens all the same, afterwards."""
    for each in pending:
        yield replace(each, do=deed, error=None)
        if each.error is not None:
            yield Rule(each.tool, deed, (), each.error)


def _decided(pending: Iterable[Rule]) -> Iterator[Rule]:
    """What is expected to fail, and nothing else is known: a choice among its circumstances is made otherwise."""
    for each in pending:
        for choice in (c for c in each.when if c.name in ANOTHER and c.op == "is"):
            others = tuple(c for c in each.when if c is not choice)
            yield Rule(each.tool, Give(choice.name, "not", choice.value), others)


def _formal(sentence: str) -> list[Rule]:
    if found := _AFTER.match(sentence):
        deed = _deed(found["rest"])
        return [] if deed is None else [Rule(found["tool"], deed, (), found["error"])]
    if found := _BEFORE.match(sentence):
        return [Rule(found["tool"], First(found["step"]))]
    if found := _FLOW.match(sentence):
        return list(_flow(found))
    return [_called(found)] if (found := _CALL.match(sentence)) else []


def _called(found: re.Match[str]) -> Rule:
    when = tuple(_conditions(found["when"] or ""))
    if found["other"]:
        return Rule(
            found["tool"],
            Give(found["other"], "not", _value(found["than"]), found["say"] and _value(found["say"])),
            when,
        )
    if found["value"]:
        return Rule(found["tool"], Give(found["name"], "is", _value(found["value"])), when)
    if found["least"]:
        return Rule(found["tool"], Give(found["name"], ">=", float(found["least"])), when)
    return Rule(found["tool"], Give(found["name"], "<", float(found["below"])), when)


def _flow(found: re.Match[str]) -> Iterator[Rule]:
    steps = [name for name in re.findall(r"`(\w+)`", found["steps"]) if name in TOOLS]
    if found["trigger"]:
        steps.append(found["trigger"])
    when: tuple[Condition, ...] = ()
    if found["task"]:
        when = (Condition("task", "is", found["task"]),)
    elif found["words"]:
        when = (Condition("request", "speaks", "|".join(re.findall(r"“([^”]+)”", found["words"].lower()))),)
    for number, step in enumerate(steps[1:], 1):
        for before in steps[:number]:
            yield Rule(step, First(before), when)


def _deed(text: str) -> Deed | None:
    found = _USE.search(text)
    if found is None:
        return None
    if found["step"]:
        return First(found["step"])
    if found["other"]:
        return Instead(found["other"])
    if found["how"] or found["another"]:
        return Give(found["arg"], found["how"] or "another")
    if found["new"]:
        new = found["new"].strip("`'")
        return Give(found["arg"], "shape" if "#" in new else "is", new if "#" in new else _value(new))
    return Give(found["arg"], "is", not found["out"])


def _conditions(text: str) -> Iterator[Condition]:
    for found in _CONDITION.finditer(text):
        name = (found["name"] or "hour").removeprefix("session.")
        for bound, op in (
            ("from", ">="), ("to", "<"), ("below", "<"), ("least", ">="), ("h1", ">="), ("h2", "<"), ("late", ">="),
            ("early", "<"),
        ):  # fmt: skip
            if found[bound]:
                yield Condition(name, op, float(found[bound]))
        if found["label"]:
            yield Condition(name, "is", _value(found["label"].lstrip(".")))
        if found["day"]:
            yield Condition("weekday", "is", found["day"])


def _value(text: str) -> Value:
    lower = text.strip("`'\"“”").lower()
    return lower == "true" if lower in ("true", "false") else text.strip("`'\"“”")


def _same(found: Any, value: Value) -> bool:
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    return str(found).lower() == str(value).lower()


# ------------------------------------------------------------------ as people write


@dataclass(frozen=True, slots=True)
class _Plain:
    pattern: re.Pattern[str]
    rule: Rule


def _p(pattern: str, tool: str, deed: Deed, error: str | None = None) -> _Plain:
    return _Plain(re.compile(pattern, re.I), Rule(tool, deed, (), error))


_LONGEST: Final = 40
"""Words. Nobody takes in a plain sentence that is longer."""
_LEAD: Final = re.compile(
    r"(?:(?:please|always|next time),? )?"
    r"(?:(?:when|if|where|after|before|from|in|for|at|on|past)\b(?:[^,:;]|:\d\d){1,90}[,:] "
    r"|(?:after|before|from|past) (?:\d+(?::00| ?h| o'clock)?|noon) )?(?:please |always )?",
    re.I,
)
"""What may stand before what is to be done: a circumstance, a please."""
_SET: Final = r"(?:set|use|pass|give) `?keep_tables(?:`? ?=| to| as) ?`?"
_LABEL: Final = r"label\b.{0,40}\bexhibits?\b.{0,20}\b(?:with|by|in|using|as)"
_OTHERWISE: Final = r"(?:another|different|other) (?:name|number)"
_END: Final = r"(?:[.!]?$|[,:;]? (?:not (?:by )?(?:pages?|paragraphs?)|instead of|rather than|when|if|for|because|since)\b)"
_PLAIN: Final = (
    _p(r"convert\b.{0,60}\bPDF\b.{0,40}\b(?:before|then)\b.{0,20}\b(?:upload|fil(?:e|ing)\b)|upload\b.{0,80}\bas (?:a )?PDF\b|(?:when|before|if)\b[^,:;]{0,60}\b(?:upload|fil(?:e|ing)\b)[^,:;]{0,60}, convert\b.{0,40}\bPDF", "upload_filing", First("convert_document")),
    _p(r"split\b.{0,60}\bbefore (?:you )?(?:upload|fil)", "upload_filing", First("split_document")),
    _p(r"refresh the (?:search )?index\b|(?:call|run|use) `?refresh_index`? (?:before|first)", "search_precedents", First("refresh_index")),
    _p(r"sign\b[^.;]{0,40}\bbefore\b[^.;]{0,30}\bstamp|stamp\b[^.;]{0,30}\bafter\b[^.;]{0,30}\bsign", "stamp_document", First("sign_document")),
    _p(r"stamp\b[^.;]{0,40}\bbefore\b[^.;]{0,30}\bsign|sign\b[^.;]{0,30}\bafter\b[^.;]{0,30}\bstamp", "sign_document", First("stamp_document")),
    _p(rf"{_SET}true\b|keep (?:the |its )?tables{_END}", "convert_document", Give("keep_tables", "is", True)),
    _p(rf"{_SET}false\b", "convert_document", Give("keep_tables", "is", False)),
    _p(rf"cite (?:by )?(?:the )?paragraphs?{_END}", "draft_document", Give("cite", "is", "paragraphs")),
    _p(rf"cite (?:by )?(?:the )?pages?{_END}", "draft_document", Give("cite", "is", "pages")),
    _p(r"(?:write|give|enter) (?:the |all )?(?:dates?|hearing) (?:as|like) (?:DD\.MM\.YYYY|day\.month\.year)\b", "fill_form", Give("hearing_date", "shape", "#.#.#")),
    _p(r"serve (?:notice |it )?(?:there )?by (?:a )?courier\b|(?:send|use) a courier\b", "serve_notice", Give("by", "is", "courier")),
    _p(rf"(?:when|if)\b[^,]{{0,40}}\brecord\b[^,]{{0,40}}, (?:open|try)\b.{{0,20}}\b{_OTHERWISE}|(?:open|try)\b.{{0,20}}\brecord\b.{{0,20}}\b{_OTHERWISE}", "open_record", Give("record", "another"), ANY),
    _p(rf"{_LABEL} numbers\b|use numbers\b.{{0,30}}\bexhibit", "label_exhibits", Give("scheme", "is", "numbers")),
    _p(rf"{_LABEL} letters\b|use letters\b.{{0,30}}\bexhibit", "label_exhibits", Give("scheme", "is", "letters")),
)  # fmt: skip
_OVER: Final = r"(?:over|above|more than|larger than|bigger than|exceed(?:s|ing)?|past|beyond)"
_N: Final = r"(?P<n>\d+(?:\.\d+)?)"
_WHERE: Final = (
    (re.compile(r"\.?\bdocx\b", re.I), "file_ext", "is"),
    (re.compile(rf"\b{_OVER} {_N} ?MB\b", re.I), "size_mb", ">"),
    (re.compile(rf"\b{_OVER} {_N} exhibits\b", re.I), "exhibits", ">"),
    (re.compile(rf"\b(?:after|from|past|later than) {_N}(?::00| ?h\b| o'clock)", re.I), "hour", ">="),
    (re.compile(r"\b(?:before noon|in the mornings?|before 12(?::00)?)\b", re.I), "hour", "<"),
    (re.compile(r"\bcourt (?:of|in|at) (?P<n>[A-Z]\w+)|\b(?P<m>[A-Z]\w+) court\b"), "court", "is"),
    (re.compile(r"\b(?P<n>[A-Z]\w+) (?:registry|portal)\b"), "registry", "is"),
)
_FIXED: Final = {"file_ext": "docx", "hour": 12.0}


def _plain(sentence: str) -> Iterator[Rule]:
    """A sentence says what to do where it begins with that, or after a circumstance; what mentions it is no advice."""
    if len(sentence.split()) > _LONGEST:
        return
    lead = _LEAD.match(sentence)
    starts = {0, lead.end() if lead else 0}
    for each in _PLAIN:
        if any(each.pattern.match(sentence, at) for at in starts):
            yield replace(each.rule, when=tuple(_where(sentence)))


def _where(sentence: str) -> Iterator[Condition]:
    for pattern, name, op in _WHERE:
        if found := pattern.search(sentence):
            given = found.groupdict()
            value: Value = given.get("n") or given.get("m") or _FIXED[name]
            yield Condition(name, op, value if op == "is" else float(value))
