"""Sealed values are masked in their own workspace, whichever process sealed them, and in no other."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contract.serving import ENGINES

from reverie.app import Reverie
from reverie.storage.database import Database
from reverie.workspaces import sealing

SECRET = "a value of this workspace"
BEARER: Any = {"type": "static_bearer", "token": SECRET, "mcp_server_url": "https://a.example/mcp"}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sealing.KEY_VARIABLE, sealing.new_key().decode())


def masked(house: Any) -> bool:
    """Whether what is written into a session's log there shows no trace of the value."""
    with house.session("goal", native_id=f"{house.id} {house.clock()}") as session:
        session.user(f"it is {SECRET}")
    return SECRET not in house.transcript(session.id)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_secret_is_masked_where_it_belongs(
    engine: str, request: pytest.FixtureRequest, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url: str = request.getfixturevalue(f"{engine}_url")
    monkeypatch.setattr("reverie.workspaces.secrets._LOOK", 0.0)
    with (
        Reverie(Database.open(url, clock=clock), clock=clock) as first,
        Reverie(Database.open(url, clock=clock), clock=clock) as second,
    ):
        own, other = first.workspace("wrkspc_own"), first.workspace("wrkspc_other")
        houses = [first, own, other, second.workspace("wrkspc_own"), second.workspace("wrkspc_other")]
        for house in houses:
            house.clock = clock  # type: ignore[attr-defined]
        assert not any(masked(house) for house in houses)
        vault = own.vaults.create({"display_name": "v"})
        own.credentials.create(vault.id, {"auth": BEARER})
        assert [masked(house) for house in houses] == [False, True, False, True, False]
        vault = first.vaults.create({"display_name": "v"})
        first.credentials.create(vault.id, {"auth": {**BEARER, "token": "a value of the default workspace"}})
        assert first.workspace("wrkspc_third")._mask.leaks("a value of the default workspace") is False
