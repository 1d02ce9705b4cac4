"""A small XML reader for what strangers send: no document type, so no entities and nothing from elsewhere; bounded.

Expat itself, because the tree makers of the standard library expand entities. Chinese devices declare GB2312 and
send UTF-8, or the other way round: the bytes decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from streams.adapters.alarm import check_size
from streams.envelope import Bad

MAX_DEPTH: Final = 16
MAX_ELEMENTS: Final = 4096
_DECLARATION: Final = re.compile(r"^\s*<\?xml\b[^>]*\?>")


@dataclass(slots=True)
class Node:
    """An element: its name without namespace, its own text, its children in order."""

    name: str
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, name: str) -> list[Node]:
        """Children of this name."""
        return [child for child in self.children if child.name == name]

    def value(self, name: str) -> str:
        """Text of the first child of this name, '' when there is none."""
        return next((child.text for child in self.children if child.name == name), "")


class _Refused(Exception):
    """Raised inside of expat's callbacks; carries what is wrong."""


class _Builder:
    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise _Refused(f"at most {MAX_ELEMENTS} elements, {MAX_DEPTH} deep")
        node = Node(name.rsplit(" ", 1)[-1])
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, name: str) -> None:
        node = self._open.pop()
        node.text = node.text.strip()

    def text(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text

    def doctype(self, *_: object) -> None:
        raise _Refused("no document type, no entities")


def decode_text(payload: bytes) -> str:
    """The bytes as text: UTF-8 or UTF-16 with its mark, else UTF-8, else GB18030 (which holds GB2312 and GBK)."""
    marked = payload[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        try:
            return payload.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Bad("malformed", found=payload[:60], rule="must be UTF-8, UTF-16 or GB18030 text")


def read(payload: bytes) -> Node:
    """The root element. Raises Bad(too_large | malformed)."""
    check_size(payload)
    text = _DECLARATION.sub("", decode_text(payload), count=1).strip()
    builder = _Builder()
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.EntityDeclHandler = builder.doctype
    try:
        parser.Parse(text.encode("utf-8", "surrogatepass"), True)
    except (expat.ExpatError, _Refused, UnicodeError) as error:
        raise Bad("malformed", found=payload[:60], rule=f"must be plain XML: {error}") from None
    if builder.root is None:
        raise Bad("malformed", found=payload[:60], rule="must be XML with a root element")
    return builder.root
