"""An occurrence and its sources: one incident with everybody who told of it, what their voices are worth, who is answered.

The nouns of merging (S10, S11). `merging` decides what belongs together, `splitting` takes it apart again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from incidents.merge_policy import HIGHEST_LEVEL, MergePolicy
from incidents.model import REPORT_CHANNELS


@dataclass(frozen=True, slots=True)
class Report:
    """One voice or sensing. `at` aware; `lon`, `lat` EPSG:4326 degrees, both None where the place is not known.

    `kind`: class code, or what stands for it ('' = not classed); `reporter`: who can be told apart and answered through
    `channel` ('' = nobody). Raises ValueError for half a point, one outside of the Earth, or a naive moment.
    """

    id: int
    at: datetime
    lon: float | None
    lat: float | None
    kind: str
    text: str = ""
    address: str = ""
    reporter: str = ""
    channel: str = ""
    level: int = 3

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"at={self.at.isoformat()}: must have a time zone")
        if self.lon is None and self.lat is None:
            return
        if self.lon is None or self.lat is None or not (abs(self.lon) <= 180 and abs(self.lat) <= 90):
            raise ValueError(
                f"lon={self.lon} lat={self.lat}: must both be degrees on the Earth, or both None"
            )


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a score is what it is: a code of `merging.REASONS` and its values."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Likeness:
    """0 … 1, and why; never without a reason."""

    score: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of what happened to sources, never changed: opened, joined, merged, split; from where to where, who, why.

    `origin`, `target`: occurrences; origin 0: from none.
    """

    at: datetime
    what: str
    reports: tuple[int, ...]
    origin: int
    target: int
    who: str
    why: str = ""
    score: float | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An incident as merging sees it. All counts come from `sources` (by time), so what gives back the sources gives back
    the counts; without sources it is over. `apart`: reports a person has separated from it; `homes`: of a source that a
    merge brought, the occurrences it was in before, first one first; `facts`: what happened, oldest first.
    """

    id: int
    kind: str
    sources: tuple[Report, ...]
    apart: frozenset[int] = frozenset()
    homes: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()

    @property
    def first_at(self) -> datetime:
        """When its first source was."""
        return self.sources[0].at

    @property
    def newest_at(self) -> datetime:
        """When its newest source was."""
        return self.sources[-1].at

    @property
    def voices(self) -> int:
        """How many different ones told of it. Who cannot be told apart counts by place and words: the same words from the
        same point are one voice, or whoever sends a form ten times would raise the level by himself."""
        return len({s.reporter or (s.lon, s.lat, s.text) for s in self.sources})


def opened(id: int, report: Report, who: str, now: datetime) -> Occurrence:
    """An occurrence of one report."""
    return Occurrence(id, report.kind, (report,), facts=(Fact(now, "opened", (report.id,), 0, id, who),))


def joined(
    occurrence: Occurrence,
    report: Report,
    who: str,
    now: datetime,
    found: Likeness | None = None,
    why: str = "",
) -> Occurrence:
    """One more source; `found` where the machine decided, else a person who says why. Raises ValueError if it holds it.

    A person's word also ends an earlier separation.
    """
    if any(source.id == report.id for source in occurrence.sources):
        raise ValueError(f"report={report.id}: is a source of occurrence {occurrence.id} already")
    score, reasons = (found.score, found.reasons) if found else (None, ())
    fact = Fact(now, "joined", (report.id,), 0, occurrence.id, who, why, score, reasons)
    place = bisect_right(occurrence.sources, moment_of(report), key=moment_of)
    return replace(
        occurrence,
        sources=(*occurrence.sources[:place], report, *occurrence.sources[place:]),
        apart=occurrence.apart - {report.id},
        facts=(*occurrence.facts, fact),
    )


def in_order(sources: Iterable[Report]) -> tuple[Report, ...]:
    """By time, then id: the one order that sources have, however they came together."""
    return tuple(sorted(sources, key=moment_of))


def moment_of(report: Report) -> tuple[datetime, int]:
    """What sources are ordered by: never equal for two of them."""
    return report.at, report.id


def raised_level(level: int, voices: int, policy: MergePolicy) -> int:
    """The level that so many voices make of a level (1 is the highest). Never lower, never beyond I.

    `level` is that of the sources, without voices: raising twice would count the same voices twice.
    """
    steps = max((levels for least, levels in policy.voice_steps if voices >= least), default=0)
    return max(HIGHEST_LEVEL, level - steps)


def level_of(occurrence: Occurrence, policy: MergePolicy) -> int:
    """Of an occurrence: the worst of its sources, raised by its voices. Raises ValueError without sources."""
    return raised_level(min(source.level for source in occurrence.sources), occurrence.voices, policy)


@dataclass(frozen=True, slots=True)
class Reply:
    """Somebody who must be answered, once through one channel, about these of his reports."""

    reporter: str
    channel: str
    reports: tuple[int, ...]


def replies(occurrence: Occurrence) -> tuple[Reply, ...]:
    """Who must be answered, in the order they spoke: people who can be told apart. Machines are not answered."""
    asked: dict[tuple[str, str], list[int]] = {}
    for source in occurrence.sources:
        if source.reporter and source.channel in REPORT_CHANNELS:
            asked.setdefault((source.reporter, source.channel), []).append(source.id)
    return tuple(Reply(who, channel, tuple(ids)) for (who, channel), ids in asked.items())
