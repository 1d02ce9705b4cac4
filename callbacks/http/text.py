"""GET /assets/text/{lang}.json: the text catalogue for `text.mjs`. Open without login: the login page needs it."""

from __future__ import annotations

import hashlib
import json

from fastapi import APIRouter, HTTPException, Request, Response

from layouts.text import LANGUAGES, catalogue


def text_router() -> APIRouter:
    """The route; each language is serialised once."""
    router = APIRouter()
    bodies = {
        lang: json.dumps(dict(catalogue(lang)), ensure_ascii=False, separators=(",", ":")).encode()
        for lang in LANGUAGES
    }
    tags = {lang: '"' + hashlib.sha256(body).hexdigest()[:24] + '"' for lang, body in bodies.items()}

    @router.get("/assets/text/{lang}.json", include_in_schema=False)
    def text(request: Request, lang: str) -> Response:
        """All texts of one language, key → text."""
        if lang not in bodies:
            raise HTTPException(404, f"lang={lang!r}: must be one of {', '.join(LANGUAGES)}")
        headers = {"ETag": tags[lang], "Cache-Control": "no-cache"}
        if tags[lang] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(bodies[lang], media_type="application/json", headers=headers)

    return router
