"""Reader of SWE-agent's ``.traj`` files and of mini-swe-agent's trajectories.

Whether the task was solved stands elsewhere, in the report of the benchmark's evaluation; it is looked
for beside the trajectory. "Submitted" alone is no success; a run that stopped for want of money, steps
or context is a failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from reverie.domain.events import Json, record_sha256
from reverie.domain.imports import Guess, Quarantined
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.importers.blocks import content_blocks
from reverie.importers.documents import Node, roots
from reverie.importers.facts import time_of
from reverie.importers.jsonl import BadJson, decode
from reverie.importers.messages import Dialogue, exit_code_of, instructions
from reverie.importers.outcomes import finite, from_flag
from reverie.importers.transcripts import Account, Builder, Said
from reverie.importers.values import fact, mapping, sequence, string, text_block
from reverie.plugins import Read, TranscriptFile

__all__ = ["SweAgent"]

_REPORTS: Final = ("../report.json", "../results.json", "../results/results.json")
_REPORTS_HERE: Final = ("*report*.json", "*results*.json")
_MAX_REPORT: Final = 16 * 2**20
_INSTANCE: Final = re.compile(r"^(?P<owner>[\w.-]+?)__(?P<name>[\w.-]+?)-(?:i?\d+|[0-9a-f]{6,})$")
_SUFFIX: Final = re.compile(r"\.traj(?:\.json)?$|\.json$")
_RETURNED: Final = re.compile(r"<returncode>\s*(-?\d{1,10})\s*</returncode>")
_FENCE: Final = re.compile(r"```(?:mswea_bash_command|bash)[ \t]*\n")
_REFUSED: Final = "The user rejected your command"
_SAID: Final = "following message:\n"
_STOPPED: Final = ("UserInterruption", "UserInterrupt")
_MINI: Final = re.compile(rb'"(?:trajectory_format"\s*:\s*"mini-swe-agent|mini_version")')
_STEPS: Final = (b'"trajectory"', b'"action"', b'"observation"')
_HISTORY: Final = (b'"history"', b'"message_type"', b'"agent"')


class SweAgent:
    """SWE-agent (all generations of ``.traj``) and mini-swe-agent (text and tool-call models)."""

    name = "swe-agent"

    def sniff(self, head: bytes, file: TranscriptFile) -> Guess:
        named = file.name.endswith((".traj", ".traj.json"))
        if _MINI.search(head):
            return Guess(0.95, "a trajectory of mini-swe-agent")
        if all(word in head for word in _STEPS) or all(word in head for word in _HISTORY):
            return Guess(0.95 if named else 0.85, "steps with an action and an observation")
        if named and head.lstrip()[:1] == b"{":
            return Guess(0.8, "a JSON object in a .traj file")
        return Guess(0.0, "no trajectory of SWE-agent")

    def default_places(self) -> Sequence[str]:
        return ()

    def read(self, file: TranscriptFile) -> Iterable[Read]:
        account = Account()
        for root in roots(file):
            if isinstance(root, Quarantined):
                account.quarantined.append(root)
            elif not root.is_object:
                account.refuse(root, "not a JSON object")
            else:
                yield from _Reading(file, account, root).transcripts()
        yield from account.statements()


class _Reading:
    """One trajectory: one session."""

    def __init__(self, file: TranscriptFile, account: Account, root: Node) -> None:
        self._file = file
        self._account = account
        self._builder = Builder(SweAgent.name, file.uri)
        self._root = root
        members = account.members(root)
        self._lists = {
            n: account.elements(members.pop(n)) for n in ("messages", "history", "trajectory") if n in members
        }
        self._about = {name: account.decode(member) for name, member in members.items()}
        self._mini = "messages" in self._lists

    def transcripts(self) -> Iterator[Transcript]:
        if not self._lists:
            self._account.refuse(self._root, "no messages, history or trajectory")
        if self._mini:
            _Mini(self._builder, self._account).read(self._lists["messages"])
        elif not _Full(self._builder, self._account).read(self._lists.get("history", []), self._steps()):
            self._from_steps()
        if self._builder.events:
            info = self._info()
            self._judge(
                info.extra.get("instance"), string(mapping(self._about.get("info")).get("exit_status"))
            )
            yield self._builder.transcript(info)

    def _steps(self) -> list[Node]:
        return self._lists.get("trajectory", [])

    def _from_steps(self) -> None:
        """A file without a history (or with demonstrations only): the steps are all there is."""
        dialogue = Dialogue()
        for order, node in enumerate(self._steps()):
            step = self._account.record(node)
            if step is not None:
                self._builder.add(_step_said(step, dialogue), node, f"/trajectory/{order}")
                self._account.used += 1

    # What the file, and the files around it, tell about the session.

    def _info(self) -> SessionInfo:
        info = mapping(self._about.get("info"))
        config = mapping(info.get("config"))
        instance = self._instance()
        known = _INSTANCE.match(instance or "")
        native = record_sha256(self._file.uri.encode() + (self._first() or b""))[:24]
        return SessionInfo(
            SweAgent.name,
            f"{instance or 'run'}:{native}",
            agent="mini-swe-agent" if self._mini else "swe-agent",
            agent_version=fact(info.get("mini_version")) or fact(info.get("swe_agent_version")),
            model=fact(mapping(config.get("model")).get("model_name")) or self._replayed_model(),
            repository=f"{known['owner']}/{known['name']}" if known else None,
            cwd=fact(mapping(config.get("environment")).get("cwd")),
            task=instance,
            extra=_extra(info, instance),
        )

    def _instance(self) -> str | None:
        """The task's id: named in the file, else the file's name when it reads like one."""
        for name in ("instance_id", "environment"):
            named = fact(self._about.get(name))
            if named is not None and named not in ("swe_main", "main"):
                return named
        stem = _SUFFIX.sub("", self._file.name)
        return stem if "__" in stem else None

    def _first(self) -> bytes | None:
        return next((nodes[0].raw for nodes in self._lists.values() if nodes), None)

    def _replayed_model(self) -> str | None:
        replay: Json = self._about.get("replay_config")
        if isinstance(replay, str):
            try:
                replay = decode(replay.encode("utf-8", "replace"))
            except BadJson:
                return None
        agent = mapping(mapping(replay).get("agent"))
        return fact(mapping(agent.get("model")).get("name")) or fact(
            mapping(agent.get("model")).get("model_name")
        )

    def _judge(self, instance: Json, exit_status: str | None) -> None:
        for report in self._reports():
            root = next(iter(roots(report)), None)
            value = Account().decode(root) if isinstance(root, Node) and root.is_object else None
            outcome = _verdict(mapping(value), instance if isinstance(instance, str) else "")
            if outcome is not None and isinstance(root, Node):
                self._builder.end(outcome, root, explanation=exit_status, uri=report.uri)
                return
        if exit_status is not None and not exit_status.lower().startswith("submitted"):
            self._builder.end(Outcome("failure", None, "exit status"), self._root, explanation=exit_status)

    def _reports(self) -> Iterator[TranscriptFile]:
        for pattern in _REPORTS_HERE:
            yield from (r for r in self._file.neighbours(pattern) if r.size <= _MAX_REPORT)
        for place in _REPORTS:
            report = self._file.neighbour(place)
            if report is not None and report.size <= _MAX_REPORT:
                yield report


class _Full:
    """SWE-agent's history: the messages as the model saw them, with the action that was parsed from each."""

    def __init__(self, builder: Builder, account: Account) -> None:
        self._builder = builder
        self._account = account
        self._dialogue = Dialogue()
        self._acted = False
        self._took: int | None = None

    def read(self, history: list[Node], steps: list[Node]) -> bool:
        """Whether the history holds the run; then the steps only add how long each action took."""
        records = [self._account.record(node) for node in history]
        own = [r for r in records if r is not None and r.get("role") == "assistant" and not r.get("is_demo")]
        if not own and steps:
            self._account.skip("history that the steps repeat", sum(r is not None for r in records))
            return False
        durations = _durations(steps, own)
        for order, (node, record) in enumerate(zip(history, records, strict=True)):
            if record is None:
                continue
            if record.get("is_demo"):
                self._account.skip("a demonstration from another run")
                continue
            said = list(self._said(record, durations))
            if self._builder.add(said, node, f"/history/{order}", at=time_of(record)):
                self._account.used += 1
            else:
                self._account.skip("a message without content")
        self._account.skip("steps that the history repeats", len(steps))
        return True

    def _said(self, record: dict[str, Json], durations: list[int | None]) -> Iterator[Said]:
        role, content = record.get("role"), record.get("content")
        if role == "system":
            yield from instructions(content, "/content")
        elif role == "assistant":
            self._acted = True
            self._took = durations.pop(0) if durations else None
            yield from _action_said(record, self._dialogue)
        elif not self._acted:
            yield Said("user.message", {"content": content_blocks(content)}, "/content")
        elif self._dialogue.waiting:  # an observation, whether its role is user or tool
            native = next(iter(sequence(record.get("tool_call_ids"))), None)
            said = self._dialogue.answer({"tool_call_id": native, "content": content}, "/content")
            took = {"duration_ms": self._took} if self._took is not None else {}
            yield Said(said.type, {**said.payload, **took}, "/content", said.native_id)
        else:
            yield Said("system.message", {"content": content_blocks(content), "kind": "injected"}, "/content")


