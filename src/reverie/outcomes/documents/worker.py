"""The process in which files are parsed: it was told of no secret, may write nothing and start nothing, and has
little memory and time. ``limited`` starts it, asks it one thing after another, and kills it when it is late.

A question is a line of JSON (``Question``) and the file's bytes; the answer is eight bytes that tell its length,
and JSON.
"""

from __future__ import annotations

import contextlib
import logging
import resource
import sys
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

import msgspec

from reverie.outcomes.documents.archive import Refused, kind_of_archive, looked_through
from reverie.outcomes.documents.reading import Reading

__all__ = ["EXTRA", "MEMORY", "OFFICE", "Question", "read", "serve"]

MEMORY: Final = 1 << 30
EXTRA: Final = "pip install 'reverie-agents[documents]'"
OFFICE: Final = ("docx", "pptx", "xlsx")
_FORBIDDEN: Final = (
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "socket.",
    "ctypes.",
)


class Question(msgspec.Struct):
    """``schema``: hold the bytes, JSON, against it instead of reading a document. ``cpu_s``: what it may take."""

    name: str
    size: int
    cpu_s: int
    schema: dict[str, Any] | None = None


def read(data: bytes, name: str) -> Reading:
    """Never raises: what is wrong with a file is its ``problem``."""
    kind = PurePosixPath(name).suffix[1:].lower()
    try:
        return _read(data, kind)
    except Refused as refused:
        return Reading(problem=str(refused))
    except ImportError as error:
        return Reading(problem=f"files of this kind are read where {error.name} is installed: {EXTRA}")
    except MemoryError:
        return Reading(problem=f"it takes more than {MEMORY >> 20:,} MiB of memory to read")
    except RecursionError:
        return Reading(problem="it is nested too deep to be read")
    except Exception as error:  # noqa: BLE001  # parsers of four libraries, and files that mean harm
        return Reading(problem=f"it is damaged: {type(error).__name__}: {str(error)[:200]}")


def _read(data: bytes, kind: str) -> Reading:
    if not data:
        raise Refused("it is empty: 0 bytes")
    if kind in OFFICE:
        return _office(data, kind)
    if kind == "pdf":
        from reverie.outcomes.documents.pages import read_pdf

        return read_pdf(data)
    from reverie.outcomes.documents.hypertext import read_html

    return read_html(data)


def _office(data: bytes, kind: str) -> Reading:
    really = kind_of_archive(data)
    if really != kind:
        raise Refused(f"it is named .{kind}, but it is {'a .' + really if really else 'another archive'}")
    sizes = looked_through(data)
    if kind == "docx":
        from reverie.outcomes.documents.word import read_docx

        return read_docx(data)
    if kind == "pptx":
        from reverie.outcomes.documents.slides import read_pptx

        return read_pptx(data)
    from reverie.outcomes.documents.sheets import read_xlsx

    return read_xlsx(data, sizes)


def _fits(schema: dict[str, Any], data: bytes) -> list[str]:
    from reverie.outcomes.documents.schemas import problems

    return problems(schema, msgspec.json.decode(data))


# ------------------------------------------------------------------ the process


def serve(asked: BinaryIO, answers: BinaryIO) -> None:
    """Answer questions until there are no more."""
    encoder = msgspec.json.Encoder()
    while line := asked.readline(1 << 20):
        question = msgspec.json.decode(line, type=Question)
        _allow(question.cpu_s)
        data = asked.read(question.size)
        answer: object = (
            read(data, question.name) if question.schema is None else _fits(question.schema, data)
        )
        encoded = encoder.encode(answer)
        answers.write(len(encoded).to_bytes(8, "big") + encoded)
        answers.flush()


def _allow(cpu_s: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + cpu_s + 1
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _confine() -> None:
    """Before any parser is loaded. Some systems know not every limit: the parent's clock holds everywhere."""
    for name, most in (("AS", MEMORY), ("FSIZE", 0), ("NPROC", 0), ("CORE", 0), ("NOFILE", 64)):
        with contextlib.suppress(ValueError, OSError, AttributeError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
    sys.modules["numpy"] = None  # type: ignore[assignment]  # openpyxl would load it, and it reserves memory
    logging.disable()  # pypdf tells of each thing that it mends
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"{event} is not for readers of files")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        raise PermissionError("readers of files write nothing")


if __name__ == "__main__":
    _confine()
    serve(sys.stdin.buffer, sys.stdout.buffer)
