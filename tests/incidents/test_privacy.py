"""Masking: what must not be readable is not, what is no person's stays as it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.privacy import mask_identity, mask_name, mask_phone, mask_text, masked

DIGITS = re.compile(r"[0-9０-９]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("请回电13912345678，谢谢", "请回电********678，谢谢"),
        ("电话 139-1234-5678", "电话 ***-****-*678"),
        ("手机+86 13912345678", "手机+** ********678"),
        ("座机0750-3512345", "座机****-****345"),
        ("电话：3512345找老王", "电话：****345找老王"),
        ("１３９１２３４５６７８", "********６７８"),
        ("身份证440711199003074512遗失", "身份证4407**************遗失"),
        ("证号 44071119900307451X", "证号 4407**************"),
        ("旧证440711900307451", "旧证4407***********"),
        ("联系人：王小明，住东街", "联系人：王**，住东街"),
        ("投诉人 欧阳小明", "投诉人 欧**"),
        ("我叫李雷。", "我叫李**。"),
    ],
)
def test_what_is_a_persons_is_masked(text: str, shown: str) -> None:
    assert mask_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "事件LL2026113000002已结案",
        "摄像机99010100001320000001离线",
        "设备 WL-000123 水位 12.345678 米",
        "坐标 113.123456, 22.123456",
        "2026-11-30 11:12:30 发生，约 1500 平方米",
        "我叫他们来处理垃圾",
        "建设路 1234567 号井盖",
        "当事人已离开",
        "订单 139123456789012345678",
        "路灯编号 13912345678901",
    ],
)
def test_what_is_no_persons_stays(text: str) -> None:
    assert mask_text(text) == text


def test_the_names_that_reporters_gave_are_masked_in_every_text() -> None:
    said = {
        "title": "王小明反映积水",
        "timeline": [{"reason": "已联系王小明 13912345678", "action": "note"}],
        "n": 3,
    }
    assert masked(said, ["王小明"]) == {
        "title": "王**反映积水", "timeline": [{"reason": "已联系王** ********678", "action": "note"}], "n": 3
    }  # fmt: skip
    assert masked({"number": "13912345678"}) == {"number": "13912345678"}, "only where people write"


mobile = st.from_regex(r"\A1[3-9][0-9]([- ]?)[0-9]{4}\1[0-9]{4}\Z")
identity = st.from_regex(r"\A[1-9][0-9]{5}19[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])[0-9]{3}[0-9X]\Z")
words = st.text(st.sampled_from("垃圾，。请来 处理：路口\n"), max_size=30)


@given(words, mobile, words)
def test_no_mobile_number_is_read_whole(before: str, number: str, after: str) -> None:
    shown = mask_text(before + number + after)
    assert number not in shown and len(shown) == len(before + number + after)
    assert len(DIGITS.findall(shown)) == 3 and mask_text(shown) == shown


@given(words, identity, words)
def test_no_identity_number_is_read_whole(before: str, number: str, after: str) -> None:
    shown = mask_text(before + number + after)
    assert len(DIGITS.findall(shown)) == 4 and shown.startswith(before)


@given(st.text(max_size=200), st.lists(st.text(max_size=4), max_size=3))
def test_any_text_is_taken(text: str, names: list[str]) -> None:
    mask_text(text, names)


def test_short_ones() -> None:
    assert (mask_name("林晓"), mask_name(""), mask_phone("110"), mask_identity("4407")) == (
        "林**",
        "",
        "110",
        "4407",
    )
