"""The store's side of the device gateway: whose credential stands, who is online, what was refused or lost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from data.database import Database, many
from data.device_credentials import DROPPED, STANDS
from data.sessions import token_hash
from incidents.gateway import FEED, Access, Login, Rate, Refusal, Sender

_SENDER = (
    "SELECT d.id, d.critical, d.disabled, l.per_s, l.burst, c.login, c.mqtt_hash, c.ends_at FROM device_credentials c"
    " JOIN devices d ON d.id = c.device LEFT JOIN device_limits l ON l.device = c.device"
)


def _sender(row: tuple[Any, ...]) -> Sender:
    device, critical, disabled, per_s, burst = row[:5]
    return Sender(device, critical, disabled, None if per_s is None else Rate(per_s, burst))


class DeviceAccess:
    """`DeviceDoor` and `GatewayStore` (incidents/gateway.py)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def find(self, secret: str, now: datetime) -> Sender | None:
        """See DeviceDoor."""
        rows = self._db.query(
            f"{_SENDER} WHERE c.secret_hash = %(hash)s AND {STANDS}", {"hash": token_hash(secret), "now": now}
        )
        return _sender(rows[0]) if rows else None

    def access(self, known: Access | None, now: datetime) -> Access | None:
        """See GatewayStore. One cheap question while nothing changes."""
        version = self._version()
        if known is not None and known.version == version and (known.until is None or now < known.until):
            return None
        rows = self._db.query(
            f"{_SENDER} WHERE {STANDS} AND NOT d.disabled ORDER BY c.device, c.number", {"now": now}
        )
        ends = [row[7] for row in rows if row[7] is not None]
        return Access(
            version,
            {row[0]: _sender(row) for row in rows},
            tuple(Login(row[5], row[0], row[6]) for row in rows),
            min(ends, default=None),
        )

    def _version(self) -> tuple[int, int]:
        """Asked before the rows: what changes in between is loaded again next time."""
        row = self._db.query(
            "SELECT coalesce((SELECT n FROM device_access_version), 0), (SELECT n FROM registry_version)"
        )[0]
        return int(row[0]), int(row[1])

    def refused(self, counts: Mapping[Refusal, int], now: datetime) -> None:
        """See DeviceDoor and GatewayStore."""
        with self._db.transaction() as cursor:
            many(
                cursor,
                "INSERT INTO gateway_refusals AS r (device, door, reason, n, first_at, last_at) VALUES %s"
                " ON CONFLICT (device, door, reason) DO UPDATE SET n = r.n + EXCLUDED.n, last_at = EXCLUDED.last_at",
                [(*refusal, n, now, now) for refusal, n in sorted(counts.items())],
            )

    def links(self, links: Mapping[str, tuple[bool, datetime]]) -> None:
        """See GatewayStore. Devices that are not registered (any more) are left out."""
        with self._db.transaction() as cursor:
            many(
                cursor,
                "INSERT INTO device_links AS l (device, online, at) SELECT v.device, v.online, v.at FROM (VALUES %s)"
                " AS v(device, online, at) JOIN devices d ON d.id = v.device"
                " ON CONFLICT (device) DO UPDATE SET online = EXCLUDED.online, at = EXCLUDED.at"
                " WHERE l.online <> EXCLUDED.online",
                [(device, online, at) for device, (online, at) in sorted(links.items())],
            )

    def dropped(self, broker: str, seen: int, now: datetime) -> int:
        """See GatewayStore. A counter below the one known belongs to a broker that has started anew."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "INSERT INTO gateway_drops (broker, seen, lost) VALUES (%s, 0, 0) ON CONFLICT DO NOTHING",
                (broker,),
            )
            cursor.execute("SELECT seen FROM gateway_drops WHERE broker = %s FOR UPDATE", (broker,))
            row = cursor.fetchone()
            known = int(row[0]) if row else 0
            new = seen - known if seen >= known else seen
            cursor.execute(
                "UPDATE gateway_drops SET seen = %s, lost = lost + %s WHERE broker = %s", (seen, new, broker)
            )
            if new:
                minute = datetime.fromtimestamp(now.timestamp() // 60 * 60, UTC)
                cursor.execute(
                    "INSERT INTO ledger_mismatches AS m (found_at, kind, topic, partition, feed, minute, expected, found)"
                    " VALUES (%s, %s, 'mqtt', 0, %s, %s, %s, 0) ON CONFLICT (kind, topic, partition, feed, minute)"
                    " DO UPDATE SET expected = m.expected + EXCLUDED.expected, resolved_at = NULL,"
                    " intake_id = CASE WHEN m.resolved_at IS NULL THEN m.intake_id END,"
                    " found_at = CASE WHEN m.resolved_at IS NULL THEN m.found_at ELSE EXCLUDED.found_at END",
                    (now, DROPPED, FEED, minute, new),
                )
        return new
