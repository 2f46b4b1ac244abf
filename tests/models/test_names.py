"""What a model may be called, and what is said when it cannot be made."""

from __future__ import annotations

import pytest

from reverie.domain.errors import ConfigError
from reverie.models.providers import Providers
from reverie.models.registry import ModelRegistry
from reverie.models.scripted import Scripted
from reverie.plugins import MODELS, ModelMaker, load


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "OLLAMA_BASE_URL",
        "OPENROUTER_API_KEY",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("anthropic:claude-opus-5-5", "ANTHROPIC_API_KEY"),
        ("openai:gpt-5", "OPENAI_API_KEY"),
        ("openrouter:meta/llama", "OPENROUTER_API_KEY"),
        ("vllm:qwen3", "VLLM_BASE_URL"),
    ],
)
def test_a_missing_key_is_named(name: str, variable: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Providers().make(name)
    assert caught.value.where == name
    assert f"${variable} is not set" in caught.value.what
    assert variable in str(caught.value.hint)
    assert "Pydantic" not in str(caught.value)


def test_an_unknown_provider_has_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"(?s)no provider 'antropic'.*did you mean anthropic\?"):
        Providers().make("antropic:claude")
    with pytest.raises(ConfigError, match="openai-compatible"):
        Providers().make("zzz:claude")


def test_a_provider_whose_package_is_missing_says_what_to_install() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'pydantic-ai-slim\[groq\]'"):
        Providers().make("groq:llama")


@pytest.mark.parametrize(
    "rest",
    ["qwen3", "qwen3@localhost:8000", "@http://localhost/v1", "m@http://", "m@http://me:secret@localhost/v1"],
)
def test_a_server_of_ones_own_needs_a_model_and_an_address(rest: str) -> None:
    with pytest.raises(ConfigError, match="openai-compatible:MODEL@URL"):
        Providers().make(f"openai-compatible:{rest}")


@pytest.mark.parametrize("model", ["qwen3:8b", "@cf/meta/llama", "org/model@v2"])
def test_a_model_may_have_any_name_on_it(model: str) -> None:
    name = f"openai-compatible:{model}@http://localhost:8000/v1"
    assert Providers().make(name).name == name


@pytest.mark.parametrize("url", ["http://[::1", "http://host:port/v1", "http://host:99999/v1"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Providers().make(f"openai-compatible:m@{url}")
    assert caught.value.where


@pytest.mark.parametrize(
    "name", ["voyageai:voyage-3", "bedrock:x", "azure:x", "google:gemini", "gateway/openai:gpt-5"]
)
def test_whatever_cannot_be_made_says_so_in_one_way(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Providers().make(name)
    assert caught.value.where == name


def test_ollama_is_where_it_always_is() -> None:
    assert Providers().make("ollama:qwen3").name == "ollama:qwen3"


def test_the_registry_asks_the_maker_of_the_provider_and_else_the_default() -> None:
    makers = {name: kind() for name, kind in load(MODELS).items()}
    assert set(makers) >= {"default", "scripted"}
    assert all(isinstance(maker, ModelMaker) for maker in makers.values())
    registry = ModelRegistry({name: maker for name, maker in makers.items() if isinstance(maker, ModelMaker)})
    assert registry.model("ollama:qwen3") is registry.model("ollama:qwen3")
    assert registry.model(f"scripted:{__name__}:_script").name == f"scripted:{__name__}:_script"


@pytest.mark.parametrize("name", ["", "qwen3", ":qwen3", "ollama:"])
def test_a_name_without_a_provider_or_a_model(name: str) -> None:
    with pytest.raises(ConfigError, match="provider:model"):
        ModelRegistry({"default": Providers()}).model(name)


def test_a_registry_without_a_maker_for_it() -> None:
    with pytest.raises(ConfigError, match=r"nobody makes models of 'ollama'; makers: scripted"):
        ModelRegistry({"scripted": Scripted()}).model("ollama:qwen3")


def _script(request: object) -> str:
    return "hello"
