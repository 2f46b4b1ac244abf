"""Every registered reader keeps the contract, on well-formed files of its format and on damaged ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.imports import Used
from reverie.plugins import IMPORTERS, Importer, load
from reverie.testing.importers import (
    NASTY,
    MemoryFile,
    NotConformant,
    Sample,
    conforms,
    endures,
    mutations,
    survives,
)

FIXTURES = Path(__file__).parent / "fixtures"


def fixture(path: str, records: int, *beside: str) -> Sample:
    folder = (FIXTURES / path).parent
    return Sample(
        Path(path).name,
        (FIXTURES / path).read_bytes(),
        line_based=path.endswith(".jsonl"),
        records=records,
        beside={place: (folder / place).resolve().read_bytes() for place in beside},
    )


def lines(name: str, *records: object, beside: dict[str, bytes] | None = None) -> Sample:
    data = b"".join(json.dumps(r, separators=(",", ":")).encode() + b"\n" for r in records)
    return Sample(name, data, line_based=True, beside=beside or {})


def claude_line(
    kind: str, uuid: str, parent: str | None, message: object, **more: object
) -> dict[str, object]:
    return {
        "type": kind,
        "uuid": uuid,
        "parentUuid": parent,
        "sessionId": "5e55",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "cwd": "/home/ana/shop",
        "version": "2.1.0",
        "message": message,
        **more,
    }


CLAUDE_CODE = lines(
    "5e55.jsonl",
    claude_line("user", "u1", None, {"role": "user", "content": "Fix the test"}),
    claude_line(
        "assistant",
        "a1",
        "u1",
        {
            "id": "msg_1",
            "role": "assistant",
            "model": "claude",
            "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "go test"}}
            ],
            "usage": {"input_tokens": 3, "output_tokens": 5},
        },
    ),
    claude_line(
        "user",
        "u2",
        "a1",
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "FAIL", "is_error": True}
            ],
        },
        toolUseResult="Error: FAIL",
    ),
    claude_line(
        "user", "u3", "a1", {"role": "user", "content": "<system-reminder>be brief</system-reminder>"}
    ),
    {"type": "a-type-of-next-year", "sessionId": "5e55"},
)

CODEX = lines(
    "rollout-2026-01-01T00-00-00-0a0b.jsonl",
    {
        "timestamp": "2026-01-01T00:00:00.000Z",
        "type": "session_meta",
        "payload": {
            "id": "0a0b",
            "timestamp": "2026-01-01T00:00:00.000Z",
            "cwd": "/repo",
            "cli_version": "1",
        },
    },
    {
        "timestamp": "2026-01-01T00:00:01.000Z",
        "type": "response_item",
        "payload": {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "List files"}],
        },
    },
    {
        "timestamp": "2026-01-01T00:00:02.000Z",
        "type": "response_item",
        "payload": {
            "type": "function_call",
            "name": "shell",
            "arguments": '{"command":["ls"]}',
            "call_id": "c1",
        },
    },
    {
        "timestamp": "2026-01-01T00:00:03.000Z",
        "type": "response_item",
        "payload": {"type": "function_call_output", "call_id": "c1", "output": "a.py"},
    },
    {"timestamp": "2026-01-01T00:00:04.000Z", "type": "event_of_next_year", "payload": {"type": "x"}},
)

SAMPLES: list[tuple[str, Sample]] = [
    ("claude-code", CLAUDE_CODE),
    ("codex", CODEX),
    ("atif", fixture("atif/trial/agent/trajectory.json", 11, "../result.json")),
    ("atif", fixture("atif/first.json", 3)),
    ("atif", fixture("atif/many.jsonl", 4)),
    ("otlp", fixture("otlp/attributes.json", 9)),
    ("otlp", fixture("otlp/attributes.jsonl", 10)),
    ("otlp", fixture("otlp/events.json", 4)),
    ("otlp", fixture("otlp/logs.jsonl", 10)),
    ("otlp", fixture("otlp/openinference.jsonl", 5)),
    ("otlp", fixture("otlp/silent.json", 3)),
    ("otlp", fixture("otlp/agents.json", 3)),
    ("tau-bench", fixture("tau/gpt-4o-airline.json", 27)),
    ("tau-bench", fixture("tau/two.json", 8)),
    ("tau-bench", fixture("tau/split/simulations/sim-1.json", 7, "../results.json")),
    ("swe-agent", fixture("swe/acme__widgets-12.traj", 9, "results.json")),
    ("swe-agent", fixture("swe/acme__widgets-13.traj", 6)),
    ("swe-agent", fixture("swe/steps_only.traj", 1)),
    ("swe-agent", fixture("swe/acme__widgets-15.traj.json", 8)),
    ("swe-agent", fixture("swe/mini.traj.json", 9)),
    ("chat", fixture("chat/openai.jsonl", 11)),
    ("chat", fixture("chat/conversations.jsonl", 13)),
    ("chat", fixture("chat/responses.json", 12)),
    ("chat", fixture("chat/messages.json", 5)),
    ("chat", fixture("chat/several.json", 3)),
    ("intercode", fixture("intercode/ic_bash_multiturn_gpt-4_10_turns.json", 3)),
]
IDS = [f"{name}:{sample.name}" for name, sample in SAMPLES]


@pytest.fixture(scope="module")
def reader() -> Callable[[str], Importer]:
    classes = load(IMPORTERS)

    def of(name: str) -> Importer:
        instance = classes[name]()
        assert isinstance(instance, Importer)
        assert instance.name == name
        return instance

    return of


def test_every_registered_reader_is_tried_here() -> None:
    assert set(load(IMPORTERS)) == {name for name, _ in SAMPLES}


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=IDS)
def test_conforms(reader: Callable[[str], Importer], name: str, sample: Sample) -> None:
    conforms(reader(name), sample)


@pytest.mark.parametrize(("name", "sample"), dict(SAMPLES).items(), ids=dict(SAMPLES))
def test_endures(reader: Callable[[str], Importer], name: str, sample: Sample) -> None:
    endures(reader(name), sample)


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=IDS)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_damage_gives_a_result(
    reader: Callable[[str], Importer], name: str, sample: Sample, seed: int
) -> None:
    for damaged in mutations(sample.data, seed=seed, count=4):
        survives(reader(name), sample, damaged)


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=IDS)
def test_each_reader_is_the_surest_of_its_own_format(
    reader: Callable[[str], Importer], name: str, sample: Sample
) -> None:
    guesses = {n: reader(n).sniff(sample.data[:65_536], sample.file()) for n in load(IMPORTERS)}
    assert max(guesses, key=lambda n: guesses[n].confidence) == name, guesses


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=IDS)
def test_whatever_was_damaged_is_in_the_account(
    reader: Callable[[str], Importer], name: str, sample: Sample
) -> None:
    """A file that held something still says what became of it."""
    for damaged in mutations(sample.data, seed=7, count=40):
        if damaged.strip():
            items = list(reader(name).read(sample.file(damaged)))
            assert items or not damaged.strip(b" \r\n\t\x00\x80\xff[]{}"), damaged[:200]


def test_the_suite_catches_a_reader_that_raises(reader: Callable[[str], Importer]) -> None:
    class Raises:
        name = "raises"
        sniff = staticmethod(reader("chat").sniff)

        def default_places(self) -> tuple[str, ...]:
            return ()

        def read(self, file: MemoryFile) -> list[Used]:
            json.loads(file.open().read())
            return [Used()]

    with pytest.raises(NotConformant, match="must not raise"):
        survives(Raises(), SAMPLES[0][1], NASTY[-1][:-1])  # type: ignore[arg-type]


def test_the_suite_catches_an_account_that_does_not_add_up(reader: Callable[[str], Importer]) -> None:
    sample = fixture("chat/openai.jsonl", 12)
    with pytest.raises(NotConformant, match="12 records in the file, 11 in the account"):
        conforms(reader("chat"), sample)
