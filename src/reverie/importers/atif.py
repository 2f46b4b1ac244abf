"""Reader of ATIF, the Agent Trajectory Interchange Format (Harbor RFC 0001), v1.x.

ATIF has no field for the outcome. Harbor keeps the reward in the trial's ``result.json``, beside the
trajectory or one folder up; it is looked for there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from reverie.domain.events import PRIMARY_THREAD, Json
from reverie.domain.imports import Guess, Quarantined
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.importers.blocks import content_blocks, json_object
from reverie.importers.documents import Node, roots
from reverie.importers.facts import time_of
from reverie.importers.messages import exit_code_of, is_error
from reverie.importers.outcomes import finite, from_reward
from reverie.importers.transcripts import Account, Builder, Said
from reverie.importers.values import fact, instant, integer, mapping, sequence, string
from reverie.plugins import Read, TranscriptFile

__all__ = ["Atif"]

_VERSION: Final = re.compile(rb'"schema_version"\s*:\s*"ATIF-v(\d+\.\d+)"')
_RESULTS: Final = ("result.json", "../result.json")
_MAX_NESTED: Final = 16
_TOKENS: Final = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "cached_tokens": "cache_read_input_tokens",
}
_COPIED: Final = "context copied from an earlier trajectory"


class Atif:
    """Trajectories of Harbor and everything else that writes ATIF: one document, or one a line."""

    name = "atif"

    def sniff(self, head: bytes, file: TranscriptFile) -> Guess:
        found = _VERSION.search(head)
        if found is not None:
            return Guess(1.0, f"schema_version ATIF-v{found[1].decode()}")
        if all(word in head for word in (b'"steps"', b'"step_id"', b'"source"')):
            return Guess(0.7, "steps with step_id and source")
        return Guess(0.0, "no schema_version of ATIF")

    def default_places(self) -> Sequence[str]:
        return ()

    def read(self, file: TranscriptFile) -> Iterable[Read]:
        account = Account()
        given: Counter[str] = Counter()
        for root in roots(file):
            if isinstance(root, Quarantined):
                account.quarantined.append(root)
                continue
            for node in root.elements() if root.is_array else [root]:
                yield from _Reading(file, account, given).document(node)
        yield from account.statements()


@dataclass(slots=True)
class _Trajectory:
    """A trajectory taken apart: its members decoded but for the lists, which are read one by one."""

    node: Node
    about: dict[str, Json]
    steps: list[Node]
    nested: list[Node]


@dataclass(slots=True)
class _Thread:
    """Where a trajectory's events go, and the subagents' trajectories nobody has called for yet."""

    name: str
    key: str
    depth: int
    calls: list[str] = field(default_factory=list[str])  # of this step
    ids: dict[str, str] = field(default_factory=dict[str, str])  # the source's id → ours, the newest
    used: set[str] = field(default_factory=set[str])
    waiting: dict[str, Node] = field(default_factory=dict[str, Node])

    def call(self, native: str | None, step: Json) -> str:
        """The id of a call in the log: unique in the session, whatever agents and their subagents say."""
        name = native or f"step {step}.{len(self.calls)}"
        ours = f"{self.key}:{name}" if self.key else name
        ours = f"{ours}~{len(self.used)}" if ours in self.used else ours
        self.used.add(ours)
        self.calls.append(ours)
        self.ids[name] = ours
        return ours


class _Reading:
    """One trajectory with its subagents: one session."""

    def __init__(self, file: TranscriptFile, account: Account, given: Counter[str]) -> None:
        self._file = file
        self._account = account
        self._given = given
        self._builder = Builder(Atif.name, file.uri)
        self._begun = False  # whether someone has spoken, so that a system step is no longer the prompt

    def document(self, node: Node) -> Iterator[Transcript]:
        if not node.is_object:
            self._account.refuse(node, "not a JSON object")
            return
        trajectory = self._open(node)
        self._thread(trajectory, _Thread(PRIMARY_THREAD, "", 0))
        trial = {} if trajectory.about.get("continued_trajectory_ref") else self._result()
        if self._builder.events:
            yield self._builder.transcript(self._info(trajectory, trial))

    def _open(self, node: Node) -> _Trajectory:
        members = self._account.members(node)
        steps, nested = members.pop("steps", None), members.pop("subagent_trajectories", None)
        about = {name: self._account.decode(member) for name, member in members.items()}
        if steps is None or not steps.is_array:
            self._account.refuse(steps or node, "a trajectory without a list of steps")
            steps = None
        return _Trajectory(
            node,
            about,
            steps.elements() if steps is not None else [],
            self._account.elements(nested) if nested is not None else [],
        )

    def _thread(self, trajectory: _Trajectory, thread: _Thread) -> None:
        for number, node in enumerate(trajectory.nested):
            thread.waiting[self._name_of(node) or f"{thread.name or 'subagent'}.{number}"] = node
        for number, step in enumerate(trajectory.steps):
            self._step(step, f"{thread.key}/steps/{number}", thread)
        for name in list(thread.waiting):
            self._subagent(name, None, thread)

    def _name_of(self, node: Node) -> str | None:
        ids = {k: m for k, m in node.members() if k in ("trajectory_id", "session_id")}
        decoded = {name: self._account.decode(member) for name, member in ids.items()}
        return fact(decoded.get("trajectory_id")) or fact(decoded.get("session_id"))

    def _subagent(self, name: str, called_by: str | None, thread: _Thread) -> None:
        """A subagent's trajectory, as a thread of its own, where its result comes back."""
        node = thread.waiting.pop(name)
        if thread.depth >= _MAX_NESTED or not node.is_object:
            self._account.refuse(node, f"not an object, or subagents more than {_MAX_NESTED} deep")
            return
        trajectory = self._open(node)
        payload: dict[str, Json] = {
            "thread": name,
            "agent": mapping(trajectory.about.get("agent")).get("name"),
        }
        if called_by:
            payload["parent_tool_use_id"] = called_by
        key = f"{thread.key}/subagents/{name}"
        self._builder.add([Said("session.thread_created", payload)], node, key, thread=thread.name)
        self._thread(trajectory, _Thread(name, key, thread.depth + 1))

    # Steps.

    def _step(self, node: Node, key: str, thread: _Thread) -> None:
        step = self._account.record(node)
        if step is None:
            return
        if step.get("is_copied_context") is True:
            self._account.skip(_COPIED)
            return
        at = time_of(step)
        if string(step.get("timestamp")):
            key = f"{key}@{step['timestamp']}"  # two turns of one session in two files both begin at step 0
        thread.calls = []
        count = self._builder.add(self._said(step, thread), node, key, at=at, thread=thread.name)
        results = sequence(mapping(step.get("observation")).get("results"))
        for number, result in enumerate(results):
            for name in _referred(mapping(result)):
                if name in thread.waiting:
                    self._subagent(name, string(mapping(result).get("source_call_id")), thread)
            said = _result(mapping(result), f"/observation/results/{number}", thread)
            count += self._builder.add(said, node, key, at=at, thread=thread.name)
        self._begun = self._begun or step.get("source") in ("user", "agent")
        if count:
            self._account.used += 1
        else:
            self._account.skip("a step without content")

    def _said(self, step: dict[str, Json], thread: _Thread) -> Iterator[Said]:
        source, shown = step.get("source"), content_blocks(step.get("message"))
        if source == "agent":
            yield from self._agent(step, shown, thread)
        elif source in ("user", "system"):
            if shown and source == "user":
                yield Said("user.message", {"content": shown}, "/message")
            elif shown:
                kind = "injected" if self._begun else "instructions"
                yield Said("system.message", {"content": shown, "kind": kind}, "/message")
        else:
            yield Said("raw", {"kind": f"step of {source}", "record": step})

    def _agent(self, step: dict[str, Json], shown: list[dict[str, Json]], thread: _Thread) -> Iterator[Said]:
        thought = content_blocks(step.get("reasoning_content"))
        if thought:
            yield Said("agent.thinking", {"content": thought}, "/reasoning_content")
        if shown:
            yield Said("agent.message", {"content": shown}, "/message")
        for number, given in enumerate(sequence(step.get("tool_calls"))):
            call = mapping(given)
            native = string(call.get("tool_call_id"))
            ours = thread.call(native, step.get("step_id"))
            name = string(call.get("function_name")) or "unknown"
            payload = {"tool_use_id": ours, "name": name, "input": json_object(call.get("arguments"))}
            yield Said("agent.tool_use", payload, f"/tool_calls/{number}", native)
        metrics = mapping(step.get("metrics"))
        usage = {
            ours: n for theirs, ours in _TOKENS.items() if (n := integer(metrics.get(theirs))) is not None
        }
        if usage:
            yield Said(
                "span.model_request_end", {"model": step.get("model_name"), "usage": usage}, "/metrics"
            )

    # What stands beside the trajectory.

    def _result(self) -> dict[str, Json]:
        """The trial's result, if Harbor left one; its reward is the outcome."""
        for place in _RESULTS:
            file = self._file.neighbour(place)
            root = next(iter(roots(file)), None) if file is not None else None
            if not isinstance(root, Node) or not root.is_object:
                continue
            trial = mapping(Account().decode(root))
            if "trial_name" in trial or "verifier_result" in trial:
                verdict = mapping(trial.get("verifier_result"))
                failure = mapping(trial.get("exception_info"))
                why = fact(failure.get("exception_type"))
                uri = file.uri if file is not None else None
                node = dict(root.members()).get("verifier_result", root)
                self._builder.end(from_reward(_reward(verdict)), node, explanation=why, uri=uri)
                return trial
        return {}

    def _info(self, trajectory: _Trajectory, trial: dict[str, Json]) -> SessionInfo:
        about = trajectory.about
        agent = mapping(about.get("agent"))
        ids = [i for i in (fact(about.get("session_id")), fact(about.get("trajectory_id"))) if i]
        node = trajectory.node
        native = "/".join(dict.fromkeys(ids)) or f"{self._file.uri}#{node.line or ''}{node.pointer}"
        self._given[native] += 1
        if self._given[native] > 1:
            native = f"{native}~{self._given[native]}"
        metrics = {k: v for k, v in mapping(about.get("final_metrics")).items() if finite(v) is not None}
        return SessionInfo(
            Atif.name,
            native,
            agent=fact(agent.get("name")),
            agent_version=fact(agent.get("version")),
            model=fact(agent.get("model_name")) or self._model(),
            task=fact(trial.get("task_name")) or fact(mapping(about.get("extra")).get("task_name")),
            started_at=instant(trial.get("started_at")),
            ended_at=instant(trial.get("finished_at")),
            extra={**metrics, **({"trial": trial["trial_name"]} if fact(trial.get("trial_name")) else {})},
        )

    def _model(self) -> str | None:
        requests = (e for e in self._builder.events if e.type == "span.model_request_end")
        return next((fact(e.payload["model"]) for e in requests), None)


