"""What kind of tool a call used, what it did in words that compare across sessions, and with what."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, Literal, cast

import msgspec

from reverie.domain.events import Json, JsonObject, Scalar
from reverie.mining.shell import Command, parse
from reverie.mining.vocabulary import vocabulary

__all__ = [
    "ToolKind",
    "action_of",
    "arguments_of",
    "command_of",
    "extension_of",
    "file_of",
    "kind_of",
    "parsed",
    "place_of",
    "signature_of",
    "telling_argument",
    "tool_kind",
]

ToolKind = Literal["shell", "look", "edit", "agent", "plan", "other"]

_KINDS: Final[Mapping[str, ToolKind]] = {
    **dict.fromkeys(
        vocabulary(
            """
            bash shell execcommand localshell localshellcall runshellcommand executebash
            terminal runcommand runinterminal execute exec runbash bashtool container.exec
            powershell cmd ishell
            """
        ),
        "shell",
    ),
    **dict.fromkeys(
        vocabulary(
            """
            read readfile readmanyfiles view viewfile cat open openfile grep grepsearch glob
            globsearch ls list listdir listdirectory find findfiles filesearch search
            searchfiles searchfilecontent codebasesearch websearch webfetch googlewebsearch
            fetch fetchurl browse notebookread lsp toolsearch taskoutput bashoutput
            agentoutputtool viewimage readmcpresource listmcpresources
            """
        ),
        "look",
    ),
    **dict.fromkeys(
        vocabulary(
            """
            edit multiedit write writefile notebookedit applypatch strreplaceeditor
            strreplacebasededittool replace createfile editfile insert searchreplace
            """
        ),
        "edit",
    ),
    **dict.fromkeys(
        vocabulary(
            """
            task agent skill spawnagent delegate sendmessage waitagent sendtoagent waitforagents
            readresult
            """
        ),
        "agent",
    ),
    **dict.fromkeys(
        vocabulary(
            """
            todowrite todoread taskcreate taskupdate tasklist taskget exitplanmode
            enterplanmode askuserquestion updateplan writetodos think requestuserinput
            killshell
            """
        ),
        "plan",
    ),
}
_PATH_KEYS: Final = ("file_path", "path", "notebook_path", "filename", "file", "target_file", "uri")
_COMMAND_KEYS: Final = ("command", "cmd", "script", "code")
_TELLING_KEYS: Final = ("command", "cmd", "file_path", "path", "pattern", "query", "url", "subagent_type", "skill", "name",
                        "filename", "file", "input", "prompt")  # fmt: skip
_HOME = re.compile(r"~(?=/|$)|(?:[A-Za-z]:)?/(?:home|Users)/[^/]+|/root(?=/|$)")
_EXTENSION = re.compile(r"\.([A-Za-z][A-Za-z0-9]{0,9})$")
MAX_TEXT: Final = 160
MAX_ARGUMENTS: Final = 40
MAX_DEPTH: Final = 2


@lru_cache(maxsize=4_096)
def kind_of(name: str) -> ToolKind:
    """What kind of tool goes by this name; ``other`` for one nobody knows."""
    return _KINDS.get(re.sub(r"[_\s-]", "", name).lower(), "other")


def tool_kind(name: str, given: JsonObject) -> ToolKind:
    """By the tool's name; a tool nobody knows that takes one command line is a shell."""
    kind = kind_of(name)
    if kind != "other":
        return kind
    return (
        "shell" if "command" in given and len(given) <= 4 and isinstance(given["command"], str) else "other"
    )


def command_of(given: JsonObject) -> str:
    """The command line of a shell call ("" where there is none); a list of words is joined."""
    for key in _COMMAND_KEYS:
        value = given.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            words = [w for w in cast(list[Json], value) if isinstance(w, str)]
            if len(words) > 2 and re.fullmatch(r"-\w*c", words[1]):
                return words[2]
            return " ".join(words)
    return ""


def file_of(given: JsonObject) -> str | None:
    """The file a call is about, by the usual argument names."""
    for key in _PATH_KEYS:
        value = given.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def action_of(name: str, kind: ToolKind, given: JsonObject, command: Command) -> str:
    """What the call does, to compare across sessions: ``Bash: go test``, ``Edit: .go``, ``Task: Explore``."""
    if kind == "shell":
        return f"{name}: {command.main}" if command.main else name
    if kind == "agent":
        label = given.get("subagent_type") or given.get("skill") or given.get("agent")
        return f"{name}: {label}" if isinstance(label, str) and label else name
    extension = extension_of(file_of(given))
    return f"{name}: .{extension}" if extension else name


