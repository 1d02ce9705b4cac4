"""Of which class is the road that a point lies at, as far as the point is sure enough to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shapely.geometry.base import BaseGeometry

from gis.shifted import AT_ROAD_M, Roads


class RoadClasses:
    """Roads by their class; lines in EPSG:4326. Built once; thread-safe."""

    __slots__ = ("_by_class",)

    def __init__(self, lines: Mapping[str, Sequence[BaseGeometry]]) -> None:
        self._by_class = {name: Roads(found) for name, found in lines.items() if len(found)}

    def class_at(self, lon: float, lat: float, uncertainty_m: float) -> str:
        """The class of the road at a point in degrees; '' where none is within AT_ROAD_M, or where one of another class
        may be as near: not farther off by `uncertainty_m`, as at a crossing."""
        near = sorted((float(roads.distance_m(lon, lat)[0]), name) for name, roads in self._by_class.items())
        if not near or near[0][0] > AT_ROAD_M:
            return ""
        if len(near) > 1 and near[1][0] - near[0][0] < uncertainty_m:
            return ""
        return near[0][1]
