"""Advice in a memory, as a pilot understands it: which argument of a call to give otherwise, and when.

Sentences of the kinds that a dream writes by itself are understood for any tool and argument:

    When `surface` is dusty, call `touch_down` with `hover_s` of 8 or more: …
    When `distance_m` is 150 or more, call `touch_down` with `descent_mps` of 7 or more …
    Call `touch_down` with `engine_cut_m` below 0.8: …
    When `light` is dark, call `touch_down` with another `survey` than camera, say lidar: …
    When `surface` is dusty and `hover_s` is below 6.5, expect `touch_down` to mostly fail with “…”.

So are these plain ones, whoever writes them, with a circumstance after "where", "when", "in" or "on" (dust, dark or
shadow, slopes, rocks or boulders, far or "more than 150 m away") or with none:

    hover at 8 m for 14 s before touching down where there is dust
    believe the inertial sensors below 10 m in dust
    cut the engine at 0.5 m        (also: cut throttle below 0.5 m)
    divert 2 m clear of rocks where there are boulders
    divert to slope < 6 deg
    survey with lidar in the dark  (or: zoom on each candidate where there are slopes)
    descend at 8 m/s where the target is far
    keep 0.6 kg of fuel

They are understood as whole sentences: words of them in another order, or among others, say nothing. What is not
understood is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

__all__ = ["Advice", "Condition", "adjusted", "parse", "told", "warned"]

Value: TypeAlias = str | float


@dataclass(frozen=True, slots=True)
class Condition:
    """``name`` ``op`` ``value``: ``is``, ``not``, ``>=`` or ``<``."""

    name: str
    op: str
    value: Value

    def holds(self, known: Mapping[str, Any]) -> bool:
        found = known.get(self.name)
        if found is None:
            return False
        if self.op in ("is", "not"):
            return _same(found, self.value) == (self.op == "is")
        return isinstance(found, int | float) and (found >= float(self.value)) == (self.op == ">=")


@dataclass(frozen=True, slots=True)
class Advice:
    """Where all of ``when`` hold, see to it that ``what`` does. ``say`` is a value for it, where one was named."""

    what: Condition
    when: tuple[Condition, ...] = ()
    say: Value | None = None


def _same(found: Any, value: Value) -> bool:
    if isinstance(found, int | float) and isinstance(value, int | float):
        return found == value
    return str(found).lower() == str(value).lower()


CHOICES: Final = frozenset(
    {"survey", "descent_mps", "hover_m", "hover_s", "inertial_below_m", "engine_cut_m", "divert_margin_m"}
)
"""Arguments of ``touch_down`` that are the crew's to choose."""
BESIDE: Final[Mapping[str, float]] = {
    "descent_mps": 1.0, "hover_m": 1.0, "hover_s": 2.0, "inertial_below_m": 2.0, "engine_cut_m": 0.2,
    "divert_margin_m": 0.5,
}  # fmt: skip
"""How far on the right side of a limit is safe."""
_OTHER: Final = {"camera": "lidar", "zoom": "lidar"}

_CONDITION: Final = re.compile(
    r"`(?P<name>[\w.]+)` is (?:between (?P<from>-?[\d.]+) and (?P<to>-?[\d.]+)|below (?P<below>-?[\d.]+)"
    r"|(?P<least>-?[\d.]+) or more|(?P<label>[\w-]+))"
)
_CALL: Final = re.compile(
    r"(?:when (?P<when>[^:]*?), )?call `(?P<tool>\w+)` with (?:another `(?P<other>\w+)` than (?P<than>[\w-]+)(?:, say (?P<say>[\w-]+))?"
    r"|`(?P<name>\w+)` (?:of (?P<least>-?[\d.]+) or more|below (?P<below>-?[\d.]+)))",
    re.I,
)
_EXPECT: Final = re.compile(r"when (?P<when>[^:]*?), expect `(?P<tool>\w+)` to (?:mostly |often )?fail", re.I)
_LIMITS: Final = re.compile(r" \(the exact limit lies[^)]*\)")
_N: Final = r"(\d+(?:\.\d+)?)"
_PLAIN: Final[tuple[tuple[re.Pattern[str], tuple[tuple[str, str], ...]], ...]] = tuple(
    (re.compile(pattern, re.I), settings)
    for pattern, settings in (
        (rf"hover at {_N} ?m for {_N} ?s", (("hover_m", "="), ("hover_s", ">="))),
        (
            rf"(?:believe|trust|use) (?:the )?inertial (?:sensors|altitude|height)? ?(?:alone )?below {_N} ?m",
            (("inertial_below_m", ">="),),
        ),
        (rf"cut (?:the )?(?:engine|throttle|thrust) (?:at|below) {_N} ?m", (("engine_cut_m", "="),)),
        (rf"(?:divert|keep|stay) {_N} ?m clear of", (("divert_margin_m", ">="),)),
        (rf"(?:divert|keep) to slopes? (?:<|below|under) {_N}", (("max_slope_deg", "="),)),
        (rf"descend at {_N} ?m/s", (("descent_mps", ">="),)),
        (rf"keep {_N} ?kg (?:of )?fuel", (("reserve_kg", ">="),)),
    )
)
_SURVEY: Final = re.compile(
    r"(?:survey|scan|look) (?:with|by) (?:the )?(lidar)|(zoom) on (?:each|every) candidate\b", re.I
)
_LEAD: Final = re.compile(r"(?:(?:where|when|in|on|over)\b[^,:;]{1,60}, )?", re.I)
"""What may stand before what is to be done."""
_LONGEST: Final = 30
"""Words. Nobody takes in a plain sentence that is longer."""
_WHERE: Final[tuple[tuple[re.Pattern[str], Condition], ...]] = tuple(
    (re.compile(rf"\b(?:where|when|in|on|over)\b[^.;]*\b(?:{words})", re.I), condition)
    for words, condition in (
        ("dust", Condition("surface", "is", "dusty")),
        ("dark|shadow", Condition("light", "is", "dark")),
        ("slop(?:es|ing)", Condition("ground", "is", "sloping")),
        ("rocks|rocky|boulder", Condition("ground", "is", "rocky")),
        ("far\\b|away", Condition("distance_m", ">=", 150.0)),
    )
)


