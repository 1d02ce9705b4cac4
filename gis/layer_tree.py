"""The layer tree: what of the registries each sector of the city shows on the map, and at which height it lies. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

KINDS: Final = ("devices", "cameras", "components")
"""Registries of things; the map has a layer of tiles for each."""
HEIGHTS: Final = ("above", "surface", "underground")
"""地上、地表、地下."""
OTHER: Final = "other"
"""The branch of what no sector names."""


@dataclass(frozen=True, slots=True)
class Group:
    """Things of one kind that are switched together: a type of device, a subclass of component, a sector of camera."""

    kind: str
    group: str
    name: str
    name_en: str
    count: int


@dataclass(frozen=True, slots=True)
class Sector:
    """One sector: the groups it owns, kind → groups."""

    id: str
    name: str
    name_en: str
    owns: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Tree:
    """The sectors in their order, and what lies below and on the ground."""

    sectors: Sequence[Sector]
    heights: Mapping[str, str]
    names_en: Mapping[str, str]
    """English names of groups whose registry has none."""

    def height(self, group: str) -> str:
        """Where things of a group lie: one of HEIGHTS."""
        return self.heights.get(group, "above")

    def branches(self, groups: Iterable[Group]) -> list[dict[str, Any]]:
        """The tree as data: every sector with its groups, empty sectors too; what is in no sector comes last.

        [{id, name, name_en, count, layers: [{kind, group, name, name_en, height, count}]}]
        """
        known = sorted(groups, key=lambda g: (KINDS.index(g.kind), -g.count, g.group))
        left = dict.fromkeys(known)
        branches = []
        for sector in self.sectors:
            mine = [g for g in known if g.group in sector.owns[g.kind]]
            for group in mine:
                left.pop(group, None)
            branches.append(self._branch(sector.id, sector.name, sector.name_en, mine))
        if left:
            branches.append(self._branch(OTHER, "其他", "Other", list(left)))
        return branches

    def _branch(self, id: str, name: str, name_en: str, groups: Sequence[Group]) -> dict[str, Any]:
        layers = [
            {
                "kind": g.kind, "group": g.group, "name": g.name, "name_en": g.name_en or self.names_en.get(g.group, ""),
                "height": self.height(g.group), "count": g.count,
            }
            for g in groups
        ]  # fmt: skip
        return {
            "id": id,
            "name": name,
            "name_en": name_en,
            "count": sum(g.count for g in groups),
            "layers": layers,
        }


def tree_of(written: Mapping[str, Any]) -> Tree:
    """The tree of a parsed map_layers.toml. Raises ValueError when a group is in two sectors or at two heights."""
    sectors = [
        Sector(s["id"], s["name"], s["name_en"], {kind: frozenset(s[kind]) for kind in KINDS})
        for s in written["sectors"]
    ]
    for kind in KINDS:
        named = [group for sector in sectors for group in sector.owns[kind]]
        twice = {group for group in named if named.count(group) > 1}
        if twice:
            raise ValueError(f"{kind} {min(twice)!r}: is in two sectors")
    heights: dict[str, str] = {}
    for height in HEIGHTS[1:]:
        for group in written[height]:
            if group in heights:
                raise ValueError(f"{group!r}: lies at two heights")
            heights[group] = height
    return Tree(sectors, heights, written.get("names_en", {}))
