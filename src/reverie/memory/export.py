"""Putting approved memory where agents read it: into a block of AGENTS.md, or into a folder of Markdown.

First a plan, which says and shows everything and changes nothing; then ``apply``. Taking it out again is
the plan for no memories at all. What is in a store was approved, so all of it goes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal

from reverie.domain.errors import Conflict, NotFound, UsageError
from reverie.domain.memories import Memory
from reverie.memory.agents_md import DEFAULT_BUDGET, plan_agents_md
from reverie.memory.files import (
    Action,
    FileChange,
    apply_change,
    oddity,
    read_file,
    remove_empty_folder,
    same_folder,
)
from reverie.memory.folder import MANIFEST, ROOT, Manifest, digest, plan_dir, read_manifest, render_dir

__all__ = ["TARGETS", "SyncPlan", "Target", "apply", "plan_sync"]

Target = Literal["agents-md", "dir"]
TARGETS: Final[tuple[Target, ...]] = ("agents-md", "dir")


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a sync would change. ``root`` is the folder that the changes' paths are in."""

    target: Target
    root: Path
    changes: tuple[FileChange, ...]

    @property
    def in_sync(self) -> bool:
        """Nothing to write and nothing refused: what ``--check`` asks."""
        return all(change.action == "unchanged" for change in self.changes)

    @property
    def refused(self) -> tuple[FileChange, ...]:
        """The changes that will not be made, each with its reason."""
        return tuple(change for change in self.changes if change.action == "refused")

    @property
    def diff(self) -> str:
        """The unified diff of all files that memory is written to (bookkeeping left out)."""
        return "".join(change.diff for change in self.changes if change.path != MANIFEST)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``: target, path, in_sync, and for each change path, action, why and diff."""
        return {
            "target": self.target,
            "path": str(self.root),
            "in_sync": self.in_sync,
            "changes": [
                {"path": c.path, "action": c.action, "why": c.why, "diff": c.diff}
                for c in self.changes
                if c.path != MANIFEST
            ],
        }


def plan_sync(
    target: Target,
    path: Path,
    memories: Sequence[Memory],
    *,
    budget: int = DEFAULT_BUDGET,
    force: bool = False,
) -> SyncPlan:
    """Looks at the disk and says what would change. With no memories: what takes everything out again.

    ``agents-md``: ``path`` is the file, or the folder whose AGENTS.md it is. ``dir``: the folder, made
    if only its last segment is missing. ``budget`` bounds the block in bytes; ``force`` overwrites what
    was edited by hand inside what is ours.

    Raises:
        UsageError: an unknown target, a budget too small, a folder where a file should be, or a link
            that leads out of the folder.
        NotFound: the folder to write into does not exist.
        Conflict: the folder's manifest cannot be trusted.
    """
    if target == "agents-md":
        return _plan_file(path, memories, budget, force)
    if target == "dir":
        return _plan_folder(path, memories, force)
    raise UsageError(f"there is no target {target!r}", hint=f"one of: {', '.join(TARGETS)}")


def apply(plan: SyncPlan) -> None:
    """Makes the planned changes; refused ones are left alone. What was done stays done when one fails,
    and the next sync goes on from there.

    Raises:
        Conflict: a file changed since the plan was made.
        DiskFull, ReverieError: a file cannot be written.
    """
    if plan.target == "dir":
        _apply_folder(plan)
        return
    for change in plan.changes:
        apply_change(plan.root / change.path, change)


def _plan_file(path: Path, memories: Sequence[Memory], budget: int, force: bool) -> SyncPlan:
    path = same_folder(path / "AGENTS.md" if path.is_dir() else path)
    if not path.parent.is_dir():
        raise NotFound("there is no such folder", where=str(path.parent))
    before = read_file(path)
    return SyncPlan("agents-md", path.parent, (_file_change(path.name, before, memories, budget, force),))


def _file_change(
    name: str, before: bytes | None, memories: Sequence[Memory], budget: int, force: bool
) -> FileChange:
    if before is not None and (b"\0" in before or before.startswith((b"\xff\xfe", b"\xfe\xff"))):
        return FileChange(name, "refused", before, before, "is not UTF-8 text")
    text = None if before is None else before.decode("utf-8", "surrogateescape")
    try:
        after = _encoded(plan_agents_md(text, memories, budget=budget, force=force))
    except Conflict as conflict:
        return FileChange(name, "refused", before, _forced(text, memories, budget), str(conflict))
    return FileChange(name, _action(before, after), before, after)


def _action(before: bytes | None, after: bytes | None) -> Action:
    if before == after:
        return "unchanged"
    return "create" if before is None else "delete" if after is None else "update"


def _forced(text: str | None, memories: Sequence[Memory], budget: int) -> bytes | None:
    """What overwriting would give, for showing; the text itself where that cannot be said."""
    try:
        return _encoded(plan_agents_md(text, memories, budget=budget, force=True))
    except Conflict:
        return _encoded(text)


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _plan_folder(path: Path, memories: Sequence[Memory], force: bool) -> SyncPlan:
    root = path.resolve()
    if not root.parent.is_dir():
        raise NotFound("there is no such folder", where=str(root.parent), hint="make it, or check the path")
    before = read_file(root / MANIFEST)
    manifest = read_manifest(before)
    names = {**manifest.files, **render_dir(memories)}
    existing = {name: content for name in names for content in _look(root, name)}
    if before is not None:
        existing[MANIFEST] = before
    changes = plan_dir(existing, memories, force=force)
    after = _next_manifest(root, manifest, changes)
    content = after.encode() if after.files else None
    return SyncPlan("dir", root, (*changes, FileChange(MANIFEST, _action(before, content), before, content)))


def _look(root: Path, name: str) -> Iterable[bytes | None]:
    """The bytes at a name in the folder, as ``plan_dir`` wants them: nothing, bytes, or None (odd)."""
    if _leads_out(root, name) or oddity(root / name) is not None:
        return [None]
    content = read_file(root / name)
    return [] if content is None else [content]


def _leads_out(root: Path, name: str) -> bool:
    """Whether a folder on the way to ``name`` is a link, which could lead anywhere."""
    return any((root / parent).is_symlink() for parent in PurePosixPath(name).parents if str(parent) != ROOT)


def _place(root: Path, name: str) -> Path:
    if _leads_out(root, name):  # it did not when the plan was made
        raise Conflict("a folder became a link meanwhile", where=str(root / name), hint="run the sync again")
    return root / name


def _next_manifest(root: Path, manifest: Manifest, changes: Iterable[FileChange]) -> Manifest:
    files: dict[str, tuple[str, ...]] = {}
    for change in changes:
        if change.action != "refused" and change.after is not None:
            files[change.path] = (digest(change.after),)
        elif change.action == "refused" and change.path in manifest.files:
            files[change.path] = manifest.files[change.path]
    needed = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    ours = {name for name in needed if name in manifest.folders or not (root / name).exists()}
    return Manifest(files=files, folders=tuple(sorted(ours)))


def _apply_folder(plan: SyncPlan) -> None:
    *changes, bookkeeping = plan.changes
    todo = [change for change in changes if change.action in ("create", "update", "delete")]
    if not todo and bookkeeping.action == "unchanged":
        return
    if read_file(plan.root / MANIFEST) != bookkeeping.before:
        raise Conflict("another sync was here meanwhile", where=str(plan.root), hint="run the sync again")
    before, after = read_manifest(bookkeeping.before), read_manifest(bookkeeping.after)
    for name in sorted(after.folders):  # "." sorts first
        _place(plan.root, name).mkdir(exist_ok=True)
    # While it lasts, the manifest names the old and the new bytes of every file: a sync that is killed
    # half-way leaves nothing behind that the next one would take for the work of somebody else.
    interim = _both(before, after).encode()
    apply_change(plan.root / MANIFEST, replace(bookkeeping, action="update", after=interim))
    for change in sorted(todo, key=lambda change: change.action == "delete"):
        apply_change(_place(plan.root, change.path), change)
    for name in sorted(set(before.folders) - set(after.folders) - {ROOT}, reverse=True):
        remove_empty_folder(plan.root / name)
    final = replace(bookkeeping, action="update", before=interim)
    apply_change(plan.root / MANIFEST, final)
    if ROOT in before.folders and ROOT not in after.folders:
        remove_empty_folder(plan.root)


def _both(before: Manifest, after: Manifest) -> Manifest:
    files = {
        name: tuple(dict.fromkeys((*before.files.get(name, ()), *after.files.get(name, ()))))
        for name in (*before.files, *after.files)
    }
    return Manifest(files=files, folders=tuple({*before.folders, *after.folders}))
