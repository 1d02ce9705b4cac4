"""Merging: is a report the occurrence we know of (S10, S11)? A score with its reasons, and what follows from it.

Pure: what is compared is handed in (`occurrence_index.find` asks for it), moments are those of the reports. A score from the
policy's threshold on joins by itself, one below is suggested to a person; reasons are data, the screens have the words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from gis.cells import distance_m
from incidents.merge_policy import MergePolicy
from incidents.occurrence import Likeness, Occurrence, Reason, Report
from incidents.text_likeness import alike, plain, shingles

REASONS: Final[Mapping[str, tuple[str, ...]]] = {
    "same_kind": ("kind",),
    "other_kind": ("kind", "other"),
    "distance": ("distance_m", "reach_m"),
    "no_point": (),
    "gap": ("gap_h", "window_h"),
    "text": ("likeness",),
    "same_address": ("address",),
    "too_far": ("distance_m", "reach_m"),
    "too_wide": ("spread_m", "most_m"),
    "too_late": ("gap_h", "window_h"),
    "too_old": ("life_h", "most_h"),
    "separated": (),
}
"""Code of a reason → its values. The screens have the words for each."""

BARS: Final = frozenset({"other_kind", "no_point", "too_far", "too_wide", "too_late", "too_old", "separated"})
"""With one of these nothing merges by itself, whatever the score."""


class Band(StrEnum):
    """What becomes of a report."""

    AUTOMATIC = "automatic"
    SUGGESTED = "suggested"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Decision:
    """`automatic`: it joins `occurrence`. Otherwise it opens one of its own; `suggested` are those a person should look
    at, best first (also beside an automatic one: two occurrences may be one)."""

    band: Band
    occurrence: int | None = None
    likeness: Likeness | None = None
    suggested: tuple[tuple[int, Likeness], ...] = ()


def likeness(report: Report, other: Occurrence | Report, policy: MergePolicy) -> Likeness:
    """How likely a report tells of the same occurrence. Between two reports it does not matter which comes first.

    Place: the nearest source, and the farthest for the spread. Time: from the newest source, or back to the first;
    nothing between them. Words and address: the best of the newest sources. Of two classes' reaches the smaller counts.
    """
    if isinstance(other, Report):
        other = Occurrence(other.id, other.kind, (other,))
    if report.id in other.apart:
        return Likeness(0.0, (Reason("separated"),))
    reach = min(policy.reach_of(report.kind), policy.reach_of(other.kind))
    same = report.kind == other.kind != ""
    reasons = [
        Reason("same_kind", {"kind": report.kind})
        if same
        else Reason("other_kind", {"kind": report.kind, "other": other.kind})
    ]
    gap_h = _gap_h(report.at, other)
    sooner = max(0.0, 1 - gap_h / reach.longest_h)
    reasons.append(Reason("gap", {"gap_h": gap_h, "window_h": reach.window_h}))
    if gap_h > reach.window_h:
        reasons.append(Reason("too_late", {"gap_h": gap_h, "window_h": reach.window_h}))
    life_h = _hours(max(report.at, other.newest_at), min(report.at, other.first_at))
    if life_h > reach.life_h:
        reasons.append(Reason("too_old", {"life_h": life_h, "most_h": reach.life_h}))
    near_m, far_m = _distances(report, other.sources)
    compared = other.sources[-policy.texts_compared :]
    words = _best_words(report, compared)
    if words is not None:
        reasons.append(Reason("text", {"likeness": words}))
    said = words is not None and words >= policy.text_agrees and gap_h <= reach.window_h
    address = plain(report.address)
    same_address = address != "" and any(plain(source.address) == address for source in compared)
    if same_address:
        reasons.append(Reason("same_address", {"address": report.address}))

    if near_m is None:
        reasons.append(Reason("no_point"))
        possible, closer = same and same_address and said, words or 0.0
    else:
        possible = same or (said and near_m <= min(policy.spot_m, reach.reach_m))
        possible = possible and near_m < reach.farthest_m and gap_h < reach.longest_h
        closer = max(0.0, 1 - near_m / reach.farthest_m)
        reasons.append(Reason("distance", {"distance_m": near_m, "reach_m": reach.reach_m}))
        if near_m > reach.reach_m:
            reasons.append(Reason("too_far", {"distance_m": near_m, "reach_m": reach.reach_m}))
        if far_m > reach.spread_m:
            reasons.append(Reason("too_wide", {"spread_m": far_m, "most_m": reach.spread_m}))
    if not possible:
        return Likeness(0.0, tuple(reasons))
    score = policy.place_weight * closer + (1 - policy.place_weight) * sooner
    score += _swing(words, policy) + (policy.address_swing if same_address else 0.0)
    score = min(1.0, max(0.0, score))
    if any(reason.code in BARS for reason in reasons):
        score = min(score, policy.below_automatic)
    return Likeness(score, tuple(reasons))


def decide(report: Report, candidates: Iterable[Occurrence], policy: MergePolicy) -> Decision:
    """What becomes of a report beside the occurrences it might belong to. Of equal scores the older occurrence wins."""
    liked = [(occurrence.id, likeness(report, occurrence, policy)) for occurrence in candidates]
    liked = sorted((p for p in liked if p[1].score >= policy.suggested), key=lambda p: (-p[1].score, p[0]))
    if not liked:
        return Decision(Band.NEW)
    best, found = liked[0]
    if found.score >= policy.automatic:
        return Decision(Band.AUTOMATIC, best, found, tuple(liked[1:]))
    return Decision(Band.SUGGESTED, None, found, tuple(liked))


def _hours(later: datetime, earlier: datetime) -> float:
    return (later - earlier).total_seconds() / 3600


def _gap_h(at: datetime, other: Occurrence) -> float:
    return max(0.0, _hours(at, other.newest_at), _hours(other.first_at, at))


def _distances(report: Report, sources: Sequence[Report]) -> tuple[float | None, float]:
    """Metres to the nearest and to the farthest source; (None, inf) where one side has no point."""
    if report.lon is None or report.lat is None:
        return None, math.inf
    # A crowd at one spot (a sensor, a square's name) is one place: looked at once.
    places = {(s.lon, s.lat) for s in sources if s.lon is not None and s.lat is not None}
    metres = [
        distance_m(report.lon, report.lat, lon, lat)
        for lon, lat in places
        if lon is not None and lat is not None
    ]
    return (min(metres), max(metres)) if metres else (None, math.inf)


def _best_words(report: Report, compared: Sequence[Report]) -> float | None:
    if not report.text:
        return None
    mine = shingles(report.text)
    found = [alike(mine, shingles(text)) for text in {source.text for source in compared if source.text}]
    return max((likeness for likeness in found if likeness is not None), default=None)


def _swing(words: float | None, policy: MergePolicy) -> float:
    """By how much the words move the score: -text_swing … 0 at text_even … text_swing."""
    if words is None:
        return 0.0
    even = policy.text_even
    return policy.text_swing * ((words - even) / (1 - even) if words >= even else (words - even) / even)
