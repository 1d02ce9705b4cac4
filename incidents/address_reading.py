"""A free text read against the address book: one place with its precision, or unresolved with the reason, never a guess (S20).

What is named is found first (names of the book, of areas, and what looks like a name with one slip), then what stands
behind each: a number, a building, another street, a side and metres. The most particular thing said gives the point;
areas and other things named must agree with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from gis.borders import METRES_PER_DEGREE
from gis.cells import distance_m
from incidents import address_text as t
from incidents.address_book import MOST_LETTERS, Address, AddressBook

SAME_M: Final = 60
"""Candidates no farther apart than this are one place."""
NEAR_M: Final = 800
"""Farther from what else was named, a candidate contradicts it."""
WIDEST_M: Final = 250
"""A point known worse than this is no point."""
PLACE_M: Final = 80
"""A thing with a name is about so wide."""
LONG_NAME: Final = 5
"""A slip in a name of so many letters leaves no doubt; in a shorter one something else must agree."""
MOST_CANDIDATES: Final = 5
_WORD_M: Final = {
    "门口": 20, "门前": 20, "大门": 20, "正门": 20, "旁边": 40, "旁": 40, "边上": 40, "隔壁": 40, "对面": 50, "斜对面": 60,
    "附近": 150, "周边": 150, "一带": 170, "后面": 60, "背后": 60, "前面": 50, "里面": 0, "内": 0,
}  # fmt: skip
_SIDE: Final = {
    "东": (1, 0), "西": (-1, 0), "南": (0, -1), "北": (0, 1), "东北": (0.707, 0.707), "东南": (0.707, -0.707),
    "西北": (-0.707, 0.707), "西南": (-0.707, -0.707),
}  # fmt: skip
_RANK: Final = {"building": 4, "number": 3, "crossing": 3, "group": 2, "place": 1}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that may be meant. `reasons`: {code, …values}; score 0 … 1."""

    address: str
    lon: float
    lat: float
    area: str
    precision_m: float
    score: float
    reasons: tuple[dict[str, Any], ...] = ()
    kind: str = ""
    slips: int = 0


@dataclass(frozen=True, slots=True)
class Resolution:
    """`found` None: unresolved, `why` says why, and `candidates` (best first) what may be meant. `area`: the deepest area
    that was named, also where no point is known."""

    found: Candidate | None
    why: str = ""
    candidates: tuple[Candidate, ...] = ()
    area: str = ""


@dataclass(frozen=True, slots=True)
class _Named:
    """A name in the text. `names`: which of the book it may be; `slip`: it is written otherwise there."""

    begin: int
    end: int
    names: tuple[str, ...]
    area: bool = False
    slip: bool = False


def resolve(text: str, book: AddressBook) -> Resolution:
    """See the module's text."""
    plain = t.plain_address(text)
    if not plain:
        return Resolution(None, "empty")
    named = _named(plain, book)
    within, area_words = _within(named, book)
    deepest = within[0] if len(within) == 1 else ""
    claims, whys = [], []
    for position, name in enumerate(named):
        if (
            position
            and t.STRETCH.fullmatch(plain[named[position - 1].end : name.begin])
            and _street(name, book)
        ):
            return Resolution(None, "stretch", area=deepest)
        following = named[position + 1] if position + 1 < len(named) else None
        found, why = _claim(plain, name, following, book, within)
        if found:
            claims.append(found)
        if why:
            whys.append(why)
    if not claims:
        return Resolution(None, whys[0] if whys else "only_area" if area_words else "no_name", area=deepest)
    if "number_unknown" in whys or "no_crossing" in whys:
        # The most particular thing that was said is not known: what was said beside it is not that place.
        return _open("number_unknown" if "number_unknown" in whys else "no_crossing", claims, deepest)
    if area_words < 0:
        return _open("contradiction", claims, "")
    return _decided(claims, within, deepest, area_words)


