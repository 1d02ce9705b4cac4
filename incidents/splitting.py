"""Merging by hand and back: whole occurrences put together, sources taken out again, no record lost (S11).

Every move is a `Fact` in both occurrences, appended and never changed; from the facts follows where a source was before. What
a person separates stays apart: each side keeps the ids of the other's sources (`Occurrence.apart`), and `likeness` bars them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from incidents.occurrence import Fact, Occurrence, in_order


class BadSplit(ValueError):
    """Sources that cannot be moved so; the text names field, value and rule."""


def merged(
    into: Occurrence, other: Occurrence, who: str, now: datetime, why: str = ""
) -> tuple[Occurrence, Occurrence]:
    """(into with all sources of both, other without any). A person's word, so it ends earlier separations of the two.

    Raises BadSplit for one occurrence twice, or an empty one.
    """
    if into.id == other.id or not other.sources:
        raise BadSplit(f"occurrence={other.id}: must be another than {into.id}, with sources")
    ids = tuple(source.id for source in other.sources)
    sources = in_order((*into.sources, *other.sources))
    fact = Fact(now, "merged", ids, other.id, into.id, who, why)
    homes = {id: (*other.homes.get(id, ()), other.id) for id in ids}
    return (
        replace(
            into,
            sources=sources,
            # What a part was separated from, the whole is.
            apart=(into.apart | other.apart) - {source.id for source in sources},
            homes={**into.homes, **homes},
            facts=(*into.facts, fact),
        ),
        replace(other, sources=(), homes={}, facts=(*other.facts, fact)),
    )


def split(
    occurrence: Occurrence, ids: Collection[int], target: Occurrence, who: str, now: datetime, why: str
) -> tuple[Occurrence, Occurrence]:
    """(what stays, target with the sources taken out). `target`: one they were in, or a new one (`emptied`).

    Raises BadSplit when `ids` is empty or names what is no source, when nothing would stay but a new
    one, or without a why.
    """
    moved = [source for source in occurrence.sources if source.id in ids]
    stays = tuple(source for source in occurrence.sources if source.id not in ids)
    if not moved or len(moved) != len(set(ids)):
        raise BadSplit(f"ids={sorted(ids)}: must be sources of occurrence {occurrence.id}, one at least")
    if target.id == occurrence.id:
        raise BadSplit(f"target={target.id}: must be another occurrence")
    if not stays and not target.facts:
        raise BadSplit(f"ids={sorted(ids)}: one source at least must stay in occurrence {occurrence.id}")
    if not why.strip():
        raise BadSplit("why='': must say why they are separated")
    out = in_order((*target.sources, *moved))
    held = frozenset(source.id for source in out)
    fact = Fact(now, "split", tuple(source.id for source in moved), occurrence.id, target.id, who, why)
    back = {source.id: _before(occurrence.homes.get(source.id, ()), target.id) for source in moved}
    return (
        replace(
            occurrence,
            sources=stays,
            apart=occurrence.apart | held,
            homes={id: homes for id, homes in occurrence.homes.items() if id not in back},
            facts=(*occurrence.facts, fact),
        ),
        replace(
            target,
            sources=out,
            # What was separated from the whole stays separated from each part of it.
            apart=(target.apart | occurrence.apart | {source.id for source in stays}) - held,
            homes={**target.homes, **{id: homes for id, homes in back.items() if homes}},
            facts=(*target.facts, fact),
        ),
    )


def _before(homes: tuple[int, ...], here: int) -> tuple[int, ...]:
    """Where a source was before it first came here; nowhere when it never was here."""
    return homes[: homes.index(here)] if here in homes else ()


def emptied(id: int, kind: str) -> Occurrence:
    """A new occurrence, to split into."""
    return Occurrence(id, kind, ())


def came_from(occurrence: Occurrence, former: int) -> tuple[int, ...]:
    """The sources here that merges brought from `former`, straight or by way of others: what un-merging gives back."""
    return tuple(source.id for source in occurrence.sources if former in occurrence.homes.get(source.id, ()))


def restored(
    occurrence: Occurrence, former: Occurrence, who: str, now: datetime, why: str
) -> tuple[Occurrence, Occurrence]:
    """Un-merge: (what stays, `former` with the sources that came from it). Raises BadSplit when none did."""
    return split(occurrence, came_from(occurrence, former.id), former, who, now, why)
