"""The buttons of the devices page's form: each is one command, and what cannot be one says why."""

from __future__ import annotations

from typing import Any

import pytest

from callbacks.devices import change_of
from incidents import commands as c
from incidents.model import Rejected
from layouts.devices import SHEET

CAMERA = "99010001001310000001"


def form(**values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(SHEET, ""), **values}


def test_an_unknown_camera_is_registered_with_its_place() -> None:
    pressed = {"save": "camera", "id": CAMERA, "kind": "camera"}
    filled = form(id=CAMERA, name=" 路口 ", lon="113.9", lat="21.95", unit="U1")
    assert change_of(pressed, filled, "") == c.SaveCamera(CAMERA, "路口", 113.9, 21.95, unit="U1")
    for missing in ("lon", "lat"):
        with pytest.raises(Rejected, match="place"):
            change_of(pressed, {**filled, missing: ""}, "")
    with pytest.raises(Rejected, match="lon='x': must be a number"):
        change_of(pressed, {**filled, "lon": "x"}, "")


def test_the_other_buttons() -> None:
    assert change_of({"save": "reject", "id": "X", "kind": "camera"}, form(), "不要") == c.RejectHeld(
        "X", "不要", "camera"
    )
    assert change_of({"save": "release", "id": "X", "kind": "camera"}, form(), "") == c.ReleaseHeld(
        "X", "camera"
    )
    assert change_of({"save": "retire", "id": "X"}, form(), "旧") == c.RetireDevice("X", "旧")
    with pytest.raises(Rejected, match="no such button"):
        change_of({"save": "drop"}, form(), "")
