"""Models over HTTP: what is configured here, with null for what nobody has measured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from reverie.domain.errors import Invalid
from reverie.server.endpoint import Call, Endpoint, IdPage
from reverie.server.wire.models import Model, ModelList

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/models"
_UNKNOWN: Final = datetime(1970, 1, 1, tzinfo=UTC)  # the wire's word for a release date that is not known


def _retrieve(call: Call[None, None]) -> Model:
    return _model(call.house.models.resolve(call.path["model_id"]))


def _list(call: Call[None, ModelList]) -> IdPage[Model]:
    query = call.query
    ids = list(call.house.models.ids)
    if query.lifecycle is not None and "active" not in query.lifecycle:
        ids = []
    if query.before_id is not None:
        ids = ids[: _index(ids, "before_id", query.before_id)]
        shown = ids[-query.limit :]
    else:
        first = 0 if query.after_id is None else _index(ids, "after_id", query.after_id) + 1
        ids = ids[first:]
        shown = ids[: query.limit]
    return IdPage(
        data=[_model(id_) for id_ in shown],
        has_more=len(shown) < len(ids),
        first_id=shown[0] if shown else None,
        last_id=shown[-1] if shown else None,
    )


def _index(ids: list[str], field: str, told: str) -> int:
    if told not in ids:
        raise Invalid(field, "the id of a model in the list", told)
    return ids.index(told)


def _model(model_id: str) -> Model:
    return Model(
        id=model_id,
        allowed_fallback_models=[],
        capabilities=None,
        created_at=_UNKNOWN,
        deprecated_at=None,
        display_name=model_id,
        lifecycle="active",
        line=None,
        max_input_tokens=None,
        max_tokens=None,
        retires_at=None,
    )


ENDPOINTS: Final = (
    Endpoint("GET", _PATH, _list, IdPage[Model], "models:read", query=ModelList, tag="models",
             summary="The models that are configured"),
    Endpoint("GET", f"{_PATH}/{{model_id}}", _retrieve, Model, "models:read", tag="models",
             summary="A model, by its id or by one that stands for the default"),
)  # fmt: skip
