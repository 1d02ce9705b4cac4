"""Makes the sample city: `python -m data.sample_city.make_city --out DIR --seed N --districts 4 …`.

The same arguments give byte-identical files. Nothing in them is taken from a real place.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import shapely

from data.sample_city.areas import AreaTree, make_areas
from data.sample_city.land import Land, make_land
from data.sample_city.plane import geometry_to_lattice
from data.sample_city.read_city import COLUMNS
from data.sample_city.road_graph import RoadGraph
from data.sample_city.roads import make_roads
from data.sample_city.tables import Tables, load_tables
from data.sample_city.things import (
    Ground,
    make_cameras,
    make_components,
    make_devices,
    make_places,
    rows_of,
)
from data.sample_city.units import Unit, UnitFinder, make_responsibilities, make_units, make_workers
from data.sample_city.write import line_json, polygon_json, write_rows


@dataclass(frozen=True)
class Order:
    """How large a city to make."""

    seed: int = 20261121
    districts: int = 4
    towns: int = 20
    villages: int = 200
    duty_grids: int = 2_000
    cells: int = 10_000
    devices: int = 5_000
    cameras: int = 1_500
    units: int = 61
    workers: int = 400
    components: int = 6_000


def make_city(order: Order, out: Path) -> dict[str, int]:
    """Write the city's files into `out` (made if absent). Returns rows per file. ValueError for impossible counts."""
    out.mkdir(parents=True, exist_ok=True)
    tables = load_tables()
    land = make_land(order.seed)
    counts = (order.districts, order.towns, order.villages, order.duty_grids, order.cells)
    areas = make_areas(land, counts, order.seed)
    roads = make_roads(land, areas, order.seed)
    units = make_units(areas, tables, order.units, order.seed)
    written = _write_map(out, land, areas, roads)
    written |= _write_people(out, areas, units, tables, order)
    written |= _write_things(out, Ground(land, areas, roads), UnitFinder.of(units), tables, order)
    for name in ("device_types", "metrics", "event_classes", "warning_rules", "camera_alarm_kinds"):
        written[name] = write_rows(out / f"{name}.csv.gz", COLUMNS[name], getattr(tables, name))
    return written


def _write_map(out: Path, land: Land, areas: AreaTree, roads: RoadGraph) -> dict[str, int]:
    area_rows = (
        {
            "code": a.code,
            "level": a.level,
            "name": a.name,
            "name_en": a.name_en,
            "parent": a.parent,
            "path": a.path,
            "lon": f"{a.lon:.6f}",
            "lat": f"{a.lat:.6f}",
            "area_m2": f"{a.area_m2:.1f}",
            "geometry": polygon_json(a.geometry),
        }
        for level in areas.levels
        for a in level
    )
    number = {p: f"N{i:06d}" for i, p in enumerate(roads.nodes, 1)}
    degree = dict.fromkeys(roads.nodes, 0)
    for e in roads.edges:
        degree[e.start] += 1
        degree[e.end] += 1
    node_rows = (
        {"id": number[p], "lon": f"{p[0] / 1e6:.6f}", "lat": f"{p[1] / 1e6:.6f}", "degree": degree[p]}
        for p in roads.nodes
    )
    edge_rows = (
        {
            "id": f"R{i:06d}",
            "from_node": number[e.start],
            "to_node": number[e.end],
            "class": e.road_class,
            "name": e.name,
            "name_en": e.name_en,
            "length_m": f"{e.length_m:.1f}",
            "speed_kmh": e.speed_kmh,
            "bridge": int(e.bridge),
            "geometry": line_json(e.line),
        }
        for i, e in enumerate(roads.edges, 1)
    )
    water_rows = (
        {
            "id": w.code,
            "kind": w.kind,
            "name": w.name,
            "name_en": w.name_en,
            "geometry": polygon_json(shapely.make_valid(geometry_to_lattice(w.shape))),
        }
        for w in land.waters
    )
    whole = areas.levels[0][0].geometry
    parts = sorted(shapely.get_parts(whole), key=lambda p: -float(p.area))
    island_names = _island_names(land, parts[1:])
    land_rows = (
        {
            "id": f"L{i:02d}",
            "kind": "mainland" if i == 1 else "island",
            "name": "临澜" if i == 1 else island_names[i - 2][0],
            "name_en": "Linlan" if i == 1 else island_names[i - 2][1],
            "geometry": polygon_json(part),
        }
        for i, part in enumerate(parts, 1)
    )
    return {
        "areas": write_rows(out / "areas.csv.gz", COLUMNS["areas"], area_rows),
        "road_nodes": write_rows(out / "road_nodes.csv.gz", COLUMNS["road_nodes"], node_rows),
        "road_edges": write_rows(out / "road_edges.csv.gz", COLUMNS["road_edges"], edge_rows),
        "water": write_rows(out / "water.csv.gz", COLUMNS["water"], water_rows),
        "land": write_rows(out / "land.csv.gz", COLUMNS["land"], land_rows),
    }


