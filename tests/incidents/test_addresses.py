"""Free-text addresses: one form of many spellings, one place or none, never a guess (S20)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.cells import distance_m
from incidents.address_book import Address, AddressBook, one_slip
from incidents.address_reading import resolve
from incidents.address_text import kept_number, number_of, plain_address
from incidents.locating import told
from tests.bench.bench_addresses import right, sample_book
from tests.bench.noisy_addresses import in_chinese

CITY, EAST, WEST = "99/", "99/1/", "99/2/"
VILLAGE = EAST + "1/7/"
AREAS = ((CITY, "临澜市"), (EAST, "望海区"), (WEST, "澜江区"), (EAST + "1/", "鹭门街道"), (VILLAGE, "杏湾村"))
STEP = 0.0001
"""Degrees: about 10 m."""


def row(kind: str, name: str, n: float, number: str = "", other: str = "", area: str = EAST) -> Address:
    return Address(kind, name, 113.9 + n * STEP, 21.9, area, number, other)


BOOK = AddressBook.of(
    [
        *(row("number", "安航路", n, str(n)) for n in (1, 9, 17, 25, 2, 10, 200)),
        row("number", "安航路", 26, "25-1"),
        row("number", "茶台二街", 0, "3", area=WEST), row("number", "茶台三街", 500, "3", area=WEST),
        row("number", "和平路", 0, "8"), row("number", "和平路", 3000, "8", area=WEST),
        row("crossing", "安航路", 18, other="茶台二街"),
        row("place", "榕洲新村", 40), row("building", "榕洲新村", 41, "3"),
        row("place", "古湾实验学校", 60), row("place", "八一公园", 70), row("place", "八一公园", 4000, area=WEST),
        row("group", "杏湾村", 90, "3", area=VILLAGE),
    ],
    AREAS,
)  # fmt: skip


def where(text: str) -> float:
    """How far east of the meridian of the book a text is found, in steps."""
    found = resolve(text, BOOK).found
    assert found is not None, (text, resolve(text, BOOK))
    return round((found.lon - 113.9) / STEP, 1)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("安航路9号", 9), ("临澜市望海区安航路９號", 9), ("安航路 九 号门口井盖坏了", 9), ("安航路第9号", 9), ("安航路9#", 9),
        ("安航路25号之1", 26), ("安航路25-1号", 26), ("安航路25-9号", 25), ("安航路13号", 13), ("安航路13，有人摆摊", 13),
        ("安航路与茶台二街交叉口", 18), ("茶台2街、安航路路口", 18), ("榕洲新村3栋2单元501", 41), ("榕洲新村三幢", 41),
        ("榕洲新村3号楼", 41), ("榕洲新村9栋", 40), ("榕洲新村附近", 40), ("古湾实验学校往东50米", 64.8), ("古湾试验学校", 60),
        ("杏湾村三组", 90), ("鹭门街道杏湾村第3村民小组", 90), ("望海区八一公园", 70), ("和平路8号，望海区", 0),
        ("安航路9号，古湾实验学校旁", 9), ("安航路25号-1", 26), ("安航路25-1，有人摆摊", 26), ("安航路25号-301室", 25),
        ("榕洲新村03栋", 41),
    ],
)  # fmt: skip
def test_what_is_said_is_found(text: str, step: float) -> None:
    assert where(text) == pytest.approx(step, abs=0.2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"), ("救命", "no_name"), ("安航路", "no_number"), ("安航路999号", "number_unknown"),
        ("安航路100号", "number_unknown"), ("杏湾村", "only_area"), ("杏湾村9组", "group_unknown"), ("和平路8号", "several"),
        ("八一公园", "several"), ("澜江区安航路9号", "contradiction"), ("澜江区杏湾村3组", "contradiction"),
        ("安航路到茶台二街", "stretch"), ("茶台二街与茶台三街交叉口", "no_crossing"), ("茶苔二街3号", "slip"),
        ("安航路9号和茶台三街3号", "several"), ("茶台四街3号", "no_name"),
        ("安航路9弄3号", "no_number"), ("安航路9弄", "no_number"),
    ],
)  # fmt: skip
def test_what_is_not_known_stays_unresolved_and_says_why(text: str, why: str) -> None:
    read = resolve(text, BOOK)
    assert (read.found, read.why) == (None, why)
    assert told(read)["status"] == "unresolved"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("１２号之３", "12-3"), ("012-3", "12-3"), ("12号-3", "12-3"), ("3号楼", "3"), ("03栋", "3"), ("十二号", "12"),
        ("5", "5"), ("甲", "甲"), ("", ""),
    ],
)  # fmt: skip
def test_a_number_of_the_book_is_kept_in_one_form(written: str, kept: str) -> None:
    assert kept_number(written) == kept


def test_several_places_are_told() -> None:
    assert [c.address for c in resolve("和平路8号", BOOK).candidates] == ["和平路8号", "和平路8号"]
    (one,) = resolve("茶苔二街3号", BOOK).candidates
    assert one.address == "茶台二街3号" and {"code": "slip", "written": "茶苔2街"} in one.reasons
    assert resolve("杏湾村", BOOK).area == VILLAGE


def test_a_slip_counts_when_something_else_agrees() -> None:
    """The book's own village lies about the street: what is written wrong is then no guess."""
    book = AddressBook.of([row("number", "茶台二街", 0, "3", area=VILLAGE)], AREAS)
    assert resolve("茶苔二街3号", book).why == "slip"
    found = resolve("杏湾村茶苔二街3号", book).found
    assert found is not None and found.score < 1


