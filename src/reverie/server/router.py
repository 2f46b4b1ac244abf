"""From a path to its door: literal segments before parameters, no redirects, no guessing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reverie.server.door import Door
from reverie.server.endpoint import Endpoint
from reverie.server.running import Running

__all__ = ["Router"]

_LONGEST: Final = 512


class Router:
    """All doors, found by walking a tree of segments: a look-up costs the same for 10 routes and for 200."""

    def __init__(self, endpoints: Iterable[Endpoint], running: Running) -> None:
        self._root = _Node()
        by_path: dict[str, dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            methods = by_path.setdefault(endpoint.path, {})
            if endpoint.method in methods:
                raise ValueError(f"{endpoint.method} {endpoint.path} is in the table twice")
            methods[endpoint.method] = endpoint
        for path, methods in by_path.items():
            self._root.plant(path.split("/")[1:], Door(methods, running))

    def find(self, path: str) -> tuple[Door, dict[str, str]] | None:
        """The door of a decoded path and the values of its parameters; None where there is none."""
        found = self._root.find(path.split("/")[1:], [])
        if found is None:
            return None
        names, values, door = found
        return door, dict(zip(names, values, strict=True))


class _Node:
    def __init__(self) -> None:
        self._literal: dict[str, _Node] = {}
        self._any: _Node | None = None
        self._door: Door | None = None
        self._names: list[str] = []

    def plant(self, segments: list[str], door: Door) -> None:
        node = self
        names: list[str] = []
        for segment in segments:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node._any = node._any or _Node()
                node = node._any
            else:
                node = node._literal.setdefault(segment, _Node())
        if node._door is not None:
            raise ValueError(f"two paths look alike: …/{'/'.join(segments)}")
        node._door, node._names = door, names

    def find(self, segments: list[str], values: list[str]) -> tuple[list[str], list[str], Door] | None:
        if not segments:
            return None if self._door is None else (self._names, values, self._door)
        first, rest = segments[0], segments[1:]
        if (literal := self._literal.get(first)) and (found := literal.find(rest, values)):
            return found
        return self._any.find(rest, [*values, first]) if self._any and _plausible(first) else None


def _plausible(value: str) -> bool:
    """No id is empty, longer than this, or has anything that is not printed."""
    return 0 < len(value) <= _LONGEST and value.isprintable()
