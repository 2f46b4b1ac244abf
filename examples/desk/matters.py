"""Matters: what users ask of the desk, each a function of its kind and seed.

What a user tells stands in ``Matter.request``; the rest is how things stand, which nobody is told.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["AGENTS", "KINDS", "MIX", "USERS", "Matter", "chance", "make_matter"]

KINDS: Final = ("pleading", "bundle", "registration", "opinion", "deed")
MIX: Final[Mapping[str, float]] = {
    "pleading": 0.25, "bundle": 0.2, "registration": 0.15, "opinion": 0.2, "deed": 0.2,
}  # fmt: skip
"""How often each kind comes in."""
USERS: Final = ("abel", "brandt", "celik", "duarte", "eklund", "ferri", "grabow", "horvat", "ines")
_PICKY: Final = frozenset({"abel", "celik", "duarte", "grabow", "ines"})  # say how they want sources cited
_UNLUCKY: Final = "brandt"
AGENTS: Final = ("Ada", "Brill", "Crane")
_COURTS: Final = ("Lindau", "Kehl", "Soltau", "Bregenz")
_REGISTRIES: Final = ("Harbour", "Northgate", "Oldtown")
_TYPES: Final = (("docx", 0.8), ("odt", 0.12), ("rtf", 0.08))
_PARTIES: Final = ("Vogt", "Harbour Board", "Sielaff", "Moreau", "Okafor", "Petrov", "Lund", "Amsel", "Quist")
_HOURS: Final[Mapping[str, tuple[float, float]]] = {"registration": (0.6, 0.2)}
"""How often a matter comes in before noon, and between noon and five."""


@dataclass(frozen=True, slots=True)
class Matter:
    """One matter. ``stale`` … ``hopeless`` are nobody's to know; ``picky`` and ``urgent`` show when it is late."""

    kind: str
    seed: int
    user: str
    agent: str
    hour: int
    minute: int
    party: str
    court: str
    registry: str
    file: str
    size_mb: int
    exhibits: int
    record: str
    hearing: str
    contested: bool
    stale: bool
    tables: int
    held: bool
    picky: bool
    urgent: bool
    hopeless: bool

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.seed}"

    @property
    def request(self) -> str:
        """What the user says."""
        told = [f"Matter {self.name}: {_ASKED[self.kind].format(m=self)}"]
        told += [f"It is {self.hour}:{self.minute:02d}."]
        told += ["The other side contests it."] if self.contested else []
        return " ".join(told)


_ASKED: Final = {
    "pleading": "research and draft the reply against {m.party} as {m.file} ({m.size_mb} MB with its annexes) and file it "
    "with the court of {m.court}.",
    "bundle": "open record {m.record} for {m.party}, label the {m.exhibits} exhibits in {m.file} ({m.size_mb} MB), make a PDF "
    "of the bundle and file it with the court of {m.court}.",
    "registration": "open record {m.record} for {m.party}, fill in the form of the court of {m.court} (hearing on "
    "{m.hearing}) and serve notice through the {m.registry} registry.",
    "opinion": "research and draft an opinion on {m.party} as {m.file} ({m.size_mb} MB) and mail it to the client as a PDF.",
    "deed": "execute the deed with {m.party} in {m.file} ({m.size_mb} MB), with signature and stamp, fill in the form of the "
    "court of {m.court} (hearing on {m.hearing}) and file the deed there.",
}  # fmt: skip


def chance(name: str, what: str) -> float:
    """A number in [0, 1) that belongs to a matter and a word."""
    digest = hashlib.blake2b(f"{name}:{what}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def make_matter(kind: str, seed: int) -> Matter:
    """The matter of a kind and seed.

    Raises:
        KeyError: there is no such kind.
    """
    draw = random.Random(f"{kind}:{seed}")  # noqa: S311  (a world, not a secret)
    user = draw.choice(USERS)
    size = draw.randint(52, 95) if draw.random() < 0.65 else draw.randint(3, 49)
    hearing = f"{draw.randint(2027, 2029)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
    contested = draw.random() < (0.3 if user == _UNLUCKY else 0.1)
    return Matter(
        kind=kind,
        seed=seed,
        user=user,
        agent=draw.choice(AGENTS),
        hour=_hour(kind, draw),
        minute=draw.randint(0, 44),
        party=draw.choice(_PARTIES),
        court=_court(user, draw),
        registry=_weighted(zip(_REGISTRIES, (0.75, 0.15, 0.1), strict=True), draw),
        file=f"{kind}-{seed}.{'docx' if kind in _ALWAYS_DOCX else _weighted(_TYPES, draw)}",
        size_mb=size,
        exhibits=draw.randint(27, 44) if draw.random() < 0.6 else draw.randint(4, 26),
        record=f"K-{draw.randint(100, 999)}",
        hearing=hearing,
        contested=contested,
        stale=draw.random() < 0.9,
        tables=draw.randint(1, 6) if draw.random() < 0.8 else 0,
        held=draw.random() < 0.45,
        picky=user in _PICKY,
        urgent=draw.random() < 0.8,
        hopeless=draw.random() < (0.35 if contested else 0.02),
    )


_ALWAYS_DOCX: Final = frozenset({"bundle", "opinion"})


def _hour(kind: str, draw: random.Random) -> int:
    morning, midday = _HOURS.get(kind, (0.2, 0.2))
    at = draw.random()
    if at < morning:
        return draw.randint(8, 11)
    return draw.randint(12, 16) if at < morning + midday else draw.randint(17, 20)


def _court(user: str, draw: random.Random) -> str:
    """Users have a court that they mostly work with, so the two go together."""
    usual = "Lindau" if USERS.index(user) % 3 else "Kehl"
    return usual if draw.random() < 0.6 else draw.choice(_COURTS)


def _weighted(choices: Sequence[tuple[str, float]] | zip[tuple[str, float]], draw: random.Random) -> str:
    names, weights = zip(*choices, strict=True)
    return draw.choices(names, weights)[0]
