"""Contrast of the tokens, computed from tokens.css itself; the shipped font covers what the screens show."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from layouts.text import LANGUAGES, catalogue

ASSETS = Path(__file__).resolve().parents[2] / "layouts" / "assets"
CSS = (ASSETS / "tokens.css").read_text(encoding="utf-8")


def tokens(theme: str) -> dict[str, str]:
    """The custom properties that hold under `theme`, later rules winning."""
    found: dict[str, str] = {}
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", re.sub(r"/\*.*?\*/", "", CSS, flags=re.S)):
        names = {part.strip() for part in selector.split(",")}
        if ":root" in names or f".{theme}" in names:
            found.update(re.findall(r"(--[\w-]+)\s*:\s*([^;]+);", body))
    return found


def rgb(value: str, ground: tuple[float, ...] = (0, 0, 0)) -> tuple[float, ...]:
    """A colour as 0..1 channels; a translucent one laid on `ground`."""
    value = value.strip()
    if value.startswith("#"):
        return tuple(int(value[i : i + 2], 16) / 255 for i in (1, 3, 5))
    parts = re.findall(r"[\d.]+%?", value)
    alpha = float(parts[3].rstrip("%")) / 100
    return tuple(float(p) / 255 * alpha + g * (1 - alpha) for p, g in zip(parts[:3], ground, strict=True))


def contrast(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """WCAG 2 contrast ratio."""

    def luminance(colour: tuple[float, ...]) -> float:
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


TEXTS = (
    "--text",
    "--text-2",
    "--text-3",
    "--level-1-text",
    "--level-2-text",
    "--level-3-text",
    "--level-4-text",
)
GROUNDS = ("--ground", "--panel", "--raised", "--overlay", "--well")


@pytest.mark.parametrize(("theme", "least"), [("theme-wall", 7.0), ("theme-desk", 4.5), ("theme-phone", 4.5)])
def test_text_is_legible_on_every_ground(theme: str, least: float) -> None:
    have = tokens(theme)
    weak = {
        (text, ground): round(contrast(rgb(have[text]), rgb(have[ground])), 2)
        for text in TEXTS
        for ground in GROUNDS
        if contrast(rgb(have[text]), rgb(have[ground])) < least
    }
    assert weak == {}


@pytest.mark.parametrize("theme", ["theme-wall", "theme-desk", "theme-phone"])
def test_words_on_colour(theme: str) -> None:
    have = tokens(theme)
    for level in (1, 2, 3, 4):
        fill, on = rgb(have[f"--level-{level}"]), rgb(have[f"--level-{level}-on"])
        assert contrast(fill, on) >= 4.5, level
        ground = rgb(have["--panel"])
        wash = rgb(have[f"--level-{level}-wash"], ground)
        assert contrast(rgb(have[f"--level-{level}-text"]), wash) >= (7 if theme == "theme-wall" else 4.5), (
            level
        )
    assert contrast(rgb(have["--accent"]), rgb(have["--text-on-bright"])) >= 7


@pytest.mark.parametrize("theme", ["theme-wall", "theme-desk", "theme-phone"])
def test_only_the_four_legal_colours_are_saturated(theme: str) -> None:
    for name, value in tokens(theme).items():
        if not value.startswith("#") or name.startswith("--level-"):
            continue
        channels = rgb(value)
        assert max(channels) - min(channels) <= 0.08, f"{name}: {value}"


def test_colours_of_marks_stand_out_from_the_ground() -> None:
    for theme in ("theme-wall", "theme-desk"):
        have = tokens(theme)
        for level in (1, 2, 3, 4):
            assert contrast(rgb(have[f"--level-{level}"]), rgb(have["--map-land"])) >= 3


def test_the_shipped_font_has_every_character_of_the_catalogue() -> None:
    have = set(json.loads((ASSETS / "fonts" / "coverage.json").read_text(encoding="utf-8"))["characters"])
    shown = {c for lang in LANGUAGES for value in catalogue(lang).values() for c in value}
    assert sorted(shown - have) == []
    level_1 = {
        bytes((high, low)).decode("gb2312")
        for high in range(0xB0, 0xD8)
        for low in range(0xA1, 0xFF)
        if not (high == 0xD7 and low > 0xF9)
    }
    assert len(level_1) == 3755 and level_1 <= have


def test_the_shipped_font_has_every_character_of_the_sample_city() -> None:
    have = set(json.loads((ASSETS / "fonts" / "coverage.json").read_text(encoding="utf-8"))["characters"])
    folder = ASSETS.parents[1] / "data" / "sample_city"
    read = [
        p for p in folder.rglob("*") if p.suffix in (".py", ".csv", ".json", ".toml", ".jsonl", ".geojson")
    ]
    assert read
    shown = {c for p in read for c in p.read_text(encoding="utf-8") if "\u2e80" <= c <= "\uffef"}
    assert sorted(shown - have) == []


def test_fonts_weigh_no_more_than_promised() -> None:
    assert sum(p.stat().st_size for p in (ASSETS / "fonts").glob("*.woff2")) <= 2.5 * 1024 * 1024
