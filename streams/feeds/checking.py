"""A feed's data, checked for the command that saves it: what is wrong becomes a refusal of the domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from incidents.model import Rejected
from streams.feeds.alarm_mapping import Alarms
from streams.feeds.kinds import SHIPPED, Feed, check_feed
from streams.feeds.mapping import BadMapping
from streams.feeds.port import BadConfig
from streams.feeds.runner import StoredFeed


def checked(stored: StoredFeed, alarms: Alarms = SHIPPED) -> Feed:
    """A stored feed, checked. Raises BadConfig, BadMapping."""
    return check_feed(
        stored.id, stored.kind, stored.config, stored.secrets, stored.mapping, stored.version, alarms
    )


def accepted(stored: StoredFeed, alarms: Alarms = SHIPPED) -> Feed:
    """A stored feed, checked. Raises Rejected(field) with every fault of a mapping in `faults`."""
    try:
        return checked(stored, alarms)
    except BadConfig as error:
        raise Rejected("field", str(error), field=error.field) from None
    except BadMapping as error:
        faults = [{"field": f"mapping.{f.field}", "found": f.found, "rule": f.rule} for f in error.faults]
        words = "; ".join(f"mapping.{f}" for f in error.faults[:5])
        raise Rejected("field", words, field=str(faults[0]["field"]), faults=faults) from None


def topics_of_feed(
    id: str, kind: str, config: Mapping[str, Any], secrets: Mapping[str, str], mapping: Mapping[str, Any]
) -> Sequence[str]:
    """The topics that the feed's mapping writes to. Raises Rejected."""
    return sorted(accepted(StoredFeed(id, kind, config, secrets, mapping, 1)).mapping.topics)
