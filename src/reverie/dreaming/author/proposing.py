"""From what a model proposes to drafts that hold: every line is looked up in what it cites, and what nothing bears
out is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, cast

from reverie.domain.errors import InvalidMemory
from reverie.domain.events import Json
from reverie.domain.findings import Finding, OriginClass
from reverie.domain.memories import Memory, valid_path
from reverie.dreaming.author.calls import Cite, Line, Propose
from reverie.dreaming.author.reading import Reader, squeezed
from reverie.dreaming.author.telling import compact, finding_data, number_marks, numbers_in
from reverie.dreaming.desk import Desk, Draft, topic_of
from reverie.memory.documents import Document, render
from reverie.review.checks import examine

__all__ = ["Judge", "Judged", "Unborne"]

_REVALIDATE: Final = timedelta(days=180)
_MARKS: Final = {"bullet": "- ", "quote": "> "}


@dataclass(frozen=True, slots=True)
class Unborne:
    """A line that was left out, and why."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What a proposal came to: its drafts (the first is the one it is about), what was left out of it; or
    ``problem``: why nothing of it is taken."""

    drafts: tuple[Draft, ...] = ()
    left_out: tuple[Unborne, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Borne:
    """A line with what bears it out: findings, and the texts that its numbers may come from."""

    line: Line
    findings: tuple[Finding, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges what is proposed at one desk. ``findings`` are those that may be cited, by the names the model has for
    them, the weightiest first; ``clean``: quotes may be taken only from what no untrusted text had a hand in."""

    desk: Desk
    findings: Mapping[str, Finding]
    reader: Reader
    leaks: Callable[[str], bool]
    clean: bool
    _memories: dict[str, Memory] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_memories", {memory.path: memory for memory in self.desk.memories})

    def judge(self, asked: Propose, read: tuple[OriginClass, ...]) -> Judged:
        """``read`` are the origins of what lay before the model by now."""
        problem = self._misplaced(asked)
        if problem is not None:
            return Judged(problem=problem)
        borne, left_out = self._borne(asked.lines)
        cited = [f for f in self.findings.values() if any(f in each.findings for each in borne)]
        if not cited:
            return Judged((), left_out, _told(left_out) or "it cites no finding: name one that it rests on")
        stray = self._strays(f"{asked.title}\n{asked.when}", [text for each in borne for text in each.texts])
        if stray:
            return Judged(
                (), left_out, f"title or `when` hold numbers that nothing cited holds: {', '.join(stray)}"
            )
        drafts = self._drafts(asked, borne, cited, left_out, read)
        return Judged(problem=wrong) if (wrong := self._wrong(drafts[0])) else Judged(drafts, left_out)

    # ------------------------------------------------------------------ places

    def _misplaced(self, asked: Propose) -> str | None:
        """Why there is no such change to be made of memory."""
        try:
            plain = valid_path(asked.path) == asked.path
        except InvalidMemory as error:
            return error.what
        if not plain or not asked.path.endswith(".md"):
            return "a path is like /notes/read-before-editing.md, in Unicode normal form C"
        there = asked.path in self._memories
        if asked.change in ("add", "move") and there:
            return f"there is a memory at {asked.path} already: update it, or choose another path"
        if asked.change in ("update", "retire") and not there:
            return f"there is no memory at {asked.path}: add it"
        return self._misnamed(asked)

    def _misnamed(self, asked: Propose) -> str | None:
        """What is wrong with the sources of a merge or a move."""
        wants = {"merge": "one memory or more", "move": "the one place it had"}.get(asked.change)
        if wants is None:
            return "only a merge or a move has sources" if asked.sources else None
        fits = len(asked.sources) == 1 if asked.change == "move" else bool(asked.sources)
        if not fits or asked.path in asked.sources:
            return f"a {asked.change} names {wants} in `sources`, and not `path` itself"
        missing = [path for path in asked.sources if path not in self._memories]
        return f"there is no memory at {', '.join(missing)}" if missing else None

    # ------------------------------------------------------------------ lines

    def _borne(self, lines: Sequence[Line]) -> tuple[list[_Borne], tuple[Unborne, ...]]:
        judged = [self._looked_up(line) for line in lines]
        borne = [each for each in judged if isinstance(each, _Borne)]
        return borne, tuple(each for each in judged if isinstance(each, Unborne))

    def _looked_up(self, line: Line) -> _Borne | Unborne:
        findings: list[Finding] = []
        texts: list[str] = []
        doubts: list[str] = []
        for cite in line.cites:
            found = self._held(cite, line.text)
            if isinstance(found, str):
                doubts.append(found)
            else:
                texts.append(found[1])
                findings.extend(found[0])
        if not texts:
            return Unborne(line.text, "; ".join(dict.fromkeys(doubts)))
        stray = self._strays(line.text, texts)
        if stray:
            return Unborne(line.text, f"what it cites does not hold {', '.join(stray)}")
        return _Borne(line, tuple(findings), tuple(texts))

    def _held(self, cite: Cite, text: str) -> tuple[tuple[Finding, ...], str] | str:
        """What a citation names and the text behind it; or why it does not hold."""
        if sum(each is not None for each in (cite.finding, cite.event, cite.memory)) != 1:
            return "a citation names one of: finding, event, memory"
        if cite.finding is not None:
            finding = self.findings.get(cite.finding)
            if finding is None:
                return f"there is no finding {cite.finding!r} here"
            return (finding,), compact(finding_data(finding, ""))
        if cite.event is not None:
            why = self.reader.bears(cite.event, cite.quote or "", clean=self.clean)
            return why or ((), cite.quote or "")
        memory = self._memories.get(cite.memory or "")
        words = cite.quote or text
        if memory is None or squeezed(words) not in squeezed(memory.content):
            return f"the memory {cite.memory} does not hold these words"
        return (), words

    @staticmethod
    def _strays(text: str, texts: Sequence[str]) -> list[str]:
        """The numbers of a text that those behind it do not hold."""
        marks = number_marks(texts)
        return [number for number in dict.fromkeys(numbers_in(text)) if number not in marks]

    # ------------------------------------------------------------------ drafts

    def _drafts(
        self,
        asked: Propose,
        borne: Sequence[_Borne],
        cited: Sequence[Finding],
        left_out: Sequence[Unborne],
        read: tuple[OriginClass, ...],
    ) -> tuple[Draft, ...]:
        ids = tuple(finding.id for finding in cited)
        retired = [asked.path] if asked.change == "retire" else asked.sources
        gone = [
            Draft("retire", path, self._why_retired(asked, path), "", f"retire:{path}", ids, read)
            for path in dict.fromkeys(retired)
        ]
        if asked.change == "retire":
            return tuple(gone)
        document = self._document(asked, borne, cited[0], left_out)
        kind = "update" if asked.path in self._memories else "add"
        idea = str(document.extra["idea"])
        return (Draft(kind, asked.path, squeezed(asked.title), render(document), idea, ids, read), *gone)

    @staticmethod
    def _why_retired(asked: Propose, path: str) -> str:
        title = squeezed(asked.title)
        if path == asked.path:
            return title
        return f"{'Moved' if asked.change == 'move' else 'Merged'} into {asked.path}: {title}"

    def _document(
        self, asked: Propose, borne: Sequence[_Borne], main: Finding, left_out: Sequence[Unborne]
    ) -> Document:
        extra: dict[str, Json] = {"idea": topic_of(main)}
        if left_out:
            number = len(left_out)
            extra["left_out"] = (
                f"{number} {'line that its citation does' if number == 1 else 'lines that their citations do'} not bear out"
            )
        scope = main.statement.get("scope")
        named = cast(dict[str, Json], scope) if isinstance(scope, dict) else dict[str, Json]()
        return Document(
            body=_body(squeezed(asked.title), [each.line for each in borne]),
            kind=asked.kind,
            description=squeezed(asked.when) or str(main.statement.get("when") or main.claim),
            scope={name: str(named[name]) for name in sorted(named)},
            evidence=_evidence(main),
            dream=self.desk.dream_id,
            revalidate_after=None if main.last_seen is None else (main.last_seen + _REVALIDATE).date(),
            extra=extra,
        )

    def _wrong(self, draft: Draft) -> str | None:
        """What the checks of review would keep it back for, said while it can still be put right."""
        others = [memory for memory in self.desk.memories if memory.path != draft.path]
        notes = examine(draft.content, path=draft.path, memories=others, leaks=self.leaks)
        return next((note.text for note in notes if note.severity == "error"), None)


