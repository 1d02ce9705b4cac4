"""What a feed knows of a city: plain registries, filled by the composition root from the store.

All places are EPSG:4326 degrees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Device:
    """A registered device. `metrics` are the metric ids of its type; `period_s` is its expected period."""

    id: str
    type: str
    metrics: tuple[str, ...]
    period_s: float
    lon: float
    lat: float
    critical: bool = False
    feed: str = ""


@dataclass(frozen=True, slots=True)
class Camera:
    """A registered camera: its 20-digit code, place and scene ('' = unknown)."""

    code: str
    lon: float
    lat: float
    scene: str = ""


@dataclass(frozen=True, slots=True)
class AlarmKind:
    """A kind of camera alarm, with its Chinese name, its event class and its usual level (1 worst … 4)."""

    kind: str
    name: str
    class_code: str
    level: int


@dataclass(frozen=True, slots=True)
class Worker:
    """A grid worker: login and the middle of the duty grid."""

    login: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Place:
    """A named place: a crossing, an estate, a school, a market … and the road it lies on ('' = none)."""

    name: str
    kind: str
    lon: float
    lat: float
    road: str = ""


@dataclass(frozen=True, slots=True)
class EventClass:
    """An event class of the catalogue that people may report; level 1 (worst) … 4."""

    code: str
    name: str
    big_class: str
    level: int


@dataclass(frozen=True, slots=True)
class Road:
    """A road's line: (lon, lat) points in order."""

    name: str
    line: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class CityView:
    """The registries of one city as a simulation needs them.

    `feeds` maps a topic to the id of the feed its messages come from; a device's own `feed` goes before it and
    DEFAULT_FEED after it. People stay within `reach_km` of the centre (lon, lat).
    """

    lon: float
    lat: float
    devices: tuple[Device, ...] = ()
    cameras: tuple[Camera, ...] = ()
    alarm_kinds: tuple[AlarmKind, ...] = ()
    workers: tuple[Worker, ...] = ()
    places: tuple[Place, ...] = ()
    classes: tuple[EventClass, ...] = ()
    roads: tuple[Road, ...] = ()
    feeds: Mapping[str, str] = field(default_factory=dict)
    reach_km: float = 25.0


DEFAULT_FEED = "simulation"


@dataclass(frozen=True, slots=True)
class MetricRegistration:
    """A metric that a replayed recording carries; `unit` is '' when the recording does not say."""

    id: str
    name: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Registration:
    """A device to be registered before its recording is replayed."""

    device: str
    type: str
    type_name: str
    type_name_en: str
    name: str
    metrics: tuple[MetricRegistration, ...]
    feed: str
    lon: float
    lat: float
    expected_period_s: float


@dataclass(frozen=True, slots=True)
class FeedRegistration:
    """The feed to which a replay's messages belong; `id` is what follows `urn:feed:` in their source."""

    id: str
    name: str
    topics: tuple[str, ...]
    expected_period_s: float | None
    note: str


class Registrar(Protocol):
    """Makes a feed and its devices known to the product; the store implements it. Idempotent."""

    def register(self, feed: FeedRegistration, devices: Sequence[Registration]) -> None:
        """Add or update the feed, then its devices with their type and metrics."""
