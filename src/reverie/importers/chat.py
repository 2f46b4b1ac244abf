"""Reader of "anything": conversations as JSON or JSONL, in OpenAI's, Anthropic's and kindred shapes.

A record is a message, a conversation (an object with a list of messages), or facts about a session.
Lines and lists may mix them. A session is known by its native id; without one, by where it stands: a
file of messages by its path and first line (so that a grown file goes on), a conversation on a line of
its own by its bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from reverie.domain.events import Json, record_sha256
from reverie.domain.imports import Guess, Quarantined
from reverie.domain.sessions import Transcript
from reverie.importers.documents import Node, beginning, is_line_based, roots
from reverie.importers.facts import Facts, tells_of_session, time_of
from reverie.importers.jsonl import head_rows
from reverie.importers.messages import Dialogue, instructions, is_message, usage_said
from reverie.importers.transcripts import Account, Builder, Said
from reverie.importers.values import mapping, sequence
from reverie.plugins import Read, TranscriptFile

__all__ = ["Chat"]

_LISTS: Final = (
    "messages",
    "conversations",
    "conversation",
    "turns",
    "items",
    "history",
    "dialog",
    "dialogue",
    "input",
)
_WRAPPED: Final = ("request", "body", "kwargs", "data")
_REPLIES: Final = ("response", "completion", "output", "choices")
_PROMPTS: Final = ("system", "instructions", "system_prompt", "system_instruction")
_ROLE: Final = re.compile(
    rb'"(?:role|from)"\s*:\s*"(?:user|assistant|system|developer|tool|human|gpt)"'
    rb'|"type"\s*:\s*"(?:function_call|function_call_output|human|ai)"'
)


class Chat:
    """OpenAI chat, OpenAI Responses, Anthropic messages, ShareGPT, LangChain: JSON documents and JSONL."""

    name = "chat"

    def sniff(self, head: bytes, file: TranscriptFile) -> Guess:
        """Unsure by design: every format of its own is surer than "it has roles"."""
        found = [row for row in head_rows(head) if is_message(row) or _listed(row)]
        if len(found) > 1:
            return Guess(0.5, f"{len(found)} lines with messages that have a role")
        if found:
            return Guess(0.4, "an object with messages that have a role")
        if _ROLE.search(_first_message(beginning(head))):
            return Guess(0.4, "a document whose messages have a role")
        return Guess(0.0, "no messages with a role")

    def default_places(self) -> Sequence[str]:
        return ()

    def read(self, file: TranscriptFile) -> Iterable[Read]:
        reading = _Reading(file)
        for root in roots(file):
            if isinstance(root, Quarantined):
                reading.account.quarantined.append(root)
            else:
                yield from reading.root(root)
        yield from reading.finished()
        yield from reading.account.statements()


@dataclass(slots=True)
class _Open:
    """A session while it is read. The key of a record is its bytes, and the how-manieth of them it is."""

    builder: Builder
    facts: Facts = field(default_factory=Facts)
    dialogue: Dialogue = field(default_factory=Dialogue)
    seen: Counter[str] = field(default_factory=Counter[str])
    keys: set[str] = field(default_factory=set[str])
    replies: set[bytes] = field(default_factory=set[bytes])


class _Reading:
    """One pass over one file."""

    def __init__(self, file: TranscriptFile) -> None:
        self.account = Account()
        self._file = file
        self._line_based = is_line_based(file)
        self._named: dict[str, _Open] = {}
        self._unnamed: Counter[str] = Counter()
        self._anonymous: str | None = None

    def root(self, node: Node) -> Iterator[Transcript]:
        """A document: a conversation, a message, or a list of either."""
        for child in node.elements() if node.is_array else [node]:
            if not child.is_object:
                self.account.refuse(child, "not a JSON object")
                continue
            listed = _messages_in(child)
            if listed is None:
                self._single(child)
            else:
                yield from self._conversation(child, *listed)

    def finished(self) -> Iterator[Transcript]:
        """The sessions that could have gone on until the end of the file."""
        for native_id, session in self._named.items():
            yield from _closed(session, native_id)

    def _session(self, native_id: str) -> _Open:
        return self._named.setdefault(native_id, _Open(Builder(Chat.name, self._file.uri)))

    # Records that are one message, or facts.

    def _single(self, node: Node) -> None:
        record = self.account.record(node)
        if record is None:
            return
        told = not is_message(record) and tells_of_session(record)
        if node.line is None and not node.pointer and not told and not is_message(record):
            self.account.refuse(node, "no messages in it")
            return
        named = Facts.session_of(record, whole=told)
        session = self._session(self._native(named) if named else self._anonymous_id(node))
        if told and named and self._anonymous is None:
            self._anonymous = self._native(named)  # a header: what follows without an id is its session
        session.facts.learn(record, whole=told)
        if told:
            self.account.used += 1
        else:
            self._message(session, node, record, session.seen)
        session.builder.end(session.facts.outcome, node)

    def _message(self, session: _Open, node: Node, record: dict[str, Json], seen: Counter[str]) -> None:
        digest = record_sha256(node.raw)[:24]
        seen[digest] += 1
        key = f"{digest}.{seen[digest]}"
        if key in session.keys or (session.replies and _gist(Dialogue().read(record)) in session.replies):
            self.account.skip("repeats an earlier message of its conversation")
            return
        session.keys.add(key)
        self._add(session, session.dialogue.read(record), node, key, record)

    def _add(self, session: _Open, said: list[Said], node: Node, key: str, record: dict[str, Json]) -> None:
        if session.builder.add(said, node, key, at=time_of(record)):
            self.account.used += 1
        else:
            self.account.skip("a message without content")

    # Records that are a conversation: an object that holds its messages.

    def _conversation(self, node: Node, holder: Node, listed: Node) -> Iterator[Transcript]:
        members = self.account.members(node)
        if holder is not node:
            members = {**self.account.members(holder), **members}
        members = {n: m for n, m in members.items() if m.pointer not in (listed.pointer, holder.pointer)}
        around = {name: self.account.decode(member) for name, member in members.items()}
        elements = listed.elements()
        named = Facts.session_of(around, whole=True)
        native_id = self._native(named) if named else self._unnamed_id(node, elements)
        if native_id is None:
            self.account.skip("the same conversation as on an earlier line", max(len(elements), 1))
            return
        session = self._session(native_id) if named else _Open(Builder(Chat.name, self._file.uri))
        session.facts.learn(around, whole=True)
        self._exchange(session, members, around, elements)
        session.builder.end(session.facts.outcome, node)
        if not named:  # nothing later in the file can belong to it
            yield from _closed(session, native_id)

    def _exchange(
        self, session: _Open, members: dict[str, Node], around: dict[str, Json], elements: list[Node]
    ) -> None:
        """The prompts around a list of messages, the messages, and the reply beside them."""
        seen: Counter[str] = Counter()  # anew, so that a history that is sent again has its old keys
        for name in (n for n in _PROMPTS if around.get(n)):
            self._once(session, members[name], "prompt", instructions(around[name]))
        for element in elements:
            record = self.account.record(element)
            if record is not None:
                session.facts.learn(record, whole=False)
                self._message(session, element, record, seen)
        for name in (n for n in _REPLIES if isinstance(around.get(n), dict | list)):
            said = _reply(session.dialogue, name, around[name])
            session.replies.add(_gist(said))
            self._once(session, members[name], "reply", said)
        if "usage" in members:
            self._once(session, members["usage"], "usage", list(usage_said(around, inside="")))

    def _once(self, session: _Open, node: Node, part: str, said: list[Said]) -> None:
        """What stands beside the messages, unless it stood there before."""
        key = f"{part}:{record_sha256(node.raw)[:24]}"
        if key not in session.keys:
            session.keys.add(key)
            session.builder.add(said, node, key)

    # Identities.

    def _native(self, named: str) -> str:
        """The id a source gives; a bare number counts within its file only."""
        return f"{self._file.uri}#{named}" if named.isdecimal() else named

    def _anonymous_id(self, node: Node) -> str:
        """The session of the messages without an id: one for the file."""
        if self._anonymous is None:
            first = node.raw
            if self._line_based:
                first = next((line for _, line in self._file.lines() if line is None or line.strip()), None)
            self._anonymous = _identity(self._file.uri.encode(), first or b"")
        return self._anonymous

    def _unnamed_id(self, node: Node, elements: list[Node]) -> str | None:
        """The id of a conversation without one; None for one that was given before."""
        if node.line is not None:
            identity = _identity(node.raw)
        else:
            identity = _identity(self._file.uri.encode(), elements[0].raw if elements else b"")
        self._unnamed[identity] += 1
        count = self._unnamed[identity]
        if count > 1 and node.line is not None:
            return None
        return identity if count == 1 else f"{identity}.{count}"


def _closed(session: _Open, native_id: str) -> Iterator[Transcript]:
    if session.builder.events:
        yield session.builder.transcript(session.facts.info(Chat.name, native_id))


def _messages_in(node: Node, *, wrapped: bool = False) -> tuple[Node, Node] | None:
    """(the object that holds the list of messages, the list), if there is one."""
    members = dict(node.members())
    if "role" in members or "from" in members:
        return None
    for name in _LISTS:
        found = members.get(name)
        if found is not None and found.is_array:
            return node, found
    for inner in (members[name] for name in _WRAPPED if name in members and not wrapped):
        found = _messages_in(inner, wrapped=True)
        if found is not None:
            return found
    return None


def _first_message(root: Node) -> bytes:
    """Where the first message of a document should be, in a root that may be cut off."""
    first = next(iter(root.elements()), root)
    held = _messages_in(first)
    return first.raw if held is None and root.is_array else b"" if held is None else held[1].raw


def _listed(row: dict[str, Json]) -> bool:
    """Whether a decoded record holds a list of messages."""
    levels = (row, *(mapping(row.get(name)) for name in _WRAPPED))
    lists = (sequence(level.get(name)) for level in levels for name in _LISTS)
    return any(is_message(mapping(found[0])) for found in lists if found)


def _reply(dialogue: Dialogue, name: str, value: Json) -> list[Said]:
    """What came back from the model: a response object, its choices, or its items."""
    if isinstance(value, dict):
        body = mapping(mapping(value).get("body"))
        return dialogue.read(body, "/body") if body else dialogue.read(mapping(value))
    if name == "choices":
        return (
            dialogue.read(mapping(mapping(sequence(value)[0]).get("message")), "/0/message") if value else []
        )
    items = enumerate(sequence(value))
    return [said for number, item in items for said in dialogue.read(mapping(item), f"/{number}")]


def _gist(said: list[Said]) -> bytes:
    """What was said, without its ids: equal for a reply and for its repetition in the next request."""
    return msgspec.json.encode(
        [
            (item.type, item.payload.get("name"), item.payload.get("input"), item.payload.get("content"))
            for item in said
            if item.type in ("agent.message", "agent.tool_use")
        ]
    )


def _identity(*parts: bytes) -> str:
    return record_sha256(b"\0".join(parts))[:32]
