"""The phone on a weak network (0.4 s, 400 kbit/s, 30 % of requests cut) and through a 20-minute outage: reports with
photos and finished tasks, all driven by the page's own buttons, compared with what the store holds; what the first load
weighs; how long a report and a finish take by a keystroke-level model; what axe finds.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import itertools
import json
import math
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, FilePayload, Locator, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from callbacks.http.picture import remake
from data.sample_city import read_city
from tests.axe import serious
from tests.bench.bench_spine import FLAGS, percentile
from tests.bench.frame import Bench, Figures
from tests.bench.thumb import Thumb
from tests.bench.truth import Store
from tests.bench.weak_network import WeakNetwork
from tests.people import Person
from tests.product import ROOT, Product

GOALS = {
    "lost": 0,
    "doubled": 0,
    "first_load_kb": 400,
    "report_s": 20,
    "finish_s": 15,
    "axe_serious": 0,
}

CLASS: Final = "C0101"  # 井盖缺损: asks for a photo of the result
APART_M: Final = 220.0
PATIENT_MS: Final = 180_000
PHRASE: Final = "已更换损坏部件"

KEEP_WHAT_IS_MADE: Final = """
  window.made = [];
  const add = IDBObjectStore.prototype.add;
  IDBObjectStore.prototype.add = function (row, ...rest) {
    if (this.name === 'queue') window.made.push({key: row.key, name: row.name, photos: row.photos});
    return add.call(this, row, ...rest);
  };
"""
"""What the page hands to its outbox: the truth that the store is compared with."""

TAKE_MADE: Final = """async () => {
  const text = async (blob) => {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let out = '';
    for (let n = 0; n < bytes.length; n += 8192) out += String.fromCharCode(...bytes.subarray(n, n + 8192));
    return btoa(out);
  };
  const rows = window.made.splice(0);
  return Promise.all(rows.map(async (row) => ({...row, photos: await Promise.all(row.photos.map(text))})));
}"""

WAITING: Final = """() => new Promise((done, failed) => {
  const request = indexedDB.open('chengyun-phone');
  request.onerror = () => failed(request.error);
  request.onsuccess = () => {
    const all = request.result.transaction('queue').objectStore('queue').getAll();
    all.onsuccess = () => { request.result.close(); done(all.result.map(({name, state, words}) => [name, state, words])); };
  };
})"""


@dataclass(slots=True)
class Made:
    """One command as the page made it."""

    key: str
    name: str
    photos: list[bytes]


@dataclass(slots=True)
class Driven:
    """What was done, and how long it took."""

    made: list[Made] = field(default_factory=list)
    reports: list[Thumb] = field(default_factory=list)
    finishes: list[Thumb] = field(default_factory=list)
    reopened_s: list[float] = field(default_factory=list)


def camera(number: int) -> FilePayload:
    """A picture as a camera makes it, no two alike: a street of noise and shapes, 12 megapixels."""
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(40, 210, (54, 72, 3), dtype=np.uint8)).resize(
        (2400, 1800), Image.Resampling.BICUBIC
    )
    grain = rng.normal(0, 9, (1800, 2400, 1))
    picture = np.clip(np.asarray(coarse, dtype=np.float64) + grain, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=90)
    return {"name": f"IMG_{number:04d}.jpg", "mimeType": "image/jpeg", "buffer": stream.getvalue()}


@dataclass(slots=True)
class Phone:
    """One worker's page, the network it is on, and the dispatcher whose tasks it gets."""

    page: Page
    context: BrowserContext
    network: WeakNetwork
    dispatcher: Person
    worker: str
    unit: str
    places: Iterator[tuple[float, float]]
    driven: Driven = field(default_factory=Driven)
    pictures: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def goto(self, lon: float, lat: float) -> None:
        """The worker walks there."""
        self.context.set_geolocation({"longitude": lon, "latitude": lat, "accuracy": 9})

    def keep(self) -> None:
        """Take over what the page has handed to its outbox so far."""
        for row in self.page.evaluate(TAKE_MADE):
            self.driven.made.append(
                Made(row["key"], row["name"], [base64.b64decode(p) for p in row["photos"]])
            )

    def tab(self, hash_: str) -> Locator:
        """A tab of the phone."""
        return self.page.locator(f"#ph-tabs a[href='{hash_}']")

    def home(self) -> None:
        """Back to the tasks; no part of any job."""
        self.page.evaluate("() => { location.hash = '#/tasks'; }")
        expect(self.page.locator("#ph-main")).to_have_attribute("data-page", "#/tasks")

    def report(self) -> None:
        """Tab, class, photo, send; over when the page says that it is filed or kept."""
        self.home()
        self.goto(*next(self.places))
        thumb = Thumb()
        thumb.press(self.tab("#/report"))
        thumb.press(self.page.locator(".ph-class[role='radio']").first)
        thumb.shoot(
            self.page.locator("#ph-photo"), camera(next(self.pictures)), self.page.locator(".ph-photos img")
        )
        thumb.until(self.page.locator(".ph-place-line[data-found]"))
        thumb.press(self.page.locator("#ph-foot .ph-primary"))
        thumb.until(self.page.locator(".ph-filed[data-outcome]"))
        self.driven.reports.append(thumb)
        self.keep()

    def begin(self, count: int) -> list[int]:
        """So many tasks, dispatched to the worker; their ids."""
        found = []
        for _ in range(count):
            lon, lat = next(self.places)
            filed = done(
                self.dispatcher,
                "report_incident",
                text="望兴路人行道井盖缺失",
                class_code=CLASS,
                lon=lon,
                lat=lat,
            )
            if filed.get("joined"):
                raise RuntimeError(f"{filed}: places lie too near to each other")
            done(self.dispatcher, "accept_incident", id=filed["id"])
            done(self.dispatcher, "dispatch_incident", id=filed["id"], unit=self.unit, worker=self.worker)
            found.append(int(filed["id"]))
        return found

    def finish(self, task: int) -> None:
        """Take and reach a task; then, and this is what is timed: form, photo, phrase, send."""
        self.home()
        self.page.locator(f"[data-task='{task}']").tap()
        for icon in ("take", "arrive"):
            self.page.locator(f"#ph-foot button:has(use[href$='#{icon}'])").tap()
        thumb = Thumb()
        thumb.press(self.page.locator(f"#ph-foot a[href='#/task/{task}/finish']"))
        thumb.shoot(
            self.page.locator("#ph-photo"), camera(next(self.pictures)), self.page.locator(".ph-photos img")
        )
        thumb.press(self.page.get_by_role("button", name=PHRASE))
        thumb.press(self.page.locator("#ph-foot .ph-primary"))
        thumb.until(self.page.locator("#ph-main[data-page='#/tasks']"))  # the form leaves when it is kept
        self.driven.finishes.append(thumb)
        self.keep()

    def waiting(self) -> list[list[str]]:
        """What lies in the outbox: [command, state, words]."""
        found: list[list[str]] = self.page.evaluate(WAITING)
        return found

    def emptied(self, seconds: float) -> float:
        """Wait until everything is sent; how long that took."""
        began = time.monotonic()
        while left := self.waiting():
            if refused := [row for row in left if row[1] == "refused"]:
                raise RuntimeError(f"refused: {refused}")
            if time.monotonic() - began > seconds:
                raise RuntimeError(f"still waiting after {seconds:g} s: {left}")
            self.page.wait_for_timeout(500)  # there is no event outside of the page
        return time.monotonic() - began


