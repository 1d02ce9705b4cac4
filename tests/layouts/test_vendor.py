"""Every vendored file is listed with licence and checksum, and nothing else lies beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from reportlab.pdfbase.ttfonts import TTFont

from layouts.month_report_pdf import FONT_FILE
from tests import axe

ASSETS = Path(__file__).resolve().parents[2] / "layouts" / "assets"
PACKAGES = json.loads((ASSETS / "vendor" / "VENDOR.json").read_text(encoding="utf-8"))["packages"]
FILES = [(name, digest) for package in PACKAGES for name, digest in package["files"].items()]


@pytest.mark.parametrize(("name", "digest"), FILES)
def test_checksum(name: str, digest: str) -> None:
    assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: str(p["name"]))
def test_licence_lies_beside_it(package: dict[str, str]) -> None:
    assert package["version"] and package["source"]
    assert package["licence"] in ("BSD-3-Clause", "OFL-1.1", "ISC", "MIT")
    text = (ASSETS / package["licence_file"]).read_text(encoding="utf-8")
    assert "Copyright" in text


def test_nothing_unlisted() -> None:
    listed = {name for name, _ in FILES}
    there = {
        str(p.relative_to(ASSETS))
        for folder in ("vendor", "fonts")
        for p in (ASSETS / folder).rglob("*")
        if p.is_file() and p.name not in ("VENDOR.json", "coverage.json")
    }
    assert there == {n for n in listed if n.startswith(("vendor/", "fonts/"))}


def test_no_asset_of_ours_names_another_origin() -> None:
    """The product runs on a closed network: a script, style or font from elsewhere would simply be missing."""
    ours = [
        p
        for p in ASSETS.rglob("*")
        if p.suffix in (".mjs", ".js", ".css", ".html") and "vendor" not in p.parts
    ]
    assert len(ours) > 8
    for path in ours:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert "https://" not in text and "http://" not in text, path.name


def test_reports_can_write_what_the_screens_can() -> None:
    """The font of reports as PDF has every character of the screens' Chinese one."""
    font = TTFont("Report", str(FONT_FILE))
    wanted = json.loads((ASSETS / "fonts" / "coverage.json").read_text(encoding="utf-8"))["characters"]
    lacking = {c for c in wanted if ord(c) > 0x2FF and ord(c) not in font.face.charToGlyph}
    assert lacking <= set("↵⇧⌘"), "signs of the keyboard, which only the Latin font has"


def test_what_the_tests_vendor_is_unchanged_and_has_its_licence() -> None:
    assert hashlib.sha256(axe.SCRIPT.read_bytes()).hexdigest() == axe.SHA256
    licence = (axe.SCRIPT.parent / "LICENSE-MPL-2.0.txt").read_text(encoding="utf-8")
    assert "Mozilla Public License Version 2.0" in licence
