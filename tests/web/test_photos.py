"""Photos: real pictures only, made anew, stripped, and shown to those who may see what carries them."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import httpx
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from callbacks.http.picture import LONG_SIDE, MAX_PIXELS, BadPicture, remake
from tests.web.conftest import Stage


def picture(kind: str = "JPEG", size: tuple[int, int] = (320, 200), **save: object) -> bytes:
    image = Image.linear_gradient("L").resize(size).convert("RGBA" if kind != "JPEG" else "RGB")
    out = io.BytesIO()
    image.save(out, kind, **save)  # type: ignore[arg-type]
    return out.getvalue()


def with_exif() -> bytes:
    exif = Image.Exif()
    exif[Base.Model] = "Phone 7\x00"
    exif[Base.Orientation] = 6
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2026:11:20 10:11:12"
    gps = exif.get_ifd(IFD.GPSInfo)
    gps[GPS.GPSLatitudeRef], gps[GPS.GPSLatitude] = "N", (21.0, 54.0, 36.0)
    gps[GPS.GPSLongitudeRef], gps[GPS.GPSLongitude] = "E", (113.0, 30.0, 0.0)
    return picture(exif=exif)


def png_bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises far more than its bytes hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def upload(client: httpx.Client, content: bytes, name: str = "photo.jpg") -> httpx.Response:
    return client.post("/api/v1/photos", files={"file": (name, content, "image/jpeg")})


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_made_anew(stage: Stage, kind: str) -> None:
    client = stage.login("grid-worker")
    reply = upload(client, picture(kind))
    assert reply.status_code == 201, reply.text
    sha = reply.json()["sha256"]
    shown = client.get(f"/api/v1/photos/{sha}")
    assert shown.headers["content-type"] == "image/jpeg" and hashlib.sha256(shown.content).hexdigest() == sha
    assert Image.open(io.BytesIO(shown.content)).size == (320, 200)
    assert upload(client, picture(kind)).json()["sha256"] == sha, "the same picture again is the same photo"


def test_exif_is_read_then_stripped(stage: Stage) -> None:
    client = stage.login("grid-worker")
    answer = upload(client, with_exif()).json()
    assert answer["exif"] == {
        "taken_at": "2026:11:20 10:11:12", "camera": "Phone 7", "lat": 21.91, "lon": 113.5,
    }  # fmt: skip
    shown = client.get(f"/api/v1/photos/{answer['sha256']}").content
    assert not Image.open(io.BytesIO(shown)).getexif() and b"Phone 7" not in shown
    assert (answer["width"], answer["height"]) == (200, 320), "turned upright"
    stored = stage.db.query("SELECT exif FROM photos WHERE sha256 = %s", (answer["sha256"],))[0][0]
    assert stored == answer["exif"]


def test_large_ones_are_made_smaller() -> None:
    found = remake(picture(size=(5200, 2600)))
    assert (found.width, found.height) == (LONG_SIDE, LONG_SIDE // 2)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"GIF89a" + b"\0" * 100,
        b"\xff\xd8\xff\xe0" + b"\0" * 500,
        picture()[:-400],
        picture("PNG")[:200],
        png_bomb(60_000, 60_000),
        png_bomb(8000, 8000),
        png_bomb(1000, 1000),
        b"%PDF-1.7 x",
    ],
    ids=[
        "empty",
        "text",
        "svg",
        "gif",
        "headless",
        "cut-jpeg",
        "cut-png",
        "bomb",
        "64-megapixels",
        "lying",
        "pdf",
    ],
)
def test_no_pictures(stage: Stage, content: bytes) -> None:
    before = stage.db.query("SELECT count(*) FROM photos")
    reply = upload(stage.login("grid-worker"), content)
    answer = reply.json()
    assert (reply.status_code, answer["code"], answer["field"]) == (422, "field", "file"), answer
    assert answer["rule"] and answer["found"]
    assert stage.db.query("SELECT count(*) FROM photos") == before


def test_too_many_bytes(stage: Stage) -> None:
    client = stage.login("grid-worker")
    assert upload(client, b"\0" * (10 * 1024 * 1024 + 1)).status_code == 413
    assert upload(client, b"\0" * (30 * 1024 * 1024)).status_code == 413


def test_the_pixel_limit_is_exact() -> None:
    with pytest.raises(BadPicture, match=str(MAX_PIXELS)):
        remake(png_bomb(8000, 5001))
    with pytest.raises(BadPicture, match="decoded"):
        remake(png_bomb(8000, 5000))  # within the limit: refused for what it really is


def test_without_a_file(stage: Stage) -> None:
    client = stage.login("grid-worker")
    assert client.post("/api/v1/photos", files={"other": ("a", b"x")}).status_code == 422
    assert client.post("/api/v1/photos", json={}).status_code == 422
    assert upload(stage.login("wall"), picture()).status_code == 403


def test_shown_to_whom_it_concerns(stage: Stage) -> None:
    worker = stage.login("grid-worker")
    sha = upload(worker, picture(size=(111, 77))).json()["sha256"]
    path = f"/api/v1/photos/{sha}"
    operator, neighbour = stage.login("operator"), stage.login("neighbour")
    assert worker.get(path).status_code == 200
    assert operator.get(path).status_code == 404, "nothing carries it yet"
    body = {
        "text": "井盖缺失",
        "class_code": "0101",
        "lon": 113.85,
        "lat": 21.9,
        "photos": [sha],
        "channel": "phone",
    }
    reply = worker.post("/api/v1/commands/report_incident", json=body)
    assert reply.status_code == 200, reply.text
    assert operator.get(path).status_code == 200
    assert stage.login("operator-city").get(path).status_code == 200
    refused = "SELECT count(*) FROM audit WHERE action = 'photo.see' AND thing = %s AND NOT allowed"
    before = stage.db.query(refused, (f"photo:{sha}",))[0][0]
    for stranger in (neighbour, stage.login("wall"), stage.login("administrator-city")):
        assert stranger.get(path).status_code == 404
    assert stage.db.query(refused, (f"photo:{sha}",))[0][0] == before + 3
    assert stage.client().get(path).status_code == 401


@pytest.mark.parametrize("name", ["0" * 64, "x", "0" * 63 + "G"])
def test_no_such_photo(stage: Stage, name: str) -> None:
    assert stage.login("operator").get(f"/api/v1/photos/{name}").status_code == 404
