"""Training of the interest model, and what it then says of items and users."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfarch.config import TrainConfig
from tfarch.data.batches import plan_in_order
from tfarch.data.behaviour import Interactions
from tfarch.data.sequences import ItemSequences
from tfarch.data.states import States
from tfarch.data.tokens import Tokens
from tfarch.models.encoder import body, text_inputs, token_states
from tfarch.models.interest import InterestSpec, build_interest, item_tower, text_tower
from tfarch.models.item_factors import ItemFactors
from tfarch.models.spec import EncoderSpec
from tfarch.models.weights import get_weights, named_variables, save_weights, set_weights
from tfarch.runtime.signals import UNWANTED
from tfarch.runtime.user_tower import OF_USERS, UserTower
from tfarch.training.callbacks import Callback
from tfarch.training.inference import Forward
from tfarch.training.objectives import match_objective, next_item_objective
from tfarch.training.trainer import Trained, Trainer

Weights = Mapping[str, np.ndarray]
LONGEST = 50  # events of a stretch
FORETOLD = 0.2  # what an event that its user did not want counts as what is to be foretold
# What an interest model has beside its encoder.
OWN = ("item_projection/", "item_ids/", "event_weights/", "fading_mean/", "history_", "sampling/", "next_item/", "match/")


def train_interest(
    spec: InterestSpec,
    weights: Weights,
    sequences: ItemSequences,
    counts: np.ndarray,
    settings: TrainConfig,
    *,
    temperature: float = 0.1,
    dropout: float = 0.1,
    seed: int = 0,
    folder: Path | None = None,
    callbacks: Sequence[Callback] = (),
    evaluate: Callable[[Interest], dict[str, float]] | None = None,
) -> Trained:
    """Trains the model of structure `spec`, its encoder from `weights` (empty: random ones); `sequences` have the states of the layers that stay as they are, where there are some.

    Args:
        counts: events of each item that are learned from, `[items]`.
        settings, folder, callbacks: see `Trainer`.
        evaluate: validation metrics after each epoch, of what the model then says.

    Raises:
        InputError: a setting cannot hold, or the weights do not fit.
        NonFiniteLossError: the loss is NaN or infinite.
    """
    items = len(sequences.tokens)

    def build() -> tf.keras.Model:
        model = build_interest(spec, items, dropout=dropout, temperature=temperature, seed=seed)
        if weights:
            set_weights(model, _above(weights, model, spec), optional=OWN)
        if spec.ids:
            named_variables(model)["item_ids/counts"].assign(counts.astype(np.float32))
        return model

    def metrics(model: tf.keras.Model) -> dict[str, float]:
        return {} if evaluate is None else evaluate(Interest.of(spec, get_weights(model), sequences.tokens))

    trainer = Trainer(settings, seed=seed, folder=folder, callbacks=callbacks)
    objective = match_objective if spec.objective == "match" else next_item_objective
    return trainer.fit(build, objective, sequences, metrics, layers=spec.encoder.layers)


def _above(weights: Weights, model: tf.keras.Model, spec: InterestSpec) -> Weights:
    """Without those of the layers whose states the model is given."""
    own = named_variables(model)
    return weights if spec.below is None else {name: value for name, value in weights.items() if name in own}


def sequences_of(
    log: Interactions, tokens: Tokens | States, liked: float, *, after: float = -math.inf, match: bool = False, longest: int = LONGEST
) -> ItemSequences:
    """The stretches of a log's users, `tokens` being of its items' texts: what was wanted is history and is to be foretold, what was not counts less as both.

    Args:
        liked: value from which on an event is what its user wanted.
        after: only events later than that are to be foretold; those before are history.
        match: what was wanted is to be told from what was not.
    """
    wanted = log.values >= liked
    amounts, foretold = np.where(wanted, 1.0, UNWANTED), np.where(wanted | match, 1.0, FORETOLD) * (log.times > after)
    found = ItemSequences.of(tokens, log.of_users(), log.items, log.behaviours, amounts, foretold, longest=longest)
    return dataclasses.replace(found, unwanted=found.amounts < 1.0) if match else found


@dataclass(frozen=True)
class Interest:
    """What a trained model says.

    vectors: of all items, of length 1, float32 `[items, width]`.
    users: makes the state of one.
    spec, weights: of the model.
    """

    vectors: np.ndarray
    users: UserTower
    spec: InterestSpec
    weights: Weights

    def write(self, file: Path) -> None:
        """Writes the weights, but for those of the layers below.

        Raises:
            TfarchError: the disk is full or the folder cannot be written.
        """
        own = named_variables(build_interest(self.spec, 1))
        save_weights({name: value for name, value in self.weights.items() if name in own}, file)

    @classmethod
    def of(cls, spec: InterestSpec, weights: Weights, tokens: Tokens | States) -> Interest:
        """By the weights of `build_interest` (and of what is below it), of items with these texts."""
        tower = item_tower(spec)
        set_weights(tower, {name: weights[name] for name in named_variables(tower)})
        vectors = vectors_of(tower, tokens, np.arange(len(tokens), dtype=np.int32))
        users = UserTower({name: value for name, value in weights.items() if name.startswith(OF_USERS)}, spec.heads)
        return cls(vectors, users, spec, weights)

    def text_tower(self) -> tf.keras.Model:
        """See `tfarch.models.interest.text_tower`."""
        tower = text_tower(self.spec)
        set_weights(tower, {name: self.weights[name] for name in named_variables(tower)})
        return tower

    def state(self, items: np.ndarray, behaviours: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Of a user after all events of his history, float32 `[width]`; zeros where there is none."""
        return self.users.state(self.vectors[items.astype(np.int64)], behaviours, amounts)


