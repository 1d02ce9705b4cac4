"""The audit log: append-only, one chain whoever writes, and every tampering shows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import Stage


def write(stage: Stage, action: str = "test.write", **more: Any) -> None:
    row: dict[str, Any] = {"actor": "tester", "role": "auditor", "thing": "t", "allowed": True, "detail": {}}
    stage.audit.append(action=action, now=stage.clock(), **(row | more))


@contextmanager
def bent(stage: Stage, sql: str, undo: str) -> Iterator[None]:
    """What a database administrator could do: switch the trigger off and change history."""

    def change(statement: str) -> None:
        with stage.db.transaction() as cursor:
            cursor.execute("ALTER TABLE audit DISABLE TRIGGER audit_append_only")
            cursor.execute(statement)
            cursor.execute("ALTER TABLE audit ENABLE TRIGGER audit_append_only")

    change(sql)
    yield
    change(undo)


@pytest.mark.parametrize("sql", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"])
def test_append_only(stage: Stage, sql: str) -> None:
    write(stage)
    with pytest.raises(psycopg2.Error, match="append-only"):
        stage.db.query(sql)


def test_many_writers_one_chain(stage: Stage) -> None:
    before = stage.audit.verify()
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(write, stage, f"test.{n}") for n in range(120)]:
            done.result()
    after = stage.audit.verify()
    assert before.whole and after.whole and after.rows - before.rows >= 120


def test_a_rolled_back_action_leaves_no_row(stage: Stage) -> None:
    before = stage.audit.verify().rows
    with pytest.raises(RuntimeError), stage.db.transaction() as cursor:
        write(stage, cursor=cursor)
        raise RuntimeError
    assert stage.audit.verify().rows == before


@pytest.mark.parametrize(
    ("sql", "undo"),
    [
        (
            "UPDATE audit SET allowed = NOT allowed WHERE id = %d",
            "UPDATE audit SET allowed = NOT allowed WHERE id = %d",
        ),
        (
            "UPDATE audit SET detail = '{\"n\": 8}' WHERE id = %d",
            "UPDATE audit SET detail = '{\"n\": 7}' WHERE id = %d",
        ),
        (
            "UPDATE audit SET at = at + interval '1 microsecond' WHERE id = %d",
            "UPDATE audit SET at = at - interval '1 microsecond' WHERE id = %d",
        ),
        (
            "CREATE TABLE gone AS SELECT * FROM audit WHERE id = %d; DELETE FROM audit USING gone WHERE audit.id = gone.id",
            "INSERT INTO audit OVERRIDING SYSTEM VALUE SELECT * FROM gone; DROP TABLE gone",
        ),
    ],
    ids=["outcome", "detail", "time", "removed"],
)
def test_tampering_shows_where(stage: Stage, sql: str, undo: str) -> None:
    write(stage, "test.victim", detail={"n": 7})
    victim = stage.db.query("SELECT max(id) FROM audit")[0][0]
    for _ in range(3):
        write(stage, "test.after")
    with bent(stage, sql % victim, undo % victim if "%d" in undo else undo):
        found = stage.audit.verify()
        assert not found.whole
        assert found.broken_at is not None and victim <= found.broken_at <= victim + 1
    assert stage.audit.verify().whole


details = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actor=st.text(max_size=300), detail=st.dictionaries(st.text(max_size=8), details, max_size=4))
def test_whatever_is_written_verifies(stage: Stage, actor: str, detail: dict[str, Any]) -> None:
    write(stage, actor=actor, detail=detail)
    assert stage.audit.verify().whole
