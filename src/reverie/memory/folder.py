"""A store as a folder of Markdown files, with a manifest of what was written. Pure functions of bytes.

The manifest (``.reverie.json``) names each file of ours with the SHA-256 it may have. A file that is not
named there belongs to others; one whose bytes differ was edited by hand; neither is ever touched.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from reverie.domain.errors import Conflict
from reverie.domain.memories import Memory
from reverie.memory import documents
from reverie.memory.agents_md import inline
from reverie.memory.files import FileChange

__all__ = [
    "INDEX",
    "MANIFEST",
    "ROOT",
    "Manifest",
    "digest",
    "file_names",
    "plan_dir",
    "read_manifest",
    "render_dir",
]

MANIFEST: Final = ".reverie.json"
INDEX: Final = "INDEX.md"
ROOT: Final = "."  # the folder itself, where it was made by us
STALE: Final = "May be stale: verify against the current state before relying on it."

_INDEX_TOP: Final = "# Memory\n"
_MAX_NAME_BYTES: Final = 120  # file systems stop at 255, some encrypted ones at 143
_FORBIDDEN: Final = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f]')
_DEVICES: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.I)


@dataclass(frozen=True, slots=True)
class Manifest:
    """``files``: each file's path in the folder and the digests of bytes that are ours (two of them while
    a sync is under way: the old and the new). ``folders``: the folders that we made."""

    version: int = 1
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    folders: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Deterministic JSON, one line per file, for a folder that is kept under version control."""
        ordered = replace(self, files=dict(sorted(self.files.items())), folders=tuple(sorted(self.folders)))
        return msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n"


def read_manifest(content: bytes | None) -> Manifest:
    """The manifest of a folder; an empty one where there is none.

    Raises:
        Conflict: it is damaged, or of a newer version, or names a place outside the folder.
    """
    if content is None:
        return Manifest()
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _damaged(str(error)) from None
    if manifest.version != 1:
        raise _damaged(f"it is of version {manifest.version}; this program knows version 1")
    for name in (*manifest.files, *manifest.folders):
        if name != ROOT and (not _harmless(name) or (name in manifest.files and not name.endswith(".md"))):
            raise _damaged(f"it names {name!r}")
    return manifest


def render_dir(memories: Sequence[Memory]) -> dict[str, bytes]:
    """Every file of the folder but the manifest: one per memory, and an index that says when to read it."""
    if not memories:
        return {}
    names = file_names(memory.path for memory in memories)
    files = {names[memory.path]: _file(memory) for memory in memories}
    return files | {INDEX: _index(memories, names)}


def plan_dir(
    existing: Mapping[str, bytes | None], memories: Sequence[Memory], *, force: bool = False
) -> list[FileChange]:
    """What to do with each file so that the folder shows ``memories``; the manifest is not among them.

    ``existing`` holds the bytes of every file in the way (the manifest included); None stands for
    something that is not a plain file. ``force`` overwrites what was edited by hand, never what is
    not ours.

    Raises:
        Conflict: the manifest cannot be trusted.
    """
    manifest = read_manifest(existing.get(MANIFEST))
    wanted = render_dir(memories)
    changes = [
        _plan(name, existing, wanted.get(name), manifest, force) for name in {**manifest.files, **wanted}
    ]
    return sorted(
        (c for c in changes if c.before is not None or c.after is not None), key=lambda change: change.path
    )


def file_names(paths: Iterable[str]) -> dict[str, str]:
    """A file name for each memory path, readable, the same on every file system, never two alike.

    A segment that some file system would refuse or treat as another one is rewritten, and then carries a
    digest of the original; so do paths that differ only in case or Unicode form.
    """
    names = {path: "/".join(_segments(path)) for path in paths}
    while alike := _alike(names):
        names |= {path: f"{names[path].removesuffix('.md')}-{_short(path)}.md" for path in alike}
    return names


def digest(content: bytes) -> str:
    """What the manifest holds for a file."""
    return hashlib.sha256(content).hexdigest()


def _plan(
    name: str,
    existing: Mapping[str, bytes | None],
    after: bytes | None,
    manifest: Manifest,
    force: bool,
) -> FileChange:
    if name not in existing:
        return FileChange(name, "create" if after is not None else "unchanged", None, after)
    before = existing[name]
    if before is None:
        return FileChange(name, "refused", None, after, "is not a plain file")
    if before == after:
        return FileChange(name, "unchanged", before, after)
    edited = digest(before) not in manifest.files.get(name, ())
    if name not in manifest.files or not (edited or _looks_like_ours(name, before)):
        # A manifest that came with somebody's repository may name any file with its right digest.
        return FileChange(name, "refused", before, after, "was not written by Reverie")
    if edited and not force:
        return FileChange(name, "refused", before, after, "was edited by hand (--force overwrites it)")
    return FileChange(name, "delete" if after is None else "update", before, after)


def _looks_like_ours(name: str, content: bytes) -> bool:
    if name == INDEX:
        return content.startswith(_INDEX_TOP.encode())
    return "memory" in documents.parse(content.decode(errors="replace")).extra


def _file(memory: Memory) -> bytes:
    document = documents.parse(memory.content)
    ours = {"memory": memory.path, "version": memory.version, "note": STALE}
    return documents.render(replace(document, extra={**document.extra, **ours})).encode()


def _index(memories: Sequence[Memory], names: Mapping[str, str]) -> bytes:
    lines = [_INDEX_TOP, f"Learned from earlier sessions. {STALE}", ""]
    for memory in sorted(memories, key=lambda m: m.path):
        document = documents.parse(memory.content)
        about = document.description or documents.title(document) or documents.lead(document)
        label = inline(memory.path, 300).replace("[", "(").replace("]", ")")
        lines.append(f"- [{label}](<{names[memory.path]}>): {inline(about, 200)}".removesuffix(": "))
    return ("\n".join(lines) + "\n").encode()


def _alike(names: Mapping[str, str]) -> list[str]:
    """The paths whose file names some file system would take for one another, or for the index."""
    taken = Counter(map(_key, [INDEX, *names.values()]))
    return [path for path, name in names.items() if taken[_key(name)] > 1]


def _segments(path: str) -> list[str]:
    *folders, last = path.strip("/").split("/")
    return [*(_segment(folder, file=False) for folder in folders), _segment(last, file=True)]


def _segment(segment: str, *, file: bool) -> str:
    """The segment itself where it is harmless on every file system, else a likeness with a digest.

    Files, and only files, end in ``.md``: so no folder can stand in a file's way.
    """
    stem = segment.removesuffix(".md") if file else segment
    safe = _FORBIDDEN.sub("_", "".join(c if c.isprintable() else "_" for c in stem)).rstrip(". ")
    if not safe or safe[0] in ". " or _DEVICES.fullmatch(safe):
        safe = "_" + safe.lstrip(". ")
    if not file and safe.casefold().endswith(".md"):
        safe = safe[:-3] + "_md"
    safe = safe.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
    return (safe if safe == stem else f"{safe}-{_short(segment)}") + (".md" if file else "")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _key(name: str) -> str:
    """Equal for names that some file system takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", name).casefold())


def _harmless(name: str) -> bool:
    return all(part[:1] not in ("", ".") and not _FORBIDDEN.search(part) for part in name.split("/"))


def _damaged(why: str) -> Conflict:
    return Conflict(
        f"the manifest cannot be trusted: {why}",
        where=MANIFEST,
        hint=f"restore {MANIFEST} or delete it (then files written before count as yours)",
    )
