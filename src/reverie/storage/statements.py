"""Statements written once from ``tables``, for what runs once per event, session or file.

To build one with SQLAlchemy each time costs more than to run it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, ColumnElement, Table

from reverie.domain.resources import Period

__all__ = ["columns", "insert", "insert_new", "upsert", "within"]

_OURS: Final = "WHERE {}.workspace = excluded.workspace"


def within(column: Column[str], period: Period) -> list[ColumnElement[bool]]:
    """What ``column``, a time as text, must fulfil to be in the period."""
    return [column.bool_op(sign)(at) for sign, at in period.bounds()]


def columns(table: Table) -> str:
    """The columns in their order, quoted: ``user`` is a word of PostgreSQL's."""
    return ", ".join(f'"{column.name}"' for column in table.columns)


def insert(table: Table) -> str:
    """An INSERT of whole rows."""
    marks = ", ".join("?" * len(table.columns))
    return f"INSERT INTO {table.name} ({columns(table)}) VALUES ({marks})"  # noqa: S608


def insert_new(table: Table) -> str:
    """An INSERT that leaves a row alone that is there."""
    return f"{insert(table)} ON CONFLICT DO NOTHING"


def upsert(table: Table) -> str:
    """An INSERT that takes the place of the row with the same primary key, in the same workspace."""
    key = ", ".join(f'"{column.name}"' for column in table.primary_key)
    rest = [column.name for column in table.columns if not column.primary_key]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
    return f"{insert(table)} ON CONFLICT ({key}) DO UPDATE SET {changes} {_OURS.format(table.name)}"
