"""The real recordings through the whole of ingest: messages in = stored + rejected + duplicate + held, exactly.

Every file is replayed by `app.py feed replay` which writes its own record of what it sent; the file itself is read
once more here, by other code, and both are compared with what the store holds.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import time
from pathlib import Path
from typing import Any

from tests.bench.bench_drills import settle
from tests.bench.frame import Bench, Figures
from tests.bench.truth import Store
from tests.product import ROOT, Product

GOALS = {"difference": 0, "values_wrong": 0, "mismatches": 0}

DATA = ROOT.parent / "shared" / "data"

FILES: tuple[tuple[str, str], ...] = (
    *((f"nab/realTraffic/{name}.csv", "sensor") for name in (
        "TravelTime_387", "TravelTime_451", "occupancy_6005", "occupancy_t4013", "speed_6005", "speed_7578",
        "speed_t4013")),
    ("air_quality/Wanliu.csv.gz", "sensor"),
    ("requests/stuttgart_2021_2023.csv.gz", "grid-report"),
    ("hotline/messages_unlabelled.csv.gz", "hotline"),
)  # fmt: skip

AIR_METRICS = ("PM2.5", "PM10", "SO2", "NO2", "CO", "O3", "TEMP", "PRES", "DEWP", "RAIN", "WSPM")


COMPASS = (
    "N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"
)  # fmt: skip


def _table(path: Path) -> list[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _series(rows: list[dict[str, str]]) -> dict[str, list[float]]:
    """Column → numbers in file order, NA left out: what the store must hold, read by other code than the feed's."""
    columns = [name for name in ("value", *AIR_METRICS) if rows and name in rows[0]]
    series = {name: [float(row[name]) for row in rows if row[name] not in ("", "NA")] for name in columns}
    if rows and "wd" in rows[0]:
        series["wd"] = [COMPASS.index(row["wd"]) * 22.5 for row in rows if row["wd"] != "NA"]
    return series


def _record(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines() if b'"topic"' in line]


def replay_one(product: Product, store: Store, bench: Bench, path: Path, kind: str) -> dict[str, Any]:
    """Replay one file and compare."""
    before_feeds = {row[0] for row in store.rows("SELECT DISTINCT feed FROM ledger")}
    record = bench.folder / "record.jsonl"
    began = time.monotonic()
    done = product.run("feed", "replay", str(path), "--as", kind, "--speed", "max", "--record", str(record))
    sent = _record(record)
    settle(product, store, time.monotonic() + 600)
    seconds = time.monotonic() - began
    rows = _table(path)
    feed = next(
        row[0]
        for row in store.rows("SELECT id FROM feeds WHERE protocol = 'replay'")
        if row[0] not in before_feeds
    )
    counts = store.rows(
        "SELECT sum(stored), sum(rejected), sum(duplicate), sum(held), sum(records_stored), sum(records_missing)"
        " FROM ledger WHERE feed = %s",
        (feed,),
    )[0]
    stored, rejected, duplicate, held, records, missing = (int(n or 0) for n in counts)
    reasons = dict(
        store.rows(
            "SELECT reason, sum(n)::bigint FROM ledger_reasons r JOIN ledger l ON l.id = r.ledger_id"
            " WHERE l.feed = %s GROUP BY 1",
            (feed,),
        )
    )
    result: dict[str, Any] = {
        "file": path.name, "rows": len(rows), "sent": len(sent), "stored": stored, "rejected": rejected,
        "reasons": reasons, "duplicate": duplicate, "held": held, "missing_cells": missing,
        "seconds": round(seconds, 1), "said": done.stderr.strip().splitlines()[-1][:200] if done.stderr else "",
    }  # fmt: skip
    result["difference"] = abs(len(sent) - stored - rejected - duplicate - held)
    if kind == "sensor":
        result["values_wrong"] = _values_wrong(store, feed, rows, records, sent)
    else:
        result["values_wrong"] = _ids_wrong(store, feed, sent, len(rows))
    bench.say(
        f"{path.name}: {len(rows)} rows, {len(sent)} sent = {stored} stored + {rejected} rejected {reasons}"
        f" + {duplicate} duplicate + {held} held; missing cells {missing}; wrong {result['values_wrong']};"
        f" {seconds:.1f} s"
    )
    return result


def _values_wrong(
    store: Store, feed: str, rows: list[dict[str, str]], records: int, sent: list[dict[str, Any]]
) -> int:
    """Values in the store, per metric in time order, against the file's columns in file order."""
    wrong = abs(sum(line["n"] for line in sent) - records)
    expected = _series(rows)
    found: dict[str, list[float]] = {}
    for metric, value in store.rows(
        "SELECT m.name, r.value FROM readings r JOIN devices d ON d.no = r.device_no JOIN metrics m"
        " ON m.no = r.metric_no WHERE d.feed = %s ORDER BY m.no, r.time",
        (feed,),
    ):
        found.setdefault(metric, []).append(value)
    if sorted(len(v) for v in found.values()) != sorted(len(v) for v in expected.values() if v):
        wrong += abs(sum(map(len, found.values())) - sum(map(len, expected.values()))) or 1
    remaining = list(found.values())
    for values in expected.values():
        if not values:
            continue
        same = next(
            (f for f in remaining if len(f) == len(values) and all(map(math.isclose, f, values))), None
        )
        if same is None:
            wrong += 1
        else:
            remaining.remove(same)
    return wrong


def _ids_wrong(store: Store, feed: str, sent: list[dict[str, Any]], rows: int) -> int:
    """Every message id must be in exactly one place: intake (with an incident) or dead letters; one per row."""
    ids = {line["id"] for line in sent}
    intake = {
        row[0]
        for row in store.rows(
            "SELECT message_id FROM intake WHERE feed = %s AND incident_id IS NOT NULL", (feed,)
        )
    }
    dead = {
        json.loads(bytes(row[0]))["id"]
        for row in store.rows("SELECT value FROM dead_letters WHERE feed = %s", (feed,))
    }
    incidents = store.one("SELECT count(DISTINCT incident_id) FROM intake WHERE feed = %s", (feed,))
    return (
        len(ids ^ (intake | dead)) + len(intake & dead) + abs(len(ids) - len(sent)) + abs(len(sent) - rows)
        + abs(incidents - len(intake))
    )  # fmt: skip


def run(bench: Bench) -> Figures:
    """All files; `--data FILE` runs one of them (or another of the same kind)."""
    files = [(DATA / name, kind) for name, kind in FILES]
    if bench.data is not None:
        kinds = {path.name: kind for path, kind in files}
        files = [(bench.data, kinds.get(bench.data.name, "sensor"))]
    with Product(bench.profile, bench.folder, children=("ingest", "relay")) as product:
        store = Store(product.env["CHENGYUN_DSN"])
        results = [replay_one(product, store, bench, path, kind) for path, kind in files]
        said = product.run("reconcile", check=False).stdout.strip().splitlines()[-1]
    return {
        "difference": sum(r["difference"] for r in results),
        "values_wrong": sum(r["values_wrong"] for r in results),
        "mismatches": int(said.split()[0]),
        "files": results,
    }
