"""Finding the right thread of an FAQ for a question in the asker's own words: StackFAQ (Karan and Šnajder 2018), 125 threads of Stack Exchange.

What it compares: titles and answers of all threads are known, the 1,249 rephrasings of titles are the questions. Mean reciprocal rank, P@1 and NDCG@5, each with
its 95 % interval over threads, and the paired differences to BM25 and to the frozen encoder, for

- BM25 over titles, answers, or both, whichever is best here;
- the encoder as it is: the cosine of a question to the titles;
- ours untuned: the search of the customer service's FAQ with its default weights, that have seen nothing of StackFAQ;
- ours with weights tuned, in five folds by thread: the encoder as it is, the weights of the search fitted on the other threads;
- ours tuned, in the same folds: the encoder tuned on the rephrasings of four fifths of the other threads and taken half-way, the weights of the search
  fitted on the last fifth of them, as those of texts that the encoder was tuned on would hope for too much.

Text vectors come from exported TFLite files through `tfarch.runtime`, float32 and dynamic int8.

What it costs: ten minutes on one core. What it last gave: RESULTS.md, "StackFAQ".

    .venv/bin/python -m benchmarks.stackfaq --data FOLDER_OF_STACKFAQ
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.customer_service.faq import Entry, Faq
from benchmarks.workers import table
from tfarch.config import DataConfig
from tfarch.evaluation.bootstrap import mean_interval
from tfarch.evaluation.ranking import ndcg_at, precision_at, ranks, reciprocal_rank
from tfarch.runtime import Classifier, Network
from tfarch.runtime.retrieval import Words, cosines

FOLDS = 5
HELD = 5  # one in so many of the other threads is kept from the encoder, for the weights of the search
VARIANTS = ("float32", "dynamic_int8")
MEASURES = {"MRR": reciprocal_rank, "P@1": lambda found: precision_at(found, 1), "NDCG@5": lambda found: ndcg_at(found, 5)}
MAX_LENGTH = DataConfig().max_length
BEST_WORDS, FROZEN = "BM25", "frozen encoder, cosine to titles"


@dataclass(frozen=True)
class Threads:
    """The FAQ's entries, questions, and the number of the entry that answers each, `[questions]`."""

    entries: tuple[Entry, ...]
    questions: tuple[str, ...]
    targets: np.ndarray


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with all.csv and answers.csv")
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)), help="the folds that are tested, from 0")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    from tfarch.quiet import start_tensorflow

    start_tensorflow()
    from tfarch.config import ModelConfig
    from tfarch.models import start_from

    threads, start = _read(options.data), start_from(ModelConfig(), ())
    fold = np.random.default_rng(options.seed).permutation(len(threads.entries)) % FOLDS
    tested = np.flatnonzero(np.isin(fold[threads.targets], options.folds))
    fields, best = _words(threads, tested)
    scores = {f"{BEST_WORDS}, {best}": fields[best]}
    with tempfile.TemporaryDirectory() as folder:
        for variant, classifier in _exported(start, start.weights, Path(folder)).items():
            faq, vectors = Faq.of(threads.entries, classifier), classifier.vectors(threads.questions)
            scores[f"{FROZEN}, {variant}"] = cosines(vectors, faq.vectors[0])
            scores[f"ours untuned, {variant}"] = faq.probabilities(threads.questions, vectors)[:, :-1]
            scores[f"ours, weights tuned, {variant}"] = _weighed(threads, faq, vectors, fold)
        for number in options.folds:
            for name, found in _tuned(threads, start, fold, number, options.seed, Path(folder)).items():
                scores.setdefault(name, np.zeros((len(threads.questions), len(threads.entries))))[fold[threads.targets] == number] = found
    found = {name: ranks(each[tested], threads.targets[tested]) for name, each in scores.items()}
    figures = {"fields": _mean_ranks(fields, threads, tested), "ways": _figures(found, threads.targets[tested])}
    _print(figures)
    print(json.dumps(figures))
    return 0


