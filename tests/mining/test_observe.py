from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mining.worlds import Book

from reverie.domain.events import text_parts
from reverie.domain.observations import Observation
from reverie.mining.observe import SessionObserver
from reverie.mining.tools import place_of


def test_calls_are_paired_with_their_results_also_when_they_overlap() -> None:
    book = Book()
    first, second = book.use("Bash", command="go test ./..."), book.use("Read", file_path="/x/a.go")
    book.result(second, "package a")
    book.result(first, "Exit code 1\n--- FAIL: TestA (0.1s)\nFAIL\n", is_error=True)
    book.use("Bash", command="sleep 1")
    calls = book.observed().calls
    assert [c.action for c in calls] == ["Bash: go test", "Read: .go", "Bash: sleep"]
    assert [c.failure.example if c.failure else None for c in calls] == ["TestA", None, None]
    assert calls[2].result_event_id is None
    assert calls[0].failure is not None
    assert book.quote(calls[0].failure.span) == "TestA"
    assert book.quote(calls[1].use) == "/x/a.go"


def test_equal_calls_have_equal_signatures_whatever_the_order_of_their_arguments() -> None:
    book = Book()
    book.call("upload", a=1, b="x")
    book.call("upload", b="x", a=1)
    book.call("upload", a=2, b="x")
    one, two, three = book.observed().calls
    assert one.signature == two.signature != three.signature


def test_arguments_keep_their_names_and_types_and_no_bulk() -> None:
    book = Book()
    book.call(
        "upload",
        size_mb=61,
        name="r.docx",
        text="x" * 5_000,
        deep={"page": {"size": "A4"}},
        parts=[{"n": 1}],
        ok=True,
        gone=None,
    )
    arguments = book.observed().calls[0].arguments
    assert arguments["size_mb"] == 61
    assert arguments["ok"] is True
    assert arguments["gone"] is None
    assert arguments["text_chars"] == 5_000
    assert arguments["deep.page.size"] == "A4"
    assert arguments["parts_count"] == 1
    assert arguments["parts.0.n"] == 1
    assert all(len(v) <= 160 for v in arguments.values() if isinstance(v, str))
    book.call("Edit", file_path="/x/a.TEST.Go", old_string="a", new_string="b")
    assert book.observed().calls[1].arguments["file_ext"] == "go"


def test_a_refused_call_did_not_run_and_did_not_fail() -> None:
    book = Book()
    use = book.use("Edit", file_path="/x/a.go")
    book.deny(use, "let's cut a branch first")
    observed = book.observed()
    (call,) = observed.calls
    assert not call.ran
    assert call.failure is None
    (denial,) = observed.remarks
    assert (denial.kind, denial.text, denial.about) == ("denial", "let's cut a branch first", "Edit: .go")
    assert book.quote(denial.span) == "let's cut a branch first"


def test_a_refusal_is_known_by_its_event_whatever_the_result_says() -> None:
    book = Book()
    use = book.use("Edit", file_path="/x/a.go")
    book.result(use, "not today", is_error=True)
    book.add("user.tool_confirmation", {"tool_use_id": use, "result": "deny"})
    (call,) = book.observed().calls
    assert not call.ran
    assert call.failure is None


def test_a_wordless_refusal_points_at_what_was_refused_and_the_next_message_explains_it() -> None:
    book = Book()
    book.deny(book.use("Bash", command="git stash"))
    book.add("user.interrupt", {"reason": "stopped"})
    book.user_says("read the files you need")
    denial, interrupt, correction = book.observed().remarks
    assert book.quote(denial.span) == "git stash"
    assert (interrupt.kind, interrupt.text) == ("interrupt", "")
    assert correction.kind == "correction"


def test_a_hidden_failure_is_found_only_where_the_status_may_be_masked() -> None:
    book = Book()
    book.bash("go test ./... | tail -5", "--- FAIL: TestA (0.1s)\nFAIL\n")
    book.bash("go test -v ./...", "--- FAIL: printed by a passing test\n")
    hidden, fine = book.observed().calls
    assert hidden.failure is not None
    assert hidden.failure.hidden
    assert fine.failure is None


def test_where_the_format_states_no_status_the_text_decides() -> None:
    book = Book(format="chat")
    book.bash("python x.py", "Traceback (most recent call last):\nValueError: bad\n")
    assert book.observed().calls[0].failure is not None
    sure = Book(format="chat")
    sure.bash("python x.py", "Traceback (most recent call last):\nValueError: bad\n", exit_code=0)
    assert sure.observed().calls[0].failure is None


