"""Prints the pages of `docs/` that are made from code: `python -m tests.docs.print_docs`. A test compares them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec

from gis.crs import TO_WGS84
from incidents.access import RIGHTS, ROLES
from incidents.commands import ACTION_OF, COMMANDS, QUERIES
from incidents.indicators import INDICATORS, WINDOW_DAYS
from incidents.lifecycle import DEFAULT_STAGE_LIMITS_MIN, TRANSITIONS, WRONG_FIELDS
from incidents.model import FINAL_STAGES, Stage
from settings import SETTINGS
from streams import topics
from streams.envelope import DATA_OF_TOPIC, Message, Point, Reading, Reporter
from streams.feeds import alarm_mapping, mapping
from streams.feeds.http_pull import Paging, Since
from streams.feeds.kinds import SHAPES
from streams.feeds.sample_feeds import sample_feeds

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
EXAMPLES: Final = ROOT / "streams" / "examples"

NOTICE: Final = "<!-- Printed from the code by `python -m tests.docs.print_docs`; a test compares it. -->\n"

STAGE_WORDS: Final = {
    "reported": "上报", "accepted": "受理/立案", "dispatched": "派遣", "taken": "接单", "on_site": "到场",
    "handled": "处置", "returned_result": "反馈", "checked": "核查", "closed": "结案", "refused": "不予受理",
    "void": "作废",
}  # fmt: skip
ROLE_WORDS: Final = {
    "operator": "坐席", "dispatcher": "派遣员", "duty_leader": "值班领导", "unit_handler": "处置单位",
    "grid_worker": "网格员", "evaluator": "考评员", "theme_owner": "专题负责人", "administrator": "管理员",
    "auditor": "审计员", "wall": "大屏",
}  # fmt: skip


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A markdown table; bars inside of cells are escaped."""

    def line(cells: tuple[Any, ...]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows)]) + "\n"


def first_sentence(text: str | None) -> str:
    """The first sentence of a docstring, on one line."""
    words = " ".join((text or "").split())
    return words.split(". ")[0].rstrip(".") + "."


def lifecycle() -> str:
    """The life-cycle: diagram and table."""
    stay: dict[frozenset[Stage], list[str]] = {}
    arrows = [f"    [*] --> {Stage.REPORTED} : report"]
    for t in TRANSITIONS:
        if t.target is None:
            stay.setdefault(t.sources, []).append(t.action)
            continue
        arrows += [f"    {source} --> {t.target} : {t.action}" for source in Stage if source in t.sources]
    arrows += [f"    {stage} --> [*]" for stage in Stage if stage in FINAL_STAGES]
    names = [f"    {stage} : {STAGE_WORDS[stage]} {stage}" for stage in Stage]
    rows = [
        (
            f"`{t.action}`",
            "any open stage" if len(t.sources) == len(Stage) - len(FINAL_STAGES) else ", ".join(
                stage for stage in Stage if stage in t.sources
            ),
            t.target or "stays",
            ", ".join(t.needs) or "—",
        )
        for t in TRANSITIONS
    ]  # fmt: skip
    limits = ", ".join(f"{STAGE_WORDS[s]} {minutes} min" for s, minutes in DEFAULT_STAGE_LIMITS_MIN.items())
    return (
        f"# Life-cycle of an incident 事件\n\n{NOTICE}\n"
        "`incidents/lifecycle.py` holds one `TRANSITIONS` table; `advance` is the only function that changes a\n"
        "stage. The words shown are data (`layouts/text`); these are the codes.\n\n"
        "```mermaid\nstateDiagram-v2\n"
        + "\n".join([*names, *arrows])
        + "\n```\n\n"
        + table(("action", "from", "to", "must say"), rows)
        + f"\nA unit that returns an incident names what was wrong: {', '.join(WRONG_FIELDS)}. Whoever handled it"
        " may not check it.\nA class may ask for a photo of the result. Every step raises `version` by one and"
        " writes one line of the\nappend-only timeline: who, when, through which channel, from, to, why, caused by"
        f" what.\n\nStage limits, day and night: {limits}; while a unit has it the limit is the class's own, counted"
        " from\ndispatch: it stands while a returned incident waits at the dispatcher, runs on when it is re-sent to the\nsame unit and"
        " starts anew at another. A deadline that\npasses is escalated once; level I and II are escalated when nobody has acknowledged them"
        " for 60 s.\n"
    )


