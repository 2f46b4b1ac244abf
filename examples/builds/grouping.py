"""Which failed builds have the same cause: what one would do about them is one thing.

Two reports of one cause belong together when their lines name the same thing that no passing build names (an
artifact, a host, a symbol), or, where they name nothing of the kind, when they say the same: those of one
project, and those of causes that are not a project's own (a full disk).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from examples.builds.anomalies import Span
from examples.builds.folder import Builds, project_of
from examples.builds.logs import Line
from examples.builds.signs import CAUSES, continues, sign

__all__ = ["Broken", "Group", "group"]

ELSEWHERE: Final = frozenset({"dependency", "network", "checkout", "disk", "agent", "permission"})
"""Causes that lie outside of a project."""

NAMELESS: Final = frozenset({"disk", "agent"})
"""Causes that are the same whatever the tools were about to do."""

MOST_NAMES: Final = 2

MOST_READ: Final = 40
"""So many lines of a report are read for names: what names the cause is said first."""

LONGEST: Final = 1_000
"""Characters of a line that are read for names."""

_WORD: Final = re.compile(r"[A-Za-z]\w*(?:[.-]\w+)*")
_NAMED: Final = re.compile(
    r"(?<=[\"'`@:/=])[A-Za-z]\w*(?:[.-]\w+)*|[A-Za-z]\w*(?:[.-]\w+)*(?=[\"'`@]|==|:[a-z])"  # a coordinate, quoted, a path
    r"|\b[A-Za-z]\w*(?:[.-]\w+)+|\b[a-z]+[A-Z]\w*|\b[A-Z][a-z0-9]+[A-Z]\w*|\b[a-z]+_\w+"  # a.b, aB, AbC, a_b
)
_HOST: Final = re.compile(r"(?i)(?:://|host[= ]'?|lookup |connect to |resolve )([a-z][\w-]*(?:\.[\w-]+)+)")
_ARTIFACT: Final = re.compile(
    r"([A-Za-z][\w.-]*)(?<!\.txt)(?<!\.py)(?::(?:jar|pom|war|aar))?(?::|==|>=|~=|@v?|(?: =|@npm:)? \"[\^~]?)\d"  # with its version
    r"|Find(\w+)\.cmake|provided by \"(\w+)\"|(?i:no module named|cannot find module) ['\"]([\w./@-]+)"
)
_PARTICULAR: Final = {"network": _HOST, "checkout": _HOST, "dependency": _ARTIFACT}
"""What the names of such causes look like; of one where nothing does, and of other causes, any names are taken."""

_TOOLS_OWN: Final = re.compile(
    r"(?i).*(?:error|exception|failure)$|[a-z]{1,4}\d{2,5}$|(?:java|javax|jdk|sun|kotlin|node)[.:].*"
)
_NOT_OURS: Final = re.compile(
    r"\b[a-z]+://\S+|(?<!\w)/(?:usr|opt|bin|lib)\S*"
)  # manuals, and what tools are made of
_FRAME: Final = re.compile(r"^\s*(?:at |File \"|\d+: |#\d+ )")


@dataclass(frozen=True, slots=True)
class Broken:
    """One failed build of a group: its log, the lines that show what is wrong, and the one that says most."""

    build: str
    file: str
    spans: Sequence[Span]
    says: str


@dataclass(frozen=True, slots=True)
class Group:
    """Builds that failed for one cause. ``title`` is what the cause is, with the names it has."""

    cause: str
    title: str
    builds: Sequence[Broken]


@dataclass(frozen=True, slots=True)
class _Told:
    build: str
    cause: str
    spans: Sequence[Span]
    head: Line
    names: frozenset[str]
    spelled: Mapping[str, str]


def group(builds: Builds, reports: Iterable[tuple[str, str, Sequence[Span]]]) -> list[Group]:
    """Groups of reports (build, cause, lines: first those of the cause), the largest first."""
    usual = _usual(builds)
    told = [_told(builds, build, cause, spans, usual) for build, cause, spans in reports]
    many = _of_tools(told)
    made = [_group(builds, [told[i] for i in members], many) for members in _together(told)]
    return sorted(made, key=lambda each: (-len(each.builds), list(CAUSES).index(each.cause), each.title))


def _usual(builds: Builds) -> frozenset[str]:
    """Words that passing builds have."""
    lines = (line.text for log in builds.passing() for line in log.lines)
    return frozenset(word.lower() for text in lines for word in _WORD.findall(text))


def _told(builds: Builds, build: str, cause: str, spans: Sequence[Span], usual: frozenset[str]) -> _Told:
    lines = builds.log(build).lines
    of_cause = lines[spans[0].first - 1 : spans[0].last]
    read = [line.text[:LONGEST] for line in of_cause if _tells(line.text)][:MOST_READ]
    spelled = _spelled(_PARTICULAR[cause], read) if cause in _PARTICULAR else {}
    if not spelled.keys() - usual:
        spelled = {name.lower(): name for text in read for name in _names(text)}
    names = frozenset[str]() if cause in NAMELESS else spelled.keys() - usual
    return _Told(build, cause, spans, _head(of_cause), frozenset(names), spelled)


def _tells(text: str) -> bool:
    """Whether a line may name the cause: not where in whose code it was, nor what one might try."""
    return not _FRAME.match(text) and sign(text).role != "advice"


def _spelled(pattern: re.Pattern[str], lines: Iterable[str]) -> dict[str, str]:
    found = (name for text in lines for each in pattern.finditer(text) for name in each.groups() if name)
    return {name.lower(): name for name in found}


def _names(text: str) -> Iterable[str]:
    """What is named in a line: coordinates, quoted words, files, identifiers; not what a tool calls its errors."""
    named = _NAMED.findall(_NOT_OURS.sub(" ", text))
    return (name for name in named if len(name) > 2 and not _TOOLS_OWN.match(name))


def _head(lines: Sequence[Line]) -> Line:
    """The line that says most: the first that tells of a failure and does not go on with another."""
    told = [line for line in lines if sign(line.text).role in {"root", "effect"}]
    return next((line for line in told if not continues(line.text)), told[0] if told else lines[0])


def _together(told: Sequence[_Told]) -> list[list[int]]:
    """Indices of the reports of each group: connected by a name of the cause, or by what they say."""
    many = _of_tools(told)
    keys: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, each in enumerate(told):
        where = "" if each.cause in ELSEWHERE else project_of(each.build)
        for name in each.names - many:
            keys[each.cause, where, name].append(i)
        if not each.names - many:
            keys[each.cause, where].append(i)
    return _connected(len(told), keys.values())


def _of_tools(told: Sequence[_Told]) -> frozenset[str]:
    """Names that come with several causes, or in several projects with a cause that is a project's own: they are
    the tools', not of what is broken."""
    causes: dict[str, set[str]] = defaultdict(set)
    projects: dict[str, set[str]] = defaultdict(set)
    for each in told:
        for name in each.names:
            causes[name].add(each.cause)
            if each.cause not in ELSEWHERE:
                projects[name].add(project_of(each.build))
    return frozenset(name for name in causes if max(len(causes[name]), len(projects[name])) > 1)


