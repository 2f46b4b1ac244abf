"""Who writes a dream with a model: what an author is given, and what is asked of it.

An author is made once, sits down for one dream, is handed its desks in order (first what no untrusted text had a
hand in, see ``desk.desks``), and gets up again. It may remember between desks what it read before: the order makes
that harmless, since what it knows only ever becomes less trusted, and each draft says what was read by then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from reverie.domain.dreams import Estimate, Wish, Writing
from reverie.domain.findings import Finding
from reverie.domain.memories import Memory
from reverie.domain.observations import Observation
from reverie.dreaming.desk import Writer

__all__ = ["DREAMER", "Author", "Sitting", "Study"]

DREAMER: Final = "reverie.dreamer"
"""The name of the agent that writes dreams. Its sessions are about other sessions: unless somebody names them, no
later dream is over them."""


@dataclass(frozen=True, slots=True)
class Study:
    """What an author may use. ``after``: the session of an earlier try at this dream that was ended before the dream
    was (it was canceled): this try is to have another one. ``tainted``: paths of memories that untrusted text had a hand in. ``begun`` is called
    with the id of the writing agent's session as soon as there is one; ``going_on`` now and then, and raises where
    the dream is to stop (that exception is not the author's to catch)."""

    dream_id: str
    wish: Wish
    findings: Sequence[Finding]
    memories: Sequence[Memory]
    tainted: Set[str]
    observations: Mapping[str, Observation]
    begun: Callable[[str], None]
    going_on: Callable[[], None]
    after: str | None = None


class Sitting(Writer, Protocol):
    """An author at work on one dream. ``write`` raises ``ModelFailed`` where no draft can be had of the model (it
    fails, refuses, writes nonsense to the end, has no budget left): whoever handed it the desk has the templates
    write that one."""

    @property
    def writing(self) -> Writing:
        """What was used so far."""
        ...

    @property
    def hypotheses(self) -> Sequence[Finding]:
        """What was found by testing what the author supposed, so far; its drafts may cite it."""
        ...


class Author(Protocol):
    """Writes dreams with a model."""

    def version(self, wish: Wish) -> str:
        """Model and digest of the prompts and instructions: part of what a dream is a function of."""
        ...

    def estimate(self, study: Study) -> Estimate:
        """What the model is expected to use. Asks no model."""
        ...

    def sit(self, study: Study) -> AbstractContextManager[Sitting]:
        """Sit down; leaving the context ends the session, whose log stays.

        Raises:
            ConfigError, NotFound: there is no such model, or no key for it.
        """
        ...
