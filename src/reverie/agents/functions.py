"""Python functions as custom tools: their schema from type hints and docstring, their calls answered here."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast, get_type_hints

import griffe
import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import to_json

from reverie.domain.errors import UsageError
from reverie.domain.events import Json, JsonObject
from reverie.domain.messages import Document, Image, Text, ToolSpec
from reverie.plugins import Handler, Output

__all__ = ["Function", "Functions", "outputs", "tool"]

F = TypeVar("F", bound=Callable[..., Any])

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_STYLES: Final[Any] = {style: {"warnings": False} for style in ("google", "numpy", "sphinx")}
_SAID: Final = "__reverie_tool__"
_NAMING: Final = ("properties", "$defs")
_VALUES: Final = ("default", "examples", "enum", "const")  # in a schema: no schemas
_CUT_OFF: Final = (
    "the program that ran this tool stopped before it had a result: whether it took effect is unknown"
)
_FOLDER: Final = ContextVar[Callable[[], Path]]("reverie_outputs")


def outputs() -> Path:
    """The folder with what the session hands over, for a function that is one of its tools: what the function
    writes there is among the session's deliverables, and is what a grader judges.

        def write_report(text: str) -> str:
            (reverie.outputs() / "report.md").write_text(text)
            return "written"

    In the session's sandbox it is ``/mnt/session/outputs``. It is the session's own, for specialists of a team too.

    Raises:
        UsageError: no session called this; or its folders are on another machine.
    """
    folder = _FOLDER.get(None)
    if folder is None:
        raise UsageError(
            "no session is calling: there are no outputs", hint="ask in a function that is a tool"
        )
    return folder()


@dataclass(frozen=True, slots=True)
class _Said:
    """What ``tool`` says of a function."""

    name: str | None = None
    description: str | None = None
    repeatable: bool = False


def tool(
    *, name: str | None = None, description: str | None = None, repeatable: bool = False
) -> Callable[[F], F]:
    """Say more of a function that is a tool than its name and docstring do; it stays the function it is.

        @reverie.tool(repeatable=True)
        def price(article: str) -> float: ...

    Args:
        name: What the model calls it.
        description: What the model is told of it, in the place of the docstring's text.
        repeatable: A call that a crash cut off is made again: it changes nothing, or the same once more.
            Otherwise the agent is told that its outcome is unknown.
    """

    def said(function: F) -> F:
        setattr(function, _SAID, _Said(name, description, repeatable))
        return function

    return said


class Function:
    """One Python function, as a tool.

    Its name is the function's, its description and those of its arguments are the docstring's (Google, NumPy
    or Sphinx style), its schema follows from the type hints. Arguments are validated and converted before the
    call (a ``date`` comes as a ``date``).

    Raises:
        UsageError: it has no name of its own (a lambda), or takes what JSON cannot say (positional-only or
            variable arguments, a type without a JSON form).
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        said: _Said = getattr(function, _SAID, _Said())
        self._call, schema = _adapter(function)
        self._is_async = inspect.iscoroutinefunction(function)
        self.function: Final = function
        self.repeatable: Final = said.repeatable
        self.spec: Final = _spec(function, schema, said)

    async def __call__(self, input: JsonObject) -> Output:
        """Call it. An exception of the function is an output with ``is_error``. A function that is not
        async runs in a thread."""
        try:
            told = msgspec.json.encode(input)
            if self._is_async:
                return _output(await self._call.validate_json(told))
            return _output(await asyncio.to_thread(self._call.validate_json, told))
        except ValidationError as error:
            return _failed(f"the arguments do not fit: {_misfits(error)}")
        except Exception as error:  # noqa: BLE001  (whatever it is, it is the model's to read)
            return _failed(f"{type(error).__name__}: {error}")


