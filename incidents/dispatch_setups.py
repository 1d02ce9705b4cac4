"""Which evidence a city has: with a responsibility table, or with nothing but what became of its past incidents."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

from gis.borders import METRES_PER_DEGREE
from incidents.dispatch_evidence import Evidence, History, Level, Words
from incidents.dispatch_model import TextModel
from incidents.dispatch_scene import LearnedText, Scene, Scenes
from incidents.responsibility import Rules
from incidents.role_evidence import Roles

GRIDS_M: Final = (8000, 2000, 500, 125)
"""Sides of the squares in which history is counted where no areas are known, metres."""

FINE_GRID_M: Final = 500


def square(lon: float | None, lat: float | None, side_m: int) -> tuple[int, int, int] | None:
    """The square of a grid that holds a point; None without a point."""
    if lon is None or lat is None or not (math.isfinite(lon) and math.isfinite(lat)):
        return None
    row = math.floor(lat * METRES_PER_DEGREE / side_m)
    # One stretch for the whole row keeps the squares of a row apart and equally wide.
    stretch = math.cos(math.radians(min(89.0, abs(row * side_m / METRES_PER_DEGREE))))
    return side_m, row, math.floor(lon * METRES_PER_DEGREE * stretch / side_m)


def by_class_and_place(scene: Scene) -> list[Level]:
    """Class, then class in ever smaller squares."""
    asked = scene.asked
    name = f"“{asked.class_code}”" if asked.class_code else "未分类案件"
    name_en = asked.class_code or "unclassified"
    found: list[Level] = [
        ("全部案件|all cases", ("all",)),
        (f"{name}类|{name_en}", ("class", asked.class_code)),
    ]
    for side in GRIDS_M:
        where = square(asked.lon, asked.lat, side)
        if where is not None:
            here = _side(side)
            found.append(
                (
                    f"{name}类在此地 {here[0]}见方内|{name_en} within {here[1]} here",
                    ("class", asked.class_code, *where),
                )
            )
    return found


def by_place(scene: Scene) -> list[Level]:
    """Ever smaller squares, whatever the class."""
    found: list[Level] = [("全部案件|all cases", ("all",))]
    for side in GRIDS_M:
        where = square(scene.asked.lon, scene.asked.lat, side)
        if where is not None:
            here = _side(side)
            found.append((f"此地 {here[0]}见方内|within {here[1]} here", where))
    return found


def _side(side_m: int) -> tuple[str, str]:
    return (
        (f"{side_m // 1000} 公里", f"{side_m // 1000} km")
        if side_m >= 1000
        else (f"{side_m} 米", f"{side_m} m")
    )


def by_area(scene: Scene, named: Callable[[str], str] = str) -> list[Level]:
    """Class, condition, then in the district, the street and the square where it most probably is. `named`: what a class
    is called."""
    asked = scene.asked
    standard = scene.standards[0] if scene.standards else None
    code = standard.class_code if standard else ""
    key = (code, standard.condition if standard else "")
    name, name_en = (f"“{named(code)}”", named(code)) if code else ("未分类案件", "unclassified")
    under, under_en = (f"（{key[1]}）", f" ({key[1]})") if key[1] else ("", "")
    found: list[Level] = [
        ("全部案件|all cases", ("all",)), (f"{name}类|{name_en}", ("class", code)),
        (f"{name}{under}|{name_en}{under_en}", key),
    ]  # fmt: skip
    spots = scene.spots.spots if scene.spots else ()
    if spots:
        street = spots[0].path
        district = street[: street.rstrip("/").rfind("/") + 1]
        found += [
            (f"{name}在同一区县|{name_en} in this district", (*key, district)),
            (f"{name}{under}在同一街道|{name_en}{under_en} in this street", (*key, street)),
        ]
    where = square(asked.lon, asked.lat, FINE_GRID_M)
    if where is not None:
        found.append((f"{name}在此地 500 米见方内|{name_en} within 500 m here", (*key, *where)))
    return found


def with_table(rules: Rules, text: TextModel | None) -> tuple[Scenes, list[Evidence]]:
    """A city with a responsibility table. `text` None: routing without a text model; LearnedText(): its own."""
    evidence: list[Evidence] = [Roles(rules), History("history", by_area, rules.unit_name)]
    return Scenes(rules, text), evidence


def of_city(rules: Rules, text: TextModel | None) -> tuple[Scenes, list[Evidence]]:
    """A city as the product knows it: its table, even an empty one; what handled such cases, by class and by place; the
    words that go with a unit. What was never learned says nothing, and weights are learned."""
    evidence: list[Evidence] = [
        Roles(rules),
        History("history", partial(by_area, named=rules.class_name), rules.unit_name),
        History("place", by_place, rules.unit_name),
        Words(rules.unit_name, rules.class_name),
    ]
    return Scenes(rules, text), evidence


def without_table(words: bool = True) -> tuple[Scenes, list[Evidence]]:
    """A city that has only its past: class, place, text → unit."""
    evidence: list[Evidence] = [
        History("history", by_class_and_place, str), History("place", by_place, str),
    ]  # fmt: skip
    return Scenes(None, None), [*evidence, Words(str)] if words else evidence


def own_text() -> TextModel:
    """A text model that learns from the incidents that are routed."""
    return LearnedText()
