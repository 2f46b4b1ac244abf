"""docs/how-to/models.md does not lie: its example runs, its names can be made, its numbers are those in force."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reverie.models.providers import Providers
from reverie.models.wire import Patience

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "models.md").read_text("utf-8")


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    exec(compile(example, "models.md", "exec"), {})
    assert capsys.readouterr().out == "read → The rent is due on Friday.\n"


def test_every_name_in_the_table_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "VLLM_BASE_URL"):
        monkeypatch.setenv(variable, "http://localhost:8000/v1")
    table = PAGE.partition("## Which")[0]
    names = re.findall(r"`((?:anthropic|openai|ollama|vllm|openai-compatible):[^`…]+)`", table)
    assert len(names) == 6
    for name in names:
        if "MODEL@URL" not in name:
            assert Providers().make(name).name == name


def test_the_limits_are_those_in_force() -> None:
    told, patience = " ".join(PAGE.split()), Patience()
    assert f"{patience.connect_s:.0f} seconds without a connection" in told
    assert f"{patience.silence_s:.0f} seconds of silence" in told
    assert f"{patience.whole_s:.0f} seconds for an answer in one piece" in told
    assert patience.longest_s == 3600 and "an hour in all" in told
    assert f"at most {patience.most_answer >> 20} MiB" in told
