"""Claude Code's session files: ``~/.claude/projects/<folder>/<session>.jsonl`` and their sub-agents' files.

The format is internal to the tool and changes between releases; what is known of it is in the modules
beside this one. A record type that nobody knows yet becomes a ``raw`` event and shows in the report.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reverie.domain.events import Json
from reverie.domain.imports import Guess, Quarantined
from reverie.importers.claude_records import FORMAT, Fold
from reverie.importers.jsonl import BadJson, decode, head_rows, rows
from reverie.importers.values import fact, mapping
from reverie.plugins import SNIFFED_BYTES, Read, TranscriptFile

__all__ = ["ClaudeCode"]

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.IGNORECASE)
_SESSION_ID: Final = re.compile(rb'"sessionId"\s*:\s*"([^"\\]{1,200})"')
_AGENT_FILE: Final = re.compile(r"agent-(.+)\.jsonl\Z")
_CONVERSATION: Final = frozenset({"user", "assistant"})
_BESIDE: Final = {  # record types beside the conversation, and what only Claude Code writes in them
    "system": ("uuid", "isSidechain", "sessionId"),
    "attachment": ("uuid", "isSidechain", "sessionId"),
    "progress": ("uuid", "isSidechain", "sessionId"),
    "queue-operation": ("operation", "sessionId"),
    "summary": ("summary", "leafUuid"),
    "file-history-snapshot": ("snapshot", "messageId"),
}
_META_BYTES: Final = 1 << 20
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")  # a session id that may stand in a path


@dataclass(frozen=True, slots=True)
class _SubAgent:
    id: str
    file: TranscriptFile
    kind: str | None
    call: str | None


class ClaudeCode:
    """The reader of Claude Code sessions.

    A session is its main file together with its sub-agents' files, each sub-agent a thread. A sub-agent's
    records are placed where the session calls it. Without such files, the sub-agent's messages are taken
    from the progress records of the main file.
    """

    name = FORMAT
    version = "1"

    def default_places(self) -> Sequence[str]:
        return ("$CLAUDE_CONFIG_DIR/projects", "~/.claude/projects", "~/.config/claude/projects")

    def sniff(self, head: bytes, file: TranscriptFile) -> Guess:
        if _owner(head, file) is not None:
            return Guess(0.0, "a sub-agent's file: it is read together with its session")
        found = head_rows(head)
        if any(_is_conversation(row) for row in found):
            return Guess(1.0, "lines with type, sessionId, uuid and a message")
        if any(_is_beside(row) for row in found):
            return Guess(0.9, "lines of a Claude Code session beside the conversation")
        if not found and b'"sessionId"' in head and b'"isSidechain"' in head:
            return Guess(0.7, "a first line longer than the part looked at, with sessionId and isSidechain")
        return Guess(0.0, "no line has a sessionId and a message as Claude Code writes them")

    def read(self, file: TranscriptFile) -> Iterator[Read]:
        session = _own_session(file)
        agent_file = _AGENT_FILE.match(file.name)
        agents = [] if agent_file else _sub_agents(file, session)
        fold = Fold(session, {agent.id for agent in agents})
        waiting = {name: agent for agent in agents for name in (agent.id, agent.call) if name}
        for item in rows(file):
            if isinstance(item, Quarantined):
                yield item
            elif agent_file:
                yield fold.take_agent(item, file.uri, agent_file[1], None, None)
            else:
                yield fold.take(item, file.uri)
                if waiting and (called := _called(fold, waiting)):
                    yield from _read_agents(fold, waiting, called)
        for agent in agents:  # those whose call is not in the file
            if waiting.get(agent.id) is agent:
                yield from _read_agents(fold, waiting, deque([agent]))
        yield from fold.transcripts()


def _is_conversation(row: dict[str, Json]) -> bool:
    message = mapping(row.get("message"))
    return (
        fact(row.get("type")) in _CONVERSATION
        and "sessionId" in row
        and "uuid" in row
        and "content" in message
    )


def _is_beside(row: dict[str, Json]) -> bool:
    fields = _BESIDE.get(fact(row.get("type")) or "")
    return fields is not None and row.keys() >= set(fields)


def _own_session(file: TranscriptFile) -> str:
    """The session a record without ``sessionId`` belongs to: the file's name says, or its first records."""
    stem = file.name.removesuffix(".jsonl")
    if named := _UUID.search(stem):
        return named[0].lower()
    first = _SESSION_ID.search(_head(file))
    return (fact(first[1].decode("utf-8", "replace")) if first else None) or fact(stem) or "?"


