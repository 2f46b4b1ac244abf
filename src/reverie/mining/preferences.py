"""Preferences: what people want again and again, and what they keep having to say.

Four signs, each counted by session and by person, never by line:

- the same rule or correction in near-identical words, from several people or on several days;
- the same wish after the work ("can we add a test for this?"), which the work might have met by itself;
- people reporting that checks fail, which the agent could have run;
- refused steps whose refusals turn on the same matter.

A plain rule ("don't run the integration tests, too slow") that one person gave once is kept as a weak
finding that says so.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Final

from rapidfuzz.fuzz import token_sort_ratio

from reverie.domain.events import Json
from reverie.domain.findings import Finding, OriginClass
from reverie.domain.observations import Observation
from reverie.mining.amends import PROGRAM, Amend, amended
from reverie.mining.evidence import (
    Claim,
    Sighting,
    counted,
    counts_of,
    days_of,
    effect_of,
    original_remarks,
    use_sighting,
)
from reverie.mining.identity import units_of
from reverie.mining.phrasing import code, listed, quoted, with_article
from reverie.mining.vocabulary import vocabulary
from reverie.mining.voices import Voice, alike, opposites, reported_check, voices_of, wish_of
from reverie.mining.wording import words_of
from reverie.plugins import Corpus

__all__ = ["Preferences"]

MIN_USERS: Final = 2
MIN_SESSIONS: Final = 3
MIN_DAYS: Final = 2
MIN_REFUSALS: Final = 5  # one shared word is little: it must come back more often than a whole sentence
MAX_SINGLE_RULES: Final = 5
RULES: Final = frozenset({"rule", "correction", "denial"})

_PARAMETERS: Final[Mapping[str, Json]] = {
    "min_users": MIN_USERS,
    "min_sessions": MIN_SESSIONS,
    "min_days": MIN_DAYS,
    "max_single_rules": MAX_SINGLE_RULES,
}


class Preferences:
    """What people keep asking for (``plugins.Miner``)."""

    @property
    def name(self) -> str:
        return "preferences"

    @property
    def version(self) -> str:
        return "3"

    def mine(self, corpus: Corpus) -> Iterable[Finding]:
        """Findings in order of weight."""
        room = _Room(corpus.observations)
        claims = [*_checks(room), *_wishes(room), *_rules(room), *_refusals(room)]
        findings = [c.finding(self.name, self.version, _PARAMETERS) for c in claims]
        return sorted(findings, key=lambda f: (-f.weight, f.key))


class _Room:
    """Everybody's remarks, and which of them a claim already stands on."""

    def __init__(self, observations: Sequence[Observation]) -> None:
        self.observations = observations
        self.voices = voices_of(original_remarks(observations))
        self.sessions = len({v.observation.session_id for v in self.voices})
        self._used: set[tuple[str, int, int]] = set()

    def unused(self, voices: Iterable[Voice] | None = None) -> list[Voice]:
        """Those no claim stands on yet (one remark is evidence of one thing)."""
        return [v for v in (self.voices if voices is None else voices) if _place(v) not in self._used]

    def use(self, voices: Iterable[Voice]) -> None:
        self._used.update(_place(v) for v in voices)


def _place(voice: Voice) -> tuple[str, int, int]:
    return voice.observation.session_id, voice.remark.span.seq, voice.remark.span.start


def _recurs(voices: Sequence[Voice]) -> bool:
    """Said by several people, or in several sessions on several days."""
    sessions = {v.observation.session_id for v in voices}
    users = {v.observation.user for v in voices if v.observation.user is not None}
    if len(sessions) >= MIN_USERS and len(users) >= MIN_USERS:
        return True
    return len(sessions) >= MIN_SESSIONS and days_of(v.sighting() for v in voices) >= MIN_DAYS


def _typical(voices: Sequence[Voice]) -> Voice:
    """The wording most like all others; of equals the shortest."""
    shown = sorted({v.remark.text: v for v in sorted(voices, key=_order)}.values(), key=_order)[:200]
    return max(shown, key=lambda v: (_likeness(v, shown), -len(v.remark.text), v.remark.text))


def _likeness(voice: Voice, others: Sequence[Voice]) -> float:
    return round(sum(token_sort_ratio(voice.remark.signature, o.remark.signature) for o in others), 3)


def _order(voice: Voice) -> tuple[object, ...]:
    return voice.sighting().order


