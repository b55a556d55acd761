"""Contrastive tuning: an encoder learns that the two texts of a pair are nearer to each other than to the other texts of the batch.

The other pairs of a batch serve as the wrong answers, so nothing but pairs is needed (Henderson et al. 2017, "Efficient Natural Language Response
Suggestion for Smart Reply", section 4.4; van den Oord et al. 2018, InfoNCE, equation 4). What is told apart is a batch, `[batch, batch]` scores at a time;
memory does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfarch.config import TrainConfig
from tfarch.data.pairs import TextPairs
from tfarch.errors import InputError
from tfarch.models.encoder import body, text_inputs
from tfarch.models.spec import Spec
from tfarch.models.weights import set_weights
from tfarch.training.callbacks import Callback
from tfarch.training.interpolation import between
from tfarch.training.objectives import Objective
from tfarch.training.trainer import LAST, Trainer

TEMPERATURE = 0.05  # of cosines, as in SimCSE (Gao, Yao and Chen 2021, section 3)
# A pre-trained encoder needs little, and forgets with more: two passes over a thousand pairs are 60 updates.
SETTINGS = TrainConfig(epochs=2, batch_size=32, learning_rate=1e-4, freeze=["token_embedding/*"], monitor=LAST)


def in_batch_softmax(queries: tf.Tensor, candidates: tf.Tensor, ids: tf.Tensor, temperature: float) -> tf.Tensor:
    """The negative log-probability of each query's own candidate among all candidates of the batch, float32 `[n]`.

    The scores are `queries @ candidates^T / temperature`: cosines where the vectors have length 1.

    Args:
        queries: `[n, width]`.
        candidates: `[n, width]`; row i belongs to query i.
        ids: int `[n]`: what each row stands for. A candidate of the query's own id is no wrong answer to it and is left out, but for row i itself;
            one of an id below 0 is padding and is left out for all.
    """
    scores = tf.matmul(tf.cast(queries, tf.float32), tf.cast(candidates, tf.float32), transpose_b=True) / temperature
    rows = tf.range(tf.shape(ids)[0])
    own = tf.expand_dims(rows, 1) == tf.expand_dims(rows, 0)
    left_out = tf.logical_or(tf.expand_dims(ids, 1) == tf.expand_dims(ids, 0), tf.expand_dims(ids < 0, 0))
    scores = tf.where(tf.logical_and(left_out, tf.logical_not(own)), scores.dtype.min, scores)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=rows, logits=scores)


def pair_objective(temperature: float = TEMPERATURE) -> Objective:
    """`in_batch_softmax` of the cosines of the pairs' texts, from each text to its partner's side: vectors `[2n, width]` and groups `[2n]` as `TextPairs` lays them.

    Under accumulation and on several replicas the wrong answers are those of the text's own batch and replica.
    """

    def loss(vectors: tf.Tensor, groups: tf.Tensor) -> tf.Tensor:
        units = tf.math.l2_normalize(tf.cast(vectors, tf.float32), axis=-1)
        first, second, ids = units[::2], units[1::2], groups[::2]
        there = in_batch_softmax(first, second, ids, temperature)
        back = in_batch_softmax(second, first, ids, temperature)
        return tf.reshape(tf.stack([there, back], axis=1), [-1])

    return loss


@dataclass(frozen=True)
class Tuned:
    """What tuning gave: the encoder's weights before and after it, by name, and the figures of the training."""

    start: Mapping[str, np.ndarray]
    end: Mapping[str, np.ndarray]
    figures: dict

    def weights(self, share: float = 0.5) -> dict[str, np.ndarray]:
        """The weights at `share` (0 to 1) of the way from start to end: half-way has learned the pairs and forgotten little (see `interpolation`)."""
        return between(self.start, self.end, share)


def tune_encoder(
    spec: Spec,
    weights: Mapping[str, np.ndarray],
    pairs: TextPairs,
    settings: TrainConfig = SETTINGS,
    *,
    temperature: float = TEMPERATURE,
    dropout: float = 0.1,
    seed: int = 0,
    folder: Path | None = None,
    callbacks: Sequence[Callback] = (),
) -> Tuned:
    """Tunes the encoder of structure `spec` from `weights` on pairs of texts.

    Args:
        pairs: of two groups or more.
        settings: see `TrainConfig`; a batch holds `batch_size` pairs.
        folder, callbacks: see `Trainer`.

    Raises:
        InputError: there is nothing to tell apart, or a setting cannot hold.
        NonFiniteLossError: the loss is NaN or infinite.
    """
    if len(np.unique(pairs.targets)) < 2:
        raise InputError(f"{len(pairs)} pairs of {len(np.unique(pairs.targets))} group: contrastive tuning tells two or more apart")

    def build() -> tf.keras.Model:
        inputs = text_inputs()
        model = tf.keras.Model(inputs, body(spec, inputs, dropout=dropout, seed=seed), name="encoder")
        set_weights(model, weights)
        return model

    trainer = Trainer(settings, seed=seed, folder=folder, callbacks=callbacks)
    trained = trainer.fit(build, pair_objective(temperature), pairs, lambda model: {}, layers=spec.layers)
    return Tuned(weights, trained.weights, trained.figures)
