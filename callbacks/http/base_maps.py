"""GET /api/v1/base_maps: which base maps there are and whether they answer; GET /tiles/base/…: their tiles, by us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from fastapi import APIRouter, HTTPException, Path, Request, Response

from callbacks.http.errors import Problem
from incidents.access import ANYWHERE, may
from incidents.model import Actor

KEPT_S: Final = 86_400
"""A browser keeps a base map's tile for a day: streets do not move."""


class BaseMaps(Protocol):
    """The registry of base maps (`data/base_maps.py`)."""

    def tile(self, id: str, z: int, x: int, y: int) -> tuple[bytes, str]:
        """Picture and media type; KeyError: no such map."""

    def states(self) -> list[dict[str, Any]]:
        """The registry with its states."""


def base_maps_router(
    maps: BaseMaps, away: type[Exception], authorise: Callable[[Request], Actor]
) -> APIRouter:
    """The two routes; `away` is what `maps.tile` raises when a service does not answer."""
    router = APIRouter()

    def entitled(request: Request) -> None:
        decision = may(authorise(request), "map.see", ANYWHERE)
        if not decision:
            raise HTTPException(403, f"base map: {decision.reason}")

    @router.get("/api/v1/base_maps", tags=["map"])
    def registry(request: Request) -> dict[str, Any]:
        """Every base map with its state: up, down (and why), unknown."""
        entitled(request)
        return {"rows": maps.states()}

    @router.get("/tiles/base/{id}/{z}/{x}/{y}", tags=["map"])
    def tile(
        request: Request,
        id: str,
        z: int = Path(ge=0, le=22),
        x: int = Path(ge=0),
        y: int = Path(ge=0),
    ) -> Response:
        """One picture of a base map from elsewhere. 503 while its service does not answer."""
        entitled(request)
        if x >= 1 << z or y >= 1 << z:
            raise HTTPException(404, f"tile={z}/{x}/{y}: x and y must be below 2^{z}")
        try:
            body, media = maps.tile(id, z, x, y)
        except KeyError:
            raise HTTPException(404, f"id={id!r}: no such base map") from None
        except away as error:
            raise Problem(503, "away", f"base map {id}: {error}", headers={"Retry-After": "10"}) from None
        return Response(body, media_type=media, headers={"Cache-Control": f"private, max-age={KEPT_S}"})

    return router
