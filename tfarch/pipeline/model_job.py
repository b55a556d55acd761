"""A recipe for a model that was made elsewhere: any functional tf_keras model with `Dense` layers, and arrays to train and test it on."""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tfarch.compression.dense_units import by_magnitude, chains, without_units
from tfarch.compression.importance import best
from tfarch.compression.pruning import (
    UpdatePruningStep,
    chosen_layers,
    holding_zeros,
    kernel_sparsity,
    stripped,
    weights_of_pruned,
    with_pruning,
)
from tfarch.compression.quantisation import weights_of_quantised, with_quantisation
from tfarch.compression.recipe import Prune, QuantisationAware, Recipe, Slim, Training
from tfarch.compression.slopes import worth_by_slopes
from tfarch.compression.sparsity import Sparsify
from tfarch.config import TrainConfig
from tfarch.data.arrays import Arrays
from tfarch.data.batches import Examples, plan_epoch
from tfarch.errors import InputError
from tfarch.evaluation.figures import REFERENCE
from tfarch.evaluation.file_benchmark import in_turn
from tfarch.evaluation.gate import gate, require_gate
from tfarch.evaluation.machine import describe
from tfarch.evaluation.metrics import paired_test, wilson_interval
from tfarch.export.linter import examine
from tfarch.export.tflite import Converter
from tfarch.models.weights import get_weights, set_weights
from tfarch.pipeline.evaluation_job import write_report
from tfarch.pipeline.own_model import Kind, Rows, functional, kind_of
from tfarch.pipeline.prepare import some_rows
from tfarch.progress import say
from tfarch.quiet import quiet
from tfarch.run_folder import RunFolder, now
from tfarch.training import ShowProgress, TensorBoard, Trainer

SHARE = 0.2  # of the rows that test, where no test is given
VARIANTS = ("float32", "dynamic_int8")
MODEL = "model.keras"
_BATCH = 64


def compress_model(
    model: tf.keras.Model,
    recipe: Recipe,
    rows: Rows,
    out: str | Path,
    *,
    test: Rows | None = None,
    batch_size: int = 32,
    seed: int = 0,
    name: str = "",
    command: str = "tfarch.pipeline.model_job.compress_model",
) -> dict[str, Any]:
    """Applies a recipe to a model, exports both as TFLite files and measures them; what is left is also `<out>/model.keras`.

    Args:
        model: see `functional`. It stays as it is.
        recipe: `prune` and `quantisation_aware` work on `Dense` layers, `slim` takes units out of them (`neurons`; see `tfarch.compression.dense_units`); layers, heads, vocabulary
            and learning from inner states are for tfarch's own encoder.
        test: rows that it is measured on; None: a fifth of `rows`, drawn by the seed.

    Returns:
        The report, which `<out>/report.json` and `report.html` hold.

    Raises:
        InputError: the recipe asks for what such a model does not have.
        GateError: a bound that the recipe states does not hold; the report is written all the same.
    """
    model = functional(model)
    _require_usable(recipe, model)
    if test is None:
        order = np.random.default_rng(seed).permutation(len(rows))
        held = max(1, round(SHARE * len(rows)))
        rows, test = rows.select(order[held:]), rows.select(order[:held])
    with RunFolder(out).locked() as folder:
        work = _Work(model, kind_of(model, rows.targets), rows, test, folder, batch_size, seed)
        left, stages = model, []
        for number, stage in enumerate(recipe.stages, 1):
            say(f"recipe {recipe.name}, stage {number} of {len(recipe.stages)}: {stage.kind}")
            left, figures = work.apply(f"{recipe.name}-{number}-{stage.kind}", stage, left)
            stages.append({"kind": stage.kind, "kernel_sparsity": kernel_sparsity(get_weights(left), ("*",)), **figures})
        models = {"": model, f"{recipe.name}_": left}
        report = {
            "app": "tfarch.compression",
            "task": work.kind,
            "name": name or model.name,
            "created": now(),
            "data": {"name": name or model.name, "train": len(rows), "test": len(test)},
            "model": {"structure": model.name, "parameters": left.count_params()},
            "compression": [{"name": recipe.name, "recipe": recipe.as_dict(), "stages": stages}],
            **work.measured(models),
            "machine": describe(),
            "seed": seed,
            "command": command,
        }
        report["gate"] = gate(report, recipe.stated)
        write_report(folder, report)
        left.save(folder.path / MODEL)
        require_gate(report["gate"])
    return report