def _named(plain: str, book: AddressBook) -> list[_Named]:
    found: list[_Named] = []
    begin = gap = 0
    while begin < len(plain):
        for end in range(min(len(plain), begin + book.names.longest), begin + 1, -1):
            word = plain[begin:end]
            if book.names.knows(word) or book.names.areas_called(word):
                found += _slips(plain, gap, begin, book, MOST_SLIPS)
                area = bool(book.names.areas_called(word)) and not book.names.is_thing(word)
                found.append(_Named(begin, end, (word,), area))
                begin = gap = end
                break
        else:
            begin += 1
    return found + _slips(plain, gap, len(plain), book, MOST_SLIPS)


MOST_SLIPS: Final = 3
"""Misspelt names looked for in one piece: an address has no more, and each search goes over the whole of it."""


def _slips(plain: str, begin: int, end: int, book: AddressBook, most: int) -> list[_Named]:
    """What looks like a name of the book in a piece where none stands: the longest, and it must end as the name does;
    at most `most`."""
    if most < 1:
        return []
    for length in range(min(MOST_LETTERS, end - begin), 2, -1):
        for at in range(begin, end - length + 1):
            word = plain[at : at + length]
            names = tuple(name for name in book.names.like(word) if name[-1] == word[-1])
            if names:
                before = _slips(plain, begin, at, book, most - 1)
                after = _slips(plain, at + length, end, book, most - 1 - len(before))
                return [*before, _Named(at, at + length, names, slip=True), *after]
    return []


def _within(named: Sequence[_Named], book: AddressBook) -> tuple[tuple[str, ...], int]:
    """(Paths of the deepest areas that everything named of areas agrees with, number of areas named; -1: they do not
    agree)."""
    paths: tuple[str, ...] = ()
    words = [name for name in named if name.area]
    for name in words:
        called = book.names.areas_called(name.names[0])
        if not paths:
            paths = tuple(called)
            continue
        deeper = [p for p in called if p.startswith(paths)] or [
            p for p in paths if p.startswith(tuple(called))
        ]
        if not deeper:
            return (), -1
        paths = tuple(deeper)
    return paths, len(words)


def _street(name: _Named, book: AddressBook) -> bool:
    return any(book.names.is_street(n) for n in name.names)


def _claim(
    plain: str, name: _Named, following: _Named | None, book: AddressBook, within: tuple[str, ...]
) -> tuple[list[Candidate], str]:
    """What one name and what stands behind it may mean; a reason where it is said and not known."""
    if name.area:
        return _group(plain, name, book)
    found: list[Candidate] = []
    why = ""
    for one in name.names:
        more, missing = _one(plain, one, name, following, book, within)
        found += more
        why = why or missing
    if name.slip:
        told = {"code": "slip", "written": plain[name.begin : name.end]}
        found = [
            replace(c, score=c.score * 0.8, slips=c.slips + 1, reasons=(*c.reasons, told)) for c in found
        ]
        why = why if found else ""
    return found, "" if found else why


def _one(
    plain: str, one: str, name: _Named, following: _Named | None, book: AddressBook, within: tuple[str, ...]
) -> tuple[list[Candidate], str]:
    if book.names.is_kind(one, "group") and not book.names.is_thing(one):
        return _group(plain, replace(name, names=(one,)), book)
    building = t.BUILDING.match(plain, name.end)
    if building and book.names.is_kind(one, "place", "building"):
        known = book.parts("building", one, building[1])
        if known:
            return [_candidate(a, 20.0, "building", plain, building.end()) for a in known], ""
        told = ({"code": "building_unknown", "number": building[1]},)
        return [_candidate(a, 150.0, "place", plain, len(plain), told, 0.85) for a in book.places(one)], ""
    if book.names.is_street(one):
        number = t.NUMBER.match(plain, name.end) or t.BARE_NUMBER.match(plain, name.end)
        if number:
            part = next((g for g in number.groups()[1:] if g), "")
            spots = book.numbers(one, int(number[1]), part, ()) if not within else (
                book.numbers(one, int(number[1]), part, within) or book.numbers(one, int(number[1]), part, ())
            )  # fmt: skip
            found = [
                _candidate(
                    s.address, s.precision_m, "number", plain, number.end(),
                    ({"code": "between"},) if s.between else (), 0.95 if s.between else 1.0,
                )
                for s in spots
            ]  # fmt: skip
            return found, "" if found else "number_unknown"
        if following and t.JOINER.fullmatch(plain[name.end : following.begin]) and _street(following, book):
            found = [
                replace(
                    _candidate(a, 20.0, "crossing", plain, _after_crossing(plain, following.end)),
                    slips=int(following.slip),
                )
                for other in following.names
                for a in book.crossings(one, other)
            ]
            return found, "" if found else "no_crossing"
        if not book.places(one):
            return [], "no_number"
    return [_candidate(a, float(PLACE_M), "place", plain, name.end) for a in book.places(one)], ""


