"""The reference of the HTTP API does not lie: its example runs, its numbers and names are those in force."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anthropic
import pytest
from tests.contract import serving

import reverie
from reverie.server import absent, errors
from reverie.server.app import build
from reverie.server.routes import ENDPOINTS
from reverie.server.settings import MAX_BODY, Settings

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text("utf-8")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with reverie.open(tmp_path / "r.db") as house, serving.sync_http(build(house)) as http:
        monkeypatch.setattr(anthropic, "Anthropic", partial(anthropic.Anthropic, http_client=http))
        yield


@pytest.mark.usefixtures("client")
def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    exec(compile(example, "api.md", "exec"), {})
    assert "user.message" in capsys.readouterr().out


def test_the_limits_are_those_in_force() -> None:
    settings = Settings()
    told = PAGE.replace(",", "").replace("\n", " ")
    assert f"{settings.creates_per_minute} requests a minute" in told
    assert f"{settings.reads_per_minute} that read" in told
    assert f"{settings.streams_per_key} streams" in told
    assert f"{MAX_BODY >> 20} MB" in told
    largest = max(it.limit for it in ENDPOINTS if it.path == "/v1/files")
    assert f"files: {largest // (1 << 20)} MB" in told or f"files: {largest // 10**6} MB" in told


def test_every_type_of_error_is_told() -> None:
    table = dict.fromkeys(re.findall(r"`(\w+_error|request_too_large)`", PAGE))
    assert {kind for _, kind in errors.STATUS.values()} <= table.keys()


def test_every_resource_is_told() -> None:
    words = PAGE.lower().replace("\n", " ")
    for tag in {it.tag for it in ENDPOINTS}:
        assert tag.replace("_", " ") in words, tag
    for path in absent.ABSENT:
        name = path.removeprefix("/v1/").replace("_", " ").rstrip("s")
        assert name in words or name == "complete", path
