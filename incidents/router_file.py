"""A trained router as bytes and back: NumPy's npz with a JSON head, no pickle. It holds what was learned; the responsibility
table is the city's own as it stands when the router is read. What is read is checked before it is used.

Every refusal names field, value and rule. A file of another format version is refused, not guessed at.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from incidents.boosted_judge import DEPTH, Judge, Tree
from incidents.dispatch_setups import of_city
from incidents.dispatching import Router
from incidents.final_units import FinalUnits
from incidents.responsibility import Rules
from incidents.text_model_file import BadModel, from_bytes, to_bytes
from incidents.ticket_text import TicketText
from incidents.word_weights import WordWeights

FORMAT: Final = 1

MOST_BYTES: Final = 1 << 30
"""Of a file, unpacked: a small file may claim to unpack to anything."""


class BadRouter(ValueError):
    """Bytes that are no router; the text names field, value and rule."""


def sealed(content: bytes) -> str:
    """The SHA-256 by which the registry knows a file."""
    return hashlib.sha256(content).hexdigest()


def _need(holds: bool, field: str, value: object, rule: str) -> None:
    if not holds:
        shown = repr(value)
        raise BadRouter(f"{field}={shown if len(shown) <= 60 else shown[:60] + '…'}: must be {rule}")


def router_bytes(router: Router) -> bytes:
    """The content of a router's file; its table is not in it."""
    counts: dict[str, Any] = {name: _counted(one) for name, one in router.scenes.learned().items()}
    arrays: dict[str, NDArray[Any]] = {}
    words: dict[str, Any] = {}
    for evidence in router.evidence:
        learned = evidence.learned()
        if isinstance(learned, WordWeights):
            known, labels, weights, bias = learned.state()
            words[evidence.name] = [known, labels]
            arrays |= {f"{evidence.name}_weights": weights, f"{evidence.name}_bias": bias}
        else:
            counts[f"evidence {evidence.name}"] = _counted(learned)
    judge = router.judge
    head = {
        "format": FORMAT,
        "evidence": [evidence.name for evidence in router.evidence],
        "weights": router.weights,
        "threshold": router.threshold,
        # An edge that nothing crosses is infinite, which JSON has no number for.
        "judge": judge and {
            "begin": judge.begin,
            "trees": [[t.ask, [None if math.isinf(c) else c for c in t.cut], t.leaf] for t in judge.trees],
        },
        "record": _counted(router.record),
        "counts": counts,
        "words": words,
    }  # fmt: skip
    arrays["head"] = np.frombuffer(json.dumps(head, ensure_ascii=False).encode(), np.uint8)
    if isinstance(router.scenes.text, TicketText):
        arrays["text"] = np.frombuffer(to_bytes(router.scenes.text.model), np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


def _counted(counts: FinalUnits) -> list[Any]:
    return [[context, labels] for context, labels in counts.state()]


def _unpack(content: bytes) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            size = sum(part.file_size for part in file.infolist())
            _need(size <= MOST_BYTES, "unpacked bytes", size, f"at most {MOST_BYTES}")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except BadRouter:
        raise
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError, NotImplementedError) as error:
        raise BadRouter(
            f"file={content[:8]!r}: must be an npz file without pickled objects: {error}"
        ) from None


def router_of(content: bytes, rules: Rules, version: str) -> Router:
    """The router of a file's content over a city's table; BadRouter for anything that is none."""
    arrays = _unpack(content)
    _need("head" in arrays and arrays["head"].dtype == np.uint8, "head", sorted(arrays), "JSON as bytes")
    try:
        head = json.loads(arrays["head"].tobytes().decode())
        _need(isinstance(head, dict), "head", head, "an object")
        _need(head.get("format") == FORMAT, "head.format", head.get("format"), str(FORMAT))
        text = TicketText(from_bytes(arrays["text"].tobytes())) if "text" in arrays else None
        scenes, evidence = of_city(rules, text)
        names = [one.name for one in evidence]
        _need(head["evidence"] == names, "head.evidence", head["evidence"], f"{names}")
        weights = tuple(float(weight) for weight in head["weights"])
        _need(
            len(weights) == len(names) and all(map(math.isfinite, weights)),
            "head.weights", weights, f"{len(names)} numbers",
        )  # fmt: skip
        for name, counts in scenes.learned().items():
            counts.restore(_counts(head["counts"], name))
        for one in evidence:
            learned = one.learned()
            if isinstance(learned, WordWeights):
                _restore_words(learned, one.name, head["words"], arrays)
            else:
                learned.restore(_counts(head["counts"], f"evidence {one.name}"))
        record = FinalUnits()
        record.restore(_counts(head, "record"))
        return Router(
            scenes, evidence, weights, _judge(head["judge"]), record, float(head["threshold"]), version
        )
    except (KeyError, TypeError, IndexError, AttributeError, UnicodeDecodeError, BadModel) as error:
        raise BadRouter(f"head={type(error).__name__}: must be that of a router: {error}") from None
    except json.JSONDecodeError as error:
        raise BadRouter(f"head: must be JSON: {error}") from None


def _counts(of: Mapping[str, Any], name: str) -> list[tuple[tuple[Any, ...], dict[str, float]]]:
    found = []
    for context, labels in of[name]:
        right = isinstance(labels, dict) and all(
            isinstance(n, int | float) and math.isfinite(n) and n >= 0 for n in labels.values()
        )
        _need(right and isinstance(context, list), name, labels, "counts by label")
        found.append((tuple(context), labels))
    return found


def _restore_words(
    learned: WordWeights, name: str, words: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    known, labels = words[name]
    weights, bias = arrays[f"{name}_weights"], arrays[f"{name}_bias"]
    for field, array, shape in (
        (f"{name}_weights", weights, (len(known), len(labels))), (f"{name}_bias", bias, (len(labels),)),
    ):  # fmt: skip
        _need(array.shape == shape and array.dtype == np.float32, field, array.shape, f"float32 of {shape}")
        _need(bool(np.isfinite(array).all()), field, "NaN or infinity", "finite numbers")
    learned.restore(known, labels, weights, bias)


def _judge(told: Mapping[str, Any] | None) -> Judge | None:
    if told is None:
        return None
    asks, leaves = (1 << DEPTH) - 1, 1 << DEPTH
    trees = []
    for ask, cut, leaf in told["trees"]:
        _need(len(ask) == len(cut) == asks and len(leaf) == leaves, "judge.trees", (len(ask), len(leaf)),
              f"trees of {asks} questions and {leaves} leaves")  # fmt: skip
        _need(all(isinstance(n, int) and n >= 0 for n in ask), "judge.ask", ask, "numbers of questions")
        cuts = tuple(math.inf if value is None else float(value) for value in cut)
        trees.append(Tree(tuple(ask), cuts, tuple(map(float, leaf))))
    return Judge(float(told["begin"]), tuple(trees))
