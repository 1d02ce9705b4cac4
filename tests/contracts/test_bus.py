"""What every bus must do, run over Redis Streams and over Kafka.

Redis is the server that the product ships with, started by the tests. Kafka is the one that TEST_KAFKA names
(`deploy/bare` starts it); the test that kills the broker starts another one for itself.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from incidents.ports import (
    Bus,
    BusInspector,
    BusRefused,
    BusUnavailable,
    Outgoing,
    Position,
    Producer,
    Reader,
    Record,
    TopicPartition,
)
from streams.bus import open_bus
from tests.contracts.bus_servers import KafkaServer, RedisServer, Server, free_port
from tests.services import not_run

TRANSPORTS = ("redis-streams", "kafka")
PARTITIONS = 4
ROOT = Path(__file__).resolve().parents[2]

Start = Callable[[frozenset[TopicPartition]], Mapping[TopicPartition, int]]


def nothing(_new: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
    """A store that knows no positions."""
    return {}


@pytest.fixture(scope="module", params=TRANSPORTS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "kafka":
        if not os.environ.get("TEST_KAFKA"):
            not_run("Kafka (TEST_KAFKA unset)")
        yield "kafka://" + os.environ["TEST_KAFKA"]
        return
    server = RedisServer(tmp_path_factory.mktemp("bus"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="module")
def bus(url: str) -> Bus:
    return open_bus(url, PARTITIONS)


@pytest.fixture(scope="module")
def producer(bus: Bus) -> Iterator[Producer]:
    made = bus.producer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def inspector(bus: Bus) -> Iterator[BusInspector]:
    made = bus.inspector()
    yield made
    made.close()


@pytest.fixture
def topic(inspector: BusInspector) -> str:
    name = f"test.{uuid.uuid4().hex}"
    inspector.ensure_topics({name: PARTITIONS})
    return name


@pytest.fixture
def join(bus: Bus, topic: str) -> Iterator[Callable[..., Reader]]:
    """Makes readers of the topic that are closed at the end."""
    made: list[Reader] = []

    def make(group: str = "g", start: Start = nothing) -> Reader:
        made.append(bus.reader(f"{group}.{topic}", [topic], start))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


def numbered(topic: str, count: int, keys: int = 40, first: int = 0) -> list[Outgoing]:
    """Messages whose value is their number, over `keys` keys."""
    return [Outgoing(topic, f"key-{n % keys}", str(n).encode()) for n in range(first, first + count)]


def read(reader: Reader, count: int, max_records: int = 500, seconds: float = 20) -> list[Record]:
    """Exactly `count` records, or a failure."""
    found: list[Record] = []
    deadline = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} records after {seconds} s"
        batch = reader.poll(max_records, 0.5)
        assert len(batch) <= max_records
        found += batch
    assert len(found) == count, f"{len(found)} records, wanted {count}"
    return found


def places(records: Sequence[Record]) -> list[Position]:
    return [Position(r.topic, r.partition, r.offset) for r in records]


def ends(records: Sequence[Record]) -> dict[TopicPartition, int]:
    """Next-to-read offsets after `records`."""
    found: dict[TopicPartition, int] = {}
    for r in records:
        found[TopicPartition(r.topic, r.partition)] = r.offset + 1
    return found


def assert_dense(records: Sequence[Record]) -> None:
    """In every partition the offsets are 0, 1, 2 … in the order read."""
    offsets: dict[int, list[int]] = defaultdict(list)
    for r in records:
        offsets[r.partition].append(r.offset)
    for partition, found in offsets.items():
        assert found == list(range(len(found))), f"partition {partition}"


def test_order_dense_offsets_and_positions(
    producer: Producer, inspector: BusInspector, topic: str, join: Callable[..., Reader]
) -> None:
    sent = numbered(topic, 2500)
    positions = [p for n in range(0, 2500, 700) for p in producer.publish(sent[n : n + 700])]
    records = read(join(), 2500, max_records=333)
    assert_dense(records)
    assert len({r.partition for r in records}) == PARTITIONS
    by_key: dict[str, list[int]] = defaultdict(list)
    for r in records:
        by_key[r.key].append(int(r.value))
    assert by_key == {f"key-{k}": list(range(k, 2500, 40)) for k in range(40)}
    assert {(r.partition, r.offset): r.value for r in records} == {
        (p.partition, p.offset): m.value for p, m in zip(positions, sent, strict=True)
    }
    assert sum(end - first for first, end in inspector.ranges(topic).values()) == 2500


def test_a_key_keeps_its_partition_in_another_process(producer: Producer, url: str, topic: str) -> None:
    (here,) = producer.publish([Outgoing(topic, "设备-1", b"")])
    program = (
        "import sys; from streams.bus import open_bus; from incidents.ports import Outgoing\n"
        f"p = open_bus(sys.argv[1], {PARTITIONS}).producer()\n"
        "print(p.publish([Outgoing(sys.argv[2], '设备-1', b'')])[0].partition); p.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, url, topic], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == here.partition


def test_content_comes_back_as_sent(producer: Producer, topic: str, join: Callable[..., Reader]) -> None:
    everything = bytes(range(256))
    sent = [
        Outgoing(topic, "桥梁-倾角-07 🌉", "水位超限".encode(), (("correlationid", b"abc"), ("空", b""))),
        Outgoing(topic, "k", everything, (("raw", everything), ("raw", b"again"))),
        Outgoing(topic, "", b""),
        Outgoing(topic, "a:b\n\x00c", b"\r\n"),
    ]
    before = int(time.time() * 1000)
    producer.publish(sent)
    after = int(time.time() * 1000)
    records = read(join(), 4)
    assert {(r.key, r.value, r.headers) for r in records} == {(m.key, m.value, m.headers) for m in sent}
    assert all(before - 1 <= r.timestamp_ms <= after + 1 for r in records)


def test_nothing_to_publish(producer: Producer) -> None:
    assert producer.publish([]) == []


def test_a_megabyte_passes(producer: Producer, topic: str, join: Callable[..., Reader]) -> None:
    value = random.Random(7).randbytes(1024 * 1024)
    producer.publish([Outgoing(topic, f"k{n}", value[n:]) for n in range(6)])
    assert {r.value for r in read(join(), 6)} == {value[n:] for n in range(6)}


def test_too_large_is_refused_with_size_and_limit(
    producer: Producer, inspector: BusInspector, topic: str
) -> None:
    huge = Outgoing(topic, "k", b"x" * (12 * 1024 * 1024))
    with pytest.raises(BusRefused, match=r"12582913 bytes.*limit is 11534336 bytes"):
        producer.publish([Outgoing(topic, "k", b"small"), huge])
    assert set(inspector.ranges(topic).values()) == {(0, 0)}, "a refused batch left something behind"


def test_new_topics_appear_on_first_use(bus: Bus, producer: Producer, inspector: BusInspector) -> None:
    name = f"test.{uuid.uuid4().hex}"
    assert inspector.ranges(name) == {}
    assert inspector.committed("anyone", name) == {}
    reader = bus.reader(f"g.{name}", [name], nothing)
    try:
        assert reader.poll(10, 0.1) == []
        producer.publish([Outgoing(name, "k", b"v")])
        assert read(reader, 1)[0].value == b"v"
        assert len(inspector.ranges(name)) == PARTITIONS
    finally:
        reader.close()


def test_ensure_topics_leaves_existing_ones_alone(
    bus: Bus, producer: Producer, inspector: BusInspector, topic: str
) -> None:
    producer.publish(numbered(topic, 10))
    fresh = bus.inspector()
    fresh.ensure_topics({topic: PARTITIONS + 3})
    assert len(fresh.ranges(topic)) == PARTITIONS
    assert sum(end for _, end in fresh.ranges(topic).values()) == 10
    fresh.close()
    with pytest.raises(BusRefused, match="name"):
        inspector.ensure_topics({"no such name!": 1})


def test_a_group_goes_on_where_it_committed(
    producer: Producer, join: Callable[..., Reader], topic: str
) -> None:
    producer.publish(numbered(topic, 1000))
    first = join()
    done: list[Record] = []
    while len(done) < 300:
        done += first.poll(100, 5)
    first.commit(ends(done))
    first.poll(100, 5)  # read, but not committed: comes again
    first.close()
    rest = read(join(), 1000 - len(done))
    assert sorted(places(done + rest), key=lambda p: (p.partition, p.offset)) == [
        Position(topic, p, o) for p, o in sorted({(r.partition, r.offset) for r in done + rest})
    ]
    assert {int(r.value) for r in done + rest} == set(range(1000))


def test_another_group_reads_everything_too(
    producer: Producer, join: Callable[..., Reader], topic: str
) -> None:
    producer.publish(numbered(topic, 50))
    for group in ("one", "two"):
        reader = join(group)
        records = read(reader, 50)
        reader.commit(ends(records))
        assert {int(r.value) for r in records} == set(range(50))


def test_start_positions_win_over_committed(
    producer: Producer, join: Callable[..., Reader], topic: str
) -> None:
    producer.publish(numbered(topic, 400))
    first = join()
    records = read(first, 400)
    committed = ends(records)
    first.commit(committed)
    first.close()
    partitions = sorted(committed, key=lambda p: p.partition)
    asked: list[frozenset[TopicPartition]] = []

    def start(new: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        asked.append(new)
        return {p: at for p, at in {partitions[0]: 5, partitions[1]: 0}.items() if p in new}

    second = join(start=start)
    again = read(second, (committed[partitions[0]] - 5) + committed[partitions[1]])
    assert frozenset().union(*asked) == frozenset(partitions) == second.assignment()
    assert min(r.offset for r in again if r.partition == 0) == 5
    assert min(r.offset for r in again if r.partition == 1) == 0
    assert {r.partition for r in again} == {0, 1}, "the other two start at what was committed"
    assert second.poll(100, 0.3) == []


def test_a_store_that_is_away_is_asked_again(
    producer: Producer, join: Callable[..., Reader], topic: str
) -> None:
    producer.publish(numbered(topic, 100))
    asked: list[frozenset[TopicPartition]] = []

    def start(new: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        asked.append(new)
        if len(asked) < 3:
            raise ConnectionError("the store is away")
        return dict.fromkeys(new, 1)

    reader = join(start=start)
    failures = 0
    records: list[Record] = []
    deadline = time.monotonic() + 20
    while len(records) < 100 - PARTITIONS:
        assert time.monotonic() < deadline
        try:
            records += reader.poll(100, 0.5)
        except ConnectionError:
            failures += 1
    assert failures == 2
    assert min(r.offset for r in records) == 1
    assert len(records) == 100 - PARTITIONS


def test_a_position_beyond_the_end_is_refused(
    producer: Producer, join: Callable[..., Reader], topic: str
) -> None:
    producer.publish(numbered(topic, 40))
    reader = join(start=lambda new: dict.fromkeys(new, 1000))
    deadline = time.monotonic() + 20
    with pytest.raises(BusRefused, match="position 1000 lies beyond the end"):
        while time.monotonic() < deadline:
            assert reader.poll(100, 0.5) == []


def test_seek(producer: Producer, join: Callable[..., Reader], topic: str) -> None:
    producer.publish(numbered(topic, 400))
    reader = join()
    records = read(reader, 400)
    target = TopicPartition(topic, 2)
    end = ends(records)[target]
    reader.seek(target, end - 7)
    assert [r.offset for r in read(reader, 7)] == list(range(end - 7, end))
    reader.seek(target, 0)
    assert len(reader.poll(3, 5)) == 3
    reader.seek(target, 0)  # what was fetched ahead must not come now
    assert [r.offset for r in read(reader, end)] == list(range(end))
    with pytest.raises(ValueError, match="not assigned"):
        reader.seek(TopicPartition("test.other", 0), 0)


def test_pause_and_resume(producer: Producer, join: Callable[..., Reader], topic: str) -> None:
    reader = join()
    records = read_after(reader, producer, numbered(topic, 200))
    stopped = frozenset({TopicPartition(topic, 0), TopicPartition(topic, 3)})
    reader.pause(stopped | {TopicPartition("test.other", 0)})
    positions = producer.publish(numbered(topic, 400, first=200))
    running = [p for p in positions if TopicPartition(topic, p.partition) not in stopped]
    assert 0 < len(running) < 400
    got = read(reader, len(running))
    assert set(places(got)) == set(running)
    assert reader.poll(1000, 0.3) == []
    assert reader.assignment() >= stopped
    reader.resume(stopped)
    got += read(reader, 400 - len(running))
    assert_dense(records + got)


def read_after(reader: Reader, producer: Producer, messages: list[Outgoing]) -> list[Record]:
    producer.publish(messages)
    return read(reader, len(messages))


def settle(readers: Sequence[Reader], shares: Sequence[int], seconds: float = 20) -> list[Record]:
    """Poll until each owns its share of the partitions, none shared; returns what came meanwhile.

    It must hold for several rounds: with Kafka a member sees its part of a new share-out when it polls next.
    """
    found: list[Record] = []
    rounds = 0
    deadline = time.monotonic() + seconds
    while True:
        for reader in readers:
            found += reader.poll(500, 0.1)
        owned = [reader.assignment() for reader in readers]
        if sorted(map(len, owned)) == sorted(shares) and len(frozenset().union(*owned)) == sum(shares):
            rounds += 1
        else:
            rounds = 0
        if rounds == 4:
            return found
        assert time.monotonic() < deadline, f"shares {[len(o) for o in owned]}, wanted {shares}"


def test_members_share_and_take_over(producer: Producer, join: Callable[..., Reader], topic: str) -> None:
    one, two = join(), join()
    settle([one], [PARTITIONS])
    settle([one, two], [2, 2])
    positions = producer.publish(numbered(topic, 400))
    halves = [
        read(reader, sum(TopicPartition(topic, p.partition) in reader.assignment() for p in positions))
        for reader in (one, two)
    ]
    assert all(halves)
    for reader, half in zip((one, two), halves, strict=True):
        reader.commit(ends(half))
    more = numbered(topic, 400, first=400)
    producer.publish(more)
    one.poll(50, 5)  # handed out, never committed: the other one must get it
    began = time.monotonic()
    one.close()
    rest = settle([two], [PARTITIONS])
    took = time.monotonic() - began
    rest += read(two, 400 - len(rest))
    assert took < 5
    assert {int(r.value) for r in rest} == set(range(400, 800))
    assert len(set(places(halves[0] + halves[1] + rest))) == 800
    one.close()  # idempotent


def test_a_third_member_gets_its_share(join: Callable[..., Reader]) -> None:
    readers = [join(), join(), join()]
    settle(readers, [2, 1, 1])


def test_polls_that_do_not_wait_settle_too(
    producer: Producer, join: Callable[..., Reader], topic: str
) -> None:
    producer.publish(numbered(topic, 400))
    readers = [join(), join()]
    got: list[Record] = []
    deadline = time.monotonic() + 20
    while len({int(r.value) for r in got}) < 400 or [len(r.assignment()) for r in readers] != [2, 2]:
        for reader in readers:
            got += reader.poll(50, 0)
        assert time.monotonic() < deadline, f"{len(got)} records, {[r.assignment() for r in readers]}"


def test_a_killed_member_loses_its_partitions(
    producer: Producer, join: Callable[..., Reader], url: str, topic: str
) -> None:
    reader = join()
    settle([reader], [PARTITIONS])
    with subprocess.Popen(
        [sys.executable, "-m", "tests.contracts.bus_servers", url, f"g.{topic}", topic],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as member:
        try:
            settle([reader], [2])
            assert member.stdout is not None
            while member.stdout.readline().strip() != "2":
                assert member.poll() is None
        finally:
            member.kill()
    began = time.monotonic()
    producer.publish(numbered(topic, 400))
    got = settle([reader], [PARTITIONS])
    took = time.monotonic() - began
    got += read(reader, 400 - len(got))
    assert {int(r.value) for r in got} == set(range(400))
    assert took < (5 if url.startswith("redis") else 10), f"{took:.1f} s"


def test_a_commit_for_a_partition_of_another_member_is_left_out(
    producer: Producer, inspector: BusInspector, join: Callable[..., Reader], topic: str
) -> None:
    producer.publish(numbered(topic, 400))
    one = join()
    records = read(one, 400)
    two = join()
    settle([one, two], [2, 2])
    lost = two.assignment()
    one.commit(ends(records))
    committed = inspector.committed(f"g.{topic}", topic)
    assert set(committed) == {p for p in ends(records) if p not in lost}


def test_committed_and_ranges(
    producer: Producer, inspector: BusInspector, join: Callable[..., Reader], topic: str
) -> None:
    assert inspector.ranges(topic) == {TopicPartition(topic, p): (0, 0) for p in range(PARTITIONS)}
    producer.publish(numbered(topic, 400))
    reader = join()
    records = read(reader, 400)
    assert inspector.ranges(topic) == {p: (0, end) for p, end in ends(records).items()}
    group = f"g.{topic}"
    assert inspector.committed(group, topic) == {}
    reader.commit({TopicPartition(topic, 1): 0, TopicPartition(topic, 2): 7})
    assert inspector.committed(group, topic) == {TopicPartition(topic, 1): 0, TopicPartition(topic, 2): 7}
    reader.commit(ends(records))
    assert inspector.committed(group, topic) == ends(records)
    reader.commit({TopicPartition(topic, 1): 3})
    assert inspector.committed(group, topic)[TopicPartition(topic, 1)] == 3
    assert inspector.committed("nobody", topic) == {}


def test_offsets_at(
    producer: Producer, inspector: BusInspector, join: Callable[..., Reader], topic: str
) -> None:
    sent, count, begin = 0, 0, time.monotonic()  # a quick machine appends sixty batches in a few moments
    while sent < 60 or time.monotonic() - begin < 0.1:
        count += len(producer.publish(numbered(topic, 1 + sent % 9, keys=7, first=sent * 10)))
        sent += 1
    records = read(join(), count)
    times: dict[TopicPartition, list[int]] = defaultdict(list)
    for r in records:
        times[TopicPartition(topic, r.partition)].append(r.timestamp_ms)
    assert len({t for ts in times.values() for t in ts}) > 20
    for partition, appended in times.items():
        assert appended == sorted(appended)
        wanted = sorted({t + d for t in appended for d in (-1, 0, 1)})
        wanted = [0, *random.Random(1).sample(wanted, min(25, len(wanted))), appended[-1] + 100_000]
        expected = [next((o for o, t in enumerate(appended) if t >= w), len(appended)) for w in wanted]
        assert inspector.offsets_at(partition, wanted) == expected
    assert inspector.offsets_at(TopicPartition(topic, 0), []) == []


def test_offsets_at_of_an_empty_partition(inspector: BusInspector, topic: str) -> None:
    assert inspector.offsets_at(TopicPartition(topic, 0), [0, 10**12]) == [0, 0]


def test_usage_is_what_the_messages_take(producer: Producer, inspector: BusInspector, topic: str) -> None:
    before = inspector.usage()
    dice = random.Random(2)
    for n in range(40):
        producer.publish([Outgoing(topic, f"k{n}-{i}", dice.randbytes(10_000)) for i in range(10)])
    after = inspector.usage()
    assert 3_900_000 < after.used - before.used < 12_000_000
    assert after.capacity is None or after.capacity > after.used


def test_publishing_from_several_threads(producer: Producer, join: Callable[..., Reader], topic: str) -> None:
    positions: list[Position] = []

    def work(thread: int) -> None:
        for n in range(20):
            batch = [Outgoing(topic, f"t{thread}", f"{thread}:{n}:{i}".encode()) for i in range(10)]
            positions.extend(producer.publish(batch))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = read(join(), 1000)
    assert_dense(records)
    assert set(places(records)) == set(positions)
    for sender in range(5):
        mine = [r.value.decode() for r in records if r.key == f"t{sender}"]
        assert mine == [f"{sender}:{n}:{i}" for n in range(20) for i in range(10)]


def test_a_record_is_handed_out_at_once(producer: Producer, join: Callable[..., Reader], topic: str) -> None:
    reader = join()
    settle([reader], [PARTITIONS])
    delays: list[float] = []
    for n in range(30):
        sent: list[float] = []

        def send(n: int = n, sent: list[float] = sent) -> None:
            sent.append(time.perf_counter())
            producer.publish([Outgoing(topic, f"k{n}", b"x")])

        sender = threading.Timer(0.01, send)
        sender.start()
        read(reader, 1)
        delays.append(time.perf_counter() - sent[0])
        sender.join()
    assert statistics.median(delays) < 0.05, f"median {statistics.median(delays) * 1000:.1f} ms"


@pytest.mark.parametrize("scheme", ["redis", "kafka"])
def test_a_bus_that_is_away(scheme: str) -> None:
    before = set(threading.enumerate())
    away = open_bus(f"{scheme}://127.0.0.1:{free_port()}")
    made, reader, inspector = away.producer(), away.reader("g", ["test.t"], nothing), away.inspector()
    attempts: list[Callable[[], object]] = [
        lambda: made.publish([Outgoing("test.t", "k", b"v")]),
        lambda: reader.poll(1, 0.1),
        lambda: inspector.ranges("test.t"),
    ]
    with ThreadPoolExecutor(len(attempts)) as pool:
        outcomes = [future.exception() for future in [pool.submit(attempt) for attempt in attempts]]
    assert [type(outcome) for outcome in outcomes] == [BusUnavailable] * 3
    assert reader.assignment() == frozenset()
    for opened in (made, reader, inspector):
        opened.close()
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert left == [], "threads left behind"


@pytest.mark.parametrize("address", ["", "redis", "http://h:1", "amqp://u:geheim@h", "kafka://u:geheim@h:1"])
def test_an_address_that_cannot_be_used(address: str) -> None:
    with pytest.raises(ValueError, match="bus address") as caught:
        open_bus(address)
    assert "geheim" not in str(caught.value)


@pytest.fixture(params=TRANSPORTS)
def mortal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of one's own, to be killed."""
    server: Server = RedisServer(tmp_path / "bus")
    if request.param == "kafka":
        if not os.environ.get("TEST_KAFKA"):
            not_run("Kafka (TEST_KAFKA unset)")
        server = KafkaServer(tmp_path / "bus")
    server.start()
    yield server
    server.stop()


