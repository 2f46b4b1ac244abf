"""Error templates: what stays of a line when everything variable in it is masked.

Masking first and merging only the few distinct results is much cheaper than parsing every line into a
tree (Drain: He et al., ICWS 2017), and groups at least as well on the same masks. Two templates merge
when they share at least ``AGREEMENT`` of their tokens in order and differ in nothing that turns the
meaning round. The outcome does not depend on the order in which lines were seen.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Final, TypeAlias, cast

__all__ = ["MASKS", "MAX_TEMPLATE", "content_words", "count", "mask", "merge"]

MAX_TEMPLATE: Final = 240

_QUOTED: Final = (
    r"""(?<![\w'"`])(?:'(?!-)[^'\n]{1,200}'|"(?!-)[^"\n]{1,200}"|`(?!-)[^`'\n]{1,200}[`'])(?![\w'"`])"""
    r"|“[^”\n]{1,200}”|„[^“”\n]{1,200}[“”]|«[^»\n]{1,200}»|»[^«\n]{1,200}«|「[^」\n]{1,200}」|『[^』\n]{1,200}』"
)
MASKS: Final = (
    ("url", r"\b(?:https?|ssh|git|ftp|file|wss?|s3|redis|mysql|amqp|postgres(?:ql)?)://[^\s'\"<>)\]]+"),
    ("email", r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"),
    ("host", r"\b(?:[\w-]+\.)+(?:com|net|org|io|dev|local|internal|cloud)\b(?::\d+)?|\blocalhost\b(?::\d+)?"
             r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?!\.?\w)"),
    ("uuid", r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"),
    ("time", r"\b\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b|\b\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?\b"),
    ("q", _QUOTED),
    ("path", r"(?<![\w<])(?:~|\.{1,2})?(?:/[\w.@+~%*-]+)+/?(?::\d+(?::\d+)?)?|\b[A-Za-z]:\\[^\s'\"]+"
             r"|(?<![\w/.])(?:[\w.@+-]+/)+[\w.@+*-]+(?::\d+(?::\d+)?)?"
             r"|(?a:\b[\w-]+\.(?:go|py|pyi|js|jsx|ts|tsx|mjs|rs|java|kt|rb|php|c|cc|cpp|h|hpp|cs|swift|sh|sql|md|txt|json"
             r"|jsonl|ya?ml|toml|lock|mod|sum|csv|tsv|xml|html|css|log|pdf|docx?|xlsx?|pptx?|png|jpe?g|zip|gz)\b)(?::\d+(?::\d+)?)?"),
    ("size", r"\b\d+(?:[.,]\d+)*\s?(?:[kKMGT]i?B|bytes)\b"),
    ("duration", r"\b\d+(?:\.\d+)?\s?(?:ms|µs|ns|secs?|seconds?|mins?|minutes?|hours?|s|m|h)\b"),
    ("hex", r"(?a:\b0x[0-9a-fA-F]+\b|\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{7,64}\b)"),
    ("id", r"(?a:\b(?=\w*[A-Za-z])(?=\w*\d)[A-Za-z]+(?:[_-][A-Za-z]+)*[_-]?\d[\w-]*\b)"),
    ("n", r"(?a:(?<!\w)(?!(?:(?<=HTTP )|(?<=status )|(?<=code ))[45]\d\d(?!\d))[-+]?\d+(?:[.,]\d+)*%?(?!\w))"),
)  # fmt: skip
"""What is masked: (name, pattern), the first that fits at a place."""

_MASK: Final = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in MASKS))
_QUOTE: Final = re.compile(_QUOTED)
_QUOTES: Final = re.compile("['\"`“„«»「『]")
_KEPT_NUMBER: Final = re.compile(r"(?:HTTP|status|code) [45]\d\d(?!\d)")
_TELLTALE: Final = re.compile(r"[\d/@.\\]|localhost")  # no word without one of these is masked
_UNIT: Final = re.compile(
    r"<n> (?:([kKMGT]i?B|bytes)|(?:ms|µs|ns|secs?|seconds?|mins?|minutes?|hours?|s|m|h))\b"
)
_LISTS: Final = re.compile(r"> ?(?:,|and|or|;)|> <time>")  # a cheap first look
_LISTED: Final = re.compile(r"(<\w+>)(?: ?(?:,|and|or|;) ?\1)+|(<time>) <time>")
_TURNS_ROUND: Final = frozenset({"not", "no", "cannot", "can't", "never", "without", "isn't", "doesn't"})
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]+")
_EDGE = ".,:;!?()[]{}\"'`"
MAX_LINE: Final = 1_000
REMEMBERED: Final = 16_384