def _told(left_out: Sequence[Unborne]) -> str:
    return "; ".join(f"{each.text[:60]!r}: {each.why}" for each in left_out)


def _body(title: str, lines: Sequence[Line]) -> str:
    """Markdown: sentences run on, everything else begins anew."""
    parts: list[str] = [f"# {title}"]
    last, step = "paragraph", 0
    for line in lines:
        text = squeezed(line.text)
        step = step + 1 if line.form == "step" else 0
        if line.form == "sentence" and last in ("sentence", "paragraph") and len(parts) > 1:
            parts[-1] += f" {text}"
        elif line.form in ("bullet", "step", "quote"):
            item = f"{step}. {text}" if line.form == "step" else _MARKS[line.form] + text
            if last == line.form:
                parts[-1] += f"\n{item}"
            else:
                parts.append(item)
        else:
            parts.append(text)
        last = line.form
    return "\n\n".join(parts)


def _evidence(finding: Finding) -> dict[str, str | int | float | bool | None]:
    counts = finding.counts
    told: dict[str, str | int | float | bool | None] = {"sessions": counts.sessions}
    more = {"of_sessions": counts.of_sessions, "users": counts.users, "agents": counts.agents}
    told |= {name: number for name, number in more.items() if number}
    if finding.first_seen is not None and finding.last_seen is not None:
        told |= {
            "first_seen": finding.first_seen.date().isoformat(),
            "last_seen": finding.last_seen.date().isoformat(),
        }
    return told
