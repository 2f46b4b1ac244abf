"""The console in a real browser: a review with the keyboard alone, hostile text, and nothing in the error console."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.console.test_hostile import PAYLOADS
from tests.console.test_together import add, conflict

from reverie.app import Reverie
from reverie.domain.events import NewEvent
from reverie.domain.sessions import SessionInfo, Transcript


@pytest.fixture
def address(house: Reverie, tmp_path: Path) -> Iterator[str]:
    """A server of its own over the house, as ``reverie serve`` starts it."""
    command = [sys.executable, "-m", "reverie", "serve", "--port", "0", "--no-work", "--db", house.where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    found = context.new_page()
    found.set_default_timeout(8_000)
    wrong: list[str] = []
    found.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.on("dialog", lambda dialog: wrong.append(f"a script ran: {dialog.message}"))
    yield found
    context.close()
    assert wrong == []


def test_a_review_with_the_keyboard_alone(page: Any, address: str, house: Reverie) -> None:
    waiting = [each.id for each in house.review.list(status="pending")]
    page.goto(address)
    page.wait_for_selector(f"article#{waiting[0]}")
    page.keyboard.press("j")
    page.wait_for_selector(f"article#{waiting[1]}")
    page.keyboard.press("k")
    page.wait_for_selector(f"article#{waiting[0]}")
    page.keyboard.press("v")
    page.wait_for_url(re.compile("/findings/"))
    for _ in range(60):  # to the first quote
        page.keyboard.press("Tab")
        if "at=sevt_" in (page.evaluate("document.activeElement.getAttribute('href') || ''")):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-here]")
    assert page.evaluate("document.activeElement.id").startswith("sevt_")
    assert page.locator("[data-here] mark").count() > 0
    page.keyboard.press("b")
    page.wait_for_url(re.compile("/findings/"))
    page.keyboard.press("b")
    page.wait_for_selector(f"article#{waiting[0]}")
    page.keyboard.press("e")
    page.wait_for_selector("textarea")
    page.wait_for_selector("#content:focus")
    page.keyboard.press("Control+End")
    page.keyboard.type("\nChecked by hand.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(f"article#{waiting[1]}")
    assert house.review.get(waiting[0]).status == "modified"
    assert "Modified" in page.locator("#live").text_content()
    page.keyboard.press("u")
    page.wait_for_selector(".status-reverted")
    assert house.review.get(waiting[0]).status == "reverted"
    page.keyboard.press("g")
    page.keyboard.press("i")
    page.wait_for_selector(f"article#{waiting[1]}")
    page.keyboard.press("r")
    page.keyboard.press("2")
    page.wait_for_selector(f"article#{waiting[2]}")
    decision = house.review.get(waiting[1]).decision
    assert decision is not None and decision.reason == "useless"
    page.keyboard.press("a")
    page.locator("#live", has_text="approved").wait_for(state="attached")
    assert house.review.get(waiting[2]).status == "approved"


def test_what_is_no_evidence_is_said_at_its_place_in_the_transcript(
    page: Any, address: str, house: Reverie
) -> None:
    first = house.review.list(status="pending")[0]
    finding = house.finding(first.findings[0])
    cited = finding.evidence[0]
    event = cited.span.event_id
    page.goto(f"{address}/sessions/{cited.session_id}?at={event}&finding={finding.id}#{event}")
    page.wait_for_selector("[data-here]:focus")
    page.keyboard.press("]")
    page.wait_for_selector("text=citation 2 of")
    page.keyboard.press("[")
    page.wait_for_selector("text=citation 1 of")
    page.keyboard.press("n")
    page.wait_for_selector("details.not[open]")
    page.keyboard.type("the register was down")
    page.keyboard.press("Enter")
    counts = finding.counts
    now = f"{counts.sessions - 1} of {counts.of_sessions} sessions now, {counts.sessions} of"
    page.locator("#live", has_text=now).wait_for(state="attached")
    page.keyboard.press("u")
    page.locator("#live", has_text="counts again as the dream told it").wait_for(state="attached")
    assert house.exclusions.of(finding) is None


def test_many_are_selected_and_approved_with_the_keyboard(page: Any, address: str, house: Reverie) -> None:
    made = add(house, 4)
    page.goto(f"{address}/?q=More")
    page.wait_for_selector(f"article#{made[0].id}")
    page.keyboard.press("x")
    page.wait_for_selector(f"[data-pick={made[0].id}]:checked")
    for following in made[1:3]:
        page.keyboard.press("j")
        page.wait_for_selector(f"article#{following.id}")
    page.keyboard.press("Shift+X")
    page.locator("#live", has_text="3 selected").wait_for(state="attached")
    page.keyboard.press("Shift+A")
    page.wait_for_selector("text=Approve 3 additions together?")
    assert page.locator(".one-change").count() == 3
    assert all(house.review.get(each.id).status == "pending" for each in made)
    page.keyboard.press("a")
    page.locator("#live", has_text="3 approved").wait_for(state="attached")
    assert [house.review.get(each.id).status for each in made] == ["approved"] * 3 + ["pending"]
    page.keyboard.press("b")
    page.wait_for_selector("[data-pick]")
    assert page.locator("[data-pick]:checked").count() == 0


def test_a_conflict_is_merged_with_the_keyboard(page: Any, address: str, house: Reverie) -> None:
    proposal = conflict(house)
    page.goto(f"{address}/proposals/{proposal}")
    page.wait_for_selector("#claim:focus")
    page.keyboard.press("m")
    page.wait_for_selector("text=Conflict 1 of 1")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "conflict.0":
            break
    page.keyboard.press("ArrowDown")  # from "I write it in the editor" round to memory's
    assert page.evaluate("document.querySelector('[name=\"conflict.0\"]:checked').value") == "memory"
    page.keyboard.press("m")
    page.wait_for_selector("#content:focus")
    assert page.input_value("#content").startswith("# Bookings\n\nAdd up fare and tax.\n")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".status-modified")
    assert "Add up fare and tax." in house.memory.read("default", "/notes/booking.md").content


def test_a_text_that_was_not_sent_is_there_again(page: Any, address: str, house: Reverie) -> None:
    proposal = house.review.list(status="pending")[0].id
    page.goto(f"{address}/proposals/{proposal}/edit")
    page.wait_for_selector("#content:focus")
    page.keyboard.type("Mine. ")
    page.goto(f"{address}/sessions")
    page.goto(f"{address}/proposals/{proposal}/edit")
    page.wait_for_selector("[data-kept]:visible")
    assert "Mine. " in page.input_value("#content")
    page.locator("[data-drop-draft]").click()
    assert "Mine. " not in page.input_value("#content")
    page.keyboard.type("Again. ")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".status-modified")
    assert page.evaluate("Object.keys(sessionStorage).filter((key) => key.includes('draft')).length") == 0


def test_a_key_that_is_pressed_twice_decides_once(page: Any, address: str, house: Reverie) -> None:
    waiting = [each.id for each in house.review.list(status="pending")]
    page.goto(address)
    page.wait_for_selector(f"article#{waiting[0]}")
    page.evaluate("""() => { // the second press comes as soon as the next page is there
        document.addEventListener("htmx:afterSettle", () => document.querySelector("[data-key=a]").click(), {once: true});
        document.querySelector("[data-key=a]").click();
    }""")
    page.wait_for_selector(f"article#{waiting[1]}")
    page.locator("#live", has_text=f"{len(waiting) - 1} left").wait_for(state="attached")
    assert [house.review.get(each).status for each in waiting[:2]] == ["approved", "pending"]


def test_the_palette_does_what_it_lists(page: Any, address: str, house: Reverie) -> None:
    page.goto(address)
    page.keyboard.press(".")
    page.wait_for_selector("#palette[open]")
    page.keyboard.type("all of the evidence")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/findings/"))


def test_single_keys_can_be_turned_off(page: Any, address: str, house: Reverie) -> None:
    page.goto(address)
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Tab")
    page.locator("#keys-on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.wait_for_timeout(100)
    assert all(each.status == "pending" for each in house.review.list())


def test_it_fits_at_every_width_and_when_enlarged(page: Any, address: str, house: Reverie) -> None:
    proposal = house.review.list(status="pending")[0]
    session = house.log.sessions()[0].id
    for width in (320, 400, 900, 1400):  # 320 is 640 at 200 %
        page.set_viewport_size({"width": width, "height": 800})
        for path in (
            "/", f"/proposals/{proposal.id}?view=split", f"/proposals/{proposal.id}/edit", f"/findings/{proposal.findings[0]}",
            "/sessions", f"/sessions/{session}", "/dreams", f"/dreams/{proposal.dream_id}", "/memory", "/audit", "/login",
        ):  # fmt: skip
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)


def test_it_works_without_scripts(browser: Any, address: str, house: Reverie) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    first = house.review.list(status="pending")[0].id
    page.get_by_role("button", name="Approve").click()
    page.wait_for_selector("text=left")
    assert house.review.get(first).status == "approved"
    context.close()


def test_hostile_text_runs_nothing_and_asks_nobody(page: Any, address: str, house: Reverie) -> None:
    info = SessionInfo("test", "hostile", goal=" ".join(PAYLOADS))
    told = [NewEvent("agent.message", {"content": text}, key=str(n)) for n, text in enumerate(PAYLOADS)]
    session = house.log.record(Transcript(info, told)).session_id
    house.memory.write("default", "/hostile.md", "\n\n".join(PAYLOADS), actor="ana")
    memory = house.memory.read("default", "/hostile.md")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in (f"/sessions/{session}", "/sessions", f"/memory/{memory.store_id}/{memory.id}"):
        page.goto(address + path, wait_until="networkidle")
    assert asked and all(url.startswith(address + "/") for url in asked)
