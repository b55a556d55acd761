"""From the settings to what is learned of a log."""

from __future__ import annotations

import dataclasses
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.recommender.settings import InterestSettings, RecommenderSettings
from tfarch.config import ModelConfig, TrainConfig
from tfarch.data.behaviour import Catalogue, Interactions
from tfarch.data.states import States
from tfarch.data.tokens import Tokens, tokenise
from tfarch.errors import InputError
from tfarch.models import RANDOM, start_from
from tfarch.models.interest import InterestSpec
from tfarch.models.spec import AveragedSpec
from tfarch.runtime.tokeniser import Tokeniser
from tfarch.training import Callback, ShowProgress, TensorBoard
from tfarch.training.interest import Interest, Weights, sequences_of, states_of, train_interest, with_hard_negatives
from tfarch.training.recommender import Learned, factors_of, learn


@dataclass(frozen=True)
class Texts:
    """Of a catalogue, as an interest model takes them: its structure, the weights its text tower starts from (of all layers), and what it is given."""

    spec: InterestSpec
    weights: dict[str, np.ndarray]
    tokeniser: Tokeniser
    given: Tokens | States
    provenance: dict[str, str]


class Learner:
    """Learns from logs of one catalogue.

    Args:
        liked: value from which on an event is what its user wanted.
        tokeniser: of averaged embeddings that were trained before; none: it is trained on the catalogue's texts.

    Raises:
        InputError: a setting cannot hold.
    """

    def __init__(self, settings: RecommenderSettings, catalogue: Catalogue, liked: float, *, tokeniser: Tokeniser | None = None):
        self.settings, self.catalogue, self.liked = settings, catalogue, liked
        self.texts = None if settings.interest.structure == "none" else _texts(settings.interest, catalogue, tokeniser)

    def learn(self, log: Interactions, moment: float, *, tensorboard: Path | None = None) -> Learned:
        """What the events up to a moment say, ready to recommend.

        Args:
            tensorboard: where the trainings of the interest model show their curves, the one for the ranker (on the first half) and the one that is kept.
        """
        factors = self.settings.factors

        def interest(own: Interactions) -> Interest:
            name = "interest" if own.times[-1] == min(moment, log.times[-1]) else "interest_first_half"
            return self.interest(own, tensorboard=None if tensorboard is None else tensorboard / name)

        return learn(
            log,
            self.catalogue,
            moment,
            self.liked,
            rank=factors.rank,
            l2=factors.l2,
            interest=None if self.texts is None else interest,
            seed=self.settings.seed,
        )

    def interest(
        self,
        log: Interactions,
        *,
        start: Weights | None = None,
        after: float = -math.inf,
        epochs: int | None = None,
        tensorboard: Path | None = None,
    ) -> Interest:
        """An interest model of a log.

        Args:
            start: weights that it starts from; none: of its text tower alone.
            after: only later events are to be foretold.
            epochs: none: the settings'.
            tensorboard: folder of its curves, by whose name the terminal tells how far it is; what an earlier training left there goes.
        """
        own = self.settings.interest
        train = TrainConfig(
            epochs=epochs or own.epochs,
            batch_size=own.batch_size,
            learning_rate=own.learning_rate,
            encoder_rate=own.encoder_rate,
            freeze=[],
            monitor="last",
            precision="float32",
        )
        spec = dataclasses.replace(self.texts.spec, behaviours=len(log.behaviour_names))
        weights = {**self.texts.weights, **(start or {})}
        sequences = sequences_of(log, self.texts.given, self.liked, after=after, match=own.objective == "match")
        if own.hard_negatives:
            factors = factors_of(log, self.settings.factors.rank, self.settings.factors.l2)
            sequences = with_hard_negatives(sequences, factors, own.hard_negatives)
        shown: list[Callback] = []
        if tensorboard is not None:
            shutil.rmtree(tensorboard, ignore_errors=True)
            shown = [TensorBoard(tensorboard), ShowProgress(tensorboard.name.replace("_", " "))]
        done = train_interest(spec, weights, sequences, log.counts(), train, seed=self.settings.seed, callbacks=shown)
        return Interest.of(spec, {**weights, **done.weights}, self.texts.given)


def _texts(settings: InterestSettings, catalogue: Catalogue, tokeniser: Tokeniser | None) -> Texts:
    own = {
        "width": settings.width,
        "user_tower": settings.user_tower,
        "ids": len(catalogue) if settings.ids else 0,
        "objective": settings.objective,
    }
    if settings.structure == "averaged":
        tokeniser = tokeniser or Tokeniser.train(catalogue.texts, settings.vocabulary)
        spec = InterestSpec(AveragedSpec(len(tokeniser), settings.width), **own)
        return Texts(spec, {}, tokeniser, tokenise(catalogue.texts, tokeniser, settings.max_length), RANDOM)
    start = start_from(ModelConfig(), ())
    below = start.spec.layers - settings.layers
    if below < 0:
        raise InputError(f"interest.layers={settings.layers}: the encoder has {start.spec.layers}")
    given = states_of(start.spec, start.weights, tokenise(catalogue.texts, start.tokeniser, settings.max_length), below)
    return Texts(InterestSpec(start.spec, below, **own), start.weights, start.tokeniser, given, start.provenance)
