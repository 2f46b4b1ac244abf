"""``reverie keys`` and ``reverie workspaces``, and work in a workspace by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.conftest import Cli

import reverie
from reverie.domain.errors import NotFound, Unauthenticated


def test_a_key_from_making_to_revoking(cli: Cli) -> None:
    assert "next: reverie keys create" in cli("keys", "list").stdout
    home = cli.json("workspaces", "create", "team")["id"]
    made = cli("keys", "create", "ci", "--workspace", "team", "--scope", "agents:read", "--expires", "90d")
    token = made.stdout.strip()
    assert token.startswith("rvk_") and "\n" not in token, "the key alone is on stdout"
    (kept,) = cli.json("keys", "list", "--workspace", home)
    assert (kept["name"], kept["workspace"], kept["scopes"]) == ("ci", home, ["agents:read"])
    ends = datetime.fromisoformat(kept["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < ends < timedelta(days=91)
    assert cli.json("keys", "list", "--workspace", "default") == []
    listed = cli("keys", "list").stdout
    assert "good until" in listed and token not in listed and token[17:60] not in listed
    with reverie.open(cli.db) as rv:
        assert rv.keys.check(token).workspace == home
        cli("keys", "revoke", kept["id"][:12])
        with pytest.raises(Unauthenticated, match="revoked"):
            rv.keys.check(token)
    assert "revoked" in cli("keys", "list").stdout


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["keys", "create", "x", "--scope", "agent:read"], 2, "agents"),
        (["keys", "create", "x", "--expires", "soon"], 2, "--expires"),
        (["keys", "create", "x", "--expires", "2020-01-01"], 2, "expires_at"),
        (["keys", "create", "x", "--workspace", "nobody"], 1, "reverie workspaces list"),
        (["keys", "revoke", "nothing"], 1, "reverie keys list"),
        (["workspaces", "create", "default"], 1, "already"),
        (["workspaces", "archive", "default"], 2, "default"),
    ],
)
def test_what_is_wrong_is_said(cli: Cli, args: list[str], code: int, said: str) -> None:
    assert said in cli(*args, code=code).stderr


def test_an_archived_workspace_takes_no_keys(cli: Cli) -> None:
    cli("workspaces", "create", "team")
    assert [each["name"] for each in cli.json("workspaces", "list")] == ["default", "team"]
    assert "team" in cli("workspaces", "list").stdout
    assert cli.json("workspaces", "archive", "team")["archived_at"]
    assert [each["name"] for each in cli.json("workspaces", "list")] == ["default"]
    assert "team" in cli("workspaces", "list", "--archived").stdout
    assert "archived" in cli("keys", "create", "x", "--workspace", "team", code=2).stderr


def test_work_in_a_workspace_by_its_name(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, transcripts: Path
) -> None:
    cli("workspaces", "create", "team")
    monkeypatch.setenv("REVERIE_WORKSPACE", "team")
    cli("import", str(transcripts), "--quiet")
    assert len(cli.json("sessions", "list")) > 0
    monkeypatch.delenv("REVERIE_WORKSPACE")
    assert cli.json("sessions", "list") == []
    with pytest.raises(NotFound, match="workspace"):
        reverie.open(cli.db, workspace="nobody")
