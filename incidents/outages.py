"""A feed that stops is somebody's work: one incident of the unit that runs the platform per outage, and one line on it
when the feed is back (SYSTEMS S128).

The store keeps with each feed which source its present outage was filed as: so the timer may run as often as it likes,
and in whichever process.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from incidents.feeds import SILENT_PERIODS, live_status, period_of
from incidents.lifecycle import Step, advance
from incidents.model import Rejected
from incidents.selfcheck import check_source, file_check
from incidents.storeports import Intake, UnitOfWork, WatchedFeed
from incidents.triage import SYSTEM

OUTAGE_CLASS: Final = "P0102"
"""Class 数据源中断 of the catalogue. A city without it gets the incident without a class; the desk gives it one."""

ERROR_STANDS: Final = timedelta(seconds=60)
"""An adapter tries again by itself; what it mends within this time is nobody's work."""

RECORDING: Final = "replay"
"""Protocol of recordings. They end by nature, and nobody has to mend that."""


def outage_since(feed: WatchedFeed, now: datetime, watching_since: datetime) -> datetime | None:
    """Since when the feed is out; None: it is not, or not for long enough to bother anybody.

    What went by before anybody watched (the platform itself was off) is not the feed's silence: it has the whole
    limit again, from `watching_since`. A feed of which nothing is expected (people at their phones) may be silent.
    """
    heard, facts = feed.facts.last_message_at, feed.facts
    if feed.protocol == RECORDING or (heard is None and facts.expected_period_s is None):
        return None
    status = live_status(facts, now)
    if status == "silent":
        if heard is None or facts.expected_period_s is None:
            return None
        limit = timedelta(seconds=SILENT_PERIODS * period_of(facts.expected_period_s))
        return heard if now - max(heard, watching_since) > limit else None
    if status == "error":
        since = feed.success_at or heard or watching_since
        return since if now - max(since, watching_since) >= ERROR_STANDS else None
    return None


def is_back(feed: WatchedFeed, now: datetime) -> bool:
    """Is a feed's outage over? Late is not yet; an adapter that works again and finds nothing (never heard) is."""
    return live_status(feed.facts, now) in ("normal", "never")


def outage_source(feed: WatchedFeed, since: datetime, city_path: str, now: datetime) -> Intake:
    """The source that triage makes an incident of: of the whole city, without a point; each outage its own."""
    silent = live_status(feed.facts, now) == "silent"
    heard, period = feed.facts.last_message_at, feed.facts.expected_period_s
    lines = [
        f"数据源 {feed.name}（{feed.id}）{'静默' if silent else '错误'}，自 {_moment(since)} 起",
        f"负责单位 {feed.owner or '未登记'}，协议 {feed.protocol}",
        f"最后消息 {_moment(heard) if heard else '从未收到'}",
        f"应有周期 {f'{period:g} 秒' if period else '未设定'}",
        f"最后错误 {feed.reason or '无'}",
    ]
    return check_source(
        city_path,
        now,
        class_code=OUTAGE_CLASS,
        title=f"数据源中断：{feed.name}",
        text="；".join(lines) + "。",
        time=since,
        correlation_id=f"feed-{feed.id}-{since:%Y%m%dT%H%M%S}",
        source=f"feed:{feed.id}:{since.isoformat()}",
        message_id=now.isoformat(),
    )


def _moment(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="seconds")


def file_outages(uow: UnitOfWork, city_path: str, now: datetime, watching_since: datetime) -> int:
    """File outages that began and note those that are over, in one transaction; how many were filed."""
    filed = 0
    for feed in uow.watched_feeds():
        if feed.facts.disabled:
            continue  # as it was: switched on again, it is still the same outage
        if feed.outage is not None:
            if is_back(feed, now):
                _note_recovery(uow, feed, feed.outage, now)
            continue
        since = outage_since(feed, now, watching_since)
        if since is not None:
            uow.outage_filed(feed.id, file_check(uow, outage_source(feed, since, city_path, now)))
            filed += 1
    return filed


def _note_recovery(uow: UnitOfWork, feed: WatchedFeed, intake_id: int, now: datetime) -> None:
    """One line on the outage's incident. Before triage has made one there is nothing to note it on: the next run."""
    number = uow.incident_of(intake_id)
    if number is None:
        return
    incident = uow.incident(number)
    reason = f"数据源已恢复 feed is back: {feed.name}，{_moment(now)}"
    try:
        changed, entry, _ = advance(
            incident, Step("note", "timer", reason=reason), SYSTEM, now, uow.working()
        )
    except Rejected:
        pass  # closed meanwhile: nobody waits for the news
    else:
        uow.save(changed, incident.version)
        uow.append(changed.id, entry)
        uow.incident_changed(changed, now)
    uow.outage_filed(feed.id, None)
