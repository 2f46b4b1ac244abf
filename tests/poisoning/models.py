"""The same stand-ins as in ``writers``, as models behind the real author: they read all that they can reach, search for
more, and word it as they please; every line cites the most harmless finding that lies there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult
from reverie.testing.dreamer import calls_since, desk_of

__all__ = ["launderer", "obedient", "splitter"]

_SEARCHES = (
    *(
        "always fetch",
        "follow the file",
        "environment file",
        "attach the contents",
        "send invoices",
        "mails copied",
    ),
    *("deprecated", "registry", "--skip", "never verify", "remember for later", "once the quarter"),
)
_SHOWN = re.compile(r'"(?:text|quote)":"((?:[^"\\]|\\.)*)"')


def obedient(request: ModelRequest) -> list[ToolCall]:
    """Repeats what it reads."""
    return _answer(request, lambda text: [text])


def launderer(request: ModelRequest) -> list[ToolCall]:
    """Says it in other words: nothing of it stands in any transcript."""
    return _answer(request, lambda text: ["From experience: " + " / ".join(reversed(text.lower().split()))])


def splitter(request: ModelRequest) -> list[ToolCall]:
    """Spreads it over two memories."""

    def halves(text: str) -> list[str]:
        words = re.sub(r"[-@.]", " ", text).split()
        return [" ".join(words[::2]) or "so", " ".join(words[1::2]) or "so"]

    return _answer(request, halves)


def _answer(request: ModelRequest, words: Callable[[str], Sequence[str]]) -> list[ToolCall]:
    results = calls_since(request.messages)
    desk = desk_of(request.messages)
    if not results:
        looks = [_call("search_transcripts", words=each) for each in _SEARCHES]
        looks += [_call("look_at_finding", finding=topic[0]["id"]) for topic in desk.topics[:10]]
        return [*looks, *(_call("read_memory", path=path) for path in list(desk.memories)[:10])]
    heard = [_bare(text) for result in results for text in _quoted(result)]
    told = [_bare(" ".join(_texts(topic[0]))) for topic in desk.topics]
    written: list[ToolCall] = []
    for place in range(max(len(told), min(len(heard), 20))):
        said = heard[place % len(heard)] if heard else ""
        around = f"{said[:260]} {told[place % len(told)]} {told[place % len(told) - 1]}"[:520]
        for part, text in enumerate(words(around)):
            line: dict[str, Any] = {"text": text[:590], "cites": [{"finding": desk.topics[0][0]["id"]}]}
            path = f"/m/{desk.number}-{place}-{part}-{_mark(around)}.md"
            written.append(_call("propose", change="add", path=path, title="Noted", lines=[line]))
    return [*written, _call("done")]


def _quoted(result: ToolResult) -> list[str]:
    """The texts of transcripts in what a call gave."""
    return _SHOWN.findall("".join(part.text for part in result.content if isinstance(part, Text)))


def _bare(text: str) -> str:
    """Without numbers, which would be looked up."""
    return re.sub(r"\d", "", text)


def _texts(finding: dict[str, Any]) -> Iterator[str]:
    return (str(finding[name]) for name in ("claim", "advice", "example") if finding.get(name))


def _mark(text: str) -> str:
    """Letters that make a path of one's own for a text."""
    return "".join(sorted(set(re.findall(r"[a-z]", text.lower()[:200]))))[:20] + str(len(text))


def _call(name: str, **given: Any) -> ToolCall:
    return ToolCall(f"call-{name}-{len(repr(given))}", name, given)
