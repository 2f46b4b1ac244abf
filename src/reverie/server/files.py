"""Files over HTTP: uploads are spooled to the disk while they come, downloads are sent chunk by chunk."""

from __future__ import annotations

from functools import partial
from typing import Any, Final
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from reverie.domain.errors import Invalid, UsageError
from reverie.domain.resources import Resource
from reverie.server.endpoint import Call, Endpoint, Page, Raw, Upload
from reverie.server.errors import WireError
from reverie.server.paging import after, page
from reverie.server.shaping import answered, place
from reverie.server.wire.files import DeletedFile, File, FileList
from reverie.workspaces.files import MAX_FILE, Expired

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/files"
_ITEM: Final = f"{_PATH}/{{file_id}}"
_FRAME: Final = 64 << 10  # what multipart puts around a file
_MOST_IDS: Final = 100
_PAGE: Final = 20
_GUARDED: Final = {
    "content-security-policy": "sandbox; default-src 'none'",  # somebody's HTML is not ours
    "cache-control": "private, no-store",
}


async def _upload(call: Call[Any, None]) -> File:
    form = await _form(call.request)
    try:
        part = form.get("file")
        if not isinstance(part, UploadFile):
            raise Invalid("file", "required: a part with a file name, of multipart/form-data")
        store = partial(
            call.house.files.store,
            part.file,
            filename=part.filename,
            mime_type=(part.content_type or "").partition(";")[0].strip() or None,
            expires_in=_seconds(form.get("expires_in_seconds")),
        )
        return _file(await to_thread.run_sync(store, limiter=call.server.threads))
    finally:
        await form.close()


def _metadata(call: Call[None, None]) -> File:
    return _file(call.house.files.get(call.path["file_id"]))


def _download(call: Call[None, None]) -> Response:
    try:
        found, chunks = call.house.files.read(call.path["file_id"])
    except Expired as error:
        details = {"error_code": "file_expired"}
        raise WireError(str(error), status=404, type="not_found_error", details=details) from error
    told = {
        "content-length": str(found.body["size_bytes"]),
        "content-disposition": _disposition(found.body["filename"]),
    }
    return StreamingResponse(chunks, headers={**_GUARDED, **told}, media_type=found.body["mime_type"])


def _list(call: Call[None, FileList]) -> Page[File]:
    query = call.query
    if query.ids is not None:
        return _named(query, call)
    limit = _PAGE if query.limit is None else query.limit
    found = call.house.files.list(session_id=query.scope_id, after=after(query.page), limit=limit + 1)
    return page(found, limit, place, _file)


def _named(query: FileList, call: Call[None, FileList]) -> Page[File]:
    ids = list(dict.fromkeys(query.ids or ()))
    if query.page is not None or query.limit is not None:
        raise Invalid("ids", "not together with page or limit")
    if len(ids) > _MOST_IDS:
        raise Invalid("ids", f"at most {_MOST_IDS} different ids", len(ids))
    found = call.house.files.some(ids)
    if query.scope_id is not None:
        found = [file for file in found if file.parent == query.scope_id]
    return Page(data=[_file(file) for file in found], next_page=None)


def _delete(call: Call[None, None]) -> DeletedFile:
    return DeletedFile(id=call.house.files.delete(call.path["file_id"]).id)


async def _form(request: Request) -> FormData:
    try:
        return await request.form(max_files=1, max_fields=8)
    except MultiPartException as error:
        raise UsageError(f"the body is not multipart/form-data: {error.message}") from error
    except HTTPException as error:
        raise UsageError(f"the body is not multipart/form-data: {error.detail}") from error


def _seconds(told: UploadFile | str | None) -> int | None:
    if told is None:
        return None
    if not isinstance(told, str) or not told.isascii() or not told.isdigit() or len(told) > 9:
        raise Invalid("expires_in_seconds", "a whole number of seconds")
    return int(told)


def _disposition(filename: str) -> str:
    """RFC 6266: the name in ASCII for old clients, and as it is."""
    plain = "".join(c if c.isascii() and c not in '"\\%' else "_" for c in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _file(resource: Resource) -> File:
    found: File = answered(resource, File)
    return found


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _upload, File, "files:write", body=Upload, limit=MAX_FILE + _FRAME, tag="files",
             summary="Upload a file"),
    Endpoint("GET", _PATH, _list, Page[File], "files:read", query=FileList, tag="files",
             summary="List files, newest first"),
    Endpoint("GET", _ITEM, _metadata, File, "files:read", tag="files", summary="What is known of a file"),
    Endpoint("DELETE", _ITEM, _delete, DeletedFile, "files:write", tag="files", summary="Delete a file"),
    Endpoint("GET", f"{_ITEM}/content", _download, Raw, "files:read", tag="files",
             summary="The bytes of a file"),
)  # fmt: skip