def _island_names(land: Land, parts: Sequence[shapely.Geometry]) -> list[tuple[str, str]]:
    lattice = [geometry_to_lattice(i) for i in land.islands]
    return [land.island_names[min(range(len(lattice)), key=lambda k: lattice[k].distance(p))] for p in parts]


def _write_people(
    out: Path, areas: AreaTree, units: list[Unit], tables: Tables, order: Order
) -> dict[str, int]:
    unit_rows = ({**u.__dict__, "lon": f"{u.lon:.6f}", "lat": f"{u.lat:.6f}"} for u in units)
    worker_rows = (
        {
            "login": w.login,
            "name": w.name,
            "unit": w.unit,
            "area_paths": ";".join(w.area_paths),
            "lon": f"{w.lon:.6f}",
            "lat": f"{w.lat:.6f}",
        }
        for w in make_workers(areas, units, order.workers, order.seed)
    )
    duty = (r.__dict__ for r in make_responsibilities(areas, units, tables))
    return {
        "units": write_rows(out / "units.csv.gz", COLUMNS["units"], unit_rows),
        "workers": write_rows(out / "workers.csv.gz", COLUMNS["workers"], worker_rows),
        "responsibilities": write_rows(out / "responsibilities.csv.gz", COLUMNS["responsibilities"], duty),
    }


def _write_things(
    out: Path, ground: Ground, units: UnitFinder, tables: Tables, order: Order
) -> dict[str, int]:
    places = make_places(ground, order.seed)
    devices = rows_of(make_devices(ground, places, tables, units, order.devices, order.seed), ground.areas)
    cameras = rows_of(make_cameras(ground, places, order.cameras, order.seed), ground.areas)
    parts = rows_of(
        make_components(ground, places, tables, units, order.components, order.seed), ground.areas
    )
    place_rows = ({**p.__dict__, "lon": f"{p.lon:.6f}", "lat": f"{p.lat:.6f}"} for p in places)
    return {
        "places": write_rows(out / "places.csv.gz", COLUMNS["places"], place_rows),
        "devices": write_rows(
            out / "devices.csv.gz", COLUMNS["devices"], ({"id": d["code"], **d} for d in devices)
        ),
        "cameras": write_rows(out / "cameras.csv.gz", COLUMNS["cameras"], cameras),
        "components": write_rows(out / "components.csv.gz", COLUMNS["components"], parts),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Progress on stderr; 2 with one sentence for counts that cannot be."""
    parser = argparse.ArgumentParser(prog="make_city", description="Make the sample city's files.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    for field in fields(Order):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=int, default=field.default)
    given = vars(parser.parse_args(arguments))
    out = given.pop("out")
    started = time.monotonic()
    try:
        written = make_city(Order(**given), out)
    except ValueError as error:
        print(f"make_city: {error}", file=sys.stderr)
        return 2
    size = sum((out / f"{name}.csv.gz").stat().st_size for name in written)
    for name, rows in written.items():
        print(
            f"{name:20} {rows:>8} rows  {(out / f'{name}.csv.gz').stat().st_size:>9} bytes", file=sys.stderr
        )
    print(f"{size} bytes in {time.monotonic() - started:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
