"""What failed and what merely shows the word "error"."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mining.worlds import Book

from reverie.mining.failures import judge_shell, judge_tool
from reverie.mining.shell import parse

LINT = (
    "[lint] $ golangci-lint run ./...\n"
    "cmd/a.go:40:21: os/exec.Command must not be called. use os/exec.CommandContext (noctx)\n"
    "\tcmd := exec.Command()\n"
    "cmd/b.go:7:2: Error return value of `os.Chdir` is not checked (errcheck)\n"
    "2 issues:\n* noctx: 1\n* errcheck: 1\n[lint] ERROR task failed\n"
)
GO_TEST = "=== RUN   TestA\n    a_test.go:12: fatal: could not reach it\n--- FAIL: TestA (0.03s)\nFAIL\tpkg\t0.1s\nFAIL\n"
PYTEST = "def test_x():\n>   assert f() == 2\nE   AssertionError: assert 1 == 2\n== 1 failed, 3 passed in 0.1s ==\n"
TRACE = (
    'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nValueError: no such shelf: 12\n'
)


def shell(
    command: str, text: str, *, is_error: bool = False, exit_code: int | None = None, trusted: bool = True
):
    return judge_shell(text, parse(command), is_error=is_error, exit_code=exit_code, trusted=trusted)


@pytest.mark.parametrize(
    ("command", "text", "kind", "example"),
    [
        ("mise run lint 2>&1 | tail -30", LINT, "lint", "os/exec.Command must not be called. use os/exec.CommandContext (noctx)"),
        ("go test ./... 2>&1 | tail -20", GO_TEST, "test", "TestA"),
        ("pytest -q | tail -20", PYTEST, "test", "AssertionError: assert 1 == 2"),
        ("python x.py | tee log", TRACE, "exception", "no such shelf: 12"),
        ("make all; true", "cc -c a.c\nmake: *** [Makefile:3: all] Error 1\n", "error", "[Makefile:3: all] Error 1"),
        ("git merge origin/main || true", "Auto-merging a.go\nCONFLICT (content): Merge conflict in a.go\nAutomatic merge failed; fix conflicts\n", "conflict", "Merge conflict in a.go"),
        ("ls *.go nope/* | head", "(eval):1: no matches found: nope/*\n", "shell", "no matches found: nope/*"),
        ("cat a b | head", "cat: b: No such file or directory\ncontent\n", "shell", "cat: b: No such file or directory"),
        ("git status; echo done", "fatal: not a git repository\ndone\n", "error", "not a git repository"),
        ("npm run build | tail -5", "src/a.ts(3,5): error TS2304: Cannot find name 'x'.\nnpm ERR! code 2\n", "compile", "TS2304: Cannot find name 'x'."),
        ("make test; echo \"exit: $?\"", "make: *** [all] Error 2\nexit: 2\n", "error", "[all] Error 2"),
        ("python x.py; echo $?", TRACE + "1\n", "exception", "no such shelf: 12"),
        ("cargo build 2>&1 | tail", "error[E0308]: mismatched types\n --> src/main.rs:2:5\n", "compile", "mismatched types"),
        ("go build ./... | head", "./a.go:3:5: undefined: foo\n", "compile", "undefined: foo"),
        ("pytest -q || true", "..F\n1 failed, 2 passed in 0.2s\n", "test", "1 failed, 2 passed in 0.2s"),
        ("mvn test | tail -20", "[ERROR] Tests run: 3, Failures: 1\n[INFO] BUILD FAILURE\n", "test", "Tests run: 3, Failures: 1"),
        ("gradle build | tail", "FAILURE: Build failed with an exception.\nBUILD FAILED in 3s\n", "error", "FAILURE: Build failed with an exception."),
        ("rspec | tail", "3 examples, 1 failure\n", "test", "3 examples, 1 failure"),
        ("prove -v | cat", "ok 1 - a\nnot ok 2 - sums add up\n", "test", "sums add up"),
        ("kubectl apply -f x.yaml | cat", "Error from server (NotFound): deployments x not found\n", "error", "deployments x not found"),
        ("psql -c 'select 1' | cat", "psql: error: connection refused\n", "error", "connection refused"),
        ("terraform apply | tail", "│ Error: Invalid reference\n", "error", "Invalid reference"),
    ],
)  # fmt: skip
def test_failures_hidden_behind_a_pipe_are_found(command: str, text: str, kind: str, example: str) -> None:
    verdict, faults = shell(command, text)
    assert verdict == "failed"
    assert (faults[0].kind, faults[0].example) == (kind, example)
    assert text[faults[0].start : faults[0].end] == example


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("go test -v ./... 2>&1", "2026/01/20 ERROR error before init\nFailed to fetch: remote not found\n--- PASS: TestA\nok pkg\n"),
        ("cat app.log | head -50", "Error: disk is full\npanic: oh no\nFAILED\n"),
        ("grep -rn error src | head", "src/a.go:12:\treturn fmt.Errorf(\"failed: %w\", err)\n"),
        ("git diff main | head -100", "-Error: old text\n+fatal: new text\nFAIL\n"),
        ("git log --oneline | head", "b5cf65b7 fix: panic on error\nc77addd3 fix Silent failure\n"),
        ("gh run view 12 --log-failed | tail", "test\tUNKNOWN STEP\terror: it broke\nFAIL\n"),
        ("mise run test | tail -5", "ok  \tpkg\t0.1s\n0 failed, 3 passed\n"),
        ("golangci-lint run | tail", "0 issues.\n"),
        ("make; echo $?", "built\n0\n"),
        ("git merge-base --is-ancestor a b; echo \"rc=$?\"", "rc=1\n"),
        ("grep -rn foo . | head", "./a.go:3:5: undefined: foo\n"),
        ("cat build.log | tail", "./a.go:3:5: undefined: foo\nBUILD FAILED in 3s\n1 failed in 2s\n"),
    ],
)  # fmt: skip
def test_what_is_shown_is_no_failure(command: str, text: str) -> None:
    assert shell(command, text)[0] == "ok"


def test_a_trusted_status_counts_more_than_any_text() -> None:
    assert shell("python x.py", TRACE)[0] == "ok"
    assert shell("python x.py", TRACE, trusted=False)[0] == "failed"
    assert shell("python x.py", TRACE, exit_code=1)[0] == "failed"


def test_every_rule_of_a_linter_is_a_complaint_of_its_own() -> None:
    _, faults = shell("mise run lint", "Exit code 1\n" + LINT, is_error=True)
    assert [f.template.rsplit(" ", 1)[1] for f in faults] == ["(noctx)", "(errcheck)"]


def test_the_telling_line_is_not_the_wrapper() -> None:
    _, faults = shell(
        "mise run test", f"Exit code 1\n[test] $ go test\n{GO_TEST}[test] ERROR task failed", is_error=True
    )
    assert faults[0].example == "TestA"
    _, faults = shell(
        "deploy", "Exit code 3\npreparing\npull request create failed: no commits\n", is_error=True
    )
    assert faults[0].example == "pull request create failed: no commits"


def test_the_name_of_a_failed_test_is_found_in_the_unread_middle() -> None:
    text = "x\n" * 4_000 + "--- FAIL: TestDeep (0.1s)\n" + "y\n" * 8_000 + "FAIL\n"
    _, faults = shell("go test ./...", text, is_error=True)
    assert faults[0].example == "TestDeep"
    assert text[faults[0].start : faults[0].end] == "TestDeep"


@pytest.mark.parametrize(
    "command", ["grep -q x f", "rg foo", "diff a b", "test -f x", "git config core.x", "cat f | grep x"]
)
def test_a_question_answered_with_no_is_no_failure(command: str) -> None:
    assert shell(command, "Exit code 1\n", is_error=True)[0] == "ok"
    assert shell(command, "", exit_code=1)[0] == "ok"


def test_a_bad_status_without_a_word_has_no_template() -> None:
    verdict, faults = shell("deploy --now", "Exit code 7\n", is_error=True)
    assert verdict == "failed"
    assert faults[0].template == ""


def test_the_header_of_a_harness_is_not_the_output() -> None:
    text = "Command: /bin/zsh -lc 'make'\nChunk ID: 26\nWall time: 0.1 seconds\nProcess exited with code 2\nOutput:\nmake: *** no rule\n"
    verdict, faults = shell("make", text)
    assert verdict == "failed"
    assert faults[0].example == "no rule"


@pytest.mark.parametrize(
    "text",
    [
        "The user doesn't want to proceed with this tool use. The tool use was rejected.",
        "<tool_use_error>Sibling tool call errored</tool_use_error>",
        "Permission to use Bash with command rm -rf / has been denied.",
        "[Request interrupted by user for tool use]",
    ],
)
def test_what_never_ran_did_not_fail(text: str) -> None:
    assert judge_tool(text, is_error=True, looks=False)[0] == "not_run"
    assert shell("make", text, is_error=True)[0] == "not_run"


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("<tool_use_error>File has not been read yet. Read it first before writing to it.</tool_use_error>",
         "File has not been read yet. Read it first before writing to it."),
        ("<tool_use_error>String to replace not found in file.\nString: x</tool_use_error>", "String to replace not found in file."),
        ("File does not exist. Note: your current working directory is /x/y.", "File does not exist."),
        ("Agent type 'helper' not found. Available agents: " + "a, " * 90, "Agent type <q> not found."),
        (TRACE, "no such shelf: <n>"),
    ],
)  # fmt: skip
def test_refusals_of_tools(text: str, template: str) -> None:
    verdict, faults = judge_tool(text, is_error=True, looks=True)
    assert verdict == "failed"
    assert faults[0].template == template


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("Error: gift card balance is not enough", "gift card balance is not enough"),
        ('{"error": "no such room", "code": 7}', "no such room"),
        ('{"status": "error", "message": "quota exceeded"}', "quota exceeded"),
        ('{"error": {"code": 404, "message": "not here"}}', "not here"),
        ("HTTP 503 Service Unavailable", "503 Service Unavailable"),
        ("409 Conflict: document is not checked in", "409 Conflict: document is not checked in"),
        ('{"ok": false, "error": "index is rebuilding"}', "index is rebuilding"),
        ('{"success": false, "reason": "index is rebuilding"}', "index is rebuilding"),
        ('{"isError": true, "content": [{"type": "text", "text": "index is busy"}]}', "index is busy"),
        ('{"exit_code": 2, "stdout": "", "stderr": "no rule to make x"}', "no rule to make x"),
        ('{"returncode": 1, "output": "boom happened"}', "boom happened"),
        ('{"result": null, "errors": [{"message": "Cannot query x"}]}', "Cannot query x"),
        ('{"status": 404, "title": "Not Found", "detail": "no such order"}', "no such order"),
        ('{"statusCode": 503}', '"statusCode": 503'),
        ("Request failed with status code 503", "Request failed with status code 503"),
        ("Unable to find order 7", "Unable to find order 7"),
        ("Fehler: Bestellung nicht gefunden", "Bestellung nicht gefunden"),
        ("错误：找不到订单", "找不到订单"),
        ("❌ Could not find it", "❌ Could not find it"),
    ],
)
def test_tools_that_confess_in_their_text(text: str, example: str) -> None:
    verdict, faults = judge_tool(text, is_error=False, looks=False)
    assert verdict == "failed"
    assert faults[0].example == example
    assert text[faults[0].start : faults[0].end] == example


@pytest.mark.parametrize(
    "text",
    [
        "I found 3 errors in the log.",
        '{"error": null, "ok": true}',
        '[{"error": "in a row"}]',
        "No error.",
        '{"count": 3, "error_rate": 0.2, "status": "ok"}',
        '{"status": 200, "errors": []}',
        '{"exit_code": 0, "stdout": "error: none"}',
        '{"orders": [{"id": 1, "status": "failed"}]}',
        '{"runs": [{"exit_code": 1}], "total": 1}',
        "",
    ],
)
def test_tools_that_only_mention_errors(text: str) -> None:
    assert judge_tool(text, is_error=False, looks=False)[0] == "ok"


def test_a_reading_tool_is_only_judged_by_its_own_word() -> None:
    assert judge_tool("Error: everything is broken", is_error=False, looks=True)[0] == "ok"


@given(
    st.text(max_size=400),
    st.booleans(),
    st.sampled_from([None, 0, 1, 127]),
    st.sampled_from(["a | b", "git log", "", "go test; x"]),
)
@settings(max_examples=150, deadline=None)
def test_no_output_is_too_strange_and_every_span_is_exact(
    text: str, is_error: bool, code: int | None, command: str
) -> None:
    for _, faults in (
        shell(command, text, is_error=is_error, exit_code=code),
        shell(command, text, is_error=is_error, trusted=False),
        judge_tool(text, is_error=is_error, looks=False),
    ):
        for fault in faults:
            assert text[fault.start : fault.end] == fault.example
            assert len(fault.example) <= 1_000


@pytest.mark.parametrize("format", ["codex", "claude-code"])
def test_a_status_of_zero_behind_a_pipe_is_looked_through(format: str) -> None:
    book = Book(format=format)
    header = "Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code 0\nOutput:\n"
    book.bash("pytest -q | tail", (header if format == "codex" else "") + PYTEST, exit_code=0)
    (call,) = book.observed().calls
    assert call.failure is not None
    assert call.failure.hidden
    assert book.quote(call.failure.span) == "AssertionError: assert 1 == 2"


@pytest.mark.parametrize("format", ["chat", "swe-agent", "intercode", "otlp", "atif"])
def test_where_a_format_tells_no_status_the_text_does(format: str) -> None:
    book = Book(format=format)
    book.bash("python x.py", TRACE)
    book.bash("cat nope", "cat: nope: No such file or directory\n")
    book.call("find_order", '{"success": false, "message": "no such order"}', order=7)
    book.call("read_file", "Error: this is what the file says", path="a.log")
    failures = [c.failure for c in book.observed().calls]
    assert [f.kind if f else None for f in failures] == ["exception", "shell", "tool", None]
    assert all(f.hidden for f in failures if f)
