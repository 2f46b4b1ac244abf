"""What went wrong at a provider, told in our words: which error, and whether asking again may help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from pydantic_ai import exceptions as theirs

from reverie.domain import errors as ours
from reverie.models.wire import TooMuch

__all__ = ["told"]

_LONGEST: Final = 500
_TOO_LONG: Final = re.compile(
    r"context (?:length|size|window)|(?:prompt|input|request) is too long|too many (?:input |prompt )?tokens",
    re.IGNORECASE,
)
"""How servers that send no code for it word it (llama.cpp, LM Studio, gateways)."""

_Kind: TypeAlias = type[ours.ModelFailed]

_OTHERWISE: Final = "ask otherwise, or another model"
_KINDS: Final[tuple[tuple[type[Exception], _Kind, str | None], ...]] = (
    (theirs.ModelContextWindowExceededError, ours.ContextTooLong, "shorten the conversation"),
    (theirs.ModelQuotaExceededError, ours.ModelBilling, "look at the account's credit and limits"),
    (theirs.ModelRateLimitError, ours.ModelRateLimited, None),
    (theirs.ModelUnavailableError, ours.ModelOverloaded, None),
    (theirs.ModelAuthenticationError, ours.ModelRefusedRequest, "look at the provider's key"),
    (theirs.ModelNotFoundError, ours.ModelRefusedRequest, "look at the model's name and the provider's URL"),
    (theirs.ModelRequestRejectedError, ours.ModelRefusedRequest, None),
    (theirs.UserError, ours.ModelRefusedRequest, _OTHERWISE),
    (NotImplementedError, ours.ModelRefusedRequest, _OTHERWISE),
)
_UNSENDABLE: Final = (ValueError, TypeError, LookupError, AssertionError, RuntimeError)
_FINAL: Final = (ours.ModelRefusedRequest, ours.ModelBilling, ours.ContextTooLong)
_ASK_AGAIN: Final = frozenset({408, 409, 425, 429})


def told(error: Exception, model: str, *, sent: bool) -> ours.ModelFailed:
    """The error of ours for one that pydantic-ai, or an SDK below it, raised while ``model`` was asked. What was
    not ``sent`` could not be put into the provider's terms (a kind of document that it does not read)."""
    unsendable = not sent and isinstance(error, _UNSENDABLE)
    kind, hint = (ours.ModelRefusedRequest, _OTHERWISE) if unsendable else _kind(error)
    return kind(
        _words(error),
        retryable=not issubclass(kind, _FINAL),
        retry_after=error.retry_after if isinstance(error, theirs.ModelAPIError) else None,
        where=model,
        hint=_suggested(error) or hint,
    )


def _kind(error: Exception) -> tuple[_Kind, str | None]:
    for theirs_kind, kind, hint in _KINDS:
        if isinstance(error, theirs_kind):
            if kind is ours.ModelRefusedRequest and _TOO_LONG.search(_message(error)):
                return ours.ContextTooLong, _KINDS[0][2]
            return kind, hint
    if isinstance(error, theirs.ModelHTTPError) and 400 <= error.status_code < 500:
        if error.status_code == 413:
            return ours.ContextTooLong, _KINDS[0][2]
        if error.status_code not in _ASK_AGAIN:
            return ours.ModelRefusedRequest, None
    return ours.ModelFailed, None


def _words(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, TooMuch):
            return str(cause)
    if isinstance(error, theirs.ModelTimeoutError | theirs.ModelRequestTimeout):
        return "no answer in time"
    if isinstance(error, theirs.ModelConnectionError):
        deepest = list(_causes(error))[-1]
        return _short(f"the connection broke: {str(deepest) or type(deepest).__name__}")
    if isinstance(error, theirs.ModelHTTPError):
        return _short(f"{error.status_code}: {_message(error)}")
    return _short(_message(error))


def _message(error: Exception) -> str:
    """What the provider says in its body, else what the exception says."""
    body: object = getattr(error, "body", None)
    for _ in range(2):  # {"error": {"message": …}}, {"message": …}, {"detail": …}
        if isinstance(body, dict):
            body = body.get("error") or body.get("message") or body.get("detail") or body  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if isinstance(body, dict) and isinstance(said := body.get("message"), str):  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return said
    return body if isinstance(body, str) and body else str(error) or type(error).__name__


def _suggested(error: Exception) -> str | None:
    if not isinstance(error, theirs.ModelHTTPError):
        return None
    return f"did you mean {error.suggested_model_id}?" if error.suggested_model_id else error.hint


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, at most ten deep."""
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