class Functions:
    """The functions that answer the custom tools of one session.

    Wherever the runtime asks from, a function is called on the event loop of the program that waits for the
    session, where its clients and locks belong; on the runtime's own where nobody waits.
    """

    def __init__(self, functions: Iterable[Callable[..., Any]] = ()) -> None:
        self._functions = [Function(function) for function in functions]
        self._home: asyncio.AbstractEventLoop | None = None
        self.folder: Callable[[], Path] | None = None
        """Where the session is that calls them: gives the folder with what it hands over."""

    @property
    def specs(self) -> list[ToolSpec]:
        return [function.spec for function in self._functions]

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The functions as they were given, by the name of the tool."""
        return {each.spec.name: each.function for each in self._functions}

    def here(self) -> None:
        """This is the loop of the program that waits."""
        self._home = asyncio.get_running_loop()

    def handlers(self) -> Mapping[str, Handler]:
        """What the runtime calls, by the name of the tool."""
        return {function.spec.name: _Answering(self, function) for function in self._functions}

    async def call(self, name: str, input: JsonObject) -> Output | None:
        """What the function of that name gives, called here; None where there is none."""
        found = next((function for function in self._functions if function.spec.name == name), None)
        return None if found is None else await self._within(found, input)

    async def at_home(self, function: Function, input: JsonObject) -> Output:
        """Call a function on the loop of the program, whichever loop asks."""
        home = self._home
        if home is None or not home.is_running() or home is asyncio.get_running_loop():
            return await self._within(function, input)
        there = asyncio.run_coroutine_threadsafe(self._within(function, input), home)
        try:
            return await asyncio.wrap_future(there)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return _failed(_CUT_OFF)  # the other loop ended meanwhile

    async def _within(self, function: Function, input: JsonObject) -> Output:
        """Call a function that can ask for the session's outputs."""
        if self.folder is None:
            return await function(input)
        mark = _FOLDER.set(self.folder)
        try:
            return await function(input)
        finally:
            _FOLDER.reset(mark)


class _Answering:
    """A ``Handler``. Of one that is ``repeatable`` the runtime makes a call again that was cut off."""

    def __init__(self, functions: Functions, function: Function) -> None:
        self._functions = functions
        self._function = function
        self.repeatable: Final = function.repeatable

    async def __call__(self, input: JsonObject) -> Output:
        return await self._functions.at_home(self._function, input)


# ------------------------------------------------------------------ what a function says of itself


def _adapter(function: Callable[..., Any]) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(cast(Any, _plain(function)))
        return adapter, adapter.json_schema()
    except (PydanticUserError, NameError, TypeError) as error:
        what = f"this function cannot be a tool: {str(error).splitlines()[0]}"
        hint = "give each argument a name and a type that JSON can say"
        raise UsageError(what, where=repr(function), hint=hint) from error


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; a method of an object as one whose types are known (pydantic looks for the names that a
    method's annotations use where they are not, if they are deferred)."""
    if not inspect.ismethod(function):
        return function

    def call(*args: Any, **named: Any) -> Any:
        return function(*args, **named)

    call.__name__, call.__doc__ = function.__name__, function.__doc__
    call.__annotations__ = get_type_hints(function.__func__, include_extras=True)
    call.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return call


def _spec(function: Callable[..., Any], schema: dict[str, Any], said: _Said) -> ToolSpec:
    name = said.name or getattr(function, "__name__", "")
    if not _NAME.fullmatch(name):
        raise UsageError("a tool needs a name of letters, digits, _ and -", where=repr(function))
    text, arguments = _described(function)
    properties: dict[str, dict[str, Any]] = schema["properties"]
    for argument, about in arguments.items():
        if argument in properties:
            properties[argument].setdefault("description", about)
    description = said.description or text or name.replace("_", " ")
    return ToolSpec(name, description, cast(JsonObject, _untitled(schema)))


def _described(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """What the docstring says of the function, and of each argument."""
    docstring = griffe.Docstring(inspect.getdoc(function) or "")
    text: list[str] = []
    arguments: dict[str, str] = {}
    for section in griffe.parse_auto(docstring, method="max_sections", per_style_options=_STYLES):
        if section.kind is griffe.DocstringSectionKind.text:
            text.append(section.value)
        elif section.kind is griffe.DocstringSectionKind.parameters:
            arguments |= {each.name: " ".join(each.description.split()) for each in section.value}
    return "\n\n".join(text), arguments


def _untitled(schema: Json, *, names: bool = False) -> Json:
    """A schema without the titles that repeat each name. ``names``: the keys here are names of properties."""
    if isinstance(schema, list):
        return [_untitled(each) for each in cast(list[Json], schema)]
    if not isinstance(schema, dict):
        return schema
    told = cast(dict[str, Json], schema)
    return {
        key: value if key in _VALUES and not names else _untitled(value, names=key in _NAMING and not names)
        for key, value in told.items()
        if names or key != "title"
    }


# ------------------------------------------------------------------ what a call gives


def _output(value: Any) -> Output:
    """What a function returned, for a model: text as it is, our own parts as they are, the rest as JSON."""
    if isinstance(value, Output):
        return value
    if isinstance(value, Text | Image | Document):
        return Output([value])
    if value is None:
        return Output([Text("done")])
    return Output([Text(value if isinstance(value, str) else to_json(value, fallback=repr).decode())])


def _failed(why: str) -> Output:
    return Output([Text(why)], is_error=True)


def _misfits(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}"
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    )
