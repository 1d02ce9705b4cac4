"""The body of a record batch in each of Kafka's four codecs, never larger than a limit.

Feeds choose their producers' codec, and the broker hands on what it got. The client's own way has no limit: a megabyte on
the wire may become a gigabyte here.
"""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Final

import cramjam
import lz4.frame  # type: ignore[import-untyped,unused-ignore]
import zstandard

LIMIT: Final = 64 * 1024 * 1024
"""Bytes of a body. A broker takes batches of 1 MiB unless told otherwise; ours compress to a quarter."""

_BROKEN: Final = (
    OSError, EOFError, zlib.error, cramjam.DecompressionError, RuntimeError, zstandard.ZstdError, ValueError,
)  # fmt: skip
"""What the libraries raise for broken content (lz4: RuntimeError)."""

_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = 16
"""Java's snappy puts a header of so many bytes and the length of each block around the blocks."""


def decompressed(codec: int, body: memoryview, limit: int = LIMIT) -> bytes:
    """The body's records. Raises ValueError for a codec that Kafka does not have, broken content and too much of it."""
    try:
        content = _content(codec, body, limit)
    except _BROKEN as error:
        raise ValueError(f"codec {codec}: {error!r}") from None
    if len(content) > limit:
        raise ValueError(f"codec {codec}: more than {limit} bytes")
    return content


def _content(codec: int, body: memoryview, limit: int) -> bytes:
    """At most one byte more than the limit."""
    match codec:
        case 0:
            return bytes(body)
        case 1:
            return gzip.GzipFile(fileobj=io.BytesIO(body)).read(limit + 1)
        case 2:
            return _snappy(bytes(body), limit)
        case 3:
            reader = lz4.frame.LZ4FrameDecompressor()
            content: bytes = reader.decompress(body, limit + 1)
            if not reader.eof and len(content) <= limit:
                raise ValueError("ends early")
            return content
        case 4:
            return zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read(limit + 1)
    raise ValueError("unknown")


def _snappy(body: bytes, limit: int) -> bytes:
    if not body.startswith(_XERIAL):
        return _block(body, limit)
    content, at = bytearray(), _XERIAL_HEADER
    while at < len(body):
        end = at + 4 + int.from_bytes(body[at : at + 4], "big")
        content += _block(body[at + 4 : end], limit)
        if len(content) > limit:
            break
        at = end
    return bytes(content)


def _block(block: bytes, limit: int) -> bytes:
    """A block says first how long its content is: nothing is made room for before that is looked at."""
    if cramjam.snappy.decompress_raw_len(block) > limit:
        raise ValueError(f"more than {limit} bytes")
    return bytes(cramjam.snappy.decompress_raw(block))
