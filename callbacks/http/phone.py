"""Routes of the phone terminal: the page, its service worker, its manifest. All of them ask for a login."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from callbacks.http.shell import content_security_policy
from incidents.model import Actor
from layouts.phone import boot_source, manifest, page, service_worker, shell_version
from layouts.text import COOKIE, language_of

Authorise = Callable[[Request], Actor]
"""Who asks; raises an HTTPException or `errors.Problem` with status 401 without a session."""

HEADERS = {"Cache-Control": "private, no-cache"}
PERMISSIONS = "geolocation=(self), camera=(self), microphone=(self), payment=(), usb=()"
"""Only here may a page ask for the microphone: for speaking into a field."""


def phone_router(
    authorise: Authorise,
    *,
    unit_name: Callable[[Actor], str] = lambda actor: actor.unit,
    timezone: str = "Asia/Shanghai",
) -> APIRouter:
    """GET /phone, /phone/sw.js, /phone/manifest.webmanifest.

    Without a session the page redirects to /login; worker and manifest, which no person reads, answer 401.
    `unit_name`: the name of an actor's unit, shown under the person's own name.
    """
    router = APIRouter()

    def language(request: Request) -> str:
        return language_of(request.cookies.get(COOKIE), request.headers.get("accept-language", ""))

    @router.get("/phone", include_in_schema=False)
    def phone(request: Request) -> Response:
        try:
            actor = authorise(request)
        except Exception as error:
            if status_of(error) != 401:
                raise
            return RedirectResponse("/login?next=/phone", status_code=303)
        text = page(language(request), actor, unit_name=unit_name(actor), timezone=timezone)
        return Response(
            text,
            media_type="text/html",
            headers={
                **HEADERS,
                "X-Chengyun-Shell": shell_version(),
                "Permissions-Policy": PERMISSIONS,
                "Content-Security-Policy": content_security_policy((boot_source(),)),
            },
        )

    @router.get("/phone/sw.js", include_in_schema=False)
    def worker(request: Request) -> Response:
        authorise(request)
        headers = {**HEADERS, "Service-Worker-Allowed": "/phone"}
        return Response(service_worker(), media_type="text/javascript", headers=headers)

    @router.get("/phone/manifest.webmanifest", include_in_schema=False)
    def web_manifest(request: Request) -> Response:
        authorise(request)
        return Response(manifest(language(request)), media_type="application/manifest+json", headers=HEADERS)

    return router


def status_of(error: Exception) -> int:
    """HTTP status that an error of `authorise` stands for; 500 when it says nothing of it."""
    if isinstance(error, HTTPException):
        return error.status_code
    return int(getattr(error, "status", 500))
