"""The signs of failure in text: which lines tell that something failed, and which line tells most.

Every pattern is anchored at the start of a line. ``Sign.rank`` orders lines within one output: the
highest rank is the line that names the mistake; the rest are its echoes ("exit status 1").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["SUSPICIOUS", "Line", "Sign", "lines_of", "sign_of", "telling"]

HEAD: Final = 4_096
TAIL: Final = 8_192
MAX_LINE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a text part: ``text`` is ``part[start:end]``, at most ``MAX_LINE`` characters of it."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Sign:
    """What a line is a sign of. ``offset`` is where its message begins within the line; ``whole``: it says
    that a run failed as a whole (a summary, a task runner), not where or why."""

    kind: str
    rank: int
    offset: int = 0
    whole: bool = False


def _p(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_FAILED_WORD = (
    r"(?:failed|failure|fails|denied|refused|unreachable|timed out|not found|not allowed|not permitted)"
)
_UTILITY = (
    r"No such file or directory|no such file or directory|command not found|Permission denied|permission denied"
    r"|[Ii]llegal (?:option|byte)|[Uu]nrecognized (?:option|argument)|[Ii]nvalid (?:option|argument)|unknown option"
    r"|Is a directory|Not a directory|File exists|Operation not permitted|No space left|Argument list too long"
    r"|no matches found|parse error|syntax error|bad substitution|event not found|unknown file attribute|cannot \w+"
)

_SIGNS: Final[tuple[tuple[re.Pattern[str], str, int], ...]] = (
    # linters and compilers: position, then message
    (_p(r"\S+?\.\w{1,6}:\d+(?::\d+)?:? +(?=[^\s:#].*\(typecheck\)$)"), "compile", 82),
    (_p(r"\S+?\.\w{1,6}:\d+(?::\d+)?:? +(?=[^\s:#].*\((?!typecheck)(?:[a-z][\w-]{2,30})\)$)"), "lint", 92),
    (_p(r"\s*\d+:\d+\s+(?:error|warning)\s+(?=\S.*\s[@\w/-]+$)"), "lint", 90),
    (_p(r"\S+?\.py:\d+:\d+:? +(?=[A-Z]{1,4}\d{3,4} )"), "lint", 92),
    (_p(r"\S+?\(\d+,\d+\): error (?=TS\d+: )"), "compile", 88),
    (_p(r"\S+?\.(?:py|pyi|ts|tsx):\d+(?::\d+)?:? (?:- )?error:? +"), "lint", 88),
    (_p(r"\S+?\.(?:go|c|cc|cpp|h|hpp|swift|kt|zig):\d+:\d+: (?:fatal )?(?:error: )?(?=[^\s:#])"), "compile", 80),
    (_p(r"\S+?\.(?:java|kt|scala|swift|c|cc|cpp|h):\d+: error: (?=\S)"), "compile", 80),
    (_p(r"error(?:\[E\d+\])?: (?=\S.{8,})(?=.*\b(?:type|borrow|lifetime|trait|crate|mismatched|unresolved)\b)"), "compile", 80),
    # tests
    (_p(r"\s*--- FAIL: (?=\S)"), "test", 70),
    (_p(r"E {2,}(?=\S)"), "test", 72),
    (_p(r"FAILED (?=\S+::\S+)"), "test", 71),
    (_p(r"\s*(?:✕|✗|✘|×) (?=\S)"), "test", 66),
    (_p(r"=+ (?=.*\b[1-9]\d* (?:failed|errors?)\b.*=+$)"), "test", 40),
    (_p(r"(?:Tests?|Test Suites?|Test Files):? +(?=.*\b[1-9]\d* failed)"), "test", 40),
    (_p(r"(?=test result: FAILED)"), "test", 40),
    (_p(r"(?=(?:[1-9]\d* failed(?:, \d+ \w+)*|\d+ \w+, [1-9]\d* failed(?:, \d+ \w+)*) in \d)"), "test", 40),
    (_p(r"(?=\d+ examples?, (?:\d+ \w+, )*[1-9]\d* failures?\b)"), "test", 40),
    (_p(r"\s*(?=[1-9]\d* failing$)"), "test", 40),
    (_p(r"(?=Tests: \d.*(?:Failures|Errors): [1-9])"), "test", 40),
    (_p(r"(?:\[ERROR\] )?(?=Tests run: \d+, .*(?:Failures|Errors): [1-9])"), "test", 40),
    (_p(r"(?=Failed!\s+- Failed:\s+[1-9])"), "test", 40),
    (_p(r"(?=\d+% tests passed, [1-9]\d* tests? failed)"), "test", 40),
    (_p(r"(?=FAILURES!$)"), "test", 40),
    (_p(r"\s*not ok \d+ (?:- )?(?=\w)"), "test", 70),
    (_p(r"(?:\[\w+\] )?(?=BUILD FAIL(?:URE|ED)\b|FAILURE: Build failed)"), "error", 44),
    (_p(r"FAIL(?:ED)?(?:\s*$|[\s:]+(?=\S))"), "test", 30),
    # exceptions
    (_p(r"(?:[a-zA-Z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Exit|Interrupt|NotFound|Timeout|Refused)\b(?::\s+(?=\S)|$)"), "exception", 94),
    (_p(r"(?:Uncaught |Unhandled )(?=\w)"), "exception", 86),
    (_p(r"panic: (?=\S)"), "exception", 85),
    (_p(r"thread '[^']*' panicked at "), "exception", 85),
    # version control
    (_p(r"CONFLICT \([^)]*\): "), "conflict", 78),
    (_p(r"(?=Automatic merge failed)"), "conflict", 60),
    (_p(r"error: (?=could not apply )"), "conflict", 60),
    (_p(r"(?=The following paths are ignored by one of your \.gitignore files)"), "refused", 84),
    (_p(r"(?=nothing to commit|no changes added to commit)"), "refused", 20),
    # shells and utilities
    (_p(r"(?:\(eval\)|-?(?:zsh|bash|sh|dash|ksh|fish)|/bin/\w+|\S+\.sh)(?:: ?(?:line )?\d+)*: (?=\S)"), "shell", 90),
    (_p(r".{0,60}: -c: line \d+: (?=\S)"), "shell", 90),
    (_p(rf"(?=(?!error: )[\w./+-]+: (?:.{{0,160}}: )?(?:{_UTILITY}))"), "shell", 90),
    (_p(r"(?=(?:unknown|unrecognized|invalid) (?:shorthand )?(?:flag|option|command|subcommand|argument)\b)"), "usage", 90),
    (_p(r"(?=(?:flag needs an argument|required flag|missing required|accepts \d+ arg|too (?:many|few) arg|"
        r"requires (?:at least|exactly) \d+ arg))"), "usage", 90),
    (_p(r"(?=[Uu]sage: |USAGE)"), "usage", 34),
    # anything that calls itself an error
    (_p(r"(?:[\w./ -]{1,40}: )?(?:fatal|Fatal|FATAL)(?: error)?: (?=\S)"), "error", 88),
    (_p(r"(?:npm|yarn|pnpm)?\s*(?:ERR!|ERROR) (?:code )?(?=\w)"), "error", 56),
    (_p(r"(?:[│|╷] *)?(?:[\w./-]{1,40}: error|Error from server(?: \(\w+\))?|(?<=[│|╷] )Error): (?=\S)"), "error", 84),
    (_p(r"(?:Fehler|Erreur|Errore|Erro\b|Ошибка|错误|錯誤|エラー|오류)[^:：\n]{0,40}[:：] ?(?=\S)"), "error", 84),
    (_p(r"(?:make|gmake|ninja)(?:\[\d+\])?: \*\*\* "), "error", 44),
    (_p(r"(?:\[?(?:error|Error|ERROR)\]?|E):(?: |$)(?=\S|$)"), "error", 84),
    (_p(r"go: (?!downloading|finding|extracting|added|upgraded|found|creating|to add)(?=\S)"), "error", 82),
    (_p(r"(?:HTTP(?:/\d(?:\.\d)?)? )(?=[45]\d\d\b)"), "http", 84),
    (_p(r"(?=[45]\d\d (?:Bad Request|Unauthorized|Forbidden|Not Found|Conflict|Payload|Unprocessable|Too Many|"
        r"Internal Server|Bad Gateway|Service Unavailable|Gateway Time))"), "http", 84),
    (_p(r"curl: \(\d+\) "), "http", 84),
    (_p(rf"(?=[A-Za-z][\w .'/-]{{2,60}} {_FAILED_WORD}\b)"), "error", 50),
    (_p(r"(?=(?:[Cc]ould not|[Cc]annot|[Cc]an't|[Uu]nable to|[Ff]ailed to) \w)"), "error", 62),
    (_p(r"(?:\[[\w:.-]+\] )?ERROR:? (?=\S)"), "error", 26),
    (_p(r"(?=exit(?:ed)?(?: with)? (?:status|code):? [1-9])"), "exit", 10),
    (_p(r"(?=Process exited with (?:status|code) [1-9])"), "exit", 10),
)  # fmt: skip

_WHOLE: Final = frozenset({26, 30, 40, 44, 56})  # ranks of the summaries among them

SUSPICIOUS: Final = re.compile(
    r"FAIL|[Ff]ail|[Ee]rror|ERR|[Ff]atal|FATAL|panic|Traceback|[Ee]xception|CONFLICT|No such|no such|not found|"
    r"denied|refused|[Cc]annot|[Cc]ould not|[Uu]nable|[Uu]nknown|[Uu]nrecog|[Ii]nvalid|[Ii]llegal|HTTP|issues:|"
    r"\(eval\)|-c: line|not ok |:\d+:\d+: |Fehler|Erreur|Erro|Ошибка|错误|錯誤|エラー|오류|no matches|parse error|timed out|✗|✕|cat: |ls: "
)
"""A cheap first look: text without any of these is no failure."""


def lines_of(text: str, begin: int = 0) -> Iterator[Line]:
    """The lines of a text part from ``begin``: all of it, or its first 4 KiB and last 8 KiB."""
    if len(text) - begin <= HEAD + TAIL:
        yield from _lines(text, begin, len(text))
    else:
        yield from _lines(text, begin, text.rfind("\n", begin, begin + HEAD) + 1 or begin + HEAD)
        yield from _lines(text, text.find("\n", len(text) - TAIL) + 1 or len(text) - TAIL, len(text))


def _lines(text: str, begin: int, end: int) -> Iterator[Line]:
    while begin < end:
        stop = text.find("\n", begin, end)
        stop = end if stop < 0 else stop
        line = text[begin : min(stop, begin + MAX_LINE)].rstrip()
        if line:
            yield Line(begin, begin + len(line), line)
        begin = stop + 1


_TASK_PREFIX = re.compile(
    r"\[[\w:./-]{2,40}\] (?!ERROR)|[\w.-]{2,30} +\| "
)  # of runners that mix several outputs


def sign_of(line: str) -> Sign | None:
    """The strongest sign a line gives, None for an innocent one."""
    prefix = _TASK_PREFIX.match(line)
    begin = prefix.end() if prefix else 0
    best: Sign | None = None
    for pattern, kind, rank in _SIGNS:
        if best is not None and rank <= best.rank:
            continue
        found = pattern.match(line, begin)
        if found is not None:
            best = Sign(kind, rank, found.end(), rank in _WHOLE)
    return best


def telling(lines: Sequence[tuple[Line, Sign]]) -> tuple[Line, Sign] | None:
    """The line that names the mistake: highest rank; the last exception of a trace, the first of others."""
    if not lines:
        return None
    if any(sign.kind == "test" and sign.whole for _, sign in lines):
        # a test run says that it failed: what its tests print about errors is their business
        lines = [pair for pair in lines if pair[1].kind in ("test", "compile", "lint")]
    top = max(sign.rank for _, sign in lines)
    same = [pair for pair in lines if pair[1].rank == top]
    return same[-1] if same[0][1].kind == "exception" else same[0]
