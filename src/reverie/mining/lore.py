"""What is known beforehand about common errors: what was done wrong, and what to do instead.

A family recognises an error in the wordings of several tools, says whether it is a behaviour (the call
was wrong in a way its caller can change) or a situation (the world was like that), and has words for
it. An error of no family is still found and counted; ``phrasing`` then makes the words from its text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from reverie.domain.findings import Nature

__all__ = ["FAMILIES", "LINT_RULES", "Family", "family_of"]


@dataclass(frozen=True, slots=True)
class Family:
    """One known kind of error.

    ``what``, ``advice`` and ``warning`` may name the groups of ``pattern`` and ``{tool}``. A group called
    ``key`` parts the family: another value is another mistake. ``worth`` scales how much a lesson it is
    (1: a mistake with a sure remedy).
    """

    name: str
    pattern: re.Pattern[str]
    what: str
    nature: Nature = "behaviour"
    advice: str = ""
    warning: str = ""
    title: str = ""
    worth: float = 1.0
    kinds: frozenset[str] = field(default_factory=frozenset[str])


_TOOL: Final = frozenset({"tool", "error", "exception"})
_SHELL: Final = frozenset({"shell", "usage", "error"})


def _family(
    name: str,
    pattern: str,
    what: str,
    *,
    advice: str = "",
    warning: str = "",
    title: str = "",
    worth: float = 1.0,
    kinds: frozenset[str] = frozenset(),
) -> Family:
    nature: Nature = "situation" if warning else "behaviour"
    return Family(name, re.compile(pattern), what, nature, advice, warning, title, worth, kinds)


FAMILIES: Final[tuple[Family, ...]] = (
    # ---- tools that edit and read files
    _family(
        "edit-unread",
        r"(?i)\bhas not been read yet|must (?:first )?read (?:the|this) file|read (?:it|the file) (?:first )?before (?:writing|editing)(?! it again)",
        "{tool} is called on a file that was not read first",
        advice="Read a file before you edit or overwrite it, also for a one-line change.",
        title="Read a file before editing it",
        kinds=_TOOL,
    ),
    _family(
        "edit-stale",
        r"(?i)(?:file )?has been (?:modified|changed|unexpectedly modified) since|(?:file|content) changed (?:on disk )?since",
        "{tool} is called on a file that changed since it was read (a formatter, a hook or a person)",
        advice="Read a file again before editing it when a formatter, a hook or a person may have changed it since.",
        title="Read a file again after a formatter or a person changed it",
        kinds=_TOOL,
    ),
    _family(
        "edit-mismatch",
        r"(?i)string to replace not found|old_str(?:ing)?`? (?:was )?not found|did not appear verbatim|failed to find expected lines"
        r"|could not find the (?:exact )?(?:text|string)|no match found for (?:replacement|old)|search block not found",
        "the text {tool} is told to replace is not in the file as given",
        advice="Before an edit, look at the current text of the place and copy what is to be replaced from there, "
        "with its exact whitespace; do not write it from memory.",
        title="Copy the text to replace from the file, not from memory",
        kinds=_TOOL,
    ),
    _family(
        "edit-ambiguous",
        r"(?i)found \d+ (?:matches|occurrences)[^.]*replac|multiple (?:matches|occurrences)[^.]*(?:old|replac)|(?:old_string|text to replace) (?:is )?not unique",
        "the text {tool} is told to replace occurs more than once in the file",
        advice="Give the text to replace with enough of the lines around it that it is unique, or replace all of them on purpose.",
        title="Make the text to replace unique",
        kinds=_TOOL,
    ),
    _family(
        "edit-noop",
        r"(?i)no changes to make|old_string and new_string (?:are|must be)|identical content",
        "{tool} is called with a new text that equals the old one",
        advice="Before an edit, make sure that the new text differs from the old one; if it does not, the change is in the file already.",
        title="Do not edit with identical old and new text",
        worth=0.8,
        kinds=_TOOL,
    ),
    _family(
        "guessed-path",
        r"(?i)^(?:error: )?file does not exist|^(?:error: )?path does not exist|^(?:error: )?file not found\b|^directory (?:does not exist|not found)"
        r"|^ENOENT: no such file or directory, (?:open|stat|scandir|access)",
        "{tool} is called with a path that does not exist",
        advice="Find a file with a search (Glob, Grep, `ls`) before you read or search in it; do not guess its path or name.",
        title="Look a path up instead of guessing it",
        kinds=_TOOL,
    ),
    _family(
        "read-directory",
        r"EISDIR|(?i:is a directory)",
        "a directory is read as if it were a file",
        advice="List a directory with `ls` or Glob; Read is for files.",
        worth=0.7,
        kinds=_TOOL,
    ),
    _family(
        "read-too-large",
        r"(?i)exceeds (?:the )?maximum (?:allowed )?(?:tokens|size)|file (?:content )?(?:is )?too large",
        "{tool} is called on a file too large to be read at once",
        advice="Read a large file in parts (offset and limit), or search it for the place that matters.",
        kinds=_TOOL,
    ),
    _family(
        "unknown-agent",
        r"(?i)agent type .{1,80} not found|unknown (?:skill|agent|subagent)\b|no such (?:agent|skill)",
        "{tool} is asked for an agent or skill under a name that does not exist",
        advice="Use the full name of a sub-agent or skill as it is listed, with its plugin prefix (`plugin:name`).",
        title="Use the full, prefixed name of a sub-agent or skill",
        kinds=_TOOL,
    ),
    _family(
        "bad-arguments",
        r"(?i)InputValidationError|invalid (?:tool )?(?:arguments|parameters|input)\b|missing required (?:parameter|argument|propert)|unexpected (?:keyword )?(?:argument|parameter)|"
        r"(?:is|are) (?:a )?required (?:propert|parameter)|got an unexpected keyword",
        "{tool} is called with arguments it does not take",
        advice="Check the parameters of {tool} before calling it: “{quote}”.",
        kinds=_TOOL,
    ),
    # ---- databases
    _family(
        "guessed-schema",
        r"(?i)unknown column|no such (?:column|table)\b|(?:table|relation|column) [`'\"]?[\w.]+[`'\"]? (?:doesn['’]t|does not) exist|invalid (?:object|column) name",
        "{tool} is called with tables or columns that do not exist",
        advice="Look at the tables and their columns (`SHOW TABLES`, `DESCRIBE`, the schema) before you query them; do not guess names.",
        title="Look at the schema before querying it",
        kinds=_TOOL,
    ),
    _family(
        "ambiguous-column",
        r"(?i)\bcolumn\b.{1,80}\bambiguous|ambiguous column",
        "{tool} is called with a column name that several tables have",
        advice="Qualify column names with their table when a query joins several.",
        title="Qualify column names in joins",
        worth=0.8,
        kinds=_TOOL,
    ),
    _family(
        "group-by",
        r"(?i)not in group by clause|must appear in the group by",
        "{tool} is called with a selected column that is neither grouped nor aggregated",
        advice="Select only columns that are in GROUP BY or aggregated.",
        worth=0.8,
        kinds=_TOOL,
    ),
    _family(
        "sql-syntax",
        r"(?i)error in your sql syntax|syntax error at or near|near \"[^\"]*\": syntax error",
        "{tool} is called with a query it cannot parse",
        advice="Send one plain, complete SQL statement at a time, and check its syntax for this database first.",
        title="Check the SQL before sending it",
        worth=0.7,
        kinds=_TOOL,
    ),
    _family(
        "python-syntax",
        r"(?i)\binvalid syntax \(<|\bSyntaxError: ",
        "{tool} is called with code that Python cannot parse",
        advice="Send complete Python code and nothing but code, and check that it parses first.",
        title="Check that the Python parses before sending it",
        worth=0.7,
        kinds=_TOOL,
    ),
    # ---- shells
    _family(
        "zsh-glob",
        r"\bno matches found: ",
        "a pattern that matches nothing stops the command (zsh)",
        advice="Quote glob patterns, or use `find`: in zsh a pattern that matches nothing stops the whole command.",
        title="Quote glob patterns (zsh)",
        kinds=_SHELL,
    ),
    _family(
        "command-not-found",
        r"(?:command not found: (?P<key>[\w./+-]+)|(?P<alt>[\w./+-]+): (?:command )?not found$)",
        "`{key}` is called, which is not installed",
        advice="Do not call `{key}`: it is not installed here.",
        kinds=_SHELL,
    ),
    _family(
        "bsd-option",
        r"(?P<key>[\w.-]+): (?:illegal|invalid|unrecognized) option|(?P<alt>[\w.-]+): unknown option",
        "`{key}` is called with an option it does not have here",
        advice="Use only options of `{key}` that this system has (macOS and BSD lack the GNU extensions).",
        kinds=_SHELL,
    ),
    _family(
        "unknown-option",
        r"(?i)(?:unknown|unrecognized|invalid) (?:shorthand )?(?:flag|option|argument):? [`'\"]?(?P<key>-{1,2}[\w-]+|[\w-]+)",
        "{tool} is called with `{key}`, an option it does not have",
        advice="Do not pass `{key}` to {tool}; it has no such option.",
        kinds=_SHELL,
    ),
    _family(
        "worktree-held",
        r"(?i)is already (?:used by|checked out (?:at|by)) (?:a )?worktree|is already checked out at",
        "a branch is checked out that another worktree holds",
        advice="Do not check out a branch that another worktree holds (such as `main`): branch off it instead, "
        "`git switch -c <new> origin/main`.",
        title="Branch off main instead of checking it out in a worktree",
        kinds=_SHELL,
    ),
    _family(
        "ignored-path",
        r"paths are ignored by one of your \.gitignore files",
        "`git add` is given a path that .gitignore excludes, and the command stops there",
        advice="Do not `git add` a path that .gitignore excludes; check with `git check-ignore -v <path>`, and ask before using `-f`.",
        kinds=frozenset({"refused", "shell", "error"}),
    ),
    _family(
        "nothing-to-commit",
        r"nothing (?:added )?to commit|no changes added to commit",
        "`git commit` is called with nothing staged",
        advice="Stage changes before `git commit`, and look at `git status` first.",
        worth=0.6,
    ),
    _family(
        "not-a-repository",
        r"(?i)not a git repository",
        "git is called outside a repository",
        advice="Change to the repository before calling git, or use `git -C <path>`.",
        kinds=_SHELL,
    ),
    _family(
        "missing-path",
        r"[Nn]o such file or directory|cannot find the (?:path|file)",
        "a command is given a path that does not exist",
        advice="Check that a path exists, and which directory you are in, before you use it in a command.",
        title="Check the path and the working directory",
        worth=0.5,
        kinds=_SHELL,
    ),
    _family(
        "shell-syntax",
        r"(?i)parse error|syntax error|unexpected EOF while looking|bad substitution|event not found|unmatched [\"'`]",
        "the shell cannot parse the command",
        advice="Put a command with parentheses, `!` or nested quotes into single quotes or a script file.",
        worth=0.6,
        kinds=_SHELL,
    ),
    _family(
        "go-mod-tidy",
        r"updates to \S+ needed|missing go\.sum entry|go mod tidy",
        "Go is run before its module files are up to date",
        advice="Run `go mod tidy` after changing imports or dependencies, before building or testing.",
    ),
    _family(
        "module-missing",
        r"(?:ModuleNotFoundError: )?No module named ['\"](?P<key>[\w.]+)|Cannot find module ['\"](?P<alt>[^'\"]+)",
        "the module `{key}` is used and is not installed",
        advice="Install `{key}`, or use the project's own environment, before running code that needs it.",
    ),
    # ---- the world
    _family(
        "rate-limited",
        r"(?i)rate.?limit|too many requests|\b429\b|quota exceeded",
        "{tool} is refused for calling too often",
        warning="{tool} limits how often it may be called (“{quote}”): slow down and wait before trying again.",
    ),
    _family(
        "service-down",
        r"(?i)service (?:is )?(?:busy|unavailable|temporarily)|\b50[0234]\b (?:internal|bad|service|gateway)|HTTP 50\d|bad gateway|gateway time-?out|temporarily unavailable|overloaded",
        "{tool} answers that its service is down or busy",
        warning="{tool} is busy or down now and then (“{quote}”): waiting and trying again is the only cure.",
    ),
    _family(
        "network",
        r"(?i)could not resolve host|connection (?:refused|reset|timed out|closed)|ECONN\w+|ENOTFOUND|network is unreachable|no route to host|tls handshake|temporary failure in name resolution",
        "{tool} cannot reach the network or the service",
        warning="{tool} sometimes cannot reach its service (“{quote}”): check the connection before looking for the fault elsewhere.",
    ),
    _family(
        "timeout",
        r"(?i)\btimed? ?out\b|deadline exceeded",
        "{tool} does not finish in time",
        warning="{tool} may not finish in time (“{quote}”): allow more time, run it in the background or do less at once.",
    ),
    _family(
        "no-access",
        r"(?i)permission denied|access denied|not authori[sz]ed|unauthori[sz]ed|forbidden|\b40[13]\b|authentication (?:failed|required)|could not read from remote repository",
        "{tool} is refused for want of permission",
        warning="{tool} may be refused for want of permission (“{quote}”): that needs a person, not another attempt.",
    ),
    _family(
        "locked",
        r"(?i)database is locked|resource (?:busy|temporarily)|lock(?:ed)? by another|index\.lock|text file busy|address already in use",
        "{tool} finds the thing it needs held by another process",
        warning="What {tool} needs may be held by another process (“{quote}”): find the holder before trying again.",
    ),
    _family(
        "disk-full",
        r"(?i)no space left|disk quota",
        "the disk is full",
        warning="The disk was full (“{quote}”).",
    ),
)

LINT_RULES: Final[Mapping[str, tuple[str, str]]] = {
    # rule → (what the code does, what to do)
    "errcheck": (
        "the error of a call is not checked",
        "Check every returned error; do not drop one",
    ),
    "goconst": ("the same string literal is repeated", "Make a string that is used several times a constant"),
    "dupl": ("near-identical blocks of code are written", "Do not write near-identical blocks: share a helper or use a table"),
    "exhaustive": ("a switch over an enumeration leaves cases out", "List every case in a switch over an enumerated type"),
    "ineffassign": ("a value is assigned and never used", "Do not assign a value that is never used"),
    "unused": ("something is declared and never used", "Remove what a change leaves unused before linting"),
    "unparam": ("a parameter is never used or always the same", "Drop parameters that are unused or always the same"),
    "wrapcheck": ("an error from another package is returned bare", "Wrap errors that come from other packages before returning them"),
    "nilerr": ("nil is returned although there is an error", "Do not return nil where an error was found; return the error"),
    "ireturn": ("a function returns an interface", "Return concrete types, not interfaces"),
    "usetesting": ("a test uses os functions where testing has its own", "In tests use the helpers of `testing` (`t.Chdir`, `t.TempDir`, `t.Setenv`)"),
    "testifylint": ("assertions are used in a way testify advises against", "For error assertions use `require`, not `assert`"),
    "noctx": ("a call is made without a context", "Use the variant of a call that takes a context"),
    "gosec G204": ("a subprocess is launched with a variable", "Validate what goes into a subprocess's arguments"),
    "gosec G301": ("a directory is created with permissions wider than 0750", "Create directories with 0750 or less"),
    "gosec G302": ("a file's permissions are set wider than 0600", "Set file permissions to 0600 or less"),
    "gosec G304": ("a file is opened by a variable path", "Clean or confine a path before opening it"),
    "gosec G306": ("a file is written with permissions wider than 0600", "Write files with permissions 0600 or less"),
    "F401": ("an import is not used", "Remove unused imports before linting"),
    "F841": ("a local variable is assigned and never used", "Do not leave local variables unused"),
    "E501": ("a line is too long", "Keep lines within the project's limit"),
    "no-unused-vars": ("a variable is never used", "Remove variables that are never used"),
    "no-explicit-any": ("`any` is used as a type", "Do not use `any` as a type"),
    "prefer-const": ("a variable that never changes is declared with let", "Declare what never changes with `const`"),
}  # fmt: skip


def family_of(text: str, kind: str) -> tuple[Family, Mapping[str, str]] | None:
    """The family an error belongs to, and the named parts of its text; None for an error nobody knows."""
    for family in FAMILIES:
        if family.kinds and kind not in family.kinds:
            continue
        found = family.pattern.search(text)
        if found is not None:
            parts = {name: value for name, value in found.groupdict().items() if value}
            if "alt" in parts:
                parts.setdefault("key", parts["alt"])
            return family, parts
    return None
