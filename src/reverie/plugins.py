"""Every plug on one page: what a reader, a miner and a writer must be, and how they are found.

A plug-in is a class named in an entry-point group of an installed distribution. Ours are named in our
own ``pyproject.toml`` and come in by the same door.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import BinaryIO, Final, Literal, Protocol, TypeAlias, runtime_checkable

from reverie.domain.errors import ConfigError
from reverie.domain.events import Event, JsonObject
from reverie.domain.findings import Condition, Finding, Silence
from reverie.domain.imports import Guess, Quarantined, Skipped, Used
from reverie.domain.memories import Memory
from reverie.domain.messages import Delta, ModelRequest, ModelResponse, ResultPart, ToolSpec
from reverie.domain.observations import Observation
from reverie.domain.sandboxes import FileFacts, Finished, Injected, Limits, Mount, Network, SandboxSpec
from reverie.domain.sessions import Session, Transcript

__all__ = [
    "ENVIRONMENTS",
    "HYPOTHESES",
    "IMPORTERS",
    "MINERS",
    "MODELS",
    "OBSERVERS",
    "RUNTIMES",
    "SEARCHERS",
    "TOOLS",
    "Corpus",
    "Environment",
    "FileFacts",
    "Finished",
    "Found",
    "Handler",
    "Hypotheses",
    "Hypothesis",
    "Importer",
    "Injected",
    "Limits",
    "Miner",
    "Model",
    "ModelMaker",
    "Mount",
    "Network",
    "Observer",
    "Output",
    "Read",
    "Runtime",
    "Sandbox",
    "SandboxSpec",
    "Searcher",
    "Shown",
    "Surroundings",
    "Tool",
    "TranscriptFile",
    "Waker",
    "load",
]

IMPORTERS: Final = "reverie.importers"
MINERS: Final = "reverie.miners"
OBSERVERS: Final = "reverie.observers"
RUNTIMES: Final = "reverie.runtimes"
MODELS: Final = "reverie.models"
"""Makers of models, by provider; the one called ``default`` is asked where no other has the name."""
TOOLS: Final = "reverie.tools"
SEARCHERS: Final = "reverie.searchers"
ENVIRONMENTS: Final = "reverie.environments"
HYPOTHESES: Final = "reverie.hypotheses"

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


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A guess at when things fail: under all of ``conditions`` (``==``, ``>=``, ``<``; one to three attributes known
    before the outcome) calls of ``tool`` fail more often than otherwise; ``""``: whole sessions do. ``error``: with
    this mistake, by the name that findings give it; None: in whatever way."""

    tool: str
    conditions: tuple[Condition, ...]
    error: str | None = None