def _claim(
    room: _Room,
    idea: str,
    text: str,
    voices: Sequence[Voice],
    statement: Mapping[str, Json],
    *,
    counter: Sequence[Sighting] = (),
    worth: float = 1.0,
    origins: tuple[OriginClass, ...] = ("user",),
) -> Claim:
    sightings = [v.sighting() for v in voices]
    counts = counts_of(sightings, room.sessions)
    people = 1 + 0.25 * min(max(counts.users - 1, 0), 4)
    return Claim(
        kind="preference",
        idea=idea,
        nature="behaviour",
        text=f"{text} ({counted(counts)})",
        statement={"topic": f"preference:{idea}", **statement},
        sightings=sightings,
        of_sessions=room.sessions,
        counter=counter,
        effect=effect_of(room.observations, {v.observation.session_id for v in voices}),
        origins=origins,
        weight=worth * math.log2(1 + counts.sessions) * people,
    )


# ---------------------------------------------------------------------- checks that people report


def _checks(room: _Room) -> Iterator[Claim]:
    """People saying that lint, tests or the build fail."""
    kinds = {_place(v): kind for v in room.unused() if (kind := reported_check(v.remark.text))}
    voices = [v for v in room.unused() if _place(v) in kinds]
    if not _recurs(voices):
        return
    room.use(voices)
    frequent = Counter(kind for _, kind in sorted({(p[0], kind) for p, kind in kinds.items()}))
    shown = [
        kind for kind, n in sorted(frequent.items(), key=lambda item: (-item[1], item[0])) if n >= MIN_USERS
    ]
    commands = [c for kind in shown[:3] if (c := _command_for(kind, voices, room.observations))]
    quote = quoted(_typical(voices).remark.text)
    run = listed([code(c) for c in commands]).replace(" or ", " and ") if commands else "the project's checks"
    reported = {v.observation.session_id for v in voices}
    against = _against(room, shown)
    room.use(against)
    yield _claim(
        room,
        "checks-reported",
        f"People report failing checks: “{quote}”",
        voices,
        {
            "title": f"Run {run} before you call work done",
            "advice": f"Before you say that work is done, run {run} and fix what they report.",
            "when": "before finishing a change",
            "example": _typical(voices).remark.text,
            "checks": [[kind, frequent[kind]] for kind in shown],
            "commands": commands,
            **_otherwise(against),
        },
        counter=[*(v.sighting() for v in against), *_passed(room.observations, commands, reported)],
        origins=("user",) if _all_named(commands, voices) else ("agent", "user"),
    )


def _all_named(commands: Sequence[str], voices: Sequence[Voice]) -> bool:
    """Whether every command is one that people name, not only one that agents ran."""
    return all(any(_names(command, v.remark.text) for v in voices) for command in commands)


def _against(room: _Room, kinds: Sequence[str]) -> list[Voice]:
    """Rules that say not to run such a check."""
    return [
        v
        for v in room.voices
        if v.remark.kind == "rule" and v.negative and "run" in v.words and v.words & {*kinds}
    ]


def _otherwise(against: Sequence[Voice]) -> dict[str, Json]:
    """What is to be known of people who said the contrary."""
    if not against:
        return {}
    said = min(against, key=_order).remark.text
    return {"details": f"Not everybody agrees: “{quoted(said)}”"}


def _command_for(kind: str, voices: Sequence[Voice], observations: Sequence[Observation]) -> str | None:
    """The command that makes this check: the one people name in their reports, else the one most used."""
    used: Counter[str] = Counter()
    for o in observations:
        used.update({unit for c in o.calls if ": " in c.action for unit in units_of(c) if _makes(kind, unit)})
    if not used:
        return None
    texts = [v.remark.text for v in voices]
    return min(used, key=lambda unit: (-sum(_names(unit, t) for t in texts), -used[unit], unit))


def _makes(kind: str, unit: str) -> bool:
    return re.search(rf"\b{kind}", unit) is not None


def _names(unit: str, text: str) -> bool:
    return re.search(rf"{re.escape(unit)}(?![\w:-])", text) is not None


def _passed(
    observations: Sequence[Observation], commands: Sequence[str], reported: set[str]
) -> list[Sighting]:
    """Runs of these commands that went well in sessions where nobody complained."""
    return [
        use_sighting(o, c)
        for o in observations
        if o.session_id not in reported
        for c in o.calls
        if c.failure is None and c.ran and c.result_event_id and units_of(c)[-1] in commands
    ]


