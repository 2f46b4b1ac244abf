"""Models that are programs: ``scripted:module:function`` or ``scripted:/path/to/file.py:function``.

The function is given the ``ModelRequest`` and says what is answered: a text, a ``ToolCall``, several parts, or a
``ModelResponse``; it may be a coroutine, yield its parts, or raise ``ModelFailed``. See ``reverie.testing``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import msgspec

from reverie.domain.errors import ConfigError, ModelFailed, ReverieError
from reverie.domain.messages import (
    AssistantTurn,
    Delta,
    Message,
    ModelRequest,
    ModelResponse,
    SystemTurn,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
)

__all__ = ["Part", "Script", "Scripted", "ScriptedModel"]

Part: TypeAlias = Text | Thinking | ToolCall
Script: TypeAlias = Callable[[ModelRequest], Any]
"""What is answered: text, a part, an iterable of them, a ``ModelResponse``; or an awaitable or async iterator."""

_PREFIX: Final = "scripted:"
_CHARACTERS_OF_A_TOKEN: Final = 4


class Scripted:
    """Makes models of functions by their names."""

    def make(self, name: str) -> ScriptedModel:
        """
        Raises:
            ConfigError: there is no such module or function.
        """
        place, _, function = name.removeprefix(_PREFIX).rpartition(":")
        if not (place and function.isidentifier()):
            raise ConfigError(
                "it does not say which function is the model",
                where=name,
                hint="name it scripted:module:function, or scripted:/path/to/file.py:function",
            )
        module = _file(name, Path(place)) if place.endswith(".py") else _module(name, place)
        found: object = getattr(module, function, None)
        if not callable(found):
            raise ConfigError(
                f"{place} has no function {function!r}",
                where=name,
                hint=f"write `def {function}(request): return 'hello'` in it, or correct the name",
            )
        return ScriptedModel(name, found)


class ScriptedModel:
    """A model that is a function. Tokens are counted, not measured: four characters are one, rounded up. A
    function with an attribute ``priced`` that is true says what each of its answers costs."""

    def __init__(self, name: str, script: Script, context_tokens: int | None = None) -> None:
        self._name = name
        self._script = script
        self._context_tokens = context_tokens
        self._counter = _Counter()

    @property
    def name(self) -> str:
        return self._name

    @property
    def context_tokens(self) -> int | None:
        return self._context_tokens

    @property
    def priced(self) -> bool:
        return bool(getattr(self._script, "priced", False))

    async def respond(
        self, request: ModelRequest, on_delta: Callable[[Delta], None] | None = None
    ) -> ModelResponse:
        """What the function says to the request."""
        try:
            said = self._script(request)
            if isinstance(said, Awaitable):
                said = await cast("Awaitable[object]", said)
            if isinstance(said, AsyncIterator):
                said = [piece async for piece in cast("AsyncIterator[object]", said)]
            response = said if isinstance(said, ModelResponse) else self._response(request, said)
        except ReverieError:
            raise
        except Exception as error:
            raise self._failed(error) from error
        if on_delta is not None:
            for delta in _deltas(response):
                on_delta(delta)
        return response

    def _response(self, request: ModelRequest, said: object) -> ModelResponse:
        parts = list(_parts(said, self._name))
        written = sum(_length(part) for part in parts)
        calls = any(isinstance(part, ToolCall) for part in parts)
        usage = Usage(self._counter.tokens(request), _tokens(written))
        return ModelResponse(parts, usage, "tool_use" if calls else "end_turn", self._name)

    def _failed(self, error: Exception) -> ModelFailed:
        """A fault of the script: it would fail the same way again."""
        at = error.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        line = "" if at is None else f" ({Path(at.tb_frame.f_code.co_filename).name}, line {at.tb_lineno})"
        return ModelFailed(
            f"the function raised {type(error).__name__}: {error}{line}",
            retryable=False,
            where=self._name,
            hint="correct the function, and start again so that it is loaded anew",
        )


class _Counter:
    """Counts the characters of a conversation. A request mostly has all messages of the one before it, so those
    are not counted again: a long session's steps cost no more than a short one's."""

    def __init__(self) -> None:
        self._messages = 0
        self._characters = 0
        self._ends: tuple[Message, Message] | None = None

    def tokens(self, request: ModelRequest) -> int:
        messages, known = request.messages, self._messages
        if not (
            self._ends
            and known <= len(messages)
            and messages[0] is self._ends[0]
            and messages[known - 1] is self._ends[1]
        ):
            known = self._characters = 0
        self._characters += sum(_length(messages[place]) for place in range(known, len(messages)))
        self._messages = len(messages)
        self._ends = (messages[0], messages[-1]) if messages else None
        told = len(request.system) + sum(len(tool.name) + len(tool.description) for tool in request.tools)
        return _tokens(self._characters + told)


def _tokens(characters: int) -> int:
    return -(-characters // _CHARACTERS_OF_A_TOKEN)


def _length(thing: object) -> int:
    """Characters of a message or a part of one; bytes of what is no text."""
    if isinstance(thing, SystemTurn | Text | Thinking):
        return len(thing.text)
    if isinstance(thing, ToolCall):
        given = msgspec.json.encode(thing.input) if thing.garbled is None else thing.garbled
        return len(thing.name) + len(given)
    if isinstance(thing, ToolResult):
        return sum(_length(part) for part in thing.content)
    parts: Iterable[object] | None = getattr(thing, "parts", None)
    if parts is not None:
        return sum(_length(part) for part in parts)
    return len(getattr(thing, "data", None) or "")


def _parts(said: object, name: str) -> Iterator[Part]:
    if isinstance(said, str):
        yield Text(said)
    elif isinstance(said, Text | Thinking | ToolCall):
        yield said
    elif isinstance(said, AssistantTurn):
        yield from said.parts
    elif isinstance(said, Iterable) and not isinstance(said, bytes | dict):
        for piece in cast("Iterable[object]", said):
            yield from _parts(piece, name)
    else:
        raise ModelFailed(
            f"the function answered {said!r:.200}",
            retryable=False,
            where=name,
            hint="answer with a text, a ToolCall, a sequence of parts, or a ModelResponse",
        )


def _deltas(response: ModelResponse) -> Iterator[Delta]:
    """As a provider would stream it: by words."""
    for number, part in enumerate(response.parts):
        if isinstance(part, ToolCall):
            continue
        kind = "text" if isinstance(part, Text) else "thinking"
        yield from (Delta(number, kind, word) for word in _words(part.text))


def _words(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find(" ", start + 1)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end


def _module(name: str, place: str) -> object:
    if not all(part.isidentifier() and not part.startswith("__") for part in place.split(".")):
        raise ConfigError(f"{place!r} is no module", where=name, hint="name it scripted:module:function")
    try:
        return import_module(place)
    except ModuleNotFoundError as error:
        hint = "install it, correct the name, or give the path of a file: scripted:/path/to/file.py:function"
        raise ConfigError(f"there is no module {error.name!r}", where=name, hint=hint) from error
    except Exception as error:
        raise _broken(name, place, error) from error


def _file(name: str, path: Path) -> object:
    path = path.expanduser()
    if not path.is_file():
        raise ConfigError(f"there is no file {path}", where=name, hint="correct the path")
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, path  # it ends in .py
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _broken(name, str(path), error) from error
    return module


def _broken(name: str, place: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"{place} cannot be loaded: {type(error).__name__}: {error}", where=name, hint="correct the file"
    )
