"""What feeds need of the registries, and what replays add to them: feeds, device types, metrics, devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import shapely

from data.database import Cursor, Database
from data.registry import bump


class NewFeed(Protocol):
    """A feed to be registered."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def topics(self) -> Sequence[str]: ...
    @property
    def expected_period_s(self) -> float | None: ...


class NewMetric(Protocol):
    """A metric to be registered."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...


class NewDevice(Protocol):
    """A device to be registered with its type and metrics."""

    @property
    def device(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def type_name(self) -> str: ...
    @property
    def type_name_en(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def metrics(self) -> Sequence[NewMetric]: ...
    @property
    def feed(self) -> str: ...
    @property
    def lon(self) -> float: ...
    @property
    def lat(self) -> float: ...
    @property
    def expected_period_s(self) -> float: ...


Locate = Callable[[float, float], tuple[str, str] | None]

_ROWS: Final = {
    "devices": (
        "SELECT d.id, d.type, (SELECT array_agg(m.id ORDER BY m.no) FROM metrics m WHERE m.device_type = d.type),"
        " d.expected_period_s, d.lon, d.lat, d.critical, coalesce(d.feed, '') FROM devices d"
        " WHERE NOT d.disabled AND d.lon IS NOT NULL AND d.feed IS NULL ORDER BY d.no"
    ),
    "cameras": "SELECT code, lon, lat, scene FROM cameras WHERE lon IS NOT NULL ORDER BY code",
    "alarm_kinds": (
        # Kinds with a class are what a city watches for; the others only name what strange cameras may send.
        "SELECT kind, name, class_code, level FROM camera_alarm_kinds WHERE class_code <> '' ORDER BY kind"
    ),
    "workers": "SELECT login, lon, lat FROM workers WHERE lon IS NOT NULL ORDER BY login",
    "places": "SELECT name, kind, lon, lat, road FROM places ORDER BY id",
    "classes": (
        "SELECT DISTINCT ON (code) code, name, big_class, level FROM event_classes ORDER BY code, version DESC"
    ),
}


def city_rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of the registries by name, in the order of the fields of `streams.feed.city`; and `roads` as
    (name, ((lon, lat), …))."""
    rows = {name: database.query(sql) for name, sql in _ROWS.items()}
    rows["roads"] = [
        (name, tuple((x, y) for x, y in shapely.get_coordinates(shapely.from_wkb(bytes(geometry))).tolist()))
        for name, geometry in database.query(
            "SELECT name, geometry FROM map_features WHERE layer = 'roads' ORDER BY id"
        )
    ]
    return rows


class FeedRegistry:
    """The Registrar of replays: makes a feed and its devices known. Idempotent."""

    def __init__(self, database: Database, locate: Locate) -> None:
        self._database = database
        self._locate = locate

    def register(self, feed: NewFeed, devices: Sequence[NewDevice]) -> None:
        """Add or update the feed, then its devices with their type and metrics, in one transaction."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "INSERT INTO feeds (id, name, owner, protocol, topics, expected_period_s)"
                " VALUES (%s, %s, '', 'replay', %s, %s) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name,"
                " topics = EXCLUDED.topics, expected_period_s = EXCLUDED.expected_period_s, disabled = false",
                (feed.id, feed.name, list(feed.topics), feed.expected_period_s),
            )
            for device in devices:
                self._device(cursor, device)
            bump(cursor)

    def _device(self, cursor: Cursor, device: NewDevice) -> None:
        cursor.execute(
            "INSERT INTO device_types (id, name, name_en, period_s) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (id) DO NOTHING",
            (device.type, device.type_name, device.type_name_en, device.expected_period_s),
        )
        for metric in device.metrics:
            cursor.execute(
                "INSERT INTO metrics (id, device_type, name, unit) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (id) DO NOTHING",
                (metric.id, device.type, metric.name, metric.unit),
            )
        found = self._locate(device.lon, device.lat)
        cell, path = found or ("", "")
        cursor.execute(
            "INSERT INTO devices (id, type, name, area_path, cell, lon, lat, expected_period_s, feed)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name,"
            " feed = EXCLUDED.feed, expected_period_s = EXCLUDED.expected_period_s, disabled = false",
            (
                device.device, device.type, device.name, path, cell, device.lon, device.lat,
                device.expected_period_s, device.feed,
            ),
        )  # fmt: skip
