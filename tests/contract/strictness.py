"""A strict reading of an answer: every field the SDK's model has is there, and is of its type.

The SDK itself forgives everything (it builds models without validation), so that a missing field shows
only when somebody touches it. Here the raw JSON is read against the model's annotations, through lists,
mappings and unions, with nothing converted.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from anthropic import BaseModel
from typing_extensions import TypeAliasType

__all__ = ["strict", "strict_json"]


def strict(answer: Any, model: Any = None) -> None:
    """Assert that ``answer`` (what an SDK method gave, a raw response, or plain JSON data) has every field
    of ``model`` (the annotation of the method; by default the answer's own class) with its type."""
    model = type(answer) if model is None else model
    strict_json(_plain(answer), model)


def strict_json(data: Any, model: Any, at: str = "$") -> None:
    """The same over plain JSON data."""
    problems = list(_problems(data, model, at))
    assert not problems, "\n".join(problems)


def _plain(answer: Any) -> Any:
    if isinstance(answer, BaseModel):
        # what was not sent is not among the fields set: it shows as missing
        return json.loads(answer.to_json(exclude_unset=True, use_api_names=True, warnings=False))
    if isinstance(answer, list):
        return [_plain(item) for item in answer]
    if hasattr(answer, "json") and callable(answer.json):
        return answer.json()
    return answer


def _problems(data: Any, model: Any, at: str) -> list[str]:
    model = _bare(model)
    origin, args = get_origin(model), get_args(model)
    if model is Any or model is object or isinstance(model, TypeVar):
        return []
    if _is_union(model):
        return _of_union(data, args, at)
    if origin is Literal:
        return [] if data in args else [f"{at}: {data!r} is none of {args}"]
    if isinstance(origin or model, type) and issubclass(origin or model, BaseModel):
        return _of_model(data, model, at)
    if (origin or model) in (list, tuple, set):
        if not isinstance(data, list):
            return [f"{at}: {data!r} is not a list"]
        inner = args[0] if args else Any
        return [problem for i, item in enumerate(data) for problem in _problems(item, inner, f"{at}[{i}]")]
    if (origin or model) is dict:
        if not isinstance(data, dict):
            return [f"{at}: {data!r} is not an object"]
        inner = args[1] if args else Any
        return [p for key, item in data.items() for p in _problems(item, inner, f"{at}.{key}")]
    return _of_scalar(data, model, at)


def _bare(model: Any) -> Any:
    while True:
        if isinstance(model, TypeAliasType):
            model = model.__value__
        elif get_origin(model) is Annotated:
            model = get_args(model)[0]
        else:
            return model


def _is_union(model: Any) -> bool:
    import types

    return get_origin(model) in (Union, types.UnionType)


def _of_union(data: Any, members: tuple[Any, ...], at: str) -> list[str]:
    tried = [_problems(data, member, at) for member in members]
    if any(not problems for problems in tried):
        return []
    return min(tried, key=lambda problems: (_wrong_type(problems, at), len(problems)))


def _wrong_type(problems: list[str], at: str) -> bool:
    """Whether it is not that member at all: the discriminator, or the whole, is of another kind."""
    return any(problem.startswith((f"{at}: ", f"{at}.type: ")) for problem in problems)


def _of_model(data: Any, model: Any, at: str) -> list[str]:
    if not isinstance(data, dict):
        return [f"{at}: {data!r} is not an object ({model.__name__})"]
    cls = get_origin(model) or model
    bound = _bindings(model)
    problems: list[str] = []
    for name, field in cls.model_fields.items():
        sent = field.alias or name
        if name.startswith("_"):
            continue
        if sent not in data:
            problems.append(f"{at}.{sent}: missing ({cls.__name__})")
            continue
        problems += _problems(data[sent], _bind(field.annotation, bound), f"{at}.{sent}")
    return problems


def _bindings(model: Any) -> dict[Any, Any]:
    metadata = getattr(model, "__pydantic_generic_metadata__", None) or {}
    origin = metadata.get("origin")
    return (
        dict(zip(origin.__pydantic_generic_metadata__["parameters"], metadata["args"], strict=False))
        if origin
        else {}
    )


def _bind(annotation: Any, bound: dict[Any, Any]) -> Any:
    if annotation in bound:
        return bound[annotation]
    return annotation


def _of_scalar(data: Any, model: Any, at: str) -> list[str]:
    if model is None or model is type(None):
        fits = data is None
    elif model is bool:
        fits = isinstance(data, bool)
    elif model is int:
        fits = isinstance(data, int) and not isinstance(data, bool)
    elif model is float:
        fits = isinstance(data, int | float) and not isinstance(data, bool)
    elif model is str:
        fits = isinstance(data, str)
    elif model in (datetime, date):
        fits = _is_time(data, model)
    else:
        return [f"{at}: a type this reading does not know: {model!r}"]
    return [] if fits else [f"{at}: {data!r} is not {getattr(model, '__name__', model)}"]


def _is_time(data: Any, model: type) -> bool:
    if not isinstance(data, str):
        return False
    try:
        at = model.fromisoformat(data)
    except ValueError:
        return False
    return model is date or at.tzinfo is not None
