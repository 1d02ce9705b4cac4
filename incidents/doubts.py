"""What evaluation asks a person about: signs that a figure may have been made rather than earned (FIELD F15). Questions, never
verdicts: nothing here changes a rate or a score, and nothing is told of a person.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

KINDS: Final = ("reused_photo", "far_away", "in_seconds", "own_report", "month_end")
"""复用照片 到场位置偏远 秒开秒结 自报自处 月末突增."""

ALIKE_BITS: Final = 3
"""Photos of which at most so many of 64 bits differ are asked about: the same file saved anew differs in none to three."""
PHOTOS_BACK: Final = timedelta(days=90)
"""How far before the period a photo may have been used already."""
FAR_M: Final = 300.0
"""Said to be on site, so far from the incident's place: more than a phone among high buildings is wrong by."""
SECONDS: Final = timedelta(seconds=120)
"""From report to closing, with filing, dispatch, handling and check in between."""
MONTH_END_DAYS: Final = 3
BURST_TIMES: Final = 2.0
"""Reports a day at the month's end against the other days of the period."""
BURST_LEAST: Final = 10
"""Reports at the end of a month below which nothing is asked: chance is enough for them."""

BURDEN_LEAST: Final = 5
"""Tasks below which no median is told: of fewer it would be one person's."""
