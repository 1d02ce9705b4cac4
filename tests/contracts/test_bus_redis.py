"""What only the Redis transport has to do: live within a memory limit, trim, and outlive a server's restart."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import redis

from incidents.ports import BusRefused, BusUnavailable, Outgoing, Record, TopicPartition
from streams.redis_streams import inspector as housekeeping
from streams.redis_streams.bus import RedisStreamsBus
from streams.redis_streams.reader import RedisReader
from tests.contracts.bus_servers import RedisServer

TOPIC = "test.t"
ONLY = TopicPartition(TOPIC, 0)


def nothing(_new: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
    return {}


def filled(bus: RedisStreamsBus, count: int, size: int = 100, first: int = 0) -> None:
    """`count` messages on the topic, of `size` bytes beginning with their number."""
    producer = bus.producer()
    for n in range(first, first + count, 500):
        numbers = range(n, min(n + 500, first + count))
        producer.publish([Outgoing(TOPIC, "k", str(i).encode().ljust(size)) for i in numbers])
    producer.close()


def read_all(reader: RedisReader, count: int) -> list[Record]:
    records: list[Record] = []
    deadline = time.monotonic() + 30
    while len(records) < count:
        assert time.monotonic() < deadline
        records += reader.poll(5000, 0.5)
    return records


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path / "bus")
    made.start()
    yield made
    made.stop()


def test_at_its_memory_limit_it_refuses_and_keeps_everything_and_recovers(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "bus", maxmemory="24mb")
    server.start()
    try:
        bus = RedisStreamsBus(server.url, 1)
        producer, inspector = bus.producer(), bus.inspector()
        accepted = 0
        with pytest.raises(BusRefused, match="memory limit.*nothing it holds was dropped"):
            while True:
                messages = [
                    Outgoing(TOPIC, "k", str(i).encode().ljust(1000)) for i in range(accepted, accepted + 100)
                ]
                accepted += len(producer.publish(messages))
        assert accepted > 10_000
        assert inspector.ranges(TOPIC) == {ONLY: (0, accepted)}, "a refused chunk left something behind"
        # A group that joins only now, at the limit, can still read, hold its lease and commit.
        reader = bus.reader("g", [TOPIC], nothing)
        records = read_all(reader, accepted)
        assert [int(r.value) for r in records] == list(range(accepted))
        assert inspector.trim(TOPIC) == 0, "trimmed what its group has not committed"
        reader.commit({ONLY: accepted - 500})
        assert inspector.committed("g", TOPIC) == {ONLY: accepted - 500}
        inspector.trim(TOPIC)
        first, end = inspector.ranges(TOPIC)[ONLY]
        assert accepted - 700 < first <= accepted - 500
        assert end == accepted
        producer.publish([Outgoing(TOPIC, "k", b"again")])
        assert read_all(reader, 1)[0].offset == accepted
        for opened in (reader, producer, inspector):
            opened.close()
    finally:
        server.stop()


def test_commits_trim_by_themselves(tmp_path: Path) -> None:
    """Twice the memory limit passes through while its reader keeps up, with nobody calling `trim`."""
    server = RedisServer(tmp_path / "bus", maxmemory="16mb")
    server.start()
    try:
        bus = RedisStreamsBus(server.url, 1)
        producer, reader = bus.producer(), bus.reader("g", [TOPIC], nothing)
        sent = read = refused = 0
        deadline = time.monotonic() + 60
        while read < 32_000:
            assert time.monotonic() < deadline, f"stuck after {read}, refused {refused} times"
            try:
                batch = [Outgoing(TOPIC, "k", str(i).encode().ljust(1000)) for i in range(sent, sent + 500)]
                sent += len(producer.publish(batch))
            except BusRefused:
                refused += 1
            for r in reader.poll(2000, 0.01):
                assert (r.offset, int(r.value)) == (read, read)
                read += 1
            reader.commit({ONLY: read})
        reader.close()
        producer.close()
    finally:
        server.stop()


def test_trim_waits_for_every_group_and_keeps_the_last_hour(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = RedisStreamsBus(server.url, 1)
    inspector = bus.inspector()
    filled(bus, 1000)
    quick, slow = bus.reader("quick", [TOPIC], nothing), bus.reader("slow", [TOPIC], nothing)
    read_all(quick, 1000)
    read_all(slow, 1000)
    quick.commit({ONLY: 1000})
    assert inspector.trim(TOPIC) == 0, "a group that has committed nothing was passed over"
    slow.commit({ONLY: 600})
    assert inspector.trim(TOPIC) == 0, "messages of the last hour went"
    monkeypatch.setattr(housekeeping, "KEEP_MESSAGES", 700)
    inspector.trim(TOPIC)
    first, _ = inspector.ranges(TOPIC)[ONLY]
    assert 100 < first <= 300, "700 of the last hour must stay (whole blocks of entries go)"
    monkeypatch.setattr(housekeeping, "KEEP_MESSAGES", 0)
    inspector.trim(TOPIC)
    first, end = inspector.ranges(TOPIC)[ONLY]
    assert 400 < first <= 600
    assert end == 1000
    assert inspector.offsets_at(ONLY, [0, 2**53]) == [first, 1000]
    # A position that is gone: reading goes on at the first one that is left.
    behind = bus.reader("behind", [TOPIC], lambda new: dict.fromkeys(new, 3))
    assert read_all(behind, 1000 - first)[0].offset == first
    behind.close()
    slow.close()
    inspector.forget_group("behind", TOPIC)
    inspector.forget_group("slow", TOPIC)
    inspector.trim(TOPIC)
    assert inspector.ranges(TOPIC)[ONLY][0] > 900
    quick.close()
    inspector.close()


def test_a_topic_without_groups_is_kept(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = RedisStreamsBus(server.url, 1)
    inspector = bus.inspector()
    filled(bus, 1000)
    monkeypatch.setattr(housekeeping, "KEEP_MESSAGES", 0)
    assert inspector.trim(TOPIC) == 0
    inspector.close()


def test_a_restart_moves_no_partitions(server: RedisServer) -> None:
    """Away for longer than a lease: the members keep what they own, and are not told to start anew."""
    bus = RedisStreamsBus(server.url, 4)
    starts: list[frozenset[TopicPartition]] = []

    def start(new: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        starts.append(new)
        return {}

    readers = [bus.reader("g", [TOPIC], start) for _ in range(2)]
    deadline = time.monotonic() + 20
    while [len(r.assignment()) for r in readers] != [2, 2]:
        for reader in readers:
            reader.poll(10, 0.05)
        assert time.monotonic() < deadline
    owned, started = [r.assignment() for r in readers], len(starts)
    server.kill()
    for reader in readers:
        with pytest.raises(BusUnavailable):
            reader.poll(10, 1)
    time.sleep(3.5)  # the wait is the point: every lease runs out
    server.start()
    until = time.monotonic() + 3
    while time.monotonic() < until:
        for reader in readers:
            reader.poll(10, 0.05)
            assert [r.assignment() for r in readers] == owned
    assert len(starts) == started
    for reader in readers:
        reader.close()


def test_a_slow_flush_does_not_lose_the_lease(server: RedisServer) -> None:
    bus = RedisStreamsBus(server.url, 4)
    busy, eager = bus.reader("g", [TOPIC], nothing), bus.reader("g", [TOPIC], nothing)
    deadline = time.monotonic() + 20
    while [len(r.assignment()) for r in (busy, eager)] != [2, 2]:
        for reader in (busy, eager):
            reader.poll(10, 0.05)
        assert time.monotonic() < deadline
    until = time.monotonic() + 5
    while time.monotonic() < until:  # `busy` does not poll for longer than a lease
        eager.poll(10, 0.2)
        assert len(eager.assignment()) == 2
    busy.close()
    eager.close()


def test_scripts_the_server_has_forgotten(server: RedisServer) -> None:
    bus = RedisStreamsBus(server.url, 2)
    producer = bus.producer()
    producer.publish([Outgoing(TOPIC, f"k{n}", b"1") for n in range(10)])
    redis.Redis.from_url(server.url).script_flush()
    positions = producer.publish([Outgoing(TOPIC, f"k{n}", b"2") for n in range(10)])
    assert {p.partition for p in positions} == {0, 1}
    producer.close()


def test_a_wiped_server_is_noticed(server: RedisServer) -> None:
    """The log is gone, the store's position is not: reading on would skip what comes now."""
    bus = RedisStreamsBus(server.url, 1)
    filled(bus, 100)
    store: dict[TopicPartition, int] = {}
    reader = bus.reader("g", [TOPIC], lambda new: store)
    read_all(reader, 100)
    store[ONLY] = 100
    server.kill()
    (server.folder / "appendonly.aof").unlink()
    with pytest.raises(BusUnavailable):
        reader.poll(1, 0.1)
    server.start()
    with pytest.raises(BusRefused, match="position 100 lies beyond the end 0"):
        reader.poll(1, 0.1)
    reader.close()
