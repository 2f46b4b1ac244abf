"""A folder of builds: ``BUILD/fail.log`` of a failed one, ``BUILD/pass.log`` of one that passed.

A build is called ``PROJECT_NUMBER``. Where a failed build has a ``pass.log`` beside its own log, that is the last
passing one before it; else it is that of the project's last passing build with a lower number. Whatever else lies
in the folder (what is true of the builds, say) is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from examples.builds.anomalies import Anomaly, find
from examples.builds.logs import Log, Rarity, read

__all__ = ["Builds", "project_of"]

FAILED: Final = "fail.log"
PASSED: Final = "pass.log"
REMEMBERED: Final = 64
_NUMBERED: Final = re.compile(r"(.+)_(\d+)")


def project_of(build: str) -> str:
    """The project of a build: its name without the number."""
    found = _NUMBERED.fullmatch(build)
    return found[1] if found else build


def _order(build: str) -> tuple[str, int]:
    found = _NUMBERED.fullmatch(build)
    return (found[1], int(found[2])) if found else (build, 0)


class Builds:
    """The builds of a folder. Logs are read when they are wanted, and only the last few are kept.

    Raises:
        FileNotFoundError: the folder has no builds.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        found = [place.name for place in folder.iterdir() if _is_build(place)] if folder.is_dir() else []
        if not found:
            raise FileNotFoundError(f"{folder} has no builds: no BUILD/{FAILED} and no BUILD/{PASSED}")
        self.names: Final = sorted(found, key=_order)
        self._read = lru_cache(maxsize=REMEMBERED)(self._read_one)
        self.anomalies = lru_cache(maxsize=REMEMBERED)(self._anomalies)

    @cached_property
    def failed(self) -> list[str]:
        """The builds that failed, by project and number."""
        return [name for name in self.names if self.has_failed(name)]

    def has_failed(self, build: str) -> bool:
        return (self.folder / self._known(build) / FAILED).is_file()

    def path(self, build: str) -> Path:
        """Where a build's log is.

        Raises:
            LookupError: there is no such build.
        """
        return self.folder / build / (FAILED if self.has_failed(build) else PASSED)

    def file(self, build: str) -> str:
        """Where a build's log is within the folder."""
        return str(self.path(build).relative_to(self.folder))

    def log(self, build: str) -> Log:
        """A build's log.

        Raises:
            LookupError: there is no such build.
        """
        return self._read(self.path(build))

    def last_passing(self, build: str) -> Log | None:
        """The log of the last build of the project that passed before this one."""
        beside = self.folder / self._known(build) / PASSED
        if beside.is_file() and self.has_failed(build):
            return self._read(beside)
        project, number = _order(build)
        earlier = [name for name in self._passing.get(project, ()) if _order(name)[1] < number]
        return self._read(self.folder / earlier[-1] / PASSED) if earlier else None

    def passing(self) -> Iterator[Log]:
        """All passing logs."""
        places = (self.folder / name / PASSED for name in self.names)
        return (self._read(place) for place in places if place.is_file())

    @cached_property
    def rarity(self) -> Rarity:
        """How many of all passing logs have each template."""
        return Rarity(self.passing())

    @cached_property
    def _passing(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.names:
            if (self.folder / name / PASSED).is_file():
                found.setdefault(project_of(name), []).append(name)
        return found

    def _anomalies(self, build: str) -> list[Anomaly]:
        """What is wrong in a build, as ``anomalies.find`` says; nothing in one that passed."""
        if not self.has_failed(build):
            return []
        return find(self.log(build), self.last_passing(build), self.rarity)

    def _known(self, build: str) -> str:
        if build not in self._names:
            raise LookupError(f"there is no build {build!r}")
        return build

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.names)

    @staticmethod
    def _read_one(path: Path) -> Log:
        return read(path, str(path))


def _is_build(place: Path) -> bool:
    return (place / FAILED).is_file() or (place / PASSED).is_file()
