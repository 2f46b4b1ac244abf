"""What specialists and the lead may do: Python functions, given to their agents as they are.

A specialist sees the logs and writes reports; what is true of the builds is out of its reach. Reports are files,
one for each build, so that a run that was cut off finds those that were made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

import reverie
from examples.builds.anomalies import Span
from examples.builds.folder import Builds
from examples.builds.grouping import Group, group
from examples.builds.signs import CAUSES, sign

__all__ = ["Report", "Reports", "lead_tools", "specialist_tools", "stretches"]

LONGEST_LINE: Final = 400
MOST_LINES: Final = 80
MOST_ANOMALIES: Final = 40
_SPAN: Final = re.compile(r"(\d+)(?:-(\d+))?")


class Report(msgspec.Struct, frozen=True):
    """What a specialist says of a failed build: the cause, and stretches of lines (``"12-15"``), first those that
    tell of the cause."""

    build: str
    cause: str
    lines: list[str]


class Reports:
    """The reports of a run, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder: Final = folder

    def put(self, report: Report) -> None:
        """Keep a report; a later one of the same build replaces it."""
        place = self._folder / f"{report.build}.json"
        fresh = place.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(report))
        fresh.replace(place)

    def all(self) -> list[Report]:
        """All reports, by the name of the build."""
        places = sorted(self._folder.glob("*.json"))
        return [msgspec.json.decode(place.read_bytes(), type=Report) for place in places]


def specialist_tools(builds: Builds, reports: Reports) -> list[Callable[..., Any]]:
    """``diff_with_last_pass``, ``rare_lines``, ``show`` and ``report``."""

    @reverie.tool(repeatable=True)
    def diff_with_last_pass(build: str) -> dict[str, Any]:
        """What a failed build's log says that the project's last passing build did not, as stretches of lines that
        belong together: the likely cause first, then what followed from it, in order.

        Args:
            build: The name of the build.
        """
        return _difference(builds, build)

    @reverie.tool(repeatable=True)
    def rare_lines(build: str, most: int = 12) -> list[dict[str, Any]]:
        """The lines of a build whose templates are rarest among all passing builds of all projects; of equals those
        that look like errors, then the last.

        Args:
            build: The name of the build.
            most: How many lines.
        """
        return _rare(builds, build, most)

    @reverie.tool(repeatable=True)
    def show(build: str, lines: str) -> str:
        """Lines of a build's log, verbatim, with their numbers.

        Args:
            build: The name of the build.
            lines: Which: "12" or "12-40".
        """
        span = _span(lines, len(builds.log(build)))
        return _shown(builds, build, Span(span.first, min(span.last, span.first + MOST_LINES - 1)))

    @reverie.tool(repeatable=True)
    def report(build: str, lines: list[str], cause: str) -> str:
        """Say what is wrong in a failed build. A second report of a build replaces the first.

        Args:
            build: The name of the build.
            lines: The lines that show it, "12" or "12-40" each; first those that tell of the cause.
            cause: One of the causes you were told.
        """
        told = _checked(builds, build, lines, cause)
        reports.put(told)
        return f"kept: {build}, {told.cause}, {len(told.lines)} stretches of lines"

    return [diff_with_last_pass, rare_lines, show, report]


def lead_tools(builds: Builds, reports: Reports) -> list[Callable[..., Any]]:
    """``group_reports``."""

    @reverie.tool(repeatable=True)
    def group_reports() -> list[dict[str, Any]]:
        """The specialists' reports, grouped by what is to be done: same cause, and the same names or the same
        message. Each group has its builds, and of each build the lines, first those of the cause."""
        return [_as_told(each) for each in group(builds, stretches(reports))]

    return [group_reports]


# ------------------------------------------------------------------ what they give


def _difference(builds: Builds, build: str) -> dict[str, Any]:
    log, passing = builds.log(build), builds.last_passing(build)
    if not builds.has_failed(build):
        return {"build": build, "status": "passed", "lines": len(log), "anomalies": []}
    return {
        "build": build,
        "status": "failed",
        "lines": len(log),
        "compared_with": Path(passing.name).parent.name if passing else None,
        "anomalies": [
            {
                "lines": [str(span) for span in each.spans],
                "cause": each.cause,
                "part": each.part,
                "score": round(each.score, 2),
                "says": each.head[:LONGEST_LINE],
            }
            for each in builds.anomalies(build)[:MOST_ANOMALIES]
        ],
    }


def _rare(builds: Builds, build: str, most: int) -> list[dict[str, Any]]:
    lines = [line for line in builds.log(build).lines if not line.blank]
    told = sorted(
        lines,
        key=lambda line: (-builds.rarity.of(line.template), -sign(line.text).strength, -line.number),
    )
    return [
        {
            "line": line.number,
            "rarity": round(builds.rarity.of(line.template), 3),
            "text": line.text[:LONGEST_LINE],
        }
        for line in told[: max(1, most)]
    ]


def _shown(builds: Builds, build: str, span: Span) -> str:
    lines = builds.log(build).lines[span.first - 1 : span.last]
    return "\n".join(f"{line.number}: {line.raw[:LONGEST_LINE]}" for line in lines)


def _span(told: str, last: int) -> Span:
    found = _SPAN.fullmatch(told.strip())
    if found is None:
        raise ValueError(f"{told!r} is not a stretch of lines: say 12 or 12-40")
    span = Span(int(found[1]), int(found[2] or found[1]))
    if not 1 <= span.first <= span.last <= last:
        raise ValueError(f"the log has lines 1 to {last}, not {told}")
    return span


def _checked(builds: Builds, build: str, lines: Sequence[str], cause: str) -> Report:
    if cause not in CAUSES:
        raise ValueError(f"{cause!r} is none of the causes: {', '.join(CAUSES)}")
    if not builds.has_failed(build):
        raise ValueError(f"{build} passed: there is nothing to report")
    if not lines:
        raise ValueError("a report needs lines")
    last = len(builds.log(build))
    return Report(build, cause, [str(_span(each, last)) for each in lines])


def stretches(reports: Reports) -> list[tuple[str, str, list[Span]]]:
    """The reports as (build, cause, stretches of lines)."""
    told: list[tuple[str, str, list[Span]]] = []
    for each in reports.all():
        parts = [stretch.partition("-") for stretch in each.lines]
        told.append((each.build, each.cause, [Span(int(a), int(b or a)) for a, _, b in parts]))
    return told


def _as_told(group: Group) -> dict[str, Any]:
    return {
        "cause": group.cause,
        "title": group.title,
        "builds": [
            {
                "build": build.build,
                "file": build.file,
                "lines": [str(span) for span in build.spans],
                "says": build.says[:LONGEST_LINE],
            }
            for build in group.builds
        ],
    }
