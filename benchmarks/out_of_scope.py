"""How well a model that never saw an out-of-scope text in training says "I don't know".

What it compares: the scores of `tfarch.runtime.scope` on the exported files, each at its own threshold; and the chosen score and the combined one at the
thresholds that keep 90, 95, 99 (the default), 99.5, 99.8 and 99.9 % of the right answers on validation, since how much a wrong answer costs beside a refused one is the user's to say; on

- CLINC150 (`--clinc FOLDER`): in-scope accuracy, where a rejected row is wrong, and out-of-scope recall. The threshold is chosen once on validation's
  in-scope rows alone and once with its 100 out-of-scope rows. The out-of-scope rows of the training file are left out.
- BANKING77 (`--banking FOLDER`) with a quarter of its intents unknown, `--draws` seeded choices (Zhang et al. 2021's protocol): the training and
  validation rows of the unknown intents are left out, their test rows are open. F1 of the open class, mean F1 of the known ones, and accuracy over
  known intents and the open class; thresholds from validation's in-scope rows alone.

The AUROC on validation is what defaults are chosen by: validation's rows in scope against out-of-scope rows that are no test rows (CLINC150: the 100 of
validation; BANKING77: the training rows of the unknown intents).

Each run is `tfarch.run` with its defaults but for what bears on no answer and is left out (label errors, float16, most of the latency). The test rows are looked at by the files that were exported, once.

What it costs: a training for CLINC150 and one for each draw, 5 to 15 minutes each on 2 cores. What it last gave: RESULTS.md, "Out of scope".

    .venv/bin/python -m benchmarks.out_of_scope --out saved_models/out_of_scope --clinc FOLDER --banking FOLDER

A run that is there already is not made again.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.workers import table

VARIANTS = ("float32", "dynamic_int8")
OPEN = "oos"
KEPT = (0.9, 0.95, 0.99, 0.995, 0.998, 0.999)  # shares of the right answers on validation
LEFT_OUT = {"label_errors": {"find": False}, "evaluate": {"threads": [1], "latency_repeats": 1}, "export": {"variants": list(VARIANTS)}}
UNKNOWN = 0.25  # share of BANKING77's intents

Row = tuple[str, str]  # text, label


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--clinc", type=Path, help="folder of CLINC150: train.csv, val.csv, test.csv")
    parser.add_argument("--banking", type=Path, help="folder of BANKING77: train.csv, test.csv")
    parser.add_argument("--draws", type=int, default=5, help="choices of BANKING77's unknown intents")
    options = parser.parse_args()
    found: dict[str, object] = {}
    if options.clinc:
        found["clinc"] = _clinc(options.clinc, options.out / "clinc")
    if options.banking:
        found["banking"] = _banking(options.banking, options.out, options.draws)
    print(json.dumps(found))
    return 0


def _clinc(source: Path, out: Path) -> list[dict]:
    parts = {name: _read(source / f"{name}.csv") for name in ("train", "val", "test")}
    parts["train"] = [row for row in parts["train"] if row[1] != OPEN]
    report = _run(out, parts)
    figures = []
    for variant in VARIANTS:
        measured = next(each["metrics"] for each in report["variants"] if each["name"] == variant)
        print(f"{variant}: accuracy without rejecting {measured['accuracy']:.4f}, ECE {measured['ece']:.4f}", file=sys.stderr)
        for known_rows_alone in (True, False):
            strange = [text for text, label in parts["val"] if label == OPEN]
            figures += [{"variant": variant, **each} for each in _measured(out, variant, known_rows_alone, strange, _scoped)]
    rows = [
        [each["variant"], _rule(each), _method(each)]
        + [f"{100 * each[name]:.2f} %" for name in ("in_scope_accuracy", "oos_recall")]
        + [f"{each['oos_auroc']:.4f}", f"{100 * each['fpr95']:.1f} %", f"{each['valid_auroc']:.4f}"]
        for each in figures
    ]
    titles = ["in-scope accuracy", "out-of-scope recall", "AUROC", "FPR95", "AUROC on validation"]
    print(table(["file", "threshold from validation's rows", "score", *titles], rows))
    return figures


def _banking(source: Path, out: Path, draws: int) -> list[dict]:
    train, test = _read(source / "train.csv"), _read(source / "test.csv")
    intents = sorted({label for _, label in train})
    figures = []
    for draw in range(draws):
        unknown = set(random.Random(draw).sample(intents, round(UNKNOWN * len(intents))))
        parts = {
            "train": [row for row in train if row[1] not in unknown],
            "test": [(text, OPEN if label in unknown else label) for text, label in test],
        }
        run, strange = out / f"banking_{draw}", [text for text, label in train if label in unknown]
        _run(run, parts)
        for variant in VARIANTS:
            figures += [{"draw": draw, "variant": variant, **each} for each in _measured(run, variant, True, strange, _open)]
    rows = []
    for variant in VARIANTS:
        for method, keep in dict.fromkeys((each["method"], each["keep"]) for each in figures):
            chosen = [each for each in figures if (each["variant"], each["method"], each["keep"]) == (variant, method, keep)]
            cells = []
            for name in ("open_f1", "known_f1", "accuracy"):
                values = [100 * each[name] for each in chosen]
                cells.append(f"{statistics.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})")
            cells += [f"{statistics.mean(each[name] for each in chosen):.4f}" for name in ("oos_auroc", "valid_auroc")]
            rows.append([variant, _rule(chosen[0]), _method(chosen[0]), *cells])
    titles = ["F1, open class", "mean F1, known intents", "accuracy", "AUROC", "AUROC on validation"]
    print(table(["file", "threshold from validation's rows", "score", *titles], rows))
    return figures


def _read(file: Path) -> list[Row]:
    with open(file, newline="", encoding="utf-8") as stream:
        return [(row["text"], row["label"]) for row in csv.DictReader(stream)]


def _run(out: Path, parts: dict[str, list[Row]]) -> dict:
    """The report of the run on these rows; made if it is not there."""
    if not (out / "report.json").is_file():
        import tfarch

        data = out.with_name(f"{out.name}_data")
        data.mkdir(parents=True, exist_ok=True)
        for name, rows in parts.items():
            with open(data / f"{name}.csv", "w", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream)
                writer.writerow(["text", "label"])
                writer.writerows(rows)
        tfarch.run(data, out, settings=LEFT_OUT, command="benchmarks.out_of_scope")
    return json.loads((out / "report.json").read_text(encoding="utf-8"))


def _measured(out: Path, variant: str, known_rows_alone: bool, strange: Sequence[str], figures_of: Callable[..., dict]) -> Iterable[dict]:
    """The figures of every score with a file, its threshold chosen on validation rows with that file; the one that is chosen is marked.

    `strange` are out-of-scope texts that are no test rows: against validation's rows in scope they give `valid_auroc`, which no test row goes into.
    """
    from tfarch.quiet import start_tensorflow

    start_tensorflow()
    from tfarch.config import Config, OutOfScopeConfig
    from tfarch.evaluation.metrics import auroc
    from tfarch.evaluation.out_of_scope import Answers, choose
    from tfarch.pipeline.prepare import prepare
    from tfarch.pipeline.trained import TrainedModel
    from tfarch.run_folder import RunFolder
    from tfarch.runtime import Classifier, Network

    folder = RunFolder(out)
    model = TrainedModel.load(folder)
    trained = model.only
    config = Config().with_file(folder.config)
    prepared = prepare(config, folder.cache, start=model.start, labels=model.labels)[""]
    report = json.loads(folder.report_json.read_text(encoding="utf-8"))
    file = next(each["file"] for each in report["variants"] if each["name"] == variant)
    classifier = Classifier(Network(out / file, trained.stages[0].tokeniser, trained.max_length, threads=2), trained.labels)
    inside, outside, test = (
        Answers(*classifier.answers(part.texts)) for part in (prepared.valid.in_scope, prepared.valid.out_of_scope, prepared.test)
    )
    unseen = Answers(*classifier.answers(strange))
    scores = trained.stages[0].scores
    settings = OutOfScopeConfig()
    for keep in KEPT if known_rows_alone else (settings.keep,):
        best, tried = choose(
            scores, inside, prepared.valid.in_scope.targets, None if known_rows_alone else outside, keep=keep, share=settings.share
        )
        for choice in tried if keep == settings.keep else [each for each in tried if each.method in (best.method, "combined")]:
            scored = scores[choice.method](test.probabilities, test.vectors)
            yield {
                "method": choice.method,
                "chosen": choice.method == best.method,
                "known_rows_alone": known_rows_alone,
                "keep": keep,
                "threshold": choice.threshold,
                "valid_auroc": auroc(*(scores[choice.method](each.probabilities, each.vectors) for each in (inside, unseen))),
                **figures_of(test.probabilities, prepared.test.targets, trained.labels, scored, choice.threshold),
            }


def _scoped(probabilities: np.ndarray, targets: np.ndarray, labels: tuple[str, ...], scores: np.ndarray, threshold: float) -> dict:
    from tfarch.evaluation.metrics import classification_metrics

    metrics = classification_metrics(probabilities, targets, labels, scores=scores, threshold=threshold)
    return {name: metrics[name] for name in ("accuracy", "in_scope_accuracy", "oos_recall", "oos_auroc", "fpr95", "ece")}


def _open(probabilities: np.ndarray, targets: np.ndarray, labels: tuple[str, ...], scores: np.ndarray, threshold: float) -> dict:
    """F1 of the open class, mean F1 of the known ones, accuracy, where a rejected row is predicted open."""
    predicted = np.where(scores < threshold, -1, probabilities.argmax(axis=1))

    def f1(label: int) -> float:
        hits = int(((predicted == label) & (targets == label)).sum())
        return 2 * hits / max(1, int((predicted == label).sum() + (targets == label).sum()))

    known = statistics.mean(f1(label) for label in range(len(labels)))
    scoped = _scoped(probabilities, targets, labels, scores, threshold)
    return {**scoped, "open_f1": f1(-1), "known_f1": known, "accuracy": float((predicted == targets).mean())}


def _rule(figures: dict) -> str:
    return f"in scope, {100 * figures['keep']:g} % of the right kept" if figures["known_rows_alone"] else "100 out of scope among them"


def _method(figures: dict) -> str:
    name = figures["method"].replace("_", " ")
    return f"**{name}** (chosen)" if figures["chosen"] else name


if __name__ == "__main__":
    sys.exit(main())
