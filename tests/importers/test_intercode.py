"""InterCode's logs: commands and what they put out, with a reward for each run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.importers.memory_file import Account, said

from reverie.domain.sessions import Outcome
from reverie.importers.intercode import InterCode
from reverie.testing.importers import MemoryFile

NAME = "ic_bash_multiturn_gpt-4_10_turns.json"
FIXTURE = Path(__file__).parent / "fixtures" / "intercode" / NAME
REAL = Path(__file__).parents[3] / "shared" / "data" / "intercode"


def read(data: bytes, name: str = NAME) -> Account:
    return Account(InterCode(), MemoryFile(f"/x/{name}", {f"/x/{name}": data}))


def test_runs_become_sessions() -> None:
    bash, sql, python = read(FIXTURE.read_bytes()).transcripts
    assert [t.info.task for t in (bash, sql, python)] == ["nl2bash_fs_1/0", "dev/1", "ic_mbpp/2"]
    assert [t.info.outcome for t in (bash, sql, python)] == [
        Outcome("success", 1.0, "reward"),
        Outcome("failure", 0.0, "reward"),
        Outcome("failure", 0.5, "reward"),
    ]
    assert {t.info.model for t in (bash, sql, python)} == {"gpt-4"}
    assert sql.info.extra == {"environment": "ic_sql", "hardness": "easy"}
    assert [(e.type, said(e)) for e in bash.events[:3]] == [
        ("user.message", "Count the files"),
        ("agent.tool_use", ""),
        ("agent.tool_result", "3 3 12"),
    ]


def test_an_action_that_was_not_valid_is_an_error() -> None:
    _, sql, python = read(FIXTURE.read_bytes()).transcripts
    assert sql.events[1].payload["input"] == {"query": "SELECT nam FROM t"}
    assert sql.events[2].payload["is_error"] is True
    assert python.events[2].payload["is_error"] is False


def test_a_broken_run_costs_a_run() -> None:
    account = read(FIXTURE.read_bytes().replace(b'"Names?"', b"NaN"))
    assert [t.info.task for t in account.transcripts] == ["nl2bash_fs_1/0", "ic_mbpp/2"]
    assert [q.pointer for q in account.quarantined] == ["/1"]


@pytest.mark.skipif(not REAL.exists(), reason="../shared/data/intercode is not here")
def test_the_published_logs() -> None:
    labels: Counter[str] = Counter()
    names: set[str] = set()
    for path in sorted(REAL.glob("*.json")):
        account = read(path.read_bytes(), path.name)
        assert not account.quarantined
        labels.update(t.info.outcome.label for t in account.transcripts)
        names |= {t.info.native_id for t in account.transcripts}
    assert labels == {"success": 929, "failure": 424}
    assert len(names) == 1353
