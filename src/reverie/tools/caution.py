"""How much harm a command of the shell could do outside its session, judged by its text.

For the policy ``auto``: what is ``low`` runs unasked, so ``low`` is given to what is understood entirely and
nothing else, and any doubt is ``unknown``. Nothing here is a wall: what a command can reach is the sandbox's
business, and a text can always be written so that nobody reads it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final, Literal

__all__ = ["risk_of"]

_LONGEST: Final = 20_000


def _words(text: str) -> Sequence[str]:
    return text.split()


# They read, or do nothing, whatever their arguments are.
_READERS: Final = frozenset(
    _words(
        "[ basename cat cd cmp comm cut df diff dirname du echo egrep false fgrep grep head id ls md5sum nl nproc "
        "printf pwd readlink realpath rev seq sha1sum sha256sum sleep stat tac tail test tr true type uname wc "
        "which whoami"
    )
)
# They read unless one of these arguments says otherwise (a prefix is enough).
_UNLESS: Final = {
    "date": ("-s", "--s"),
    "file": ("-C", "--compile"),
    "find": ("-exec", "-ok", "-delete", "-fprint", "-fls"),
    "jq": ("--rawfile", "-f", "--from-file"),
    "rg": ("--pre", "--hostname-bin"),
    "sort": ("-o", "--o", "--compress-program", "-T", "--t"),
    "tree": ("-o", "--output"),
}
_GIT_READERS: Final = frozenset(_words("blame describe diff log ls-files rev-parse shortlog show status"))
_GIT_NOT: Final = ("--output", "--ext-diff", "--textconv", "-O", "--open-files-in-pager")
_BETWEEN: Final = frozenset(("", ";", "|", "||", "&&", "|&"))

_SECRETS: Final = re.compile(
    r"\.ssh\b|id_(?:rsa|dsa|ecdsa|ed25519)\b|\.aws\b|\.netrc\b|\.npmrc\b|\.pypirc\b|\.git-credentials\b|\.gnupg\b"
    r"|\.kube\b|\.docker/config|/etc/shadow|/etc/sudoers|(?<![\w-])\.env\b|/proc/[\w$]+/environ"
    r"|(?i:api|access|secret|private)_?(?i:key|token)|(?i:password|passwd)\b"
)
_COMMANDS: Final = (
    # the network
    "curl wget nc ncat netcat socat ssh scp sftp rsync ftp telnet nmap dig nslookup host ping aria2c "
    # what installs and publishes
    "pip pip3 pipx uv poetry twine npm npx yarn pnpm bun gem cargo brew apt apt-get dpkg yum dnf apk snap "
    # other people's machines
    "docker podman kubectl helm terraform ansible aws gcloud az gh glab heroku vercel netlify flyctl psql mysql "
    # the machine itself
    "sudo su doas mkfs mount umount shutdown reboot systemctl crontab at iptables insmod chroot nsenter unshare "
    # what else there is of secrets
    "printenv env history ssh-keygen gpg openssl pass"
)
_DANGEROUS: Final = re.compile(
    r"(?<![\w.-])(?:" + "|".join(_words(_COMMANDS)) + r")(?![\w.-])"
    r"|\bgit\s+(?:-\S+\s+(?:[^-\s]\S*\s+)?)*(?:push|pull|fetch|clone|remote|submodule|ls-remote|send-email)\b"
    r"|/dev/(?:tcp|udp|sd|nvme|mem)|\bdd\b[^\n|;&]*\bof="
    r"|\|\s*(?:ba|z|da)?sh\b|\beval\b|\bbase64\s+(?:-d|--decode)"
    r"|\bgo\s+(?:get|install)\b|:\(\)\s*\{"
)
# Deleting by a path that leads out of the places that are the session's own.
_DELETING: Final = re.compile(
    r"\b(?:rm|shred|truncate|rmdir)\b[^\n|;&]*"
    r"""[\s"'](?:/(?!workspace/|tmp/|mnt/session/(?:outputs|spill)/)|~|\$\{?HOME|\.\.(?:/|\s|$)|\*)"""
)


def risk_of(command: str) -> Literal["low", "high", "unknown"]:
    """``low``: reads, and nothing else. ``high``: the network, other machines, secrets, packages, or deleting
    outside the session's folders. ``unknown``: everything else."""
    if len(command) > _LONGEST:
        return "unknown"
    if _SECRETS.search(command):
        return "high"
    if _only_reads(command):
        return "low"
    if _DANGEROUS.search(command) or _DELETING.search(command):
        return "high"
    return "unknown"


def _only_reads(command: str) -> bool:
    if "`" in command or "$(" in command or "<(" in command or ">(" in command or "\\\n" in command:
        return False
    try:
        return all(_reads(words) for words in _simple_commands(command))
    except ValueError:  # a quote without its end, or a form that is not looked into
        return False


def _simple_commands(command: str) -> Iterator[Sequence[str]]:
    """The words of each simple command. Redirections that write nothing are left out.

    Raises:
        ValueError: something else is in it: a redirection to a file, a subshell, a here-document.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t\r", "", True
    words: list[str] = []
    tokens = iter(lexer)
    for token in tokens:
        if not set(token) <= set("();<>|&\n"):
            words.append(token)
        elif token.replace("\n", "") in _BETWEEN:
            yield words
            words = []
        else:
            _check_redirection(token, next(tokens, ""))
    yield words


def _check_redirection(sign: str, target: str) -> None:
    harmless = (
        (sign in (">", ">>", "&>", "&>>") and target == "/dev/null")
        or (sign == ">&" and target.isdigit())
        or (sign == "<" and bool(target))
    )
    if not harmless:
        raise ValueError(sign)


def _reads(words: Sequence[str]) -> bool:
    if not words:
        return True
    name, arguments = words[0], words[1:]
    if name in _READERS:
        return True
    if name == "git":
        return bool(arguments) and arguments[0] in _GIT_READERS and not _any(arguments, _GIT_NOT)
    if name == "sed":
        return len(arguments) >= 2 and arguments[0] == "-n" and bool(re.fullmatch(r"[\d,$]+p", arguments[1]))
    return name in _UNLESS and not _any(arguments, _UNLESS[name])


def _any(arguments: Sequence[str], starts: tuple[str, ...]) -> bool:
    return any(argument.startswith(starts) for argument in arguments)