def _after_crossing(plain: str, end: int) -> int:
    for word in ("十字路口", "丁字路口", "交叉路口", "交叉口", "交汇处", "交界处", "路口", "交口", "交界"):
        if plain.startswith(word, end):
            return end + len(word)
    return end


def _group(plain: str, name: _Named, book: AddressBook) -> tuple[list[Candidate], str]:
    """A village and a group of it."""
    group = t.GROUP.match(plain, name.end)
    if not group:
        return [], ""
    found = book.parts("group", name.names[0], group[1])
    return [
        _candidate(a, 100.0, "group", plain, group.end()) for a in found
    ], "" if found else "group_unknown"


def _candidate(
    address: Address, precision_m: float, kind: str, plain: str, end: int, reasons: tuple[dict[str, Any], ...] = (),
    score: float = 1.0,
) -> Candidate:  # fmt: skip
    lon, lat = address.lon, address.lat
    reasons = ({"code": kind, "address": address.text}, *reasons)
    beside = t.BESIDE.match(plain, end)
    if beside and beside[2]:
        east, north = _SIDE[beside[1]]
        metres = float(beside[2])
        lat += north * metres / METRES_PER_DEGREE
        lon += east * metres / METRES_PER_DEGREE / math.cos(math.radians(lat))
        precision_m += 10 + 0.3 * metres
    elif beside:
        precision_m += _WORD_M[beside[3]]
    if beside:
        reasons = (*reasons, {"code": "beside", "words": beside[0]})
    return Candidate(address.text, lon, lat, address.area, precision_m, score, reasons, kind)


def _apart(one: Candidate, other: Candidate) -> float:
    return distance_m(one.lon, one.lat, other.lon, other.lat)


def _open(why: str, claims: Sequence[Sequence[Candidate]], area: str) -> Resolution:
    best = sorted(
        (c for claim in claims for c in claim), key=lambda c: (-_RANK[c.kind], -c.score, c.address, c.lon)
    )
    return Resolution(None, why, tuple(best[:MOST_CANDIDATES]), area)


def _decided(
    claims: Sequence[list[Candidate]], within: tuple[str, ...], area: str, area_words: int
) -> Resolution:
    top = max(_RANK[claim[0].kind] for claim in claims)
    best = [c for claim in claims if _RANK[claim[0].kind] == top for c in claim]
    rest = [claim for claim in claims if _RANK[claim[0].kind] < top]
    inside = [c for c in best if not within or c.area.startswith(within)]
    if not inside:
        return _open("contradiction", claims, area)
    # What else was named picks among several, and speaks against a place far from it.
    for claim in rest:
        near = [c for c in inside if any(_apart(c, other) <= NEAR_M for other in claim)]
        if not near:
            if all(c.slips for c in claim):
                continue
            return _open("contradiction", claims, area)
        inside = near
    first = max(inside, key=lambda c: (c.score, -c.precision_m))
    if any(_apart(first, c) > SAME_M for c in inside):
        return _open("several", [inside], area)
    agreed = bool(within and max(p.count("/") for p in within) >= 3) or any(
        not c.slips and _apart(first, c) <= NEAR_M for claim in rest for c in claim
    )
    if first.slips and not agreed and not all(_long(c) for c in inside):
        return _open("slip", [inside], area)
    if first.precision_m > WIDEST_M:
        return _open("too_wide", [inside], area)
    if area_words:
        first = replace(first, reasons=(*first.reasons, {"code": "in_area"}))
    return Resolution(first, "", (), area)


def _long(found: Candidate) -> bool:
    """Only one short of all its letters, and these are many."""
    written = next((r["written"] for r in found.reasons if r["code"] == "slip"), "")
    return len(written) - len(t.digits(written)) >= LONG_NAME