def done(person: Person, name: str, **fields: Any) -> dict[str, Any]:
    """A command that must succeed."""
    answer = person.command(name, **fields)
    if answer.status_code != 200:
        raise RuntimeError(f"{name} {fields}: {answer.status_code} {answer.text}")
    found: dict[str, Any] = answer.json()
    return found


def someone(dispatcher: Person) -> tuple[str, str, Iterator[tuple[float, float]]]:
    """A worker (login, unit), and places of the worker's own area that lie apart, without an end."""
    for worker in read_city.read_workers():
        here = dispatcher.ask("locate", lon=worker.lon, lat=worker.lat)
        if (
            worker.unit
            and here.status_code == 200
            and any(map(here.json()["area"].startswith, worker.area_paths))
        ):
            return worker.login, worker.unit, spread(dispatcher, worker.lon, worker.lat)
    raise RuntimeError("no worker lives in the own area")


def spread(dispatcher: Person, lon: float, lat: float) -> Iterator[tuple[float, float]]:
    """Points on land around here, at least APART_M from each other, in a spiral."""
    step = APART_M / 111_320
    for ring in itertools.count(0):
        for n in range(max(1, 6 * ring)):
            turn = n * 2 * math.pi / max(1, 6 * ring)
            place = (
                lon + ring * step * math.cos(turn) / math.cos(math.radians(lat)),
                lat + ring * step * math.sin(turn),
            )
            if dispatcher.ask("locate", lon=place[0], lat=place[1]).status_code == 200:
                yield place


@contextlib.contextmanager
def chinese_phone(folder: Path) -> Iterator[Any]:
    """A Chromium on a system that has Chinese fonts, as every phone sold in China does (this machine has none)."""
    fonts = folder / "fonts.conf"
    fonts.write_text(
        f"<fontconfig><dir>{ROOT / 'layouts' / 'fonts'}</dir><dir>/usr/share/fonts</dir>"
        f"<cachedir>{folder / 'fontcache'}</cachedir></fontconfig>\n"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or playwright.chromium.executable_path,
            args=list(FLAGS),
            env={**os.environ, "FONTCONFIG_FILE": str(fonts)},
        )
        try:
            yield browser
        finally:
            browser.close()


