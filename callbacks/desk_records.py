"""What lies behind a figure: which question to ask for which indicator, and how its answer is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callbacks.http.deps import Service
from incidents import commands as c
from layouts.desk import lists
from layouts.shell.view import View


def records_of(
    asked: Mapping[str, Any], service: Service, view: View, *, limit: int = 100, opens: bool = True
) -> list[Any]:
    """The records of an indicator {of, part, area, records: incidents | devices}, or of a filter {levels, overdue}.

    `area`: of which area the figure speaks, so that the records are those it counts. `opens`: lines can be pressed.
    """
    of, area = str(asked.get("of") or ""), str(asked.get("area") or "")
    if asked.get("records") == "devices":
        return lists.devices(view, service.ask(c.Devices(of, area, limit), view.actor))
    answer = service.ask(
        c.IncidentList(
            scope="all" if of else "open",
            of=of,
            part=str(asked.get("part") or "denominator"),
            stages=str(asked.get("stages") or ""),
            levels=str(asked.get("levels") or ""),
            overdue=asked.get("overdue"),
            area=area,
            limit=limit,
        ),
        view.actor,
    )
    return lists.records(view, answer["rows"], int(answer["total"]), opens=opens)


def readings_of(device: str, service: Service, view: View) -> dict[str, Any]:
    """The last day of the metric that the device warned of (else its first one), with its rules' thresholds."""
    known = service.ask(c.DeviceDetail(device), view.actor)
    metrics = [str(m["id"]) for m in known["metrics"]]
    metric = next((str(w["metric"]) for w in known["warnings"]), metrics[0] if metrics else "")
    if not metric:
        return {"device": device}
    limits = [{"value": r["threshold"], "level": r["level"]} for r in known["rules"] if r["metric"] == metric]
    return {**service.ask(c.DeviceSeries(device, metric), view.actor), "thresholds": limits}
