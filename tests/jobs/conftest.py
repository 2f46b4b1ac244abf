"""A PostgreSQL database that is emptied of DBOS's tables too."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from reverie.jobs.tickets import SCHEMA


@pytest.fixture
def postgresql_url(postgresql_url: str) -> Iterator[str]:
    yield postgresql_url
    with psycopg.connect(postgresql_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
