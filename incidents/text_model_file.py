"""A text model as bytes and back: NumPy's npz with a JSON head, no pickle. What is read is checked before it is used.

Every refusal names field, value and rule. A file of another format version is refused, not guessed at.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from incidents.text_features import BLOCKS, Recipe
from incidents.text_model import Block, Facts, TextModel

FORMAT: Final = 1

MOST_BYTES: Final = 1 << 29
"""Of a file, unpacked: a model of 10,000 tickets has some 10 MB; a small file may claim to unpack to anything."""

_ARRAYS: Final = ("head", "base", "prior", "seen") + tuple(
    f"{block}_{part}" for block in BLOCKS for part in ("terms", "rarity", "weights")
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_TEXT_FACTS: Final = ("name", "version", "source_sha256")
_SHARE_FACTS: Final = ("right_share", "calibration_error")


class BadModel(ValueError):
    """Bytes that are no text model; the text names field, value and rule."""


def _need(holds: bool, field: str, value: object, rule: str) -> None:
    if not holds:
        shown = repr(value)
        raise BadModel(f"{field}={shown if len(shown) <= 60 else shown[:60] + '…'}: must be {rule}")


def _json(value: object) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value, ensure_ascii=False).encode(), np.uint8)


def to_bytes(model: TextModel) -> bytes:
    """The model as a file's content; the same model gives the same bytes."""
    facts = model.facts
    head = {
        "format": FORMAT,
        "facts": {
            **{name: getattr(facts, name) for name in (*_TEXT_FACTS, *_SHARE_FACTS, "rows")},
            "trained_at": facts.trained_at.isoformat(),
            "columns": facts.columns,
        },
        "classes": model.classes,
        "recipe": {name: getattr(model.recipe, name) for name in ("head", "lead", "runs", "lengths")},
    }
    arrays: dict[str, NDArray[Any]] = {
        "head": _json(head),
        "base": model.base,
        "prior": model.prior,
        "seen": _json(sorted(model.seen)),
    }
    for name, block in model.blocks.items():
        arrays[f"{name}_terms"] = _json(sorted(block.terms, key=block.terms.__getitem__))
        arrays[f"{name}_rarity"] = block.rarity
        arrays[f"{name}_weights"] = block.weights
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


def _unpack(content: bytes) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            size = sum(part.file_size for part in file.infolist())
            _need(size <= MOST_BYTES, "unpacked bytes", size, f"at most {MOST_BYTES}")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            _need(set(arrays.files) == set(_ARRAYS), "arrays", sorted(arrays.files), ", ".join(_ARRAYS))
            return {name: arrays[name] for name in _ARRAYS}
    except BadModel:
        raise
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError, NotImplementedError) as error:
        raise BadModel(
            f"file={content[:8]!r}: must be an npz file without pickled objects: {error}"
        ) from None


def _from_json(arrays: Mapping[str, NDArray[Any]], name: str) -> Any:
    array = arrays[name]
    _need(array.dtype == np.uint8 and array.ndim == 1, name, array.dtype, "JSON as bytes")
    try:
        return json.loads(array.tobytes().decode())
    except ValueError:
        raise BadModel(f"{name}={array[:8].tobytes()!r}: must be JSON") from None


def _words(arrays: Mapping[str, NDArray[Any]], name: str) -> list[str]:
    found = _from_json(arrays, name)
    right = isinstance(found, list) and all(isinstance(term, str) for term in found)
    _need(right and len(set(found)) == len(found), name, type(found), "a list of different texts")
    return list(found)


def _numbers(
    arrays: Mapping[str, NDArray[Any]], name: str, kind: Any, shape: tuple[int, ...]
) -> NDArray[Any]:
    array = arrays[name]
    _need(array.dtype == kind, name, array.dtype, f"of {np.dtype(kind)}")
    _need(array.shape == shape, f"{name}.shape", array.shape, str(shape))
    _need(bool(np.isfinite(array).all()), name, "NaN or infinity", "finite numbers")
    return array


