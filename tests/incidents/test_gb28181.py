"""The 20-digit code: taken apart and put together again; what the tables do not know is named, not refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.divisions import divisions_of_country
from incidents.gb28181 import (
    EDITIONS,
    INDUSTRIES,
    SEGMENTS,
    TYPES,
    BadCode,
    Code,
    Edition,
    Part,
    encode,
    parse,
)

CODES = st.text("0123456789", min_size=20, max_size=20)


@given(CODES, st.sampled_from(EDITIONS))
def test_apart_and_together_again(code: str, edition: Edition) -> None:
    """Every code of the shape has a reading, and nothing of it is lost; each part is known or named as unknown."""
    parsed = parse(code, {}, edition)
    assert str(parsed) == code
    for name, part in parsed.parts():
        assert part.code and (part.known or part.code in part.name)
        assert (f"{name}={part.code}" in parsed.unknown) == (not part.known)


@given(
    st.integers(0, 99999999), st.sampled_from(sorted(INDUSTRIES["2016"])), st.sampled_from(sorted(TYPES["2016"])),
    st.sampled_from(sorted(SEGMENTS["2016"])), st.integers(0, 999_999),
)  # fmt: skip
def test_together_and_apart_again(division: int, industry: str, kind: str, segment: str, serial: int) -> None:
    """What is put together comes apart into the same parts."""
    parsed = parse(encode(f"{division:08d}", industry, kind, segment, serial), {})
    assert parsed.division.code + parsed.grassroots == f"{division:08d}"
    assert (parsed.industry.code, parsed.type.code, parsed.segment.code) == (industry, kind, segment)
    assert int(parsed.serial) == serial
    assert all("division=" in word for word in parsed.unknown)


@given(st.text(max_size=30).filter(lambda t: not (len(t) == 20 and t.isascii() and t.isdigit())))
def test_another_shape_is_an_error(text: str) -> None:
    """Only 20 ASCII digits are a code: full-width digits and Arabic ones are none."""
    with pytest.raises(BadCode) as caught:
        parse(text)
    assert caught.value.field == "code"


def test_a_known_code_is_named_in_full() -> None:
    """A camera at a road of Wuhu, on the network of the public security."""
    code = parse("34020000001320500017", divisions_of_country())
    assert code == Code(
        Part("340200", "芜湖市"), "00", Part("00", "社会治安路面接入"), Part("132", "网络摄像机(IPC)"),
        Part("0", "监控报警专网"), "500017",
    )  # fmt: skip
    assert code.unknown == () and code.is_camera


@pytest.mark.parametrize(
    ("code", "unknown"),
    [
        ("99020000001320000001", ("division=990200",)),
        ("34029900001320000001", ("division=340299",)),
        ("34020000771320000001", ("industry=77",)),
        ("34020000009990000001", ("type=999",)),
        ("34020000001329000001", ("segment=9",)),
        ("99999999999999999999", ("division=999999", "industry=99", "type=999", "segment=9")),
    ],
)
def test_the_unknown_is_named(code: str, unknown: tuple[str, ...]) -> None:
    """Each unknown part stands in the result by its name and number, and stops nothing."""
    parsed = parse(code, divisions_of_country())
    assert parsed.unknown == unknown
    assert str(parsed) == code


def test_an_unknown_county_says_its_city() -> None:
    """Where the county is not known, its city still is."""
    assert parse("34029900001320000001", divisions_of_country()).division.name == "芜湖市未知（340299）"


def test_the_city_names_its_own_divisions() -> None:
    """The table handed in decides; without one only the province is judged."""
    assert parse("99010101001320000001", {"990101": "海沐区"}).division == Part("990101", "海沐区")
    assert parse("34029900001320000001").division == Part("340299", "安徽省")
    assert parse("99010101001320000001").unknown == ("division=990101",)


def test_the_same_number_in_two_editions() -> None:
    """From 40 on the edition of 2022 gives the numbers to other industries."""
    code = "34020000541322000001"
    assert parse(code, edition="2016").industry.name == "水利企业接入"
    assert parse(code, edition="2022").industry.name == "居民服务、修理和其他服务业接入"
    assert [parse(code, edition=e).segment.name for e in ("2016", "2022")] == ["监控报警专网", "行业专网"]


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        (("3402", "00", "132", "0", 1), "division"),
        (("340200", "0", "132", "0", 1), "industry"),
        (("340200", "00", "13a", "0", 1), "type"),
        (("340200", "00", "132", "10", 1), "segment"),
        (("340200", "00", "132", "0", 1_000_000), "serial"),
        (("340200", "00", "132", "0", -1), "serial"),
        (("340200", "00", "132", "0", "٠٠٠٠٠١"), "serial"),
    ],
)
def test_a_part_of_the_wrong_shape(parts: tuple[str, str, str, str, str | int], field: str) -> None:
    """The error names the part."""
    with pytest.raises(BadCode) as caught:
        encode(*parts)
    assert caught.value.field == field
