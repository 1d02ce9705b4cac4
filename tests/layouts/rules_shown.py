"""A page that holds one element for every rule of the style sheets, so that Chromium can be asked what a rule comes to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

ASSETS: Final = Path(__file__).resolve().parents[2] / "layouts" / "assets"

BUILD: Final = """async ([theme, sheets, selectors]) => {
  document.head.innerHTML = '';
  await Promise.all(sheets.map((sheet) => new Promise((done) => {
    document.head.append(Object.assign(document.createElement('link'), {rel: 'stylesheet', href: `/assets/${sheet}`, onload: done}));
  })));
  document.body.innerHTML = '';
  const page = Object.assign(document.createElement('div'), {className: theme});
  document.body.append(page);
  for (const selector of selectors) {
    let host = page;
    for (const part of selector.replace(/::?[\\w-]+(\\([^)]*\\))?/g, '').replace(/[>~+]/g, ' ').trim().split(/\\s+/)) {
      const tag = part.match(/^[a-z][\\w-]*/)?.[0] ?? 'div';
      if (['html', 'body'].includes(tag)) continue;
      const made = document.createElement(tag === 'dialog' ? 'div' : tag);
      const classes = [...part.matchAll(/\\.([\\w-]+)/g)].map((m) => m[1]);
      made.setAttribute('class', classes.filter((name) => !name.startsWith('theme-')).join(' '));
      for (const [, name, value] of part.matchAll(/\\[([\\w-]+)(?:="?([^\\]"]*)"?)?\\]/g)) made.setAttribute(name, value ?? '');
      host.append(made);
      host = made;
    }
    host.dataset.rule = selector;
  }
}"""
"""Its classes, tags and attributes, on a chain of elements under one of the theme."""


def selectors(sheets: Sequence[str], declares: str) -> list[str]:
    """The selectors of every rule of `sheets` that declares a property of this pattern; forms with :is() left out."""
    rule = re.compile(r"([^{}]+)\{[^{}]*(?<![\w-])(?:" + declares + r")\s*:[^{}]*\}")
    found = []
    for sheet in sheets:
        css = re.sub(r"/\*.*?\*/", "", (ASSETS / sheet).read_text(encoding="utf-8"), flags=re.S)
        found += [one.strip() for group in rule.findall(css) for one in group.split(",")]
    return [one for one in found if one and not re.search(r"[*@&()%]", one) and not one[0].isdigit()]


def build(page: Page, theme: str, sheets: Sequence[str], wanted: Sequence[str]) -> None:
    """Make `page` that page."""
    page.evaluate(BUILD, [theme, list(sheets), list(wanted)])
