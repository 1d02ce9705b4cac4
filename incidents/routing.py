"""Who of a unit goes: its workers ranked with reasons. Which unit it is says `incidents/dispatching.py`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gis.cells import haversine_m
from incidents.model import Place

STALE_POSITION = timedelta(minutes=30)
"""A position older than this is not used to rank by distance (Resgrid: MaxLocationAge 1800 s)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A worker who could be sent. `area_paths`: the grids served; position None = never heard of."""

    login: str
    name: str
    unit: str
    on_duty: bool
    open_tasks: int
    area_paths: tuple[str, ...] = ()
    lon: float | None = None
    lat: float | None = None
    located_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with what speaks for and against; distance in metres, None when unknown or stale."""

    login: str
    name: str
    unit: str
    on_duty: bool
    open_tasks: int
    distance_m: float | None
    position_age_s: float | None
    own_grid: bool
    reasons: tuple[str, ...] = field(default_factory=tuple)


def rank(place: Place, candidates: Sequence[Candidate], now: datetime) -> tuple[Ranked, ...]:
    """Best first: on duty, own grid, fewer open tasks, nearer; a stale position counts as unknown, and says so."""
    ranked = [_weigh(place, candidate, now) for candidate in candidates]
    return tuple(
        sorted(
            ranked,
            key=lambda r: (
                not r.on_duty,
                not r.own_grid,
                r.open_tasks,
                r.distance_m is None,
                r.distance_m or 0.0,
                r.login,
            ),
        )
    )


def _weigh(place: Place, candidate: Candidate, now: datetime) -> Ranked:
    age = None if candidate.located_at is None else (now - candidate.located_at).total_seconds()
    fresh = age is not None and age <= STALE_POSITION.total_seconds()
    distance: float | None = None
    reasons: list[str] = []
    own = bool(place.area_path) and any(place.area_path.startswith(p) for p in candidate.area_paths)
    if own:
        reasons.append("own_grid")
    if not candidate.on_duty:
        reasons.append("off_duty")
    if age is None:
        reasons.append("no_position")
    elif not fresh:
        reasons.append("stale_position")
    elif place.lon is not None and place.lat is not None and candidate.lon is not None:
        assert candidate.lat is not None
        distance = float(haversine_m(place.lon, place.lat, candidate.lon, candidate.lat))
        reasons.append("near" if distance < 1000 else "far")
    reasons.append("free" if candidate.open_tasks == 0 else "busy")
    return Ranked(
        candidate.login,
        candidate.name,
        candidate.unit,
        candidate.on_duty,
        candidate.open_tasks,
        None if distance is None else round(distance, 1),
        None if age is None else round(age, 1),
        own,
        tuple(reasons),
    )
