"""Make the fonts that ship with the product: subsets of Noto Sans SC (two weights) and of Inter, both OFL, WOFF2.

A developer's tool, never run by the product. It needs fontTools and brotli in a private environment and two
unpacked npm packages: `@expo-google-fonts/noto-sans-sc` (the whole of Noto Sans SC as TTF, 30,890 characters) for
Chinese, and `inter-ui` (variable, with tabular digits) for Latin, digits and arrows:

    python -m venv fonts && fonts/bin/pip install fonttools brotli
    npm pack @expo-google-fonts/noto-sans-sc@0.4.3 && mkdir noto && tar xzf expo-*.tgz -C noto
    npm pack inter-ui@4.1.1 && mkdir inter && tar xzf inter-ui-*.tgz -C inter
    fonts/bin/python layouts/fonts/subset_font.py noto/package inter/package

After it, bring `layouts/assets/vendor/VENDOR.json` up to date (tests/layouts/test_vendor.py says what differs).

It fails when a needed character is not in the font. Characters: GB 2312 (both levels, symbols and punctuation:
names of people and places use level 2), ASCII, arrows and shapes of our screens, and everything found in
`layouts/`, `callbacks/`, `incidents/` and `data/sample_city/`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "layouts" / "assets" / "fonts"
WEIGHTS = {400: "400Regular/NotoSansSC_400Regular.ttf", 700: "700Bold/NotoSansSC_700Bold.ttf"}
EXTRA = "ⅠⅡⅢⅣⅤ①②③④⑤⑥⑦⑧⑨⑩—–…·、。，；：？！“”‘’（）《》【】〔〕「」『』％℃°±×÷≤≥≈→←↑↓↗↘⇄⇅▲▼△▽◆◇●○■□★☆✓⚠㎡㎥³²㎏㎜￥"
KEYS = "↵⇧⌘"
"""Signs of the keyboard, which only the Latin font has."""
LATIN = "".join(chr(c) for c in (*range(0x20, 0x7F), *range(0xA0, 0x100))) + "–•€™−←↑→↓" + KEYS
LATIN_FEATURES = ["calt", "case", "ccmp", "cv05", "kern", "liga", "locl", "mark", "ss03", "tnum", "zero"]
READ = (".py", ".json", ".toml", ".csv", ".mjs", ".js", ".css", ".html", ".txt", ".jsonl", ".geojson")


def wanted() -> set[str]:
    """Every character that the subset must show."""
    chars = {chr(c) for c in range(0x20, 0x7F)} | set(EXTRA)
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            try:
                chars.add(bytes((high, low)).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    for folder in (ROOT / "layouts", ROOT / "callbacks", ROOT / "data" / "sample_city", ROOT / "incidents"):
        for path in folder.rglob("*"):
            if path.suffix in READ and "vendor" not in path.parts:
                chars |= set(path.read_text(encoding="utf-8", errors="ignore"))
    return {c for c in chars if (c.isprintable() or c == "\u3000") and ord(c) < 0x1F000}


def build(source: Path, target: Path, chars: set[str], flavor: str | None = "woff2") -> set[str]:
    """Write the subset of `source` (TTF) as WOFF2 (flavor None: as TTF) to `target`; returns the characters that it lacks.

    Layout tables and hinting are dropped: the screens use no vertical text, and digits are 555 units wide each.
    """
    font = TTFont(source)
    lacking = chars - {chr(c) for c in font.getBestCmap()}
    options = Options()
    options.layout_features = []
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "STAT", "vhea", "vmtx", "prep", "gasp"]
    tool = Subsetter(options)
    tool.populate(text="".join(chars - lacking))
    tool.subset(font)
    font.flavor = flavor
    font.save(target)
    return lacking


def build_latin(source: Path, target: Path) -> None:
    """Write the Latin subset of variable Inter: both axes (size, weight) and tabular digits stay."""
    font = TTFont(source)
    options = Options()
    options.layout_features = LATIN_FEATURES
    options.hinting = False
    tool = Subsetter(options)
    tool.populate(text=LATIN)
    tool.subset(font)
    font.flavor = "woff2"
    font.save(target)


def main() -> int:
    """Build both weights and Latin, write `coverage.json` beside them; exit code 1 when a character is missing."""
    parser = argparse.ArgumentParser(description="Make the shipped subset of Noto Sans SC.")
    parser.add_argument("package", type=Path, help="unpacked npm package @expo-google-fonts/noto-sans-sc")
    parser.add_argument("latin", type=Path, help="unpacked npm package inter-ui")
    given = parser.parse_args()
    package: Path = given.package
    chars = wanted()
    latin = OUT / "inter-latin.woff2"
    build_latin(given.latin / "variable" / "InterVariable.woff2", latin)
    sys.stdout.write(f"{latin.name} {latin.stat().st_size} bytes\n")
    chars -= set(KEYS)
    lacking: set[str] = set()
    files: dict[str, str] = {}
    for weight, name in WEIGHTS.items():
        target = OUT / f"noto-sans-sc-{weight}.woff2"
        lacking |= build(package / name, target, chars)
        files[target.name] = hashlib.sha256(target.read_bytes()).hexdigest()
        sys.stdout.write(f"{target.name} {target.stat().st_size} bytes\n")
    # For reports as PDF, whose library reads no WOFF2; never sent to a browser.
    build(package / WEIGHTS[400], ROOT / "layouts" / "fonts" / "noto-sans-sc-400.ttf", chars, None)
    shutil.copyfile(package / "LICENSE_FONT", OUT / "noto-sans-sc-OFL.txt")
    shutil.copyfile(given.latin / "LICENSE.txt", OUT / "inter-OFL.txt")
    report = {"files": files, "characters": "".join(sorted((chars - lacking) | set(LATIN)))}
    (OUT / "coverage.json").write_text(
        json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    sys.stdout.write(f"{len(chars - lacking)} characters; lacking: {''.join(sorted(lacking)) or 'none'}\n")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
