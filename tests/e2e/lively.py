"""A city in the middle of its day, for pictures of the screens: people report, cameras alarm, units work.

Everything comes in by the doors that users have: messages of a feed over HTTP, commands over REST with sessions
of the people concerned. The words are the simulation's own; nothing waits for the clock.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from PIL import Image, ImageDraw, ImageFilter

from data.sample_city import read_city
from streams import topics
from streams.feed.simulation import Simulation
from tests.e2e.city import envelope, places_with_workers
from tests.e2e.conftest import Running
from tests.people import Person
from tests.streams.sample_view import sample_view

HOURS: Final = 4.0
MOST: Final = 48
"""Incidents: enough for lists that scroll, few enough that each mark on the map can be told from the next."""

DONE: Final[tuple[tuple[str, float], ...]] = (
    ("closed", 0.28),
    ("returned_result", 0.40),
    ("on_site", 0.52),
    ("taken", 0.60),
    ("dispatched", 0.72),
    ("accepted", 0.82),
)
"""Up to which share of the incidents, oldest first, the work has come this far; the others are just reported."""


def photo(seed: int) -> bytes:
    """A picture of nothing in particular: a street in soft light."""
    image = Image.linear_gradient("L").resize((1200, 900)).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.polygon([(0, 900), (430 + seed * 40, 380), (620 + seed * 40, 380), (1200, 900)], fill=(88, 92, 96))
    for n in range(6):
        x = 90 + n * 190 + seed * 13 % 60
        draw.rectangle(
            (x, 180 + (n * 67 + seed * 31) % 140, x + 130, 420), fill=(120 + n * 9, 116, 108 - n * 6)
        )
    stream = io.BytesIO()
    image.filter(ImageFilter.GaussianBlur(2)).save(stream, "JPEG", quality=85)
    return stream.getvalue()


def what_people_say(seed: int) -> Iterator[tuple[str, str, dict[str, object]]]:
    """(topic, key, data) of reports and camera alarms of some hours of the simulated morning, wrong ones left out."""
    start = datetime.now(UTC)
    opens = start.astimezone(ZoneInfo("Asia/Shanghai")).replace(hour=7, minute=20, second=0)
    view = replace(sample_view(), devices=(), workers=())
    simulation = Simulation(view, seed, start, zone=ZoneInfo("Asia/Shanghai"), opens=opens)
    end = int((start + timedelta(hours=HOURS)).timestamp() * 1_000_000)
    for made in simulation.until(end):
        if made.message.topic in (topics.GRID_REPORT, topics.VIDEO_ALARM):
            try:
                data = msgspec.json.decode(made.message.value)["data"]
            except (msgspec.DecodeError, KeyError, TypeError):
                continue  # the simulation makes mistakes on purpose
            yield made.message.topic, made.message.key, data


def enliven(running: Running, seed: int = 5) -> None:
    """Fill the city: reports and alarms, then the work on them, as far as DONE says."""
    if "enliven" in running.done:
        return  # said twice, every report would only join the one of the first time
    running.done.add("enliven")
    sent = 0
    for topic, key, data in what_people_say(seed):
        if sent < MOST and running.product.post(topic, [envelope(topic, key, data)]) == 202:
            sent += 1
    with ExitStack() as stack:
        people: dict[str, Person] = {}

        def person(login: str) -> Person:
            if login not in people:
                people[login] = running.person(login)
                stack.callback(people[login].close)
            return people[login]

        rows = person("operator").ask("incidents", limit=200).raise_for_status().json()["rows"]
        rows.sort(key=lambda row: int(row["id"]))
        for n, row in enumerate(rows):
            share = n / len(rows)
            target = next((stage for stage, most in DONE if share < most), "reported")
            if row["level"] <= 2 and not row["acknowledged"]:
                do(person("operator"), "acknowledge_incident", id=row["id"])
            carry(person, row, target, n)
        a_workers_morning(running, person)
    gas_escapes(running)


def gas_escapes(running: Running) -> None:
    """The gas detector nearest to the middle of the city is far over its limit: level I, and nobody has acted yet."""
    detector = min(
        (d for d in read_city.read_devices() if d.type == "gas_leak"),
        key=lambda d: (d.lon - 113.9) ** 2 + (d.lat - 21.9) ** 2,
    )
    reading = {"device": detector.id, "readings": [{"metric": "gas_lel_pct", "value": 31.5}]}
    message = envelope("city.reading-critical.v1", detector.id, reading)
    assert running.product.post("city.reading-critical.v1", [message]) == 202


def a_workers_morning(running: Running, person: Any) -> None:
    """One worker's tasks at one place: reached, just arrived, and one that waits for its dispatch."""
    stop = places_with_workers()[3]
    dispatcher, login = person("dispatcher"), ""
    for code, what, target in (
        ("E0101", "候车亭旁堆了六七袋生活垃圾，已有异味", "on_site"),
        ("E0201", "站牌和立柱上贴满小广告", "dispatched"),
        ("E0102", "雨后人行道满是泥沙，行人打滑", "accepted"),
    ):
        text = f"{stop.name}{what}"
        place = {"lon": stop.lon, "lat": stop.lat, "address": f"{stop.road}{stop.name}"}
        filed = do(person("operator"), "report_incident", text=text, class_code=code, **place)
        filed = accept(dispatcher, filed["id"], code)
        if filed["stage"] != "accepted":
            continue
        way = dispatcher.ask("route_incident", id=filed["id"]).raise_for_status().json()
        login = login or way["workers"][0]["login"]
        if target != "accepted":
            do(dispatcher, "dispatch_incident", id=filed["id"], unit=way["unit"], worker=login)
        if target == "on_site":
            do(person(login), "take_incident", id=filed["id"])
            do(person(login), "arrive_incident", id=filed["id"], lon=stop.lon, lat=stop.lat)


