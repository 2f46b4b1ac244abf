"""What others did comes into an area, wherever its specialist left alone what they changed."""

from __future__ import annotations

from reverie.folders.ground import Moved
from reverie.folders.merging import unit
from reverie.folders.pair import IN_THE_WAY, Pair, ordered

__all__ = ["refresh"]


def refresh(pair: Pair) -> None:
    """Bring it in. Where the specialist has changes that were not merged yet, these stay as they are, and the next
    merge sees to them: nothing of them is lost, and nothing is decided behind its back.

    Raises:
        OSError: the disk does not do it; what was done stays, and the rest is done next time.
    """
    news = [name for name in pair.names() if _is_news(pair, name)]
    touched: set[str | None] = set()
    if any(unit(name) for name in news):
        touched = {unit(name) for name in pair.names() if unit(name) and pair.changed(name)}
    wanted = {n: (pair.mine.entry(n), pair.theirs.entry(n)) for n in news if unit(n) not in touched}
    for name in ordered(wanted):
        _bring(pair, name)
    pair.keep()


def _is_news(pair: Pair, name: str) -> bool:
    was, mine, theirs = pair.was(name), pair.mine.entry(name), pair.theirs.entry(name)
    if mine == theirs:
        pair.agree(name, theirs) if was != theirs else pair.note(name)
        return False
    return not pair.changed(name) and not pair.lost(name, pair.theirs)


def _bring(pair: Pair, name: str) -> None:
    after = pair.theirs.entry(name)
    try:
        pair.mine.put(name, after, lambda: pair.theirs.ground.tree.open(name), pair.pouring)
    except Moved:
        return  # somebody is at it: next time
    except OSError as error:
        if error.errno not in IN_THE_WAY:
            raise
        return
    pair.agree(name, after)