def _read(folder: Path) -> Threads:
    with open(folder / "all.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with open(folder / "answers.csv", newline="", encoding="utf-8") as stream:
        answers = sorted(csv.DictReader(stream), key=lambda row: int(row["rank"]))
    titles = {row["label"]: row["text"] for row in rows if row["kind"] == "title"}
    entries = [Entry(name, title, " ".join(row["answer"] for row in answers if row["label"] == name)) for name, title in titles.items()]
    places = {entry.id: place for place, entry in enumerate(entries)}
    asked = [(row["text"], places[row["label"]]) for row in rows if row["kind"] == "rephrasing"]
    return Threads(tuple(entries), tuple(text for text, _ in asked), np.array([place for _, place in asked]))


def _words(threads: Threads, tested: np.ndarray) -> tuple[dict[str, np.ndarray], str]:
    """BM25's scores `[questions, entries]` by what it reads, and which of them is best by its mean reciprocal rank."""
    texts = {
        "titles": [entry.question for entry in threads.entries],
        "answers": [entry.answer for entry in threads.entries],
        "titles and answers": [entry.text for entry in threads.entries],
    }
    scores = {name: Words(each).scores(threads.questions) for name, each in texts.items()}
    reached = _mean_ranks(scores, threads, tested)
    return scores, max(reached, key=reached.get)


def _mean_ranks(scores: Mapping[str, np.ndarray], threads: Threads, tested: np.ndarray) -> dict[str, float]:
    return {name: float(reciprocal_rank(ranks(each[tested], threads.targets[tested])).mean()) for name, each in scores.items()}


def _exported(start, weights: Mapping[str, np.ndarray], folder: Path) -> dict[str, Classifier]:
    """The encoder with these weights as files that the runtime reads, by variant; their head of one class is asked nothing."""
    from tfarch.export.tflite import Converter
    from tfarch.models.classifier import HEAD, build_classifier, with_outputs
    from tfarch.models.weights import set_weights

    model = build_classifier(start.spec, 1)
    set_weights(model, weights, optional=(HEAD,))
    classifiers = {}
    with Converter.of_texts(with_outputs(model, {"": 1.0})) as converter:
        for variant in VARIANTS:
            file = folder / f"{variant}.tflite"
            file.unlink(missing_ok=True)  # an interpreter may still read the older one
            file.write_bytes(converter.convert(variant))
            classifiers[variant] = Classifier(Network(file, start.tokeniser, MAX_LENGTH), ("any",))
    return classifiers


def _weighed(threads: Threads, faq: Faq, vectors: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Scores `[questions, entries]` of the untuned encoder, for each fold with weights that are fitted on the questions of all others."""
    folds, scores = fold[threads.targets], np.zeros((len(threads.questions), len(threads.entries)))
    for number in range(FOLDS):
        known, asked = np.flatnonzero(folds != number), np.flatnonzero(folds == number)
        ids = [threads.entries[threads.targets[row]].id for row in known]
        fitted = faq.fitted([threads.questions[row] for row in known], ids, vectors[known])
        scores[asked] = fitted.probabilities([threads.questions[row] for row in asked], vectors[asked])[:, :-1]
    return scores


def _tuned(threads: Threads, start, fold: np.ndarray, number: int, seed: int, folder: Path) -> dict[str, np.ndarray]:
    """Scores `[questions of the fold, entries]` by way; neither encoder nor weights have seen a question of the fold."""
    others = np.random.default_rng([seed, number]).permutation(np.flatnonzero(fold != number))
    held, tuning = others[: len(others) // HELD], others[len(others) // HELD :]
    questions, _ = _of(threads, np.flatnonzero(fold == number))
    known, targets = _of(threads, held)
    scores = {}
    for variant, classifier in _exported(start, _tune(threads, start, tuning, seed), folder).items():
        faq, vectors = Faq.of(threads.entries, classifier), classifier.vectors(questions)
        fitted = faq.fitted(known, [threads.entries[target].id for target in targets], classifier.vectors(known))
        print(f"fold {number}, {variant}: {fitted.weights}", file=sys.stderr, flush=True)
        scores[f"tuned encoder, cosine to titles, {variant}"] = cosines(vectors, faq.vectors[0])
        scores[f"tuned encoder, default weights, {variant}"] = faq.probabilities(questions, vectors)[:, :-1]
        scores[f"ours tuned, {variant}"] = fitted.probabilities(questions, vectors)[:, :-1]
    return scores


def _of(threads: Threads, places: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The questions that these entries answer, and which of them does."""
    rows = np.flatnonzero(np.isin(threads.targets, places))
    return [threads.questions[row] for row in rows], threads.targets[rows]


def _tune(threads: Threads, start, places: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """The encoder's weights half-way to those tuned on the pairs of a rephrasing and its title of these threads."""
    from tfarch.data.pairs import TextPairs
    from tfarch.data.tokens import tokenise
    from tfarch.training import ShowProgress
    from tfarch.training.contrastive import tune_encoder

    questions, targets = _of(threads, places)
    texts = [*(entry.question for entry in threads.entries), *questions]
    pairs = np.stack([len(threads.entries) + np.arange(len(questions)), targets], axis=1)
    tokens = tokenise(texts, start.tokeniser, MAX_LENGTH)
    rows = TextPairs(tokens, targets.astype(np.int32), np.ones(len(questions), np.float32), pairs)
    return tune_encoder(start.spec, start.weights, rows, seed=seed, callbacks=[ShowProgress("tuning")]).weights()


def _figures(found: Mapping[str, np.ndarray], threads: np.ndarray) -> dict[str, dict]:
    """Of each way, by measure: the mean, its interval, and the mean and interval of its differences to BM25 and to the frozen encoder of the same variant."""
    figures: dict[str, dict] = {}
    for name, its_ranks in found.items():
        rivals = {}
        if name.startswith(("ours", "tuned")):
            (words,) = (each for each in found if each.startswith(BEST_WORDS))
            rivals = {BEST_WORDS: words, "frozen encoder": f"{FROZEN}, {name.rsplit(', ', 1)[1]}"}
        figures[name] = {}
        for measure, of in MEASURES.items():
            values = of(its_ranks)
            figures[name][measure] = {"mean": float(values.mean()), "interval": mean_interval(values, threads)}
            for rival, other in rivals.items():
                more = values - of(found[other])
                figures[name][measure][f"over {rival}"] = {"mean": float(more.mean()), "interval": mean_interval(more, threads)}
    return figures


def _print(figures: Mapping[str, Mapping]) -> None:
    print(table(["BM25 reads", "MRR"], [[name, f"{value:.3f}"] for name, value in figures["fields"].items()]))
    ways = figures["ways"]
    print(table(["", *MEASURES], [[name, *(_with_interval(each[measure]) for measure in MEASURES)] for name, each in ways.items()]))
    for rival in (BEST_WORDS, "frozen encoder"):
        rows = [
            [name, *(_with_interval(each[measure][f"over {rival}"], "+") for measure in MEASURES)]
            for name, each in ways.items()
            if f"over {rival}" in each["MRR"]
        ]
        print(table([f"more than {rival}", *MEASURES], rows))


def _with_interval(figure: Mapping[str, float | Sequence[float]], sign: str = "") -> str:
    low, high = figure["interval"]
    return f"{figure['mean']:{sign}.4f} ({low:{sign}.3f} to {high:{sign}.3f})"


if __name__ == "__main__":
    sys.exit(main())
