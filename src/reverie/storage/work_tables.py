"""The tables of who works on what; ``tables`` has them all."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from reverie.storage.schema import metadata

__all__ = ["runs", "work", "work_pollers", "workers"]

work = Table(
    "work",  # queues of self-hosted environments: sessions that wait for a worker, or have one
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("environment_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("claimed_at", Text),  # handed out, not acknowledged yet
    Column("acknowledged_at", Text),
    Column("started_at", Text),
    Column("heartbeat_at", Text),
    Column("lease_until", Text),  # then it is anybody's again
    Column("stop_requested_at", Text),
    Column("stopped_at", Text),
    Column("ttl_seconds", Integer, nullable=False),
    Column("metadata", Text, nullable=False),  # JSON
    Column("key_id", Text),  # of the API key that was made for whoever has it
    Index(None, "workspace", "environment_id", "state", "created_at", "id"),
    Index("uq_work_session_id", "session_id", unique=True),  # of items that are not stopped
)

work_pollers = Table(
    "work_pollers",  # which workers have asked, and when last
    metadata,
    Column("environment_id", Text, primary_key=True),
    Column("worker", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("polled_at", Text, nullable=False),
)

workers = Table(
    "workers",  # processes that work on sessions; they work for all workspaces, and so belong to none: "*"
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("beat_at", Text, nullable=False),  # when it last showed that it lives
)

runs = Table(
    "runs",  # who works on a session; a session that never had work has no row
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id"), primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("worker", Text),  # null: nobody
    Column("epoch", BigInteger, nullable=False),  # how often it was claimed
    Column("since", Text),  # when it was claimed last
    Column("woken", Integer, nullable=False),  # 1: there is work; 2: there was, when it was claimed
    Column("failures", Integer, nullable=False),  # how often in a row it was broken off
    Index(None, "worker"),
    Index(None, "woken"),  # of those that are not 0
)
