"""Text: the class of a citizen's message. Cross-validation on the shared segmented file, near-equal texts in one fold,
beside plain TF-IDF + LinearSVC in the same folds; then raw messages, segmented by us, that no model was trained on.

`--data FILE`: other raw messages (CSV: title, text, label) in place of the shared ones; refused when one of them stands in
the training file, or nearly. Issue C, "Must show" 4.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.svm import LinearSVC

from incidents.near_texts import KnownTexts
from incidents.text_model import TextModel
from incidents.text_model_file import from_bytes, to_bytes
from incidents.text_training import Labelled, Source, calibration_error, folds_of, train
from incidents.words import words_of
from tests.bench.frame import Bench, Figures
from tests.product import ROOT

GOALS = {"accuracy_raw": 0.88, "gain_over_linear_cv": 0.015}

HOTLINE: Final = ROOT.parent / "shared" / "data" / "hotline"
TRAINING: Final = HOTLINE / "segmented_labelled.csv.gz"
RAW: Final = HOTLINE / "raw_labelled.csv"
FOLDS: Final = 5
QUICK_FOLDS: Final = 3
TRAINED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


def table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV, packed or not; SystemExit says why it cannot be read, or which column it lacks."""
    try:
        content = path.read_bytes()
        plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        reader = csv.DictReader(io.StringIO(plain.decode("utf-8-sig"), newline=""))
        lacking = [column for column in columns if column not in (reader.fieldnames or ())]
        if lacking:
            raise SystemExit(
                f"text: {path.name}: columns={reader.fieldnames}: must hold {', '.join(lacking)}"
            )
        return [{column: row[column] or "" for column in columns} for row in reader]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise SystemExit(f"text: {path.name}: must be a CSV in UTF-8: {error}") from None


def raw_rows(path: Path, classes: Sequence[str]) -> list[Labelled]:
    """Raw messages, title before text; SystemExit where a label is none of the classes."""
    found = [
        Labelled(f"{row['title']}\n{row['text']}", row["label"])
        for row in table(path, ("title", "text", "label"))
    ]
    for n, row in enumerate(found, 1):
        if row.label not in classes:
            raise SystemExit(
                f"text: {path.name}: row {n}: label={row.label!r}: must be one of {', '.join(classes)}"
            )
    if not found:
        raise SystemExit(f"text: {path.name}: has no rows")
    return found


def repeated(rows: Sequence[Labelled], known: KnownTexts) -> list[str]:
    """A sentence for every row that stands in the training file, or nearly. Rows count from 1, without the heading."""
    found = ((n, known.repeat(row.text)) for n, row in enumerate(rows, 1))
    return [
        f"row {n} repeats row {repeat.known + 1} of the training file ({repeat.share:.0%} of it)"
        for n, repeat in found
        if repeat is not None
    ]


def plain_model(texts: Sequence[str], labels: NDArray[Any], others: Sequence[str]) -> NDArray[Any]:
    """What TF-IDF and LinearSVC, both as they come, make of other texts. Texts are words with blanks between."""
    vectors = TfidfVectorizer()
    machine = LinearSVC(random_state=0).fit(vectors.fit_transform(texts), labels)
    found: NDArray[Any] = machine.predict(vectors.transform(others))
    return found


def plain_folds(rows: Sequence[Labelled], fold: NDArray[np.int64]) -> NDArray[Any]:
    """The same in folds."""
    labels = np.array([row.label for row in rows])
    found = np.empty_like(labels)
    for n in np.unique(fold):
        taught, held_out = np.flatnonzero(fold != n), np.flatnonzero(fold == n)
        found[held_out] = plain_model(
            [rows[i].text for i in taught], labels[taught], [rows[i].text for i in held_out]
        )
    return found


def right_share(found: NDArray[Any], rows: Sequence[Labelled]) -> tuple[float, float]:
    """Accuracy and macro-F1."""
    true = np.array([row.label for row in rows])
    return float((found == true).mean()), float(f1_score(true, found, average="macro"))


