"""Conditional patterns: conjunctions of conditions under which something fails more often.

The engine is pure: a ``Table`` and a target go in, a ``Result`` comes out (``mine_rules``). How it works is
told, in order, by: ``table`` → ``axes`` (each column in cells) → ``language`` (what is searched, and its
error budget) → ``offsets`` (what was to be expected of each row) → ``scan`` (the search) → ``fit``, ``climb``,
``thresholds`` (the best conjunction near a find) → ``significance`` (its exam) → ``hunt`` (the loop) → ``report``.
"""

from reverie.mining.conditional.axes import NotMined
from reverie.mining.conditional.mine import mine_rules
from reverie.mining.conditional.report import Bound, Candidate, Clause, Result, Rule, Share, rows_of
from reverie.mining.conditional.table import Column, Table

__all__ = [
    "Bound",
    "Candidate",
    "Clause",
    "Column",
    "NotMined",
    "Result",
    "Rule",
    "Share",
    "Table",
    "mine_rules",
    "rows_of",
]
