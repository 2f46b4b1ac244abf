"""Models for tests: scripts in place of providers, and a switch that keeps providers out.

    from reverie.testing.models import no_model_requests, script

    reply = script(["Let me look.", ToolCall("c1", "read", {"path": "a.txt"}), "It says hello."])

    with no_model_requests():
        ...                         # any model but a scripted one raises ConfigError

A script is a function of a request, so ``scripted:my_tests:reply`` names it wherever a model is named.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from reverie.domain.errors import ModelFailed
from reverie.domain.messages import ModelRequest
from reverie.models.guard import allowing
from reverie.models.scripted import ScriptedModel

__all__ = ["Replies", "ScriptedModel", "no_model_requests", "script"]


class Replies:
    """Answers, one after the other. ``requests`` are those that were answered, for a test to look at.

    An answer is whatever a script may say (a text, a call, a list of parts, a ``ModelResponse``), an exception to
    raise, or a function of the request.
    """

    def __init__(self, answers: Sequence[Any]) -> None:
        self._answers = list(answers)
        self.requests: list[ModelRequest] = []

    @property
    def left(self) -> int:
        """How many answers were not given yet."""
        return len(self._answers) - len(self.requests)

    def __call__(self, request: ModelRequest) -> Any:
        """The next answer.

        Raises:
            ModelFailed: there is none left.
        """
        if not self.left:
            raise ModelFailed(
                f"the script has {len(self._answers)} answers, and was asked once more",
                retryable=False,
                hint="add an answer, or look why the agent went on",
            )
        said = self._answers[len(self.requests)]
        self.requests.append(request)
        if isinstance(said, BaseException):
            raise said
        return said(request) if callable(said) else said


def script(answers: Sequence[Any]) -> Replies:
    """A model that gives these answers, one after the other: a function for ``scripted:`` or ``ScriptedModel``."""
    return Replies(answers)


@contextmanager
def no_model_requests(*, loopback: bool = False) -> Generator[None]:
    """Nobody asks a model of a provider, in this process and in those that it starts, until the block ends.

    With ``loopback``, servers of this machine (127.0.0.1, ::1, localhost) may be asked, as a test's own provider
    is. Without, pydantic-ai's own switch is set too, for what asks through it and not through us.
    """
    with allowing("loopback" if loopback else "none"):
        if loopback:
            yield
            return
        from pydantic_ai.models import override_allow_model_requests

        with override_allow_model_requests(allow_model_requests=False):
            yield
