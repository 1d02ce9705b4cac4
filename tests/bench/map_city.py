"""A city as large as bench `map` wants it, in a running product: 40,000 cells, 15,000 cameras, 100,000 devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import redis
from argon2 import PasswordHasher

from data.accounts import Accounts
from data.accounts_file import write_accounts
from data.database import Database
from data.init_city import Made, init_sample
from data.sample_city import read_city
from data.sample_city.make_city import Order, make_city
from tests.bench.frame import Bench
from tests.product import Product

LARGE = Order(cells=40_000, devices=100_000, cameras=15_000)

Point = tuple[str, float, float]
"""Device, degrees east, degrees north."""


@dataclass(frozen=True, slots=True)
class City:
    """The product with the large city in it."""

    product: Product
    database: Database

    def keep_devices(self, n: int) -> None:
        """Leave only the first `n` of the devices in service, spread over the city."""
        self.database.query(
            "UPDATE devices SET disabled = no NOT IN (SELECT no FROM devices ORDER BY md5(id) LIMIT %s)", (n,)
        )
        self.database.query("UPDATE registry_version SET n = n + 1")
        with closing(redis.Redis.from_url(self.product.env["CHENGYUN_LIVE_URL"])) as client:
            client.delete("live:ready")  # the relay fills the live state from the store anew

    def points(self) -> list[Point]:
        """The devices in service."""
        rows = self.database.query("SELECT id, lon, lat FROM devices WHERE NOT disabled ORDER BY id")
        return [(row[0], row[1], row[2]) for row in rows]


def files_of(bench: Bench) -> Path:
    """The city's files: `--data` when they were made before, made now, or with `--quick` the sample city's."""
    if bench.data is not None:
        return bench.data
    if bench.quick:
        return read_city.FILES
    folder = bench.folder / "city"
    bench.say("making the city (about two minutes)")
    make_city(LARGE, folder)
    return folder


@contextmanager
def large_city(bench: Bench) -> Iterator[City]:
    """The product's relay and web process with the city of `files_of` loaded; stopped at the end."""
    product = Product(bench.profile, bench.folder)
    database: Database | None = None
    files = files_of(bench)
    try:
        product.start_services()
        product.run("migrate")
        database = Database(product.env["CHENGYUN_DSN"], name="bench-map")
        hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
        accounts = Accounts(database, attempts=5, lock_min=1, hasher=hasher)

        def keep(made: Made) -> None:
            write_accounts(product.var, made.passwords, made.tokens)

        init_sample(database, accounts, datetime.now(UTC), keep, files)
        yield City(product, database)
    finally:
        product.stop()
        if database is not None:
            database.close()