def do(person: Person, name: str, **fields: Any) -> dict[str, Any]:
    """A command that must succeed."""
    answer = person.command(name, **fields)
    assert answer.status_code == 200, f"{person.login}: {name} {fields}: {answer.text}"
    found: dict[str, Any] = answer.json()
    return found


def accept(dispatcher: Person, id: int, code: str) -> dict[str, Any]:
    """File it under its class; where the class has several limits, under its first standard."""
    standards = dispatcher.ask("filing_standards", class_code=code).raise_for_status().json()["rows"]
    chosen = {"standard": standards[0]["code"]} if standards else {}
    return do(dispatcher, "accept_incident", id=id, class_code=code, **chosen)


def carry(person: Any, row: dict[str, Any], target: str, n: int) -> None:
    """Bring one incident as far as `target`, each step by the account whose step it is."""
    if target == "reported" or row["stage"] != "reported":
        return
    number, operator, dispatcher = row["id"], person("operator"), person("dispatcher")
    filed = accept(dispatcher, number, row["class"] or "E0101")
    if target == "accepted" or filed["stage"] != "accepted":  # a router that is published may have sent it
        return
    way = dispatcher.ask("route_incident", id=number).raise_for_status().json()
    if not way["unit"]:
        return
    worker = way["workers"][0]["login"] if way["workers"] else ""
    do(dispatcher, "dispatch_incident", id=number, unit=way["unit"], worker=worker)
    handler = person(worker or f"unit-{way['unit'].lower()}")
    steps = {"dispatched": 0, "taken": 1, "on_site": 2, "returned_result": 3, "closed": 4}[target]
    if steps >= 1:
        do(handler, "take_incident", id=number)
    if steps >= 2:
        do(handler, "arrive_incident", id=number, lon=row["lon"], lat=row["lat"])
    if steps >= 3:
        shot = handler.client.post(
            "/api/v1/photos", files={"file": ("photo.jpg", photo(n), "image/jpeg")}, headers=handler.csrf
        )
        assert shot.status_code in (200, 201), shot.text
        do(handler, "finish_incident", id=number, text="已清理完毕，恢复正常", photos=[shot.json()["sha256"]])
    if steps >= 4:
        do(operator, "check_incident", id=number, passed=True)
        do(operator, "close_incident", id=number)