def _group(builds: Builds, members: Sequence[_Told], many: frozenset[str]) -> Group:
    cause, names = members[0].cause, ", ".join(_title_names(members, many))
    title = f"{CAUSES[cause]}: {names}" if names else CAUSES[cause]
    broken = [
        Broken(each.build, builds.file(each.build), each.spans, each.head.text.strip()) for each in members
    ]
    return Group(cause, title, broken)


def _title_names(members: Sequence[_Told], many: frozenset[str]) -> list[str]:
    """Of the names that most members have those of the lines that say most, and none within another."""
    counted = Counter(name for each in members for name in each.names - many)
    said = " ".join(each.head.text.lower() for each in members)
    most = [name for name, n in counted.items() if n == max(counted.values())]
    told: list[str] = []
    for name in sorted(most, key=lambda name: (name not in said, len(name), name)):
        if not any(name in other or other in name for other in told):
            told.append(name)
    return [
        next(each.spelled[name] for each in members if name in each.spelled) for name in told[:MOST_NAMES]
    ]


def _connected(count: int, keys: Iterable[Sequence[int]]) -> list[list[int]]:
    """Union-find."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for members in keys:
        for i in members[1:]:
            parent[root(i)] = root(members[0])
    found: dict[int, list[int]] = defaultdict(list)
    for i in range(count):
        found[root(i)].append(i)
    return list(found.values())
