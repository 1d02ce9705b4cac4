"""Our reading of record batches gives what the client's own gives, and refuses what the client's own refuses."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords
from kafka.structs import TopicPartition

from incidents.ports import Record
from streams.kafka.decompress import decompressed
from streams.kafka.record_batches import PartitionRecords

TP = TopicPartition("city.reading.v1", 3)
NOW_MS = 1_780_000_000_000

HEADERS = st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=200)), max_size=3)
CONTENT = st.none() | st.binary(max_size=300)
RECORDS = st.lists(
    st.tuples(CONTENT, CONTENT, HEADERS, st.integers(-100_000, 100_000)), min_size=1, max_size=20
)
BATCHES = st.lists(st.tuples(RECORDS, st.sampled_from([0, 1, 2, 3, 4])), min_size=1, max_size=4)
"""0 plain, 1 gzip, 2 snappy, 3 lz4, 4 zstd."""


def fetched(batches: Any) -> bytes:
    """The batches as a broker would send them: each begins where the one before ends."""
    made, base = b"", 0
    for records, codec in batches:
        builder = DefaultRecordBatchBuilder(
            magic=2,
            compression_type=codec,
            is_transactional=0,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=-1,
            batch_size=1 << 20,
        )
        for n, (key, value, headers, delta) in enumerate(records):
            builder.append(n, NOW_MS + delta, key, value, headers)
        content = builder.build()
        content[0:8] = base.to_bytes(8, "big")  # not under the checksum: the broker writes it
        made, base = made + bytes(content), base + len(records)
    return made


def read(kind: Any, content: bytes, first: int = 0) -> tuple[list[Any], int]:
    """(records, offset to be fetched next)."""
    part = kind(first, TP, MemoryRecords(content))
    return part.take(None), part.next_fetch_offset


def as_ours(record: Any) -> Record:
    return Record(
        record.topic,
        record.partition,
        record.offset,
        (record.key or b"").decode(errors="replace"),
        record.value or b"",
        tuple((name, content or b"") for name, content in record.headers),
        record.timestamp,
    )


@given(BATCHES, st.integers(0, 5))
def test_same_as_the_clients(batches: Any, first: int) -> None:
    content = fetched(batches)
    theirs, after = read(Fetcher.PartitionRecords, content, first)
    assert read(PartitionRecords, content, first) == ([as_ours(r) for r in theirs], after)


@given(BATCHES, st.integers(1, 7))
def test_taken_in_pieces(batches: Any, size: int) -> None:
    """Wherever a poll stops, the next one goes on there."""
    content = fetched(batches)
    whole, _ = read(PartitionRecords, content)
    part = PartitionRecords(0, TP, MemoryRecords(content))
    found: list[Record] = []
    while part:
        piece = part.take(size)
        found += piece
        assert part.next_fetch_offset == len(found)
    assert found == whole


@given(BATCHES, st.data())
def test_what_is_broken_is_refused(batches: Any, data: Any) -> None:
    """Any changed byte under the checksum is refused before a record of its batch is given out."""
    content = bytearray(fetched([(records, 0) for records, _ in batches]))
    size = 12 + int.from_bytes(content[8:12], "big")
    at = data.draw(st.integers(21, size - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptRecordError, match="offset 0 fails its checksum"):
        read(PartitionRecords, bytes(content))


def test_what_was_read_is_counted_and_what_is_broken_is_over() -> None:
    """The client's turn-taking between partitions goes by the bytes read; a part that failed is not asked for ever."""
    records = [(b"key", b"value", [], n) for n in range(9)]
    content = fetched([(records, 0), (records, 3)])
    drained: list[int] = []
    part = PartitionRecords(0, TP, MemoryRecords(content), on_drain=lambda p: drained.append(p.bytes_read))
    assert len(part.take(None)) == 18 and drained == [len(content)] and not part
    broken = PartitionRecords(0, TP, MemoryRecords(content[:-1] + b"?"))
    assert len(broken.take(9)) == 9
    with pytest.raises(CorruptRecordError, match="offset 9 fails its checksum"):
        broken.take(9)
    assert not broken and broken.next_fetch_offset == 9


def test_what_is_broken_and_signed_is_refused() -> None:
    """Behind a right checksum, too, a broken batch is either read as the client reads it or refused."""
    rng = random.Random(20261126)
    records = [(b"key", b"value" * n, [("feed", b"demo")], n) for n in range(9)]
    whole = fetched([(records, 0)])
    unbroken, _ = read(PartitionRecords, whole)
    refused = 0
    for _ in range(3000):
        content = bytearray(whole)
        content[rng.randrange(61, len(content))] = rng.randrange(256)
        results = []
        for kind in (Fetcher.PartitionRecords, PartitionRecords):
            part = kind(0, TP, MemoryRecords(bytes(content)), check_crcs=False)
            found: list[Any] = []
            try:
                while part and (piece := part.take(1)):
                    found += piece
            except (CorruptRecordError, UnicodeDecodeError):
                found.append("refused")
            results.append(
                [as_ours(r) if kind is Fetcher.PartitionRecords and r != "refused" else r for r in found]
            )
        # The attributes of a record are one byte that nothing uses; the client reads it as a number of any length.
        assert results[0] == results[1] or results[1] == unbroken
        refused += "refused" in results[1]
    assert refused > 300


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_a_body_is_never_larger_than_the_limit(codec: int) -> None:
    """A megabyte of zeros is a kilobyte on the wire; what ends early is refused, not shortened."""
    encode = {1: gzip_encode, 2: snappy_encode, 3: lz4_encode, 4: zstd_encode}[codec]
    body = bytes(encode(bytes(1 << 20)))
    assert decompressed(codec, memoryview(body), 1 << 20) == bytes(1 << 20)
    with pytest.raises(ValueError, match="more than 1048575 bytes"):
        decompressed(codec, memoryview(body), (1 << 20) - 1)
    content = fetched([([(b"key", b"value" * 99, [], n) for n in range(9)], codec)])
    size = len(content)
    cut = bytearray(content[: size - 5])
    cut[8:12] = (len(cut) - 12).to_bytes(4, "big")
    with pytest.raises(CorruptRecordError, match="a batch at offset 0"):
        PartitionRecords(0, TP, MemoryRecords(bytes(cut)), check_crcs=False).take(None)


def test_blocks_without_javas_header_and_codecs_nobody_has() -> None:
    assert decompressed(2, memoryview(snappy_encode(b"value" * 9, xerial_compatible=False))) == b"value" * 9
    with pytest.raises(ValueError, match="codec 5"):
        decompressed(5, memoryview(b"value"))
