"""What a grader is given to read: the task, the criteria, the work. Never how the work was made.

Whatever came from the candidate (texts, names of files, the final message) is data: it stands in fences whose mark
nobody could know beforehand, is cut to a bound, and lines in it that look like a fence are broken. Text addressed to a
grader (``suspicion``) is not shown at all. Labels of the criteria are drawn anew for each run, so that no text can name
one, and one criterion is planted (``planted``).
"""

from __future__ import annotations

import difflib
import hashlib
import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby, islice
from typing import Final

from reverie.domain.outcomes import Criterion, CriterionVerdict, Deliverable, Rubric, Work
from reverie.outcomes.evidence import MESSAGE, Evidence
from reverie.outcomes.planted import Planted, plant
from reverie.outcomes.suspicion import cleaned, withheld

__all__ = ["MOST_FILES", "MOST_OF_ALL", "MOST_OF_A_FILE", "Brief", "make_brief", "system_prompt"]

MOST_OF_A_FILE: Final = 60_000
"""Characters of one file, or of the final message, that are shown."""
MOST_OF_ALL: Final = 200_000
"""Characters of all of them together."""
MOST_FILES: Final = 300
"""Files that are named; the grader finds the others with its tools."""

_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
_DIGITS: Final = "23456789"
_FENCE: Final = re.compile(r"^([ \t]*)(<{3,}|>{3,})", re.MULTILINE)
_COMPARED: Final = 1_200  # lines of a changed stretch, old and new together: a comparison takes their product
_AROUND: Final = 3  # lines beside a change
_LONG_LINE: Final = 120  # characters of a line beside a change, or taken out: a paragraph is one line
_TAKEN_OUT: Final = 4  # lines that are shown of those that were taken out in one place
_LITTLE: Final = 600  # characters of a file that is shown although it is as it was: a tool takes more
_LONGEST_NAME: Final = 240
_DEMAND: Final = 600
_UNMET: Final = "Add what this asks for: it is not there."


@dataclass(frozen=True, slots=True)
class Brief:
    """What one run of a grader is told. ``system`` is the same for every run; ``text`` is the first message.
    ``criteria`` are those to be judged, by their label in this run; ``controls`` the labels of those that are
    planted. ``work`` is the work as it is shown: proof is looked up in this one."""

    system: str
    text: str
    criteria: Mapping[str, Criterion]
    controls: Mapping[str, Planted]
    nonce: str
    work: Work

    @property
    def labels(self) -> dict[str, str]:
        """Ids of the criteria by label. The planted ones are not among them."""
        return {label: criterion.id for label, criterion in self.criteria.items()}


def make_brief(
    description: str,
    rubric: Rubric,
    criteria: Sequence[Criterion],
    work: Work,
    *,
    nonce: str,
    rng: random.Random,
    previous: Sequence[CriterionVerdict] = (),
    instructions: str = "",
    before: Work | None = None,
) -> Brief:
    """The brief of one run. The same arguments give the same brief.

    Args:
        description: The task, as the worker was given it.
        criteria: Those that this run has to judge (``planning``).
        nonce: At least 128 random bits as text, used once.
        rng: Labels, order and the planted criterion are drawn from it; seed it with the nonce to be able to
            make the same brief again.
        previous: Earlier verdicts: what was demanded then is told with its criterion.
        instructions: What whoever configured the grader tells it besides.
        before: The work as this grader's predecessor saw it. Then only what changed is shown, as differences, and what
            proved a criterion before and still stands.
    """
    shown = cleaned(work, rubric)
    labels = _labels(len(criteria) + 1, rng)
    controls = {labels[-1]: plant(work, rng)}
    named = dict(zip(labels, criteria, strict=False))
    listed = _listed(named, controls, previous, again=before is not None)
    rng.shuffle(listed)
    proofs = _still(shown, named, previous)
    parts = [
        "# The task\n" + description.strip(),
        *_guidance(rubric, instructions),
        "# The work" + (" (what changed since it was judged before)" if before is not None else ""),
        *_fenced(shown, None if before is None else cleaned(before, rubric), proofs, _mark(nonce)),
        "# The criteria\n" + "\n".join(listed),
        f"Judge all {len(listed)} and call `verdict` with the nonce {nonce}.",
    ]
    return Brief(system_prompt(), "\n\n".join(parts) + "\n", named, controls, nonce, shown)


