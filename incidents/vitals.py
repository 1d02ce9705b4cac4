"""City vital signs 城市运行体征 (S07): what a definition must say, and when a value has crossed its limit.

Pure. The definitions are data (`data/vitals/vitals.toml`); what they are computed from is `data/vitals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal

from incidents.selfcheck import check_source, file_check
from incidents.storeports import UnitOfWork

DOMAINS: Final = ("traffic", "safety", "ecology", "economy", "cyber")
"""交通、公共安全、生态环境、社会经济、信息安全, in the order of the page."""
SOURCES: Final = ("metric", "incidents", "devices", "refused", "none")
HOW: Final = ("mean", "max", "count_over", "share_over")
FRESH_S: Final = 90.0
"""A figure whose newest part is older than its window and this is out of date."""


@dataclass(frozen=True, slots=True)
class Vital:
    """One vital sign; the fields are explained at the head of `vitals.toml`."""

    id: str
    domain: str
    name: str
    name_en: str
    unit: str
    source: str
    direction: Literal["up", "down"]
    formula: str
    formula_en: str
    unit_en: str | None = None
    metric: str = ""
    how: str = "mean"
    over: float | None = None
    window_min: float = 15.0
    classes: tuple[str, ...] = ()
    worst: int = 4
    types: tuple[str, ...] = ()
    of: str = ""
    target: float | None = None
    limit: float | None = None
    clear: float | None = None
    level: int = 3
    class_code: str = ""
    needs: str = ""
    needs_en: str = ""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A limit was crossed: when, and at what value."""

    at: datetime
    value: float


def parse(table: Mapping[str, Any]) -> tuple[Vital, ...]:
    """The definitions of a parsed `vitals.toml`. Raises ValueError that names the faulty one and its field."""
    known = {f.name for f in fields(Vital)} - {"class_code"} | {"class"}
    found: list[Vital] = []
    for row in table.get("vital", ()):
        name = row.get("id", "?")
        strange = row.keys() - known
        if strange:
            raise ValueError(f"vital {name!r}: unknown field {min(strange)!r}")
        given = {("class_code" if key == "class" else key): value for key, value in row.items()}
        given |= {key: tuple(given[key]) for key in ("classes", "types") if key in given}
        try:
            vital = Vital(**given)
        except TypeError as error:
            raise ValueError(f"vital {name!r}: {error}") from error
        fault = _fault(vital)
        if fault or any(v.id == vital.id for v in found):
            raise ValueError(f"vital {name!r}: {fault or 'twice'}")
        found.append(vital)
    return tuple(found)


def _fault(v: Vital) -> str:
    if v.domain not in DOMAINS:
        return f"domain={v.domain!r}: must be one of {', '.join(DOMAINS)}"
    if v.source not in SOURCES:
        return f"source={v.source!r}: must be one of {', '.join(SOURCES)}"
    if v.source == "metric" and (not v.metric or v.how not in HOW):
        return "a metric needs metric and how"
    if v.how in ("count_over", "share_over") and v.source == "metric" and v.over is None:
        return f"how={v.how!r} needs over"
    if v.source == "none" and not (v.needs and v.needs_en):
        return "without a source it must say what it needs"
    if (v.limit is None) != (v.clear is None):
        return "limit and clear go together"
    if v.limit is not None and v.clear is not None and beyond(v, v.clear):
        return "clear must lie on the good side of limit"
    return ""


def beyond(v: Vital, value: float) -> bool:
    """Past the limit, in the bad direction."""
    if v.limit is None:
        return False
    return value < v.limit if v.direction == "up" else value > v.limit


def crossing(v: Vital, value: float, *, raised: bool) -> Literal["raised", "cleared", ""]:
    """What this value changes: a limit crossed, or `clear` reached again. In between everything stays as it is."""
    if v.limit is None or v.clear is None:
        return "cleared" if raised else ""
    if not raised:
        return "raised" if beyond(v, value) else ""
    over_again = value >= v.clear if v.direction == "up" else value <= v.clear
    return "cleared" if over_again else ""


def file_crossing(uow: UnitOfWork, v: Vital, crossed: Crossing, city_path: str, now: datetime) -> int:
    """File the warning of a crossed limit as a source of the whole city; triage makes or joins the incident. Its id."""
    sign = "低于" if v.direction == "up" else "高于"
    source = check_source(
        city_path, now, class_code=v.class_code, title=f"城市体征超限：{v.name}",
        text=f"{v.name} {crossed.value:g} {v.unit}，{sign}限值 {v.limit:g} {v.unit}。算法：{v.formula}。",
        time=crossed.at, correlation_id=f"vital-{v.id}", source=f"vital/{v.id}",
        message_id=f"{v.id}/{crossed.at.isoformat()}",
    )  # fmt: skip
    return file_check(uow, source)
