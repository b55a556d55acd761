"""What groups of a layer's outputs (attention heads, feed-forward neurons, units of a `Dense` layer) are worth by the loss.

Each group is thought to have a gate of 1 that its output is multiplied by; a row's slope is the derivative of its loss by that gate, the sum over places and dimensions of
output * d loss / d output, which is that of weight * d loss / d weight over the weights that read the group. Closing the gate takes the group out, so that to first order the loss
of the row changes by minus the slope, and by the empirical Fisher information, which stands for the second derivative, the expected loss rises by half the mean square of the slopes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

# What each says of a row's slope, the mean of which over the rows is a group's worth.
# gradient: the mean absolute slope (Michel et al. 2019; Molchanov et al. 2019, first order).
# information: half the mean square of the slopes (Theis et al. 2018; Kwon et al. 2022).
# movement: minus the mean slope while the model trains on over the rows (Sanh et al. 2020; Lagunas et al. 2021 for groups): more is what training lets grow.
BY_SLOPES = {"gradient": np.abs, "information": lambda slopes: slopes**2 / 2, "movement": np.negative}


def worth_by_slopes(
    criterion: str,
    model: tf.keras.Model,
    groups: Sequence[tuple[str, int]],
    batches: Iterable[tuple[Mapping[str, np.ndarray], np.ndarray, np.ndarray]],
    objective: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    *,
    learning_rate: float = 1e-4,
) -> list[np.ndarray]:
    """What each group is worth, float64 `[count]` of each of `groups`. The model has its weights again afterwards.

    Args:
        criterion: of `BY_SLOPES`.
        groups: name of a layer, and how many equal parts of its output's last dimension are the groups.
        batches: inputs by name, targets, and weights of the rows, `[batch]` or `[batch, tasks]`.
        objective: loss of each row, of the shape of the weights.
        learning_rate: of Adam, by which `movement` trains on.
    """
    opened = tf.keras.Model(model.input, [model.output, *(model.get_layer(name).output for name, _ in groups)])
    optimizer = tf.keras.optimizers.Adam(learning_rate) if criterion == "movement" else None
    variables = model.trainable_variables if optimizer else []

    def slopes_of(inputs, targets, weights):
        with tf.GradientTape() as tape:
            output, *outputs = opened(inputs, training=False)
            loss = tf.reduce_sum(objective(output, targets) * weights)
        rows = tf.shape(targets)[0]
        slopes, gradients = tape.gradient(loss, [outputs, variables])
        if optimizer is not None:
            share = 1.0 / tf.cast(rows, tf.float32)
            optimizer.apply_gradients([(each * share, own) for each, own in zip(gradients, variables, strict=True) if each is not None])
        return [
            tf.reduce_sum(tf.reshape(own * slope, [rows, -1, count, own.shape[-1] // count]), axis=[1, 3])
            for own, slope, (_, count) in zip(outputs, slopes, groups, strict=True)
        ]

    kept, sums, rows = model.get_weights() if optimizer else [], [np.zeros(count) for _, count in groups], 0
    run = None
    for inputs, targets, weights in batches:
        if run is None:  # one trace for batches of all shapes
            shapes = {name: tensor.shape for name, tensor in zip(model.input_names, model.inputs, strict=True)}
            of_rows = [tf.TensorSpec([None, *each.shape[1:]], each.dtype) for each in (targets, weights)]
            of_inputs = {name: tf.TensorSpec(shapes[name], value.dtype) for name, value in inputs.items()}
            run = tf.function(slopes_of, input_signature=[of_inputs, *of_rows])
        found = run(inputs, targets, weights)
        for total, slopes in zip(sums, found, strict=True):
            total += BY_SLOPES[criterion](slopes.numpy().astype(np.float64)).sum(axis=0)
        rows += len(targets)
    if optimizer is not None:
        model.set_weights(kept)
    return [total / max(1, rows) for total in sums]
