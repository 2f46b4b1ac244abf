"""Imports over HTTP: upload transcripts as ``multipart/form-data``, read the report."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from anyio import to_thread
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from reverie.domain.errors import Invalid, UsageError
from reverie.server.endpoint import Call, Endpoint, Page, Upload
from reverie.server.paging import after, page
from reverie.server.shaping import answered, place
from reverie.server.wire.imports import Import, ImportList
from reverie.workspaces.imports import MAX_FILES, Sent

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/imports"
_LARGEST: Final = 512 << 20


async def _create(call: Call[Any, None]) -> Import:
    try:
        form = await call.request.form(max_files=MAX_FILES, max_fields=10)
    except (HTTPException, MultiPartException) as error:
        told = error.detail if isinstance(error, HTTPException) else error.message
        raise UsageError(f"the body is no multipart/form-data: {told}") from None
    try:
        run = partial(call.house.imports.run, _sent(form), format=_format(form))
        made = await to_thread.run_sync(run, limiter=call.server.threads)
    finally:
        await form.close()
    return answered(made, Import)


def _retrieve(call: Call[None, None]) -> Import:
    return answered(call.house.imports.get(call.path["import_id"]), Import)


def _list(call: Call[None, ImportList]) -> Page[Import]:
    query = call.query
    found = call.house.imports.list(after=after(query.page), limit=query.limit + 1)
    return page(found, query.limit, place, partial(answered, shape=Import))


def _sent(form: FormData) -> list[Sent]:
    parts = [part for name, part in form.multi_items() if name in ("file", "files", "file[]")]
    if not parts or not all(isinstance(part, UploadFile) for part in parts):
        raise Invalid("file", "required: one or more parts with a file name")
    return [(part.filename or "transcript", part.file) for part in parts if isinstance(part, UploadFile)]


def _format(form: FormData) -> str | None:
    said = form.get("format")
    if said is not None and not isinstance(said, str):
        raise Invalid("format", "a text")
    return said or None


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, Import, "imports:write", body=Upload, limit=_LARGEST, tag="imports",
             summary="Read uploaded transcripts into sessions (parts named file; format, if it must be said)"),
    Endpoint("GET", _PATH, _list, Page[Import], "imports:read", query=ImportList, tag="imports",
             summary="List imports, newest first"),
    Endpoint("GET", f"{_PATH}/{{import_id}}", _retrieve, Import, "imports:read", tag="imports",
             summary="The report of an import"),
)  # fmt: skip
