"""A trained router as a file: what is read decides as what was written, and nothing else is taken for a router."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gis.borders import Borders
from incidents.backtest import OF, Answer, Replayed, loads, picked, score
from incidents.boosted_judge import DEPTH
from incidents.dispatch_learning import Policy
from incidents.dispatch_model import Asked, Outcome
from incidents.responsibility import CELL, Area, Period, Row, Rules, Unit
from incidents.router_file import BadRouter, router_bytes, router_of, sealed
from incidents.router_training import FEWEST, TAUGHT, TooFew, Trained, train_router

NOON: Final = datetime(2026, 3, 2, 4, tzinfo=UTC)
RULES: Final = Rules(
    "v1",
    [Row("E01", "E01", "", f"{CELL}E01"), Row("E02", "E02", "", f"{CELL}E02"), Row("E02/汛期", "E02", "", f"{CELL}E02/汛期", "汛期")],
    {f"{CELL}E01": {"": "UC", "1/2/": "UE"}, f"{CELL}E02": {"": "UC"}, f"{CELL}E02/汛期": {"1/1/": "UW"}},
    [Unit("UC", "市中心"), Unit("UW", "西队", "1/1/"), Unit("UE", "东队", "1/2/")],
    [Area("1/1/", "西区"), Area("1/2/", "东区")],
    Borders(["1/1/", "1/2/"], [shapely.box(113.8, 21.9, 113.9, 22), shapely.box(113.9, 21.9, 114, 22)]),
    [Period("汛期", "主汛期", datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC))],
    class_names={"E01": "暴露垃圾", "E02": "道路积水"},
    cell_reasons={"E01@1/2/": "东区自行清运"},
)  # fmt: skip


def history(count: int = 600, seed: int = 2) -> list[Outcome]:
    """As the table says, but for the west's rubbish, which its own squad takes."""
    rng = random.Random(seed)
    found = []
    for n in range(count):
        code, lon = rng.choice(("E01", "E02")), rng.uniform(113.81, 113.99)
        unit = "UC" if code == "E02" else ("UW" if lon < 113.9 else "UE")
        at = NOON - timedelta(days=200) * (1 - n / count)
        text = f"{'垃圾成堆' if code == 'E01' else '路面积水'}{rng.choice('甲乙丙丁')}"
        found.append(Outcome(Asked(at, text, code, lon=lon, lat=rng.uniform(21.91, 21.99)), unit))
    return found


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train_router(history(), RULES, Policy(goal=0.95, records_err=False, version="v"))


asked_ones = st.builds(
    Asked,
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
    st.one_of(st.text(max_size=20), st.sampled_from(["东区垃圾成堆", "西区路面积水"])),
    st.sampled_from(["", "E01", "E02", "unknown"]),
    st.just(""),
    st.one_of(st.none(), st.floats(113.7, 114.1), st.just(float("nan"))),
    st.one_of(st.none(), st.floats(21.8, 22.1)),
    owner=st.sampled_from(["", "UW", "unknown"]),
    registered_area=st.sampled_from(["", "1/1/", "1/9/"]),
    area=st.sampled_from(["", "1/1/", "1/2/", "9/"]),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=asked_ones)
def test_what_is_read_decides_as_what_was_written(trained: Trained, asked: Asked) -> None:
    again = _again(trained)
    assert again.decide(asked) == trained.router.decide(asked)


_READ: dict[int, Any] = {}


def _again(trained: Trained) -> Any:
    if id(trained) not in _READ:
        _READ[id(trained)] = router_of(router_bytes(trained.router), RULES, "v")
    return _READ[id(trained)]


def test_the_last_part_measures_what_the_first_has_taught(trained: Trained) -> None:
    figures = trained.figures
    assert figures["measured_on"] == 600 - round(600 * TAUGHT)
    assert figures["right_share"] >= 0.95
    assert figures["automatic_share"] > 0.5 and figures["first_dispatch_accuracy"] > 0.9
    assert trained.learned_from < trained.learned_until < trained.measured_until
    decision = trained.router.decide(Asked(NOON, "垃圾成堆", "E01", lon=113.85, lat=21.95))
    assert decision.unit == "UW", "the table says UC, what became of such cases UW"
    assert {reason.evidence for reason in decision.ranked[0].reasons} >= {"history"}
    with pytest.raises(TooFew, match=f"must be {FEWEST} at least"):
        train_router(history(FEWEST - 1), RULES, Policy())


