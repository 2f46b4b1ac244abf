"""What a session's sandbox holds: memory, files, repositories and outputs, on this machine's disk.

A session that goes on after a crash finds its folders as they were, and what it wrote into memory is kept.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import msgspec

from reverie.domain.clock import Clock
from reverie.domain.errors import ConfigError, NotFound, Tampered
from reverie.domain.events import JsonObject
from reverie.folders.areas import Areas, Held
from reverie.folders.briefing import Shelf, briefing, headline
from reverie.folders.entries import Part
from reverie.folders.file_mount import FileMount
from reverie.folders.ground import Ground
from reverie.folders.keeping import keep, kept
from reverie.folders.memory_mount import Attached, MemoryMount
from reverie.folders.outputs import Outputs
from reverie.folders.places import CONFLICTS, HOME, OUTPUTS, SPILL, UPLOADS, Rooms
from reverie.folders.repository_mount import Git, RepositoryMount
from reverie.folders.tree import Tree, demolish, shown
from reverie.folders.trouble import Trouble
from reverie.memory.catalog import Catalog
from reverie.memory.records import Records
from reverie.plugins import Injected, Mount, Network, SandboxSpec
from reverie.workspaces.credentials import MAX_CREDENTIALS, Credentials
from reverie.workspaces.environments import Environments
from reverie.workspaces.files import Files
from reverie.workspaces.secrets import Secrets

__all__ = ["KEPT", "Hides", "Mounted", "Mounts", "Trouble"]

Resource: TypeAlias = Mapping[str, Any]
Hides: TypeAlias = Callable[[str | None, str], frozenset[str]]
"""``hides(session_id, store_id)``: the paths of a store that a session does not see. What decides it is on the disk when
the answer comes. None: a reader for whom nothing can be kept back, and nothing is decided but for all."""

KEPT: Final = timedelta(days=30)
"""How long a sandbox's folders are kept, from when they were made."""
_PACKAGE_HOSTS: Final = (
    "pypi.org", "files.pythonhosted.org", "registry.npmjs.org", "crates.io", "index.crates.io", "static.crates.io",
    "rubygems.org", "index.rubygems.org", "proxy.golang.org", "sum.golang.org", "deb.debian.org",
    "archive.ubuntu.com", "security.ubuntu.com",
)  # fmt: skip
_GONE: Final = ".removed-"


class _Made(msgspec.Struct):
    at: datetime | None = None


class Mounted(Held):
    """The folders of one session, in this process. Methods may be called from any thread."""

    def __init__(
        self,
        session_id: str,
        spec: SandboxSpec,
        briefing: str,
        areas: Areas,
        *,
        memories: Sequence[MemoryMount] = (),
        outputs: Outputs | None = None,
        troubles: Sequence[Trouble] = (),
    ) -> None:
        super().__init__(spec, briefing, areas)
        self._actor = f"session:{session_id}"
        self._memories = memories
        self._outputs = outputs
        self._troubles = list(troubles)
        self._door = threading.RLock()

    def pull(self) -> list[Trouble]:
        """Before a turn: what changed in the stores comes into the folders. The first call also tells what
        could not be mounted.

        Raises:
            StorageError: the database does not answer.
        """
        with self._door:
            told, self._troubles = self._troubles, []
            return told + self._each(lambda mount: mount.stale(), self._actor)

    def push(self, *, actor: str | None = None) -> list[Trouble]:
        """After a call of a tool: what changed in the folders is kept, in the name of the session unless
        ``actor`` says another.

        Raises:
            StorageError: the database does not answer; what was not kept is kept by the next call.
        """
        with self._door:
            told = self._each(lambda mount: mount.changed(), actor or self._actor)
            if self._outputs is not None and self._outputs.changed():
                told += _safely(self._outputs.collect, "outputs_failed", OUTPUTS)
            return told

    def changed(self) -> bool:
        """Whether ``push`` has anything to do. Cheap: the folders are looked at, not read."""
        if not self._door.acquire(blocking=False):
            return True  # somebody is at it: whoever asks on an event loop must not wait for that
        try:
            outputs = self._outputs
            return any(m.changed() for m in self._memories) or (outputs is not None and outputs.changed())
        except OSError:
            return True  # ``push`` will say what is wrong
        finally:
            self._door.release()

    def _each(self, wanted: Callable[[MemoryMount], bool], actor: str) -> list[Trouble]:
        told: list[Trouble] = []
        for mount in self._memories:
            told += _safely(
                lambda m=mount: m.sync(actor) if wanted(m) else [], "mount_failed", mount.attached.inside
            )
        return told


