"""Feeds fetched over HTTP: pages, ETag and If-None-Match, an increasing "since" parameter."""

from __future__ import annotations

import hashlib
import re
import ssl
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx
import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from streams.feeds.addresses import AddressPolicy
from streams.feeds.port import (
    BadConfig,
    Batch,
    Position,
    RawRecord,
    SourceAway,
    SourceFault,
    content_identity,
    decode_json,
)

Seconds = Annotated[float, msgspec.Meta(ge=1, le=86_400)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Expression = Annotated[str, msgspec.Meta(max_length=500)]


class Paging(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the next page is asked for.

    page: `param`=first, first+1 … until a page has no records; offset: `param` grows by the records had;
    cursor: `param`=what `path` gives in the last answer, until nothing; next: `path` gives the next address;
    link: the header `Link: <…>; rel="next"`. Addresses must be of the same server.
    """

    by: Literal["page", "offset", "cursor", "next", "link"]
    param: Name = "page"
    path: Expression = ""
    first: Annotated[int, msgspec.Meta(ge=0)] = 1


class Since(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A parameter that says from where on: `start` at first, then what `path` gives in the answers (the largest)."""

    param: Name
    path: Expression
    start: str = ""


class HttpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Configuration of the kind `http`."""

    url: Annotated[str, msgspec.Meta(max_length=2000)]
    period_s: Seconds = 60.0
    records: Expression = ""
    headers: dict[Name, Annotated[str, msgspec.Meta(max_length=1000)]] = {}
    paging: Paging | None = None
    since: Since | None = None
    timeout_s: Seconds = 20.0
    max_pages: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1000
    verify_tls: bool = True


class HttpSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`token` is sent as a bearer token; `user` and `password` by basic authentication."""

    token: str = ""
    user: str = ""
    password: str = ""


MOST_SEEN: Final = 50_000
"""Records remembered as sent, so that a source that repeats its last hundred does not repeat them on the bus."""
_LINK: Final = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')
_AWAY: Final = (
    httpx.TransportError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, ssl.SSLError,
    OSError,
)  # fmt: skip


def check(config: HttpConfig, secrets: HttpSecrets) -> None:
    """What a shape cannot say. Raises BadConfig."""
    try:
        parts = urlsplit(config.url)
        port = parts.port
    except ValueError as error:
        raise BadConfig("config.url", config.url, f"must be an address: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadConfig("config.url", config.url, "must begin with http:// or https:// and name a host")
    if parts.username or parts.password:
        raise BadConfig(
            "config.url", f"{parts.scheme}://…@{parts.hostname}:{port}", "must hold no password: see secrets"
        )
    paths = {"config.records": config.records}
    if config.paging is not None:
        if config.paging.by in ("cursor", "next") and not config.paging.path:
            raise BadConfig("config.paging.path", "", f"is needed for {config.paging.by}")
        paths["config.paging.path"] = config.paging.path
    if config.since is not None:
        paths["config.since.path"] = config.since.path
    for field, text in paths.items():
        check_path(field, text)
    for name, value in config.headers.items():
        if (
            not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name)
            or not value.isascii()
            or not value.isprintable()
        ):
            raise BadConfig(
                f"config.headers.{name}", value, "must be a header's name and a printable ASCII value"
            )
        if name.lower() in ("authorization", "cookie", "proxy-authorization"):
            raise BadConfig(f"config.headers.{name}", "…", "belongs into secrets")
    if secrets.token and secrets.user:
        raise BadConfig("secrets", "token, user", "one of the two")


def check_path(field: str, text: str) -> None:
    """A JMESPath, or nothing. Raises BadConfig."""
    if text:
        try:
            jmespath.compile(text)
        except (JMESPathError, RecursionError, ValueError) as error:
            raise BadConfig(field, text, f"must be a JMESPath: {str(error).splitlines()[0]}") from None


def records_in(path: str, body: Any) -> list[Any]:
    """The records of an answer: what `path` gives; without one the list itself, or the one object.

    Raises SourceFault when the path gives no list.
    """
    found = body
    if path:
        try:
            found = jmespath.search(path, body)
        except (JMESPathError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise SourceFault(f"config.records={path!r}: fails on the answer: {error}") from None
        if found is None:
            return []
        if not isinstance(found, list):
            raise SourceFault(f"config.records={path!r}: must give a list, gives {type(found).__name__}")
    return found if isinstance(found, list) else [found]


class _Guarded(httpcore.NetworkBackend):
    """Connects to addresses that the policy allows, resolved once: the name cannot change under our hands."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """See httpcore; tries the name's addresses in order."""
        addresses = self._policy.addresses(host, port)
        for address in addresses[:-1]:
            try:
                return self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        self._stream.close()


class GuardedTransport(httpx.BaseTransport):
    """httpx over connections that the address policy has seen."""

    def __init__(self, policy: AddressPolicy, verify: bool = True) -> None:
        context = ssl.create_default_context()
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, max_connections=2, keepalive_expiry=30, network_backend=_Guarded(policy)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


class HttpSource:
    """See port.Source. A poll is all pages of one moment; the position moves when the last page is on the bus.

    Position: `etag`, `modified` and `digest` of the first page, `of` which address they are, `since`.
    """

    def __init__(
        self,
        config: HttpConfig,
        secrets: HttpSecrets,
        policy: AddressPolicy,
        max_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        self._config = config
        self._max_bytes = max_bytes
        auth = httpx.BasicAuth(secrets.user, secrets.password) if secrets.user else None
        headers = {"User-Agent": "chengyun-feed", "Accept": "application/json", **config.headers}
        if secrets.token:
            headers["Authorization"] = f"Bearer {secrets.token}"
        self._client = httpx.Client(
            transport=GuardedTransport(policy, config.verify_tls),
            headers=headers,
            auth=auth,
            timeout=config.timeout_s,
            trust_env=False,
        )
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._begin()

    def _begin(self) -> None:
        self._page = 0
        self._had = 0
        self._next = ""
        self._first: dict[str, Any] = {}
        self._since: Any = None

    def read(self, position: Position, wait_s: float) -> Batch:
        """One page. See port.Source."""
        try:
            return self._read(position)
        except (SourceAway, SourceFault):
            self._begin()  # the next attempt is a poll of its own
            raise

    def _read(self, position: Position) -> Batch:
        url, params = self._address(position)
        headers = {}
        asked = f"{url}?{sorted(params.items())}"
        if self._page == 0 and position.get("of") == asked:  # a mark belongs to the address that gave it
            headers = {
                name: str(position[key])
                for name, key in (("If-None-Match", "etag"), ("If-Modified-Since", "modified"))
                if position.get(key)
            }
        status, answered, content = self._get(url, params, headers)
        if status == 304:
            return Batch()
        digest = hashlib.sha256(content).hexdigest()
        whole = self._config.paging is None
        if self._page == 0:
            self._first = {
                "etag": answered.get("etag", ""), "modified": answered.get("last-modified", ""), "digest": digest,
                "of": asked,
            }  # fmt: skip
            if whole and digest == position.get("digest"):
                return Batch()
        body = None
        if status != 204 and content:
            try:
                body = decode_json(content)
            except ValueError as error:
                start = content[:60].decode("utf-8", "backslashreplace")
                raise SourceFault(f"{self._config.url}={start!r}: the answer {error}") from None
        found = [] if body is None else records_in(self._config.records, body)
        self._had += len(found)
        self._page += 1
        self._note_since(body)
        goes_on = self._goes_on(body, found, answered, str(url))
        if goes_on and self._page >= self._config.max_pages:
            raise SourceFault(f"config.max_pages={self._config.max_pages}: the source has more pages")
        return self._batch(found, position, goes_on)

    def _batch(self, found: list[Any], position: Position, goes_on: bool) -> Batch:
        records = [RawRecord(content_identity(body), body) for body in found]
        fresh = [r for r in records if r.identity not in self._seen]
        tag = [r.identity for r in records]
        if goes_on:
            return Batch(fresh, None, True, tag=tag)
        ends: dict[str, Any] = {k: v for k, v in self._first.items() if v}
        since = self._since if self._since is not None else position.get("since")
        if since is not None:
            ends["since"] = since
        self._begin()
        return Batch(fresh, ends, tag=tag)

    def _address(self, position: Position) -> tuple[str, dict[str, str]]:
        paging, since = self._config.paging, self._config.since
        if self._next and paging is not None and paging.by in ("next", "link"):
            return self._next, {}
        params = {}
        if since is not None and (value := position.get("since", since.start)) != "":
            params[since.param] = str(value)
        if paging is not None:
            match paging.by:
                case "page":
                    params[paging.param] = str(paging.first + self._page)
                case "offset":
                    params[paging.param] = str(self._had)
                case "cursor" if self._next:
                    params[paging.param] = self._next
        return self._config.url, params

    def _get(
        self, url: str, params: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, httpx.Headers, bytes]:
        try:
            address = httpx.URL(url)
            if params:
                address = address.copy_merge_params(params)
            with self._client.stream("GET", address, headers=headers) as answer:
                self._judge(answer)
                content = bytearray()
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > self._max_bytes:
                        raise SourceFault(
                            f"{self._config.url}: the answer is larger than {self._max_bytes} bytes"
                        )
                return answer.status_code, answer.headers, bytes(content)
        except _AWAY as error:
            raise SourceAway(f"{self._config.url}: {str(error) or type(error).__name__}") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpcore.UnsupportedProtocol, UnicodeError) as error:
            raise SourceFault(f"{self._config.url}: {error}") from None

    def _judge(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status in (200, 204, 304):
            return
        words = f"{self._config.url}: answers {status} {answer.reason_phrase}".rstrip()
        if status in (408, 425, 429) or status >= 500:
            after = answer.headers.get("retry-after", "")
            raise SourceAway(words, float(after) if after.isdecimal() and len(after) < 6 else None)
        if answer.is_redirect:
            words += f" to {answer.headers.get('location', '')[:200]!r}: give that address instead"
        raise SourceFault(words)

    def _note_since(self, body: Any) -> None:
        since = self._config.since
        if since is None or body is None:
            return
        value = _look(since.path, body, "config.since.path")
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            known = self._since
            comparable = isinstance(known, str) == isinstance(value, str)
            self._since = value if known is None or not comparable else max(known, value)

    def _goes_on(self, body: Any, found: list[Any], headers: httpx.Headers, url: str) -> bool:
        """Whether there is another page; where it is goes to `_next`."""
        paging = self._config.paging
        if paging is None:
            return False
        if paging.by in ("page", "offset"):
            return bool(found)
        if paging.by == "link":
            match = _LINK.search(headers.get("link", ""))
            after = match[1] if match else ""
        else:
            value = None if body is None else _look(paging.path, body, "config.paging.path")
            after = "" if value is None or isinstance(value, bool | list | dict) else str(value)
        if not after:
            return False
        if paging.by in ("next", "link"):
            after = urljoin(url, after)
            if urlsplit(after)[:2] != urlsplit(self._config.url)[:2]:
                raise SourceFault(f"next page={after[:200]!r}: must be on the server of {self._config.url}")
        if after == self._next:
            raise SourceFault(f"next page={after[:200]!r}: is the same again")
        self._next = after
        return True

    def done(self, batch: Batch) -> None:
        """Remember what was sent."""
        for identity in batch.tag or ():
            self._seen[identity] = None
            self._seen.move_to_end(identity)
        while len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _look(path: str, body: Any, field: str) -> Any:
    try:
        return jmespath.search(path, body)
    except (JMESPathError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise SourceFault(f"{field}={path!r}: fails on the answer: {error}") from None
