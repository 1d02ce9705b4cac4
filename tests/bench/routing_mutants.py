"""The generated city as values of the product, and three errors planted in what the router sees: does the truth of the
generator find each of them?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gis.borders import Borders
from incidents.dispatch_model import Asked, Decision
from incidents.dispatching import Router
from incidents.responsibility import Area, Period, Row, Rules, Unit
from tests.bench.routing_city import COMPANIES, PERIODS, City
from tests.bench.routing_year import Incident, Reported


def rules_of(city: City) -> Rules:
    """The table as the city publishes it: nothing of schemes or disputes."""
    rows = []
    for number, s in enumerate(city.standards, 1):
        rows += [Row(f"R{number}-{role}", s.class_code, s.condition, role) for role in s.roles]
    for kind, codes in sorted(city.periodic.items()):
        rows += [Row(f"P-{kind}-{code}", code, "", kind, kind) for code in sorted(codes)]
    areas = [Area(path, name, tuple(city.communities.get(path, ()))) for path, name in city.names.items()]
    return Rules(
        "bench", rows, city.offices, [Unit(code, name, path) for code, (name, path) in city.units.items()], areas,
        Borders(city.streets, city.polygons), [Period(*period) for period in PERIODS], city.role_names,
        {name: f"K{number}" for number, name in enumerate(COMPANIES)},
    )  # fmt: skip


def asked_of(r: Reported) -> Asked:
    """The same facts as the product's value."""
    return Asked(
        r.at, r.text, r.class_code, r.condition, r.lon, r.lat, r.uncertainty_m, r.owner, r.registered_street, r.road_class
    )  # fmt: skip


def mutants(
    router: Router, score: Sequence[Incident], decisions: Sequence[Decision], most: int = 2000
) -> dict[str, Any]:
    """Three errors planted in what the router sees: does the truth of the generator find each? Found: among the cases it
    concerns more than 3 standard errors fewer are right."""
    rules = router.scenes.rules
    assert rules is not None

    def across(a: Asked) -> Asked:
        assert a.lon is not None
        assert a.lat is not None
        near = rules.borders.within(a.lon, a.lat, 60.0)
        if len(near) < 2:
            return a
        i = rules.borders.codes.index(near[1][0])
        return replace(
            a, registered_area=rules.borders.codes[i] if a.registered_area else "", **_inside(rules, i, a)
        )

    planted: Mapping[str, tuple[str, Callable[[Asked], Asked]]] = {
        "the other side of a border": ("border", across),
        "owner ignored": ("owner", lambda a: replace(a, owner="")),
        "period ignored": ("period", lambda a: a),
    }
    found: dict[str, Any] = {}
    for name, (tag, change) in planted.items():
        cases = [
            (i, d) for i, d in zip(score, decisions, strict=True) if any(t.startswith(tag) for t in i.tags)
        ][:most]
        periods, rules.periods = rules.periods, () if tag == "period" else rules.periods
        after = sum(router.decide(change(asked_of(i.seen))).unit == i.right for i, _ in cases) / len(cases)
        rules.periods = periods
        before = sum(d.unit == i.right for i, d in cases) / len(cases)
        error = (2 * 0.25 / len(cases)) ** 0.5
        found[name] = {
            "cases": len(cases), "right": round(before, 4), "right_with_it": round(after, 4),
            "found": before - after > 3 * error,
        }  # fmt: skip
    return found


def _inside(rules: Rules, i: int, a: Asked) -> dict[str, float]:
    """The nearest place 20 m or more inside of an area, along the line to its middle."""
    middle = rules.borders.middle(i)
    assert a.lon is not None
    assert a.lat is not None
    lon, lat = a.lon, a.lat
    for _ in range(100):
        lon, lat = lon + (middle[0] - lon) * 0.02, lat + (middle[1] - lat) * 0.02
        near = rules.borders.within(lon, lat, 20.0)
        if len(near) == 1 and near[0][0] == rules.borders.codes[i]:
            break
    return {"lon": lon, "lat": lat}
