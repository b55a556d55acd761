"""Measured on the files that ship: whether they recommend what was learned, and how fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfarch.data.behaviour import Interactions
from tfarch.evaluation.latency import measure_in_turn
from tfarch.progress import say
from tfarch.quiet import quiet
from tfarch.runtime.bundle import open_bundle
from tfarch.runtime.recommender import ARRAYS, Recommender, load_recommender
from tfarch.runtime.signals import History

ASKED, ASKED_OF_LARGE, LARGE = 200, 20, 100_000  # histories, where all items are scored for each in a moment, and where that takes a second
LISTED = 10
LEAST = 0.9  # share of the listed items under which a file is worth a warning

Best = Callable[[History], Sequence[int]]  # numbers of the items that are recommended, the best first


def some_histories(log: Interactions, learned: Recommender) -> list[History]:
    """Of users of the log, evenly."""
    from tfarch.training.recommender import history_of

    most = ASKED if len(learned.ids) < LARGE else ASKED_OF_LARGE
    rows = [own for own in log.of_users() if len(own)]
    return [history_of(log, own, learned.liked) for own in rows[:: max(1, len(rows) // most)][:most]]


def proof(bundle: Path, learned: Recommender, asked: Sequence[History]) -> dict[str, Any]:
    """Asks every file of a bundle that recommends, and what was learned itself, for the ten best of each history.

    Args:
        learned: as it is in memory, in float and without an index.

    Returns:
        `queries`, and `files`: for each by its name `same`, the share of the items that `learned` lists which the file lists too, and of those that run without TensorFlow milliseconds of a
        query at one thread, `p50`, `p95`, `p99` (numpy has its own threads).
    """
    wanted = [set(_of_python(learned)(history)) for history in asked]
    with quiet():  # LiteRT tells which delegate it takes
        files, tensorflow = _files(bundle)
        found = {name: {"same": _share(wanted, map(best, asked))} for name, best in {**files, **tensorflow}.items()}
        for name, times in measure_in_turn(files, asked, 1).items():
            found[name] |= {share: times[share] for share in ("p50", "p95", "p99")}
    for name, each in found.items():
        if each["same"] < LEAST:
            say(f"warning: {name} lists {100 * each['same']:.0f} % of the items that were learned to be the best")
    return {"queries": len(asked), "files": found}


def _share(wanted: Sequence[set[int]], listed: Iterable[Sequence[int]]) -> float:
    return float(
        np.mean(
            [len(own & set(each)) / max(1, len(own), len(each)) if own or each else 1.0 for own, each in zip(wanted, listed, strict=True)]
        )
    )


def _files(bundle: Path) -> tuple[dict[str, Best], dict[str, Best]]:
    """Those that run without TensorFlow, and the SavedModel."""
    described, recommender = open_bundle(bundle).description, load_recommender(bundle)
    light: dict[str, Best] = {ARRAYS: _of_python(recommender)}
    if "tflite" in described:
        light[described["tflite"]["file"]] = _of_tflite(bundle / described["tflite"]["file"], min(LISTED, len(recommender.ids)))
    heavy: dict[str, Best] = {}
    if "saved_model" in described:
        heavy[described["saved_model"]["folder"]] = _of_saved_model(bundle / described["saved_model"]["folder"], recommender)
    return light, heavy


def _of_python(recommender: Recommender) -> Best:
    return lambda history: [recommender.number(each.item) for each in recommender.recommend(history, LISTED)]


def _of_tflite(file: Path, count: int) -> Best:
    from ai_edge_litert.interpreter import Interpreter

    from tfarch.export.recommender_graph import NO_CANDIDATE

    run = Interpreter(model_path=str(file), num_threads=1).get_signature_runner("serving_default")

    def best(history: History) -> Sequence[int]:
        inputs = {"items": np.int32, "wanted": np.float32, "behaviours": np.int32}
        told = run(**{name: getattr(history, name).astype(kind) for name, kind in inputs.items()}, k=np.int32(count))
        return told["items"][told["scores"] > NO_CANDIDATE].tolist()

    return best


def _of_saved_model(folder: Path, recommender: Recommender) -> Best:
    import tensorflow as tf

    run = tf.saved_model.load(str(folder)).signatures["events"]
    values = np.array([recommender.liked - 1.0, recommender.liked], np.float32)

    def best(history: History) -> Sequence[int]:
        ids = [[recommender.ids[number] for number in history.items]]
        behaviours = [[recommender.behaviours[number] for number in history.behaviours]]
        told = run(
            history=tf.constant(ids, tf.string),
            values=tf.constant([values[history.wanted.astype(int)]]),
            behaviours=tf.constant(behaviours, tf.string),
            k=tf.constant(min(LISTED, len(recommender.ids))),
        )
        return [recommender.number(each.decode()) for each in told["items"].numpy()[0] if each]

    return best
