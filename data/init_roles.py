"""What the words of the sample city's rule sheet mean: each role as the units of a kind, every one in its own area."""

from __future__ import annotations

from pathlib import Path

from data.database import Cursor, many
from data.sample_city import read_city


class BadRole(ValueError):
    """A word that means no unit of the city; the text names it."""


def load_roles(cursor: Cursor, files: Path = read_city.FILES) -> None:
    """Fill `unit_roles`. Of several units of a kind in one area the first by code has the role. Raises BadRole."""
    offices: dict[str, dict[str, str]] = {}
    for unit in sorted(read_city.read_units(files), key=lambda one: one.code):
        offices.setdefault(unit.kind, {}).setdefault(unit.area_path, unit.code)
    rows = []
    for row in read_city.read_unit_roles():
        if row["unit_kind"] not in offices:
            raise BadRole(
                f"unit_roles.csv: role {row['role']!r} is of a kind {row['unit_kind']!r} that no unit has"
            )
        rows += [(row["role"], row["road_class"], *found) for found in offices[row["unit_kind"]].items()]
    many(cursor, "INSERT INTO unit_roles (role, road_class, area_path, unit) VALUES %s", rows)
