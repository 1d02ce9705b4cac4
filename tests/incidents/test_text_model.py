"""The text model: what it says, that it says why, and that its file is checked. All messages are made up."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.near_texts import KnownTexts, groups, in_order
from incidents.text_features import BLOCKS, Recipe, amounts, counting_words, occurrences, told_words
from incidents.text_model import TextModel
from incidents.text_model_file import BadModel, from_bytes, to_bytes
from incidents.text_training import (
    BadTraining,
    Labelled,
    Measured,
    Source,
    calibration_error,
    cross_validate,
    folds_of,
    train,
)
from incidents.words import words_of

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)
SOURCE = Source("hotline", "3", "0" * 64, ("title", "text", "label"))
PLACES = ("东门", "西桥", "南湖", "北岭", "新城", "老街", "河滨", "山口", "站前", "花园", "码头", "林场")
ABOUT = {
    "交通": ("红绿灯坏了，路口天天堵车", "公交车晚点，乘客等了一个小时", "有人在人行道上乱停车", "路面坑洼，车辆难走"),
    "环境": ("工厂夜里偷排污水，臭气难闻", "河里漂满垃圾，水质发黑", "工地扬尘严重，空气污染", "烧烤摊油烟熏人"),
    "教育": ("小学报名要求太多，家长着急", "老师有偿补课，学生负担重", "幼儿园收费不公开", "学校食堂饭菜不好，学生不爱吃"),
}  # fmt: skip


def rows() -> list[Labelled]:
    """Every place complains of everything in its own words."""
    return [
        Labelled(f"{place}：{text}\n{place}的{other}居民反映，{text}，请{place}{part}处理。", label)
        for label, texts in ABOUT.items()
        for place, other in zip(PLACES, PLACES[1:] + PLACES[:1], strict=True)
        for part, text in zip(("街道", "城管", "社区", "部门"), texts, strict=True)
    ]


@pytest.fixture(scope="module")
def trained() -> tuple[TextModel, Measured]:
    """One model for all tests of this file: it cannot be changed."""
    texts = rows()
    return train(texts, SOURCE, NOW, np.arange(len(texts)) % 5)


@pytest.fixture(scope="module")
def model(trained: tuple[TextModel, Measured]) -> TextModel:
    return trained[0]


# -- what it says ---------------------------------------------------------------------------------------------


def test_a_message_is_judged_by_its_words(model: TextModel) -> None:
    judgement = model.judge("开发区一家工厂往河里排污水，又黑又臭，居民苦不堪言")
    assert judgement.ranked[0][0] == "环境" and judgement.ranked[0][1] > 0.5
    assert {"污水", "工厂"} & {reason.word for reason in judgement.reasons[:4] if reason.weight > 0}
    assert not judgement.unknown


@settings(max_examples=200, deadline=None)
@given(
    st.text()
    | st.lists(st.sampled_from("".join(t for ts in ABOUT.values() for t in ts)), max_size=80).map("".join)
)
def test_any_text_is_judged_and_explained(model: TextModel, text: str) -> None:
    judgement = model.judge(text, most=None)
    chances = [chance for _, chance in judgement.ranked]
    assert sum(chances) == pytest.approx(1) and chances == sorted(chances, reverse=True)
    assert {name for name, _ in judgement.ranked} == set(model.classes)
    for reason in judgement.reasons:
        assert text[reason.begin : reason.end] == reason.word
        assert 1 <= reason.count <= text.count(reason.word)
    heavy = [abs(reason.weight) for reason in judgement.reasons]
    assert heavy == sorted(heavy, reverse=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet="工厂夜里偷排污水小学报名公交车晚点 ，A1", max_size=30), max_size=6))
def test_many_are_judged_as_each_one(model: TextModel, texts: list[str]) -> None:
    many = model.judge_many(texts)
    assert many == [model.judge(text) for text in texts]
    chances = model.probabilities(texts)
    assert chances.shape == (len(texts), 3)
    for row, judgement in zip(chances, many, strict=True):
        assert dict(judgement.ranked) == dict(zip(model.classes, row.tolist(), strict=True))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([t for ts in ABOUT.values() for t in ts]), min_size=1, max_size=4))
def test_the_words_add_up_to_the_judgement(model: TextModel, parts: list[str]) -> None:
    """Base and weights of all words are the first class's score, against the average class: nothing else decided."""
    judgement = model.judge("。".join(parts), most=None)
    logs = np.log([chance for _, chance in judgement.ranked])
    told = judgement.base + sum(reason.weight for reason in judgement.reasons)
    assert told == pytest.approx(logs[0] - logs.mean(), abs=1e-4)


