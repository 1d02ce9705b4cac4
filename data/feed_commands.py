"""Commands that change feeds: add, change, enable, disable. Inside the caller's transaction."""

from __future__ import annotations

import json as text_json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from data.database import Cursor, json
from data.registry import bump
from incidents import commands as c
from incidents.access import Thing, may
from incidents.feeds import with_changes
from incidents.model import Actor, Rejected

_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LONGEST: Final = 100_000
"""Characters of a configuration or a mapping."""


class CheckFeed(Protocol):
    """`streams.feeds.checking.topics_of_feed`: the topics a feed writes to. Raises Rejected."""

    def __call__(
        self,
        id: str,
        kind: str,
        config: Mapping[str, Any],
        secrets: Mapping[str, str],
        mapping: Mapping[str, Any],
    ) -> Sequence[str]: ...


def save_feed(cursor: Cursor, command: c.SaveFeed, actor: Actor, check: CheckFeed | None) -> dict[str, Any]:
    """See SaveFeed. Raises Rejected."""
    _require_city(cursor, actor)
    if check is None:
        raise Rejected("rule", "feeds cannot be configured here", field="kind")
    require_storable(command)
    if not command.name.strip():
        raise Rejected("field", "name='': must not be empty", field="name")
    if not (math.isfinite(command.expected_period_s) and 1 <= command.expected_period_s <= 86_400 * 366):
        rule = "seconds, from 1 to a year"
        raise Rejected(
            "field", f"expected_period_s={command.expected_period_s}: {rule}", field="expected_period_s"
        )
    cursor.execute("SELECT kind, secrets, version FROM feeds WHERE id = %s FOR UPDATE", (command.id,))
    row = cursor.fetchone()
    if row is not None and not row[0]:
        raise Rejected("rule", f"id={command.id!r}: is a feed that writes to us by itself", field="id")
    if command.version is not None and (row is None or row[2] != command.version):
        raise Rejected(
            "stale", f"version={command.version}: somebody else changed this feed", field="version"
        )
    kept = dict(row[1]) if row is not None and row[0] == command.kind else {}
    secrets = with_changes(kept, command.secrets)
    for secret, value in secrets.items():
        if not isinstance(value, str):
            raise Rejected("field", f"secrets.{secret}: must be a text", field=f"secrets.{secret}")
    topics = check(command.id, command.kind, command.config, secrets, command.mapping)
    cursor.execute(
        "INSERT INTO feeds (id, name, owner, protocol, topics, expected_period_s, note, kind, config, secrets, mapping)"
        " VALUES (%(id)s, %(name)s, %(owner)s, %(kind)s, %(topics)s, %(period)s, %(note)s, %(kind)s, %(config)s,"
        " %(secrets)s, %(mapping)s) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, owner = EXCLUDED.owner,"
        " protocol = EXCLUDED.protocol, topics = EXCLUDED.topics, expected_period_s = EXCLUDED.expected_period_s,"
        " note = EXCLUDED.note, kind = EXCLUDED.kind, config = EXCLUDED.config, secrets = EXCLUDED.secrets,"
        " mapping = EXCLUDED.mapping, version = feeds.version + 1 RETURNING version",
        {
            "id": command.id, "name": command.name.strip(), "owner": command.owner.strip(), "kind": command.kind,
            "topics": list(topics), "period": command.expected_period_s, "note": command.note,
            "config": json(command.config), "secrets": json(secrets), "mapping": json(command.mapping),
        },
    )  # fmt: skip
    version = (cursor.fetchone() or (1,))[0]
    if row is not None and (command.restart or row[0] != command.kind):
        cursor.execute("UPDATE feed_states SET position = '{}' WHERE feed = %s", (command.id,))
    bump(cursor)
    return {"id": command.id, "version": version, "topics": list(topics), "secrets": sorted(secrets)}


def switch_feed(cursor: Cursor, command: c.SwitchFeed, actor: Actor, now: datetime) -> dict[str, Any]:
    """See SwitchFeed. Raises Rejected."""
    _require_city(cursor, actor)
    if command.disabled and not command.reason.strip():
        raise Rejected("field", "reason='': say why", field="reason")
    cursor.execute(
        "UPDATE feeds SET disabled = %s, version = version + 1 WHERE id = %s RETURNING version",
        (command.disabled, command.id),
    )
    row = cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"id={command.id!r}: no such feed", field="id")
    bump(cursor)
    return {"id": command.id, "disabled": command.disabled, "version": row[0]}


def _require_city(cursor: Cursor, actor: Actor) -> None:
    """Feeds are the whole city's."""
    cursor.execute("SELECT value FROM city WHERE key = 'path'")
    row = cursor.fetchone()
    decision = may(actor, "feed.manage", Thing(str(row[0]) if row else ""))
    if not decision:
        raise Rejected("forbidden", f"feed.manage: {decision.reason}", field="actor")


def require_storable(command: c.SaveFeed) -> None:
    """What the store can hold at all: of a feed that is saved, and of one that is only tried. Raises Rejected."""
    if not _ID.fullmatch(command.id):
        raise Rejected("field", f"id={command.id!r}: small letters, digits and . _ -, at most 64", field="id")
    for name in ("config", "mapping", "secrets"):
        _require_json(name, getattr(command, name))


def _require_json(name: str, value: Any) -> None:
    """JSON that PostgreSQL can hold: no NaN, no NUL, no half characters; and not endless."""
    try:
        text = text_json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, TypeError, RecursionError) as error:
        shown = type(error).__name__
        raise Rejected(
            "field", f"{name}={shown}: must be JSON without NaN and half characters", field=name
        ) from None
    if "\\u0000" in text:
        raise Rejected("field", f"{name}: must not contain the character NUL", field=name)
    if len(text) > _LONGEST:
        raise Rejected("field", f"{name}: {len(text)} characters, at most {_LONGEST}", field=name)
