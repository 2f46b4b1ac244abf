"""What every benchmark prints: a figure, the limit beside it, and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Row", "print_table"]


@dataclass(frozen=True, slots=True)
class Row:
    """``figure`` as measured, ``limit`` in words, ``holds`` None where there is no limit."""

    what: str
    figure: str
    limit: str = ""
    holds: bool | None = None


def print_table(title: str, rows: list[Row]) -> None:
    """A Markdown table on stdout."""
    print(f"\n### {title}\n\n| what | measured | limit | |\n|---|---|---|---|")
    for row in rows:
        mark = "" if row.holds is None else "holds" if row.holds else "**missed**"
        print(f"| {row.what} | {row.figure} | {row.limit} | {mark} |")
