"""Errors as JSON: {"code", "message", "field", …}, the message naming field, value and rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from incidents.model import Rejected

STATUS_OF: Final = {
    "forbidden": 403,
    "not_found": 404,
    "stale": 409,
    "stage": 409,
    "field": 422,
    "rule": 422,
}
"""Code of a Rejected → HTTP status; any other code is a 400."""

_CODE_OF: Final = {
    400: "bad_request",
    401: "login",
    403: "forbidden",
    404: "not_found",
    405: "method",
    413: "too_large",
    429: "busy",
    503: "away",
}

log = structlog.get_logger()


class Problem(Exception):
    """An answer other than success, from anywhere below a route."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str = "",
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {**facts, "code": code, "message": message, "field": field}
        self.headers = dict(headers or {})


def problem(
    status: int, code: str, message: str, *, field: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """A refusal made outside of a route (the shell)."""
    body = {"code": code, "message": message, "field": field}
    return JSONResponse(body, status, headers=dict(headers or {}))


def rejected(error: Rejected) -> Response:
    """The domain said no."""
    facts = {name: value for name, value in error.facts.items() if name not in ("code", "message", "field")}
    body = {**facts, "code": error.code, "message": str(error), "field": error.field}
    return JSONResponse(jsonable_encoder(body), STATUS_OF.get(error.code, 400))


def shown(value: object) -> str:
    """A value inside an error message: short, one line."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def register(app: FastAPI, store_away: tuple[type[Exception], ...]) -> None:
    """Teach `app` to answer errors this way."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> Response:
        return JSONResponse(jsonable_encoder(error.body), error.status, headers=error.headers)

    @app.exception_handler(Rejected)
    async def _rejected(request: Request, error: Rejected) -> Response:
        return rejected(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        faults = []
        for fault in error.errors():
            place = [str(part) for part in fault["loc"] if part not in ("body", "query", "path", "header")]
            name = ".".join(place)
            if fault["type"] == "json_invalid":
                name, place = "body", ["body"]
            rule = str(fault["msg"])
            value = "" if fault["type"] in ("missing", "extra_forbidden") else shown(fault.get("input"))
            if fault["type"] == "extra_forbidden":
                rule = "no such field"
            faults.append({"field": name, "value": value, "rule": rule})
        first = faults[0]
        value = f"={first['value']}" if first["value"] else ""
        message = f"{first['field'] or 'body'}{value}: {first['rule']}"
        body = {"code": "field", "message": message, "field": first["field"], "errors": faults}
        return JSONResponse(body, 422)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = _CODE_OF.get(error.status_code, "error")
        return problem(error.status_code, code, str(error.detail), headers=error.headers)

    async def _away(request: Request, error: Exception) -> Response:
        log.warning("store_away", error=str(error))
        return problem(503, "away", "the store is away; try again", headers={"Retry-After": "2"})

    for kind in store_away:
        app.add_exception_handler(kind, _away)
