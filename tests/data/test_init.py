"""`app.py init` as its users run it: killed half-way it can be tried again; what it is not told it asks for."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import make_dsn

from data.city_facts import NoCity, load_facts
from data.database import Database
from data.migrate import migrate
from deploy import embedded
from incidents.numbering import BadPattern, check_pattern, incident_number
from tests.people import Person
from tests.product import ROOT, Product

OWN_CITY = ("--name", "某市", "--code", "440000", "--lon", "113.2", "--lat", "23.1")
KILLED = {
    # The file is written and not yet in its place.
    "before": "import pathlib; pathlib.Path.replace = lambda *a: die()",
    # The file is there and nothing is committed.
    "after": "import data.accounts_file as f; w = f.write_accounts; f.write_accounts = lambda *a: (w(*a), die())",
    "full disk": (
        "import os, errno\ndef full(*a): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\nos.fsync = full"
    ),
}


class Init:
    """`app.py init` against an empty store of its own."""

    def __init__(self, dsn: str, var: Path) -> None:
        self.var = var
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CHENGYUN_")}
        self.env = {**clean, "CHENGYUN_DSN": dsn, "CHENGYUN_VAR": str(var), "PYTHONPATH": str(ROOT)}

    def __call__(self, *words: str, fault: str = "pass") -> subprocess.CompletedProcess[str]:
        code = (
            "import os, signal, sys\ndef die(): os.kill(os.getpid(), signal.SIGKILL)\n"
            f"{fault}\nimport app; sys.exit(app.main(['init', *sys.argv[1:]]))"
        )
        return subprocess.run(
            [sys.executable, "-c", code, *words], cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=300
        )  # fmt: skip

    @property
    def file(self) -> Path:
        """Where first passwords are."""
        return self.var / "accounts.txt"


@pytest.fixture
def store(fresh_database: Callable[..., Database]) -> Database:
    """A migrated store without a city."""
    database = fresh_database(filled=False)
    migrate(database)
    return database


@pytest.fixture
def init(store: Database, servers: embedded.Embedded, tmp_path: Path) -> Init:
    """init over `store`."""
    name = store.query("SELECT current_database()")[0][0]
    return Init(make_dsn(servers.dsn, dbname=name), tmp_path / "var")


@pytest.mark.parametrize(
    ("how", "words"), [("before", ("--sample",)), ("before", OWN_CITY), ("after", OWN_CITY)]
)
def test_killed_before_the_commit_it_can_be_tried_again(
    store: Database, init: Init, how: str, words: tuple[str, ...]
) -> None:
    assert init(*words, fault=KILLED[how]).returncode == -signal.SIGKILL
    assert init.file.exists() == (how == "after")
    assert store.query("SELECT (SELECT count(*) FROM city), (SELECT count(*) FROM accounts)") == [(0, 0)]
    done = init(*words)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(init.file.stat().st_mode) == 0o600
    logins = {line.split()[0] for line in init.file.read_text().splitlines() if line[0] not in "#f"}
    assert logins and store.query("SELECT login FROM accounts WHERE login <> ALL(%s)", (list(logins),)) == []
    assert [p.name for p in init.var.iterdir()] == ["accounts.txt"]
    again = init(*words)
    assert again.returncode == 0 and "already holds a city" in again.stdout
    assert "first passwords" not in again.stdout, "they can be read where they are"


def test_a_full_disk_makes_no_city(store: Database, init: Init) -> None:
    done = init(*OWN_CITY, fault=KILLED["full disk"])
    assert done.returncode == 1
    assert done.stderr.strip() == f"init: {init.file}: No space left on device; no city was made"
    assert not init.file.exists() and store.query("SELECT count(*) FROM city") == [(0,)]
    assert init(*OWN_CITY).returncode == 0


def test_lost_first_passwords_are_told(init: Init, store: Database) -> None:
    assert init(*OWN_CITY).returncode == 0
    init.file.unlink()
    assert "1 accounts still have their first passwords" in init(*OWN_CITY).stdout
    store.query("UPDATE accounts SET must_change = false")
    assert "first passwords" not in init(*OWN_CITY).stdout


WRONG: dict[tuple[str, ...], str] = {
    (): "--name, --code, --lon, --lat must be given",
    ("--name", "某市", "--code", "440000", "--lon", "113.2"): "--lat must be given",
    (*OWN_CITY, "--code", "44000"): "--code='44000': must be the six digits",
    (*OWN_CITY, "--code", "4４0000"): "--code='4４0000': must be the six digits",
    (*OWN_CITY, "--lon", "181"): "--lon=181.0: must be degrees from -180 to 180",
    (*OWN_CITY, "--lat", "nan"): "--lat=nan: must be degrees from -85 to 85",
    (*OWN_CITY, "--reach-km", "0"): "--reach-km=0: must be 1 to 500 kilometres",
    (*OWN_CITY, "--name", " "): "--name=' ': must be 1 to 60 characters",
    (*OWN_CITY, "--number-pattern", "LL{date}"): "--number-pattern='LL{date}': must contain {serial}",
    (
        *OWN_CITY,
        "--number-pattern",
        "{serial:.0f}",
    ): "--number-pattern='{serial:.0f}': must hold no other field",
}


def test_what_is_wrong_is_one_sentence(init: Init, store: Database) -> None:
    for words, sentence in WRONG.items():
        done = init(*words)
        assert done.returncode == 2 and sentence in done.stderr, (words, done.stderr)
        assert len(done.stderr.splitlines()) == 1
    assert store.query("SELECT count(*) FROM city") == [(0,)] and not init.file.exists()


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "{serial",
        "{}",
        "{serial.x}{serial}",
        "{serial!r}",
        "{serial:099999999d}",
        "{serial}{day}",
        "a b{serial}",
    ],
)
def test_patterns_that_cannot_be_used(pattern: str) -> None:
    with pytest.raises(BadPattern, match="number_pattern="):
        check_pattern(pattern)


def test_patterns_that_can() -> None:
    now = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)  # the next day in the city
    made = {
        p: incident_number(p, now, 7, "Asia/Shanghai")
        for p in ("{serial}", "LL{date}{serial:05d}", "{{{serial:3d}")
    }
    assert made["{serial}"] == "7" and made["LL{date}{serial:05d}"] == "LL2026112100007"


def test_a_bad_pattern_in_the_table_is_one_sentence(init: Init, store: Database) -> None:
    assert init(*OWN_CITY).returncode == 0
    store.query("""UPDATE city SET value = '"{nothing}"' WHERE key = 'number_pattern'""")
    with pytest.raises(NoCity, match=r"^table city: number_pattern='\{nothing\}': must contain \{serial\}$"):
        load_facts(store)


@pytest.fixture(scope="module")
def own() -> Iterator[Product]:
    """A city of one's own with the words of deploy/compose.yaml, and its processes."""
    folder = Path(tempfile.mkdtemp(prefix="chengyun-own-city-")).resolve()
    folder.chmod(0o755)  # the embedded servers run under an account of their own
    product = Product("embedded", folder)
    try:
        product.start_services()
        product.run("migrate")
        product.run(
            *compose_words(), "--name-en", "Some City", "--reach-km", "40", "--number-pattern", "A{serial}"
        )
        for child in product.children:
            product.start(child)
        product.wait_ready()
        yield product
    finally:
        product.stop()
        shutil.rmtree(folder, ignore_errors=True)


