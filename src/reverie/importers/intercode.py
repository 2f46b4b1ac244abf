"""Reader of InterCode's experiment logs: ``{"0": {environment, dataset, task_id, query, turn_history …}}``.

Each entry is one run: a question, then commands and what they put out. A reward of 1 in any turn is
success, as InterCode counts it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from reverie.domain.events import Json, record_sha256
from reverie.domain.imports import Guess, Quarantined
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.importers.blocks import content_blocks
from reverie.importers.documents import Node, roots, step
from reverie.importers.outcomes import from_reward
from reverie.importers.transcripts import Account, Builder, Said
from reverie.importers.values import fact, mapping, sequence, string, text_block
from reverie.plugins import Read, TranscriptFile

__all__ = ["InterCode"]

_ARGUMENT: Final = {"bash": "command", "sql": "query", "python": "code"}
_MODEL: Final = re.compile(
    r"_(?:multiturn|tryagain|plan_solve|react|singleturn)_(?P<model>.+?)(?:_\d+_turns.*)?$"
)
_SIGNS: Final = (b'"turn_history"', b'"actions"')


class InterCode:
    """InterCode's interactive bash, SQL and Python."""

    name = "intercode"

    def sniff(self, head: bytes, file: TranscriptFile) -> Guess:
        if head.lstrip()[:1] == b"{" and all(sign in head for sign in _SIGNS):
            return Guess(0.95, "runs with a turn_history of actions")
        return Guess(0.0, "no turn_history")

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
                for key, run in account.members(root).items():
                    yield from _run(file, account, key, run)
        yield from account.statements()


def _run(file: TranscriptFile, account: Account, key: str, node: Node) -> Iterator[Transcript]:
    run = account.record(node)
    if run is None:
        return
    if "turn_history" not in run:
        account.refuse(node, "a run without turn_history")
        return
    builder = Builder(InterCode.name, file.uri)
    builder.add(_said(run), node, "")
    summary = mapping(run.get("summary"))
    rewards = [r for r in sequence(mapping(run["turn_history"]).get("rewards")) if isinstance(r, int | float)]
    builder.end(from_reward(summary.get("max_reward", max(rewards, default=None))), node)
    if not builder.events:
        account.skip("a run without content")
        return
    account.used += 1
    yield builder.transcript(_info(file.name, key, run))


def _said(run: dict[str, Json]) -> Iterator[Said]:
    asked = string(run.get("query"))
    if asked is not None:
        yield Said("user.message", {"content": [text_block(asked)]}, "/query")
    turns = mapping(run["turn_history"])
    tool = (string(run.get("environment")) or "").removeprefix("ic_") or "unknown"
    observed, valid = sequence(turns.get("observations")), sequence(turns.get("valid_action"))
    for number, action in enumerate(sequence(turns.get("actions"))):
        call = f"turn {number}"
        given: dict[str, Json] = {_ARGUMENT.get(tool, "action"): action}
        yield Said(
            "agent.tool_use",
            {"tool_use_id": call, "name": tool, "input": given},
            f"/turn_history/actions{step(number)}",
        )
        if number < len(observed):
            refused = number < len(valid) and valid[number] is False
            shown = content_blocks(observed[number])
            payload = {"tool_use_id": call, "content": shown, "is_error": refused}
            yield Said("agent.tool_result", payload, f"/turn_history/observations{step(number)}")


def _info(name: str, key: str, run: dict[str, Json]) -> SessionInfo:
    stem = PurePosixPath(name).stem
    dataset = PurePosixPath(string(run.get("dataset")) or "").stem
    task = run.get("task_id", key)
    model = _MODEL.search(stem)
    query = record_sha256(str(run.get("query")).encode("utf-8", "replace"))[:12]
    return SessionInfo(
        InterCode.name,
        f"{stem}/{key}/{query}",
        model=fact(model["model"]) if model else None,
        task=fact(f"{dataset or run.get('environment')}/{task}"),
        extra={k: run[k] for k in ("environment", "hardness") if fact(run.get(k)) is not None},
    )
