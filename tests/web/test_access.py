"""Nothing without a login but what is named; every answer with the headers that protect it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from starlette.routing import Mount, Route

from callbacks.http.commands import model_of
from callbacks.http.shell import is_open
from incidents.commands import ACTION_OF, COMMANDS, QUERIES
from tests.web.conftest import PASSWORD, Stage, log_in

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/wall/pair"),
    ("POST", "/wall/pair/code"),
    ("POST", "/wall/pair/state"),
    ("GET", "/assets/text/zh.json"),
    ("GET", "/assets/tokens.css"),
    ("POST", "/api/v1/messages/city.reading.v1"),
    ("POST", "/api/v1/messages/city.reading.v1/dahua"),
    ("POST", "/api/v1/devices/WL-1/readings"),
    ("POST", "/api/v1/feeds/hook/records"),
}
"""The only doors without a session. POST below /api/v1 asks for a feed's token, a device's credential or a feed's
signature itself; /metrics for loopback or its token."""

DASH = (
    "/desk", "/leader", "/evaluation", "/formulas", "/wall", "/admin", "/ops", "/devices", "/_dash-layout", "/_dash-dependencies", "/_reload-hash",
    "/_dash-component-suites/dash/deps/react.js", "/_favicon.ico", "/anything/else", "/assets", "/assetsx/a",
)  # fmt: skip
FILLED = {
    "lang": "zh",
    "topic": "city.reading.v1",
    "device": "WL-1",
    "feed": "hook",
    "sha256": "0" * 64,
    "token": "x" * 43,
    "file": "loop.mp4",
    "system": "dahua",
    "layer": "land",
    "z": "1",
    "x": "1",
    "y": "1",
}


def doors(stage: Stage) -> Iterator[tuple[str, str]]:
    """(method, path) of every route of the application, and of Dash below it."""
    todo = list(stage.app.routes)
    while todo:
        route = todo.pop()
        if isinstance(route, Mount):
            continue
        if isinstance(route, Route):
            path = re.sub(r"\{(\w+)(:\w+)?\}", lambda m: FILLED[m[1]], route.path)
            for method in sorted(route.methods or ()):
                yield method, path
        else:
            # FastAPI keeps included routers as they are.
            todo += list(getattr(route, "routes", None) or route.original_router.routes)
    for path in DASH:
        yield "GET", path
    yield "POST", "/_dash-update-component"


def test_the_matrix_is_whole(stage: Stage) -> None:
    found = {path for _, path in doors(stage)}
    assert {f"/api/v1/commands/{name}" for name in COMMANDS} <= found
    assert {f"/api/v1/queries/{name}" for name in QUERIES} <= found
    assert {"/live", "/api/v1/live/snapshot", "/api/v1/photos", "/phone", "/logout", "/status"} <= found


def test_without_a_session_only_the_named_doors_open(stage: Stage) -> None:
    refused = 0
    with stage.client() as client:
        for method, path in sorted(set(doors(stage))):
            reply = client.request(method, path)
            if method == "HEAD":
                assert (("GET", path) in OPEN) == (reply.status_code < 300), (method, path)
            elif (method, path) in OPEN:
                assert reply.status_code != 302, path
                continue
            elif method == "GET" and not path.startswith(("/api/", "/live", "/tiles/", "/_", "/status")):
                assert reply.status_code == 302, (method, path, reply.status_code)
                assert reply.headers["location"].startswith("/login"), path
            else:
                assert (reply.status_code, reply.json()["code"]) == (401, "login"), (method, path)
            assert "某" not in reply.text
            refused += 1
    assert refused > 60


@pytest.mark.parametrize("cookie", ["", "x", "x" * 199, "x" * 5000, "a\x01b"])
def test_a_made_up_session_is_none(stage: Stage, cookie: str) -> None:
    raw = {"Cookie": f"chengyun_session={cookie}"}
    assert httpx.get(f"{stage.url}/api/v1/me", headers=raw).status_code in (400, 401)


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../desk",
        "/assets/..%2fdesk",
        "//login",
        "/login/",
        "/LOGIN",
        "/assets/%2e%2e/desk",
        "/healthz/",
    ],
)
def test_paths_cannot_be_bent(stage: Stage, path: str) -> None:
    import http.client

    host = stage.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", path)  # as it is: httpx would tidy it
    reply = connection.getresponse()
    assert reply.status in (302, 401, 404), reply.status
    assert b'login":"' not in reply.read()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_of_messages_is_open(method: str) -> None:
    assert not is_open("/api/v1/messages/city.reading.v1", method)
    assert not is_open("/api/v1/devices/WL-1/readings", method)


@pytest.mark.parametrize("path", ["/api/v1/devices/WL-1", "/api/v1/devices/WL-1/other", "/api/v1/devices/"])
def test_of_devices_only_readings_are_open(path: str) -> None:
    assert not is_open(path, "POST") and is_open("/api/v1/devices/WL-1/readings", "POST")


@pytest.mark.parametrize("path", ["/login", "/healthz", "/desk", "/api/v1/me", "/api/nothing"])
def test_headers(stage: Stage, path: str) -> None:
    for client in (stage.client(), stage.login("operator")):
        headers = client.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
        assert policy["connect-src"] == "'self'" and "blob:" in policy["worker-src"]
        assert "http" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "strict-transport-security" not in headers  # this server speaks plain HTTP
        assert re.fullmatch(r"[0-9a-f]{16}", headers["x-request-id"])


def test_correlation_id_goes_through(stage: Stage) -> None:
    client = stage.client()
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/healthz", headers={"X-Request-ID": "a b"}).headers["x-request-id"] != "a b"


def test_pages_know_who_asks(stage: Stage) -> None:
    assert stage.login("operator").get("/desk").json() == {"path": "desk", "login": "operator"}
    assert stage.login("auditor").get("/_dash-layout").json()["login"] == "auditor"


def test_nothing_from_elsewhere_in_openapi(stage: Stage) -> None:
    assert stage.client().get("/api/openapi.json").status_code == 401
    schema = stage.login("operator").get("/api/openapi.json").json()
    for name, kind in COMMANDS.items():
        route = schema["paths"][f"/api/v1/commands/{name}"]["post"]
        assert ACTION_OF[name] in route["description"]
        body = route["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        assert set(schema["components"]["schemas"][body]["properties"]) == set(
            model_of(kind, strict=True).model_fields
        )
    for name, kind in QUERIES.items():
        route = schema["paths"][f"/api/v1/queries/{name}"]["get"]
        assert {p["name"] for p in route.get("parameters", [])} == set(
            model_of(kind, strict=False).model_fields
        )
    for path in ("/docs", "/redoc", "/api/docs"):
        assert "swagger" not in stage.login("operator").get(path).text


def test_a_websocket_is_refused(stage: Stage) -> None:
    headers = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    }  # fmt: skip
    reply = stage.client().get("/_dash-ws", headers=headers)
    assert reply.status_code in (401, 403, 404, 426), reply.status_code


def test_every_role_and_nobody_else(stage: Stage) -> None:
    reply = log_in(stage.client(), "system", PASSWORD)
    assert reply.status_code == 401
