"""Login, logout, password, language, and the way home: /, /login, /logout, /password, /api/v1/me, /api/v1/language."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from callbacks.http.deps import Deps, SessionRow
from callbacks.http.errors import Problem
from callbacks.http.login_page import login_page, password_page
from callbacks.http.shell import (
    CSRF_COOKIE,
    CSRF_HEADER,
    SESSION_COOKIE,
    client_of,
    cookie_of,
    csrf_fault,
    foreign_origin,
)
from incidents.access import RIGHTS
from incidents.model import Actor, Rejected
from layouts.text import COOKIE as LANGUAGE_COOKIE
from layouts.text import LANGUAGES, language_of

HOME_OF: Final = {
    "operator": "/desk",
    "dispatcher": "/desk",
    "unit_handler": "/phone",
    "evaluator": "/evaluation",
    "theme_owner": "/desk",
    "duty_leader": "/leader",
    "grid_worker": "/phone",
    "wall": "/wall",
    "administrator": "/admin",
    "auditor": "/ops",
}
"""Where each role lands after login."""

LEAST_PASSWORD: Final = 10
"""Shown beside the form; `data/accounts.py` holds the rule (tests compare the two)."""

_YEAR_S: Final = 365 * 24 * 3600
_CHECKS_AT_ONCE: Final = 4  # each takes 64 MiB and a core; the rest waits here, not in the thread pool


class Language(BaseModel):
    """The language of the screens."""

    model_config = ConfigDict(extra="forbid")
    language: str


def login_router(deps: Deps) -> APIRouter:
    """The routes of everything around a session."""
    router = APIRouter()
    checking = asyncio.Semaphore(_CHECKS_AT_ONCE)

    def keep(response: Response, name: str, value: str, *, readable: bool = False, seconds: int = 0) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds or int(deps.session_h * 3600),
            httponly=not readable,
            secure=deps.tls,
            samesite="lax",
            path="/",
        )

    def page(request: Request, html: str, status: int = 200) -> HTMLResponse:
        response = HTMLResponse(html, status, headers={"Cache-Control": "no-store"})
        chosen = request.query_params.get("lang", "")
        if chosen in LANGUAGES:
            keep(response, LANGUAGE_COOKIE, chosen, readable=True, seconds=_YEAR_S)
        return response

    async def audit(
        actor: str, role: str, action: str, allowed: bool, request: Request, why: str = ""
    ) -> None:
        await run_in_threadpool(
            deps.audit.append,
            actor=actor,
            role=role,
            action=action,
            thing=f"account:{actor}",
            allowed=allowed,
            now=deps.now(),
            detail={"address": client_of(request.scope)} | ({"why": why} if why else {}),
        )

    @router.get("/", include_in_schema=False)
    def home(request: Request) -> Response:
        return RedirectResponse(home_of(actor_of(request)), 302)

    @router.get("/login", include_in_schema=False)
    def login_form(request: Request) -> Response:
        csrf = cookie_of(request.headers, CSRF_COOKIE) or secrets.token_urlsafe(24)
        next_path = inner_path(request.query_params.get("next", ""))
        response = page(request, login_page(_language(request), csrf=csrf, next_path=next_path))
        keep(response, CSRF_COOKIE, csrf, readable=True)
        return response

    @router.post("/login", include_in_schema=False)
    async def log_in(request: Request) -> Response:
        form = await _form(request)
        login, password, next_path = (
            _text(form, "login"),
            _text(form, "password"),
            inner_path(_text(form, "next")),
        )
        csrf = cookie_of(request.headers, CSRF_COOKIE)
        stale = not csrf or not secrets.compare_digest(_text(form, "csrf").encode(), csrf.encode())
        if stale or foreign_origin(request.scope, request.headers):
            csrf = csrf or secrets.token_urlsafe(24)
            html = login_page(
                _language(request), csrf=csrf, next_path=next_path, fault="login.expired", login=login
            )
            response = page(request, html, 403)
            keep(response, CSRF_COOKIE, csrf, readable=True)
            return response
        async with checking:
            account = await run_in_threadpool(deps.accounts.check, login, password, deps.now())
        if account is None:
            await audit(login[:80], "", "session.login", False, request)
            html = login_page(
                _language(request), csrf=csrf, next_path=next_path, fault="login.failed", login=login
            )
            return page(request, html, 401)
        token, csrf = await run_in_threadpool(
            deps.sessions.open, account.id, address=client_of(request.scope), now=deps.now()
        )
        await audit(account.login, account.role, "session.login", True, request)
        target = "/password" if account.must_change else next_path or _home(account.role)
        done = RedirectResponse(target, 303, headers={"Cache-Control": "no-store"})
        keep(done, SESSION_COOKIE, token)
        keep(done, CSRF_COOKIE, csrf, readable=True)
        return done

    @router.post("/logout", include_in_schema=False)
    async def log_out(request: Request) -> Response:
        session = session_of(request)
        by_script = bool(request.headers.get(CSRF_HEADER))
        field = "" if by_script else _text(await _form(request), "csrf")
        _believe(request, session, field)
        await run_in_threadpool(deps.sessions.end, session.token_hash, deps.now())
        await audit(session.actor.login, session.actor.role, "session.logout", True, request)
        response = Response(status_code=204) if by_script else RedirectResponse("/login", 303)
        for name in (SESSION_COOKIE, CSRF_COOKIE):
            response.delete_cookie(name, path="/", secure=deps.tls, samesite="lax")
        return response

    @router.get("/password", include_in_schema=False)
    def password_form(request: Request) -> Response:
        session = session_of(request)
        html = password_page(
            _language(request), csrf=session.csrf, first=session.must_change, least=LEAST_PASSWORD
        )
        return page(request, html)

    @router.post("/password", include_in_schema=False)
    async def change_password(request: Request) -> Response:
        session, form = session_of(request), await _form(request)
        _believe(request, session, _text(form, "csrf"))
        actor, fault = session.actor, ""
        if _text(form, "new") != _text(form, "again"):
            fault = "password.differ"
        else:
            try:
                async with checking:
                    await run_in_threadpool(
                        deps.accounts.change_password,
                        actor.id,
                        _text(form, "old"),
                        _text(form, "new"),
                        keep_session=session.token_hash,
                        now=deps.now(),
                    )
            except Rejected as error:
                fault = "password.wrong_old" if error.field == "old" else "password.wrong_new"
        await audit(actor.login, actor.role, "session.password", not fault, request, fault)
        if fault:
            html = password_page(
                _language(request),
                csrf=session.csrf,
                first=session.must_change,
                least=LEAST_PASSWORD,
                fault=fault,
            )
            return page(request, html, 422)
        return RedirectResponse(home_of(actor), 303)

    @router.get("/api/v1/me", tags=["session"])
    def me(request: Request) -> dict[str, Any]:
        """Who is logged in, and what his role may do."""
        session = session_of(request)
        actor = session.actor
        return {
            "login": actor.login,
            "name": actor.name,
            "role": actor.role,
            "unit": actor.unit,
            "areas": list(actor.areas),
            "rights": sorted(RIGHTS.get(actor.role, frozenset())),
            "home": home_of(actor),
            "language": _language(request),
            "expires_at": int(session.expires_at.timestamp() * 1000),
        }

    @router.post("/api/v1/language", tags=["session"])
    def set_language(request: Request, body: Language) -> Response:
        """Choose the language of the screens; kept in a cookie."""
        if body.language not in LANGUAGES:
            rule = f"must be one of {', '.join(LANGUAGES)}"
            raise Problem(422, "field", f"language={body.language[:20]!r}: {rule}", field="language")
        response = Response(status_code=204)
        keep(response, LANGUAGE_COOKIE, body.language, readable=True, seconds=_YEAR_S)
        return response

    return router


def session_of(request: Request) -> SessionRow:
    """The session that the shell found; 401 on routes that are open and have none."""
    session: SessionRow | None = request.scope["state"].get("session")
    if session is None:
        raise Problem(401, "login", "no session: log in at /login")
    return session


def actor_of(request: Request) -> Actor:
    """The logged-in actor of a request."""
    return session_of(request).actor


def home_of(actor: Actor) -> str:
    """The page a role works on."""
    return _home(actor.role)


def inner_path(text: str) -> str:
    """`text` when it is a path of ours to go on to, else ''. Never another server."""
    if not text.startswith("/") or text.startswith(("//", "/\\", "/login", "/logout", "/api/", "/live")):
        return ""
    return text if text.isprintable() and "\\" not in text and len(text) <= 500 else ""


def _home(role: str) -> str:
    return HOME_OF.get(role, "/desk")


def _believe(request: Request, session: SessionRow, field: str) -> None:
    fault = csrf_fault(request.scope, request.headers, session, field)
    if fault:
        raise Problem(403, "csrf", fault, field="X-CSRF-Token")


async def _form(request: Request) -> FormData:
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        rule = "must be application/x-www-form-urlencoded"
        raise Problem(415, "field", f"Content-Type={kind[:80]!r}: {rule}", field="Content-Type")
    return await request.form(max_fields=20)


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _language(request: Request) -> str:
    chosen = request.query_params.get("lang", "") or cookie_of(request.headers, LANGUAGE_COOKIE)
    return language_of(chosen, request.headers.get("accept-language", ""))
