"""Where a report is that came without a point: read out of what it says, marked as read, or left for a person (S20)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from incidents.address_reading import Resolution
from incidents.model import Place, Rejected, SourceKind
from incidents.storeports import Intake, UnitOfWork

MERGED_BY_M: Final = 40.0
"""A point read this well is as good as a phone's: merging may measure from it. A rougher one only shows where to look."""

LONGEST_READ: Final = 500
"""Characters that are looked at: where it is stands in the first of them, and a report waits while they are read."""


def told(read: Resolution) -> dict[str, Any]:
    """A reading as data for the store and for screens."""
    found = read.found
    return {
        "status": "unresolved" if found is None else "resolved",
        "why": read.why,
        "area": read.area,
        **({} if found is None else _candidate(found)),
        "candidates": [_candidate(c) for c in read.candidates],
    }


def _candidate(found: Any) -> dict[str, Any]:
    return {
        "address": found.address, "lon": found.lon, "lat": found.lat, "precision_m": round(found.precision_m),
        "score": round(found.score, 3), "reasons": list(found.reasons),
    }  # fmt: skip


def located(uow: UnitOfWork, intake: Intake) -> tuple[Intake, dict[str, Any] | None]:
    """The report with the place that its address says (else its text), and what was read; None: nothing was to be read.

    Where nobody can say more than an area, the report belongs to that area, so that those who know it see it.
    """
    place = intake.place
    if intake.kind != SourceKind.REPORT or place.lon is not None:
        return intake, None
    said = (place.address.strip() or intake.text)[:LONGEST_READ]
    read = uow.read_address(said)
    if read.found is None:
        if read.area.startswith(place.area_path) and read.area:
            intake = replace(intake, place=replace(place, area_path=read.area))
        return intake, told(read)
    try:
        at = uow.place_of(read.found.lon, read.found.lat)
    except Rejected:
        return intake, {**told(Resolution(None, "outside", (read.found,), read.area)), "text": said[:200]}
    point = Place(at.lon, at.lat, place.address or read.found.address, at.cell, at.area_path)
    if read.found.precision_m > MERGED_BY_M:
        return replace(intake, roughly=point), told(read)
    return replace(intake, place=point), told(read)
