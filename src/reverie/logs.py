"""What running programs log, for machines: one JSON object a line, with the ids of what it is about."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from reverie.domain.clock import iso

__all__ = ["JsonLines", "configure"]

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """``{"at", "level", "logger", "message", …}``: whatever a program gave as ``extra`` (``session_id`` …)
    stands beside these; ``error`` is the traceback, where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(told, enc_hook=repr).decode()


class _Text(logging.Formatter):
    """For people; the session is named behind the message."""

    def format(self, record: logging.LogRecord) -> str:
        line, session_id = super().format(record), getattr(record, "session_id", None)
        return line if session_id is None else f"{line} [{session_id}]"


def configure(level: int = logging.WARNING, *, as_json: bool = False) -> None:
    """Log to stderr from ``level`` on, ours and everybody's. For programs; a library leaves that alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if as_json else _Text(_TEXT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
