"""One dreaming product on a folder of transcripts; runs in the peers' own environment, prints what it wrote.

    python dreamer_worker.py areev|opendream FOLDER

Both without a model, as Reverie is: what each does by itself with sessions it is given in full.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def main():
    name, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        print(json.dumps(DREAMERS[name](Path(folder), Path(work))))


def areev(folder, work):
    """Every tool call recorded with its arguments and time, one full analysis, its recommendations."""
    from areev import Areev

    store = Areev(str(work / "memory.areev"), ns="bench")
    for path in sorted(folder.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        use, result = rows[1]["message"]["content"][1], rows[2]["message"]["content"][0]
        given = json.dumps(use["input"] | {"at": rows[1]["timestamp"]})
        store.record_tool_call(
            use["name"], result["content"], is_error=result["is_error"], thread=path.stem, input=given
        )
    store.loop_run(full_sweep=True)
    return [json.dumps(one) for one in json.loads(store.recommendations('{"status": "all"}'))]


def opendream(folder, work):
    """Transcripts ingested, one deterministic dream over all of them, the memories it wrote."""
    program = [sys.executable, "-m", "opendream.cli"]
    ingest = ["transcripts", "ingest", "--workspace", work, "--from", folder]
    subprocess.run([*program, *ingest], check=True, stdout=subprocess.DEVNULL)
    sessions = str(len(list(folder.glob("*.jsonl"))))
    dream = ["dream", "run", "--workspace", work, "--max-recent-episodes", sessions]
    subprocess.run([*program, *dream], check=True, stdout=subprocess.DEVNULL)
    return [path.read_text() for path in sorted(work.glob(".opendream/memory/topics/*.md"))]


DREAMERS = {"areev": areev, "opendream": opendream}

if __name__ == "__main__":
    main()