def extension_of(path: str | None) -> str | None:
    """The lower-case extension of a path, None where it has none."""
    found = _EXTENSION.search(path) if path else None
    return found[1].lower() if found else None


def place_of(path: str | None, cwd: str | None) -> str | None:
    """The folder a file lies in, two levels deep, to compare across people and machines: below the working
    directory ("src/api", "." for itself), below a home ("~/.config"), else from the root ("/var/log").
    None for a bare name, of which nothing is known, and for what is no path of a file system."""
    if not path or "://" in path or ("/" not in path and "\\" not in path):
        return None
    folder = path.replace("\\", "/").rpartition("/")[0]
    here = (cwd or "").replace("\\", "/").rstrip("/")
    if here and f"{folder}/".startswith(f"{here}/"):
        root, below = "", folder[len(here) :]
    elif home := _HOME.match(folder):
        root, below = "~/", folder[home.end() :]
    else:
        root, below = "/" if path[0] == "/" else "", folder
    parts = [part for part in below.split("/") if part not in ("", ".")]
    place = root + "/".join(parts[:2])
    return place[:MAX_TEXT] or "."


def signature_of(name: str, given: Json) -> str:
    """Names the exact call: equal signatures are the same call again."""
    try:
        data = msgspec.json.encode([name, given], order="deterministic")
    except (UnicodeEncodeError, RecursionError, TypeError, ValueError):
        data = "\x1f".join((name, *_leaves(given))).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=10).hexdigest()


def _leaves(given: Json) -> Iterator[str]:
    """Keys and values in order, by a loop: the depth of foreign data is not ours to trust."""
    stack: list[Json] = [given]
    while stack:
        node = stack.pop()
        if isinstance(node, Mapping):
            mapping = cast(JsonObject, node)
            for key in sorted(mapping, reverse=True):
                stack += (mapping[key], f"{key}:")
        elif isinstance(node, list):
            stack.append("]")
            stack.extend(reversed(cast(list[Json], node)))
        else:
            yield repr(node)


def arguments_of(
    kind: ToolKind, given: JsonObject, command: Command, cwd: str | None = None
) -> dict[str, Scalar]:
    """Typed attributes of a call: scalars under their own names (nested ones dotted), and derived ones.

    Long text is not copied, only counted (``<name>_chars``); of a list its length is kept
    (``<name>_count``). Derived: ``file_ext`` of the file it is about and ``file_place`` (``place_of``),
    ``programs`` of a command line, and ``masked_status`` where a pipe or list may hide its exit status.
    """
    found: dict[str, Scalar] = {}
    _flatten("", given, found, 0)
    file = file_of(given)
    extension, place = extension_of(file), place_of(file, cwd)
    if extension:
        found.setdefault("file_ext", extension)
    if place:
        found.setdefault("file_place", place)
    if kind == "shell":
        programs = ", ".join(command.programs)
        if programs:
            found["programs"] = programs[:MAX_TEXT]
        if command.status_is_masked:
            found["masked_status"] = True
    return found


def _flatten(prefix: str, given: JsonObject, found: dict[str, Scalar], depth: int) -> None:
    for key in given:
        if len(found) >= MAX_ARGUMENTS:
            return
        value: Json = given[key]
        name = f"{prefix}{key}"[:80]
        if value is None or isinstance(value, bool | int | float):
            found[name] = value
        elif isinstance(value, str):
            if len(value) <= MAX_TEXT:
                found[name] = value
            else:
                found[f"{name}_chars"] = len(value)
        elif isinstance(value, list):
            _flatten_list(name, cast(list[Json], value), found, depth)
        elif isinstance(value, Mapping) and depth < MAX_DEPTH:
            _flatten(f"{name}.", cast(JsonObject, value), found, depth + 1)


def _flatten_list(name: str, values: list[Json], found: dict[str, Scalar], depth: int) -> None:
    found[f"{name}_count"] = len(values)
    if depth < MAX_DEPTH:
        for i, item in enumerate(values[:8]):
            if isinstance(item, Mapping):
                _flatten(f"{name}.{i}.", cast(JsonObject, item), found, depth + 1)
            elif isinstance(item, str) and len(item) <= 40 and len(found) < MAX_ARGUMENTS:
                found[f"{name}.{i}"] = item


def telling_argument(given: JsonObject) -> tuple[str, str] | None:
    """(JSON pointer below ``/input``, text) of the argument that tells most about a call."""
    for key in _TELLING_KEYS:
        value = given.get(key)
        if isinstance(value, str) and value:
            return f"/input/{key}", value
    return None


def parsed(kind: ToolKind, given: JsonObject) -> Command:
    """The parsed command line of a shell call; an empty command for other tools."""
    return parse(command_of(given)) if kind == "shell" else parse("")
