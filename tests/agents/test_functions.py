"""Python functions as tools: what a model is told of them, and what their calls give."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import reverie
from reverie.agents.functions import Function, Functions
from reverie.domain.errors import UsageError
from reverie.domain.messages import Image, Text


class Unit(Enum):
    C = "c"
    F = "f"


class Place(BaseModel):
    title: str
    "What it is called."
    floor: int = 0


def google(city: str, days: Annotated[int, Field(ge=1)] = 3, unit: Unit = Unit.C) -> str:
    """Tell the weather.

    It looks out of the window.

    Args:
        city: Which city,
            or which village.
        days: How many days.

    Returns:
        Words.
    """
    return f"{city} {days} {unit!r}"


def numpy_style(city: str) -> None:
    """Tell the weather.

    Parameters
    ----------
    city : str
        Which city.
    """


def sphinx(city: str) -> None:
    """Tell the weather.

    :param city: Which city.
    """


async def booked(place: Place, on: date, guests: list[str]) -> dict[str, Any]:
    """Book a table."""
    await asyncio.sleep(0)
    return {"place": place, "weekday": on.strftime("%A"), "guests": guests}


def call(function: Any, **input: Any) -> tuple[str, bool]:
    output = asyncio.run(Function(function)(input))
    return "".join(part.text for part in output.content if isinstance(part, Text)), output.is_error


def test_a_function_tells_its_schema_and_what_its_arguments_mean() -> None:
    spec = Function(google).spec
    assert spec.name == "google"
    assert spec.description == "Tell the weather.\n\nIt looks out of the window."
    properties = spec.input_schema["properties"]
    assert properties["city"] == {"type": "string", "description": "Which city, or which village."}
    assert properties["days"] == {
        "type": "integer",
        "default": 3,
        "minimum": 1,
        "description": "How many days.",
    }
    assert spec.input_schema["required"] == ["city"]
    assert spec.input_schema["type"] == "object" and not spec.input_schema["additionalProperties"]


@pytest.mark.parametrize("function", [numpy_style, sphinx])
def test_other_styles_of_docstrings_are_read_too(function: Any) -> None:
    spec = Function(function).spec
    assert spec.description == "Tell the weather."
    assert spec.input_schema["properties"]["city"]["description"] == "Which city."


def test_methods_of_objects_are_tools_also_where_annotations_are_deferred() -> None:
    class Counter:
        step = 2

        def count(self, way: Literal["up", "down"], times: int = 1) -> int:
            """Count.

            Args:
                way: Which way.
            """
            return (1 if way == "up" else -1) * times * self.step

        async def wait(self, way: Literal["up", "down"]) -> str:
            return way

    functions = Functions([Counter().count, Counter().wait])
    schema = functions.specs[0].input_schema
    assert schema["properties"]["way"] == {
        "enum": ["up", "down"],
        "type": "string",
        "description": "Which way.",
    }
    counted = asyncio.run(functions.call("count", {"way": "down", "times": 3}))
    waited = asyncio.run(functions.call("wait", {"way": "left"}))
    assert counted is not None and [part.text for part in counted.content if isinstance(part, Text)] == ["-6"]
    assert waited is not None and waited.is_error


def test_a_property_called_title_stays_and_titles_that_say_nothing_go() -> None:
    schema = Function(booked).spec.input_schema
    assert "title" in schema["$defs"]["Place"]["properties"]
    assert '"title":"Place"' not in json.dumps(schema, separators=(",", ":"))


def test_nothing_is_printed_about_docstrings(capsys: pytest.CaptureFixture[str]) -> None:
    def odd(a: int) -> None:
        """Odd.

        Args:
            b: There is no such argument.
        """

    Function(odd)
    assert capsys.readouterr() == ("", "")


def test_arguments_are_converted() -> None:
    text, failed = call(booked, place={"title": "Bar", "floor": 2}, on="2026-11-22", guests=["ana"])
    assert not failed
    assert json.loads(text) == {
        "place": {"title": "Bar", "floor": 2},
        "weekday": "Sunday",
        "guests": ["ana"],
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "city: Missing required argument"),
        ({"city": "Rome", "days": 0}, "days: Input should be greater than or equal to 1"),
        ({"city": "Rome", "unit": "k"}, "unit: Input should be 'c' or 'f'"),
        ({"city": "Rome", "more": 1}, "more: Unexpected keyword argument"),
    ],
)
def test_arguments_that_do_not_fit_are_the_models_to_read(given: dict[str, Any], words: str) -> None:
    text, failed = call(google, **given)
    assert failed and words in text


def test_an_exception_is_a_result() -> None:
    def broken() -> None:
        raise LookupError("no such drawer")

    async def later() -> None:
        raise TimeoutError

    assert call(broken) == ("LookupError: no such drawer", True)
    assert call(later) == ("TimeoutError: ", True)


def test_results_are_text_or_json_or_parts() -> None:
    @dataclass
    class Point:
        x: int
        at: date

    image = Image("image/png", b"\x89PNG")
    for value, told in (
        ("as it is", "as it is"),
        (None, "done"),
        ([1, "ü"], '[1,"ü"]'),
        (Point(1, date(2026, 1, 2)), '{"x":1,"at":"2026-01-02"}'),
    ):
        assert call(lambda_of(value)) == (told, False)
    assert asyncio.run(Function(lambda_of(image))({})).content == [image]


def lambda_of(value: Any) -> Any:
    def function() -> Any:
        return value

    return function


def test_a_function_that_is_not_async_does_not_hold_up_the_loop() -> None:
    def where() -> str:
        return threading.current_thread().name

    assert call(where)[0] != threading.current_thread().name


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x,
        functools.partial(google, "Rome"),
        eval("lambda a, /: a"),
        lambda_of(lambda: 1)(),
    ],
)
def test_what_cannot_be_a_tool_is_said_when_it_is_defined(function: Any) -> None:
    with pytest.raises(UsageError):
        Function(function)


def test_a_type_without_a_json_form_is_refused() -> None:
    def odd(lock: threading.Event) -> None: ...

    def unknown(x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    for function in (odd, unknown):
        with pytest.raises(UsageError, match="cannot be a tool"):
            Function(function)


def test_tool_says_more_of_a_function_and_leaves_it_what_it_is() -> None:
    @reverie.tool(name="the-price", description="What it costs.", repeatable=True)
    def price(article: str) -> float:
        """Ours."""
        return 1.5

    assert price("tea") == 1.5
    function = Function(price)
    assert (function.spec.name, function.spec.description) == ("the-price", "What it costs.")
    assert Functions([price]).handlers()["the-price"].repeatable


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=5),
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8")),
        max_size=4,
    )
)
def test_what_goes_in_comes_out(value: dict[str, Any]) -> None:
    def same(value: dict[str, Any]) -> dict[str, Any]:
        return value

    assert json.loads(call(same, value=value)[0]) == value


def test_a_call_from_another_loop_runs_on_the_loop_of_the_program() -> None:
    """The runtime has a loop of its own; a function's clients and locks live on the program's."""
    ran: list[threading.Thread] = []

    async def where() -> Literal["here"]:
        ran.append(threading.current_thread())
        return "here"

    functions = Functions([where])
    handler = functions.handlers()["where"]

    async def program() -> None:
        functions.here()
        await asyncio.to_thread(lambda: asyncio.run(handler({})))  # type: ignore[arg-type]

    asyncio.run(program())
    asyncio.run(handler({}))  # type: ignore[arg-type]  (nobody waits any more)
    assert ran == [threading.current_thread()] * 2


def test_a_program_that_stops_leaves_a_call_with_an_unknown_outcome() -> None:
    async def forever() -> None:
        began.set()
        await asyncio.Event().wait()

    began = threading.Event()
    functions = Functions([forever])
    found: list[Any] = []

    def runtime() -> None:
        found.append(asyncio.run(functions.handlers()["forever"]({})))  # type: ignore[arg-type]

    thread = threading.Thread(target=runtime)

    async def program() -> None:
        functions.here()
        thread.start()
        await asyncio.to_thread(began.wait)

    asyncio.run(program())
    thread.join(30)
    assert found[0].is_error and "unknown" in found[0].content[0].text
