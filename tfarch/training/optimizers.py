"""Optimizers by name, with a learning rate for each variable and decay that spares biases and norms."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import ClassVar

import tensorflow as tf

from tfarch.config import TrainConfig

_LAYER = re.compile(r"layer_(\d+)_")


def _with_rates(optimizer: type[tf.keras.optimizers.Optimizer]) -> type[tf.keras.optimizers.Optimizer]:
    """The optimizer class with `factors`: a multiplier of the learning rate for each variable, by its key, the same on every replica.

    Scaling gradients would not do: Adam's step does not depend on their size. The factor is applied where the update and the decoupled decay
    read the rate; both are traced one variable at a time, so a Python value is enough.
    """

    class WithRates(optimizer):
        factors: ClassVar[dict[str, float]] = {}
        _factor = 1.0

        @property
        def learning_rate(self):
            rate = super().learning_rate
            return rate if self._factor == 1.0 else rate * self._factor

        @learning_rate.setter
        def learning_rate(self, value):
            optimizer.learning_rate.fset(self, value)

        def update_step(self, gradient, variable):
            with self._rate_of(variable):
                super().update_step(gradient, variable)

        def _apply_weight_decay(self, variables):
            for variable in variables:
                with self._rate_of(variable):
                    super()._apply_weight_decay([variable])

        @contextlib.contextmanager
        def _rate_of(self, variable):
            self._factor = self.factors.get(self._var_key(variable), 1.0)
            try:
                yield
            finally:
                self._factor = 1.0

    WithRates.__name__ = optimizer.__name__
    return WithRates


def optimizer_for(settings: TrainConfig, variables: Sequence[tf.Variable], layers: int) -> tf.keras.optimizers.Optimizer:
    """The optimizer that `settings` name, built for `variables`; the learning rate is set from outside at each step.

    Layer-wise decay (Howard and Ruder 2018; Clark et al. 2020): the head learns at the full rate, layer i of n at `layer_decay^(n - i)`, the
    embeddings at `layer_decay^(n + 1)`.
    """
    kinds = {
        "adamw": (tf.keras.optimizers.AdamW, {"weight_decay": settings.weight_decay, "epsilon": 1e-8}),
        "adam": (tf.keras.optimizers.Adam, {"epsilon": 1e-8}),
        "sgd": (tf.keras.optimizers.SGD, {"momentum": 0.9}),
    }
    kind, options = kinds[settings.optimizer]
    # jit_compile only concerns the update itself; the whole step is compiled where train.xla asks for it.
    optimizer = _with_rates(kind)(learning_rate=settings.learning_rate, jit_compile=False, **options)
    if settings.layer_decay != 1.0:
        optimizer.factors = {optimizer._var_key(variable): settings.layer_decay ** _depth(variable.name, layers) for variable in variables}
    if settings.optimizer == "adamw":
        optimizer.exclude_from_weight_decay(var_list=[variable for variable in variables if variable.shape.rank < 2])
    optimizer.build(variables)
    return optimizer


def _depth(name: str, layers: int) -> int:
    """How far below the head a variable stands: 0 the head, 1 the last layer, `layers` + 1 the embeddings."""
    found = _LAYER.search(name)
    if found:
        return layers - int(found.group(1))
    return layers + 1 if "embedding" in name else 0
