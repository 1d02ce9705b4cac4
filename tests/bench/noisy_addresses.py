"""Addresses as people say and type them, with what is true of each: made from the sample city's streets, never by the reader.

A true point is where the house stands (`Streets.at`), not where the book would lay it out. What has no place (a number
beyond the street's end, a name that is nowhere, a street alone, another district) must stay unresolved.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from data.sample_city.house_numbers import Streets
from incidents.address_book import Address

_SAID: Final = "〇一二三四五六七八九"
_WRONG: Final = "木水火土金石田禾日月山川云雨风花草鸟鱼虫"
_TAILS: Final = ("", "", "", "门口", "旁边", "门前有人摆摊", "附近路灯不亮", "这里井盖没了")
_HEADS: Final = ("", "", "", "您好我在", "就在", "市民反映")
_FULL: Final = str.maketrans("0123456789", "０１２３４５６７８９")


@dataclass(frozen=True, slots=True)
class Said:
    """A text and where it is; `lon` None: nobody could say. `noise`: what was done to it."""

    text: str
    lon: float | None
    lat: float | None
    kind: str
    noise: tuple[str, ...]


def in_chinese(number: int, rng: random.Random) -> str:
    """108 as 一〇八, 一零八 or 一百零八."""
    digits = "".join(_SAID[int(d)] for d in str(number))
    if rng.random() < 0.5 or not 10 < number < 1000:
        return digits if rng.random() < 0.5 else digits.replace("〇", "零")
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    text = f"{_SAID[hundreds]}百" if hundreds else ""
    if tens:
        text += ("" if tens == 1 and not hundreds else _SAID[tens]) + "十"
    elif hundreds and ones:
        text += "零"
    return text + (_SAID[ones] if ones else "")


def _slip(name: str, rng: random.Random) -> str:
    """One character of the name wrong or missing, never its last one or a numeral."""
    at = [n for n, c in enumerate(name[:-1]) if c not in _SAID and not c.isdigit()]
    n = rng.choice(at)
    return name[:n] + (rng.choice(_WRONG) if rng.random() < 0.6 else "") + name[n + 1 :]


def _kinds(
    streets: Streets, book: Sequence[Address], rng: random.Random
) -> Iterator[tuple[str, str, str, Address | None, tuple[float, float] | None]]:
    """(kind, name, rest, address it is near, point) without end."""
    by_kind: dict[str, list[Address]] = {}
    for address in book:
        by_kind.setdefault(address.kind, []).append(address)
    inside = {a.name: a for a in by_kind["number"]}
    names = sorted(inside)
    once = {a.name for a in book if a.kind == "place"}
    while True:
        kind = rng.choices(("number", "building", "crossing", "place", "group"), (50, 15, 15, 15, 5))[0]
        if kind == "number":
            street = rng.choice(names)
            number = rng.randint(1, streets.most(street))
            yield kind, street, f"{number}号", inside[street], streets.at(street, number)
            continue
        found = rng.choice(by_kind[kind])
        rest = {
            "building": f"{found.number}{rng.choice(('栋', '幢', '号楼'))}", "crossing": rng.choice(("与", "和", "、")) + found.other
            + rng.choice(("交叉口", "路口", "交汇处")), "group": f"{found.number}组", "place": "",
        }[kind]  # fmt: skip
        if kind != "place" or found.name in once:
            yield kind, found.name, rest, found, (found.lon, found.lat)


def corpus(
    streets: Streets, book: Sequence[Address], areas: Mapping[str, str], count: int, seed: int
) -> list[Said]:
    """`count` texts. `areas`: path → name."""
    rng = random.Random(seed)
    made: list[Said] = []
    districts = sorted(p for p in areas if p.count("/") == 2)
    for kind, name, rest, near, point in _kinds(streets, book, rng):
        if len(made) == count:
            return made
        noise: list[str] = []
        path = near.area if near else ""
        if kind == "number":
            # The street's own point tells the district only where all of it lies in one.
            owners = (
                {a.area.split("/")[1] for a in book if a.kind == "number" and a.name == name}
                if rng.random() < 0.1
                else set()
            )
            path = path if len(owners) == 1 else ""
        parts = path.split("/")
        said = areas.get("/".join(parts[:2]) + "/", "") if len(parts) > 2 and rng.random() < 0.5 else ""
        true = point
        draw = rng.random()
        if draw < 0.06 and kind == "number":
            rest, true = f"{streets.most(name) + rng.randint(200, 900)}号", None
            noise.append("beyond")
        elif draw < 0.10 and kind in ("number", "place"):
            name, true = "".join(rng.sample(_WRONG, 3)) + ("路" if kind == "number" else "花园"), None
            noise.append("nowhere")
        elif draw < 0.13 and kind == "number":
            rest, true = "", None
            noise.append("no number")
        elif draw < 0.16 and path:
            said = areas[rng.choice([d for d in districts if not path.startswith(d)])]
            true = None
            noise.append("another district")
        if rng.random() < 0.10 and len(name) >= 3 and "nowhere" not in noise:
            name = _slip(name, rng)
            noise.append("slip")
        if rng.random() < 0.2 and any(c.isdigit() for c in rest):
            number = int("".join(c for c in rest if c.isdigit()))
            rest = rest.replace(str(number), in_chinese(number, rng))
            noise.append("chinese number")
        text = rng.choice(_HEADS) + ("临澜市" if rng.random() < 0.3 else "") + said + name + rest
        if rest and kind != "crossing":
            text += rng.choice(_TAILS)
        if rng.random() < 0.2:
            text = text.translate(_FULL)
            noise.append("full width")
        if rng.random() < 0.2:
            text = text.replace("号", "號").replace("栋", "棟")
            noise.append("traditional")
        if rng.random() < 0.2:
            n = rng.randrange(len(text))
            text = f"{text[:n]}{rng.choice((' ', '，', '  '))}{text[n:]}"
            noise.append("blank")
        made.append(Said(text, *(true or (None, None)), kind, tuple(noise)))
    return made
