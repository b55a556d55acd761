"""What the settings leave open is settled here, by the data and by what training starts from."""

from __future__ import annotations

import dataclasses

from tfarch.config import TrainConfig
from tfarch.training.trainer import resolve_freeze

# An epoch of BANKING77 (9,500 rows) has 297 updates of 32 rows; four of them are enough there. From the probe on, small data needs hardly more; what
# starts from random weights has further to go.
UPDATES = 1_100
FEWEST_EPOCHS, MOST_EPOCHS, MOST_EPOCHS_FROM_RANDOM = 4, 5, 10

# The peak that a start needs: weights that know a language move little, a table of random embeddings must come a long way (BANKING77, validation
# accuracy of the averaged structure at 2.5e-4, 3e-3, 1e-2: 32.8, 87.3, 89.6 %).
PRETRAINED_RATE, RANDOM_ENCODER_RATE, AVERAGED_RATE = 2.5e-4, 5e-4, 1e-2

# Few rows want a lower peak: on 704 rows 1e-4 in five epochs gave held-out accuracy 72.3 % and log-likelihood 0.97, 2.5e-4 in ten epochs 71.0 % and
# 1.01 (RESULTS.md, "Few rows"). The power joins that point with BANKING77's.
LEAST_SHARE, POWER = 0.4, 0.35

# Labels that are guesses want the low peak and few epochs: 385 labelled rows and 2,838 guessed ones of BANKING77 gave held-out training rows 82.3 % in three
# epochs at 1e-4; at 1.8e-4 validation accuracy fell after the second.
EPOCHS_OF_GUESSES = 3


def settled(settings: TrainConfig, *, rows: int, structure: str, pretrained: bool, guesses: bool = False) -> TrainConfig:
    """The settings with `epochs=0`, `learning_rate=0` and `freeze=auto` made decisions.

    Args:
        rows: training rows.
        structure: `encoder` or `averaged`.
        pretrained: whether training starts from pre-trained weights.
        guesses: whether the labels of some rows are a classifier's guesses.
    """
    updates = max(1, -(-rows // (settings.batch_size * settings.accumulate)))
    most = MOST_EPOCHS if pretrained else MOST_EPOCHS_FROM_RANDOM
    epochs = settings.epochs or (EPOCHS_OF_GUESSES if guesses else min(most, max(FEWEST_EPOCHS, round(UPDATES / updates))))
    if guesses:
        rate = PRETRAINED_RATE * LEAST_SHARE
    elif pretrained:
        rate = PRETRAINED_RATE * max(LEAST_SHARE, min(1.0, updates * FEWEST_EPOCHS / UPDATES) ** POWER)
    else:
        rate = AVERAGED_RATE if structure == "averaged" else RANDOM_ENCODER_RATE
    return resolve_freeze(
        dataclasses.replace(settings, epochs=epochs, learning_rate=settings.learning_rate or rate), rows, pretrained=pretrained
    )
