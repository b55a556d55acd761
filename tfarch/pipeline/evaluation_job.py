"""The last part of the main job: every figure of the report is measured here, on the exported files, through `tfarch.runtime`."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tfarch.config import Config
from tfarch.data.batches import plan_in_order
from tfarch.data.check import shortened
from tfarch.data.tokens import Tokens
from tfarch.evaluation.board import write_board
from tfarch.evaluation.calibration import reliability
from tfarch.evaluation.confusion import confused_pairs, confusions, worst
from tfarch.evaluation.figures import REFERENCE
from tfarch.evaluation.html import render_html
from tfarch.evaluation.latency import measure_in_turn
from tfarch.evaluation.machine import describe, usable_cores
from tfarch.evaluation.metrics import classification_metrics, paired_test
from tfarch.evaluation.model_card import render_model_card
from tfarch.evaluation.out_of_scope import Answers
from tfarch.evaluation.selective import risk_coverage
from tfarch.export.bundle import update_bundle
from tfarch.export.linter import examine
from tfarch.export.parity import compare, parity
from tfarch.export.saved_model import SavedModelClassifier
from tfarch.models.classifier import with_probabilities
from tfarch.pipeline import fewer_rows, label_errors_job
from tfarch.pipeline.export_job import CARD, SAVED_MODEL, Exported
from tfarch.pipeline.prepare import Part, Prepared
from tfarch.pipeline.trained import Stage, TrainedClassifier
from tfarch.progress import say
from tfarch.quiet import quiet
from tfarch.run_folder import RunFolder, now
from tfarch.runtime import Classifier, read_bundle
from tfarch.runtime.classifier import INPUTS, OUTPUT
from tfarch.runtime.explanation import strongest
from tfarch.training.inference import Forward


def evaluate(
    config: Config,
    prepared: Prepared,
    trained: TrainedClassifier,
    files: list[Exported],
    folder: RunFolder,
    *,
    app: str,
    command: str,
    quick: bool,
) -> dict[str, Any]:
    """Measures every exported file on the test rows and writes `report.json`, `report.html`, the bundle's model card and what TensorBoard shows of the
    file that ships. Returns the report.
    """
    test, labels = prepared.test, trained.labels
    stages = {stage.name: stage for stage in trained.stages}
    answers: dict[str, Answers] = {}
    for each in files:
        say(f"evaluating {each.name} on {len(test.texts):,} test rows")
        answers[each.name] = Answers(*_classifier(trained, folder.path / each.file, usable_cores()).answers(test.texts))
    latency = _latency(config, trained, files, folder, test)
    shipped = next(each for each in files if each.ships)
    variants = [_variant(config, trained, stages[each.stage], each, files, answers, latency, folder, test) for each in files]
    stage, first = stages[shipped.stage], trained.stages[0]
    chosen = answers[shipped.name].probabilities
    scores = stage.rule.score(chosen, answers[shipped.name].vectors)
    answered_right = chosen.argmax(axis=1) == test.targets
    surest = worst(chosen, test.targets, labels, test.texts)
    shown = [shortened(text) for text in test.texts]
    report = {
        "app": app,
        "task": "text_classification",
        "name": prepared.dataset.name,
        "created": now(),
        "quick": quick,
        "data": prepared.facts(),
        "model": {
            "structure": trained.spec.structure,
            "weights": trained.provenance["weights"]["name"],
            "layers": trained.spec.layers,
            "width": trained.spec.width,
            "parameters": int(sum(value.size for value in first.weights.values())),
        },
        "train": dict(first.figures),
        "compression": [{"name": each.name, **each.figures} for each in trained.stages[1:]],
        "calibration": dict(stage.calibration),
        "out_of_scope": _out_of_scope(stage, answers[shipped.name], test, labels),
        "risk_coverage": {
            "score": risk_coverage(scores, answered_right),
            "probability": risk_coverage(chosen.max(axis=1), answered_right),
        },
        "variants": variants,
        "chosen": shipped.name,
        "confusions": confusions(chosen, test.targets, labels, shown),
        "confused_pairs": confused_pairs(chosen, test.targets, labels, shown),
        "worst": _explained(surest, _classifier(trained, folder.path / shipped.file, usable_cores())),
        "reliability": reliability(chosen[test.targets >= 0], test.targets[test.targets >= 0], config.evaluate.bins),
        "parity": _parity(config, trained, stage, files, answers, folder, test),
        "machine": describe(),
        "seed": config.seed,
        "config": config.as_dict(),
        "command": command,
    }
    label_errors = label_errors_job.found_before(prepared, folder)
    if label_errors is not None:
        report["label_errors"] = label_errors
    report = write_report(folder, {**report, **fewer_rows.found(folder, config, report)})
    bundle = read_bundle(folder.bundle, verify=False)
    update_bundle(folder.bundle, {}, {CARD: render_model_card(report, bundle.description)})
    with folder.replacing(folder.board) as board:
        write_board(board, report, answers[shipped.name], test.targets, labels, test.texts, run=folder.path.resolve().name)
    return report


def write_report(folder: RunFolder, report: dict[str, Any]) -> dict[str, Any]:
    """Writes `report.json` and `report.html`. Returns the report."""
    folder.write_json(folder.report_json, report)
    folder.write(folder.report_html, render_html(report))
    return report


def _classifier(trained: TrainedClassifier, file: Path, threads: int) -> Classifier:
    with quiet():
        return Classifier(file, trained.tokeniser, trained.labels, trained.max_length, threads=threads)


def _explained(rows: list[dict[str, Any]], classifier: Classifier) -> list[dict[str, Any]]:
    """Errors with the words that moved the answer of the file that ships most: `words`, each as `predict --explain --json` gives it; texts are cut."""
    say(f"explaining the {len(rows)} errors that it was surest of")
    found = classifier.explain([row["text"] for row in rows], nearest=0)
    explained = []
    for row, each in zip(rows, found, strict=True):
        text = shortened(row["text"])
        moving = strongest(each.words, lambda word: word.weight) if each.label == row["predicted"] else ()
        words = [word.as_dict() for word in moving if text[word.start : word.end] == word.text]
        explained.append({**row, "text": text, "words": words})
    return explained


def _out_of_scope(stage: Stage, shipped: Answers, test: Part, labels: tuple[str, ...]) -> dict[str, Any]:
    """The report's section `out_of_scope`: the rule, and what every method reaches on the test rows with the file that ships."""
    methods = []
    for tried in stage.tried:
        scores = stage.scores[tried["method"]](shipped.probabilities, shipped.vectors)
        metrics = classification_metrics(shipped.probabilities, test.targets, labels, scores=scores, threshold=tried["threshold"])
        figures = {name: metrics.get(name) for name in ("in_scope_accuracy", "oos_recall", "oos_auroc", "fpr95")}
        methods.append({**tried, "metrics": figures})
    return {**stage.out_of_scope, "methods": methods}


