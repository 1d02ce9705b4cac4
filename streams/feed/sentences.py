"""Reports in natural Chinese: who says what about which place, put together from `reports.zh.toml`.

Deterministic for a given random.Random. All names of people are invented and phone numbers begin with 1000000,
which no Chinese subscriber has.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from streams.feed.city import EventClass, Place

WORDS = Path(__file__).with_name("reports.zh.toml")

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(.+?)\}")
_ONLY = re.compile(r"@([a-z,]+) ")
_DOUBLED = (("尽快尽快", "尽快"), ("尽快马上", "马上"), ("请请", "请"), ("两十", "二十"), ("，，", "，"))
_SIDES = ("东", "南", "西", "北")
_NUMBERS = ("两", "三", "四", "五", "六")
_TENS = ("二", "三", "四", "五", "六")
_SINCE = ("三天", "两三天", "一个多星期", "快一个月", "半个月", "好几天", "好久", "一个多月")
_BETWEEN = {" ": "", "。，": "。", "，。": "。", "！。": "！", "，！": "！"}


@dataclass(frozen=True, slots=True)
class Theme:
    """What people say about one kind of trouble. `words`/`not_words` tell it by the event class's name."""

    words: tuple[str, ...]
    not_words: tuple[str, ...]
    at: frozenset[str]
    share: float
    weights: Mapping[str, float]
    titles: tuple[str, ...]
    facts: tuple[str, ...]
    effects: tuple[str, ...]
    asks: tuple[str, ...]
    patrol: tuple[str, ...]

    def is_of(self, class_name: str) -> bool:
        """Whether an event class of this name is this trouble."""
        return any(w in class_name for w in self.words) and not any(w in class_name for w in self.not_words)

    def weight(self, hour: float, raining: bool) -> float:
        """How often it is reported at this hour of the day, against the other themes."""
        night = hour < 6 or hour >= 20
        rush = 7 <= hour < 9.5 or 16.5 <= hour < 19
        return self.share * (
            self.weights["night" if night else "rush" if rush else "day"]
            * (self.weights["rain"] if raining else 1.0)
        )


@dataclass(frozen=True, slots=True)
class Spot:
    """A place with its kind, how a sentence names it, and where exactly ('阳光家园3号楼下')."""

    place: Place
    kind: str
    name: str
    where: str
    address: str


@dataclass(frozen=True, slots=True)
class Words:
    """What a person says: title, text, and who (name and phone, '' for a grid worker)."""

    title: str
    text: str
    name: str
    phone: str