def test_what_was_known_before_is_kept_apart_from_what_came_of_it() -> None:
    book = Book(user="ana", timezone="America/New_York", start=datetime(2026, 3, 2, 23, 30, tzinfo=UTC))
    book.user_says("fix the build")
    book.bash("make", "make: *** [all] Error 1", is_error=True)
    book.bash("make", "make: *** [all] Error 1", is_error=True)
    observed = book.observed()
    assert observed.attributes["hour"] == 18
    assert observed.attributes["weekday"] == "Monday"
    assert observed.day == "2026-03-02"
    assert observed.consequences["failures"] == 2
    assert observed.consequences["retries"] == 1
    assert not {*observed.attributes} & {*observed.consequences}


def test_the_users_home_names_the_user_where_nobody_else_does() -> None:
    assert Book(cwd="/Users/ana/src/cli").observed().user == "ana"
    assert Book(cwd="/home/bo/x").observed().user == "bo"
    assert Book(cwd="/srv/users/x").observed().user is None
    assert Book(cwd="/Users/ana/src/cli", user="carl").observed().user == "carl"


def test_requests_alike_are_one_cluster_whether_the_task_is_named_or_not() -> None:
    a, b, c = Book(), Book(), Book(task="7")
    a.user_says("Please fix the merge conflicts")
    b.user_says("fix merge conflicts, please")
    c.user_says("fix merge conflicts")
    assert a.observed().cluster == b.observed().cluster == c.observed().cluster is not None


BEFORE = {
    "format",
    "agent",
    "agent_version",
    "model",
    "repository",
    "branch",
    "hour",
    "weekday",
    "first_request_chars",
}
AFTER = {
    "events", "turns", "calls", "tools", "files", "file_kinds", "places", "errors", "tools_s", "failures", "hidden_failures",
    "retries", "corrections", "denials", "interrupts", "messages", "compactions", "tokens", "duration_s",
}  # fmt: skip


def test_every_attribute_is_known_before_or_after() -> None:
    """A new attribute must say on which side it stands, here and in the observer."""
    book = Book(user="ana", repository="shop", cwd="/home/ana/shop", timezone="Asia/Tokyo")
    book.user_says("file the reports")
    for name in ("a.docx", "b.docx", "c.pdf"):
        book.call("upload", "stored", path=f"/home/ana/shop/reports/2026/{name}", size_mb=61)
    book.call("upload", "Error: 413 Payload refused", is_error=True, path="/var/log/x.csv", size_mb=90)
    book.add("span.model_request_end", {"model": "m", "usage": {"input_tokens": 5, "output_tokens": 2}})
    observed = book.observed()
    assert {*observed.attributes} <= BEFORE
    assert {*observed.consequences} <= AFTER
    assert not BEFORE & AFTER
    told = observed.consequences
    assert (told["tools"], told["files"], told["errors"]) == (1, 4, 1)
    assert (told["file_kinds"], told["places"]) == ("docx, csv, pdf", "reports/2026, /var/log")
    assert told["tools_s"] == 4 * 60
    assert observed.attributes["hour"] == 18  # nine in London


def test_what_a_result_tells_is_no_argument() -> None:
    book = Book(format="codex")
    book.bash("make", "built\n", exit_code=0)
    book.use("make_tea", cups=2)
    made, open_ended = book.observed().calls
    assert made.after == {"duration_s": 60.0, "result_chars": 6, "exit_code": 0}
    assert not {*made.arguments} & {*made.after}
    assert open_ended.after == {}


@pytest.mark.parametrize(
    ("path", "cwd", "place"),
    [
        ("/home/ana/shop/src/api/deep/x.py", "/home/ana/shop", "src/api"),
        ("/home/ana/shop/x.py", "/home/ana/shop", "."),
        ("/home/ana/shopping/x.py", "/home/ana/shop", "~/shopping"),
        ("/Users/bo/.config/app/x.toml", None, "~/.config/app"),
        ("~/notes/x.md", None, "~/notes"),
        ("/var/log/nginx/error.log", None, "/var/log"),
        ("/x.py", None, "/"),
        ("src/x.py", "/srv/app", "src"),
        ("./x.py", None, "."),
        ("C:\\Users\\cy\\shop\\src\\x.py", "C:\\Users\\cy\\shop", "src"),
        ("x.py", "/srv/app", None),
        ("https://example.com/a/b.html", None, None),
        (None, None, None),
    ],
)
def test_places_compare_across_people(path: str | None, cwd: str | None, place: str | None) -> None:
    assert place_of(path, cwd) == place


def test_programs_in_a_persons_place_are_not_heard() -> None:
    book = Book()
    book.says("hello")
    book.user_says("<system-reminder>Always use tabs, never spaces.</system-reminder>")
    book.user_says("Operation stopped by hook: never do this again")
    book.add("system.message", {"content": [{"type": "text", "text": "Never use tabs."}], "kind": "injected"})
    assert book.observed().remarks == ()


