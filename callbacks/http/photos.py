"""POST /api/v1/photos and GET /api/v1/photos/{sha256}."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from fastapi import APIRouter, Request, UploadFile
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from callbacks.http.deps import Deps
from callbacks.http.errors import Problem
from callbacks.http.login import actor_of
from callbacks.http.picture import MAX_BYTES, BadPicture, remake
from callbacks.http.rights import audit_refusal, require
from incidents.access import may
from incidents.model import Actor

_NAME: Final = re.compile(r"[0-9a-f]{64}")
_AT_ONCE: Final = 2  # a decoded photo of 40 megapixels takes 120 MB


def photos_router(deps: Deps) -> APIRouter:
    """The two routes."""
    router = APIRouter()
    decoding = asyncio.Semaphore(_AT_ONCE)

    @router.post("/api/v1/photos", tags=["photos"], status_code=201)
    async def upload(request: Request, file: UploadFile) -> Response:
        """Store a photo (JPEG, PNG or WebP, ≤ 10 MB, ≤ 40 megapixels): {"sha256", "width", "height", "exif"}.

        It is re-encoded; EXIF time and place are kept beside it and stripped from the picture.
        """
        actor = actor_of(request)
        await run_in_threadpool(require, deps, actor, "photo.add", "photo")
        content = await file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise Problem(413, "too_large", f"file: must be at most {MAX_BYTES} bytes", field="file")
        try:
            async with decoding:
                picture = await run_in_threadpool(remake, content)
        except BadPicture as error:
            raise Problem(
                422, "field", str(error), field="file", found=error.found, rule=error.rule
            ) from None
        sha256 = await run_in_threadpool(
            deps.photos.store,
            picture.content,
            mime="image/jpeg",
            width=picture.width,
            height=picture.height,
            exif=picture.exif,
            login=actor.login,
            now=deps.now(),
        )
        body = {"sha256": sha256, "width": picture.width, "height": picture.height, "exif": picture.exif}
        return JSONResponse(body, 201)

    @router.get("/api/v1/photos/{sha256}", tags=["photos"], response_class=Response)
    def photo(request: Request, sha256: str) -> Response:
        """The picture, for whoever may see something that carries it, or has uploaded it."""
        actor = actor_of(request)
        found = deps.photos.load(sha256) if _NAME.fullmatch(sha256) else None
        # One answer for what does not exist and for what is not for this account: names tell nothing.
        if found is None or not _shown_to(deps, actor, sha256, found.stored_by):
            if found is not None:
                audit_refusal(
                    deps, actor, "photo.see", f"photo:{sha256}", "carried by nothing this account may see"
                )
            raise Problem(404, "not_found", f"sha256={sha256[:64]!r}: no such photo here", field="sha256")
        headers = {"Cache-Control": "private, max-age=3600", "Content-Disposition": "inline"}
        return Response(found.bytes, media_type=found.mime, headers=headers)

    return router


def _shown_to(deps: Deps, actor: Actor, sha256: str, stored_by: str) -> bool:
    if stored_by == actor.login:
        return True
    return any(may(actor, "photo.see", thing) for thing in deps.photos.shown_on(sha256))
