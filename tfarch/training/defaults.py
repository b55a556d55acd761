"""What the settings leave open is settled here, by the data and by what training starts from."""

from __future__ import annotations

import dataclasses

from tfarch.config import TrainConfig
from tfarch.training.trainer import resolve_freeze

# An epoch of BANKING77 (9,000 rows) has 280 updates; four of them are enough there. On 880 rows ten epochs beat four (validation accuracy 73.3 %
# against 69.9 %, log-likelihood 1.01 against 1.06).
UPDATES = 1_100
FEWEST_EPOCHS, MOST_EPOCHS = 4, 10

# The peak that a start needs: weights that know a language move little, a table of random embeddings must come a long way (BANKING77, validation
# accuracy of the averaged structure at 2.5e-4, 3e-3, 1e-2: 32.8, 87.3, 89.6 %).
PRETRAINED_RATE, RANDOM_ENCODER_RATE, AVERAGED_RATE = 2.5e-4, 5e-4, 1e-2


def settled(settings: TrainConfig, *, rows: int, structure: str, pretrained: bool) -> TrainConfig:
    """The settings with `epochs=0`, `learning_rate=0` and `freeze=auto` made decisions.

    Args:
        rows: training rows.
        structure: `encoder` or `averaged`.
        pretrained: whether training starts from pre-trained weights.
    """
    updates = max(1, -(-rows // (settings.batch_size * settings.accumulate)))
    epochs = settings.epochs or min(MOST_EPOCHS, max(FEWEST_EPOCHS, round(UPDATES / updates)))
    rate = settings.learning_rate or (PRETRAINED_RATE if pretrained else AVERAGED_RATE if structure == "averaged" else RANDOM_ENCODER_RATE)
    return resolve_freeze(dataclasses.replace(settings, epochs=epochs, learning_rate=rate), rows, pretrained=pretrained)
