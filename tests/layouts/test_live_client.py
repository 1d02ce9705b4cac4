"""The browser's live client in a real Chromium: the apply law, gaps, resets, silence, kills, ends."""

from __future__ import annotations

import copy
import json
import random
import time
from typing import Any

import orjson
from playwright.sync_api import Browser, Page

from callbacks.live_columns import in_columns
from tests.layouts.browser import Server

START = """
async (options) => {
  const {live} = await import('/assets/live.mjs');
  window.seen = [];
  window.statuses = [];
  live.addEventListener('applied', ({detail}) => window.seen.push(detail));
  live.addEventListener('status', ({detail}) => window.statuses.push(detail.status));
  live.start(options);
}
"""
STATE = """
() => {
  const live = window.chengyun.live;
  const items = {};
  for (const kind of live.kinds()) if (live.items(kind).size) items[kind] = Object.fromEntries(live.items(kind));
  return {epoch: live.epoch, n: live.n, items};
}
"""


def order(server: Server, do: str, **rest: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(server.call("/control", json.dumps({"do": do, **rest}).encode()))
    return answer


def item(kind: str, key: str, value: object) -> dict[str, Any]:
    return {"kind": kind, "key": key, "area": "c/", "value": value}


def until(page: Page, condition: str, timeout_s: float = 10, argument: object = None) -> None:
    """Wait for a condition of the page (checked every frame)."""
    page.wait_for_function(condition, arg=argument, timeout=timeout_s * 1000)


def joined(page: Page, server: Server) -> None:
    """Wait until the page is live and its stream is open: it says live from the snapshot on, a moment earlier."""
    until(page, "() => chengyun.live.status === 'live'")
    order(server, "joined")


def in_step(page: Page, server: Server, timeout_s: float = 10) -> None:
    """Wait until the page holds exactly the server's state."""
    want = order(server, "look")["state"]
    until(
        page,
        "([n, e]) => chengyun.live.n === n && chengyun.live.epoch === e",
        timeout_s,
        [want["n"], want["epoch"]],
    )
    assert page.evaluate(STATE) == want


# ---------------------------------------------------------------- the law


def change(rng: random.Random, items: dict[str, dict[str, Any]], n: int) -> dict[str, Any]:
    """A random delta n → n+1 on `items`, applied to it in place: the reference."""
    sets = [item(rng.choice("ab"), str(rng.randrange(6)), rng.random()) for _ in range(rng.randrange(4))]
    sets = list({(i["kind"], i["key"]): i for i in sets}.values())
    gone = [[rng.choice("ab"), str(rng.randrange(6))] for _ in range(rng.randrange(3))]
    gone = [g for g in gone if (g[0], g[1]) not in {(i["kind"], i["key"]) for i in sets}]
    for one in sets:
        items.setdefault(one["kind"], {})[one["key"]] = one
    for kind, key in gone:
        items.get(kind, {}).pop(key, None)
    return {"epoch": "e", "n": n + 1, "prev": n, "set": sets, "del": gone}


def test_snapshot_plus_deltas_is_the_later_snapshot(page: Page) -> None:
    rng = random.Random(20261121)
    cases: list[dict[str, Any]] = []
    for _ in range(150):
        items: dict[str, dict[str, Any]] = {}
        for n in range(rng.randrange(5)):
            change(rng, items, n)
        start = {"epoch": "e", "n": 5, "items": copy.deepcopy(items)}
        deltas = [change(rng, items, 5 + k) for k in range(rng.randrange(1, 12))]
        end = {"epoch": "e", "n": 5 + len(deltas), "items": {k: v for k, v in items.items() if v}}
        sent = list(deltas)
        for _ in range(rng.randrange(3)):  # repeats after a reconnect: any earlier delta again
            at = rng.randrange(1, len(sent) + 1)
            sent.insert(at, copy.deepcopy(rng.choice(sent[:at])))
        cases.append({"start": start, "sent": sent, "end": end, "lose": rng.randrange(len(deltas))})
    results = page.evaluate(
        """
        async (cases) => {
          const {apply, fromSnapshot, toPlain} = await import('/assets/live_apply.mjs');
          return cases.map(({start, sent, lose}) => {
            const state = fromSnapshot(start);
            const outcomes = sent.map((delta) => apply(state, delta).outcome);
            const holed = fromSnapshot(start);
            const lost = start.n + 1 + lose;
            const rest = sent.filter((d) => d.n !== lost).map((d) => apply(holed, d).outcome);
            return {plain: toPlain(state), outcomes, holed: holed.n, rest};
          });
        }
        """,
        cases,
    )
    gaps = 0
    for case, result in zip(cases, results, strict=True):
        assert result["plain"] == case["end"]
        assert "gap" not in result["outcomes"]
        # With one delta lost, nothing after it is taken: the state stays a true state of the past.
        assert result["holed"] == case["start"]["n"] + case["lose"]
        gaps += "gap" in result["rest"]
    assert gaps > 50


def some_item(rng: random.Random, n: int) -> dict[str, Any]:
    """A thing of a kind: some fields always there, some of another type or missing now and then, as JSON has them."""
    found: dict[str, Any] = {"kind": "device", "key": f"{rng.choice(('WL-', 'SL-0', '井盖-', '𠀀'))}{n:05d}"}
    found["area"] = rng.choice(("1/", "1/2/", "1/2/3/"))
    found["cell"] = f"990100/{n // 3:06d}/"
    found["t"] = rng.choice((0, 1796061152905, -4, None, 0.0, False))
    found["values"] = rng.choice(
        ({}, {"level_m": rng.gauss(0, 9)}, {"on": True, "name": "é"}, {"deep": {"er": [1, {}]}})
    )
    if rng.random() < 0.3:
        found["sources"] = [rng.randrange(3)]
    return found


def test_items_in_columns_are_the_same_items(page: Page) -> None:
    rng = random.Random(20261130)
    cases: list[list[dict[str, Any]]] = []
    for size in (1, 2, 7, 60, 700):
        for few in (False, True):
            items = [some_item(rng, n) for n in range(size)]
            cases.append([{**i, "t": 5, "values": {}} for i in items] if few else items)
    sent: list[dict[str, Any]] = [
        {"epoch": "e", "n": 1, "items": {}, "columns": {"device": in_columns(map(orjson.dumps, case))}}
        for case in cases
    ]
    found = page.evaluate(
        """
        async (sent) => {
          const {fromSnapshot, toPlain} = await import('/assets/live_apply.mjs');
          return sent.map((snapshot) => toPlain(fromSnapshot(JSON.parse(snapshot))).items.device);
        }
        """,
        [orjson.dumps(one).decode() for one in sent],
    )
    for case, items in zip(cases, found, strict=True):
        assert items == {item["key"]: item for item in case}
    words = {
        word
        for one in sent
        for group in one["columns"]["device"]
        for _, column in group["fields"]
        for word in column
    }
    lists = [c["of"] for one in sent for g in one["columns"]["device"] for _, c in g["fields"] if "of" in c]
    assert {type(found) for found in lists} == {list, dict}, "short lists and long ones"
    assert words == {"same", "front", "rest", "of", "at", "least", "more", "are"}, (
        "every kind of column was met"
    )


def test_another_epoch_is_a_gap_and_deletes_are_reported_once(page: Page) -> None:
    result = page.evaluate(
        """
        async () => {
          const {apply, fromSnapshot} = await import('/assets/live_apply.mjs');
          const state = fromSnapshot({epoch: 'e', n: 1, items: {a: {x: {kind: 'a', key: 'x'}}}});
          return [
            apply(state, {epoch: 'other', n: 2, prev: 1, set: [], del: []}),
            apply(state, {epoch: 'e', n: 2, prev: 1, set: [], del: [['a', 'x'], ['a', 'never'], ['z', 'x']]}),
            apply(state, {epoch: 'e', n: 9, prev: 1, set: [{kind: 'b', key: 'y'}]}),
          ];
        }
        """
    )
    assert result == [
        {"outcome": "gap", "changed": []},
        {"outcome": "applied", "changed": [["a", "x"]]},
        {"outcome": "applied", "changed": [["b", "y"]]},  # covers 1..9 and we are at 2: nothing is missing
    ]


# ---------------------------------------------------------------- a good link


def test_deltas_arrive_and_are_named(page: Page, server: Server) -> None:
    order(server, "push", set=[item("incident", "1", "old"), item("device", "d", 1)])
    page.evaluate(START, {})
    joined(page, server)
    in_step(page, server)
    # Changes of one frame are told together: the snapshot must have been told before the delta is sent,
    # or a page that drew no frame meanwhile rightly tells both as one replacement.
    until(page, "() => window.seen.length >= 1")
    order(
        server,
        "push",
        set=[item("incident", "1", "new"), item("incident", "2", 5)],
        **{"del": [["device", "d"]]},
    )
    in_step(page, server)
    until(page, "() => window.seen.some((s) => !s.replaced)")
    last = page.evaluate("() => window.seen.at(-1)")
    assert sorted(last["changed"]) == [["device", "d"], ["incident", "1"], ["incident", "2"]]
    assert (last["replaced"], last["epoch"], last["n"]) == (False, "e1", 2)
    assert page.evaluate(
        "() => [chengyun.live.get('incident', 1).value, chengyun.live.get('device', 'd') ?? null]"
    ) == [
        "new",
        None,
    ]
    first = page.evaluate("() => window.seen[0]")
    assert first["replaced"] is True and sorted(first["changed"]) == [["device", "d"], ["incident", "1"]]
    assert page.evaluate("() => document.documentElement.dataset.link") == "live"


def test_a_flood_costs_one_event_a_frame_and_loses_nothing(page: Page, server: Server) -> None:
    page.evaluate(START, {})
    joined(page, server)
    page.evaluate(
        "() => { window.frames = 0; const f = () => { window.frames += 1; requestAnimationFrame(f); }; f(); }"
    )
    for k in range(300):
        order(server, "push", set=[item("device", f"d{k % 50}", k)])
    in_step(page, server)
    until(page, "() => window.seen.at(-1)?.n === 300")
    events, frames, keys = page.evaluate(
        """() => [window.seen.length, window.frames,
                 new Set(window.seen.flatMap((s) => s.changed.map(String))).size]"""
    )
    assert events <= frames + 1 and keys == 50


def test_server_clock(page: Page, server: Server) -> None:
    page.evaluate(START, {})
    joined(page, server)
    assert abs(page.evaluate("() => chengyun.live.clockSkewMs")) < 2000
    order(server, "event", event="beat", data={"now": int(time.time() * 1000) + 90_000})
    until(page, "() => chengyun.live.clockSkewMs > 60000")
    assert page.evaluate("() => chengyun.live.now() - Date.now()") > 60_000


def test_evaluated_twice_there_is_still_one_client(page: Page, server: Server) -> None:
    page.evaluate(START, {})
    joined(page, server)
    same = page.evaluate(
        """async () => {
          const again = await import('/assets/live.mjs?m=1');
          again.live.start();
          return again.live === window.chengyun.live;
        }"""
    )
    assert same and order(server, "look")["opened"] == 1


# ---------------------------------------------------------------- a bad link


def test_a_lost_delta_is_noticed_and_mended(page: Page, server: Server) -> None:
    page.evaluate(START, {})
    joined(page, server)
    order(server, "push", set=[item("incident", "1", "never sent")], send=False)
    order(server, "push", set=[item("incident", "2", "sent")])
    in_step(page, server)
    assert order(server, "look")["snapshots"] == 2


def test_reset_fetches_a_new_snapshot(page: Page, server: Server) -> None:
    order(server, "push", set=[item("incident", "1", 1), item("incident", "2", 2)])
    page.evaluate(START, {})
    until(page, "() => chengyun.live.items('incident').size === 2")
    order(
        server,
        "set",
        values={"epoch": "e2", "n": 7, "log": [], "items": {"incident": {"9": item("incident", "9", 9)}}},
    )
    order(server, "event", event="reset")
    in_step(page, server)
    until(page, "() => window.seen.at(-1)?.epoch === 'e2'")
    last = page.evaluate("() => window.seen.at(-1)")
    assert last["replaced"] is True
    assert sorted(last["changed"]) == [["incident", "1"], ["incident", "2"], ["incident", "9"]]


def test_a_dropped_connection_resumes_where_it_was(page: Page, server: Server) -> None:
    page.evaluate(START, {})
    joined(page, server)
    order(server, "push", set=[item("incident", "1", 1)])
    in_step(page, server)
    order(server, "drop")
    order(server, "push", set=[item("incident", "2", 2)], send=False)
    in_step(page, server)
    answer = order(server, "look")
    assert answer["snapshots"] == 1, "resumed from the delta log, without a second snapshot"
    assert answer["opened"] == 2


def test_a_silent_connection_is_reopened(page: Page, server: Server) -> None:
    page.evaluate(START, {"silentMs": 1500, "lostMs": 2500})
    joined(page, server)
    order(server, "set", values={"mute": True})
    order(server, "push", set=[item("incident", "1", "into the void")])
    # The socket stays open and says nothing, as behind a dead switch: only the watchdog can tell.
    in_step(page, server)
    assert order(server, "look")["opened"] >= 2


def test_kill_and_restart(page: Page, server: Server) -> None:
    order(server, "push", set=[item("incident", "1", "before")])
    page.evaluate(START, {"silentMs": 2000, "lostMs": 3000})
    in_step(page, server)
    server.kill()
    until(page, "() => chengyun.live.status === 'late'", 20)
    until(page, "() => chengyun.live.status === 'lost'", 30)
    assert page.evaluate("() => document.documentElement.dataset.link") == "lost"
    assert page.evaluate("() => chengyun.live.get('incident', '1').value") == "before", (
        "the last known state stays"
    )
    server.start("e2")
    order(server, "push", set=[item("incident", "7", "after")])
    up = time.monotonic()
    in_step(page, server, 12)
    assert time.monotonic() - up < 8, "back-off never exceeds 5 s"
    assert page.evaluate("() => chengyun.live.status") == "live"
    said = page.evaluate("() => window.statuses")
    at = said.index("lost")
    # A server that is busy with its start may keep the link late once more before it is live for good.
    assert said[at - 1 : at + 2] == ["late", "lost", "live"] and said[-1] == "live"
    assert page.evaluate("() => chengyun.live.get('incident', '1') ?? null") is None


def test_an_outage_of_240_seconds_is_outlived(browser: Browser, server: Server) -> None:
    """The page's clock is moved, the network is real: no limit on tries may be reached in that time."""
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    page.goto(server.url + "/page")
    page.evaluate(START, {})
    page.clock.run_for(500)
    in_step(page, server)
    server.kill()
    tried: list[str] = []
    page.on("requestfailed", lambda request: tried.append(request.url))
    for _ in range(60):
        page.clock.run_for(4000)
        page.evaluate("() => fetch('/healthz').catch(() => 0)")  # lets the failed tries come back
    assert page.evaluate("() => chengyun.live.status") == "lost"
    assert sum("/live" in url for url in tried) >= 30, "it keeps trying all the time"
    server.start("e3")
    order(server, "push", set=[item("incident", "1", "back")])
    for _ in range(10):
        page.clock.run_for(1000)
        page.evaluate("() => fetch('/healthz')")
    in_step(page, server)
    context.close()


def test_a_server_that_refuses_the_stream_is_not_hammered(page: Page, server: Server) -> None:
    page.evaluate(START, {})
    joined(page, server)
    order(server, "set", values={"stream_status": 503})
    order(server, "drop")
    until(page, "() => chengyun.live.status !== 'live'")
    before = order(server, "look")["opened"]
    page.wait_for_timeout(3000)  # not a wait for something: the window in which tries are counted
    assert order(server, "look")["opened"] - before <= 6
    order(server, "set", values={"stream_status": 200})
    order(server, "push", set=[item("incident", "1", 1)])
    in_step(page, server)


# ---------------------------------------------------------------- the end


def test_end_leads_to_login(page: Page, server: Server) -> None:
    page.evaluate(START, {})
    joined(page, server)
    order(server, "event", event="end")
    page.wait_for_url("**/login?next=%2Fpage", timeout=30_000)


def test_a_session_that_is_over_leads_to_login(page: Page, server: Server) -> None:
    page.evaluate(START, {})
    joined(page, server)
    order(server, "set", values={"snapshot_status": 401, "stream_status": 401})
    order(server, "drop")
    page.wait_for_url("**/login?next=%2Fpage", timeout=30_000)


def test_ages_follow_the_servers_clock(page: Page, server: Server) -> None:
    page.evaluate(START, {})
    joined(page, server)
    page.evaluate(
        """async () => {
          const now = chengyun.live.now();
          document.body.innerHTML = `
            <div id="fresh" data-as-of="${now - 20_000}" data-limit-s="60"><b class="age"></b></div>
            <div id="old" data-as-of="${now - 200_000}" data-limit-s="60"><b class="age"></b></div>
            <div id="never" data-as-of="" data-limit-s="60"><b class="age"></b></div>
            <span id="left" class="due" data-due="${now + 630_000}"></span>
            <span id="over" class="due" data-due="${now - 7_320_000}"></span>`;
          await import('/assets/age.mjs');
        }"""
    )
    until(page, "() => document.querySelector('#old').classList.contains('stale')")
    got = page.evaluate(
        """() => Object.fromEntries([...document.body.querySelectorAll('[id]')]
             .map((e) => [e.id, [e.textContent.replace(/^2[0-9] /, '2x '), e.className]]))"""
    )
    assert got == {
        "fresh": ["2x 秒前", ""],
        "old": ["3 分钟前", "stale"],
        "never": ["时间不明", "stale"],
        "left": ["剩余 10 分", "due"],
        "over": ["超时 2 小时 2 分", "due overdue"],
    }
    order(server, "event", event="beat", data={"now": int(time.time() * 1000) + 120_000})
    until(page, "() => document.querySelector('#fresh').classList.contains('stale')")
