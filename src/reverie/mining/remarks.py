"""What people said: requests, corrections, rules, denials and interrupts, in their own words.

Only events of persons are read (``user.message``, ``user.interrupt``, ``user.tool_confirmation``), and
of those only sentences of their own voice (``wording``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from reverie.domain.events import Event, Json, JsonObject
from reverie.domain.observations import Remark, RemarkKind, Span
from reverie.mining.wording import Sentence, is_machine_text, sentences, signature

__all__ = ["Listener"]

MAX_RULE: Final = 200
MAX_VOICE: Final = 700  # a message longer than this is a document: its sentences are no rules

_LEAD = r"(?:^|[,;:.!?]\s+|\b(?:please|then|just|ok|okay|yes|no|next time|in (?:the )?future)[, ]\s*)"
_RULE = re.compile(
    rf"(?i){_LEAD}(?:please\s+)?(?:do not|don['’]?t|never|always|avoid|stop \w+ing|prefer|only use|remember to|make sure)\b"
    r"|^(?!I\b|it\b|that\b|this\b|the\b|we\b|you\b|there\b|he\b|she\b|they\b)[a-z]+ [^.?!\n]{3,100}, not (?:as |an? |the |in |with |by |to )?\w+"
    r"|\b(?:from now on|we (?:always|never|prefer)|we should(?:n['’]t| not)? (?:always |never |only )?(?:be )?us(?:e|ing)\b|you (?:should|must)(?:n['’]t| not)? (?:always|never|only))\b"
    r"|(?i:\buse\b[^.?!\n]{1,80}\b(?:instead of|rather than|and not|, not|not)\b)"
    r"|(?i:\binstead of\b[^.?!\n]{2,80}\b(?:use|print|write|do|call|say|run|we should)\b)"
    r"|(?i:\buse\b[^.?!\n]{1,80}\binstead\b)"
)
_QUESTION_RULE = re.compile(
    r"(?i)\b(?:can|could|should|why not|shouldn['’]t)\b.{0,80}\b(?:instead of|rather than)\b"
)
_CORRECTION = re.compile(
    r"(?i)^(?:no+\b(?! (?:worries|problem|need))|nope\b|not (?:as|what|like|that|the|a|in|correct|quite|really)\b|wrong\b|wait\b|stop\b|again,|"
    r"undo\b|revert\b|that['’]?s (?:not|wrong|incorrect)\b|(?:that|this|it) (?:is|was) (?:not|wrong|incorrect)\b|"
    r"you(?:['’]re| are) (?:not|wrong)\b|you (?:missed|forgot|broke|removed|didn['’]?t|did not|should have)\b|i (?:meant|said|asked)\b|"
    r"(?:it|this) still (?:fails|doesn|does not|isn|is not|has)|still (?:failing|broken|not)\b|let['’]?s not\b|really\?)"
    r"|\b(?:is not correct|that is not|not correct|that['’]?s not (?:right|correct|what)|have you made it up|try again|not what i)\b"
)


@dataclass(slots=True)
class Listener:
    """Follows one session; ``hear`` gives the remarks of an event. Keep the events in order."""

    last_action: str | None = None
    worked: bool = False
    refused: bool = False  # the event before was a refusal without a word: the next message explains it

    def hear(self, event: Event, denied_use: Span | None = None) -> Iterator[Remark]:
        """The remarks of one event; ``denied_use`` is where the refused call stands, if this refuses one."""
        if event.type == "user.message":
            yield from self._message(event)
        elif event.type == "user.interrupt":
            self.refused = True
            yield self._wordless("interrupt", event, None)
        elif event.type == "user.tool_confirmation" and event.payload.get("result") == "deny":
            yield from self._denial(event, denied_use)

    def _message(self, event: Event) -> Iterator[Remark]:
        after_refusal, self.refused = self.refused, False
        first = True
        for path, text in _texts(event.payload):
            if is_machine_text(text):
                continue
            for sentence in sentences(text):
                kind = self._kind(sentence, len(text), first and after_refusal)
                if kind == "request" and not first:
                    continue  # one request a message: how it opens
                yield self._remark(kind, event, path, sentence)
                first = False

    def _kind(self, sentence: Sentence, length: int, explains: bool) -> RemarkKind:
        if length <= MAX_VOICE and len(sentence.text) <= MAX_RULE:
            if _RULE.search(sentence.text) or _QUESTION_RULE.search(sentence.text):
                return "rule"
            if self.worked and (explains or _CORRECTION.search(sentence.text)):
                return "correction"
        return "request"

    def _denial(self, event: Event, denied_use: Span | None) -> Iterator[Remark]:
        message = event.payload.get("deny_message")
        if not isinstance(message, str) or not message.strip() or is_machine_text(message):
            self.refused = True
            yield self._wordless("denial", event, denied_use)
            return
        self.refused = False
        for sentence in sentences(message):
            rule = len(message) <= MAX_VOICE and (
                _RULE.search(sentence.text) or _QUESTION_RULE.search(sentence.text)
            )
            yield self._remark("rule" if rule else "denial", event, "/deny_message", sentence)

    def _remark(self, kind: RemarkKind, event: Event, path: str, sentence: Sentence) -> Remark:
        span = Span(event.id, event.seq, path, sentence.start, sentence.end)
        return Remark(kind, span, sentence.text, signature(sentence.text), event.at, self.last_action)

    def _wordless(self, kind: RemarkKind, event: Event, denied_use: Span | None) -> Remark:
        span = denied_use or Span(event.id, event.seq, "/reason", 0, 0)
        return Remark(kind, span, "", "", event.at, self.last_action)


def _texts(payload: JsonObject) -> Iterator[tuple[str, str]]:
    content = payload.get("content")
    if isinstance(content, str):
        yield "/content", content
    elif isinstance(content, list):
        for i, block in enumerate(cast(list[Json], content)):
            if isinstance(block, dict):
                text = cast(JsonObject, block).get("text")
                typed = cast(JsonObject, block).get("type", "text") == "text"  # an attachment is not
                if typed and isinstance(text, str):
                    yield f"/content/{i}/text", text
