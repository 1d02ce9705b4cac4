"""Many protocol clients of the live stream in one process of their own: `python -m tests.bench.stream_clients CONFIG`.

CONFIG (JSON): {"host", "port", "clients": [{"cookie", "from", "account", "slow"}], "snapshots": {account: file}}.
Prints `connected`, then waits for lines on stdin: `mark` (what came before is not measured), `pause` and `resume` (slow
clients stop and go on reading), `finish FILE` (FILE: {"born": {incident key: ms}, "snapshots": {account: file}} — the
states to end with). The last line of stdout is the result as JSON. Nothing of the product is imported: frames are taken
apart and applied here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import orjson


class Client(asyncio.Protocol):
    """One connection; everything that arrives is kept with the moment it came."""

    def __init__(self, spec: dict[str, Any], host: str) -> None:
        self.spec, self.host = spec, host
        self.parts: list[tuple[float, bytes]] = []
        self.transport: asyncio.Transport | None = None
        self.lost = False
        self.answered = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        request = (
            f"GET /live?from={self.spec['from']} HTTP/1.1\r\nHost: {self.host}\r\nAccept: text/event-stream\r\n"
            f"Cookie: {self.spec['cookie']}\r\n\r\n"
        )
        transport.write(request.encode())

    def data_received(self, data: bytes) -> None:
        # A copy: what asyncio hands over is the shrunk rest of a quarter of a megabyte, a memory mapping of its own each
        # time, of which a process may have 65,530.
        self.parts.append((time.time(), bytes(memoryview(data))))
        if not self.answered.done():
            self.answered.set_result(data.split(b"\r\n", 1)[0])

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if not self.answered.done():
            self.answered.set_result(b"closed")


def frames(parts: list[tuple[float, bytes]]) -> list[tuple[float, str, bytes]]:
    """(moment its last byte came, event, data) of a chunked answer."""
    found: list[tuple[float, str, bytes]] = []
    buffer, body, headers = b"", b"", True
    for at, data in parts:
        buffer += data
        if headers:
            if b"\r\n\r\n" not in buffer:
                continue
            buffer, headers = buffer.split(b"\r\n\r\n", 1)[1], False
        while b"\r\n" in buffer:
            size, rest = buffer.split(b"\r\n", 1)
            length = int(size, 16)
            if len(rest) < length + 2:
                break
            body += rest[:length]
            buffer = rest[length + 2 :]
        while b"\n\n" in body:
            frame, body = body.split(b"\n\n", 1)
            event = data_ = b""
            for line in frame.split(b"\n"):
                if line.startswith(b"event: "):
                    event = line[7:]
                elif line.startswith(b"data: "):
                    data_ = line[6:]
            found.append((at, event.decode(), data_))
    return found


def digest(items: dict[str, dict[str, Any]]) -> str:
    """Of a state, kinds without items left out."""
    kept = {kind: dict(sorted(found.items())) for kind, found in sorted(items.items()) if found}
    return hashlib.sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).hexdigest()


def replayed(start: dict[str, Any], came: list[tuple[float, str, bytes]]) -> tuple[dict[str, Any], int, bool]:
    """(items, n, whether every delta followed on the one before)."""
    items = {kind: dict(found) for kind, found in start["items"].items()}
    n, whole = start["n"], True
    for _, event, data in came:
        if event != "delta":
            whole = whole and event != "reset"
            continue
        delta = orjson.loads(data)
        if delta["n"] <= n:
            continue
        whole = whole and delta["epoch"] == start["epoch"] and delta["prev"] <= n
        for item in delta["set"]:
            items.setdefault(item["kind"], {})[item["key"]] = item
        for kind, key in delta["del"]:
            items.get(kind, {}).pop(key, None)
        n = delta["n"]
    return items, n, whole


def delays(
    came: list[tuple[float, str, bytes]], since: float, until: float, born: dict[str, float]
) -> list[float]:
    """Milliseconds from an event (a device's own time, an incident's report) to the arrival of its frame."""
    found = []
    for at, event, data in came:
        if event != "delta" or not since <= at:
            continue
        for item in orjson.loads(data)["set"]:
            begun = None
            if item["kind"] == "device" and item["status"] != "silent":
                begun = item["t"]
            elif item["kind"] == "incident" and item["stage"] == "reported":
                begun = born.pop(item["key"], None)
            if begun is not None and since * 1000 <= begun <= until * 1000:
                found.append(at * 1000 - begun)
    return found


async def _line() -> str:
    line: str = await asyncio.to_thread(sys.stdin.readline)
    return line.strip()


async def serve(config: dict[str, Any]) -> dict[str, Any]:
    """Connect everybody, obey stdin, give the result."""
    loop = asyncio.get_running_loop()
    host = f"{config['host']}:{config['port']}"
    clients = []
    for spec in config["clients"]:
        made = Client(spec, host)
        await loop.create_connection(lambda one=made: one, config["host"], config["port"])  # type: ignore[misc]
        clients.append(made)
        if len(clients) % 50 == 0:
            await asyncio.gather(*(c.answered for c in clients[-50:]))
    answers = await asyncio.gather(*(c.answered for c in clients))
    refused = [a for a in answers if b" 200 " not in a]
    print("connected" if not refused else f"refused {refused[0]!r}", flush=True)
    since = until = time.time()
    while not (line := await _line()).startswith("finish"):
        if line == "mark":
            since = time.time()
        for client in clients:
            if client.spec["slow"] and client.transport is not None:
                if line == "pause":
                    client.transport.pause_reading()
                elif line == "resume":
                    client.transport.resume_reading()
        if line == "resume":
            until = time.time()
        print("done", flush=True)
    told = json.loads(Path(line.split(" ", 1)[1]).read_text())
    ends = {account: json.loads(Path(file).read_text()) for account, file in told["snapshots"].items()}
    starts = {account: json.loads(Path(file).read_text()) for account, file in config["snapshots"].items()}
    wanted = {account: digest(end["items"]) for account, end in ends.items()}
    result: dict[str, Any] = {
        "delays": [],
        "frames": 0,
        "bytes": 0,
        "wrong": 0,
        "broken": 0,
        "behind": 0,
        "cut": 0,
    }
    for client in clients:
        account = client.spec["account"]
        came = frames(client.parts)
        items, n, whole = replayed(starts[account], came)
        result["cut"] += client.lost
        result["broken"] += not whole
        result["behind"] += n < ends[account]["n"]
        result["wrong"] += digest(items) != wanted[account]
        measured = [f for f in came if f[1] == "delta" and since <= f[0] <= until]
        result["frames"] += len(measured)
        result["bytes"] += sum(len(f[2]) for f in measured)
        if not client.spec["slow"]:
            result["delays"] += delays(came, since, until, dict(told["born"]))
    return result


def main() -> None:
    """See the module's text."""
    config = json.loads(Path(sys.argv[1]).read_text())
    result = asyncio.run(serve(config))
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