def _referred(result: dict[str, Json]) -> Iterator[str]:
    """The subagents' trajectories that a result names; a list since v1.2, one object before."""
    given = result.get("subagent_trajectory_ref")
    for ref in sequence(given) or [given]:
        for name in ("trajectory_id", "session_id"):
            found = fact(mapping(ref).get(name))
            if found is not None:
                yield found


def _result(result: dict[str, Json], inside: str, thread: _Thread) -> Iterator[Said]:
    """A result and the call it answers: the one it names, else the step's last (output of all of them)."""
    shown, extra = content_blocks(result.get("content")), mapping(result.get("extra"))
    native = string(result.get("source_call_id"))
    if native is None and not thread.calls:
        if shown:  # a terminal's screen, or what a harness had to say
            yield Said("system.message", {"content": shown, "kind": "command"}, inside)
        return
    code = exit_code_of(extra)
    payload: dict[str, Json] = {
        "tool_use_id": thread.ids.get(native, native) if native else thread.calls[-1],
        "content": shown,
        "is_error": is_error(extra) or is_error(result) or bool(code),
    }
    if code is not None:
        payload["exit_code"] = code
    yield Said("agent.tool_result", payload, inside, native)


def _reward(verdict: dict[str, Json]) -> Json:
    """``rewards`` holds one number, or one named ``reward`` among others; older versions, ``reward``."""
    rewards = mapping(verdict.get("rewards"))
    if len(rewards) == 1:
        return next(iter(rewards.values()))
    return rewards.get("reward", verdict.get("reward"))
