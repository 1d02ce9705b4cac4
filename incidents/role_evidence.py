"""The responsibility table as evidence: which of the roles that a standard names answers here, and who that is at the place.

Roles are learned for the whole city at once: that a broken cover goes to its owner is known in a street that never had one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from incidents.dispatch_model import Outcome, Reason
from incidents.dispatch_scene import Scene, Standard
from incidents.final_units import Context, FinalUnits
from incidents.place_evidence import ELSEWHERE, NAMED, NEAR, REGISTERED, Spot
from incidents.responsibility import OWNER, ROAD, WHOLE_CITY, Row, Rules

PERIOD_PRIOR: Final = 12.0
"""How much a row made for the period in force is preferred before anything was seen of it."""

PERIOD_SEEN: Final = 4.0
"""After so many outcomes of its own the period's row is believed as it turned out."""

NOWHERE: Final = Spot(WHOLE_CITY, ELSEWHERE, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Path:
    """How the table arrives at a unit."""

    standard: Standard
    row: Row
    spot: Spot
    probability: float


class Roles:
    """The table, and what it turned out to mean."""

    __slots__ = ("_counts", "_roles_of", "name", "rules")

    def __init__(self, rules: Rules) -> None:
        self.name = "table"
        self.rules = rules
        self._counts = FinalUnits()
        self._roles_of: dict[str, set[str]] = {}
        for role, offices in rules.offices.items():
            for unit in offices.values():
                self._roles_of.setdefault(unit, set()).add(ROAD if role.startswith(f"{ROAD}:") else role)

    def look(self, scene: Scene) -> RolesSeen:
        """Every unit that the table arrives at, with how."""
        paths: dict[str, list[Path]] = {}
        lost = 0.0
        spots = scene.spots.spots if scene.spots and scene.spots.spots else (NOWHERE,)
        period = scene.period.kind if scene.period else ""
        for standard in scene.standards:
            rows = self.rules.rows(standard.class_code, standard.condition, period)
            for spot in spots:
                for row, share in zip(rows, self._shares(scene, standard, rows, spot), strict=True):
                    probability = standard.probability * spot.probability * share
                    unit = self.rules.unit_of(row.role, spot.path, scene.asked, scene.owner)
                    if unit:
                        paths.setdefault(unit, []).append(Path(standard, row, spot, probability))
                    else:
                        lost += probability
        return RolesSeen(self, scene, paths, lost)

    def learn(self, outcome: Outcome, scene: Scene) -> None:
        """Which role answered; only where somebody said which standard it was."""
        asked = outcome.asked
        if not asked.class_code:
            return
        rows = self.rules.rows(asked.class_code, asked.condition, scene.period.kind if scene.period else "")
        roles = self._roles_of.get(outcome.unit, set())
        answered = [
            r.role for r in rows if r.role in roles or (r.role == OWNER and outcome.unit == scene.owner)
        ]
        if not answered:
            return
        spot = scene.spots.spots[0] if scene.spots and scene.spots.spots else NOWHERE
        chains = self._chains(scene, asked.class_code, asked.condition, spot)
        contexts = dict.fromkeys(context for chain in chains for context in chain)
        for role in answered:
            self._counts.learn(contexts, role, asked.day, 1 / len(answered))

    def counted(self, scene: Scene, path: Path) -> tuple[float, float]:
        """How many cases of the standard there were, and how many of them this role answered."""
        key = (path.standard.class_code, path.standard.condition)
        return self._counts.seen(("standard", *key), path.row.role, scene.asked.day)

    def _shares(self, scene: Scene, standard: Standard, rows: Sequence[Row], spot: Spot) -> list[float]:
        """The probability of each row: what the standard, the road, the owner and the area each say, multiplied."""
        if len(rows) < 2:
            return [1.0] * len(rows)
        roles = [row.role for row in rows]
        day = scene.asked.day
        base, *others = self._chains(scene, standard.class_code, standard.condition, spot)
        usual = self._counts.shares(base, roles, day)
        found = list(usual)
        for chain in others:
            told = self._counts.shares(chain, roles, day)
            found = [f * t / u for f, t, u in zip(found, told, usual, strict=True)]
        if scene.period is not None:
            count, _ = self._counts.seen(
                ("period", standard.class_code, standard.condition, scene.period.kind), "", day
            )
            preferred = PERIOD_PRIOR ** (PERIOD_SEEN / (PERIOD_SEEN + count))
            found = [f * (preferred if row.period else 1.0) for f, row in zip(found, rows, strict=True)]
        whole = sum(found)
        return [f / whole for f in found]

    @staticmethod
    def _chains(scene: Scene, class_code: str, condition: str, spot: Spot) -> list[list[Context]]:
        """What is usual, then what each circumstance makes of it."""
        standard = (class_code, condition)
        base: list[Context] = [("class", class_code)]
        if condition:
            base.append(("standard", *standard))
        chains = [base]
        if scene.period is not None:
            kind = scene.period.kind
            chains.append([*base, ("period", class_code, kind), ("period", *standard, kind)])
        if scene.asked.road_class:
            road = scene.asked.road_class
            chains.append([*base, ("road", class_code, road), ("road", *standard, road)])
        owner = scene.owner or "-"
        chains.append(
            [
                *base,
                ("owned", *standard, owner != "-"),
                ("owner", class_code, owner),
                ("owner", *standard, owner),
            ]
        )
        if spot.path:
            district = spot.path[: spot.path.rstrip("/").rfind("/") + 1]
            chains.append(
                [*base, ("in", class_code, district), ("in", *standard, district), ("in", class_code, spot.path),
                 ("in", *standard, spot.path)]
            )  # fmt: skip
        return chains


class RolesSeen:
    """What the table says of one scene."""

    __slots__ = ("_paths", "_roles", "_scene", "_shares", "evidence", "marks", "units")

    def __init__(self, roles: Roles, scene: Scene, paths: dict[str, list[Path]], lost: float) -> None:
        self.evidence = roles.name
        self._roles, self._scene = roles, scene
        self._paths = {unit: max(found, key=lambda path: path.probability) for unit, found in paths.items()}
        self._shares = {unit: sum(path.probability for path in found) for unit, found in paths.items()}
        self.units = tuple(sorted(self._shares, key=lambda unit: (-self._shares[unit], unit)))
        seen = roles.counted(scene, self._paths[self.units[0]])[0] if self.units else 0.0
        self.marks = (math.log1p(seen), lost)

    def shares(self, units: Sequence[str]) -> list[float]:
        """A unit that the table does not name has next to nothing."""
        if not self._shares:
            return [1.0 / (len(units) + 1)] * len(units)
        return [self._shares.get(unit, 0.0) for unit in units]

    def rule(self, unit: str) -> str:
        """The row of the table."""
        return self._paths[unit].row.rule if unit in self._paths else ""

    def reason(self, unit: str, weight: float) -> Reason | None:
        """The row, what made a unit of its role, and how often it turned out so."""
        path = self._paths.get(unit)
        if path is None:
            return None
        rules, scene = self._roles.rules, self._scene
        role = rules.role_names.get(path.row.role, path.row.role)
        name = rules.unit_name(unit)
        zh, en = (
            [f"责任表 {path.row.rule}：由{role}负责"],
            [f"responsibility table {path.row.rule}: {role} answers"],
        )
        if path.row.period and scene.period is not None:
            zh.append(f"{scene.period.name}期间适用")
            en.append(f"in force during {scene.period.name}")
        if path.row.role == OWNER:
            source = (
                ("文字提到", "named by the text")
                if scene.owner_named
                else ("部件登记", "in the component's register")
            )
            zh.append(f"{source[0]}的产权单位是{name}")
            en.append(f"the owner {source[1]} is {name}")
        elif path.row.role == ROAD and scene.asked.road_class:
            zh.append(f"道路等级 {scene.asked.road_class} 由{name}管理")
            en.append(f"roads of class {scene.asked.road_class} are kept by {name}")
        else:
            place = _PLACE_WORDS.get(path.spot.kind, ("位置在", "the place lies in"))
            area = rules.area_name(path.spot.path)
            where = f"，{place[0]}{area}" if path.spot.path else ""
            zh.append(f"即{name}{where}")
            en.append(f"which is {name}" + (f"; {place[1]} {area}" if path.spot.path else ""))
        if path.standard.words and not scene.asked.condition:
            words = "、".join(f"“{word}”" for word in path.standard.words)
            zh.append(f"由{words}判断立案条件为“{path.standard.condition}”")
            en.append(f"condition {path.standard.condition} by the words {words}")
        whole, answered = self._roles.counted(scene, path)
        if whole >= 1:
            zh.append(f"同一立案标准过去 {round(whole)} 件中 {round(answered)} 件如此")
            en.append(f"so in {round(answered)} of {round(whole)} earlier cases of this standard")
        return Reason(self.evidence, "，".join(zh), ", ".join(en), weight)


_PLACE_WORDS: Final = {
    REGISTERED: ("部件登记在", "the component is registered in"),
    NAMED: ("文字提到的地点在", "the text names a place in"),
    NEAR: ("位置紧邻", "the place is next to"),
}
