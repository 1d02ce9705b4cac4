"""The city's responsibility table as routing asks it (`incidents.responsibility.Rules`): rows, units, areas with their
borders, special periods, class names; and the standards of the published catalogue whose possible units are known."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import shapely

from data.database import Cursor
from gis.borders import Borders
from gis.road_classes import RoadClasses
from incidents.areas import LEVELS
from incidents.responsibility import CELL, OWNER, ROAD, WHOLE_CITY, Area, Period, Row, Rules, Unit, paths_up

OWNER_WORDS: Final = ("产权单位", "权属单位", "管护单位")
"""How rule sheets call who owns a component."""

ROAD_WORD: Final = "道路管养单位"
"""How they call who keeps a road, which its class decides."""

NAMED_LEVELS: Final = frozenset(LEVELS[1:4])
"""Areas that people name in what they say: districts, towns, villages."""

_STANDARDS: Final = (
    "SELECT s.code, s.class_code, s.condition, s.units FROM standards s JOIN (SELECT s.class_code, max(c.id) AS catalogue"
    " FROM catalogues c JOIN standards s ON s.catalogue = c.id WHERE c.published_at IS NOT NULL GROUP BY 1) newest"
    " USING (class_code, catalogue) ORDER BY s.code"
)

TableRow = tuple[str, str, str, str, str]
"""(class, area path, period, unit, reason)."""


def table_rows(cursor: Cursor, table: int | None) -> list[TableRow]:
    """The table in force, or an imported one."""
    if table is None:
        cursor.execute(
            "SELECT class_code, area_path, period, unit, reason FROM responsibilities ORDER BY 1, 2, 3"
        )
    else:
        cursor.execute(
            "SELECT class_code, area_path, period, unit, reason FROM responsibility_rows WHERE table_id = %s"
            " ORDER BY 1, 2, 3",
            (table,),
        )
    return [tuple(row) for row in cursor.fetchall()]


def read_rules(cursor: Cursor, table: int | None = None) -> Rules:
    """The rules of one version of the table with all they refer to; disabled units answer for nothing."""
    rows = table_rows(cursor, table)
    cursor.execute("SELECT code, name, area_path, disabled FROM units ORDER BY code")
    units = cursor.fetchall()
    cursor.execute("SELECT path, name, level FROM areas WHERE NOT disabled ORDER BY path")
    areas = cursor.fetchall()
    cursor.execute("SELECT kind, name, begins, ends FROM special_periods ORDER BY begins")
    periods = [Period(*row) for row in cursor.fetchall()]
    cursor.execute("SELECT DISTINCT ON (code) code, name FROM event_classes ORDER BY code, version DESC")
    classes = dict(cursor.fetchall())
    cursor.execute(_STANDARDS)
    standards = cursor.fetchall()
    root = next((path for path, _, level in areas if level == LEVELS[0]), "")
    able = {code for code, _, _, disabled in units if not disabled}

    def place(path: str) -> str:
        return WHOLE_CITY if path == root else path

    table_part, offices, reasons = _cells(rows, able, place)
    roles = read_roles(cursor, able, place)
    sheet = [
        Row(code, class_code, condition, role)
        for code, class_code, condition, names in standards
        # A role that nobody in the registry of units answers to says nothing of who it is.
        for role in dict.fromkeys(filter(None, (role_of(name, roles) for name in names)))
    ]
    told_in = [path for _, path, *_ in rows] + [path for office in roles.values() for path in office]
    level = max((path.count("/") for path in told_in), default=0)
    digest = hashlib.sha256(
        repr((rows, units, periods, standards, sorted(roles.items()))).encode()
    ).hexdigest()[:8]
    return Rules(
        f"rules-{digest}",
        [*table_part, *sheet],
        {**offices, **roles},
        [Unit(code, name, place(path)) for code, name, path, _ in units],
        [Area(path, name) for path, name, kind in areas if kind in NAMED_LEVELS or path.count("/") <= level],
        borders_of(cursor, level),
        periods,
        {OWNER: OWNER_WORDS[0], **{role: role.partition(":")[2] for role in roles}},
        {name: code for code, name, _, _ in units if code in able and len(name) > 2},
        classes,
        reasons,
        road_classes_of(cursor),
    )


def read_roles(cursor: Cursor, able: set[str], place: Callable[[str], str]) -> dict[str, dict[str, str]]:
    """Role → area path → unit: what the city says that words mean (`role:`, or `road:` and a class of road), and every
    unit by its own name (`unit:`)."""
    cursor.execute("SELECT role, road_class, area_path, unit FROM unit_roles ORDER BY 1, 2, 3")
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for role, road, path, unit in cursor.fetchall():
        if unit in able:
            found[f"{ROAD}:{road}" if road else f"role:{role}"][place(path)] = unit
    cursor.execute("SELECT name, code FROM units ORDER BY code")
    for name, code in cursor.fetchall():
        if code in able:
            found[f"unit:{name}"] = {WHOLE_CITY: code}
    return dict(found)


def role_of(name: str, roles: Mapping[str, Mapping[str, str]]) -> str:
    """The role that a word of a rule sheet stands for, '' when it stands for nobody here."""
    if any(word in name for word in OWNER_WORDS):
        return OWNER
    if ROAD_WORD in name:
        return ROAD if any(role.startswith(f"{ROAD}:") for role in roles) else ""
    return next((role for role in (f"role:{name}", f"unit:{name}") if role in roles), "")


def _cells(
    rows: Iterable[TableRow], able: set[str], place: Callable[[str], str]
) -> tuple[list[Row], dict[str, dict[str, str]], dict[str, str]]:
    """(rows, offices, reasons): of a class the smallest area that the table names for it answers, so that all its cells
    are one role."""
    made: dict[str, Row] = {}
    offices: dict[str, dict[str, str]] = defaultdict(dict)
    reasons: dict[str, str] = {}
    for class_code, path, period, unit, reason in rows:
        if unit not in able:
            continue
        rule = f"{class_code}/{period}" if period else class_code
        role = f"{CELL}{rule}"
        made.setdefault(role, Row(rule, class_code, "", role, period))
        area = place(path)
        offices[role][area] = unit
        if reason:
            reasons[f"{rule}@{area or '*'}"] = reason
    return list(made.values()), dict(offices), reasons


def road_classes_of(cursor: Cursor) -> RoadClasses | None:
    """The city's roads by the class that its map data tell; None where they tell none."""
    cursor.execute(
        "SELECT properties ->> 'class', geometry FROM map_features WHERE layer = 'roads' AND properties ->> 'class' <> ''"
    )
    rows = cursor.fetchall()
    lines: dict[str, list[Any]] = defaultdict(list)
    for (name, _), line in zip(rows, shapely.from_wkb([bytes(found) for _, found in rows]), strict=True):
        lines[name].append(line)
    return RoadClasses(lines) if lines else None