@pytest.mark.parametrize("text", ["", "   \n", "！！！……", "\ud800", "😀😀"])
def test_a_text_of_no_known_word_is_said_to_be_unknown(model: TextModel, text: str) -> None:
    judgement = model.judge(text)
    assert judgement.unknown and judgement.known == 0 and judgement.reasons == ()
    assert dict(judgement.ranked) == pytest.approx(dict(zip(model.classes, model.prior, strict=True)))


def test_a_surrogate_breaks_nothing(model: TextModel) -> None:
    judgement = model.judge("工厂\udcff偷排污水")
    assert judgement.ranked[0][0] == "环境" and judgement.reasons


# -- how it learns --------------------------------------------------------------------------------------------


def test_training_is_repeatable_and_tells_what_it_knows(trained: tuple[TextModel, Measured]) -> None:
    texts = rows()
    again, measured = train(texts, SOURCE, NOW, np.arange(len(texts)) % 5)
    assert to_bytes(again) == to_bytes(trained[0])
    facts = again.facts
    assert (facts.rows, facts.trained_at, facts.columns) == (144, NOW, ("title", "text", "label"))
    assert facts.right_share == round(measured.right_share, 4) > 0.9
    assert facts.calibration_error == round(measured.calibration_error, 4)
    assert measured.chances.sum(axis=1) == pytest.approx(np.ones(144))


def test_judging_reads_a_text_as_training_did() -> None:
    """Two programs count terms, one for many texts and one for a single text: their scores must be the same."""
    texts = rows()
    held_out = np.arange(len(texts)) % 3 == 0
    measured = cross_validate(texts, held_out.astype(np.int64))
    kept = [row for row, out in zip(texts, held_out, strict=True) if not out]
    taught, _ = train(kept, SOURCE, NOW, np.arange(len(kept)) % 5)
    found = np.log(taught.probabilities([row.text for row, out in zip(texts, held_out, strict=True) if out]))
    # Calibration differs and is linear: what remains between the two is what a straight line cannot tell.
    told = np.hstack([measured.scores[held_out], np.ones((held_out.sum(), 1))])
    found -= found.mean(axis=1, keepdims=True)
    straight = told @ np.linalg.lstsq(told, found, rcond=None)[0]
    assert found == pytest.approx(straight, abs=1e-4)


def test_near_equal_texts_are_held_out_together() -> None:
    texts = rows()
    twice = [*texts, *(Labelled(row.text.replace("请", "敬请"), row.label) for row in texts)]
    fold = folds_of(twice, 3)
    assert (fold[: len(texts)] == fold[len(texts) :]).all()
    assert set(fold) == {0, 1, 2}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda all_rows: [row for row in all_rows if row.label == "交通"], "two or more classes"),
        (
            lambda all_rows: [*all_rows, Labelled("乡村医生去哪里看病", "卫生")],
            "label='卫生': has 1 different",
        ),
    ],
)
def test_what_cannot_be_learned_is_refused(
    change: Callable[[list[Labelled]], list[Labelled]], told: str
) -> None:
    with pytest.raises(BadTraining, match=told):
        folds_of(change(rows()))


def test_calibration() -> None:
    chances = np.array([[0.9, 0.1]] * 10)
    assert calibration_error(chances, np.array([0] * 9 + [1])) == pytest.approx(0)
    assert calibration_error(chances, np.array([0] * 4 + [1] * 6)) == pytest.approx(0.5)


