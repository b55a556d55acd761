"""The settings of a run that trains, compresses, exports and measures a classifier, section by section (see `tfarch.settings`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tfarch.settings import Settings, option


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
    encoder_rate: float = option(1.0, "factor of the learning rate of the encoder's layers beside what stands above them", least=0)
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
    soup: int = option(1, "trainings from the same pre-trained weights, in other orders, whose weights are averaged", least=1)
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
    teacher: str | None = option(None, "bundle or run whose answers stages learn from in place of the trained model's")


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

    variants: list[str] = option(
        ["float32", "float16", "dynamic_int8"],
        "TFLite variants of the trained model; weight_only_int8 computes in float, static_int8 is for devices without floating point",
    )
    ship: str = option("dynamic_int8", "variant that becomes bundle/model.tflite")
    keep_float: list[str] = option(
        [], "layer name patterns whose weights stay float in dynamic_int8 and weight_only_int8 files, such as head or layer_0_*"
    )
    calibration: Literal["min_max", "percentile", "mse"] = option(
        "mse", "what fixes the ranges of activations in static_int8 files: all that was seen, all but the tails, or the least square error"
    )
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
    typo_rows: int = option(300, "test rows on which it is measured what typos cost; 0: none", least=0)


@dataclass(frozen=True)
class GateConfig:
    """Bounds that the file which ships must keep on the test rows: where one does not hold, run, compress and evaluate write the report and end with exit code 1.

    A loss is against the float32 file of the trained model. What has no value is not asked for.
    """

    accuracy: float | None = option(None, "least accuracy, 0 to 1", least=0, most=1)
    accuracy_loss: float | None = option(None, "most accuracy that is lost; 0.005 is half a point", least=-1, most=1)
    class_loss: float | None = option(None, "most recall that a class of 20 test rows or more loses", least=-1, most=1)
    slice_loss: float | None = option(None, "most accuracy that short, middling or long texts or rare classes lose", least=-1, most=1)
    flips: float | None = option(None, "largest share of the rows whose answer was right and no longer is", least=0, most=1)
    typo_loss: float | None = option(None, "most accuracy that typos cost it beyond what they cost the float32 file", least=-1, most=1)
    ece: float | None = option(None, "largest expected calibration error", least=0, most=1)
    auroc_loss: float | None = option(None, "most that the AUROC of out-of-scope rows loses", least=-1, most=1)
    megabytes: float | None = option(None, "largest file, in millions of bytes", least=0)
    latency: float | None = option(
        None,
        "largest median time of a text, as a share of the trained model's dynamic int8 file's, at the first of evaluate.threads",
        least=0,
    )


@dataclass(frozen=True)
class LabelErrorsConfig:
    """How rows are found whose label is likely wrong, before the training."""

    find: bool = option(True, "look for rows whose label is likely wrong, and list them in label_errors.csv")
    most_rows: int = option(20_000, "rows of each part that are looked at, at most; drawn by the seed", least=1)
    folds: int = option(5, "heads that are fitted, each judging the rows that it has not seen", least=2)


@dataclass(frozen=True)
class Config(Settings):
    """All settings of a run that trains and exports a classifier."""

    data: DataConfig = field(default_factory=DataConfig)
    label_errors: LabelErrorsConfig = field(default_factory=LabelErrorsConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    compress: CompressConfig = field(default_factory=CompressConfig)
    out_of_scope: OutOfScopeConfig = field(default_factory=OutOfScopeConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    seed: int = option(0, "seed of splits, initial weights, order and dropout", least=0, most=2**32 - 1)
