"""Commands whose modules are imported when they run, so that none pays for what another needs.

Help and completion of the whole program read what the table says of a command; a test keeps the two alike.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

__all__ = ["Entry", "LazyGroup"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One command, or group of commands: the module whose ``add_to`` registers it, the first line of its
    help, and the panel of the help that it stands in."""

    module: str
    help: str
    panel: str | None = None


class _Loading(dict[str, Any]):
    """Commands by name. Whoever takes one out of it gets the real one."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        super().__init__({name: _stub(name, entry) for name, entry in entries.items()})
        self._entries = entries
        self._real: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._real:
            self._real[name] = _imported(name, self._entries[name].module)
        return self._real[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401  (that is what `get` is)


class LazyGroup(TyperGroup):
    """A group whose commands are in the table ``entries``; a subclass sets it."""

    entries: ClassVar[Mapping[str, Entry]] = {}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Loading(self.entries)
        self._listing = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if self._listing:
            return dict(self.commands.items()).get(cmd_name)
        return self.commands.get(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with self._listed():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        with self._listed():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _listed(self) -> Generator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False


def _stub(name: str, entry: Entry) -> TyperCommand:
    return TyperCommand(name, help=entry.help, rich_help_panel=entry.panel)


def _imported(name: str, module: str) -> Any:
    part = typer.Typer(rich_markup_mode="rich")
    import_module(module).add_to(part)
    return get_group(part).commands[name]
