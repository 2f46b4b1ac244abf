"""Logs for machines."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from reverie.logs import JsonLines, configure


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_an_object_with_the_ids_of_what_it_is_about() -> None:
    record = logging.LogRecord("reverie.runtime", logging.WARNING, "", 0, "%s of %d", ("one", 2), None)
    record.session_id, record.odd = "sesn_1", object
    told = json.loads(JsonLines().format(record))
    assert told["message"] == "one of 2" and told["session_id"] == "sesn_1"
    assert (told["level"], told["logger"]) == ("warning", "reverie.runtime")
    assert told["at"].endswith("Z") and "object" in told["odd"]
    assert told.keys() == {"at", "level", "logger", "message", "session_id", "odd"}


def test_a_traceback_is_on_the_same_line() -> None:
    try:
        raise ValueError("no\nsuch thing")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    line = JsonLines().format(logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), info))
    assert "\n" not in line and "ValueError: no\nsuch thing" in json.loads(line)["error"]


def test_a_program_logs_to_stderr_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure(as_json=True)
    logging.getLogger("reverie.x").info("quiet")
    logging.getLogger("reverie.x").warning("loud", extra={"session_id": "sesn_1"})
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["session_id"] == "sesn_1"
    configure()
    logging.getLogger("reverie.x").warning("for people", extra={"session_id": "sesn_1"})
    assert capsys.readouterr().err.endswith("WARNING reverie.x: for people [sesn_1]\n")
