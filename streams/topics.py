"""Topics of the bus: names, keys and who reads them (ARCHITECTURE §5)."""

from __future__ import annotations

from typing import Final

READING: Final = "city.reading.v1"
READING_CRITICAL: Final = "city.reading-critical.v1"
VIDEO_ALARM: Final = "city.video-alarm.v1"
GRID_REPORT: Final = "city.grid-report.v1"
POSITION: Final = "city.position.v1"
ENFORCEMENT_CASE: Final = "city.enforcement-case.v1"
FEED_RECORD: Final = "city.feed-record.v1"
WARNING: Final = "city.warning.v1"
INCIDENT: Final = "city.incident.v1"
ORDER: Final = "city.order.v1"
REPLY: Final = "city.reply.v1"

INPUT_TOPICS: Final = (
    READING,
    READING_CRITICAL,
    VIDEO_ALARM,
    GRID_REPORT,
    POSITION,
    ENFORCEMENT_CASE,
)
"""Topics that feeds may write to."""

CRITICAL_TOPICS: Final = (READING_CRITICAL, VIDEO_ALARM)
"""Read by a consumer group of their own, so that a flood of ordinary readings never delays them."""

ORDINARY_TOPICS: Final = tuple(t for t in INPUT_TOPICS if t not in CRITICAL_TOPICS)

OUTPUT_TOPICS: Final = (WARNING, INCIDENT, ORDER, REPLY)


def dead_letter(topic: str) -> str:
    """Name of the dead-letter topic of an input topic."""
    return topic + ".dead"


ALL_TOPICS: Final = (
    INPUT_TOPICS + (FEED_RECORD,) + OUTPUT_TOPICS + tuple(dead_letter(t) for t in INPUT_TOPICS)
)
