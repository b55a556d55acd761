"""Five items with signals of every kind, for tests of what recommends them."""

import numpy as np

from tfarch.runtime.shared_words import SharedWords
from tfarch.runtime.signals import DAY, History, Signals
from tfarch.runtime.user_tower import UserTower

ITEMS = 5
YEAR = 365.25 * DAY
SIGNALS = Signals(
    sources=np.eye(ITEMS, 3, dtype=np.float32),
    targets=np.arange(15, dtype=np.float32).reshape(ITEMS, 3),
    words=SharedWords.of(["red shoe", "blue shoe", "red hat", "", "hat"]),
    categories=np.array([[1, 0], [1, 0], [0, 1], [0, 0], [0.6, 0.8]], np.float32),
    counts=np.array([[10, 0, 1, 5], [3, 3, 3, 3], [1, 0, 0, 0], [0, 0, 0, 0], [7, 2, 2, 2]], np.float32),
    value=np.array([3, 4, 2, 3, 5], np.float32),
    since=np.array([10.0, 20.0, 30.0, np.nan, 40.0]) * YEAR,
    moment=40.0 * YEAR,
    vectors=np.eye(ITEMS, 4, dtype=np.float32),
    users=UserTower({"event_weights/logs": np.zeros(2, np.float32), "fading_mean/log_odds": np.float32(2.0)}),
)


def history(*items, wanted=True):
    return History(np.array(items, int), np.full(len(items), wanted), np.zeros(len(items), int))
