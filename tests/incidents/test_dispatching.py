"""Routing: laws over random questions and histories, and stories of who must answer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gis.borders import METRES_PER_DEGREE, Borders
from incidents.boosted_judge import fit_judge
from incidents.dispatch_learning import Policy, learn, take
from incidents.dispatch_model import Asked, Duty, Outcome, TextClass, Trust, approved, returned
from incidents.dispatch_setups import own_text, square, with_table, without_table
from incidents.dispatching import FIELD_WORDS, Router
from incidents.final_units import FinalUnits
from incidents.published_threshold import NEVER, published, thresholds, wilson_lower
from incidents.responsibility import Area, Period, Row, Rules, Unit
from incidents.word_weights import WordWeights, words_of

BORDER_LON: Final = 113.9
NOON: Final = datetime(2026, 3, 2, 4, tzinfo=UTC)
FLOOD: Final = Period("flood", "汛期", datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC))
DEGREE_M: Final = METRES_PER_DEGREE * float(np.cos(np.radians(21.95)))

RULES: Final = Rules(
    "v7",
    [
        Row("R1-street", "E01", "满溢", "street"), Row("R1-law", "E01", "满溢", "law"),
        Row("R2-owner", "C01", "破损", "owner"), Row("R2-centre", "C01", "破损", "centre"),
        Row("R3-road", "E02", "", "road"), Row("R3-law", "E02", "", "law"),
        Row("P1-flood", "E02", "", "flood", "flood"),
    ],
    {
        "street": {"1/1/1/": "UW", "1/1/2/": "UE"}, "law": {"1/1/": "UL"}, "centre": {"": "UC"}, "flood": {"": "UF"},
        "road:arterial": {"": "UC"}, "road:local": {"1/1/1/": "UW", "1/1/2/": "UE"},
    },
    [Unit("UW", "西街办事处", "1/1/1/"), Unit("UE", "东街办事处", "1/1/2/"), Unit("UL", "区执法队", "1/1/"), Unit("UC", "市政中心"),
     Unit("UF", "防汛队"), Unit("KT", "远讯公司")],
    [Area("1/1/", "中区"), Area("1/1/1/", "西街"), Area("1/1/2/", "东街", ("东社区",))],
    Borders(["1/1/1/", "1/1/2/"], [shapely.box(113.8, 21.9, BORDER_LON, 22), shapely.box(BORDER_LON, 21.9, 114, 22)]),
    [FLOOD],
    {"street": "所属街办", "law": "属地行政执法部门", "owner": "产权单位", "centre": "市政中心", "road": "道路管养单位", "flood": "防汛队"},
    {"远讯公司": "KT"},
)  # fmt: skip


def lon_at(metres_east: float) -> float:
    """A longitude by its distance from the border of the two streets."""
    return BORDER_LON + metres_east / DEGREE_M


def garbage(metres_east: float = 3000.0, **more: object) -> Asked:
    return replace(Asked(NOON, "垃圾满溢", "E01", "满溢", lon_at(metres_east), 21.95), **more)  # type: ignore[arg-type]


def past(count: int = 900, seed: int = 1, wrong: float = 0.0) -> list[Outcome]:
    """A history in which the street cleans, owners repair, arterial roads are the centre's and local ones the street's."""
    rng = random.Random(seed)
    found = []
    for n in range(count):
        at = NOON - timedelta(days=200 - 200 * n / count)
        asked = Asked(
            at,
            "",
            "E01",
            "满溢",
            lon_at(rng.choice((-1, 1)) * rng.uniform(40, 9000)),
            rng.uniform(21.91, 21.99),
        )
        street = "UE" if asked.lon is not None and asked.lon > BORDER_LON else "UW"
        kind = n % 3
        if kind == 0:
            outcome = Outcome(replace(asked, text="垃圾桶满溢"), street)
        elif kind == 1:
            owner = rng.choice(("KT", "UC"))
            outcome = Outcome(
                replace(asked, text="井盖破损", class_code="C01", condition="破损", owner=owner), owner
            )
        else:
            road = rng.choice(("arterial", "local"))
            unit = "UC" if road == "arterial" else street
            outcome = Outcome(
                replace(asked, text="路面坑洞", class_code="E02", condition="", road_class=road), unit
            )
        found.append(replace(outcome, unit="UL") if rng.random() < wrong else outcome)
    return found


@pytest.fixture(scope="module")
def router() -> Router:
    scenes, evidence = with_table(RULES, own_text())
    return learn(past(), scenes, evidence, Policy(records_err=False, goal=0.9)).router


@pytest.fixture(scope="module")
def file_router() -> Router:
    scenes, evidence = without_table()
    return learn(past(), scenes, evidence, Policy(records_err=False, goal=0.9)).router


asked_ones = st.builds(
    Asked,
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
    st.one_of(
        st.text(max_size=30), st.sampled_from(["东社区垃圾满溢", "远讯公司井盖破损", "西街和东街之间"])
    ),
    st.sampled_from(["", "E01", "C01", "E02", "unknown"]),
    st.sampled_from(["", "满溢", "破损", "unknown"]),
    st.one_of(st.none(), st.floats(113.7, 114.1), st.just(float("nan"))),
    st.one_of(st.none(), st.floats(21.8, 22.1)),
    st.floats(1, 200),
    st.sampled_from(["", "KT", "UC", "unknown"]),
    st.sampled_from(["", "1/1/1/", "1/1/2/", "1/9/9/"]),
    st.sampled_from(["", "arterial", "local", "unknown"]),
)

LAWS: Final = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# -- laws ----------------------------------------------------------------------------------------------------


@LAWS
@given(asked=asked_ones, table=st.booleans())
def test_every_decision_is_whole(router: Router, file_router: Router, asked: Asked, table: bool) -> None:
    """The same question has the same answer; confidences fall and sum to at most 1; everybody named has a reason."""
    one = router if table else file_router
    decision = one.decide(asked)
    assert decision == one.decide(asked)
    sure = [ranked.confidence for ranked in decision.ranked]
    assert sure == sorted(sure, reverse=True)
    assert sum(sure) <= 1 + 1e-5
    assert len({ranked.unit for ranked in decision.ranked}) == len(sure)
    assert all(reason.zh and reason.en for ranked in decision.ranked for reason in ranked.reasons)
    assert all(ranked.reasons for ranked in decision.ranked)
    assert decision.why
    assert decision.version == "1"
    if decision.automatic:
        assert decision.confidence >= decision.threshold


@LAWS
@given(asked=asked_ones)
def test_switching_text_off_removes_no_candidate_of_the_table(router: Router, asked: Asked) -> None:
    """Rules work without a text model: whatever the table names for the class given stays named."""
    if not asked.class_code:
        return
    table = router.evidence[0]
    scenes = router.scenes
    with_text = set(table.look(scenes.look(asked)).units)
    kept, scenes.text = scenes.text, None
    without = set(table.look(scenes.look(asked)).units)
    scenes.text = kept
    assert with_text == without


@LAWS
@given(metres=st.floats(-200, 200), uncertainty=st.floats(1, 150), code=st.sampled_from(["E01", "E02"]))
def test_near_a_border_both_sides_are_named(
    router: Router, metres: float, uncertainty: float, code: str
) -> None:
    decision = router.decide(garbage(metres, uncertainty_m=uncertainty, class_code=code))
    if abs(metres) < uncertainty - 0.5:
        assert {side.area_name for side in decision.sides} == {"西街", "东街"}
        assert any(reason.evidence == "border" for reason in decision.ranked[0].reasons)
    elif abs(metres) > uncertainty + 0.5:
        assert decision.sides == ()


@LAWS
@given(asked=asked_ones, wrong=st.sampled_from(["class", "place", "owner", "scope"]))
def test_a_rule_that_came_back_waits_for_approval(router: Router, asked: Asked, wrong: str) -> None:
    before = router.decide(asked)
    if not before.rule:
        return
    trust = returned(Trust(), before.rule, wrong)
    after = router.decide(asked, trust=trust)
    assert not after.automatic
    assert wrong in after.why_en and FIELD_WORDS[wrong] in after.why
    assert after.ranked == before.ranked
    assert router.decide(asked, trust=approved(trust, [before.rule])) == before


@LAWS
@given(
    data=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ABC")), min_size=1, max_size=40),
    unit=st.sampled_from("ABC"),
    more=st.integers(1, 5),
)
def test_more_agreeing_outcomes_never_lower_a_unit(
    data: Sequence[tuple[int, str]], unit: str, more: int
) -> None:
    """One more case that a unit handled here does not make another unit more probable here."""
    counts = FinalUnits()
    chain = [("all",), ("class", 1), ("street", 1), ("cell", 1)]
    for depth, label in data:
        counts.learn(chain[: depth + 1], label, 20_000.0)
    before = counts.shares(chain, "ABC", 20_000.0)
    for _ in range(more):
        counts.learn(chain, unit, 20_000.0)
    after = counts.shares(chain, "ABC", 20_000.0)
    for label, old, new in zip("ABC", before, after, strict=True):
        assert (new >= old - 1e-12) if label == unit else (new <= old + 1e-12)


@given(text=st.text(max_size=400))
def test_words_of_any_text(text: str) -> None:
    words = words_of(text)
    assert len(words) == len(set(words)) <= 160
    assert all(words)


@given(
    x=st.floats(-3000, 3000), y=st.floats(-3000, 3000), metres=st.floats(0, 500), lat=st.sampled_from([-45.0, 0.0, 22.0, 60.0])
)  # fmt: skip
def test_distances_to_areas(x: float, y: float, metres: float, lat: float) -> None:
    """Against the distance to a square in plain numbers."""
    lat_m, lon_m = METRES_PER_DEGREE, METRES_PER_DEGREE * float(np.cos(np.radians(lat)))
    borders = Borders(
        ["a"], [shapely.box(10 - 1000 / lon_m, lat - 1000 / lat_m, 10 + 1000 / lon_m, lat + 1000 / lat_m)]
    )
    wanted = float(np.hypot(max(abs(x) - 1000, 0), max(abs(y) - 1000, 0)))
    found = borders.within(10 + x / lon_m, lat + y / lat_m, metres)
    if wanted < metres - 0.01:
        assert found[0][0] == "a"
        assert found[0][1] == pytest.approx(wanted, abs=0.01)
    elif wanted > metres + 0.01:
        assert found == []


@given(lon=st.floats(-180, 180), lat=st.floats(-90, 90), side=st.sampled_from([125, 500, 8000]))
def test_a_place_is_in_one_square(lon: float, lat: float, side: int) -> None:
    assert square(lon, lat, side) == square(lon, lat, side)
    assert square(None, lat, side) is None
    assert square(lon, float("nan"), side) is None


# -- stories -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "unit", "word"),
    [
        (garbage(3000), "UE", "所属街办"),
        (garbage(-3000), "UW", "所属街办"),
        (garbage(class_code="C01", condition="破损", text="井盖破损", owner="KT"), "KT", "产权单位"),
        (garbage(class_code="C01", condition="破损", text="远讯公司的井盖破损"), "KT", "文字提到"),
        (garbage(class_code="E02", condition="", text="坑洞", road_class="arterial"), "UC", "主干道由"),
        (garbage(-3000, class_code="E02", condition="", text="坑洞", road_class="local"), "UW", "支路由"),
    ],
)
def test_who_answers_and_why(router: Router, asked: Asked, unit: str, word: str) -> None:
    decision = router.decide(asked)
    assert decision.unit == unit
    assert any(word in reason.zh for reason in decision.ranked[0].reasons)


def test_in_a_special_period_its_unit_answers_though_it_never_did(router: Router) -> None:
    pit = garbage(class_code="E02", condition="", text="坑洞", road_class="arterial")
    flood = router.decide(replace(pit, at=FLOOD.begin))
    assert flood.unit == "UF"
    assert "汛期" in flood.ranked[0].reasons[0].zh
    assert router.decide(replace(pit, at=FLOOD.end)).unit == "UC"


def test_the_register_knows_better_than_the_pin(router: Router) -> None:
    assert router.decide(garbage(5, registered_area="1/1/1/")).unit == "UW"


def test_the_class_is_read_from_the_text(router: Router) -> None:
    decision = router.decide(garbage(class_code="", condition="", text="垃圾桶满溢"))
    assert decision.unit == "UE"


def test_a_text_model_of_somebody_else(router: Router) -> None:
    class Two:
        def classes(self, text: str) -> list[TextClass]:
            return [TextClass("C01", "破损", 0.9, ("井",))]

    scenes, evidence = with_table(RULES, Two())
    other = learn(past(300), scenes, evidence, Policy()).router
    assert other.decide(garbage(class_code="", condition="", owner="KT")).unit == "KT"


def test_nothing_known_goes_to_the_manual_pool(router: Router) -> None:
    scenes, evidence = with_table(RULES, None)
    blank = Router(scenes, evidence, (1.0,) * 2, None, FinalUnits(), NEVER, "0").decide(Asked(NOON))
    assert (blank.unit, blank.automatic, blank.ranked) == ("", False, ())
    assert "人工" in blank.why


def test_a_unit_without_a_free_hand_is_asked_by_a_person(router: Router) -> None:
    asked = garbage()
    assert "不值班" in router.decide(asked, {"UE": Duty(on_duty=False)}).why
    full, over = (
        router.decide(asked, {"UE": Duty(True, 10, 10)}),
        router.decide(asked, {"UE": Duty(True, 12, 10)}),
    )
    assert "在办 10 件，已达 10 件的能力" in full.why and "在办 12 件，超过 10 件的能力" in over.why
    assert not full.automatic and not over.automatic and "more than the 10" in over.why_en
    assert router.decide(asked, {"UE": Duty(True, 99)}) == router.decide(asked), (
        "what nobody has said is not judged"
    )
    assert router.decide(asked, {"UE": Duty(True, 8, 9)}) == router.decide(asked)
    assert router.decide(asked, {"UE": Duty(on_duty=False)}).unit == "UE"


def test_a_field_that_cannot_be_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match="wrong_field='weather'"):
        returned(Trust(), "R1", "weather")


def test_without_a_table_history_place_and_words_decide(file_router: Router) -> None:
    assert file_router.decide(garbage(-4000)).unit == "UW"
    assert file_router.decide(Asked(NOON, "井盖破损", "C01")).unit in ("KT", "UC")
    assert file_router.decide(Asked(NOON)).ranked
    new_class = file_router.decide(Asked(NOON, "垃圾桶满溢", "E99", lon=lon_at(4000), lat=21.95))
    assert new_class.unit == "UE"


def test_few_or_equal_outcomes_teach_without_failing() -> None:
    for outcomes in ([], past(1), past(40), [replace(o, unit="one") for o in past(400)]):
        scenes, evidence = without_table()
        learned = learn(outcomes, scenes, evidence, Policy(records_err=False))
        decision = learned.router.decide(garbage())
        assert decision.automatic in (False, True)
        assert all(w >= 0 for w in learned.router.weights)


def test_wrong_records_are_told_from_wrong_decisions() -> None:
    """4 of 100 records are wrong whatever the router thinks: the judge still says that the clear cases are right."""
    rng = np.random.default_rng(5)
    strength = rng.normal(2.5, 2.5, 30_000)
    right = rng.random(30_000) < 1 / (1 + np.exp(-3 * strength))
    agreed = right & (rng.random(30_000) >= 0.04)
    judge, odds = fit_judge(strength[:, None], agreed, 0.04)
    assert judge.probability([4.0]) > 0.99
    assert judge.probability([-4.0]) < 0.05
    assert odds[7] == pytest.approx(judge.odds([float(strength[7])]))
    sure = 1 / (1 + np.exp(-odds))
    kept = sure >= published(thresholds(sure, agreed, True), 0.99)
    assert kept.mean() > 0.4
    assert right[kept].mean() >= 0.99
    assert published(thresholds(sure, agreed, False), 0.99) == NEVER
    assert (sure >= published(thresholds(sure, right, False), 0.99)).mean() >= kept.mean()


def test_a_person_is_asked_only_about_records_that_disagree() -> None:
    history = past(wrong=0.1)
    truth = {outcome.asked: outcome.unit for outcome in past()}
    asked: list[Outcome] = []

    def confirm(outcome: Outcome) -> str:
        asked.append(outcome)
        return truth.get(outcome.asked, outcome.unit)

    scenes, evidence = with_table(RULES, own_text())
    learned = learn(history, scenes, evidence, Policy(goal=0.9), confirm)
    assert learned.checked == len(asked) < 0.2 * learned.held_out
    assert learned.router.threshold < 1


def test_wilson() -> None:
    assert wilson_lower(0, 0) == 0.0
    assert wilson_lower(956, 956, 1.96) == pytest.approx(0.996, abs=1e-4)
    assert wilson_lower(50, 100, 1.96) == pytest.approx(0.4038, abs=1e-4)


def test_words_that_decide_are_named() -> None:
    weights = WordWeights()
    for _ in range(20):
        weights.learn(words_of("street lamp broken"), "lamps")
        weights.learn(words_of("garbage on the street"), "waste")
    shares = weights.shares(words_of("a lamp"))
    assert shares is not None
    assert shares[weights.labels["lamps"]] > 0.8
    assert "lamp" in weights.telling(words_of("the lamp"), "lamps")


def test_learning_on_keeps_what_is_published(router: Router) -> None:
    """Outcomes of today are learned at once; weights, judge and threshold change only with a new version."""
    scenes, evidence = without_table()
    own = learn(past(), scenes, evidence, Policy(records_err=False)).router
    before = (own.weights, own.judge, own.threshold)
    asked = Asked(NOON, "", "E77", lon=lon_at(50), lat=21.95)
    for _ in range(30):
        take(own, Outcome(asked, "NEW"))
    assert own.decide(asked).unit == "NEW"
    assert (own.weights, own.judge, own.threshold) == before


def test_a_judge_says_the_same_of_one_and_of_many() -> None:
    """Numbers that lie on a cut, that are all alike or that are few are no exception."""
    rng = np.random.default_rng(8)
    numbers = np.column_stack([rng.integers(0, 4, 900), np.ones(900), rng.normal(size=900)]).astype(float)
    agreed = rng.random(900) < np.where((numbers[:, 0] > 1) & (numbers[:, 2] > 0), 0.9, 0.2)
    judge, odds = fit_judge(numbers, agreed, 0.0)
    assert judge.odds_of(numbers) == pytest.approx(odds)
    assert [judge.odds(row) for row in numbers[:50].tolist()] == pytest.approx(odds[:50].tolist())
    # What only both numbers together tell.
    assert judge.probability([3.0, 1.0, 1.0]) > 0.75
    assert max(judge.probability([0.0, 1.0, 1.0]), judge.probability([3.0, 1.0, -1.0])) < 0.35
    same, _ = fit_judge(numbers, agreed, 0.0)
    assert same == judge
    alone, _ = fit_judge(numbers[:3], agreed[:3], 0.0)
    assert 0 < alone.probability([1.0, 1.0, 0.0]) < 1
