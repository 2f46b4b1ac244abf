"""API keys: recognised when good, refused when not, and never kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import START, SteppingClock

from reverie.domain.errors import Ambiguous, Conflict, Invalid, NotFound, Unauthenticated, UsageError
from reverie.domain.keys import SCOPE_NOUNS, allows, valid_scopes
from reverie.domain.workspaces import DEFAULT_WORKSPACE, EVERYWHERE
from reverie.storage import audit
from reverie.storage.database import Database
from reverie.storage.driver import execute
from reverie.workspaces.keys import Keys
from reverie.workspaces.registry import Workspaces


@pytest.fixture
def keys(db: Database, clock: SteppingClock, entropy: Callable[[int], bytes]) -> Keys:
    return Keys(db, clock=clock, entropy=entropy)


@pytest.fixture
def workspaces(db: Database, clock: SteppingClock, entropy: Callable[[int], bytes]) -> Workspaces:
    return Workspaces(db, clock=clock, entropy=entropy)


def test_a_key_is_recognised_with_what_it_may_do(keys: Keys, workspaces: Workspaces) -> None:
    home = workspaces.create("team", by="ana").id
    assert not keys.any()
    made = keys.create("ci", by="ana", workspace=home, scopes=["work:read", "agents:*", "work:read"])
    assert re.fullmatch(r"rvk_[a-z2-7]{12}_[\w-]{43}_[0-9A-Za-z]{6}", made.token)
    found = keys.check(made.token)
    assert (found.id, found.workspace, found.scopes) == (made.key.id, home, ("agents:*", "work:read"))
    assert keys.any()
    assert [key.id for key in keys.list()] == [key.id for key in keys.list(home)] == [found.id]
    assert keys.list(DEFAULT_WORKSPACE) == []


def test_nobody_can_read_a_key_out_of_the_database(
    sqlite_url: str, clock: SteppingClock, entropy: Callable[[int], bytes]
) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    with Database.open(sqlite_url, clock=clock) as db:
        token = Keys(db, clock=clock, entropy=entropy).create("ci", by="ana").token
    kept = b"".join(each.read_bytes() for each in path.parent.iterdir())
    _, id, rest = token.split("_", 2)
    assert f"apikey_{id}".encode() in kept
    assert rest[:43].encode() not in kept


def test_what_is_not_exactly_a_key_is_refused(keys: Keys) -> None:
    token = keys.create("ci", by="ana").token
    spoiled = {token + "\n", token.upper(), "", "rvk_", "rvk_" + token}
    for place, kept in enumerate(token):
        before, after = token[:place], token[place + 1 :]
        spoiled |= {before, before + after, before + kept + kept + after}
        spoiled |= {before + other + after for other in "aB7_-é\x00\ud800" if other != kept}
    for each in spoiled - {token}:
        with pytest.raises(Unauthenticated, match="not a key of this API"):
            keys.check(each)


def test_a_good_checksum_is_not_enough(keys: Keys, db: Database) -> None:
    mine, other = keys.create("a", by="ana"), keys.create("b", by="ana")
    for change, said in (
        (f"UPDATE api_keys SET sha256 = '{'0' * 64}' WHERE id = '{mine.key.id}'", "not known"),
        (f"DELETE FROM api_keys WHERE id = '{mine.key.id}'", "not known"),
    ):
        db.write(lambda conn, change=change: execute(conn, change).rowcount)
        with pytest.raises(Unauthenticated, match=said):
            keys.check(mine.token)
    assert keys.check(other.token).id == other.key.id


def test_a_revoked_key_is_refused_for_good(keys: Keys, db: Database) -> None:
    made = keys.create("ci", by="ana")
    first = keys.revoke(made.key.id[:10], by="bo")
    assert first.revoked_at is not None
    assert keys.revoke(made.key.id, by="cy").revoked_at == first.revoked_at
    with pytest.raises(Unauthenticated, match="revoked"):
        keys.check(made.token)
    assert keys.any(), "to revoke the last key does not open the door"
    with db.read() as conn:
        told = [(line.actor, line.action) for line in audit.entries(conn)]
    assert told == [("bo", "key.revoked"), ("ana", "key.created")]


def test_a_key_ends_when_it_was_to(keys: Keys, clock: SteppingClock) -> None:
    made = keys.create("ci", by="ana", expires_at=START + timedelta(hours=1))
    clock.now = START + timedelta(minutes=59)
    keys.check(made.token)
    clock.now = START + timedelta(hours=1)
    with pytest.raises(Unauthenticated, match="expired"):
        keys.check(made.token)
    with pytest.raises(Invalid, match="expires_at"):
        keys.create("late", by="ana", expires_at=clock.now)


def test_ids_that_fit_none_or_several(keys: Keys) -> None:
    for name in ("a", "b"):
        keys.create(name, by="ana")
    for prefix in ("", "apikey_", "zzzz9"):
        with pytest.raises(NotFound):
            keys.revoke(prefix, by="ana")
    common = {key.id[7] for key in keys.list()}
    if len(common) == 1:
        with pytest.raises(Ambiguous):
            keys.revoke(common.pop(), by="ana")


@pytest.mark.parametrize("scopes", [[], ["agent:read"], ["agents"], ["agents:delete"], ["* "], [""]])
def test_scopes_that_nothing_asks_for_are_refused(keys: Keys, scopes: list[str]) -> None:
    with pytest.raises(Invalid, match="scopes"):
        keys.create("ci", by="ana", scopes=scopes)


@given(
    held=st.sets(
        st.sampled_from(["*", "*:read", "*:*", "agents:*", "agents:read", "work:write"]), min_size=1
    ),
    noun=st.sampled_from(SCOPE_NOUNS),
    verb=st.sampled_from(["read", "write"]),
)
def test_scopes_allow_what_they_say(held: set[str], noun: str, verb: str) -> None:
    said = [scope.split(":") if ":" in scope else ["*", "*"] for scope in valid_scopes(held)]
    wanted = any(n in ("*", noun) and v in ("*", verb) for n, v in said)
    assert allows(held, f"{noun}:{verb}") == wanted


def test_its_use_is_noted_without_a_write_for_each_request(
    keys: Keys, db: Database, clock: SteppingClock
) -> None:
    made = keys.create("ci", by="ana")
    writes = 0
    plain = db._engine.write

    def counted(work: Callable[[Any], object]) -> object:
        nonlocal writes
        writes += 1
        return plain(work)

    db._engine.write = counted  # type: ignore[method-assign]
    clock.step = timedelta(seconds=10)
    threads = [Thread(target=keys.check, args=(made.token,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writes == 1
    for _ in range(12):  # two minutes
        keys.check(made.token)
    assert 2 <= writes <= 4
    (key,) = keys.list()
    assert key.last_used_at is not None and clock.now - key.last_used_at <= timedelta(minutes=1, seconds=10)


def test_an_archived_workspace_is_closed(keys: Keys, workspaces: Workspaces, db: Database) -> None:
    home = workspaces.create("team", by="ana")
    made = keys.create("ci", by="ana", workspace=home.id)
    closed = workspaces.archive("team", by="bo")
    assert closed.archived_at is not None
    assert workspaces.archive(home.id, by="cy") == closed
    with pytest.raises(Unauthenticated, match="archived"):
        keys.check(made.token)
    assert [each.name for each in workspaces.list()] == ["default"]
    assert [each.name for each in workspaces.list(archived=True)] == ["default", "team"]
    with db.scoped(home.id).read() as conn:
        told = [(line.actor, line.action) for line in audit.entries(conn)]
    assert told == [("bo", "workspace.archived"), ("ana", "key.created"), ("ana", "workspace.created")]


def test_names_of_workspaces(workspaces: Workspaces) -> None:
    made = workspaces.create("  team ", by="ana")
    assert workspaces.get("team") == workspaces.get(made.id) == made
    for taken in ("team", "default", DEFAULT_WORKSPACE):
        with pytest.raises(Conflict):
            workspaces.create(taken, by="ana")
    for bad in ("", " ", "a\nb", "x" * 201):
        with pytest.raises(Invalid, match="name"):
            workspaces.create(bad, by="ana")
    with pytest.raises(UsageError):
        workspaces.archive("default", by="ana")
    for none in ("nobody", EVERYWHERE):
        with pytest.raises(NotFound):
            workspaces.get(none)
