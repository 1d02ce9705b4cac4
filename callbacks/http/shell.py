"""The shell around every route: correlation id, security headers, session, CSRF, body limits, request log.

Everything that is not named in OPEN_PATHS or OPEN_FOLDERS needs a session: a route added later is closed until
somebody opens it here. Plain ASGI, so that streams pass through unbuffered.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Final
from urllib.parse import quote, urlsplit

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callbacks.http.deps import Deps, SessionRow
from callbacks.http.errors import problem
from callbacks.http.measures import Measures

SESSION_COOKIE: Final = "chengyun_session"
CSRF_COOKIE: Final = "chengyun_csrf"
CSRF_HEADER: Final = "x-csrf-token"

OPEN_PATHS: Final = frozenset(
    {
        "/healthz",
        "/readyz",
        "/metrics",  # asks for loopback or its token itself
        "/login",
        "/favicon.ico",
        "/wall/pair",  # a wall that waits to be paired: a code, and nothing of the city
        "/wall/pair/code",
        "/wall/pair/state",
    }
)
"""Reached without login, by every method."""

OPEN_FOLDERS: Final = ("/assets/",)
"""Static files of ours, the phone's icons included: nothing of the city is in them."""

MESSAGES: Final = "/api/v1/messages/"
"""POST below it asks for a feed's token itself."""

DEVICES: Final = "/api/v1/devices/"
"""POST of `…/readings` below it asks for a device's credential itself."""

WEBHOOKS: Final = "/api/v1/feeds/"
"""POST below it asks for a feed's signature itself."""

FORMS: Final = frozenset({"/login", "/password", "/logout"})
"""Unsafe paths whose forms carry the CSRF token as a field; they check it themselves."""

_WITH_FIRST_PASSWORD: Final = frozenset({"/password", "/logout"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PROGRAMS: Final = ("/api/", "/live", "/tiles/", "/_", "/status")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_PHOTO_BYTES: Final = 10 * 1024 * 1024 + 64 * 1024
_ALARM_BYTES: Final = 8 * 1024 * 1024
"""An alarm in its maker's words may bring its snapshot."""

_BODY_BYTES: Final = 2 * 1024 * 1024
_TABLE_BYTES: Final = 12 * 1024 * 1024
_WITH_TABLES: Final = frozenset(
    {"/api/v1/commands/import_devices", "/api/v1/commands/import_cameras", "/_dash-update-component"}
)
"""Where a table of devices may come in, as base64."""
_QUIET: Final = (
    "/healthz", "/readyz", "/metrics", "/assets/", "/tiles/", "/_dash-component-suites/", "/wall/pair/state",
)  # fmt: skip

log = structlog.get_logger()


class _TooLarge(HTTPException):
    """Raised out of `receive`; an HTTPException, because FastAPI takes any other for malformed JSON."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"body: must be at most {limit} bytes")
        self.limit = limit


def content_security_policy(script_sources: tuple[str, ...]) -> str:
    """Only ourselves. Styles are inline in Dash and MapLibre; MapLibre's worker may be a blob."""
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *script_sources)),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "media-src 'self' blob:",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class Shell:
    """ASGI middleware. Puts `actor` and `session` into `scope["state"]`."""

    def __init__(self, app: ASGIApp, deps: Deps, measures: Measures) -> None:
        self._app = app
        self._deps = deps
        self._measures = measures
        headers = {
            "Content-Security-Policy": content_security_policy(deps.script_sources),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "geolocation=(self), camera=(self), microphone=(), payment=(), usb=()",
        }
        if deps.tls:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        identity = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(correlation_id=identity)
        scope["state"] = dict(scope.get("state") or {}, correlation_id=identity)
        began, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    out.setdefault(name, value)
                out["X-Request-ID"] = identity
                if scope["path"].startswith("/api/") or out.get("content-type", "").startswith("text/html"):
                    # Shared workplaces: nothing of an account stays in the browser for the next one.
                    out.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._serve(scope, receive, answer, headers)
        except _TooLarge as error:
            if not status:
                await _refuse_size(error.limit)(scope, receive, answer)
        except self._deps.store_away as error:
            log.warning("store_away", error=str(error))
            if not status:
                refusal = problem(503, "away", "the store is away; try again", headers={"Retry-After": "2"})
                await refusal(scope, receive, answer)
        except Exception:
            log.exception("request_failed", method=scope["method"], path=scope["path"])
            if status:
                raise  # half an answer is out: only a broken connection tells the truth
            await problem(500, "server", "the server failed; the log knows why")(scope, receive, answer)
        finally:
            self._note(scope, status, time.perf_counter() - began)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        refusal, limited = await self._judge(scope, receive, headers)
        if refusal is not None:
            await refusal(scope, receive, send)
        else:
            await self._app(scope, limited, send)

    async def _judge(
        self, scope: Scope, receive: Receive, headers: Headers
    ) -> tuple[ASGIApp | None, Receive]:
        """What to answer instead of the route (None: let it pass), and the body, limited."""
        path, method = scope["path"], scope["method"]
        limit = self._limit(path)
        declared = headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > limit:
            return _refuse_size(limit), receive
        limited = _limited(receive, limit)
        if is_open(path, method):
            return None, limited
        session = await self._session(headers)
        if session is None:
            return _refuse_stranger(scope), receive
        scope["state"] |= {"session": session, "actor": session.actor}
        structlog.contextvars.bind_contextvars(login=session.actor.login)
        if session.must_change and path not in _WITH_FIRST_PASSWORD:
            if _for_program(path, method):
                return problem(403, "password", "the first password must be changed at /password"), receive
            return RedirectResponse("/password", 302), receive
        if method not in _SAFE and path not in FORMS:
            fault = csrf_fault(scope, headers, session)
            if fault:
                log.warning("csrf_refused", path=path, why=fault)
                return problem(403, "csrf", fault, field="X-CSRF-Token"), receive
        return None, limited

    def _limit(self, path: str) -> int:
        if path == "/api/v1/photos":
            return _PHOTO_BYTES
        if path in _WITH_TABLES:
            return _TABLE_BYTES
        if path.startswith(MESSAGES) and "/" in path.removeprefix(MESSAGES):
            return max(_ALARM_BYTES, self._deps.max_message_bytes)
        return self._deps.max_message_bytes if path.startswith((MESSAGES, DEVICES, WEBHOOKS)) else _BODY_BYTES

    async def _session(self, headers: Headers) -> SessionRow | None:
        token = cookie_of(headers, SESSION_COOKIE)
        if not token or len(token) > 200:
            return None
        return await run_in_threadpool(self._deps.sessions.find, token, self._deps.now())

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        name = getattr(route, "path", "") or ("dash" if status not in (401, 404) else "other")
        self._measures.requests.labels(scope["method"], name, str(status)).inc()
        if name != "/live":
            self._measures.seconds.labels(name).observe(seconds)
        write = log.debug if scope["path"].startswith(_QUIET) and status < 500 else log.info
        write(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 1),
            client=client_of(scope),
        )