def test_terms_stand_on_the_words_they_are_made_of() -> None:
    words = told_words("水污染，K市", None)
    assert [word.text for word in words] == ["水污染", "K", "市"]
    found = occurrences(words, Recipe(head=1, lead=2, runs=(2, 3)))
    assert set(found) == set(BLOCKS)
    assert found["word"] == [("污染", (0,), 1), ("水污染", (0,), 1), ("K", (1,), 1), ("市", (2,), 1)]
    assert [(term, much) for term, _, much in found["head"]] == [
        ("污染", 1), ("水污染", 1), ("K", pytest.approx(np.exp(-1))), ("市", pytest.approx(np.exp(-2)))
    ]  # fmt: skip
    assert found["piece"] == [("水污", (0, 0), 1), ("污染", (0, 0), 1), ("水污染", (0, 0, 0), 1)]
    assert ("染K", (0, 1), 1) in found["lead"] and all("市" not in term for term, _, _ in found["lead"])
    assert amounts([("污", (0,), 1.0), ("水", (0,), 0.5), ("污", (1,), 0.25)]) == {"污": 1.25, "水": 0.5}


def test_stop_words_that_training_never_saw_are_passed_over() -> None:
    told = told_words("我们的K3工厂排放污水", {"工厂", "污水"})
    assert [word.text for word in told] == ["工厂", "排放", "污水"]


def test_a_stop_word_that_cleaning_missed_does_not_count() -> None:
    """了 is 1 of 70 words of the language: 4 of 50,000 are slips of whoever cleaned the texts, 500 are nobody's cleaning."""
    others = {"工厂": 30_000, "污水": 20_000}
    assert counting_words({"了": 4, **others}) == frozenset(others)
    assert counting_words({"了": 500, **others}) == {"了", *others}
    # Rare in the language too: seldom is all it can be.
    assert "水葫芦" in counting_words({"水葫芦": 1, **others})
    assert counting_words({}) == frozenset()


def test_stop_words_left_in_by_a_slip_change_no_judgement() -> None:
    cleaned = [
        Labelled(f"{place} {words}", label)
        for label, words in (
            ("交通", "公交车 晚点 乘客 等 公交车 站台"),
            ("环境", "工厂 排放 污水 河里 臭气 垃圾"),
        )
        for place in PLACES * 40
    ]
    # Two slips, both in texts of one class: enough to make a term of it.
    slips = [Labelled(f"{place} 公交车 了 晚点 在 站台", "交通") for place in PLACES[:2]]
    model, _ = train([*cleaned, *slips], SOURCE, NOW, np.arange(len(cleaned) + 2) % 5)
    assert {"了", "在"}.isdisjoint(model.seen) and "公交车" in model.seen
    said = model.judge("工厂在河里排放了污水", most=None)
    assert said.ranked == model.judge("工厂河里排放污水").ranked
    assert {reason.word for reason in said.reasons}.isdisjoint({"了", "在"})


# -- its file -------------------------------------------------------------------------------------------------


def test_a_model_survives_its_file(model: TextModel) -> None:
    again = from_bytes(to_bytes(model))
    assert again.facts == model.facts and again.recipe == model.recipe and again.classes == model.classes
    texts = [row.text for row in rows()]
    assert again.judge_many(texts) == model.judge_many(texts)
    assert to_bytes(again) == to_bytes(model)


