"""What a model-written dream takes, beside reading every transcript.

    python -m benchmarks.dream_tokens [--folder ../shared/data/claude-code] [--model scripted:…]

The writer is the careful program of ``reverie.testing.dreamer`` unless a model is named; it works through the real
author, so that every request holds the real instructions, tools, findings and answers. Tokens are counted as scripted
models count them: four characters are one, of all that each request holds (what was said before is counted again with
every request, as without a cache) and of all that is answered; a named model's own counts are its provider's. Reading
everything is all readable text of all events once, thoughts left out, counted the same way.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import reverie
from benchmarks.table import Row, print_table
from benchmarks.transcripts import write_transcripts
from reverie.domain.dreams import Wish, Writing
from reverie.dreaming.author.tokens import everything

DATA = Path(__file__).parents[2] / "shared" / "data" / "claude-code"
CAREFUL = "scripted:reverie.testing.dreamer:careful"
SHARE = 20


def measured(folder: Path, model: str) -> list[Row]:
    """The dream over all transcripts of a folder."""
    with tempfile.TemporaryDirectory() as place, reverie.open(Path(place) / "a.db") as rv:
        rv.import_paths(folder)
        rv.models.allow(model)
        sessions = rv.log.sessions()
        whole = everything(rv.log, (session.id for session in sessions))
        result = rv.dreamer().dream(wish=Wish(model))
        writing = result.dream.writing
        assert writing is not None, "no model wrote"
        proposals = sum(not p.writer.startswith("template") for p in result.proposals)
    return _rows(len(sessions), whole, writing, proposals)


def _rows(sessions: int, whole: int, writing: Writing, proposals: int) -> list[Row]:
    used = writing.usage
    spent = used.input + used.output + used.cache_read + used.cache_write
    expected = writing.estimate
    foreseen = 0 if expected is None else expected.input + expected.output
    return [
        Row("sessions", f"{sessions:,}"),
        Row("tokens of reading every transcript once, a session", f"{whole / sessions:,.0f}"),
        Row("tokens of the model-written dream, a session", f"{spent / sessions:,.0f}"),
        Row("of reading everything", f"1/{whole / spent:,.0f}", f"≤ 1/{SHARE}", spent * SHARE <= whole),
        Row("said beforehand, of what it took", f"{foreseen / spent:.1f}×", "≥ 1×", foreseen >= spent),
        Row("said beforehand, of reading everything", f"1/{whole / foreseen:,.0f}"),
        Row("proposals by the model", f"{proposals}", "≥ 1", proposals >= 1),
        Row("the templates wrote a part of it", writing.fell_back or "no", "no", writing.fell_back is None),
    ]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=DATA)
    parser.add_argument("--model", default=CAREFUL)
    asked = parser.parse_args()
    if asked.folder.is_dir():
        print_table(
            f"A dream over {asked.folder.name}, written by {asked.model}", measured(asked.folder, asked.model)
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        write_transcripts(Path(folder), 60)
        print(f"{asked.folder} is not there; over made-up transcripts instead")
        print_table(
            f"A dream over 60 made-up sessions, written by {asked.model}", measured(Path(folder), asked.model)
        )


if __name__ == "__main__":
    main()
