"""Ten items whose texts are a word each, and stretches of histories of them, for tests of the interest model."""

import numpy as np

from tfarch.data.sequences import ItemSequences
from tfarch.data.tokens import Tokens

ITEMS = 10
TOKENS = Tokens(np.array([[2, 5 + item, 3] for item in range(ITEMS)], np.int32).ravel(), np.arange(0, 3 * ITEMS + 1, 3))


def sequences(histories, longest=6, amounts=None, behaviours=None):
    rows = np.split(np.arange(sum(map(len, histories))), np.cumsum([len(each) for each in histories])[:-1])
    events = np.concatenate(histories)
    ones = np.ones(len(events))
    return ItemSequences.of(
        TOKENS,
        rows,
        events,
        np.zeros(len(events)) if behaviours is None else np.asarray(behaviours),
        ones if amounts is None else np.asarray(amounts),
        ones,
        longest=longest,
    )


def rings(users=80, length=4, seed=0):
    """Histories in which each item is followed by the next, the last one by the first."""
    return [(np.arange(length) + begin) % ITEMS for begin in np.random.default_rng(seed).integers(0, ITEMS, users)]
