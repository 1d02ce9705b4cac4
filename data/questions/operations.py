"""Questions of those who run the product: feeds, ledger, dead letters, held, accounts, audit, status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from data.audit import Audit
from data.backlog import backlog
from data.device_credentials import STANDS
from data.feed_commands import require_storable
from data.feed_states import feed_facts
from data.incident_rows import ms
from data.indicators import latest_values
from data.questions.context import Answer, Ask, bounded, contains
from data.scope import area_scope, named
from data.storage import storage
from data.store_counts import store_counts
from data.timeseries import continuous, edition
from data.working_days import waiting_deadlines
from incidents import commands as c
from incidents.access import ANYWHERE, may
from incidents.feeds import live_status
from incidents.model import Rejected
from incidents.ports import TopicPartition
from incidents.privacy import mask_message

SHOWN_BYTES: Final = 20_000
"""Of a dead letter; a longer one goes back as it is."""

LEDGER_ROWS: Final = 5_000
"""Rows of the ledger in one answer."""


def feeds(ask: Ask, query: c.Feeds) -> dict[str, Any]:
    """See Feeds; counts are of the last 24 hours. Of secrets only the names."""
    rows = ask.database.dicts(
        "SELECT f.id, f.name, f.owner, f.protocol, f.topics, f.expected_period_s, f.demo, f.disabled,"
        " f.last_message_at, f.kind, f.config, f.mapping, f.version, f.note,"
        " ARRAY(SELECT jsonb_object_keys(f.secrets) ORDER BY 1) AS secrets, s.attempt_at, s.success_at,"
        " coalesce(s.failure, '') AS failure, coalesce(s.reason, '') AS reason, s.records, s.set_aside, s.lost,"
        " l.stored, l.rejected, l.duplicate, l.held FROM feeds f LEFT JOIN feed_states s ON s.feed = f.id"
        " CROSS JOIN LATERAL (SELECT coalesce(sum(l.stored), 0)::bigint AS stored,"
        " coalesce(sum(l.rejected), 0)::bigint AS rejected, coalesce(sum(l.duplicate), 0)::bigint AS duplicate,"
        " coalesce(sum(l.held), 0)::bigint AS held FROM ledger l WHERE l.feed = f.id"
        " AND l.minute > %(now)s - interval '24 hours') l ORDER BY f.id",
        {"now": ask.now},
    )
    keeper = bool(may(ask.actor, "feed.manage", ANYWHERE))
    for row in rows:
        row["status"] = live_status(feed_facts(row), ask.now)
        if not keeper:  # how a source is reached is for those who keep it
            for name in ("config", "mapping", "secrets", "version"):
                del row[name]
    return {"rows": rows, "total": len(rows)}


def test_feed(ask: Ask, query: c.TestFeed) -> dict[str, Any]:
    """See TestFeed."""
    if ask.try_feed is None:
        raise Rejected("rule", "feeds cannot be tried here", field="feed")
    if query.draft is not None:
        require_storable(query.draft)
    return ask.try_feed(query.feed, query.sample, query.draft)


def ledger(ask: Ask, query: c.Ledger) -> dict[str, Any]:
    """See Ledger. A partition's `received` is what the bus has had since we count: its end − start, of which `in_flight`
    lies behind our position; where the bus does not tell its end (None), position − start. `total` is the number of
    rows there are, of which the newest LEDGER_ROWS are answered."""
    since = ask.now - timedelta(minutes=bounded(query.minutes, 1, 24 * 60))
    rows = ask.database.dicts(
        "SELECT l.id AS ledger, l.minute, l.feed, l.topic, l.partition, l.stored, l.rejected, l.duplicate, l.held,"
        " l.records_stored, l.records_rejected, l.records_duplicate, l.records_held, l.records_late, l.records_missing,"
        " coalesce((SELECT jsonb_object_agg(r.reason, r.n) FROM ledger_reasons r WHERE r.ledger_id = l.id),"
        " '{}'::jsonb) AS reasons FROM ledger l WHERE l.minute >= %s ORDER BY l.minute DESC, l.feed, l.topic,"
        " l.partition LIMIT %s",
        (since, LEDGER_ROWS),
    )
    total = ask.database.query("SELECT count(*) FROM ledger WHERE minute >= %s", (since,))[0][0]
    partitions = ask.database.dicts(
        "SELECT p.topic, p.partition, p.start, p.position, p.position - p.start AS received,"
        " coalesce(sum(l.stored), 0)::bigint AS stored, coalesce(sum(l.rejected), 0)::bigint AS rejected,"
        " coalesce(sum(l.duplicate), 0)::bigint AS duplicate, coalesce(sum(l.held), 0)::bigint AS held"
        " FROM partition_positions p LEFT JOIN ledger l USING (topic, partition)"
        " GROUP BY p.topic, p.partition ORDER BY p.topic, p.partition"
    )
    ends = ask.facts().get("bus_ends", {})
    for part in partitions:
        accounted = part["stored"] + part["rejected"] + part["duplicate"] + part["held"]
        part["difference"] = part["received"] - accounted
        end = ends.get(f"{part['topic']}/{part['partition']}")
        part["in_flight"] = None if end is None else max(0, end - part["position"])
        part["received"] += part["in_flight"] or 0
    mismatches = ask.database.dicts(
        "SELECT m.id, m.found_at, m.kind, m.topic, m.partition, m.feed, m.minute, m.expected, m.found, m.resolved_at,"
        " i.incident_id AS incident, coalesce(n.number, '') AS incident_number FROM ledger_mismatches m"
        " LEFT JOIN intake i ON i.id = m.intake_id LEFT JOIN incidents n ON n.id = i.incident_id"
        " ORDER BY m.resolved_at IS NOT NULL, m.found_at DESC LIMIT 200"
    )
    return {"rows": rows, "partitions": partitions, "mismatches": mismatches, "total": total}


def dead_letters(ask: Ask, query: c.DeadLetters) -> dict[str, Any]:
    """See DeadLetters; `value` as text, bytes that are no UTF-8 as \\x escapes, cut after SHOWN_BYTES; `corrected`: what
    was put on the bus instead, '' when that was the very message; `settled_why`: why it was dropped. Reporters are masked
    for all but who may replay.

    `whole` is true when that text is the very message, so that it may be edited. `unkept`: messages of the last 24
    hours that were rejected beyond the limit of dead letters a minute, and so only counted.
    """
    if query.state not in ("open", "replayed", "dropped", "all"):
        raise Rejected("field", f"state={query.state!r}: open, replayed, dropped or all", field="state")
    where = "(%(state)s = 'all' OR state = %(state)s) AND (%(topic)s = '' OR topic = %(topic)s)"
    where += " AND (%(reason)s = '' OR reason = %(reason)s)"
    where += " AND (%(ledger)s::bigint IS NULL OR ledger_id = %(ledger)s)"
    where += " AND (%(partition)s::bigint IS NULL OR partition = %(partition)s)"
    where += ' AND (%(offset)s::bigint IS NULL OR "offset" = %(offset)s)'
    params = {
        "state": query.state,
        "topic": query.topic,
        "reason": query.reason,
        "ledger": query.ledger,
        "partition": query.partition,
        "offset": query.offset,
    }
    rows = ask.database.dicts(
        'SELECT topic, partition, "offset", feed, key, substring(value FOR %(shown)s) AS value,'
        " length(value) AS bytes, reason, field, found,"
        " rule, received_at, state, settled_at, settled_by, settled_why,"
        f" substring(corrected FOR %(shown)s) AS corrected FROM dead_letters WHERE {where}"
        " ORDER BY received_at DESC LIMIT %(limit)s",
        {**params, "limit": bounded(query.limit, 1, 1000), "shown": SHOWN_BYTES},
    )
    edits = may(ask.actor, "deadletter.replay", ANYWHERE)  # who mends a message must have it as it came
    for row in rows:
        value = bytes(row["value"])
        row["value"] = value.decode("utf-8", "backslashreplace")
        row["corrected"] = bytes(row["corrected"] or b"").decode("utf-8", "backslashreplace")
        row["whole"] = len(value) == row["bytes"] and row["value"].encode() == value
        if not edits:
            row["value"], row["corrected"] = mask_message(row["value"]), mask_message(row["corrected"])
    reasons = ask.database.query(
        f"SELECT reason, count(*) FROM dead_letters WHERE {where} GROUP BY reason ORDER BY 2 DESC", params
    )
    unkept = ask.database.query(
        "SELECT coalesce(sum(rejected_unkept), 0)::bigint FROM ledger WHERE minute > %s - interval '24 hours'",
        (ask.now,),
    )[0][0]
    return {
        "rows": rows,
        "total": sum(n for _, n in reasons),
        "reasons": dict(reasons),
        "unkept": unkept,
    }


def held(ask: Ask, query: c.Held) -> dict[str, Any]:
    """See Held."""
    rows = ask.database.dicts(
        "SELECT topic, key, feed, count(*) AS messages, min(received_at) AS since, max(received_at) AS last"
        " FROM held WHERE released_at IS NULL AND (%(ledger)s::bigint IS NULL OR ledger_id = %(ledger)s)"
        " GROUP BY topic, key, feed ORDER BY messages DESC LIMIT 500",
        {"ledger": query.ledger},
    )
    return {"rows": rows, "total": sum(row["messages"] for row in rows)}


def accounts(ask: Ask, query: c.Accounts) -> dict[str, Any]:
    """See Accounts."""
    scope, params = area_scope(ask.actor, "a.areas[1]")
    rows = ask.database.dicts(
        "SELECT a.login, a.name, a.role, a.unit, u.name AS unit_name, a.areas, a.must_change, a.disabled,"
        " a.locked_until, a.created_at, (SELECT count(*) FROM sessions s WHERE s.account = a.id"
        " AND s.ended_at IS NULL AND s.expires_at > %s) AS sessions FROM accounts a"
        f" LEFT JOIN units u ON u.code = a.unit WHERE {scope} AND (a.login ILIKE %s OR a.name ILIKE %s)"
        " ORDER BY a.login LIMIT 1000",
        [ask.now, *params, contains(query.text), contains(query.text)],
    )
    return {"rows": rows, "total": len(rows)}


def audit_log(ask: Ask, query: c.AuditLog) -> dict[str, Any]:
    """See AuditLog."""
    rows = ask.database.dicts(
        "SELECT id, at, actor, role, action, thing, allowed, detail FROM audit WHERE (%s = '' OR actor = %s)"
        " ORDER BY id DESC LIMIT %s",
        (query.actor, query.actor, bounded(query.limit, 1, 2000)),
    )
    chain = Audit(ask.database).verify()
    return {"rows": rows, "total": chain.rows, "chain_whole": chain.whole, "broken_at": chain.broken_at}


def indicators(ask: Ask, query: c.Indicators) -> dict[str, Any]:
    """See Indicators."""
    area = query.area or (ask.actor.areas[0] if ask.actor.areas else "")
    if not area.endswith("/"):
        rows = ask.database.query("SELECT path FROM areas WHERE code = %s", (area,))
        area = rows[0][0] if rows else area
    return {"rows": latest_values(ask.database, area.rstrip("/").rsplit("/", 1)[-1], ask.now), "area": area}


def _rollup(ask: Ask) -> dict[str, Any]:
    """How far readings are rolled up (ms; None: never yet), since when raw ones are kept, ledger rows that wait."""
    with ask.database.transaction() as cursor:
        aggregates = continuous(cursor)
        cursor.execute("SELECT count(DISTINCT ledger_id) FROM rollup_dirty")
        (waiting,) = cursor.fetchone() or (0,)
        cursor.execute("SELECT settled, hours_until, days_until, raw_from FROM rollup_state")
        reached = cursor.fetchone() or (None, None, None, None)
    names = ("minutes_until", "hours_until", "days_until", "raw_from")
    return {
        "by": "continuous aggregates" if aggregates else "relay",
        "waiting": waiting,
        **{name: ms(at) for name, at in zip(names, reached, strict=True)},
    }


def _partition(name: str) -> TopicPartition:
    topic, _, number = name.rpartition("/")
    return TopicPartition(topic, int(number))


def _ingest(ask: Ask, ends: Mapping[str, int] | None) -> dict[str, Any]:
    """What came in within the last whole minute of the broker, a second; and what waits on the bus (None: unknown)."""
    minute = ask.now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    ((messages, records),) = ask.database.query(
        "SELECT coalesce(sum(stored + rejected + duplicate + held), 0)::bigint,"
        " coalesce(sum(records_stored), 0)::bigint FROM ledger WHERE minute = %s",
        (minute,),
    )
    lag = None
    if ends is not None:
        lag = backlog(ask.database, {_partition(name): end for name, end in ends.items()})
    return {"lag": lag, "messages_per_s": round(messages / 60, 1), "records_per_s": round(records / 60, 1)}


def status(ask: Ask, query: c.Status) -> dict[str, Any]:
    """See Status."""
    version = ask.database.query("SHOW server_version")[0][0]
    sizes = ask.database.query("SELECT pg_database_size(current_database())")[0][0]
    newest = ask.database.query("SELECT max(number) FROM schema_migrations")[0][0]
    demo = ask.database.query("SELECT count(*) FROM feeds WHERE demo AND NOT disabled")[0][0] > 0
    facts = dict(ask.facts())
    with ask.database.transaction() as cursor:
        waiting = waiting_deadlines(cursor)
    return {
        "store": edition(ask.database),
        "postgresql": version,
        "database_bytes": sizes,
        "migration": newest,
        "demo": demo,
        "rollup": _rollup(ask),
        "deadlines_waiting": waiting,
        "counted": {f"{kind}_{state}": int(n) for (kind, state), n in store_counts(ask.database).items()},
        "ingest": _ingest(ask, facts.pop("bus_ends", None)),
        "storage": storage(ask.database, ask.now),
        **facts,
    }


def device_credentials(ask: Ask, query: c.DeviceCredentials) -> dict[str, Any]:
    """See DeviceCredentials; one row a credential, the newest of a device first, the device of just this id before all."""
    scope, params = named(area_scope(ask.actor, "d.area_path"))
    where = f"{scope} AND c.device ILIKE %(device)s AND (NOT %(standing)s OR ({STANDS} AND NOT d.disabled))"
    params |= {"now": ask.now, "device": contains(query.device), "standing": query.standing}
    rows = ask.database.dicts(
        "SELECT c.device, d.name, c.number, c.login, c.issued_at, c.issued_by, c.ends_at, c.revoked_at, c.revoked_by,"
        f" ({STANDS} AND NOT d.disabled) AS stands, k.online, k.at AS link_since, l.per_s, l.burst, coalesce((SELECT"
        " jsonb_object_agg(r.door || ':' || r.reason, r.n) FROM gateway_refusals r WHERE r.device = c.device),"
        " '{}'::jsonb) AS refused FROM device_credentials c JOIN devices d ON d.id = c.device"
        " LEFT JOIN device_links k ON k.device = c.device LEFT JOIN device_limits l ON l.device = c.device"
        f" WHERE {where} ORDER BY c.device <> %(exactly)s, c.device, c.number DESC LIMIT %(limit)s",
        {**params, "exactly": query.device, "limit": bounded(query.limit, 1, 1000)},
    )
    total = ask.database.query(
        f"SELECT count(*) FROM device_credentials c JOIN devices d ON d.id = c.device WHERE {where}", params
    )[0][0]
    return {"rows": rows, "total": total}


ANSWERS: Final[dict[type, Answer]] = {
    c.Feeds: feeds,
    c.TestFeed: test_feed,
    c.Ledger: ledger,
    c.DeadLetters: dead_letters,
    c.Held: held,
    c.Accounts: accounts,
    c.AuditLog: audit_log,
    c.Indicators: indicators,
    c.Status: status,
    c.DeviceCredentials: device_credentials,
}
