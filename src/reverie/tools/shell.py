"""A shell that goes on from call to call though each call is a process of its own.

A command runs in a fresh bash, in a fresh sandbox, of which nothing outlives it. What a person expects to
find again is written to a file when the command ends, and read before the next: the folder, variables,
functions, aliases, ``shopt`` options and the umask. Not kept are ``set`` options, for a ``set -e`` of an
hour ago would make a riddle of every failure, background processes, and traps.

What the sandbox itself puts into the environment (proxies, placeholders) is kept only where a command has
changed it, since it may be another next time.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Sequence
from string import ascii_letters
from typing import Final

from reverie.plugins import Finished, Sandbox
from reverie.tools.answers import reason
from reverie.tools.spilling import plain_name, spill_folder

__all__ = ["MAX_STATE", "Shell"]

MAX_STATE: Final = 1 << 20
"""Bytes that the state of a shell may have."""

_WHOLE: Final = b"# whole\n"
_LONGEST_ARGUMENT: Final = 100_000  # the kernel takes 131,072 bytes in one argument

# Builtins alone, for the command may have emptied PATH. A subshell, for it takes its variables apart.
# A line costs a write, so what is as it was at the beginning is not told.
_PROLOGUE: Final = r"""
declare -A __reverie_base
while IFS= read -r -d '' __reverie_entry; do
  __reverie_base["${__reverie_entry%%=*}"]=${__reverie_entry#*=}
done < /proc/self/environ
unset __reverie_entry
__reverie_options=$BASHOPTS
__reverie_save() {
  [[ ${__reverie_saved-} ]] && return
  __reverie_saved=1
  (
    builtin set +eux +o noclobber +o noglob
    builtin trap - DEBUG ERR RETURN EXIT
    __reverie_kept=()
    for __reverie_name in NAMES; do
      case $__reverie_name in
        BASH*|COMP_WORDBREAKS|DIRSTACK|EPOCH*|EUID|FUNCNAME|GROUPS|HISTCMD|HOSTNAME|HOSTTYPE|LINENO|MACHTYPE) ;;
        OPTERR|OSTYPE|PIPESTATUS|PPID|PS4|PWD|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM|UID|_|__reverie_*) ;;
        IFS) [[ $IFS == $' \t\n' ]] || __reverie_kept+=(IFS) ;;
        OPTIND) [[ $OPTIND == 1 ]] || __reverie_kept+=(OPTIND) ;;
        *) [[ -v __reverie_base[$__reverie_name] && ${!__reverie_name} == "${__reverie_base[$__reverie_name]}" ]] || __reverie_kept+=("$__reverie_name") ;;
      esac
    done
    {
      [[ $BASHOPTS == "$__reverie_options" ]] || builtin shopt -p
      builtin printf 'cd -- %q || echo "[the folder is gone; the shell is in $PWD again]"\n' "$PWD"
      builtin umask -p
      for __reverie_name in "${!__reverie_base[@]}"; do
        [[ $__reverie_name =~ ^[A-Za-z_][A-Za-z0-9_]*$ && ! -v $__reverie_name ]] && builtin printf 'unset %s\n' "$__reverie_name"
      done
      (( ${#__reverie_kept[@]} )) && builtin declare -p "${__reverie_kept[@]}"
      builtin unset -f __reverie_save
      builtin declare -fp
      builtin declare -Fx
      builtin alias -p
      builtin printf '# whole\n'
    } >| STATE
  ) 2> /dev/null < /dev/null
}
builtin trap __reverie_save EXIT
. STATE 2> /dev/null
"""
_NAMES: Final = " ".join(f'"${{!{letter}@}}"' for letter in f"_{ascii_letters}")
# One line, so that bash counts the lines of the command and not ours.
_MAIN: Final = (
    'eval "$1"; __reverie_run=$2; set --; eval "$__reverie_run"; '
    "{ __reverie_status=$?; set +x; __reverie_save; } 2> /dev/null; exit $__reverie_status"
)


class Shell:
    """The shell of one thread of a session. One command at a time: calls wait for each other."""

    def __init__(self, sandbox: Sandbox, thread: str) -> None:
        self._sandbox = sandbox
        self._file = f"{spill_folder(sandbox)}/.shell-{plain_name(thread) or 'main'}"
        self._good = _WHOLE
        self._turn = asyncio.Lock()

    async def restart(self) -> None:
        """Forget what was kept."""
        async with self._turn:
            self._good = _WHOLE
            await asyncio.to_thread(self._sandbox.write, self._file, _WHOLE)

    async def run(
        self, command: str, *, timeout_s: float, max_output: int, on_output: Callable[[bytes], None]
    ) -> tuple[Finished, str]:
        """(what came of the command, a note on what could not be kept of the shell before it).

        Raises:
            SandboxFailed: the sandbox could not be made; nothing ran.
        """
        async with self._turn:
            note = await asyncio.to_thread(self._settle)
            argv = await asyncio.to_thread(self._argv, command)
            finished = await self._sandbox.run(
                argv, timeout_s=timeout_s, max_output=max_output, on_output=on_output
            )
            return finished, note

    def _settle(self) -> str:
        """Make sure that the file holds a whole state: a command that was killed may have torn it."""
        try:
            kept = self._sandbox.read(self._file, limit=MAX_STATE + 1)
        except OSError:
            kept = b""
        if kept.endswith(_WHOLE) and len(kept) <= MAX_STATE:
            self._good = kept
            return ""
        try:
            self._sandbox.write(self._file, self._good)
        except OSError as error:
            return f"[the shell's folder and variables cannot be kept: {reason(error)}]\n"
        if len(kept) > MAX_STATE:
            return "[the shell's variables had over 1 MiB: they are again as before the last command]\n"
        return ""

    def _argv(self, command: str) -> Sequence[str]:
        prologue = _PROLOGUE.replace("NAMES", _NAMES).replace("STATE", shlex.quote(self._file))
        if len(command.encode()) > _LONGEST_ARGUMENT:
            script = f"{self._file}-script"
            self._sandbox.write(script, command.encode())
            command = f". {shlex.quote(script)}"
        return ["/bin/bash", "--noprofile", "--norc", "-c", _MAIN, "bash", prologue, command]
