"""Cards of the devices page: what was pressed on one is done first, then the card is made anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from dash.development.base_component import Component

from callbacks.dash_view import DashDeps
from incidents import commands as c
from incidents.model import Rejected
from layouts import credentials, device_types
from layouts.shell.view import View

Asked = Mapping[str, Any]


def number_of(name: str, value: Any) -> float | None:
    """A typed number; None when nothing was typed. Raises Rejected."""
    text = str(value if value is not None else "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise Rejected("field", f"{name}={text!r}: must be a number", field=name) from None


def _texts(act: Asked, *names: str) -> dict[str, str]:
    return {name: str(act.get(name) or "").strip() for name in names}


def _type(act: Asked) -> object:
    period = number_of("period_s", act.get("period_s"))
    texts = _texts(act, "id", "name", "name_en", "icon")
    return c.SaveDeviceType(**texts) if period is None else c.SaveDeviceType(**texts, period_s=period)  # type: ignore[arg-type]


def _metric(act: Asked) -> object:
    stuck = number_of("stuck_periods", act.get("stuck_periods"))
    if stuck is not None and stuck != int(stuck):
        raise Rejected("field", f"stuck_periods={stuck:g}: must be a whole number", field="stuck_periods")
    return c.SaveMetric(
        **_texts(act, "id", "device_type", "name", "unit", "name_en"),
        low=number_of("low", act.get("low")),
        high=number_of("high", act.get("high")),
        stuck_periods=None if stuck is None else int(stuck),
    )


COMMAND_OF: Final[dict[str, Callable[[Asked], object]]] = {
    "issue": lambda a: c.IssueDeviceCredential(str(a["device"])),
    "rotate": lambda a: c.RotateDeviceCredential(str(a["device"])),
    "revoke": lambda a: c.RevokeDeviceCredential(str(a["device"]), int(a["number"])),
    "save_type": _type,
    "save_metric": _metric,
}


def _done(act: Asked, deps: DashDeps, view: View) -> dict[str, Any]:
    """The answer of what was pressed, or nothing. Raises Rejected."""
    if not act:
        return {}
    make = COMMAND_OF.get(str(act.get("do")))
    if make is None:
        raise Rejected("field", f"do={act.get('do')!r}: no such button", field="do")
    return deps.handle(make(act), view.actor, "desk")


def credentials_of(device: str, act: Asked, deps: DashDeps, view: View) -> list[Component]:
    """The credentials of a device, after what was pressed there was done. Raises Rejected."""
    made = _done(act, deps, view)
    rows = deps.service.ask(c.DeviceCredentials(device, standing=True), view.actor)["rows"]
    return credentials.credentials(view, device, [r for r in rows if r["device"] == device], made)


def type_of(code: str, act: Asked, deps: DashDeps, view: View) -> list[Component]:
    """The card of a device type ('' for a new one), after what was pressed there was done. Raises Rejected."""
    done = _done(act, deps, view)
    code = str(done.get("device_type") or done.get("id") or code)  # a new type has its id from what was typed
    kinds = deps.service.ask(c.DeviceTypes(), view.actor)["rows"]
    return device_types.card(view, next((k for k in kinds if k["id"] == code), {}))
