"""The alarm adapters by the name of their system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streams.adapters import dahua, frigate, gb28181_alarm, hikvision
from streams.adapters.alarm import Adapter

ADAPTERS: Final[Mapping[str, Adapter]] = {
    "gb28181": gb28181_alarm.adapt,
    "frigate": frigate.adapt,
    "hikvision": hikvision.adapt,
    "dahua": dahua.adapt,
}
