"""Learning-rate schedules: the rate of each step as a plain function, set from outside so that it is logged, resumed and tested without a graph."""

from __future__ import annotations

import math
from collections.abc import Callable

from tfarch.errors import unknown

Schedule = Callable[[int], float]

_DECAYS: dict[str, Callable[[float], float]] = {
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
    "constant": lambda progress: 1.0,
}


def learning_rate(peak: float, steps: int, *, warmup: float, decay: str) -> Schedule:
    """The rate at step 0, 1, ... `steps` - 1: rises linearly over the first `warmup` share of the steps, then decays towards 0.

    Raises:
        InputError: unknown decay.
    """
    if decay not in _DECAYS:
        raise unknown("schedule", decay, _DECAYS)
    rising = round(steps * warmup)

    def rate(step: int) -> float:
        if step < rising:
            return peak * (step + 1) / rising
        return peak * _DECAYS[decay](min(1.0, (step - rising) / max(1, steps - rising)))

    return rate
