"""Reader of tau-bench results: a list of runs, and tau2's documents of simulations.

The customer is simulated, and so is everything a customer says: the session has no user (evidence
counted by user would count one simulator). What the customer says is a ``user.message`` all the same:
within the session it is the person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reverie.domain.events import Json, record_sha256
from reverie.domain.imports import Guess, Quarantined
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.importers.documents import Node, roots
from reverie.importers.facts import time_of
from reverie.importers.messages import Dialogue
from reverie.importers.outcomes import from_reward
from reverie.importers.transcripts import Account, Builder, Said
from reverie.importers.values import fact, instant, mapping, string
from reverie.plugins import Read, TranscriptFile

__all__ = ["TauBench"]

_DOMAINS: Final = "airline|retail|telecom|banking_knowledge|banking|mock"
_IN_NAME: Final = re.compile(rf"(?:^|[-_.])({_DOMAINS})(?=[-_.]|$)")
_STRATEGY: Final = re.compile(r"^(?:tool-calling|act|react|few-shot)-")
_RUN: Final = re.compile(r"-\d+(?:\.\d+)?_range_.*$")
_POLICY: Final = re.compile(rf"#\s*({_DOMAINS}) agent policy", re.IGNORECASE)
_ONE: Final = (b'"task_id"', b'"traj"')
_TWO: Final = (b'"info"', b'"environment_info"', b'"agent_info"')
_SETTINGS: Final = "../results.json"  # beside a folder that holds each simulation in a file of its own
_NOT_EVALUATED: Final = frozenset({"infrastructure_error", "context_window_exceeded"})


@dataclass(frozen=True, slots=True)
class _Setting:
    """What holds for all runs of a file."""

    domain: str | None = None
    model: str | None = None
    agent: str | None = None
    version: str | None = None


class TauBench:
    """tau-bench (a list of ``{task_id, trial, reward, info?, traj}``) and tau2 (``{info, simulations}``)."""

    name = "tau-bench"

    def sniff(self, head: bytes, file: TranscriptFile) -> Guess:
        start = head.lstrip()[:1]
        if start == b"[" and all(word in head for word in _ONE):
            return Guess(0.95, "a list of runs with task_id and traj")
        if start == b"{" and (b'"simulations"' in head or all(word in head for word in _TWO)):
            return Guess(0.9, "simulations of a tau2 environment")
        if start == b"{" and all(word in head for word in (b'"task_id"', b'"termination_reason"')):
            return Guess(0.9, "one simulation of a tau2 run")
        return Guess(0.0, "no task_id with traj, no simulations")

    def default_places(self) -> Sequence[str]:
        return ()

    def read(self, file: TranscriptFile) -> Iterable[Read]:
        reading = _Reading(file)
        for root in roots(file):
            if isinstance(root, Quarantined):
                reading.account.quarantined.append(root)
            else:
                yield from reading.root(root)
        yield from reading.account.statements()


class _Reading:
    def __init__(self, file: TranscriptFile) -> None:
        self.account = Account()
        self._file = file
        self._given: set[str] = set()

    def root(self, node: Node) -> Iterator[Transcript]:
        if node.is_array:
            setting = _from_name(self._file.name)
            for child in node.elements():
                yield from self._run(child, setting)
            return
        members = self.account.members(node)
        if "simulations" in members:
            setting = self._setting(members)
            runs = self.account.elements(members["simulations"])
            for child in runs:
                yield from self._run(child, setting)
            if not runs:
                self.account.skip("settings of a run whose simulations are elsewhere")
        else:
            yield from self._run(node, self._setting_beside() or _from_name(self._file.name))

    def _setting_beside(self) -> _Setting | None:
        beside = self._file.neighbour(_SETTINGS)
        root = next(iter(roots(beside)), None) if beside is not None else None
        if not isinstance(root, Node):
            return None
        return self._setting({name: node for name, node in root.members() if name == "info"})

    def _setting(self, members: dict[str, Node]) -> _Setting:
        """tau2 says in ``info`` what the first generation has in the file's name."""
        info = mapping(self.account.decode(members["info"])) if "info" in members else {}
        agent = mapping(info.get("agent_info"))
        domain = string(mapping(info.get("environment_info")).get("domain_name"))
        return _Setting(
            domain,
            fact(agent.get("llm")),
            fact(agent.get("implementation")),
            (string(info.get("git_commit")) or "")[:12] or None,
        )

    def _run(self, node: Node, setting: _Setting) -> Iterator[Transcript]:
        if not node.is_object:
            self.account.refuse(node, "not a JSON object")
            return
        members = self.account.members(node)
        listed = members.pop("traj", None) or members.pop("messages", None)
        if listed is None:
            self.account.refuse(node, "a run without traj or messages")
            return
        about = {name: self.account.decode(m) for name, m in members.items() if name != "ticks"}
        builder, dialogue = Builder(TauBench.name, self._file.uri), Dialogue()
        elements = self.account.elements(listed)
        for number, element in enumerate(elements):
            record = self.account.record(element)
            if record is None:
                continue
            key = f"/{number}"
            if builder.add(_said(dialogue, record), element, key, at=time_of(record)):
                self.account.used += 1
            else:
                self.account.skip("a message without content")
        outcome, why = _outcome(about)
        builder.end(outcome, members.get("reward") or members.get("reward_info") or node, explanation=why)
        if builder.events:
            yield builder.transcript(self._info(about, setting, elements, builder))

    def _info(
        self, about: dict[str, Json], setting: _Setting, elements: list[Node], builder: Builder
    ) -> SessionInfo:
        task = fact(str(about["task_id"])) if about.get("task_id") is not None else None
        domain = setting.domain or _policy(builder)
        first = record_sha256(b"".join(e.raw for e in elements[:3]))[:12]
        native = string(about.get("id")) or f"{self._file.name}/{task}/{about.get('trial')}/{first}"
        while native in self._given:  # the same task and trial twice in one file
            native += "+"
        self._given.add(native)
        return SessionInfo(
            TauBench.name,
            native,
            agent=setting.agent,
            agent_version=setting.version,
            model=setting.model,
            task=task if domain is None or task is None else f"{domain}/{task}",
            started_at=instant(about.get("start_time")),
            ended_at=instant(about.get("end_time")),
            extra={k: about[k] for k in ("trial", "termination_reason", "seed") if about.get(k) is not None},
        )


