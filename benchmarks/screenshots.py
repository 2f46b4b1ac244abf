"""Pictures of every screen of the console, for the documents: a house is furnished, served, and looked at.

    python -m benchmarks.screenshots [--into docs/images] [--all WHERE]

Needs Chromium, and Playwright of the development requirements; nothing is downloaded. ``--all`` writes each screen at
three widths, in light and dark, into another folder: for whoever changes one.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.furnished import Furnished, furnish, served
from benchmarks.table import Row, print_table

MOST_EACH = 200_000
MOST_TOGETHER = 2_500_000
WIDE, HIGH = 1440, 900


@dataclass(frozen=True, slots=True)
class Look:
    """One picture for the documents: a screen, and how it is looked at."""

    name: str
    screen: str
    wide: int = WIDE
    high: int = HIGH
    dark: bool = False


LOOKS = (
    Look("inbox", "inbox"), Look("proposal", "proposal"), Look("evidence", "evidence"), Look("session", "cited"),
    Look("outcomes", "outcomes"), Look("team", "team"), Look("dream", "dream"), Look("dreams", "dreams"),
    Look("memory", "memory", high=1500), Look("store", "store", high=600), Look("audit", "audit"),
    Look("settings", "policies"),
    Look("inbox-dark", "inbox", dark=True), Look("memory-dark", "memory", dark=True),
    Look("inbox-phone", "inbox", 390, 844), Look("session-phone", "cited", 390, 844, dark=True),
)  # fmt: skip


def screens(house: Furnished, path: str) -> dict[str, str]:
    """The address of every screen, by name."""
    proposals = house.get("/v1/proposals?status=pending&limit=20")["data"]
    proposal = proposals[0]
    finding = proposal["finding_ids"][0]
    dreams = house.get("/v1/dreams")["data"]
    store = house.get("/v1/memory_stores")["data"][0]["id"]
    told = house.get(f"/v1/memory_stores/{store}/memories?path_prefix=%2F&limit=100")["data"]
    memory = next(each["id"] for each in told if each["path"] == path)
    note = next(each["id"] for each in told if each["path"].startswith("/notes/desk"))
    newest = house.get(f"/v1/memory_stores/{store}/memory_versions?memory_id={note}")["data"][0]["id"]
    page = house.page(f"/findings/{finding}")
    cited = re.search(r'href="(/sessions/[^"]*at=sevt_[^"]*)"', page)
    assert cited is not None
    return {
        "inbox": "/", "inbox_grouped": "/?group=risk", "proposal": f"/proposals/{proposal['id']}",
        "split": f"/proposals/{proposal['id']}?view=split", "edit": f"/proposals/{proposal['id']}/edit",
        "decided": f"/proposals/{house.get('/v1/proposals?status=approved')['data'][0]['id']}",
        "bulk": "/bulk?ids=" + quote(" ".join(each["id"] for each in proposals)),
        "evidence": f"/findings/{finding}", "sessions": "/sessions", "said": "/sessions?q=register",
        "cited": cited[1].replace("&amp;", "&"), "live": f"/sessions/{house.session}",
        "outcomes": f"/sessions/{house.outcome}/outcomes", "team": f"/sessions/{house.team}/team",
        "dreams": "/dreams", "dream": f"/dreams/{dreams[0]['id']}", "new_dream": "/dreams/new",
        "compare": f"/dreams/{dreams[-1]['id']}/compare/{dreams[0]['id']}", "schedules": "/dreams/schedules",
        "new_schedule": "/dreams/schedules/new", "stores": "/memory", "store": f"/memory/{store}",
        "memory": f"/memory/{store}/{memory}", "note": f"/memory/{store}/{note}?version={newest}", "audit": "/audit",
        "sources": "/settings", "models": "/settings/models", "policies": "/settings/policies",
        "keys": "/settings/keys", "login": "/login", "missing": "/proposals/prop_gone",
    }  # fmt: skip


def shoot(
    browser: Any, house: Furnished, address: str, look: Look, into: Path, *, whole: bool = False
) -> Path:
    """One picture."""
    page = browser.new_page(
        viewport={"width": look.wide, "height": look.high},
        color_scheme="dark" if look.dark else "light",
        reduced_motion="reduce",
    )
    page.goto(house.url + address, wait_until="load")
    page.wait_for_timeout(250)
    file = into / f"{look.name}.png"
    page.screenshot(path=str(file), full_page=whole)
    page.close()
    return file


def every(named: dict[str, str]) -> Iterator[Look]:
    """Each screen at three widths in light, and at one in dark."""
    for name in named:
        for wide in (360, 900, 1440):
            yield Look(f"{name}-{wide}", name, wide)
        yield Look(f"{name}-dark", name, 1100, dark=True)


def main() -> int:
    """Furnish, serve, look, and say how large the pictures are."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--into", type=Path, default=Path("docs/images"))
    told.add_argument("--all", type=Path, metavar="WHERE")
    told.add_argument("--only", help="the screens of --all, parted by commas")
    asked = told.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("chromium is not installed: make browser", file=sys.stderr)
        return 2
    from playwright.sync_api import sync_playwright

    into: Path = asked.all or asked.into
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        database = Path(scratch) / "house.db"
        path = furnish(database)
        with served(database) as house:
            house.work()
            named = screens(house, path)
            only = asked.only.split(",") if asked.only else list(named)
            looks = [e for e in every(named) if e.screen in only] if asked.all else LOOKS
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            files = [
                shoot(browser, house, named[look.screen], look, into, whole=asked.all is not None)
                for look in looks
            ]
            browser.close()
    if asked.all:
        return 0
    sizes = {file.name: file.stat().st_size for file in files}
    rows = [
        Row(name, f"{size / 1000:.0f} kB", f"{MOST_EACH // 1000} kB", size <= MOST_EACH)
        for name, size in sizes.items()
    ]
    total = sum(sizes.values())
    rows.append(Row("together", f"{total / 1e6:.2f} MB", f"{MOST_TOGETHER / 1e6} MB", total <= MOST_TOGETHER))
    print_table("screenshots", rows)
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
