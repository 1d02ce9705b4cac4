"""A wall's browser becomes a screen: GET /wall/pair shows a code, POST /wall/pair/code asks for one, POST /wall/pair/state asks
whether somebody typed it (then the session comes as cookies). Open without login; nothing of the city is told here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from callbacks.http.deps import Deps
from callbacks.http.errors import Problem
from callbacks.http.pair_page import pair_page
from callbacks.http.shell import CSRF_COOKIE, SESSION_COOKIE, client_of, cookie_of, foreign_origin
from layouts.text import COOKIE as LANGUAGE_COOKIE
from layouts.text import language_of

PAIRING_COOKIE: Final = "chengyun_pairing"
PATH: Final = "/wall/pair"
LIFETIME: Final = timedelta(days=400)
"""Of a screen's session: as long as browsers keep a cookie. It ends at once when the screen is unpaired."""


def pairing_router(deps: Deps) -> APIRouter:
    """The three routes; none where no pairings are at hand."""
    router = APIRouter()
    pairings = deps.pairings
    if pairings is None:
        return router

    def keep(
        response: Response, name: str, value: str, seconds: int, path: str = "/", *, readable: bool = False
    ) -> None:
        response.set_cookie(
            name, value, max_age=seconds, httponly=not readable, secure=deps.tls, samesite="lax", path=path
        )

    @router.get(PATH, include_in_schema=False)
    def show(request: Request) -> Response:
        chosen = request.query_params.get("lang", "") or cookie_of(request.headers, LANGUAGE_COOKIE)
        language = language_of(chosen, request.headers.get("accept-language", ""))
        return HTMLResponse(pair_page(language), headers={"Cache-Control": "no-store"})

    @router.post(f"{PATH}/code", include_in_schema=False)
    def code(request: Request) -> Response:
        _ours(request)
        try:
            found = pairings.begin(client_of(request.scope), deps.now())
        except deps.too_many_codes:
            refusal = "too many codes were asked for from here; try again in a few minutes"
            raise Problem(429, "busy", refusal, headers={"Retry-After": "60"}) from None
        left = int((found.expires_at - deps.now()).total_seconds())
        response = _told({"code": found.code, "seconds": left})
        keep(response, PAIRING_COOKIE, found.secret, left, PATH)
        return response

    @router.post(f"{PATH}/state", include_in_schema=False)
    def state(request: Request) -> Response:
        _ours(request)
        secret = cookie_of(request.headers, PAIRING_COOKIE)
        found = pairings.claim(secret, deps.now()) if secret else "over"
        if isinstance(found, str):
            return _told({"state": found})
        now, address = deps.now(), client_of(request.scope)
        token, csrf = deps.sessions.open(found, address=address, now=now, lifetime=LIFETIME)
        session = deps.sessions.find(token, now)
        if session is None:  # unpaired in the same moment
            return _told({"state": "over"})
        deps.audit.append(
            actor=session.actor.login, role=session.actor.role, action="session.login",
            thing=f"account:{session.actor.login}", allowed=True, now=now,
            detail={"address": address, "why": "paired"},
        )  # fmt: skip
        response = _told({"state": "paired"})
        seconds = int(LIFETIME.total_seconds())
        keep(response, SESSION_COOKIE, token, seconds)
        keep(response, CSRF_COOKIE, csrf, seconds, readable=True)
        response.delete_cookie(PAIRING_COOKIE, path=PATH, secure=deps.tls, samesite="lax")
        return response

    return router


def _ours(request: Request) -> None:
    fault = foreign_origin(request.scope, request.headers)
    if fault:
        raise Problem(403, "csrf", fault, field="Origin")


def _told(facts: dict[str, Any]) -> Response:
    return JSONResponse(facts, headers={"Cache-Control": "no-store"})