def _require_usable(recipe: Recipe, model: tf.keras.Model) -> None:
    for number, stage in enumerate(recipe.stages):
        if stage.of_encoders:
            raise InputError(f"stages.{number}.{stage.of_encoders[0]}: that is for tfarch's own encoder; this model is another")
        if not isinstance(stage, Slim):
            _chosen(stage, model)
        elif not chains(model):
            raise InputError(f"stages.{number}: no Dense layer of this model is read by Dense layers alone, so none can lose units")


def _chosen(stage: Prune | QuantisationAware, model: tf.keras.Model) -> list[str]:
    """Patterns of the layers that a stage works on; of `prune` by default all but the one that gives the output."""
    if stage.layers == type(stage)().layers and isinstance(stage, Prune):
        dense, last = chosen_layers(model, ["*"]), model.output_names[0]
        return [each for each in dense if each != last] or dense
    return chosen_layers(model, stage.layers)


@dataclass(frozen=True)
class _Work:
    model: tf.keras.Model
    kind: Kind
    rows: Rows
    test: Rows
    folder: RunFolder
    batch_size: int
    seed: int

    def apply(self, name: str, stage: Training, model: tf.keras.Model) -> tuple[tf.keras.Model, dict[str, Any]]:
        """The plain model that a stage leaves, and its figures."""
        if isinstance(stage, Slim):
            return self._slim(name, stage, model)
        held, layers = holding_zeros(get_weights(model)), _chosen(stage, model)
        stage = dataclasses.replace(stage, layers=layers)
        if isinstance(stage, QuantisationAware):
            found, figures = self._fit(name, stage, model, lambda plain: with_quantisation(plain, stage), held)
            return _with(model, weights_of_quantised(found)), figures
        if not stage.through_tfmot:
            sparsify = Sparsify(stage, [f"{each}/kernel" for each in layers])
            found, figures = self._fit(name, stage, model, lambda plain: plain, [sparsify, *held])
            return _with(model, get_weights(found)), figures
        steps = stage.epochs * len(plan_epoch(self.rows.inputs.lengths, self.batch_size, seed=self.seed, epoch=0))
        callbacks = [UpdatePruningStep(), *held]
        found, figures = self._fit(name, stage, model, lambda plain: with_pruning(plain, stage, steps), callbacks, plain=stripped)
        return _with(model, weights_of_pruned(found)), figures

    def _slim(self, name: str, stage: Slim, model: tf.keras.Model) -> tuple[tf.keras.Model, dict[str, Any]]:
        found = chains(model)
        if stage.criterion == "magnitude":
            worth = by_magnitude(model, found)
        else:
            rows = self.rows.select(some_rows(len(self.rows), stage.texts, self.seed))
            targets, parts = self._targets(rows), np.array_split(np.arange(len(rows)), -(-len(rows) // _BATCH))
            batches = [(rows.inputs.padded(part, 1), targets[part], np.ones(len(part), np.float32)) for part in parts]
            objective = self._objective(dataclasses.replace(stage, distillation=0.0))
            groups = [(chain.name, chain.units) for chain in found]
            worth = worth_by_slopes(stage.criterion, model, groups, batches, objective, learning_rate=stage.learning_rate)
        kept = best(worth, stage.neurons, across=stage.scope == "global", least=stage.least_neurons, multiple=stage.multiple)
        model = without_units(model, found, kept)
        units = {chain.name: int(mask.sum()) for chain, mask in zip(found, kept, strict=True)}
        say("left: " + ", ".join(f"{count} units of {layer}" for layer, count in units.items()))
        fitted, figures = self._fit(name, stage, model, lambda plain: plain, holding_zeros(get_weights(model)))
        return _with(model, get_weights(fitted)), {"units": units, **figures}

    def _fit(
        self,
        name: str,
        stage: Training,
        model: tf.keras.Model,
        wrap: Callable[[tf.keras.Model], tf.keras.Model],
        callbacks: list,
        plain: Callable[[tf.keras.Model], tf.keras.Model] = lambda wrapped: wrapped,
    ) -> tuple[tf.keras.Model, dict[str, Any]]:
        settings = TrainConfig(
            epochs=stage.epochs,
            learning_rate=stage.learning_rate,
            batch_size=self.batch_size,
            freeze=[pattern for pattern in stage.freeze if pattern != "auto"],
            precision="float32",
            monitor="last",
        )
        targets = self._targets(self.rows)
        if stage.distillation:
            said = self._targets_of(self._outputs(self.model, self.rows.inputs), stage.temperature)
            targets = np.concatenate([targets, said], axis=1)
        examples = Examples(self.rows.inputs, targets, np.ones(len(self.rows), np.float32))
        shown = [TensorBoard(self.folder.tensorboard / name), ShowProgress(name)]
        trainer = Trainer(settings, seed=self.seed, folder=self.folder.checkpoints / name, callbacks=[*callbacks, *shown])

        def evaluate(wrapped: tf.keras.Model) -> dict[str, float]:
            found = self._metrics(self._outputs(plain(wrapped), self.test.inputs))
            return {f"test_{key}": value for key, value in found.items()}

        weights = get_weights(model)
        fingerprint = _digest(weights, self.rows, stage)
        trained = trainer.fit(lambda: wrap(_with(model, weights)), self._objective(stage), examples, evaluate, fingerprint=fingerprint)
        return trained.model, trained.figures

    # What is asked

    def _targets(self, rows: Rows) -> np.ndarray:
        """float32 `[n, classes]`, or `[n, numbers]`."""
        if self.kind == "numbers":
            return rows.targets.reshape(len(rows), -1).astype(np.float32)
        classes = max(2, self.model.output_shape[-1])
        return np.eye(classes, dtype=np.float32)[rows.targets.astype(np.int64)]

    def _targets_of(self, outputs: np.ndarray, temperature: float) -> np.ndarray:
        """What the model says, as `_targets`."""
        if self.kind == "numbers":
            return outputs.reshape(len(outputs), -1)
        return tf.nn.softmax(self._logits(tf.constant(outputs)) / temperature).numpy()

    def _logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """`[n, classes]` whose softmax is what the model says, which may give probabilities itself."""
        activation = getattr(self.model.layers[-1], "activation", None)
        if self.kind == "yes or no":
            outputs = tf.reshape(outputs, [-1, 1])
            if activation is tf.keras.activations.sigmoid:
                outputs = tf.math.log(tf.clip_by_value(outputs, 1e-7, 1.0)) - tf.math.log(tf.clip_by_value(1.0 - outputs, 1e-7, 1.0))
            return tf.concat([tf.zeros_like(outputs), outputs], axis=1)
        if activation is tf.keras.activations.softmax or isinstance(self.model.layers[-1], tf.keras.layers.Softmax):
            return tf.math.log(tf.clip_by_value(outputs, 1e-7, 1.0))
        return outputs

    def _objective(self, stage: Training):
        share, temperature = stage.distillation, stage.temperature

        def of(outputs, targets, at):
            if self.kind == "numbers":
                return tf.reduce_mean(tf.square(tf.reshape(outputs, tf.shape(targets)) - targets), axis=1)
            return tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=self._logits(outputs) / at)

        def loss(outputs, targets):
            outputs = tf.cast(outputs, tf.float32)
            if not share:
                return of(outputs, targets, 1.0)
            asked, said = tf.split(targets, 2, axis=1)
            scale = 1.0 if self.kind == "numbers" else temperature**2
            return (1.0 - share) * of(outputs, asked, 1.0) + share * scale * of(outputs, said, temperature)

        return loss

    # What is found

    def _outputs(self, model: tf.keras.Model, inputs: Arrays) -> np.ndarray:
        signature = {name: tf.TensorSpec(*each, name=name) for name, each in inputs.signature().items()}
        # As in `Forward`: the traced graph is called, and the function held.
        function = tf.function(lambda batch: model(batch, training=False), input_signature=[signature])
        run = function.get_concrete_function()
        parts = [np.arange(begin, min(begin + _BATCH, len(inputs))) for begin in range(0, len(inputs), _BATCH)]
        return np.concatenate([run({name: tf.constant(each) for name, each in inputs.padded(part, 1).items()}).numpy() for part in parts])

    def _answers(self, outputs: np.ndarray) -> np.ndarray:
        return self._logits(tf.constant(outputs)).numpy().argmax(axis=1)

    def _metrics(self, outputs: np.ndarray) -> dict[str, Any]:
        if self.kind == "numbers":
            return {"mse": float(np.mean((outputs.reshape(len(self.test), -1) - self._targets(self.test)) ** 2))}
        return {"accuracy": float((self._answers(outputs) == self.test.targets).mean())}

    def measured(self, models: Mapping[str, tf.keras.Model]) -> dict[str, Any]:
        """The report's variants of models by the prefix of their names, which one ships, and what that costs against float32."""
        bodies: dict[str, Path] = {}
        with self.folder.replacing(self.folder.variants) as place:
            for prefix, model in models.items():
                with Converter(_signature(model), model.variables) as converter:
                    for variant in VARIANTS:
                        say(f"exporting {prefix}{variant}")
                        (place / f"{prefix}{variant}.tflite").write_bytes(converter.convert(variant))
                        bodies[f"{prefix}{variant}"] = self.folder.variants / f"{prefix}{variant}.tflite"
        outputs = {name: self._of_file(file) for name, file in bodies.items()}
        with quiet():
            latency = in_turn(bodies)
        chosen = list(bodies)[-1]
        rows = []
        for name, file in bodies.items():
            metrics, paired = self._metrics(outputs[name]), {}
            if self.kind != "numbers":
                right = {each: self._answers(outputs[each]) == self.test.targets for each in (name, REFERENCE)}
                metrics["accuracy_interval"] = list(wilson_interval(int(right[name].sum()), len(self.test)))
                paired = {"paired": {"against": REFERENCE, **paired_test(right[name], right[REFERENCE])}}
            rows.append(
                {
                    "name": name,
                    "file": f"variants/{file.name}",
                    "bytes": file.stat().st_size,
                    "gzip_bytes": len(zlib.compress(file.read_bytes(), 6, wbits=31)),
                    "sparsity": examine(file).sparsity("FULLY_CONNECTED"),
                    "metrics": metrics,
                    **paired,
                    "latency_ms": latency[name],
                }
            )
        found: dict[str, Any] = {"variants": rows, "chosen": chosen}
        if self.kind != "numbers":
            now_right, before = (self._answers(outputs[each]) == self.test.targets for each in (chosen, REFERENCE))
            flips = {"lost": int((before & ~now_right).sum()), "gained": int((now_right & ~before).sum())}
            count = int((self._answers(outputs[chosen]) != self._answers(outputs[REFERENCE])).sum())
            found["cost"] = {
                "against": REFERENCE,
                "rows": len(self.test),
                "flips": {"count": count, **flips, "examples": []},
                "slices": [],
                "classes": [],
            }
        return found

    def _of_file(self, file: Path) -> np.ndarray:
        """What a TFLite file gives for the test rows."""
        with quiet():
            runner = Interpreter(model_path=str(file)).get_signature_runner("serving_default")
        parts = []
        for begin in range(0, len(self.test), _BATCH):
            batch = self.test.inputs.padded(np.arange(begin, min(begin + _BATCH, len(self.test))), 1)
            parts.append(next(iter(runner(**{f"input_{number}": each for number, each in enumerate(batch.values())}).values())))
        return np.concatenate(parts)


def _with(model: tf.keras.Model, weights: Mapping[str, np.ndarray]) -> tf.keras.Model:
    """A plain model of this structure with these weights."""
    plain = tf.keras.models.clone_model(model)
    set_weights(plain, weights)
    return plain


def _signature(model: tf.keras.Model):
    """As a function whose inputs are `input_0`, `input_1` ... in the order of the model's, and whose output is `output`."""
    names = model.input_names
    shapes = [tf.TensorSpec(each.shape, each.dtype, name=f"input_{number}") for number, each in enumerate(model.inputs)]

    @tf.function(input_signature=shapes)
    def run(*inputs):
        return {"output": model(dict(zip(names, inputs, strict=True)), training=False)}

    return run


def _digest(weights: Mapping[str, np.ndarray], rows: Rows, stage: Training) -> str:
    digest = hashlib.sha256(repr(dataclasses.asdict(stage)).encode())
    for each in (*rows.inputs.inputs.values(), rows.targets, *(weights[name] for name in sorted(weights))):
        digest.update(np.ascontiguousarray(each).tobytes())
    return digest.hexdigest()
