"""What a screen of the wall shows, and how a desk changes it. Pure.

A screen has one of SIZES, each designed at its fixed size; the cells it is joined of must divide the design's, so that
every seam of the wall lies where the design has none of its panels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from incidents.model import Rejected
from incidents.screen_commands import SendToScreen, SetRotation

SCENES: Final = ("overview", "municipal", "safety", "environment", "emergency", "night")
"""综合, 市政, 安全, 环境, 应急, 夜间; what each shows stands in layouts/wall_design.py."""

SIZES: Final[dict[str, tuple[int, int]]] = {
    "1920x1080": (1, 1),
    "3840x1080": (2, 1),
    "3840x2160": (2, 2),
    "5760x2160": (3, 2),
    "6656x1792": (4, 2),
}
"""Size in pixels → columns and rows of cells that its design keeps apart."""

ROTATION_S: Final = (5, 3600)
MOST_LAYERS: Final = 40


@dataclass(frozen=True, slots=True)
class Shown:
    """What a screen was told to show. `center`: [lon, lat]; `width_px`: of the map the view was taken from; `scenes`,
    `seconds` and `since_ms`: the rotation, 0 seconds for none; `sent_ms`: when, 0: as it was after pairing."""

    scene: str = "overview"
    incident: int | None = None
    camera: str = ""
    center: tuple[float, float] | None = None
    zoom: float | None = None
    width_px: int | None = None
    layers: tuple[str, ...] = ()
    scenes: tuple[str, ...] = ()
    seconds: int = 0
    since_ms: int = 0
    pinned: bool = False
    muted: bool = False
    sent_by: str = ""
    sent_ms: int = 0


def known_size(size: str, columns: int, rows: int) -> tuple[int, int]:
    """(columns, rows) of the wall's cells; 0: as the size has them. Raises Rejected(field)."""
    if size not in SIZES:
        raise Rejected("field", f"size={size!r}: must be one of {', '.join(SIZES)}", field="size")
    most = SIZES[size]
    found = (columns or most[0], rows or most[1])
    for name, given, design in zip(("columns", "rows"), found, most, strict=True):
        if given < 1 or design % given:
            fits = ", ".join(str(n) for n in range(1, design + 1) if design % n == 0)
            raise Rejected("field", f"{name}={given}: the design of {size} allows {fits}", field=name)
    return found


def sent(shown: Shown, command: SendToScreen, who: str, now: datetime) -> Shown:
    """What the screen shows after a desk sent something. Rotation, pin and sound stay as they are: rotation rests while
    something was sent, see `director.mjs`. Raises Rejected(field)."""
    scene = command.scene or ("emergency" if command.incident is not None else "overview")
    if scene not in SCENES:
        raise Rejected("field", f"scene={scene!r}: must be one of {', '.join(SCENES)}", field="scene")
    view = (command.lon, command.lat, command.zoom)
    if any(part is None for part in view) and any(part is not None for part in view):
        raise Rejected("field", "lon, lat, zoom: all three or none", field="zoom")
    center = None
    if command.lon is not None and command.lat is not None and command.zoom is not None:
        if not (-180 <= command.lon <= 180 and -85 <= command.lat <= 85 and 0 <= command.zoom <= 22):
            raise Rejected(
                "field", f"lon={command.lon}, lat={command.lat}, zoom={command.zoom}: no view", field="zoom"
            )
        center = (command.lon, command.lat)
    if len(command.layers) > MOST_LAYERS or any(len(layer) > 100 for layer in command.layers):
        raise Rejected("field", f"layers: at most {MOST_LAYERS} names", field="layers")
    return replace(
        shown,
        scene=scene,
        incident=command.incident,
        camera=command.camera,
        center=center,
        zoom=command.zoom if center else None,
        width_px=command.width_px if center else None,
        layers=tuple(command.layers),
        sent_by=who,
        sent_ms=int(now.timestamp() * 1000),
    )


def returned(shown: Shown, before: Shown | None, who: str, now: datetime) -> Shown:
    """What it shows after 'back': what it showed before, with rotation, pin and sound as they are now."""
    old = before or Shown()
    return replace(
        old, scenes=shown.scenes, seconds=shown.seconds, since_ms=shown.since_ms, pinned=shown.pinned,
        muted=shown.muted, sent_by=who if old.sent_ms else "",
        sent_ms=int(now.timestamp() * 1000) if old.sent_ms else 0,
    )  # fmt: skip


def rotating(shown: Shown, command: SetRotation, now: datetime) -> Shown:
    """The screen with a rotation from now on, which also takes back what was sent. Raises Rejected(field)."""
    scenes = _known(command.scenes)
    if len(scenes) < 2:
        return replace(shown, scenes=(), seconds=0, since_ms=0)
    low, high = ROTATION_S
    if not low <= command.seconds <= high:
        raise Rejected("field", f"seconds={command.seconds}: must be from {low} to {high}", field="seconds")
    plain = Shown(pinned=shown.pinned, muted=shown.muted)
    return replace(
        plain,
        scene=scenes[0],
        scenes=scenes,
        seconds=command.seconds,
        since_ms=int(now.timestamp() * 1000),
    )


def pinned(shown: Shown, held: bool, now: datetime) -> Shown:
    """The screen pinned, to the scene that its rotation shows now, or let go."""
    scene = shown.scene
    if held and not shown.pinned and shown.seconds and not shown.sent_ms:
        turns = (int(now.timestamp() * 1000) - shown.since_ms) // (shown.seconds * 1000)
        scene = shown.scenes[turns % len(shown.scenes)]
    return replace(shown, scene=scene, pinned=held)


def _known(scenes: Sequence[str]) -> tuple[str, ...]:
    for scene in scenes:
        if scene not in SCENES:
            raise Rejected("field", f"scenes={scene!r}: must be one of {', '.join(SCENES)}", field="scenes")
    return tuple(dict.fromkeys(scenes))
