"""What an agent leaves in its outputs folder becomes files of its session, for whoever asked for them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from reverie.domain.errors import Invalid, NotFound, TooLarge
from reverie.domain.resources import Resource
from reverie.folders.keeping import boot, keep, kept
from reverie.folders.places import OUTPUTS
from reverie.folders.tree import Tree, shown
from reverie.folders.trouble import Trouble, bounded
from reverie.folders.watch import Look, Watch, sha256
from reverie.workspaces.files import MAX_IN_SESSION, Files, safe_name

__all__ = ["Outputs"]

_UNKNOWN: Final = "application/octet-stream"


class _Given(msgspec.Struct):
    file_id: str
    sha256: str


class _State(msgspec.Struct):
    """What was given, and what was refused (by its digest), by the name in the folder."""

    given: dict[str, _Given] = {}
    refused: dict[str, str] = {}
    boot: str = ""


class Outputs:
    """The outputs folder of one session. A file that changes is given anew, under another id; one that is
    deleted is taken back. Bytes are given as they are: a deliverable is nothing to mask."""

    def __init__(self, session_id: str, folder: Path, beside: Path, files: Files) -> None:
        beside.mkdir(parents=True, exist_ok=True)
        self._session_id = session_id
        self._files = files
        self._tree = Tree(folder, beside)
        self._watch = Watch(self._tree, beside / "tick", sha256)
        self._file = beside / "outputs.json"
        self._state = kept(self._file, _State)
        self._trusting = self._state.boot == boot() and folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        self._settled: Look | None = None if self._state.given else Look({}, {})
        self._adopted = False
        self._troubles: list[Trouble] = []

    def changed(self) -> bool:
        """Whether there is something to give, or to take back."""
        return self._watch.look() != self._settled

    def collect(self) -> list[Trouble]:
        """Give what is new. What could not be given is told once.

        Raises:
            StorageError: the database does not answer; what was given stays, the rest is given next time.
        """
        self._troubles = []
        look = self._watch.look()
        self._adopt(look)
        for name, why in look.odd.items():
            self._refuse(name, f"odd:{why}", f"it {why}, and is not given")
        self._take_back(look)
        for name, digest in sorted(look.digests.items()):
            self._give(name, digest)
        names = {shown(name) for name in (*look.digests, *look.odd)}
        self._state.refused = {name: why for name, why in self._state.refused.items() if name in names}
        self._keep()
        self._settled, self._trusting = look, True
        return bounded(self._troubles)

    def _adopt(self, look: Look) -> None:
        """Know again what a process gave that was killed before it could say so."""
        if self._adopted:
            return
        self._adopted = True
        known = {given.file_id for given in self._state.given.values()}
        strays = [
            file
            for file in self._files.list(session_id=self._session_id, limit=MAX_IN_SESSION)
            if file.id not in known
        ]
        for name, digest in look.digests.items():
            before = self._state.given.get(shown(name))
            if before is not None and before.sha256 == digest:
                continue
            stray = next((file for file in strays if _is(file, name, digest)), None)
            if stray is not None:
                strays.remove(stray)
                self._replace(name, stray)

    def _take_back(self, look: Look) -> None:
        here = {shown(name) for name in look.digests}
        odd = [shown(name) for name in look.odd]
        for name in [name for name in self._state.given if name not in here]:
            if self._trusting and not any(not o or name == o or name.startswith(o + "/") for o in odd):
                self._delete(self._state.given.pop(name).file_id)
                self._keep()

    def _give(self, name: str, digest: str) -> None:
        key = shown(name)
        before = self._state.given.get(key)
        if self._state.refused.get(key) == digest or (before is not None and before.sha256 == digest):
            return
        try:
            self._replace(name, self._stored(name, before))
        except FileNotFoundError:
            return  # gone since: the next look says so
        except OSError as error:
            self._refuse(name, digest, f"it cannot be read ({error.strerror})")
        except (TooLarge, Invalid) as error:
            self._refuse(name, digest, f"it is not given: {error.what}")

    def _stored(self, name: str, before: _Given | None) -> Resource:
        try:
            return self._store(name)
        except Invalid:  # no room for two: the old one goes first
            if before is None:
                raise
            self._delete(before.file_id)
            return self._store(name)

    def _store(self, name: str) -> Resource:
        with self._tree.open(name) as file:
            return self._files.store(file, filename=_last(name), session_id=self._session_id)

    def _replace(self, name: str, file: Resource) -> None:
        before = self._state.given.get(shown(name))
        self._state.given[shown(name)] = _Given(file.id, file.body["sha256"])
        self._state.refused.pop(shown(name), None)
        self._keep()
        if before is not None:
            self._delete(before.file_id)

    def _delete(self, file_id: str) -> None:
        with suppress(NotFound):  # a client deleted it
            self._files.delete(file_id)

    def _keep(self) -> None:
        self._state.boot = boot()
        keep(self._file, self._state)

    def _refuse(self, name: str, digest: str, why: str) -> None:
        if self._state.refused.get(shown(name)) != digest:
            self._state.refused[shown(name)] = digest
            where = f"{OUTPUTS}/{shown(name)}".rstrip("/")
            self._troubles.append(Trouble("outputs_failed", f"{where}: {why}", where))


def _is(file: Resource, name: str, digest: str) -> bool:
    return file.body["sha256"] == digest and file.body["filename"] == safe_name(_last(name), _UNKNOWN)


def _last(name: str) -> str:
    return shown(name).rsplit("/", 1)[-1]