def settings() -> str:
    """Every environment variable."""
    rows = [
        (f"`{s.name}`", f"`{s.default}`" if s.default else "—", s.help + (" **Secret.**" if s.secret else ""))
        for s in SETTINGS
    ]
    return (
        f"# Settings\n\n{NOTICE}\nConfiguration comes from environment variables only. An unknown `CHENGYUN_` name"
        " or a value that cannot\nbe used stops the start with one sentence. `make run` sets the addresses of the"
        " embedded services.\n\n" + table(("variable", "default", "meaning"), rows)
    )


def _type_name(kind: Any) -> str:
    """A type annotation in the words of JSON."""
    if hasattr(kind, "__metadata__"):
        return _type_name(get_args(kind)[0])
    origin = get_origin(kind)
    if origin is list:
        return f"list of {_type_name(get_args(kind)[0])}"
    if origin is Literal:
        return " or ".join(f"`{word}`" if word != "" else "—" for word in get_args(kind))
    if origin is dict:
        return f"object of {_type_name(get_args(kind)[1])}"
    if origin is not None:
        return " or ".join(_type_name(part) for part in get_args(kind) if part is not type(None))
    if isinstance(kind, TypeVar):
        return "object, see below"
    words = {
        "str": "text",
        "int": "whole number",
        "float": "number",
        "bool": "true/false",
        "datetime": "RFC 3339 time",
    }
    return words.get(str(kind.__name__), f"[{kind.__name__}]")


def _fields(kind: type[msgspec.Struct]) -> list[tuple[str, str, str]]:
    """(name, type, needed or default) of each field as it is on the wire."""
    rows = []
    for f in msgspec.structs.fields(kind):
        if f.default is not msgspec.NODEFAULT:
            default = json.dumps(f.default) if f.default not in ("", None) else "—"
        else:
            default = "**needed**" if f.required else "—"
        rows.append((f"`{f.encode_name}`", _type_name(f.type), default))
    return rows


READS: Final = {
    topics.READING: ("device id", "sensors, gateways, replays"),
    topics.READING_CRITICAL: ("device id", "devices flagged critical: own topic, own consumer"),
    topics.VIDEO_ALARM: ("camera code", "video analysis"),
    topics.GRID_REPORT: ("message id", "grid workers, hotline, citizens"),
    topics.POSITION: ("worker login", "phones"),
    topics.ENFORCEMENT_CASE: ("case number", "enforcement platforms (行政执法), through feeds"),
    topics.FEED_RECORD: ("feed id + record id", "feeds of theme packages (not read yet)"),
    topics.WARNING: ("device id", "ingest, through the outbox"),
    topics.INCIDENT: ("incident id", "every change of an incident, through the outbox"),
    topics.ORDER: (
        "unit code",
        "every order to a unit (to lead or to assist), and its end, through the outbox",
    ),
    topics.REPLY: ("source of the report", "what who reported is told, through the outbox"),
}


