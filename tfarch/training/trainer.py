"""The one training loop, read top to bottom: every app trains through `Trainer.fit`.

It knows nothing of tasks: a model comes from a function, an objective gives the loss of each example, an evaluator gives named numbers.
The loss of an update is the weighted sum over all its examples, so that replicas, accumulation and padding change it by rounding alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import functools
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfarch.config import TrainConfig
from tfarch.data.batches import Examples, as_dataset, plan_epoch
from tfarch.errors import InputError, NonFiniteLossError
from tfarch.models.weights import get_weights
from tfarch.progress import say
from tfarch.training.callbacks import Callback
from tfarch.training.checkpoint import State, read_state, restore_variables, write_state
from tfarch.training.devices import precision_for, precision_policy, strategy_for
from tfarch.training.objectives import Objective
from tfarch.training.optimizers import optimizer_for
from tfarch.training.schedules import learning_rate

Evaluator = Callable[[tf.keras.Model], dict[str, float]]

# Metrics of which less is better; of all others more is.
_LESS_IS_BETTER = ("loss", "nll", "ece")
# As `train.monitor`: the last epoch's weights are taken, whatever the metrics say.
LAST = "last"


@dataclass(frozen=True)
class Trained:
    """What training gave: the model with the weights of its best epoch, and the figures of the run.

    Of the figures, `seconds` is the time of all, the evaluation after each epoch and what came before an interruption included;
    `examples_per_second` and `tokens_per_second` count the updates alone (with waiting for data, and with tracing at the first of each shape).
    """

    model: tf.keras.Model
    figures: dict

    @property
    def weights(self):
        """The weights by name, see `tfarch.models.weights`."""
        return get_weights(self.model)


class Trainer:
    """Trains models on `tf.distribute.MirroredStrategy`.

    Args:
        settings: see `TrainConfig`; every field has its meaning there.
        seed: initial weights, order of the data and dropout follow from it.
        folder: where `resume.safetensors` and `best.safetensors` are kept; None: nothing is written and nothing can be resumed.
        callbacks: see `tfarch.training.callbacks`.
    """

    def __init__(self, settings: TrainConfig, *, seed: int = 0, folder: Path | None = None, callbacks: Sequence[Callback] = ()):
        self.settings, self.seed, self.folder, self.callbacks = settings, seed, folder, list(callbacks)

    def fit(
        self,
        build: Callable[[], tf.keras.Model],
        objective: Objective,
        examples: Examples,
        evaluate: Evaluator,
        *,
        layers: int = 0,
        fingerprint: str = "",
    ) -> Trained:
        """Trains the model that `build` makes, from its checkpoint where there is one of the same run.

        Args:
            build: makes the model, with its starting weights; called inside the strategy's scope.
            objective: loss of each example, float32 `[batch]`.
            examples: training rows; what a row gives to a batch, one text or a pair of texts, is theirs to say.
            evaluate: validation metrics after each epoch; `settings.monitor` names one of them.
            layers: encoder layers, for layer-wise learning-rate decay.
            fingerprint: what else the run depends on (the data, the structure); with other settings or another fingerprint nothing is resumed.

        Raises:
            NonFiniteLossError: the loss is NaN or infinite; names the step.
            InputError: a setting cannot hold (names the setting).
        """
        settings = self.settings
        strategy = strategy_for(settings.devices)
        replicas = strategy.num_replicas_in_sync
        if settings.batch_size % replicas:
            raise InputError(f"train.batch_size={settings.batch_size} does not divide among {replicas} replicas")
        if settings.xla and replicas > 1 and settings.devices.startswith("cpu"):  # XLA compiles for the first of them alone
            raise InputError(f"train.xla=true cannot hold on train.devices={settings.devices!r}", mend="with XLA, train on one CPU device")
        for name in ("epochs", "learning_rate"):
            if not getattr(settings, name):
                raise InputError(f"train.{name}=0 is still open", mend="tfarch.training.defaults.settled settles it by the data")
        if "auto" in settings.freeze:
            raise InputError("train.freeze=auto is still open", mend="tfarch.training.defaults.settled settles it by the data")
        precision = precision_for(settings.precision)
        tf.keras.utils.set_random_seed(self.seed)
        if settings.deterministic:
            tf.config.experimental.enable_op_determinism()

        # the model and what is trained of it
        with strategy.scope(), precision_policy(precision):
            model = build()
            trained = _trained_variables(model, settings.freeze)
            optimizer = optimizer_for(settings, trained, layers)
            scaled = precision == "float16"
            if scaled:
                optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
                optimizer.build(trained)
            model.optimizer = optimizer  # TF-MOT reads the step from here
            kept = [variable for callback in self.callbacks for variable in callback.prepare(model)]

        # where the run stands
        examples = examples.for_replicas(replicas)
        plan = self._plan(examples, 0, replicas)
        steps = len(plan) * settings.epochs
        rate = learning_rate(settings.learning_rate, steps, warmup=settings.warmup, decay=settings.schedule)
        variables = [*model.variables, *optimizer.variables, *kept]
        if scaled:  # the scale that was found is not among the optimizer's variables
            variables += [optimizer._loss_scale.current_loss_scale, optimizer.dynamic_counter]
        shapes = [(variable.name, variable.shape.as_list()) for variable in variables]
        identity = hashlib.sha256(
            json.dumps([asdict(settings), self.seed, fingerprint, len(examples), shapes], sort_keys=True).encode()
        ).hexdigest()
        state = self._resume(identity, variables) or State(identity)

        spec = strategy.experimental_distribute_dataset(as_dataset(examples, plan)).element_spec
        update = self._update_function(strategy, model, optimizer, objective, trained, scaled, spec)
        started = time.perf_counter() - state.seconds
        with contextlib.ExitStack() as begun:
            for callback in self.callbacks:
                callback.begin(model, optimizer, steps, state.step)
                begun.callback(callback.end)
            while state.epoch < settings.epochs and not state.finished:
                plan = self._plan(examples, state.epoch, replicas)
                batches = map(functools.partial(_shares, strategy), as_dataset(examples, plan[state.update :]))
                for planned in plan[state.update :]:
                    for callback in self.callbacks:
                        callback.before_update(state.step)
                    rate_now = rate(state.step)
                    optimizer.learning_rate.assign(rate_now)
                    updating = time.perf_counter()
                    loss = float(update(tuple(next(batches) for _ in planned)))
                    state.update_seconds += time.perf_counter() - updating
                    if not math.isfinite(loss):
                        raise NonFiniteLossError(
                            f"the loss is {loss} at step {state.step + 1} of {steps} (epoch {state.epoch + 1}); the last checkpoint is kept. "
                            "A lower train.learning_rate or train.clip_norm > 0 usually mends it"
                        )
                    state.update += 1
                    state.step += 1
                    state.loss_sum += loss
                    state.examples += sum(int((batch.rows >= 0).sum()) for batch in planned)
                    state.tokens += sum(examples.count_tokens(batch.rows[batch.rows >= 0]) for batch in planned)
                    state.seconds = time.perf_counter() - started
                    values = {"loss": loss, "learning_rate": rate_now, "examples_per_second": state.examples / state.update_seconds}
                    for callback in self.callbacks:
                        callback.after_update(state.step, values)
                    if settings.checkpoint_every and state.step % settings.checkpoint_every == 0 and state.update < len(plan):
                        self._write("resume", state, variables)

                # the epoch is done
                metrics = {"loss": state.loss_sum / len(plan), **evaluate(model)}
                state.history.append({"epoch": state.epoch + 1, **metrics, "seconds": time.perf_counter() - started})
                self._keep_best(state, metrics, model)
                for callback in self.callbacks:
                    callback.end_epoch(state.epoch, state.step, metrics)
                state.epoch, state.update, state.loss_sum = state.epoch + 1, 0, 0.0
                state.seconds = time.perf_counter() - started
                state.finished = state.epoch == settings.epochs or bool(
                    settings.patience and state.epoch - 1 - state.best_epoch >= settings.patience
                )
                if state.finished and state.epoch < settings.epochs:
                    say(f"no better {settings.monitor} for {settings.patience} epochs: stopped after epoch {state.epoch}")
                self._write("resume", state, variables)
        self._restore_best(state, model)
        return Trained(
            model,
            {
                "seconds": state.seconds,
                "examples_per_second": state.examples / state.update_seconds,
                "tokens_per_second": state.tokens / state.update_seconds,
                "steps": state.step,
                "epochs": state.epoch,
                "best_epoch": state.best_epoch + 1,
                "learning_rate": settings.learning_rate,
                "precision": precision,
                "replicas": replicas,
                "frozen": settings.freeze,
                "history": state.history,
            },
        )

    def _plan(self, examples: Examples, epoch: int, replicas: int):
        settings = self.settings
        return plan_epoch(
            examples.lengths,
            settings.batch_size,
            seed=self.seed,
            epoch=epoch,
            accumulate=settings.accumulate,
            replicas=replicas,
            fixed_size=settings.xla,
        )

    def _update_function(self, strategy, model, optimizer, objective: Objective, trained: list[tf.Variable], scaled: bool, spec):
        """One update as a graph: (distributed batches,) -> the loss over all their examples.

        `spec` says what a batch is, of any length and number of rows: it is traced once for each number of batches in an update, of which an epoch's
        last may have fewer. Without it, each new shape would be traced, for seconds each.
        """
        settings, callbacks = self.settings, self.callbacks
        replicas = strategy.num_replicas_in_sync
        penalised = [v for v in trained if v.shape.rank >= 2] if settings.l2 else []
        names = [variable.name.split(":")[0] for variable in trained]

        def gradients_of(batch):
            with tf.GradientTape() as tape:
                output = model({name: batch[name] for name in model.input_names}, training=True)
                loss = tf.reduce_sum(objective(output, batch["targets"]) * batch["weights"])
                target = optimizer.get_scaled_loss(loss) if scaled else loss
            return loss, tape.gradient(target, trained)

        @tf.autograph.experimental.do_not_convert  # plain Python loops, unrolled while tracing
        def replica_update(batches):
            total, sums = 0.0, None
            for batch in batches:
                # One batch after another: side by side they would need the memory that accumulation is to save.
                with tf.control_dependencies([] if sums is None else [tf.identity(total)]):
                    loss, gradients = gradients_of(batch)
                # An embedding's gradient comes as a slice for each token: dense, its norm is that of the sum, however the update is cut.
                gradients = [tf.convert_to_tensor(each) for each in gradients]
                total += loss
                sums = gradients if sums is None else [a + b for a, b in zip(sums, gradients, strict=True)]
            if replicas > 1:
                sums = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, sums)
            if scaled:
                sums = optimizer.get_unscaled_gradients(sums)
            for callback in callbacks:
                callback.with_gradients(dict(zip(names, sums, strict=True)))
            if penalised:
                # d(l2 * |w|^2)/dw, once for an update and not once for a replica or batch.
                places = {id(variable): place for place, variable in enumerate(trained)}
                for variable in penalised:
                    sums[places[id(variable)]] += 2.0 * settings.l2 * variable
                    total += settings.l2 * tf.reduce_sum(tf.square(variable)) / replicas
            if settings.clip_norm:
                sums, _ = tf.clip_by_global_norm(sums, settings.clip_norm)
            optimizer.apply_gradients(zip(sums, trained, strict=True), skip_gradients_aggregation=True)
            for callback in callbacks:
                callback.in_update()
            return total

        if settings.xla:
            replica_update = tf.function(replica_update, jit_compile=True)

        def update(batches):
            return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(replica_update, args=(batches,)), axis=None)

        @functools.cache
        def traced(batches: int):
            return tf.function(update, input_signature=[(spec,) * batches])

        return lambda batches: traced(len(batches))(batches)

    # Checkpoints

    def _resume(self, identity: str, variables) -> State | None:
        if self.folder is None:
            return None
        file = self.folder / "resume.safetensors"
        state = read_state(file, identity)
        if state is None:
            return None
        if state.best_metric is not None and read_state(self.folder / "best.safetensors", identity) is None:
            return None  # the best weights are lost: damaged, or overwritten by another run that was broken off in this folder
        restore_variables(file, variables)
        say(
            f"{'already trained' if state.finished else 'resuming'}: step {state.step}, epoch {state.epoch + (not state.finished)} ({file})"
        )
        return state

    def _write(self, name: str, state: State, variables) -> None:
        if self.folder is not None:
            write_state(self.folder / f"{name}.safetensors", state, variables)

    def _keep_best(self, state: State, metrics: dict[str, float], model: tf.keras.Model) -> None:
        monitor = self.settings.monitor
        if monitor == LAST:
            state.best_epoch = state.epoch
            return
        if monitor not in metrics:
            raise InputError(f"train.monitor={monitor!r} is none of {', '.join([*metrics, LAST])}")
        value, less = metrics[monitor], monitor.endswith(_LESS_IS_BETTER)
        unset = state.best_metric is None or math.isnan(state.best_metric)  # nothing compares as better than NaN
        if unset or (value < state.best_metric if less else value > state.best_metric):
            state.best_metric, state.best_epoch = value, state.epoch
            if self.folder is None:
                self._best = [variable.numpy() for variable in model.variables]
            self._write("best", state, model.variables)

    def _restore_best(self, state: State, model: tf.keras.Model) -> None:
        if state.best_epoch == state.epoch - 1:
            return  # the last epoch was the best
        if self.folder is not None:
            restore_variables(self.folder / "best.safetensors", model.variables)
        else:
            for variable, value in zip(model.variables, self._best, strict=True):
                variable.assign(value)


def _shares(strategy: tf.distribute.Strategy, batch: dict[str, tf.Tensor]) -> dict[str, Any]:
    """A batch as the strategy's replicas take it: each has its part of the first dimension.

    An iterator of `experimental_distribute_dataset` would do the same, but has a thread for each device that tunes it. On one core such a thread misses that it is to end, and the
    epoch waits for the rest of the thread's period, which grows to a minute for each device.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batch
    parts = {name: tf.split(whole, replicas) for name, whole in batch.items()}
    return strategy.experimental_distribute_values_from_function(
        lambda context: {name: each[context.replica_id_in_sync_group] for name, each in parts.items()}
    )


def _trained_variables(model: tf.keras.Model, freeze: Sequence[str]) -> list[tf.Variable]:
    """The model's trainable variables whose names match none of the patterns."""
    names = [variable.name.split(":")[0] for variable in model.variables]
    for pattern in freeze:
        if not fnmatch.filter(names, pattern):
            layers = ", ".join(dict.fromkeys(name.partition("/")[0] for name in names))
            raise InputError(f"train.freeze: no weight matches {pattern!r}; weights are named <layer>/<weight>, the layers: {layers}")
    trained = [v for v in model.trainable_variables if not any(fnmatch.fnmatch(v.name.split(":")[0], pattern) for pattern in freeze)]
    if not trained:
        raise InputError(f"train.freeze={list(freeze)} leaves nothing to train")
    return trained


def resolve_freeze(settings: TrainConfig, rows: int, *, pretrained: bool) -> TrainConfig:
    """The settings with `auto` in `freeze` made a decision: the token table stays fixed where it is pre-trained and data is small."""
    patterns = [pattern for pattern in settings.freeze if pattern != "auto"]
    if "auto" in settings.freeze and pretrained and rows < settings.freeze_below:
        patterns.append("token_embedding/*")
    return dataclasses.replace(settings, freeze=patterns)
