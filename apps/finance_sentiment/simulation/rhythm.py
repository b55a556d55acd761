"""How much news a topic brings when nothing happens: its share of all news, its hours of the week, its negative share, and its clumps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.finance_sentiment.simulation.settings import StreamSettings

WEEK = 168  # hours
SENTIMENTS = ("negative", "neutral", "positive")
NEGATIVE = SENTIMENTS.index("negative")

_DAYS = np.array([1.0, 1.05, 1.05, 1.05, 0.9, 0.2, 0.25])  # how busy Monday to Sunday are
_NIGHT, _DAY = 0.12, 0.4  # how busy an hour is, beside the two peaks, at night and from 6 to 22 UTC


@dataclass(frozen=True)
class Control:
    """What is expected of every topic when nothing happens.

    rates: stories an hour, float64 `[topics, hours]`.
    mix: shares of `SENTIMENTS`, float64 `[topics, 3]`.
    """

    rates: np.ndarray
    mix: np.ndarray


def draw_control(topics: int, settings: StreamSettings, rng: np.random.Generator) -> Control:
    """The topics' shares of the news, rhythms and sentiments."""
    shares = rng.gamma(settings.topic_evenness, size=topics)
    week = np.stack([_week(rng) for _ in range(topics)])
    hours = np.arange(settings.days * 24) + 24 * settings.start.weekday()
    rates = settings.items_per_day / 24 * (shares / shares.sum())[:, None] * week[:, hours % WEEK]
    negative = rng.uniform(settings.least_negative, settings.most_negative, topics)
    neutral = (1 - negative) * rng.uniform(0.4, 0.6, topics)
    return Control(rates, np.stack([negative, neutral, 1 - negative - neutral], axis=1))


def clumps(shape: tuple[int, int], size: float, rng: np.random.Generator) -> np.ndarray:
    """What the rate of each hour is multiplied by, gamma of mean 1 and variance 1 / size: Poisson counts become negative binomial ones, of
    variance mean + mean^2 / size (Greenwood and Yule 1920)."""
    return rng.gamma(size, 1 / size, shape)


def _week(rng: np.random.Generator) -> np.ndarray:
    """How busy each hour of a topic's week is, from Monday midnight UTC, on average 1: companies report before Europe opens, and the
    United States open at half past two; nights and weekends are quiet. Each topic has its own times and sizes of the two peaks, and its
    own weekend."""
    hours = np.arange(24) + 0.5
    morning, opening = 7.5 + 0.5 * rng.normal(), 14.75 + 0.5 * rng.normal()
    sizes = rng.lognormal(0, 0.25, 2)
    day = np.where((hours > 6) & (hours < 22), _DAY, _NIGHT)
    day = day + sizes[0] * np.exp(-(((hours - morning) / 1.6) ** 2) / 2) + 0.9 * sizes[1] * np.exp(-(((hours - opening) / 1.5) ** 2) / 2)
    days = _DAYS.copy()
    days[5:] *= rng.lognormal(0, 0.2)
    week = np.outer(days, day).ravel()
    return week / week.mean()
