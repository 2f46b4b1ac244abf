"""Many at once, merging, marking what is no evidence, and what survives a restart: over HTTP, without scripts."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx2
import pytest
from tests.console.visiting import SAME, Seen, Visitor
from tests.contract import serving

from reverie.app import Reverie
from reverie.domain.ids import derived_id
from reverie.domain.proposals import Proposal, Risk
from reverie.server.app import build

BASE = "# Booking\n\nAdd up the fare.\n\nThen bags.\n"
MEMORY = "# Booking\n\nAdd up fare and tax.\n\nThen bags.\nAsk for a receipt.\n"
WANTED = "# Bookings\n\nAdd up fare & <bags>.\n\nThen bags.\n"


def add(house: Reverie, count: int, content: str = "", risk: Risk = "low") -> list[Proposal]:
    """Further proposals that only add."""
    one = house.review.list(status="pending")[0]
    made = [
        replace(
            one, id=derived_id("prop", "more", str(n)), idea=f"more{n}", kind="add", path=f"/more/{n}.md",
            title=f"More {n}", content=content or f"# More {n}\n", base_content=None, base_sha256=None, origins=("user",),
            risk=risk,
        )
        for n in range(count)
    ]  # fmt: skip
    house.review.submit(made)
    return made


def conflict(house: Reverie) -> str:
    """A proposal to a memory that somebody changed since, in the same line."""
    one = house.review.list(status="pending")[0]
    house.memory.write("default", "/notes/booking.md", BASE, actor="ana")
    base = house.memory.read("default", "/notes/booking.md")
    made = replace(
        one, id=derived_id("prop", "conflict"), idea="booking", kind="update", path="/notes/booking.md",
        title="Add up", content=WANTED, base_content=BASE, base_sha256=base.content_sha256, origins=("user",),
    )  # fmt: skip
    house.review.submit([made])
    house.memory.write("default", "/notes/booking.md", MEMORY, actor="ben")
    return made.id


# ---------------------------------------------------------------------- many at once


def test_all_of_the_change_is_seen_before_anything_is_approved(visitor: Visitor, house: Reverie) -> None:
    made = add(house, 3)
    inbox = visitor.look("/")
    tainted = next(each for each in house.review.list(status="pending") if each.tainted)
    picks = {f"pick.{each.id}": "on" for each in (*made[:2], tainted)}
    answer = visitor.send(inbox, "/bulk", ids=made[2].id, **picks)
    page = Seen(answer.text)
    assert answer.status_code == 200 and "Approve 3 additions together?" in page.said
    assert "More 0" in page.said and "# More 2" in page.said and "Foreign text had a hand in it" in page.said
    assert house.review.get(made[0].id).status == "pending", "looking writes nothing"
    house.reject(made[1].id, reason="wrong", by="ben")
    done = Seen(visitor.send(page, "/bulk/approve", note="the quarter's additions").text)
    assert "2 approved, 1 not" in done.said and "It was rejected" in done.said
    assert [house.review.get(each.id).status for each in made] == ["approved", "rejected", "approved"]
    assert house.review.get(tainted.id).status == "pending"
    notes = [e.detail["note"] for e in house.audit(9) if e.action == "proposal.approved"]
    assert notes == ["the quarter's additions"] * 2
    again = Seen(visitor.send(page, "/bulk/approve").text)
    assert "0 proposals approved, 3 not" in again.said
    undone = visitor.decide(done, f"/proposals/{made[0].id}/undo")
    assert "reverted" in undone.said


def test_everything_that_fits_the_filter_and_no_page_is_large(visitor: Visitor, house: Reverie) -> None:
    add(house, 110, risk="high")
    inbox = visitor.look("/?risk=high")
    answer = visitor.send(inbox, "/bulk", all="yes")
    assert answer.status_code == 200 and len(answer.content) < 300_000
    page = Seen(answer.text)
    assert "The first 100 were taken; 10 proposals wait for the next round" in page.said
    done = Seen(visitor.send(page, "/bulk/approve").text)
    assert "100 proposals approved" in done.said
    assert visitor.send(inbox, "/bulk").headers["location"] == "/?risk=high&open=" + inbox_open(inbox)


def inbox_open(page: Seen) -> str:
    found = re.search(r"open=(prop_\w+)", page.forms["/bulk"]["back"])
    assert found is not None
    return found[1]


@pytest.mark.parametrize("size", [4_500, 90_000])
def test_what_does_not_fit_on_the_page_is_not_approved_with_it(
    visitor: Visitor, house: Reverie, size: int
) -> None:
    made = add(house, 5, content="<word\n" * (size // 6))
    answer = visitor.send(visitor.look("/?q=More"), "/bulk", all="yes")
    page = Seen(answer.text)
    assert "does not fit on this page" in page.said and len(answer.content) < 300_000
    if size < 10_000:
        visitor.send(page, "/bulk/approve")
    statuses = [house.review.get(each.id).status for each in made]
    assert statuses == ["approved" if size < 10_000 else "pending", *["pending"] * 4]
    for path in ("", "?view=split", "?view=rendered", "/edit"):
        seen = visitor.http.get(f"/proposals/{made[-1].id}{path}")
        assert seen.status_code == 200 and len(seen.content) < 300_000


# ---------------------------------------------------------------------- merging


def test_a_conflict_is_settled_by_choosing_and_written_by_approving(visitor: Visitor, house: Reverie) -> None:
    proposal = conflict(house)
    desk = visitor.look(f"/proposals/{proposal}")
    assert f"/proposals/{proposal}/approve" not in desk.forms
    page = visitor.look(desk.keyed("m")["href"])
    for words in ("Conflict 1 of 1", "Add up the fare.", "Add up fare and tax.", "Add up fare & <bags>."):
        assert words in page.said
    action = f"/proposals/{proposal}/merge"
    open_ = Seen(visitor.send(page, action).text)
    assert "conflict markers" in open_.said, "nothing is guessed"
    editor = visitor.send(page, action, **{"conflict.0": "both"})
    assert "# Bookings\n\nAdd up fare and tax.\nAdd up fare &amp; &lt;bags&gt;.\n" in editor.text
    assert house.memory.read("default", "/notes/booking.md").content == MEMORY
    text = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", editor.text, re.S)
    assert text is not None
    content = text[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    visitor.decide(Seen(editor.text), f"/proposals/{proposal}/modify", content=content)
    assert house.memory.read("default", "/notes/booking.md").content == content
    assert content.endswith("Ask for a receipt.\n") and house.review.get(proposal).status == "modified"


def test_memory_that_changes_while_one_chooses_is_told(visitor: Visitor, house: Reverie) -> None:
    proposal = conflict(house)
    page = visitor.look(f"/proposals/{proposal}/merge")
    house.memory.write("default", "/notes/booking.md", MEMORY + "More.\n", actor="cem")
    answer = visitor.send(page, f"/proposals/{proposal}/merge", **{"conflict.0": "proposal"})
    assert answer.status_code == 409 and "choose again" in answer.text


def test_an_edit_meets_a_change_and_both_are_merged(visitor: Visitor, house: Reverie) -> None:
    proposal = conflict(house)
    house.memory.write("default", "/notes/booking.md", BASE, actor="ben")
    page = visitor.look(f"/proposals/{proposal}/edit")
    house.memory.write("default", "/notes/booking.md", BASE + "Ask for a receipt.\n", actor="ben")
    mine = BASE.replace("the fare", "all fares")
    answer = visitor.send(page, f"/proposals/{proposal}/modify", content=mine)
    assert answer.status_code == 409 and "your text is kept" in answer.text
    merge = Seen(answer.text)
    assert "Both changes fit together" in merge.said
    editor = visitor.send(merge, f"/proposals/{proposal}/merge", content=mine)
    assert "Add up all fares.\n\nThen bags.\nAsk for a receipt.\n" in editor.text


# ---------------------------------------------------------------------- what is no evidence


def test_a_place_that_is_no_evidence_counts_at_once_and_can_come_back(
    visitor: Visitor, house: Reverie
) -> None:
    page = visitor.look(visitor.look(f"/proposals/{visitor.first()}").links("^/findings/[^#]*$")[0])
    finding = house.finding(re.search(r"find_\w+", page.forms_to("exclude")[0])[0])  # type: ignore[index]
    cited = finding.evidence[0]
    counts = finding.counts
    action = f"/findings/{finding.id}/exclude"
    fields = {"session": cited.session_id, "event": cited.span.event_id, "what": "event"}
    after = visitor.decide(page, action, reason="the tool was down", **fields)
    assert f"{counts.sessions - 1} of {counts.of_sessions} sessions now, {counts.sessions} of" in after.said
    assert "the tool was down" in after.said and "Counted: Sessions that show it" in after.said
    told = house.exclusions.of(finding)
    assert told is not None and told.exclusions[0].event_id == cited.span.event_id
    back = visitor.decide(after, f"/findings/{finding.id}/include", mark=told.exclusions[0].id)
    assert "counts again as the dream told it" in back.said
    assert house.exclusions.of(finding) is None


def test_a_proposal_says_that_it_is_below_its_threshold(visitor: Visitor, house: Reverie) -> None:
    weakest = min(
        (p for p in house.review.list(status="pending")),
        key=lambda p: house.finding(p.findings[0]).counts.sessions,
    )
    finding = house.finding(weakest.findings[0])
    page = visitor.look(f"/findings/{finding.id}")
    for session in finding.sessions:
        visitor.decide(page, f"/findings/{finding.id}/exclude", session=session, what="session")
    said = visitor.look(f"/proposals/{weakest.id}").said
    assert "Below its threshold" in said and "no longer makes this claim" in said
    left_out = visitor.http.post("/v1/proposals/bulk_look", json={"proposal_ids": [weakest.id]}).json()
    assert len(left_out["left_out"]) == 1


def test_each_number_leads_to_what_it_counts(visitor: Visitor, house: Reverie) -> None:
    desk = visitor.look(f"/proposals/{visitor.first()}")
    number = next(link for link in desk.links("#n-sessions"))
    page = visitor.look(number)
    ids = {a.get("id") for _, a in page.tags}
    assert {"n-sessions", "n-people", "n-days", "strata", "sessions", "for", "against"} <= ids
    assert "Out of: Sessions in which it could have shown" in page.said
    finding = house.finding(number.split("/")[2].partition("#")[0])
    assert finding.effect.strata[0].name in page.said
    for stratum in finding.effect.strata:
        assert stratum.name in page.said


# ---------------------------------------------------------------------- nothing is lost


@pytest.mark.parametrize("action", ["modify", "check"])
def test_a_text_survives_a_restart(visitor: Visitor, house: Reverie, action: str) -> None:
    proposal = visitor.first()
    page = visitor.look(f"/proposals/{proposal}/edit")
    fields = page.forms[f"/proposals/{proposal}/modify"]
    with serving.sync_http(build(house, console=True)) as http:
        again = Visitor(http, SAME)
        answer = http.post(
            f"/proposals/{proposal}/{action}", data={**fields, "content": "\nmine <b>\n"}, headers=SAME
        )
        assert answer.status_code == 403 and "\nmine &lt;b&gt;\n</textarea>" in answer.text
        assert house.review.get(proposal).status == "pending"
        sent = again.send(Seen(answer.text), f"/proposals/{proposal}/{action}", content="\nmine <b>\n")
    assert sent.status_code == (303 if action == "modify" else 200)
    assert (house.review.get(proposal).status == "modified") == (action == "modify")


def test_whoever_logs_in_anew_comes_back_to_the_page_of_the_form(house: Reverie) -> None:
    token = house.keys.create("lead", by="test").token
    with serving.sync_http(build(house, console=True)) as http:
        at = "http://localhost:8000/proposals/x/edit?back=%2F"
        for referer, back in ((at, "/proposals/x/edit?back=%2F"), ("http://evil.example/a", "/"), ("", "/")):
            answer: httpx2.Response = http.post(
                "/proposals/x/modify", data={"content": "x"}, headers={**SAME, "referer": referer}
            )
            assert answer.status_code == 401
            assert Seen(answer.text).forms["/login"]["back"] == back
    assert token
