"""The store's advisory locks, a number each. Whoever takes a lock takes it from here: two uses of one number wait for each
other, perhaps for ever."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Lock(IntEnum):
    """What may be done by one at a time. MERGE and INBOX are taken together with a hash of what they are of."""

    MIGRATION = 727_001
    PARTITIONS = 727_002
    MERGE = 727_003
    INBOX = 727_004
    CITY = 727_005
    RELAY = 727_006
    OUTAGES = 727_007
    ROLLUP = 727_008
    POLES = 727_009
    PAIRING = 727_010
    AUDIT = 0x6175646974
