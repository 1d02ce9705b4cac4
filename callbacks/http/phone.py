"""Routes of the phone terminal: the page, its service worker, its manifest. All of them ask for a login."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from incidents.model import Actor
from layouts.phone import manifest, page, service_worker, shell_version
from layouts.text import COOKIE, language_of

NO_STORE = {"Cache-Control": "no-cache, private"}


def phone_router(current_actor: Callable[..., Any], *, timezone: str = "Asia/Shanghai") -> APIRouter:
    """GET /phone, /phone/sw.js, /phone/manifest.webmanifest.

    `current_actor`: FastAPI dependency (sync or async) answering the request's Actor, or None without a session.
    Without a session the page redirects to /login; worker and manifest, which no person reads, answer 401.
    """
    router = APIRouter()
    asked_by = Depends(current_actor)

    def language(request: Request) -> str:
        return language_of(request.cookies.get(COOKIE), request.headers.get("accept-language", ""))

    @router.get("/phone", include_in_schema=False)
    def phone(request: Request, actor: Actor | None = asked_by) -> Response:
        if actor is None:
            return RedirectResponse("/login?next=/phone", status_code=303)
        headers = {**NO_STORE, "X-Chengyun-Shell": shell_version()}
        return Response(page(language(request), actor, timezone=timezone), media_type="text/html", headers=headers)

    @router.get("/phone/sw.js", include_in_schema=False)
    def worker(actor: Actor | None = asked_by) -> Response:
        if actor is None:
            return Response(status_code=401)
        headers = {**NO_STORE, "Service-Worker-Allowed": "/phone"}
        return Response(service_worker(), media_type="text/javascript", headers=headers)

    @router.get("/phone/manifest.webmanifest", include_in_schema=False)
    def web_manifest(request: Request, actor: Actor | None = asked_by) -> Response:
        if actor is None:
            return Response(status_code=401)
        return Response(manifest(language(request)), media_type="application/manifest+json", headers=NO_STORE)

    return router
