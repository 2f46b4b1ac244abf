"""What a run came to, as text for a person and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from examples.builds.anomalies import Span
from examples.builds.folder import Builds
from examples.builds.grouping import Broken, Group, group
from examples.builds.logs import clean
from examples.builds.tools import Reports, stretches

__all__ = ["as_json", "as_text", "groups"]

WIDEST: Final = 160


def groups(builds: Builds, reports: Reports) -> list[Group]:
    """The reports of a run, grouped."""
    return group(builds, stretches(reports))


def as_text(builds: Builds, found: Sequence[Group], lines: int = 4) -> str:
    """How many builds, how many failed, and of each cause the builds, with at most so many of their lines."""
    return "\n".join(_told(builds, found, lines))


def as_json(builds: Builds, found: Sequence[Group], said: str) -> bytes:
    """The same, with all lines, and with what the lead said."""
    told: dict[str, Any] = {
        "builds": len(builds.names),
        "failed": len(builds.failed),
        "unexplained": _unexplained(builds, found),
        "causes": [
            {
                "cause": each.cause,
                "title": each.title,
                "builds": [_build(builds, broken) for broken in each.builds],
            }
            for each in found
        ],
        "said": said,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2)


def _told(builds: Builds, found: Sequence[Group], most: int) -> Iterator[str]:
    yield f"{len(builds.names)} builds, {len(builds.failed)} failed, {len(found)} causes"
    for n, each in enumerate(found, 1):
        count = len(each.builds)
        yield f"\n{n}. {each.title} — {count} {'build' if count == 1 else 'builds'} [{each.cause}]"
        for broken in each.builds:
            yield f"   {broken.file}:{','.join(map(str, broken.spans))}"
            yield from (
                f"      {_printable(line)}" for line in _verbatim(builds, broken, broken.spans)[:most]
            )
    if left := _unexplained(builds, found):
        yield f"\nNobody found out why {len(left)} failed: {', '.join(left)}"


def _build(builds: Builds, broken: Broken) -> dict[str, Any]:
    return {
        "build": broken.build,
        "file": broken.file,
        "lines": [{"at": str(span), "text": _verbatim(builds, broken, [span])} for span in broken.spans],
    }


def _verbatim(builds: Builds, broken: Broken, spans: Sequence[Span]) -> list[str]:
    lines = builds.log(broken.build).lines
    return [line.raw for span in spans for line in lines[span.first - 1 : span.last]]


def _printable(raw: str) -> str:
    """A line for a terminal, to which a log must not speak: without its clock and what is not printable."""
    return "".join(c if c.isprintable() else " " for c in clean(raw))[:WIDEST]


def _unexplained(builds: Builds, found: Sequence[Group]) -> list[str]:
    told = {broken.build for each in found for broken in each.builds}
    return [name for name in builds.failed if name not in told]