def _variant(
    config: Config,
    trained: TrainedClassifier,
    stage: Stage,
    exported: Exported,
    files: list[Exported],
    answers: Mapping[str, Answers],
    latency: Mapping[str, Any],
    folder: RunFolder,
    test: Part,
) -> dict[str, Any]:
    file = folder.path / exported.file
    body = file.read_bytes()
    reference = next(each for each in files if each.stage == exported.stage and each.variant == "float32" and each.length is None)
    scope = test.targets >= 0
    given = answers[exported.name]
    right = {name: answers[name].probabilities.argmax(axis=1)[scope] == test.targets[scope] for name in (exported.name, REFERENCE)}
    return {
        "name": exported.name,
        "file": exported.file,
        "bytes": len(body),
        "gzip_bytes": len(zlib.compress(body, 6, wbits=31)),
        "sparsity": examine(file).sparsity("FULLY_CONNECTED"),
        "metrics": classification_metrics(
            given.probabilities,
            test.targets,
            trained.labels,
            scores=stage.rule.score(given.probabilities, given.vectors),
            threshold=stage.rule.threshold,
            bins=config.evaluate.bins,
        ),
        "latency_ms": latency[exported.name],
        "parity": {"against": reference.name, **compare(given.probabilities, answers[reference.name].probabilities)},
        "paired": {"against": REFERENCE, **paired_test(right[exported.name], right[REFERENCE])},
    }


def _latency(config: Config, trained: TrainedClassifier, files: list[Exported], folder: RunFolder, test: Part) -> dict[str, dict[str, Any]]:
    """Milliseconds a text, tokenising included, of every file in turn: `{name: {"threads_1": {"p50", "p95", ...}}}`."""
    rows = np.random.default_rng(config.seed).permutation(len(test.texts))[: config.evaluate.latency_texts]
    texts = [test.texts[row] for row in rows]
    result: dict[str, dict[str, Any]] = {each.name: {} for each in files}
    for threads in config.evaluate.threads:
        say(f"measuring latency with {threads} thread{'s' if threads > 1 else ''}")
        runs = {}
        for each in files:
            classifier = _classifier(trained, folder.path / each.file, threads)
            runs[each.name] = lambda text, classifier=classifier: classifier.probabilities([text])
        for name, figures in measure_in_turn(runs, texts, config.evaluate.latency_repeats).items():
            result[name][f"threads_{threads}"] = figures
    return result


def _parity(
    config: Config,
    trained: TrainedClassifier,
    stage: Stage,
    files: list[Exported],
    answers: Mapping[str, Answers],
    folder: RunFolder,
    test: Part,
) -> dict[str, Any]:
    """Keras against the SavedModel (strings in), the bare TFLite float32 file (ids in) and the runtime on that file (strings in)."""
    say("comparing Keras, SavedModel, TFLite and the runtime")
    reference = Forward(with_probabilities(trained.build(stage), stage.calibration["temperature"]))(test.tokens)
    float32 = next(each for each in files if each.stage == stage.name and each.variant == "float32" and each.length is None)
    others = {
        "saved_model": SavedModelClassifier(folder.bundle / SAVED_MODEL).probabilities(test.texts),
        "tflite": run_bare(folder.path / float32.file, test.tokens, usable_cores()),
        "runtime": answers[float32.name].probabilities,
    }
    return parity(reference, others, config.export.parity_bound)


def run_bare(file: Path, tokens: Tokens, threads: int, batch_size: int = 64) -> np.ndarray:
    """Probabilities `[n, classes]` of a dynamic-length file for token ids, with LiteRT alone: no tokeniser and no code of the runtime."""
    with quiet():
        runner = Interpreter(model_path=str(file), num_threads=threads).get_signature_runner("serving_default")
    result = None
    for batch in plan_in_order(tokens.lengths, batch_size):
        inputs = tokens.padded(batch.rows, batch.length)
        output = runner(**{name: inputs[name] for name in INPUTS})[OUTPUT]
        if result is None:
            result = np.empty((len(tokens), output.shape[1]), output.dtype)
        result[batch.rows] = output
    return result
