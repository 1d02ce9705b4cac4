"""What a flush took in, told in the log with the correlation id that follows each message to the screen.

A line per alarm, report and warning: each may become an incident, and they are few. Readings and positions come by
hundreds a second: those that were rejected or held are one line per flush, feed and reason.
"""

from __future__ import annotations

from typing import Final

import structlog

from incidents.ingest import Flush, Message
from streams import topics

ONE_BY_ONE: Final = frozenset({topics.VIDEO_ALARM, topics.GRID_REPORT})
SAMPLES: Final = 5
"""Correlation ids named in a line that stands for many messages."""

log = structlog.get_logger()


def tell(flush: Flush) -> None:
    """Log a flush that has just been committed."""
    many: dict[tuple[str, str, str, str], list[Message]] = {}
    for message in flush.messages:
        topic = message.record.topic
        if topic in ONE_BY_ONE:
            log.info(
                "taken in" if message.outcome == "stored" else message.outcome,
                topic=topic,
                partition=message.record.partition,
                offset=message.record.offset,
                feed=message.feed,
                correlation_id=message.correlation_id,
                **({"reason": message.reason} if message.reason else {}),
            )
        elif message.outcome in ("rejected", "held"):
            many.setdefault((message.outcome, topic, message.feed, message.reason), []).append(message)
    for (outcome, topic, feed, reason), found in many.items():
        log.info(
            outcome,
            topic=topic,
            feed=feed,
            reason=reason,
            messages=len(found),
            correlation_ids=[m.correlation_id for m in found[:SAMPLES]],
        )
    for detection, device, correlation in flush.detections:
        log.info(
            "warning raised" if detection.raised else "warning cleared",
            warning=detection.warning_id,
            rule=detection.rule.id,
            device=device.id,
            correlation_id=correlation,
        )
