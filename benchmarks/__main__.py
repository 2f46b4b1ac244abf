"""Every number the documents quote, beside its limit, or beside a peer.

    python -m benchmarks            (make bench) imports, dreams, appends, the server: some minutes
    python -m benchmarks --all      (make bench-all) the miners too, with all their worlds: some hours

Each runs in a process of its own; one that fails does not keep the others from running.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

QUICK: Final = (
    "imports",
    "dreams",
    "dream_tokens",
    "appends",
    "server",
    "streams",
    "webhooks",
    "models",
    "mounts",
    "workers",
    "sandbox",
    "egress",
    "agents",
    "teams",
    "trials",
    "poisoning",
    "second_half",
)
MINERS: Final = ("templates", "workarounds", "workflows", "staleness", "mining", "replication")

asked = (*QUICK, *MINERS) if "--all" in sys.argv[1:] else QUICK
commands = {name: [sys.executable, "-m", f"benchmarks.{name}"] for name in asked}
if "--all" not in sys.argv[1:]:
    for name in ("agents", "teams", "trials"):
        commands[name].append("--quick")  # peers have to be installed first; trials take a quarter of an hour
failed = [name for name, command in commands.items() if subprocess.run(command, check=False).returncode]
if failed:
    sys.exit(f"did not run to the end: {', '.join(failed)}")