class _Mini:
    """mini-swe-agent's messages. A user's turn after an action is what the action put out."""

    def __init__(self, builder: Builder, account: Account) -> None:
        self._builder = builder
        self._account = account
        self._dialogue = Dialogue()
        self._open = 0
        self._asked = False

    def read(self, messages: list[Node]) -> None:
        for order, node in enumerate(messages):
            record = self._account.record(node)
            if record is None:
                continue
            extra = mapping(record.get("extra"))
            said = list(self._said(record, extra))
            if self._builder.add(said, node, f"/messages/{order}", at=time_of(extra) or time_of(record)):
                self._account.used += 1
            else:
                self._account.skip("a message without content")

    def _said(self, record: dict[str, Json], extra: dict[str, Json]) -> Iterator[Said]:
        role = record.get("role")
        if role == "exit":
            content = content_blocks(record.get("content"))
            yield Said("system.message", {"content": content, "kind": "injected"}, "/content")
        elif role == "assistant" or record.get("object") == "response":
            yield from self._agent(record, extra)
        elif role == "user":
            yield from self._user(record, extra)
        else:
            yield from (self._with_status(said, record, extra) for said in self._dialogue.read(record))

    def _agent(self, record: dict[str, Json], extra: dict[str, Json]) -> Iterator[Said]:
        said = self._dialogue.read(record)
        yield from said
        self._open = sum(item.type == "agent.tool_use" for item in said)
        if self._open:
            return
        given = [string(mapping(action).get("command")) for action in sequence(extra.get("actions"))]
        commands = [c for c in given if c] or _fenced(str(record.get("content") or ""))
        for order, command in enumerate(commands if given or len(commands) == 1 else ()):  # else: refused
            self._open += 1
            call: dict[str, Json] = {"name": "bash", "arguments": {"command": command}}
            yield self._dialogue.call(call, f"/extra/actions/{order}" if given else "/content")

    def _user(self, record: dict[str, Json], extra: dict[str, Json]) -> Iterator[Said]:
        shown = content_blocks(record.get("content"))
        text = "\n".join(str(b.get("text", "")) for b in shown)
        if extra.get("interrupt_type") in _STOPPED:
            yield Said("user.interrupt", {"reason": text}, "/content")
        elif not self._asked:
            self._asked = True
            yield from self._dialogue.read(record)
        elif self._open and not extra.get("interrupt_type"):
            self._open -= 1
            said = self._with_status(
                self._dialogue.answer({"content": record.get("content")}, "/content"), record, extra
            )
            yield said
            if _REFUSED in text[:200]:
                why = text.partition(_SAID)[2] or text
                payload = {"tool_use_id": said.payload["tool_use_id"], "result": "deny", "deny_message": why}
                yield Said("user.tool_confirmation", payload, "/content")
        elif shown:
            self._open = 0
            yield Said("system.message", {"content": shown, "kind": "injected"}, "/content")

    def _with_status(self, said: Said, record: dict[str, Json], extra: dict[str, Json]) -> Said:
        """The exit status of a command: beside its output, or in it."""
        if said.type != "agent.tool_result":
            return said
        code = exit_code_of(extra)
        found = _RETURNED.search(str(record.get("content") or record.get("output") or ""))
        code = code if code is not None or found is None else int(found[1])
        if code is None:
            return said
        return Said(
            said.type, {**said.payload, "is_error": code != 0, "exit_code": code}, said.inside, said.native_id
        )


