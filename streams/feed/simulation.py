"""A plausible day of a city as messages: readings, camera alarms, reports of people, positions.

Deterministic for a city, a seed and a start, however it is asked for them. Devices keep their real periods and
messages their real times; `speed` only lets the day (traffic, sun, tide, rain) pass faster. `rate` sets readings
per second by stretching the periods. Of the messages about 1.5 % come late, 0.5 % twice and 0.1 % are wrong;
the record says which.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from typing import Any

import msgspec

from gis.crs import wgs84_to_gcj02
from incidents.ports import Header, Outgoing
from streams import topics
from streams.feed.city import DEFAULT_FEED, Camera, CityView, Device
from streams.feed.models import MODELS, TROUBLES, Instrument, Model, Trouble
from streams.feed.plane import Plane
from streams.feed.sending import RecordedMessage
from streams.feed.sentences import WORDS, Sentences, Spot, Theme
from streams.feed.sky import Moment, Sky
from streams.feed.walkers import RoadGraph, Walker
from streams.feed.wrong import Mistakes

SECOND = 1_000_000
MINUTE = 60 * SECOND

LATE, TWICE, WRONG = 0.015, 0.005, 0.001
"""Shares of all messages."""

ALARMS_PER_HOUR = 9.0
FALSE_ALARMS = 0.25
REPORTS_PER_HOUR = 9.0
REPORTED_AGAIN = 0.25
SILENCES_PER_HOUR = 15.0
STUCK_PER_HOUR = 6.0
SPIKES = 0.0002
DEAD_FROM_THE_START = 0.008
POSITION_PERIOD_S = 60.0
_MARGIN_KM = 0.3
_UNSEEN = ("监测预警", "视频识别")
"""Big classes whose incidents machines raise; nobody reports them."""


@dataclass(frozen=True, slots=True)
class Made:
    """A message that is due, with its line for the record."""

    due_us: int
    message: Outgoing
    line: RecordedMessage


@dataclass(slots=True)
class _Episode:
    """A trouble that is on: from `begin`, worst values reached after `ramp`, held until `end` (all µs)."""

    trouble: Trouble
    begin: int
    ramp: int
    end: int
    to: dict[str, float]


class _Unit:
    """A device being simulated."""

    __slots__ = (
        "critical",
        "device",
        "digits",
        "episode",
        "instrument",
        "metrics",
        "model",
        "period_us",
        "places",
        "silent_until",
        "stuck",
        "stuck_until",
        "topic",
    )

    def __init__(self, device: Device, model: Model, instrument: Instrument, period_us: float) -> None:
        self.device = device
        self.model = model
        self.instrument = instrument
        self.period_us = period_us
        self.topic = topics.READING_CRITICAL if device.critical else topics.READING
        self.places = tuple(i for i, m in enumerate(model.metrics) if m in device.metrics)
        self.episode: _Episode | None = None
        self.silent_until = 0
        self.stuck_until = 0
        self.stuck: list[float] | None = None


@dataclass(frozen=True, slots=True)
class _AlarmKind:
    kind: str
    cameras: tuple[Camera, ...]
    weights: dict[str, float]
    texts: tuple[str, ...]


class Simulation:
    """The messages of a city from `start` on.

    `rate` readings per second (None: as the devices' periods say); `speed` of the day; `opens` the world's own
    wall-clock time at the start (None: that of `start` in `zone`). `unknown_types` are the device types that
    have no model and stay silent.
    """

    def __init__(
        self,
        city: CityView,
        seed: int,
        start: datetime,
        rate: float | None = None,
        speed: float = 1.0,
        zone: tzinfo = UTC,
        opens: datetime | None = None,
    ) -> None:
        self._rng = Random(f"feed/{seed}")
        self._city = city
        self._plane = Plane(city.lon, city.lat)
        self._start_us = (start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        local = (start if opens is None else opens).astimezone(zone)
        offset = local.utcoffset() or timedelta(0)
        self._world_start = local.timestamp() + offset.total_seconds()
        self._speed = speed
        self._sky = Sky(seed, city.lon, city.lat, offset.total_seconds())
        self._moment = self._sky.at(self._world_start)
        self._moment_us = self._start_us
        self._wet = 0.0
        self._prefix = f"{seed}-{start.astimezone(UTC):%Y%m%d%H%M%S}-"
        self._made = 0
        self._counter = 0
        self._json = msgspec.json.Encoder()
        self._heap: list[tuple[int, int, Callable[[int], None]]] = []
        self._out: list[Made] = []
        self._last_reading: tuple[_Unit, str, dict[str, Any]] | None = None
        self._units = self._install(rate)
        self._by_type: dict[str, list[_Unit]] = {}
        for unit in self._units:
            self._by_type.setdefault(unit.device.type, []).append(unit)
        self.unknown_types = tuple(sorted({d.type for d in city.devices if d.type not in MODELS}))
        self._walkers: list[Walker] = []
        if city.workers:
            graph = RoadGraph(city.roads, self._plane, city.reach_km - _MARGIN_KM)
            for worker in city.workers:
                walker = Walker(worker, graph, self._plane, self._rng)
                self._walkers.append(walker)
                self._plan(self._start_us + self._spread(POSITION_PERIOD_S), self._walk(walker))
        classes = [c for c in city.classes if c.big_class not in _UNSEEN]
        self._sentences = Sentences(city.places, classes) if city.places else None
        self._alarm_kinds = self._alarms()
        self._mistakes = Mistakes(
            tuple(u.device for u in self._units),
            city.cameras,
            tuple(k.kind for k in city.alarm_kinds),
            city.workers,
            (city.lon, city.lat),
        )
        self._plan(self._start_us + 20 * SECOND, self._each_minute)

    @property
    def natural_rate(self) -> float:
        """Readings per second as simulated."""
        return sum(len(u.places) * SECOND / u.period_us for u in self._units)

    def until(self, moment_us: int) -> list[Made]:
        """The messages due before `moment_us` (µs since 1970), in order of their sending."""
        heap = self._heap
        while heap and heap[0][0] < moment_us:
            due, _, act = heapq.heappop(heap)
            act(due)
        out, self._out = self._out, []
        return out

    # -- plumbing --------------------------------------------------------------------------------------------

    def _plan(self, due: float, act: Callable[[int], None]) -> None:
        self._counter += 1
        heapq.heappush(self._heap, (int(due), self._counter, act))

    def _spread(self, period_s: float) -> int:
        return int(self._rng.random() * period_s * SECOND)

    def _now(self, due: int) -> Moment:
        """The moment of the world, refreshed every 10 real seconds (or world half minutes when it flies)."""
        if due - self._moment_us >= min(10.0, 30.0 / self._speed) * SECOND:
            self._moment_us = due
            self._moment = self._sky.at(self._world_start + (due - self._start_us) / SECOND * self._speed)
            self._wet = min(1.0, sum(peak * radius for _, _, radius, peak in self._moment.rain) / 60)
        return self._moment

    def _feed(self, topic: str, device: Device | None = None) -> str:
        own = device.feed if device is not None else ""
        return own or self._city.feeds.get(topic, DEFAULT_FEED)

    def _emit(
        self, due: int, topic: str, key: str, data: dict[str, Any], n: int = 1, note: str = "", feed: str = ""
    ) -> None:
        """Put out one message dated `due`; now and then late, twice, or followed by a wrong one."""
        self._made += 1
        id = f"{self._prefix}{self._made}"
        feed = feed or self._feed(topic)
        body = self._json.encode(data)
        time = _text(due)
        value = self._json.encode(
            {
                "specversion": "1.0",
                "id": id,
                "source": f"urn:feed:{feed}",
                "type": topic,
                "time": time,
                "subject": key or id,
                "datacontenttype": "application/json",
                "data": msgspec.Raw(body),
            }
        )
        headers: tuple[Header, ...] = (("feed", feed.encode()),)
        message = Outgoing(topic, key or id, value, headers)
        digest = hashlib.sha256(body).hexdigest()
        chance = self._rng.random()
        if chance < LATE and topic in (topics.READING, topics.READING_CRITICAL, topics.POSITION):
            line = RecordedMessage(id, topic, message.key, n, "late", time, digest, note)
            self._later(due + int(self._rng.uniform(20, 900) * SECOND), message, line)
            return
        line = RecordedMessage(id, topic, message.key, n, "good", time, digest, note)
        self._out.append(Made(due, message, line))
        if chance > 1 - TWICE:
            again = msgspec.structs.replace(line, kind="duplicate")
            self._later(due + int(self._rng.uniform(0.05, 40) * SECOND), message, again)
        elif chance > 1 - TWICE - WRONG:
            self._make_wrong(due, feed)

    def _later(self, due: int, message: Outgoing, line: RecordedMessage) -> None:
        self._plan(due, lambda now: self._out.append(Made(now, message, line)))

    def _make_wrong(self, due: int, feed: str) -> None:
        self._made += 1
        id = f"{self._prefix}{self._made}"
        now = datetime.fromtimestamp(due / SECOND, UTC)
        topic, key, value, reason = self._mistakes.make(self._rng, now, id, f"urn:feed:{feed}")
        line = RecordedMessage(
            id, topic, key, 1, "bad", _text(due), hashlib.sha256(value).hexdigest(), reason
        )
        self._out.append(Made(due, Outgoing(topic, key, value, (("feed", feed.encode()),)), line))

    # -- devices ---------------------------------------------------------------------------------------------

    def _install(self, rate: float | None) -> list[_Unit]:
        found = []
        for device in self._city.devices:
            model = MODELS.get(device.type)
            if model is None or not set(model.metrics) & set(device.metrics):
                continue
            x, y = self._plane.xy(device.lon, device.lat)
            instrument = Instrument(x, y, self._rng)
            found.append(_Unit(device, model, instrument, max(1.0, device.period_s) * SECOND))
        natural = sum(len(u.places) * SECOND / u.period_us for u in found)
        for unit in found:
            if rate:
                unit.period_us *= natural / rate
            if self._rng.random() < DEAD_FROM_THE_START:
                unit.silent_until = self._start_us + int(self._rng.uniform(2, 30) * 60 * MINUTE)
            self._plan(self._start_us + int(self._rng.random() * unit.period_us), self._sender(unit))
        return found

    def _sender(self, unit: _Unit) -> Callable[[int], None]:
        rng, source = self._rng, unit.device
        feed = self._feed(unit.topic, source)

        def send(due: int) -> None:
            self._plan(due + max(1, int(unit.period_us * (1 + 0.05 * (rng.random() * 2 - 1)))), send)
            if due < unit.silent_until:
                return
            now = self._now(due)
            values = list(unit.model.values(unit.instrument, now, rng))
            if unit.episode is not None:
                self._bend(unit, values, due)
            if due < unit.stuck_until:
                unit.stuck = unit.stuck or values
                values = unit.stuck
            else:
                unit.stuck = None
                if unit.model.spikes and rng.random() < SPIKES:
                    at = rng.choice(unit.places)
                    values[at] *= rng.choice((0.0, 3.0, 8.0))
            model = unit.model
            readings = [
                {"metric": model.metrics[i], "value": round(values[i], model.digits[i])} for i in unit.places
            ]
            note = "stuck" if unit.stuck is not None else ""
            data = {"device": source.id, "readings": readings}
            self._emit(due, unit.topic, source.id, data, len(readings), note, feed)

        return send

    def _bend(self, unit: _Unit, values: list[float], due: int) -> None:
        episode = unit.episode
        assert episode is not None
        if due >= episode.end + episode.ramp:
            unit.episode = None
            return
        share = 1.0
        if episode.ramp and due < episode.begin + episode.ramp:
            share = (due - episode.begin) / episode.ramp
        elif due > episode.end:
            share = 1 - (due - episode.end) / episode.ramp if episode.ramp else 0.0
        for i, metric in enumerate(unit.model.metrics):
            if metric == episode.trouble.counts:
                values[i] = (due - episode.begin) / MINUTE if due <= episode.end else 0.0
            elif metric in episode.to:
                values[i] += (episode.to[metric] - values[i]) * share * (1 + 0.01 * self._rng.gauss(0, 1))

    def _befall(self, due: int, trouble: Trouble) -> None:
        units = [
            u
            for u in self._by_type.get(trouble.device_type, ())
            if u.episode is None and due >= u.silent_until and due >= u.stuck_until
        ]
        if not units:
            return
        unit = self._rng.choice(units)
        hold = int(self._rng.uniform(*trouble.hold_min) * MINUTE)
        ramp = int(trouble.ramp_min * MINUTE)
        to = {metric: self._rng.uniform(*span) for metric, span in trouble.to.items()}
        unit.episode = _Episode(trouble, due, ramp, due + ramp + hold, to)

    # -- what happens ------------------------------------------------------------------------------------------

    def _each_minute(self, due: int) -> None:
        """Roll the dice for everything that may begin within this minute."""
        self._plan(due + MINUTE, self._each_minute)
        now = self._now(due)
        for trouble in TROUBLES:
            for at in self._times(due, trouble.rate(now, self._wet)):
                self._plan(at, lambda when, t=trouble: self._befall(when, t))  # type: ignore[misc]
        for at in self._times(due, SILENCES_PER_HOUR if self._units else 0):
            self._rng.choice(self._units).silent_until = at + int(self._rng.expovariate(1 / 40) * MINUTE)
        for at in self._times(due, STUCK_PER_HOUR if self._units else 0):
            self._rng.choice(self._units).stuck_until = at + int(self._rng.uniform(10, 90) * MINUTE)
        if self._alarm_kinds:
            weights = [self._weight(k.weights, now) for k in self._alarm_kinds]
            busy = min(1.6, sum(weights) / 7)
            for at in self._times(due, ALARMS_PER_HOUR * busy):
                self._plan(at, self._alarm(self._rng.choices(self._alarm_kinds, weights)[0]))
        if self._sentences is not None:
            awake = 0.25 + 0.75 * min(1.0, now.rush * 1.9) + 0.6 * self._wet
            for at in self._times(due, REPORTS_PER_HOUR * awake):
                self._plan(at, self._trouble_reported)

    def _times(self, due: int, per_hour: float) -> list[int]:
        """When something that comes `per_hour` times an hour comes within the minute from `due`."""
        times = []
        at = self._rng.expovariate(per_hour / 3600) if per_hour > 0 else math.inf
        while at < 60:
            times.append(due + int(at * SECOND))
            at += self._rng.expovariate(per_hour / 3600)
        return times

    def _weight(self, weights: dict[str, float], now: Moment) -> float:
        night = now.hour < 6 or now.hour >= 21
        share = weights["night" if night else "rush" if now.rush > 0.7 else "day"]
        return share * (1 + (weights["rain"] - 1) * self._wet)

    def _alarms(self) -> list[_AlarmKind]:
        table: dict[str, Any] = tomllib.loads(WORDS.read_text(encoding="utf-8"))["alarms"]
        found = []
        for kind in self._city.alarm_kinds:
            words = table.get(kind.kind)
            if words is None:
                words = {"scenes": [], "weights": {"day": 0.5, "rush": 0.5, "night": 0.5, "rain": 1.0}}
            cameras = tuple(
                c for c in self._city.cameras if not words["scenes"] or c.scene in words["scenes"]
            )
            if cameras or self._city.cameras:
                texts = tuple(words.get("texts", (f"检测到{kind.name}",)))
                found.append(_AlarmKind(kind.kind, cameras or self._city.cameras, words["weights"], texts))
        return found

    def _alarm(self, kind: _AlarmKind) -> Callable[[int], None]:
        rng = self._rng

        def begin(due: int) -> None:
            camera = rng.choice(kind.cameras)
            if kind.kind == "flood":
                x_y = [
                    (c, *self._plane.xy(c.lon, c.lat))
                    for c in rng.sample(kind.cameras, min(60, len(kind.cameras)))
                ]
                camera = max(x_y, key=lambda c: self._moment.rain_at(c[1], c[2]))[0]
            false = rng.random() < FALSE_ALARMS
            confidence = rng.uniform(0.5, 0.76) if false else min(0.99, rng.uniform(0.7, 1.0))
            times = 1 if false else rng.choice((1, 1, 2, 3, 4))
            text = rng.choice(kind.texts).replace("{数}", str(rng.randint(12, 60)))
            at = due
            for _ in range(times):
                data = {
                    "camera": camera.code,
                    "kind": kind.kind,
                    "confidence": round(confidence * rng.uniform(0.97, 1.0), 2),
                    "text": text,
                }
                self._plan(at, self._alarm_message(camera, data, "false alarm" if false else ""))
                at += int(rng.uniform(90, 300) * SECOND)

        return begin

    def _alarm_message(self, camera: Camera, data: dict[str, Any], note: str) -> Callable[[int], None]:
        return lambda due: self._emit(due, topics.VIDEO_ALARM, camera.code, data, 1, note)

    # -- people ------------------------------------------------------------------------------------------------

    def _walk(self, walker: Walker) -> Callable[[int], None]:
        rng = self._rng

        def step(due: int) -> None:
            period = POSITION_PERIOD_S * (1 + 0.05 * (rng.random() * 2 - 1))
            self._plan(due + int(period * SECOND), step)
            if not walker.on_duty(self._now(due).hour):
                return
            x, y, kmh = walker.move(period, rng)
            accuracy = rng.choice((4, 5, 6, 8, 12))
            noise = accuracy / 3000
            lon, lat = self._plane.degrees(x + rng.gauss(0, noise), y + rng.gauss(0, noise))
            data = {
                "worker": walker.login,
                "point": {"lon": lon, "lat": lat},
                "accuracy_m": accuracy,
                "speed_kmh": round(kmh, 1),
            }
            self._emit(due, topics.POSITION, walker.login, data)

        return step

    def _trouble_reported(self, due: int) -> None:
        """One person reports something; sometimes others report the same within the next half hour."""
        sentences, rng = self._sentences, self._rng
        assert sentences is not None
        now = self._now(due)
        theme = sentences.pick_theme(rng, now.hour, self._wet > 0.15 and rng.random() < self._wet + 0.2)
        spot = sentences.pick_spot(rng, theme)
        self._report(due, theme, spot)
        at = due
        while rng.random() < REPORTED_AGAIN:
            at += int(rng.uniform(2, 25) * MINUTE)
            self._plan(at, lambda when: self._report(when, theme, spot, again=True))

    def _report(self, due: int, theme: Theme, spot: Spot, again: bool = False) -> None:
        sentences, rng = self._sentences, self._rng
        assert sentences is not None
        hour = self._now(due).hour
        asleep = hour < 6 or hour >= 22
        shares = (0.1, 0.5, 0.35, 0.05, 0.0) if asleep or again else (0.4, 0.26, 0.26, 0.05, 0.03)
        channel = rng.choices(("grid", "hotline", "citizen", "phone", "department"), shares)[0]
        words = sentences.write(rng, theme, spot, channel, hour)
        found = sentences.class_of[theme.words]
        data: dict[str, Any] = {"channel": channel, "text": words.text}
        if found is not None and rng.random() < {"grid": 0.95, "citizen": 0.25}.get(channel, 0.5):
            data["class"] = found.code
        if channel != "citizen" or rng.random() < 0.4:
            data["title"] = words.title
        if rng.random() < {"grid": 1.0, "citizen": 0.92, "hotline": 0.55}.get(channel, 0.5):
            data["point"] = self._point(spot, channel)
        if channel != "citizen" or "point" not in data or rng.random() < 0.5:
            data["address"] = spot.address
        if words.name:
            data["reporter"] = {"name": words.name, "phone": words.phone}
        self._emit(due, topics.GRID_REPORT, "", data, 1, "again" if again else "")

    def _point(self, spot: Spot, channel: str) -> dict[str, Any]:
        """Where the report says it is: some metres off; a citizen's mini-program sends GCJ-02."""
        x, y = self._plane.xy(spot.place.lon, spot.place.lat)
        off = 0.008 if channel == "grid" else 0.025
        lon, lat = self._plane.degrees(x + self._rng.gauss(0, off), y + self._rng.gauss(0, off))
        if channel == "citizen":
            east, north = wgs84_to_gcj02(lon, lat)
            return {"lon": round(float(east), 6), "lat": round(float(north), 6), "crs": "GCJ-02"}
        return {"lon": lon, "lat": lat}


def _text(moment_us: int) -> str:
    second, micro = divmod(moment_us, SECOND)
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{micro // 1000:03d}Z"