def test_a_table_told_cell_by_cell_names_its_cell(trained: Trained) -> None:
    east = trained.router.decide(Asked(NOON, "", "E01", lon=113.95, lat=21.95))
    assert (east.unit, east.rule) == ("UE", "E01@1/2/")
    table = next(reason for reason in east.ranked[0].reasons if reason.evidence == "table")
    assert table.zh.startswith("责任表：东区自行清运") and "暴露垃圾 belongs to 东队" in table.en
    west = trained.router.decide(Asked(NOON, "", "E01", lon=113.85, lat=21.95))
    assert {one.unit: one.rule for one in west.ranked}["UC"] == "E01@*"


def test_a_place_known_as_an_area_only_is_looked_up_there(trained: Trained) -> None:
    assert trained.router.decide(Asked(NOON, "", "E01", area="1/2/")).unit == "UE"


def _head_of(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    with np.load(io.BytesIO(content)) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    return json.loads(found["head"].tobytes()), found


def _file(head: dict[str, Any], arrays: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    arrays = {**arrays, "head": np.frombuffer(json.dumps(head).encode(), np.uint8)}
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 9}, "head.format=9"),
        ({"evidence": ["table"]}, "head.evidence"),
        ({"weights": [1.0]}, "head.weights"),
        ({"counts": {}}, "must be that of a router"),
        ({"record": [["x", {"right": 1}]]}, "counts by label"),
        ({"record": [[["all"], {"right": -1}]]}, "counts by label"),
        ({"judge": {"begin": 0, "trees": [[[0], [1.0], [0.0]]]}}, f"trees of {2**DEPTH - 1} questions"),
        ({"words": {"text": [["a"], ["b"]]}}, "float32 of"),
    ],
)  # fmt: skip
def test_what_is_no_router_is_refused_by_name(trained: Trained, change: dict[str, Any], words: str) -> None:
    head, arrays = _head_of(router_bytes(trained.router))
    with pytest.raises(BadRouter, match=words.replace("[", r"\[")):
        router_of(_file({**head, **change}, arrays), RULES, "v")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(BadRouter):
        router_of(content, RULES, "v")
    assert len(sealed(content)) == 64


def test_who_only_asks_a_router_loads_no_training_library() -> None:
    """scikit-learn and scipy cost a second and 100 MB: ingest and web do without."""
    code = (
        "import sys, data.city_router, data.uow, data.questions.answers, incidents.service, incidents.triage;"
        "print([name for name in ('sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- backtest ---------------------------------------------------------------------------------------------------

units = st.sampled_from(["", "A", "B", "C"])
answers = st.builds(Answer, units, st.floats(0, 1), st.booleans())
cases = st.lists(
    st.builds(Replayed, st.integers(1, 99), st.sampled_from("ABC"), answers, answers, st.booleans())
)


@given(cases)
def test_figures_add_up(cases: list[Replayed]) -> None:
    """What gains is what others lose; what moves is right, wrong or neither; a figure is what opens behind it."""
    after = score(cases, lambda case: case.after)
    assert after.cases == len(cases) == len(picked(cases, "all"))
    assert after.automatic == len(picked(cases, "automatic")) == len(cases) - len(picked(cases, "manual"))
    assert after.cases - after.right == len(picked(cases, "wrong"))
    assert after.automatic - after.right_automatic == len(picked(cases, "wrong_automatic"))
    moved = picked(cases, "moved")
    assert len(picked(cases, "gained")) + len(picked(cases, "lost")) <= len(moved)
    assert after.right - score(cases, lambda case: case.before).right == len(picked(cases, "gained")) - len(
        picked(cases, "lost")
    )
    found = loads(cases)
    nameless = sum(not c.before.unit for c in cases) - sum(not c.after.unit for c in cases)
    assert sum(load.after - load.before for load in found) == nameless
    changes = [load.after - load.before for load in found]
    assert changes == sorted(changes, reverse=True)
    for load in found:
        of_unit = picked(cases, "moved", load.unit)
        assert load.after - load.before == sum(c.after.unit == load.unit for c in of_unit) - sum(
            c.before.unit == load.unit for c in of_unit
        )
    assert set(OF) >= {"moved", "gained", "lost"}
