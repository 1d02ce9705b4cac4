"""Rights of routes that are no command or query: asked of `may`, refused attempts written to the audit log."""

from __future__ import annotations

from callbacks.http.deps import Deps
from incidents.access import ANYWHERE, may
from incidents.model import Actor, Rejected


def require(deps: Deps, actor: Actor, action: str, thing: str) -> None:
    """Raise Rejected(forbidden) unless the actor's role has the right; `thing` is for the audit log."""
    decision = may(actor, action, ANYWHERE)
    if decision:
        return
    audit_refusal(deps, actor, action, thing, decision.reason)
    raise Rejected("forbidden", f"{action}: {decision.reason}", field="actor")


def audit_refusal(deps: Deps, actor: Actor, action: str, thing: str, why: str) -> None:
    """A refused attempt."""
    deps.audit.append(
        actor=actor.login,
        role=actor.role,
        action=action,
        thing=thing,
        allowed=False,
        now=deps.now(),
        detail={"why": why},
    )
