"""Models, as the SDK knows them: what is configured, and honesty where nothing is."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from anthropic.types.beta import BetaModelInfo

from reverie.workspaces.models import MODELS

CONFIGURED = ["anthropic:claude-opus-5-5", "ollama:qwen3", "openai:gpt"]


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv(MODELS, f" {CONFIGURED[0]}, {CONFIGURED[1]},,{CONFIGURED[2]}, {CONFIGURED[1]} ")
    return CONFIGURED


def test_the_configured_ones_in_their_order(models: list[str], sdk: Any, strict: Any) -> None:
    for listed in (sdk.beta.models.list, sdk.models.list):
        assert [model.id for model in listed()] == models
        assert [model.id for model in listed(limit=1)] == models
    page = sdk.beta.models.list(limit=2)
    strict(page.data, list[BetaModelInfo])
    assert (page.has_more, page.first_id, page.last_id) == (True, models[0], models[1])
    assert [model.id for model in sdk.beta.models.list(after_id=models[0])] == models[1:]
    before = sdk.beta.models.list(before_id=models[2], limit=1)
    assert ([model.id for model in before.data], before.has_more) == ([models[1]], True)
    assert list(sdk.beta.models.list(lifecycle=["retired", "deprecated"])) == []
    assert len(list(sdk.beta.models.list(lifecycle=["active"]))) == 3
    for wrong in ({"limit": 0}, {"limit": 1001}, {"after_id": "nobody"}, {"lifecycle": ["young"]}):
        with pytest.raises(anthropic.BadRequestError, match=next(iter(wrong))):
            sdk.beta.models.list(**wrong)


def test_an_id_without_a_provider_stands_for_the_default(models: list[str], sdk: Any, strict: Any) -> None:
    found = sdk.beta.models.retrieve("ollama:qwen3")
    strict(found, BetaModelInfo)
    assert (found.id, found.capabilities, found.max_tokens) == ("ollama:qwen3", None, None)
    assert sdk.beta.models.retrieve("claude-sonnet-5").id == models[0]
    assert sdk.models.retrieve("claude-opus-5-5").id == models[0]
    with pytest.raises(anthropic.NotFoundError, match="ollama:qwen3"):
        sdk.beta.models.retrieve("ollama:another")


def test_nothing_is_claimed_where_nothing_is_configured(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.delenv(MODELS, raising=False)
    client: anthropic.Anthropic = request.getfixturevalue("client")
    assert list(client.beta.models.list()) == []
    with pytest.raises(anthropic.NotFoundError, match=MODELS):
        client.beta.models.retrieve("claude-opus-5-5")