def arrays_of(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return dict(file)


def packed(arrays: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def head_with(*path_and_value: Any) -> Callable[[dict[str, Any]], None]:
    """Changes one field of the JSON head."""
    *path, last, value = path_and_value

    def change(arrays: dict[str, Any]) -> None:
        head = json.loads(arrays["head"].tobytes())
        record = head
        for name in path:
            record = record[name]
        record[last] = value
        arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)

    return change


def array_with(name: str, value: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.__setitem__(name, value(arrays[name]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (head_with("format", 2), "head.format=2: must be 1"),
        (head_with("classes", ["交通", "交通", "环境"]), "classes=.* different names"),
        (head_with("classes", ["交通", "环境"]), r"prior.shape=\(3,\): must be \(2,\)"),
        (head_with("facts", "trained_at", "2026-11-26T10:00:00"), "facts.trained_at=.* offset"),
        (head_with("facts", "trained_at", 7), "facts.trained_at=7: must be an ISO 8601 time"),
        (head_with("facts", "source_sha256", "x"), "facts.source_sha256='x': must be 64 hex digits"),
        (head_with("facts", "right_share", 1.5), "facts.right_share=1.5: must be between 0 and 1"),
        (head_with("facts", "rows", -1), "facts.rows=-1: must be a whole number"),
        (head_with("facts", []), "facts.name=None: must be given"),
        (head_with("recipe", "runs", [3, 1]), "recipe.runs=.* the shorter first"),
        (head_with("recipe", "lengths", {"word": 1.0}), "recipe.lengths="),
        (array_with("word_weights", lambda a: a[:, :2]), "word_weights.shape="),
        (array_with("word_weights", lambda a: a.astype(np.float64)), "word_weights=.*float64.* must be of float32"),
        (array_with("word_rarity", lambda a: a * np.nan), "word_rarity='NaN or infinity': must be finite"),
        (array_with("piece_terms", lambda a: a[:-5]), "piece_terms=.*: must be JSON"),
        (array_with("prior", lambda a: a * 2), "prior=.* together 1"),
        (lambda arrays: arrays.pop("seen"), "arrays="),
    ],
)  # fmt: skip
def test_a_file_that_is_no_model_is_refused(
    model: TextModel, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    arrays = arrays_of(to_bytes(model))
    change(arrays)
    with pytest.raises(BadModel, match=told):
        from_bytes(packed(arrays))


def test_pickles_and_other_bytes_are_refused(model: TextModel) -> None:
    arrays = arrays_of(to_bytes(model))
    arrays["seen"] = np.array([{"a": 1}], dtype=object)
    good = to_bytes(model)
    for content in (packed(arrays), b"", b"PK\x03\x04", good[: len(good) // 2], b"\x80\x04."):
        with pytest.raises(BadModel, match="file="):
            from_bytes(content)


# -- near-equal texts -----------------------------------------------------------------------------------------


def longest(one: str, other: str) -> int:
    """The textbook table."""
    line = [0] * (len(other) + 1)
    for a in one:
        before = 0
        for n, b in enumerate(other, 1):
            before, line[n] = line[n], before + 1 if a == b else max(line[n], line[n - 1])
    return line[-1]


@given(st.text("abc甲乙", max_size=20), st.text("abc甲乙", max_size=20))
def test_in_order_is_the_longest_common_subsequence(one: str, other: str) -> None:
    assert in_order(one, other) == longest(one, other)


LONG = "河滨花园旁边的工厂每天夜里偷偷往河里排放黑色污水，臭味很大，附近居民多次打电话反映，一直没有人来处理，请有关部门尽快查处。"

MORE = "另外小区门口的路灯坏了半个月，晚上一片漆黑，老人和孩子出门很不方便，物业说不归他们管，希望街道能够协调解决。"


def test_texts_told_again_are_in_one_group() -> None:
    texts = [
        LONG,
        "公交车晚点",
        LONG + "谢谢！",
        "小学什么时候报名？",
        "公交车， 晚点",
        LONG.replace("，", " "),
    ]
    assert groups(texts).tolist() == [0, 1, 0, 3, 1, 0]
    assert groups([]).tolist() == []


def cleaned(text: str, stop_words: Sequence[str]) -> str:
    """As cleaned training files are: words with blanks between, stop words gone."""
    return " ".join(word.text for word in words_of(text) if word.text not in stop_words)


def test_a_raw_text_is_found_in_a_cleaned_file() -> None:
    stop = ("的", "往", "里", "很", "来", "有", "没有", "每天", "请", "，")
    known = KnownTexts(["公交车 晚点", cleaned(LONG, stop), "小学 报名"])
    for again in (
        LONG,
        LONG + MORE,
        cleaned(LONG, stop),
        LONG.replace("，", " , "),
    ):
        repeat = known.repeat(again)
        assert repeat is not None and repeat.known == 1 and repeat.share >= 0.95
    part = KnownTexts([LONG + MORE]).repeat(LONG)
    assert part is not None and part.share >= 0.95
    assert known.repeat("公交车上很挤") is None
    short = known.repeat("公交车又晚点了")
    assert short is not None and short.known == 0
    assert known.repeat("河滨花园的居民说，夜里工厂附近臭味很大，有人往河里倒污水") is None
    assert known.repeat("") is None
