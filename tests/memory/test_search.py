"""Search: what a person types is words, on both engines, and finds the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import UsageError
from reverie.memory.search import snippet, words
from reverie.memory.stores import MemoryService

S = "default"


def found(memory: MemoryService, query: str, limit: int = 20) -> list[str]:
    return [hit.path for hit in memory.search(S, query, limit)]


@pytest.fixture
def library(memory: MemoryService) -> MemoryService:
    for path, content in {
        "/notes/uploads.md": "Split files over 50 MB before uploading them to the desk.",
        "/notes/tests.md": "Run pytest with the config in pytest.ini, not tox. Café résumé.",
        "/playbooks/booking.md": "Add up payments. Then book. Uploading comes last.",
        "/warnings/booking.md": "The booking service is slow.",
    }.items():
        memory.write(S, path, content, actor="ana")
    return memory


def test_every_word_must_be_there_and_case_does_not_matter(library: MemoryService) -> None:
    assert found(library, "SPLIT files") == ["/notes/uploads.md"]
    assert found(library, "files payments") == []
    assert sorted(found(library, "uploading")) == ["/notes/uploads.md", "/playbooks/booking.md"]


def test_the_beginning_of_a_word_finds_it(library: MemoryService) -> None:
    assert found(library, "pay") == ["/playbooks/booking.md"]


def test_a_hit_in_the_path_comes_first(library: MemoryService) -> None:
    library.write(S, "/notes/zz.md", "How the booking of rooms is done.", actor="ana")
    *first, last = found(library, "booking")
    assert sorted(first) == ["/playbooks/booking.md", "/warnings/booking.md"]
    assert last == "/notes/zz.md"


def test_paths_and_file_names_can_be_searched_as_they_are(library: MemoryService) -> None:
    assert found(library, "/playbooks/booking.md") == ["/playbooks/booking.md"]
    assert found(library, "pytest.ini") == ["/notes/tests.md"]
    assert found(library, "playbooks/") == ["/playbooks/booking.md"]


def test_hits_have_a_rank_and_show_the_place(library: MemoryService) -> None:
    library.write(S, "/x", "---\nkind: desk\n---\n\nSomething else.\n", actor="ana")
    assert [h.snippet for h in library.search(S, "desk") if h.path == "/x"] == ["Something else."]
    library.delete(S, "/x", actor="ana")
    hits = library.search(S, "desk")
    assert [(hit.path, hit.rank) for hit in hits] == [("/notes/uploads.md", 1)]
    assert "to the desk" in hits[0].snippet


def test_limits(library: MemoryService) -> None:
    assert len(found(library, "uploading", limit=1)) == 1
    with pytest.raises(UsageError):
        library.search(S, "x", 0)


def test_search_follows_every_change(library: MemoryService) -> None:
    library.write(S, "/notes/tests.md", "Use nox.", actor="ana")
    assert found(library, "tox") == [] and found(library, "nox") == ["/notes/tests.md"]
    library.delete(S, "/notes/tests.md", actor="ana")
    assert found(library, "nox") == []


NOT_SYNTAX = [
    '"',
    "'",
    "a OR b",
    "NOT uploading",
    "NEAR(a b)",
    "content:split",
    "split*",
    "^split",
    "-split",
    "a & b | !c",
    "(((",
    ":*",
    "\\",
    "%_",
    "'; DROP TABLE memories; --",
    "\x00",
    "\ud800",
    "split \ud800\x00 files",
    "🙂",
    "",
    "   ",
    "x" * 20_000,
    "w " * 5_000,
]


def test_no_query_is_syntax(library: MemoryService) -> None:
    for query in NOT_SYNTAX:
        library.search(S, query)
    assert len(library.list()) == 4


def test_operators_are_only_words(library: MemoryService) -> None:
    assert found(library, "split OR payments") == []  # there is no "or" in either text
    assert found(library, "split*") == ["/notes/uploads.md"]


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_words_are_letters_and_digits_alone(query: str) -> None:
    assert all(word.isalnum() for word in words(query))
    assert len(words(query)) <= 32


@settings(max_examples=100)
@given(
    st.text(st.sampled_from("ab \n"), max_size=600), st.text(st.sampled_from("ab"), min_size=1, max_size=3)
)
def test_a_snippet_is_short_one_line_and_shows_the_word_if_it_can(content: str, word: str) -> None:
    shown = snippet(content, [word], 40)
    assert "\n" not in shown and len(shown) <= 60
    if word in content:
        assert word in shown