# ---------------------------------------------------------------------- wishes after the work


def _wishes(room: _Room) -> Iterator[Claim]:
    """The same wish once the agent has worked: verb and object."""
    groups: dict[tuple[str, str], list[Voice]] = defaultdict(list)
    for v in room.unused():
        dictated = v.remark.kind == "rule" and v.negative  # "use X, not Y" says more than a wish
        wish = wish_of(v.remark.text) if v.follow_up and not dictated else None
        for thing in dict.fromkeys(wish[1]) if wish else ():
            groups[wish[0], thing].append(v)  # type: ignore[index]
    ranked = sorted(groups.items(), key=lambda item: (-_weight_of(item[1]), item[0]))
    for (verb, thing), voices in ranked:
        fresh = room.unused(voices)
        if len({v.observation.session_id for v in fresh}) < MIN_SESSIONS or not _recurs(fresh):
            continue
        room.use(fresh)
        plainest = min(fresh, key=lambda v: (len(v.words), len(v.remark.text), v.remark.text)).remark.text
        do = f"{verb.capitalize()} {with_article(_as_written(thing, fresh))}"
        yield _claim(
            room,
            f"wish:{verb}:{thing}",
            f"After the work people ask for the same again: “{quoted(plainest)}”",
            fresh,
            {
                "title": f"{do} before people ask for it",
                "advice": f"{do} with the change itself; people ask for it afterwards: “{quoted(plainest)}”.",
                "when": "before finishing a change",
                "example": plainest,
                "wish": [verb, thing],
            },
        )


def _weight_of(voices: Sequence[Voice]) -> int:
    return len({v.observation.session_id for v in voices})


# ---------------------------------------------------------------------- rules and corrections


def _rules(room: _Room) -> Iterator[Claim]:
    """Rules and corrections in near-identical words; and plain rules given once."""
    spoken = [v for v in room.unused() if v.remark.kind in RULES and len(v.words) >= 2]
    singles: list[Voice] = []
    for group in alike(spoken):
        if _recurs(group):
            room.use(group)
            yield _rule(room, group)
        else:
            singles.extend(v for v in group[:1] if _is_plain_rule(v))
    singles.sort(key=lambda v: (-len(v.words), _order(v)))
    for voice in sorted(singles[:MAX_SINGLE_RULES], key=_order):
        room.use([voice])
        yield _rule(room, [voice], worth=0.3)


_PLAIN_RULE = re.compile(
    r"(?i)^(?:please\s+)?(?:always|never|don['’]?t|do not|avoid|prefer)\s+(?!worry|forget|mind|think|know|see|need)\w+\s+\S+"
    r"|\b(?:from now on|we should be us|we should use|we (?:always|never|prefer))\b|\bwherever (?:we|you|possible)\b"
)
_POINTS_AT_SOMETHING = re.compile(r"(?i)\b(?:this|that|it|these|those|here|above|below)\b")


def _is_plain_rule(voice: Voice) -> bool:
    """A general rule of a known person, that points at nothing only this session knows."""
    text = voice.remark.text
    return (
        voice.remark.kind == "rule"
        and voice.follow_up
        and voice.observation.user is not None
        and len(voice.words) >= 3
        and _PLAIN_RULE.search(text) is not None
        and _POINTS_AT_SOMETHING.search(text) is None
        and "?" not in text
    )


def _rule(room: _Room, group: Sequence[Voice], worth: float = 1.0) -> Claim:
    typical = _typical(group)
    text = quoted(typical.remark.text)
    first = min(group, key=_order)
    against = list(opposites((v for v in room.voices if v.remark.kind in RULES), group))
    change, said = _as_said(amended(group), group)
    lead = "People dictate the same rule" if len(group) > 1 else "A person dictated a rule, once"
    if change is not None:
        lead = f"{lead} and the agent then changes {'the program' if change.argument == PROGRAM else code(change.argument)}"
    return _claim(
        room,
        f"rule:{first.remark.signature}",
        f"{lead}: “{text}”",
        group,
        {
            "title": _imperative(text),
            "advice": _advice(text, change),
            "when": f"when working with {code(change.tool)}" if change else "at any time",
            "example": typical.remark.text,
            **({"changed": _changed(change)} if change else {}),
            **_otherwise(against),
        },
        counter=[v.sighting() for v in against],
        worth=worth,
        origins=("user",) if said else ("agent", "user"),
    )


