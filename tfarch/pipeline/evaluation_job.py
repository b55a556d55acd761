"""The last part of the main job: every figure of the report is measured here, on the exported files, through `tfarch.runtime`."""

from __future__ import annotations

import dataclasses
import functools
import operator
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tfarch.config import Config
from tfarch.data.batches import plan_in_order
from tfarch.data.tokens import Tokens
from tfarch.evaluation.board import write_board
from tfarch.evaluation.gate import asked_for, gate
from tfarch.evaluation.html import render_html
from tfarch.evaluation.latency import measure_in_turn
from tfarch.evaluation.machine import describe, usable_cores
from tfarch.evaluation.model_card import render_model_card
from tfarch.evaluation.out_of_scope import Answers
from tfarch.evaluation.tasks import views
from tfarch.export.bundle import update_bundle
from tfarch.export.linter import examine
from tfarch.export.parity import joined, parity, variant_parity
from tfarch.export.saved_model import SavedModelClassifier
from tfarch.models.classifier import with_probabilities
from tfarch.pipeline import fewer_rows, label_errors_job
from tfarch.pipeline.export_job import CARD, SAVED_MODEL, Exported
from tfarch.pipeline.prepare import Prepared, Tasks, hashes
from tfarch.pipeline.task_figures import network_of, sections, variant_figures
from tfarch.pipeline.trained import TrainedModel
from tfarch.progress import say
from tfarch.quiet import quiet
from tfarch.run_folder import RunFolder, now
from tfarch.runtime import Network, read_bundle
from tfarch.runtime.bundle import CLASSIFICATION, MULTITASK
from tfarch.runtime.signature import INPUTS, SINGLE, VECTOR, output_of
from tfarch.training.inference import Forward