class Sentences:
    """Writes reports about the places and classes of one city."""

    def __init__(
        self, places: Sequence[Place], classes: Sequence[EventClass], table: Mapping[str, Any] | None = None
    ) -> None:
        """`places` the city's named places (at least one), `table` the words (default: reports.zh.toml)."""
        words = tomllib.loads(WORDS.read_text(encoding="utf-8")) if table is None else table
        self._frames: Mapping[str, list[str]] = words["frames"]
        self._people: Mapping[str, Any] = words["people"]
        self._spots: Mapping[str, list[str]] = words["spots"]
        kinds = {word: kind for kind, found in words["kinds"].items() for word in found}
        self._places: dict[str, list[Place]] = {}
        for place in places:
            self._places.setdefault(kinds.get(place.kind, "other"), []).append(place)
        on_roads = [
            (kind, place)
            for kind, found in self._places.items()
            if kind not in ("crossing", "river", "bridge")
            for place in found
            if place.road
        ]
        self._on_roads = on_roads
        self.themes = tuple(_theme(t) for t in words["theme"])
        self.class_of = {
            theme.words: next((c for c in classes if theme.is_of(c.name)), None) for theme in self.themes
        }

    def pick_theme(self, rng: Random, hour: float, raining: bool) -> Theme:
        """A trouble, as often as it comes at this hour."""
        weights = [t.weight(hour, raining) for t in self.themes]
        return rng.choices(self.themes, weights)[0]

    def pick_spot(self, rng: Random, theme: Theme) -> Spot:
        """A place where this trouble happens, and how to say it."""
        there = [k for k in sorted(theme.at) if k == "road" and self._on_roads or self._places.get(k)]
        kind = rng.choice(there) if there else rng.choice(sorted(self._places))
        if kind == "road":
            of, place = rng.choice(self._on_roads)
            shown = f"公交{place.name}" if of == "stop" else place.name
            end = rng.choice(self._spots["stop" if of == "stop" else "road"])
            where = f"{place.road}{shown}{end}"
            return Spot(place, kind, place.road, where, where)
        place = rng.choice(self._places[kind])
        end = self._fill(rng.choice(self._spots[kind]), rng, {})
        shown = f"公交{place.name}" if kind == "stop" else place.name
        where = f"{shown}{end}"
        by_road = place.road and not place.name.startswith(place.road) and kind not in ("crossing", "bridge")
        if by_road and rng.random() < 0.35:
            where = f"{place.road}{where}"
        return Spot(place, kind, place.name, where, f"{place.road if by_road else ''}{shown}{end}")

    def write(self, rng: Random, theme: Theme, spot: Spot, channel: str, hour: float) -> Words:
        """What a person says on this channel (grid, hotline, citizen, phone, department …) at this hour."""
        person = self._people
        surname = rng.choice(person["surnames"])
        name = surname + rng.choice(person["given"])
        slots = {
            "在": spot.where,
            "名": spot.name,
            "姓": surname,
            "时": rng.choice(_moments(hour)),
            "早晚": rng.choice(("早上", "傍晚", "晚上")),
            "谁": rng.choice(person["callers"]).replace("{姓}", surname),
        }

        def one(patterns: Sequence[str]) -> str:
            fit = [p for p in patterns if _fits(p, spot.kind)] or list(patterns)
            return self._fill(_ONLY.sub("", rng.choice(fit), count=1), rng, slots)

        title = one(theme.titles)
        if channel == "grid":
            return Words(title, one(theme.patrol), "", "")
        slots |= {"事": one(theme.facts), "果": one(theme.effects), "求": one(theme.asks)}
        text = one(self._frames.get(channel, self._frames["citizen"]))
        for wrong, right in (*_DOUBLED, *_BETWEEN.items()):
            text = text.replace(wrong, right)
        phone = f"1000000{rng.randrange(10_000):04d}"
        if channel == "citizen" and rng.random() < 0.5:
            name = slots["姓"] + rng.choice(("先生", "女士"))
        return Words(title, text, name, phone)

    def _fill(self, pattern: str, rng: Random, slots: Mapping[str, str]) -> str:
        while match := _CHOICE.search(pattern):
            chosen = rng.choice(match[1].split("|"))
            pattern = pattern[: match.start()] + chosen + pattern[match.end() :]

        def slot(match: re.Match[str]) -> str:
            word = match[1]
            if word in slots:
                return slots[word]
            if word == "数":
                tens = pattern.startswith("十", match.end())
                return rng.choice(_TENS if tens else _NUMBERS)
            if word == "方":
                return rng.choice(_SIDES)
            if word == "久":
                return rng.choice(_SINCE)
            if word == "栋":
                n = rng.randint(1, 18)
                return rng.choice((f"{n}栋", f"{n}号楼", f"{n}栋{rng.randint(1, 3)}单元"))
            if word == "层":
                return f"{rng.randint(3, 17)}楼"
            if word == "牌":
                letter = rng.choice("ABCDEFGHJKLM")
                return f"临{letter}{rng.randrange(10)}**{rng.randrange(100):02d}"
            raise KeyError(f"{{{word}}} in {pattern!r}: no such slot")

        return _SLOT.sub(slot, pattern)


def _fits(pattern: str, kind: str) -> bool:
    only = _ONLY.match(pattern)
    if only is not None:
        return kind in only[1].split(",")
    return kind == "estate" or not ("{栋}" in pattern or "{层}" in pattern)


def _moments(hour: float) -> tuple[str, ...]:
    parts = (
        (5, "凌晨"),
        (7.5, "清早"),
        (9, "早上"),
        (11.5, "上午"),
        (14, "中午"),
        (17.5, "下午"),
        (19, "傍晚"),
    )
    now = next((word for until, word in parts if hour < until), "晚上")
    return ("刚才", "刚刚", f"今天{now}", "今晚" if now == "晚上" else f"今天{now}", "十几分钟前")


def _theme(table: Mapping[str, Any]) -> Theme:
    return Theme(
        tuple(table["words"]),
        tuple(table.get("not", ())),
        frozenset(table["at"]),
        float(table["share"]),
        {name: float(weight) for name, weight in table["weights"].items()},
        tuple(table["titles"]),
        tuple(table["facts"]),
        tuple(table["effects"]),
        tuple(table["asks"]),
        tuple(table["patrol"]),
    )