def first_load(page: Page, context: BrowserContext, url: str) -> Figures:
    """Everything that comes over the air until the tasks stand there."""
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    sizes: list[float] = []
    kinds: dict[str, str] = {}
    wire.on("Network.responseReceived", lambda e: kinds.__setitem__(e["requestId"], e["type"]))
    wire.on("Network.loadingFinished", lambda e: sizes.append(e["encodedDataLength"]))
    began = time.monotonic()
    page.goto(f"{url}/phone", timeout=PATIENT_MS)
    expect(page.locator("#ph-link")).to_have_attribute("data-state", "live", timeout=PATIENT_MS)
    expect(page.locator(".ph-summary strong")).to_be_visible(timeout=PATIENT_MS)
    usable_s = time.monotonic() - began
    page.wait_for_load_state("load")
    wire.detach()
    if "Font" in kinds.values():
        raise RuntimeError("a font was loaded: this is not a phone with Chinese fonts")
    return {
        "first_load_kb": round(sum(sizes) / 1000, 1),
        "first_load_s": round(usable_s, 1),
        "first_requests": len(sizes),
    }


def first_load_cut(context: BrowserContext, browser: Browser, url: str) -> float:
    """A phone that has never been here, while requests are cut: seconds until the tasks stand there."""
    fresh = browser.new_context(storage_state=context.storage_state(), is_mobile=True, has_touch=True)
    page = fresh.new_page()
    began = time.monotonic()
    while True:  # a page that does not come at all is asked for again, as its user would
        with contextlib.suppress(PlaywrightError):
            page.goto(f"{url}/phone", timeout=PATIENT_MS)
            break
    expect(page.locator(".ph-summary strong")).to_be_visible(timeout=PATIENT_MS)
    took = time.monotonic() - began
    fresh.close()
    return round(took, 1)


def audit(page: Page, context: BrowserContext, url: str, task: int) -> list[str]:
    """What axe finds on each page, in both languages: serious and critical."""
    found = []
    for lang in ("zh", "en"):
        context.add_cookies([{"name": "chengyun_lang", "value": lang, "url": url}])
        page.goto(f"{url}/phone", timeout=PATIENT_MS)
        for hash_ in ("#/tasks", f"#/task/{task}", f"#/task/{task}/finish", "#/report", "#/mine", "#/me"):
            page.evaluate("hash => { location.hash = hash; }", hash_)
            expect(page.locator("#ph-main")).to_have_attribute("data-page", hash_)
            page.wait_for_function("() => document.querySelector('#ph-main').childElementCount > 0")
            found += [f"{lang} {hash_} {line}" for line in serious(page)]
    context.add_cookies([{"name": "chengyun_lang", "value": "zh", "url": url}])
    return found


def compare(store: Store, driven: Driven) -> Figures:
    """Every command that the page made, against what the store holds."""
    reports = [made for made in driven.made if made.name == "report_incident"]
    stored: dict[str, list[list[str]]] = {}
    for key, photos in store.rows("SELECT message_id, photos FROM intake WHERE channel = 'phone'"):
        stored.setdefault(key, []).append(list(photos))
    expected = {
        made.key: [hashlib.sha256(remake(p).content).hexdigest() for p in made.photos] for made in reports
    }
    lost = [key for key in expected if key not in stored]
    wrong = [key for key, photos in expected.items() if key in stored and stored[key][0] != photos]
    doubled = sum(len(rows) - 1 for rows in stored.values()) + len(stored.keys() - expected.keys())
    kept = {sha for (sha,) in store.rows("SELECT sha256 FROM photos")}
    wanted = {hashlib.sha256(remake(p).content).hexdigest() for made in driven.made for p in made.photos}
    for name, action in (
        ("take_incident", "take"),
        ("arrive_incident", "arrive"),
        ("finish_incident", "handle"),
    ):
        keys = [made.key for made in driven.made if made.name == name]
        times = dict(
            store.rows("SELECT cause_id, count(*) FROM timeline WHERE action = %s GROUP BY 1", (action,))
        )
        lost += [key for key in keys if key not in times]
        doubled += sum(times.get(key, 1) - 1 for key in keys)
    sizes = [len(p) for made in driven.made for p in made.photos]
    return {
        "reports": len(reports),
        "lost": len(lost) + len(wrong) + len(wanted - kept),
        "doubled": doubled + len(kept - wanted),
        "largest_photo_kb": round(max(sizes) / 1000, 1),
    }


