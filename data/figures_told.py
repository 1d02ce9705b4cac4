"""Which figures are worth telling: those that changed, the city's own, and all of them often enough not to look old.

A city has hundreds of areas with eight figures each; told every five seconds whether or not they changed, they were nine
tenths of what a screen received.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

Item = dict[str, Any]

AGAIN: Final = timedelta(seconds=14)
"""Half of the time after which a figure is shown as old (`Indicator.limit_s`), less a tick of the clock."""


class FiguresTold:
    """What was told of each figure, and when. `city`: the area whose figures are always told."""

    def __init__(self, city: str) -> None:
        self._city = city
        self._told: dict[str, tuple[Item, datetime]] = {}

    def worth_telling(self, items: Iterable[Item], now: datetime) -> Iterator[Item]:
        """Those of `items` (live items with `as_of`) that have to be told now; noted as told."""
        for item in items:
            said = {name: value for name, value in item.items() if name != "as_of"}
            known = self._told.get(item["key"])
            if known is None or item["area"] == self._city or known[0] != said or now - known[1] >= AGAIN:
                self._told[item["key"]] = (said, now)
                yield item

    def forget(self) -> None:
        """The live state was lost: everything has to be told again."""
        self._told.clear()
