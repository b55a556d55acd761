"""What a detector of surges is, and the registry of those there are.

A detector turns the counts of a stream, bucket by bucket, into a statistic that rises with the evidence that more is coming in than is
usual. It knows what is usual for each bucket (mean and dispersion), decides nothing itself, and keeps all it remembers in one array, so
that thousands of topics or simulated streams are stepped at once and a state is stored as a list of numbers. When the statistic raises an
alarm is `alarm.py`, how high the threshold has to be is `calibration.py`.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from tfarch.errors import InputError, unknown

DETECTORS: dict[str, type[Detector]] = {}
_Class = TypeVar("_Class", bound="type[Detector]")


class Detector(abc.ABC):
    """A frozen dataclass of a detector's settings; its statistic is never below 0.

    name: as the registry knows it.
    neutral: what the statistic is, at most, where nothing is more than usual.
    cells: how many numbers it remembers of a stream.
    """

    name: ClassVar[str]
    neutral: ClassVar[float] = 0.0

    @property
    def cells(self) -> int:
        return 1

    def start(self, shape: tuple[int, ...]) -> np.ndarray:
        """The state of streams `shape` of which nothing was seen yet, float64 `[*shape, cells]`."""
        return np.zeros((*shape, self.cells))

    @abc.abstractmethod
    def step(self, state: np.ndarray, count: np.ndarray, mean: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The state after a bucket, `[..., cells]`, and its statistic, `[...]`: new arrays, that share nothing with one another.

        Args:
            state: before the bucket, `[..., cells]`.
            count: what came in, `[...]`.
            mean: what was to be expected, above 0, of a shape that broadcasts to `[...]`.
            size: dispersion r of the negative binomial, whose variance is mean + mean^2 / r; infinite for Poisson. It broadcasts too.
        """

    def as_dict(self) -> dict[str, Any]:
        """Name and settings, for JSON; `detector_from_dict` gives it back."""
        return {"name": self.name, **dataclasses.asdict(self)}


def detector(name: str) -> Callable[[_Class], _Class]:
    """Class decorator that enters a detector into `DETECTORS`.

    Raises:
        ValueError: the name is taken.
    """

    def enter(kind: _Class) -> _Class:
        if name in DETECTORS:
            raise ValueError(f"two detectors are named {name!r}: {DETECTORS[name].__qualname__} and {kind.__qualname__}")
        kind.name = name
        DETECTORS[name] = kind
        return kind

    return enter


def make_detector(name: str, **settings: Any) -> Detector:
    """The detector of that name with these settings, the others at their defaults: `make_detector("cusum", reference=0.25)`.

    Raises:
        InputError: no such detector or setting, or a value that it cannot have.
    """
    if name not in DETECTORS:
        raise unknown("detector", name, DETECTORS)
    kinds = {field.name: type(field.default) for field in dataclasses.fields(DETECTORS[name])}
    for setting, value in settings.items():
        if setting not in kinds:
            raise unknown(f"setting of {name}", setting, kinds)
        if type(value) is not kinds[setting] and not (kinds[setting] is float and type(value) is int):
            raise InputError(f"{setting} of {name} is {value!r}", mend=f"of type {kinds[setting].__name__}")
    return DETECTORS[name](**settings)


def detector_from_dict(record: Mapping[str, Any]) -> Detector:
    """The detector that `as_dict` described.

    Raises:
        InputError: as `make_detector`, or the record has no name.
    """
    if "name" not in record:
        raise InputError("the record of a detector has no name", mend=f"one of {', '.join(sorted(DETECTORS))}")
    return make_detector(**record)


def bounded(kind: str, setting: str, value: float, low: float, high: float = 1e6) -> None:
    """Raises InputError unless low < value <= high; for the settings of detectors."""
    if not low < value <= high:
        raise InputError(f"{setting} of {kind} is {value}", mend=f"above {low:g}, and at most {high:g}")


def standardised(count: np.ndarray, mean: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Pearson residual: (count - mean) / sqrt(mean + mean^2 / size), of the shape that the three broadcast to."""
    return (count - mean) / np.sqrt(mean + mean * mean / size)
