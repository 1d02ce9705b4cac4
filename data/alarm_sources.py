"""What a city has set up for the video systems that send it alarms: its own lines of the table of kinds, its channels."""

from __future__ import annotations

from data.database import Database


def alarm_maps(database: Database, system: str) -> dict[str, str]:
    """Foreign type → our kind: the city's own lines for one system."""
    return dict(database.query("SELECT code, kind FROM camera_alarm_maps WHERE source = %s", (system,)))


def camera_channels(database: Database, feed: str) -> dict[str, str]:
    """Channel of a feed → 20-digit code of the camera behind it."""
    return dict(database.query("SELECT channel, camera FROM camera_channels WHERE feed = %s", (feed,)))