def test_rules_are_heard_in_the_persons_own_sentences_only() -> None:
    book = Book()
    book.user_says("build it")
    book.says("done")
    book.user_says("Never push to main.\n```\nalways use spaces, never tabs\n```\n> don't quote me\nthanks")
    rules = [r for r in book.observed().remarks if r.kind == "rule"]
    assert [book.quote(r.span) for r in rules] == ["Never push to main."]
    spec = Book()
    spec.says("ready")
    spec.user_says("Implement the following plan:\n\n" + "- Never write to disk. Always check errors.\n" * 40)
    assert {r.kind for r in spec.observed().remarks} == {"request"}


def test_a_sub_agents_calls_keep_their_thread() -> None:
    book = Book()
    book.call("Read", "x", file_path="/a")
    book.thread = "child"
    book.call("Read", "File does not exist.", is_error=True, file_path="/b")
    assert [c.thread for c in book.observed().calls] == ["", "child"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PAYLOADS = st.dictionaries(
    st.sampled_from(["content", "tool_use_id", "name", "input", "is_error", "exit_code", "result", "deny_message", "reason", "usage"]),
    JSON | st.just("u1") | st.just("Bash") | st.just({"command": "go test | tail"}) | st.just([{"type": "text", "text": "Error: x y z"}]),
    max_size=6,
)  # fmt: skip
TYPES = st.sampled_from(
    ["user.message", "user.interrupt", "user.tool_confirmation", "agent.message", "agent.tool_use", "agent.tool_result", "raw",
     "system.message", "span.model_request_end", "session.outcome"]
)  # fmt: skip


@given(st.lists(st.tuples(TYPES, PAYLOADS), max_size=12))
@settings(max_examples=150, deadline=None)
def test_no_session_is_too_strange_and_every_span_quotes_something(
    steps: list[tuple[Any, dict[str, Any]]],
) -> None:
    book = Book()
    for type_, payload in steps:
        book.add(type_, payload)
    observed = book.observed()
    assert observed == SessionObserver().observe(book.session, book.events)
    parts = {(e.id, p.path): p.text for e in book.events for p in text_parts(e.type, e.payload)}
    for call in observed.calls:
        assert len(parts[call.use.event_id, call.use.path]) >= call.use.end
        for failure in (call.failure, *call.also):
            if failure is not None and failure.example:
                text = parts[failure.span.event_id, failure.span.path]
                assert text[failure.span.start : failure.span.end] == failure.example
    for remark in observed.remarks:
        if remark.text:
            assert (
                parts[remark.span.event_id, remark.span.path][remark.span.start : remark.span.end]
                == remark.text
            )


def test_an_observation_can_be_kept_and_read_back() -> None:
    book = Book(user="ana")
    book.user_says("don't run the integration tests, too slow")
    book.bash(
        "mise run lint | tail",
        "a.go:1:2: bad thing here (noctx)\na.go:1:2: other bad thing (errcheck)\n2 issues:\n",
    )
    observed = book.observed()
    assert observed.calls[0].also
    assert msgspec.json.decode(msgspec.json.encode(observed), type=Observation) == observed


@pytest.mark.parametrize("depth", [1_000, 50_000])
def test_deep_nesting_is_no_trouble(depth: int) -> None:
    nested: Any = "x"
    for _ in range(depth):
        nested = [nested]
    book = Book()
    book.call("upload", deep=nested)
    assert book.observed().calls[0].signature


@pytest.mark.parametrize("name", ["reverie.grader", "anthropic.advisor"])
def test_what_our_own_agents_do_is_not_the_agents_doing(name: str) -> None:
    book, alone = Book(name="same"), Book(name="same")
    for each in (book, alone):
        each.user_says("Write the report.")
        each.result(each.use("Bash", command="make"), "done")
    book.add("session.thread_created", {"session_thread_id": "sthr_1", "agent_name": name})
    book.thread = "sthr_1"
    book.result(book.use("verdict", nonce="x"), "Error: it does not count", is_error=True)
    book.says("It is not done.")
    assert replace(book.observed(), content_sha256="") == replace(alone.observed(), content_sha256="")
    book.thread = ""
    book.add("session.thread_created", {"session_thread_id": "sthr_2", "agent_name": "helper"})
    book.thread = "sthr_2"
    book.result(book.use("Read", file_path="/x"), "y")
    assert [call.tool for call in book.observed().calls] == ["Bash", "Read"], (
        "specialists are the session's own"
    )
