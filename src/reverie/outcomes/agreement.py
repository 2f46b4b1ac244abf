"""How well a grader agrees with people: accuracy, Cohen's kappa with its interval, confusions per criterion."""

from __future__ import annotations

import csv
import io
import math
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from reverie.domain.errors import Invalid
from reverie.domain.outcomes import CriterionStatus
from reverie.outcomes.verdicts import STATUSES

__all__ = ["Agreement", "Confusion", "Label", "Pair", "measure", "read_labels"]

Confusion = Mapping[tuple[CriterionStatus, CriterionStatus], int]
"""How often a person said the first and the grader the second."""

_Z: Final = 1.959963984540054  # the normal quantile of a two-sided 95 % interval
_MOST_LABELS: Final = 100_000
_WORDS: Final[Mapping[str, CriterionStatus]] = {
    **dict.fromkeys(("satisfied", "met", "pass", "passed", "yes", "true", "1"), "satisfied"),
    **dict.fromkeys(("partially_satisfied", "partially_met", "partial", "partially", "0.5"), "partially_satisfied"),
    **dict.fromkeys(("not_satisfied", "not_met", "unmet", "fail", "failed", "no", "false", "0"), "not_satisfied"),
    **dict.fromkeys(("not_applicable", "n/a", "na"), "not_applicable"),
}  # fmt: skip
_ITEM: Final = ("file", "id", "item")
_CRITERION: Final = ("criterion", "criterion_id")
_STATUS: Final = ("status", "label", "verdict")


@dataclass(frozen=True, slots=True)
class Label:
    """What a person says of one criterion on one work. ``item`` is the file, or the id, that names the work;
    ``criterion`` its id or its text."""

    item: str
    criterion: str
    status: CriterionStatus


@dataclass(frozen=True, slots=True)
class Pair:
    """A person's word and the grader's on the same criterion of the same work."""

    criterion: str
    human: CriterionStatus
    grader: CriterionStatus


@dataclass(frozen=True, slots=True)
class Agreement:
    """``accuracy`` is the share that is the same, over all statuses; ``kappa`` that beyond chance, None where
    both said one and the same throughout, so that there is no such thing as chance. ``low`` and ``high``
    bound kappa with 95 % confidence. ``met_accuracy`` and ``met_kappa`` ask only whether it is met.
    ``confusions`` are by criterion, in order of their names."""

    count: int
    accuracy: float | None
    kappa: float | None
    low: float | None
    high: float | None
    met_accuracy: float | None
    met_kappa: float | None
    confusions: Mapping[str, Confusion]


def measure(pairs: Iterable[Pair]) -> Agreement:
    """What the pairs come to. No pairs: everything None.

    Kappa: Cohen, Educational and Psychological Measurement 20 (1960) 37-46. Its standard error: Fleiss, Cohen
    and Everitt, Psychological Bulletin 72 (1969) 323-327, eq. 13, for large samples: below some thirty pairs
    the interval is too narrow.
    """
    kept = list(pairs)
    whole: Counter[tuple[str, str]] = Counter((pair.human, pair.grader) for pair in kept)
    met: Counter[tuple[str, str]] = Counter((_met(pair.human), _met(pair.grader)) for pair in kept)
    kappa = _kappa(whole)
    spread = None if kappa is None else _Z * _standard_error(whole)
    return Agreement(
        count=len(kept),
        accuracy=_same(whole),
        kappa=kappa,
        low=None if kappa is None or spread is None else max(-1.0, kappa - spread),
        high=None if kappa is None or spread is None else min(1.0, kappa + spread),
        met_accuracy=_same(met),
        met_kappa=_kappa(met),
        confusions=_confusions(kept),
    )


def _met(status: CriterionStatus) -> str:
    return "met" if status in ("satisfied", "not_applicable") else "not met"


def _confusions(pairs: Sequence[Pair]) -> dict[str, Confusion]:
    return {
        name: Counter((pair.human, pair.grader) for pair in pairs if pair.criterion == name)
        for name in sorted({pair.criterion for pair in pairs})
    }


def _same(table: Counter[tuple[str, str]]) -> float | None:
    count = table.total()
    return sum(n for (a, b), n in table.items() if a == b) / count if count else None


