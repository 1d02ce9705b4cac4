"""Feeds that are a recording played again: a CSV or XLSX file below the drop folder, at its pace or faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from streams.feed.recording import BadRow, RecordingError, parse_time
from streams.feeds.folder import NoSecrets, check_encoding, check_relative
from streams.feeds.port import BadConfig, BadRaw, Batch, Position, RawRecord, SourceFault
from streams.feeds.tables import TableRow, read_table


class ReplayConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Configuration of the kind `replay`. `file` lies below CHENGYUN_DROP_DIR, `time` names its column of times.

    `speed`: times the recorded pace; 0: as fast as it goes, with `keep_time`. `keep_time`: times stay as recorded
    (give `"history": true` in the mapping's data); else the first row is now, and the mapping takes the time by
    {"record": "time"}. `repeat`: begin anew at the end.
    """

    file: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    time: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    zone: str = "Asia/Shanghai"
    speed: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 1.0
    keep_time: bool = False
    repeat: bool = False
    encoding: Annotated[str, msgspec.Meta(max_length=40)] = ""
    batch: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 500


PERIOD_S: Final = 1.0


def check(config: ReplayConfig, secrets: NoSecrets) -> None:
    """What a shape cannot say. Raises BadConfig."""
    check_relative("config.file", config.file)
    check_encoding(config.encoding)
    if not config.speed and not config.keep_time:
        raise BadConfig("config.speed", config.speed, "0 sends all at once: then keep_time must be true")
    try:
        ZoneInfo(config.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadConfig("config.zone", config.zone, "must be a time zone such as Asia/Shanghai") from None


class ReplaySource:
    """See port.Source. Position: `row` (the last on the bus), `round`, and `began`/`first`: when this round began and
    the time of its first row, so that a replay goes on after a restart with the same times."""

    def __init__(self, config: ReplayConfig, root: Path, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._path = root / config.file
        self._clock = clock
        self._zone = ZoneInfo(config.zone)
        self._rows: Iterator[TableRow | BadRow] | None = None
        self._ahead: TableRow | BadRow | None = None

    def read(self, position: Position, wait_s: float) -> Batch:
        """The rows that are due. See port.Source."""
        try:
            return self._due(position)
        except (RecordingError, OSError) as error:
            self._rows = self._ahead = None
            raise SourceFault(f"{self._config.file}: {error}") from None

    def _due(self, position: Position) -> Batch:
        place = dict(position)
        if place.get("ended") and not self._config.repeat:
            return Batch()
        if place.get("ended"):
            place = {"round": int(place.get("round", 1)) + 1, "row": 0}
            self._rows = self._ahead = None
        place.setdefault("round", 1)
        place.setdefault("row", 0)
        if self._rows is None:
            self._rows = read_table(self._path, self._config.encoding)
        now = self._clock()
        records: list[RawRecord | BadRaw] = []
        more = False
        while len(records) < self._config.batch:
            row = self._ahead if self._ahead is not None else next(self._rows, None)
            self._ahead = None
            if row is None:
                place["ended"] = True
                break
            number = row.line if isinstance(row, BadRow) else row.number
            if number <= place["row"]:
                continue
            record, due = self._record(row, number, place, now)
            if due > now:
                self._ahead = row
                break
            records.append(record)
            place["row"] = number
        else:
            more = True
        return Batch(records, place if place != dict(position) else None, more)

    def _record(
        self, row: TableRow | BadRow, number: int, place: dict[str, object], now: datetime
    ) -> tuple[RawRecord | BadRaw, datetime]:
        """The record of a row and when it is due."""
        identity = f"{self._path.name[:120]}:{place['round']}:{number}"
        if isinstance(row, BadRow):
            return BadRaw(identity, row.why.encode(), f"row {number}", "", row.why), now
        text = str(row.values.get(self._config.time, ""))
        try:
            recorded = parse_time(text, self._zone)
        except ValueError as error:
            raw = msgspec.json.encode(row.values)
            return BadRaw(identity, raw, self._config.time, text, str(error)), now
        if "first" not in place:
            place["first"], place["began"] = recorded.isoformat(), now.astimezone(UTC).isoformat()
        first = datetime.fromisoformat(str(place["first"]))
        began = datetime.fromisoformat(str(place["began"]))
        passed = recorded - first
        due = began + (passed / self._config.speed if self._config.speed else timedelta())
        made = recorded if self._config.keep_time else began + passed / (self._config.speed or 1.0)
        return RawRecord(identity, {**row.values, "_row": number}, made), due

    def done(self, batch: Batch) -> None:
        """Nothing to acknowledge."""

    def close(self) -> None:
        """See port.Source."""
        self._rows = self._ahead = None