def test_the_broker_is_killed_while_publishing_and_reading(mortal: Server, tmp_path: Path) -> None:
    """Everything acknowledged is read exactly once, at the position acknowledged; offsets stay dense."""
    seed = int(os.environ.get("BUS_KILL_SEED", str(random.SystemRandom().randrange(10**6))))
    kills = int(os.environ.get("BUS_KILLS", "1"))
    rng = random.Random(seed)
    topic = "test.kill"
    bus = open_bus(mortal.url, PARTITIONS)
    acknowledged: dict[tuple[int, int], bytes] = {}
    unavailable = 0
    enough = threading.Event()

    def publish() -> None:
        nonlocal unavailable
        producer = bus.producer()
        number = 0
        while not enough.is_set():
            batch = numbered(topic, 200, first=number)
            number += 200
            try:
                for message, at in zip(batch, producer.publish(batch), strict=True):
                    assert (at.partition, at.offset) not in acknowledged
                    acknowledged[at.partition, at.offset] = message.value
            except BusUnavailable:
                unavailable += 1
                enough.wait(0.05)
        producer.close()

    store: dict[TopicPartition, int] = {}
    starts: list[frozenset[TopicPartition]] = []

    def start(new: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        starts.append(new)
        return {p: store[p] for p in new if p in store}

    reader = bus.reader("g", [topic], start)
    records: list[Record] = []

    def poll(seconds: float) -> int:
        try:
            batch = reader.poll(1000, seconds)
            for r in batch:
                assert r.offset == store.get(TopicPartition(topic, r.partition), 0), "skipped or repeated"
                store[TopicPartition(topic, r.partition)] = r.offset + 1
            records.extend(batch)
            if batch:
                reader.commit(ends(batch))
            return len(batch)
        except BusUnavailable:
            enough.wait(0.05)
            return 0

    thread = threading.Thread(target=publish)
    thread.start()
    recovery: list[float] = []
    try:
        for _ in range(kills):
            goal = len(records) + rng.randrange(2_000, 12_000)
            deadline = time.monotonic() + 60
            while len(records) < goal:
                poll(0.5)
                assert time.monotonic() < deadline
            mortal.kill()
            killed_at = len(records)
            starting = threading.Thread(target=mortal.start)
            starting.start()
            while starting.is_alive():
                poll(0.2)
            starting.join()
            began = time.monotonic()
            while len(records) <= killed_at + 4000:  # more than could have been fetched ahead
                poll(0.5)
                assert time.monotonic() < began + 40, f"seed {seed}: the reader did not come back"
            recovery.append(time.monotonic() - began)
    finally:
        enough.set()
        thread.join()
    inspector = bus.inspector()
    total = sum(end for _, end in inspector.ranges(topic).values())
    deadline = time.monotonic() + 30
    while len(records) < total:
        poll(0.5)
        assert time.monotonic() < deadline
    reader.close()
    inspector.close()
    print(json.dumps({"seed": seed, "recovery_s": recovery, "unavailable": unavailable, "total": total}))
    assert_dense(records)
    found = {(r.partition, r.offset): r.value for r in records}
    assert len(found) == len(records) == total
    lost = {at for at, value in acknowledged.items() if found.get(at) != value}
    assert not lost, f"seed {seed}: {len(lost)} acknowledged messages lost or changed"
    assert len(acknowledged) > 2000
