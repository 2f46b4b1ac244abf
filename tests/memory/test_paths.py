"""A hundred thousand paths that nobody would type: each is refused, or a key that does no harm anywhere."""

from __future__ import annotations

import random
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

from reverie.domain.errors import InvalidMemory
from reverie.domain.memories import valid_path
from reverie.memory.stores import MemoryService

PARTS = [
    *"/.ab-_ %\\~'\";$()*?<>|:", "..", "//", "/../", "/./", "...", "\x00", "\n", "\x1b", "\x7f", "\x85", "\xa0",
    "\u200b", "\u200d", "\u202e", "\u2028", "\u2029", "\ufeff", "\u00ad", "é", "e\u0301", "日", "😀", "ﬁ", "K",
    "\U0010ffff", "\ue000", "\uffff", "\ud800", "\udfff", "CON", "nul.txt", "a" * 200, "é" * 600, "/a" * 25,
]  # fmt: skip


def fuzzed(source: random.Random) -> str:
    if source.random() < 0.1:
        return "".join(chr(source.randrange(0x110000)) for _ in range(source.randint(0, 20)))
    return source.choice(["", "/", "/a"]) + "".join(source.choices(PARTS, k=source.randint(0, 10)))


def accepted(number: int) -> set[str]:
    source = random.Random(20261122)
    found: set[str] = set()
    for _ in range(number):
        try:
            found.add(valid_path(fuzzed(source)))
        except InvalidMemory:
            continue
    return found


def test_no_fuzzed_path_is_a_way_out() -> None:
    paths = accepted(100_000)
    assert len(paths) > 5_000  # the generator does make good ones
    for path in paths:
        assert valid_path(path) == path == unicodedata.normalize("NFC", path)
        assert path.startswith("/") and len(path.encode()) <= 1_024
        segments = path.split("/")[1:]
        assert 1 <= len(segments) <= 20 and not {"", ".", ".."} & set(segments)
        assert not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") for c in path)
        assert PurePosixPath("/mnt" + path).is_relative_to("/mnt") and "\\" not in path
        assert ".." not in PureWindowsPath(path).parts


def test_what_is_accepted_is_stored_as_it_is(memory: MemoryService) -> None:
    wanted = sorted(accepted(4_000))[::7][:150]
    for path in wanted:
        memory.write("default", path, path, actor="ana")
    assert [(m.path, m.content) for m in memory.list("default")] == [(path, path) for path in wanted]
    assert [memory.read("default", path).content for path in wanted] == wanted
