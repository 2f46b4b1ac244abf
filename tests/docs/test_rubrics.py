"""The reference of rubrics does not lie: each example is read, and linted, as it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from reverie.domain.outcomes import MAX_RUBRIC
from reverie.outcomes.lint import RemarkKind, lint
from reverie.outcomes.rubrics import MAX_CRITERIA, read_rubric

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "rubrics.md").read_text("utf-8")
READ = re.findall(r"````markdown\n((?:(?!````).)*)````\n\n```text\n(.*?)```", PAGE, flags=re.S)
LINTED = re.findall(r"````markdown\n((?:(?!````).)*)````\n\n```remarks\n(.*?)```", PAGE, flags=re.S)


@pytest.mark.parametrize(("rubric", "told"), READ, ids=range(len(READ)))
def test_examples_are_read_as_told(rubric: str, told: str) -> None:
    found = [
        f"{each.line} {'must' if each.must else 'should'} {each.weight:g} {each.id} "
        + " ".join(each.text.replace("\n", " / ").split())
        for each in read_rubric(rubric).criteria
    ]
    assert found == [" ".join(line.split()) for line in told.splitlines()]


def test_the_example_is_linted_as_told() -> None:
    ((rubric, told),) = LINTED
    assert [
        f"{each.line}: {each.kind}: {each.message}" for each in lint(read_rubric(rubric))
    ] == told.splitlines()


def test_the_page_is_complete() -> None:
    assert len(READ) >= 6
    assert f"{MAX_RUBRIC:,} characters" in PAGE and f"more than {MAX_CRITERIA} criteria" in PAGE
    told = re.findall(
        r"^\| ([a-z-]+) \|", PAGE.split("## What lint says")[1].split("## Checks")[0], flags=re.M
    )
    assert set(told) - {"remark"} == set(get_args(RemarkKind))