_NAME: Final = re.compile(r"(?!.*mcp)[A-Za-z]\w{0,30}", re.I)  # of a tool or argument of one's own agent


def _as_said(change: Amend | None, group: Sequence[Voice]) -> tuple[Amend | None, bool]:
    """The change in people's own words, as far as they name it, and whether they do. What only the agent
    knew (what it did before, with which argument) may have come to it from anywhere: it is left out, or,
    where nobody named what the agent then did, told as the agent's."""
    if change is None:
        return None, True
    words = {word.lower() for voice in group for word in words_of(voice.remark.text)}
    to, was = _named(change.to, words), _named(change.was, words)
    if change.argument == PROGRAM:
        return (replace(change, to=to, was=was), True) if to else (change, False)
    plain = _NAME.fullmatch(change.tool) and _NAME.fullmatch(change.argument)
    if not plain or to != change.to:
        return change, False
    return replace(change, was=was if was == change.was else ""), True


def _named(text: str, words: set[str]) -> str:
    """The leading words of a text that people said."""
    return " ".join(takewhile(lambda word: word.lower() in words, text.split()))


def _advice(text: str, change: Amend | None) -> str:
    advice = _imperative(text) + "."
    if change is None:
        return advice
    instead = f", not {code(change.was)}" if change.was else ""
    if change.argument == PROGRAM:
        return f"{advice} Run {code(change.to)}{instead}."
    return f"{advice} Call {code(change.tool)} with {code(change.argument)} = {code(change.to)}{instead}."


def _changed(change: Amend) -> dict[str, Json]:
    return {
        "tool": change.tool,
        "argument": change.argument,
        "from": change.was or None,
        "to": change.to,
        "sessions": change.sessions,
        "users": change.users,
    }


_ASKED = re.compile(r"(?i)^(?:(?:please|can you|could you|can we|let['’]?s|no,?)\s+)+|,? please\.?$")
_SHOULD_USE = re.compile(r"(?i)^we should (?:be using|use)\b")


def _imperative(text: str) -> str:
    """The sentence as an instruction: without "please" and the form of a question."""
    words = _SHOULD_USE.sub("use", _ASKED.sub("", text)).rstrip(" .!?")
    return words[:1].upper() + words[1:]


# ---------------------------------------------------------------------- refusals over one matter

_TOO_GENERAL: Final = vocabulary(
    """
    not use instead add chang creat run first other should new fil cod work correct issu problem
    anoth same still already git wait tri try think only approach open merg
    """
)


def _refusals(room: _Room) -> Iterator[Claim]:
    """Refused steps whose given reasons share a matter."""
    matters: dict[str, list[Voice]] = defaultdict(list)
    for v in room.unused():
        for word in v.words - _TOO_GENERAL if v.remark.kind == "denial" else ():
            if len(word) > 3 and word.isalpha():
                matters[word].append(v)
    ranked = sorted(matters.items(), key=lambda item: (-_weight_of(item[1]), item[0]))
    for word, voices in ranked:
        fresh = room.unused(voices)
        if _weight_of(fresh) < MIN_REFUSALS or not _recurs(fresh):
            continue
        room.use(fresh)
        matter = _as_written(word, fresh)
        said = sorted((v.remark.text for v in fresh), key=lambda t: (len(t.split()) < 4, len(t), t))
        yield _claim(
            room,
            f"refused-over:{word}",
            f"People refuse a step of the agent over the {matter}: “{quoted(said[0])}”",
            fresh,
            {
                "title": f"Settle the {matter} before you act",
                "advice": f"Settle the {matter} before you change anything; people refuse steps over it: “{quoted(said[0])}”.",
                "when": "before changing anything",
                "example": said[0],
                "matter": matter,
            },
            worth=0.7,
        )


def _as_written(word: str, voices: Sequence[Voice]) -> str:
    """The most frequent spelling behind a stem."""
    seen = Counter(
        w.lower()
        for v in voices
        for w in re.findall(r"[A-Za-z]+", v.remark.text)
        if w.lower().startswith(word[:5])
    )
    return min(seen, key=lambda w: (-seen[w], len(w), w)) if seen else word