@runtime_checkable
class Hypotheses(Protocol):
    """Tests what somebody supposes. Pure and deterministic: same corpus, same answer."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def attributes(self, corpus: Corpus, tool: str) -> Mapping[str, str]:
        """What conditions may be about, for one tool's calls (``""``: for sessions), each with its range in words;
        empty where there is no such tool."""
        ...

    def test(self, corpus: Corpus, hypothesis: Hypothesis, *, tries: int) -> Finding | str:
        """The finding, or why it is none. ``tries``: how many hypotheses may be tested on this corpus in all;
        each pays for all of them, so that the chance of any false finding stays at 5 %."""
        ...


@runtime_checkable
class Model(Protocol):
    """Answers requests. One object may answer many at a time."""

    @property
    def name(self) -> str:
        """As it is configured: ``provider:model``."""
        ...

    @property
    def context_tokens(self) -> int | None:
        """How many tokens it can read, where that is known."""
        ...

    @property
    def priced(self) -> bool:
        """Whether its answers tell what they cost."""
        ...

    async def respond(
        self, request: ModelRequest, on_delta: Callable[[Delta], None] | None = None
    ) -> ModelResponse:
        """One answer, whole. Asked once: whether to ask again is the caller's business.

        Raises:
            ModelFailed: there is none; the subclass says why.
            ConfigError: an unknown model or provider, or no key for it.
        """
        ...


@runtime_checkable
class ModelMaker(Protocol):
    """Makes the models of one or more providers: ``make("ollama:qwen3")``."""

    def make(self, name: str) -> Model:
        """
        Raises:
            ConfigError: an unknown model or provider, or no key for it.
        """
        ...


class Sandbox(Protocol):
    """A closed room for one session: commands run in it, and its files are read and written.

    Paths are as seen from inside: absolute, or relative to the spec's ``home``. A path that leads out of the
    mounts by ``..`` or a link is refused as if nothing were there. File methods return at once and may block
    on the disk: call them off the event loop. OSError subclasses are raised as the system gives them
    (FileNotFoundError, IsADirectoryError, PermissionError for what is mounted read-only, ENOSPC …).

    What a command leaves in a mount is there for the next one; what it leaves elsewhere (``/tmp``, ``$HOME``)
    need not be, unless the spec mounts a folder there.
    """

    @property
    def spec(self) -> SandboxSpec: ...

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        cwd: str | None = None,
        variables: Mapping[str, str] | None = None,
        timeout_s: float = 120.0,
        max_output: int = 1 << 20,
        on_output: Callable[[bytes], None] | None = None,
    ) -> Finished:
        """Run one command to its end; nothing that it started outlives it. Cancelling the task kills it.
        ``on_output`` hears all that is written, beyond ``max_output`` too.

        Raises:
            SandboxFailed: the sandbox could not be made; nothing ran.
        """
        ...

    def read(self, path: str, *, offset: int = 0, limit: int | None = None) -> bytes: ...

    def write(self, path: str, data: bytes) -> None:
        """Write a whole file (folders before it are made): whoever reads sees the old one or the new one."""
        ...

    def facts(self, path: str) -> FileFacts:
        """Of what is at the path, or of what a link there leads to."""
        ...

    def walk(self, path: str, *, limit: int = 100_000) -> Iterator[FileFacts]:
        """Everything under a folder, depth first, in order of name; links are not followed."""
        ...

    def delete(self, path: str) -> None:
        """A file, a link (not what it leads to), or a folder with all that is in it."""
        ...

    async def close(self) -> None:
        """Kill what runs. Files stay."""
        ...


@runtime_checkable
class Environment(Protocol):
    """A way of making sandboxes. ``name`` is what a configuration calls it (``bubblewrap``, ``landlock``)."""

    @property
    def name(self) -> str: ...

    def obstacle(self) -> str | None:
        """Why it cannot be used on this machine; None where it can. Found out once, by trying."""
        ...

    def open(self, spec: SandboxSpec) -> Sandbox:
        """A sandbox. Cheap: nothing runs yet.

        Raises:
            SandboxFailed: the spec asks for what this environment cannot give.
        """
        ...


@dataclass(frozen=True, slots=True)
class Output:
    """What a call of a tool gave."""

    content: Sequence[ResultPart]
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A text that the model has been shown, and where it came from: a person's message, the result of a custom
    tool, or that of web_fetch or web_search. ``tool`` is the tool's name, where it was one."""

    source: Literal["user_input", "client_tool_results", "server_tool_results"]
    text: str
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a tool is called. ``config`` is what the agent says of this tool (``allowed_domains`` …);
    ``progress`` may be told what it writes, while it works; ``state`` is the tool's own for this session (a
    shell's folder and variables): what it holds is kept as long as this process works on the session;
    ``shown`` gives what web_fetch may take URLs from where its ``url_sources`` are limited."""

    sandbox: Sandbox
    session_id: str
    thread: str
    config: JsonObject
    state: dict[str, object]
    progress: Callable[[str], None] = lambda text: None
    shown: Callable[[], Iterable[Shown]] = lambda: ()


@runtime_checkable
class Tool(Protocol):
    """A built-in tool. One object serves every session."""

    @property
    def spec(self) -> ToolSpec: ...

    @property
    def repeatable(self) -> bool:
        """Whether a call that was cut off can be made again: it changes nothing, or the same once more."""
        ...

    def risk(self, input: JsonObject) -> Literal["low", "high", "unknown"]:
        """How much harm a call could do outside the session, for the policy ``auto``."""
        ...

    async def call(self, input: JsonObject, where: Surroundings) -> Output:
        """Do it. ``input`` fits the schema. An Output with ``is_error`` is what went wrong in the model's
        words; an exception is a fault of the tool, which the caller turns into one."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """A page that a search found. ``age`` is what the engine says of its date, in its words."""

    url: str
    title: str
    snippet: str
    age: str | None = None


@runtime_checkable
class Searcher(Protocol):
    """A search engine behind the tool web_search. Its class is called without arguments."""

    @property
    def name(self) -> str: ...

    def obstacle(self) -> str | None:
        """Why it cannot be used here (no URL, no key); None where it can. Asks nobody."""
        ...

    async def search(self, query: str, *, most: int, near: JsonObject | None = None) -> Sequence[Found]:
        """The best pages first. ``near`` is about where the user is, as the wire says it (``country`` …).

        Raises:
            Unanswered: the engine gave no answer; the message says why.
        """
        ...


Handler: TypeAlias = Callable[[JsonObject], Awaitable[Output]]
"""What answers calls of one custom tool in this process."""

Waker: TypeAlias = Callable[[str, str], None]
"""``wake(workspace, session_id)``: there is something to do in a session. Called when it is on the disk, any
number of times, from any thread; must return at once. What it misses (a crash in between) is found again
by asking for sessions whose input nobody took."""


@runtime_checkable
class Runtime(Protocol):
    """What runs sessions. Made once for each opened database, with the opened ``Reverie`` as its argument;
    what an agent does when it is woken is its business."""

    def attend(self, at_once: int | None = None) -> None:
        """Begin to work on sessions in this process, at most ``at_once`` at a time. Again is harmless."""
        ...

    def wake(self, workspace: str, session_id: str) -> None: ...

    def handle(self, session_id: str, handlers: Mapping[str, Handler]) -> None:
        """Answer calls of these custom tools of a session in this process."""
        ...

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
