"""Optimizers by name, with a learning rate for each variable and decay that spares biases and norms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

import tensorflow as tf

from tfarch.config import TrainConfig

_LAYER = re.compile(r"layer_(\d+)_")


def _with_rates(optimizer: type[tf.keras.optimizers.Optimizer]) -> type[tf.keras.optimizers.Optimizer]:
    """The optimizer class with `factors`: a multiplier of the learning rate for each variable, by its key, the same on every replica.

    Scaling gradients would not do: Adam's step does not depend on their size. The factor is applied where the update reads the rate; it is
    traced one variable at a time, so a Python value is enough.
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
            self._factor = self.factors.get(self._var_key(variable), 1.0)
            try:
                super().update_step(gradient, variable)
            finally:
                self._factor = 1.0

    WithRates.__name__ = optimizer.__name__
    return WithRates


def _in_one_pass(optimizer: type[tf.keras.optimizers.Optimizer]) -> type[tf.keras.optimizers.Optimizer]:
    """Adam or AdamW whose step is one operation, and its decoupled decay another.

    Keras writes the step (Kingma and Ba 2014, in the form just before section 2.1) as a dozen operations, each of which passes over all weights;
    TensorFlow has one kernel of the same formula. A processor waits for memory here, the more the busier its neighbours are.
    """

    class InOnePass(optimizer):
        def update_step(self, gradient, variable):
            place, kind = self._index_dict[self._var_key(variable)], variable.dtype
            rate, step = tf.cast(self.learning_rate, kind), tf.cast(self.iterations + 1, kind)
            if self.weight_decay is not None and self._use_weight_decay(variable):
                variable.assign(variable * (1.0 - rate * self.weight_decay))
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=self._momentums[place].handle,
                v=self._velocities[place].handle,
                beta1_power=tf.pow(tf.cast(self.beta_1, kind), step),
                beta2_power=tf.pow(tf.cast(self.beta_2, kind), step),
                lr=rate,
                beta1=tf.cast(self.beta_1, kind),
                beta2=tf.cast(self.beta_2, kind),
                epsilon=tf.cast(self.epsilon, kind),
                grad=gradient,
            )

        def _apply_weight_decay(self, variables):
            """Nothing: it is part of the step, whose rate it shares."""

    InOnePass.__name__ = optimizer.__name__
    return InOnePass


def optimizer_for(settings: TrainConfig, variables: Sequence[tf.Variable], layers: int) -> tf.keras.optimizers.Optimizer:
    """The optimizer that `settings` name, built for `variables`; the learning rate is set from outside at each step.

    Layer-wise decay (Howard and Ruder 2018; Clark et al. 2020): what stands above the encoder learns at the full rate, its layer i of n at
    `encoder_rate * layer_decay^(n - i)`, the embeddings at `encoder_rate * layer_decay^(n + 1)`.
    """
    kinds = {
        "adamw": (_in_one_pass(tf.keras.optimizers.AdamW), {"weight_decay": settings.weight_decay, "epsilon": 1e-8}),
        "adam": (_in_one_pass(tf.keras.optimizers.Adam), {"epsilon": 1e-8}),
        "sgd": (tf.keras.optimizers.SGD, {"momentum": 0.9}),
    }
    kind, options = kinds[settings.optimizer]
    # jit_compile only concerns the update itself; the whole step is compiled where train.xla asks for it.
    optimizer = _with_rates(kind)(learning_rate=settings.learning_rate, jit_compile=False, **options)
    if settings.layer_decay != 1.0 or settings.encoder_rate != 1.0:
        depths = {optimizer._var_key(variable): _depth(variable.name, layers) for variable in variables}
        optimizer.factors = {key: (settings.encoder_rate if depth else 1.0) * settings.layer_decay**depth for key, depth in depths.items()}
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