class Mounts:
    """Makes the folders of the sessions of one workspace.

    Args:
        catalog: The workspace's memory stores.
        memories: What is in them.
        home: Where folders are: ``<home>/sessions/<workspace>/<session>``.
        mask: Takes secrets out of a text before it is kept in memory.
        git: How repositories are cloned.
        hides: What a session does not see of a store.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        memories: Records,
        files: Files,
        environments: Environments,
        credentials: Credentials,
        secrets: Secrets,
        home: Path,
        clock: Clock,
        mask: Callable[[str], str],
        git: Git | None = None,
        hides: Hides = lambda session_id, store_id: frozenset(),
    ) -> None:
        self._catalog = catalog
        self._memories = memories
        self._files = files
        self._environments = environments
        self._credentials = credentials
        self._secrets = secrets
        self._home = home
        self._clock = clock
        self._mask = mask
        self._git = git or Git(os.environ)
        self._hides = hides

    def open(self, workspace: str, session_id: str, body: JsonObject) -> Mounted:
        """The folders of a session, as its body says: made, or found as they were, and memory settled. Blocks
        (a repository is cloned once): call it off the event loop.

        What cannot be mounted hinders nothing else; the first ``pull`` tells of it.

        Raises:
            StorageError: the database does not answer.
            Invalid: an id that is none.
        """
        resources: Sequence[Resource] = body["resources"]
        rooms = Rooms.of(self._home, workspace, session_id)
        if body["self_hosted"]:  # its worker has the folders
            nothing = Areas(rooms, Ground(rooms.root, (), rooms.beside))
            told = self._told(None, resources, None)  # its worker reads the stores itself
            return Mounted(session_id, SandboxSpec(session_id, ()), told, nothing)
        self._make(rooms)
        stores = [self._memory(session_id, rooms, each) for each in _of(resources, "memory_store")]
        troubles = [
            trouble
            for mount in stores
            for trouble in _safely(
                lambda m=mount: m.sync(f"session:{session_id}"), "mount_failed", mount.attached.inside
            )
        ]
        cloned, failed = RepositoryMount(rooms, self._git, self._secrets.read).place(
            _of(resources, "github_repository")
        )
        own = [mount.inside for mount in cloned]
        shared, missing = FileMount(rooms, self._files).place(_of(resources, "file"), own)
        mounts = [*_standing(rooms), *(_mount(each) for each in stores), *cloned, *shared]
        injected, locked = self._injected(body)
        return Mounted(
            session_id,
            SandboxSpec(session_id, _apart(mounts), HOME, self._network(body), secrets=injected),
            self._told(session_id, resources, rooms, stores),
            Areas(rooms, Ground(rooms.root, _written(rooms, cloned), rooms.beside)),
            memories=stores,
            outputs=Outputs(session_id, rooms.outputs, rooms.beside / "outputs", self._files),
            troubles=[*troubles, *failed, *missing, *locked],
        )

    def outputs(self, workspace: str, session_id: str) -> Path:
        """The folder with what a session hands over, made where it is not there yet; nothing else is looked at.

        Raises:
            Invalid: an id that is none.
        """
        rooms = Rooms.of(self._home, workspace, session_id)
        rooms.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        rooms.outputs.mkdir(exist_ok=True)
        return rooms.outputs

    def remove(self, workspace: str, session_id: str) -> None:
        """Take a session's folders away. Again is harmless."""
        rooms = Rooms.of(self._home, workspace, session_id)
        gone = rooms.root.with_name(f"{_GONE}{session_id}-{secrets.token_hex(4)}")
        with suppress(FileNotFoundError):
            rooms.root.rename(
                gone
            )  # at once for whoever looks, and done with at the next sweep if we are killed
        demolish(gone)

    def sweep(self, workspace: str, *, busy: Callable[[str], bool] = lambda session_id: False) -> list[str]:
        """Take away the folders that were made more than 30 days ago, of sessions that are not ``busy``, and
        what a killed ``remove`` left; the sessions whose folders went."""
        swept: list[str] = []
        for root in sorted(_folders(self._home / "sessions" / workspace)):
            if root.name.startswith(_GONE):
                demolish(root)
                continue
            made = kept(Rooms(root).beside / "made.json", _Made).at
            if made is not None and self._clock() - made > KEPT and not busy(root.name):
                self.remove(workspace, root.name)
                swept.append(root.name)
        return swept

    # ------------------------------------------------------------------ inside

    def _make(self, rooms: Rooms) -> None:
        for folder in (
            rooms.beside,
            rooms.workspace,
            rooms.uploads,
            rooms.outputs,
            rooms.spill,
            rooms.conflicts,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        rooms.root.chmod(0o700)
        for left in (*rooms.beside.glob("*.tmp"), rooms.copies):  # by a killed process
            demolish(left)
        if kept(rooms.beside / "made.json", _Made).at is None:
            keep(rooms.beside / "made.json", _Made(self._clock()))

    def _memory(self, session_id: str, rooms: Rooms, resource: Resource) -> MemoryMount:
        slug: str = resource["mount_path"].rsplit("/", 1)[-1]
        writable = resource["access"] == "read_write" and self._living(resource["memory_store_id"])
        return MemoryMount(
            Attached(resource["memory_store_id"], resource["name"], resource["mount_path"], writable),
            rooms.memory(slug),
            rooms.beside / "memory" / slug,
            records=self._memories,
            conflicts=Tree(rooms.conflicts, rooms.beside),
            inside=CONFLICTS,
            mask=self._mask,
            clock=self._clock,
            hidden=partial(self._hides, session_id, resource["memory_store_id"]),
        )

    def _living(self, store_id: str) -> bool:
        try:
            return self._catalog.get(store_id).archived_at is None
        except NotFound:
            return False

    def _network(self, body: JsonObject) -> Network:
        try:
            config = self._environments.get(body["environment_id"]).body["config"]
        except NotFound:
            return Network()
        networking: Resource = config.get("networking") or {"type": "limited", "allowed_hosts": ()}
        if networking["type"] == "unrestricted":
            return Network(everything=True)
        hosts = [*networking["allowed_hosts"]]
        if networking.get("allow_package_managers"):
            hosts += _PACKAGE_HOSTS
        if networking.get("allow_mcp_servers"):
            hosts += [
                urlsplit(str(server["url"])).hostname or ""
                for server in body["agent"].get("mcp_servers") or ()
            ]
        return Network(tuple(dict.fromkeys(host for host in hosts if host)))

    def _injected(self, body: JsonObject) -> tuple[list[Injected], list[Trouble]]:
        """The variables of the session's vaults; of two of a name, the one of the first vault."""
        found: dict[str, Injected] = {}
        troubles: list[Trouble] = []
        for vault_id in body.get("vault_ids") or ():
            for id, auth in self._variables(vault_id):
                name: str = auth["secret_name"]
                try:
                    found.setdefault(name, _injected(auth, self._secrets.read(id, "secret_value")))
                except NotFound:
                    continue
                except (ConfigError, Tampered) as error:
                    troubles.append(
                        Trouble("mount_failed", f"the variable {name} cannot be given: {error.what}")
                    )
        return list(found.values()), troubles

    def _variables(self, vault_id: str) -> Iterator[tuple[str, Resource]]:
        with suppress(NotFound):
            for credential in self._credentials.list(vault_id, limit=MAX_CREDENTIALS):
                auth: Resource = credential.body["auth"]
                if auth["type"] == "environment_variable":
                    yield credential.id, auth

    # ------------------------------------------------------------------ telling

    def _told(
        self,
        session_id: str | None,
        resources: Sequence[Resource],
        rooms: Rooms | None,
        stores: Sequence[MemoryMount] = (),
    ) -> str:
        writable = {mount.attached.store_id: mount.attached.writable for mount in stores}
        aside: list[str] = [] if rooms is None else [*Tree(rooms.conflicts, rooms.beside).scan().files]
        return briefing(
            [self._shelf(session_id, each, writable) for each in _of(resources, "memory_store")],
            [each["mount_path"] for each in _of(resources, "file")],
            [f"{each['mount_path']} ({each['url']})" for each in _of(resources, "github_repository")],
            [f"{CONFLICTS}/{shown(name)}" for name in sorted(aside) if not name.startswith("@")],
            [f"{CONFLICTS}/{shown(name)}" for name in sorted(aside) if name.startswith("@")],
            outputs=rooms is not None,
        )

    def _shelf(self, session_id: str | None, resource: Resource, writable: Mapping[str, bool]) -> Shelf:
        store_id: str = resource["memory_store_id"]
        hidden = self._hides(session_id, store_id)

        def head(paths: Sequence[str]) -> Mapping[str, str]:
            found = self._memories.texts(store_id, [f"/{path}" for path in paths])
            return {path[1:]: headline(memory.content) for path, memory in found.items()}

        try:
            paths = sorted(path[1:] for path in self._memories.digests(store_id) if path not in hidden)
        except NotFound:
            paths = []
        access = writable.get(store_id, resource["access"] == "read_write")
        return Shelf(
            resource["name"],
            resource["mount_path"],
            access,
            resource.get("description") or "",
            resource.get("instructions"),
            paths,
            head,
        )


def _of(resources: Sequence[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource["type"] == kind]


def _standing(rooms: Rooms) -> Iterator[Mount]:
    """What every sandbox has."""
    yield Mount(rooms.workspace, HOME)
    yield Mount(rooms.outputs, OUTPUTS)
    yield Mount(rooms.uploads, UPLOADS, writable=False)
    yield Mount(rooms.spill, SPILL)  # written by tools, for the agent and for themselves
    yield Mount(rooms.conflicts, CONFLICTS, writable=False)


def _written(rooms: Rooms, cloned: Sequence[Mount]) -> list[Part]:
    """What the agents of a session write to, apart from memory; none of it within another."""
    folders = [(mount.folder.relative_to(rooms.root).as_posix(), mount.inside) for mount in cloned]
    own = (Part(*each) for each in folders)
    parts = dict.fromkeys((Part("workspace", HOME), Part("outputs", OUTPUTS), *own))
    return [each for each in parts if not any(each.folder.startswith(f"{other.folder}/") for other in parts)]


def _mount(store: MemoryMount) -> Mount:
    return Mount(store.folder, store.attached.inside, store.attached.writable)


def _apart(mounts: Sequence[Mount]) -> list[Mount]:
    """Each place once, a folder before what is below it."""
    return sorted({mount.inside: mount for mount in mounts}.values(), key=lambda mount: mount.inside)


def _injected(auth: Resource, value: str) -> Injected:
    networking: Resource = auth["networking"]
    where: Resource = auth.get("injection_location") or {}
    hosts = tuple(networking["allowed_hosts"]) if networking["type"] == "limited" else None
    return Injected(
        auth["secret_name"], value, hosts, header=where.get("header", True), body=where.get("body", False)
    )


def _safely(work: Callable[[], list[Trouble]], kind: Any, where: str) -> list[Trouble]:
    """What the disk does not do is told, and ends nothing."""
    try:
        return work()
    except OSError as error:
        return [Trouble(kind, f"{where}: the folder cannot be used ({error.strerror or error})", where)]


def _folders(home: Path) -> list[Path]:
    with suppress(FileNotFoundError):
        return [Path(entry.path) for entry in os.scandir(home) if entry.is_dir(follow_symlinks=False)]
    return []
