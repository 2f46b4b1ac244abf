"""No model of a provider is asked in a test: not in this process, and not in those it starts."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest
from tests.models.provider import serving

from reverie.domain.errors import ConfigError
from reverie.domain.messages import ModelRequest, Text, UserTurn
from reverie.models.guard import MODEL_REQUESTS
from reverie.models.providers import Providers
from reverie.testing.models import no_model_requests

HELLO = ModelRequest([UserTurn([Text("hello")])])


def _ask(name: str) -> str:
    async def once() -> str:
        model = Providers().make(name)
        try:
            return str((await model.respond(HELLO)).parts)
        finally:
            await model.aclose()

    return asyncio.run(once())


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a real one, for all anybody knows")
    monkeypatch.setenv("OPENAI_API_KEY", "a real one, for all anybody knows")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.mark.parametrize(
    "name",
    [
        "anthropic:claude-opus-5-5",
        "openai:gpt-5",
        "openai-compatible:any@https://example.org/v1",
        "openai-compatible:any@http://127.0.0.1.example.org/v1",
        "openai-compatible:any@http://10.0.0.1/v1",
    ],
)
def test_the_whole_suite_runs_with_providers_out_of_reach(name: str) -> None:
    assert os.environ[MODEL_REQUESTS] == "loopback"
    with pytest.raises(ConfigError, match="models may not be asked here"):
        _ask(name)


def test_a_server_of_this_machine_may_be_asked_unless_nothing_may() -> None:
    with serving(["Hello."]) as provider:
        name = f"openai-compatible:any@{provider.url}"
        assert "Hello." in _ask(name)
        with no_model_requests(), pytest.raises(ConfigError, match="REVERIE_MODEL_REQUESTS=none"):
            _ask(name)
        assert len(provider.requests) == 1


def test_pydantic_ai_is_told_too_and_told_back() -> None:
    from pydantic_ai import models

    with no_model_requests():
        assert models.ALLOW_MODEL_REQUESTS is False
        assert os.environ[MODEL_REQUESTS] == "none"
    assert models.ALLOW_MODEL_REQUESTS is True
    assert os.environ[MODEL_REQUESTS] == "loopback"


def test_a_process_that_a_test_starts_obeys() -> None:
    asks = """
import asyncio
from reverie.domain.messages import ModelRequest, Text, UserTurn
from reverie.models.providers import Providers
asyncio.run(Providers().make("anthropic:claude-opus-5-5").respond(ModelRequest([UserTurn([Text("hello")])])))
"""
    ran = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "models may not be asked here" in ran.stderr


def test_an_unknown_word_is_not_taken_for_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODEL_REQUESTS, "yes")
    with pytest.raises(ConfigError, match="none, loopback or all"):
        _ask("anthropic:claude-opus-5-5")
