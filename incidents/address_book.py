"""The address book of a city: what has a name or a number, found by name, also by one that is written a little wrong (S20).

Names are compared as `plain_address` writes them. A slip is one character wrong, missing or too many, never a digit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gis.cells import distance_m
from incidents.address_text import digits, kept_number, plain_address

KINDS: Final = ("number", "building", "crossing", "group", "place")
"""House number of a street; building of a community; two streets that cross; group of a village; anything with a name."""
MOST_LETTERS: Final = 14
"""Of a name that is looked for although it is written a little wrong; longer ones are known as they are written."""
GAP_NUMBERS: Final = 60
GAP_M: Final = 400
"""Between two known house numbers of one side no farther apart than this, the ones between them are laid out evenly."""
ANCHOR_M: Final = 10.0
"""How well a point of the book is known, metres."""


@dataclass(frozen=True, slots=True)
class Address:
    """A standard address. `name`: street, community, village or thing; `other`: the second street of a crossing;
    `number`: of house, building or group. `area`: path of the area tree; degrees EPSG:4326."""

    kind: str
    name: str
    lon: float
    lat: float
    area: str
    number: str = ""
    other: str = ""
    standard: str = ""

    @property
    def text(self) -> str:
        """As it is said."""
        if self.standard:
            return self.standard
        match self.kind:
            case "number":
                return f"{self.name}{self.number}号"
            case "building":
                return f"{self.name}{self.number}栋"
            case "group":
                return f"{self.name}{self.number}组"
            case "crossing":
                return f"{self.name}与{self.other}路口"
        return self.name


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a house number is, and how well that is known."""

    address: Address
    precision_m: float
    between: bool = False
    """Laid out between two known numbers."""


def _shortened(name: str) -> Iterator[str]:
    for n in range(len(name)):
        yield name[:n] + name[n + 1 :]


