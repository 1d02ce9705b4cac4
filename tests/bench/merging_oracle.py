"""What merging must decide, looked for by brute force. Knows nothing of the product: it imports none of it.

The rule as docs/adr/0020 tells it, with its numbers written down here a second time. Places are compared as vectors from
the middle of the Earth, texts as lists of shingles; every source of every occurrence is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

EARTH_M: Final = 6_371_008.8
HOUR: Final = 3600
REACH_M: Final = 60
SPREAD_M: Final = 90
WINDOW_S: Final = 48 * HOUR
LIFE_S: Final = 14 * 24 * HOUR
SPOT_M: Final = 30
COMPARED: Final = 20
ALIKE: Final = 0.5
EVEN: Final = 0.15
AUTOMATIC: Final = 0.5
SUGGESTED: Final = 0.4


class Voice(NamedTuple):
    """A report: `at` in whole seconds, `point` (lon, lat) degrees or None."""

    id: int
    at: int
    point: tuple[float, float] | None
    kind: str
    text: str
    address: str


class Known(NamedTuple):
    """An open occurrence: its sources in any order, and the reports separated from it."""

    id: int
    kind: str
    voices: tuple[Voice, ...]
    apart: frozenset[int]


Answer = tuple[str, int | None, float]
"""automatic | suggested | new; the occurrence it joins; the best score."""


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Along the great circle, from the chord."""
    chord = float(np.linalg.norm(vector(*one) - vector(*other)))
    return float(2 * EARTH_M * np.arcsin(min(1.0, chord / 2)))


def vector(lon: float, lat: float) -> np.ndarray:
    """Unit vector of a point."""
    x, y = np.radians(lon), np.radians(lat)
    return np.array([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])


def pieces(text: str) -> list[str]:
    """Shingles: two neighbouring Chinese characters (one, if it stands alone), three letters of a word with its ends."""
    found: list[str] = []
    for word in re.findall(r"[\u4e00-\u9fff]+|[a-z0-9]+", text.lower()):
        if re.match(r"[\u4e00-\u9fff]", word):
            found += [word] if len(word) == 1 else [a + b for a, b in zip(word, word[1:], strict=False)]
        else:
            padded = f" {word} "
            found += [padded[n : n + 3] for n in range(len(padded) - 2)]
    return found


def words_alike(one: str, other: str) -> float | None:
    """Cosine between the counts of shingles."""
    a, b = pieces(one), pieces(other)
    if not a or not b:
        return None
    every = sorted({*a, *b})
    left, right = (np.array([side.count(piece) for piece in every], float) for side in (a, b))
    return float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))


def address_words(address: str) -> list[str]:
    """An address without its marks, its Chinese apart from the rest."""
    return re.findall(r"[\u4e00-\u9fff]+|[^\W_\u4e00-\u9fff]+", address.lower())


def score(voice: Voice, known: Known) -> float:
    """How much one speaks for the other."""
    if voice.id in known.apart:
        return 0.0
    by_time = sorted(known.voices, key=lambda v: (v.at, v.id))
    first, last = by_time[0].at, by_time[-1].at
    gap = 0 if first <= voice.at <= last else min(abs(voice.at - first), abs(voice.at - last))
    same = bool(voice.kind) and voice.kind == known.kind
    compared = by_time[-COMPARED:]
    found = [words_alike(voice.text, other.text) for other in compared]
    words = max((f for f in found if f is not None), default=None)
    told = words is not None and words >= ALIKE - 1e-12 and gap <= WINDOW_S
    mine = address_words(voice.address)
    address = bool(mine) and any(address_words(other.address) == mine for other in compared)
    far = [metres(voice.point, v.point) for v in by_time if v.point is not None] if voice.point else []
    automatic = same and gap <= WINDOW_S and max(last, voice.at) - min(first, voice.at) <= LIFE_S
    if far:
        if gap >= 2 * WINDOW_S or min(far) >= 2 * REACH_M or not (same or (told and min(far) <= SPOT_M)):
            return 0.0
        automatic = automatic and min(far) <= REACH_M and max(far) <= SPREAD_M
        place = 1 - min(far) / (2 * REACH_M)
    else:
        if not (same and address and told):
            return 0.0
        automatic = False
        place = words or 0.0
    total = 0.6 * place + 0.4 * max(0.0, 1 - gap / (2 * WINDOW_S)) + (0.05 if address else 0.0)
    if words is not None:
        total += 0.1 * ((words - EVEN) / (1 - EVEN) if words > EVEN else words / EVEN - 1)
    total = min(1.0, max(0.0, total))
    return total if automatic else min(total, (AUTOMATIC + SUGGESTED) / 2)


def answer(voice: Voice, every: Sequence[Known]) -> Answer:
    """Against every occurrence there is; of equal scores the older one."""
    best, at = max(((score(voice, known), -known.id) for known in every), default=(0.0, 0))
    if best >= AUTOMATIC:
        return "automatic", -at, best
    return ("suggested" if best >= SUGGESTED else "new"), None, best


def stream(
    lon: np.ndarray, lat: np.ndarray, at: np.ndarray, kind: np.ndarray, address: np.ndarray
) -> np.ndarray:
    """What a whole file without texts comes to: the number of the row that opened the occurrence of each row.

    Rows by time; `lon`, `lat` degrees (NaN: no point), `at` whole seconds, `kind` and `address` numbers (-1: none).
    """
    places = np.stack(
        [np.cos(np.radians(lat)) * np.cos(np.radians(lon)),
         np.cos(np.radians(lat)) * np.sin(np.radians(lon)), np.sin(np.radians(lat))], axis=1
    )  # fmt: skip
    opener = np.arange(len(at))
    members: dict[int, list[int]] = {}
    near = 2 * np.sin(3 * REACH_M / EARTH_M / 2)
    for row in range(len(at)):
        # No occurrence that still takes anything has a source older than this.
        begin = int(np.searchsorted(at, at[row] - LIFE_S - 2 * WINDOW_S))
        chord = np.linalg.norm(places[begin:row] - places[row], axis=1)
        mine = np.flatnonzero((kind[begin:row] == kind[row]) & (chord < near)) + begin
        best, chosen = 0.0, row
        for candidate in np.unique(opener[mine]):
            rows = members[int(candidate)]
            gap, life = at[row] - at[rows[-1]], at[row] - at[rows[0]]
            far = 2 * EARTH_M * np.arcsin(np.linalg.norm(places[rows] - places[row], axis=1) / 2)
            if gap > WINDOW_S or life > LIFE_S or far.min() > REACH_M or far.max() > SPREAD_M:
                continue
            same = address[row] >= 0 and (address[rows[-COMPARED:]] == address[row]).any()
            total = 0.6 * (1 - far.min() / 120) + 0.4 * (1 - gap / (96 * HOUR)) + (0.05 if same else 0.0)
            if min(1.0, total) > best:
                best, chosen = min(1.0, total), int(candidate)
        if best >= AUTOMATIC:
            opener[row] = chosen
        members.setdefault(int(opener[row]), []).append(row)
    return opener