def is_open(path: str, method: str) -> bool:
    """True for what is served without a session."""
    if path in OPEN_PATHS:
        return True
    if path.startswith(OPEN_FOLDERS) and method in _SAFE and ".." not in path:
        return True
    if method != "POST":
        return False
    if path.startswith(DEVICES):
        return path.endswith("/readings")
    return path.startswith((MESSAGES, WEBHOOKS))


def cookie_of(headers: Headers, name: str) -> str:
    """A cookie of the request, '' without one."""
    return cookie_parser(headers.get("cookie", "")).get(name, "")


def insider(scope: Scope, headers: Headers, token: str) -> bool:
    """True for this very machine, or with the metrics token. A proxy on this machine is not this machine."""
    given = headers.get("authorization", "").removeprefix("Bearer ")
    if token and secrets.compare_digest(given.encode(), token.encode()):
        return True
    return client_of(scope) in ("127.0.0.1", "::1") and "x-forwarded-for" not in headers


def client_of(scope: Scope) -> str:
    """Address of the other end."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def csrf_fault(scope: Scope, headers: Headers, session: SessionRow, field: str = "") -> str:
    """Why an unsafe request is not believed to come from our own page; '' when it is."""
    fault = foreign_origin(scope, headers)
    if fault:
        return fault
    given = headers.get(CSRF_HEADER, "") or field
    if not secrets.compare_digest(given.encode(), session.csrf.encode()):
        return f"X-CSRF-Token: must be the value of the cookie {CSRF_COOKIE}"
    return ""


def foreign_origin(scope: Scope, headers: Headers) -> str:
    """Why the page that sent this is not ours, by its Origin header; '' when it is or says nothing."""
    origin = headers.get("origin", "")
    if origin and urlsplit(origin).netloc != headers.get("host", ""):
        return f"Origin={origin[:200]!r}: must be this server"
    return ""


def _for_program(path: str, method: str) -> bool:
    return path.startswith(_PROGRAMS) or method not in _SAFE


def _refuse_stranger(scope: Scope) -> Response:
    path, query = scope["path"], scope["query_string"].decode("latin-1")
    if _for_program(path, scope["method"]):
        return problem(401, "login", "no session: log in at /login")
    back = path + ("?" + query if query else "")
    return RedirectResponse("/login" + (f"?next={quote(back, safe='')}" if back != "/" else ""), 302)


def _refuse_size(limit: int) -> Response:
    return problem(413, "too_large", f"body: must be at most {limit} bytes", field="body")


def _limited(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise _TooLarge(limit)
        return message

    return counted
