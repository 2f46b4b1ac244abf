"""Every plug on one page: what a reader, a miner and a writer must be, and how they are found.

A plug-in is a class named in an entry-point group of an installed distribution. Ours are named in our
own ``pyproject.toml`` and come in by the same door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import BinaryIO, Final, Protocol, TypeAlias, runtime_checkable

from reverie.domain.errors import ConfigError
from reverie.domain.events import Event
from reverie.domain.findings import Finding, Silence
from reverie.domain.imports import Guess, Quarantined, Skipped, Used
from reverie.domain.memories import Memory
from reverie.domain.observations import Observation
from reverie.domain.sessions import Session, Transcript

__all__ = [
    "IMPORTERS",
    "MINERS",
    "OBSERVERS",
    "RUNTIMES",
    "Corpus",
    "Importer",
    "Miner",
    "Observer",
    "Read",
    "Runtime",
    "TranscriptFile",
    "Waker",
    "load",
]

IMPORTERS: Final = "reverie.importers"
MINERS: Final = "reverie.miners"
OBSERVERS: Final = "reverie.observers"
RUNTIMES: Final = "reverie.runtimes"

SNIFFED_BYTES: Final = 65_536


class TranscriptFile(Protocol):
    """A file being imported, as a reader sees it. The disk comes in through here and nowhere else."""

    @property
    def uri(self) -> str:
        """The absolute path, as a string, for ``Origin.uri``."""
        ...

    @property
    def name(self) -> str:
        """The last segment of the path."""
        ...

    @property
    def size(self) -> int:
        """Bytes, as of when the import began; nothing past it is read (the rest is the next import's)."""
        ...

    def open(self) -> BinaryIO:
        """The bytes from the start, at most ``size`` of them."""
        ...

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        """(number from 1, line without its newline); None in place of a line over the cap of 32 MiB.

        A last line without a newline is yielded too: whether it is whole is for the reader to see.
        """
        ...

    def neighbour(self, relative: str) -> TranscriptFile | None:
        """Another file by a path relative to this one's folder, None where there is none."""
        ...

    def neighbours(self, pattern: str) -> Sequence[TranscriptFile]:
        """Files that match a glob relative to this one's folder, sorted by path."""
        ...


Read: TypeAlias = Transcript | Used | Skipped | Quarantined
"""What a reader yields: transcripts, and an account of every record (``domain.imports``)."""


@runtime_checkable
class Importer(Protocol):
    """A reader of one transcript format. Pure: bytes in, events out; never raises on content.

    ``read`` must account for each record of the file exactly once, as ``Used``, ``Skipped`` or
    ``Quarantined``. A line-based reader is prefix-stable: the events of a file cut at any line are a
    prefix of the events of the whole file (per session), so that a grown file continues its log.

    A reader may have a ``version`` (text). When it changes, files that were read before are read again.
    """

    @property
    def name(self) -> str: ...

    def sniff(self, head: bytes, file: TranscriptFile) -> Guess: ...

    def read(self, file: TranscriptFile) -> Iterable[Read]: ...

    def default_places(self) -> Sequence[str]:
        """Folders where the tool keeps its sessions (``~`` and environment variables allowed)."""
        ...


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a miner looks at: every observed session, in order of session id, and the memory as it is."""

    observations: Sequence[Observation]
    memories: Sequence[Memory] = ()


@runtime_checkable
class Observer(Protocol):
    """Turns one session into one observation. Pure and deterministic; ``version`` is part of the cache key."""

    @property
    def version(self) -> str: ...

    def observe(self, session: Session, events: Sequence[Event]) -> Observation: ...


@runtime_checkable
class Miner(Protocol):
    """Looks at many sessions and says what it found. Pure and deterministic: same corpus, same findings.

    A ``Silence`` among the findings says what could not be looked at, and why.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def mine(self, corpus: Corpus) -> Iterable[Finding | Silence]: ...


Waker: TypeAlias = Callable[[str, str], None]
"""``wake(workspace, session_id)``: there is something to do in a session. Called when it is on the disk, any
number of times, from any thread; must return at once. What it misses (a crash in between) is found again
by asking for sessions whose input nobody took."""


@runtime_checkable
class Runtime(Protocol):
    """What runs sessions. Made once for each opened database, with the opened ``Reverie`` as its argument;
    what an agent does when it is woken is its business."""

    def wake(self, workspace: str, session_id: str) -> None: ...

    def close(self) -> None:
        """Let go of what runs; it goes on from the log when a runtime is there again."""
        ...


def load(group: str) -> dict[str, type[object]]:
    """The classes registered under an entry-point group, by name, sorted by name.

    Raises:
        ConfigError: a plug-in cannot be imported; the message names the distribution it came from.
    """
    found: dict[str, type[object]] = {}
    for point in sorted(entry_points(group=group), key=lambda p: p.name):
        try:
            found[point.name] = point.load()
        except Exception as error:
            source = point.dist.name if point.dist is not None else "an unknown distribution"
            raise ConfigError(
                f"the plug-in {point.name!r} of {source} cannot be loaded: {error}",
                where=group,
                hint=f"upgrade or uninstall {source}",
            ) from error
    return found
