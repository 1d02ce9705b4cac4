"""Base maps from elsewhere (天地图 WMTS or any map of tiles): fetched by the server, kept, and known to be up or down.

The key stays here: browsers ask our own address. A service that fails is left alone for RETRY_S, so that a map of
forty tiles does not wait forty times for a service that is away; meanwhile what is kept is still given.
"""

from __future__ import annotations

import re
import threading
import tomllib
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

TIMEOUT_S: Final = 4.0
RETRY_S: Final = 10.0
KEEP_BYTES: Final = 64 * 1024 * 1024
TILE_BYTES: Final = 1024 * 1024
SIGNATURES: Final = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"RIFF", "image/webp"))
_ID: Final = re.compile(r"[a-z][a-z0-9_-]{0,30}")


class MapAway(RuntimeError):
    """The service does not answer, or with something that is no picture; the text says what, without the key."""


class NoTile(KeyError):
    """There is nothing at this place and zoom; the service itself is well."""


@dataclass(frozen=True, slots=True)
class BaseMap:
    """One entry of the registry. `url` holds {z}, {x}, {y} and, where the service wants one, {key}."""

    id: str
    name: str
    name_en: str
    url: str
    attribution: str = ""
    min_zoom: int = 1
    max_zoom: int = 18


def read_base_maps(path: str) -> list[BaseMap]:
    """The entries of a TOML file of [[maps]]; '' is none. Raises ValueError naming what is wrong with which entry."""
    if not path:
        return []
    written = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    maps = []
    for entry in written.get("maps", []):
        try:
            one = BaseMap(**entry)
        except TypeError as error:
            raise ValueError(f"{path}: {entry.get('id', '?')}: {error}") from None
        if not _ID.fullmatch(one.id) or one.id == "own":
            raise ValueError(
                f"{path}: id={one.id!r}: small letters, digits, - and _; 'own' is the stored map"
            )
        if not one.url.startswith(("https://", "http://")) or not all(
            s in one.url for s in ("{z}", "{x}", "{y}")
        ):
            raise ValueError(f"{path}: {one.id}: url must be http(s) and hold {{z}}, {{x}} and {{y}}")
        maps.append(one)
    return maps


@dataclass(slots=True)
class _State:
    last_ok: datetime | None = None
    failed_at: datetime | None = None
    error: str = ""
    failures: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


Fetch = Callable[[str], bytes]


def fetch(url: str) -> bytes:
    """GET with TIMEOUT_S, at most TILE_BYTES. Raises MapAway."""
    request = urllib.request.Request(url, headers={"User-Agent": "Chengyun"})  # noqa: S310 - http(s) only: read_base_maps
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            body: bytes = answer.read(TILE_BYTES + 1)
    except urllib.error.HTTPError as error:
        if error.code in (400, 404):
            raise NoTile(f"HTTP {error.code}") from None
        raise MapAway(f"HTTP {error.code}") from None
    except (OSError, HTTPException) as error:
        # Never the text of the error: it may hold the address, and with it the key.
        raise MapAway(type(error).__name__) from None
    if len(body) > TILE_BYTES:
        raise MapAway(f"a tile of more than {TILE_BYTES} bytes")
    return body


class BaseMaps:
    """The registry with its states and what was fetched. Thread-safe; one for each web process."""

    def __init__(
        self,
        maps: Sequence[BaseMap],
        key: str,
        now: Callable[[], datetime],
        get: Fetch = fetch,
        keep_bytes: int = KEEP_BYTES,
    ) -> None:
        self._maps = {one.id: one for one in maps}
        self._key = key
        self._get = get
        self._now = now
        self._limit = keep_bytes
        self._states = {one.id: _State() for one in maps}
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, int, int], tuple[bytes, str]] = OrderedDict()
        self._size = 0

    def tile(self, id: str, z: int, x: int, y: int) -> tuple[bytes, str]:
        """A tile's picture and its media type. Raises KeyError for an unknown map or where it has no tile, MapAway when it cannot be had."""
        one = self._maps[id]
        if not one.min_zoom <= z <= one.max_zoom:
            raise NoTile(f"z={z}: {id} has {one.min_zoom} to {one.max_zoom}")
        with self._lock:
            if (id, z, x, y) in self._kept:
                self._kept.move_to_end((id, z, x, y))
                return self._kept[id, z, x, y]
        state = self._states[id]
        failed = state.failed_at
        if failed is not None and (self._now() - failed).total_seconds() < RETRY_S:
            raise MapAway(state.error)
        try:
            body = self._get(self._address(one, z, x, y))
            media = next((kind for head, kind in SIGNATURES if body.startswith(head)), "")
            if not media:
                raise MapAway("answered with something that is no picture")
        except NoTile:
            raise  # nothing is drawn there; the map itself is well
        except MapAway as error:
            with state.lock:
                state.failed_at, state.error, state.failures = self._now(), str(error), state.failures + 1
            raise
        with state.lock:
            state.last_ok, state.failed_at, state.error, state.failures = self._now(), None, "", 0
        self._keep((id, z, x, y), (body, media))
        return body, media

    def states(self) -> list[dict[str, Any]]:
        """The registry as screens show it, our own stored map first.

        [{id, name, name_en, kind, state, last_ok, error, attribution, min_zoom, max_zoom}]: state is up, down or
        unknown (not asked yet), `last_ok` in ms since the epoch or None.
        """
        own = {
            "id": "own", "name": "自有底图", "name_en": "Stored map", "kind": "vector", "state": "up", "last_ok": None,
            "error": "", "attribution": "", "min_zoom": 0, "max_zoom": 22,
        }  # fmt: skip
        return [own, *(self._told(one, self._states[one.id]) for one in self._maps.values())]

    def _told(self, one: BaseMap, state: _State) -> dict[str, Any]:
        known = "down" if state.failed_at is not None else "up" if state.last_ok is not None else "unknown"
        return {
            "id": one.id, "name": one.name, "name_en": one.name_en, "kind": "raster", "state": known,
            "last_ok": None if state.last_ok is None else int(state.last_ok.timestamp() * 1000), "error": state.error,
            "attribution": one.attribution, "min_zoom": one.min_zoom, "max_zoom": one.max_zoom,
        }  # fmt: skip

    def _address(self, one: BaseMap, z: int, x: int, y: int) -> str:
        found = one.url.replace("{z}", str(z)).replace("{x}", str(x)).replace("{y}", str(y))
        return found.replace("{key}", self._key).replace("{s}", str((x + y) % 8))

    def _keep(self, key: tuple[str, int, int, int], tile: tuple[bytes, str]) -> None:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = tile
                self._size += len(tile[0])
            while self._size > self._limit and len(self._kept) > 1:
                _, (old, _) = self._kept.popitem(last=False)
                self._size -= len(old)
