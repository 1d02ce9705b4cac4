"""House rules that a linter does not know. Each has a sentence, and its exemptions stand here with their reason."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.arch.sources import PACKAGES, ROOT, dotted, modules, name, tracked, tree

# -- no mutable state at module level ------------------------------------------------------------------------

MUTABLE_CALLS: Final = {
    "dict", "list", "set", "defaultdict", "collections.defaultdict", "deque", "collections.deque", "Counter",
    "OrderedDict", "threading.Lock", "Lock", "threading.Event", "queue.Queue", "WeakValueDictionary",
}  # fmt: skip
MUTATORS: Final = {
    "append", "extend", "insert", "pop", "popitem", "clear", "update", "setdefault", "add", "remove", "discard",
    "appendleft", "popleft",
}  # fmt: skip
CACHE_EXEMPT: Final = {
    "layouts/text.py": "the text catalogue: files of the product, read once, never changed",
    "data/vitals/__init__.py": "the definitions of vital signs: a file of the product, read once, never changed",
    "layouts/phone/shell.py": "the phone's files and their digest: read once, never changed",
}
"""Modules that may keep a function's cache for ever, and why."""


def module_names(path: Path) -> set[str]:
    """Names bound at module level to something that can be changed."""
    found: set[str] = set()
    for node in tree(path).body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        mutable = isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
        mutable = mutable or (isinstance(value, ast.Call) and dotted(value.func) in MUTABLE_CALLS)
        if mutable:
            found |= {t.id for t in targets if isinstance(t, ast.Name)}
    return found


@pytest.mark.parametrize("path", modules(), ids=name)
def test_nothing_is_kept_in_a_module(path: Path) -> None:
    """State lives in the store, the live state or an object handed in: a second process would have its own copy.

    Tables at module level are constants: nothing in the module may change them, and no name is `global`.
    """
    kept = module_names(path)
    for node in ast.walk(tree(path)):
        assert not isinstance(node, ast.Global), f"{name(path)}:{node.lineno}: global {node.names}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            owner = dotted(node.func.value)
            assert owner not in kept, f"{name(path)}:{node.lineno}: {owner}.{node.func.attr}"
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            assert dotted(node.value) not in kept, f"{name(path)}:{node.lineno}: {dotted(node.value)}[…] = …"
        if isinstance(node, ast.AugAssign):
            assert dotted(node.target) not in kept, (
                f"{name(path)}:{node.lineno}: {dotted(node.target)} changes"
            )
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Dict | ast.Set):
            for target in node.targets:
                text = dotted(target)
                assert text.lstrip("_").isupper() or text == "__all__", (
                    f"{name(path)}:{node.lineno}: {text} is no constant"
                )


@pytest.mark.parametrize("path", modules(), ids=name)
def test_no_function_remembers(path: Path) -> None:
    """`@cache` is state of a module: it outlives what it was asked about, and no two processes agree on it."""
    found = [
        f"{name(path)}:{node.lineno}: {node.name}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if dotted(decorator.func if isinstance(decorator, ast.Call) else decorator).split(".")[-1]
        in ("cache", "lru_cache")
    ]
    assert bool(found) == (name(path) in CACHE_EXEMPT), found


# -- the clock is handed in ----------------------------------------------------------------------------------

CLOCKS: Final = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "datetime.datetime.now",
    "datetime.datetime.utcnow", "time.time",
}  # fmt: skip
CLOCK_EXEMPT: Final[dict[str, str]] = {}
"""Modules of the product that may look at a clock themselves, and why. `time.monotonic` measures and is free."""


@pytest.mark.parametrize(
    "path", modules("incidents", "gis", "streams", "data", "callbacks", "layouts"), ids=name
)
def test_nobody_asks_the_time(path: Path) -> None:
    """The clock is a parameter (`now`): a rule that reads the time of day cannot be tested nor replayed."""
    found = [
        f"{name(path)}:{node.lineno}: {dotted(node)}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and dotted(node) in CLOCKS
    ]
    assert bool(found) == (name(path) in CLOCK_EXEMPT), found


# -- callbacks are small -------------------------------------------------------------------------------------

MOST_STATEMENTS: Final = 12
SIZE_EXEMPT: Final[dict[str, str]] = {}
"""Callbacks that may be longer, by `file:function`, and why."""


def statements(node: ast.AST) -> int:
    """Statements inside of a function, its docstring and inner functions' own lines left out."""
    count = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        count += isinstance(child, ast.stmt) and not is_docstring
        count += statements(child)
    return count


