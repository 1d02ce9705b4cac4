"""Commands and queries about addresses (S20). See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class ImportAddresses:
    """Read a city's standard addresses (CSV, XLSX, as base64): kind, name, number, other, standard, lon, lat. `crs` of
    the points: wgs84, cgcs2000 or gcj02. With `confirm` all are stored or none; an address that is there is changed."""

    content: str = field(metadata={"longest": 12_000_000})
    filename: str = ""
    crs: str = "wgs84"
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class PlaceIncident:
    """Say where an incident is that was not found or wrongly: a point (EPSG:4326), before it is dispatched; with why."""

    id: int
    lon: float
    lat: float
    reason: str
    address: str = ""
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class ReadAddress:
    """What a free text says of a place: a standard address with point, cell and precision, or why not and what may be
    meant."""

    text: str


@dataclass(frozen=True, slots=True)
class UnplacedIncidents:
    """Open incidents in no cell, oldest first: what their sources said, why that is no place, and what may be meant."""

    limit: int = 100


COMMANDS: Final[dict[str, type]] = {"import_addresses": ImportAddresses, "place_incident": PlaceIncident}
QUERIES: Final[dict[str, type]] = {"read_address": ReadAddress, "unplaced_incidents": UnplacedIncidents}
ACTION_OF: Final[dict[str, str]] = {
    "import_addresses": "area.manage",
    "place_incident": "incident.correct",
    "read_address": "map.see",
    "unplaced_incidents": "incident.list",
}
"""Command or query → right, see incidents/access.py."""
