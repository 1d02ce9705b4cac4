"""Which member of a group reads which partition: leases in Redis, renewed by the members."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Final

import redis

from incidents.ports import BusRefused, BusUnavailable, TopicPartition
from streams.redis_streams.connection import port_errors
from streams.redis_streams.layout import group_key, name_of, named
from streams.redis_streams.scripts import LEAVE, RENEW, SYNC

LEASE_S: Final = 3.0
"""A member that was killed loses its partitions after this many seconds, to be found free within a quarter more."""

MAX_POLL_GAP_S: Final = 300.0
"""A member that has not polled for this long is taken for stuck: its lease is no longer renewed."""

_log = logging.getLogger(__name__)


class Membership:
    """One member of a group: its lease, its share of the partitions, its leaving.

    `sync` is called by the reader between batches, so a partition is only given up when the caller has finished
    with what it was handed. Meanwhile a thread prolongs the lease, so that a slow flush does not lose it.
    """

    def __init__(
        self, client: redis.Redis, group: str, topics: tuple[str, ...], lease_s: float = LEASE_S
    ) -> None:
        # Older members come first in the share-out, so that a newcomer moves as few partitions as can be.
        self.member: Final = f"{time.time_ns():020d}-{uuid.uuid4().hex}"
        self.owners_key: Final = group_key(group, topics, "owners")
        self.changes_key: Final = group_key(group, topics, "changes")
        self._members_key = group_key(group, topics, "members")
        self._client = client
        self._lease_s = lease_s
        self._sync = client.register_script(SYNC)
        self._renew = client.register_script(RENEW)
        self._leave = client.register_script(LEAVE)
        self._polled = time.monotonic()
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"bus-lease-{group}", daemon=True)

    @property
    def interval_s(self) -> float:
        """How often the reader must call `sync`."""
        return self._lease_s / 4

    def sync(
        self, partitions: Sequence[TopicPartition]
    ) -> tuple[frozenset[TopicPartition], frozenset[TopicPartition]]:
        """Renew the lease and settle the share. Returns the partitions kept without a break, and those new."""
        if not self._heart.is_alive() and not self._stop.is_set():
            self._heart.start()
        self._polled = time.monotonic()
        with port_errors():
            kept, taken = self._sync(
                keys=[self._members_key, self.owners_key, self.changes_key],
                args=[self.member, int(self._lease_s * 1000), *map(name_of, partitions)],
            )
        return frozenset(map(named, kept)), frozenset(map(named, taken))

    def leave(self) -> None:
        """Give the partitions back at once. A bus that is away is let be: the lease runs out."""
        self._stop.set()
        if self._heart.is_alive():
            self._heart.join(timeout=self._lease_s)
        try:
            with port_errors():
                self._leave(keys=[self._members_key, self.owners_key, self.changes_key], args=[self.member])
        except (BusUnavailable, BusRefused) as error:
            _log.info("left the group without telling the bus: %s", error)

    def _beat(self) -> None:
        while not self._stop.wait(self._lease_s / 4):
            if time.monotonic() - self._polled > MAX_POLL_GAP_S:
                continue
            try:
                with port_errors():
                    self._renew(keys=[self._members_key], args=[self.member, int(self._lease_s * 1000)])
            except (BusUnavailable, BusRefused) as error:
                _log.debug("lease not renewed: %s", error)
