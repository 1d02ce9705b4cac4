"""A refusal of the domain, in the user's words."""

from __future__ import annotations

from incidents.model import Rejected
from layouts.shell.view import View


def rejection(view: View, error: Rejected) -> str:
    """What to tell the user: who was first for a stale button, else the rule and the domain's own sentence."""
    if error.code in ("stale", "stage"):
        first = str(error.facts.get("first") or "")
        action = str(error.facts.get("first_action") or "")
        if first:
            return view.t("desk.first", first=first, action=view.word("action", action))
        return view.t("error.stale")
    known = {"forbidden": "error.forbidden", "not_found": "error.not_found", "rule": "error.rule"}
    if error.code == "field":
        return f"{view.t('error.field', field=view.word('word', error.field))} — {error}"
    return f"{view.t(known.get(error.code, 'error.server'))} — {error}"