def topic_page() -> str:
    """Topics, their data, an example of each input, what is set aside and why."""
    way = {**dict.fromkeys(topics.INPUT_TOPICS, "in"), **dict.fromkeys(topics.OUTPUT_TOPICS, "out")}
    rows = [(f"`{t}`", key, by, way.get(t, "—")) for t, (key, by) in READS.items()]
    parts = [
        f"# Topics and messages\n\n{NOTICE}\nEvery message is a CloudEvents 1.0 JSON object (structured mode)."
        " `(source, id)` is the duplicate key, `type` is\nthe topic's name; a feed is told by its token, its"
        " `feed` header or a source `urn:feed:<feed id>`.\nEach input topic has a dead-letter topic:"
        f" `{topics.dead_letter('<topic>')}`.\n",
        table(("topic", "key", "written by", "direction"), rows),
        "## Envelope\n",
        table(("attribute", "type", "default"), _fields(Message)),
        "Parts of `data` that several topics share (coordinate systems: " + ", ".join(TO_WGS84) + "):\n",
    ]
    for part in (Reading, Point, Reporter):
        parts.append(table((f"[{part.__name__}]", "type", "default"), _fields(part)))
    for topic in topics.INPUT_TOPICS:
        folder = EXAMPLES / topic
        parts.append(f"## {topic}\n\n{first_sentence(DATA_OF_TOPIC[topic].__doc__)}\n")
        parts.append(table(("data", "type", "default"), _fields(DATA_OF_TOPIC[topic])))
        good = sorted(
            p for p in folder.glob("*.json")
            if not p.name.endswith(".expected.json") and not p.with_suffix(".expected.json").exists()
        )  # fmt: skip
        simplest = min(good, key=lambda p: (p.stat().st_size, p.name))
        text = simplest.read_text(encoding="utf-8").rstrip()
        parts.append(f"`streams/examples/{topic}/{simplest.name}`\n\n```json\n{text}\n```\n")
        bad = [(p.name.removesuffix(".expected.json"), json.loads(p.read_text())) for p in
               sorted(folder.glob("*.expected.json"))]  # fmt: skip
        set_aside = [(f"`{name}.json`", f"`{why['reason']}`", f"`{why['field']}`" if why["field"] else "—")
                     for name, why in bad]  # fmt: skip
        parts.append(table(("set aside", "reason", "field"), set_aside))
    return "\n".join(parts)


def access() -> str:
    """Rights of the roles."""
    asked: dict[str, list[str]] = {}
    for name in (*COMMANDS, *QUERIES):
        asked.setdefault(ACTION_OF[name], []).append(name)
    actions = sorted({action for role in ROLES for action in RIGHTS[role]})
    rows = [
        (
            f"`{action}`",
            ", ".join(f"`{name}`" for name in asked.get(action, ())) or "—",
            *("●" if action in RIGHTS[role] else "" for role in ROLES),
        )
        for action in actions
    ]
    return (
        f"# Access\n\n{NOTICE}\nOne function, `may(actor, action, thing)` in `incidents/access.py`, is asked at the"
        " entry of every command\nand query. A right holds for things in the actor's areas and below them; field"
        " staff (处置单位, 网格员) act on\nwhat is assigned to their unit, wherever it is, and see it. A thing whose"
        " place is not resolved belongs to the\nwhole city. What is not listed is refused. Lists hold only rows"
        " that `may` would allow (`data/scope.py`; a test\nholds both together). What each command and query"
        " answers to each role in its own, parent and sibling area,\nasked over REST: [rights.md](rights.md).\n\n"
        + table(("right", "commands and queries", *(f"{ROLE_WORDS[r]} {r}" for r in ROLES)), rows)
    )


def indicators() -> str:
    """The eight panels."""
    rows = [
        (
            f"`{i.id}` v{i.version}", f"{i.name} {i.name_en}", i.unit,
            "—" if i.target is None else f"{'≥' if i.direction == 'up' else '≤'} {i.target:g}",
            f"{i.formula}<br>{i.formula_en}", f"{i.limit_s:g} s", i.records,
        )
        for i in INDICATORS
    ]  # fmt: skip
    return (
        f"# Indicators 指标\n\n{NOTICE}\nComputed by `data/indicators.py` for the city, each district, town and"
        " village, counted by the very conditions\nthat list the records behind a click (`IncidentList(of=…)`; a"
        " test counts both). Nothing in the denominator is\n*no data*, never zero. Windows are the last"
        f" {WINDOW_DAYS} days. Older than its limit a value is shown as stale.\n\n"
        + table(("id", "name", "unit", "target", "formula", "stale after", "opens"), rows)
    )


