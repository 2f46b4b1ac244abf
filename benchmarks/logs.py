"""Labelled logs: error messages of many shapes, each with the number of the template it was made from.

``{slot}`` in a template is what varies: paths, numbers, ids, times, sizes, quoted text, lists, names that are
plain words, JSON bodies, whole stack traces. Some templates differ in one word only, and are two. Frequencies
are uneven (Zipf), as in logs.
"""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Final

__all__ = ["SHAPES", "labelled_log"]

_NAMES: Final = [
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "grace",
    "heidi",
    "ivan",
    "judy",
    "mallory",
    "niaj",
    "olivia",
    "peggy",
    "rupert",
    "sybil",
    "trent",
    "victor",
    "wendy",
    "yusuf",
    "zoe",
    "amir",
    "bela",
    "chen",
    "dora",
    "emil",
    "fatima",
    "goran",
    "hana",
    "ines",
    "jonas",
    "katya",
    "luis",
    "marta",
    "nadia",
    "omar",
    "priya",
    "quentin",
    "rosa",
    "sven",
    "tomas",
    "ula",
    "vera",
    "wim",
]
_NOUNS: Final = [
    "orders",
    "invoices",
    "customers",
    "payments",
    "shipments",
    "accounts",
    "ledger",
    "inventory",
    "sessions",
    "tickets",
    "reviews",
    "carts",
    "coupons",
    "refunds",
    "suppliers",
    "contracts",
    "audits",
    "archives",
    "drafts",
    "messages",
    "profiles",
    "devices",
    "sensors",
    "meters",
    "routes",
    "depots",
    "pallets",
    "returns",
]
_PARTS: Final = [
    "src",
    "lib",
    "app",
    "core",
    "api",
    "web",
    "data",
    "build",
    "config",
    "tests",
    "docs",
    "scripts",
    "vendor",
    "tools",
    "utils",
    "models",
    "views",
    "jobs",
]
_SUFFIXES: Final = [
    "py",
    "go",
    "ts",
    "js",
    "rs",
    "java",
    "json",
    "yaml",
    "toml",
    "md",
    "csv",
    "txt",
    "log",
    "sql",
    "html",
    "pdf",
    "docx",
]


def _word(dice: random.Random) -> str:
    return "".join(dice.choices("bcdfghklmnprstvz", k=1)) + "".join(
        a + b for a, b in zip(dice.choices("aeiou", k=3), dice.choices("lmnrstk", k=3), strict=True)
    )


def _stem(dice: random.Random) -> str:
    return dice.choice((_word(dice), f"{_word(dice)}_{_word(dice)}", f"{_word(dice)}-{dice.randint(1, 99)}"))


def _file(dice: random.Random) -> str:
    return f"{_stem(dice)}.{dice.choice(_SUFFIXES)}"


def _path(dice: random.Random) -> str:
    folders = "/".join(dice.choice((*_PARTS, *_NAMES, _stem(dice))) for _ in range(dice.randint(1, 5)))
    return dice.choice(("/", "/home/", "/var/lib/", "~/", "./", "../", "")) + f"{folders}/{_file(dice)}"


def _time(dice: random.Random) -> str:
    day = f"2026-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}"
    clock = f"{dice.randint(0, 23):02d}:{dice.randint(0, 59):02d}:{dice.randint(0, 59):02d}"
    return dice.choice(
        (day, f"{day}T{clock}Z", f"{day} {clock}", f"{day}T{clock}.{dice.randint(0, 999):03d}+02:00")
    )


def _camel(dice: random.Random) -> str:
    return "".join(_word(dice).capitalize() for _ in range(dice.randint(2, 3)))


def _listed(item: Callable[[random.Random], str], most: int = 6) -> Callable[[random.Random], str]:
    return lambda dice: ", ".join(item(dice) for _ in range(dice.randint(1, most)))


def _sentence(dice: random.Random) -> str:
    return " ".join(_word(dice) for _ in range(dice.randint(2, 6)))