def is_callback(node: ast.FunctionDef) -> bool:
    """Decorated with Dash's `app.callback(…)`."""
    return any(isinstance(d, ast.Call) and dotted(d.func).endswith(".callback") for d in node.decorator_list)


@pytest.mark.parametrize("path", modules("callbacks"), ids=name)
def test_a_callback_is_small(path: Path) -> None:
    """Read the inputs, ask one question or send one command, make the picture: nothing is decided in a callback."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef) and is_callback(node):
            size = statements(node)
            assert size <= MOST_STATEMENTS or f"{name(path)}:{node.name}" in SIZE_EXEMPT, (
                f"{node.name}: {size}"
            )


@pytest.mark.parametrize("path", modules("callbacks", "layouts"), ids=name)
def test_callbacks_are_registered_on_an_app(path: Path) -> None:
    """`from dash import callback` fills a hidden register at import; `register(app, deps)` does not."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module == "dash":
            assert not {"callback", "clientside_callback"} & {alias.name for alias in node.names}, name(path)


# -- importing does nothing ----------------------------------------------------------------------------------

_NO_SOCKETS = """
import importlib, socket, subprocess, sys
def refuse(*args, **kwargs):
    raise RuntimeError("a module opens a socket or starts a process while it is imported")
socket.socket.connect = refuse
socket.create_connection = refuse
socket.getaddrinfo = refuse
subprocess.Popen.__init__ = refuse
for module in sys.argv[1:]:
    importlib.import_module(module)
"""


def test_importing_opens_nothing() -> None:
    """Every module is imported with sockets and processes off: connections are made by `app.py`, when asked."""
    names = [name(p).removesuffix(".py").removesuffix("/__init__").replace("/", ".") for p in modules()]
    names = [n for n in names if not n.endswith("__main__") and n not in NOT_IMPORTED]
    done = subprocess.run(
        [sys.executable, "-c", _NO_SOCKETS, *names], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]


NOT_IMPORTED: Final = {
    "layouts.fonts.subset_font": "a developer's tool that needs fonttools, which the product does not ship",
}
"""Modules that are run by hand, and why they cannot be imported here."""

# -- nothing of this machine, nothing of the network ---------------------------------------------------------

FOREIGN: Final = (
    (r"(?<![\w.-])/(?:work|root|home|Users)/\w", "a path of somebody's machine"),
    (
        r"\b(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2}\b",
        "an address of a private network",
    ),
    (r"\b[\w-]+(?:artifactory|nexus|pypi-mirror|goproxy)[\w.-]*\.\w+", "a registry's host"),
    (r"--(?:index-url|extra-index-url|trusted-host)\b", "a registry"),
    (r"-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY", "a private key"),
)
FOREIGN_EXEMPT: Final = {
    "tests/arch/test_house_rules.py": "names what is looked for",
    "Dockerfile": "/home and /root are those of the image",
    "deploy/bare/install.py": "paths inside of the folder of services",
}
TEXT: Final = {".py", ".md", ".toml", ".txt", ".lock", ".json", ".yaml", ".yml", ".sh", ".sql", ".lua", ".mjs", ".js",
               ".css", ".html", ".xml", ".cfg", ".ini", ".example", ""}  # fmt: skip


@pytest.mark.parametrize(("pattern", "what"), FOREIGN, ids=[what for _, what in FOREIGN])
def test_no_tracked_file_names(pattern: str, what: str) -> None:
    """The product is installed where nobody of us has been: no paths of ours, no hosts of ours, no keys."""
    found = []
    for path in tracked():
        if path.suffix not in TEXT or "vendor" in path.parts or name(path) in FOREIGN_EXEMPT:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{name(path)}:{number}: {line.strip()[:100]}")
    assert not found, f"{what}:\n" + "\n".join(found)


def test_a_module_is_called_after_what_it_holds() -> None:
    """No utils, helpers, common or manager: such a name says nothing and takes everything."""
    bad = re.compile(r"(^|_)(utils?|helpers?|common|managers?|misc|stuff)(_|\.|$)")
    assert [name(p) for p in modules() if bad.search(p.stem)] == []


def test_exemptions_are_still_needed() -> None:
    """An exemption of a file that is gone is a hole nobody sees."""
    for path in (*CLOCK_EXEMPT, *CACHE_EXEMPT, *FOREIGN_EXEMPT, *(e.split(":")[0] for e in SIZE_EXEMPT)):
        assert (ROOT / path).exists(), path
    assert set(PACKAGES) <= {p.name for p in ROOT.iterdir()}
