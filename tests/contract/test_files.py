"""Files, as the SDK knows them: bytes that come back as they went in, names that hurt nobody."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types.beta import BetaFileMetadata
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.serving import ENGINES

from reverie.app import Reverie
from reverie.domain.errors import Invalid, TooLarge
from reverie.workspaces.files import MAX_FILE, Files, safe_name


def content(sdk: Any, file_id: str) -> bytes:
    return sdk.beta.files.download(file_id).read()


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_file_comes_back_as_it_went_in(client: Any, strict: Any) -> None:
    data = bytes(range(256)) * 40_000  # ten chunks, in two batches
    made = client.beta.files.upload(file=("report.pdf", data, "application/pdf"))
    strict(made, BetaFileMetadata)
    assert made.id.startswith("file_") and (made.filename, made.mime_type) == (
        "report.pdf",
        "application/pdf",
    )
    assert (made.size_bytes, made.downloadable, made.scope, made.expires_at) == (len(data), True, None, None)
    assert made.sha256 == hashlib.sha256(data).hexdigest()
    assert content(client, made.id) == data


def test_what_is_known_is_told_alike(sdk: Any, strict: Any) -> None:
    made = sdk.beta.files.upload(file=("a.txt", b"hello"))
    strict(made)
    assert made.mime_type == "text/plain"
    strict(sdk.beta.files.retrieve_metadata(made.id))
    assert sdk.beta.files.retrieve_metadata(made.id).to_dict() == made.to_dict()
    strict(sdk.beta.files.list().data, list[BetaFileMetadata])
    assert content(sdk, made.id) == b"hello"
    empty = sdk.beta.files.upload(file=("empty", b""))
    assert (empty.size_bytes, empty.mime_type, content(sdk, empty.id)) == (0, "application/octet-stream", b"")


def test_paths_and_open_files_are_uploaded_too(sdk: Any, tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_bytes(b"# notes")
    assert sdk.beta.files.upload(file=path).filename == "notes.md"
    if not hasattr(sdk, "_inner"):  # the asynchronous client takes no open file
        with path.open("rb") as file:
            assert content(sdk, sdk.beta.files.upload(file=file).id) == b"# notes"


def test_a_deleted_file_is_gone(sdk: Any, strict: Any) -> None:
    made = sdk.beta.files.upload(file=("a.txt", b"hello"))
    gone = sdk.beta.files.delete(made.id)
    strict(gone)
    assert (gone.id, gone.type) == (made.id, "file_deleted")
    for way in (sdk.beta.files.retrieve_metadata, sdk.beta.files.download, sdk.beta.files.delete):
        with pytest.raises(anthropic.NotFoundError):
            way(made.id)
    assert list(sdk.beta.files.list()) == []


def test_lists_are_walked_and_narrowed(sdk: Any, reverie: Reverie) -> None:
    made = [sdk.beta.files.upload(file=(f"{number}.txt", b"x")).id for number in range(5)]
    own = reverie.workspace().files.store(io.BytesIO(b"x"), filename="out.txt", session_id="sesn_1").id

    def ids(**said: Any) -> list[str]:
        return [file.id for file in sdk.beta.files.list(**said)]

    assert ids(limit=2) == ids() == ids(limit=1000) == [own, *made[::-1]]
    assert ids(scope_id="sesn_1") == [own] and ids(scope_id="sesn_2") == []
    assert sdk.beta.files.list(scope_id="sesn_1").data[0].scope.to_dict() == {
        "type": "session",
        "id": "sesn_1",
    }
    assert ids(ids=[made[1], made[3], made[1], "file_nowhere"]) == [made[3], made[1]]
    assert ids(ids=[made[1], own], scope_id="sesn_1") == [own]
    assert ids(ids=[f"file_{number}" for number in range(100)]) == []
    for said, told in (
        ({"ids": [f"file_{number}" for number in range(101)]}, "at most 100"),
        ({"ids": made, "limit": 5}, "not together"),
        ({"limit": 0}, "at least 1"),
        ({"limit": 1001}, "at most 1000"),
        ({"page": "garbage"}, "page"),
    ):
        with pytest.raises(anthropic.BadRequestError, match=told):
            ids(**said)


def test_a_file_that_expires(sdk: Any, strict: Any, clock: Any) -> None:
    made = sdk.beta.files.upload(file=("a.txt", b"secret bytes"), expires_in_seconds=3600)
    strict(made)
    assert timedelta(hours=1) <= made.expires_at - made.created_at + timedelta(seconds=5)
    assert content(sdk, made.id) == b"secret bytes"
    clock.now += timedelta(hours=1)
    with pytest.raises(anthropic.NotFoundError) as refused:
        sdk.beta.files.download(made.id)
    assert refused.value.error_code == "file_expired"
    strict(sdk.beta.files.retrieve_metadata(made.id))
    sdk.beta.files.upload(file=("b.txt", b"x"))  # sweeps
    with pytest.raises(anthropic.NotFoundError) as refused:
        sdk.beta.files.download(made.id)
    assert refused.value.error_code == "file_expired" and len(list(sdk.beta.files.list())) == 2
    assert sdk.beta.files.delete(made.id).id == made.id


@pytest.mark.parametrize(
    ("seconds", "fine"), [(3599, False), (3600, True), (7_776_000, True), (7_776_001, False)]
)
def test_the_limits_of_an_expiry(client: anthropic.Anthropic, seconds: int, fine: bool) -> None:
    if fine:
        assert client.beta.files.upload(file=("a", b"x"), expires_in_seconds=seconds).expires_at
        return
    with pytest.raises(anthropic.BadRequestError, match="expires_in_seconds"):
        client.beta.files.upload(file=("a", b"x"), expires_in_seconds=seconds)
    assert list(client.beta.files.list()) == []


# ---------------------------------------------------------------------- names and types


NAMES = {
    "a.txt": "a.txt",
    "../../etc/passwd": "passwd",
    "C:\\Users\\me\\secret.doc": "secret.doc",
    "/": "unnamed.txt",
    "..": "unnamed.txt",
    ".": "unnamed.txt",
    "": "unnamed.txt",
    "a\x00b\r\nc.txt": "abc.txt",
    "\u202egnp.exe": "gnp.exe",
    " spaced .txt ": "spaced .txt",
    ".profile": ".profile",
    "e\u0301.txt": "\u00e9.txt",
    "x" * 300 + ".txt": "x" * 251 + ".txt",
    "日本語.txt": "日本語.txt",
}


@pytest.mark.parametrize("name", NAMES)
def test_only_the_last_and_printable_part_of_a_name_is_kept(client: Any, reverie: Reverie, name: str) -> None:
    made = reverie.workspace().files.store(io.BytesIO(b"x"), filename=name, mime_type="text/plain")
    assert made.body["filename"] == NAMES[name]
    told = client.beta.files.with_raw_response.download(made.id).headers["content-disposition"]
    assert told.startswith("attachment; ") and told.isascii() and told.isprintable()


@given(st.text(max_size=300))
def test_no_name_leads_anywhere(name: str) -> None:
    safe = safe_name(name, "text/plain")
    assert 0 < len(safe) <= 255 and safe.isprintable() and not set(safe) & set("/\\")
    assert safe.strip(".") and Path("/folder", safe).parent == Path("/folder")


def test_what_somebody_uploads_is_nothing_that_a_browser_runs(client: Any, http: httpx2.Client) -> None:
    made = client.beta.files.upload(file=("x.html", b"<script>alert(1)</script>", "text/html"))
    answer = http.get(f"/v1/files/{made.id}/content")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-length"] == str(made.size_bytes)


@pytest.mark.parametrize("mime", ["text/plain\r\nx: y", "nonsense", "a/b/c", "", "x" * 300 + "/y"])
def test_a_type_that_is_none_is_guessed_from_the_name(reverie: Reverie, mime: str) -> None:
    made = reverie.workspace().files.store(io.BytesIO(b"x"), filename="a.json", mime_type=mime)
    assert made.body["mime_type"] == "application/json"


# ---------------------------------------------------------------------- bodies that are wrong


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"json": {"file": "x"}}, "`file`: required"),
        ({"content": b"", "headers": {"content-type": "multipart/form-data"}}, "multipart"),
        (
            {"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data; boundary=y"}},
            "multipart",
        ),
        ({"files": {"other": ("a", b"x")}}, "`file`: required"),
        ({"data": {"file": "a text, not a file"}, "files": {"x": ("y", b"")}}, "`file`: required"),
        ({"files": [("file", ("a", b"x")), ("file", ("b", b"x"))]}, "multipart"),
        ({"files": {"file": ("a", b"x")}, "data": {"expires_in_seconds": "soon"}}, "expires_in_seconds"),
        ({"files": {"file": ("a", b"x")}, "data": {"expires_in_seconds": "-5"}}, "expires_in_seconds"),
        ({"files": {"file": ("a", b"x")}, "data": {"expires_in_seconds": "9" * 30}}, "expires_in_seconds"),
    ],
)
def test_what_is_no_upload_keeps_nothing(
    http: httpx2.Client, client: anthropic.Anthropic, said: Any, told: str
) -> None:
    answer = http.post("/v1/files", **said)
    assert answer.status_code == 400 and told in answer.json()["error"]["message"]
    assert list(client.beta.files.list()) == []


def test_a_body_that_says_it_is_too_large_is_not_read(http: httpx2.Client) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x", "content-length": str(MAX_FILE + (1 << 20))}
    answer = http.post("/v1/files", content=b"", headers=headers)
    assert answer.status_code == 413 and answer.json()["error"]["type"] == "request_too_large"


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_file_may_be_as_large_as_it_may_be_and_no_larger(reverie: Reverie) -> None:
    house = reverie.workspace()
    files = Files(house._db, house.resources, clock=house._clock, max_bytes=20 << 20)
    most = b"x" * (20 << 20)
    assert files.store(io.BytesIO(most), filename="a").body["size_bytes"] == len(most)
    with pytest.raises(TooLarge):
        files.store(io.BytesIO(most + b"x"), filename="b")
    assert len(files.list()) == 1 and chunks(reverie) == 20


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_session_has_five_hundred_files(reverie: Reverie) -> None:
    house = reverie.workspace()

    def fill(conn: Any) -> None:
        body = {
            "filename": "a",
            "mime_type": "text/plain",
            "size_bytes": 0,
            "expires_at": None,
            "scope": None,
        }
        for _ in range(499):
            house.resources.create("file", body, prefix="file", parent="sesn_1", status="ready", conn=conn)

    house.resources.write(fill)
    house.files.store(io.BytesIO(b"x"), filename="the 500th", session_id="sesn_1")
    with pytest.raises(Invalid, match="at most 500"):
        house.files.store(io.BytesIO(b"x"), filename="the 501st", session_id="sesn_1")
    assert chunks(reverie) == 1
    house.files.store(io.BytesIO(b"x"), filename="of another", session_id="sesn_2")
    house.resources.write(lambda conn: house.files.delete_of_session("sesn_1", conn))
    assert len(house.files.list()) == 1 and chunks(reverie) == 1


# ---------------------------------------------------------------------- nothing half stored


class Broken(io.BytesIO):
    """Ends in the middle, as a disk or a killed process does."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(b"x" * (12 << 20))
        self.error = error

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= 10 << 20:
            raise self.error
        return super().read(size)


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_an_upload_that_fails_leaves_nothing(reverie: Reverie) -> None:
    files = reverie.workspace().files
    for error in (OSError("the disk failed"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            files.store(Broken(error), filename="a")
    assert files.list() == [] and chunks(reverie) == 0


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_what_a_killed_process_left_is_seen_by_nobody_and_swept(
    client: anthropic.Anthropic, reverie: Reverie, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = reverie.workspace().files
    with monkeypatch.context() as patch:
        patch.setattr(files, "_abandon", lambda file_id: None)  # as if the process were gone
        with pytest.raises(OSError, match="killed"):
            files.store(Broken(OSError("killed")), filename="half")
    assert chunks(reverie) == 8
    [half] = reverie.workspace().resources.list("file")
    assert list(client.beta.files.list()) == []
    for way in (client.beta.files.retrieve_metadata, client.beta.files.download, client.beta.files.delete):
        with pytest.raises(anthropic.NotFoundError):
            way(half.id)
    client.beta.files.upload(file=("a", b"x"))
    assert chunks(reverie) == 9  # it might still be at it
    clock.now += timedelta(hours=2)
    client.beta.files.upload(file=("b", b"x"))
    assert chunks(reverie) == 2
    assert len(reverie.workspace().resources.list("file")) == 2


def chunks(reverie: Reverie) -> int:
    """How many chunks of files there are, of whatever file."""
    from sqlalchemy import text

    with reverie.workspace()._db.read() as conn:
        return conn.execute(text("SELECT count(*) FROM file_chunks")).scalar_one()