def _margins(table: Counter[tuple[str, str]]) -> tuple[dict[str, float], dict[str, float]]:
    """The shares of each status among the first and among the second."""
    count = table.total()
    rows: dict[str, float] = {}
    columns: dict[str, float] = {}
    for (a, b), n in table.items():
        rows[a] = rows.get(a, 0.0) + n / count
        columns[b] = columns.get(b, 0.0) + n / count
    return rows, columns


def _by_chance(table: Counter[tuple[str, str]]) -> float:
    rows, columns = _margins(table)
    return sum(share * columns.get(name, 0.0) for name, share in rows.items())


def _kappa(table: Counter[tuple[str, str]]) -> float | None:
    same = _same(table)
    if same is None or (chance := _by_chance(table)) >= 1.0 - 1e-12:
        return None
    return (same - chance) / (1.0 - chance)


def _standard_error(table: Counter[tuple[str, str]]) -> float:
    """Of a kappa that exists."""
    count, chance = table.total(), _by_chance(table)
    rows, columns = _margins(table)
    same = _same(table) or 0.0
    kappa = (same - chance) / (1.0 - chance)
    inner = 0.0
    for (a, b), n in table.items():
        share = n / count
        if a == b:
            inner += share * (1.0 - (rows[a] + columns.get(a, 0.0)) * (1.0 - kappa)) ** 2
        else:
            inner += (1.0 - kappa) ** 2 * share * (columns.get(a, 0.0) + rows.get(b, 0.0)) ** 2
    inner -= (kappa - chance * (1.0 - kappa)) ** 2
    return math.sqrt(max(0.0, inner) / count) / (1.0 - chance)


# --- labels


def read_labels(text: str, name: str) -> list[Label]:
    """People's labels from a file: JSON lines, CSV with a header, or TOML with a list ``labels``; ``name`` says
    which by its ending. A record has ``file`` (or ``id``), ``criterion`` and ``status``.

    Raises:
        Invalid: it is none of these, or a record lacks something; the message names the record.
    """
    ending = name.rsplit(".", 1)[-1].lower()
    readers = {"jsonl": _json_lines, "ndjson": _json_lines, "csv": _csv, "toml": _toml}
    if ending not in readers:
        raise Invalid("labels", "a file of labels ends in .jsonl, .csv or .toml", name)
    labels = [_label(record, where) for where, record in readers[ending](text)]
    if not labels:
        raise Invalid("labels", "there is at least one label", 0)
    if len(labels) > _MOST_LABELS:
        raise Invalid("labels", f"at most {_MOST_LABELS} labels", len(labels))
    return labels


def _json_lines(text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield f"line {number}", msgspec.json.decode(line)
            except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
                raise Invalid(f"labels, line {number}", f"is no JSON: {error}") from error


def _csv(text: str) -> Iterator[tuple[str, Any]]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    try:
        for record in reader:
            yield (
                f"line {reader.line_num}",
                {str(key).strip().lower(): value for key, value in record.items()},
            )
    except csv.Error as error:
        raise Invalid(f"labels, line {reader.line_num}", f"is no CSV: {error}") from error


def _toml(text: str) -> Iterator[tuple[str, Any]]:
    try:
        found: Any = tomllib.loads(text).get("labels", [])
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Invalid("labels", f"is no TOML: {error}") from error
    if not isinstance(found, list):
        raise Invalid("labels", "`labels` is a list of tables")
    for number, record in enumerate(cast(list[Any], found), 1):
        yield f"label {number}", record


def _label(record: object, where: str) -> Label:
    if not isinstance(record, Mapping):
        raise Invalid(f"labels, {where}", "a label has file (or id), criterion and status")
    fields = cast(Mapping[str, object], record)
    item, criterion, said = (_field(fields, names, where) for names in (_ITEM, _CRITERION, _STATUS))
    status = _WORDS.get("_".join(said.lower().replace("-", " ").split()))
    if status is None:
        raise Invalid(f"labels, {where}", f"status is one of {', '.join(STATUSES)}", said[:40])
    return Label(item, criterion, status)


def _field(fields: Mapping[str, object], names: Sequence[str], where: str) -> str:
    for name in names:
        value = fields.get(name)
        if isinstance(value, str | bool | int | float) and str(value).strip():
            return str(value).strip()
    raise Invalid(f"labels, {where}", f"a label has {' or '.join(names[:2])}")
