"""Viewing a camera by the link of an approved request: what is behind it, a page that plays it, the sample loop.

The link is the asker's alone and ends with the approval; every opening is a line of the audit log. The picture itself
comes from the city's media server: we give its address and carry no video. Only the loop that ships with the product is
served from here, file by file under the same link, so that it ends like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from callbacks.http.deps import AuditLog
from callbacks.http.errors import Problem
from callbacks.http.login import actor_of
from incidents.model import Actor
from incidents.video import SAMPLE_URL
from layouts.text import COOKIE, language_of, t

_LONGEST: Final = 100


class Link(Protocol):
    """An approved view."""

    @property
    def request(self) -> int: ...
    @property
    def camera(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def account(self) -> int: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def hls_url(self) -> str: ...
    @property
    def webrtc_url(self) -> str: ...


class Links(Protocol):
    """`data/view_links.py`."""

    def find(self, token: str, now: datetime) -> Link | None:
        """The view behind a token while it lasts."""


def video_router(
    links: Links,
    audit: AuditLog,
    now: Callable[[], datetime],
    sample: Mapping[str, tuple[Path, str]],
    timezone: str,
) -> APIRouter:
    """The routes. `sample`: file of the loop → (where it lies, its type)."""
    router = APIRouter()

    def opened(request: Request, token: str) -> tuple[Actor, Link]:
        actor = actor_of(request)
        link = links.find(token, now()) if len(token) <= _LONGEST else None
        if link is not None and link.account != actor.id:
            note(actor, link, False)
            link = None
        if link is None:
            # One answer for what never was, is over and is somebody else's: a link tells nothing.
            raise Problem(
                404, "not_found", "link: there is no such view, or it is over; ask again", field="link"
            )
        return actor, link

    def note(actor: Actor, link: Link, allowed: bool) -> None:
        audit.append(
            actor=actor.login, role=actor.role, action="camera.view", thing=f"camera:{link.camera}",
            allowed=allowed, now=now(), detail={"request": link.request},
        )  # fmt: skip

    @router.get("/api/v1/video/{token}/", tags=["video"])
    def view(request: Request, token: str) -> Response:
        """Addresses of an approved view: {camera, name, hls, mp4, webrtc, expires_at}; 404 when it is over."""
        actor, link = opened(request, token)
        note(actor, link, True)
        return JSONResponse(addresses(link, token))

    @router.get("/api/v1/video/{token}/{file}", tags=["video"], response_class=FileResponse)
    def part(request: Request, token: str, file: str) -> Response:
        """A file of the sample loop, by the same link."""
        _, link = opened(request, token)
        if link.hls_url != SAMPLE_URL or file not in sample:
            raise Problem(404, "not_found", f"file={file[:60]!r}: no such file here", field="file")
        path, kind = sample[file]
        return FileResponse(path, media_type=kind)

    @router.get("/video/{token}/", include_in_schema=False)
    def page(request: Request, token: str) -> Response:
        actor, link = opened(request, token)
        note(actor, link, True)
        lang = language_of(request.cookies.get(COOKIE), request.headers.get("accept-language", ""))
        until = link.expires_at.astimezone(ZoneInfo(timezone)).strftime("%H:%M:%S")
        left = max(1, int((link.expires_at - now()).total_seconds()))
        text = player(lang, link, addresses(link, token), actor, until)
        policy = (
            "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
            f" frame-ancestors 'none'; media-src 'self'{_origin(link)}"
        )
        return Response(
            text, media_type="text/html", headers={"Content-Security-Policy": policy, "Refresh": str(left)}
        )

    return router


def addresses(link: Link, token: str) -> dict[str, Any]:
    """Where the picture is; those of the loop lie under the link itself."""
    own = f"/api/v1/video/{token}/"
    loop = link.hls_url == SAMPLE_URL
    return {
        "camera": link.camera,
        "name": link.name,
        "hls": f"{own}loop.m3u8" if loop else link.hls_url,
        "mp4": f"{own}loop.mp4" if loop else "",
        "webrtc": link.webrtc_url,
        "expires_at": link.expires_at.isoformat(),
    }


def _origin(link: Link) -> str:
    """The media server as a source of the page's policy."""
    if not link.hls_url or link.hls_url == SAMPLE_URL:
        return ""
    parts = urlsplit(link.hls_url)
    return f" {parts.scheme}://{parts.netloc}"


_STYLE: Final = """
body { margin: 0; background: var(--ground, #0d0e10); color: var(--text, #f2f4f5); font-family: var(--font, system-ui);
  display: grid; grid-template-rows: auto 1fr auto; min-height: 100vh; }
header, footer { padding: 12px 20px; display: flex; gap: 16px; justify-content: space-between; flex-wrap: wrap; }
h1 { font-size: 18px; margin: 0; } p { margin: 0; color: var(--text-2, #c3c8ce); }
video { width: 100%; height: 100%; max-height: 80vh; background: #000; object-fit: contain; }
a { color: var(--text, #f2f4f5); }
"""


def player(lang: str, link: Link, where: Mapping[str, Any], actor: Actor, until: str) -> str:
    """The page: no script. The browser plays HLS itself, or the loop's MP4; WebRTC opens at the media server.

    Who watches stands on the page: a photographed screen says whose it was.
    """
    sources = "".join(
        f'<source src="{escape(str(where[name]), quote=True)}" type="{kind}">'
        for name, kind in (("hls", "application/vnd.apple.mpegurl"), ("mp4", "video/mp4"))
        if where[name]
    )
    webrtc = (
        f'<a href="{escape(link.webrtc_url, quote=True)}" target="_blank" rel="noreferrer">WebRTC</a>'
        if link.webrtc_url.startswith("http")
        else escape(link.webrtc_url)
    )
    title = escape(f"{link.name} {link.camera}")
    return f"""<!DOCTYPE html>
<html lang="{"zh-CN" if lang == "zh" else "en"}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/tokens.css"><style>{_STYLE}</style></head>
<body class="theme-desk"><header><h1>{title}</h1><p>{escape(t(lang, "video.until", until=until))}</p></header>
<video controls autoplay muted loop playsinline>{sources}{escape(t(lang, "video.cannot"))}</video>
<footer><p>{escape(t(lang, "video.whose", who=f"{actor.name} {actor.login}"))}</p><p>{webrtc}</p></footer></body></html>"""
