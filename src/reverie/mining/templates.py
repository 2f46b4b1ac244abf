"""Error templates: what stays of a line when everything variable in it is masked.

Masking first and merging only the few distinct results is much cheaper than parsing every line into a
tree (Drain: He et al., ICWS 2017), and groups at least as well on the same masks. Two templates merge
when they share at least ``AGREEMENT`` of their tokens in order and differ in nothing that turns the
meaning round. The outcome does not depend on the order in which lines were seen.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from rapidfuzz.distance import LCSseq

__all__ = ["AGREEMENT", "content_words", "mask", "merge"]

AGREEMENT: Final = 0.75
"""2 × (longest common subsequence) / (sum of lengths), in tokens, from which two templates are one."""

MAX_TEMPLATE: Final = 240

_QUOTED = r"""(?<![\w'"`])(?:'(?!-)[^'\n]{1,200}'|"(?!-)[^"\n]{1,200}"|`(?!-)[^`'\n]{1,200}[`'])(?![\w'"`])"""
_MASKS: Final = (
    ("url", r"\b(?:https?|ssh|git|ftp|file)://[^\s'\"<>)\]]+"),
    ("email", r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"),
    ("host", r"\b(?:[\w-]+\.)+(?:com|net|org|io|dev|local|internal|cloud)\b(?::\d+)?"),
    ("uuid", r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"),
    ("time", r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b|\b\d\d:\d\d(?::\d\d)?\b"),
    ("q", _QUOTED),
    ("path", r"(?<![\w<])(?:~|\.{1,2})?(?:/[\w.@+~%*-]+)+/?(?::\d+(?::\d+)?)?|\b[A-Za-z]:\\[^\s'\"]+"
             r"|(?<![\w/.])(?:[\w.@+-]+/)+[\w.@+*-]+(?::\d+(?::\d+)?)?"
             r"|\b[\w-]+\.(?:go|py|pyi|js|jsx|ts|tsx|mjs|rs|java|kt|rb|php|c|cc|cpp|h|hpp|cs|swift|sh|sql|md|txt|json"
             r"|jsonl|ya?ml|toml|lock|mod|sum|csv|tsv|xml|html|css|log|pdf|docx?|xlsx?|pptx?|png|jpe?g|zip|gz)\b(?::\d+(?::\d+)?)?"),
    ("size", r"\b\d+(?:[.,]\d+)*\s?(?:[kKMGT]i?B|bytes|[kKMGT]B)\b"),
    ("duration", r"\b\d+(?:\.\d+)?\s?(?:ms|µs|ns|secs?|seconds?|mins?|minutes?|hours?|s|m|h)\b"),
    ("hex", r"\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b"),
    ("id", r"\b(?=\w*[A-Za-z])(?=\w*\d)[A-Za-z]+(?:[_-][A-Za-z]+)*[_-]?\d[\w-]*\b"),
    ("n", r"(?<![\w])(?<!HTTP )(?<!status )(?<!code )[-+]?\d+(?:[.,]\d+)*%?(?![\w])"),
)  # fmt: skip
_MASK = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _MASKS))
_LISTED = re.compile(r"(<\w+>)(?:\s*(?:,|and|or|;)\s*\1)+")
_SPACE = re.compile(r"\s+")
_TURNS_ROUND: Final = frozenset({"not", "no", "cannot", "can't", "never", "without", "isn't", "doesn't"})
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]+")
_EDGE = ".,:;!?()[]{}\"'`"


def mask(line: str, *, keep: frozenset[str] = frozenset()) -> str:
    """The template of a line: paths, numbers, ids, times, sizes, quoted text … become ``<path>``, ``<n>`` ….

    What is named in ``keep`` stays: in a message about code the name *is* the message (``q``: quoted,
    ``id``: words with digits, ``path``), and two different names are two different things.
    """

    def replace(found: re.Match[str]) -> str:
        kind = found.lastgroup or "n"
        return found.group() if kind in keep else f"<{kind}>"

    masked = _LISTED.sub(r"\1", _MASK.sub(replace, line))
    return _SPACE.sub(" ", masked).strip()[:MAX_TEMPLATE]


def content_words(text: str) -> list[str]:
    """The words of a text in order, lower case, without what is masked or punctuation."""
    return [w.lower() for w in _WORD.findall(re.sub(r"<\w+>", " ", text))]


def merge(templates: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Groups near-identical templates: every template → its group. Deterministic, order-independent.

    Connected components over pairs that agree; only pairs that share their first or their last telling
    token are compared, which keeps the work near linear in the number of distinct templates.
    """
    unique = sorted(set(templates))
    tokens = {t: tuple(w.strip(_EDGE).lower() for w in t.split()) for t in unique}
    parent = {t: t for t in unique}

    def root(t: str) -> str:
        while parent[t] != t:
            parent[t] = parent[parent[t]]
            t = parent[t]
        return t

    for block in _blocks(unique, tokens):
        for i, a in enumerate(block):
            for b in block[i + 1 :]:
                if root(a) != root(b) and _agree(tokens[a], tokens[b]):
                    low, high = sorted((root(a), root(b)))
                    parent[high] = low
    groups: dict[str, set[str]] = defaultdict(set)
    for t in unique:
        groups[root(t)].add(t)
    return {t: frozenset(groups[root(t)]) for t in unique}


MAX_BLOCK: Final = 400  # a block larger than this is compared with its neighbours in sorted order only


def _blocks(unique: Sequence[str], tokens: Mapping[str, tuple[str, ...]]) -> Iterable[Sequence[str]]:
    by_edge: dict[tuple[str, str], list[str]] = defaultdict(list)
    for t in unique:
        words = [w for w in tokens[t] if w and not w.startswith("<")]
        if words:
            by_edge["first", words[0]].append(t)
            by_edge["last", words[-1]].append(t)
    for _, block in sorted(by_edge.items()):
        if len(block) <= MAX_BLOCK:
            yield block
        else:
            yield from pairwise(block)


def _agree(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    if 2 * min(len(a), len(b)) < AGREEMENT * (len(a) + len(b)):
        return False
    if 2 * LCSseq.similarity(a, b) < AGREEMENT * (len(a) + len(b)):
        return False
    return not (set(a) ^ set(b)) & _TURNS_ROUND
