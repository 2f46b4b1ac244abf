"""The clerk as a program: a model that needs no key, competent at the trade and without experience of this office.

A function of a request, ``scripted:examples.desk.policy:clerk`` where a model is named. It knows what stands in
its own context and nothing else: the task, results of its tools, and what memory says, be it in the system
prompt or in files that it reads first. Memory is the only thing that changes it (``advice``).

Clerks differ a little, by name and from matter to matter: now and then one does by habit, or tries when something
has failed, what another would have to be told. Which, follows from the matter's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeAlias

from examples.desk.advice import ANOTHER, First, Give, Instead, Rule, parse
from examples.desk.matters import chance
from reverie.domain.messages import AssistantTurn, ModelRequest, Text, ToolCall, ToolResult, UserTurn

__all__ = ["clerk"]


@dataclass(frozen=True, slots=True)
class _Result:
    text: str
    failed: bool

    @property
    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


_Wish: TypeAlias = tuple[str, dict[str, Any]]
_Doing: TypeAlias = Generator[_Wish, _Result, _Result]
_Work: TypeAlias = Generator[_Wish, _Result, str]

MOST_TRIES: Final = 3
_GIVES_UP: Final = 0.3
"""How often a clerk lets a failure stand."""
_HABITS: Final[Mapping[str, float]] = {
    "refresh_index": 0.28, "sign_document": 0.28, "keep_tables": 0.3, "paragraphs": 0.25, "numbers": 0.28, "proofread": 0.5,
}  # fmt: skip
_KEEN: Final[Mapping[str, float]] = {"Ada": 1.25, "Brill": 1.0, "Crane": 0.75}
"""Who does more than is asked for, of everything alike: what helps and what does not."""
_TRIES: Final[Mapping[str, Sequence[First | Give | None]]] = {
    "upload_filing": (None, None, First("convert_document"), First("split_document"), First("compress_document"), Give("mime", "is", "application/octet-stream")),
    "open_record": (None, None, Give("record", "shape", "K-#-b"), Give("record", "shape", "K-#-2"), First("refresh_index")),
    "fill_form": (None, Give("hearing_date", "shape", "#.#.#"), Give("hearing_date", "shape", "#/#/#"), Give("party", "another")),
    "serve_notice": (None, Give("recipient", "another"), Give("by", "is", "courier"), Give("by", "is", "telefax")),
}  # fmt: skip
"""What a clerk may try when a call has failed; None is the same again."""


def clerk(request: ModelRequest) -> str | ToolCall:
    """What the clerk says or does next."""
    scene = _Scene(request)
    if reading := scene.reading():
        return reading
    work = _Clerk(scene.matter, scene.who, scene.task, parse(scene.memory))
    results = iter(scene.results)
    for number in range(len(scene.said)):
        done = _replayed(work.work() if number == 0 else work.again(scene.said[number]), results)
        if isinstance(done, tuple):
            return ToolCall(f"call_{len(scene.calls) + 1}", *done)
        if number == len(scene.said) - 1:
            return done
    return "There is nothing to do."


def _replayed(going: _Work, results: Iterator[_Result]) -> _Wish | str:
    """What is wished for next, after all that was done; or what is said at the end."""
    try:
        wish = next(going)
        for result in results:
            wish = going.send(result)
    except StopIteration as ended:
        return str(ended.value)
    return wish


# ------------------------------------------------------------------ at work


@dataclass(slots=True)
class _Clerk:
    """One clerk at one matter. ``file``, ``mime`` and ``size`` are the document as it is now."""

    name: str
    who: str
    task: Mapping[str, Any]
    rules: Sequence[Rule]
    file: str = ""
    mime: str = ""
    size: float = 0.0
    authority: str = ""
    done: list[str] = field(default_factory=list[str])
    about: dict[str, list[Rule]] = field(default_factory=dict[str, list[Rule]])
    undone: list[str] = field(default_factory=list[str])
    begun: list[str] = field(default_factory=list[str])

    def work(self) -> _Work:
        self.file, self.size = str(self.task.get("file", "")), self.task.get("size_mb", 0)
        self.mime = _MIME.get(self.file.rpartition(".")[2], "")
        if self.task["contested"] and chance(self.name, "conflicts") < 0.8:
            yield from self.do("check_conflicts")
        yield from getattr(self, f"_{self.task['task']}", self._nothing)()
        return f"It could not be done: {', '.join(self.undone)}." if self.undone else "It is done."

    def again(self, said: str) -> _Work:
        """Do once more what somebody wants otherwise."""
        wanted = [rule for rule in parse(said) if isinstance(rule.do, Give)]
        if not wanted or self.task["task"] not in ("pleading", "opinion"):
            return "Noted."
        self.rules = [*self.rules, *wanted]
        self.about = {}
        self.file, self.size = str(self.task["file"]), self.task["size_mb"]
        yield from self._drafted()
        return "I have done it again."

    def _nothing(self) -> Iterable[Any]:
        return iter(())

    def _pleading(self) -> Iterator[Any]:
        yield from self.do("search_precedents")
        yield from self._drafted()

    _opinion = _pleading

    def _drafted(self) -> Iterator[Any]:
        yield from self.do("draft_document")
        if self._habit("proofread"):
            yield from self.do("proofread")
        if self.task["task"] == "opinion":
            yield from self.do("convert_document")
            yield from self.do("mail_document")
        else:
            yield from self.do("upload_filing")

    def _bundle(self) -> Iterator[Any]:
        yield from self.do("open_record")
        yield from self.do("label_exhibits")
        if self._habit("proofread"):
            yield from self.do("proofread")
        yield from self.do("convert_document")
        yield from self.do("upload_filing")

    def _registration(self) -> Iterator[Any]:
        yield from self.do("open_record")
        yield from self.do("fill_form")
        yield from self.do("serve_notice")

    def _deed(self) -> Iterator[Any]:
        order = ("sign_document", "stamp_document")
        for tool in order if self._habit("sign_document") else reversed(order):
            if tool not in self.done:
                yield from self.do(tool)
        if self._habit("proofread"):
            yield from self.do("proofread")
        yield from self.do("fill_form")
        yield from self.do("upload_filing")

    # -------------------------------------------------------------- one step

    def do(self, tool: str) -> Generator[_Wish, _Result, None]:
        """One step: what is to be done before, the call, and what is tried when it fails."""
        self.begun.append(tool)
        yield from self._before(tool)
        changes: list[Give] = []
        result = yield from self._call(tool, changes)
        tries = list(self._remedies(tool, result))
        for deed in tries:
            if not result.failed:
                break
            if isinstance(deed, Instead):
                yield from self._call(deed.tool, [])
                break
            if isinstance(deed, First):
                yield from self._step(deed.tool)
            elif isinstance(deed, Give):
                changes = [*changes, deed]
            result = yield from self._call(tool, changes)
        if result.failed:
            self.undone.append(f"{tool} says {result.text}")

    def _before(self, tool: str) -> Generator[_Wish, _Result, None]:
        if tool == "search_precedents" and self._habit("refresh_index"):
            yield from self._step("refresh_index")
        for rule in self._heeded(tool):
            if isinstance(rule.do, First):
                yield from self._step(rule.do.tool)

    def _step(self, tool: str) -> Generator[_Wish, _Result, None]:
        """A step that was not planned here, unless it is done already."""
        if tool not in _ARGUMENTS or tool in self.begun or tool in self.done:
            return
        if tool == "convert_document" and self.file.endswith(".pdf"):
            return
        self.begun.append(tool)
        yield from self._before(tool)
        yield from self._call(tool, [])

    def _call(self, tool: str, changes: Iterable[Give]) -> _Doing:
        given = self._arguments(tool)
        for rule in self._heeded(tool):
            if isinstance(rule.do, Give):
                given = _with(given, rule.do)
        for change in changes:
            given = _with(given, change)
        result = yield tool, given
        if not result.failed:
            self.done.append(tool)
            self._learn(tool, result.json)
            if tool == "upload_filing" and ".part1." in self.file:
                result = yield tool, given | {"file": self.file.replace(".part1.", ".part2.")}
        return result

    def _learn(self, tool: str, told: Mapping[str, Any]) -> None:
        self.authority = str(told.get("leading_case", self.authority))
        files = told.get("files")
        if isinstance(files, list) and files:
            self.file, self.size = str(files[0]), float(told["size_mb"])
        elif tool in ("convert_document", "compress_document", "draft_document"):
            self.file, self.mime, self.size = str(told["file"]), str(told["mime"]), told["size_mb"]

    def _remedies(self, tool: str, result: _Result) -> Iterator[First | Give | Instead | None]:
        """What is tried after a failure: what memory says of it, else what comes to mind."""
        if not result.failed:
            return
        told = [
            r.do
            for r in self.rules
            if r.tool == tool and r.error is not None and _alike(r.error, result.text)
        ]
        yield from told
        if not told and chance(self.name, f"{tool} gives up") >= _GIVES_UP:
            ideas = _TRIES.get(tool, (None,))
            for number in range(MOST_TRIES - 1):
                yield ideas[int(chance(self.name, f"{tool} tries {number}") * len(ideas))]

    def _heeded(self, tool: str) -> Iterator[Rule]:
        """The rules for a call of a tool that hold now."""
        if tool not in self.about:
            self.about[tool] = [rule for rule in self.rules if self._concerns(rule, tool)]
        for rule in self.about[tool]:
            known = {**self.task, **self._arguments(tool), "file_ext": self.file.rpartition(".")[2]}
            if all(each.holds(known) for each in rule.when):
                yield rule

    def _concerns(self, rule: Rule, tool: str) -> bool:
        named = rule.tool == tool or (
            not rule.tool and isinstance(rule.do, Give) and rule.do.name in self._arguments(tool)
        )
        return named and rule.error is None

    def _habit(self, what: str) -> bool:
        return chance(self.name, what) < _HABITS[what] * _KEEN.get(self.who, 1.0)

    def _arguments(self, tool: str) -> dict[str, Any]:
        return _ARGUMENTS[tool](self)


_MIME: Final = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "odt": "application/vnd.oasis.opendocument.text",
    "rtf": "application/rtf",
}
_ARGUMENTS: Final[Mapping[str, Callable[[_Clerk], dict[str, Any]]]] = {
    "search_precedents": lambda c: {"question": c.task["party"]},
    "refresh_index": lambda c: {},
    "draft_document": lambda c: {
        "file": str(c.task["file"]),
        "cite": "paragraphs" if c._habit("paragraphs") else "pages",
        "authority": c.authority or "none",
    },
    "proofread": lambda c: {"file": c.file},
    "check_conflicts": lambda c: {"party": c.task["party"]},
    "label_exhibits": lambda c: {
        "file": c.file,
        "exhibits": c.task.get("exhibits", 1),
        "scheme": "numbers" if c._habit("numbers") else "letters",
    },
    "convert_document": lambda c: {"file": c.file, "to": "pdf", "keep_tables": c._habit("keep_tables")},
    "compress_document": lambda c: {"file": c.file},
    "split_document": lambda c: {"file": c.file, "parts": 2},
    "sign_document": lambda c: {"file": c.file},
    "stamp_document": lambda c: {"file": c.file},
    "upload_filing": lambda c: {
        "file": c.file, "mime": c.mime, "size_mb": c.size, "court": c.task.get("court", ""),
    },
    "mail_document": lambda c: {"file": c.file},
    "open_record": lambda c: {"record": c.task.get("record", "")},
    "fill_form": lambda c: {
        "court": c.task.get("court", ""), "party": c.task["party"], "hearing_date": c.task.get("hearing", ""),
    },
    "serve_notice": lambda c: {
        "registry": c.task.get("registry", ""), "by": "portal", "recipient": c.task["party"],
    },
}  # fmt: skip


def _with(given: Mapping[str, Any], deed: Give) -> dict[str, Any]:
    """The arguments, with one as it should be."""
    if deed.name not in given:
        return dict(given)
    return {**given, deed.name: _made(deed, given[deed.name])}


def _made(deed: Give, now: Any) -> Any:
    """The value that is given in the place of ``now``."""
    if deed.op in ("is", "shape"):
        return deed.value if deed.op == "is" else _shaped(str(deed.value), str(now))
    if deed.op == "not":
        return now if str(now).lower() != str(deed.value).lower() else _otherwise(deed, now)
    if deed.op == "another":
        return f"{now}-b" if re.fullmatch(r"[A-Z]-\d+", str(now)) else f"{now}, in full"
    if deed.op in (">=", "<"):
        return max(now, deed.value) if deed.op == ">=" else min(now, float(deed.value) * 0.9)
    return now * (0.5 if deed.op == "lower" else 2)


def _otherwise(deed: Give, now: Any) -> Any:
    if deed.say is not None:
        return deed.say
    return next((value for value in ANOTHER.get(deed.name, ()) if value != now), now)


def _shaped(shape: str, now: str) -> str:
    """A value of that shape, with the numbers of the one there is; of dates the other way round where dots or
    strokes stand in the place of dashes. A number more than there are is a second one."""
    numbers = re.findall(r"\d+", now)
    if shape.count("#") == 3 and "-" in now and "-" not in shape:
        numbers = numbers[::-1]
    left = iter(numbers)
    return re.sub("#", lambda _: next(left, "2"), shape)


def _alike(told: str, error: str) -> bool:
    """Whether an error is the one that was told of; numbers do not matter."""
    one, other = (re.sub(r"\d+", "#", text.lower()).rstrip("….") for text in (told, error))
    return one in other


# ------------------------------------------------------------------ reading a context

_MATTER: Final = re.compile(r"\bmatter ((pleading|bundle|registration|opinion|deed)-\d+)", re.I)
_WHO: Final = re.compile(r"\bYou are (\w+)")
_TOLD: Final[Mapping[str, tuple[re.Pattern[str], Callable[[str], Any]]]] = {
    "file": (re.compile(r"\b((?:pleading|bundle|opinion|deed)-\d+\.\w+)"), str),
    "size_mb": (re.compile(r"\((\d+) MB"), int),
    "court": (re.compile(r"court of (\w+)"), str),
    "registry": (re.compile(r"the (\w+) registry"), str),
    "exhibits": (re.compile(r"the (\d+) exhibits"), int),
    "record": (re.compile(r"record (K-\d+)"), str),
    "hearing": (re.compile(r"hearing on (\d{4}-\d\d-\d\d)"), str),
    "hour": (re.compile(r"It is (\d+):\d\d"), int),
    "party": (re.compile(r"(?:against|for|with|on) ((?:[A-Z]\w+ ?)+?)(?= as | in |,)"), str),
}
_SHELF: Final = re.compile(r"^## .*?: (/\S+) \(", re.M)


@lru_cache(maxsize=256)
def _told(said: str) -> Mapping[str, Any]:
    return {name: kind(match[1]) for name, (p, kind) in _TOLD.items() if (match := p.search(said))}


class _Scene:
    """A request, as a clerk looks at it."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self.said: list[str] = []
        self.calls: list[ToolCall] = []
        self.results: list[_Result] = []
        self._read: list[str] = []
        names: dict[str, str] = {}
        for message in request.messages:
            for part in message.parts if isinstance(message, AssistantTurn | UserTurn) else ():
                if isinstance(part, ToolCall):
                    self.calls.append(part)
                    names[part.id] = part.name
                elif isinstance(part, ToolResult):
                    text = "".join(each.text for each in part.content if isinstance(each, Text))
                    if names.get(part.call_id) == "grep":
                        self._read.append(text)
                    else:
                        self.results.append(_Result(text, part.is_error))
                elif isinstance(part, Text) and isinstance(message, UserTurn):
                    self.said.append(part.text)

    @property
    def matter(self) -> str:
        found = _MATTER.search(self.said[0]) if self.said else None
        return found[1] if found else "unnamed-0"

    @property
    def who(self) -> str:
        found = _WHO.search(self._request.system)
        return found[1] if found else ""

    @property
    def task(self) -> dict[str, Any]:
        """What the user told, by name."""
        said = self.said[0] if self.said else ""
        told = {"task": self.matter.partition("-")[0], "request": said, "contested": "contests it" in said}
        return {"party": "unknown", **told, **_told(said)}

    @property
    def memory(self) -> str:
        """Of the system prompt, and of the memory that was read."""
        read = [
            re.sub(r"^(?:\S+?\.(?:md|txt))?[:-]?\d+[:\t-]", "", line)
            for t in self._read
            for line in t.splitlines()
        ]
        return "\n".join([self._request.system, "---", *read])

    def reading(self) -> ToolCall | None:
        """The next shelf of memory that is to be read, where it can be read."""
        if not any(tool.name == "grep" for tool in self._request.tools):
            return None
        done = [call.input.get("path") for call in self.calls if call.name == "grep"]
        left = [path for path in _SHELF.findall(self._request.system) if path not in done]
        given = {"pattern": ".", "path": left[0], "output_mode": "content"} if left else {}
        return ToolCall(f"call_{len(self.calls) + 1}", "grep", given) if left else None
