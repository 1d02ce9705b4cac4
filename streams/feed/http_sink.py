"""Sending over HTTP: `POST /api/v1/messages/{topic}`, as any outside client does."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Sequence
from itertools import groupby
from urllib.parse import urlsplit

from incidents.ports import BusRefused, BusUnavailable, Outgoing
from streams.feed.sending import FeedRefused

_REFUSED_ONE = (400, 413, 415, 422)
_HOPELESS = (401, 403, 404, 405)


class HttpSink:
    """Puts messages on the bus through the product's own HTTP door. Not safe for several threads.

    A message that the door refuses for what it is (400, 413, 415, 422) is told to the sender there and then:
    it is counted in `refused` and not sent again. A wrong token or address (401, 403, 404, 405) raises
    FeedRefused; any other answer than 202 raises BusUnavailable or BusRefused.
    """

    def __init__(
        self, url: str, token: str, timeout_s: float = 30.0, context: ssl.SSLContext | None = None
    ) -> None:
        """`url` is the product's root, such as http://127.0.0.1:8050. Raises ValueError for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"--url {url!r}: must be http(s)://host[:port]")
        self._path = parts.path.rstrip("/")
        self._token = token
        host, port = parts.hostname, parts.port
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=timeout_s)
        )
        self.refused = 0

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Post all `messages`, runs of one topic as one array; an array that is refused, one by one."""
        for topic, run in groupby(messages, key=lambda m: m.topic):
            values = [m.value for m in run]
            if len(values) > 1 and self._post(topic, b"[" + b",".join(values) + b"]"):
                continue
            for value in values:
                if not self._post(topic, value):
                    self.refused += 1

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _post(self, topic: str, body: bytes) -> bool:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/cloudevents-batch+json"
            if body.startswith(b"[")
            else "application/cloudevents+json",
        }
        try:
            self._connection.request("POST", f"{self._path}/api/v1/messages/{topic}", body, headers)
            answer = self._connection.getresponse()
            text = answer.read()[:500].decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise BusUnavailable(f"POST {topic}: {error!r}") from error
        if answer.status == 202:
            return True
        if answer.status in _REFUSED_ONE:
            return False
        if answer.status in _HOPELESS:
            raise FeedRefused(f"POST {topic}: {answer.status} {text}")
        if answer.status >= 500:
            raise BusUnavailable(f"POST {topic}: {answer.status} {text}")
        raise BusRefused(f"POST {topic}: {answer.status} {text}")
