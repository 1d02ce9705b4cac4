"""The city's own facts (table `city`) and the finder of cells: what several processes load at their start."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import shapely

from data.database import Database
from data.registry import registry_version
from gis.cells import CellIndex, haversine_m
from incidents.model import Place, Rejected
from incidents.numbering import BadPattern, check_pattern


@dataclass(frozen=True, slots=True)
class CityFacts:
    """Name, code and path of the city, its centre (EPSG:4326) and reach, its number pattern."""

    name: str
    name_en: str
    code: str
    path: str
    centre: tuple[float, float]
    reach_m: float
    number_pattern: str


class NoCity(RuntimeError):
    """The store holds no city yet (run `app.py init`), or one whose facts cannot be used; the text says which."""


def load_facts(database: Database) -> CityFacts:
    """Raises NoCity before `app.py init`, and when the number pattern in table `city` cannot be used."""
    facts: dict[str, Any] = dict(database.query("SELECT key, value FROM city"))
    if not facts:
        raise NoCity("the store holds no city yet: run `python app.py init --name …` or `init --sample`")
    try:
        check_pattern(facts["number_pattern"])
    except BadPattern as error:
        # Found at the start of a process, in one sentence, not by the first incident of the night.
        raise NoCity(f"table city: {error}") from None
    lon, lat = facts["centre"]
    return CityFacts(
        facts["name"], facts["name_en"], facts["code"], facts["path"], (lon, lat),
        float(facts["reach_km"]) * 1000, facts["number_pattern"],
    )  # fmt: skip


class CellFinder:
    """Point → cell and area path; loads the cells once and again when the registries change. Thread-safe."""

    def __init__(self, database: Database, facts: CityFacts) -> None:
        self._database = database
        self._facts = facts
        self._lock = threading.Lock()
        self._areas_stamp = ""
        self._checked_version = -1
        self._index = CellIndex([], [])
        self._paths: dict[str, str] = {}

    def refresh(self) -> None:
        """Load the cells if they changed; one that is disabled, or lies below a disabled area, finds no point."""
        with self._lock:
            version = registry_version(self._database)
            if version == self._checked_version:
                return
            stamp = str(
                self._database.query(
                    "SELECT count(*), coalesce(sum(hashtext(path || md5(geometry)))::text, '') FROM areas a WHERE level = 'cell'"
                    " AND NOT EXISTS (SELECT 1 FROM areas up WHERE up.disabled AND starts_with(a.path, up.path))"
                )[0]
            )
            if stamp != self._areas_stamp:
                rows = self._database.query(
                    "SELECT code, path, geometry FROM areas a WHERE level = 'cell' AND geometry IS NOT NULL"
                    " AND NOT EXISTS (SELECT 1 FROM areas up WHERE up.disabled AND starts_with(a.path, up.path))"
                    " ORDER BY code"
                )
                geometries = shapely.from_wkb([bytes(row[2]) for row in rows])
                self._index = CellIndex([row[0] for row in rows], list(geometries))
                self._paths = {row[0]: row[1] for row in rows}
                self._areas_stamp = stamp
            self._checked_version = version

    def locate(self, lon: float, lat: float) -> tuple[str, str] | None:
        """(cell code, area path) of a point in EPSG:4326 degrees, or None."""
        if self._checked_version < 0:
            self.refresh()
        code = self._index.code_at(lon, lat)
        return (code, self._paths[code]) if code else None

    def place_of(self, lon: float, lat: float) -> Place:
        """The place of a point given by a person. Raises Rejected(field) beyond the city's reach and its cells."""
        centre_lon, centre_lat = self._facts.centre
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise Rejected("field", f"lon={lon}, lat={lat}: not a place on Earth", field="lon")
        found = self.locate(lon, lat)
        distance = float(haversine_m(lon, lat, centre_lon, centre_lat))
        # What a cell of the city holds is in the city, however far its registered reach goes.
        if found is None and distance > self._facts.reach_m:
            rule = (
                f"within {self._facts.reach_m / 1000:g} km of the city's centre, is {distance / 1000:.1f} km"
            )
            raise Rejected("field", f"lon={lon}, lat={lat}: must be {rule}", field="lon")
        return Place(lon, lat, "", found[0], found[1]) if found else Place(lon, lat)
