"""Links to approved views: found by their token while the approval lasts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from data.cameras import link_hash
from data.database import Database
from incidents.video import Viewer, within_share_range

_SAMPLE: Final = Path(__file__).parent / "sample_video"
SAMPLE_FILES: Final = {"loop.m3u8": "application/vnd.apple.mpegurl", "loop.mp4": "video/mp4"}
"""The loop for cameras whose address is `sample:loop`: file → its type."""


def sample_file(name: str) -> Path:
    """Where a file of the loop lies; `name` is one of SAMPLE_FILES."""
    return _SAMPLE / name


@dataclass(frozen=True, slots=True)
class ViewLink:
    """An approved view: whose, of which camera, until when, at which addresses."""

    request: int
    camera: str
    name: str
    account: int
    expires_at: datetime
    hls_url: str
    webrtc_url: str


class ViewLinks:
    """Finds the view behind a token."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, token: str, now: datetime) -> ViewLink | None:
        """The view, None when there is none or it is over, or its asker is outside of the share range by now."""
        rows = self._database.query(
            "SELECT r.id, r.camera, c.name, r.account, r.expires_at, c.hls_url, c.webrtc_url, c.unit, c.area_path,"
            " c.share_range, c.share_units, c.share_areas, coalesce(a.unit, ''), coalesce(u.kind, ''), a.areas"
            " FROM view_requests r JOIN cameras c ON c.code = r.camera JOIN accounts a ON a.id = r.account"
            " LEFT JOIN units u ON u.code = a.unit WHERE r.link_hash = %s AND r.state = 'approved'"
            " AND r.expires_at > %s AND c.status <> 'retired' AND NOT a.disabled",
            (link_hash(token), now),
        )
        if not rows:
            return None
        *link, unit, area, word, units, areas, own_unit, own_kind, own_areas = rows[0]
        inside = within_share_range(
            Viewer(own_unit, own_kind, tuple(own_areas)), unit=unit, area_path=area, share_range=word,
            share_units=tuple(units), share_areas=tuple(areas),
        )  # fmt: skip
        return ViewLink(*link) if inside else None
