"""The registry of trained routers: what each learned from, what was measured, which one is in force (S120). Publishing and
switching off are commands; every process asks the new one within CHECK_S of data/city_router.py."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from data.city_facts import load_facts
from data.database import Cursor, Database, json
from data.registry import bump
from incidents.model import Actor, Rejected
from incidents.published_threshold import NEVER
from incidents.router_file import router_bytes, sealed
from incidents.router_training import Trained
from incidents.routing_commands import PublishRouter, SwitchOffRouter

COLUMNS: Final = (
    "version", "state", "trained_at", "trained_by", "source", "inputs", "learned_from", "learned_until",
    "measured_until", "threshold", "figures", "published_at", "published_by",
)  # fmt: skip


def next_version(cursor: Cursor, now: datetime) -> str:
    """`router-20261130-1`: the day and its count."""
    day = f"router-{now:%Y%m%d}-"
    cursor.execute("SELECT count(*) FROM router_models WHERE version LIKE %s", (f"{day}%",))
    (count,) = cursor.fetchone() or (0,)
    return f"{day}{count + 1}"


def register(
    cursor: Cursor,
    folder: Path,
    trained: Trained,
    source: str,
    inputs: dict[str, Any],
    login: str,
    now: datetime,
) -> str:
    """Write a router's file and register it as a candidate; returns its version. Raises OSError."""
    cursor.execute("LOCK TABLE router_models IN SHARE ROW EXCLUSIVE MODE")
    version = next_version(cursor, now)
    content = router_bytes(trained.router)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{version}.npz"
    part = folder / f"{name}.part"
    part.write_bytes(content)
    part.replace(folder / name)  # a process that reads meanwhile finds the whole or nothing
    cursor.execute(
        "INSERT INTO router_models (version, state, trained_at, trained_by, source, inputs, learned_from, learned_until,"
        " measured_until, threshold, figures, file, sha256) VALUES (%s, 'candidate', %s, %s, %s, %s, %s, %s, %s, %s, %s,"
        " %s, %s)",
        (
            version, now, login, source, json(inputs), trained.learned_from, trained.learned_until,
            trained.measured_until, trained.router.threshold, json(trained.figures), name, sealed(content),
        ),
    )  # fmt: skip
    return version


def publish_router(cursor: Cursor, command: PublishRouter, actor: Actor, now: datetime) -> dict[str, Any]:
    """See PublishRouter. Raises Rejected."""
    cursor.execute("LOCK TABLE router_models IN SHARE ROW EXCLUSIVE MODE")
    cursor.execute("SELECT state, threshold FROM router_models WHERE version = %s", (command.router,))
    row = cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"router={command.router!r}: no such trained router", field="router")
    if row[0] == "published":
        raise Rejected("rule", f"router={command.router!r}: is in force already", field="router")
    cursor.execute("UPDATE router_models SET state = 'off' WHERE state = 'published'")
    cursor.execute(
        "UPDATE router_models SET state = 'published', published_at = %s, published_by = %s WHERE version = %s",
        (now, actor.login, command.router),
    )
    bump(cursor)
    return {"router": command.router, "threshold": row[1], "automatic": row[1] < NEVER}


def switch_off_router(
    cursor: Cursor, command: SwitchOffRouter, actor: Actor, now: datetime
) -> dict[str, Any]:
    """See SwitchOffRouter. Raises Rejected."""
    if not command.reason.strip():
        raise Rejected("field", "reason='': say why", field="reason")
    cursor.execute("UPDATE router_models SET state = 'off' WHERE state = 'published' RETURNING version")
    row = cursor.fetchone()
    if row is None:
        raise Rejected("rule", "router: none is in force", field="router")
    bump(cursor)
    return {"off": row[0]}


def city_lat(database: Database) -> float:
    """The latitude of the city's middle, degrees."""
    return load_facts(database).centre[1]
