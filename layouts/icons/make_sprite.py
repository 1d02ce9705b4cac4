"""Make `layouts/assets/icons.svg`, one sprite of every icon we use, from Lucide (ISC licence).

A developer's tool, never run by the product:

    npm pack lucide-static@1.62.0 && tar xzf lucide-static-1.62.0.tgz
    python layouts/icons/make_sprite.py package

Use: <svg class="cy-icon"><use href="/assets/icons.svg#camera"></use></svg>. Ids are Lucide's names and, for the
things of the city, our own words (ALIASES).
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "assets"

NAMES = """
map-pin triangle-alert siren user users phone phone-call check check-check x plus minus search filter download
upload refresh-cw bell bell-ring bell-off clock timer layers map locate locate-fixed crosshair maximize minimize
chevron-right chevron-down chevron-left chevron-up arrow-right arrow-left send corner-up-left truck route image
image-plus list layout-grid settings log-out log-in key lock shield eye eye-off info circle-help database server
activity gauge radio wifi wifi-off volume-2 monitor smartphone languages file-text file-spreadsheet
clipboard-list clipboard-check history link-2 unlink star flag navigation hand circle-check circle-x circle-alert ban
undo-2 redo-2 pencil save copy menu ellipsis sun moon home hospital school package scan qr-code play pause inbox
mail-x archive trending-up trending-down chart-line chart-column git-merge split megaphone id-card wrench
"""

ALIASES = {
    "incident": "triangle-alert",
    "camera": "cctv",
    "device": "radio",
    "worker": "hard-hat",
    "unit": "building-2",
    "component": "signpost",
    "warning": "siren",
    "report": "megaphone",
    "alarm": "cctv",
    "area": "map",
    "dispatch": "send",
    "return": "corner-up-left",
    "take": "hand",
    "arrive": "navigation",
    "handle": "wrench",
    "close": "archive",
    "acknowledge": "bell-off",
    "escalate": "trending-up",
    "note": "file-text",
    "water-level": "waves",
    "rain": "cloud-rain",
    "wind": "wind",
    "temperature": "thermometer",
    "air": "cloud",
    "smoke": "flame",
    "gas": "fuel",
    "power": "zap",
    "lamp": "lightbulb",
    "traffic": "car",
    "noise": "volume-2",
    "vibration": "vibrate",
    "slope": "mountain",
    "pipe": "pipette",
    "droplets": "droplets",
    "manhole": "circle-dot",
    "bin": "trash-2",
    "tree": "trees",
    "fan": "fan",
    "elevator": "chevrons-up-down",
    "water-quality": "droplets",
    "road-flood": "waves-ladder",
    "hydrant": "droplet",
    "bridge": "construction",
    "parking": "square-parking",
    "bus": "bus",
    "train": "train-front",
    "ship": "ship",
    "factory": "factory",
    "battery": "battery",
}


def symbol(icon_id: str, source: Path) -> str:
    """One <symbol> with the drawing of `source`; colour and stroke come from the class cy-icon."""
    text = source.read_text(encoding="utf-8")
    body = re.search(r"<svg[^>]*>(.*)</svg>", text, re.S)
    if body is None:
        raise ValueError(f"{source.name}: not an SVG drawing")
    drawing = re.sub(r"\s+", " ", body.group(1)).strip().replace(" />", "/>").replace("> <", "><")
    return f'<symbol id="{icon_id}" viewBox="0 0 24 24">{drawing}</symbol>'


def main() -> int:
    """Write the sprite and its licence."""
    parser = argparse.ArgumentParser(description="Make the icon sprite.")
    parser.add_argument("package", type=Path, help="unpacked npm package lucide-static")
    package: Path = parser.parse_args().package
    wanted = {name: name for name in NAMES.split()} | ALIASES
    symbols = [symbol(i, package / "icons" / f"{name}.svg") for i, name in sorted(wanted.items())]
    sprite = '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"
    (ASSETS / "icons.svg").write_text(sprite, encoding="utf-8")
    shutil.copyfile(package / "LICENSE", ASSETS / "icons-LICENSE.txt")
    sys.stdout.write(f"{len(symbols)} icons, {len(sprite)} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
