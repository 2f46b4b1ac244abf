"""Checks of kind ``file``: whether files are there, how many, and how large."""

from __future__ import annotations

import os
from collections.abc import Iterator

from reverie.domain.outcomes import Proof
from reverie.outcomes.checks.looking import Fault, Found, Looking, Unchecked
from reverie.outcomes.checks.specs import FileWants

__all__ = ["check_files"]


def check_files(wants: FileWants, looking: Looking) -> Found:
    """
    Raises:
        Unchecked: a file cannot be opened.
    """
    found = looking.matching(wants.file)
    if wants.absent:
        return Found([Fault(f"take `{path}` away", Proof(path)) for path in found])
    if not found and wants.at_least != 0:
        told = looking.some(wants.file)
        return Found([told] if isinstance(told, Fault) else [])
    faults = [*_counted(found, wants), *(fault for path in found for fault in _sized(path, wants, looking))]
    return Found(faults, Proof(found[0]) if found else None)


def _counted(found: list[str], wants: FileWants) -> Iterator[Fault]:
    if wants.at_least is not None and len(found) < wants.at_least:
        yield Fault(f"deliver at least {wants.at_least} files `{wants.file}`: there are {len(found)}")
    if wants.at_most is not None and len(found) > wants.at_most:
        yield Fault(f"deliver at most {wants.at_most} files `{wants.file}`: there are {len(found)}")


def _sized(path: str, wants: FileWants, looking: Looking) -> Iterator[Fault]:
    if wants.min_bytes is None and wants.max_bytes is None:
        return
    try:
        with looking.files.open(path) as file:
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise Unchecked(f"`{path}` cannot be opened: {error.strerror or error}") from None
    if wants.min_bytes is not None and size < wants.min_bytes:
        yield Fault(f"`{path}` must have at least {wants.min_bytes:,} bytes: it has {size:,}", Proof(path))
    if wants.max_bytes is not None and size > wants.max_bytes:
        yield Fault(f"`{path}` must have at most {wants.max_bytes:,} bytes: it has {size:,}", Proof(path))
