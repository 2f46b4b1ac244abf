"""What a request asks of a model besides its words, in pydantic-ai's terms: what a model does not know is left out."""

from __future__ import annotations

import sys
from typing import Any, Final, cast

from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from reverie.domain.messages import ModelRequest
from reverie.models.wire import Patience

__all__ = ["settings"]

_EFFORTS: Final = ("minimal", "low", "medium", "high", "xhigh", "max")


def settings(
    model: Model[Any], request: ModelRequest, patience: Patience, *, streamed: bool
) -> ModelSettings:
    """Limits of time, length, effort, temperature and speed, the tool that must be called, and the prompt's cache."""
    given, profile = request.settings, model.profile
    made: dict[str, Any] = {
        "timeout": patience.silence_s if streamed else patience.whole_s,
        "request_timeout": patience.longest_s,
        "cache": True,
    }
    if given.get("max_tokens") is not None:
        made["max_tokens"] = given["max_tokens"]
    effort = given.get("effort") if given.get("effort") in _EFFORTS else None
    if effort is not None:
        made["thinking"] = effort
    thinks = profile.get("supports_thinking") and (effort or profile.get("thinking_enabled_by_default"))
    if given.get("temperature") is not None and not thinks:  # a model that thinks takes none
        made["temperature"] = given["temperature"]
    if given.get("speed") == "fast" and profile.get("anthropic_supports_fast_speed"):
        made["anthropic_speed"] = "fast"
    if request.tool_choice is not None:
        made["tool_choice"] = [request.tool_choice]
    if _could_keep_state(model):
        made["openai_store"] = False  # the log is the only state; what is thought comes back encrypted
    known = made.keys() - model.unsupported_settings
    return cast("ModelSettings", {name: value for name, value in made.items() if name in known})


def _could_keep_state(model: Model[Any]) -> bool:
    """Whether the model's API keeps conversations unless told not to: OpenAI's responses."""
    openai = sys.modules.get("pydantic_ai.models.openai")  # loaded, if the model is one of its
    return openai is not None and isinstance(model, openai.OpenAIResponsesModel)
