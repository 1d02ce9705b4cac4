"""Why two incidents may be one, in words: reasons of `incidents/merging.py` as data → a line for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layouts.shell.view import View


def reason_words(view: View, reason: Mapping[str, Any]) -> str:
    """A reason of REASONS in words; '' for one that only says what was compared. Less than an hour is told in minutes."""
    code = str(reason["code"])
    if code == "gap" and float(reason["gap_h"]) < 1:
        minutes = round(float(reason["gap_h"]) * 60)
        return view.t("merge.gap_minutes", n=minutes) if minutes else view.t("merge.gap_none")
    if code == "text":
        return view.t("merge.text", likeness=f"{float(reason['likeness']) * 100:.0f}")
    values = {
        name: f"{float(value):.0f}" if name.endswith("_m") else f"{float(value):.3g}"
        for name, value in reason.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return view.t(f"merge.{code}", **values)