def _body(dice: random.Random) -> str:
    fields = {
        "id": dice.randint(1, 10**6),
        "user": dice.choice(_NAMES),
        "tags": [_word(dice) for _ in range(dice.randint(0, 3))],
    }
    return json.dumps({"request_id": str(uuid.UUID(int=dice.getrandbits(128))), "details": fields})


def _python_trace(dice: random.Random) -> str:
    steps = "".join(
        f'  File "{_path(dice)}", line {dice.randint(1, 900)}, in {_stem(dice)}\n    {_word(dice)}({_word(dice)})\n'
        for _ in range(dice.randint(1, 6))
    )
    return "Traceback (most recent call last):\n" + steps


def _java_trace(dice: random.Random) -> str:
    return "".join(
        f"\n\tat com.{_word(dice)}.{_camel(dice)}.{_word(dice)}({_camel(dice)}.java:{dice.randint(1, 900)})"
        for _ in range(dice.randint(1, 6))
    )


SLOTS: Final[Mapping[str, Callable[[random.Random], str]]] = {
    "path": _path,
    "file": _file,
    "winpath": lambda d: "C:\\" + "\\".join(_word(d) for _ in range(d.randint(1, 4))) + f"\\{_word(d)}.exe",
    "n": lambda d: str(d.choice((d.randint(0, 9), d.randint(10, 999), d.randint(1_000, 10**7)))),
    "float": lambda d: f"{d.uniform(0, 2_000):.{d.randint(1, 4)}f}",
    "money": lambda d: f"{d.randint(1, 9_999):,}.{d.randint(0, 99):02d}",
    "percent": lambda d: f"{d.randint(0, 100)}%",
    "hex": lambda d: f"{d.getrandbits(160):040x}"[: d.choice((8, 12, 40))],
    "address": lambda d: f"0x{d.getrandbits(48):012x}",
    "uuid": lambda d: str(uuid.UUID(int=d.getrandbits(128))),
    "ip": lambda d: ".".join(str(d.randint(1, 254)) for _ in range(4)),
    "status": lambda d: str(d.randint(1, 255)),
    "port": lambda d: str(d.randint(1024, 65535)),
    "host": lambda d: f"{_word(d)}-{d.randint(1, 40)}.{d.choice(('example.com', 'corp.internal', 'prod.local', 'acme.io'))}",
    "url": lambda d: f"https://{_word(d)}.example.com/{_word(d)}/{d.randint(1, 999)}?q={_word(d)}",
    "email": lambda d: f"{d.choice(_NAMES)}.{_word(d)}@example.com",
    "name": lambda d: d.choice(_NAMES),
    "noun": lambda d: d.choice(_NOUNS),
    "word": _word,
    "symbol": _stem,
    "camel": _camel,
    "time": _time,
    "duration": lambda d: f"{d.randint(1, 900)}{d.choice(('ms', 's', ' seconds', 'm', ' ms'))}",
    "size": lambda d: f"{d.randint(1, 900)}{d.choice(('MB', ' MB', 'KB', ' GiB', ' bytes'))}",
    "id": lambda d: f"{d.choice(('job', 'order', 'req', 'usr', 'TASK', 'INV'))}{d.choice('-_')}{d.randint(1, 10**6)}",
    "version": lambda d: f"{d.randint(0, 20)}.{d.randint(0, 30)}.{d.randint(0, 99)}",
    "q": _sentence,
    "files": _listed(_file),
    "ids": _listed(lambda d: f"item_{d.randint(1, 9_999)}"),
    "numbers": _listed(lambda d: str(d.randint(1, 9_999))),
    "quoteds": _listed(lambda d: f"'{_word(d)}'"),
    "body": _body,
    "trace": _python_trace,
    "stack": _java_trace,
    "pid": lambda d: str(d.randint(300, 99_999)),
}  # fmt: skip
_SLOT: Final = re.compile(r"\{(\w+)\}")