def compose_words() -> list[str]:
    """What the comment in deploy/compose.yaml runs, from `init` on."""
    lines = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if "run --rm web" in line)
    text = " ".join(line.strip().lstrip("#").strip().rstrip("\\") for line in lines[first : first + 2])
    words = shlex.split(text)
    return words[words.index("web") + 1 :]


def test_a_city_of_ones_own_takes_a_report(own: Product) -> None:
    with closing(Person(own.base_url, "admin", own.passwords()["admin"])) as admin:
        account = {"login": "desk-1", "name": "坐席", "role": "operator", "areas": ["440000/"]}
        made = admin.client.post("/api/v1/commands/create_account", json=account, headers=admin.csrf)
        assert made.status_code == 200, made.text
    now = datetime.now(UTC).isoformat()

    def report(id: str, lon: float) -> dict[str, Any]:
        data = {"channel": "hotline", "text": "路灯不亮", "point": {"lon": lon, "lat": 23.1}}
        return {"specversion": "1.0", "id": id, "source": "urn:feed:api", "type": "city.grid-report.v1",
                "time": now, "data": data}  # fmt: skip

    # 31 km from the centre: within the reach that was given, outside of the usual one; the other is beyond both.
    assert own.post("city.grid-report.v1", [report("near", 113.5), report("far", 114.5)], "api") == 202
    with closing(Person(own.base_url, "desk-1", made.json()["password"])) as person:
        deadline = time.monotonic() + 60
        while not (
            # The platform itself may have filed something, without a place.
            rows := [
                r for r in person.ask("incidents", scope="all").raise_for_status().json()["rows"] if r["lon"]
            ]
        ):
            assert time.monotonic() < deadline, "the report did not arrive"
            time.sleep(0.2)  # asking over HTTP: there is no event to wait for
        assert [(r["number"] in ("A1", "A2"), round(r["lon"], 1)) for r in rows] == [(True, 113.5)]
        assert person.client.get("/desk").status_code == 200
