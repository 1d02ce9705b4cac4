"""Counting by area: incidents lie in cells, figures are told of villages and what is above them. As SQL."""

from __future__ import annotations

from typing import Final

SHOWN_AREAS: Final = (
    " LEFT JOIN (SELECT path AS whole, substring(path FROM '^(?:[^/]*/){1,4}') AS shown FROM areas OFFSET 0) v"
    " ON v.whole = i.area_path"
)
"""Joined to `incidents i` (OFFSET 0: worked out once an area, not once an incident). City, district, town, village: as deep as `incidents.indicators.ancestors` goes; grouped by
cells there would be nearly as many groups as incidents."""
SHOWN: Final = "coalesce(v.shown, nullif(i.area_path, ''), %(city)s)"
"""The path that an incident counts for; without a resolved place, the city's."""
