"""What lines of a log say by their words: signs of failures, with their causes, in the ways of many tools.

A sign has a role. A ``root`` tells what went wrong, an ``effect`` that something failed because of it, a ``summary``
that the whole did, ``advice`` what one might try; ``noise`` only looks like one of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

__all__ = ["CAUSES", "NOTHING", "Role", "Sign", "continues", "frame", "level", "sign"]

Role: TypeAlias = Literal["root", "effect", "summary", "advice", "noise", "none"]

CAUSES: Final = {
    "dependency": "a dependency cannot be found or resolved",
    "network": "the network or a remote service failed",
    "checkout": "the sources could not be fetched",
    "compile": "the code does not compile",
    "test": "tests fail",
    "memory": "the memory was exhausted",
    "disk": "the disk is full",
    "timeout": "something took too long",
    "lint": "style or static checks fail",
    "licence": "licences or their headers are not as required",
    "permission": "something is not permitted",
    "configuration": "the build is set up wrongly",
    "agent": "the build's machine was lost",
    "crash": "a program crashed",
    "failure": "something failed",
}
"""What may be the matter, from the most to the least particular; ``failure`` is everything else."""


@dataclass(frozen=True, slots=True)
class Sign:
    """What a line says. ``strength`` is 3 where it names the cause, 2 where it is an error of some kind."""

    role: Role
    cause: str = "failure"
    strength: int = 0


NOTHING: Final = Sign("none")
_TOLD_LAST: Final = frozenset({"memory", "disk", "timeout", "agent"})  # that which ends a build names them

# Read in this order; the first that fits counts. (?i) everywhere.
_NOISE: Final = (
    r"^(?!.*\b[1-9]\d* (?:errors?|failures?|failed)\b).*\b(?:0|no|zero) (?:\w+ )?(?:errors?|failures?|failed|problems?|vulnerabilities)\b",
    r"^(?!.*\b(?:failures?|errors?|failed): [1-9]).*\b(?:failures?|errors?|failed): 0\b",
    r"^(?:\[\w+\] )?(?:Download(?:ed|ing)|Progress|Fetched|Get:|Collecting|Unpacking|Setting up|Selecting|Using cached)\b",
    r"(?:\bPASSED\b|\bPASS$|^PASS\b|^(?:\S+ )?✓|^ok[ \t]|\bok$|\.{3,}\s+Passed\b|\.\.\. ok\b)",
    r"^\s*(?:\+ |\$ |> git |Run |##\[command\]|\[command\]|##\[group\])",
    r"\b(?:retry(?:ing)?|will (?:try again|retry)|attempt \d+ (?:of|/) ?\d+|trying again|tries remaining|recover(?:ed (?:from|after)|ing$)|ignored|ignoring|expected (?:error|failure|exception))\b",
    r"^(?:\[?(?:INFO|DEBUG|TRACE|NOTICE)\b\]?|\S+ \[?(?:INFO|DEBUG|TRACE)\]?:? )(?!.*(?:FAIL|ERROR))",
    r"^\s*(?:\[?WARN(?:ING)?\]?|warn(?:ing)?|npm (?:warn|WARN)|##\[warning\]|W:)\b",
    r"\bwarning(?: \w*\d+)?: ",
    r"^\s*\w*(?:error|fail|exception)\w*\.(?:java|py|js|ts|go|rs|c|cpp|h|class|o|obj|jar)$",
)
_ADVICE: Final = (
    r"\[ERROR\]\s*$|^\[ERROR\] -> \[Help|\[Help \d+\] http|To see the full stack trace|Re-?run Maven|For more information about the error|After correcting the problems|mvn <\w+> -rf|mvn <args> -rf",
    r"^\* (?:Try|Get more help|What went wrong)|^> (?:Run with|Get more help)|^(?:npm (?:ERR!|error)) (?:A complete log|\s+\S*_logs|$)|^For more information, run|^For more information about this error",
    r"^(?:note|hint|help):|rerun with|RUST_BACKTRACE|^(?:Sending e-?mails?|\* Exception is:|Finished: )|^=+ [\w ]+ =+$",
)
_SUMMARY: Final = (
    r"\bBUILD (?:FAILURE|FAILED)\b|\.{4,}.*\bFAILURE\b|^\[?\w*\]? ?\d+ errors? ?$|^\d+ (?:errors?|warnings?)(?: generated)?\.?$",
    r"Process completed with exit code|exited with code [1-9]|The command .* exited with [1-9]|\bexit status [1-9]|^ERROR: Job failed|Build step .* marked build as failure|marked build as fail|^make(?:\[\d+\])?: \*\*\*|^ninja: build stopped|^gmake|^##\[error\](?:Process completed|The operation was cancel)|Notifier: Build has started failing|^\[INFO\] \d+ errors",
    r"^=+ .*\b\d+ failed.* in [\d.]+s.*=+$|^Tests:\s+\d+ failed|^Test Suites:|^\d+ tests? completed, \d+ failed|^test result: FAILED|tests passed, \d+ tests? failed out of",
    r"^Done\. Your build exited with|^Errors were encountered while processing|^Error: Maven compile",
)
_EFFECT: Final = (
    r"Failed to execute goal|FAILURE: Build (?:failed|completed)|^\[ERROR\] COMPILATION ERROR|^> Task \S+ FAILED|^Execution failed for task|^> There were failing tests|^(?:npm (?:ERR!|error)) (?:code |errno |Exit status|Failed at|command|path |lifecycle)|^Error: Command failed|^ELIFECYCLE|^error Command failed",
    r"^error: (?:aborting due to|could not compile|test failed)|The following tests FAILED|Could not resolve all (?:artifacts|dependencies|files)|There (?:was|were) (?:a )?(?:test )?(?:failure|error|failing)|^CMake Error: .*(?:Configuring incomplete|build failed)|^-- Configuring incomplete|^FAILED: \S",
    r"^ERROR: Step .* failed|archive does not exist",
)
_ROOTS: Final = (
    ("memory", r"OutOfMemoryError|out of memory|\bOOM[- ]?kill|Cannot allocate memory|heap out of memory|exit(?:ed)? (?:code|status|with code|with) 137|std::bad_alloc|^MemoryError|insufficient memory|GC overhead limit|(?-i:\bKilled\b(?:\s|$))|signal: Killed|virtual memory exhausted|signal: 9, SIGKILL"),
    ("disk", r"No space left on device|ENOSPC|disk quota exceeded|not enough (?:disk )?space|disk (?:is )?full|Disk full"),
    ("licence", r"licen[cs]e header|unapproved licen[cs]e|Too many files with unapproved|missing (?:a )?(?:licen[cs]e|SPDX|copyright)|licen[cs]es? .*(?:not allowed|denied|forbidden|incompatible|rejected|violat)|disallowed licen[cs]e|(?:Some files do not have|do not have) the expected license|Missing header in|not (?:explicitly )?allow(?:ed)?(?:.*)licen[cs]e|licen[cs]e defined by|licen[cs]es? (?:requirements|FAILED|.* is not allowed)|COPYRIGHT AND LICENSING|no copyright and licen|not compliant with"),
    ("checkout", r"Error (?:cloning|fetching) remote|fatal: (?:unable to access|could not read|repository|Could not read from remote|reference is not a tree|couldn't find remote|unsafe repository|detected dubious|not a git|early EOF|Authentication failed|clone of)|git (?:fetch|clone|checkout).*failed|Couldn't find any revision|error: (?:RPC failed|pathspec)|GitException|submodule path .* fail"),
    ("timeout", r"(?:job|build|step|test|task|execution|command|operation)\b.{0,60}\b(?:timed out|exceeded the maximum (?:execution )?time|has exceeded|exceeded (?:the )?(?:time|timeout|\d+))|No output has been received|Build timed out|TimeoutExpired|Failed: Timeout|Timeout (?:of \d+|after|>\d+)|deadline exceeded|Exceeded timeout|\*\*\*Timeout|The job running on runner .* exceeded|TestTimedOut|has been (?:cancelled|terminated) (?:because|after).*tim|took longer than \d|\(Timeout\)$"),
    ("network", r"ECONNRE(?:SET|FUSED)|ETIMEDOUT|EAI_AGAIN|ENOTFOUND|Connection (?:reset|refused|timed out)|Could not (?:transfer|GET|HEAD)|Temporary failure in name resolution|(?:Unknown|UnknownHost|resolve) ?host|UnknownHostException|SocketTimeout|SSL(?:Error|HandshakeException)|(?:502|503|504) (?:Bad Gateway|Service|Gateway)|returned error: 5\d\d|status code:? 5\d\d|Read timed out|ReadTimeoutError|ConnectTimeout|network (?:is )?unreachable|spurious network error|Failed to connect|TLS handshake|ConnectException|NewConnectionError|curl: \(\d+\)|toomanyrequests|429 Too Many|dial tcp|i/o timeout|failed to do request"),
    ("dependency", r"Could not (?:resolve dependenc|find artifact)|Could not find (?!or load)\S+:\S+|Failure to find|DependencyResolution|No matching (?:distribution|version|package)|Could not find a version|ETARGET|ERESOLVE|E404|404 Not Found - GET|Non-resolvable|unresolved dependency|failed to select a version|no matching package|Unmet dependenc|Unable to locate package|ResolutionImpossible|conflicting dependencies|ModuleNotFoundError|Cannot find module|Could not find a package configuration|Could NOT find \S+|package \S+ is not in|cannot find module providing|failed to (?:load|get) .* as a dependency|Failed to collect dependencies|find_package|unknown revision|is not in this registry"),
    ("agent", r"OrderlyShutdown|ClosedChannelException|Backing channel|ChannelClosedException|RequestAbortedException|agent (?:went )?offline|runner has received a shutdown signal|lost communication with the server|Connection to the agent|Cannot contact \S+|spot (?:instance )?(?:interrupt|terminat)"),
    ("permission", r"Permission denied|EACCES|AccessDenied|Access is denied|403 Forbidden|401 Unauthorized|Operation not permitted|not authorized"),
    ("crash", r"Segmentation fault|SIGSEGV|SIGABRT|core dumped|SegFault|SEGV|(?-i:^panic: )|The forked VM terminated|fatal error has been detected|internal compiler error|Aborted$|Fatal Python error|signal 11|Illegal instruction|StackOverflowError"),
    ("lint", r"checkstyle|\bPMD\b|SpotBugs|FindBugs|ktlint|spotless|(?:lint|format|style) (?:check|error|violation|issue)|eslint|\bviolations? (?:were |was )?found|: \b[EWFCN]\d{3,4}\b (?:\[\*\] )?[\w`]|\((?:sizes|imports|whitespace|naming|javadoc|blocks|coding|design|errcheck|govet|staticcheck|unused|gosimple|ineffassign|revive|gocritic)\)(?: \w+:|$)|would reformat|✖ \d+ problem|clippy|flake8|ruff|pylint|rubocop|code style|\d+:\d+ +error +|mypy|^\S+:\d+: error: .*\[[\w-]+\]$"),
    ("compile", r"COMPILATION ERROR|cannot find symbol|incompatible types|error: (?!failed|could not)(?:[\w' `]*)(?:expected|undeclared|undefined|no matching function|unknown type|cannot|mismatched|not found in this scope|class, interface)|\berror\[E\d+\]|\berror TS\d+|\berror C\d{4}|\berror CS\d+|: (?:fatal )?error: |undefined reference|undefined symbol|Undefined (?:symbols|reference)|collect2: error|ld: error|linker command failed|SyntaxError|IndentationError|unresolved reference|Compilation failed|Compilation failure|^e: |Could not compile|\.(?:java|kt|scala|groovy):\[?\d+[,:\]].*|\.go:\d+:\d+: |Module not found: Error|package .* does not exist"),
    ("test", r"<<< (?:FAILURE|ERROR)!|^FAIL$|Tests run:.*(?:Failures|Errors): [1-9]|Failed tests?:|Tests in error|There are test failures|\bAssertion(?:Failed)?Error|^E\s{2,}(?=assert|.*Assert|\+)|^FAILED \S+::|^FAIL(?:ED)?\b[:\s]|--- FAIL|(?-i:\bFAILED$)|test .* \.\.\. FAILED|● |✕|✗|^\s*\d+\) |\*\*\*Failed|\*\*\*Exception|panicked at|ComparisonFailure|expect\(|AssertionError|assertion .*failed|^failures:|(?-i:: Failure$|\[  FAILED  \])|Expected:|Expecting"),
    ("configuration", r"(?:Invalid|Unknown|unrecognized|unsupported|missing) (?:option|argument|configuration|workflow|property|lifecycle|plugin|parameter|script|input|key|task)|ConfigurationException|No such (?:target|task)|Task '.*' not found|Missing script|command not found|is not recognized as|Unsupported class file|invalid target release|Unable to create Root Module|JAVA_HOME|No such file or directory|NoSuchFileException|FileNotFoundError|ENOENT|does not look like|must be (?:set|defined)|not set\b.*(?:required|must)|Could not find or load main class|UnsupportedClassVersionError|invalid (?:source|target) release"),
)  # fmt: skip
_GENERIC: Final = (
    r"^\[?(?:ERROR|FATAL|SEVERE|CRITICAL)\b|^(?:ERROR|Error|error|fatal|FATAL|panic|Fatal error)\b ?[:!\[]|^\S{0,60}: (?:error|fatal|cannot|failed)\b|^npm (?:ERR!|error)|^##\[error\]|^E: |^E\s{2,}",
    r"(?-i:\b[\w.$]*(?:Exception|Error)\b(?:: |$| at))|^Traceback \(most recent|^Caused by:|^Caused: |\bFAILED\b|^_{3,} .* _{3,}$|^Something went wrong|: Exiting with failure|^error\b",
)

_TELLING: Final = re.compile(
    r"(?i)err|fail|fatal|excep|fault|kill|denied|cannot|could not|unable|unknown|unresolved|undefined|not |no |miss|"
    r"invalid|timeout|timed|exceed|memory|space|lost|abort|panic|assert|expect|violat|licen|lint|style|trace|caused|"
    r"exit|pass|^ok|^=|took|revision|dial|registry|compliant|disconnect|channel|dumped|segv|\*\*\*|<<<|✖|✕|✗|●|\bE\d|_{3}|-rf|help|try|refused|reset|connection|signal|terminat|curl:|wrong|reformat|"
    r"\.(?:java|kt|go|scala|groovy):|^e:|^E |^\s*\d+\) |\b[EWFCN]\d{3}|mypy|warn|retry|5\d\d|42\d|40\d|oom|shutdown|"
    r"offline|find_package|sigsegv|enospc|^>|e-?mail"
)


def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_PLAIN: Final[tuple[tuple[Role, re.Pattern[str]], ...]] = (
    ("advice", _any(_ADVICE)),
    ("noise", _any(_NOISE)),
    ("summary", _any(_SUMMARY)),
    ("effect", _any(_EFFECT)),
)
_NAMED: Final = [(cause, re.compile(pattern, re.IGNORECASE)) for cause, pattern in _ROOTS]
_ERROR: Final = _any(_GENERIC)


@lru_cache(maxsize=65_536)
def sign(text: str) -> Sign:
    """What a line says by its words."""
    said = text[:2_000].rstrip()
    if not _TELLING.search(said):
        return NOTHING
    for role, pattern in _PLAIN:
        if pattern.search(said):
            cause = _cause(said) if role in {"effect", "summary"} else "failure"
            return (
                Sign("root", cause, 3) if role == "summary" and cause in _TOLD_LAST else Sign(role, cause, 1)
            )
    generic = _ERROR.search(said) is not None
    for cause, pattern in _NAMED:
        if pattern.search(said):
            return Sign("root", cause, 3)
    return Sign("root", "failure", 2) if generic else NOTHING


def _cause(said: str) -> str:
    return next((cause for cause, pattern in _NAMED if pattern.search(said)), "failure")


# ------------------------------------------------------------------ how lines belong together

_FRAME: Final = re.compile(
    r"^\s*at [\w.$<>/@\-]+[ (]|^\s+at \S|^\s*\.\.\. \d+ (?:more|common)|^\s*(?:Caused by|Caused|Also|Suppressed|Wrapped by)\b ?:"
    r"|^\s+File \"|^\s+\^+\s*$|^goroutine \d+|^\t\S+\.go:\d+|^stack backtrace|^\s+\d+: +(?:0x)?\S|^\s+from \S+:\d+|^During handling of|^The above exception"
)
_GOES_ON: Final = re.compile(
    r"^\s*(?:\^|~+|\||\d+ +\||-->|=)|^\s*(?:symbol|location|required|found|reason|expected|actual|but was|but:|note)\b ?:|^In file included"
)
_LEVEL: Final = re.compile(
    r"^\s*(?:\[(ERROR|FATAL|SEVERE)\]|(npm (?:ERR!|error))|(##\[error\])|(E)(?=\s{2,}|$)|(error|Error|ERROR|FATAL)(?=: ))"
)


def frame(text: str) -> bool:
    """Whether a line is one of a stack trace."""
    return _FRAME.match(text) is not None


def continues(text: str) -> bool:
    """Whether a line only goes on with what was said before it: a frame, a caret, a compiler's details."""
    return text[:1] in " \t" or _GOES_ON.match(text) is not None or _FRAME.match(text) is not None


def level(text: str) -> str:
    """The mark of an error at the beginning of a line (``[ERROR]``, ``npm ERR!`` …), or nothing."""
    found = _LEVEL.match(text)
    return next(filter(None, found.groups())) if found else ""
