"""Shell commands, read just well enough to say which programs ran and whose exit status counts.

Not a shell: quoting, pipes, lists, redirections, here-documents and the usual wrappers (``cd X &&``,
``env A=b``, ``timeout 60``, ``bash -lc '…'``) are understood; what is not understood is kept as a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from reverie.mining.vocabulary import vocabulary

__all__ = ["Command", "Step", "parse", "unquoted"]

MAX_COMMAND: Final = 4_000  # characters looked at; programs stand at the front

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_]\w*)\1([^\n]*)\n.*?(?:\n\s*\2(?=\s|\)|$)|\Z)", re.DOTALL)
_TOKEN = re.compile(
    r"(?P<space>(?:[ \t\r]|\\\n)+)"
    r"|(?P<comment>(?:(?<=\s)|(?<=^))\#[^\n]*)"
    r"|(?P<redirect>\d*(?:<<<|>>|>&|&>>?|<&|>\||>|<)[ \t]*(?:&?\d+|-)?)"
    r"|(?P<op>\|\||&&|\|&|;;|[|;&\n])"
    r"|(?P<word>(?:\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"|\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|`[^`]*`"
    r"|\$\{[^}]*\}|[^\s|;&<>'\"\\`])+|.)",
    re.DOTALL,
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_PLAIN = re.compile(r"[a-z][a-z0-9]*(?:[-_:][a-z0-9]+)*$")

WRAPPERS: Final = vocabulary(
    """
    sudo doas time env nohup command exec builtin nice ionice stdbuf caffeinate timeout gtimeout
    xargs
    """
)
_WRAPPER_FLAGS: Final = frozenset({"-u", "-g", "-n", "-s", "-k", "-C", "-I", "-P", "-L"})  # with a value
SILENT: Final = vocabulary(
    """
    cd pushd popd export set unset source . true false : echo printf sleep wait exit return
    alias umask local read trap test [ [[ then else fi do done if for while { }
    """
)  # fmt: skip
NO_SUBCOMMAND: Final = vocabulary(
    """
    cat ls ll head tail sed awk gawk grep egrep fgrep rg ag fd find wc sort uniq cut tr tee diff
    cmp comm join rm cp mv mkdir rmdir touch ln chmod chown stat file du df ps kill pkill pgrep
    top which whereis type man python python3 node ruby perl php bash sh zsh jq yq xxd od
    hexdump strings curl wget ssh scp rsync tar zip unzip gzip gunzip md5 md5sum shasum
    sha256sum date pwd basename dirname realpath readlink less more open pytest eslint prettier
    ruff mypy pyright tsc jest vitest black isort gofmt goimports sqlite3 psql mysql sleep seq
    yes tput clear history id whoami hostname uname lsof nc dig ping make gmake just tox nox
    """
)
TWO_LEVELS: Final = vocabulary(
    """
    gh aws gcloud az docker-compose kubectl mise npm yarn pnpm bun uv poetry
    """
)
_SECOND_LEVEL: Final = vocabulary(
    """
    run pr issue repo release workflow api compose stack s3 ec2 exec task tool pip project
    """
)
_TARGETED: Final = frozenset({"make", "gmake", "just", "tox", "nox"})
_SHELLS: Final = frozenset({"bash", "sh", "zsh", "dash", "ksh"})
_VALUED_FLAGS: Final = vocabulary(
    """
    -C -c -f --file --prefix --cwd --directory --git-dir --work-tree -n --namespace
    """
)


@dataclass(frozen=True, slots=True)
class Step:
    """One simple command. ``joined`` is the operator before it ("" for the first).

    ``program`` is the name with its subcommand ("git commit", "mise run test"); ``words`` the words
    after wrappers and assignments, redirections left out.
    """

    program: str
    words: tuple[str, ...]
    joined: str

    @property
    def name(self) -> str:
        return self.program.split(" ", 1)[0]


@dataclass(frozen=True, slots=True)
class Command:
    """A whole command line. ``steps`` in order; empty where nothing could be read."""

    steps: tuple[Step, ...]

    @property
    def sources(self) -> tuple[Step, ...]:
        """The steps that produce output of their own: the head of each pipeline."""
        return tuple(s for s in self.steps if s.joined not in ("|", "|&"))

    @property
    def programs(self) -> tuple[str, ...]:
        """The distinct programs at the heads of pipelines, in order, without the merely auxiliary."""
        found = (s.program for s in self.sources if s.program and s.name not in SILENT)
        return tuple(dict.fromkeys(found))

    @property
    def main(self) -> str:
        """The program a person would name: the last one that is not auxiliary."""
        programs = self.programs
        if programs:
            return programs[-1]
        return next((s.program for s in reversed(self.steps) if s.program), "")

    @property
    def status_is_masked(self) -> bool:
        """Whether the exit status may be that of another step than the one that failed."""
        if any(s.words[:2] == ("set", "-o") and "pipefail" in s.words for s in self.steps):
            return any(s.joined in ("||", ";", "\n", "&") for s in self.steps[1:])
        return any(s.joined not in ("", "&&") for s in self.steps)


@lru_cache(maxsize=4_096)
def parse(text: str) -> Command:
    """Reads a command line. Never raises; a command that makes no sense has no steps."""
    return Command(tuple(_steps(text[:MAX_COMMAND], depth=0)))


def _steps(text: str, depth: int) -> Iterator[Step]:
    if "<<" in text:
        text = _HEREDOC.sub(r"\3", text)
    words: list[str] = []
    joined = ""
    skip = False
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup
        if kind == "op":
            yield from _step(words, joined, depth)
            if words or not joined:
                joined = found.group() if words else joined
            words = []
            skip = False
        elif kind == "redirect":
            skip = not found.group().rstrip()[-1:].isdigit() and not found.group().rstrip().endswith("-")
        elif kind == "word":
            if not skip:
                words.append(found.group())
            skip = False
    yield from _step(words, joined, depth)


def _step(words: Sequence[str], joined: str, depth: int) -> Iterator[Step]:
    rest = _unwrapped([w.lstrip("(") if i == 0 else w for i, w in enumerate(words)])
    if not rest:
        return
    inner = _inner(rest) if depth < 2 else None
    if inner is not None:
        for i, step in enumerate(_steps(inner, depth + 1)):
            yield Step(step.program, step.words, joined if i == 0 else step.joined)
        return
    yield Step(_program(rest), tuple(unquoted(w) for w in rest), joined)


def _unwrapped(words: Sequence[str]) -> list[str]:
    """Without assignments and wrappers in front, and the arguments that belong to the wrappers."""
    rest = [w for w in words if w]
    while rest:
        if _ASSIGNMENT.match(rest[0]) or rest[0] in ("!", "then", "do", "else", "{", "if", "while"):
            rest.pop(0)
        elif rest[0] in WRAPPERS:
            wrapper = rest.pop(0)
            while rest and (
                rest[0].startswith("-") or (wrapper.endswith("timeout") and rest[0][:1].isdigit())
            ):
                flag = rest.pop(0)
                if flag in _WRAPPER_FLAGS and rest:
                    rest.pop(0)
        else:
            break
    return rest


def _inner(words: Sequence[str]) -> str | None:
    """The script of ``bash -lc 'script'``."""
    if words[0].rsplit("/", 1)[-1] in _SHELLS and len(words) > 2 and re.fullmatch(r"-\w*c", words[1]):
        return unquoted(words[2])
    return None


def _program(words: Sequence[str]) -> str:
    name = unquoted(words[0]).rsplit("/", 1)[-1] or words[0]
    if name in _TARGETED:
        target = next((w for w in words[1:] if _PLAIN.match(w)), None)
        return f"{name} {target}" if target else name
    if re.fullmatch(r"python[\d.]*", name):
        return f"{name} -m {words[2]}" if words[1:2] == ["-m"] and len(words) > 2 else name
    if name in NO_SUBCOMMAND or name in SILENT or name.startswith("$"):
        return name
    levels = _subcommands(words[1:], 2 if name in TWO_LEVELS else 1)
    return " ".join((name, *levels))


def _subcommands(words: Sequence[str], deepest: int) -> list[str]:
    levels: list[str] = []
    skip = False
    for word in words:
        if skip or word.startswith("-"):
            if not skip and levels:
                break  # a flag after the subcommand: what follows are arguments
            skip = not skip and word in _VALUED_FLAGS
            continue
        if not _PLAIN.match(word) or len(word) > 24 or len(levels) == deepest:
            break
        levels.append(word)
        if word not in _SECOND_LEVEL:
            break
    return levels


def unquoted(word: str) -> str:
    """A word without the quotes around it."""
    if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"":
        return word[1:-1]
    return word
