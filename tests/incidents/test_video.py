"""Files of cameras and their share range, without a store; and that screens have a word for every value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.access import covers
from incidents.video import (
    PICTURE_STATES,
    SHARE_RANGES,
    STATUSES,
    CameraFile,
    Viewer,
    faults,
    within_share_range,
)
from layouts.text import LANGUAGES, t

CITY = "990100/"
DISTRICTS = (f"{CITY}990101/", f"{CITY}990102/")
AREAS = st.sampled_from((CITY, *DISTRICTS, f"{DISTRICTS[0]}990101001/", f"{DISTRICTS[1]}990102001/"))
UNITS = st.sampled_from(("", "U1", "U2"))
KINDS = st.sampled_from(("", "公安", "城管"))


@given(UNITS, KINDS, st.lists(AREAS, max_size=2), UNITS, AREAS, st.sampled_from((*SHARE_RANGES, "moon")),
       st.lists(UNITS.filter(bool), max_size=1), st.lists(AREAS, max_size=1))  # fmt: skip
def test_who_is_within_a_share_range(
    unit: str,
    kind: str,
    areas: list[str],
    owner: str,
    area: str,
    word: str,
    units: list[str],
    named: list[str],
) -> None:
    """The law in one expression: owner, named unit, named area, or what the word says; a refusal says why."""
    district = "/".join(area.split("/")[:2]) + "/"
    expected = (
        (unit != "" and unit in (owner, *units))
        or any(own.startswith(shared) for own in areas for shared in named)
        or word == "government"
        or (word == "public_security" and kind == "公安")
        or (word == "district" and (covers(tuple(areas), area) or any(a.startswith(district) for a in areas)))
    )
    decision = within_share_range(
        Viewer(unit, kind, tuple(areas)), unit=owner, area_path=area, share_range=word, share_units=tuple(units),
        share_areas=tuple(named),
    )  # fmt: skip
    assert bool(decision) is expected and decision.reason


@given(
    st.text(max_size=40), st.text(max_size=40), st.floats(), st.floats(), st.floats(), st.text(max_size=60)
)
def test_any_file_is_judged(code: str, name: str, lon: float, lat: float, view: float, url: str) -> None:
    """No value breaks the check; every fault names a field and a rule."""
    for fault in faults(CameraFile(code, name, lon, lat, view_deg=view, hls_url=url, webrtc_url=url)):
        assert fault.field in CameraFile.__dataclass_fields__ and fault.rule and str(fault)


@pytest.mark.parametrize("url", ["https://media.example:8443/live/1.m3u8?x=1", "sample:loop", ""])
def test_good_addresses(url: str) -> None:
    assert list(faults(CameraFile("99010100001320000001", "门", 113.9, 21.9, hls_url=url))) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_screens_have_a_word_for_every_value(lang: str) -> None:
    for status in STATUSES:
        assert t(lang, f"camera.status.{status}")
    for state in PICTURE_STATES[1:]:
        assert t(lang, f"camera.picture.{state}")
    for word in SHARE_RANGES:
        assert t(lang, f"camera.share.{word or 'nobody'}")
