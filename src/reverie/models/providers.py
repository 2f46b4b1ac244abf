"""Models of every provider that pydantic-ai knows, and of every server that speaks OpenAI's chat completions.

Importing this costs nothing: pydantic-ai and the providers' SDKs are loaded when the first model is made.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from reverie.domain.errors import ConfigError

if TYPE_CHECKING:
    from httpx2 import AsyncClient
    from pydantic_ai.models import Model as Theirs
    from pydantic_ai.providers import Provider

    from reverie.models.asking import ProviderModel
    from reverie.models.wire import Patience

__all__ = ["Providers"]

_ANYWHERE: Final = "openai-compatible"
_KEY_FOR_ANYWHERE: Final = "OPENAI_COMPATIBLE_API_KEY"
_AT: Final = re.compile(r"(?P<model>.+)@(?P<url>https?://.+)")
_OPENAI: Final = ("openai", "OPENAI_BASE_URL", "api.openai.com")
_OLLAMA: Final = ("ollama", "OLLAMA_BASE_URL", "http://localhost:11434/v1")
_OTHER_CLIENT: Final = frozenset({"groq", "cohere", "huggingface", "github"})
"""Providers whose SDKs want an HTTP client of another library: they bring their own."""
_VARIABLE: Final = re.compile(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`")
_SALES: Final = "To try Pydantic AI"


class Providers:
    """Makes models by ``provider:model``, and by ``openai-compatible:model@url`` for a server of one's own.

    Keys and addresses come from the environment, under each provider's usual names. ``patience`` bounds how
    long an answer is waited for and how large it may be.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience

    def make(self, name: str) -> ProviderModel:
        """
        Raises:
            ConfigError: an unknown provider, no key for it, or a package that is not installed.
        """
        from reverie.models.asking import ProviderModel
        from reverie.models.wire import Patience, client

        patience = self._patience or Patience()
        return ProviderModel(name, lambda made: _model(name, made), lambda: client(patience), patience)


def _model(name: str, client: AsyncClient) -> Theirs:
    """pydantic-ai's model of that name, on an HTTP client."""
    from pydantic_ai.models import infer_model

    provider, _, model = name.partition(":")
    try:
        if provider == _ANYWHERE:
            made = _anywhere(name, model, client)
        else:
            made = infer_model(f"{_speaking(provider)}:{model}", lambda _: _provider(provider, client))
    except ConfigError:
        raise
    except ImportError as error:
        hint = f"pip install 'pydantic-ai-slim[{provider}]'"
        raise ConfigError(f"a package is missing: {error}", where=name, hint=hint) from error
    except Exception as error:  # mostly UserError; SDKs have errors of their own for what is not set
        raise _unset(name, str(error)) from error
    _make_strict(made)
    return made


def _anywhere(name: str, rest: str, client: AsyncClient) -> Theirs:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    found = _AT.fullmatch(rest)
    where = _place(found["url"]) if found else None
    if found is None or where is None:
        raise ConfigError(
            "it does not say which model is where",
            where=name,
            hint=f"name it {_ANYWHERE}:MODEL@URL, like {_ANYWHERE}:qwen3@http://localhost:8000/v1",
        )
    provider = OpenAICompatibleProvider(
        where,
        base_url=found["url"],
        api_key=os.environ.get(_KEY_FOR_ANYWHERE),
        http_client=client,
        profile=OpenAIModelProfile(openai_chat_supports_max_completion_tokens=False),  # max_tokens all know
    )
    return OpenAIChatModel(found["model"], provider=provider)


def _place(url: str) -> str | None:
    """A URL's host and port; None where it has none, or a secret (names of models are shown and kept)."""
    try:
        parts = urlsplit(url)
        return parts.netloc if parts.hostname and parts.port != 0 and "@" not in parts.netloc else None
    except ValueError:  # a port that is none
        return None


def _speaking(provider: str) -> str:
    """``openai`` elsewhere than at OpenAI speaks chat completions: few servers know the newer API."""
    named, variable, host = _OPENAI
    elsewhere = urlsplit(os.environ.get(variable, "")).hostname not in (None, host)
    return "openai-chat" if provider == named and elsewhere else provider


def _provider(provider: str, client: AsyncClient) -> Provider[Any]:
    from inspect import signature

    from pydantic_ai.providers import infer_provider, infer_provider_class

    if provider.startswith("gateway/"):
        return infer_provider(provider)
    try:
        kind = infer_provider_class(provider)
    except ValueError:
        raise _unknown(provider) from None
    given: dict[str, Any] = {}
    if provider not in _OTHER_CLIENT and "http_client" in signature(kind.__init__).parameters:
        given["http_client"] = client
    named, variable, url = _OLLAMA
    if provider == named and variable not in os.environ:
        given["base_url"] = url
    return kind(**given)


def _make_strict(model: Theirs) -> None:
    """Asked once, for whether to ask again is the runtime's business: the SDKs' own repeats are turned off. And
    a stream that ends without a reason has not ended, it was cut."""
    client: object = getattr(model.provider, "client", None)
    if hasattr(client, "max_retries"):
        client.max_retries = 0  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
    profile = cast("dict[str, Any]", model.profile)  # the model's own copy
    profile["openai_chat_streaming_requires_finish_reason"] = True


def _unset(name: str, said: str) -> ConfigError:
    variables = list(dict.fromkeys(_VARIABLE.findall(said)))
    if not variables:
        return ConfigError(said.split(_SALES, maxsplit=1)[0].strip(), where=name)
    listed = " or ".join(f"${variable}" for variable in variables)
    return ConfigError(f"{listed} is not set", where=name, hint=f"export {variables[0]}=… and start again")


def _unknown(provider: str) -> ConfigError:
    from difflib import get_close_matches

    from pydantic_ai.models import known_model_names

    known = sorted({name.partition(":")[0] for name in known_model_names() if ":" in name} | {_ANYWHERE})
    near = get_close_matches(provider, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"take one of {', '.join(known)}"
    return ConfigError(f"there is no provider {provider!r}", hint=hint)
