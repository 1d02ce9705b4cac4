"""Reads the record batches of kafka-python 3.0.12 (the pinned version) in one loop, straight into our own records.

The client makes three objects of each record in some thirty calls; that was a third of the time of ingest. Only format 2 is
read (brokers have written no other since 2017), and everything that is not a control batch: ours is a reader of
uncommitted records. Format: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from kafka.consumer.fetcher import Fetcher  # type: ignore[import-untyped,unused-ignore]
from kafka.errors import CorruptRecordError  # type: ignore[import-untyped,unused-ignore]
from kafka.record.util import decode_varint  # type: ignore[import-untyped,unused-ignore]

from incidents.ports import Header, Record
from streams.kafka.decompress import decompressed


class PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc,unused-ignore]
    """What a fetch brought of one partition, as `Record`s."""

    def _unpack_records(
        self, tp: Any, records: Any, key_deserializer: Any, value_deserializer: Any
    ) -> Iterator[Record]:
        """See the client's method of this name: `next_fetch_offset` follows each record that is given out."""
        name = f"{tp.topic}:{tp.partition}"
        try:
            while (batch := _next_batch(records, name)) is not None:
                if batch.magic != 2:
                    raise CorruptRecordError(f"{name}: a batch of the old format {batch.magic}")
                if self.check_crcs and not batch.validate_crc():
                    raise CorruptRecordError(
                        f"{name}: the batch at offset {batch.base_offset} fails its checksum"
                    )
                self.leader_epoch = batch.leader_epoch
                self.bytes_read += batch.size_in_bytes  # what was read of goes behind the other partitions
                if not batch.is_control_batch:
                    for record in read_batch(batch, tp.topic, tp.partition):
                        self.next_fetch_offset = record.offset + 1
                        yield record
                # The last offset of a batch stands even when its last records were compacted away.
                self.next_fetch_offset = batch.next_offset
        except Exception:
            self.drain()  # it gives nothing any more: what is broken is fetched, and told, again
            raise
        self.drain()


def _next_batch(records: Any, name: str) -> Any:
    """The client takes a broken frame of a batch for a fault of the program."""
    try:
        return records.next_batch()
    except (struct.error, AssertionError) as error:
        raise CorruptRecordError(f"{name}: the frame of a batch: {error!r}") from None


def read_batch(batch: Any, topic: str, partition: int) -> Iterator[Record]:
    """Records of a `DefaultRecordBatch` whose checksum was looked at. Raises CorruptRecordError."""
    first_ms, newest_ms, base = batch.first_timestamp, batch.max_timestamp, batch.base_offset
    try:
        data = decompressed(batch.compression_type, memoryview(batch._buffer)[batch._pos :])
    except ValueError as error:
        raise CorruptRecordError(f"{topic}:{partition}: a batch at offset {base}: {error}") from None
    by_broker = batch.timestamp_type == batch.LOG_APPEND_TIME
    pos, varint = 0, decode_varint
    try:
        for _ in range(batch.records_count):
            # Numbers of one or two bytes, which nearly all are, are read in place: the call costs more than the work.
            if (low := data[pos]) < 128:
                length, pos = (low >> 1) ^ -(low & 1), pos + 1
            elif (high := data[pos + 1]) < 128:
                length, pos = ((low & 127 | high << 7) >> 1) ^ -(low & 1), pos + 2
            else:
                length, pos = varint(data, pos)
            end = pos + length
            pos += 1  # attributes: none are in use
            if (low := data[pos]) < 128:
                delta, pos = (low >> 1) ^ -(low & 1), pos + 1
            elif (high := data[pos + 1]) < 128:
                delta, pos = ((low & 127 | high << 7) >> 1) ^ -(low & 1), pos + 2
            else:
                delta, pos = varint(data, pos)
            if (low := data[pos]) < 128:
                offset, pos = (low >> 1) ^ -(low & 1), pos + 1
            elif (high := data[pos + 1]) < 128:
                offset, pos = ((low & 127 | high << 7) >> 1) ^ -(low & 1), pos + 2
            else:
                offset, pos = varint(data, pos)
            if (low := data[pos]) < 128:
                size, pos = (low >> 1) ^ -(low & 1), pos + 1
            else:
                size, pos = varint(data, pos)
            key = ""
            if size > 0:
                key = data[pos : pos + size].decode(errors="replace")
                pos += size
            if (low := data[pos]) < 128:
                size, pos = (low >> 1) ^ -(low & 1), pos + 1
            elif (high := data[pos + 1]) < 128:
                size, pos = ((low & 127 | high << 7) >> 1) ^ -(low & 1), pos + 2
            else:
                size, pos = varint(data, pos)
            value = b""
            if size > 0:
                value = data[pos : pos + size]
                pos += size
            if data[pos]:
                headers, pos = _headers(data, pos)
            else:
                headers = ()
                pos += 1
            if pos != end or end > len(data):
                raise CorruptRecordError(
                    f"{topic}:{partition}: the record at offset {base + offset} is {length} bytes long,"
                    f" its parts {pos - end + length}"
                )
            yield Record(
                topic,
                partition,
                base + offset,
                key,
                value,
                headers,
                newest_ms if by_broker else first_ms + delta,
            )
    except (IndexError, ValueError) as error:
        raise CorruptRecordError(f"{topic}:{partition}: a batch at offset {base}: {error!r}") from None
    if pos != len(data):
        raise CorruptRecordError(
            f"{topic}:{partition}: a batch at offset {base}: {len(data) - pos} bytes after its last record"
        )


def _headers(data: bytes, pos: int) -> tuple[tuple[Header, ...], int]:
    count, pos = decode_varint(data, pos)
    if count < 0:
        raise ValueError(f"{count} headers")
    headers: list[Header] = []
    for _ in range(count):
        size, pos = decode_varint(data, pos)
        if size < 0:
            raise ValueError("a header without a name")
        name = data[pos : pos + size].decode()
        pos += size
        size, pos = decode_varint(data, pos)
        headers.append((name, data[pos : pos + size] if size > 0 else b""))
        pos += max(0, size)
    return tuple(headers), pos


def read_batches_quickly(consumer: Any) -> None:
    """Make a new KafkaConsumer give `Record`s out of `poll`."""
    consumer._fetcher.PartitionRecords = PartitionRecords
