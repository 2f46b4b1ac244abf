"""The tables, as SQLAlchemy Core sees them on both engines. Migrations create them; nothing else does.

Conventions: times are UTC text ``2026-11-22T15:54:00.123456Z`` (sortable, the same on both engines),
JSON is text written by ``codec`` (so that a hash over it means the same everywhere), digests are hex.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "APPEND_ONLY",
    "audit",
    "dream_stages",
    "dreamed_sessions",
    "dreams",
    "events",
    "findings",
    "memories",
    "memory_stores",
    "memory_versions",
    "metadata",
    "observations",
    "proposals",
    "quarantine",
    "session_sources",
    "sessions",
    "sources",
]

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

sources = Table(
    "sources",  # files that were imported, and how far
    metadata,
    Column("id", Text, primary_key=True),
    Column("uri", Text, nullable=False, unique=True),
    Column("format", Text, nullable=False),
    Column("reader_version", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("stamp", Text, nullable=False),  # what else tells whether it, or a file it was read with, changed
    Column("report", Text, nullable=False),  # the FileReport as JSON
    Column("imported_at", Text, nullable=False),
    Index(None, "sha256"),
)

quarantine = Table(
    "quarantine",  # records that could not be read; the text itself is not kept, the file has it
    metadata,
    Column("source_id", Text, ForeignKey("sources.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("line", BigInteger),
    Column("pointer", Text),
    Column("why", Text, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("format", Text, nullable=False),
    Column("native_id", Text, nullable=False),
    Column("agent", Text),
    Column("agent_version", Text),
    Column("user", Text),
    Column("model", Text),
    Column("repository", Text),
    Column("branch", Text),
    Column("cwd", Text),
    Column("task", Text),
    Column("goal", Text),
    Column("timezone", Text),
    Column("started_at", Text),
    Column("ended_at", Text),
    Column("outcome", Text, nullable=False),
    Column("score", Float),
    Column("outcome_source", Text),
    Column("extra", Text, nullable=False),
    Column("events", BigInteger, nullable=False),  # how many; equals the last seq
    Column("head", Text, nullable=False),  # hash of the last event: names the session's contents
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    UniqueConstraint("format", "native_id"),
    Index(None, "started_at"),
)

session_sources = Table(
    "session_sources",  # which files a session was read from
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id"), primary_key=True),
    Column("source_id", Text, ForeignKey("sources.id"), primary_key=True),
)

events = Table(
    "events",  # append-only: a trigger refuses UPDATE and DELETE
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),  # 1, 2, 3 …; the key is the fencing token
    Column("id", Text, nullable=False, unique=True),  # derived from session and key: one id, one key
    Column("key", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("at", Text),
    Column("thread", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("origin", Text),  # domain.events.Origin as JSON
    Column("hash", Text, nullable=False),
)

observations = Table(
    "observations",  # a cache: dropping every row costs time, nothing else
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("content_sha256", Text, nullable=False),
    Column("observer", Text, nullable=False),
    Column("body", Text, nullable=False),
)

dreams = Table(
    "dreams",
    metadata,
    Column("id", Text, primary_key=True),
    Column("store_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("body", Text, nullable=False),  # the rest of domain.dreams.Dream as JSON
    Column("created_at", Text, nullable=False),
    Column("ended_at", Text),
    Index(None, "store_id", "created_at"),
)

dream_stages = Table(
    "dream_stages",  # what each finished stage gave, so that a killed dream goes on from there
    metadata,
    Column("dream_id", Text, ForeignKey("dreams.id"), primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("at", Text, nullable=False),
)

dreamed_sessions = Table(
    "dreamed_sessions",  # which contents a finished dream into a store has looked at: what is new, and what not
    metadata,
    Column("store_id", Text, primary_key=True),
    Column("content_sha256", Text, primary_key=True),
)

findings = Table(
    "findings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dream_id", Text, ForeignKey("dreams.id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "dream_id", "position"),
)

memory_stores = Table(
    "memory_stores",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)

memories = Table(
    "memories",  # the newest version of each path; a deleted memory keeps its row, without content
    metadata,
    Column("id", Text, primary_key=True),
    Column("store_id", Text, ForeignKey("memory_stores.id"), nullable=False),
    Column("path", Text, nullable=False),
    Column("content", Text),
    Column("content_sha256", Text),
    Column("version_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("updated_at", Text, nullable=False),
    UniqueConstraint("store_id", "path"),
)

memory_versions = Table(
    "memory_versions",  # append-only
    metadata,
    Column("memory_id", Text, ForeignKey("memories.id"), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("store_id", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("content", Text),
    Column("content_sha256", Text),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    Column("proposal_id", Text),
    Column("created_at", Text, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dream_id", Text, nullable=False),
    Column("store_id", Text, ForeignKey("memory_stores.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("base_sha256", Text),
    Column("base_content", Text),
    Column("idea", Text, nullable=False),
    Column("evidence_weight", BigInteger, nullable=False),
    Column("findings", Text, nullable=False),
    Column("risk", Text, nullable=False),
    Column("origins", Text, nullable=False),
    Column("tainted", Boolean, nullable=False),
    Column("writer", Text, nullable=False),
    Column("position", Integer, nullable=False),  # order of importance within its dream
    Column("status", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("decision", Text),  # domain.proposals.Decision as JSON
    Index(None, "store_id", "status"),
    Index(None, "store_id", "idea"),
)

audit = Table(
    "audit",  # append-only, one hash chain for the whole database
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

APPEND_ONLY: Final = ("events", "memory_versions", "audit")
