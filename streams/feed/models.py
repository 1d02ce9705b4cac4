"""What each kind of device measures on an ordinary day, and the troubles that come over single devices.

A model gives the ordinary values of a device at a moment; a trouble bends one or more of them for a while.
Nothing here knows the product's warning rules: the figures are those of real towns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from streams.feed.sky import Moment


class Instrument:
    """The memory of one simulated device: its place (km from the centre), character and running state.

    `u`, `v`, `w` in 0…1 never change; `drift` is a slow wandering around 0; `store` is water, rubbish … held.
    """

    __slots__ = ("drift", "last", "store", "u", "v", "w", "x", "y")

    def __init__(self, x: float, y: float, rng: Random) -> None:
        self.x = x
        self.y = y
        self.u = rng.random()
        self.v = rng.random()
        self.w = rng.random()
        self.drift = 0.0
        self.store = 0.0
        self.last: float | None = None

    def hours_since(self, now: Moment) -> float:
        """World hours since the last reading (0 for the first)."""
        gone = 0.0 if self.last is None else (now.time - self.last) / 3600
        self.last = now.time
        return gone

    def wander(self, rng: Random, size: float) -> float:
        """The next step of a slow wandering with standard deviation `size`."""
        self.drift = 0.94 * self.drift + 0.34 * size * rng.gauss(0, 1)
        return self.drift


Values = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """The metrics of a kind of device with their digits after the point, and its ordinary values."""

    metrics: tuple[str, ...]
    digits: tuple[int, ...]
    values: Callable[[Instrument, Moment, Random], Values]
    spikes: bool = False


def _water_level(d: Instrument, now: Moment, rng: Random) -> Values:
    hours = d.hours_since(now)
    d.store = d.store * math.exp(-hours / 4) + now.rain_at(d.x, d.y) * hours
    reach = max(0.08, min(1.0, (14 - d.y) / 22))
    level = 1.9 + 0.6 * d.u + 0.72 * reach * now.tide + 0.018 * d.store + d.wander(rng, 0.05)
    flow = (90 + 160 * d.v) * (level / 2.2) ** 1.6 + rng.gauss(0, 4)
    return max(0.1, level), max(1.0, flow)


def _rain_gauge(d: Instrument, now: Moment, rng: Random) -> Values:
    rain = now.rain_at(d.x, d.y)
    return (max(0.0, rain * rng.gauss(1, 0.06)) if rain > 0.1 else 0.0,)


def _river_quality(d: Instrument, now: Moment, rng: Random) -> Values:
    hours = d.hours_since(now)
    d.store = d.store * math.exp(-hours / 3) + now.rain_at(d.x, d.y) * hours
    breath = math.sin(2 * math.pi * (now.hour - 9) / 24)
    slow = d.wander(rng, 0.5)
    return (
        7.15 + 0.5 * d.u + 0.1 * breath + 0.08 * slow + rng.gauss(0, 0.02),
        6.4 + 1.4 * d.v + 0.8 * breath + 0.3 * slow + rng.gauss(0, 0.06),
        max(0.05, 0.25 + 0.5 * d.w + 0.01 * d.store + 0.06 * slow + rng.gauss(0, 0.02)),
        max(1.0, 9 + 14 * d.u + 4 * d.store + 1.5 * slow + rng.gauss(0, 0.7)),
    )


def _road_flood(d: Instrument, now: Moment, rng: Random) -> Values:
    hours = d.hours_since(now)
    d.store = d.store * math.exp(-hours / 0.7) + now.rain_at(d.x, d.y) * hours
    deep = max(0.0, d.store - (7 + 18 * d.u)) * (1.0 + 1.8 * d.v)
    return (deep + (abs(rng.gauss(0, 0.15)) if deep > 0 else 0.0),)


def _manhole(d: Instrument, now: Moment, rng: Random) -> Values:
    hours = d.hours_since(now)
    d.store = d.store * math.exp(-hours / 0.8) + now.rain_at(d.x, d.y) * hours
    tilt = 0.2 + 0.9 * d.u + abs(rng.gauss(0, 0.15 + 0.3 * now.rush))
    return tilt, max(0.02, 0.15 + 0.4 * d.v + 0.09 * d.store + 0.04 * d.wander(rng, 1))


def _street_lamp(d: Instrument, now: Moment, rng: Random) -> Values:
    lit = now.sun < -0.02 + 0.015 * (d.u - 0.5)
    dim = 0.6 if now.hour >= 23 or now.hour < 5 else 1.0
    power = (85 + 70 * d.v) * dim + rng.gauss(0, 1.2) if lit else abs(rng.gauss(0.6, 0.2))
    evening = 5 * max(0.0, 1 - abs(now.hour - 20) / 3)
    return power, 224 + 5 * (d.w - 0.5) - evening + d.wander(rng, 1.4)


def _traffic(d: Instrument, now: Moment, rng: Random) -> Values:
    wet = min(1.0, now.rain_at(d.x, d.y) / 20)
    load = max(0.02, min(1.05, now.rush * (0.75 + 0.35 * d.v) + 0.05 * d.wander(rng, 1)))
    free = 38 + 24 * d.u
    speed = free * (1 - 0.52 * load**1.6) * (1 - 0.15 * wet) + rng.gauss(0, 1.6)
    return (
        max(4.0, (650 + 2700 * d.w) * load * (1 - 0.1 * wet) * rng.gauss(1, 0.07)),
        max(14.0, speed),
        min(58.0, max(0.5, 2 + 41 * load**1.3 + rng.gauss(0, 1.5))),
    )


def _air(d: Instrument, now: Moment, rng: Random) -> Values:
    wash = 1 - 0.5 * min(1.0, now.rain_at(d.x, d.y) / 15)
    slow = d.wander(rng, 1)
    fine = (24 + 7 * now.season + 9 * now.rush + 8 * (d.u - 0.5) + 3 * slow) * wash
    sun = max(0.0, now.sun)
    return (
        max(3.0, min(62.0, fine + rng.gauss(0, 1))),
        max(6.0, min(115.0, 1.65 * fine + 6 * d.v + rng.gauss(0, 2))),
        max(4.0, 14 + 26 * now.rush + 4 * slow + rng.gauss(0, 1.2)),
        max(8.0, min(172.0, 38 + 88 * sun + 10 * now.season - 12 * now.rush + 4 * slow + rng.gauss(0, 2))),
    )


def _noise(d: Instrument, now: Moment, rng: Random) -> Values:
    return (
        min(74.5, max(34.0, 43 + 8 * d.u + 15 * now.rush**0.6 + 1.2 * d.wander(rng, 1) + rng.gauss(0, 1.4))),
    )


def _smoke(d: Instrument, now: Moment, rng: Random) -> Values:
    cooking = 0.5 * max(0.0, 1 - min(abs(now.hour - h) for h in (7.2, 12, 18.4)) / 0.9) * d.v
    warm = 21.5 + 5 * d.u + 3.2 * math.sin(2 * math.pi * (now.hour - 9.5) / 24)
    return max(0.0, 0.12 + cooking + abs(rng.gauss(0, 0.06))), warm + 0.4 * d.wander(rng, 1)


def _gas(d: Instrument, now: Moment, rng: Random) -> Values:
    cooking = 1.4 * max(0.0, 1 - min(abs(now.hour - h) for h in (7.2, 12, 18.4)) / 0.9) * d.v
    return (max(0.0, 0.2 + 0.4 * d.u + cooking + abs(rng.gauss(0, 0.12))),)


def _hydrant(d: Instrument, now: Moment, rng: Random) -> Values:
    demand = 0.035 * max(0.0, 1 - min(abs(now.hour - 7.5), abs(now.hour - 19.5)) / 2)
    return (max(0.17, 0.25 + 0.08 * d.u - demand + 0.004 * d.wander(rng, 1)),)


def _bin(d: Instrument, now: Moment, rng: Random) -> Values:
    before = d.last
    hours = d.hours_since(now)
    if before is None:
        d.store = 8 + 55 * rng.random()
    d.store += hours * (2.2 + 3.4 * d.v) * (1.0 if 6.5 <= now.hour < 22 else 0.25) * rng.gauss(1, 0.2)
    for round_hour in (5.3 + 2.2 * d.u, 14.2 + 2.4 * d.w):
        if (
            before is not None
            and (now.time - round_hour * 3600) // 86_400 > (before - round_hour * 3600) // 86_400
        ):
            d.store = 6 * rng.random()
    d.store = min(84.0, max(0.0, d.store))
    return (d.store,)


def _bridge(d: Instrument, now: Moment, rng: Random) -> Values:
    lorry = rng.random() < 0.25 * now.rush
    strain = 35 + 40 * d.u + 75 * now.rush + 5 * d.wander(rng, 1) + (rng.uniform(15, 60) if lorry else 0)
    return strain, max(0.3, 1.5 + 4 * now.rush + (rng.uniform(1, 6) if lorry else 0) + rng.gauss(0, 0.4))


def _slope(d: Instrument, now: Moment, rng: Random) -> Values:
    hours = d.hours_since(now)
    d.store = min(60.0, d.store * math.exp(-hours / 24) + now.rain_at(d.x, d.y) * hours)
    tilt = 0.05 + 0.15 * d.u + 0.003 * d.store + abs(rng.gauss(0, 0.012))
    return tilt, 0.6 + 4 * d.v + 0.12 * d.store + abs(rng.gauss(0, 0.15))


def _elevator(d: Instrument, now: Moment, rng: Random) -> Values:
    busy = rng.random() < 0.2 + 0.7 * now.rush
    return max(1.0, (9 + 8 * d.u if busy else 2.5) + rng.gauss(0, 1.3)), 0.0


def _pole_weather(d: Instrument, now: Moment, rng: Random) -> Values:
    wet = min(1.0, now.rain_at(d.x, d.y) / 15)
    warm = 22 + 6 * now.season + 5 * max(0.0, now.sun) - 3 * wet + 0.6 * d.wander(rng, 1)
    return warm + rng.gauss(0, 0.1), max(
        25.0, min(99.0, 88 - 22 * max(0.0, now.sun) + 9 * wet + rng.gauss(0, 0.8))
    )


def _pole_broadcast(d: Instrument, now: Moment, rng: Random) -> Values:
    speaks = 7 <= now.hour < 21 and rng.random() < 0.05
    return (78 + rng.gauss(0, 2) if speaks else 0.0,)


def _pole_screen(d: Instrument, now: Moment, rng: Random) -> Values:
    return (max(350.0, 350 + 4200 * max(0.0, now.sun) + rng.gauss(0, 25)),)


def _pole_wifi(d: Instrument, now: Moment, rng: Random) -> Values:
    people = 4 + 30 * d.u * (0.2 + now.rush) if 6 <= now.hour < 23 else 1.0
    return (float(max(0, round(rng.gauss(people, 2)))),)


def _pole_5g(d: Instrument, now: Moment, rng: Random) -> Values:
    return (max(1.0, min(95.0, 8 + 25 * d.u + 35 * now.rush + rng.gauss(0, 2))),)


def _charging_pile(d: Instrument, now: Moment, rng: Random) -> Values:
    """`store`: hours that the car at it still wants."""
    gone = d.hours_since(now)
    d.store = max(0.0, d.store - gone)
    if d.store == 0.0 and rng.random() < 0.03 + 0.05 * now.rush:
        d.store = rng.uniform(0.5, 3.0)
    return (rng.gauss(6.8, 0.15) if d.store > 0 else 0.0,)


def _emergency_call(d: Instrument, now: Moment, rng: Random) -> Values:
    return (0.0,)


MODELS: Mapping[str, Model] = {
    "water_level": Model(("water_level_m", "river_flow_m3_s"), (2, 1), _water_level, True),
    "rain_gauge": Model(("rain_mm_h",), (1,), _rain_gauge),
    "river_quality": Model(
        ("river_ph", "dissolved_oxygen_mg_l", "ammonia_mg_l", "turbidity_ntu"),
        (2, 2, 2, 1),
        _river_quality,
        True,
    ),
    "road_flood": Model(("road_water_cm",), (1,), _road_flood),
    "manhole_cover": Model(("cover_tilt_deg", "shaft_water_m"), (1, 2), _manhole),
    "street_lamp": Model(("lamp_power_w", "lamp_voltage_v"), (1, 1), _street_lamp),
    "traffic_flow": Model(("flow_veh_h", "mean_speed_kmh", "occupancy_pct"), (0, 1, 1), _traffic, True),
    "air_quality": Model(("pm25_ug_m3", "pm10_ug_m3", "no2_ug_m3", "o3_ug_m3"), (1, 1, 1, 1), _air, True),
    "noise": Model(("noise_db",), (1,), _noise, True),
    "smoke_detector": Model(("smoke_pct_m", "smoke_temperature_c"), (2, 1), _smoke),
    "gas_leak": Model(("gas_lel_pct",), (2,), _gas),
    "hydrant_pressure": Model(("hydrant_pressure_mpa",), (3,), _hydrant),
    "bin_fill": Model(("bin_fill_pct",), (0,), _bin),
    "bridge_strain": Model(("bridge_strain_ue", "bridge_vibration_mm_s"), (1, 2), _bridge, True),
    "slope_tilt": Model(("slope_tilt_deg", "slope_move_mm"), (3, 1), _slope),
    "elevator": Model(("elevator_vibration_mg", "elevator_stall_min"), (1, 0), _elevator),
    "pole_weather": Model(("pole_temperature_c", "pole_humidity_pct"), (1, 1), _pole_weather),
    "pole_broadcast": Model(("broadcast_volume_db",), (1,), _pole_broadcast),
    "pole_screen": Model(("screen_brightness_cd_m2",), (0,), _pole_screen),
    "pole_wifi": Model(("wifi_clients",), (0,), _pole_wifi),
    "pole_5g": Model(("cell_load_pct",), (1,), _pole_5g),
    "charging_pile": Model(("charging_power_kw",), (2,), _charging_pile),
    "emergency_call": Model(("emergency_press",), (0,), _emergency_call),
}
"""Ordinary values per kind of device."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A trouble of one device: how often per hour in the whole city, what it does and for how long.

    `to` gives each metric's worst value as (low, high), drawn once; it is reached after `ramp_min` and held for
    `hold_min` (low, high, minutes). `counts` names a metric that instead counts the minutes since the start.
    `false` is the share that is no real danger (steam, insecticide, a kicked cover); it is only recorded.
    """

    kind: str
    device_type: str
    per_hour: float
    to: Mapping[str, tuple[float, float]]
    ramp_min: float
    hold_min: tuple[float, float]
    day: float = 1.0
    rush: float = 1.0
    night: float = 1.0
    rain: float = 1.0
    counts: str = ""
    false: float = 0.0

    def rate(self, now: Moment, wet: float) -> float:
        """Times per hour at this moment; `wet` 0…1 is how rainy the city is."""
        night = now.hour < 6 or now.hour >= 21
        share = self.night if night else self.rush if now.rush > 0.7 else self.day
        return self.per_hour * share * (1 + (self.rain - 1) * wet)


TROUBLES: tuple[Trouble, ...] = (
    Trouble("jam", "traffic_flow", 1.3, {"mean_speed_kmh": (4, 9), "occupancy_pct": (60, 88)}, 6, (12, 35),
            day=0.8, rush=2.4, night=0.15, rain=1.5),
    Trouble("bin-missed", "bin_fill", 1.5, {"bin_fill_pct": (93, 100)}, 40, (40, 120), night=0.4),
    Trouble("lamp-supply", "street_lamp", 0.7, {"lamp_voltage_v": (120, 172), "lamp_power_w": (0, 30)}, 0,
            (15, 60), day=0.25, rush=0.7, night=1.6, rain=2),
    Trouble("cover-moved", "manhole_cover", 0.8, {"cover_tilt_deg": (24, 70)}, 0, (14, 70), rain=2, false=0.2),
    Trouble("shaft-filling", "manhole_cover", 0.15, {"shaft_water_m": (2.7, 4.2)}, 25, (20, 60), rain=12),
    Trouble("gas-seep", "gas_leak", 0.35, {"gas_lel_pct": (12, 21)}, 3, (4, 15), rush=1.5, night=0.6, false=0.35),
    Trouble("gas-leak", "gas_leak", 0.08, {"gas_lel_pct": (28, 55)}, 5, (6, 20), rush=1.3),
    Trouble("steam", "smoke_detector", 0.55, {"smoke_pct_m": (11.5, 18)}, 1, (3, 7), rush=1.5, night=0.6,
            false=1.0),
    Trouble("fire", "smoke_detector", 0.16, {"smoke_pct_m": (18, 35), "smoke_temperature_c": (58, 84)}, 3,
            (6, 18)),
    Trouble("hydrant-loss", "hydrant_pressure", 0.45, {"hydrant_pressure_mpa": (0.02, 0.085)}, 4, (22, 80)),
    Trouble("loud", "noise", 0.9, {"noise_db": (82, 93)}, 1, (16, 45), day=0.6, rush=0.5, night=1.9, rain=0.2),
    Trouble("smoulder", "air_quality", 0.3, {"pm25_ug_m3": (80, 135), "pm10_ug_m3": (130, 230)}, 25, (45, 90),
            rain=0.1),
    Trouble("ozone", "air_quality", 0.1, {"o3_ug_m3": (204, 228)}, 30, (45, 80), day=1.6, rush=0.6, night=0.0,
            rain=0.0),
    Trouble("discharge", "river_quality", 0.3, {"ammonia_mg_l": (2.3, 5.5), "turbidity_ntu": (60, 180)}, 12,
            (28, 70), night=1.6, rain=2),
    Trouble("low-oxygen", "river_quality", 0.2, {"dissolved_oxygen_mg_l": (1.2, 2.7)}, 20, (30, 70), night=1.8),
    Trouble("acid", "river_quality", 0.05, {"river_ph": (4.9, 5.8)}, 8, (28, 50), night=1.5),
    Trouble("gate", "water_level", 0.1, {"water_level_m": (4.6, 5.2)}, 30, (15, 40), rain=6),
    Trouble("ponding", "road_flood", 0.15, {"road_water_cm": (17, 38)}, 12, (12, 40), rain=14),
    Trouble("heavy-load", "bridge_strain", 0.25, {"bridge_strain_ue": (310, 430)}, 1, (4, 8), night=1.4),
    Trouble("resonance", "bridge_strain", 0.06, {"bridge_vibration_mm_s": (33, 48)}, 1, (4, 8)),
    Trouble("creep", "slope_tilt", 0.12, {"slope_tilt_deg": (1.1, 1.9), "slope_move_mm": (18, 46)}, 30, (30, 90),
            rain=8),
    Trouble("lift-stuck", "elevator", 0.75, {"elevator_stall_min": (0, 0)}, 0, (5, 22), rush=1.7, night=0.5,
            counts="elevator_stall_min"),
    Trouble("lift-shake", "elevator", 0.3, {"elevator_vibration_mg": (64, 110)}, 2, (8, 25), night=0.5),
)  # fmt: skip
"""The troubles of an ordinary day."""
