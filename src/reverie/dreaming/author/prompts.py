"""The prompts, and the digest by which a dream knows them."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files

from reverie.domain.dreams import Wish
from reverie.dreaming.author.calls import tool_specs

__all__ = ["digest", "prompt"]

_NAMES = ("dreamer", "desk", "nudge")


@cache
def prompt(name: str) -> str:
    """The text of ``dreaming/prompts/<name>.md``."""
    return files("reverie.dreaming").joinpath("prompts", f"{name}.md").read_text("utf-8")


def digest(wish: Wish) -> str:
    """Twelve hex digits that change with a prompt, a tool, or what the person who asked said."""
    told = [
        *(prompt(name) for name in _NAMES),
        json.dumps(tool_specs(), sort_keys=True),
        wish.instructions or "",
    ]
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:12]
