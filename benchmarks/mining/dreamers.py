"""Dreaming products on the same transcripts: do they say *when* the upload fails, and do they say so of nothing?

    python -m benchmarks.mining.dreamers PEERS_PYTHON

A planted folder (a .docx over 50 MB fails after 17:00) and one where failures are luck, 1,000 sessions each,
as Claude Code writes them. Nobody is given a model.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

SESSIONS = 1_000
MESSAGE = "upload failed: 413 payload rejected by gateway"
WANTED = ("docx", "size_mb", "hour")
WORKER = Path(__file__).with_name("dreamer_worker.py")
REVERIE = [sys.executable, "-m", "reverie"]


def main() -> None:
    python = sys.argv[1]
    print(
        "| who | memories or findings, planted | name the three conditions | … by luck alone | conditions claimed |"
    )
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        planted, luck = Path(place) / "planted", Path(place) / "luck"
        for folder, cause in ((planted, True), (luck, False)):
            _write(folder, cause)
        for name in ("reverie", "areev", "opendream"):
            texts = [_dreamt(python, name, folder) for folder in (planted, luck)]
            named = sum(all(word in text for word in WANTED) for text in texts[0])
            claimed = sum(any(word in text for word in WANTED) for text in texts[1])
            print(f"| {name} | {len(texts[0])} | {named} | {len(texts[1])} | {claimed} |", flush=True)


def _dreamt(python: str, name: str, folder: Path) -> list[str]:
    """The text of each memory or finding."""
    if name == "reverie":
        return [json.dumps([f["claim"], f["conditions"]]) for f in _reverie(folder)]
    command = [python, str(WORKER), name, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [str(text).lower() for text in json.loads(done.stdout.splitlines()[-1])]


def _reverie(folder: Path) -> list[dict[str, Any]]:
    at = ["--db", str(folder.with_suffix(".db"))]
    subprocess.run([*REVERIE, "import", str(folder), "--quiet", *at], check=True, capture_output=True)
    dream = [*REVERIE, "dream", "--dry-run", "--json", *at]
    done = subprocess.run(dream, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["findings"]


def _write(folder: Path, planted: bool) -> None:
    folder.mkdir()
    dice = np.random.default_rng(int(planted))
    start = datetime(2026, 3, 2, tzinfo=UTC)
    for number in range(SESSIONS):
        at = start + timedelta(minutes=37 * number)
        ext, size = (
            str(dice.choice([".docx", ".pdf", ".png", ".txt"])),
            round(float(dice.lognormal(3.4, 1)), 1),
        )
        bad = planted and ext == ".docx" and size >= 50 and at.hour >= 17
        _session(
            folder, number, at, (f"report-{number}{ext}", size), bool(dice.random() < (0.9 if bad else 0.02))
        )


def _session(folder: Path, number: int, at: datetime, file: tuple[str, float], failed: bool) -> None:
    use = {
        "type": "tool_use",
        "id": f"t{number}",
        "name": "upload",
        "input": {"file": file[0], "size_mb": file[1]},
    }
    content = MESSAGE if failed else "uploaded"
    result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": content, "is_error": failed}
    turns: list[tuple[str, Any]] = [
        ("user", f"Please upload {file[0]} to the archive."),
        ("assistant", [{"type": "text", "text": f"Uploading {file[0]} ({file[1]} MB)."}, use]),
        ("user", [result]),
        ("assistant", [{"type": "text", "text": f"It failed: {content}" if failed else "Done."}]),
    ]
    rows = [
        {
            "type": role,
            "timestamp": (at + timedelta(seconds=5 * turn)).isoformat().replace("+00:00", "Z"),
            "sessionId": f"s{number}",
            "cwd": "/desk",
            "uuid": f"{number}-{turn}",
            "message": {"role": role, "content": said},
        }
        for turn, (role, said) in enumerate(turns)
    ]
    (folder / f"s{number}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")


if __name__ == "__main__":
    main()