def _fenced(text: str) -> list[str]:
    """The commands in fenced blocks. Linear: without a closing fence nothing later has one either."""
    found: list[str] = []
    opening = _FENCE.search(text)
    while opening is not None:
        end = text.find("\n```", opening.end() - 1)
        if end < 0:
            break
        found.append(text[opening.end() : end].strip())
        opening = _FENCE.search(text, end + 4)
    return found


def _action_said(record: dict[str, Json], dialogue: Dialogue) -> Iterator[Said]:
    """A thought and the action parsed from it; the text of the message where neither is told."""
    thought = string(record.get("thought"))
    if thought is not None:
        yield Said("agent.message", {"content": [text_block(thought)]}, "/thought")
    calls = sequence(record.get("tool_calls"))
    if thought is None and (calls or not string(record.get("action"))):
        yield from (s for s in dialogue.read({**record, "tool_calls": None}))
    for order, call in enumerate(calls):
        yield dialogue.call(mapping(call), f"/tool_calls/{order}")
    if not calls and string(record.get("action")):
        yield dialogue.call({"name": "bash", "arguments": {"command": record["action"]}}, "/action")


def _step_said(step: dict[str, Json], dialogue: Dialogue) -> Iterator[Said]:
    """One entry of ``trajectory``: thought, action, observation."""
    yield from _action_said({**step, "content": step.get("response")}, dialogue)
    if string(step.get("action")):
        said = dialogue.answer({"content": step.get("observation")}, "/observation")
        took = _milliseconds(step.get("execution_time"))
        yield Said(
            said.type, {**said.payload, **({} if took is None else {"duration_ms": took})}, said.inside
        )


