"""A run's settings and results for TensorBoard's tab HPARAMS, where the runs under one folder stand side by side."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
from tensorboard.plugins.hparams.summary_v2 import hparams_pb

from tfarch.evaluation.figures import chosen_variant, latency

# The settings that make a difference to what comes out, by section; heads, feed_forward and the like follow from the weights in most runs.
SETTINGS = {
    "data": ("max_length",),
    "model": ("structure", "weights", "dropout", "attention_dropout", "pooling", "unit_vectors", "vocabulary"),
    "train": (
        "batch_size",
        "optimizer",
        "schedule",
        "warmup",
        "weight_decay",
        "layer_decay",
        "clip_norm",
        "l2",
        "label_smoothing",
        "focal_gamma",
        "class_weights",
        "accumulate",
        "head_start",
        "interpolate",
        "monitor",
        "patience",
    ),
    "compress": ("recipe",),
}
# Those that may be left open (0, auto), as the run settled them: name here, section and key in the report.
SETTLED = {
    "data.rows": ("data", "train"),
    "model.layers": ("model", "layers"),
    "model.width": ("model", "width"),
    "model.parameters": ("model", "parameters"),
    "train.epochs": ("train", "epochs"),
    "train.learning_rate": ("train", "learning_rate"),
    "train.precision": ("train", "precision"),
    "train.freeze": ("train", "frozen"),
}


def hyper_parameters(report: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """What made the run, by `section.key` as in the settings; a list is one text."""
    config = report["config"]
    found = {f"{section}.{key}": config[section][key] for section, keys in SETTINGS.items() for key in keys}
    found |= {name: report[section][key] for name, (section, key) in SETTLED.items()}
    found |= {"data.name": report["data"]["name"], "export.ship": report["chosen"], "seed": report["seed"]}
    return {name: ", ".join(value) if isinstance(value, list) else value for name, value in sorted(found.items())}


def results(report: Mapping[str, Any]) -> dict[str, float]:
    """The shipped file's figures: shares from 0 to 1, megabytes, and median milliseconds of one text at the fewest threads measured."""
    variant = chosen_variant(report)
    metrics = {name: variant["metrics"][name] for name in ("accuracy", "macro_f1", "ece")}
    return {**metrics, "size_mb": variant["bytes"] / 1e6, "latency_p50_ms": latency(variant)[0]}


def session(values: Mapping[str, bool | int | float | str], name: str, finished: str) -> Iterator[Summary]:
    """The summaries that make a run a line of the tab.

    Args:
        values: the hyper-parameters.
        name: the line's; lines of one name would be averaged.
        finished: when the results were measured, as `tfarch.run_folder.now` writes it.
    """
    seconds = datetime.datetime.fromisoformat(finished).timestamp()
    yield hparams_pb(dict(values), trial_id=name, start_time_secs=seconds)
    ended = HParamsPluginData(session_end_info=SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=seconds))
    described = metadata.create_summary_metadata(ended)
    yield Summary(value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=described, tensor=metadata.NULL_TENSOR)])
