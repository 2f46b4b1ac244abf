"""Every statement that storage writes by hand says whose rows it means."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from reverie import storage
from reverie.storage import tables

FOLDER = Path(storage.__path__[0])
OURS = "|".join(name for name in tables.metadata.tables if name != "workspaces")
TOUCHES = re.compile(rf'\b(?:FROM|JOIN|UPDATE|INTO)\s+"?(?:{OURS})\b')

ELSEWHERE = {
    # workers work for all workspaces: these ask for a transaction that sees all of them
    *(("leases.py", name) for name in ("<module>", "beat", "leave", "bury", "listed", "claim")),
    ("managed.py", "_conditions"),  # inside a statement that says it: of a session that is this workspace's
    ("managed.py", "heads"),  # the feed watches all workspaces, and hands on what it hears by session
    ("sessions.py", "<module>"),  # the beginning of statements that say it further on
    ("sources.py", "<module>"),
}


class _Statements(ast.NodeVisitor):
    def __init__(self) -> None:
        self.function = "<module>"
        self.found: list[tuple[str, str]] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        before, self.function = self.function, node.name
        self.generic_visit(node)
        self.function = before

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = (part.value if isinstance(part, ast.Constant) else "?" for part in node.values)
        self._look("".join(str(part) for part in parts))

    def visit_Constant(self, node: ast.Constant) -> None:
        self._look(str(node.value))

    def _look(self, text: str) -> None:
        if TOUCHES.search(text):
            self.found.append((self.function, text))


def _statements() -> Iterator[tuple[tuple[str, str], str]]:
    for path in sorted(FOLDER.glob("*.py")):
        visitor = _Statements()
        visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
        yield from (((path.name, function), text) for function, text in visitor.found)


def test_every_statement_by_hand_names_the_workspace() -> None:
    found = list(_statements())
    assert len(found) > 30
    silent = {place for place, text in found if "workspace" not in text}
    assert silent == ELSEWHERE
