"""The settings of a run: frozen dataclasses that round-trip through YAML and the command line. Nothing here imports TensorFlow.

A `Config` is built in layers, later ones win: the defaults below, the app's own, `--quick`, each `--config FILE.yaml`, each `--set section.key=value`.
Every field carries its help; `Config.fields()` lists them for `--help`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Union

import yaml

from tfarch.errors import InputError, unknown


def option(default: Any, help: str, *, least: float | None = None, most: float | None = None) -> Any:
    """A dataclass field with a default, its help text, and the bounds of its value (of each item of a list)."""
    metadata = {"help": help, "least": least, "most": most}
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class DataConfig:
    """Where the examples come from."""

    path: str | None = option(None, "folder, CSV/TSV/JSONL file or tfds:NAME; none: the app's embedded sample")
    text_column: str = option("text", "name of the column that holds the text")
    label_column: str = option("label", "name of the column that holds the label")
    tasks: list[str] = option([], "what one encoder learns together, a head each; each is a column of labels (none: label_column alone)")
    task_data: dict[str, str] = option({}, "data of its own for a task, as path; its labels stand in label_column or in the task's column")
    task_columns: dict[str, str] = option(
        {}, "column of a task's labels that has another name than the task, as name; in data of its own too"
    )
    licence: str | None = option(
        None, "licence of the data, as bundle and model card tell it; none: what a catalogue says, the user's own where there is none"
    )
    oos_label: str = option("oos", "label of out-of-scope rows: never a class, used for thresholds and scored in test")
    oos_is_class: bool = option(False, "treat the out-of-scope label as a class like any other")
    addresses: Literal["read", "shorten"] = option(
        "read", "web addresses in the texts: read letter by letter, or each as the one word http"
    )
    max_length: int = option(64, "tokens of a text, [CLS] and [SEP] included; longer texts are cut", least=3)
    valid_fraction: float = option(0.1, "share of the training rows held out for validation where no file gives it")
    valid_most: int = option(500, "but at most this many rows, as training has more use for them (0: no bound)", least=0)
    test_fraction: float = option(0.2, "share of the rows held out for the test where no file gives it")
    strict: bool = option(False, "stop on bad rows instead of skipping and reporting them")
    limit: int = option(0, "keep at most this many training rows, stratified (0: all)", least=0)
    shots: int = option(0, "keep this many training rows of each class (0: all)", least=0)
    draw: int = option(0, "which draw of them; another number draws others", least=0)
    unlabelled: str | None = option(
        None,
        "texts without labels that training learns from too: a text a line, or CSV/TSV/JSONL; rest: the rows that shots or limit leave out",
    )


@dataclass(frozen=True)
class ModelConfig:
    """The structure of the model and where its weights come from."""

    structure: Literal["encoder", "averaged"] = option("encoder", "transformer encoder, or averaged embeddings (under 1 MB)")
    weights: str = option("minilm", "minilm, a Hugging Face style folder, keras-nlp:PRESET, or random")
    layers: int = option(0, "encoder layers (0: all that the weights have; random: 4); fewer keeps them evenly spaced", least=0)
    width: int = option(256, "hidden width of random weights", least=1)
    heads: int = option(4, "attention heads of random weights", least=1)
    feed_forward: int = option(1024, "feed-forward width of random weights", least=1)
    averaged_width: int = option(64, "width of the averaged structure's embeddings", least=1)
    gelu: Literal["exact", "tanh"] = option("exact", "GELU of random weights, by erf or its tanh approximation")
    dropout: float = option(0.1, "dropout after embeddings, attention and feed-forward, and before the head", least=0, most=0.99)
    attention_dropout: float = option(0.0, "dropout on attention probabilities (costly on CPUs)", least=0, most=0.99)
    pooling: Literal["mean", "first"] = option("mean", "mean over tokens, or the first token")
    unit_vectors: bool = option(True, "a pre-trained encoder's text vector is scaled to one length for all texts")
    vocabulary: int = option(3000, "most word pieces that a tokeniser trained on the data may have (averaged, random)", least=16)


@dataclass(frozen=True)
class TrainConfig:
    """How the model is trained."""

    epochs: int = option(
        0, "passes over the training rows (0: 4; on small data 5, from random weights up to 10, with unlabelled texts 3)", least=0
    )
    batch_size: int = option(32, "examples of one update, over all replicas", least=1)
    optimizer: Literal["adamw", "adam", "sgd"] = option("adamw", "adamw, adam or sgd (momentum 0.9)")
    learning_rate: float = option(
        0.0, "peak learning rate (0: 1e-4 to 2.5e-4 by the rows pre-trained, 5e-4 random encoder, 1e-2 averaged)", least=0
    )
    schedule: Literal["linear", "cosine", "constant"] = option("linear", "decay after warm-up")
    warmup: float = option(0.1, "share of the steps over which the rate rises from 0", least=0, most=1)
    weight_decay: float = option(0.01, "decoupled weight decay; spares biases and norms", least=0)
    layer_decay: float = option(1.0, "factor of the learning rate from each layer to the one below it", least=0, most=1)
    clip_norm: float = option(1.0, "largest global norm of the gradients (0: no clipping)", least=0)
    l2: float = option(0.0, "L2 penalty on kernels, added to the loss", least=0)
    label_smoothing: float = option(0.0, "share of probability spread over all classes", least=0, most=1)
    focal_gamma: float = option(0.0, "focal loss exponent (0: cross-entropy)", least=0)
    class_weights: Literal["none", "balanced", "sqrt"] = option(
        "none", "weights of the classes in the loss, by inverse frequency or its root"
    )
    task_weights: dict[str, float] = option({}, "weight of a task's losses beside the others' (1)", least=0)
    guess_missing: bool = option(
        False, "several tasks: labels that a row lacks are guessed by a first, shorter training, and count half in the next"
    )
    class_names: Literal["auto", "always", "never"] = option(
        "auto", "each class's name is a training row too; auto: where rows are few and it helps heads to judge rows that they have not seen"
    )
    accumulate: int = option(1, "batches whose gradients are summed into one update", least=1)
    head_start: Literal["probe", "random"] = option("probe", "a pre-trained encoder's head starts from a linear probe, or at random")
    interpolate: bool = option(True, "take the weights between the probe's and the trained ones that fit validation best")
    freeze: list[str] = option(["auto"], "variable name patterns that stay fixed; auto: the token table where data is small")
    freeze_below: int = option(50_000, "auto freezes the token table under this many training rows", least=0)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = option("auto", "auto: bfloat16 only where the processor has it")
    xla: bool = option(False, "compile the training step with XLA")
    devices: str = option("auto", "auto, gpu:0,1, cpu, or cpu:N (N logical devices, for tests)")
    monitor: str = option("valid_accuracy", "validation metric that picks the best epoch; last: the last one is taken")
    patience: int = option(0, "stop after this many epochs without a better metric (0: never)", least=0)
    checkpoint_every: int = option(200, "steps between checkpoints for resuming (0: at epoch ends only)", least=0)
    histograms: bool = option(False, "write histograms of the weights to TensorBoard")
    deterministic: bool = option(False, "slower operations that are equal bit by bit on every run")


@dataclass(frozen=True)
class CompressConfig:
    """Which compression the run applies."""

    recipe: str = option("none", "none, a shipped recipe's name, or a recipe file")


@dataclass(frozen=True)
class OutOfScopeConfig:
    """How the model learns to say "I don't know"."""

    method: Literal["auto", "max_probability", "energy", "mahalanobis", "nearest_neighbour", "adaptive_boundary", "combined"] = option(
        "auto", "score that tells what is in scope; auto: the best on validation's out-of-scope rows, without any energy"
    )
    keep: float = option(0.99, "share of the right answers on validation that are kept where it has no out-of-scope rows", least=0, most=1)
    share: float = option(0.1, "share of the questions that is taken to be out of scope, where validation has such rows", least=0, most=1)


@dataclass(frozen=True)
class ExportConfig:
    """Which files are made, and the bounds that they must keep."""

    variants: list[str] = option(["float32", "float16", "dynamic_int8"], "TFLite variants of the trained model")
    ship: str = option("dynamic_int8", "variant that becomes bundle/model.tflite")
    # Off: a bundle may be read by people who may not read the training texts, and the run's folder has them for whoever works there.
    example_texts: bool = option(False, "training texts go into the bundle, so that predict --explain shows the nearest without the run")
    long_texts: bool = option(
        False, "the bundle answers texts longer than data.max_length by all of their passages, not by their beginning"
    )
    lengths: list[int] = option([], "fixed token lengths, a file for each (none: one file with dynamic length)", least=3)
    parity_bound: float = option(
        1e-3, "largest difference of probabilities between Keras, SavedModel, TFLite float32 and the runtime", least=0
    )
    agreement_bound: float = option(0.95, "least share of equal labels between a compressed variant and the float32 file", least=0, most=1)


@dataclass(frozen=True)
class EvaluateConfig:
    """What is measured on the exported files."""

    threads: list[int] = option([1, 2], "thread counts at which latency is measured", least=1)
    latency_texts: int = option(200, "texts of the latency measurement, one at a time", least=1)
    latency_repeats: int = option(3, "passes over them, after one warm-up pass", least=1)
    bins: int = option(15, "bins of the calibration error", least=1)


@dataclass(frozen=True)
class LabelErrorsConfig:
    """How rows are found whose label is likely wrong, before the training."""

    find: bool = option(True, "look for rows whose label is likely wrong, and list them in label_errors.csv")
    most_rows: int = option(20_000, "rows of each part that are looked at, at most; drawn by the seed", least=1)
    folds: int = option(5, "heads that are fitted, each judging the rows that it has not seen", least=2)


@dataclass(frozen=True)
class Config:
    """All settings of a run."""

    data: DataConfig = field(default_factory=DataConfig)
    label_errors: LabelErrorsConfig = field(default_factory=LabelErrorsConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    compress: CompressConfig = field(default_factory=CompressConfig)
    out_of_scope: OutOfScopeConfig = field(default_factory=OutOfScopeConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    seed: int = option(0, "seed of splits, initial weights, order and dropout", least=0, most=2**32 - 1)

    def with_values(self, values: Mapping[str, Any], *, file: str | Path | None = None, lines: Mapping[str, int] | None = None) -> Config:
        """A copy with the nested `values` laid over it.

        Raises:
            InputError: an unknown section or key (lists the known ones) or a value of the wrong type; names `file` and the line in `lines`.
        """
        return _merge(self, values, "", file, lines or {})

    def with_setting(self, setting: str) -> Config:
        """A copy with one `section.key=value` of the command line laid over it; the value is read as YAML."""
        key, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"--set {setting!r} has no '='", mend="write --set section.key=value")
        try:
            values: Any = _parse(text)[0] if text else ""
        except yaml.YAMLError as error:
            raise InputError(f"--set {setting!r}: the value is not YAML: {_problem(error)}", mend="put it in quotes") from error
        for part in reversed(key.strip().split(".")):
            values = {part: values}
        return self.with_values(values, file="--set")

    def with_file(self, path: str | Path) -> Config:
        """A copy with a YAML file laid over it."""
        values, lines = read_yaml(path)
        values.pop("made_by", None)  # what a run records of itself beside its settings
        return self.with_values(values, file=path, lines=lines)

    def as_dict(self) -> dict[str, Any]:
        """The settings as nested plain values, ready for YAML or JSON."""
        return dataclasses.asdict(self)

    @staticmethod
    def fields() -> Iterator[tuple[str, Any, str]]:
        """Each setting's dotted name, default and help."""
        for top in dataclasses.fields(Config):
            if top.name == "seed":
                yield "seed", top.default, top.metadata["help"]
                continue
            for each in dataclasses.fields(top.default_factory):  # type: ignore[arg-type]
                default = each.default if each.default is not dataclasses.MISSING else each.default_factory()
                yield f"{top.name}.{each.name}", default, each.metadata["help"]


