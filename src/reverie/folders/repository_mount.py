"""Repositories that a client mounts in a session: cloned once, outside the sandbox, and then the agent's own."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import which
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from reverie.domain.errors import ConfigError, NotFound, ReverieError
from reverie.folders.places import HOME, Rooms, place
from reverie.folders.tree import Tree, demolish
from reverie.folders.trouble import Kind, Trouble
from reverie.plugins import Mount
from reverie.workspaces.session_resources import TOKEN

__all__ = ["Git", "GitFailed", "RepositoryMount"]

Resource: TypeAlias = Mapping[str, Any]

_PATIENCE: Final = 600.0  # seconds for a clone
_PASSED_ON: Final = (
    "PATH", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO",
)  # fmt: skip
_SETTINGS: Final[Mapping[str, str]] = {
    "core.hooksPath": os.devnull,
    "credential.helper": "",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "init.templateDir": "",
    "protocol.allow": "never",
    "submodule.recurse": "false",
}
_SAID: Final[Sequence[tuple[str, Kind]]] = (
    (r"could not read Username|Authentication failed|returned error: 401|invalid credentials", "repository_authentication"),
    (r"returned error: 403|Permission .*denied|access denied", "repository_forbidden"),
    (r"Remote branch .* not found|pathspec|not a tree|unable to read tree|did not match any", "repository_checkout"),
    (r"repository .*not found|does not exist|returned error: 404|does not appear to be a git", "repository_not_found"),
)  # fmt: skip
_SHOWN: Final = 500  # characters of what git said


class GitFailed(ReverieError):
    """git did not do it."""

    def __init__(self, kind: Kind, what: str) -> None:
        super().__init__(what)
        self.kind: Kind = kind


class Git(NamedTuple):
    """How git is run.

    Args:
        environ: Of the process; what a proxy and certificates need is passed on, and nothing else.
        protocols: Those that a clone may speak.
        patience: Seconds.
    """

    environ: Mapping[str, str]
    protocols: Sequence[str] = ("https",)
    patience: float = _PATIENCE

    def clone(self, url: str, target: Path, *, token: str | None, checkout: Mapping[str, str] | None) -> None:
        """Clone ``url`` to ``target``, which is not there yet.

        The token goes to git in its environment, as a header for this host alone: it is on no command line and
        in no file. No hook, helper or template of anybody runs.

        Raises:
            GitFailed: it could not; ``kind`` says of which kind that is.
        """
        branch = checkout["name"] if checkout is not None and checkout["type"] == "branch" else None
        choice = () if branch is None else ("--branch", branch)
        self._run(
            "clone", "--quiet", "--no-recurse-submodules", *choice, "--", url, str(target), auth=(url, token)
        )
        if checkout is not None and checkout["type"] == "commit":
            self._run("-C", str(target), "checkout", "--quiet", "--detach", checkout["sha"], auth=(url, None))

    def _run(self, *words: str, auth: tuple[str, str | None]) -> None:
        git = which("git", path=self.environ.get("PATH"))
        if git is None:
            raise GitFailed("repository_clone", "git is not installed on the machine that runs the sessions")
        process = subprocess.Popen(  # noqa: S603  (no shell, and options end before the URL)
            [git, *words],
            env=self._environ(*auth),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, said = process.communicate(timeout=self.patience)
        except subprocess.TimeoutExpired:
            raise GitFailed("repository_clone", f"git took longer than {self.patience:.0f} seconds") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its helpers too
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
        if process.returncode != 0:
            text = said.decode("utf-8", "replace").strip()[-_SHOWN:]
            raise GitFailed(_kind(text), text or f"git ended with {process.returncode}")

    def _environ(self, url: str, token: str | None) -> dict[str, str]:
        settings = {**_SETTINGS, **{f"protocol.{name}.allow": "always" for name in self.protocols}}
        if token is not None:
            parts = urlsplit(url)
            word = base64.b64encode(f"x-access-token:{token}".encode()).decode()
            settings[f"http.{parts.scheme}://{parts.netloc}/.extraHeader"] = f"Authorization: Basic {word}"
        numbered = {
            f"GIT_CONFIG_{part}_{number}": text
            for number, pair in enumerate(settings.items())
            for part, text in zip(("KEY", "VALUE"), pair, strict=True)
        }
        return {
            **{name: self.environ[name] for name in _PASSED_ON if name in self.environ},
            **numbered,
            "GIT_CONFIG_COUNT": str(len(settings)),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }


class RepositoryMount:
    """The repositories of one session.

    Args:
        secret: ``secret(owner, name)`` gives what is sealed under that name. Raises NotFound.
    """

    def __init__(self, rooms: Rooms, git: Git, secret: Callable[[str, str], str]) -> None:
        self._rooms = rooms
        self._git = git
        self._secret = secret
        self._tree = Tree(rooms.root, rooms.beside)

    def place(self, resources: Sequence[Resource]) -> tuple[list[Mount], list[Trouble]]:
        """Clone what is not there yet; the mounts that this takes, and what could not be cloned."""
        mounts: list[Mount] = []
        troubles: list[Trouble] = []
        for resource in resources:
            path = "/" + "/".join(step for step in str(resource["mount_path"]).split("/") if step)
            name = _name(path)
            try:
                if name is None:
                    raise GitFailed("repository_clone", "it cannot be mounted over what the system has there")
                self._placed(name, resource)
            except (GitFailed, ConfigError, OSError) as error:
                troubles.append(_trouble(resource, error))
                continue
            if not name.startswith("workspace"):
                mounts.append(Mount(self._rooms.root / name, path))
        return mounts, troubles

    def _placed(self, name: str, resource: Resource) -> None:
        if (self._rooms.root / name / ".git").exists():  # cloned before; what is in it now is the agent's
            return
        with self._tree.place(name) as target:
            try:
                self._git.clone(
                    resource["url"], target, token=self._token(resource), checkout=resource.get("checkout")
                )
            except BaseException:
                demolish(target)
                raise

    def _token(self, resource: Resource) -> str | None:
        try:
            return self._secret(resource["id"], TOKEN)
        except NotFound:
            return None


def _name(path: str) -> str | None:
    """Where a repository lies below the session's root."""
    if path == HOME:
        return "workspace"
    where = place(path + "/.git")
    return None if where is None else where.name.removesuffix("/.git")


def _kind(said: str) -> Kind:
    for words, kind in _SAID:
        if re.search(words, said, re.I):
            return kind
    return "repository_clone"


def _trouble(resource: Resource, error: Exception) -> Trouble:
    kind: Kind = error.kind if isinstance(error, GitFailed) else "repository_clone"
    why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    path, url = resource["mount_path"], resource["url"]
    return Trouble(kind, f"{path}: the repository {url} is not there: {why}", path, url)
