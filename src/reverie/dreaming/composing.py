"""The write stage with a model: an author sits, and has each desk; what it cannot write, the templates do.

Whatever becomes of the author, the dream says what it used and for what: ``Writing`` is kept as it goes, before
anything is paid for, and when the dream is stopped in the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from reverie.domain.dreams import Withheld, Writing
from reverie.domain.errors import ModelFailed
from reverie.domain.findings import Finding
from reverie.domain.messages import Usage
from reverie.dreaming.authors import Author, Sitting, Study
from reverie.dreaming.desk import Desk, Draft, Reach, Writer, joined
from reverie.dreaming.writing import Written, written

__all__ = ["Composed", "Composer"]


@dataclass(frozen=True, slots=True)
class Composed:
    """What the write stage gave. ``supposed``: what the author's guesses turned out to be; ``by``: who wrote a desk, or a
    part of one."""

    drafts: Sequence[Written]
    withheld: Sequence[Withheld]
    supposed: Sequence[Finding] = ()
    writing: Writing | None = None
    by: tuple[str, ...] = ()


class Composer:
    """Has the desks of one dream written by an author.

    Args:
        templates: Write what the author fails at.
        keep: Keeps how it is written. Called whenever that changed, and at the end in any case.
        progress: ``progress(used, expected)``, in tokens; raises where the dream is to stop.
    """

    def __init__(
        self,
        author: Author,
        templates: Writer,
        *,
        before: Writing,
        keep: Callable[[Writing], None],
        progress: Callable[[int, int], None],
    ) -> None:
        self._author = author
        self._templates = templates
        self._before = before
        self._kept = before
        self._keep = keep
        self._progress = progress
        self._sitting: Sitting | None = None
        self._failures: list[str] = []

    def compose(self, study: Study, declined: Mapping[str, int]) -> Composed:
        """The desks, written.

        Raises:
            ConfigError, NotFound: there is no such model, or no key for it.
        """
        ours = replace(study, begun=self._begun, going_on=self._going_on)
        self._keep_as(replace(self._before, estimate=self._author.estimate(ours)))
        with self._sat(ours) as sitting:
            writer = _WithFallback(sitting, self._templates, self._failures)

            def supposed() -> Sequence[Finding]:
                return [joined(each, study.observations, study.tainted) for each in sitting.hypotheses]

            drafts, withheld = written(
                writer, study.dream_id, study.findings, study.memories, study.tainted, declined, supposed
            )
            found = tuple(supposed())
        by = dict.fromkeys([*writer.names, *(draft.writer for draft in drafts)])
        return Composed(drafts, withheld, found, self._kept, tuple(by))

    @contextmanager
    def _sat(self, study: Study) -> Generator[Sitting]:
        try:
            with self._author.sit(study) as sitting:
                self._sitting = sitting
                self._going_on()
                yield sitting
        finally:
            self._keep_as(self._now())

    # ------------------------------------------------------------------ what the author tells

    def _begun(self, session_id: str) -> None:
        self._keep_as(replace(self._now(), session_id=session_id))

    def _going_on(self) -> None:
        now = self._now()
        self._keep_as(now)
        expected = now.estimate
        used = _total(now.usage)
        self._progress(used, max(used, 0 if expected is None else expected.input + expected.output))

    def _now(self) -> Writing:
        """How far it is. What an earlier session of this dream used counts too, unless it is this very one."""
        sitting, before = self._sitting, self._before
        if sitting is None:
            return self._kept
        now = sitting.writing
        session = now.session_id or self._kept.session_id
        usage = now.usage if session == before.session_id else _both(before.usage, now.usage)
        why = "; ".join(dict.fromkeys([*([now.fell_back] if now.fell_back else []), *self._failures]))
        return replace(
            self._kept,
            session_id=session,
            usage=usage,
            estimate=now.estimate or self._kept.estimate,
            fell_back=why or None,
        )

    def _keep_as(self, writing: Writing) -> None:
        if writing != self._kept:
            self._keep(writing)
            self._kept = writing


@dataclass(slots=True)
class _WithFallback:
    """A writer of desks (``desk.Writer``): the author, and for a desk that it fails at, the templates."""

    sitting: Sitting
    templates: Writer
    failures: list[str]
    names: list[str] = field(init=False, default_factory=list[str])

    @property
    def name(self) -> str:
        """Who wrote the last desk."""
        return self.names[-1] if self.names else self.sitting.name

    @property
    def reach(self) -> Reach:
        return self.sitting.reach

    def write(self, desk: Desk) -> Sequence[Draft | Withheld]:
        try:
            said = self.sitting.write(desk)
        except ModelFailed as failure:
            self.failures.append(failure.what)
            self.names.append(self.templates.name)
            return self.templates.write(desk)
        self.names.append(self.sitting.name)
        return said


def _both(one: Usage, other: Usage) -> Usage:
    """Both together."""
    return Usage(
        one.input + other.input,
        one.output + other.output,
        one.cache_read + other.cache_read,
        one.cache_write + other.cache_write,
    )


def _total(usage: Usage) -> int:
    """All tokens, cached or not."""
    return usage.input + usage.output + usage.cache_read + usage.cache_write
