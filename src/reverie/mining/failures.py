"""Did this call fail, and which line says so? Also where the tool itself reports success.

Decided by what kind of tool spoke, then by its exit status, then by anchored signs in its text. What a
reading or searching tool shows (files, hits, diffs, documents) is never a failure unless the tool says
so; and where a shell's exit status can be trusted, its word counts more than any text. Only when a pipe
or a list may have swallowed the status does the text decide, and then only by signs that the programs
of that command could have written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from reverie.mining.shell import Command, Step
from reverie.mining.signs import SUSPICIOUS, Line, Sign, lines_of, sign_of, telling
from reverie.mining.templates import mask
from reverie.mining.vocabulary import vocabulary

__all__ = ["Fault", "Verdict", "judge_shell", "judge_tool"]

Verdict = Literal["ok", "failed", "not_run"]

_DENIED = re.compile(
    r"\s*(?:<tool_use_error>)?\s*(?:The user doesn.t want to (?:proceed|take)|\[Request interrupted by user"
    r"|User (?:rejected|denied|declined|cancelled|canceled)|(?:exec )?command rejected by user|aborted by user"
    r"|Permission to use .{1,400} has been denied|The tool use was rejected)",
    re.DOTALL,
)
_CANCELLED = re.compile(
    r"\s*(?:<tool_use_error>)?\s*(?:Sibling tool call errored|Cancelled: parallel tool call|Tool call cancelled"
    r"|This call was interrupted (?:by the user )?before it had a result|The outcome of this call is unknown: )"
)
_WRAPPER = re.compile(
    r"\s*(?:<tool_use_error>\s*)?(?:Error calling tool[^:]{0,80}:\s*)?(?:Error: (?=Error))?"
)
_SENTENCE = re.compile(r".{20,160}?[.!?](?=\s|<|$)")
_EXIT_HEADER = re.compile(
    r"\s*(?:Error: )?(?:Exit code|Process exited with code|exit status) (-?\d+)[^\n]*\n?"
)
_CODEX_HEADER = re.compile(
    r"(?:Command: [^\n]*\n)?(?:Chunk ID: [^\n]*\n)?(?:Exit code: (?P<a>\d+)\n)?(?:Wall time: [^\n]*\n)"
    r"(?:Process exited with code (?P<b>\d+)\n|Process running[^\n]*\n)?(?:Original token count: [^\n]*\n)?"
    r"(?:Total output lines: [^\n]*\n)?(?:Output:\n?)?"
)
_TIMED_OUT = re.compile(
    r"\s*(?:<error>)?(?:Error: )?(?:Command|Tool|Process) timed out(?: after [^\n]{0,40})?"
)
_TEXT = r'"\s*:\s*"(?P<{}>(?:[^"\\]|\\.){{3,300}})"'
_JSON_ERROR = re.compile(
    r'"(?:error|error_message|errorMessage|err)' + _TEXT.format("text")
    + r'|"(?:error|errors)"\s*:\s*[\[{].{0,80}?"message' + _TEXT.format("deep")
    + r'|"is_?[eE]rror"\s*:\s*true|"(?:success|ok)"\s*:\s*false|"status"\s*:\s*"(?:error|failed|failure)"'
    r'|"(?:exit_?(?:code|Code|status|Status)|return_?[cC]ode)"\s*:\s*-?[1-9]'
    r'|"(?:http_?)?[sS]tatus_?(?:[cC]ode)?"\s*:\s*[45]\d\d\b',
    re.DOTALL,
)  # fmt: skip
_JSON_MESSAGES: Final = tuple(  # where it says why, from the surest place to the least
    re.compile(rf'"(?:{keys})' + _TEXT.format("text"), re.DOTALL)
    for keys in ("error|error_message|errorMessage|err", "message|detail|reason|stderr", "description|title|msg|text", "output|body")
)  # fmt: skip
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SAYS_ERROR = re.compile(
    r"\s*(?:[❌✗✘] ?\S|<error>|(?:Request|Command|Operation|Call|Query|Upload|Download|Tool)(?: \w+)? failed\b"
    r"|(?:Unable to|Could not|Cannot) \w|(?:Fehler|Erreur|Errore|Erro|Ошибка|错误|錯誤|エラー|오류)\b[^:：\n]{0,40}[:：]"
    r"|\[?(?:error|Error|ERROR|failed|Failed|FAILED|FATAL|fatal|Exception|Traceback)\b\]?|HTTP(?:/\S+)? [45]\d\d\b"
    r"|[45]\d\d (?:Bad Request|Unauthorized|Forbidden|Not Found|Conflict|Payload|Unprocessable|Too Many|Internal|Bad "
    r"Gateway|Service Unavailable|Gateway)|[A-Z]\w*(?:Error|Exception)\b:)"
)
_TEST_NAMED = re.compile(r"^[ \t]*--- FAIL: (\S+)", re.MULTILINE)
_LINT_SUMMARY = re.compile(r"\d+ issues?:|✖ \d+ problems?|Found \d+ errors?")

_LOOKS: Final = vocabulary(
    """
    cat head tail less more sed awk gawk grep egrep fgrep rg ag find fd ls ll tree wc sort uniq
    cut tr jq yq xxd od hexdump strings diff cmp comm nl column echo printf man tldr which type
    stat file md5 du df ps pgrep journalctl tee open bat history date pwd env
    """
)  # fmt: skip
_LOOKING_SUBCOMMANDS: Final = vocabulary(
    """
    git log | git diff | git show | git blame | git grep | git ls-files | git ls-tree | git
    reflog | git cat-file | git shortlog | git rev-list | git branch | git tag | git remote |
    git config | gh pr view | gh pr diff | gh pr list | gh pr checks | gh run view | gh run list
    | gh issue view | gh issue list | gh api | gh search | gh release | docker logs | docker ps
    | docker inspect | kubectl logs | kubectl get | kubectl describe | go doc | go list | go env
    | go mod | npm view | npm ls | pip show | pip list | cargo doc | brew info
    """,
    "|",
)
_ASKS: Final = vocabulary(
    """
    grep egrep fgrep rg ag diff cmp test pgrep which command type find [ [[ lsof
    """
) | frozenset({"git diff", "git config", "git check-ignore", "git merge-base", "git grep", "git rev-parse",
               "git show-ref", "git ls-files", "gh pr checks", "git diff-index", "go vet"})  # fmt: skip
_KEEP_FOR: Final[dict[str, frozenset[str]]] = {
    "lint": frozenset({"id", "path"}),
    "compile": frozenset({"q", "id"}),
    "test": frozenset({"q", "id"}),
}
_BUILDERS: Final = vocabulary(
    """
    go cargo rustc gcc g++ clang clang++ cc c++ javac kotlinc swiftc swift tsc make gmake ninja cmake mvn
    mvnw gradle gradlew dotnet bazel zig ghc mypy pyright ruff flake8 pylint eslint golangci-lint npm npx
    yarn pnpm bun mise just tox nox
    """
)
_PROOF: Final = frozenset(
    {"test", "exception", "conflict", "shell", "usage", "error", "http", "compile", "lint"}
)
_TOLD_STATUS = re.compile(r"(?:^|[\s:=(])(\d{1,3})\)?\s*\Z")
_SHELLS: Final = frozenset({"bash", "zsh", "sh"})
_CLIENTS: Final = frozenset({"curl", "wget", "http", "gh"})
EDGE: Final = 3  # lines at either end of an output
NAMED_TEST: Final = 70  # the rank from which a sign names the test that failed
MAX_MORE: Final = 7
MAX_MESSAGE: Final = 300
_LINT_RULE = re.compile(r"\([a-z][\w-]+\)$")


@dataclass(frozen=True, slots=True)
class Fault:
    """One complaint of a failed call: ``text[start:end]`` is the telling stretch."""

    kind: str
    template: str
    start: int
    end: int
    example: str


Judgement = tuple[Verdict, Sequence[Fault]]
_OK: Final[Judgement] = ("ok", ())
_NOT_RUN: Final[Judgement] = ("not_run", ())


def judge_tool(text: str, *, is_error: bool, looks: bool, json_speaks: bool = True) -> Judgement:
    """The verdict on a call of any tool but a shell.

    ``looks``: the tool shows things (reads, searches, asks a person), so only its own word counts.
    """
    if is_error and (unrun := _unrun(text)):
        return unrun
    if not is_error:
        if looks:
            return _OK
        fault = _confessed(text, json_speaks)
        return ("failed", (fault,)) if fault else _OK
    begin = _begin(text)
    if json_speaks and text.startswith("{", begin) and (fault := _json_fault(text)):
        return "failed", (fault,)
    signs = [(line, sign) for line in _first(text, begin, 40) if (sign := sign_of(line.text))]
    best = telling(signs) if "Traceback" in text[:2_000] else None
    if best is not None:
        return "failed", (_fault(*best),)
    return "failed", (_plain(text, begin, "tool"),)


def judge_shell(
    text: str, command: Command, *, is_error: bool, exit_code: int | None, trusted: bool
) -> Judgement:
    """The verdict on a shell command.

    ``trusted``: ``is_error`` (or ``exit_code``) is the exit status of the whole line, as the tool saw it.
    """
    if is_error and (unrun := _unrun(text)):
        return unrun
    begin, said = _body(text)
    code = exit_code if exit_code is not None else said
    failed = is_error or bool(code)
    if not failed and _TIMED_OUT.match(text):
        failed = True
    if not failed and (told := _told_status(text, begin, command)) is not None:
        (text, code), command = told, Command(command.steps[:-1])
        failed = code != 0
    if not failed:
        if trusted and not command.status_is_masked:
            return _OK
        return _by_text(text, begin, command)
    return _by_status(text, begin, command, code)


def _told_status(text: str, begin: int, command: Command) -> tuple[str, int] | None:
    """(output, status) where a command line ends with printing ``$?``."""
    last = command.steps[-1] if len(command.steps) > 1 else None
    if last is None or last.name not in ("echo", "printf") or not any("$?" in w for w in last.words):
        return None
    found = _TOLD_STATUS.search(text, max(begin, text.rstrip().rfind("\n")))
    return (text[: max(begin, text.rstrip().rfind("\n"))], int(found[1])) if found else None


def _unrun(text: str) -> Judgement | None:
    return _NOT_RUN if _DENIED.match(text) or _CANCELLED.match(text) else None


def _body(text: str) -> tuple[int, int | None]:
    """Where the output begins behind the harness's own header, and the exit code that stood there."""
    found = _CODEX_HEADER.match(text)
    if found and found.end():
        code = found["b"] or found["a"]
        return found.end(), int(code) if code else None
    found = _EXIT_HEADER.match(text)
    return (found.end(), int(found[1])) if found else (0, None)


def _by_status(text: str, begin: int, command: Command, code: int | None) -> Judgement:
    timed = _TIMED_OUT.match(text, begin) or _TIMED_OUT.match(text)
    if timed:
        return "failed", (_span(text, timed.start(), timed.end(), "timeout"),)
    signs = _signs(text, begin)
    if not signs and code in (1, None) and _only_asks(command):
        return _OK
    best = telling(signs)
    if best is None:
        return "failed", (_plain(text, begin, "exit"),)
    return "failed", _with_others(best, signs)


def _by_text(text: str, begin: int, command: Command) -> Judgement:
    """A status that may be masked: only signs these programs could have written are proof."""
    if not SUSPICIOUS.search(text, begin):
        return _OK
    lines = list(lines_of(text, begin))
    writers = _Writers(command)
    proof = list(_proof(lines, writers))
    linted = bool(writers.runs) and any(_LINT_SUMMARY.match(line.text) for line in lines[-12:])
    if not proof and not linted:
        return _OK
    if linted or (writers.runs and any(sign.whole or sign.kind == "test" for _, sign in proof)):
        proof = _signs(text, begin)  # a run failed for sure: now every line may name the mistake
    best = telling(proof)
    return ("failed", _with_others(best, proof)) if best else _OK


def _proof(lines: Sequence[Line], writers: _Writers) -> Iterator[tuple[Line, Sign]]:
    for i, line in enumerate(lines):
        if SUSPICIOUS.search(line.text) and (sign := sign_of(line.text)) and sign.kind in _PROOF:
            at_edge = i < EDGE or i >= len(lines) - EDGE
            if writers.may_have_written(line.text, sign, at_edge=at_edge):
                yield line, sign


class _Writers:
    """The programs of a command, as possible writers of a line: not the files they show."""

    def __init__(self, command: Command) -> None:
        self.names = {s.name for s in command.steps}
        self.runs = [s for s in command.sources if not _shows(s)]
        self.only_runs = len(self.runs) == len(command.sources)

    def may_have_written(self, line: str, sign: Sign, *, at_edge: bool) -> bool:
        """``at_edge``: the line stands among the first or last few, where programs speak for themselves."""
        if sign.kind == "shell":
            speaker = line.split(":", 1)[0]
            if speaker == "(eval)" or speaker.rsplit("/", 1)[-1] in self.names:
                return True
            return at_edge and (speaker in _SHELLS or ": -c: line " in line)
        if line.startswith(("fatal: ", "error: ", "CONFLICT", "Automatic merge")):
            return "git" in self.names and (at_edge or bool(self.runs))
        if line.startswith("go: "):
            return "go" in self.names
        if sign.kind == "http" or line.startswith("curl: "):
            return at_edge and not _CLIENTS.isdisjoint(self.names)
        return bool(self.runs) and self._run_said(sign, at_edge)

    def _run_said(self, sign: Sign, at_edge: bool) -> bool:
        if sign.kind in ("compile", "lint"):
            return self.only_runs and any(step.name in _BUILDERS for step in self.runs)
        if sign.kind == "test":
            return sign.whole or sign.rank >= NAMED_TEST
        return at_edge or self.only_runs if sign.whole else at_edge and self.only_runs


def _shows(step: Step) -> bool:
    return (
        not step.program or step.name in _LOOKS or step.program in _LOOKING_SUBCOMMANDS or step.name == "cd"
    )


def _only_asks(command: Command) -> bool:
    """A command whose status 1 means "no" or "nothing found"."""
    return bool(command.steps) and (
        command.steps[-1].name in _ASKS
        or command.steps[-1].program in _ASKS
        or any(s.name in _ASKS or s.program in _ASKS for s in command.sources[-1:])
    )


def _signs(text: str, begin: int) -> list[tuple[Line, Sign]]:
    signs = [(line, sign) for line in lines_of(text, begin) if (sign := sign_of(line.text))]
    best = telling(signs)
    if best and best[1].kind == "test" and best[1].whole:
        named = _TEST_NAMED.search(text, begin)  # the name of the failed test may stand in the unread middle
        if named:
            signs.append(
                (
                    Line(named.start(), named.end(), named.group()),
                    Sign("test", 70, named.start(1) - named.start()),
                )
            )
    return signs


def _with_others(best: tuple[Line, Sign], signs: Sequence[tuple[Line, Sign]]) -> tuple[Fault, ...]:
    """The telling line, and for a linter its other, different complaints: each is a mistake of its own."""
    first = _fault(*best)
    if first.kind != "lint":
        return (first,)
    others: dict[str, Fault] = {}
    for line, sign in signs:
        if sign.kind == "lint":
            fault = _fault(line, sign)
            others.setdefault(fault.template, fault)
    others.pop(first.template, None)
    return (first, *list(others.values())[:MAX_MORE])


def _fault(line: Line, sign: Sign) -> Fault:
    message = line.text[sign.offset :] or line.text
    start = line.end - len(message)
    return _made(message, start, sign.kind)


def _span(text: str, start: int, end: int, kind: str) -> Fault:
    raw = text[start:end]
    lead = len(raw) - len(raw.lstrip())
    return _made(raw.strip(), start + lead, kind)


_AFTERTHOUGHT = re.compile(
    r"\s+(?:Note: your current working directory|Did you mean|\[rerun: ).*|\s*</tool_use_error>.*"
)
_TOOK = re.compile(r"\s+\(\d+(?:\.\d+)?m?s\)$")


def _made(message: str, start: int, kind: str) -> Fault:
    if kind == "test":
        message = _TOOK.sub("", message)
    rule = _LINT_RULE.search(message) if kind == "lint" else None
    message = message[:MAX_MESSAGE]
    template = mask(_AFTERTHOUGHT.sub("", message), keep=_KEEP_FOR.get(kind, frozenset()))
    if rule and not template.endswith(
        rule.group()
    ):  # the rule is the name of the mistake: it outlives the cut
        template = f"{template[:160]}… {rule.group()}"
    return Fault(kind, template, start, start + len(message), message)


def _begin(text: str) -> int:
    found = _WRAPPER.match(text)
    return found.end() if found else 0


def _first(text: str, begin: int, count: int) -> list[Line]:
    found: list[Line] = []
    for line in lines_of(text, begin):
        found.append(line)
        if len(found) == count:
            break
    return found


_FAILURE_WORDS = re.compile(
    r"(?i)\b(?:fail|error|cannot|can't|unable|invalid|not |denied|refused|missing|must|wrong)"
)


def _plain(text: str, begin: int, kind: str) -> Fault:
    """No sign of a known shape: the first line (of a tool), or the line with a failure word (of a shell)."""
    lines = _first(text, begin, 60)
    if kind == "exit":
        worded = [line for line in lines if _FAILURE_WORDS.search(line.text)]
        if worded:
            return _span(text, worded[0].start, worded[0].end, "error")
        return Fault("exit", "", begin, begin, "")
    if not lines:
        return Fault("exit", "", begin, begin, "")
    line = lines[0]
    end = line.end
    closing = text.find("</tool_use_error>", line.start, end)
    end = closing if closing > line.start else end
    sentence = _SENTENCE.match(text, line.start, end)
    if sentence and end - line.start > 160:
        end = sentence.end()
    return _span(text, line.start, end, kind)


def _confessed(text: str, json_speaks: bool) -> Fault | None:
    """A tool that reports success and whose text, from its first word, says the opposite."""
    head = text[:600].lstrip()
    if head.startswith(("{", "[")):
        return _json_fault(text) if json_speaks and head.startswith("{") else None
    if not _SAYS_ERROR.match(text):
        return None
    signs = [(line, sign) for line in _first(text, 0, 40) if (sign := sign_of(line.text))]
    best = telling(signs) if head.startswith("Traceback") else (signs[0] if signs else None)
    return _fault(*best) if best else _plain(text, 0, "tool")


def _json_fault(text: str) -> Fault | None:
    """What a JSON body confesses of itself; not what it tells of the things it lists."""
    found = next((f for f in _JSON_ERROR.finditer(text, 0, 600) if _of_itself(text, f.start())), None)
    if found is None:
        return None
    if found.lastgroup:
        return _span(text, *found.span(found.lastgroup), "tool")
    for anywhere in (False, True):
        for pattern in _JSON_MESSAGES:
            told = (m for m in pattern.finditer(text, 0, 1_500) if anywhere or _of_itself(text, m.start()))
            if (message := next(told, None)) is not None:
                return _span(text, *message.span("text"), "tool")
    return _span(text, *found.span(), "tool")


def _of_itself(text: str, place: int) -> bool:
    """In no list, and at most two objects deep."""
    before = _JSON_STRING.sub("", text[:place])
    return before.count("[") == before.count("]") and before.count("{") - before.count("}") <= 2
