"""Pages of incidents: the index of words finds what reading everything finds, and pages laid end to end are the list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.database import Database
from data.questions import incident_pages
from data.questions.answers import StoreQuestions
from data.questions.incident_pages import grams_of
from incidents.commands import IncidentList, SearchIncident
from incidents.model import Incident, Place, Rejected, Stage
from tests.conftest import STORES
from tests.small_city import CITY, actor, place_of, units_of_work

NOW = datetime(2026, 3, 3, 4, 5, 6, 789, tzinfo=UTC)


@pytest.fixture(scope="module", params=STORES)
def shared_db(request: pytest.FixtureRequest, template_of: Callable[[str], Any]) -> Iterator[Database]:
    """One store for tests that look at many examples; each example clears what it needs cleared."""
    template = template_of(request.param)
    name = template.fresh()
    template.made.append(name)
    database = template.open(name)
    yield database
    database.close()


LETTERS = "井盖路灯坏了12ab Ab%_\\"

said = st.text(LETTERS, max_size=12)
made = st.lists(
    st.builds(
        lambda title, name, address, unit, at, due, stage: {
            "title": title, "class_name": name, "unit": unit, "stage": stage, "place": Place(address=address, area_path=CITY),
            "reported_at": NOW - timedelta(minutes=at), "stage_due_at": None if due is None else NOW + timedelta(minutes=due),
        },
        said, said, said, st.sampled_from(["", "U1", "U2"]), st.integers(0, 3), st.none() | st.integers(-3, 3),
        st.sampled_from([Stage.REPORTED, Stage.DISPATCHED, Stage.CLOSED]),
    ),
    max_size=14,
)  # fmt: skip


def fill(db: Database, rows: list[dict[str, Any]]) -> list[Incident]:
    db.query("DELETE FROM incidents")
    with units_of_work(db)() as uow:
        return [
            uow.add_incident(
                Incident(id=0, number=f"LL202603{n:05d}", class_code="", text="", level=3, version=1, **row)
            )
            for n, row in enumerate(rows)
        ]


def asked(db: Database, **query: Any) -> dict[str, Any]:
    questions = StoreQuestions(db, place_of, dict, lambda: CITY)
    found: dict[str, Any] = questions.answer(IncidentList(**query), actor("dispatcher"), NOW)
    return found


def ids(answer: dict[str, Any]) -> list[int]:
    return [row["id"] for row in answer["rows"]]


def in_order(found: list[Incident], order: str) -> list[int]:
    if order == "newest":
        return [i.id for i in sorted(found, key=lambda i: (i.reported_at, i.id), reverse=True)]
    return [i.id for i in sorted(found, key=lambda i: (i.stage_due_at is None, i.stage_due_at or NOW, i.id))]


@pytest.mark.parametrize("looked", [2, 5000])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=made,
    text=st.text(LETTERS + "单位U1 ", min_size=1, max_size=6),
    scope=st.sampled_from(["open", "all"]),
)
def test_words_find_what_reading_everything_finds(
    shared_db: Database,
    monkeypatch: pytest.MonkeyPatch,
    looked: int,
    rows: list[dict[str, Any]],
    text: str,
    scope: str,
) -> None:
    monkeypatch.setattr(incident_pages, "LOOKED_AT", looked)
    monkeypatch.setattr(incident_pages, "FEW", len(rows) % 3)
    names = {"U1": "单位U1", "U2": "单位U2", "": ""}
    found = [
        i
        for i in fill(shared_db, rows)
        if (scope == "all" or i.open)
        and all(
            word.lower() in f"{i.number} {i.title} {i.class_name} {i.place.address} {names[i.unit]}".lower()
            for word in text.split()
        )
    ]
    answer = asked(shared_db, text=text, scope=scope, limit=50)
    assert ids(answer) == in_order(found, "newest")
    assert (answer["total"], answer["next"]) == (len(found), "")
    if text.split():
        page = asked(shared_db, text=text, scope=scope, limit=1)
        assert ids(page) == ids(answer)[:1] and page["total"] <= len(found)
        assert page["capped"] or page["total"] == len(found)


@pytest.mark.parametrize("order", ["newest", "due"])
@pytest.mark.parametrize("text", ["", "井"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=made, size=st.integers(1, 4))
def test_pages_laid_end_to_end_are_the_list(
    shared_db: Database,
    monkeypatch: pytest.MonkeyPatch,
    order: str,
    text: str,
    rows: list[dict[str, Any]],
    size: int,
) -> None:
    monkeypatch.setattr(incident_pages, "LOOKED_AT", 2)
    fill(shared_db, rows)
    whole = asked(shared_db, order=order, text=text, scope="all", limit=100)
    pages, after = [], ""
    for turn in range(len(rows) + 1):
        page = asked(shared_db, order=order, text=text, scope="all", limit=size, after=after)
        assert (page["total"] is None) == (turn > 0)
        pages += ids(page)
        after = page["next"]
        if not after:
            break
    assert pages == ids(whole)
    assert (
        ids(asked(shared_db, order=order, text=text, scope="all", limit=size, offset=size))
        == ids(whole)[size : 2 * size]
    )


def test_a_count_ends_where_nobody_reads_on(city: Database) -> None:
    rows = [
        {
            "title": "t",
            "class_name": "",
            "place": Place(area_path=CITY),
            "stage": Stage.REPORTED,
            "reported_at": NOW,
        }
    ]
    fill(city, rows * 5)
    counted = [(a["total"], a["capped"]) for a in (asked(city, most=most) for most in (3, 5, 10))]
    assert counted == [(3, True), (5, False), (5, False)]


@settings(max_examples=60)
@given(text=st.text(LETTERS, max_size=20), begin=st.integers(0, 19), length=st.integers(1, 9))
def test_a_text_holds_the_grams_of_every_piece_of_it(
    shared_db: Database, text: str, begin: int, length: int
) -> None:
    for word in text[begin : begin + length].split():
        (held,) = shared_db.query("SELECT said_grams(%s) @> %s::text[]", (text, grams_of(word)))
        assert held == (True,)


def test_what_is_said_follows_the_incident(city: Database) -> None:
    (incident,) = fill(
        city,
        [
            {
                "title": "井盖",
                "class_name": "",
                "place": Place(area_path=CITY),
                "stage": Stage.REPORTED,
                "reported_at": NOW,
            }
        ],
    )
    city.query("UPDATE incidents SET title = '路灯', number = 'X-99' WHERE id = %s", (incident.id,))
    assert not ids(asked(city, text="井盖")) and ids(asked(city, text="路灯")) == [incident.id]
    questions = StoreQuestions(city, place_of, dict, lambda: CITY)
    for number, count in (("x-9", 1), ("9", 1), ("LL", 0)):
        assert questions.answer(SearchIncident(number), actor("dispatcher"), NOW)["total"] == count


@pytest.mark.parametrize("after", ["x", "1:x", "1:-1", ":", "9" * 40 + ":1", "-:99999999999999999999"])
def test_a_key_that_is_none_is_refused(city: Database, after: str) -> None:
    with pytest.raises(Rejected, match="after="):
        asked(city, after=after)
    with pytest.raises(Rejected, match="order='x': must be one of newest, due"):
        asked(city, order="x")


@pytest.mark.parametrize("offset", [-1, 10_001, 2**40])
def test_a_page_skips_no_more_than_is_read_quickly(shared_db: Database, offset: int) -> None:
    """Rows skipped by number are read one by one; the error says how to go on."""
    with pytest.raises(Rejected, match="after=") as refused:
        asked(shared_db, offset=offset)
    assert refused.value.field == "offset"
    assert asked(shared_db, offset=10_000, scope="all")["rows"] == []
