"""Several web processes behind one address: any answers anybody, one that is killed is not missed, streams flow."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.people import Person
from tests.product import Product, real_services_possible
from tests.services import not_run


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product on embedded servers with two web processes and nginx before them."""
    why = real_services_possible()
    if why:
        not_run(why)
    folder = Path(tmp_path_factory.mktemp("balanced"))
    folder.chmod(0o755)
    with Product("embedded", folder, webs=2) as running:
        yield running


def served_by(product: Product, number: int) -> int:
    """Requests that a web process has answered."""
    address = f"http://127.0.0.1:{product.web_ports[number]}/metrics"
    with urllib.request.urlopen(address, timeout=10) as answer:
        text = answer.read().decode()
    return sum(
        int(float(line.rsplit(" ", 1)[1]))
        for line in text.splitlines()
        if line.startswith("chengyun_http_seconds_count")
    )


@pytest.mark.timeout(300)
def test_one_address_and_nobody_misses_a_process_that_died(product: Product) -> None:
    with closing(Person(product.base_url, "operator", product.passwords()["operator"])) as operator:
        for _ in range(40):
            assert operator.ask("layer_counts").status_code == 200
        assert all(served_by(product, n) > 5 for n in (0, 1)), "both work"
        # A proxy on this machine is not this machine: its metrics are for insiders only.
        assert operator.client.get("/metrics").status_code in (401, 403, 404)
        snapshot = operator.snapshot()
        events = operator.stream(snapshot["epoch"], snapshot["n"])
        told = operator.command(
            "report_incident", text="井盖缺失", class_code="C0101", lon=113.7421, lat=21.9841, key="balanced"
        ).json()
        seen = next(
            item
            for name, data in events
            if name == "delta"
            for item in data["set"]
            if item["key"] == str(told["id"])
        )
        assert seen["stage"] == "reported"
        product.kill("web-2")
        began = time.monotonic()
        for _ in range(20):
            assert operator.ask("layer_counts").status_code == 200
        assert time.monotonic() - began < 20
        product.start_as("web-2", "web", CHENGYUN_HTTP_PORT=str(product.web_ports[1]))
        before = 0
        deadline = time.monotonic() + 60
        while before == 0 and time.monotonic() < deadline:  # it comes back by itself, after its time out
            assert operator.ask("layer_counts").status_code == 200
            try:
                before = served_by(product, 1)
            except OSError:
                before = 0
        assert before > 0
        assert json.loads(operator.client.get("/readyz").text)["links"]
