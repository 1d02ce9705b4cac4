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
from incidents.responsibility import CELL, OWNER, ROAD, ROAD_WORDS, WHOLE_CITY, Row, Rules
from incidents.role_circumstances import Told

PERIOD_PRIOR: Final = 0.9
"""How probably a row made for the period in force answers before anything was seen of it."""

PERIOD_SEEN: Final = 4.0
"""As many outcomes the prior counts for."""

CELL_PRIOR: Final = 0.9
"""How probably whom the table in force names for class and area answers, and not another that the sheet allows, before
anything was seen of the class."""

CELL_SEEN: Final = 4.0
"""As many outcomes that prior counts for."""

CLEAR: Final = 0.5
"""A role this probable by standard, road and owner is expected; another one that answers then deviates."""

USUAL, OTHER = "usual", "other"
YES, NO = "yes", "no"

NOWHERE: Final = Spot(WHOLE_CITY, ELSEWHERE, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Path:
    """How the table arrives at a unit."""

    standard: Standard
    row: Row
    spot: Spot
    road: str
    probability: float


class Roles:
    """The table, and what it turned out to mean."""

    __slots__ = ("_counts", "_road_classes", "_roles_of", "name", "rules")

    def __init__(self, rules: Rules) -> None:
        self.name = "table"
        self.rules = rules
        self._counts = FinalUnits()
        self._road_classes = tuple(
            sorted(role.removeprefix(f"{ROAD}:") for role in rules.offices if role.startswith(f"{ROAD}:"))
        )
        self._roles_of: dict[str, set[str]] = {}
        for role, offices in rules.offices.items():
            for unit in offices.values():
                self._roles_of.setdefault(unit, set()).update((role, role.partition(":")[0]))

    def look(self, scene: Scene) -> RolesSeen:
        """Every unit that the table arrives at, with how."""
        paths: dict[str, list[Path]] = {}
        spots = scene.spots.spots if scene.spots else ()
        # That it lies in none of the areas it may lie in leaves what answers for the whole city.
        spots = (
            *spots,
            Spot(WHOLE_CITY, ELSEWHERE, max(0.0, 1 - sum(spot.probability for spot in spots)), 0.0),
        )
        lost = max(0.0, 1 - sum(standard.probability for standard in scene.standards))
        period = scene.period.kind if scene.period else ""
        for standard in scene.standards:
            rows = self.rules.rows(standard.class_code, standard.condition, period)
            for spot in spots:
                for row, share in zip(rows, self._shares(scene, standard, rows, spot), strict=True):
                    for road, there in self._roads(scene, standard, row):
                        probability = standard.probability * spot.probability * share * there
                        unit = self.rules.unit_of(row.role, spot.path, road, scene.owner)
                        if unit:
                            paths.setdefault(unit, []).append(Path(standard, row, spot, road, probability))
                        else:
                            lost += probability
        return RolesSeen(self, scene, paths, lost, self._street_marks(scene))

    def learn(self, outcome: Outcome, scene: Scene) -> None:
        """Which role answered, and whether that is the usual one; only where somebody said which class it was."""
        asked = outcome.asked
        if not asked.class_code:
            return
        period = scene.period.kind if scene.period else ""
        rows = self.rules.rows(asked.class_code, asked.condition, period)
        if asked.road_class in self._road_classes:
            self._counts.learn(self._road_chain(asked.class_code), asked.road_class, asked.day)
        answered = self._answered(outcome, scene, rows)
        if not answered:
            return
        if any(row.period for row in rows):
            made_for_it = any(row.period for row in answered)
            self._counts.learn(
                self._period_chain(asked.class_code, period), YES if made_for_it else NO, asked.day
            )
            if made_for_it:
                return
        spot = scene.spots.spots[0] if scene.spots and scene.spots.spots else NOWHERE
        told = Told(asked.class_code, asked.condition, spot.path, asked.road_class, self._kind(scene.owner))
        ordinary = [row.role for row in rows if not row.period]
        if len(ordinary) > 1 and asked.condition and (scene.owner or OWNER not in ordinary):
            expected = self._expected(told, scene.owner, ordinary, asked.day)
            best = max(range(len(ordinary)), key=lambda i: expected[i])
            if expected[best] >= CLEAR:
                label = USUAL if any(row.role == ordinary[best] for row in answered) else OTHER
                contexts = dict.fromkeys(context for chain in told.deviations() for context in chain)
                self._counts.learn(contexts, label, asked.day)
        chains = [*told.circumstances(scene.owner), *(told.places() if spot.path and asked.condition else ())]
        contexts = dict.fromkeys(context for chain in chains for context in chain)
        for row in answered:
            self._counts.learn(contexts, row.role, asked.day, 1 / len(answered))

    def learned(self) -> FinalUnits:
        """What has been learned, for the file of a router."""
        return self._counts

    def _street_marks(self, scene: Scene) -> tuple[float, ...]:
        """How much was seen of the class in its street, how usual it is there, and anywhere, that the expected role answers."""
        if not scene.standards or not scene.spots or not scene.spots.spots:
            return 0.0, 0.0, 0.0
        code, street, day = scene.standards[0].class_code, scene.spots.spots[0].path, scene.asked.day
        general, there, *_ = Told(code, "", street, "", "").deviations()
        odds = [
            math.log(u / o)
            for u, o in (self._counts.shares(c, (USUAL, OTHER), day) for c in (there, general))
        ]
        return (math.log1p(self._counts.seen(there[-1], "", day)[0]), *odds)

    def counted(self, scene: Scene, path: Path) -> tuple[float, float]:
        """How many cases of the standard there were, and how many of them this role answered."""
        key = (path.standard.class_code, path.standard.condition)
        return self._counts.seen(("standard", *key), path.row.role, scene.asked.day)

    def _shares(self, scene: Scene, standard: Standard, rows: Sequence[Row], spot: Spot) -> list[float]:
        """The probability of each row. Rows made for the period in force come first; among the ordinary ones what the
        standard, the road, the owner and the area each say is multiplied."""
        day = scene.asked.day
        special = [row.role for row in rows if row.period]
        ordinary = [row.role for row in rows if not row.period]
        left = 1.0
        if special and scene.period is not None:
            chain = self._period_chain(standard.class_code, scene.period.kind)
            seen = sum(self._counts.seen(context, "", day)[0] for context in chain[:1])
            yes, no = self._counts.shares(chain, (YES, NO), day)
            yes = (seen * yes / (yes + no) + PERIOD_SEEN * PERIOD_PRIOR) / (seen + PERIOD_SEEN)
            left = 1 - yes if ordinary else 0.0
        told = Told(
            standard.class_code,
            standard.condition,
            spot.path,
            scene.asked.road_class,
            self._kind(scene.owner),
        )
        found = self._among(told, scene.owner, ordinary, day)
        among = dict(zip(ordinary, self._by_table(standard.class_code, ordinary, found, day), strict=True))
        return [(1 - left) / len(special) if row.period else left * among[row.role] for row in rows]

    def _by_table(
        self, class_code: str, roles: Sequence[str], found: Sequence[float], day: float
    ) -> Sequence[float]:
        """With the table's own word for class and area, until outcomes of the class say who it is."""
        cells = sum(role.startswith(CELL) for role in roles)
        if not cells or cells == len(roles):
            return found
        seen = self._counts.seen(("class", class_code), "", day)[0]
        kept = seen / (seen + CELL_SEEN)
        named, rest = CELL_PRIOR / cells, (1 - CELL_PRIOR) / (len(roles) - cells)
        return [
            kept * share + (1 - kept) * (named if role.startswith(CELL) else rest)
            for role, share in zip(roles, found, strict=True)
        ]

    def _expected(self, told: Told, owner: str, roles: Sequence[str], day: float) -> list[float]:
        """The probability of each role by standard, road and owner, wherever it is."""
        base, *others = told.circumstances(owner)
        usual = self._counts.shares(base, roles, day)
        found = list(usual)
        for chain in others:
            found = [
                f * t / u
                for f, t, u in zip(found, self._counts.shares(chain, roles, day), usual, strict=True)
            ]
        whole = sum(found)
        return [f / whole for f in found]

    def _among(self, told: Told, owner: str, roles: Sequence[str], day: float) -> list[float]:
        """With what the place makes of it: here this standard goes elsewhere, or this class leaves what is expected."""
        if len(roles) < 2:
            return [1.0] * len(roles)
        found = self._expected(told, owner, roles, day)
        if told.condition and told.street:
            base, here = (self._counts.shares(chain, roles, day) for chain in told.places())
            changed = [f * t / u for f, t, u in zip(found, here, base, strict=True)]
            # An owner nobody knows is no more and no less probable in this street.
            kept = roles.index(OWNER) if OWNER in roles and not owner else -1
            open_to = [i for i in range(len(roles)) if i != kept]
            best = max(open_to, key=lambda i: found[i])
            general, street, *finer = (self._counts.shares(c, (USUAL, OTHER), day) for c in told.deviations())
            for label in (0, 1):
                factor = street[label] / general[label]
                for one in finer:
                    factor *= one[label] / street[label]
                changed = [c * factor if (i == best) == (label == 0) else c for i, c in enumerate(changed)]
            whole = sum(changed[i] for i in open_to)
            left = 1 - found[kept] if kept >= 0 else 1.0
            return [left * changed[i] / whole if i != kept else found[i] for i in range(len(roles))]
        return found

    def _answered(self, outcome: Outcome, scene: Scene, rows: Sequence[Row]) -> list[Row]:
        """The rows by which the unit answered: at the place and on the road as told, else anywhere in the city."""
        road, unit = outcome.asked.road_class, outcome.unit
        paths = [spot.path for spot in scene.spots.spots] if scene.spots else []
        exact = [
            r
            for r in rows
            if any(self.rules.unit_of(r.role, p, road, scene.owner) == unit for p in [*paths, ""])
        ]
        if exact:
            return exact
        # Who is no office of any role can only have answered as the owner.
        roles = self._roles_of.get(unit, {OWNER})
        return [r for r in rows if (f"{ROAD}:{road}" if r.role == ROAD and road else r.role) in roles]

    def _roads(self, scene: Scene, standard: Standard, row: Row) -> list[tuple[str, float]]:
        """The road classes to follow, with their shares: the one that is told, else all that there are."""
        road = scene.asked.road_class
        if row.role != ROAD or road in self._road_classes or not self._road_classes:
            return [(road, 1.0)]
        shares = self._counts.shares(
            self._road_chain(standard.class_code), self._road_classes, scene.asked.day
        )
        whole = sum(shares)
        return [(one, share / whole) for one, share in zip(self._road_classes, shares, strict=True)]

    @staticmethod
    def _road_chain(class_code: str) -> list[Context]:
        return [("roads",), ("roads", class_code)]

    def _kind(self, owner: str) -> str:
        """Whether the owner is itself an office of the table, or only owns."""
        return "" if not owner else "office" if owner in self._roles_of else "owner"

    @staticmethod
    def _period_chain(class_code: str, kind: str) -> list[Context]:
        return [("period",), ("period", kind), ("period", kind, class_code)]


class RolesSeen:
    """What the table says of one scene."""

    __slots__ = ("_paths", "_roles", "_scene", "_shares", "evidence", "marks", "units", "unknown")

    def __init__(
        self,
        roles: Roles,
        scene: Scene,
        paths: dict[str, list[Path]],
        lost: float,
        street: tuple[float, ...],
    ) -> None:
        self.evidence = roles.name
        self._roles, self._scene = roles, scene
        self._paths = {unit: max(found, key=lambda path: path.probability) for unit, found in paths.items()}
        self._shares = {unit: sum(path.probability for path in found) for unit, found in paths.items()}
        self.units = tuple(sorted(self._shares, key=lambda unit: (-self._shares[unit], unit)))
        seen = roles.counted(scene, self._paths[self.units[0]])[0] if self.units else 0.0
        self.unknown = lost
        self.marks: tuple[float, ...] = (math.log1p(seen), lost, *street)

    def shares(self, units: Sequence[str]) -> list[float]:
        """A unit that the table does not name has next to nothing."""
        if not self._shares:
            return [1.0 / (len(units) + 1)] * len(units)
        return [self._shares.get(unit, 0.0) for unit in units]

    def rule(self, unit: str) -> str:
        """The row of the table, or its cell."""
        path = self._paths.get(unit)
        return self._roles.rules.rule_at(path.row, path.spot.path) if path is not None else ""

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
        elif path.row.role == ROAD:
            known = scene.asked.road_class == path.road
            road = ROAD_WORDS.get(path.road, f"{path.road} 级道路")
            zh.append(f"{'' if known else '道路等级未知，如为'}{road}{'' if known else '则'}由{name}管理")
            en.append(
                f"{'' if known else 'road class not known; '}roads of class {path.road} are kept by {name}"
            )
        else:
            place = _PLACE_WORDS.get(path.spot.kind, ("位置在", "the place lies in"))
            area = rules.area_name(path.spot.path)
            where = f"{place[0]}{area}" if path.spot.path else ""
            where_en = f"{place[1]} {area}" if path.spot.path else ""
            if path.row.role.startswith(CELL):
                said = rules.cell_reasons.get(rules.rule_at(path.row, path.spot.path), "")
                class_name = rules.class_name(path.standard.class_code)
                zh[0] = f"责任表：{said}" if said else f"责任表：“{class_name}”由{name}负责"
                en[0] = f"responsibility table: {class_name} belongs to {name}"
            else:
                where, where_en = (
                    f"即{name}" + (f"，{where}" if where else ""),
                    f"which is {name}" + (f"; {where_en}" if where_en else ""),
                )
            zh += [where] if where else []
            en += [where_en] if where_en else []
        if path.standard.words and not (scene.asked.class_code and scene.asked.condition):
            words = "、".join(f"“{word}”" for word in path.standard.words)
            if not scene.asked.class_code:
                class_name = rules.class_name(path.standard.class_code)
                zh.append(f"由{words}判断属“{class_name}”")
                en.append(f"class {class_name} by the words {words}")
            if path.standard.condition:
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