SHAPES: Final[Mapping[str, Sequence[str]]] = {
    "paths": (
        "cat: {path}: No such file or directory", "cat: {path}: Is a directory", "ls: cannot access '{path}': No such file or directory",
        "error: pathspec '{path}' did not match any file(s) known to git", "fatal: could not open '{path}' for reading: Permission denied",
        "fatal: could not open '{path}' for writing: Permission denied", "could not copy {path} to {path}", "could not move {path} to {path}",
        "cannot delete {winpath}: it is in use by another process", "make: *** [{file}:{n}: all] Error {n}",
        "{path}:{n}:{n}: undefined reference to symbol", "{path}:{n}: warning: unused variable", "The system cannot find the path {winpath}",
        "rsync: failed to set times on {path}: Operation not permitted", "{path} is not a valid archive",
    ),
    "numbers": (
        "payment amount does not add up, total price is {n}, but paid {n}", "expected {n} arguments, got {n}", "index {n} is out of range for length {n}",
        "balance {money} is not enough for {money}", "process {pid} exited with signal {n}", "retry {n} of {n} failed after {duration}",
        "timed out after {duration} waiting for the lock", "timed out after {duration} waiting for a connection",
        "upload of {file} ({size}) exceeds the limit of {size}", "disk usage at {percent}, above {percent}", "cache hit rate fell to {float}",
        "loss is nan at step {n} with rate {float}", "exit status {status}", "worker {n} has not answered for {duration}",
        "HTTP 404 for {url}", "HTTP 503 for {url}", "HTTP 413 payload of {size} refused", "only {n} of {n} replicas are ready",
    ),
    "ids": (
        "job {uuid} failed", "job {uuid} was cancelled", "order {id} is already paid", "order {id} is already shipped", "object {hex} is corrupt",
        "fatal: bad object {hex}", "segfault at {address} ip {address} sp {address} error {n}", "lease {uuid} held by {id} has expired",
        "transaction {id} was rolled back because of {id}", "no route to {ip}:{port}", "connection to {host}:{port} refused",
        "connection to {host}:{port} reset by peer", "certificate of {host} expired on {time}", "certificate of {host} is not yet valid until {time}",
        "peer {ip} sent an unknown message type {n}", "user {email} has no access to {id}", "flight {id} not available on date {time}",
        "commit {hex} is not an ancestor of {hex}", "package {word} {version} requires {word} >= {version}", "unsupported version {version}",
    ),
    "quotes": (
        "KeyError: '{word}'", "unknown option '{word}'", 'column "{symbol}" of relation "{noun}" does not exist', 'relation "{noun}" does not exist',
        'role "{name}" does not exist', "No module named '{symbol}'", "'{camel}' object has no attribute '{symbol}'", "'{camel}' object is not callable",
        "'{camel}' object is not subscriptable", "cannot import name '{symbol}' from '{symbol}' ({path})", "String to replace not found in file: \"{q}\"",
        "Agent type '{word}' not found. Available agents: {quoteds}", "undefined: `{camel}`", "imported and not used: \"{word}/{word}\"",
        "invalid value “{q}” for option “{word}”", "fatal: '{symbol}' is already used by worktree at '{path}'", "branch '{symbol}' not found.",
    ),
    "lists": (
        "missing required fields: {ids}", "these items are out of stock: {ids}", "conflicts in {files}", "tests failed: {ids}",
        "ports {numbers} are already in use", "unexpected keys {quoteds} in the configuration", "pods not ready: {ids}", "would overwrite {files}",
        "duplicate rows {numbers} in {file}", "cannot merge {files}: they have changed since",
    ),
    "names": (
        "user {name} is not in the sudoers file", "user {name} is locked", "permission denied for table {noun}", "lock on table {noun} held by {name}",
        "{name} may not approve a request of {name}", "no such column in {noun}", "index on {noun} is corrupt and must be rebuilt", "queue {noun} is full",
        "queue {noun} is paused", "topic {noun} has no leader", "mailbox of {name} is over quota by {size}", "unknown shelf {word} in the archive",
        "{camel} is deprecated and will be removed", "variable {symbol} is declared and not used", "no space left on volume {word}",
        "password check failed for {name} from {ip} port {port}", "service {word} stopped unexpectedly", "service {word} started slowly",
    ),
    "twins": (
        "failed to open the file", "failed to close the file", "failed to lock the file", "failed to read the response body",
        "failed to write the response body", "the token has expired", "the token has been revoked", "the file was found in the index",
        "the file was not found in the index", "too many open files", "too many open connections", "the request is too large", "the response is too large",
        "broken pipe", "bad address", "disk is full", "read-only file system", "the daemon is not running", "the daemon is already running",
    ),
    "clocks": (
        "{time} ERROR [{id}] task queue stalled for {duration}", "{time} ERROR [{id}] task queue overflowed", "{time} FATAL could not bind {ip}:{port}",
        "[{time}] [error] [client {ip}] script not found: {path}", "{time} WARN slow query ({duration}) on {noun}", "{time} panic in goroutine {n}",
    ),
    "json": (
        '{{"error": "no such room", "details": {body}}}', '{{"error": "room is closed", "details": {body}}}', '{{"status": "error", "message": "quota of {n} exceeded", "meta": {body}}}',
        '{{"error": {{"code": {n}, "message": "the key {symbol} is not valid"}}}}', '{{"message": "rate limit reached", "retry_after": {n}, "error": true}}',
    ),
    "traces": (
        "{trace}ValueError: invalid literal for int() with base 10: '{word}'", "{trace}ValueError: could not convert string to float: '{word}'",
        "{trace}FileNotFoundError: [Errno 2] No such file or directory: '{path}'", "{trace}PermissionError: [Errno 13] Permission denied: '{path}'",
        "{trace}TypeError: {symbol}() missing {n} required positional arguments: {quoteds}", "{trace}TypeError: {symbol}() got an unexpected keyword argument '{symbol}'",
        "{trace}ZeroDivisionError: division by zero", "{trace}ConnectionRefusedError: [Errno 111] Connection refused",
        "Exception in thread main: java.lang.NullPointerException: cannot read field {word}{stack}", "java.lang.IllegalStateException: pool {noun} is shut down{stack}",
    ),
    "languages": (
        "Datei »{path}« wurde nicht gefunden", "Datei »{path}« ist schreibgeschützt", "Der Benutzer {name} hat keine Berechtigung für {noun}",
        "impossible d'ouvrir « {path} » : fichier inexistant", "délai de {duration} dépassé en attendant {host}", "no se puede abrir el archivo '{path}'",
        "el usuario {name} no existe", "無法開啟檔案 {path}", "无法打开文件「{path}」：没有权限", "ファイル「{path}」が見つかりません", "ファイル「{path}」は使用中です",
        "{n}番目の引数が不正です", "файл «{path}» не найден", "нет доступа к «{path}» для {name}", "não foi possível ligar a {host}:{port}",
    ),
}  # fmt: skip


def labelled_log(messages: int, seed: int) -> tuple[list[str], list[int]]:
    """(messages, template of each) in a random order; the same for the same seed."""
    dice = random.Random(seed)
    templates = [t for shape in SHAPES.values() for t in shape]
    order = dice.sample(range(len(templates)), len(templates))
    weights = [1 / (rank + 2) for rank in range(len(order))]
    labels = dice.choices(order, weights, k=messages)
    return [_filled(templates[label], dice) for label in labels], labels


def _filled(template: str, dice: random.Random) -> str:
    text = _SLOT.sub(lambda found: SLOTS[found[1]](dice), template.replace("{{", "\0").replace("}}", "\1"))
    return text.replace("\0", "{").replace("\1", "}")