def with_hard_negatives(sequences: ItemSequences, factors: ItemFactors, count: int) -> ItemSequences:
    """The stretches with `count` items beside each that its user did not have, though a linear model of the same log would have thought so: the highest scores, other ones
    beside each of a user's stretches."""
    negatives = np.empty((len(sequences), count), np.int32)
    for user in np.unique(sequences.targets):
        own = np.flatnonzero(sequences.targets == user)
        had = np.unique(np.concatenate([sequences.items[sequences.offsets[row] : sequences.offsets[row + 1]] for row in own]))
        scores = factors.scores(had, np.ones(len(had)))
        scores[had] = -np.inf
        best = np.argsort(-scores, kind="stable")[: count * len(own)]
        best = np.resize(best[np.isfinite(scores[best])], count * len(own))
        negatives[own] = best.reshape(count, len(own)).T  # each stretch gets some of the highest
    return dataclasses.replace(sequences, negatives=negatives)


def rearranged(
    weights: Weights, old: tuple[Sequence[str], Sequence[str]], new: tuple[Sequence[str], Sequence[str]], counts: np.ndarray
) -> dict[str, np.ndarray]:
    """The weights of a model for other items and behaviours, each the ids and names of both: what is in both keeps its own, what is new starts with nothing.

    Args:
        counts: events of each new item that are learned from.
    """
    items, behaviours = (_places(before, after) for before, after in zip(old, new, strict=True))
    of_items = ("item_ids/table", "sampling/seen")
    found = dict(weights)
    for names, places in ((of_items, items), (("event_weights/logs",), behaviours)):
        for name in names:
            if name in weights:
                found[name] = np.zeros((len(places), *weights[name].shape[1:]), np.float32)
                found[name][places >= 0] = weights[name][places[places >= 0]]
    return {**found, "item_ids/counts": counts.astype(np.float32)} if "item_ids/table" in weights else found


def _places(old: Sequence[str], new: Sequence[str]) -> np.ndarray:
    """Where each of the new names stands among the old ones, -1 where it does not."""
    places = {name: place for place, name in enumerate(old)}
    return np.array([places.get(name, -1) for name in new], np.int64)


def states_of(spec: EncoderSpec, weights: Weights, tokens: Tokens, below: int, *, batch_size: int = 64) -> States:
    """What the first `below` layers of an encoder with these weights make of n texts; where these are all of them, one vector of each text."""
    inputs = text_inputs()
    whole = below == spec.layers
    model = tf.keras.Model(inputs, body(spec, inputs) if whole else token_states(spec, inputs, until=below))
    set_weights(model, {name: weights[name] for name in named_variables(model)})
    if whole:
        return States(Forward(model)(tokens, batch_size=batch_size).astype(np.float16), np.arange(len(tokens) + 1))
    values = np.empty((len(tokens.ids), spec.width), np.float16)
    run = tf.function(
        lambda inputs: model(inputs), input_signature=[{name: tf.TensorSpec(*each) for name, each in tokens.signature().items()}]
    )
    for batch in plan_in_order(tokens.lengths, batch_size):
        found = run(tokens.padded(batch.rows, batch.length)).numpy()
        for row, states in zip(batch.rows, found, strict=True):
            values[tokens.offsets[row] : tokens.offsets[row + 1]] = states[: tokens.lengths[row]]
    return States(values, tokens.offsets)


def vectors_of(tower: tf.keras.Model, tokens: Tokens | States, items: np.ndarray, *, batch_size: int = 64) -> np.ndarray:
    """An item tower's vectors float32 `[n, width]` of n texts and item numbers int32 `[n]`, -1 for an item without."""
    signature = {name: tf.TensorSpec(shape, kind) for name, (shape, kind) in tokens.signature().items()}
    run = tf.function(lambda inputs: tower(inputs), input_signature=[{**signature, "items": tf.TensorSpec((None,), tf.int32)}])
    found = np.empty((len(tokens), tower.output_shape[-1]), np.float32)
    for batch in plan_in_order(tokens.lengths, batch_size):
        found[batch.rows] = run({**tokens.padded(batch.rows, batch.length), "items": items[batch.rows]}).numpy()
    return found
