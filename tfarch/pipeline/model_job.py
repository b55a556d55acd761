"""A recipe for a model that was made elsewhere: any functional tf_keras model with `Dense` layers, and arrays to train and test it on."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tfarch.compression.dense_units import by_magnitude, by_slopes, chains, without_units
from tfarch.compression.importance import best
from tfarch.compression.pruning import (
    HoldZeros,
    UpdatePruningStep,
    chosen_layers,
    kernel_sparsity,
    stripped,
    weights_of_pruned,
    with_pruning,
    zero_masks,
)
from tfarch.compression.quantisation import weights_of_quantised, with_quantisation
from tfarch.compression.recipe import Prune, QuantisationAware, Recipe, Slim, Training
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
from tfarch.pipeline.prepare import some_rows
from tfarch.progress import say
from tfarch.quiet import quiet
from tfarch.run_folder import RunFolder, now
from tfarch.training import ShowProgress, TensorBoard, Trainer

SHARE = 0.2  # of the rows that test, where no test is given
VARIANTS = ("float32", "dynamic_int8")
TARGETS, MODEL = "y", "model.keras"
Kind = Literal["classes", "yes or no", "numbers"]
_BATCH = 64


@dataclass(frozen=True)
class Rows:
    """Inputs by name and what is asked of them, `[n]` or `[n, ...]`."""

    inputs: Arrays
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def select(self, rows: np.ndarray) -> Rows:
        """The rows of these numbers."""
        return Rows(self.inputs.select(rows), self.targets[rows])


def load_model(file: str | Path) -> tf.keras.Model:
    """A functional tf_keras model from a `.keras` or `.h5` file or a Keras SavedModel.

    Raises:
        InputError: it is none, holds another model as a layer, or gives several outputs.
    """
    if not Path(file).exists():
        raise InputError("no such model", file=file)
    try:
        with quiet():
            model = tf.keras.models.load_model(file, compile=False)
    except (ValueError, TypeError, OSError, KeyError, AttributeError, ImportError) as error:
        raise InputError(
            f"cannot be read by tf_keras: {str(error).splitlines()[0][:200]}",
            file=file,
            mend="save it by tf_keras, without layers of your own",
        ) from error
    return functional(model, file)


def functional(model: tf.keras.Model, source: str | Path = "the model") -> tf.keras.Model:
    """The model as a functional one.

    Raises:
        InputError: see `load_model`.
    """
    if not getattr(model, "_is_graph_network", False):
        raise InputError("is no functional model", file=source, mend="build it as tf_keras.Model(inputs, outputs) or tf_keras.Sequential")
    if isinstance(model, tf.keras.Sequential):
        model = tf.keras.Model(model.inputs, model.outputs, name=model.name)
    nested = [layer.name for layer in model.layers if isinstance(layer, tf.keras.Model)]
    if nested:
        raise InputError(f"holds another model as its layer {nested[0]}", file=source, mend="put its layers into the model itself")
    if len(model.outputs) != 1:
        raise InputError(f"has {len(model.outputs)} outputs; a recipe needs one", file=source)
    return model


def read_rows(file: str | Path, model: tf.keras.Model) -> Rows:
    """Arrays of a `.npz` file: the model's inputs by their names, or `x` where it has one, and `y`.

    Raises:
        InputError: one is missing, does not fit the model, or they have not as many rows as one another.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot be read as .npz: {error}", file=file) from error
    names = model.input_names
    if len(names) == 1 and names[0] not in arrays and "x" in arrays:
        arrays[names[0]] = arrays.pop("x")
    missing = [name for name in (*names, TARGETS) if name not in arrays]
    if missing:
        raise InputError(f"lacks {', '.join(missing)}; it holds {', '.join(arrays) or 'nothing'}", file=file)
    inputs = {}
    for name, wanted in zip(names, model.inputs, strict=True):
        values = arrays[name]
        shape = tuple(wanted.shape)[1:]
        if values.ndim != len(shape) + 1 or any(size not in (None, own) for size, own in zip(shape, values.shape[1:], strict=True)):
            raise InputError(f"{name} is {values.shape}, expected {(None, *shape)}", file=file)
        inputs[name] = values.astype(wanted.dtype.as_numpy_dtype)
    targets = arrays[TARGETS]
    rows = {name: len(values) for name, values in (*inputs.items(), (TARGETS, targets))}
    if len(set(rows.values())) != 1 or not len(targets):
        raise InputError("rows differ: " + ", ".join(f"{name} {count}" for name, count in rows.items()), file=file)
    kind_of(model, targets, file)
    return Rows(Arrays(inputs), targets)


def kind_of(model: tf.keras.Model, targets: np.ndarray, source: str | Path = "y") -> Kind:
    """What the model is asked: whole numbers ask for a class, or with one output for yes or no; other numbers for themselves.

    Raises:
        InputError: the targets do not fit the model's output.
    """
    shape = tuple(model.output_shape[1:])
    if targets.dtype.kind in "iub" and targets.ndim == 1 and len(shape) == 1:
        classes = max(2, shape[0])
        if targets.min() < 0 or targets.max() >= classes:
            raise InputError(f"y goes from {targets.min()} to {targets.max()}; the model tells {classes} classes apart", file=source)
        return "classes" if shape[0] > 1 else "yes or no"
    if targets.dtype.kind not in "fiub" or (tuple(targets.shape[1:]) != shape and not (targets.ndim == 1 and shape == (1,))):
        raise InputError(f"y of {targets.dtype} {targets.shape} does not fit the model's output {(None, *shape)}", file=source)
    return "numbers"


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
        own = [each for each in ("text_vectors", "hidden_states", "relations", "keep_layers", "vocabulary") if getattr(stage, each, None)]
        own += ["heads"] if getattr(stage, "heads", 1.0) < 1.0 else []
        if own:
            raise InputError(f"stages.{number}.{own[0]}: that is for tfarch's own encoder; this model is another")
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
        masks = zero_masks(get_weights(model))
        held = [HoldZeros(masks)] if masks else []
        if isinstance(stage, Slim):
            return self._slim(name, stage, model)
        layers = _chosen(stage, model)
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
            batches = [(rows.inputs.padded(part, 1), targets[part]) for part in parts]
            plain = dataclasses.replace(stage, distillation=0.0)
            worth = by_slopes(model, found, batches, self._objective(plain), {"gradient": 1, "information": 2}[stage.criterion])
        kept = best(worth, stage.neurons, across=stage.scope == "global", least=stage.least_neurons, multiple=stage.multiple)
        model = without_units(model, found, kept)
        units = {chain.name: int(mask.sum()) for chain, mask in zip(found, kept, strict=True)}
        say("left: " + ", ".join(f"{count} units of {layer}" for layer, count in units.items()))
        masks = zero_masks(get_weights(model))
        fitted, figures = self._fit(name, stage, model, lambda plain: plain, [HoldZeros(masks)] if masks else [])
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
            freeze=[],
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
