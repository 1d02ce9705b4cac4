"""What the people of the stories know of the sample city: a lift that stands alone, a place, the words for it.

Read from the sample city's own files, as a new colleague would read the map; never from the running product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Final
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from data.sample_city import read_city
from data.sample_city.read_city import DeviceRow, PlaceRow
from gis.cells import haversine_m

RUBBISH: Final = "E0101"
"""暴露垃圾: some towns handle it themselves, with grid workers; the photo of the result is asked for."""

STALL: Final = "elevator_stall_min"
"""A lift between floors for more than 3 minutes is a warning at once (level II)."""


def envelope(
    topic: str, subject: str, data: Mapping[str, object], feed: str = "simulation"
) -> dict[str, object]:
    """One message as a feed sends it now."""
    return {
        "specversion": "1.0",
        "id": uuid4().hex,
        "source": f"urn:feed:{feed}",
        "type": topic,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **({"subject": subject} if subject else {}),  # CloudEvents: if present, not empty
        "data": data,
    }


def _degrees(things: Iterable[DeviceRow]) -> npt.NDArray[np.float64]:
    return np.array([(t.lon, t.lat) for t in things], dtype=np.float64)


@cache
def lone_lifts() -> tuple[DeviceRow, ...]:
    """Lifts that have 300 m around them to themselves (a map shows nothing else under the pointer), loneliest first."""
    devices = list(read_city.read_devices())
    cameras = np.array([(c.lon, c.lat) for c in read_city.read_cameras()], dtype=np.float64)
    others = np.concatenate([_degrees(devices), cameras])
    room: list[tuple[float, DeviceRow]] = []
    for lift in (d for d in devices if d.type == "elevator"):
        metres = np.sort(haversine_m(lift.lon, lift.lat, others[:, 0], others[:, 1]))
        room.append((float(metres[1]), lift))
    found = sorted((pair for pair in room if pair[0] > 300), key=lambda pair: -pair[0])
    return tuple(lift for _, lift in found)


@cache
def places_with_workers() -> tuple[PlaceRow, ...]:
    """Bus stops with a name of their own, in towns whose grid workers take away rubbish themselves."""
    towns = {
        r.area_path
        for r in read_city.read_responsibilities()
        if r.class_code == RUBBISH and r.unit.startswith("UZJB")
    }
    places = list(read_city.read_places())
    names = Counter(place.name for place in places)
    return tuple(
        place
        for place in places
        if place.kind == "公交站"
        and names[place.name] == 1
        and not any(place.name in name for name in names if name != place.name)
        and any(place.area_path.startswith(town) for town in towns)
    )
