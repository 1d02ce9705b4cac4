"""Asking for a camera's picture, being allowed, viewing it by a link that ends: over HTTP, as a browser does it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import httpx
import pytest

from data.cameras import ALARM_SYSTEMS, NOTHING
from data.sessions import token_hash
from streams import topics
from streams.adapters.alarm import QUIET_KIND
from streams.adapters.table import ADAPTERS
from tests.web.conftest import FEED_TOKEN, VILLAGE, Stage
from tests.web.test_messages import on_the_bus

CODE = "99010100001320000077"


def command(client: httpx.Client, what: str, /, **fields: Any) -> httpx.Response:
    return client.post(f"/api/v1/commands/{what}", json=fields)


@pytest.fixture
def camera(stage: Stage) -> str:
    """A camera of the village that shows the sample loop."""
    with closing(stage.login("administrator-city")) as admin:
        answer = command(
            admin, "save_camera", code=CODE, name="桥头", lon=113.89, lat=21.9, share_range="government",
            hls_url="sample:loop", webrtc_url="https://media.example/whep/1",
        )  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.json()["area"].startswith(VILLAGE)
    return CODE


def approved(stage: Stage, minutes: int = 30) -> tuple[httpx.Client, str]:
    """(who asked, the link) of an approved request."""
    client = stage.login("operator")
    number = command(client, "request_view", camera=CODE, reason="核实").json()["request"]
    with closing(stage.login("duty-leader")) as leader:
        waiting = leader.get("/api/v1/queries/view_requests", params={"state": "asked"}).json()["rows"]
        assert number in [row["id"] for row in waiting]
        assert (
            command(leader, "answer_view", request=number, approve=True, minutes=minutes).status_code == 200
        )
    opened = command(client, "open_view", request=number)
    assert opened.status_code == 200, opened.text
    return client, opened.json()["link"]


def seen(stage: Stage) -> list[tuple[str, bool]]:
    return stage.db.query("SELECT actor, allowed FROM audit WHERE action = 'camera.view' ORDER BY id")


def test_the_loop_is_played_by_the_link(stage: Stage, camera: str) -> None:
    """Addresses, playlist, byte ranges of the film, and the page; each opening is in the audit log."""
    client, link = approved(stage)
    before = len(seen(stage))
    where = client.get(link).json()
    assert where["camera"] == camera and where["webrtc"] == "https://media.example/whep/1"
    playlist = client.get(where["hls"])
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    size, start = re.findall(r"BYTERANGE:(\d+)@(\d+)", playlist.text)[0]
    part = client.get(f"{link}loop.mp4", headers={"Range": f"bytes={start}-{int(start) + int(size) - 1}"})
    assert part.status_code == 206 and len(part.content) == int(size) and b"moof" in part.content[:80]
    whole = client.get(where["mp4"])
    assert whole.content[4:8] == b"ftyp" and whole.headers["cache-control"] == "no-store"
    page = client.get(link.replace("/api/v1", "", 1))
    assert f'src="{where["hls"]}"' in page.text and "某operator" in page.text and "<script" not in page.text
    assert "media-src 'self'" in page.headers["content-security-policy"]
    assert seen(stage)[before:] == [("operator", True)] * 2
    client.close()


def test_a_link_is_its_askers_and_ends(stage: Stage, camera: str) -> None:
    """Another account's hands, a wrong token, the end of the approval, a share range that is narrowed: nothing there."""
    client, link = approved(stage, minutes=10)
    with closing(stage.login("operator-city")) as other:
        assert other.get(link).status_code == 404
    assert seen(stage)[-1] == ("operator-city", False)
    assert stage.client().get(link).status_code == 401
    assert client.get("/api/v1/video/no-such-token/").status_code == 404
    assert "cameras of the demo" not in client.get(f"{link}..%2f__init__.py").text
    assert client.get(f"{link}make_loop.py").status_code == 404
    with closing(stage.login("administrator-city")) as admin:
        fields = {"code": CODE, "name": "桥头", "lon": 113.89, "lat": 21.9, "hls_url": "sample:loop"}
        assert command(admin, "save_camera", **fields, share_range="").status_code == 200
        assert client.get(link).status_code == 404
        assert command(admin, "save_camera", **fields, share_range="government").status_code == 200
    assert client.get(link).status_code == 200
    stage.clock.ahead = timedelta(minutes=11)
    assert client.get(link).status_code == 404
    assert client.get(f"{link}loop.mp4").status_code == 404
    client.close()


def test_a_new_link_ends_the_former(stage: Stage, camera: str) -> None:
    client, link = approved(stage)
    number = stage.db.query("SELECT max(id) FROM view_requests")[0][0]
    newer = command(client, "open_view", request=number).json()["link"]
    assert newer != link
    assert (client.get(link).status_code, client.get(newer).status_code) == (404, 200)
    client.close()


def test_outside_of_the_share_range_over_http(stage: Stage, camera: str) -> None:
    with closing(stage.login("administrator-city")) as admin:
        command(
            admin, "save_camera", code=CODE, name="桥头", lon=113.89, lat=21.9, share_range="public_security"
        )
    with closing(stage.login("operator")) as client:
        refused = command(client, "request_view", camera=CODE, reason="看看")
        assert refused.status_code == 403 and "public_security" in refused.text
    rows = stage.db.query(
        "SELECT actor, allowed FROM audit WHERE action = 'camera.ask' ORDER BY id DESC LIMIT 1"
    )
    assert rows == [("operator", False)]


# -- alarms in other makers' words ---------------------------------------------------------------------------

TOKEN = "token of the cameras' feed"


