"""Peak memory of mining one planted world, in a process that does nothing else.

    python -m benchmarks.mining.memory TABLE.npz

prints the most memory held (MB): interpreter, libraries, table and mining.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from reverie.mining.conditional import Column, Table, mine_rules

__all__ = ["peak_megabytes", "saved"]

WORLD = "import sys; from benchmarks.mining.memory import saved; saved(int(sys.argv[1]), sys.argv[2])"


def peak_megabytes(rows: int) -> float:
    """The world is made in one process and mined in another: what making it took does not count."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "table.npz")
        subprocess.run([sys.executable, "-c", WORLD, str(rows), path], check=True)
        mined = [sys.executable, "-m", "benchmarks.mining.memory", path]
        return float(subprocess.run(mined, check=True, capture_output=True, text=True).stdout)


def saved(rows: int, path: str) -> None:
    from benchmarks.mining.worlds import planted_world

    world = planted_world(rows, 0)
    kinds = [(c.name, c.kind, [str(label) for label in c.labels]) for c in world.table.columns]
    values = {c.name: c.values for c in world.table.columns}
    own = {"__target__": world.target, "__users__": world.users, "__times__": world.times}
    np.savez(path, __columns__=np.array(json.dumps(kinds)), **own, **values)


def main() -> None:
    data = np.load(sys.argv[1])
    kinds = json.loads(str(data["__columns__"]))
    table = Table.of([Column(name, kind, data[name], tuple(labels)) for name, kind, labels in kinds])
    mine_rules(table, data["__target__"], users=data["__users__"], times=data["__times__"])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