def mask(line: str, *, keep: frozenset[str] = frozenset()) -> str:
    """The template of a line: paths, numbers, ids, times, sizes, quoted text … become ``<path>``, ``<n>`` ….

    What is named in ``keep`` stays: in a message about code the name *is* the message (``q``: quoted,
    ``id``: words with digits, ``path``), and two different names are two different things.
    """
    text = line[:MAX_LINE]
    if keep or _KEPT_NUMBER.search(text):
        masked = " ".join(_MASK.sub(lambda found: _masked(found, keep), text).split())
    else:
        masked = _by_words(text)
    if _LISTS.search(masked):
        masked = _LISTED.sub(_once, masked)
    return masked[:MAX_TEMPLATE].strip()


def _by_words(text: str) -> str:
    """As one substitution over the whole text, and several times as fast: most words come back often."""
    if _QUOTES.search(text):
        text = _QUOTE.sub("<q>", text)
    masked = " ".join(map(_word, text.split()))
    return _UNIT.sub(_unit, masked) if "<n> " in masked else masked


@lru_cache(maxsize=REMEMBERED)
def _word(word: str) -> str:
    if word.isdecimal() and word.isascii():
        return "<n>"
    return _MASK.sub(_masked, word) if _TELLTALE.search(word) else word


def _masked(found: re.Match[str], keep: frozenset[str] = frozenset()) -> str:
    kind = found.lastgroup or "n"
    return found.group() if kind in keep else f"<{kind}>"


def _once(found: re.Match[str]) -> str:
    return found[1] or found[2]


def _unit(found: re.Match[str]) -> str:
    return "<size>" if found[1] else "<duration>"


def content_words(text: str) -> list[str]:
    """The words of a text in order, lower case, without what is masked or punctuation."""
    return [w.lower() for w in _WORD.findall(re.sub(r"<\w+>", " ", text))]


def count(lines: Iterable[str]) -> Counter[str]:
    """How many lines each template has. Counts of parts of a log add up to those of the whole."""
    return Counter(map(mask, lines))


