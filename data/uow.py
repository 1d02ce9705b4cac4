"""The unit of work on PostgreSQL: one transaction of the service (`incidents/storeports.py`)."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from data import cameras, formula_versions, incident_facts, marks, replies, routing_store, screens
from data.address_store import StoredBook, import_addresses
from data.administration import Administration
from data.audit import Audit
from data.camera_import import import_cameras
from data.catalogue_editing import HANDLERS as CATALOGUE_HANDLERS
from data.catalogue_import import standards_of
from data.city_router import CityRouter, Routers
from data.city_wide import require_city
from data.database import Cursor, Database, dicts, json, many, passing
from data.feed_states import feed_facts
from data.incident_rows import COLUMNS, live_item, to_incident, to_row
from data.incident_states import keep_state
from data.locks import Lock
from data.occurrences import StoredOccurrences, report_of
from incidents import address_commands as a
from incidents import commands as c
from incidents.address_reading import Resolution, resolve
from incidents.burden import Effort
from incidents.dispatch_model import Asked, Decision, Duty, Trust
from incidents.dispatching import Router
from incidents.lifecycle import DEFAULT_STAGE_LIMITS_MIN
from incidents.model import Actor, ClockKind, Incident, Place, Policy, Rejected, TimelineEntry
from incidents.occurrence import Report
from incidents.privacy import mask_text
from incidents.reply_commands import TellReporter
from incidents.routing_advice import Blamed
from incidents.screen_commands import PairScreen
from incidents.storeports import (
    EventClass,
    FilingStandard,
    Intake,
    SentPoints,
    StandingMismatch,
    T,
    Undone,
    WatchedFeed,
)
from incidents.working_time import WorkingTime

PlaceOf = Callable[[float, float], Place]
PLACED_HANDLERS: Final[dict[type, cameras.Handler]] = {
    **cameras.HANDLERS,
    **screens.HANDLERS,
    **marks.HANDLERS,
    c.ImportCameras: import_cameras,
    a.ImportAddresses: import_addresses,
}

_INSERT = (
    f"INSERT INTO incidents ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))}) RETURNING id"
)
_UPDATE = (
    f"UPDATE incidents SET {', '.join(f'{name} = %s' for name in COLUMNS)} WHERE id = %s AND version = %s"
)
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SELECT = f"SELECT id, {', '.join(COLUMNS)} FROM incidents"

# What `escalation_due` says of one, as two ranges of indexes that hold only what is still to be told.
_STAGE_LATE = (
    "SELECT id FROM incidents WHERE stage NOT IN ('closed', 'refused', 'void') AND stage_due_at < %(now)s"
    " AND (escalated_at IS NULL OR escalated_at <= stage_due_at) ORDER BY stage_due_at LIMIT %(limit)s"
)
_RINGS = (
    "SELECT id FROM incidents WHERE stage NOT IN ('closed', 'refused', 'void') AND level <= 2 AND acknowledged_by IS NULL"
    " AND (escalated_at IS NULL OR escalated_at < coalesce(rings_since, reported_at))"
    " AND coalesce(rings_since, reported_at) < %(now)s - interval '60 seconds'"
    " ORDER BY coalesce(rings_since, reported_at) LIMIT %(limit)s"
)

_INTAKE_ROW = (
    "SELECT id, kind, channel, class_code, level, device, camera, title, text, lon, lat, address, cell, area_path,"
    " time, received_at, correlation_id, source, message_id, photos, history, alarm_kind FROM intake"
)
_INTAKE = (
    f"{_INTAKE_ROW} WHERE incident_id IS NULL AND aside = '' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"
)


def _intake(row: dict[str, Any]) -> Intake:
    place = Place(*(row.pop(name) for name in ("lon", "lat", "address", "cell", "area_path")))
    return Intake(place=place, photos=tuple(row.pop("photos")), **row)


class PgUnitOfWork:
    """`UnitOfWork` on an open transaction. The audit row is written last (its chain has one end)."""

    def __init__(
        self,
        cursor: Cursor,
        audit: Audit,
        administration: Administration,
        place_of: PlaceOf,
        working: WorkingTime,
        router: Router,
        book: StoredBook,
    ) -> None:
        self._cursor = cursor
        self._book = book
        self._working = working
        self._router = router
        self._audit = audit
        self._administration = administration
        self._place_of = place_of
        self.changed = False
        self.stepped: set[int] = set()
        """Incidents whose timelines grew: what evaluation counts of them is written with them."""
        self.guess: tuple[datetime, str] | None = None
        """Of whoever types a code: kept when it is refused, so that guessing comes to an end."""
        self._trust: Trust | None = None

    def working(self) -> WorkingTime:
        """See UnitOfWork."""
        return self._working

    def router(self) -> Router:
        """See UnitOfWork."""
        return self._router

    def asked(self, incident: Incident) -> Asked:
        """See UnitOfWork."""
        return routing_store.asked_of(self._cursor, incident, self._router.scenes.rules)

    def duties(self, units: Sequence[str]) -> Mapping[str, Duty]:
        """See UnitOfWork."""
        return routing_store.duties(self._cursor, units)

    def trust(self) -> Trust:
        """See UnitOfWork."""
        if self._trust is None:  # triage asks for every incident it opens
            self._trust = routing_store.trust(self._cursor)
        return self._trust

    def keep_advice(self, incident: Incident, moment: str, decision: Decision, now: datetime) -> None:
        """See UnitOfWork."""
        routing_store.keep_advice(self._cursor, incident, moment, decision, now)

    def advice_behind(self, incident_id: int) -> Decision | None:
        """See UnitOfWork."""
        return routing_store.advice_behind(self._cursor, incident_id)

    def withdraw_rule(
        self, blamed: Blamed, incident_id: int, wrong_field: str, why: str, actor: Actor, now: datetime
    ) -> None:
        """See UnitOfWork."""
        self._trust = None
        routing_store.withdraw_rule(self._cursor, blamed, incident_id, wrong_field, why, actor, now)

    def _one(self, where: str, params: Sequence[Any]) -> Incident | None:
        self._cursor.execute(f"{_SELECT} {where}", params)
        row = self._cursor.fetchone()
        return None if row is None else to_incident(row)

    def incident(self, number: int) -> Incident:
        """See UnitOfWork."""
        found = self._one("WHERE id = %s FOR UPDATE", (number,)) if 0 <= number < 2**63 else None
        if found is None:
            raise Rejected("not_found", f"id={number}: no such incident", field="id")
        return found

    def add_incident(self, incident: Incident) -> Incident:
        """See UnitOfWork."""
        self._cursor.execute(_INSERT, to_row(incident))
        row = self._cursor.fetchone()
        assert row is not None
        return dataclasses.replace(incident, id=int(row[0]))

    def save(self, incident: Incident, old_version: int) -> None:
        """See UnitOfWork."""
        self._cursor.execute(_UPDATE, (*to_row(incident), incident.id, old_version))
        if self._cursor.rowcount != 1:
            raise Rejected("stale", f"version={old_version}: someone else was first", field="version")

    def append(self, incident_id: int, entry: TimelineEntry) -> None:
        """See UnitOfWork."""
        self.stepped.add(incident_id)
        self._cursor.execute(
            "INSERT INTO timeline (incident_id, seq, at, action, from_stage, to_stage, actor_id, actor_name,"
            " role, channel, reason, detail, cause_id) SELECT %s, coalesce(max(seq), 0) + 1,"
            " %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM timeline WHERE incident_id = %s",
            (
                incident_id, entry.at, entry.action, entry.from_stage, entry.to_stage, entry.actor_id,
                entry.actor_name, entry.role, entry.channel, entry.reason, json(dict(entry.detail)),
                entry.cause_id, incident_id,
            ),
        )  # fmt: skip

    def open_by_merge_key(self, merge_key: str) -> Incident | None:
        """See UnitOfWork."""
        self._cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (Lock.MERGE, merge_key))
        return self._one(
            "WHERE merge_key = %s AND stage NOT IN ('closed', 'refused', 'void') FOR UPDATE", (merge_key,)
        )

    def pending_intake(self, limit: int) -> list[Intake]:
        """See UnitOfWork."""
        self._cursor.execute(_INTAKE, (limit,))
        return [_intake(row) for row in dicts(self._cursor)]

    def shelf_of(self, camera: str, at: datetime) -> int | None:
        """See UnitOfWork."""
        self._cursor.execute(
            "SELECT id FROM camera_shelves WHERE camera = %(camera)s AND since <= %(at)s"
            " AND least(until, ended_at) > %(at)s ORDER BY id LIMIT 1",
            {"camera": camera, "at": at},
        )
        row = self._cursor.fetchone()
        return None if row is None else int(row[0])

    def filing(self, class_code: str) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (Lock.MERGE, f"report:{class_code}")
        )

    def intake(self, intake_id: int, incident_id: int) -> Intake:
        """See UnitOfWork."""
        self._cursor.execute(f"{_INTAKE_ROW} WHERE id = %s AND incident_id = %s", (intake_id, incident_id))
        rows = dicts(self._cursor)
        if not rows:
            raise Rejected("field", f"sources={intake_id}: is no source of this incident", field="sources")
        return _intake(rows[0])

    def report(self, intake_id: int) -> Report:
        """See UnitOfWork."""
        self._cursor.execute(
            "SELECT id, time, lon, lat, class_code, text, title, address, reporter, channel, level, device, camera,"
            " NULL AS class_level FROM intake WHERE id = %s",
            (intake_id,),
        )
        return report_of(dicts(self._cursor)[0])

    def occurrences(self) -> StoredOccurrences:
        """See UnitOfWork."""
        return StoredOccurrences(self._cursor)

    def move_source(self, intake_id: int, incident_id: int, homes: Sequence[int]) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "UPDATE intake SET incident_id = %s, homes = %s WHERE id = %s",
            (incident_id, list(homes), intake_id),
        )

    def move_photos(self, sources: Sequence[int], incident_id: int, target: int) -> None:
        """See UnitOfWork."""
        values = {"sources": list(sources), "here": incident_id, "there": target}
        self._cursor.execute(
            "INSERT INTO incident_photos (incident_id, sha256, purpose, at, by_login)"
            " SELECT %(there)s, sha256, purpose, at, by_login FROM incident_photos WHERE incident_id = %(here)s"
            " AND purpose = 'report' AND sha256 IN (SELECT unnest(photos) FROM intake WHERE id = ANY(%(sources)s))"
            " ON CONFLICT DO NOTHING",
            values,
        )
        self._cursor.execute(
            "DELETE FROM incident_photos WHERE incident_id = %(here)s AND purpose = 'report'"
            " AND sha256 IN (SELECT unnest(photos) FROM intake WHERE id = ANY(%(sources)s))"
            " AND sha256 NOT IN (SELECT unnest(photos) FROM intake WHERE incident_id = %(here)s)",
            values,
        )

    def alone(self, work: Callable[[], T]) -> T:
        """See UnitOfWork."""
        self._cursor.execute("SAVEPOINT alone")
        changed = self.changed
        try:
            done = work()
        except Exception as error:
            if passing(error):
                raise
            self._cursor.execute("ROLLBACK TO SAVEPOINT alone")
            self._cursor.execute("RELEASE SAVEPOINT alone")
            self.changed = changed
            raise Undone(f"{type(error).__name__}: {error}".strip()) from error
        self._cursor.execute("RELEASE SAVEPOINT alone")
        return done

    def set_failed(self, intake_id: int, why: str) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "UPDATE intake SET aside = 'failed', aside_why = %s WHERE id = %s", (why[:2000], intake_id)
        )

    def people_of(self, incident_id: int, reply: int | None = None) -> list[dict[str, str]]:
        """See UnitOfWork."""
        self._cursor.execute(
            "SELECT coalesce(reporter ->> 'name', '') AS name, coalesce(reporter ->> 'phone', '') AS phone, channel,"
            " text FROM intake WHERE incident_id = %s AND kind = 'report' AND (%s::bigint IS NULL OR id = ANY"
            "((SELECT sources FROM replies WHERE id = %s AND incident_id = %s)::bigint[])) ORDER BY id LIMIT 200",
            (incident_id, reply, reply, incident_id),
        )
        return dicts(self._cursor)

    def names_of(self, intake_id: int) -> tuple[str, ...]:
        """See UnitOfWork."""
        self._cursor.execute("SELECT reporter ->> 'name' FROM intake WHERE id = %s", (intake_id,))
        row = self._cursor.fetchone()
        return (row[0],) if row and row[0] else ()

    def keep_apart(self, incident_id: int, sources: frozenset[int]) -> None:
        """See UnitOfWork."""
        self._cursor.execute("UPDATE incidents SET apart = %s WHERE id = %s", (sorted(sources), incident_id))

    def suggest_merge(
        self, incident_id: int, other: int, score: float, reasons: Sequence[Mapping[str, Any]], now: datetime
    ) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "INSERT INTO merge_suggestions (incident_id, other_id, score, reasons, at) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (incident_id, other_id) DO UPDATE SET score = EXCLUDED.score, reasons = EXCLUDED.reasons,"
            " at = EXCLUDED.at WHERE merge_suggestions.answer = ''",
            (incident_id, other, score, json(list(reasons)), now),
        )

    def answer_suggestion(self, incident_id: int, other: int, answer: str, login: str, now: datetime) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "UPDATE merge_suggestions SET answer = %s, answered_at = %s, answered_by = %s"
            " WHERE (incident_id, other_id) IN ((%s, %s), (%s, %s))",
            (answer, now, login, incident_id, other, other, incident_id),
        )

    def set_aside(self, intake_id: int, shelf: int) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "UPDATE intake SET shelf_id = %s, aside = 'shelved' WHERE id = %s", (shelf, intake_id)
        )

    def alarm_window_s(self, kind: str, camera: str) -> int | None:
        """See UnitOfWork: a line of the camera's own goes before that of all cameras."""
        self._cursor.execute(
            "SELECT window_s FROM alarm_windows WHERE kind = %s AND camera IN ('', %s)"
            " ORDER BY camera DESC LIMIT 1",
            (kind, camera),
        )
        row = self._cursor.fetchone()
        return None if row is None else int(row[0])

    def last_alarm(self, incident_id: int) -> datetime | None:
        """See UnitOfWork."""
        self._cursor.execute(
            "SELECT max(time) FROM intake WHERE incident_id = %s AND kind = 'alarm'", (incident_id,)
        )
        row = self._cursor.fetchone()
        return None if row is None else row[0]

    def add_intake(self, intake: Intake, reporter: Mapping[str, str], digest: bytes) -> int:
        """See UnitOfWork."""
        place = intake.place
        self._cursor.execute(
            "INSERT INTO intake (source, message_id, digest, kind, received_at, time, channel, class_code, level,"
            " title, text, lon, lat, address, cell, area_path, reporter, photos, correlation_id)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (source, message_id) DO NOTHING RETURNING id",
            (
                intake.source, intake.message_id, digest, intake.kind, intake.received_at, intake.time,
                intake.channel, intake.class_code, intake.level, intake.title, intake.text, place.lon, place.lat,
                place.address, place.cell, place.area_path, json(dict(reporter)), list(intake.photos),
                intake.correlation_id,
            ),
        )  # fmt: skip
        row = self._cursor.fetchone()
        if row is None:
            raise Rejected("stale", f"key={intake.message_id!r}: this report was filed already", field="key")
        return int(row[0])

    def standing_mismatches(self, before: datetime, limit: int) -> list[StandingMismatch]:
        """See UnitOfWork."""
        self._cursor.execute(
            "SELECT id, found_at, kind, topic, partition, feed, minute, expected, found FROM ledger_mismatches"
            " WHERE resolved_at IS NULL AND intake_id IS NULL AND found_at <= %s ORDER BY id LIMIT %s FOR UPDATE",
            (before, limit),
        )
        return [StandingMismatch(**row) for row in dicts(self._cursor)]

    def mismatch_filed(self, mismatch_id: int, intake_id: int) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "UPDATE ledger_mismatches SET intake_id = %s WHERE id = %s", (intake_id, mismatch_id)
        )

    def watched_feeds(self) -> list[WatchedFeed]:
        """See UnitOfWork."""
        # Not the rows are locked, which every flush writes, but the watch over them.
        self._cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.OUTAGES,))
        self._cursor.execute(
            "SELECT f.id, f.name, f.owner, f.protocol, f.last_message_at, f.expected_period_s, f.disabled,"
            " coalesce(s.failure, '') AS failure, s.success_at, coalesce(s.reason, '') AS reason, f.outage_intake"
            " FROM feeds f LEFT JOIN feed_states s ON s.feed = f.id ORDER BY f.id"
        )
        return [
            WatchedFeed(
                row["id"], row["name"], row["owner"], row["protocol"], feed_facts(row),
                row["success_at"], row["reason"], row["outage_intake"],
            )
            for row in dicts(self._cursor)
        ]  # fmt: skip

    def outage_filed(self, feed: str, intake_id: int | None) -> None:
        """See UnitOfWork."""
        self._cursor.execute("UPDATE feeds SET outage_intake = %s WHERE id = %s", (intake_id, feed))

    def sent_points(self, since: datetime) -> list[SentPoints]:
        """See UnitOfWork."""
        self._cursor.execute(
            "SELECT f.id, f.name, f.owner, p.lon, p.lat FROM (SELECT feed, array_agg(lon ORDER BY id) AS lon,"
            " array_agg(lat ORDER BY id) AS lat FROM (SELECT id, feed, lon, lat, row_number() OVER"
            " (PARTITION BY feed ORDER BY id DESC) AS age FROM intake WHERE received_at >= %s AND lon IS NOT NULL"
            " AND feed <> '') sent WHERE age <= 10000 GROUP BY feed) p JOIN feeds f ON f.id = p.feed ORDER BY f.id",
            (since,),
        )
        return [SentPoints(*row) for row in self._cursor.fetchall()]

    def filed(self, source: str, message_id: str) -> bool:
        """See UnitOfWork."""
        self._cursor.execute(
            "SELECT 1 FROM intake WHERE source = %s AND message_id = %s", (source, message_id)
        )
        return self._cursor.fetchone() is not None

    def incident_of(self, intake_id: int) -> int | None:
        """See UnitOfWork."""
        self._cursor.execute("SELECT incident_id FROM intake WHERE id = %s", (intake_id,))
        row = self._cursor.fetchone()
        return None if row is None else row[0]

    def attach(self, intake_id: int, incident_id: int) -> None:
        """See UnitOfWork."""
        self._cursor.execute("UPDATE intake SET incident_id = %s WHERE id = %s", (incident_id, intake_id))

    def attach_photos(
        self, incident_id: int, photos: Sequence[str], purpose: str, now: datetime, login: str
    ) -> tuple[str, ...]:
        """See UnitOfWork."""
        if not photos:
            return ()
        self._cursor.execute("SELECT sha256 FROM photos WHERE sha256 = ANY(%s)", (list(photos),))
        stored = {row[0] for row in self._cursor.fetchall()}
        many(
            self._cursor,
            "INSERT INTO incident_photos (incident_id, sha256, purpose, at, by_login) VALUES %s"
            " ON CONFLICT DO NOTHING",
            [(incident_id, sha, purpose, now, login) for sha in dict.fromkeys(photos) if sha in stored],
        )
        return tuple(sha for sha in photos if sha not in stored)

    def event_class(self, code: str) -> EventClass:
        """See UnitOfWork."""
        self._cursor.execute(
            "SELECT code, version, name, level, limit_min, clock_kind, needs_photo FROM event_classes"
            " WHERE code = %s ORDER BY version DESC LIMIT 1",
            (code,),
        )
        row = self._cursor.fetchone()
        if row is None:
            raise Rejected("field", f"class_code={code!r}: not in the class catalogue", field="class_code")
        code, version, name, level, limit, clock, photo = row
        policy = Policy(code, version, limit, ClockKind(clock), photo, DEFAULT_STAGE_LIMITS_MIN)
        return EventClass(code, name, level, policy)

    def standards(self, class_code: str) -> list[FilingStandard]:
        """See UnitOfWork."""
        return standards_of(self._cursor, class_code)

    def next_serial(self) -> int:
        """See UnitOfWork."""
        self._cursor.execute("SELECT nextval('incident_numbers')")
        row = self._cursor.fetchone()
        assert row is not None
        return int(row[0])

    def place_of(self, lon: float, lat: float) -> Place:
        """See UnitOfWork."""
        return self._place_of(lon, lat)

    def read_address(self, text: str) -> Resolution:
        """See UnitOfWork."""
        return resolve(text, self._book.book(self._cursor))

    def keep_reading(self, intake_id: int, place: Place, read: Mapping[str, Any]) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "UPDATE intake SET lon = %s, lat = %s, cell = %s, area_path = %s, place_read = %s WHERE id = %s",
            (place.lon, place.lat, place.cell, place.area_path, json(dict(read)), intake_id),
        )

    def unit_exists(self, code: str) -> bool:
        """See UnitOfWork."""
        self._cursor.execute("SELECT 1 FROM units WHERE code = %s AND NOT disabled", (code,))
        return self._cursor.fetchone() is not None

    def worker_unit(self, login: str) -> str:
        """See UnitOfWork."""
        self._cursor.execute(
            "SELECT unit FROM accounts WHERE login = %s AND NOT disabled"
            " AND role IN ('grid_worker', 'unit_handler')",
            (login,),
        )
        row = self._cursor.fetchone()
        return str(row[0] or "") if row else ""

    def keep_effort(self, effort: Effort, class_code: str, area_path: str, day: date, person: str) -> None:
        """See UnitOfWork."""
        month = day.replace(day=1)
        self._cursor.execute("DELETE FROM form_effort_salts WHERE month < %s", (month,))
        self._cursor.execute(
            "INSERT INTO form_effort_salts (month, salt) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (month, secrets.token_hex(32)),
        )
        self._cursor.execute(
            "INSERT INTO form_efforts (day, form, class_code, area_path, seconds, taps, person)"
            " SELECT %s, %s, %s, %s, %s, %s, left(encode(sha256(convert_to(salt || %s, 'UTF8')), 'hex'), 16)"
            " FROM form_effort_salts WHERE month = %s",
            (day, effort.form, class_code, area_path, effort.seconds, effort.taps, person, month),
        )

    def issue_order(self, incident: Incident, actor: Actor, now: datetime) -> None:
        """See UnitOfWork."""
        self.end_order(incident, "superseded", now)
        self._cursor.execute(
            "INSERT INTO orders (incident_id, unit, worker, issued_at, issued_by) VALUES (%s, %s, %s, %s, %s)"
            " RETURNING id",
            (incident.id, incident.unit, incident.worker, now, actor.login),
        )
        row = self._cursor.fetchone()
        assert row is not None
        due = incident.handle_due_at.isoformat() if incident.handle_due_at else None
        what = {"state": "issued", "due_at": due}
        self._tell_order(incident, "lead", row[0], incident.unit, incident.worker, what, now)

    def order_seen(self, incident: Incident, now: datetime) -> None:
        """See UnitOfWork."""
        self._order_seen(incident, "lead", "", now)

    def keep_receipt(self, incident: Incident, state: str, login: str, at: datetime, now: datetime) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "INSERT INTO order_receipts (order_id, state, login, at, noted_at)"
            " SELECT id, %s, %s, %s, %s FROM orders WHERE incident_id = %s AND kind = 'lead' AND ended_at IS NULL"
            " ON CONFLICT DO NOTHING",
            (state, login, at, now, incident.id),
        )
        self._cursor.execute(
            "UPDATE incidents SET delivered_at = %s, opened_at = %s WHERE id = %s",
            (incident.delivered_at, incident.opened_at, incident.id),
        )

    def end_order(self, incident: Incident, outcome: str, now: datetime) -> None:
        """See UnitOfWork."""
        self._end_orders(incident, "lead", "", outcome, now)

    def issue_assist(self, incident: Incident, unit: str, actor: Actor, now: datetime) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "INSERT INTO orders (incident_id, unit, issued_at, issued_by, kind) VALUES (%s, %s, %s, %s, 'assist')"
            " RETURNING id",
            (incident.id, unit, now, actor.login),
        )
        row = self._cursor.fetchone()
        assert row is not None
        asked = next((one.what for one in incident.assists if one.unit == unit and one.open), "")
        asked = mask_text(asked, [one["name"] for one in self.people_of(incident.id) if one["name"]])
        self._tell_order(
            incident, "assist", row[0], unit, "", {"state": "issued", "what": asked, "due_at": None}, now
        )

    def assist_seen(self, incident: Incident, unit: str, now: datetime) -> None:
        """See UnitOfWork."""
        self._order_seen(incident, "assist", unit, now)

    def end_assist(self, incident: Incident, unit: str, outcome: str, now: datetime) -> None:
        """See UnitOfWork."""
        self._end_orders(incident, "assist", unit, outcome, now)

    def _order_seen(self, incident: Incident, kind: str, unit: str, now: datetime) -> None:
        self._cursor.execute(
            "UPDATE orders SET seen_at = %s WHERE incident_id = %s AND kind = %s AND (%s = '' OR unit = %s)"
            " AND ended_at IS NULL AND seen_at IS NULL",
            (now, incident.id, kind, unit, unit),
        )

    def _end_orders(self, incident: Incident, kind: str, unit: str, outcome: str, now: datetime) -> None:
        """Those that are open: what has ended already is not told again. `unit` '': whichever has it."""
        self._cursor.execute(
            "UPDATE orders SET ended_at = %s, outcome = %s WHERE incident_id = %s AND kind = %s"
            " AND (%s = '' OR unit = %s) AND ended_at IS NULL RETURNING id, unit, worker",
            (now, outcome, incident.id, kind, unit, unit),
        )
        # The order's own unit and worker: the incident may have another, or none, by now.
        for order, of, worker in self._cursor.fetchall():
            self._tell_order(incident, kind, order, of, worker, {"state": "ended", "outcome": outcome}, now)

    def _tell_order(
        self,
        incident: Incident,
        kind: str,
        order: int,
        unit: str,
        worker: str,
        what: Mapping[str, Any],
        now: datetime,
    ) -> None:
        payload = {
            "order": order,
            "kind": kind,
            "incident": incident.id,
            "number": incident.number,
            "unit": unit,
            "worker": worker,
            **what,
            "correlation_id": incident.correlation_id,
        }
        self.publish("city.order.v1", unit, payload, now)

    def publish(self, topic: str, key: str, payload: Mapping[str, Any], now: datetime) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "INSERT INTO outbox (topic, key, payload, created_at) VALUES (%s, %s, %s, %s)",
            (topic, key, json(dict(payload)), now),
        )
        self.changed = True

    def incident_changed(self, incident: Incident, now: datetime) -> None:
        """See UnitOfWork."""
        unit_name = worker_name = ""
        if incident.unit or incident.worker:
            self._cursor.execute(
                "SELECT (SELECT name FROM units WHERE code = %s), (SELECT name FROM accounts WHERE login = %s)",
                (incident.unit, incident.worker),
            )
            row = self._cursor.fetchone()
            unit_name, worker_name = row if row else ("", "")
        shown = live_item(incident, unit_name, worker_name)
        keep_state(self._cursor, incident.id, shown, now)
        self.publish("city.incident.v1", str(incident.id), shown, now)

    def answer_reporters(self, incident: Incident, outcome: str, now: datetime) -> None:
        """See UnitOfWork."""
        for payload in replies.answer(self._cursor, incident, outcome, now):
            self.publish("city.reply.v1", payload["reports"][0]["source"], payload, now)

    def withdraw_replies(self, incident_id: int, now: datetime, sources: Sequence[int] | None = None) -> None:
        """See UnitOfWork."""
        replies.withdraw(self._cursor, incident_id, now, sources)

    def incident_of_reply(self, reply: int) -> int:
        """See UnitOfWork."""
        return replies.incident_of(self._cursor, reply)

    def tell_reporter(self, command: TellReporter, actor: Actor, now: datetime) -> None:
        """See UnitOfWork."""
        replies.tell(self._cursor, command, actor, now)

    def answered(self, source: str, key: str) -> dict[str, Any] | None:
        """See UnitOfWork."""
        # One of two equal keys at the same moment waits here for the other's answer.
        self._cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (Lock.INBOX, f"{source}\t{key}")
        )
        self._cursor.execute("SELECT answer FROM inbox WHERE source = %s AND id = %s", (source, key))
        row = self._cursor.fetchone()
        return None if row is None else dict(row[0])

    def remember(self, source: str, key: str, answer: Mapping[str, Any], now: datetime) -> None:
        """See UnitOfWork."""
        self._cursor.execute(
            "INSERT INTO inbox (source, id, at, answer) VALUES (%s, %s, %s, %s)",
            (source, key, now, json(dict(answer))),
        )

    def due_for_escalation(self, now: datetime, limit: int) -> list[Incident]:
        """See UnitOfWork."""
        self._cursor.execute(
            f"{_SELECT} WHERE id IN (({_STAGE_LATE}) UNION ({_RINGS}))"
            " ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
            {"now": now, "limit": limit},
        )
        return [to_incident(row) for row in self._cursor.fetchall()]

    def without_deadline(self, after: tuple[datetime | None, int] | None, limit: int) -> list[Incident]:
        """See UnitOfWork."""
        at, id = after or (_LONG_AGO, 0)
        # One after the other, for either has an index in its order; joined by OR neither has.
        found: list[Incident] = []
        if at is not None:
            beyond = "(stage_due_at, id) > (%(at)s, %(id)s)"
            found, id = self._without_deadline(beyond, "stage_due_at, id", at, id, limit), 0
        if len(found) < limit:
            beyond = "stage_due_at IS NULL AND id > %(id)s"
            found += self._without_deadline(beyond, "id", at, id, limit - len(found))
        return found

    def _without_deadline(
        self, beyond: str, order: str, at: datetime | None, id: int, limit: int
    ) -> list[Incident]:
        self._cursor.execute(
            f"{_SELECT} WHERE {beyond} AND handle_due_at IS NULL AND stage IN ('dispatched', 'taken', 'on_site')"
            " AND (clock ->> 'since' IS NOT NULL OR clock ->> 'parked_until' IS NOT NULL)"
            f" ORDER BY {order} LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
            {"at": at, "id": id, "limit": limit},
        )
        return [to_incident(row) for row in self._cursor.fetchall()]

    def late_supervisions(self, now: datetime, limit: int) -> list[Incident]:
        """See UnitOfWork."""
        self._cursor.execute(
            f"{_SELECT} WHERE supervision_due_at < %s AND stage NOT IN ('closed', 'refused', 'void')"
            " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
            (now, limit),
        )
        return [to_incident(row) for row in self._cursor.fetchall()]

    def audit(
        self, actor: Actor, action: str, thing: str, allowed: bool, detail: Mapping[str, Any], now: datetime
    ) -> None:
        """See UnitOfWork."""
        self.keep_facts()  # before the chain's lock, which every command waits for
        self._audit.append(
            actor=actor.login,
            role=actor.role,
            action=action,
            thing=thing,
            allowed=allowed,
            now=now,
            detail=detail,
            cursor=self._cursor,
        )

    def keep_facts(self) -> None:
        """What evaluation counts of the incidents whose timelines grew, written with them."""
        if self.stepped:
            incident_facts.keep(self._cursor, sorted(self.stepped))
            self.stepped.clear()

    def administer(self, command: object, actor: Actor, now: datetime) -> dict[str, Any]:
        """See UnitOfWork."""
        if isinstance(command, PairScreen):
            self.guess = (now, actor.login)
        if type(command) in PLACED_HANDLERS:
            done = PLACED_HANDLERS[type(command)](self._cursor, command, actor, now, self._place_of)
            self.changed = (
                True  # screens and maps follow at once; so does what was held for an adopted camera
            )
            return done
        if type(command) in formula_versions.HANDLERS or type(command) in CATALOGUE_HANDLERS:
            require_city(self._cursor, command, actor)
        if type(command) in formula_versions.HANDLERS:
            today = now.astimezone(ZoneInfo(self._working.zone)).date()
            return formula_versions.HANDLERS[type(command)](self._cursor, command, actor, now, today)
        return self._administration.carry_out(self._cursor, command, actor, now, self._place_of)


class UnitsOfWork:
    """Makes units of work; tells the relay (NOTIFY) when one has put something into the outbox."""

    def __init__(
        self,
        database: Database,
        audit: Audit,
        administration: Administration,
        place_of: PlaceOf,
        working: Callable[[], WorkingTime],
        router: Routers | None = None,
    ) -> None:
        self._database = database
        self._book = StoredBook()
        self._working = working
        self._router = router or CityRouter(database)
        self._audit = audit
        self._administration = administration
        self._place_of = place_of

    @contextmanager
    def __call__(self) -> Iterator[PgUnitOfWork]:
        """One unit of work."""
        # Before the transaction: each may need a connection of its own.
        working, router = self._working(), self._router()
        uow: PgUnitOfWork | None = None
        try:
            with self._database.transaction() as cursor:
                uow = PgUnitOfWork(
                    cursor, self._audit, self._administration, self._place_of, working, router, self._book
                )
                yield uow
                uow.keep_facts()
                if uow.changed:
                    cursor.execute("NOTIFY outbox")
        except Rejected as refused:
            if uow is not None and uow.guess is not None and refused.field == "code":
                self._database.query(screens.GUESSED, uow.guess)
            raise
