"""Commands and queries about the screens of a wall and the marks on the map. See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class PairScreen:
    """配对大屏: the browser that shows this code becomes a screen of this name, size and areas (paths), for reading only.
    `columns`, `rows`, `seam_px`: the cells the wall is joined of and how wide a seam is; 0 columns: as the size has them."""

    code: str
    name: str
    size: str
    areas: list[str] = field(default_factory=list)
    columns: int = 0
    rows: int = 0
    seam_px: int = 8
    key: str = ""


@dataclass(frozen=True, slots=True)
class UnpairScreen:
    """解除配对: its session ends at once."""

    screen: int


@dataclass(frozen=True, slots=True)
class SendToScreen:
    """送大屏: a scene, an incident, a camera, a view of the map with its layers, or any of these together; what is not given
    is as the scene has it. `back`: what it showed before instead. `width_px`: of the map the view was taken from."""

    screen: int
    scene: str = ""
    incident: int | None = None
    camera: str = ""
    lon: float | None = None
    lat: float | None = None
    zoom: float | None = None
    width_px: int | None = None
    layers: list[str] = field(default_factory=list)
    back: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class SetRotation:
    """轮播: these scenes in turn, so many seconds each; fewer than two end it."""

    screen: int
    scenes: list[str] = field(default_factory=list)
    seconds: int = 30
    key: str = ""


@dataclass(frozen=True, slots=True)
class PinScene:
    """固定: rotation rests and no level I or II takes the screen over, until it is let go."""

    screen: int
    pinned: bool
    key: str = ""


@dataclass(frozen=True, slots=True)
class MuteScreen:
    """静音: the alarm of the screen sounds no more, until it is switched on again."""

    screen: int
    muted: bool
    key: str = ""


@dataclass(frozen=True, slots=True)
class DrawMark:
    """标绘: a point, line or polygon of [lon, lat] points with a word, on every map of whoever sees the place; it ends by
    itself after `minutes`."""

    shape: str
    points: list[list[float]]
    word: str
    minutes: int = 120
    key: str = ""


@dataclass(frozen=True, slots=True)
class ClearMark:
    """擦除标绘: by whoever drew it, or whoever drives the screens of the place."""

    mark: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class Screens:
    """The paired screens of the actor's areas: what each shows, who paired it, when it was last seen."""

    revoked: bool = False


COMMANDS: Final[dict[str, type]] = {
    "pair_screen": PairScreen,
    "unpair_screen": UnpairScreen,
    "send_to_screen": SendToScreen,
    "set_rotation": SetRotation,
    "pin_scene": PinScene,
    "mute_screen": MuteScreen,
    "draw_mark": DrawMark,
    "clear_mark": ClearMark,
}
QUERIES: Final[dict[str, type]] = {"screens": Screens}
ACTION_OF: Final[dict[str, str]] = {
    "pair_screen": "screen.pair",
    "unpair_screen": "screen.pair",
    "send_to_screen": "screen.drive",
    "set_rotation": "screen.drive",
    "pin_scene": "screen.drive",
    "mute_screen": "screen.drive",
    "draw_mark": "mark.draw",
    "clear_mark": "mark.draw",
    "screens": "screen.see",
}
"""Command or query → right, see incidents/access.py."""
