"""Text in, label out, by somebody else's runtime: MediaPipe's Text Classifier on the TFLite file that a bundle ships.

What it compares: the labels and probabilities that MediaPipe 1.2.2 gives for every row of a test set, from model.tflite alone (vocabulary
and labels are inside it), with the right labels and with those of `tfarch.runtime`. Both run the same weights with the same kernels, so
what differs is the text's way to ids: MediaPipe lowers ASCII letters only, strips no accents and no control characters, and does
not cut a text to the bundle's maximum length (a text with more tokens than the model has positions ends its graph; for a file of fixed
length it is cut). Predictions made in batches differ besides by rounding, up to about 0.002 in int8.

What it costs: 5 to 8 ms a text on one core of an AVX2 machine for MiniLM-L6 in dynamic int8.

What it last gave: see RESULTS.md. With random weights all of the 3,080 BANKING77 test questions got equal labels, and the 5 that are
longer than 64 tokens another probability.

    make bench-env
    python -m apps.customer_service predict --json --input test.txt > predictions.jsonl     # a text a line
    PYTHON_OF_BENCH_ENV benchmarks/mediapipe_text_classifier.py --bundle saved_models/customer_service/bundle --data test.csv \\
        --predictions predictions.jsonl

The bench environment holds mediapipe, which is kept away from TensorFlow's; nothing of tfarch is imported here.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from pathlib import Path

from mediapipe.tasks.python import BaseOptions, text


def main() -> int:
    options = _options()
    rows = _rows(options.data, options.text_column, options.label_column, options.oos_label)
    if not rows:
        print(f"{options.data}: no row in scope", file=sys.stderr)
        return 2
    texts, labels = zip(*rows, strict=True)

    answers, seconds = _classify(options.bundle / "model.tflite", texts)
    result = {
        "texts": len(texts),
        "accuracy": sum(answer[0] == label for answer, label in zip(answers, labels, strict=True)) / len(texts),
        "milliseconds_per_query": 1000 * seconds / len(texts),
    }
    if options.predictions is not None:
        ours = _predictions(options.predictions)
        missing = [each for each in texts if _line(each) not in ours]
        if missing:
            print(f"{options.predictions}: no prediction for {len(missing)} texts, the first is {missing[0]!r}", file=sys.stderr)
            return 2
        result |= _agreement(texts, labels, answers, [ours[_line(each)] for each in texts])
    print(json.dumps(result, indent=2, ensure_ascii=False))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="the bundle folder")
    parser.add_argument("--data", type=Path, required=True, help="CSV file with the test rows")
    parser.add_argument("--text-column", default="text", help="name of the column with the text")
    parser.add_argument("--label-column", default="label", help="name of the column with the label")
    parser.add_argument("--oos-label", default="oos", help="rows with this label are left out: no class stands for them")
    parser.add_argument("--predictions", type=Path, help="JSON Lines of `predict --json` for the same texts")
    return parser.parse_args()


def _rows(file: Path, text_column: str, label_column: str, oos_label: str) -> list[tuple[str, str]]:
    with open(file, newline="", encoding="utf-8") as stream:
        return [(row[text_column], row[label_column]) for row in csv.DictReader(stream) if row[label_column] != oos_label]


def _classify(model: Path, texts: tuple[str, ...]) -> tuple[list[tuple[str, float]], float]:
    """MediaPipe's best label and its probability of each text; and the seconds of all, after a warm-up.

    The process ends with 1 where MediaPipe gives an error, after which its graph answers nothing more.
    """
    settings = text.TextClassifierOptions(base_options=BaseOptions(model_asset_path=str(model)), max_results=1)
    classifier = text.TextClassifier.create_from_options(settings)
    classifier.classify(texts[0])
    answers = []
    start = time.perf_counter()
    for index, each in enumerate(texts):
        try:
            best = classifier.classify(each).classifications[0].categories[0]
        except RuntimeError as error:
            print(f"MediaPipe failed on text {index}, {each[:60]!r} (more tokens than the model has positions?): {error}", file=sys.stderr)
            os._exit(1)  # its threads would keep the process alive
        answers.append((best.category_name, best.score))
    seconds = time.perf_counter() - start
    classifier.close()
    return answers, seconds


def _predictions(file: Path) -> dict[str, tuple[str, float]]:
    """Label and probability by text, as `predict --json` printed them."""
    with open(file, encoding="utf-8") as stream:
        return {_line(row["text"]): (row["label"], row["probability"]) for row in map(json.loads, stream)}


def _line(text: str) -> str:
    """A text as it is given to `predict` on one line; white space is nothing to the tokenisers."""
    return " ".join(text.split())


def _agreement(texts, labels, theirs, ours) -> dict:
    """How our runtime's answers and MediaPipe's compare, with the first texts on which they differ."""
    both = list(zip(texts, theirs, ours, strict=True))
    differing = [(each, a, b) for each, a, b in both if a[0] != b[0] or abs(a[1] - b[1]) > 1e-3]
    return {
        "runtime_accuracy": sum(answer[0] == label for answer, label in zip(ours, labels, strict=True)) / len(texts),
        "label_agreement": sum(a[0] == b[0] for _, a, b in both) / len(texts),
        "largest_difference_of_the_best_probability": max((abs(a[1] - b[1]) for _, a, b in both if a[0] == b[0]), default=0.0),
        "texts_that_differ_by_more_than_0.001": len(differing),
        "examples": [{"text": each, "mediapipe": a, "runtime": b} for each, a, b in differing[:10]],
    }


if __name__ == "__main__":
    sys.exit(main())
