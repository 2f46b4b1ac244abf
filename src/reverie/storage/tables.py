"""The tables, as SQLAlchemy Core sees them on both engines. Migrations create them; nothing else does.

Times are UTC text ``2026-11-22T15:54:00.123456Z`` (sortable), JSON is text written by ``codec`` (a hash over
it means the same everywhere), digests are hex. Every row says in ``workspace`` whose it is: queries ask for
it, and on PostgreSQL a policy hides the rows of all others. The conditions of partial indexes stand in the
migrations alone: said here too, they would load PostgreSQL's dialect in every command.
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
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)  # fmt: skip

from reverie.storage.schema import metadata
from reverie.storage.work_tables import runs, work, work_pollers, workers

__all__ = [
    "APPEND_ONLY", "api_keys", "audit", "dream_stages", "dreamed_sessions", "dreams", "events",
    "file_chunks", "findings", "idempotency", "inbox", "memories", "memory_stores", "memory_versions",
    "metadata", "observations", "proposals", "quarantine", "resource_versions", "resources", "runs", "secrets",
    "session_refs", "session_sources", "sessions", "sources", "threads", "trial_sessions", "webhook_deliveries",
    "webhook_events", "work", "work_pollers", "workers", "workspaces",
]  # fmt: skip

sources = Table(
    "sources",  # files that were imported, and how far
    metadata,
    Column("id", Text, primary_key=True),
    Column("uri", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("reader_version", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("stamp", Text, nullable=False),  # what else tells whether it, or a file it was read with, changed
    Column("report", Text, nullable=False),  # the FileReport as JSON
    Column("imported_at", Text, nullable=False),
    Column("workspace", Text, nullable=False),
    UniqueConstraint("workspace", "uri"),
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
    Column("workspace", Text, nullable=False),
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
    Column("workspace", Text, nullable=False),
    Column("status", Text, nullable=False),  # a cached fold over its threads' events; idle where imported
    Column("archived_at", Text),
    Column("deleted_at", Text),  # a tombstone: the events and facts are gone, and no import brings them back
    Column("deployment", Text),  # the id of the deployment that started it
    Column("body", Text),  # what a client said of it, as JSON; null where it was imported
    UniqueConstraint("workspace", "format", "native_id"),
    Index(None, "started_at"),
    Index(None, "workspace", "created_at", "id"),
    Index(None, "status"),  # of those that are at work
)

session_sources = Table(
    "session_sources",  # which files a session was read from
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id"), primary_key=True),
    Column("source_id", Text, ForeignKey("sources.id"), primary_key=True),
    Column("workspace", Text, nullable=False),
)

session_refs = Table(
    "session_refs",  # what a session of the API refers to: agent_…, agent_…@3, memstore_…, env_…, vlt_…, file_…
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id"), primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Index(None, "workspace", "ref", "session_id"),
)

events = Table(
    "events",  # append-only: a trigger refuses UPDATE, and DELETE unless the session is marked deleted
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
    Column("workspace", Text, nullable=False),
)

observations = Table(
    "observations",  # a cache: dropping every row costs time, nothing else
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("content_sha256", Text, nullable=False),
    Column("observer", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("workspace", Text, nullable=False),
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
    Column("workspace", Text, nullable=False),
    Column("archived_at", Text),
    Index(None, "store_id", "created_at"),
    Index(None, "workspace", "created_at", "id"),
)

dream_stages = Table(
    "dream_stages",  # what each finished stage gave, so that a killed dream goes on from there
    metadata,
    Column("dream_id", Text, ForeignKey("dreams.id"), primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("workspace", Text, nullable=False),
)

dreamed_sessions = Table(
    "dreamed_sessions",  # which contents a finished dream into a store has looked at: what is new, and what not
    metadata,
    Column("store_id", Text, primary_key=True),
    Column("content_sha256", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
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
    Column("workspace", Text, nullable=False),
    Index(None, "dream_id", "position"),
)

memory_stores = Table(
    "memory_stores",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("updated_at", Text, nullable=False),  # of the store itself, not of its memories
    Column("archived_at", Text),
    Column("deleted_at", Text),  # a tombstone: its memories and their history are gone
    Column("metadata", Text, nullable=False),  # JSON
    Index(None, "workspace", "name"),
    Index(None, "workspace", "created_at", "id"),
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
    Column("workspace", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Index("ix_memories_store_id_path", "store_id", "path"),
    # among the living: a rename may land where one was deleted
    Index("uq_memories_store_id_path", "store_id", "path", unique=True),
)

memory_versions = Table(
    "memory_versions",  # append-only, but for one change: redaction takes the text and keeps who and when
    metadata,
    Column("memory_id", Text, ForeignKey("memories.id"), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("store_id", Text, nullable=False),
    Column("path", Text),  # null, as content and its digest, once redacted
    Column("operation", Text, nullable=False),
    Column("content", Text),
    Column("content_sha256", Text),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    Column("proposal_id", Text),
    Column("created_at", Text, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("redacted_at", Text),
    Column("redacted_by", Text),
    Index(None, "store_id", "created_at", "id"),
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
    Column("workspace", Text, nullable=False),
    Column("cites", Integer),  # how many of the findings; NULL: all
    Index(None, "store_id", "status"),
    Index(None, "store_id", "idea"),
    Index(
        "ix_proposals_pile",  # read alone, without the texts
        *("workspace", "status", "position", "created_at", "id", "kind", "risk", "tainted", "store_id"),
    ),
)

trial_sessions = Table(
    "trial_sessions",  # which sessions a coin was tossed for, what it said, and how they ended
    metadata,
    Column("trial_id", Text, primary_key=True),
    Column("session_id", Text, primary_key=True),
    Column("round", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),  # the order in which they began
    Column("seen", Boolean, nullable=False),
    Column("at", Text, nullable=False),
    Column("good", Boolean),  # null until it is known, or is not waited for any more; then it stays
    Column("hit", Boolean),  # the failure that the memory is about happened
    Column("stratum", Text),  # JSON: digests, the coarsest first
    Column("settled_at", Text),
    Column("workspace", Text, nullable=False),
    Index(None, "session_id"),
    Index(None, "trial_id", "round", "number", unique=True),
)

audit = Table(
    "audit",  # append-only, one hash chain for each workspace
    metadata,
    Column("workspace", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

workspaces = Table(
    "workspaces",  # the default one has no row until somebody names it
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", Text, nullable=False),
    Column("archived_at", Text),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False),  # of the whole key: the key itself is kept nowhere
    Column("scopes", Text, nullable=False),  # JSON
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text),
    Column("revoked_at", Text),
    Column("last_used_at", Text),  # written at most once a minute
)

idempotency = Table(
    "idempotency",  # answers to requests that said an Idempotency-Key, for those that come again
    metadata,
    Column("workspace", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),  # of the request: the same key must be the same request
    Column("owner", Text, nullable=False),  # who answers it; another's late answer is not taken
    Column("status", Integer),  # null while it is being answered
    Column("headers", Text),  # JSON: an array of [name, value]
    Column("answer", LargeBinary),
    Column("created_at", Text, nullable=False),
    Column("held_until", Text, nullable=False),  # who was killed meanwhile is not waited for after this
    Index(None, "created_at"),
)

resources = Table(
    "resources",  # what a workspace holds besides sessions and memory; domain.resources.Resource
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("parent", Text),
    Column("status", Text),
    Column("key", Text),  # what must be unique among its kind, where anything must
    Column("version", BigInteger, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("archived_at", Text),
    Column("body", Text, nullable=False),  # JSON
    UniqueConstraint("workspace", "kind", "key"),
    Index(None, "workspace", "kind", "created_at", "id"),
    Index(None, "workspace", "kind", "parent", "created_at", "id"),
)

resource_versions = Table(
    "resource_versions",  # the bodies that a resource has had, of those kinds that keep them
    metadata,
    Column("resource_id", Text, ForeignKey("resources.id"), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)

secrets = Table(
    "secrets",  # sealed values: of credentials, of webhooks' signatures; never in a body, never read back whole
    metadata,
    Column("owner", Text, primary_key=True),  # the id of the resource whose secret it is
    Column("name", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("updated_at", Text, nullable=False),
)

file_chunks = Table(
    "file_chunks",  # the bytes of a file, in order; what else is known of it is its resource
    metadata,
    Column("file_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),  # 0, 1, 2 …
    Column("workspace", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

threads = Table(
    "threads",  # lines of execution inside a session; one primary, others children
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("session_id", Text, ForeignKey("sessions.id"), nullable=False),
    Column("parent", Text),  # the thread that made it; null for the primary
    Column("status", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("archived_at", Text),
    Column("body", Text, nullable=False),  # JSON: the agent as of then, stop reason, counts
    Index(None, "session_id", "created_at", "id"),
)

inbox = Table(
    "inbox",  # events that were accepted and wait to be processed: then they leave, and enter the log
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id"), primary_key=True),
    Column("position", BigInteger, primary_key=True),  # the order in which they came
    Column("id", Text, nullable=False, unique=True),
    Column("workspace", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)

webhook_events = Table(
    "webhook_events",  # what happened and somebody may want to be told of; written with what it tells of
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),  # the id of what it happened to
    Column("body", Text, nullable=False),  # the payload that is sent, as JSON
    Column("created_at", Text, nullable=False),
    Index(None, "created_at"),
)

webhook_deliveries = Table(
    "webhook_deliveries",  # one for each event and each endpoint that wants it
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("webhook_id", Text, nullable=False),
    Column("event_id", Text, ForeignKey("webhook_events.id"), nullable=False),
    Column("status", Text, nullable=False),  # pending, delivered, failed
    Column("attempts", Integer, nullable=False),
    Column("due_at", Text),  # when it is tried (again); null once it is settled
    Column("created_at", Text, nullable=False),
    Column("settled_at", Text),
    Column("log", Text, nullable=False),  # JSON: each attempt with its time, status code or error
    UniqueConstraint("webhook_id", "event_id"),
    Index(None, "due_at"),
    Index(None, "webhook_id", "created_at", "id"),
)

APPEND_ONLY: Final = ("events", "memory_versions", "audit")