def evaluate(
    config: Config,
    tasks: Tasks,
    trained: TrainedModel,
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
    answers = _answers(tasks, trained, files, folder)
    latency = _latency(config, tasks, trained, files, folder)
    shipped = next(each for each in files if each.ships)
    variants = [_variant(config, tasks, trained, each, files, answers, latency, folder) for each in files]
    by_name = {each.name: each for each in files}

    def network(name: str) -> Network:
        return network_of(trained.any, by_name[name], folder, usable_cores())

    stages = trained.any.stages
    found = {
        task: {
            **sections(config, task, prepared, trained.tasks[task], shipped, answers[task], network),
            **_label_errors(prepared, folder.of_task(task)),
        }
        for task, prepared in tasks.items()
    }
    report = {
        "app": app,
        "task": CLASSIFICATION if SINGLE in tasks else MULTITASK,
        "name": " and ".join(dict.fromkeys(prepared.dataset.name for prepared in tasks.values())),
        "created": now(),
        "quick": quick,
        **(found[SINGLE] if SINGLE in tasks else {"data": _data(tasks), "tasks": found}),
        "model": {
            "structure": stages[-1].spec.structure,
            "weights": trained.any.provenance["weights"]["name"],
            "layers": stages[-1].spec.layers,
            "width": stages[-1].spec.width,
            "parameters": int(sum(value.size for value in trained.weights(len(stages) - 1).values())),
        },
        "train": dict(stages[0].figures),
        "compression": [{"name": each.name, **each.figures} for each in stages[1:]],
        "variants": variants,
        "chosen": shipped.name,
        "parity": _parity(config, tasks, trained, shipped, files, answers, folder),
        "machine": describe(),
        "seed": config.seed,
        "config": config.as_dict(),
        "command": command,
    }
    promised = stages[-1].figures.get("recipe", {}).get("bounds", {})
    report["gate"] = gate(report, asked_for(dataclasses.asdict(config.gate), promised))
    report = write_report(folder, {**report, **fewer_rows.found(folder, config, report)})
    bundle = read_bundle(folder.bundle, verify=False)
    update_bundle(folder.bundle, {}, {CARD: render_model_card(report, bundle.description)})
    with folder.replacing(folder.board) as board:
        for task, view in views(report).items():
            test, run = tasks[task].test, "/".join(filter(None, (folder.path.resolve().name, task)))
            (board / task).mkdir(exist_ok=True)
            write_board(board / task, view, answers[task][shipped.name], test.targets, trained.tasks[task].labels, test.texts, run=run)
    return report


def write_report(folder: RunFolder, report: dict[str, Any]) -> dict[str, Any]:
    """Writes `report.json` and `report.html`. Returns the report."""
    folder.write_json(folder.report_json, report)
    folder.write(folder.report_html, render_html(report))
    return report


def _data(tasks: Tasks) -> dict[str, Any]:
    """The report's section `data` of several tasks: a row with labels of several of them counts once."""
    parts = {}
    for part in ("train", "valid", "test"):
        each = (Counter(getattr(prepared, part).texts) for prepared in tasks.values())
        parts[part] = functools.reduce(operator.or_, each).total()
    return {
        "name": " and ".join(dict.fromkeys(prepared.dataset.name for prepared in tasks.values())),
        **parts,
        "classes": sum(len(prepared.labels) for prepared in tasks.values()),
        "sha256": hashes(tasks),
    }


def _label_errors(prepared: Prepared, folder: RunFolder) -> dict[str, Any]:
    found = label_errors_job.found_before(prepared, folder)
    return {} if found is None else {"label_errors": found}


def _answers(tasks: Tasks, trained: TrainedModel, files: list[Exported], folder: RunFolder) -> dict[str, dict[str, Answers]]:
    """Each task's answers by file for its test rows; a text that several tasks are tested on is asked once."""
    texts = list(dict.fromkeys(text for prepared in tasks.values() for text in prepared.test.texts))
    places = {text: place for place, text in enumerate(texts)}
    rows = {task: [places[text] for text in prepared.test.texts] for task, prepared in tasks.items()}
    answers: dict[str, dict[str, Answers]] = {task: {} for task in tasks}
    for each in files:
        say(f"evaluating {each.name} on {len(texts):,} test rows")
        network = network_of(trained.any, each, folder, usable_cores())
        *probabilities, vectors = network.of_texts(texts, (*map(output_of, tasks), VECTOR))
        for task, found in zip(tasks, probabilities, strict=True):
            answers[task][each.name] = Answers(found[rows[task]], vectors[rows[task]])
    return answers


def _variant(
    config: Config,
    tasks: Tasks,
    trained: TrainedModel,
    exported: Exported,
    files: list[Exported],
    answers: Mapping[str, Mapping[str, Answers]],
    latency: Mapping[str, Any],
    folder: RunFolder,
) -> dict[str, Any]:
    file = folder.path / exported.file
    body = file.read_bytes()
    reference = next(each for each in files if each.stage == exported.stage and each.variant == "float32" and each.length is None)
    found = {
        task: variant_figures(config, trained.tasks[task], exported, reference, answers[task], prepared.test)
        for task, prepared in tasks.items()
    }
    return {
        "name": exported.name,
        "file": exported.file,
        "bytes": len(body),
        "gzip_bytes": len(zlib.compress(body, 6, wbits=31)),
        "sparsity": examine(file).sparsity("FULLY_CONNECTED"),
        "latency_ms": latency[exported.name],
        "parity": variant_parity([each["parity"] for each in found.values()]),
        **{
            name: found[SINGLE][name] if SINGLE in found else {task: each[name] for task, each in found.items()}
            for name in ("metrics", "paired")
        },
    }


def _latency(config: Config, tasks: Tasks, trained: TrainedModel, files: list[Exported], folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Milliseconds a text, tokenising included and all tasks answered, of every file in turn: `{name: {"threads_1": {"p50", "p95", ...}}}`."""
    every = [text for prepared in tasks.values() for text in prepared.test.texts]
    rows = np.random.default_rng(config.seed).permutation(len(every))[: config.evaluate.latency_texts]
    texts, outputs = [every[row] for row in rows], tuple(map(output_of, tasks))
    result: dict[str, dict[str, Any]] = {each.name: {} for each in files}
    for threads in config.evaluate.threads:
        say(f"measuring latency with {threads} thread{'s' if threads > 1 else ''}")
        runs = {}
        for each in files:
            network = network_of(trained.any, each, folder, threads)
            runs[each.name] = lambda text, network=network: network.of_texts([text], outputs)
        for name, figures in measure_in_turn(runs, texts, config.evaluate.latency_repeats).items():
            result[name][f"threads_{threads}"] = figures
    return result


def _parity(
    config: Config,
    tasks: Tasks,
    trained: TrainedModel,
    shipped: Exported,
    files: list[Exported],
    answers: Mapping[str, Mapping[str, Answers]],
    folder: RunFolder,
) -> dict[str, Any]:
    """Keras against the SavedModel (strings in), the bare TFLite float32 file (ids in) and the runtime on that file (strings in)."""
    say("comparing Keras, SavedModel, TFLite and the runtime")
    saved_model = SavedModelClassifier(folder.bundle / SAVED_MODEL)
    float32 = next(each for each in files if each.stage == shipped.stage and each.variant == "float32" and each.length is None)
    figures = []
    for task, prepared in tasks.items():
        test, own = prepared.test, trained.tasks[task]
        stage = own.stage(shipped.stage)
        tokens = test.read_by(stage.tokeniser, own.max_length).tokens
        reference = Forward(with_probabilities(own.build(stage), stage.calibration["temperature"]))(tokens)
        others = {
            "saved_model": saved_model.answers(test.texts)[task],
            "tflite": run_bare(folder.path / float32.file, tokens, usable_cores(), output=output_of(task)),
            "runtime": answers[task][float32.name].probabilities,
        }
        figures.append(parity(reference, others, config.export.parity_bound))
    return joined(figures)


def run_bare(file: Path, tokens: Tokens, threads: int, batch_size: int = 64, output: str = output_of(SINGLE)) -> np.ndarray:
    """Probabilities `[n, classes]` of a dynamic-length file for token ids, with LiteRT alone: no tokeniser and no code of the runtime."""
    with quiet():
        runner = Interpreter(model_path=str(file), num_threads=threads).get_signature_runner("serving_default")
    result = None
    for batch in plan_in_order(tokens.lengths, batch_size):
        inputs = tokens.padded(batch.rows, batch.length)
        found = runner(**{name: inputs[name] for name in INPUTS})[output]
        if result is None:
            result = np.empty((len(tokens), found.shape[1]), found.dtype)
        result[batch.rows] = found
    return result
