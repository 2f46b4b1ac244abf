"""Every page of the console, in light and dark, before axe-core: no serious or critical violation.

``axe.min.js`` is axe-core 4.14.1 as published (MPL-2.0); tests alone load it, nothing of it is in the package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.furnished import Furnished, furnish, served
from benchmarks.screenshots import screens

AXE = Path(__file__).with_name("axe.min.js")
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
SCHEMES: dict[str, dict[str, Any]] = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast"]},  # nothing else is another there
}


@pytest.fixture(scope="module")
def house(
    browser: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Furnished, dict[str, str]]]:
    database = tmp_path_factory.mktemp("furnished") / "house.db"
    path = furnish(database, sessions=60)
    with served(database) as found:
        found.work()
        yield found, screens(found, path)


def test_what_looks_is_what_was_published() -> None:
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == SHA256


def test_no_page_has_a_serious_violation(browser: Any, house: tuple[Furnished, dict[str, str]]) -> None:
    served_, named = house
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()
    found: list[str] = []
    for name, address in named.items():
        page.goto(served_.url + address, wait_until="load")
        page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
        page.add_script_tag(path=str(AXE))
        for scheme, options in SCHEMES.items():
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found += [f"{scheme} {name}: {each}" for each in _serious(page, options)]
    context.close()
    assert found == []


def _serious(page: Any, options: dict[str, Any]) -> list[str]:
    told = page.evaluate("(options) => axe.run(document, options)", options)["violations"]
    bad = [each for each in told if each["impact"] in ("serious", "critical")]
    return [f"{each['id']}: {node['html'][:160]}" for each in bad for node in each["nodes"][:3]]


def test_what_looks_sees_what_is_wrong(browser: Any) -> None:
    """A control: a picture without words, and a box without a name."""
    page = browser.new_page()
    page.set_content("<main><h1>x</h1><img src='data:,'><input></main>")
    page.add_script_tag(path=str(AXE))
    found = " ".join(_serious(page, SCHEMES["light"]))
    assert "image-alt" in found and "label" in found
    page.close()
