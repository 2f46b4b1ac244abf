"""The author at work on one dream (``authors.Sitting``): lays each desk before the agent, answers its calls, and sees
to it that whatever happens has one outcome: drafts that hold, or ``ModelFailed``, which says why there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from reverie.domain.dreams import Withheld, Writing
from reverie.domain.errors import ModelFailed, NotFound, UsageError
from reverie.domain.events import Event, JsonObject, event_text
from reverie.domain.findings import Finding, OriginClass
from reverie.domain.messages import Usage
from reverie.dreaming.author.bench import Answer, Bench, names
from reverie.dreaming.author.calls import tool_specs
from reverie.dreaming.author.prompts import digest, prompt
from reverie.dreaming.author.proposing import Judge
from reverie.dreaming.author.reading import Reader
from reverie.dreaming.author.session import Rest, WritingSession
from reverie.dreaming.author.supposing import Supposing
from reverie.dreaming.author.telling import brief_of
from reverie.dreaming.author.tokens import standing, tokens
from reverie.dreaming.authors import DREAMER, Study
from reverie.dreaming.desk import Desk, Draft, Reach, origins_of
from reverie.dreaming.write import TemplateWriter

__all__ = ["AuthorSitting", "Means"]

_NUDGES: Final = 2
_ROOM: Final = 500  # tokens kept for the next answer, at least
_OVERLOOKED: Final = "the model wrote nothing of it and did not say why"
_NOTHING: Final = "the model proposed nothing and left nothing with a reason, also when asked again"
_ENDED: Final = "its session was ended before it was done"
_AFTER_DONE: Final = Answer("This came after `done`, and was not done.", is_error=True)


@dataclass(frozen=True, slots=True)
class Means:
    """What a sitting works with."""

    reader: Reader
    supposing: Supposing
    leaks: Callable[[str], bool]


class AuthorSitting:
    """``most``: how many tokens may be used in all."""

    def __init__(self, study: Study, means: Means, session: WritingSession, most: int) -> None:
        self._study = study
        self._means = means
        self._session = session
        self._most = most
        self._desks = 0
        self._named = 0
        self._read: set[OriginClass] = set()
        self._answers: dict[str, Answer] = {}
        self._prompt = 0  # tokens of the last request and its answer
        self._trouble = ""
        self._reason = ""
        self._failed: str | None = None
        self._fell_back: str | None = None
        self._begun = False

    @property
    def name(self) -> str:
        """Model and digest of the prompts."""
        return f"model/1:{self._study.wish.model}:{digest(self._study.wish)}"

    @property
    def reach(self) -> Reach:
        return "dream"

    @property
    def writing(self) -> Writing:
        """What was used so far, and whether the templates wrote a part of it."""
        return Writing(
            model=str(self._study.wish.model),
            session_id=self._session.id if self._begun else None,
            usage=self._usage(),
            fell_back=self._fell_back,
        )

    @property
    def hypotheses(self) -> Sequence[Finding]:
        return self._means.supposing.found

    def write(self, desk: Desk) -> Sequence[Draft | Withheld]:
        """What the model makes of a desk. Where it stops in the middle, what it had proposed by then stands, and
        the templates write the rest.

        Raises:
            ModelFailed: nothing came of it.
        """
        if self._failed is not None:
            raise ModelFailed(self._failed, retryable=False, where=self._study.wish.model)
        bench, brief = self._laid(desk)
        try:
            self._lay(brief)
            self._work(bench)
        except NotFound:
            self._failed = "its session was deleted"
        except _Stopped as stopped:
            self._failed = str(stopped)
        if self._failed is None:
            return bench.written(_OVERLOOKED)
        if not bench.drafts:
            raise ModelFailed(self._failed, retryable=False, where=self._study.wish.model)
        return [*bench.proposed(), *bench.withheld(), *self._by_templates(desk, bench)]

    def end(self) -> None:
        """Archive the session."""
        if self._begun:
            self._session.archive()

    # ------------------------------------------------------------------ a desk

    def _laid(self, desk: Desk) -> tuple[Bench, str]:
        """The desk with all that is known by now, and what the agent is told of it."""
        self._desks += 1
        clean = "tool" not in origins_of(desk)
        self._read.update(origins_of(desk))
        fresh = names(desk.findings, self._named)
        refs = {finding.id: name for name, finding in fresh.items()}
        self._named += len(fresh)
        supposed = self._means.supposing
        here = {**fresh, **{supposed.name_of(finding): finding for finding in supposed.found}}
        wishes = self._study.wish.instructions if self._desks == 1 else None
        brief = brief_of(self._desks, desk, refs, clean=clean, wishes=wishes)
        judge = Judge(desk, here, self._means.reader, self._means.leaks, clean)
        return Bench(desk, clean, here, self._means.reader, self._means.supposing, judge, self._read), brief

    def _lay(self, brief: str) -> None:
        """Say what lies there, unless an earlier sitting has said so."""
        if not self._begun and not self._session.exists():
            self._afford(standing() + tokens(brief))
            self._create(brief)
        if not self._begun:
            self._begun = True
            self._study.begun(self._session.id)
        mark = brief.partition(".")[0] + "."
        if self._found(mark) or any(text.startswith(mark) for text in self._session.waits()):
            return
        results = self._unanswered(self._session.state().pending)
        self._afford(self._prompt + tokens(brief) + _length(results))
        self._say(results, brief)

    def _create(self, brief: str) -> None:
        try:
            self._session.create(self._agent(), self._most, brief)
        except Exception:
            if not self._session.exists():  # else a twin of ours was faster
                raise

    def _found(self, mark: str) -> bool:
        """Whether the desk was laid before; the news go on behind that. What the agent called after it had said that
        it was done comes to nothing."""
        self._session.read()
        while self._session.news:
            event = self._session.news.popleft()
            if event.type == "user.message" and event_text(event.type, event.payload).startswith(mark):
                return True
            self._note(event)
            if event.type == "agent.custom_tool_use":
                self._answers.setdefault(event.id, _AFTER_DONE)
        return False

    def _work(self, bench: Bench) -> None:
        """Answer calls until the desk is done.

        Raises:
            _Stopped: it will not be.
        """
        nudges = 0
        while True:
            rest = self._session.rest()
            nudges += self._heard(bench)
            if bench.done and not bench.used:
                raise _Stopped(bench.refusal or _NOTHING)
            if bench.done:
                return
            if rest.calls:
                results = self._unanswered(rest.calls)
                self._afford(self._prompt + _length(results))
                self._say(results)
            elif rest.reason == "end_turn" and not bench.used and nudges < _NUDGES:
                self._afford(self._prompt + tokens(prompt("nudge")))
                self._say([], prompt("nudge"))
            elif rest.reason == "end_turn" and bench.used:
                return
            else:
                raise _Stopped(self._why(rest))

    def _heard(self, bench: Bench) -> int:
        """Make the calls that are new, up to where the desk is done; how often the agent was nudged."""
        nudged = 0
        while self._session.news and not bench.done:
            event = self._session.news.popleft()
            self._note(event)
            if event.type == "agent.custom_tool_use":
                answer = bench.answer(str(event.payload["name"]), event.payload["input"])
                self._answers[event.id] = answer
            nudged += event.type == "user.message" and event_text(event.type, event.payload) == prompt(
                "nudge"
            )
        return nudged

    def _note(self, event: Event) -> None:
        """What the log says of how it goes."""
        told = event.payload
        if event.type == "span.model_request_end" and (usage := told.get("model_usage")):
            last = sum(number for number in usage.values() if isinstance(number, int))
            self._prompt = last or self._prompt  # a request that failed tells nothing
        elif event.type == "session.error":
            self._trouble = str(told["error"]["message"])
        elif event.type == "session.status_idle":
            reason: JsonObject = told.get("stop_reason") or {}
            self._reason = str(reason.get("type", ""))

    def _why(self, rest: Rest) -> str:
        reason = (
            self._reason if rest.reason == "terminated" and self._reason != "requires_action" else rest.reason
        )
        match reason:
            case "end_turn":
                return _NOTHING
            case "budget_reached":
                return self._spent()
            case "refusal":
                return "the model refused"
            case "retries_exhausted":
                return f"the model gave no answer: {self._trouble}"
            case _:
                return _ENDED

    # ------------------------------------------------------------------ what it costs

    def _afford(self, tokens_next: int) -> None:
        """Whether one more request, and an answer to it, is within the budget.

        Raises:
            _Stopped: it is not.
        """
        used = self._session.state().usage.tokens if self._begun else 0
        if used + tokens_next + _ROOM > self._most:
            raise _Stopped(self._spent())

    def _spent(self) -> str:
        return f"the budget of {self._most:,} tokens does not last for what is left to do"

    def _usage(self) -> Usage:
        try:
            used = self._session.state().usage if self._begun else None
        except NotFound:
            used = None
        if used is None:
            return Usage()
        written = used.ephemeral_5m_input_tokens + used.ephemeral_1h_input_tokens
        return Usage(used.input_tokens, used.output_tokens, used.cache_read_input_tokens, written)

    # ------------------------------------------------------------------ inside

    def _unanswered(self, calls: Any) -> list[tuple[str, str, bool]]:
        found = [(call, self._answers.get(call, _AFTER_DONE)) for call in calls]
        return [(call, answer.text, answer.is_error) for call, answer in found]

    def _say(self, results: Sequence[tuple[str, str, bool]], text: str | None = None) -> None:
        """Say it, unless a twin of ours (the same dream, in another process) has."""
        try:
            self._session.say(results, text)
        except UsageError:
            if self._session.ended():
                raise _Stopped(_ENDED) from None

    def _by_templates(self, desk: Desk, bench: Bench) -> Sequence[Draft | Withheld]:
        """The rest of a desk that the model did not come to."""
        self._fell_back = self._failed
        rest = replace(desk, findings=bench.unwritten())
        templates = TemplateWriter()
        drafts: Sequence[Draft | Withheld] = templates.write(rest) if rest.findings else ()
        taken = {draft.path for draft in bench.proposed()}
        read = tuple(sorted(self._read))
        return [
            replace(each, read=read, writer=templates.name) if isinstance(each, Draft) else each
            for each in drafts
            if not (isinstance(each, Draft) and each.kind == "update" and each.path in taken)
        ]

    def _agent(self) -> dict[str, Any]:
        return {
            "name": DREAMER,
            "description": "Writes what dreams propose: reads data, calls nothing but its own tools, has no network.",
            "system": prompt("dreamer"),
            "model": str(self._study.wish.model),
            "mcp_servers": [],
            "tools": tool_specs(),
            "metadata": {"made_by": DREAMER},
        }


def _length(results: Sequence[tuple[str, str, bool]]) -> int:
    return sum(tokens(text) for _, text, _ in results)


class _Stopped(Exception):
    """The model writes no further, for this reason."""
