"""Which models may be used: what ``REVERIE_MODELS`` says, and where it says nothing."""

from __future__ import annotations

import pytest

from reverie.domain.errors import NotFound
from reverie.workspaces.models import MODELS, Models

BARE = ("claude-opus-5-5", "gpt-5")
NAMED = ("openai:gpt-5", "ollama:qwen3:8b", "openrouter:meta/llama", "scripted:demo:reply")
POINTING = (
    "openai-compatible:m@http://169.254.169.254/v1",
    "scripted:/tmp/a.py:reply",
    "scripted:./a.py:reply",
)


def test_where_nothing_is_configured_a_provider_suffices_but_no_address_and_no_file() -> None:
    models = Models("")
    assert models.ids == ()
    assert [models.resolve(name) for name in NAMED] == list(NAMED)
    for name in (*BARE, *POINTING):
        with pytest.raises(NotFound, match=MODELS):
            models.resolve(name)


def test_what_is_configured_is_all_there_is() -> None:
    models = Models(f"ollama:qwen3, {POINTING[0]},{POINTING[1]}")
    assert [models.resolve(name) for name in models.ids] == ["ollama:qwen3", *POINTING[:2]]
    assert {models.resolve(name) for name in BARE} == {"ollama:qwen3"}
    for name in (*NAMED, POINTING[2]):
        with pytest.raises(NotFound, match="ollama:qwen3"):
            models.resolve(name)


def test_who_runs_the_process_may_name_any() -> None:
    models = Models("ollama:qwen3")
    models.allow(POINTING[2])
    assert models.resolve(POINTING[2]) == POINTING[2]
    assert models.ids == ("ollama:qwen3",), "it is not listed"
    with pytest.raises(NotFound):
        models.resolve(POINTING[0])
