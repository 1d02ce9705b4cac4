"""What makes up the phone's shell, its version, and the texts that the router serves: page, worker, manifest."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import lru_cache
from pathlib import Path
from typing import Final

from incidents.access import RIGHTS
from incidents.model import Actor
from layouts.text import FOLDER, LANGUAGES, t

ASSETS: Final = Path(__file__).parent.parent / "assets"

MODULES: Final = (
    "live_apply.mjs",
    "live.mjs",
    "text.mjs",
    "age.mjs",
    "overdue.mjs",
    "phone/api.mjs",
    "phone/catalogue.mjs",
    "phone/command_list.mjs",
    "phone/db.mjs",
    "phone/dom.mjs",
    "phone/duty.mjs",
    "phone/effort.mjs",
    "phone/exif.mjs",
    "phone/facts.mjs",
    "phone/fonts.mjs",
    "phone/ground.mjs",
    "phone/main.mjs",
    "phone/marks_page.mjs",
    "phone/me_page.mjs",
    "phone/my_reports.mjs",
    "phone/my_tasks.mjs",
    "phone/notices.mjs",
    "phone/one_at_a_time.mjs",
    "phone/parts.mjs",
    "phone/photos.mjs",
    "phone/queue.mjs",
    "phone/report_page.mjs",
    "phone/task_forms.mjs",
    "phone/task_list.mjs",
    "phone/task_page.mjs",
    "phone/voice.mjs",
)
"""Modules loaded at the start. `phone/place.mjs` and the map behind it come only when a map is opened."""

STYLES: Final = ("tokens.css", "phone/phone.css")
PICTURES: Final = ("icons.svg", "phone/icon.svg")


def shell_files() -> tuple[str, ...]:
    """URL paths of every file that the phone needs to start, words of both languages included."""
    files = tuple(f"/assets/{name}" for name in (*STYLES, *MODULES, *PICTURES))
    return (*files, *(f"/assets/text/{lang}.json" for lang in LANGUAGES))


@lru_cache(maxsize=1)
def shell_version() -> str:
    """A short digest of the shell's contents; another file content is another version."""
    digest = hashlib.sha256()
    for name in (*STYLES, *MODULES, *PICTURES, "phone/sw.js", "phone/boot.js"):
        digest.update(name.encode() + b"\0" + (ASSETS / name).read_bytes() + b"\0")
    for path in sorted(FOLDER.glob("*.json")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(page_frame_source())
    return digest.hexdigest()[:12]


def page_frame_source() -> bytes:
    """The page's own source: a changed frame must be a changed version too."""
    return Path(__file__).read_bytes()


@lru_cache(maxsize=1)
def boot() -> str:
    """The script that stands in the page: it watches over the loading of all others."""
    return (ASSETS / "phone" / "boot.js").read_text(encoding="utf-8")


def boot_source() -> str:
    """`boot` as a source of the content security policy: this very text and no other may stand in the page."""
    digest = hashlib.sha256(boot().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def page(lang: str, actor: Actor, *, unit_name: str = "", timezone: str = "Asia/Shanghai") -> str:
    """The HTML of /phone for `actor` in `lang` ('zh' or 'en'). Holds no data but who the user is and may do.

    Raises layouts.text.MissingText for an unknown language.
    """
    rights = RIGHTS.get(actor.role, frozenset())
    facts = {
        "login": actor.login,
        "name": actor.name,
        "role": actor.role,
        "unit": actor.unit,
        "unit_name": unit_name,
        "version": shell_version(),
        "rights": {
            "report": "incident.report" in rights,
            "handle": "incident.handle" in rights,
            "position": "position.report" in rights,
            "command": "incident.supervise" in rights,
            "mark": "mark.draw" in rights,
        },
    }
    # "<" must not end the script element early; JSON knows \u003c for the same character.
    facts_json = json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c")

    def words(key: str) -> str:
        return html.escape(t(lang, key))

    styles = "\n".join(f'<link rel="stylesheet" href="/assets/{name}">' for name in STYLES)
    preloads = "\n".join(f'<link rel="modulepreload" href="/assets/{name}">' for name in MODULES)
    return f"""<!doctype html>
<html lang="{html.escape(lang)}" class="phone" data-timezone="{html.escape(timezone)}" data-shell="{shell_version()}" data-retry="{words("phone.retry")}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="theme-color" content="#ffffff">
<title>{words("product.name")}</title>
<script>{boot()}</script>
<link rel="icon" href="/assets/phone/icon.svg" type="image/svg+xml">
<link rel="manifest" href="/phone/manifest.webmanifest" crossorigin="use-credentials">
{styles}
{preloads}
<link rel="preload" href="/assets/text/{html.escape(lang)}.json" as="fetch" crossorigin="anonymous">
</head>
<body class="theme-phone">
<header class="ph-bar">
<div class="ph-bar-row">
<button id="ph-back" class="cy-button" type="button" aria-label="{words("ui.back")}" hidden>
<svg class="cy-icon" aria-hidden="true"><use href="/assets/icons.svg#chevron-left"></use></svg></button>
<h1 id="ph-title">{words("product.name")}</h1>
<a id="ph-duty" class="ph-duty" href="#/me" hidden>
<svg class="cy-icon" aria-hidden="true"><use href="/assets/icons.svg#locate-fixed"></use></svg>
<span>{words("phone.duty.sharing")}</span></a>
<span id="ph-link" class="ph-link" role="status" data-state="late">{words("phone.connecting")}</span>
</div>
<div id="ph-banner-demo" class="cy-banner cy-banner--demo" hidden>{words("product.demo")}</div>
<div id="ph-banner-link" class="cy-banner" role="status" hidden></div>
<div id="ph-banner-new" class="cy-banner" hidden><span>{words("phone.new_version")}</span>
<button id="ph-reload" class="cy-button" type="button">{words("ui.refresh")}</button></div>
<div id="ph-toasts" class="cy-toasts" role="status" aria-live="polite"></div>
</header>
<main id="ph-main" class="ph-main" tabindex="-1"><p class="cy-empty">{words("ui.loading")}</p></main>
<footer id="ph-foot" class="ph-foot" hidden></footer>
<nav id="ph-tabs" class="cy-tabs" aria-label="{words("phone.tabs")}"></nav>
<noscript><p class="cy-empty">{words("phone.noscript")}</p></noscript>
<script type="application/json" id="phone-facts">{facts_json}</script>
<script type="module" src="/assets/phone/main.mjs"></script>
</body>
</html>
"""


@lru_cache(maxsize=1)
def service_worker() -> str:
    """The service worker with the shell's version and file list in front of it."""
    shell = json.dumps({"version": shell_version(), "files": shell_files()})
    return f"const SHELL = {shell};\n" + (ASSETS / "phone" / "sw.js").read_text(encoding="utf-8")


def manifest(lang: str) -> str:
    """The web app manifest as JSON text: name and icon when the page is put on the home screen."""
    return json.dumps(
        {
            "id": "/phone",
            "name": t(lang, "product.name") + " · " + t(lang, "phone.terminal"),
            "short_name": t(lang, "product.name"),
            "lang": lang,
            "start_url": "/phone",
            "scope": "/phone",
            "display": "standalone",
            "orientation": "portrait",
            "background_color": "#f1f2f3",
            "theme_color": "#ffffff",
            "icons": [{"src": "/assets/phone/icon.svg", "sizes": "any", "type": "image/svg+xml"}],
        },
        ensure_ascii=False,
    )
