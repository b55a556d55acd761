"""Whether the words that an explanation names are those that the answer hangs on.

What it compares: the word of most weight by occlusion (on the file that ships), by integrated gradients (on the run's float model), and a word drawn by
chance, on test rows in scope. Each is taken out of its text in two ways, left out and replaced by `[UNK]`; how far the answer's probability falls by the file
that ships tells what hung on it (DeYoung et al. 2020, "ERASER", comprehensiveness). Occlusion leaves words out itself, so the fairer judge of it is `[UNK]`.

What it costs: 120 texts, 2 minutes on 2 cores. What it last gave: RESULTS.md, "Explanations".

    .venv/bin/python -m benchmarks.explanations --run saved_models/customer_service
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.workers import table
from tfarch.quiet import quiet, start_tensorflow
from tfarch.runtime.occlusion import Occlusion, without
from tfarch.runtime.tokeniser import Located

WORDS = range(3, 26)  # of a text: shorter ones have nothing to choose from, longer ones cost much and are rare


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a run")
    parser.add_argument("--texts", type=int, default=120, help="test rows, drawn by seed 0")
    options = parser.parse_args()
    start_tensorflow()
    from tfarch.config import Config
    from tfarch.data import load_dataset
    from tfarch.pipeline.explanation_job import GradientMethod
    from tfarch.run_folder import RunFolder
    from tfarch.runtime import load

    config = Config().with_file(options.run / "config.yaml")
    test = load_dataset(config.data.path, config.data, config.seed).test
    with quiet():
        classifier = load(options.run / "bundle", threads=2)
    unknown, random = classifier.tokeniser.unk_id, np.random.default_rng(0)
    asked = [text for text, label in zip(test.texts, test.labels, strict=True) if label in classifier.labels]
    located = [classifier.tokeniser.locate(asked[row], classifier.max_length) for row in random.permutation(len(asked))]
    texts = [text for text in located if len(text.spans) in WORDS][: options.texts]
    probabilities, _ = classifier.answers_of_ids([text.ids for text in texts])
    labels = [classifier.labels[number] for number in probabilities.argmax(axis=1)]
    taken_out: dict[str, Callable[[Located, int], np.ndarray]] = {
        "left out": lambda text, word: without(text, range(word, word + 1)),
        "replaced": lambda text, word: np.where(text.words == word, unknown, text.ids),
    }
    drops = {}
    for way, take_out in taken_out.items():
        found, _ = classifier.answers_of_ids([take_out(text, word) for text in texts for word in range(len(text.spans))])
        ends = np.cumsum([len(text.spans) for text in texts])
        parts = zip(np.split(found, ends[:-1]), probabilities, strict=True)
        drops[way] = [before.max() - after[:, before.argmax()] for after, before in parts]
    figures = {}
    for method in (Occlusion(classifier), GradientMethod(RunFolder(options.run))):
        started = time.perf_counter()
        top = [int(weights.words.argmax()) for weights in method(texts, labels)]
        seconds = (time.perf_counter() - started) / len(texts)
        figures[method.name] = {"seconds": seconds, **{way: _judged(drops[way], top) for way in taken_out}}
    figures["chance"] = {way: {"drop": float(np.mean([each.mean() for each in drops[way]]))} for way in taken_out}
    rows = [
        [
            name.replace("_", " "),
            *(f"{100 * found[way]['drop']:.0f} points" for way in taken_out),
            *(f"{100 * found[way]['beats']:.0f} %" if "beats" in found[way] else "" for way in taken_out),
            f"{found['seconds']:.3f} s" if "seconds" in found else "",
        ]
        for name, found in figures.items()
    ]
    judges = [f"{what}, word {way}" for what in ("probability that it takes", "more than another word of the text") for way in taken_out]
    print(table(["word chosen by", *judges, "seconds a text"], rows))
    print(json.dumps({"texts": len(texts), **figures}))
    return 0


def _judged(drops: list[np.ndarray], top: list[int]) -> dict[str, float]:
    """The mean drop of the answer's probability without the chosen word, and how often it is larger than without another word of its text."""
    chosen = [each[word] for each, word in zip(drops, top, strict=True)]
    others = [np.delete(each, word) for each, word in zip(drops, top, strict=True)]
    return {
        "drop": float(np.mean(chosen)),
        "beats": float(np.mean([(own > rest).mean() for own, rest in zip(chosen, others, strict=True)])),
    }


if __name__ == "__main__":
    sys.exit(main())