def on_raw(bench: Bench, model: TextModel, rows: Sequence[Labelled]) -> Figures:
    """A model on raw messages: how often right, how sure, how fast with its reasons."""
    begin_s = time.perf_counter()
    judged = model.judge_many([row.text for row in rows])
    took_s = time.perf_counter() - begin_s
    accuracy, macro = right_share(np.array([judgement.ranked[0][0] for judgement in judged]), rows)
    chances = model.probabilities([row.text for row in rows])
    truth = np.array([model.classes.index(row.label) for row in rows])
    bench.say(f"{len(rows)} raw messages: accuracy {accuracy:.4f}, macro-F1 {macro:.4f}")
    return {
        "rows_raw": len(rows),
        "accuracy_raw": round(accuracy, 4),
        "macro_f1_raw": round(macro, 4),
        "calibration_error_raw": round(calibration_error(chances, truth), 4),
        "ms_per_message": round(took_s / len(rows) * 1e3, 3),
    }


def run(bench: Bench) -> Figures:
    """Folds, training, raw messages."""
    if not TRAINING.exists():
        bench.say("skipped: there is no shared/data/hotline/segmented_labelled.csv.gz beside the product")
        return {"skipped": "no shared data"}
    rows = [
        Labelled(row["text_segmented"], row["label"]) for row in table(TRAINING, ("text_segmented", "label"))
    ]
    classes = sorted({row.label for row in rows})
    raw = raw_rows(bench.data or RAW, classes)
    again = repeated(raw, KnownTexts([row.text for row in rows]))
    if again:
        raise SystemExit(
            f"text: {(bench.data or RAW).name}: refused: {len(again)} of {len(raw)} rows stand in the training file:\n"
            + "\n".join(again[:20])
        )
    bench.say(f"{len(rows)} labelled texts; none of {len(raw)} raw messages repeats one of them")

    begin_s = time.perf_counter()
    fold = folds_of(rows, QUICK_FOLDS if bench.quick else FOLDS)
    grouped_s = time.perf_counter() - begin_s
    accuracy, macro = right_share(plain_folds(rows, fold), rows)
    bench.say(f"TF-IDF + LinearSVC in the folds: accuracy {accuracy:.4f}, macro-F1 {macro:.4f}")
    begin_s = time.perf_counter()
    source = Source(
        "hotline", "bench", hashlib.sha256(TRAINING.read_bytes()).hexdigest(), ("text_segmented", "label")
    )
    trained, measured = train(rows, source, TRAINED_AT, fold)
    trained_s = time.perf_counter() - begin_s
    bench.say(f"ours in the folds: accuracy {measured.right_share:.4f}, macro-F1 {measured.macro_f1:.4f}")
    saved = to_bytes(trained)
    begin_s = time.perf_counter()
    model = from_bytes(saved)
    loaded_s = time.perf_counter() - begin_s

    plain = plain_model(
        [row.text for row in rows],
        np.array([row.label for row in rows]),
        [" ".join(word.text for word in words_of(row.text)) for row in raw],
    )
    plain_raw, plain_raw_macro = right_share(plain, raw)
    return {
        "rows": len(rows),
        "folds": len(np.unique(fold)),
        "accuracy_cv": round(measured.right_share, 4),
        "macro_f1_cv": round(measured.macro_f1, 4),
        "linear_accuracy_cv": round(accuracy, 4),
        "linear_macro_f1_cv": round(macro, 4),
        "gain_over_linear_cv": round(measured.right_share - accuracy, 4),
        "calibration_error": round(measured.calibration_error, 4),
        **on_raw(bench, model, raw),
        "linear_accuracy_raw": round(plain_raw, 4),
        "linear_macro_f1_raw": round(plain_raw_macro, 4),
        "grouping_s": round(grouped_s, 1),
        "training_s": round(trained_s, 1),
        "load_s": round(loaded_s, 2),
        "model_mb": round(len(saved) / 1e6, 1),
    }
