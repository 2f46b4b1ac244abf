"""One model of a provider, asked through pydantic-ai's model layer (not its Agent: the loop is ours)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import httpx2
import pydantic_ai.messages as theirs
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model as Theirs
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from reverie.domain.errors import ModelFailed, ReverieError
from reverie.domain.messages import Delta, ModelRequest, ModelResponse
from reverie.models.faults import told
from reverie.models.guard import check_allowed
from reverie.models.settings import settings
from reverie.models.translate import answer, conversation, parameters, price_of
from reverie.models.wire import ATTEMPT, Attempt, Patience

__all__ = ["ProviderModel"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request as pydantic-ai takes it."""

    messages: list[theirs.ModelMessage]
    settings: ModelSettings
    parameters: ModelRequestParameters


class ProviderModel:
    """A model of a provider. Connections belong to the event loop that opened them, so each loop has its own.

    ``make`` makes pydantic-ai's model on an HTTP client that is given to it.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[httpx2.AsyncClient], Theirs],
        client: Callable[[], httpx2.AsyncClient],
        patience: Patience,
    ) -> None:
        self._name = name
        self._make = make
        self._client = client
        self._patience = patience
        self._spare: tuple[httpx2.AsyncClient, Theirs] | None = self._made()
        self._used: dict[asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, Theirs]] = {}
        model = self._spare[1]
        self._context_tokens = model.context_window
        self._priced = price_of(_a_token_of(model)) is not None

    @property
    def name(self) -> str:
        return self._name

    @property
    def context_tokens(self) -> int | None:
        return self._context_tokens

    @property
    def priced(self) -> bool:
        return self._priced

    async def respond(
        self, request: ModelRequest, on_delta: Callable[[Delta], None] | None = None
    ) -> ModelResponse:
        """One answer: streamed if somebody watches, in one piece otherwise. Never asked twice."""
        model = self._here()
        check_allowed(self._name, _address(model))
        attempt = Attempt()
        ATTEMPT.set(attempt)
        try:
            asked = self._asked(model, request, streamed=on_delta is not None)
            if on_delta is None:
                response = await model_request(
                    model,
                    asked.messages,
                    model_settings=asked.settings,
                    model_request_parameters=asked.parameters,
                    instrument=False,
                )
            else:
                response = await self._streamed(model, asked, on_delta)
            return answer(self._checked(response), self._name)
        except _WatcherFailed as failed:
            raise failed.error from None
        except ReverieError:
            raise
        except Exception as error:  # SDKs let anything through where an answer is not what they expect
            raise told(error, self._name, sent=attempt.sent) from error

    async def aclose(self) -> None:
        """Close this event loop's connections."""
        made = self._used.pop(asyncio.get_running_loop(), None)
        if made is not None:
            await made[0].aclose()

    def _made(self) -> tuple[httpx2.AsyncClient, Theirs]:
        client = self._client()
        return client, self._make(client)

    def _here(self) -> Theirs:
        loop = asyncio.get_running_loop()
        made = self._used.get(loop)
        if made is None:
            for gone in [each for each in self._used if each.is_closed()]:
                self._used.pop(gone, None)  # its connections went with it
            made, self._spare = self._spare or self._made(), None
            self._used[loop] = made
        return made[1]

    def _asked(self, model: Theirs, request: ModelRequest, *, streamed: bool) -> _Asked:
        told_of = parameters(request)
        messages = model.prepare_messages(conversation(request.messages), told_of)
        wanted = settings(model, request, self._patience, streamed=streamed)
        return _Asked(messages, wanted, told_of)

    async def _streamed(
        self, model: Theirs, asked: _Asked, on_delta: Callable[[Delta], None]
    ) -> theirs.ModelResponse:
        async with model_request_stream(
            model,
            asked.messages,
            model_settings=asked.settings,
            model_request_parameters=asked.parameters,
            instrument=False,
        ) as stream:
            watcher = _Watcher(self._name, on_delta, self._patience.most_answer)
            async for event in stream:
                watcher.see(event)
            return stream.get()

    def _checked(self, response: theirs.ModelResponse) -> theirs.ModelResponse:
        """The response, if it is whole and not too large. A connection that ends early looks like an answer:
        only the provider's word why it stopped, which comes last, tells them apart."""
        most = self._patience.most_answer
        if sum(_size(part) for part in response.parts) > most:
            raise ModelFailed(f"the answer has more than {most:,} characters", where=self._name)
        ended = response.finish_reason or (response.provider_details or {}).get("finish_reason")
        if not ended or response.state != "complete":
            raise ModelFailed("the answer broke off before its end", where=self._name)
        return response


class _WatcherFailed(Exception):
    """Who watches failed, not the model: the error goes on as it is."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


@dataclass(slots=True)
class _Watcher:
    """Tells what comes, part by part, and ends what never does."""

    model: str
    on_delta: Callable[[Delta], None]
    most: int
    seen: int = 0
    numbers: dict[int, int] = field(default_factory=dict[int, int])

    def see(self, event: theirs.ModelResponseStreamEvent) -> None:
        if isinstance(event, theirs.PartStartEvent):
            self._tell(event.index, event.part)
        elif isinstance(event, theirs.PartDeltaEvent):
            self._tell(event.index, event.delta)

    def _tell(self, index: int, piece: object) -> None:
        self.seen += _size(piece)
        if self.seen > self.most:
            raise ModelFailed(f"the answer has more than {self.most:,} characters", where=self.model)
        number = self.numbers.setdefault(index, len(self.numbers))
        if isinstance(piece, theirs.TextPart | theirs.TextPartDelta):
            self._pass_on(number, "text", _written(piece))
        elif isinstance(piece, theirs.ThinkingPart | theirs.ThinkingPartDelta):
            self._pass_on(number, "thinking", _written(piece))

    def _pass_on(self, number: int, kind: Literal["text", "thinking"], text: str) -> None:
        if not text:
            return
        try:
            self.on_delta(Delta(number, kind, text))
        except Exception as error:
            raise _WatcherFailed(error) from error


def _written(piece: object) -> str:
    """The text in a part of an answer, or in a piece of a part."""
    if isinstance(piece, theirs.TextPart | theirs.ThinkingPart):
        return piece.content
    if isinstance(piece, theirs.TextPartDelta | theirs.ThinkingPartDelta):
        return piece.content_delta or ""
    given: object = getattr(piece, "args", None) or getattr(piece, "args_delta", None)
    return given if isinstance(given, str) else ""


def _size(piece: object) -> int:
    return len(_written(piece))


def _address(model: Theirs) -> str | None:
    try:
        return model.base_url
    except (AttributeError, UserError):  # a provider without one
        return None


def _a_token_of(model: Theirs) -> theirs.ModelResponse:
    return theirs.ModelResponse(
        parts=[],
        usage=RequestUsage(input_tokens=1, output_tokens=1),
        model_name=model.model_name,
        provider_name=model.system,
        provider_url=_address(model),
    )
