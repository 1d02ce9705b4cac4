"""How logs, topics and groups are laid out in Redis.

`chengyun:bus:topics`            hash: topic → number of partitions
`chengyun:bus:{topic:p}:log`     stream: one entry per message; entry id `<offset + 1>-0`, so offsets are dense
`chengyun:bus:{topic:p}:head`    hash: n = end offset, t = append time of the newest message (ms)
`chengyun:bus:{group topics}:members|owners|changes`   who reads, who owns what, and a stream that wakes readers

An entry has the fields k (key, UTF-8), v (value), h (headers, MessagePack, empty when none), t (append time by
the server's clock in ms, never less than that of the entry before). A group's cursor is the stream's own consumer
group: last delivered id `<next offset>-0`; `0-0` = nothing committed yet; `0-1` = offset 0 committed.
Redis Cluster is not supported: a blocking read spans several logs.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import msgspec

from incidents.ports import Header, Record, TopicPartition

TOPICS: Final = "chengyun:bus:topics"

_encode_headers: Final = msgspec.msgpack.Encoder().encode
_decode_headers: Final = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode


def log_key(partition: TopicPartition) -> str:
    """Key of the stream of a partition."""
    return f"chengyun:bus:{{{partition.topic}:{partition.partition}}}:log"


def head_key(partition: TopicPartition) -> str:
    """Key of the end offset and newest append time of a partition."""
    return f"chengyun:bus:{{{partition.topic}:{partition.partition}}}:head"


def group_key(group: str, topics: tuple[str, ...], part: str) -> str:
    """Key of one part (members, owners, changes) of a group's book-keeping on a set of topics."""
    return f"chengyun:bus:{{{group} {','.join(sorted(topics))}}}:{part}"


def name_of(partition: TopicPartition) -> str:
    """`topic:p`, the name of a partition inside the owners' hash."""
    return f"{partition.topic}:{partition.partition}"


def named(name: bytes) -> TopicPartition:
    """The partition of which `name_of` gave the name."""
    topic, _, number = name.decode().rpartition(":")
    return TopicPartition(topic, int(number))


def partition_of(key: bytes, partitions: int) -> int:
    """The partition to which a key belongs: CRC-32 of the key modulo the number of partitions; it never changes."""
    return zlib.crc32(key) % partitions


def cursor_id(offset: int) -> str:
    """Stream id before which everything is read when `offset` is the next one to read, as a commit stores it."""
    return f"{offset}-0" if offset > 0 else "0-1"


def committed_offset(cursor: bytes) -> int | None:
    """The next offset that a group's cursor stands for; None when it has committed nothing."""
    milliseconds, _, sequence = cursor.partition(b"-")
    if milliseconds == b"0":
        return 0 if sequence == b"1" else None
    return int(milliseconds)


def headers_field(headers: tuple[Header, ...]) -> bytes:
    """The field h of an entry."""
    return _encode_headers(headers) if headers else b""


def record_of(partition: TopicPartition, entry: Any) -> Record:
    """The record that a raw stream entry `[id, [name, content, …]]` holds."""
    entry_id, fields = entry
    content = dict(zip(fields[::2], fields[1::2], strict=True))
    packed = content[b"h"]
    return Record(
        topic=partition.topic,
        partition=partition.partition,
        offset=int(entry_id.partition(b"-")[0]) - 1,
        key=content[b"k"].decode(),
        value=content[b"v"],
        headers=_decode_headers(packed) if packed else (),
        timestamp_ms=int(content[b"t"]),
    )


def size_of_entry(entry: Any) -> int:
    """Bytes of the contents of a raw stream entry."""
    return sum(map(len, entry[1]))
