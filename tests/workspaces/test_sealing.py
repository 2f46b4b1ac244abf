"""Sealed values: what opens them, what does not, and where the key comes from."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import ConfigError, NotFound, Tampered
from reverie.storage.database import Database
from reverie.workspaces.sealing import KEY_VARIABLE, Sealer, key_file, new_key, sealer
from reverie.workspaces.secrets import Secrets

OLD, NEW = b"o" * 32, b"n" * 32
PLACE = ("wrkspc_default", "vcrd_1", "token")


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens(value: str) -> None:
    sealed = Sealer([OLD]).seal(value, *PLACE)
    assert Sealer([OLD]).open(sealed, *PLACE) == value
    assert len(value) < 4 or value.encode() not in sealed
    assert Sealer([OLD]).seal(value, *PLACE) != sealed


@settings(max_examples=50)
@given(st.data())
def test_one_flipped_bit_and_it_does_not_open(data: Any) -> None:
    sealed = bytearray(Sealer([OLD]).seal("a secret", *PLACE))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises((Tampered, ConfigError)):
        Sealer([OLD]).open(bytes(sealed), *PLACE)


@pytest.mark.parametrize(
    "place",
    [("wrkspc_other", "vcrd_1", "token"), ("wrkspc_default", "vcrd_2", "token"),
     ("wrkspc_default", "vcrd_1", "other"), ("wrkspc_default", "vcrd_", "1token")],
)  # fmt: skip
def test_it_opens_only_where_it_was_sealed_for(place: tuple[str, str, str]) -> None:
    with pytest.raises(Tampered):
        Sealer([OLD]).open(Sealer([OLD]).seal("a secret", *PLACE), *place)


def test_keys_are_changed_one_behind_the_other() -> None:
    sealed = Sealer([OLD]).seal("a secret", *PLACE)
    both = Sealer([NEW, OLD])
    assert both.open(sealed, *PLACE) == "a secret" and both.key_id == Sealer([NEW]).key_id
    with pytest.raises(ConfigError, match=Sealer([OLD]).key_id):
        Sealer([NEW]).open(sealed, *PLACE)
    Sealer([NEW]).open(both.seal("a secret", *PLACE), *PLACE)


def test_the_key_of_a_file_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    with Database.open(tmp_path / "reverie.db") as db:
        assert not key_file(db).exists()
        first = sealer(db, environ={})
        assert stat.S_IMODE(key_file(db).stat().st_mode) == 0o600
        again = sealer(db, environ={})
        assert first.key_id == again.key_id
        assert [path.name for path in tmp_path.iterdir() if "key" in path.name] == ["reverie.db.key"]
        given_ = new_key().decode()
        assert sealer(db, environ={KEY_VARIABLE: given_}).key_id != first.key_id
        two = sealer(db, environ={KEY_VARIABLE: f"{given_}, {key_file(db).read_text()}"})
        two.open(first.seal("a secret", *PLACE), *PLACE)


@pytest.mark.parametrize("told", ["xyzzy", "c2hvcnQ=", "!" * 44, "üüü"])
def test_what_is_no_key(tmp_path: Path, told: str) -> None:
    with (
        Database.open(tmp_path / "reverie.db") as db,
        pytest.raises(ConfigError, match="32 bytes") as refused,
    ):
        sealer(db, environ={KEY_VARIABLE: told})
    assert told not in str(refused.value)


def test_a_server_has_no_file_beside_it(postgresql_url: str) -> None:
    with Database.open(postgresql_url) as db, pytest.raises(ConfigError, match=KEY_VARIABLE):
        sealer(db, environ={})


def test_secrets_are_kept_found_replaced_and_forgotten(db: Database, clock: Any) -> None:
    told: list[str] = []
    secrets = Secrets(db, lambda: Sealer([OLD]), lambda *values: told.extend(values), clock=clock)
    db.write(lambda conn: secrets.put(conn, "vcrd_1", "token", "the first value"))
    db.write(lambda conn: secrets.put(conn, "vcrd_1", "token", "the second value"))
    db.write(lambda conn: secrets.put(conn, "vcrd_1", "pin", "123"))
    with db.read() as conn:
        assert secrets.get(conn, "vcrd_1", "token") == "the second value"
        assert secrets.names(conn, "vcrd_1") == {"token", "pin"}
        with pytest.raises(NotFound):
            secrets.get(conn, "vcrd_2", "token")
    assert set(told) == {"the first value", "the second value"}  # what is too short cannot be masked
    elsewhere = Secrets(
        db.scoped("wrkspc_other"), lambda: Sealer([OLD]), lambda *values: told.extend(values), clock=clock
    )
    with db.scoped("wrkspc_other").read() as conn, pytest.raises(NotFound):
        elsewhere.get(conn, "vcrd_1", "token")
    db.write(lambda conn: secrets.forget(conn, "vcrd_1", "pin"))
    with db.read() as conn:
        assert secrets.names(conn, "vcrd_1") == {"token"}
    db.write(lambda conn: secrets.forget(conn, "vcrd_1"))
    with db.read() as conn:
        assert secrets.names(conn, "vcrd_1") == set()


def test_what_another_process_sealed_is_registered_and_what_cannot_be_opened_is_passed_over(
    db: Database, clock: Any
) -> None:
    writer = Secrets(db, lambda: Sealer([OLD]), lambda *_: None, clock=clock)
    stranger = Secrets(db, lambda: Sealer([NEW]), lambda *_: None, clock=clock)
    db.write(lambda conn: writer.put(conn, "vcrd_1", "token", "a value from elsewhere"))
    db.write(lambda conn: stranger.put(conn, "vcrd_2", "token", "a value under a lost key"))
    told: list[str] = []
    Secrets(db, lambda: Sealer([OLD]), lambda *values: told.extend(values), clock=clock).refresh()
    assert told == ["a value from elsewhere"]


def test_a_house_without_secrets_needs_no_key(db: Database, clock: Any) -> None:
    def no_key() -> Sealer:
        raise AssertionError("asked for the key")

    secrets = Secrets(db, no_key, lambda *_: None, clock=clock)
    secrets.refresh()
    db.write(lambda conn: secrets.forget(conn, "vcrd_1"))