def borders_of(cursor: Cursor, depth: int) -> Borders:
    """Outlines of the areas at a depth of the tree (1 = the city); where none were imported those of their cells."""
    if depth < 1:
        return Borders([], [])
    cursor.execute(
        "SELECT path, geometry FROM areas WHERE length(path) - length(replace(path, '/', '')) = %s AND NOT disabled"
        " ORDER BY path",
        (depth,),
    )
    shapes: dict[str, Any] = {path: bytes(found) if found else None for path, found in cursor.fetchall()}
    if missing := [path for path, found in shapes.items() if found is None]:
        cursor.execute(
            "SELECT path, geometry FROM areas WHERE level = 'cell' AND geometry IS NOT NULL AND NOT disabled"
        )
        shapes |= _of_cells(missing, cursor.fetchall())
    known = {path: found for path, found in shapes.items() if found is not None}
    geometries = [shapely.from_wkb(g) if isinstance(g, bytes) else g for g in known.values()]
    return Borders(list(known), geometries)


def _of_cells(paths: Iterable[str], cells: Iterable[tuple[str, Any]]) -> Mapping[str, Any]:
    wanted = set(paths)
    parts: dict[str, list[Any]] = defaultdict(list)
    for path, geometry in cells:
        area = next((up for up in paths_up(path) if up in wanted), None)
        if area is not None:
            parts[area].append(shapely.from_wkb(bytes(geometry)))
    return {path: shapely.union_all(found) for path, found in parts.items()}