def read_yaml(path: str | Path) -> tuple[dict[str, Any], dict[str, int]]:
    """A YAML mapping and the line of each of its dotted keys.

    Raises:
        InputError: the file is missing, is not YAML or is not a mapping.
    """
    with yaml_errors(path):
        values, node = _parse(Path(path).read_text(encoding="utf-8-sig"))
    if values is None:
        return {}, {}
    if not isinstance(values, dict):
        raise InputError("expected 'section: ...' at the top", file=path, line=1)
    lines: dict[str, int] = {}

    def walk(node, prefix):
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                lines[prefix + str(key.value)] = key.start_mark.line + 1
                walk(value, f"{prefix}{key.value}.")
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                lines[f"{prefix}{index}"] = value.start_mark.line + 1
                walk(value, f"{prefix}{index}.")

    walk(node, "")
    return values, lines


@contextlib.contextmanager
def yaml_errors(path: str | Path) -> Iterator[None]:
    """What goes wrong while a YAML file is read, as an `InputError` that names the file and the line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 (byte {error.start})", file=path, mend="save the file as UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(f"not YAML: {_problem(error)}", file=path, line=mark.line + 1 if mark else None) from error


class _Loader(yaml.SafeLoader):
    """The safe loader, whose errors are all `YAMLError`s with their place."""

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except (ValueError, AttributeError, IndexError) as error:  # such as the date 2024-02-30
            problem = f"{node.value[:40]!r} is not a valid {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


def _parse(text: str) -> tuple[Any, yaml.Node | None]:
    """What a YAML text says, and its nodes."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return None if node is None else loader.construct_document(node), node
    except RecursionError as error:
        raise yaml.YAMLError("nested too deeply") from error