def _said(dialogue: Dialogue, record: dict[str, Json]) -> list[Said]:
    """What a message says. In tau2 the simulated customer has tools, too: those calls are not the agent's."""
    if record.get("role") == "user" and record.get("tool_calls"):
        called = [
            replace(s, type="raw", payload={"kind": "customer_tool_use", "record": s.payload})
            for s in _calls(record)
        ]
        return [*dialogue.read({**record, "tool_calls": None}), *called]
    if record.get("role") == "tool" and record.get("requestor") == "user":
        return [Said("raw", {"kind": "customer_tool_result", "record": record})]
    if record.get("role") == "tool" and "tool_messages" in record:
        several = enumerate(mapping(m) for m in record["tool_messages"] or ())
        return [
            replace(s, inside=f"/tool_messages/{n}{s.inside}") for n, m in several for s in _said(dialogue, m)
        ]
    return dialogue.read(record)


def _calls(record: dict[str, Json]) -> list[Said]:
    return [
        s
        for s in Dialogue().read({**record, "role": "assistant", "content": None})
        if s.type == "agent.tool_use"
    ]


def _outcome(about: dict[str, Json]) -> tuple[Outcome | None, str | None]:
    """(the outcome, how the run ended). A reward of 1 is success; without one, no verdict."""
    ended = fact(about.get("termination_reason"))
    reward = about.get("reward")
    if reward is None:
        reward = mapping(about.get("reward_info")).get("reward")
    return None if ended in _NOT_EVALUATED else from_reward(reward), ended


def _from_name(name: str) -> _Setting:
    """``gpt-4o-airline.json``, ``tool-calling-gpt-4o-0.0_range_0--1_user-gpt-4o-llm_0619.json``."""
    stem = name.removesuffix(".json")
    domain = _IN_NAME.search(stem)
    strategy = _STRATEGY.match(stem)
    model = _RUN.sub("", stem[strategy.end() :] if strategy else stem)
    if domain:
        model = _IN_NAME.sub("", model)
    known = domain is not None or strategy is not None
    return _Setting(
        domain[1] if domain else None,
        model.strip("-_.") or None if known else None,
        strategy[0].rstrip("-") if strategy else None,
    )


def _policy(builder: Builder) -> str | None:
    """The domain, by the heading of the agent's policy."""
    for event in builder.events[:1]:
        if event.type == "system.message":
            found = _POLICY.search(str(event.payload["content"])[:2000])
            return found[1].lower() if found else None
    return None
