"""Changes of the device registry: add, change, retire, import, adopt. Inside the caller's transaction.

The rules of an entry are `incidents/device_registry.py`; who may change what is asked of `may` for the area where the
device stands and for the one where it stood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from data import quarantine
from data.database import Cursor, many
from data.registry import bump
from incidents import commands as c
from incidents.access import Thing, may
from incidents.device_registry import (
    COLUMNS,
    LONGEST_PERIOD_S,
    DeviceSheet,
    Fault,
    Known,
    Unreadable,
    completed,
    day_of,
    faults_of,
)
from incidents.model import Actor, Place, Rejected

PlaceOf = Callable[[float, float], Place]

RIGHT: Final = "device.manage"


@dataclass(frozen=True, slots=True)
class Entry:
    """A device as it is stored: what a person fills in, and the cell and area of its point."""

    sheet: DeviceSheet
    cell: str = ""
    area_path: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one entry: `before` None = it is new."""

    before: Entry | None
    after: Entry

    @property
    def how(self) -> str:
        """new, changed or same."""
        if self.before is None:
            return "new"
        return "same" if self.before == self.after else "changed"


def read_known(cursor: Cursor) -> Known:
    """Types and units that an entry may name; a name that two of them share names none."""
    cursor.execute("SELECT id, period_s, name, name_en FROM device_types")
    types = cursor.fetchall()
    cursor.execute("SELECT code, name, name_en FROM units WHERE NOT disabled")
    units = cursor.fetchall()
    return Known(
        {kind: period for kind, period, *_ in types},
        _by_name((kind, names) for kind, _, *names in types),
        frozenset(code for code, *_ in units),
        _by_name((code, names) for code, *names in units),
    )