def _problem(error: yaml.YAMLError) -> str:
    """What is wrong, on one line."""
    return getattr(error, "problem", None) or str(error).splitlines()[0]


def from_values(
    cls: type, values: Mapping[str, Any], *, file: str | Path | None = None, lines: Mapping[str, int] | None = None, prefix: str = ""
):
    """An instance of the dataclass `cls` from plain values, with the checks of `Config.with_values`; fields without default must be given."""
    hints = typing.get_type_hints(cls)
    known = {each.name: each for each in dataclasses.fields(cls)}
    place = {"file": file, "line": (lines or {}).get(prefix.rstrip("."))}
    if not isinstance(values, Mapping):
        raise InputError(f"{prefix.rstrip('.') or cls.__name__} takes settings, not {values!r}", **place)
    for key in values:
        if key not in known:
            raise unknown("setting", prefix + str(key), known, file=file, line=(lines or {}).get(prefix + str(key)))
    missing = [
        n for n, f in known.items() if n not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise InputError(f"{prefix.rstrip('.') or cls.__name__} lacks {', '.join(missing)}", **place)
    checked = {k: check_value(hints[k], v, prefix + k, file, (lines or {}).get(prefix + k)) for k, v in values.items()}
    return cls(**checked)


def _merge(settings: Any, values: Mapping[str, Any], prefix: str, file, lines: Mapping[str, int]) -> Any:
    known = {each.name: each for each in dataclasses.fields(settings)}
    if not isinstance(values, Mapping):
        raise InputError(f"{prefix.rstrip('.')} takes settings, not {values!r}", file=file, line=lines.get(prefix.rstrip(".")))
    hints = typing.get_type_hints(type(settings))
    changed = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if key not in known:
            raise unknown("setting", name, (prefix + each for each in known), file=file, line=lines.get(name))
        current = getattr(settings, key)
        if dataclasses.is_dataclass(current):
            changed[key] = _merge(current, value, f"{name}.", file, lines)
        else:
            changed[key] = check_value(hints[key], value, name, file, lines.get(name))
            _check_bounds(known[key].metadata, changed[key], name, file, lines.get(name))
    return dataclasses.replace(settings, **changed)


def check_value(hint: Any, value: Any, name: str, file=None, line: int | None = None) -> Any:
    """`value` as the type that `hint` states (int, float, bool, str, None, Literal, list, dict, union).

    Raises:
        InputError: it is none of these; says what was expected.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        # YAML reads a bare 'none' as text but 'off' and 'no' as False: only exact choices are taken.
        if value in args:
            return value
        raise InputError(f"{name}={value!r}: expected one of {', '.join(map(str, args))}", file=file, line=line)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return check_value(next(each for each in args if each is not type(None)), value, name, file, line)
    if origin is list:
        items = value if isinstance(value, (list, tuple)) else [value]
        return [check_value(args[0], each, f"{name}[{index}]", file, line) for index, each in enumerate(items)]
    if origin is dict:
        if not isinstance(value, Mapping):
            raise InputError(f"{name}={value!r}: expected names with a value each", file=file, line=line)
        return {str(key): check_value(args[1], each, f"{name}.{key}", file, line) for key, each in value.items()}
    if hint is float:
        if isinstance(value, str):  # YAML 1.1 reads 1e-3 (no dot) as text
            with contextlib.suppress(ValueError):
                value = float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if not abs(value) <= sys.float_info.max:  # NaN, infinity, or a whole number beyond them
                raise InputError(f"{name}={value!r}: expected a finite number", file=file, line=line)
            return float(value)
    elif (hint is int and isinstance(value, int) and not isinstance(value, bool)) or (hint in (bool, str) and isinstance(value, hint)):
        return value
    elif hint is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    elif hint is Any or hint is dict:
        return value
    raise InputError(f"{name}={value!r}: expected {getattr(hint, '__name__', hint)}", file=file, line=line)


def _check_bounds(metadata: Mapping[str, Any], value: Any, name: str, file, line: int | None) -> None:
    least, most = metadata["least"], metadata["most"]
    if least is None:
        return
    for each in value if isinstance(value, list) else value.values() if isinstance(value, dict) else [value]:
        if not least <= each <= (math.inf if most is None else most):
            expected = f"{least} or more" if most is None else f"{least} to {most}"
            raise InputError(f"{name}={value!r}: expected {expected}", file=file, line=line)


def dump_yaml(values: Mapping[str, Any]) -> str:
    """Plain values as YAML, keys in the order given."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, default_flow_style=False, width=120)