@pytest.fixture
def alarms(stage: Stage) -> Iterator[Callable[..., httpx.Response]]:
    """POST a payload of a video system with its feed's token."""
    stage.db.query(
        "INSERT INTO feeds (id, name, topics, token_hash) VALUES ('cams', '视频', %s, %s) ON CONFLICT DO NOTHING",
        ([topics.VIDEO_ALARM], token_hash(TOKEN)),
    )
    with stage.client() as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"

        def post(system: str, payload: str, **params: str) -> httpx.Response:
            url = f"/api/v1/messages/{topics.VIDEO_ALARM}/{system}"
            return client.post(url, content=payload.encode(), params=params)

        yield post


def test_a_foreign_alarm_goes_to_the_bus(stage: Stage, alarms: Callable[..., httpx.Response]) -> None:
    """Its channel is mapped, its kind is the city's own line; then the bus has our message under the camera's key."""
    with closing(stage.login("administrator-city")) as admin:
        assert command(admin, "save_camera_channel", feed="cams", channel="7", camera=CODE).status_code == 200
        stage.db.query(
            "INSERT INTO camera_alarm_kinds VALUES ('own', '本市', '', '', 2) ON CONFLICT DO NOTHING"
        )
        mapped = command(admin, "save_alarm_map", source="dahua", code="VideoMotion", kind="own")
        assert mapped.status_code == 200, mapped.text
    answer = alarms("dahua", "Code=VideoMotion;action=Start;index=7")
    assert answer.status_code == 202 and answer.json()["accepted"] == 1, answer.text
    where = answer.json()["positions"][0]
    key, told, headers = on_the_bus(stage, topics.VIDEO_ALARM)[where["partition"], where["offset"]]
    assert (key, told["data"]["kind"], told["data"]["algorithm"]) == (CODE, "own", "dahua:VideoMotion")
    assert told["source"] == "urn:feed:cams" and headers["feed"] == b"cams"
    with closing(stage.login("administrator-city")) as admin:
        command(admin, "save_alarm_map", source="dahua", code="VideoMotion", kind="")
    assert stage.db.query("SELECT count(*) FROM camera_alarm_maps") == [(0,)]


def test_a_foreign_heartbeat_is_quiet(alarms: Callable[..., httpx.Response]) -> None:
    answer = alarms("dahua", "Heartbeat")
    assert (answer.status_code, answer.json()) == (202, {"accepted": 0, "quiet": "heartbeat"})


@pytest.mark.parametrize(
    ("system", "payload", "code", "field"),
    [
        ("dahua", "Code=VideoMotion;action=Start;index=99", "unknown_camera", "Index"),
        ("dahua", '{"alarmType": 4711, "channelId": "7"}', "unknown_type", "alarmType"),
        ("hikvision", "<a/>", "invalid", "root"),
        ("acme", "x", "unknown_system", "system"),
    ],
)
def test_foreign_refusals(
    stage: Stage, alarms: Callable[..., httpx.Response], system: str, payload: str, code: str, field: str
) -> None:
    answer = alarms(system, payload)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, code, field)
    letters = [v for _, v, h in on_the_bus(stage, topics.VIDEO_ALARM).values() if h["feed"] == b"cams"]
    told = [v["data"] for v in letters if v["data"].get("raw") == payload]
    assert told and told[-1]["mapping_error"]["field"] == field
    assert told[-1]["mapping_error"]["rule"].startswith(f"{code}: ")


def test_a_snapshot_may_come_along_and_what_is_too_large_is_not_kept(
    stage: Stage, alarms: Callable[..., httpx.Response]
) -> None:
    """The door lets 1 MB through to the adapter; over the limits nothing is kept."""
    alert = "<EventNotificationAlert><eventType>heartBeat</eventType></EventNotificationAlert>"
    picture = "\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n" + "x" * 1024 * 1024
    assert alarms("hikvision", "--b\r\n\r\n" + alert + picture).status_code == 202
    before = len(on_the_bus(stage, topics.VIDEO_ALARM))
    assert alarms("hikvision", "--b\r\n\r\n" + alert + picture * 8).status_code == 413
    assert alarms("hikvision", "<a>" + "x" * 300_000).json()["code"] == "too_large"
    assert len(on_the_bus(stage, topics.VIDEO_ALARM)) == before


def test_only_the_feed_of_cameras_may(stage: Stage, alarms: Callable[..., httpx.Response]) -> None:
    url = f"/api/v1/messages/{topics.VIDEO_ALARM}/dahua"
    with stage.client() as client:
        assert client.post(url, content=b"Heartbeat").status_code == 401
        client.headers["Authorization"] = f"Bearer {FEED_TOKEN}"
        assert client.post(url, content=b"Heartbeat").status_code == 403
        assert (
            client.post(f"/api/v1/messages/{topics.READING}/dahua", content=b"Heartbeat").status_code == 404
        )


@pytest.mark.parametrize(
    ("name", "fields", "field"),
    [
        ("save_alarm_map", {"source": "acme", "code": "1", "kind": "own"}, "source"),
        ("save_alarm_map", {"source": "dahua", "code": "1", "kind": "ufo"}, "kind"),
        ("save_alarm_map", {"source": "dahua", "code": "", "kind": "-"}, "code"),
        ("save_camera_channel", {"feed": "nobody", "channel": "1", "camera": CODE}, "feed"),
        ("save_camera_channel", {"feed": "sensors", "channel": "1", "camera": "12"}, "camera"),
    ],
)
def test_mapping_refusals(stage: Stage, name: str, fields: dict[str, str], field: str) -> None:
    with closing(stage.login("administrator-city")) as admin:
        answer = command(admin, name, **fields)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_the_systems_are_those_that_have_an_adapter() -> None:
    assert set(ALARM_SYSTEMS) == set(ADAPTERS) and NOTHING == QUIET_KIND
