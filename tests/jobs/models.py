"""Scripts in place of models, for workers in processes of their own."""

from __future__ import annotations

from typing import Any


def greet(request: Any) -> str:
    return "Hello."
