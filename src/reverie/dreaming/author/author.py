"""The author: a dreaming agent of our own runtime (``authors.Author``)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final

from reverie.domain.dreams import Estimate, Wish
from reverie.domain.errors import UsageError
from reverie.dreaming.author.bench import names
from reverie.dreaming.author.prompts import digest
from reverie.dreaming.author.reading import Reader
from reverie.dreaming.author.session import Door, WritingSession
from reverie.dreaming.author.sitting import AuthorSitting, Means
from reverie.dreaming.author.supposing import Supposing
from reverie.dreaming.author.telling import brief_of, shown_topics
from reverie.dreaming.author.tokens import allowance, estimate, expected
from reverie.dreaming.authors import Study
from reverie.dreaming.desk import desks, origins_of
from reverie.plugins import Corpus, Hypotheses
from reverie.sessions.log import SessionLog

__all__ = ["ModelAuthor"]

_VERSION: Final = "1"


class ModelAuthor:
    """Writes dreams with a model. ``leaks`` says whether a text holds a secret."""

    def __init__(
        self, door: Door, log: SessionLog, hypotheses: Hypotheses, leaks: Callable[[str], bool]
    ) -> None:
        self._door = door
        self._log = log
        self._hypotheses = hypotheses
        self._leaks = leaks

    def version(self, wish: Wish) -> str:
        """``model/1:ollama:qwen3:0a1b2c3d4e5f``: what the dream is a function of, besides its inputs."""
        tests = f"{self._hypotheses.name}/{self._hypotheses.version}"
        return f"model/{_VERSION}:{_model(wish)}:{digest(wish)}:{tests}:{wish.max_tokens or ''}".rstrip(":")

    def estimate(self, study: Study) -> Estimate:
        """What is expected of the model, by the size of what will be laid before it."""
        return estimate(self._log, study.observations, list(_briefs(study)))

    @contextmanager
    def sit(self, study: Study) -> Generator[AuthorSitting]:
        """Sit down. Leaving in good order ends the session; where the dream is stopped in the middle, the session
        rests as it is, and the next sitting goes on with it.

        Raises:
            ConfigError, NotFound: there is no such model, or no key for it.
        """
        self._door.model(_model(study.wish))
        most = study.wish.max_tokens or allowance(sum(expected(list(_briefs(study)))))
        session = WritingSession(self._door, study.dream_id, study.going_on, study.after)
        sitting = AuthorSitting(study, self._means(study), session, most)
        self._door.attend()
        yield sitting
        sitting.end()

    def _means(self, study: Study) -> Means:
        seen = [study.observations[id] for id in sorted(study.observations)]
        corpus = Corpus(seen, study.memories)
        return Means(
            Reader(self._log, study.observations, self._leaks),
            Supposing(self._hypotheses, corpus, study.observations, study.tainted),
            self._leaks,
        )


def _briefs(study: Study) -> Iterator[tuple[str, int]]:
    """The desks as they will be laid: what is said of each, and its number of topics."""
    laid = desks("dream", study.dream_id, study.findings, study.memories, study.tainted)
    known = 0
    for number, desk in enumerate(laid, 1):
        named = names(desk.findings, known)
        known += len(named)
        refs = {finding.id: name for name, finding in named.items()}
        clean = "tool" not in origins_of(desk)
        brief = brief_of(number, desk, refs, clean=clean, wishes=study.wish.instructions)
        yield brief, len(shown_topics(desk.findings))


def _model(wish: Wish) -> str:
    if wish.model is None:
        raise UsageError("no model is named to write this dream")
    return wish.model