def merge(templates: Mapping[str, int] | Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Groups templates that differ only in what varies: every template → its group.

    ``templates``: how often each was seen (by lines, or better by sessions); without counts each counts once.
    Deterministic, and a function of the counts alone: neither order nor partition matters. Near linear in
    the number of distinct templates.
    """
    seen = _counted(templates)
    forms = {t: _form(t) for t in seen}
    weights = Counter[_Form]()
    for t, n in seen.items():
        weights[forms[t]] += n
    general = _generalised(weights)
    key = {form: _words(form) for form in set(general.values())}
    groups: dict[_Form, set[str]] = defaultdict(set)
    for t, form in forms.items():
        groups[key[general[form]]].add(t)
    return {t: group for group in map(frozenset, groups.values()) for t in group}


# ---------------------------------------------------------------------- words that vary

_Form: TypeAlias = tuple[str, ...]
_ANY: Final = "<*>"
_MASKED: Final = re.compile(r"(?:<\w+>)+")
_ENUMERATED: Final = re.compile(r"(?:\S+, ){2,}(?:(?:and|or) )?\S+")
ROUNDS: Final = 4
MANY: Final = 8
"""So many different words in one place are values, however often each was seen; with fewer, their number must
be at least the square root of the number of sightings (words of a message come back more often)."""

MOST_WORDS: Final = 24
MOST_WORDS_IN_PAIRS: Final = 14
RARE: Final = 8


def _form(template: str) -> _Form:
    """A template as words to compare: whatever was masked is one and the same blank."""
    blank = _MASKED.sub(_ANY, _ENUMERATED.sub(_ANY, template).lower())
    return tuple(w.strip(_EDGE) or w for w in blank.split())


def _words(form: _Form) -> _Form:
    """What two forms must share to be one: their words; blanks too where there are hardly any words."""
    told = tuple(w for w in form if w != _ANY)
    return told if len(told) > 1 else form


def _generalised(weights: Mapping[_Form, int]) -> dict[_Form, _Form]:
    """Every form with the words that vary replaced by blanks: first one place at a time, then two at once."""
    now, became = Counter(weights), dict[_Form, _Form]()
    for at_once in (1, 2, 1):
        for _ in range(ROUNDS):
            blanked = _blanked(now, at_once)
            if not blanked:
                break
            became |= blanked
            before, now = now, Counter[_Form]()
            for form, weight in before.items():
                now[_last(form, blanked)] += weight
    return {form: _last(form, became) for form in weights}


def _last(form: _Form, became: Mapping[_Form, _Form]) -> _Form:
    """What a form became in the end: blanks only increase, so there is one."""
    while (blank := became.get(form, form)) != form:
        form = blank
    return form


def _blanked(weights: Mapping[_Form, int], at_once: int) -> dict[_Form, _Form]:
    """The forms that have ``at_once`` places in which other forms, alike elsewhere, have other words."""
    contexts = _contexts_of_one(weights) if at_once == 1 else _contexts_of_two(weights)
    found: dict[_Form, list[tuple[int, _Form]]] = defaultdict(list)
    for context, members in contexts.items():
        if len(members) > 1 and _varies(context, members, weights):
            for form, _ in members:
                found[form].append((len(members), context))
    # of several contexts the one most forms share; of equals the first by name
    return {form: min(shared, key=lambda c: (-c[0], c[1]))[1] for form, shared in found.items()}


_Contexts: TypeAlias = dict[_Form, list[tuple[_Form, tuple[int, ...]]]]
"""A form with blanks in some places → the forms that fit it, and those places."""


def _contexts_of_one(forms: Iterable[_Form]) -> _Contexts:
    """What turns a meaning round never varies, nor does a number that was kept because it tells something."""
    found: _Contexts = defaultdict(list)
    for form in forms:
        if len(form) > MOST_WORDS:
            continue
        told = len(form) - form.count(_ANY)
        for i, word in enumerate(form):
            if word == _ANY or (told > 1 and word not in _TURNS_ROUND and not word.isdigit()):
                found[*form[:i], _ANY, *form[i + 1 :]].append((form, (i,)))
    return found


def _contexts_of_two(weights: Mapping[_Form, int]) -> _Contexts:
    """Only of short and rare forms that keep most of their words."""
    found: _Contexts = defaultdict(list)
    for form, weight in weights.items():
        words = [i for i, w in enumerate(form) if w != _ANY]
        if weight > RARE or len(form) > MOST_WORDS_IN_PAIRS or len(words) < 4:
            continue
        free = [i for i in words if form[i] not in _TURNS_ROUND and not form[i].isdigit()]
        for i, j in combinations(free, 2):
            found[*form[:i], _ANY, *form[i + 1 : j], _ANY, *form[j + 1 :]].append((form, (i, j)))
    return found


def _varies(
    context: _Form, members: Sequence[tuple[_Form, tuple[int, ...]]], weights: Mapping[_Form, int]
) -> bool:
    """Whether the words in the blanks of a context are values, not parts of different messages."""
    constant = len(context) - context.count(_ANY)
    columns = zip(*([form[i] for i in places] for form, places in members), strict=True)
    kinds = min(len(set(words)) for words in columns)
    if kinds >= MANY:
        return constant > 0
    if constant < 2:
        return False
    if any(form == context for form, _ in members):  # elsewhere it is masked already
        return True
    return kinds > 1 and kinds * kinds >= sum(weights[form] for form, _ in members)


def _counted(templates: Mapping[str, int] | Iterable[str]) -> dict[str, int]:
    if isinstance(templates, Mapping):
        return dict(cast(Mapping[str, int], templates))
    return dict.fromkeys(templates, 1)