def work(bench: Bench, phone: Phone, ids: Iterator[int], tasks: int, reports: int) -> None:
    """So many tasks finished and reports made, one after the other."""
    for _ in range(tasks):
        phone.finish(next(ids))
        bench.say(f"finished in {phone.driven.finishes[-1].seconds:.1f} s: {phone.driven.finishes[-1]}")
    for _ in range(reports):
        phone.report()
        bench.say(f"reported in {phone.driven.reports[-1].seconds:.1f} s: {phone.driven.reports[-1]}")


def run(bench: Bench) -> Figures:
    """First load, axe, then work: with signal, in the outage, and after it."""
    outage_s, counts = (60.0, (4, 5, 3)) if bench.quick else (1200.0, (15, 20, 15))
    tasks = 2 if bench.quick else 5
    with contextlib.ExitStack() as stack:
        product = stack.enter_context(Product(bench.profile, bench.folder))
        store = Store(product.env["CHENGYUN_DSN"])
        passwords = product.passwords()
        dispatcher = Person(product.base_url, "dispatcher", passwords["dispatcher"])
        login, unit, places = someone(dispatcher)
        worker = Person(product.base_url, login, passwords[login])
        network = stack.enter_context(WeakNetwork(int(product.env["CHENGYUN_HTTP_PORT"]), seed=7))
        browser = stack.enter_context(chinese_phone(bench.folder))
        context = browser.new_context(
            viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True, has_touch=True,
            locale="zh-CN", timezone_id="Asia/Shanghai", permissions=["geolocation"], reduced_motion="reduce",
        )  # fmt: skip
        context.set_default_timeout(PATIENT_MS)
        expect.set_options(timeout=PATIENT_MS)
        page = context.new_page()
        page.add_init_script(KEEP_WHAT_IS_MADE)
        page.goto(f"{network.url}/login")
        found = [f"login {line}" for line in serious(page)]
        context.add_cookies(
            [{"name": c.name, "value": c.value or "", "url": network.url} for c in worker.client.cookies.jar]
        )
        figures = first_load(page, context, network.url)
        bench.say(f"first load {figures}")
        phone = Phone(page, context, network, dispatcher, login, unit, places)
        phone.goto(*next(places))
        ids = iter(phone.begin(3 * tasks + 1))
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.wait_for_function("() => caches.match('/phone').then(Boolean)")
        found += audit(page, context, network.url, next(ids))
        for line in found:
            bench.say(f"axe: {line}")
        page.goto(f"{network.url}/phone")
        expect(page.locator(".ph-summary strong")).to_be_visible()
        network.cutting = True
        figures["first_load_cut_s"] = first_load_cut(context, browser, network.url)
        bench.say(f"first load with requests cut: usable after {figures['first_load_cut_s']} s")
        for part, count in zip(("with signal", "in the outage", "after it"), counts, strict=True):
            began = time.monotonic()
            if part == "in the outage":
                network.dark()
                bench.say("the network is gone")
                phone.home()
                opening = time.monotonic()
                page.reload()
                expect(page.locator(".ph-summary strong")).to_be_visible()
                phone.driven.reopened_s.append(time.monotonic() - opening)
            try:
                work(bench, phone, ids, tasks, count)
            except (PlaywrightError, AssertionError):
                bench.say(f"the page when it failed: {page.url} {page.inner_text('body')!r}")
                raise
            bench.say(f"{part}: {count} reports and {tasks} finishes driven, {len(phone.waiting())} wait")
            if part == "in the outage":
                while time.monotonic() - began < outage_s:
                    page.wait_for_timeout(1000)  # the outage is as long as it is said to be
                lit = time.monotonic()
                network.light()
                bench.say(f"the network is back after {time.monotonic() - began:.0f} s")
        phone.emptied(1800)
        drained_s = time.monotonic() - lit
        figures |= compare(store, phone.driven)
    reports = [thumb.seconds for thumb in phone.driven.reports]
    finishes = [thumb.seconds for thumb in phone.driven.finishes]
    figures |= {
        "report_s": percentile(reports, 0.95),
        "report_p50_s": percentile(reports, 0.5),
        "finish_s": percentile(finishes, 0.95),
        "finish_p50_s": percentile(finishes, 0.5),
        "report_waited_p95_s": percentile([t.waited_s for t in phone.driven.reports], 0.95),
        "taps_per_report": max(t.taps for t in phone.driven.reports),
        "finishes": len(finishes),
        "reopened_in_outage_s": percentile(phone.driven.reopened_s, 0.5),
        "outage_s": outage_s,
        "all_sent_after_s": round(drained_s, 1),
        "axe_serious": len(found),
        **network.counts,
    }
    bench.say(json.dumps(figures))
    return figures
