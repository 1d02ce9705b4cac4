"""The sample city as a feed sees it, read from its committed files (the product fills it from the store)."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

from streams.feed.city import AlarmKind, Camera, CityView, Device, EventClass, Place, Road, Worker

FILES = Path(__file__).parents[2] / "data" / "sample_city" / "files"


def _rows(name: str) -> list[dict[str, str]]:
    with gzip.open(FILES / f"{name}.csv.gz", "rb") as file:
        return list(csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")))


def sample_view() -> CityView:
    """The whole sample city."""
    metrics: dict[str, list[str]] = {}
    for row in _rows("metrics"):
        metrics.setdefault(row["device_type"], []).append(row["id"])
    return CityView(
        113.9,
        21.9,
        devices=tuple(
            Device(
                r["id"],
                r["type"],
                tuple(metrics[r["type"]]),
                float(r["expected_period_s"]),
                float(r["lon"]),
                float(r["lat"]),
                r["critical"] == "1",
            )
            for r in _rows("devices")
        ),
        cameras=tuple(
            Camera(r["code"], float(r["lon"]), float(r["lat"]), r["scene"]) for r in _rows("cameras")
        ),
        alarm_kinds=tuple(
            AlarmKind(r["kind"], r["name"], r["class_code"], int(r["level"]))
            for r in _rows("camera_alarm_kinds")
        ),
        workers=tuple(Worker(r["login"], float(r["lon"]), float(r["lat"])) for r in _rows("workers")),
        places=tuple(
            Place(r["name"], r["kind"], float(r["lon"]), float(r["lat"]), r["road"]) for r in _rows("places")
        ),
        classes=tuple(
            EventClass(r["code"], r["name"], r["big_class"], int(r["level"])) for r in _rows("event_classes")
        ),
        roads=tuple(
            Road(r["name"], tuple((lon, lat) for lon, lat in json.loads(r["geometry"])["coordinates"]))
            for r in _rows("road_edges")
        ),
    )
