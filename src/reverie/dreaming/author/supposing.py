"""Guesses of the model, tested on all sessions at once by the hypothesis plug-in. Each pays for as many as a dream may
have, so that a dream's chance of any false finding does not grow with them; what has no numbers is dropped."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Final

from reverie.domain.events import Json
from reverie.domain.findings import Condition, Finding
from reverie.domain.observations import Observation
from reverie.dreaming.author.calls import Suppose
from reverie.dreaming.desk import joined
from reverie.plugins import Corpus, Hypotheses, Hypothesis

__all__ = ["MOST", "Supposing"]

MOST: Final = 20
"""Guesses in one dream."""


class Supposing:
    """The guesses of one dream. ``tainted`` are paths of memories that untrusted text had a hand in."""

    def __init__(
        self, plug: Hypotheses, corpus: Corpus, observations: Mapping[str, Observation], tainted: Set[str]
    ) -> None:
        self._plug = plug
        self._corpus = corpus
        self._observations = observations
        self._tainted = tainted
        self._tried: dict[Hypothesis, Finding | str] = {}

    @property
    def found(self) -> list[Finding]:
        """Those that held."""
        return [each for each in self._tried.values() if isinstance(each, Finding)]

    def name_of(self, finding: Finding) -> str:
        """The name that the model has for one that held."""
        return f"H{1 + [each.id for each in self.found].index(finding.id)}"

    def suppose(self, asked: Suppose, about: Finding | None) -> Finding | Json:
        """The finding; or, as data, why there is none (or what can be asked of)."""
        if not asked.when:
            return self._known(asked.tool)
        error = None if about is None else about.statement.get("mistake")
        if about is not None and not isinstance(error, str):
            return {"dropped": "that finding names no mistake: suppose it of the tool, without a finding"}
        conditions = tuple(Condition(each.attribute, each.op, each.value) for each in asked.when)
        guess = Hypothesis(asked.tool, conditions, error if isinstance(error, str) else None)
        if guess not in self._tried and len(self._tried) >= MOST:
            return {"dropped": f"{MOST} guesses were tested, which is all that a dream may have"}
        found = self._tried.get(guess)
        if found is None:
            found = self._tried[guess] = self._tested(guess)
        return found if isinstance(found, Finding) else {"dropped": found, "left": MOST - len(self._tried)}

    def _tested(self, guess: Hypothesis) -> Finding | str:
        found = self._plug.test(self._corpus, guess, tries=MOST)
        return joined(found, self._observations, self._tainted) if isinstance(found, Finding) else found

    def _known(self, tool: str) -> Json:
        known = self._plug.attributes(self._corpus, tool)
        if known:
            return {"attributes": dict(known)}
        tools = sorted({call.tool for o in self._corpus.observations for call in o.calls})
        return {"dropped": f"there is no tool {tool!r}", "tools": tools[:60]}