def test_a_point_says_how_well_it_is_known() -> None:
    exact, between, near, side = (
        resolve(text, BOOK).found
        for text in ("安航路9号", "安航路13号", "榕洲新村附近", "古湾实验学校往东200米")
    )
    assert exact and between and near and side
    assert exact.precision_m < between.precision_m < near.precision_m
    assert side.precision_m >= 60 and {"code": "beside", "words": "往东200米"} in side.reasons


@given(n=st.integers(1, 9999), seed=st.randoms(use_true_random=False))
def test_numbers_are_read_as_they_are_said(n: int, seed: object) -> None:
    assert number_of(in_chinese(n, seed)) == n  # type: ignore[arg-type]
    assert plain_address(f"安航路{in_chinese(n, seed)}號") == f"安航路{n}号"  # type: ignore[arg-type]


@given(text=st.text(max_size=60))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    read = resolve(text, BOOK)
    assert (read.found is None) == bool(read.why)
    for one in (*([read.found] if read.found else []), *read.candidates):
        assert 0 < one.score <= 1 and one.precision_m > 0 and one.reasons


@given(
    head=st.sampled_from(["", "您好，", "临澜市", "临澜市望海区", "望海区 "]),
    number=st.sampled_from([1, 9, 17, 25, 2, 10]),
    form=st.sampled_from(["{}号", "{}號", "{} 号", "第{}号", "{}#"]),
    tail=st.sampled_from(["", "门口", "旁边有垃圾", "，麻烦处理"]),
    wide=st.booleans(),
)
def test_spelling_makes_no_difference(head: str, number: int, form: str, tail: str, wide: bool) -> None:
    text = head + "安航路" + form.format(number) + tail
    if wide:
        text = text.translate(str.maketrans("0123456789#", "０１２３４５６７８９＃"))
    assert where(text) == number


def slips(one: str) -> Iterator[str]:
    for n in range(len(one) + 1):
        yield one[:n] + "某" + one[n:]
        if n < len(one):
            yield one[:n] + one[n + 1 :]
            yield one[:n] + "某" + one[n + 1 :]


@given(name=st.text("安航路茶台街", min_size=1, max_size=6), other=st.text("安航路茶台街", max_size=7))
def test_one_slip_is_one_slip(name: str, other: str) -> None:
    assert all(one_slip(name, wrong) and one_slip(wrong, name) for wrong in slips(name) if wrong != name)
    near = other in set(slips(name)) or name in set(slips(other)) or any(
        len(name) == len(other) and name[:n] + name[n + 1 :] == other[:n] + other[n + 1 :] for n in range(len(name))
    )  # fmt: skip
    assert one_slip(name, other) == (near or name == other)


def test_a_corpus_of_noisy_addresses_is_read_right() -> None:
    """3,000 texts out of the sample city with typos, numerals, full width, wrong districts, beside the truth."""
    _, book, said = sample_book()
    read = [(one, resolve(one.text, book)) for one in said]
    found = [(s, r) for s, r in read if r.found]
    plain = [(s, r) for s, r in read if s.lon is not None and "slip" not in s.noise]
    assert sum(right(s, r) for s, r in found) / len(found) >= 0.995
    assert sum(right(s, r) for s, r in plain) / len(plain) >= 0.97
    placeless = [r for s, r in read if s.lon is None]
    assert len(placeless) > 300 and sum(r.found is not None for r in placeless) <= len(placeless) * 0.01


def test_a_number_between_two_lies_between_them() -> None:
    found = resolve("安航路5号", BOOK).found
    assert found is not None
    ends = [distance_m(found.lon, found.lat, 113.9 + n * STEP, 21.9) for n in (1, 9)]
    assert sum(ends) == pytest.approx(distance_m(113.9 + STEP, 21.9, 113.9 + 9 * STEP, 21.9), rel=1e-6)


def test_a_long_text_is_read_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name misspelt again and again must not be looked for anew in what is left each time."""
    looked: list[str] = []
    real = BOOK.names.like

    def like(word: str) -> list[str]:
        looked.append(word)
        return real(word)

    monkeypatch.setattr(BOOK.names, "like", like)
    text = "安航露旁边有人倒垃圾" * 60
    resolve(text, BOOK)
    assert len(text) < len(looked) < 4 * 14 * len(text)
