"""One typed route per command and query, made from their dataclasses: POST /api/v1/commands/<name> and
GET /api/v1/queries/<name>. Unknown fields and wrong types are refused, naming field, value and rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from datetime import datetime
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, create_model
from pydantic import Field as Rule

from callbacks.http.deps import Deps
from callbacks.http.login import actor_of
from callbacks.http.rights import audit_refusal
from incidents.commands import ACTION_OF, COMMANDS, QUERIES
from incidents.model import Rejected

CHANNEL_HEADER: Final = "X-Chengyun-Channel"
CHANNELS: Final = frozenset({"desk", "phone", "rest"})
"""Where a command may say it comes from; anything else is 'rest'."""

_LONGEST: Final = 20_000
_MOST: Final = 200
_INT64: Final = 2**63 - 1


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must not contain half a character (lone surrogate)") from None
    return text


def _text(longest: int) -> Any:
    return Annotated[str, Rule(max_length=longest), AfterValidator(_storable)]


Text = _text(_LONGEST)
Whole = Annotated[int, Rule(ge=-_INT64, le=_INT64)]
Number = Annotated[float, Rule(allow_inf_nan=False)]
Moment = Annotated[datetime, Rule(strict=False)]
"""JSON has no moments: they come as text."""
_NARROWED: Final[dict[Any, Any]] = {str: Text, int: Whole, float: Number, datetime: Moment}


def model_of(kind: type, *, strict: bool) -> type[BaseModel]:
    """A pydantic model with the fields of a command or query, but those that only our own pages give (`inside`).
    `strict`: "1" is no number (JSON bodies)."""
    hints = get_type_hints(kind)
    members: dict[str, Any] = {}
    for member in fields(kind):
        if member.metadata.get("inside"):
            continue
        longest = member.metadata.get("longest")
        kept = _text(longest) if longest else _narrow(hints[member.name])
        members[member.name] = (kept, _default(member))
    return create_model(
        kind.__name__,
        __config__=ConfigDict(extra="forbid", strict=strict),
        __doc__=kind.__doc__,
        **members,
    )


def _narrow(hint: Any) -> Any:
    """The same type with the bounds that the store has anyway: a bigint, text without NUL, finite numbers."""
    if hint in _NARROWED:
        return _NARROWED[hint]
    parts = get_args(hint)
    if get_origin(hint) is list:
        inner = _narrow(parts[0])
        return Annotated[list[inner], Rule(max_length=_MOST)]  # type: ignore[valid-type]
    if parts and type(None) in parts:
        (inner,) = (part for part in parts if part is not type(None))
        return _narrow(inner) | None
    return hint


def _default(member: Field[Any]) -> Any:
    if member.default is not MISSING:
        return member.default
    if member.default_factory is not MISSING:
        return Rule(default_factory=member.default_factory)
    return ...


class Json(Response):
    """An answer by orjson: aware datetimes, enums and dataclasses included."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """JSON bytes."""
        try:
            return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)
        except TypeError:
            return orjson.dumps(jsonable_encoder(content), option=orjson.OPT_NON_STR_KEYS)


def commands_router(deps: Deps) -> APIRouter:
    """All command and query routes."""
    router = APIRouter()
    for name, kind in COMMANDS.items():
        router.add_api_route(
            f"/api/v1/commands/{name}",
            _command_route(deps, name, kind),
            methods=["POST"],
            summary=_title(kind),
            description=_description(name, kind),
            tags=["commands"],
            name=name,
            response_class=Json,
        )
    for name, kind in QUERIES.items():
        router.add_api_route(
            f"/api/v1/queries/{name}",
            _query_route(deps, name, kind),
            methods=["GET"],
            summary=_title(kind),
            description=_description(name, kind),
            tags=["queries"],
            name=f"query_{name}",
            response_class=Json,
        )
    return router


def _title(kind: type) -> str:
    return (kind.__doc__ or kind.__name__).strip().splitlines()[0]


def _description(name: str, kind: type) -> str:
    return f"{(kind.__doc__ or '').strip()}\n\nRight: `{ACTION_OF.get(name, '-')}`."


def plain(model: BaseModel) -> dict[str, Any]:
    """Fields of a validated model, ready for the dataclass it was made from."""
    return {name: getattr(model, name) for name in type(model).model_fields}


def _command_route(deps: Deps, name: str, kind: type) -> Callable[..., Any]:
    model = model_of(kind, strict=True)

    def route(request: Request, body: BaseModel) -> Response:
        given = request.headers.get(CHANNEL_HEADER, "")
        channel = given if given in CHANNELS else "rest"
        cause = request.scope["state"]["correlation_id"]
        return Json(deps.service.handle(kind(**plain(body)), actor_of(request), channel, cause))

    route.__annotations__["body"] = model
    route.__name__ = name
    return route


def _query_route(deps: Deps, name: str, kind: type) -> Callable[..., Any]:
    model = model_of(kind, strict=False)

    def route(request: Request, asked: BaseModel) -> Response:
        actor = actor_of(request)
        try:
            return Json(deps.service.ask(kind(**plain(asked)), actor))
        except Rejected as refused:
            if refused.code == "forbidden":
                # Commands are audited inside their transaction; a question has none.
                thing = f"{name}:{request.url.query[:200]}"
                audit_refusal(deps, actor, ACTION_OF.get(name, name), thing, str(refused))
            raise

    route.__annotations__["asked"] = Annotated[model, Query()]
    route.__name__ = f"query_{name}"
    return route
