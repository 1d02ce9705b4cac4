"""The sample city: nested without gaps, a connected road graph, every class answered for, the same bytes each time."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod

from data.city_router import rules_alone
from data.init_city import SAMPLE_CENTRE, reach_of
from data.sample_city import read_city
from data.sample_city.read_city import AreaRow, RoadEdgeRow
from gis.borders import Borders
from gis.cells import haversine_m
from incidents.dispatch_model import Asked
from incidents.responsibility import CELL, Area, Row, Rules, Unit

NOON = datetime(2026, 11, 2, 4, tzinfo=UTC)

ROOT = Path(__file__).parents[2]
LEVELS = ("city", "district", "town", "village", "duty_grid", "cell")
COUNTS = (1, 4, 20, 200, 2_000, 10_000)
SMALL = {
    "districts": 3, "towns": 8, "villages": 24, "duty-grids": 120, "cells": 480, "devices": 300, "cameras": 90,
    "units": 61, "workers": 48, "components": 260, "seed": 20261121,
}  # fmt: skip
WGS84 = Geod(ellps="GRS80")
CENTRE = (113.900, 21.900)


def _make(out: Path, order: dict[str, int], hash_seed: str = "0") -> None:
    words = [word for name, n in order.items() for word in (f"--{name}", str(n))]
    subprocess.run(
        [sys.executable, "-m", "data.sample_city.make_city", "--out", str(out), *words],
        cwd=ROOT, check=True, capture_output=True, timeout=300, env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )  # fmt: skip


@pytest.fixture(scope="module")
def areas() -> list[AreaRow]:
    return list(read_city.read_areas())


@pytest.fixture(scope="module")
def levels(areas: list[AreaRow]) -> dict[str, list[AreaRow]]:
    out: dict[str, list[AreaRow]] = defaultdict(list)
    for area in areas:
        out[area.level].append(area)
    return out


@pytest.fixture(scope="module")
def edges() -> list[RoadEdgeRow]:
    return list(read_city.read_road_edges())


def _components(edges: list[tuple[str, str]]) -> int:
    up: dict[str, str] = {}

    def find(p: str) -> str:
        while up.setdefault(p, p) != p:
            p = up[p]
        return p

    for a, b in edges:
        up[find(a)] = find(b)
    return len({find(p) for p in list(up)})


# ---- files --------------------------------------------------------------------------------------------------------


def test_committed_files_are_small_and_readable() -> None:
    files = {p.name.removesuffix(".csv.gz"): p for p in read_city.FILES.iterdir()}
    assert set(files) == set(read_city.COLUMNS)
    assert sum(p.stat().st_size for p in files.values()) <= 5_000_000
    for name in read_city.COLUMNS:
        assert sum(1 for _ in getattr(read_city, f"read_{name}")()) > 0, name


def test_committed_files_are_what_the_program_makes(tmp_path: Path) -> None:
    """Texts are compared: the gzip bytes also depend on the zlib of the machine that packed them.

    One crossing of the coastal road stands 90 m further on processors whose vector units sum in another order; what
    is snapped to the roads moves with it. So there the numbers of things are compared, and most of the roads.
    """
    _make(tmp_path, {"seed": 20261121})
    for name in read_city.COLUMNS:
        made, committed = (
            gzip.decompress((folder / f"{name}.csv.gz").read_bytes()).decode().splitlines()
            for folder in (tmp_path, read_city.FILES)
        )
        wrong = f"{name}.csv.gz is not what make_city writes: run it again and commit"
        if name in ("road_nodes", "road_edges"):
            assert len(made) == len(committed), wrong
            assert len(set(made) & set(committed)) > 0.98 * len(made), wrong
        elif name in ("devices", "cameras", "components"):
            kinds = [Counter(_kind(line) for line in lines) for lines in (made, committed)]
            assert kinds[0] == kinds[1], wrong
        else:
            assert made == committed, wrong


def _kind(line: str) -> str:
    """What sort of thing a line is: its type, or the letters its code begins with."""
    return re.split(r"[-\d]", line, maxsplit=1)[0]


def test_same_seed_same_bytes_other_seed_other_city(tmp_path: Path) -> None:
    _make(tmp_path / "one", SMALL, "1")
    _make(tmp_path / "two", SMALL, "2")
    _make(tmp_path / "other", SMALL | {"seed": 7}, "1")
    for name in read_city.COLUMNS:
        one = (tmp_path / "one" / f"{name}.csv.gz").read_bytes()
        assert one == (tmp_path / "two" / f"{name}.csv.gz").read_bytes(), name
        assert one[4:8] == b"\0\0\0\0", "gzip must carry no time"
    assert (tmp_path / "one" / "areas.csv.gz").read_bytes() != (
        tmp_path / "other" / "areas.csv.gz"
    ).read_bytes()


def test_counts_are_arguments_and_the_law_holds_for_them(tmp_path: Path) -> None:
    _make(tmp_path, SMALL)
    rows = list(read_city.read_areas(tmp_path))
    found = Counter(a.level for a in rows)
    assert [found[level] for level in LEVELS] == [1, 3, 8, 24, 120, 480]
    cells = [a.geometry for a in rows if a.level == "cell"]
    assert shapely.coverage_is_valid(cells)
    assert sum(1 for _ in read_city.read_devices(tmp_path)) == 300
    assert sum(1 for _ in read_city.read_cameras(tmp_path)) == 90
    assert sum(1 for _ in read_city.read_components(tmp_path)) == 260
    assert sum(1 for _ in read_city.read_units(tmp_path)) == 61
    assert sum(1 for _ in read_city.read_workers(tmp_path)) == 48
    assert _components([(e.from_node, e.to_node) for e in read_city.read_road_edges(tmp_path)]) == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"towns": 2}, "towns=2"), ({"units": 10}, "units=10"), ({"duty-grids": 3_000}, "duty grids")],
)
def test_impossible_counts_get_one_sentence(tmp_path: Path, wrong: dict[str, int], says: str) -> None:
    words = [word for name, n in (SMALL | wrong).items() for word in (f"--{name}", str(n))]
    run = subprocess.run(
        [sys.executable, "-m", "data.sample_city.make_city", "--out", str(tmp_path), *words],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 2
    assert says in run.stderr
    assert run.stderr.count("\n") == 1


def test_reader_refuses_other_columns(tmp_path: Path) -> None:
    (tmp_path / "units.csv.gz").write_bytes(gzip.compress(b"code,name\nU1,x\n"))
    with pytest.raises(ValueError, match=r"units\.csv\.gz"):
        list(read_city.read_units(tmp_path))


# ---- areas --------------------------------------------------------------------------------------------------------


def test_counts_codes_paths_and_names(levels: dict[str, list[AreaRow]], areas: list[AreaRow]) -> None:
    assert tuple(len(levels[level]) for level in LEVELS) == COUNTS
    by_code = {a.code: a for a in areas}
    assert len(by_code) == len(areas)
    patterns = {"city": 6, "district": 6, "town": 9, "village": 12, "duty_grid": 15, "cell": 15}
    for a in areas:
        assert len(a.code) == patterns[a.level]
        assert a.name and a.name_en and a.name_en.isascii()
        if a.parent is None:
            assert (a.level, a.code, a.path) == ("city", "990100", "990100/")
            continue
        parent = by_code[a.parent]
        assert LEVELS.index(a.level) == LEVELS.index(parent.level) + 1
        assert a.path == f"{parent.path}{a.code}/"
        village = a.path.split("/")[3] if a.level in ("duty_grid", "cell") else ""
        if a.level == "duty_grid":
            assert a.code[:-3] == village and a.code[-3] == "G" and a.code[-2:].isdigit()
        elif a.level == "cell":
            assert a.code[:-3] == village and a.code.isdigit()
        elif a.level in ("town", "village"):
            assert a.code.startswith(parent.code) and a.code.isdigit()
    assert [a.name for a in levels["district"]] == ["澜江区", "望海区", "青屿区", "禾丰县"]
    for level in ("district", "town", "village"):
        assert len({a.name for a in levels[level]}) == len(levels[level])


def test_children_fill_their_parent_exactly(areas: list[AreaRow], levels: dict[str, list[AreaRow]]) -> None:
    children: dict[str, list[AreaRow]] = defaultdict(list)
    for a in areas:
        if a.parent:
            children[a.parent].append(a)
    for level in LEVELS[:-1]:
        for parent in levels[level]:
            union = shapely.union_all([c.geometry for c in children[parent.code]])
            # 1e-12 square degrees is a hundredth of a square metre
            assert shapely.area(shapely.symmetric_difference(union, parent.geometry)) < 1e-12, parent.code
            total = sum(c.area_m2 for c in children[parent.code])
            assert total == pytest.approx(parent.area_m2, rel=1e-4, abs=1.0), parent.code


@pytest.mark.parametrize("level", LEVELS[1:])
def test_no_gaps_and_no_overlaps(levels: dict[str, list[AreaRow]], level: str) -> None:
    shapes = [a.geometry for a in levels[level]]
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    whole = levels["city"][0].geometry
    assert shapely.area(shapely.union_all(shapes)) == pytest.approx(shapely.area(whole), rel=1e-12)
    assert float(shapely.area(shapes).sum()) == pytest.approx(shapely.area(whole), rel=1e-9)


def test_any_land_point_has_exactly_one_cell(levels: dict[str, list[AreaRow]]) -> None:
    whole = levels["city"][0].geometry
    rng = np.random.default_rng(4)
    left, bottom, right, top = whole.bounds
    points = np.column_stack([rng.uniform(left, right, 20_000), rng.uniform(bottom, top, 20_000)])
    on_land = shapely.contains_xy(whole, points[:, 0], points[:, 1])
    assert 8_000 < on_land.sum() < 18_000
    tree = shapely.STRtree([c.geometry for c in levels["cell"]])
    found, _ = tree.query(shapely.points(points), predicate="intersects")
    hits = np.bincount(found, minlength=len(points))
    assert (hits[on_land] == 1).all()
    assert (hits[~on_land] == 0).all()


def test_size_of_the_city(levels: dict[str, list[AreaRow]]) -> None:
    city = levels["city"][0]
    assert city.geometry.covers(shapely.Point(CENTRE))
    # every land direction but the sea reaches 25 km, so that no report within 25 km on land is without a cell
    for azimuth in range(-75, 76, 5):
        lon, lat, _ = WGS84.fwd(*CENTRE, azimuth, 25_000)
        assert city.geometry.covers(shapely.Point(lon, lat)), azimuth
    lon, lat, _ = WGS84.fwd(*CENTRE, 180, 12_000)
    assert not city.geometry.covers(shapely.Point(lon, lat))
    for a in levels["cell"][::37]:
        measured = abs(WGS84.geometry_area_perimeter(a.geometry)[0])
        assert a.area_m2 == pytest.approx(measured, rel=2e-3)
    inner = [a.area_m2 for a in levels["cell"] if WGS84.inv(*CENTRE, a.lon, a.lat)[2] < 3_000]
    outer = [a.area_m2 for a in levels["cell"] if WGS84.inv(*CENTRE, a.lon, a.lat)[2] > 18_000]
    assert np.median(inner) < 40_000 < 200_000 < np.median(outer)
    inside = [a.geometry.covers(shapely.Point(a.lon, a.lat)) for level in LEVELS for a in levels[level]]
    assert all(inside)


def test_land_and_water(levels: dict[str, list[AreaRow]]) -> None:
    land = list(read_city.read_land())
    assert [x.kind for x in land][0] == "mainland" and sum(x.kind == "island" for x in land) >= 3
    whole = shapely.union_all([x.geometry for x in land])
    assert shapely.area(shapely.symmetric_difference(whole, levels["city"][0].geometry)) < 1e-12
    water = {w.name: w for w in read_city.read_water()}
    river = water["澜江"]
    assert all(shapely.is_valid(w.geometry) for w in water.values())
    _, bottom, _, top = river.geometry.bounds
    assert top > 22.12 and bottom < 21.85, "the river runs from the north to the sea"
    assert shapely.distance(river.geometry, land[0].geometry.boundary) < 1e-5
    # areas end at the river: its bridges join different towns
    bridges = [e for e in read_city.read_road_edges() if e.bridge and e.geometry.intersects(river.geometry)]
    towns = shapely.STRtree([t.geometry for t in levels["town"]])
    ends = [[towns.query(shapely.Point(p), "intersects")[0] for p in e.geometry.coords[:: len(e.geometry.coords) - 1]]
            for e in bridges]  # fmt: skip
    assert len(bridges) >= 6
    assert sum(a != b for a, b in ends) >= 0.8 * len(bridges)


# ---- roads --------------------------------------------------------------------------------------------------------


def test_road_graph(edges: list[RoadEdgeRow]) -> None:
    nodes = {n.id: n for n in read_city.read_road_nodes()}
    degree: Counter[str] = Counter()
    for e in edges:
        start, end = e.geometry.coords[0], e.geometry.coords[-1]
        assert start == pytest.approx((nodes[e.from_node].lon, nodes[e.from_node].lat), abs=1e-9)
        assert end == pytest.approx((nodes[e.to_node].lon, nodes[e.to_node].lat), abs=1e-9)
        assert e.length_m == pytest.approx(WGS84.geometry_length(e.geometry), rel=2e-3, abs=0.2)
        assert e.name and e.name_en.isascii() and e.name_en
        assert 20 <= e.speed_kmh <= 80
        degree.update([e.from_node, e.to_node])
    assert {n: k.degree for n, k in nodes.items()} == degree
    classes = Counter(e.road_class for e in edges)
    assert set(classes) == {"arterial", "secondary", "local"} and min(classes.values()) > 200
    assert _components([(e.from_node, e.to_node) for e in edges]) == 1


def test_roads_cross_water_only_on_bridges(edges: list[RoadEdgeRow]) -> None:
    water = shapely.union_all([w.geometry for w in read_city.read_water()])
    land = shapely.union_all([x.geometry for x in read_city.read_land()])
    shapely.prepare(water)
    for e in edges:
        if e.bridge:
            continue
        wet = WGS84.geometry_length(shapely.intersection(e.geometry, water))
        assert wet < 12, f"{e.id} {e.name} runs {wet:.0f} m in water without a bridge"
        assert land.covers(e.geometry), f"{e.id} {e.name} leaves the land"
    over_river = {e.name for e in edges if e.bridge and e.name.endswith("大桥")}
    assert len(over_river) >= 6
    # without its bridges the city falls apart at the river
    assert _components([(e.from_node, e.to_node) for e in edges if not e.bridge]) > 1


# ---- units, workers, responsibilities ----------------------------------------------------------------------------


def test_workers_serve_every_duty_grid_once(levels: dict[str, list[AreaRow]]) -> None:
    workers = list(read_city.read_workers())
    units = {u.code: u for u in read_city.read_units()}
    assert len(workers) == 400 and len(units) == 61
    served = Counter(path for w in workers for path in w.area_paths)
    assert set(served) == {g.path for g in levels["duty_grid"]} and set(served.values()) == {1}
    shape = {g.path: g.geometry for g in levels["duty_grid"]}
    apart = 0
    for w in workers:
        assert len(w.area_paths) == 5
        assert len({p.split("/")[3] for p in w.area_paths}) == 1
        assert w.area_paths[0].startswith(units[w.unit].area_path)
        apart += len(shapely.get_parts(shapely.union_all([shape[p] for p in w.area_paths]))) > 1
        assert shape[w.area_paths[0]].covers(shapely.Point(w.lon, w.lat))
    assert apart <= 8, "only workers with an island among their grids may have them apart"


def test_every_class_resolves_in_every_cell(levels: dict[str, list[AreaRow]]) -> None:
    units = {u.code for u in read_city.read_units()}
    rules: dict[str, dict[str, str]] = defaultdict(dict)
    for r in read_city.read_responsibilities():
        assert r.unit in units and r.reason
        assert r.area_path not in rules[r.class_code], "one unit per class and area"
        rules[r.class_code][r.area_path] = r.unit
    classes = {c.code for c in read_city.read_event_classes()}
    assert set(rules) == classes and len(classes) >= 60
    depth: Counter[int] = Counter()
    for cell in levels["cell"]:
        parts = cell.path.rstrip("/").split("/")
        prefixes = ["/".join(parts[:k]) + "/" for k in range(len(parts), 0, -1)]
        for code in classes:
            found = next((p for p in prefixes if p in rules[code]), None)
            assert found is not None, (code, cell.path)
            depth[found.count("/")] += 1
    assert set(depth) == {1, 2, 3}, "city, district and town units all have work"


def test_every_word_of_the_rule_sheet_is_a_unit_everywhere(levels: dict[str, list[AreaRow]]) -> None:
    """Who may answer a standard can be told in every town, and who keeps a road on every class of road that there is."""
    served: dict[str, set[str]] = defaultdict(set)
    for unit in read_city.read_units():
        served[unit.kind].add(unit.area_path)
    kinds, roads = {}, set()
    for row in read_city.read_unit_roles():
        assert all(
            any(town.path.startswith(path) for path in served[row["unit_kind"]]) for town in levels["town"]
        ), row
        kinds[row["role"], row["road_class"]] = row["unit_kind"]
        roads |= {row["road_class"]} - {""}
    words = {word for row in read_city.read_standards() for word in row["units"].split("、")}
    assert words <= {role for role, road in kinds if not road}
    assert {"所属街办", "城管执法", "道路管养单位"} <= {role for role, _ in kinds}
    assert {edge.road_class for edge in read_city.read_road_edges()} <= roads


def test_the_rule_sheet_moves_nobody_whom_the_table_names(levels: dict[str, list[AreaRow]]) -> None:
    """Before anything was learned the table in force answers, and the sheet brings in who else may (ADR 0027)."""
    root = levels["city"][0].path
    units = list(read_city.read_units())
    areas = [Area(a.path, a.name) for level in ("city", "district", "town") for a in levels[level]]
    towns = levels["town"]
    offices: dict[str, dict[str, str]] = defaultdict(dict)
    for cell in read_city.read_responsibilities():
        offices[f"{CELL}{cell.class_code}"][cell.area_path.removeprefix(root) and cell.area_path] = cell.unit
    kinds: dict[str, dict[str, str]] = defaultdict(dict)
    for unit in sorted(units, key=lambda one: one.code):
        kinds[unit.kind].setdefault(unit.area_path.removeprefix(root) and unit.area_path, unit.code)
    roles = {
        f"role:{r['role']}": kinds[r["unit_kind"]] for r in read_city.read_unit_roles() if not r["road_class"]
    }
    table = [Row(role.removeprefix(CELL), role.removeprefix(CELL), "", role) for role in offices]
    standards = list(read_city.read_standards())
    sheet = [
        Row(f"{r['class_code']}-{n}", r["class_code"], r["condition"], f"role:{word}")
        for n, r in enumerate(standards)
        for word in r["units"].split("、")
    ]
    known = [Unit(u.code, u.name, u.area_path.removeprefix(root) and u.area_path) for u in units]
    borders = Borders([t.path for t in towns], [t.geometry for t in towns])
    alone, both = (
        rules_alone(Rules("1", rows, {**offices, **roles}, known, areas, borders))
        for rows in (table, [*table, *sheet])
    )
    more = 0
    for standard in standards:
        for town in towns[::4]:
            asked = Asked(NOON, "", standard["class_code"], standard["condition"], area=town.path)
            first, also = alone.decide(asked), both.decide(asked)
            assert first.unit == also.unit, (standard, town.name)
            more += len(also.ranked) > len(first.ranked)
    assert more > len(standards), "the sheet brings in others"


def test_phones_are_fictional() -> None:
    assert all(u.phone.startswith("0000-") for u in read_city.read_units())


# ---- things ------------------------------------------------------------------------------------------------------


def test_things_stand_in_their_cell_within_reach(levels: dict[str, list[AreaRow]]) -> None:
    cells = {c.code: c for c in levels["cell"]}
    devices, cameras = list(read_city.read_devices()), list(read_city.read_cameras())
    components, places = list(read_city.read_components()), list(read_city.read_places())
    assert (len(devices), len(cameras), len(components)) == (5_000, 1_500, 6_000)
    assert len(places) > 1_200
    for thing in (*devices, *cameras, *components, *places):
        cell = cells[thing.cell]
        assert thing.area_path == cell.path
        assert cell.geometry.covers(shapely.Point(thing.lon, thing.lat)), thing
        assert WGS84.inv(*CENTRE, thing.lon, thing.lat)[2] < 25_000
    for some in (devices, cameras, components, places):
        assert len({t.name for t in some}) == len(some)
    for unit in {d.unit for d in devices} | {c.owner_unit for c in components}:
        assert unit in {u.code for u in read_city.read_units()}


def test_device_kinds_metrics_and_rules() -> None:
    types = {t.id: t for t in read_city.read_device_types()}
    metrics = {m.id: m for m in read_city.read_metrics()}
    assert len(types) >= 12
    assert {m.device_type for m in metrics.values()} == set(types)
    assert all(m.low <= m.typical <= m.high and m.low < m.high for m in metrics.values())
    devices = Counter(d.type for d in read_city.read_devices())
    assert set(devices) == set(types)
    assert all(d.id.startswith(f"{types[d.type].prefix}-") for d in read_city.read_devices())
    assert len({d.id for d in read_city.read_devices()}) == 5_000
    classes = {c.code for c in read_city.read_event_classes()}
    ruled = set()
    for r in read_city.read_warning_rules():
        m = metrics[r.metric]
        ruled.add(m.device_type)
        assert m.device_type == r.device_type and r.class_code in classes and r.level in (1, 2, 3, 4)
        assert m.low < r.threshold < m.high
        over = r.op == ">"
        assert (r.clear_threshold < r.threshold) is over
        assert (m.typical < r.clear_threshold) is over, f"{r.id}: an ordinary value must not hold the warning"
    assert ruled == set(types)


def test_codes_of_cameras_and_components() -> None:
    towns = {a.code for a in read_city.read_areas() if a.level == "town"}
    cameras = list(read_city.read_cameras())
    for c in cameras:
        assert len(c.code) == 20 and c.code.isdigit()
        assert c.code[10:13] in ("131", "132")
        assert f"{c.code[:6]}0{c.code[6:8]}" in towns
        assert c.share_range in ("public_security", "government", "district")
        assert 0 <= c.direction_deg < 360 and c.view_deg > 0 and c.range_m > 0
    assert len({c.code for c in cameras}) == len(cameras)
    components = list(read_city.read_components())
    for k in components:
        assert len(k.code) == 16 and k.code.isdigit() and k.code[:6] == k.area_path.split("/")[1]
    assert len({k.code for k in components}) == len(components)
    assert {k.component_class for k in components} == {
        "公用设施", "道路交通设施", "市容环境设施", "园林绿化设施", "其他部件"
    }  # fmt: skip
    assert len({k.subclass for k in components}) >= 20


def test_event_classes_and_camera_alarm_kinds() -> None:
    classes = {c.code: c for c in read_city.read_event_classes()}
    for c in classes.values():
        assert c.kind in ("component", "event") and 1 <= c.level <= 4 and c.limit_min > 0
        assert c.clock_kind in ("urgent_hour", "work_hour", "work_day", "natural_day")
        assert c.closing_condition and c.name_en.isascii()
    big = {c.big_class for c in classes.values()}
    assert {"市容环境", "宣传广告", "施工管理", "突发事件", "街面秩序"} <= big
    assert len({c.name for c in classes.values()}) == len(classes)
    kinds = {k.kind: k for k in read_city.read_camera_alarm_kinds()}
    assert {"crowd", "stall", "intrusion", "illegal_parking", "fire_smoke", "flood"} <= set(kinds)
    assert all(k.class_code in classes for k in kinds.values())


def test_the_reach_holds_the_whole_outline() -> None:
    """A report from a strip of the city that lies beyond its reach would be refused as outside_city."""
    city = next(a for a in read_city.read_areas() if a.level == "city")
    corners = shapely.get_coordinates(city.geometry)
    farthest = float(haversine_m(*SAMPLE_CENTRE, corners[:, 0], corners[:, 1]).max())
    assert farthest > 25_000, "the usual reach cuts it off"
    assert farthest < reach_of(city.geometry, *SAMPLE_CENTRE) * 1000 < farthest + 3_000
