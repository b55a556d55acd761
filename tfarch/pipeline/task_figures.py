"""What an evaluation says of one task: every figure that depends on its labels, from the answers that the exported files gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfarch.config import Config
from tfarch.data.check import shortened
from tfarch.evaluation.calibration import reliability
from tfarch.evaluation.confusion import confused_pairs, confusions, worst
from tfarch.evaluation.cost import cost, in_short, typos
from tfarch.evaluation.figures import REFERENCE
from tfarch.evaluation.metrics import classification_metrics, paired_test
from tfarch.evaluation.out_of_scope import Answers
from tfarch.evaluation.selective import risk_coverage
from tfarch.export.parity import compare
from tfarch.pipeline.export_job import Exported
from tfarch.pipeline.prepare import Part, Prepared
from tfarch.pipeline.trained import Stage, TrainedClassifier
from tfarch.progress import say
from tfarch.quiet import quiet
from tfarch.run_folder import RunFolder
from tfarch.runtime import Classifier, Network
from tfarch.runtime.explanation import strongest
from tfarch.runtime.signature import output_of


def network_of(trained: TrainedClassifier, exported: Exported, folder: RunFolder, threads: int) -> Network:
    """An exported file, ready to run."""
    with quiet():
        return Network(folder.path / exported.file, trained.stage(exported.stage).tokeniser, trained.max_length, threads=threads)


def sections(
    config: Config,
    task: str,
    prepared: Prepared,
    trained: TrainedClassifier,
    shipped: Exported,
    answers: Mapping[str, Answers],
    network: Callable[[str], Network],
) -> dict[str, Any]:
    """The report's sections on this task, of the file that ships.

    Args:
        answers: of each file for the test rows.
        network: runs the file of this name.
    """
    test, labels = prepared.test, trained.labels
    stage = trained.stage(shipped.stage)
    chosen = answers[shipped.name].probabilities
    scores = stage.rule.score(chosen, answers[shipped.name].vectors)
    answered_right = chosen.argmax(axis=1) == test.targets
    shown = [shortened(text) for text in test.texts]
    surest = worst(chosen, test.targets, labels, test.texts)
    return {
        "data": prepared.facts(),
        "calibration": dict(stage.calibration),
        "out_of_scope": _out_of_scope(stage, answers[shipped.name], test, labels),
        "risk_coverage": {
            "score": risk_coverage(scores, answered_right),
            "probability": risk_coverage(chosen.max(axis=1), answered_right),
        },
        "confusions": confusions(chosen, test.targets, labels, shown),
        "confused_pairs": confused_pairs(chosen, test.targets, labels, shown),
        "worst": _explained(surest, Classifier(network(shipped.name), labels, output=output_of(task))),
        "reliability": reliability(chosen[test.targets >= 0], test.targets[test.targets >= 0], config.evaluate.bins),
        **_cost(config, task, prepared, labels, shipped, answers, network),
    }


def _cost(
    config: Config,
    task: str,
    prepared: Prepared,
    labels: tuple[str, ...],
    shipped: Exported,
    answers: Mapping[str, Answers],
    network: Callable[[str], Network],
) -> dict[str, Any]:
    """The report's section `cost`: of the file that ships against the float32 file of the trained model, where it is another one; and in short of every other file."""
    test, rows = prepared.test.in_scope, prepared.test.targets >= 0
    if shipped.name == REFERENCE or not len(test.texts):
        return {}
    given = {name: each.probabilities[rows] for name, each in answers.items()}
    shown, train_rows = [shortened(text) for text in test.texts], np.bincount(prepared.train.targets, minlength=len(labels))
    costs = {name: cost(own, given[REFERENCE], test.targets, labels, shown, train_rows) for name, own in given.items() if name != REFERENCE}
    found = costs[shipped.name]
    variants = {name: {"name": name, **in_short(each)} for name, each in costs.items()}
    if config.evaluate.typo_rows:
        say("asking again with typos")
        models = {name: lambda texts, name=name: network(name).of_texts(texts, (output_of(task),))[0] for name in given}
        asked, slipped = typos(models, given, test.texts, test.targets, rows=config.evaluate.typo_rows, seed=config.seed)
        before = {f"reference_{kind}": share for kind, share in slipped[REFERENCE].items()}
        found["typos"] = {"rows": asked, **slipped[shipped.name], **before}
        variants = {name: {**each, "typos": slipped[name]} for name, each in variants.items()}
    return {"cost": {"against": REFERENCE, **found, "variants": list(variants.values())}}


def variant_figures(
    config: Config, trained: TrainedClassifier, exported: Exported, reference: Exported, answers: Mapping[str, Answers], test: Part
) -> dict[str, Any]:
    """What a file's entry in the report says of this task: `metrics`, `parity` with the float32 file of its stage, `paired` with that of the plain one."""
    stage = next(each for each in trained.stages if each.name == exported.stage)
    given, scope = answers[exported.name], test.targets >= 0
    right = {name: answers[name].probabilities.argmax(axis=1)[scope] == test.targets[scope] for name in (exported.name, REFERENCE)}
    return {
        "metrics": classification_metrics(
            given.probabilities,
            test.targets,
            trained.labels,
            scores=stage.rule.score(given.probabilities, given.vectors),
            threshold=stage.rule.threshold,
            bins=config.evaluate.bins,
        ),
        "parity": {"against": reference.name, **compare(given.probabilities, answers[reference.name].probabilities)},
        "paired": {"against": REFERENCE, **paired_test(right[exported.name], right[REFERENCE])},
    }


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
