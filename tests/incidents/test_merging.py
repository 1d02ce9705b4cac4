"""Merging: laws over random reports, and stories of a street."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.cells import EARTH_RADIUS_M, distance_m, haversine_m
from incidents.merge_policy import BadMergePolicy, MergePolicy, Reach
from incidents.merging import BARS, REASONS, Band, decide, likeness
from incidents.occurrence import (
    Occurrence,
    Reply,
    Report,
    in_order,
    joined,
    level_of,
    opened,
    raised_level,
    replies,
)
from incidents.occurrence_index import OccurrencesInMemory, find
from incidents.splitting import BadSplit, came_from, emptied, merged, restored, split
from incidents.text_likeness import alike, plain, shingles

POLICY: Final = MergePolicy()
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
LON: Final = 113.08
LAT: Final = 22.58
LAMP: Final = "人民路口的路灯不亮了"


def report(id: int = 1, east_m: float = 0.0, hours: float = 0.0, **other: Any) -> Report:
    """A report so far east of a corner, so many hours later."""
    east = math.degrees(east_m / EARTH_RADIUS_M / math.cos(math.radians(LAT)))
    fields: dict[str, Any] = {"lon": LON + east, "lat": LAT, "kind": "0101"} | other
    return Report(id, NOW + timedelta(hours=hours), **fields)


def codes(one: Report, other: Occurrence) -> set[str]:
    return {reason.code for reason in likeness(one, other, POLICY).reasons}


texts = st.lists(st.sampled_from(["路灯", "不亮", "井盖", "垃圾", "噪音", "broken", "lamp"]), max_size=5).map(
    "".join
)


NUMBERS: Final = st.integers(1, 9)


def some_reports(ids: st.SearchStrategy[int] = NUMBERS) -> st.SearchStrategy[Report]:
    return st.builds(
        report,
        ids,
        st.floats(-200, 200),
        st.floats(0, 120),
        kind=st.sampled_from(["0101", "0202", ""]),
        text=texts,
        address=st.sampled_from(["", "人民路12号", "人民路 12 号", "建设路"]),
    ) | st.builds(report, ids, hours=st.floats(0, 120), lon=st.none(), lat=st.none(), text=texts)


# -- likeness --------------------------------------------------------------------------------------------------


@given(some_reports(), some_reports())
def test_which_report_comes_first_does_not_matter(one: Report, other: Report) -> None:
    found, back = likeness(one, other, POLICY), likeness(other, one, POLICY)
    assert found.score == back.score
    assert {r.code for r in found.reasons} == {r.code for r in back.reasons}


@given(some_reports(), st.lists(some_reports(), min_size=1, max_size=4))
def test_every_score_has_its_reasons(one: Report, sources: list[Report]) -> None:
    found = likeness(one, Occurrence(1, "0101", in_order(sources)), POLICY)
    assert 0 <= found.score <= 1
    assert found.reasons
    for reason in found.reasons:
        assert tuple(reason.values) == REASONS[reason.code]
    if found.score >= POLICY.automatic:
        assert not {reason.code for reason in found.reasons} & BARS


@given(
    some_reports(),
    some_reports(),
    st.tuples(st.floats(0, 200), st.floats(0, 200)).map(sorted),
    st.tuples(st.floats(0, 200), st.floats(0, 200)).map(sorted),
)
def test_nearer_or_sooner_never_scores_less(
    one: Report, other: Report, metres: list[float], hours: list[float]
) -> None:
    def at(east_m: float, later: float) -> float:
        moved = report(2, east_m, later, kind=other.kind, text=other.text, address=other.address)
        base = replace(report(1), kind=one.kind, text=one.text, address=one.address)
        return likeness(moved, base, POLICY).score

    assert at(metres[0], hours[0]) >= at(metres[1], hours[0])
    assert at(metres[0], hours[0]) >= at(metres[0], hours[1])


@given(texts, texts, st.floats(0, 1))
def test_words_never_part_the_same_spot_and_hour(one: str, other: str, hours: float) -> None:
    assert likeness(report(1, text=one), report(2, 1, hours, text=other), POLICY).score >= POLICY.automatic


@given(some_reports(), some_reports())
def test_another_class_or_no_point_never_merges_by_itself(one: Report, other: Report) -> None:
    if one.kind != other.kind or not one.kind or one.lon is None or other.lon is None:
        assert likeness(one, other, POLICY).score < POLICY.automatic


@pytest.mark.parametrize(
    ("other", "band"),
    [
        ({"east_m": 50, "hours": 48}, Band.AUTOMATIC),  # no words at all
        ({"east_m": 59, "hours": 1, "text": LAMP}, Band.AUTOMATIC),
        ({"east_m": 61}, Band.SUGGESTED),
        ({"east_m": 0, "hours": 49}, Band.SUGGESTED),
        ({"east_m": 115, "hours": 40}, Band.NEW),
        ({"east_m": 121}, Band.NEW),
        ({"hours": 97}, Band.NEW),
        ({"kind": "0202", "text": LAMP}, Band.SUGGESTED),  # the same spot and words, classed otherwise
        ({"kind": "", "text": LAMP}, Band.SUGGESTED),
        ({"kind": "0202", "text": "垃圾堆成山"}, Band.NEW),
        ({"kind": "0202", "text": LAMP, "east_m": 40}, Band.NEW),
        ({"lon": None, "lat": None, "text": LAMP, "address": "人民路 12号"}, Band.SUGGESTED),
        ({"lon": None, "lat": None, "text": LAMP}, Band.NEW),  # nothing says where
        ({"lon": None, "lat": None, "address": "人民路12号"}, Band.NEW),
    ],
)
def test_bands(other: dict[str, Any], band: Band) -> None:
    held = opened(1, report(1, text=LAMP, address="人民路12号"), "system", NOW)
    assert decide(report(2, **other), [held], POLICY).band is band


def test_far_and_late_with_other_words_is_for_a_person() -> None:
    held = opened(1, report(1, text=LAMP), "system", NOW)
    assert decide(report(2, 50, 47), [held], POLICY).band is Band.AUTOMATIC
    found = decide(report(2, 50, 47, text="垃圾堆成山没人清运"), [held], POLICY)
    assert found.band is Band.SUGGESTED and found.suggested[0][0] == 1


def test_the_likest_wins_and_the_others_are_shown() -> None:
    held = [opened(n, report(n, east), "system", NOW) for n, east in ((1, 0.0), (2, 70.0))]
    found = decide(report(3, 45), held, POLICY)
    assert (found.band, found.occurrence) == (Band.AUTOMATIC, 2)
    assert [id for id, _ in found.suggested] == [1]


# -- how far an occurrence goes ----------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0, 40)), min_size=1, max_size=25))
def test_an_occurrence_does_not_creep(steps: list[tuple[float, float]]) -> None:
    held: list[Occurrence] = []
    hours = 0.0
    for id, (east_m, later) in enumerate(steps, 1):
        hours += later
        mine = report(id, east_m, hours)
        found = decide(mine, held, POLICY)
        if found.occurrence is None:
            held.append(opened(id, mine, "system", NOW))
        else:
            held = [joined(o, mine, "system", NOW) if o.id == found.occurrence else o for o in held]
    for occurrence in held:
        life = occurrence.newest_at - occurrence.first_at
        assert life <= timedelta(hours=POLICY.default.life_h)
        for one in occurrence.sources:
            for other in occurrence.sources:
                assert one.lon is not None and one.lat is not None
                assert other.lon is not None and other.lat is not None
                assert distance_m(one.lon, one.lat, other.lon, other.lat) <= POLICY.default.spread_m


def test_time_counts_from_the_newest_source_and_backwards_from_the_first() -> None:
    held = joined(opened(1, report(1), "system", NOW), report(2, hours=40), "system", NOW)
    assert decide(report(3, hours=80), [held], POLICY).band is Band.AUTOMATIC
    assert "too_late" in codes(report(3, hours=89), held)
    assert decide(report(3, hours=20), [held], POLICY).likeness == likeness(report(3, hours=40), held, POLICY)
    assert "too_late" in codes(report(3, hours=-49), held)


def test_a_class_may_have_a_reach_of_its_own() -> None:
    wide = replace(POLICY, classes={"0404": Reach(150, 200, 6, 24)})
    one, other = report(1, kind="0404"), report(2, 140, kind="0404")
    assert likeness(one, other, wide).score >= wide.automatic > likeness(one, other, POLICY).score


# -- the index ---------------------------------------------------------------------------------------------------

lons = st.floats(-180, 180) | st.sampled_from([-180.0, 180.0, 179.9999, -179.9999, 0.0])
lats = st.floats(-90, 90) | st.sampled_from([-90.0, 90.0, 89.9995, 0.0])
near = st.floats(-0.002, 0.002)


@st.composite
def scattered(draw: st.DrawFn) -> tuple[float, float, list[Occurrence]]:
    """A point, and occurrences around it, wherever on the Earth."""
    lon, lat = draw(lons), draw(lats)
    ids = iter(range(1, 100))

    def source() -> Report:
        x = (lon + draw(near) + 540) % 360 - 180
        y = max(-90.0, min(90.0, lat + draw(near)))
        none = draw(st.integers(0, 9)) == 0
        at = NOW + timedelta(hours=draw(st.integers(0, 9)))
        address = draw(st.sampled_from(["", "人民路12号", "建设路"]))
        kind = draw(st.sampled_from("ab"))
        return Report(next(ids), at, None if none else x, None if none else y, kind, address=address)

    count = draw(st.integers(0, 6))
    held = []
    for n in range(1, count + 1):
        sources = in_order(source() for _ in range(draw(st.integers(1, 3))))
        held.append(Occurrence(n, draw(st.sampled_from("ab")), sources))
    return lon, lat, held


@given(scattered(), st.floats(1, 300), st.integers(0, 9), st.sampled_from(["a", "b", None]), st.data())
def test_the_index_finds_what_looking_at_all_finds(
    scene: tuple[float, float, list[Occurrence]],
    reach_m: float,
    hours: int,
    kind: str | None,
    data: st.DataObject,
) -> None:
    lon, lat, held = scene
    since = NOW + timedelta(hours=hours)
    index = OccurrencesInMemory(row_m=100)
    for occurrence in held:
        index.put(occurrence)
    # Some are taken out, some change: what was held before leaves nothing behind.
    for occurrence in list(held):
        match data.draw(st.sampled_from(["stays", "dropped", "fewer"])):
            case "dropped":
                held.remove(occurrence)
                index.drop(occurrence.id)
            case "fewer":
                fewer = replace(occurrence, sources=occurrence.sources[1:])
                held = [fewer if o.id == fewer.id else o for o in held if o.id != fewer.id or fewer.sources]
                index.put(fewer)
    fitting = [o for o in held if o.newest_at >= since and (kind is None or o.kind == kind)]
    wanted = [
        o
        for o in fitting
        if any(
            s.lon is not None and s.lat is not None and distance_m(lon, lat, s.lon, s.lat) <= reach_m
            for s in o.sources
        )
    ]
    assert index.candidates(lon, lat, reach_m, since, kind) == wanted
    if kind is not None:
        at_address = [o for o in fitting if any(s.address == "建设路" for s in o.sources)]
        assert index.at_address("建设路", since, kind) == at_address
        assert index.at_address("", since, kind) == []


def test_the_index_forgets_what_is_too_old() -> None:
    index = OccurrencesInMemory()
    old = opened(1, report(1), "system", NOW)
    young = joined(opened(2, report(2), "system", NOW), report(3, hours=20), "system", NOW)
    index.put(opened(2, report(2), "system", NOW))
    index.put(old)
    index.put(young)
    assert index.forget(NOW + timedelta(hours=10)) == [old]
    assert len(index) == 1 and index[2] == young
    assert index.forget(NOW + timedelta(hours=21)) == [young]


@given(some_reports(st.just(99)), st.lists(some_reports(), max_size=6))
def test_asking_the_index_decides_as_looking_at_all(one: Report, sources: list[Report]) -> None:
    held = [opened(n, replace(source, id=n), "system", NOW) for n, source in enumerate(sources, 1)]
    index = OccurrencesInMemory()
    for occurrence in held:
        index.put(occurrence)
    assert find(one, index, POLICY) == decide(one, held, POLICY)


# -- merging by hand and back ------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 3), min_size=2, max_size=6), st.data())
def test_unmerging_gives_back_every_record_in_any_order(sizes: list[int], data: st.DataObject) -> None:
    ids = iter(range(1, 100))
    draw = data.draw
    before: dict[int, Occurrence] = {}
    for n, size in enumerate(sizes, 1):
        sources = [
            report(
                next(ids),
                hours=draw(st.integers(0, 5)),
                reporter=draw(st.sampled_from(["", "a", "b"])),
                channel="phone",
            )
            for _ in range(size)
        ]
        first, *others = in_order(sources)
        before[n] = opened(n, first, "system", NOW)
        for other in others:
            before[n] = joined(before[n], other, "system", NOW)
    held = dict(before)
    gone: list[int] = []
    for _ in range(draw(st.integers(1, len(sizes) - 1))):
        alive = sorted(n for n, o in held.items() if o.sources)
        into, gives = draw(st.permutations(alive))[:2]
        held[into], held[gives] = merged(held[into], held[gives], "desk", NOW)
        gone.append(gives)
        assert sum(len(o.sources) for o in held.values()) == sum(sizes)
    for former in draw(st.permutations(gone)):
        here = [n for n in held if came_from(held[n], former)]
        # Merged first and given back later, they are all in one place.
        assert len(here) == 1
        held[here[0]], held[former] = restored(held[here[0]], held[former], "desk", NOW, "another lamp")
    for n, was in before.items():
        assert held[n].sources == was.sources
        assert (held[n].voices, level_of(held[n], POLICY), replies(held[n])) == (
            was.voices, level_of(was, POLICY), replies(was),
        )  # fmt: skip
        assert not held[n].homes
        assert held[n].facts[: len(was.facts)] == was.facts  # only ever added to


@given(st.integers(2, 6), st.data())
def test_splitting_loses_nothing_and_keeps_apart(count: int, data: st.DataObject) -> None:
    whole = opened(1, report(1), "system", NOW)
    for n in range(2, count + 1):
        whole = joined(whole, report(n, n), "system", NOW)
    ids = data.draw(st.sets(st.integers(1, count), min_size=1, max_size=count - 1))
    rest, out = split(whole, ids, emptied(2, whole.kind), "desk", NOW, "two lamps")
    assert in_order((*rest.sources, *out.sources)) == whole.sources
    assert {s.id for s in out.sources} == ids
    assert rest.facts[-1] == out.facts[-1] and rest.facts[-1].why == "two lamps"
    for source in out.sources:
        assert decide(source, [rest], POLICY).band is Band.NEW
    for source in rest.sources:
        assert decide(source, [out], POLICY).band is Band.NEW
    # A stranger to that decision is judged as ever.
    assert decide(report(99), [rest], POLICY).band is Band.AUTOMATIC
    # A part of a part is kept from the other side, too; a person may change the mind of a person.
    if len(out.sources) > 1:
        part, more = split(out, {out.sources[0].id}, emptied(3, out.kind), "desk", NOW, "three")
        assert decide(rest.sources[0], [more], POLICY).band is Band.NEW
        assert decide(rest.sources[0], [part], POLICY).band is Band.NEW
    again, none = merged(rest, out, "desk", NOW, "one lamp after all")
    assert again.sources == whole.sources and not none.sources and not again.apart


@pytest.mark.parametrize(
    ("ids", "target", "why", "words"),
    [
        (set(), 2, "x", "one at least"),
        ({9}, 2, "x", "must be sources of occurrence 1"),
        ({1, 2}, 2, "x", "must stay"),
        ({1}, 1, "x", "another occurrence"),
        ({1}, 2, " ", "must say why"),
    ],
)
def test_what_cannot_be_split(ids: set[int], target: int, why: str, words: str) -> None:
    whole = joined(opened(1, report(1), "system", NOW), report(2), "system", NOW)
    with pytest.raises(BadSplit, match=words):
        split(whole, ids, emptied(target, "0101"), "desk", NOW, why)


def test_what_cannot_be_merged_or_joined() -> None:
    one = opened(1, report(1), "system", NOW)
    with pytest.raises(BadSplit, match="another than 1"):
        merged(one, one, "desk", NOW)
    with pytest.raises(ValueError, match="is a source"):
        joined(one, report(1), "system", NOW)


# -- voices and replies ------------------------------------------------------------------------------------------


@given(st.integers(1, 4), st.integers(0, 40), st.integers(0, 40))
def test_voices_raise_and_never_lower(level: int, few: int, more: int) -> None:
    few, more = sorted((few, more))
    assert 1 <= raised_level(level, more, POLICY) <= raised_level(level, few, POLICY) <= level


@pytest.mark.parametrize(("voices", "level"), [(1, 3), (2, 3), (3, 2), (9, 2), (10, 1), (500, 1)])
def test_how_many_voices_raise_how_far(voices: int, level: int) -> None:
    sources = tuple(report(n, reporter=f"r{n}") for n in range(1, voices + 1))
    assert level_of(Occurrence(1, "0101", sources), POLICY) == level


def test_one_person_has_one_voice_and_one_reply_for_each_channel() -> None:
    told = [
        ("a", "phone"),
        ("a", "phone"),
        ("a", "citizen"),
        ("b", "hotline"),
        ("", "phone"),
        ("dev", "device"),
    ]
    sources = tuple(report(n, reporter=who, channel=how) for n, (who, how) in enumerate(told, 1))
    held = Occurrence(1, "0101", sources)
    assert held.voices == 4  # a, b, somebody, and the device
    assert replies(held) == (
        Reply("a", "phone", (1, 2)),
        Reply("a", "citizen", (3,)),
        Reply("b", "hotline", (4,)),
    )


def test_a_form_sent_again_and_again_is_one_voice() -> None:
    again = [report(n, text=LAMP) for n in range(1, 11)]
    assert Occurrence(1, "0101", in_order(again)).voices == 1
    assert Occurrence(1, "0101", in_order([*again, report(11, 3, text=LAMP), report(12)])).voices == 3


# -- data that is refused, texts, distance -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"automatic": 1.5}, "automatic=1.5: must lie between 0 and 1"),
        ({"suggested": 0.5}, "suggested=0.5: must be below automatic=0.5"),
        ({"text_swing": 0.6}, "text_swing=0.6: must be at most 0.5"),
        ({"text_swing": -0.1}, "text_swing=-0.1: must be at least 0"),
        ({"spot_m": 70}, "spot_m=70: must be above 0, at most reach_m"),
        ({"texts_compared": 0}, "texts_compared=0: must be 1 or more"),
        ({"voice_steps": ((1, 1),)}, "must rise in voices"),
        ({"voice_steps": ((3, 2), (10, 1))}, "must rise in voices"),
    ],
)
def test_a_policy_says_what_is_wrong(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadMergePolicy, match=words.replace("(", r"\(")):
        MergePolicy(**changes)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0.0, 90.0, 48.0, 336.0), "reach_m=0.0: must be a finite number above 0"),
        ((60.0, 50.0, 48.0, 336.0), "spread_m=50.0: must be at least reach_m=60.0"),
        ((60.0, 90.0, 48.0, 24.0), "life_h=24.0: must be at least window_h=48.0"),
        ((60.0, 90.0, math.inf, 336.0), "window_h=inf"),
    ],
)
def test_a_reach_says_what_is_wrong(numbers: Sequence[float], words: str) -> None:
    with pytest.raises(BadMergePolicy, match=words):
        Reach(*numbers)


@pytest.mark.parametrize(
    "fields", [{"lon": math.nan}, {"lon": 181}, {"lat": -91}, {"lon": None}, {"lat": None}]
)
def test_a_point_is_whole_and_on_the_earth(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="on the Earth"):
        report(**fields)
    with pytest.raises(ValueError, match="time zone"):
        Report(1, NOW.replace(tzinfo=None), LON, LAT, "0101")


@given(texts, texts)
def test_likeness_of_texts(one: str, other: str) -> None:
    a, b = shingles(one), shingles(other)
    found = alike(a, b)
    assert found == alike(b, a)
    assert (found is None) == (not a or not b)
    assert found is None or 0 <= found <= 1
    assert not a or alike(a, a) == 1.0


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("人民路口的路灯不亮了", "人民路口，路灯不亮。", 0.7, 0.9),
        ("人民路口的路灯不亮了", "小区垃圾没人清运", 0.0, 0.0),
        ("ＬＡＭＰ　broken", "lamp broken!", 1.0, 1.0),
        ("street lamp broken", "the lamps are broken", 0.4, 0.8),
        ("坑", "坑", 1.0, 1.0),
    ],
)
def test_texts(one: str, other: str, least: float, most: float) -> None:
    found = alike(shingles(one), shingles(other))
    assert found is not None and least <= found <= most


def test_plain() -> None:
    assert plain("人民路１２号（Ａ座）") == plain("人民路 12 号 a座") == "人民路 12 号 a 座"
    assert plain(" …！") == ""


@given(lons, lats, lons, lats)
def test_one_distance_is_that_of_many(lon1: float, lat1: float, lon2: float, lat2: float) -> None:
    found = distance_m(lon1, lat1, lon2, lat2)
    assert found == pytest.approx(float(haversine_m(lon1, lat1, lon2, lat2)), abs=1e-3)
    assert found == distance_m(lon2, lat2, lon1, lat1)
