"""A backup holds the whole store, photos included, and gives it back: to the same edition and to another one."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from data import backup as backups
from data.backup import LEFT_OUT, TABLES, BadBackup, backup, restore
from data.database import Database
from data.migrate import migrate
from data.photos import Photos
from data.rollups import Rollups
from data.timeseries import enable
from deploy import embedded
from incidents.commands import IncidentList
from incidents.ports import TopicPartition
from incidents.router_file import sealed
from incidents.triage import triage
from streams import topics
from tests.conftest import STORES
from tests.contracts.test_store import NOW, Intaker, an_incident, service
from tests.product import ROOT
from tests.small_city import PATTERN, ZONE, actor, units_of_work
from tests.streams.city_messages import alarm, reading, report

OTHER = {"embedded": "timescale-apache"}
"""Where a backup of this store is restored, besides a store of its own kind; of any other: the embedded one."""


def picture() -> bytes:
    out = io.BytesIO()
    Image.effect_mandelbrot((400, 300), (-2, -1.2, 1, 1.2), 30).save(out, "JPEG")
    return out.getvalue()


def lived_in(db: Database) -> str:
    """A city with readings of two weeks, warnings, incidents, a dead letter, a held message, and a photo; the photo."""
    content = picture()
    digest = Photos(db).store(
        content, mime="image/jpeg", width=400, height=300, exif={"model": "相机"}, login="gw0001", now=NOW
    )
    intaker = Intaker(db)
    for days in range(9, 0, -1):
        at = NOW - timedelta(days=days)
        assert intaker.take([reading("WL-1", {"level": days / 7}, at, f"r{days}")], at) == ["stored"]
    intaker.take(
        [
            reading("WL-1", {"level": 99.0}, NOW, "over"),
            reading("WL-1", {"volt": 1.0}, NOW, "dead letter"),
            reading("NOBODY", {"level": 1.0}, NOW, "held"),
            alarm("99010100001320000001", "flood", NOW, "alarm"),
            report(NOW, "report", "垃圾\t成堆\\N\n两行", photos=[digest]),
        ]
    )
    with units_of_work(db)() as uow:
        triage(uow, NOW, PATTERN, ZONE)
    an_incident(db)
    Rollups(db, ZoneInfo(ZONE)).run(NOW - timedelta(days=2))
    return digest


def content(db: Database) -> dict[str, list[str]]:
    """Every row of every table that a backup holds, as text."""
    return {
        table: [row for (row,) in db.query(f"SELECT t::text FROM {table} t ORDER BY 1")]
        for table in TABLES
        if db.query("SELECT relkind <> 'v' FROM pg_class WHERE oid = to_regclass(%s)", (table,)) == [(True,)]
    }


def emptied(fresh_database: Callable[..., Database], store: str) -> Database:
    """A migrated store without a city."""
    db = fresh_database(store, filled=False)
    migrate(db)
    enable(db)
    return db


def no_bus() -> dict[TopicPartition, int]:
    return {}


def test_no_table_is_forgotten(city: Database) -> None:
    names = {
        name
        for (name,) in city.query(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        )
    }
    assert names == set(TABLES) | set(LEFT_OUT)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("to", ["same", "other"])
def test_everything_comes_back(
    fresh_database: Callable[..., Database], store: str, to: str, tmp_path: Path
) -> None:
    db = fresh_database(store)
    digest = lived_in(db)
    before = content(db)
    assert (
        len(before["readings"]) == 10
        and before["rollup_dirty"]
        and before["held"]
        and before["dead_letters"]
        and before["timeline"]
    )
    file = tmp_path / "city.zip"
    rows = backup(db, file, NOW, tmp_path / "models", pytest.fail)
    assert rows == {table: len(found) for table, found in before.items()}

    target = emptied(fresh_database, store if to == "same" else OTHER.get(store, "embedded"))
    assert restore(target, file, tmp_path / "models", no_bus, same_bus=True) == rows
    assert content(target) == before
    photo = Photos(target).load(digest)
    assert photo is not None and hashlib.sha256(photo.bytes).hexdigest() == digest
    with Image.open(io.BytesIO(photo.bytes)) as image:
        assert image.size == (400, 300)
    assert Photos(target).shown_on(digest) == Photos(db).shown_on(digest)
    # It goes on where it stood: numbers, identities, positions, and new weeks of readings.
    assert an_incident(target).number == an_incident(db).number
    there = Intaker(target)
    assert there.store.positions([TopicPartition(topics.READING, 0)]) == {
        TopicPartition(topics.READING, 0): 12
    }
    operator = actor("operator")
    assert (
        service(target).ask(IncidentList(), operator)["rows"]
        == service(db).ask(IncidentList(), operator)["rows"]
    )
    with pytest.raises(BadBackup, match="already holds a city"):
        restore(target, file, tmp_path / "models", no_bus)


def test_on_another_bus_reading_begins_at_its_first_message(
    fresh_database: Callable[..., Database], tmp_path: Path
) -> None:
    db = fresh_database()
    lived_in(db)
    backup(db, tmp_path / "city.zip", NOW, tmp_path / "models", pytest.fail)
    target = emptied(fresh_database, "embedded")
    here = TopicPartition(topics.READING, 0)
    restore(target, tmp_path / "city.zip", tmp_path / "models", lambda: {here: 500})
    assert target.query("SELECT position, position - start FROM partition_positions WHERE topic = %s",
                        (topics.READING,)) == [(500, 12)]  # fmt: skip


def test_what_is_no_good_backup_changes_nothing(
    fresh_database: Callable[..., Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = fresh_database()
    lived_in(db)
    file = tmp_path / "city.zip"
    backup(db, file, NOW, tmp_path / "models", pytest.fail)
    target = fresh_database(filled=False)
    with pytest.raises(BadBackup, match="not migrated"):
        restore(target, file, tmp_path / "models", no_bus)
    migrate(target)
    enable(target)

    nothing = tmp_path / "nothing.zip"
    nothing.write_bytes(b"no zip")
    with pytest.raises(BadBackup, match=r"nothing\.zip: not a backup"):
        restore(target, nothing, tmp_path / "models", no_bus)

    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(file) as good, zipfile.ZipFile(damaged, "w") as bad:
        for name in good.namelist():
            data = good.read(name)
            bad.writestr(name, data.splitlines(keepends=True)[0] if name == "readings.copy" else data)
    with pytest.raises(BadBackup, match="readings: the archive is damaged"):
        restore(target, damaged, tmp_path / "models", no_bus)

    monkeypatch.setattr(backups, "FORMAT", 2)
    with pytest.raises(BadBackup, match="format 1, must be 2"):
        restore(target, file, tmp_path / "models", no_bus)
    assert all(
        target.query(f"SELECT count(*) FROM {table}") == [(0,)] for table in ("city", "areas", "readings")
    )


def test_by_the_command_line(
    fresh_database: Callable[..., Database], servers: embedded.Embedded, tmp_path: Path
) -> None:
    db = fresh_database()
    lived_in(db)
    target = fresh_database(filled=False)
    file = tmp_path / "city.zip"

    def app(database: Database, *words: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {
            "CHENGYUN_DSN": database.dsn,
            "CHENGYUN_BUS": servers.bus_url,
            "CHENGYUN_LIVE_URL": servers.live_url,
            "CHENGYUN_VAR": str(tmp_path),
        }
        return subprocess.run(
            [sys.executable, "app.py", *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
        )

    done = app(db, "backup", str(file))
    assert done.returncode == 0, done.stderr
    assert f"rows of {len(TABLES)} tables" in done.stdout
    assert app(target, "migrate").returncode == 0
    done = app(target, "restore", str(file), "--same-bus")
    assert done.returncode == 0, done.stderr
    assert content(target) == content(db)
    again = app(target, "restore", str(file))
    assert again.returncode == 1 and again.stderr.strip().endswith("restore needs an empty one")
    assert len(again.stderr.strip().splitlines()) == 1


def test_trained_routers_come_back_with_the_store(
    fresh_database: Callable[..., Database], tmp_path: Path
) -> None:
    """The registry without its files could publish nothing. What is no registered file is left out, and told."""
    db, here, there = fresh_database(), tmp_path / "here", tmp_path / "there"
    here.mkdir()
    lived_in(db)
    for version, told, kept in (
        ("r-1", b"one", b"one"),
        ("r-2", b"two", b"changed"),
        ("r-3", b"three", None),
    ):
        db.query(
            "INSERT INTO router_models (version, state, trained_at, trained_by, source, inputs, learned_from,"
            " learned_until, measured_until, threshold, figures, file, sha256) VALUES (%s, 'candidate', %s, 'admin',"
            " 'store', '{}', %s, %s, %s, 0.9, '{}', %s, %s)",
            (version, NOW, NOW, NOW, NOW, f"{version}.npz", sealed(told)),
        )
        if kept is not None:
            (here / f"{version}.npz").write_bytes(kept)
    file, missing = tmp_path / "city.zip", list[str]()
    backup(db, file, NOW, here, missing.append)
    assert [words.split(":")[0] for words in missing] == ["r-2", "r-3"]
    restore(emptied(fresh_database, "embedded"), file, there, no_bus)
    assert {found.name: found.read_bytes() for found in there.iterdir()} == {"r-1.npz": b"one"}

    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(damaged, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"another" if name.startswith("models/") else old.read(name))
    target = emptied(fresh_database, "embedded")
    with pytest.raises(BadBackup, match=r"models/r-1.npz"):
        restore(target, damaged, tmp_path / "nowhere", no_bus)
    assert not (tmp_path / "nowhere").exists()
    assert target.query("SELECT count(*) FROM city") == [(0,)]
