"""HTML of the login and password pages: served whole, no script, Chinese first with an English switch."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final
from urllib.parse import urlencode

from layouts.text import LANGUAGES, t

_STYLE: Final = """
body { margin: 0; min-height: 100vh; background: var(--ground, #0d0e10); color: var(--text, #f2f4f5);
  font-family: var(--font, system-ui, sans-serif); display: grid; grid-template-rows: 1fr auto; }
main { display: grid; place-items: center; padding: 24px 16px; }
.gate { width: min(100%, 384px); }
.gate__brand { display: grid; gap: 6px; margin: 0 0 28px; }
.gate__mark { font-size: 30px; font-weight: 700; letter-spacing: .12em; }
.gate__full { font-size: 14px; color: var(--text-2, #c3c8ce); }
.gate form { display: grid; gap: 18px; padding: 28px; background: var(--panel, #15171a);
  border: 1px solid var(--line, #2b2f35); border-radius: 12px; }
.gate h1 { margin: 0; font-size: 18px; font-weight: 600; }
.gate label { display: grid; gap: 6px; font-size: 13px; color: var(--text-2, #c3c8ce); }
.gate input { font: inherit; font-size: 16px; color: var(--text, #f2f4f5); background: var(--well, #101214);
  border: 1px solid var(--line-strong, #454b53); border-radius: 6px; padding: 0 12px; height: 44px; }
.gate input:focus-visible, .gate button:focus-visible, .foot a:focus-visible {
  outline: 2px solid var(--focus, #fff); outline-offset: 2px; }
.gate button { font: inherit; font-size: 16px; font-weight: 600; height: 46px; border: 0; border-radius: 6px;
  background: var(--accent, #e9ecee); color: var(--text-on-bright, #0d0e10); cursor: pointer; }
.gate button:hover { background: var(--accent-2, #fff); }
.gate__hint { margin: 0; font-size: 13px; line-height: 1.6; color: var(--text-2, #c3c8ce); }
.gate__fault { margin: 0; font-size: 14px; line-height: 1.6; padding: 10px 12px; border-radius: 6px;
  border-left: 3px solid var(--level-2, #ff9417); background: var(--level-2-wash, rgb(255 148 23 / 13%)); }
.foot { display: flex; justify-content: space-between; gap: 16px; padding: 16px 24px; font-size: 13px;
  color: var(--text-3, #9ba3ab); }
.foot a { color: var(--text, #f2f4f5); text-underline-offset: 3px; }
"""


def _field(label: str, name: str, kind: str, complete: str, value: str = "", *, focus: bool = False) -> str:
    extra = ' autocapitalize="none" autocorrect="off" spellcheck="false"' if kind == "text" else ""
    return (
        f"<label>{escape(label)}"
        f'<input name="{name}" type="{kind}" autocomplete="{complete}" maxlength="200" required'
        f'{extra} value="{escape(value, quote=True)}"{" autofocus" if focus else ""}></label>'
    )


def _page(
    lang: str, title: str, path: str, next_path: str, form: Sequence[str], hidden: dict[str, str]
) -> str:
    other = next(code for code in LANGUAGES if code != lang)
    switch = path + "?" + urlencode({"lang": other} | ({"next": next_path} if next_path else {}))
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value, quote=True)}">'
        for name, value in hidden.items()
    )
    return f"""<!DOCTYPE html>
<html lang="{"zh-CN" if lang == "zh" else "en"}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark">
<title>{escape(title)} · {escape(t(lang, "product.name"))}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/tokens.css">
<style>{_STYLE}</style>
</head>
<body class="theme-desk">
<main><div class="gate">
<p class="gate__brand"><span class="gate__mark">{escape(t(lang, "product.name"))}</span>
<span class="gate__full">{escape(t(lang, "product.full"))}</span></p>
<form method="post" action="{path}">{inputs}
<h1>{escape(title)}</h1>
{"".join(form)}
</form></div></main>
<footer class="foot"><span>{escape(t(lang, "login.note"))}</span>
<a href="{escape(switch, quote=True)}" hreflang="{other}">{escape(t(lang, "ui.switch_language"))}</a></footer>
</body></html>"""


def login_page(lang: str, *, csrf: str, next_path: str, fault: str = "", login: str = "") -> str:
    """The login page; `fault` is a key of the text catalogue."""
    return _page(
        lang,
        t(lang, "login.title"),
        "/login",
        next_path,
        [
            f'<p class="gate__fault" role="alert">{escape(t(lang, fault))}</p>' if fault else "",
            _field(t(lang, "login.account"), "login", "text", "username", login, focus=not login),
            _field(t(lang, "login.password"), "password", "password", "current-password", focus=bool(login)),
            f'<button type="submit">{escape(t(lang, "login.submit"))}</button>',
        ],
        {"csrf": csrf, "next": next_path},
    )


def password_page(lang: str, *, csrf: str, first: bool, least: int, fault: str = "") -> str:
    """The page that changes one's password; `first`: it must be changed before anything else."""
    return _page(
        lang,
        t(lang, "password.title"),
        "/password",
        "",
        [
            f'<p class="gate__hint">{escape(t(lang, "password.first"))}</p>' if first else "",
            f'<p class="gate__fault" role="alert">{escape(t(lang, fault, n=least))}</p>' if fault else "",
            _field(t(lang, "password.old"), "old", "password", "current-password", focus=True),
            _field(t(lang, "password.new"), "new", "password", "new-password"),
            _field(t(lang, "password.again"), "again", "password", "new-password"),
            f'<p class="gate__hint">{escape(t(lang, "password.rules", n=least))}</p>',
            f'<button type="submit">{escape(t(lang, "password.submit"))}</button>',
        ],
        {"csrf": csrf},
    )