def feeds() -> str:
    """How to connect a source: kinds, configuration, mapping, one sample of each."""
    parts = [
        f"# Feeds: how to connect a source\n\n{NOTICE}\n{FEEDS_INTRODUCTION}",
        "## Mapping\n\n" + _docstring(mapping.__doc__),
        table(("rule", "example", "gives"), MAPPING_RULES),
        CASES_OF_ENFORCEMENT,
        "## Alarms of video systems\n\n" + _docstring(alarm_mapping.__doc__),
    ]
    for sample in sample_feeds():
        config, secrets, _ = SHAPES[sample["kind"]]
        parts.append(f"## `{sample['kind']}`\n\n" + _docstring(config.__doc__))
        parts.append(table(("config", "type", "default"), _fields(config)))
        for inner in (Paging, Since) if sample["kind"] == "http" else ():
            parts.append(
                _docstring(inner.__doc__)
                + "\n"
                + table((f"[{inner.__name__}]", "type", "default"), _fields(inner))
            )
        if rows := _fields(secrets):
            parts.append(_docstring(secrets.__doc__) + "\n" + table(("secrets", "type", "default"), rows))
        shown = {k: sample[k] for k in ("name", "owner", "kind", "expected_period_s", "config", "mapping")}
        given = sample["sample"]
        text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, indent=2)
        parts.append(
            f"Sample (`streams/feeds/samples/{sample['kind']}.json`):\n\n```json\n{_json(shown)}\n```\n"
        )
        parts.append(f"From its source:\n\n```\n{text.strip()}\n```\n")
        made = "\n".join(json.dumps(g, ensure_ascii=False) for g in sample["gives"])
        parts.append(f"On the bus:\n\n```json\n{made}\n```\n")
    return "\n".join(parts)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _docstring(text: str | None) -> str:
    return inspect.cleandoc(text or "") + "\n"


MAPPING_RULES: Final[list[tuple[Any, ...]]] = [
    ("a constant", '`"hotline"` or `{"const": 3}`', "itself"),
    (
        "a path",
        '`{"path": "a.b[0]"}`',
        'what JMESPath finds; names that are no words in quotes: `\\"水位\\"`',
    ),
    ("a template", '`{"template": "WL-{code}"}`', "text with values in it"),
    (
        "the record's own",
        '`{"record": "time"}`, `{"record": "id"}`',
        "Kafka's timestamp, time of arrival; offset, row",
    ),
    ("a look-up", '`{"path": "k", "table": {"A": "WL-1"}, "otherwise": "?"}`', "what stands there"),
    ("a unit", '`{"path": "t_f", "times": 0.5555555556, "plus": -17.7777777778}`', "value × times + plus"),
    (
        "a time",
        '`{"path": "t", "format": "%d.%m.%Y %H:%M", "zone": "Asia/Shanghai"}`',
        "also `epoch_s`, `epoch_ms`; without a format found by itself",
    ),
    ("may be absent", '`{"path": "q", "optional": true}`', "the field, or its reading, is left out"),
    ("coordinates", '`"point": {"lon": …, "lat": …, "crs": "GCJ-02"}`', "converted at ingest"),
]

