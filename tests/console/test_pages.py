"""Every page over HTTP: whole, with a twin, under strict headers, and small."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import httpx2
import pytest
from tests.console.visiting import SAME, Seen, Visitor
from tests.contract import serving

from reverie.app import Reverie
from reverie.console.rendering import STATIC, static
from reverie.domain.events import NewEvent
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.server.app import build

HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"  # htmx.org 2.0.11, dist/htmx.min.js


def _addresses(visitor: Visitor) -> list[str]:
    """One address of every kind of page."""
    inbox = visitor.look("/")
    proposal = f"/proposals/{visitor.first()}"
    finding = visitor.look(proposal).links("^/findings/")[0]
    cited = visitor.look(finding).links("^/sessions/.*at=")[0]
    page = visitor.look(proposal)
    store = page.links("^/memory/memstore")[0]
    visitor.decide(page, f"{proposal}/approve")
    memory = visitor.look(store).links(f"^{store}/mem")[0]
    version = visitor.look(memory).links("version=")[0]
    dream = inbox.links("^/dreams/d")[0]
    return [
        "/", proposal, f"{visitor.look('/').links('^/proposals/prop_[a-z0-9]+$')[0]}/edit", finding, cited,
        "/sessions", "/memory", store, memory, version, "/dreams", dream, "/audit", "/settings", "/settings/models",
        "/settings/policies",
    ]  # fmt: skip


def test_every_page_is_whole_has_a_twin_and_strict_headers(visitor: Visitor, http: httpx2.Client) -> None:
    for address in _addresses(visitor):
        answer = http.get(address.partition("#")[0])
        assert answer.status_code == 200, (address, answer.text)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert len(answer.content) < 300_000
        page = Seen(answer.text)
        _nothing_inline(page)
        twins = page.links(r"\.json$")
        assert twins, address
        told = http.get(twins[-1])
        assert told.status_code == 200 and told.headers["content-type"] == "application/json", address


def _nothing_inline(page: Seen) -> None:
    for tag, attributes in page.tags:
        assert tag != "style" and not (
            tag == "script" and not attributes.get("src", "").startswith("/static/")
        )
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
        for name in ("src", "href", "action", "formaction"):
            value = attributes.get(name, "/")
            assert value.startswith(("/", "#")) and not value.startswith("//"), (tag, attributes)


def test_a_twin_is_what_the_api_says(visitor: Visitor, http: httpx2.Client) -> None:
    proposal = visitor.first()
    assert visitor.json(f"/proposals/{proposal}.json") == http.get(f"/v1/proposals/{proposal}").json()
    pending = http.get("/v1/proposals", params={"status": "pending"}).json()
    assert visitor.json("/inbox.json") == pending
    assert http.get("/nothing.json").status_code == 404
    assert http.post("/inbox.json", headers=SAME).status_code == 404


def test_what_is_vendored_is_what_was_published() -> None:
    assert hashlib.sha256(static("htmx.min.js")).hexdigest() == HTMX


def test_static_files_are_kept_for_ever_and_there_are_no_others(
    http: httpx2.Client, visitor: Visitor
) -> None:
    page = visitor.look("/")
    loaded = [a.get("src") or a.get("href", "") for tag, a in page.tags if tag in ("script", "link")]
    assert len(loaded) == len(STATIC)
    for address in loaded:
        answer = http.get(address)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
    for name in ("app.py", "../app.py", "..%2fapp.py", "", "console.css/"):
        assert http.get(f"/static/{name}").status_code == 404


def test_unknown_things_are_told_with_what_is_next(visitor: Visitor) -> None:
    for path in (
        "/nothing", "/proposals/prop_0", "/findings/find_0", "/sessions/sesn_0", "/dreams/drm_0",
        "/memory/memstore_0", "/sessions/a/b/c/d", f"/proposals/{visitor.first()[:-3]}",
    ):  # fmt: skip
        page = visitor.look(path, 404)
        assert "Next" in page.said and "Not here" in page.said
    assert (
        "number of an event"
        in visitor.look(f"{visitor.look('/sessions').links('sesn_')[0]}?after=-1", 400).said
    )
    assert visitor.look("/sessions?after=yesterday", 400).said
    assert visitor.look("/?open=prop_gone", 404).said


def test_the_api_is_as_it_was(http: httpx2.Client) -> None:
    assert http.get("/v1/nothing").json()["error"]["type"] == "not_found_error"
    assert http.get("/v1").json()["type"] == "error"
    assert http.get("/health").json()["ready"]
    assert http.delete("/").status_code == 405


@pytest.fixture
def newcomer(empty: Reverie) -> Iterator[Visitor]:
    with serving.sync_http(build(empty, console=True)) as http:
        yield Visitor(http, SAME)


def test_an_empty_house_says_the_next_command(newcomer: Visitor, empty: Reverie) -> None:
    assert "reverie import claude-code" in newcomer.look("/").said
    assert "reverie import claude-code" in newcomer.look("/sessions").said
    assert "reverie dream" in newcomer.look("/dreams").said
    assert "Nothing was decided" in newcomer.look("/audit").said
    _record(empty, 3)
    assert "reverie dream" in newcomer.look("/").said and "import claude" not in newcomer.look("/").said


def _record(house: Reverie, events: int, text: str = "word") -> str:
    told = [
        NewEvent("user.message", {"content": [{"type": "text", "text": f"{text} {n}"}]}, key=str(n))
        for n in range(events)
    ]
    return house.log.record(Transcript(SessionInfo("test", "long", goal="long"), told)).session_id


def test_a_long_session_is_shown_a_stretch_at_a_time(newcomer: Visitor, empty: Reverie) -> None:
    session = _record(empty, 5_000)
    seen: list[int] = []
    path: str | None = f"/sessions/{session}?after=4700"
    while path:
        page = newcomer.look(path)
        assert len(page.text) < 300_000
        seen += [int(n) for n in re.findall(r'title="A link to this event">(\d+)<', page.text)]
        path = next((a["href"] for _, a in page.tags if a.get("data-key") == "j"), None)
    assert seen == list(range(4701, 5001))
    last = empty.log.window(session, after=4_998)[0]
    page = newcomer.look(f"/sessions/{session}?at={last.id}")
    assert any(a.get("id") == last.id and "data-here" in a for _, a in page.tags)
    assert (
        newcomer.http.get(f"/sessions/{session}/events/{last.id}").headers["location"].endswith(f"#{last.id}")
    )


@pytest.mark.parametrize("text", ["<" * 200_000, "\u202e" * 60_000, "é\n" * 90_000, "&amp;" * 50_000])
def test_no_text_makes_a_page_large(newcomer: Visitor, empty: Reverie, text: str) -> None:
    session = _record(empty, 40, text)
    event = empty.log.window(session, limit=1)[0].id
    for query in ("", f"?at={event}&full={event}", "?q=word"):
        assert len(newcomer.http.get(f"/sessions/{session}{query}").content) < 300_000


def test_a_session_is_searched(visitor: Visitor) -> None:
    session = visitor.look("/sessions").links("^/sessions/sesn_")[0]
    page = visitor.look(f"{session}?q=SUMMARY")
    assert page.links("at=sevt_") and "Nothing in this session" not in page.said
    assert "Nothing in this session" in visitor.look(f"{session}?q=zebra").said


def test_citations_lead_from_one_to_the_next(visitor: Visitor) -> None:
    finding = visitor.look(f"/proposals/{visitor.first()}").links("^/findings/")[0]
    path = visitor.look(finding).links("^/sessions/.*at=")[0]
    walked = 1
    while True:
        page = visitor.look(path)
        assert any(tag == "mark" for tag, _ in page.tags), "the cited words are marked"
        assert f"citation {walked} of" in page.said
        following = [a["href"] for _, a in page.tags if a.get("data-key") == "]"]
        if not following:
            break
        path, walked = following[0], walked + 1
    assert walked > 1


def test_threads_are_lanes(newcomer: Visitor, empty: Reverie) -> None:
    told = [
        NewEvent("user.message", {"content": "begin"}, key="1"),
        NewEvent("agent.message", {"content": "helping"}, key="2", thread="helper"),
        NewEvent("agent.message", {"content": "done"}, key="3"),
    ]
    session = empty.log.record(Transcript(SessionInfo("test", "threads"), told)).session_id
    page = newcomer.look(f"/sessions/{session}")
    assert "helping" in page.said and "done" in page.said
    alone = newcomer.look(page.links("thread=helper")[0])
    assert "helping" in alone.said and "done" not in alone.said
