"""Uploads of transcripts, over plain HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.contract import serving
from tests.contract.serving import ENGINES
from tests.transcripts import write_sessions

from reverie.app import Reverie
from reverie.server.app import App

both = pytest.mark.parametrize("database_url", ENGINES, indirect=True)
FIXTURES = Path(__file__).parents[1] / "importers" / "fixtures"


def upload(http: httpx2.Client, *files: tuple[str, bytes], **fields: str) -> httpx2.Response:
    return http.post("/v1/imports", files=[("file", (name, data)) for name, data in files], data=fields)


@both
def test_an_upload_is_read_and_its_report_stays(
    http: httpx2.Client, reverie: Reverie, tmp_path: Path
) -> None:
    paths = write_sessions(tmp_path, 3)
    answer = upload(http, *((path.name, path.read_bytes()) for path in paths))
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["new_sessions"], len(report["files"])) == (3, 3) and report["new_events"] > 0
    for file, path in zip(report["files"], paths, strict=True):
        assert (file["filename"], file["format"], file["status"]) == (path.name, "claude-code", "imported")
        skipped = sum(file["skipped"].values())
        assert file["records"] == file["used"] + skipped + file["quarantined_count"]
        (session_id,) = file["session_ids"]
        event = reverie.log.events(session_id)[0]
        assert event.origin is not None and event.origin.uri == f"upload:{path.name}"  # no path of ours
    assert http.get(f"/v1/imports/{report['id']}").json() == report
    assert http.get("/v1/imports").json()["data"] == [report]
    assert http.get("/v1/imports/imp_nothing").status_code == 404


def test_the_same_again_changes_nothing_and_what_grew_is_continued(
    http: httpx2.Client, tmp_path: Path
) -> None:
    (path,) = write_sessions(tmp_path, 1)
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    first = upload(http, (path.name, b"".join(lines[:4]))).json()
    assert first["new_sessions"] == 1
    same = upload(http, (path.name, b"".join(lines[:4]))).json()
    assert (same["new_sessions"], same["new_events"], same["files"][0]["status"]) == (0, 0, "unchanged")
    grown = upload(http, (path.name, data)).json()
    assert (grown["new_sessions"], grown["files"][0]["status"]) == (0, "grown") and grown["new_events"] > 0
    copy = upload(http, ("another-name.jsonl", data)).json()
    assert (copy["new_events"], copy["files"][0]["status"]) == (0, "copy")
    assert copy["files"][0]["session_ids"] == first["files"][0]["session_ids"]
    reports = http.get("/v1/imports", params={"limit": 3}).json()
    assert [r["id"] for r in reports["data"]] == [copy["id"], grown["id"], same["id"]]
    rest = http.get("/v1/imports", params={"limit": 3, "page": reports["next_page"]}).json()
    assert [r["id"] for r in rest["data"]] == [first["id"]] and rest["next_page"] is None


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("chat/messages.json", "chat"),
        ("chat/conversations.jsonl", "chat"),
        ("chat/openai.jsonl", "chat"),
        ("otlp/agents.json", "otlp"),
        ("otlp/logs.jsonl", "otlp"),
        ("atif/first.json", "atif"),
        ("swe/acme__widgets-12.traj", "swe-agent"),
        ("tau/two.json", "tau-bench"),
    ],
)
def test_every_format_of_one_file(http: httpx2.Client, path: str, format: str) -> None:
    file = FIXTURES / path
    report = upload(http, (file.name, file.read_bytes())).json()
    assert report["files"][0]["format"] == format, report
    assert report["new_sessions"] >= 1


def test_what_no_reader_knows_is_told_and_the_rest_is_kept(http: httpx2.Client, tmp_path: Path) -> None:
    (path,) = write_sessions(tmp_path, 1)
    report = upload(
        http,
        ("note.txt", b"no transcript"),
        ("empty.jsonl", b""),
        (path.name, path.read_bytes() + b'{"half": \n'),
        ("image.png", bytes(range(256))),
    ).json()
    assert [f["status"] for f in report["files"]] == [
        "not_a_transcript", "not_a_transcript", "imported", "not_a_transcript",
    ]  # fmt: skip
    assert report["files"][0]["message"]
    (bad,) = report["files"][2]["quarantined"]
    assert bad["line"] == path.read_bytes().count(b"\n") + 1 and bad["why"]


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "..\\..\\x.jsonl", "a/b/c.jsonl", ".hidden", "\x01\x1b[31m.jsonl", "é😀.jsonl",
     "n" * 300, "con.jsonl", "..", "x\u202ejsonl.exe"],
)  # fmt: skip
def test_a_files_name_is_only_a_name(http: httpx2.Client, tmp_path: Path, name: str) -> None:
    (path,) = write_sessions(tmp_path, 1)
    answer = upload(http, (name, path.read_bytes()), (name, path.read_bytes()))
    assert answer.status_code == 200, answer.text
    first, second = answer.json()["files"]
    assert first["status"] == "imported" and second["status"] == "copy"
    assert first["filename"] != second["filename"]
    assert ".." not in first["filename"].split("/") and not first["filename"].startswith(("/", "."))
    assert len(first["filename"]) <= 128 and first["filename"].isprintable()


def test_what_is_refused(http: httpx2.Client, tmp_path: Path) -> None:
    (path,) = write_sessions(tmp_path, 1)
    data = path.read_bytes()
    for answer in (
        http.post("/v1/imports", json={"file": "x"}),
        http.post("/v1/imports", data={"file": "not a file"}),
        http.post(
            "/v1/imports",
            content=b"--x\r\nnonsense",
            headers={"content-type": "multipart/form-data; boundary=x"},
        ),
        http.post("/v1/imports", content=b"x", headers={"content-type": "multipart/form-data"}),
        http.post("/v1/imports"),
        upload(http, (path.name, data), format="nothing-known"),
        upload(http, *((f"{n}.jsonl", b"x") for n in range(101))),
    ):
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["type"] == "invalid_request_error"
    assert http.get("/v1/imports").json()["data"] == []
    assert upload(http, *((f"{n}.jsonl", b"x") for n in range(100))).status_code == 200
    assert upload(http, ("x.jsonl", data), format="claude-code").json()["new_sessions"] == 1


def test_an_upload_reads_nothing_but_itself(http: httpx2.Client, reverie: Reverie) -> None:
    """Readers look around their file; around an upload there is nothing, whatever is in it."""
    looked: list[str] = []
    make = reverie.importer

    def watched() -> Any:
        service = make()
        run = service.run

        def noted(paths: Any, **more: Any) -> Any:
            looked.extend(str(path.parent) for path in paths)
            return run(paths, **more)

        service.run = noted
        return service

    reverie.imports._importer = watched
    upload(http, ("settings.json", b"{}"))
    assert looked and not Path(looked[0]).exists()  # gone, with what was in it


def test_two_at_once(api: App, tmp_path: Path) -> None:
    paths = write_sessions(tmp_path, 4)

    async def work() -> list[int]:
        async with serving.async_http(api) as http:
            sent = [http.post("/v1/imports", files={"file": (p.name, p.read_bytes())}) for p in paths * 2]
            return [answer.json()["new_sessions"] for answer in await asyncio.gather(*sent)]

    assert sum(asyncio.run(work())) == 4
