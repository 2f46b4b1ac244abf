"""Checks of kind ``command``: run in the sandbox that is given, one after another."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from reverie.domain.errors import SandboxFailed
from reverie.outcomes.checks.looking import Fault, Found, Unchecked
from reverie.outcomes.checks.patterns import compiled
from reverie.outcomes.checks.specs import CommandWants
from reverie.outcomes.documents.invisible import without_invisible
from reverie.plugins import Finished, Sandbox

__all__ = ["MAX_OUTPUT", "check_command"]

MAX_OUTPUT: Final = 256 << 10
"""Bytes of what a command writes that are looked at; the rest is dropped while it runs."""
_TOLD: Final = 1_500
_GRACE_S: Final = 15.0


async def check_command(wants: CommandWants, sandbox: Sandbox | None, folder: str | None = None) -> Found:
    """Run a command with the shell, in ``folder``, by default where the sandbox starts.

    Raises:
        Unchecked: there is no sandbox, or it failed.
    """
    if sandbox is None:
        raise Unchecked("the command was not run: there is no sandbox to run it in")
    try:
        async with asyncio.timeout(wants.timeout + _GRACE_S):  # should the sandbox itself not come back
            finished = await sandbox.run(
                ["/bin/sh", "-c", wants.command],
                cwd=folder,
                timeout_s=wants.timeout,
                max_output=MAX_OUTPUT,
            )
    except TimeoutError:
        raise Unchecked("the command was given up: its sandbox did not come back") from None
    except (SandboxFailed, OSError) as error:
        raise Unchecked(f"the command was not run: {str(error).splitlines()[0]}") from None
    return Found([Fault(change) for change in _changes(wants, finished)])


def _changes(wants: CommandWants, finished: Finished) -> list[str]:
    output = _seen(finished.output.decode("utf-8", "replace"))
    if finished.timed_out:
        return [f"`{wants.command}` must end within {wants.timeout:g} s; it was stopped.{_wrote(output)}"]
    changes: list[str] = []
    if finished.exit_code != wants.exit:
        ended = f"it ended with {finished.exit_code}"
        changes.append(f"`{wants.command}` must end with exit code {wants.exit}; {ended}.{_wrote(output)}")
    if wants.output is not None and compiled(wants.output).search(output) is None:
        cut = f" Only its first {MAX_OUTPUT:,} bytes were looked at." if finished.dropped else ""
        changes.append(f"`{wants.command}` must write what matches `{wants.output}`.{cut}{_wrote(output)}")
    return changes


def _seen(output: str) -> str:
    return "\n".join(without_invisible(line)[0] for line in re.split(r"\r?\n", output))


def _wrote(output: str) -> str:
    told = output.strip()
    if not told:
        return " It wrote nothing."
    return f" It wrote: {told}" if len(told) <= _TOLD else f" It wrote at last: …{told[-_TOLD:]}"
