"""Base maps from elsewhere: fetched once, known to be down when they are, the key told to nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from data.base_maps import RETRY_S, BaseMap, BaseMaps, MapAway, read_base_maps

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100
ONE = BaseMap("tdt", "天地图", "Tianditu", "https://map.example/{s}/{z}/{x}/{y}?tk={key}")


class Service:
    """A map service that can be made to fail, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: bytes | None = PNG

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if self.answer is None:
            raise MapAway("HTTP 503")
        return self.answer


def made(keep_bytes: int = 10_000) -> tuple[BaseMaps, Service, list[datetime]]:
    service, clock = Service(), [datetime.fromtimestamp(1000, UTC)]
    return BaseMaps([ONE], "secret", lambda: clock[0], service, keep_bytes), service, clock


def state(maps: BaseMaps) -> dict[str, object]:
    return next(row for row in maps.states() if row["id"] == "tdt")


def test_a_tile_is_fetched_once_with_the_key_and_kept() -> None:
    maps, service, _ = made()
    assert state(maps)["state"] == "unknown"
    assert maps.tile("tdt", 3, 2, 1) == maps.tile("tdt", 3, 2, 1) == (PNG, "image/png")
    assert service.asked == ["https://map.example/3/3/2/1?tk=secret"]
    assert (state(maps)["state"], state(maps)["last_ok"]) == ("up", 1_000_000)
    assert "secret" not in repr(maps.states())


def test_a_service_that_fails_is_down_left_alone_for_a_while_and_up_again() -> None:
    maps, service, clock = made()
    maps.tile("tdt", 3, 2, 1)
    service.answer = None
    for _ in range(5):
        with pytest.raises(MapAway, match="503"):
            maps.tile("tdt", 3, 2, 2)
    assert len(service.asked) == 2, "forty tiles must not wait forty times"
    assert (state(maps)["state"], state(maps)["error"]) == ("down", "HTTP 503")
    assert maps.tile("tdt", 3, 2, 1)[0] == PNG, "what is kept is still given"
    service.answer = PNG
    clock[0] += timedelta(seconds=RETRY_S + 1)
    maps.tile("tdt", 3, 2, 2)
    assert state(maps)["state"] == "up"


def test_an_answer_that_is_no_picture_is_a_failure() -> None:
    maps, service, _ = made()
    service.answer = b'{"msg": "key wrong"}'
    with pytest.raises(MapAway, match="no picture"):
        maps.tile("tdt", 3, 2, 1)
    assert state(maps)["state"] == "down"


def test_what_is_kept_is_bounded() -> None:
    maps, service, _ = made(keep_bytes=len(PNG) * 2)
    for x in range(4):
        maps.tile("tdt", 3, x, 0)
    maps.tile("tdt", 3, 3, 0)
    maps.tile("tdt", 3, 0, 0)
    assert len(service.asked) == 5


def test_the_registry_begins_with_our_own_map() -> None:
    assert [row["id"] for row in made()[0].states()] == ["own", "tdt"]
    with pytest.raises(KeyError):
        made()[0].tile("other", 1, 0, 0)


def test_the_example_can_be_read_and_faults_are_named(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "deploy" / "base_maps.example.toml"
    assert [one.id for one in read_base_maps(str(example))] == ["tianditu", "tianditu-image"]
    assert read_base_maps("") == []
    for text, says in (
        ('[[maps]]\nid = "own"\nname = "a"\nname_en = "a"\nurl = "https://a/{z}/{x}/{y}"', "id='own'"),
        ('[[maps]]\nid = "a"\nname = "a"\nname_en = "a"\nurl = "https://a/{z}/{x}"', "url must"),
        ('[[maps]]\nid = "a"\nname = "a"\nname_en = "a"\nurl = "file:///{z}/{x}/{y}"', "url must"),
        ('[[maps]]\nid = "a"\nnames = "a"', "names"),
    ):
        path = tmp_path / "maps.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=says):
            read_base_maps(str(path))