def _share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _field(record: object, name: str, where: str) -> Any:
    _need(isinstance(record, dict) and name in record, f"{where}.{name}", None, "given")
    assert isinstance(record, dict)
    return record[name]


def _facts(record: object) -> Facts:
    found = {name: _field(record, name, "facts") for name in (*_TEXT_FACTS, *_SHARE_FACTS, "rows")}
    for name in _TEXT_FACTS:
        _need(isinstance(found[name], str) and bool(found[name]), f"facts.{name}", found[name], "a text")
    _need(
        bool(_SHA256.fullmatch(found["source_sha256"])),
        "facts.source_sha256",
        found["source_sha256"],
        "64 hex digits",
    )
    for name in _SHARE_FACTS:
        _need(_share(found[name]), f"facts.{name}", found[name], "between 0 and 1")
    _need(_whole(found["rows"]), "facts.rows", found["rows"], "a whole number")
    columns = _field(record, "columns", "facts")
    _need(
        isinstance(columns, list) and all(isinstance(c, str) for c in columns),
        "facts.columns",
        columns,
        "texts",
    )
    when = _field(record, "trained_at", "facts")
    try:
        trained_at = datetime.fromisoformat(when)
    except (TypeError, ValueError):
        raise BadModel(f"facts.trained_at={when!r}: must be an ISO 8601 time") from None
    _need(trained_at.tzinfo is not None, "facts.trained_at", when, "a time with its offset")
    return Facts(trained_at=trained_at, columns=tuple(columns), **found)


def _recipe(record: object) -> Recipe:
    head, lead, runs, lengths = (_field(record, n, "recipe") for n in ("head", "lead", "runs", "lengths"))
    _need(_whole(head) and head > 0, "recipe.head", head, "a whole number above 0")
    _need(_whole(lead), "recipe.lead", lead, "a whole number")
    right = isinstance(runs, list) and len(runs) == 2 and all(map(_whole, runs))
    _need(
        right and 1 <= runs[0] <= runs[1] <= 9,
        "recipe.runs",
        runs,
        "two lengths of 1 to 9, the shorter first",
    )
    _need(
        isinstance(lengths, dict) and set(lengths) == set(BLOCKS),
        "recipe.lengths",
        lengths,
        f"those of {BLOCKS}",
    )
    _need(all(map(_share, lengths.values())), "recipe.lengths", lengths, "between 0 and 1 each")
    return Recipe(
        lengths={name: float(lengths[name]) for name in BLOCKS}, head=head, lead=lead, runs=(runs[0], runs[1])
    )


def from_bytes(content: bytes) -> TextModel:
    """The model of a file's content; BadModel for anything that is none."""
    arrays = _unpack(content)
    head = _from_json(arrays, "head")
    _need(_field(head, "format", "head") == FORMAT, "head.format", head["format"], str(FORMAT))
    facts, recipe = _facts(_field(head, "facts", "head")), _recipe(_field(head, "recipe", "head"))
    classes = _field(head, "classes", "head")
    right = isinstance(classes, list) and all(isinstance(c, str) and c for c in classes)
    _need(right and len(classes) == len(set(classes)) > 1, "classes", classes, "two or more different names")
    kinds = len(classes)
    prior = _numbers(arrays, "prior", np.float64, (kinds,))
    _need(
        bool((prior > 0).all()) and abs(float(prior.sum()) - 1) < 1e-6,
        "prior",
        prior.tolist(),
        "shares, together 1",
    )
    blocks = {}
    for name in BLOCKS:
        terms = _words(arrays, f"{name}_terms")
        blocks[name] = Block(
            {term: n for n, term in enumerate(terms)},
            _numbers(arrays, f"{name}_rarity", np.float32, (len(terms),)),
            _numbers(arrays, f"{name}_weights", np.float32, (len(terms), kinds)),
        )
    base = _numbers(arrays, "base", np.float64, (kinds,))
    return TextModel(facts, tuple(classes), recipe, blocks, base, prior, frozenset(_words(arrays, "seen")))
