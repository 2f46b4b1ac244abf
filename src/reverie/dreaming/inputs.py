"""What a dream is a function of, and the id that follows from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reverie.domain.dreams import Wish
from reverie.domain.ids import derived_id
from reverie.domain.memories import Memory, MemoryStore
from reverie.domain.sessions import Session
from reverie.storage.codec import dumps

__all__ = ["Inputs"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """``parameters`` tell the versions of all that computes; who writes is among them, and how (``wish``)."""

    store: MemoryStore
    sessions: Sequence[Session]
    memories: Sequence[Memory]
    tainted: frozenset[str]
    decided: Mapping[str, int]
    parameters: Mapping[str, str]
    wish: Wish

    @property
    def id(self) -> str:
        digest = hashlib.sha256()
        for session in self.sessions:  # an outcome may be told later, by a file of labels
            told = session.info
            facts = f"{told.outcome.label} {told.outcome.score} {told.task} {told.user}"
            digest.update(f"{session.id} {session.content_sha256} {facts}\n".encode())
        for memory in self.memories:
            taint = " tainted" if memory.path in self.tainted else ""
            digest.update(f"{memory.path} {memory.content_sha256}{taint}\n".encode())
        for idea, weight in sorted(self.decided.items()):
            digest.update(f"{idea} {weight}\n".encode())
        return derived_id(
            "drm", self.store.id, digest.hexdigest(), dumps(dict(sorted(self.parameters.items())))
        )