def _durations(steps: list[Node], own: list[dict[str, Json]]) -> list[int | None]:
    """How long each action took, where steps and messages correspond one to one."""
    if len(steps) != len(own):
        return []
    decoded = [mapping(Account().decode(step)) for step in steps]
    if any(s.get("action") != r.get("action") for s, r in zip(decoded, own, strict=True)):
        return []
    return [_milliseconds(step.get("execution_time")) for step in decoded]


def _milliseconds(seconds: Json) -> int | None:
    value = finite(seconds)
    return None if value is None else round(value * 1000)


def _extra(info: dict[str, Json], instance: str | None) -> dict[str, Json]:
    stats = {k: v for k, v in mapping(info.get("model_stats")).items() if finite(v) is not None}
    status = fact(info.get("exit_status"))
    return {
        **stats,
        **({"exit_status": status} if status else {}),
        **({"instance": instance} if instance else {}),
    }


def _verdict(report: dict[str, Json], instance: str) -> Outcome | None:
    """What an evaluation's report says about one task, in any of the forms SWE-bench has used."""
    own = report.get(instance)
    flag = (
        from_flag(own if isinstance(own, bool) else mapping(own).get("resolved"), "report")
        if instance
        else None
    )
    if flag is not None:
        return flag
    solved = sequence(report.get("resolved_ids")) or sequence(report.get("resolved"))
    if instance in solved:
        return Outcome("success", None, "report")
    judged = (
        "resolved_ids",
        "unresolved_ids",
        "completed_ids",
        "submitted_ids",
        "resolved",
        "applied",
        "generated",
    )
    if any(instance in sequence(report.get(name)) for name in judged):
        return Outcome("failure", None, "report")
    return None