@cache
def system_prompt() -> str:
    """What every grader is told first. It names nothing of a run, so that providers can cache it."""
    return resources.files("reverie.outcomes").joinpath("prompts/grader.md").read_text("utf-8")


def _mark(nonce: str) -> str:
    """The mark of the fences: made of the nonce, and not the nonce, which stands beside no text of others."""
    return hashlib.sha256(f"fence {nonce}".encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _labels(count: int, rng: random.Random) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found[f"{rng.choice(_LETTERS)}{rng.choice(_DIGITS)}{rng.choice(_LETTERS)}{rng.choice(_LETTERS)}"] = (
            None
        )
    return list(found)


def _guidance(rubric: Rubric, instructions: str) -> Iterator[str]:
    if rubric.guidance.strip():
        yield "# What the rubric says besides its criteria\n" + rubric.guidance.strip()
    if instructions.strip():
        yield "# What else to observe\n" + instructions.strip()


def _listed(
    criteria: Mapping[str, Criterion],
    controls: Mapping[str, Planted],
    previous: Sequence[CriterionVerdict],
    *,
    again: bool,
) -> list[str]:
    last = {verdict.criterion: verdict for verdict in previous}
    lines = [_line(label, c.text, _before(last.get(c.id), again)) for label, c in criteria.items()]
    unmet = f"(demanded before: {_UNMET})" if again else ""  # it looks like any other that was not met
    return [*lines, *(_line(label, planted.text, unmet) for label, planted in controls.items())]


def _line(label: str, text: str, before: str) -> str:
    return f"- [{label}] {text.strip()}" + (f"\n  {before}" if before else "")


def _before(last: CriterionVerdict | None, again: bool) -> str:
    """What is told of the judgement before."""
    if last is None:
        return ""
    if last.met:
        return "(met before: does what changed break it?)" if again else ""
    demand = withheld(" ".join(last.change.split())[:_DEMAND])[0]
    return f"(demanded before: {demand})" if demand else ""


def _still(
    work: Work, criteria: Mapping[str, Criterion], previous: Sequence[CriterionVerdict]
) -> dict[str, list[str]]:
    """By path, what was quoted as proof for these criteria and still stands in that file."""
    evidence, asked = Evidence(work), {criterion.id for criterion in criteria.values()}
    found: dict[str, list[str]] = {}
    for verdict in previous:
        if verdict.criterion not in asked or verdict.proof is None or not verdict.proof.quote:
            continue
        path = verdict.proof.file or MESSAGE
        proof = evidence.find(verdict.proof.quote, verdict.proof.file)
        if path != MESSAGE and proof is not None and proof.file == path:
            found.setdefault(path, []).append(verdict.proof.quote)
    return {path: list(dict.fromkeys(quotes)) for path, quotes in found.items()}


def _fenced(work: Work, before: Work | None, proofs: Mapping[str, Sequence[str]], mark: str) -> Iterator[str]:
    """Every file and the final message, each in a fence; what is cut says so."""
    texts = dict(islice(_shown(work, before, proofs), MOST_FILES))
    room = _shares([len(text) for _, text in texts.values()])
    for (name, (facts, text)), most in zip(texts.items(), room, strict=True):
        yield f"<<<{mark} {name}{facts}\n{_broken(_cut(text, most), mark)}\n>>>{mark}"
    if len(work.deliverables) + 1 > MOST_FILES:
        yield f"({len(work.deliverables) + 1 - MOST_FILES} more files are in the sandbox and not shown here.)"
    if not work.deliverables:
        yield "(There are no files.)"


def _shown(
    work: Work, before: Work | None, proofs: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """(name, (what is said of it, its text))."""
    old = {} if before is None else {d.path: d for d in before.deliverables}
    yield "the maker's final message", ("", work.message or "(The maker said nothing.)")
    for one in work.deliverables:
        facts = f" ({one.size} bytes)"
        yield f"file {_name(one.path)}", (facts, _text(one, old.get(one.path), proofs.get(one.path, ())))
    kept = {d.path for d in work.deliverables}
    for path in old.keys() - kept:
        yield f"file {_name(path)}", ("", "(It is not there any more.)")


def _text(one: Deliverable, old: Deliverable | None, proofs: Sequence[str]) -> str:
    if one.text is None:
        return f"(No text of it can be shown: {one.problem or 'it holds none'}.)"
    if old is None or old.text is None or len(one.text) <= _LITTLE:
        return one.text
    if old.sha256 == one.sha256:
        told = "(It is as it was. Read it with the tools where a criterion needs it.)"
    else:
        told = _difference(old.text, one.text)
    if told == one.text or not proofs:
        return told
    return "\n".join([told, "(Passages that were quoted as proof before, and still stand:)", *proofs])


def _difference(old: str, new: str) -> str:
    """A unified diff where that is shorter than the text and cheap to make, else the text."""
    was, now = old.splitlines(), new.splitlines()
    start = _alike(was, now)
    end = _alike(was[start:][::-1], now[start:][::-1])
    first, last = max(0, start - _AROUND), max(0, end - _AROUND)
    cut_was, cut_now = was[first : len(was) - last], now[first : len(now) - last]
    if len(cut_was) + len(cut_now) > _COMPARED:
        return new
    lines = list(difflib.unified_diff(cut_was, cut_now, lineterm="", n=_AROUND))[2:]
    told = f"(What changed, from line {first + 1} on; the rest is as it was.)\n" + "\n".join(_short(lines))
    return told if len(told) < len(new) else new


def _short(lines: Sequence[str]) -> Iterator[str]:
    """A difference with all that is new in it; of what is beside that or was taken out, enough to know what it is."""
    for sign, group in groupby(lines, key=lambda line: line[:1]):
        told = list(group)
        if sign not in ("-", " "):
            yield from told
            continue
        most = _TAKEN_OUT if sign == "-" else len(told)
        yield from (line if len(line) <= _LONG_LINE else f"{line[:_LONG_LINE]}…" for line in told[:most])
        if len(told) > most:
            yield f"-(… {len(told) - most} more lines were taken out here …)"


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines both begin with."""
    for number, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return number
    return min(len(one), len(other))


def _shares(sizes: Collection[int]) -> list[int]:
    """Characters for each text: all it has where that is little, and an equal share of the rest otherwise."""
    left, shares = MOST_OF_ALL, [0] * len(sizes)
    for waiting, (size, at) in enumerate(sorted((size, at) for at, size in enumerate(sizes))):
        shares[at] = min(size, MOST_OF_A_FILE, left // (len(sizes) - waiting))
        left -= shares[at]
    return shares


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    gone = len(text) - most
    note = f"\n(… {gone} characters are left out here; read the file with the tools …)\n"
    return text[: most - most // 3] + note + text[len(text) - most // 3 :]


def _broken(text: str, mark: str) -> str:
    """Nothing in it can pass for the edge of a fence."""
    return _FENCE.sub(
        lambda m: m[1] + "‹" * len(m[2]) if m[2][0] == "<" else m[1] + "›" * len(m[2]), text
    ).replace(mark, "(mark)")


def _name(path: str) -> str:
    """A path for the head of a fence: one line, quoted, and nothing that speaks to the grader."""
    plain = "".join(c if c.isprintable() else "?" for c in path[:_LONGEST_NAME])
    return '"' + withheld(plain)[0].replace('"', "'") + '"'
