"""What runs, over HTTP without a browser: facets, search, streams, answers, comparisons, and foreign text in all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx2
import pytest
from tests.console.visiting import SAME, Visitor
from tests.contract import serving

from reverie.app import Reverie
from reverie.console.graphs import Node, drawn
from reverie.domain.events import NewEvent
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.server.app import App, build
from reverie.testing.desk import DeskClock, file_documents

EVIL = "<img src=x onerror=alert(1)>\u202e"


@pytest.fixture
def newcomer(empty: Reverie) -> Iterator[Visitor]:
    with serving.sync_http(build(empty, console=True)) as http:
        yield Visitor(http, SAME)


def _record(house: Reverie, name: str, said: list[str], **facts: Any) -> str:
    told = [
        NewEvent("user.message", {"content": [{"type": "text", "text": text}]}, key=str(n))
        for n, text in enumerate(said)
    ]
    return house.log.record(Transcript(SessionInfo("test", name, goal=name, **facts), told)).session_id


def _working(visitor: Visitor, title: str = "Count", **agent: Any) -> str:
    """A session of the API that nobody works on."""

    def post(path: str, body: Any) -> str:
        answer = visitor.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    place = post("/v1/environments", {"name": "here"})
    made = post("/v1/agents", {"name": "clerk", "model": "scripted:none", **agent})
    return post("/v1/sessions", {"agent": made, "environment_id": place, "title": title})


def test_sessions_are_narrowed_and_the_twin_says_the_same(newcomer: Visitor, empty: Reverie) -> None:
    ana = _record(empty, "one", ["a"], agent="ana", model="m1", outcome=Outcome("success"))
    bo = _record(empty, "two", ["b"], agent="bo", model="m1", outcome=Outcome("failure"))
    page = newcomer.look("/sessions?agent=ana")
    assert page.links(ana) and not page.links(bo)
    assert "ana (1)" in page.said and "bo (1)" in page.said, "the facet itself shows what else there is"
    assert not newcomer.look("/sessions?model=m1&outcome=failure").links(ana)
    assert [each["id"] for each in newcomer.json("/sessions.json?agent=ana")["data"]] == [ana]
    assert "No session fits" in newcomer.look("/sessions?source=elsewhere").said
    assert "No session fits" in newcomer.look("/sessions?began_at[lt]=1999-01-01").said
    newcomer.look("/sessions?began_at[gte]=tomorrow", 400)


def test_words_are_found_across_sessions_whatever_json_makes_of_them(
    newcomer: Visitor, empty: Reverie
) -> None:
    texts = ['he said "stop" twice', "Grüße aus Köln", "100% sure_", "line one\nline two", "back\\slash"]
    made = {text: _record(empty, text[:6], ["nothing", text]) for text in texts}
    for text, session in made.items():
        page = newcomer.look("/sessions?" + str(httpx2.QueryParams({"q": text.upper()})))
        assert [re.search(r"sesn_\w+", href)[0] for href in page.links("at=sevt_")] == [session], text  # type: ignore[index]
        inside = newcomer.look(f"/sessions/{session}?" + str(httpx2.QueryParams({"q": text})))
        assert len(inside.links("at=sevt_.*mark=")) == 1
    assert not newcomer.look("/sessions?q=zebra").links("at=sevt_")
    found = newcomer.http.get("/v1/session_search", params={"q": "köln"}).json()
    assert [hit["session_id"] for hit in found["data"]] == [made["Grüße aus Köln"]] and found["searched"] == 5
    assert newcomer.http.get("/v1/session_search", params={"q": " "}).status_code == 400


def test_a_search_goes_on_where_it_stopped(newcomer: Visitor, empty: Reverie) -> None:
    for number in range(70):
        _record(empty, f"s{number}", ["needle"])
    seen: list[str] = []
    page: str | None = None
    while True:
        told = newcomer.http.get(
            "/v1/session_search", params={"q": "needle", **({"page": page} if page else {})}
        )
        seen += [hit["session_id"] for hit in told.json()["data"]]
        page = told.json()["next_page"]
        if page is None:
            break
    assert len(seen) == len(set(seen)) == 70


def test_what_is_new_is_told_once_and_in_order(newcomer: Visitor, empty: Reverie) -> None:
    session = _record(empty, "long", [f"word {n}" for n in range(200)])
    seen: list[int] = []
    after, more = 3, True
    while more:
        text = newcomer.http.get(f"/sessions/{session}/since?after={after}").text
        seen += [int(n) for n in re.findall(r'title="A link to this event">(\d+)<', text)]
        after = int(re.search(r'data-last="(\d+)"', text)[1])  # type: ignore[index]
        more = "data-more" in text
    assert seen == list(range(4, 201))


def test_a_page_walked_backwards_misses_nothing(newcomer: Visitor, empty: Reverie) -> None:
    session = _record(empty, "long", ["x" * (n * 37 % 4_000) for n in range(1, 300)])
    seen: list[int] = []
    path: str | None = f"/sessions/{session}?end=1"
    while path:
        page = newcomer.look(path)
        assert len(page.text) < 300_000
        here = [int(n) for n in re.findall(r'title="A link to this event">(\d+)<', page.text)]
        seen = here + seen
        path = next((a["href"] for _, a in page.tags if a.get("data-key") == "k"), None)
    assert seen == list(range(1, 300))


def test_the_stream_of_a_page_is_its_visitors_alone(newcomer: Visitor, empty: Reverie) -> None:
    session = _working(newcomer)
    with newcomer.http.stream("GET", f"/sessions/{session}/live?all_threads=true&after=0") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "event: ping" in next(answer.iter_text())
    key = empty.keys.create("other", by="test", scopes=["dreams:read"])
    told = {"authorization": f"Bearer {key.token}"}
    with serving.sync_http(build(empty, console=True)) as http:  # keys are asked for now
        assert http.get(f"/sessions/{session}/live").status_code == 401
        assert http.get(f"/sessions/{session}/live", headers=told).status_code == 403
        assert http.get("/dreams/live", headers=told).status_code == 404


def test_a_message_is_sent_once_and_only_by_a_form_of_ours(newcomer: Visitor, empty: Reverie) -> None:
    session = _working(newcomer, title=EVIL)
    page = newcomer.look(f"/sessions/{session}")
    assert "<img" not in page.text and "U+202E" in page.text
    send = f"/sessions/{session}/send"
    assert newcomer.http.post(send, data={"what": "message", "text": "x"}, headers=SAME).status_code == 403
    newcomer.send(page, send, what="message", text=" ")
    assert len(newcomer.json(f"/sessions/{session}.json")["data"]) == 0, "nothing was said"
    assert newcomer.send(page, send, what="message", text=EVIL).status_code == 303
    assert len(newcomer.json(f"/sessions/{session}.json")["data"]) == 1
    token = (
        page.forms[next(iter(page.forms))].get("token") or page.forms[f"/sessions/{session}/send"]["token"]
    )
    wrong = newcomer.http.post(
        send, data={"token": token, "what": "allow", "call": "sevt_none"}, headers=SAME
    )
    assert wrong.status_code in (400, 404, 409)


def test_pages_about_nothing_say_what_is_next(newcomer: Visitor, empty: Reverie) -> None:
    session = _working(newcomer)
    assert "One agent works here alone" in newcomer.look(f"/sessions/{session}/team").said
    assert "Nothing was wanted" in newcomer.look(f"/sessions/{session}/outcomes").said
    newcomer.look(f"/sessions/{session}/plans/wrun_none", 404)
    assert "Nothing dreams by itself" in newcomer.look("/dreams/schedules").said
    assert "no memory to dream into" in newcomer.look("/dreams/new").said
    for path in ("/sessions/sesn_none/team", "/dreams/schedules/dsched_none", "/dreams/drm_a/compare/drm_b"):
        newcomer.look(path, 404)


def test_two_dreams_differ_in_what_they_saw(house: Reverie, app: App) -> None:
    clock = DeskClock()
    for _ in file_documents(house.session, clock=clock, sessions=30, seed=9):
        pass
    before, after = house.dreams()[0], house.dream().dream
    with serving.sync_http(app) as http:
        visitor = Visitor(http, SAME)
        page = visitor.look(f"/dreams/{after.id}/compare/{before.id}")
        told = visitor.json(f"/dreams/{after.id}/compare/{before.id}.json")
        back = visitor.json(f"/dreams/{before.id}/compare/{after.id}.json")
        same = visitor.look(f"/dreams/{after.id}/compare/{after.id}")
        chosen = http.get(f"/dreams/{after.id}/compare?with={before.id}", headers=SAME)
    assert chosen.headers["location"].endswith(f"/compare/{before.id}")
    assert "Nothing differs" in same.said and "Nothing differs" not in page.said
    assert {each["key"] for each in told["new_findings"]} == {each["key"] for each in back["gone_findings"]}
    numbers = {n["name"]: n for each in told["changed_findings"] for n in each["numbers"]}
    assert numbers["of sessions"]["before"] < numbers["of sessions"]["after"]


def test_a_dream_that_looks_the_same_is_not_sent_again(house: Reverie, app: App) -> None:
    with serving.sync_http(app) as http:
        visitor = Visitor(http, SAME)
        stores = [store.id for store in house.stores.list(archived=None, limit=9)]
        form = visitor.look("/dreams/new")
        token = next(a["value"] for tag, a in form.tags if tag == "button" and a.get("name") == "token")
        sent = http.post(
            "/dreams", data={"token": token, "store": stores[0], "mode": "propose"}, headers=SAME
        )
        waiting = visitor.look(sent.headers["location"])
        poll = next(a["hx-get"] for _, a in waiting.tags if a.get("hx-get"))
        assert http.get(poll, headers=SAME).status_code == 204
        assert visitor.decide(waiting, f"{sent.headers['location']}/cancel").said.count("canceled")
        assert http.get(poll, headers=SAME).status_code == 200
        wrong = http.post("/dreams", data={"token": token, "store": stores[0], "mode": "all"}, headers=SAME)
        assert wrong.status_code == 400


def test_a_drawing_puts_each_box_right_of_what_it_needs() -> None:
    chance = Random(5)
    for _ in range(200):
        count = chance.randint(2, 40)
        nodes = [
            Node(
                str(n),
                f"task {n}",
                "waiting",
                "",
                "#",
                tuple(str(m) for m in range(n) if chance.random() < 0.1),
            )
            for n in range(count)
        ]
        found = drawn(nodes)
        assert found is not None
        places = {box.node.id: box for box in found.boxes}
        assert len({(box.x, box.y) for box in found.boxes}) == count, "none covers another"
        for node in nodes:
            assert all(places[need].x + places[need].wide < places[node.id].x for need in node.needs)
    assert drawn([Node("a", "", "", "", "", ("b",)), Node("b", "", "", "", "", ("a",))]) is not None
    assert drawn([Node(str(n), "", "", "", "") for n in range(200)]) is None
