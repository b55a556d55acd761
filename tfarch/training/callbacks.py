"""What may be hooked into the training loop: compression, TensorBoard, progress. A callback overrides what it needs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from tfarch.errors import TfarchError
from tfarch.progress import Progress


class Callback:
    """The hooks of `Trainer.fit`, in the order in which they are called."""

    def prepare(self, model: tf.keras.Model) -> Sequence[tf.Variable]:
        """In the strategy's scope, as soon as there is a model: variables of its own, which checkpoints keep and bring back."""
        return ()

    def begin(self, model: tf.keras.Model, optimizer: tf.keras.optimizers.Optimizer, steps: int, step: int) -> None:
        """Before the first update; `step` is not 0 where the run is resumed, `steps` is their number in all."""

    def before_update(self, step: int) -> None:
        """Before each update."""

    def with_gradients(self, gradients: Mapping[str, tf.Tensor]) -> None:
        """Traced into the update, on each replica, before the optimizer's step: the loss's gradients by the names of the trained weights, of the examples of all replicas."""

    def in_update(self) -> None:
        """Traced into the update, on each replica, after the optimizer's step: operations that hold something on the weights."""

    def after_update(self, step: int, values: dict[str, float]) -> None:
        """After each update, with `loss`, `learning_rate` and `examples_per_second` (over the updates so far, evaluation left out), and what callbacks before this one put
        beside them."""

    def end_epoch(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        """After each epoch's evaluation."""

    def end(self) -> None:
        """After the last update, also where training stopped early or broke off: what was written until then is kept."""


class TensorBoard(Callback):
    """Scalars, learning rate and throughput; histograms of the weights where asked for."""

    def __init__(self, folder: Path, *, histograms: bool = False, every: int = 10):
        self.folder, self.writer = folder, None
        self.histograms, self.every = histograms, every

    def begin(self, model, optimizer, steps, step):
        self.model, self.steps = model, steps
        if step < steps:  # a training that is done already writes no empty file
            with self._writing():
                self.writer = tf.summary.create_file_writer(str(self.folder))

    def after_update(self, step, values):
        if step % self.every == 0 or step == self.steps:
            self._scalars(step, values)

    def end_epoch(self, epoch, step, metrics):
        self._scalars(step, metrics)
        with self._writing():
            if self.histograms:
                with self.writer.as_default(step=step):
                    for variable in self.model.trainable_variables:
                        tf.summary.histogram(variable.name.split(":")[0], variable)
            self.writer.flush()

    def end(self):
        if self.writer is not None:
            with self._writing():
                self.writer.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            reason = error.message.splitlines()[0].rpartition("}} ")[2].partition(" [Op:")[0]
            raise TfarchError(f"{self.folder}: TensorBoard's figures could not be written: {reason}") from error

    def _scalars(self, step: int, values: dict[str, float]) -> None:
        with self._writing(), self.writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)


class ShowProgress(Callback):
    """A line on standard error with step, loss and the time left."""

    def __init__(self, title: str):
        self.title = title

    def begin(self, model, optimizer, steps, step):
        self.progress = Progress(self.title, steps, done=step)

    def after_update(self, step, values):
        self.progress.update(step, f"loss {values['loss']:.3f}")

    def end_epoch(self, epoch, step, metrics):
        self.progress.line(f"epoch {epoch + 1}: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))

    def end(self):
        self.progress.close()