def _by_name(things: Iterable[tuple[str, Sequence[str]]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for identity, names in things:
        for name in names:
            found.setdefault(name, set()).add(identity)
    return {name: next(iter(ids)) for name, ids in found.items() if name and len(ids) == 1}


def read_entries(cursor: Cursor, ids: Sequence[str]) -> dict[str, Entry]:
    """The stored entries with these ids, locked."""
    cursor.execute(
        "SELECT id, type, name, coalesce(unit, ''), owner, address, lon, lat, expected_period_s, critical,"
        " installed_on, calibration_due, status, cell, area_path FROM devices WHERE id = ANY(%s) ORDER BY no FOR UPDATE",
        (list(ids),),
    )
    return {row[0]: Entry(DeviceSheet(*row[:-2]), row[-2], row[-1]) for row in cursor.fetchall()}


def change_of(
    before: Entry | None, given: Mapping[str, Any], known: Known, actor: Actor, place_of: PlaceOf
) -> tuple[Change | None, list[Fault]]:
    """What an entry would become, or everything that is wrong with it. Nobody changes what he may not manage."""
    sheet = before.sheet if before else DeviceSheet(given["id"])
    sheet = completed(replace(sheet, **given), known)
    cell, area = (before.cell, before.area_path) if before else ("", "")
    faults: list[Fault] = []
    point = (sheet.lon, sheet.lat)
    if before is None or point != (before.sheet.lon, before.sheet.lat):
        cell, area = "", ""
        if sheet.lon is not None and sheet.lat is not None:
            try:
                place = place_of(sheet.lon, sheet.lat)
                cell, area = place.cell, place.area_path
            except Rejected as refused:
                faults.append(Fault("lon", f"{sheet.lon},{sheet.lat}", "place", str(refused)))
    for path in sorted({area, before.area_path if before else area}):
        if not faults and not may(actor, RIGHT, Thing(path)):
            faults.append(Fault("lon", f"{sheet.lon},{sheet.lat}", "area", path or "no area"))
    # What stays as it is stored is not judged anew: a unit that was closed since must not stop another change.
    faults += [
        fault
        for fault in faults_of(sheet, known)
        if before is None or getattr(before.sheet, fault.column) != getattr(sheet, fault.column)
    ]
    return (None, faults) if faults else (Change(before, Entry(sheet, cell, area)), [])


def write(cursor: Cursor, changes: Sequence[Change], now: datetime) -> None:
    """Store new and changed entries and tell ingest. What comes back into service is expected from now on."""
    wanted = [change.after for change in changes if change.how != "same"]
    if not wanted:
        return
    columns = (*COLUMNS, "cell", "area_path", "registered_at")
    updated = ", ".join(
        f"{name} = EXCLUDED.{name}" for name in columns if name not in ("id", "registered_at")
    )
    many(
        cursor,
        f"INSERT INTO devices ({', '.join(columns)}) VALUES %s ON CONFLICT (id) DO UPDATE SET {updated},"
        " registered_at = CASE WHEN devices.status = 'retired' AND EXCLUDED.status <> 'retired'"
        " THEN EXCLUDED.registered_at ELSE devices.registered_at END",
        [_row(entry, now) for entry in wanted],
    )
    bump(cursor)


def _row(entry: Entry, now: datetime) -> tuple[Any, ...]:
    values = asdict(entry.sheet)
    values["unit"] = values["unit"] or None
    return (*(values[name] for name in COLUMNS), entry.cell, entry.area_path, now)


def plain(entry: Entry | None) -> dict[str, Any] | None:
    """An entry for an answer or the audit log."""
    if entry is None:
        return None
    values = asdict(entry.sheet)
    days = {name: value.isoformat() for name, value in values.items() if isinstance(value, date)}
    return {**values, **days, "area": entry.area_path, "cell": entry.cell}


def _day(column: str, text: str) -> date:
    try:
        return day_of(text)
    except Unreadable as unreadable:
        raise _refusal([Fault(column, text, str(unreadable))]) from None


def _refusal(faults: Sequence[Fault]) -> Rejected:
    """The first fault speaks; the others are told as well."""
    first = faults[0]
    # Outside of one's areas is a matter of rights, as everywhere else.
    code = "forbidden" if first.code == "area" else "field"
    told = [{"column": f.column, "value": f.value, "rule": f.rule} for f in faults]
    return Rejected(code, str(first), field=first.column, faults=told)


def _save(cursor: Cursor, given: dict[str, Any], actor: Actor, now: datetime, place_of: PlaceOf) -> Change:
    before = read_entries(cursor, [given["id"]]).get(given["id"])
    if before is not None and not may(actor, RIGHT, Thing(before.area_path)):
        raise _refusal([Fault("id", given["id"], "area", before.area_path or "no area")])
    change, faults = change_of(before, given, read_known(cursor), actor, place_of)
    if change is None:
        raise _refusal(faults)
    write(cursor, [change], now)
    return change


def _save_device(
    cursor: Cursor, command: c.SaveDevice, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    given = {name: value for name, value in asdict(command).items() if value is not None}
    for name in ("installed_on", "calibration_due"):
        if name in given:
            given[name] = _day(name, given[name]) if given[name] else None
    change = _save(cursor, given, actor, now, place_of)
    return {"id": command.id, "how": change.how, "before": plain(change.before), "after": plain(change.after)}


def _retire_device(
    cursor: Cursor, command: c.RetireDevice, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    before = read_entries(cursor, [command.id]).get(command.id)
    if before is None:
        raise Rejected("not_found", f"id={command.id!r}: there is no such device", field="id")
    if not may(actor, RIGHT, Thing(before.area_path)):
        raise _refusal([Fault("id", command.id, "area", before.area_path or "no area")])
    if not command.reason.strip():
        raise Rejected("field", "reason='': say why it is taken out of service", field="reason")
    change = Change(before, replace(before, sheet=replace(before.sheet, status="retired")))
    write(cursor, [change], now)
    return {"id": command.id, "how": change.how}


def _require_city(cursor: Cursor, actor: Actor, action: str) -> None:
    """Types and quarantine are the whole city's. Raises Rejected."""
    cursor.execute("SELECT value FROM city WHERE key = 'path'")
    row = cursor.fetchone()
    decision = may(actor, action, Thing(str(row[0]) if row else ""))
    if not decision:
        raise Rejected("forbidden", f"{action}: {decision.reason}", field="actor")


def _required(**texts: str) -> None:
    for name, text in texts.items():
        if not text.strip() or len(text) > 100:
            raise Rejected("field", f"{name}={text!r}: must have 1 to 100 characters", field=name)


def _save_type(
    cursor: Cursor, command: c.SaveDeviceType, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    _require_city(cursor, actor, "device_type.manage")
    _required(id=command.id, name=command.name)
    if not 1 <= command.period_s <= LONGEST_PERIOD_S:
        rule = f"seconds between 1 and {LONGEST_PERIOD_S:g}"
        raise Rejected("field", f"period_s={command.period_s}: must be {rule}", field="period_s")
    cursor.execute(
        "INSERT INTO device_types (id, name, name_en, icon, period_s) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, name_en = EXCLUDED.name_en, icon = EXCLUDED.icon,"
        " period_s = EXCLUDED.period_s",
        (command.id, command.name, command.name_en, command.icon, command.period_s),
    )
    bump(cursor)
    return {"id": command.id}


def _save_metric(
    cursor: Cursor, command: c.SaveMetric, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    _require_city(cursor, actor, "device_type.manage")
    _required(id=command.id, name=command.name)
    cursor.execute("SELECT 1 FROM device_types WHERE id = %s", (command.device_type,))
    if cursor.fetchone() is None:
        raise Rejected(
            "field", f"device_type={command.device_type!r}: there is no such type", field="device_type"
        )
    if command.low is not None and command.high is not None and command.low >= command.high:
        raise Rejected("field", f"low={command.low}: must be below high={command.high}", field="low")
    if command.stuck_periods is not None and not 2 <= command.stuck_periods <= 10_000:
        rule = "between 2 and 10000, or nothing where the value may stand still"
        raise Rejected(
            "field", f"stuck_periods={command.stuck_periods}: must be {rule}", field="stuck_periods"
        )
    cursor.execute("SELECT device_type FROM metrics WHERE id = %s FOR UPDATE", (command.id,))
    row = cursor.fetchone()
    if row is not None and row[0] != command.device_type:
        raise Rejected("rule", f"id={command.id!r}: belongs to type {row[0]}", field="device_type")
    cursor.execute(
        "INSERT INTO metrics (id, device_type, name, name_en, unit, low, high, stuck_periods)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name,"
        " name_en = EXCLUDED.name_en, unit = EXCLUDED.unit, low = EXCLUDED.low, high = EXCLUDED.high,"
        " stuck_periods = EXCLUDED.stuck_periods",
        (
            command.id, command.device_type, command.name, command.name_en, command.unit, command.low, command.high,
            command.stuck_periods,
        ),
    )  # fmt: skip
    bump(cursor)
    return {"id": command.id, "device_type": command.device_type}


def _adopt_device(
    cursor: Cursor, command: c.AdoptDevice, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    """Registered and released in one transaction: a crash between the two undoes both."""
    given = {
        name: value for name, value in asdict(command).items() if value is not None and name != "rejected"
    }
    before = read_entries(cursor, [command.id]).get(command.id)
    if before is not None:
        if not may(actor, RIGHT, Thing(before.area_path)):
            raise _refusal([Fault("id", command.id, "area", before.area_path or "no area")])
        raise Rejected(
            "rule",
            f"id={command.id!r}: is registered already ({before.sheet.status}); change it instead",
            field="id",
            status=before.sheet.status,
        )
    change = _save(cursor, given, actor, now, place_of)
    if command.rejected:
        quarantine.take_back(cursor, command.id, "device")
    done = quarantine.release(cursor, command.id, "device", actor.login, now)
    return {"id": command.id, "after": plain(change.after), "released": done.handed, "follow": done.follow}


def _release_held(
    cursor: Cursor, command: c.ReleaseHeld, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    _require_city(cursor, actor, "deadletter.replay")
    quarantine.topics_of(command.kind)
    known = {
        "device": "SELECT 1 FROM devices WHERE id = %s AND NOT disabled",
        "camera": "SELECT 1 FROM cameras WHERE code = %s",
    }
    cursor.execute(known[command.kind], (command.thing,))
    if cursor.fetchone() is None:
        raise Rejected(
            "rule",
            f"thing={command.thing!r}: is no registered {command.kind}; register it first",
            field="thing",
        )
    done = quarantine.release(cursor, command.thing, command.kind, actor.login, now)
    if not done.handed:
        raise Rejected("not_found", f"thing={command.thing!r}: nothing of it is held", field="thing")
    return {"thing": command.thing, "released": done.handed, "follow": done.follow}


def _reject_held(
    cursor: Cursor, command: c.RejectHeld, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    _require_city(cursor, actor, "deadletter.replay")
    if not command.reason.strip() or len(command.reason) > 500:
        raise Rejected("field", "reason: say in 1 to 500 characters why it is not wanted", field="reason")
    number = quarantine.reject(cursor, command.thing, command.kind, command.reason.strip(), actor.login, now)
    if not number:
        raise Rejected("not_found", f"thing={command.thing!r}: nothing of it is held", field="thing")
    return {"thing": command.thing, "rejected": number}


Handler = Callable[[Cursor, Any, Actor, datetime, PlaceOf], dict[str, Any]]

HANDLERS: Final[Mapping[type, Handler]] = {
    c.SaveDevice: _save_device,
    c.RetireDevice: _retire_device,
    c.SaveDeviceType: _save_type,
    c.SaveMetric: _save_metric,
    c.AdoptDevice: _adopt_device,
    c.ReleaseHeld: _release_held,
    c.RejectHeld: _reject_held,
}
