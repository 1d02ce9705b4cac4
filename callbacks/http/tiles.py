"""GET /tiles/{layer}/{z}/{x}/{y}.mvt: vector tiles of the map, per account, cached, gzipped.

`layer` may join several with commas ("land,water,roads"): one request instead of three.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response

from gis.map_layers import BASE_LAYERS, POINT_LAYERS
from gis.tiles import TileLayer, TileLayers, UnknownLayer, encode_tile
from incidents.access import ANYWHERE, covers, may
from incidents.model import Actor

ACTION_OF: Final = {
    **dict.fromkeys(BASE_LAYERS, "map.see"),
    "devices": "device.see",
    "cameras": "camera.see",
    "components": "map.see",
}
"""Layer → the right that is asked for it; a layer that is not here does not exist."""

CACHE_BYTES: Final = 64 * 1024 * 1024
MEDIA_TYPE: Final = "application/vnd.mapbox-vector-tile"

Authorise = Callable[[Request], Actor]
"""Who asks; raises HTTPException 401 without a session."""


class TileCache:
    """Least-recently-used cache of encoded tiles, bounded by bytes. Thread-safe."""

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._tiles: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...], make: Callable[[], bytes]) -> bytes:
        """The cached tile, or `make()`'s, kept. Two askers of one new tile may both make it: harmless."""
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
                return self._tiles[key]
        tile = make()
        with self._lock:
            if key not in self._tiles:
                self._tiles[key] = tile
                self._size += _weight(key, tile)
            while self._size > self._limit and len(self._tiles) > 1:
                oldest, old = self._tiles.popitem(last=False)
                self._size -= _weight(oldest, old)
        return tile

    @property
    def size_bytes(self) -> int:
        """Bytes held now."""
        return self._size


def _weight(key: tuple[object, ...], tile: bytes) -> int:
    """Bytes that an entry takes: an empty tile still has its name."""
    return len(tile) + len(repr(key)) + 200


def tiles_router(layers: TileLayers, authorise: Authorise, cache: TileCache | None = None) -> APIRouter:
    """The tile route. A handler is a plain function: FastAPI runs it in a thread, off the event loop."""
    router = APIRouter()
    kept = cache or TileCache()

    @router.get("/tiles/{layer}/{z}/{x}/{y}.mvt", include_in_schema=True, tags=["map"])
    def tile(
        request: Request,
        layer: str = Path(description="Layer name, or several joined by commas."),
        z: int = Path(ge=0, le=22),
        x: int = Path(ge=0),
        y: int = Path(ge=0),
        hide: str = Query(
            "", max_length=4000, description="Groups left out, joined by commas (see map_layers)."
        ),
    ) -> Response:
        """One vector tile (MVT). 204 when nothing is in it; 304 when the browser's copy is the newest."""
        actor = authorise(request)
        names = list(dict.fromkeys(layer.split(",")))
        found = {name: _layer(layers, name) for name in names}
        for name in names:
            decision = may(actor, ACTION_OF[name], ANYWHERE)
            if not decision:
                raise HTTPException(403, f"layer={name!r}: {decision.reason}")
        if x >= 1 << z or y >= 1 << z:
            raise HTTPException(404, f"tile={z}/{x}/{y}: x and y must be below 2^{z}")
        # What lies in an account's areas is the same for every account with the same areas: they share tiles.
        scope = tuple(sorted(actor.areas)) if any(n in POINT_LAYERS for n in names) else None
        hidden = frozenset(filter(None, hide.split(",")))
        key = (tuple((n, found[n].version) for n in names), scope, tuple(sorted(hidden)), z, x, y)
        etag = '"' + hashlib.sha256(repr(key).encode()).hexdigest()[:24] + '"'
        headers = {
            "ETag": etag,
            "Vary": "Cookie, Accept-Encoding",
            # A shared workplace: the next account must not be shown this one's tiles without asking us.
            "Cache-Control": "private, max-age=300" if scope is None else "private, no-cache",
        }
        if _matches(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
        packed = kept.get(key, lambda: _encode(found, z, x, y, actor.areas, hidden))
        if not packed:
            return Response(status_code=204, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, media_type=MEDIA_TYPE, headers={**headers, "Content-Encoding": "gzip"})
        return Response(gzip.decompress(packed), media_type=MEDIA_TYPE, headers=headers)

    return router


def _layer(layers: TileLayers, name: str) -> TileLayer:
    if name not in ACTION_OF:
        raise HTTPException(404, f"layer={name!r}: must be one of {', '.join(ACTION_OF)}")
    try:
        return layers.layer(name)
    except UnknownLayer:
        raise HTTPException(404, f"layer={name!r}: this city has none") from None


def _matches(if_none_match: str, etag: str) -> bool:
    """True when the header (RFC 9110 §13.1.2: weak comparison) holds our tag or '*'."""
    given = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return etag in given or "*" in given


def _encode(
    found: dict[str, TileLayer], z: int, x: int, y: int, areas: tuple[str, ...], hidden: frozenset[str]
) -> bytes:
    """The tile, gzipped; b'' for an empty one. Base layers whole, registered things as far as the areas reach."""
    base = {n: layer for n, layer in found.items() if n not in POINT_LAYERS}
    things = {n: layer for n, layer in found.items() if n in POINT_LAYERS}
    # Vector tiles are protobuf messages of repeated layers: joining two is joining their bytes.
    raw = (encode_tile(base, z, x, y) if base else b"") + (
        encode_tile(things, z, x, y, lambda path: covers(areas, path), hidden) if things else b""
    )
    return gzip.compress(raw, 6, mtime=0) if raw else b""