@lru_cache(maxsize=64)
def parse(text: str) -> tuple[Advice, ...]:
    """All advice that a text gives, in its order."""
    found: list[Advice] = []
    for sentence in _sentences(text):
        found += list(_formal(sentence)) or list(_plain(sentence))
    return tuple(found)


def adjusted(advice: Iterable[Advice], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that a crew wanted to give, changed as far as advice says otherwise; later advice wins."""
    given = dict(wanted)
    for each in advice:
        if all(condition.holds(given) for condition in each.when) and not each.what.holds(given):
            given[each.what.name] = _value(each, given)
    return given


def told(advice: Iterable[Advice], name: str, known: Mapping[str, Any], default: float) -> float:
    """A number that is no argument of a call (``max_slope_deg``, ``reserve_kg``)."""
    for each in advice:
        if each.what.name == name and all(condition.holds(known) for condition in each.when):
            default = float(each.what.value)
    return default


@lru_cache(maxsize=64)
def warned(text: str) -> tuple[tuple[Condition, ...], ...]:
    """The circumstances in which a text says to expect failures."""
    expected = (_EXPECT.match(sentence) for sentence in _sentences(text))
    return tuple(tuple(_conditions(found["when"])) for found in expected if found)


def _sentences(text: str) -> Iterator[str]:
    yield from (each.strip(" *-") for each in re.split(r"(?<=[.;!])\s+|\n+", _LIMITS.sub("", text)))


def _formal(sentence: str) -> Iterator[Advice]:
    if call := _CALL.match(sentence):
        yield _called(call)
    if expect := _EXPECT.match(sentence):
        conditions = list(_conditions(expect["when"]))
        for choice in (each for each in conditions if each.name in CHOICES):
            others = tuple(each for each in conditions if each is not choice)
            yield Advice(_opposite(choice), others)


def _called(call: re.Match[str]) -> Advice:
    when = tuple(_conditions(call["when"] or ""))
    if call["other"]:
        return Advice(Condition(call["other"], "not", call["than"]), when, call["say"])
    if call["least"]:
        return Advice(Condition(call["name"], ">=", float(call["least"])), when)
    return Advice(Condition(call["name"], "<", float(call["below"])), when)


def _conditions(text: str) -> Iterator[Condition]:
    for found in _CONDITION.finditer(text):
        name = found["name"]
        if found["from"]:
            yield Condition(name, ">=", float(found["from"]))
            yield Condition(name, "<", float(found["to"]))
        elif found["below"]:
            yield Condition(name, "<", float(found["below"]))
        elif found["least"]:
            yield Condition(name, ">=", float(found["least"]))
        else:
            yield Condition(name, "is", found["label"])


def _opposite(condition: Condition) -> Condition:
    turned = {"is": "not", "not": "is", ">=": "<", "<": ">="}
    return Condition(condition.name, turned[condition.op], condition.value)


def _plain(sentence: str) -> Iterator[Advice]:
    """A sentence says what to do where it begins with that, or after a circumstance; what mentions it is no advice."""
    lead = _LEAD.match(sentence)
    if lead is None or len(sentence.split()) > _LONGEST:
        return
    when = tuple(condition for pattern, condition in _WHERE if pattern.search(sentence))
    for pattern, settings in _PLAIN:
        if found := pattern.match(sentence, lead.end()):
            for (name, op), value in zip(settings, found.groups(), strict=True):
                yield Advice(Condition(name, "is" if op == "=" else op, float(value)), when, float(value))
    if found := _SURVEY.match(sentence, lead.end()):
        wanted = Condition("survey", "is", "lidar") if found[1] else Condition("survey", "not", "camera")
        yield Advice(wanted, when, "lidar" if found[1] else "zoom")


def _value(advice: Advice, given: Mapping[str, Any]) -> Any:
    """A value for which the advice holds."""
    what = advice.what
    if advice.say is not None:
        return advice.say
    if what.op == "not":
        return _OTHER.get(str(given[what.name]), given[what.name])
    if what.op == "is":
        return what.value
    beside = BESIDE.get(what.name, 0.0)
    value = float(what.value)
    return value + beside if what.op == ">=" else max(value - beside, value / 2)
