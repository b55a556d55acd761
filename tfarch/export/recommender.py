"""A recommender's files for other programs: histories to the best items as TFLite and as a SavedModel, and the text tower as TFLite.

The TFLite file takes one history, padded with -1 where one is needed: `items` int32, `wanted` float32 (1, or 0 for what was had and not liked) and `behaviours` int32,
each `[events]` in the order of time, and `k` int32. It gives `items` int32 and `scores` float32 `[k]`; what has no recommendation to give has the lowest float as its score.
Numbers are places in the ids of items.json.

The SavedModel takes ids: `serving_default` the histories of a batch, string `[batch, events]` padded with "", and `k`; `events` has values and behaviours of the events
too. Both give `items` string and `scores` float32 `[batch, k]`; ids that it does not know are passed over, and "" is no recommendation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from tfarch.errors import InputError, unknown
from tfarch.export.bundle import Content, arrays_file
from tfarch.export.recommender_graph import NO_CANDIDATE, RecommenderGraph
from tfarch.export.saved_model import save_module
from tfarch.export.tflite import Converter
from tfarch.runtime.nearest import Nearest
from tfarch.runtime.recommender import ARRAYS, ITEMS, Recommender

TFLITE, SAVED_MODEL, NEAREST = "recommender.tflite", "saved_model/1", "nearest.voyager"
LARGE = 100_000  # items from which on not all of them are scored
# dynamic_int8: what the converter makes of the tables of vectors; int8_index: they stay at a byte a number, by rows, and what else is of items at two.
VARIANTS = ("float32", "dynamic_int8", "int8_index")


def recommender_file(recommender: Recommender, variant: str = "float32") -> bytes:
    """The TFLite file of a recommender.

    Raises:
        InputError: unknown variant.
    """
    if variant not in VARIANTS:
        raise unknown("variant", variant, VARIANTS)
    graph = RecommenderGraph(recommender, int8=variant == "int8_index")
    events = {"items": tf.int32, "wanted": tf.float32, "behaviours": tf.int32}

    @tf.function(input_signature=[*(tf.TensorSpec((None,), kind, name) for name, kind in events.items()), tf.TensorSpec((), tf.int32, "k")])
    def run(items, wanted, behaviours, k):
        numbers, scores = graph.top(*(tf.expand_dims(each, 0) for each in (items, wanted, behaviours)), k)
        return {"items": tf.squeeze(numbers, 0), "scores": tf.squeeze(scores, 0)}

    with Converter(run, graph.variables) as converter:
        return converter.plain("float32" if variant == "float32" else "dynamic_int8")


def recommender_files(
    recommender: Recommender, scratch: Path, *, int8: bool, search: str, tflite: bool, saved_model: bool
) -> tuple[dict[str, Content], dict[str, Any]]:
    """What a bundle holds of a recommender, and what its bundle.json says of that.

    Args:
        scratch: an empty folder, needed until the bundle is written.
        int8: tables of vectors at a byte a number.
        search: `exact`, `approximate` (an index, see `tfarch.runtime.nearest`), or `auto`: approximate from `LARGE` items on, where there is an interest model.
        tflite, saved_model: whether these are wanted.

    Raises:
        InputError: an index is wanted, and what it needs is not installed or there are no vectors.
    """
    index = "int8" if int8 else "float32"
    vectors = recommender.signals.vectors
    if search == "approximate" and vectors is None:
        raise InputError("an index is of an interest model's vectors, and there is none", mend="export.search=exact")
    items, arrays = recommender.as_files(int8=int8)
    files: dict[str, Content] = {ITEMS: items, ARRAYS: arrays_file(**arrays)}
    described: dict[str, Any] = {"items": {"file": ITEMS}, "arrays": {"file": ARRAYS}, "index": index}
    if search == "approximate" or (search == "auto" and vectors is not None and len(vectors) >= LARGE):
        files[NEAREST] = Nearest.of(vectors).as_bytes()
        described["nearest"] = {"file": NEAREST}
    if tflite:
        files[TFLITE] = recommender_file(recommender, "int8_index" if int8 else "float32")
        described["tflite"] = {"file": TFLITE}
    if saved_model:
        write_recommender_saved_model(scratch / "1", recommender)
        files[SAVED_MODEL] = scratch / "1"
        described["saved_model"] = {"folder": SAVED_MODEL}
    return files, described


def text_tower_file(tower: tf.keras.Model, variant: str) -> bytes:
    """The TFLite file of a text tower (see `tfarch.models.interest.text_tower`), one of `tfarch.export.tflite.VARIANTS`."""
    with Converter.of_texts(tower) as converter:
        return converter.convert(variant)


def write_recommender_saved_model(directory: Path, recommender: Recommender) -> None:
    """Writes `directory` (for TF Serving: a folder whose name is the version's number), in place of what was there.

    Raises:
        TfarchError: the disk is full or the folder cannot be written.
    """
    module = _OfIds(recommender)
    save_module(directory, module, {"serving_default": module.serve, "events": module.events})


class _OfIds(tf.Module):
    def __init__(self, recommender: Recommender):
        super().__init__(name="recommender")
        self._graph, self._liked = RecommenderGraph(recommender), recommender.liked
        self._ids = tf.constant(recommender.ids)
        self._numbers, self._behaviours = _numbers(recommender.ids, -1), _numbers(recommender.behaviours, 0)
        strings, k = tf.TensorSpec((None, None), tf.string), tf.TensorSpec((), tf.int32, "k")
        history = tf.TensorSpec((None, None), tf.string, "history")
        self.serve = tf.function(self._serve, input_signature=[history, k])
        values = tf.TensorSpec((None, None), tf.float32, "values")
        self.events = tf.function(self._events, input_signature=[history, values, tf.TensorSpec(strings.shape, tf.string, "behaviours"), k])

    def _serve(self, history, k):
        return self._top(history, tf.ones(tf.shape(history)), tf.zeros(tf.shape(history), tf.int32), k)

    def _events(self, history, values, behaviours, k):
        return self._top(history, tf.cast(values >= self._liked, tf.float32), self._behaviours.lookup(behaviours), k)

    def _top(self, history, wanted, behaviours, k):
        numbers, scores = self._graph.top(self._numbers.lookup(history), wanted, behaviours, k)
        return {"items": tf.where(scores > NO_CANDIDATE, tf.gather(self._ids, numbers), ""), "scores": scores}


def _numbers(names: tuple[str, ...], otherwise: int) -> tf.lookup.StaticHashTable:
    initial = tf.lookup.KeyValueTensorInitializer(tf.constant(names), tf.range(len(names)))
    return tf.lookup.StaticHashTable(initial, otherwise)