def one_slip(one: str, other: str) -> bool:
    """Equal but for one character that is wrong, missing or too many."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1:
        return False
    n = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    return one[n + (len(one) == len(other)) :] == other[n + 1 :]


class AddressNames:
    """Every name of a book, and of the city's areas (path → name). Built once; immutable, thread-safe.

    `names`: (kind, name, other) of the addresses, each once.
    """

    def __init__(self, names: Iterable[tuple[str, str, str]], areas: Iterable[tuple[str, str]]) -> None:
        self._kinds: dict[str, set[str]] = defaultdict(set)
        self._written: dict[str, set[str]] = defaultdict(set)
        for kind, name, other in names:
            for one in (name, other) if kind == "crossing" else (name,):
                plain = plain_address(one)
                self._kinds[plain].add(kind)
                self._written[plain].add(one)
        self._areas: dict[str, list[str]] = defaultdict(list)
        for path, name in areas:
            for one in _area_names(name, path.count("/")):
                self._areas[one].append(path)
        self.longest = max((len(name) for known in (self._kinds, self._areas) for name in known), default=0)
        """Letters of the longest plain name."""
        self._slips: dict[str, list[str]] = defaultdict(list)
        for plain in self._kinds:
            if len(plain) >= 3:
                for piece in {plain, *_shortened(plain)}:
                    self._slips[piece].append(plain)

    def knows(self, name: str) -> bool:
        """A name of the book (plain)."""
        return name in self._kinds

    def is_kind(self, name: str, *kinds: str) -> bool:
        """Something of one of these kinds is called so."""
        return not self._kinds.get(name, _NONE).isdisjoint(kinds)

    def is_street(self, name: str) -> bool:
        """Has house numbers or crosses another."""
        return self.is_kind(name, "number", "crossing")

    def is_thing(self, name: str) -> bool:
        """A street, a community or a thing, which no area of the same name takes the place of."""
        return self.is_kind(name, "number", "crossing", "place", "building")

    def areas_called(self, name: str) -> list[str]:
        """Paths of the areas with this plain name; of districts and towns without 区, 街道, 镇 and the like too."""
        return self._areas.get(name, [])

    def written(self, names: Iterable[str]) -> list[str]:
        """How the book writes these plain names."""
        return sorted({one for name in names for one in self._written.get(name, ())})

    def like(self, written: str) -> list[str]:
        """Names that are one slip away, with the same digits; sorted."""
        near = {name for piece in {written, *_shortened(written)} for name in self._slips.get(piece, ())}
        return sorted(
            n for n in near if n != written and digits(n) == digits(written) and one_slip(n, written)
        )


_NONE: Final[frozenset[str]] = frozenset()
_AREA_ENDS: Final = ("街道", "镇", "乡", "区", "县", "市")


def _area_names(name: str, depth: int) -> Iterator[str]:
    plain = plain_address(name)
    yield plain
    for end in _AREA_ENDS if depth <= 3 else ():
        short = plain.removesuffix(end)
        if short != plain and len(short) >= 2:
            yield short
            return


Rows = Callable[[Sequence[str]], Iterable[Address]]
"""The addresses whose `name` or `other` is one of these, as the book writes them."""


class AddressBook:
    """The book as reading asks it: names at hand, addresses fetched by name."""

    def __init__(self, names: AddressNames, rows: Rows) -> None:
        self.names = names
        self._rows = rows
        self._read: dict[str, list[Address]] = {}

    @classmethod
    def of(cls, addresses: Iterable[Address], areas: Iterable[tuple[str, str]]) -> AddressBook:
        """A book in memory."""
        by_name: dict[str, list[Address]] = defaultdict(list)
        for found in addresses:
            for one in {found.name, found.other} - {""}:
                by_name[one].append(found)
        names = AddressNames(((a.kind, a.name, a.other) for found in by_name.values() for a in found), areas)
        return cls(names, lambda wanted: (a for name in wanted for a in by_name[name]))

    def _of(self, name: str, kind: str) -> list[Address]:
        if name not in self._read:
            self._read[name] = list(self._rows(self.names.written((name,))))
        return [a for a in self._read[name] if a.kind == kind]

    def places(self, name: str) -> list[Address]:
        """Things of this name."""
        return self._of(name, "place")

    def parts(self, kind: str, name: str, number: str) -> list[Address]:
        """Buildings of a community or groups of a village with this number."""
        return [a for a in self._of(name, kind) if kept_number(a.number) == kept_number(number)]

    def crossings(self, one: str, other: str) -> list[Address]:
        """Where two streets cross."""
        return [
            a
            for a in self._of(one, "crossing")
            if {plain_address(a.name), plain_address(a.other)} == {one, other}
        ]

    def numbers(self, street: str, number: int, part: str, within: tuple[str, ...]) -> list[Spot]:
        """Where a house number is, in areas of these paths (() = anywhere): as the book has it, else laid out between its
        neighbours of the same side. [] when neither is known."""
        side = sorted(
            (
                (*_number(a.number), a)
                for a in self._of(street, "number")
                if not within or a.area.startswith(within)
            ),
            key=lambda row: row[:2],
        )
        side = [row for row in side if row[0] % 2 == number % 2]
        begin = bisect_left(side, (number, ""), key=lambda row: row[:2])
        same = [row for row in side[begin:] if row[0] == number]
        if same:
            exact = [row for row in same if row[1] == part]
            return [Spot(row[2], ANCHOR_M if exact else 3 * ANCHOR_M) for row in exact or same]
        if begin == 0 or begin == len(side):
            return []
        (low, _, before), (high, _, after) = side[begin - 1], side[begin]
        apart = distance_m(before.lon, before.lat, after.lon, after.lat)
        if high - low > GAP_NUMBERS or apart > GAP_M:
            return []
        share = (number - low) / (high - low)
        between = Address(
            "number", before.name, before.lon + share * (after.lon - before.lon),
            before.lat + share * (after.lat - before.lat), before.area if share < 0.5 else after.area, str(number),
        )  # fmt: skip
        return [Spot(between, ANCHOR_M + apart / 4, between=True)]


def _number(text: str) -> tuple[int, str]:
    """12-3 → (12, "3")."""
    number, _, part = text.partition("-")
    return int(number), part