def _owner(head: bytes, file: TranscriptFile) -> TranscriptFile | None:
    """The session file that a sub-agent's file belongs to, where both are there."""
    if not _AGENT_FILE.match(file.name):
        return None
    first = _SESSION_ID.search(head)
    session = fact(first[1].decode("utf-8", "replace")) if first else None
    beside = file.neighbour(f"{session}.jsonl") if session and _PLAIN.fullmatch(session) else None
    if beside is not None:
        return beside
    folders = file.uri.split("/")[:-1]
    if "subagents" not in folders:
        return None
    depth = len(folders) - folders.index("subagents")
    return file.neighbour("../" * (depth + 1) + folders[-depth - 1] + ".jsonl")


def _sub_agents(file: TranscriptFile, session: str) -> list[_SubAgent]:
    """Sub-agents' files: in the session's folder, or (older) beside it and naming the session."""
    stem = re.sub(r"([*?\[])", r"[\1]", file.name.removesuffix(".jsonl"))
    folders = dict.fromkeys((stem, session) if _PLAIN.fullmatch(session) else (stem,))
    inside = [n for folder in folders for n in file.neighbours(f"{folder}/subagents/**/agent-*.jsonl")]
    beside = [n for n in file.neighbours("agent-*.jsonl") if _mentions(n, session)]
    found: dict[str, _SubAgent] = {}
    for neighbour in inside + beside:
        agent = _AGENT_FILE.match(neighbour.name)
        if agent and agent[1] not in found:
            meta = _meta(neighbour)
            call = fact(meta.get("toolUseId")) or fact(meta.get("parentToolUseId"))
            found[agent[1]] = _SubAgent(agent[1], neighbour, fact(meta.get("agentType")), call)
    return list(found.values())


def _mentions(file: TranscriptFile, session: str) -> bool:
    first = _SESSION_ID.search(_head(file))
    return first is not None and first[1] == session.encode("utf-8", "replace")


def _meta(file: TranscriptFile) -> dict[str, Json]:
    beside = file.neighbour(file.name.removesuffix(".jsonl") + ".meta.json")
    if beside is None or beside.size > _META_BYTES:
        return {}
    with beside.open() as stream:
        try:
            return mapping(decode(stream.read()))
        except BadJson:
            return {}


def _head(file: TranscriptFile) -> bytes:
    with file.open() as stream:
        return stream.read(SNIFFED_BYTES)


def _called(fold: Fold, waiting: dict[str, _SubAgent]) -> deque[_SubAgent]:
    """The sub-agents that the last record called."""
    found = ((waiting.get(name), call) for name, call in fold.called)
    return deque(
        _SubAgent(a.id, a.file, a.kind, a.call or call or None) for a, call in found if a is not None
    )


def _read_agents(fold: Fold, waiting: dict[str, _SubAgent], queue: deque[_SubAgent]) -> Iterator[Read]:
    while queue:  # a queue, not recursion: how deep agents call agents is not ours to trust
        agent = queue.popleft()
        if waiting.pop(agent.id, None) is None:
            continue
        waiting.pop(agent.call or "", None)
        for item in rows(agent.file):
            if isinstance(item, Quarantined):
                yield Quarantined(item.line, f"{agent.file.name}: {item.why}", item.pointer)
            else:
                yield fold.take_agent(item, agent.file.uri, agent.id, agent.kind, agent.call)
                queue.extend(_called(fold, waiting))
