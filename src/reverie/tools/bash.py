"""The tool ``bash``: commands in a shell that keeps its folder and variables from call to call."""

from __future__ import annotations

import codecs
import re
import signal
from collections.abc import Callable
from typing import Final, Literal, cast

from reverie.domain.events import JsonObject
from reverie.domain.messages import Text, ToolSpec
from reverie.plugins import Finished, Output, Surroundings
from reverie.tools.answers import failed, input_schema, reason, said
from reverie.tools.caution import risk_of
from reverie.tools.shell import Shell

__all__ = ["DEFAULT_TIMEOUT_MS", "LONGEST_TIMEOUT_MS", "MOST_OUTPUT", "Bash"]

DEFAULT_TIMEOUT_MS: Final = 120_000
LONGEST_TIMEOUT_MS: Final = 600_000
MOST_OUTPUT: Final = 8 << 20
"""Bytes of a command's output that are kept; of what comes after, the last 16 KiB."""

_TAIL: Final = 16 << 10
_MOST_TOLD: Final = 1 << 20  # bytes that whoever watches is told of while they come
# Colours, cursor movements and titles: CSI, OSC, and two-character sequences.
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")

_SPEC: Final = ToolSpec(
    name="bash",
    description=(
        "Run a command in bash. The folder, variables and functions are kept from call to call; "
        "`set` options and background processes end with the call, and standard input is empty. "
        "Standard output and standard error come back together, after the exit code where that is not 0. "
        f"A call ends after `timeout_ms` (default {DEFAULT_TIMEOUT_MS:,}, at most {LONGEST_TIMEOUT_MS:,}). "
        "`restart` alone begins a fresh shell: files stay, variables and the folder do not."
    ),
    input_schema=input_schema(
        {},
        {
            "command": {"type": "string", "description": "What to run: one or more lines of bash."},
            "timeout_ms": {
                "type": "integer",
                "minimum": 0,
                "maximum": LONGEST_TIMEOUT_MS,
                "description": "Milliseconds until the command is killed; 0 for the default.",
            },
            "restart": {
                "type": "boolean",
                "description": "Begin a fresh shell instead of running a command.",
            },
        },
    ),
)


class Bash:
    """``bash``: {command, timeout_ms?} or {restart}. Not repeatable: what a command did, nobody knows."""

    spec = _SPEC
    repeatable = False

    def risk(self, input: JsonObject) -> Literal["low", "high", "unknown"]:
        command = input.get("command")
        return risk_of(command) if isinstance(command, str) and command else "low"

    async def call(self, input: JsonObject, where: Surroundings) -> Output:
        shell = _shell(where)
        if input.get("restart"):
            await shell.restart()
            return said("The shell was restarted.")
        command = cast(str | None, input.get("command"))
        if not command or not command.strip():
            return failed("`command` is missing: say what to run, or `restart`.")
        if "\0" in command or not _encodable(command):
            return failed(
                "`command` holds a character that no command line can: NUL, or half of a surrogate pair."
            )
        timeout_s = (input.get("timeout_ms") or DEFAULT_TIMEOUT_MS) / 1000
        listener = _Listener(where.progress)
        try:
            finished, note = await shell.run(
                command, timeout_s=timeout_s, max_output=MOST_OUTPUT, on_output=listener.hear
            )
        except OSError as error:
            return failed(f"The command could not be started: {reason(error)}.")
        return _answer(finished, note, listener, timeout_s)


class _Listener:
    """Hears all that a command writes: passes it on as text, and remembers the end of it."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._tail = bytearray()
        self.heard = 0

    def hear(self, chunk: bytes) -> None:
        self._tail += chunk[-_TAIL:]
        del self._tail[:-_TAIL]
        if self.heard < _MOST_TOLD and (text := self._decoder.decode(chunk)):
            self._progress(text)
        self.heard += len(chunk)

    def last(self, most: int) -> bytes:
        return bytes(self._tail[-most:]) if most else b""


def _shell(where: Surroundings) -> Shell:
    key = f"shell:{where.thread}"
    found = where.state.get(key)
    if not isinstance(found, Shell):
        found = where.state[key] = Shell(where.sandbox, where.thread)
    return found


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _answer(finished: Finished, note: str, listener: _Listener, timeout_s: float) -> Output:
    text = note + _plain(finished.output)
    if finished.dropped:
        text += f"\n\n[{finished.dropped:,} more bytes came, which were not kept"
        whole = listener.heard >= len(finished.output) + finished.dropped
        tail = _plain(listener.last(min(_TAIL, finished.dropped))) if whole else ""
        text += f"; these are the last:]\n\n{tail}" if tail else "]"
    text = text.rstrip("\n")
    if finished.timed_out:
        return failed(f"Timed out after {timeout_s:g} s, and was killed.\n{text}".rstrip("\n"))
    if finished.exit_code:
        return Output((Text(f"{_ending(finished.exit_code)}\n{text}".rstrip("\n")),), is_error=True)
    return said(text or "(no output)")


def _ending(code: int) -> str:
    if code > 0:
        return f"Exit code {code}"
    try:
        return f"Exit code {128 - code} (killed by {signal.Signals(-code).name})"
    except ValueError:
        return f"Exit code {128 - code} (killed by signal {-code})"


def _plain(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return _ESCAPES.sub("", text) if "\x1b" in text else text
