"""Conventions that are tests: they can only be tightened."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import reverie
from reverie.domain import errors

SRC = Path(reverie.__file__).parent
MODULES = sorted(SRC.rglob("*.py"))
LONGEST_FUNCTION = 80
LONGEST_FILE = 500


def name_of(path: Path) -> str:
    return str(path.relative_to(SRC))


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name_of(path): ast.parse(path.read_text("utf-8")) for path in MODULES}


def test_functions_are_short(trees: dict[str, ast.Module]) -> None:
    long = [
        f"{name}:{node.lineno} {node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert not long


def test_files_are_short() -> None:
    long = {name_of(p): n for p in MODULES if (n := len(p.read_text("utf-8").splitlines())) > LONGEST_FILE}
    assert not long


def test_every_module_says_what_it_is_for(trees: dict[str, ast.Module]) -> None:
    silent = [name for name, tree in trees.items() if tree.body and ast.get_docstring(tree) is None]
    assert not silent


def test_every_name_in_all_exists_and_every_public_definition_is_listed(trees: dict[str, ast.Module]) -> None:
    wrong: list[str] = []
    for name, tree in trees.items():
        listed = {
            element.value
            for node in tree.body
            if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["__all__"]
            for element in getattr(node.value, "elts", [])
        }
        defined = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
            and not node.name.startswith("_")
        }
        if name.startswith("cli/"):  # commands are registered with the app, not imported by name
            continue
        if listed and defined - listed:
            wrong.append(f"{name}: {sorted(defined - listed)} not in __all__")
    assert not wrong


def test_only_storage_knows_sql(trees: dict[str, ast.Module]) -> None:
    strays = [
        name
        for name, tree in trees.items()
        if not name.startswith("storage") and _imports(tree, "sqlalchemy")
    ]
    assert not strays


def test_nothing_revives_objects_or_runs_text(trees: dict[str, ast.Module]) -> None:
    banned = {"pickle", "shelve", "marshal", "dill"}
    found = [
        f"{name}: {module}" for name, tree in trees.items() for module in banned if _imports(tree, module)
    ]
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("eval", "exec")
            ):
                found.append(f"{name}:{node.lineno} {node.func.id}")
            if isinstance(node, ast.keyword) and node.arg == "shell":
                found.append(f"{name}:{node.value.lineno} shell=")
    assert not found


def test_the_clock_comes_in_as_a_parameter(trees: dict[str, ast.Module]) -> None:
    """`datetime.now` stands in one file; everybody else is given a clock."""
    calls = {
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("now", "utcnow", "today")
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("datetime", "date")
    }
    assert calls <= {"domain/clock.py"}


def test_the_drawn_error_tree_is_the_real_one() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    real = {name for name in errors.__all__ if name != "ReverieError"}
    assert drawn == real
    for name in real:
        assert issubclass(getattr(errors, name), errors.ReverieError)


def test_the_public_face_is_complete() -> None:
    for name in reverie.__all__:
        assert getattr(reverie, name) is not None
    assert set(dir(reverie)) == set(reverie.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = reverie.nothing


def _imports(tree: ast.Module, package: str) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(a.name.split(".")[0] == package for a in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package:
            return True
    return False