CASES_OF_ENFORCEMENT: Final = """\
## Cases of enforcement platforms (行政执法“两平台”)

A feed of any kind that maps to `city.enforcement-case.v1` brings the cases of an enforcement platform. The envelope's `time`
is when the case was last changed there; it may be years old. Leave `id` out, or make it of number and change
(`{"template": "{no}@{updated}"}`): a bare case number would make the second change of a case a conflict. A case is known by
feed and number; the newest message says how it stands, every message is kept. `unit` is a unit's code or name, `stage` the
platform's own words, `result` is empty while there is none:

```json
{"topic": "city.enforcement-case.v1", "time": {"path": "updated", "zone": "Asia/Shanghai"}, "data": {
  "case": {"path": "no"}, "title": {"path": "cause", "otherwise": ""}, "unit": {"path": "office"}, "stage": {"path": "step"},
  "result": {"path": "decision", "otherwise": ""}, "opened_at": {"path": "filed", "zone": "Asia/Shanghai"},
  "closed_at": {"path": "ended", "zone": "Asia/Shanghai", "optional": true}, "incident": {"path": "event_no", "otherwise": ""}}}
```

`incident` is our number, as we gave it out (`city.incident.v1`); a platform that knows only the report names it by `source`
and `message`, the CloudEvents source and id that it came with. Either may come before the incident does: the link is looked
up whenever it is asked for, and follows merging ([ADR 0028](adr/0028-enforcement-cases.md)). A case without a result
beyond the city's limit (90 natural days; command `set_case_limit`, days and `natural_day` or `work_day`) is listed for
supervision on the duty leader's page and by the query `enforcement_cases?late=true`.
"""

FEEDS_INTRODUCTION: Final = """\
A source that can send CloudEvents itself posts them to `/api/v1/messages/<topic>` with its token (topics.md) and needs
nothing of this page. Any other is connected by data: one of seven kinds of adapters fetches or takes its records, and a
mapping turns their fields into our envelope.

1. 运行监控 → 数据源 → 新建数据源 (the right `feed.manage`), or `POST /api/v1/commands/save_feed` with the fields below.
2. 试读 shows ten records as the mapping makes them, or field, value and rule of what is wrong: of what stands in the form,
   saved or not (kept secrets are used only at the saved address); over REST (`GET /api/v1/queries/test_feed?feed=ID`) of
   the saved feed. Nothing is stored, published or acknowledged. `sample=` tries a record that is given.
3. `python app.py feed run` (the process `feeds` of `make run` and of the compose file) fetches every enabled feed, a
   thread each (`feed run ID …`: only these). Several processes share the feeds out among themselves: each
   runs what it holds the lock of in the store, stops when that is lost, and claims anew. Webhooks are taken by the web process: `POST /api/v1/feeds/ID/records`.

**Law.** Read → map → on the bus → position kept in the store → acknowledged (MQTT), moved (files). A crash anywhere
repeats records; their message ids follow from the records, so the repetition is counted as duplicate and stored once. A
feed whose records carry neither an id nor a time of their own cannot be told from its repetition. A record that cannot be
read or mapped becomes a dead letter of the reason `mapping`, with field, value and rule: counted in the ledger, seen and
replayed on the page of dead letters (after a crash it may lie there twice).

**Status.** 正常; 迟到 after 1.5 expected periods without a message; 静默 after 3; 错误 when the last attempt failed. A
source that cannot be reached is in error until it is silent; a wrong password, a broken answer or an adapter that died
stays in error until it is mended. The reason stands beside it. Attempts that fail are repeated after 1, 2, 4 … 300 s, with
jitter, and not before a `Retry-After`.

**Secrets** are kept apart from the configuration, are in no answer and in no audit line; a backup holds them.

**Addresses.** Feeds may be fetched from `CHENGYUN_FEED_ADDRESSES` (settings.md): public and private ones, unless you say
otherwise; this machine and link-local ones (metadata of clouds) are refused. HTTP connects to the address that was looked
at, and follows no redirect. Files lie below `CHENGYUN_DROP_DIR`.
"""


PAGES: Final[dict[str, Callable[[], str]]] = {
    "lifecycle.md": lifecycle,
    "settings.md": settings,
    "topics.md": topic_page,
    "access.md": access,
    "indicators.md": indicators,
    "feeds.md": feeds,
}

__all__ = ["DOCS", "PAGES", "ROOT"]


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
