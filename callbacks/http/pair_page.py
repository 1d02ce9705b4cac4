"""HTML of the page on which a wall's browser waits to be paired: the code in letters that are read from metres away."""

from __future__ import annotations

from html import escape
from typing import Final

from layouts.text import LANGUAGES, t

_STYLE: Final = """
html, body { height: 100%; }
body { margin: 0; background: var(--ground); color: var(--text); font-family: var(--font); display: grid;
  grid-template-rows: 1fr auto; overflow: hidden; }
main { display: grid; place-content: center; justify-items: center; gap: 4vmin; text-align: center; padding: 4vmin; }
h1 { margin: 0; font-size: 5vmin; font-weight: 400; letter-spacing: .12em; }
h1 strong { font-weight: 700; }
.code { min-height: 1.2em; font-size: 17vmin; font-weight: 700; line-height: 1.2; letter-spacing: .14em; margin-right: -.14em;
  font-variant-numeric: tabular-nums; }
.how { margin: 0; font-size: 3vmin; line-height: 1.7; color: var(--text-2); max-width: 34em; }
.state { margin: 0; font-size: 2.6vmin; min-height: 1.5em; color: var(--text-2); }
.state.is-away { color: var(--level-2-text); }
footer { display: flex; justify-content: space-between; padding: 2vmin 3vmin; font-size: 2.2vmin; color: var(--text-3); }
footer a { color: var(--text-2); }
"""


def pair_page(lang: str) -> str:
    """The page; wall/pair.mjs asks for the code and waits."""
    other = next(code for code in LANGUAGES if code != lang)
    words = {
        name: escape(t(lang, key))
        for name, key in (
            ("product", "product.name"),
            ("title", "pair.title"),
            ("how", "pair.how"),
            ("wait", "pair.connecting"),
            ("login", "pair.login"),
            ("other", "ui.switch_language"),
        )
    }
    return f"""<!DOCTYPE html>
<html lang="{"zh-CN" if lang == "zh" else "en"}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark">
<title>{words["title"]} · {words["product"]}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/tokens.css">
<style>{_STYLE}</style>
</head>
<body class="theme-wall">
<main>
<h1><strong>{words["product"]}</strong>　{words["title"]}</h1>
<div class="code" data-code aria-live="polite"></div>
<p class="how">{words["how"]}</p>
<p class="state" data-state role="status">{words["wait"]}</p>
</main>
<footer><a href="/login?next=/wall">{words["login"]}</a><a href="/wall/pair?lang={other}" hreflang="{other}">{words["other"]}</a></footer>
<script type="module" src="/assets/wall/pair.mjs"></script>
</body></html>"""
