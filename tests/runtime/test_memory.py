"""What a dream found and a person approved is in the next session, with no other step."""

from __future__ import annotations

from pathlib import Path

from tests.runtime.houses import Answers, House
from tests.transcripts import write_sessions

from reverie.app import Reverie
from reverie.storage.database import Database


class Home(House):
    """With folders as everybody has them."""

    mount = Reverie.mount


def test_an_approved_memory_reaches_the_next_session(tmp_path: Path) -> None:
    write_sessions(tmp_path / "transcripts")
    with Home(Database.open(tmp_path / "reverie.db")) as house:
        house.models_here, house.tools_here, house.servers, house.slept, house.pins = {}, [], {}, [], {}
        house.attend()
        house.import_paths(tmp_path / "transcripts")
        proposal = house.dream().proposals[0]
        house.approve(proposal.id, by="ana")
        store = house.memory.store("default").id
        answers = Answers("I know.")
        attached = {"type": "memory_store", "memory_store_id": store, "access": "read_only"}
        session = house.begin(answers, resources=[attached])
        house.turn(session)
        (request,) = answers.requests
        assert proposal.path.lstrip("/") in request.system and "may be stale" in request.system
        folder = house.folders.open(house.id, session, house.live.row(session).body or {})
        (mount,) = [each for each in folder.spec.mounts if each.inside == "/mnt/memory/default"]
        text = (mount.folder / proposal.path.lstrip("/")).read_text()
        assert text == house.memory.read("default", proposal.path).content and not mount.writable
