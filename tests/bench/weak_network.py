"""A weak network between a phone and the product: an HTTP proxy of our own, seeded, in a thread.

Every request waits a round trip, all share one rate in each direction, and a share of the requests is cut: half of these
before the server has them whole, half after it has answered. `dark()` is an outage as a phone meets it: nothing is
refused, nothing arrives; `light()` ends it, and connections of before are dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

ROUND_TRIP_S: Final = 0.4
BYTES_PER_S: Final = 400_000 / 8
CUT: Final = 0.3
_PIECE: Final = 2048
_STREAM_S: Final = 5.0
"""How long a live stream that is to be cut goes on before it is: it has no end after which it could be."""


@dataclass(slots=True)
class _Rate:
    """One direction of the link: whoever sends waits for its turn."""

    free_at: float = 0.0
    sent: int = 0

    async def take(self, size: int) -> None:
        """Wait until these bytes are through."""
        now = asyncio.get_running_loop().time()
        self.free_at = max(now, self.free_at) + size / BYTES_PER_S
        self.sent += size
        await asyncio.sleep(self.free_at - now)


@dataclass(slots=True)
class WeakNetwork:
    """Use as a context manager; `url` is where the phone finds the product."""

    port: int
    """Of the product's web process."""
    seed: int = 1
    cutting: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    up: _Rate = field(default_factory=_Rate)
    down: _Rate = field(default_factory=_Rate)
    _own: int = 0
    _dark: bool = False
    _tasks: dict[asyncio.Task[Any], asyncio.StreamWriter] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _random: random.Random = field(default_factory=random.Random)

    @property
    def url(self) -> str:
        """Address for the phone."""
        return f"http://127.0.0.1:{self._own}"

    def __enter__(self) -> WeakNetwork:
        self._random.seed(self.seed)
        self._thread = threading.Thread(target=self._loop.run_forever, name="weak-network", daemon=True)
        self._thread.start()
        server = self._do(asyncio.start_server(self._connection, "127.0.0.1", 0))
        self._own = server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._drop_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(10)

    def dark(self) -> None:
        """From now on nothing arrives."""
        self._dark = True

    def light(self) -> None:
        """The network is back; what was open before is dead."""
        self._do(self._drop_all())
        self._dark = False

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _drop_all(self) -> None:
        for task, writer in list(self._tasks.items()):
            writer.transport.abort()
            task.cancel()

    async def _lit(self) -> None:
        """Returns at once, or never while it is dark: `light` cancels whoever waits here."""
        if self._dark:
            await asyncio.Event().wait()

    # -- one connection of the phone -------------------------------------------------------------------------

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = writer
        try:
            await self._lit()
            await asyncio.sleep(ROUND_TRIP_S)  # the handshake is a round trip too
            while await self._request(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            del self._tasks[task]
            writer.transport.abort()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Carry one request and its answer; False when the connection is to end."""
        head = await reader.readuntil(b"\r\n\r\n")
        await self._lit()
        lines = head.decode("latin-1").split("\r\n")
        fields = [line.partition(":") for line in lines[1:] if line]
        length = next((int(value) for name, _, value in fields if name.lower() == "content-length"), 0)
        self.counts["requests"] += 1
        fate = self._fate()
        body = b""
        wanted = length // 2 if fate == "before" else length
        while len(body) < wanted:
            await self._lit()
            piece = await reader.read(min(_PIECE, wanted - len(body)))
            if not piece:
                return False
            await self.up.take(len(piece))
            body += piece
        await asyncio.sleep(ROUND_TRIP_S / 2)
        await self._lit()
        if fate == "before":
            self.counts["cut_before"] += 1
            return False
        onward = [
            lines[0],
            *(line for line in lines[1:] if line and not line.lower().startswith("connection:")),
        ]
        request = "\r\n".join([*onward, "Connection: close", "", ""]).encode("latin-1") + body
        return await self._answer(request, writer, lines[0], fate)

    def _fate(self) -> str:
        """ "" or where this request is cut; the same sequence for the same seed."""
        drawn = self._random.random()
        if not self.cutting or drawn >= CUT:
            return ""
        return "before" if drawn < CUT / 2 else "after"

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter, first: str, fate: str) -> bool:
        source, sink = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            sink.write(request)
            await sink.drain()
            head = await source.readuntil(b"\r\n\r\n")
            kept = [
                line for line in head.split(b"\r\n") if line and not line.lower().startswith(b"connection:")
            ]
            stream = b"text/event-stream" in head
            if fate == "after" and not stream:
                while await source.read(65536):  # the server has answered in full
                    pass
                self.counts["cut_after"] += 1
                return False
            await asyncio.sleep(ROUND_TRIP_S / 2)
            await self._send(writer, b"\r\n".join(kept) + b"\r\n\r\n")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STREAM_S if fate == "after" else None):
                    while piece := await source.read(_PIECE):
                        await self._send(writer, piece)
            if fate == "after":
                self.counts["cut_stream"] += 1
            return not stream and not fate
        finally:
            sink.transport.abort()

    async def _send(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        await self._lit()
        await self.down.take(len(piece))
        await self._lit()
        writer.write(piece)
        await writer.drain()
