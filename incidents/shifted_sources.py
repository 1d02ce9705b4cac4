"""A source that sends shifted points is somebody's work: one incident of the unit that runs the platform, with what the
points look like and how sure that is (ARCHITECTURE §5 "a source whose points look shifted raises a data-quality alarm").
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from gis.shifted import Roads, Suspicion, suspicion
from incidents.selfcheck import check_source, file_check
from incidents.storeports import Intake, SentPoints, UnitOfWork

SHIFT_CLASS: Final = "P0103"
"""Class 坐标疑似偏移 of the catalogue. A city without it gets the incident without a class; the desk gives it one."""

LOOKED_AT: Final = timedelta(days=1)
"""Of so long the points are judged: a feed that was mended is not judged by what it sent before that."""

_WORDS: Final = {
    "GCJ-02": "GCJ-02（火星坐标），却按 WGS84/CGCS2000 报送",
    "BD-09": "BD-09（百度坐标），却按 WGS84/CGCS2000 报送",
    "corrected twice": "WGS84/CGCS2000，却按 GCJ-02 报送（纠偏两次）",
}


def shifted_source(sent: SentPoints, found: Suspicion, city_path: str, now: datetime) -> Intake:
    """The source that triage makes an incident of, or joins to the one that is open for this feed."""
    text = (
        f"数据源 {sent.name}（{sent.feed}）的坐标疑似为{_WORDS[found.reading]}：最近 {found.points} 个不同地点中，"
        f"照现在的读法只有 {found.share_now:.0%} 落在道路旁，换一种读法有 {found.share_then:.0%}；"
        f"负责单位 {sent.owner or '未登记'}。已入库的点位不会自动改动。"
    )
    return check_source(
        city_path,
        now,
        class_code=SHIFT_CLASS,
        title=f"坐标疑似偏移：{sent.name}",
        text=text,
        time=now,
        correlation_id=f"shift-{sent.feed}-{now:%Y%m%d}",
        source=f"shift:{sent.feed}",
        message_id=f"{found.reading}/{now:%Y-%m-%d}",
    )


def file_shifted(uow: UnitOfWork, city_path: str, now: datetime, roads: Callable[[], Roads | None]) -> int:
    """File every feed whose points look shifted, once a day while they do, in one transaction; how many were filed."""
    sources = uow.sent_points(now - LOOKED_AT)
    network = roads() if sources else None
    if network is None:
        return 0
    filed = 0
    for sent in sources:
        found = suspicion(sent.lon, sent.lat, network)
        if found is None or uow.filed(f"shift:{sent.feed}", f"{found.reading}/{now:%Y-%m-%d}"):
            continue
        file_check(uow, shifted_source(sent, found, city_path, now))
        filed += 1
    return filed
