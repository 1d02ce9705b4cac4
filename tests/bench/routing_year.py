"""A year of incidents in the city of `routing_city`, each as a router sees it, with what a fully informed person would say.

Imports nothing of the product, and the product cannot import it. Of every incident it is known whether anything the router
sees tells the answer: the share that no router could decide is counted here, not by the router.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import shapely

from tests.bench.routing_city import (
    COMPANIES,
    HEIGHT_M,
    LAT,
    LON,
    METRES,
    PERIODS,
    PUBLIC,
    STRETCH,
    WIDTH_M,
    Standard,
    district_of,
    make_city,
    on,
    to_degrees,
)

# -- settings -------------------------------------------------------------------------------------------------

INCIDENTS: Final = 120_000
NEAR_BORDER: Final = 0.06
"""Share of the places at most BORDER_M from a border of streets."""
BORDER_M: Final = 15.0
WRONG_PLACE: Final = 0.03
WRONG_RECORD: Final = 0.04
MISLEADING: Final = 0.05
SOURCES: Final = {"grid worker": (0.5, 4.0, 10.0), "phone": (0.3, 8.0, 20.0), "hotline": (0.2, 15.0, 40.0)}
"""Share, standard error of the place in metres (each axis), the 95 % radius that the source tells."""
CLASS_GIVEN: Final = 0.9
CONDITION_GIVEN: Final = 0.78
"""Of those whose class is given."""
CLASS_WORD: Final = 0.95
CONDITION_WORD: Final = 0.92
"""Texts that say class, condition, in so many words."""
COMMUNITY_NAMED: Final = 0.45
STREET_NAMED: Final = 0.25
DISTRICT_NAMED: Final = 0.3
"""Texts that name the community, else the street, and besides the district."""
COMPONENT_KNOWN: Final = 0.88
"""Incidents of component classes whose component is identified: the register tells its street."""
OWNER_MISSING: Final = 0.08
"""Of identified components, those without an owner in the register."""
OWNER_NAMED: Final = 0.3
"""Texts that name the company that owns it."""
ROAD_TOLD: Final = 0.9
"""Incidents of which the class of the road is told."""
ROADS: Final = {"arterial": 0.3, "secondary": 0.3, "local": 0.4}
MISLEADING_PLACE: Final = 0.4
"""Of misleading texts, those that also name a place elsewhere."""


def settings() -> dict[str, Any]:
    """All settings of city and year, for the result."""
    from tests.bench import routing_city

    found = {}
    for module in (routing_city.__dict__, globals()):
        for name, value in module.items():
            if (
                name.isupper()
                and isinstance(value, int | float | dict)
                and name not in ("LON", "LAT", "METRES", "STRETCH")
            ):
                found[name.lower()] = sorted(value) if name == "PERIOD_CLASSES" else value
    return found


@dataclass(frozen=True, slots=True)
class Reported:
    """What a router sees. '' = not known."""

    at: datetime
    text: str
    class_code: str
    condition: str
    lon: float
    lat: float
    uncertainty_m: float
    owner: str
    registered_street: str
    road_class: str


@dataclass(frozen=True, slots=True)
class Incident:
    """With what the router does not see: the right unit, the unit of the records, why nothing that is seen could tell it
    ('' = it can), and what is special about it."""

    seen: Reported
    right: str
    recorded: str
    hidden: str
    tags: frozenset[str]


class Year:
    """Makes the incidents of one seed, in order of time."""

    def __init__(self, seed: int, count: int = INCIDENTS) -> None:
        self.city = make_city(seed)
        self._rng = random.Random(f"year {seed}")
        self._tree = shapely.STRtree(self.city.polygons)
        self._weights = [s.weight for s in self.city.standards]
        self._of_class: dict[str, list[Standard]] = {}
        for s in self.city.standards:
            self._of_class.setdefault(s.class_code, []).append(s)
        places = {}
        for street in self.city.streets:
            for name in (self.city.names[street], *self.city.communities[street]):
                places.setdefault(name, set()).add(street)
        self._only = {name for name, streets in places.items() if len(streets) == 1}
        self.incidents = self._make(count)

    def _make(self, count: int) -> list[Incident]:
        begin, end = on(1, 1), on(12, 31) + timedelta(days=1)
        moments = sorted(begin + (end - begin) * self._rng.random() for _ in range(count))
        chosen = self._rng.choices(self.city.standards, self._weights, k=count)
        return [self._incident(at, s) for at, s in zip(moments, chosen, strict=True)]

    def street_at(self, lon: float, lat: float) -> str:
        """The street of a point, the nearest outside of the city."""
        return self.city.streets[int(self._tree.nearest(shapely.Point(lon, lat)))]

    def _place(self) -> tuple[float, float, str, str]:
        """A true place: degrees, its street, and the street across when a border is at most BORDER_M away."""
        rng = self._rng
        near = rng.random() < NEAR_BORDER
        while True:
            if near:
                on_line = shapely.line_interpolate_point(self._lines(), rng.random(), normalized=True)
                x, y = (
                    on_line.x + rng.uniform(-BORDER_M, BORDER_M),
                    on_line.y + rng.uniform(-BORDER_M, BORDER_M),
                )
            else:
                x, y = rng.uniform(-0.5, 0.5) * WIDTH_M, rng.uniform(-0.5, 0.5) * HEIGHT_M
            away = shapely.distance(self.city.borders, shapely.Point(x, y))
            if (away <= BORDER_M) == near:
                break
        lon, lat = to_degrees(x, y)
        street = self.street_at(lon, lat)
        across = ""
        if near:
            touched = self._tree.query(
                shapely.Point(lon, lat), predicate="dwithin", distance=BORDER_M / METRES * 1.1
            )
            across = next((self.city.streets[i] for i in touched if self.city.streets[i] != street), "")
        return lon, lat, street, across

    def _lines(self) -> Any:
        if not hasattr(self, "_merged"):
            self._merged = shapely.line_merge(self.city.borders)
            self._parts = shapely.get_parts(self._merged)
            self._lengths = shapely.length(self._parts).tolist()
            shapely.prepare(self.city.borders)
        return self._rng.choices(self._parts, self._lengths)[0]

    def _incident(self, at: datetime, s: Standard) -> Incident:
        rng, city = self._rng, self.city
        tags = set()
        lon, lat, street, across = self._place()
        if across:
            tags.add("border")
        company = f"K{rng.randrange(len(COMPANIES))}" if s.component and rng.random() >= PUBLIC else ""
        owner = company or city.public.get(s.class_code, "")
        road = rng.choices(list(ROADS), list(ROADS.values()))[0]
        period = next(
            (
                kind
                for kind, _, b, e in PERIODS
                if b <= at < e and s.class_code in city.periodic.get(kind, ())
            ),
            "",
        )
        coin = rng.random() < 0.5
        right = city.answers(s, street, owner, road, period, coin)
        if city.disputes.get((s.class_code, street)) and len(s.roles) > 1:
            tags.add("dispute")
        if period:
            tags.add(f"period {period}")
        if right == company:
            tags.add("owner")

        # -- what is seen of the place
        error, radius = rng.choices([v[1:] for v in SOURCES.values()], [v[0] for v in SOURCES.values()])[0]
        seen_lon = lon + rng.gauss(0, error) / METRES / STRETCH
        seen_lat = lat + rng.gauss(0, error) / METRES
        if rng.random() < WRONG_PLACE:
            tags.add("wrong place")
            seen_lon, seen_lat = self._elsewhere(lon, lat)
        known = s.component and rng.random() < COMPONENT_KNOWN
        misleading = rng.random() < MISLEADING
        if misleading:
            tags.add("misleading text")
        elsewhere = rng.choice(city.streets) if misleading and rng.random() < MISLEADING_PLACE else street
        about = rng.choices(city.standards, self._weights)[0] if misleading else s
        says_class, says_condition = rng.random() < CLASS_WORD, rng.random() < CONDITION_WORD
        named = self._named(elsewhere)
        owner_told = bool(company) and rng.random() < OWNER_NAMED
        text = self._text(
            about, named, district_of(elsewhere), says_class, says_condition, company if owner_told else ""
        )
        class_given = rng.random() < CLASS_GIVEN
        condition_given = class_given and rng.random() < CONDITION_GIVEN
        road_told = rng.random() < ROAD_TOLD
        owner_seen = owner if known and rng.random() >= OWNER_MISSING else ""
        seen = Reported(
            at, text, s.class_code if class_given else "", s.condition if condition_given else "", round(seen_lon, 6),
            round(seen_lat, 6), radius, owner_seen, street if known else "", road if road_told else "",
        )  # fmt: skip

        # -- what no router could know
        def otherwise(**change: Any) -> bool:
            """Would somebody else answer if this were so?"""
            facts = {"s": s, "street": street, "owner": owner, "road": road, "coin": coin} | change
            return city.answers(period=period, **facts) != right

        hidden = ""
        told_place = known or (named in self._only and elsewhere == street)
        pin = self.street_at(seen_lon, seen_lat)
        if otherwise(coin=not coin):
            hidden = "settled anew each time"
        elif not owner_seen and not owner_told and otherwise(owner="" if company else "K0"):
            hidden = "owner not known"
        elif not road_told and any(otherwise(road=r) for r in ROADS):
            hidden = "road not told"
        elif not told_place and (
            otherwise(street=pin) or (across and otherwise(street=across)) or otherwise(street=elsewhere)
        ):
            hidden = "place not to be told"
        elif not class_given and (not says_class or (misleading and otherwise(s=about))):
            hidden = "class not to be told"
        elif (
            not condition_given
            and (misleading or not says_condition)
            and any(otherwise(s=other) for other in self._of_class[s.class_code])
        ):
            hidden = "condition not to be told"
        return Incident(seen, right, self._record(s, street, right, owner, road), hidden, frozenset(tags))

    def _elsewhere(self, lon: float, lat: float) -> tuple[float, float]:
        """A wrong pin: some hundred metres off, anywhere, or the town hall."""
        rng = self._rng
        kind = rng.random()
        if kind < 0.5:
            return lon + rng.uniform(-2000, 2000) / METRES / STRETCH, lat + rng.uniform(-2000, 2000) / METRES
        if kind < 0.8:
            return to_degrees(rng.uniform(-0.5, 0.5) * WIDTH_M, rng.uniform(-0.5, 0.5) * HEIGHT_M)
        return LON, LAT

    def _named(self, street: str) -> str:
        """What the text calls the place, '' for nothing."""
        draw = self._rng.random()
        if draw < COMMUNITY_NAMED:
            return self._rng.choice(self.city.communities[street])
        return self.city.names[street] if draw < COMMUNITY_NAMED + STREET_NAMED else ""

    def _text(
        self, s: Standard, place: str, district: str, says_class: bool, says_condition: bool, company: str
    ) -> str:
        rng = self._rng
        where = (self.city.names[district] if rng.random() < DISTRICT_NAMED else "") + place
        what = rng.choice(s.words) if says_class else rng.choice(("有个问题", "情况", "那里"))
        how = s.condition if says_condition else rng.choice(("很不好", "没人处理", "请尽快解决"))
        whose = f"（{COMPANIES[int(company[1:])]}的）" if company else ""
        begin = rng.choice(("", "市民反映", "网格员巡查发现", "来电人称", "您好，"))
        end = rng.choice(("", "，请派人处理", "，希望尽快解决", "，已多日", "，谢谢"))
        shape = rng.choice(("{w}{o}{c}{h}", "{w}附近{c}{o}{h}", "{c}{o}{h}，位于{w}", "{w}，{h}的{c}{o}"))
        return begin + shape.format(w=where or "路边", o=whose, c=what, h=how) + end

    def _record(self, s: Standard, street: str, right: str, owner: str, road: str) -> str:
        """The unit in the records; a wrong one is another that the standard names, here or in another street."""
        rng, city = self._rng, self.city
        if rng.random() >= WRONG_RECORD:
            return right
        where = street if rng.random() < 0.7 else rng.choice(city.streets)
        roles = [role for role in s.roles if role != "owner" or owner]
        possible = {city.unit_of(role, where, owner, road) for role in roles} - {right}
        return rng.choice(sorted(possible) or sorted(set(city.units) - {right}))
