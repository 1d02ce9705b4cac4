"""What the product finds wrong with its own books is somebody's work: a mismatch of the loss ledger becomes an incident
of the unit that runs the platform (SYSTEMS S116; ARCHITECTURE: nothing is lost silently).

A mismatch is filed when it still stands after STANDS: the checks compare several systems that move, and the next run
sees them anew. Mismatches of one topic join one open incident, however many minutes and partitions they are of.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from incidents.model import Place, SourceKind
from incidents.storeports import Intake, StandingMismatch, UnitOfWork

LEDGER_CLASS: Final = "P0101"
"""Class 数据对账不符 of the catalogue. A city without it gets the incident without a class; the desk gives it one."""

STANDS: Final = timedelta(seconds=25)
"""Shorter than the reconciler's period, so that the second run that still finds it files it."""

_WORDS: Final = {
    "broker_vs_ledger": "总线与台账不符",
    "ledger_vs_store": "台账与入库不符",
    "position_ahead": "已读位置超过总线末尾（总线丢数）",
    "mqtt_dropped": "设备网关的代理丢弃",
}


def mismatch_source(mismatch: StandingMismatch, city_path: str, now: datetime) -> Intake:
    """The source that triage makes an incident of: of the whole city, without a point.

    `source` is what it is merged by (see triage), `message_id` what it is filed once by.
    """
    m = mismatch
    words = _WORDS.get(m.kind, m.kind)
    when = f"，{m.minute.isoformat(timespec='minutes')}" if m.minute else ""
    feed = f"，来源 {m.feed}" if m.feed else ""
    return check_source(
        city_path,
        now,
        class_code=LEDGER_CLASS,
        title=f"数据对账不符：{m.topic}",
        text=f"{words}：{m.topic} 分区 {m.partition}{feed}{when}，应有 {m.expected} 条，实有 {m.found} 条。",
        time=m.found_at,
        correlation_id=f"mismatch-{m.id}",
        source=f"reconcile/{m.topic}",
        message_id=f"{m.id}/{m.found_at.isoformat()}",
    )


def check_source(
    city_path: str, now: datetime, *, class_code: str, title: str, text: str, time: datetime, correlation_id: str,
    source: str, message_id: str,
) -> Intake:  # fmt: skip
    """What the platform found wrong with itself, as a source: of the whole city, without a point."""
    return Intake(
        id=0, kind=SourceKind.CHECK, channel="check", class_code=class_code, level=None, device="", camera="",
        title=title, text=text, place=Place(area_path=city_path), time=time, received_at=now,
        correlation_id=correlation_id, source=source, message_id=message_id,
    )  # fmt: skip


def file_check(uow: UnitOfWork, source: Intake) -> int:
    """Put it among the sources; its id there. Triage does the rest."""
    return uow.add_intake(source, {}, hashlib.sha256(source.text.encode()).digest())


def file_mismatches(uow: UnitOfWork, city_path: str, now: datetime, limit: int = 50) -> int:
    """File what stands unfiled as sources, in one transaction; how many. Triage does the rest."""
    standing = uow.standing_mismatches(now - STANDS, limit)
    for mismatch in standing:
        uow.mismatch_filed(mismatch.id, file_check(uow, mismatch_source(mismatch, city_path, now)))
    return len(standing)
