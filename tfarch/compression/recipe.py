"""Recipes: a compression run as a staged, versioned text file. A stage is a frozen dataclass with a `kind`; new kinds are added to `STAGES`."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tfarch.config import GateConfig
from tfarch.errors import InputError, unknown
from tfarch.settings import from_values, option, read_yaml

VERSION = 1
_TEACHES = ("distillation", "text_vectors", "hidden_states", "relations")  # settings by which a stage learns from the trained model
# Of heads and neurons, see `tfarch.compression.importance`; of weights, see `tfarch.compression.sparsity`.
Criterion = Literal["magnitude", "gradient", "information", "movement"]
SHIPPED = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Training:
    """What every stage trains by."""

    epochs: int = option(1, "passes over the training rows")
    learning_rate: float = option(5e-5, "peak learning rate of the stage")
    freeze: list[str] = option(
        ["auto"], "weight name patterns that do not learn, such as token_embedding/*; auto: those that the run froze"
    )
    distillation: float = option(0.0, "share of the loss that asks for what the trained model says, the labels having the rest")
    temperature: float = option(2.0, "of the probabilities that are compared in distillation")
    text_vectors: float = option(
        0.0, "what the squared distance of a text's vector to the trained model's counts in the loss, a length of it being 1"
    )
    hidden_states: float = option(
        0.0, "what the squared distance of the tokens' states after each layer to the trained model's counts, a length of them being 1"
    )
    relations: float = option(
        0.0, "what it counts that the tokens' queries, keys and values of the last layer relate as the trained model's do (MiniLMv2)"
    )
    variations: int = option(
        0,
        "texts made of each training text (words left out or exchanged, two texts joined, typos), of which the trained model says what they are",
    )

    @property
    def of_encoders(self) -> list[str]:
        """Settings in use that only tfarch's own encoders have something for."""
        return [name for name in ("text_vectors", "hidden_states", "relations", "variations") if getattr(self, name)]


@dataclass(frozen=True)
class Prune(Training):
    """Weights set to zero while training goes on; the zeros stay. Single weights of a layer go by magnitude through TF-MOT (Zhu and Gupta 2017)."""

    kind: Literal["prune"] = "prune"
    sparsity: float = option(0.3, "share of zeros in the chosen kernels at the end")
    initial_sparsity: float = option(0.0, "share of zeros at the beginning (not constant)")
    schedule: Literal["polynomial", "cubic", "cosine", "constant"] = option(
        "polynomial", "how the share rises over the ramp, or constant: at once"
    )
    power: float = option(3.0, "of the polynomial; 3 is cubic")
    start: float = option(0.0, "share of the stage's steps before the sparsity begins to rise, in which the criterion looks on")
    ramp: float = option(0.6, "share of the stage's steps over which the sparsity rises; the rest recovers")
    frequency: int = option(10, "most batches between mask updates; a short ramp has ten updates all the same")
    layers: list[str] = option(["layer_*"], "layer name patterns of the kernels that are pruned")
    criterion: Criterion = option("magnitude", "what tells which weights are worth most")
    scope: Literal["local", "global"] = option(
        "local", "whether each kernel loses the same share of its own, or all compete for one budget"
    )
    least_sparsity: float = option(0.0, "share that a kernel loses at least where all compete")
    most_sparsity: float = option(1.0, "share that a kernel loses at most where all compete")
    block: list[int] = option([1, 1], "inputs and outputs of the blocks that stay or go as one")
    n_of_m: list[int] = option(
        [], "such as [2, 4]: of every 4 neighbouring inputs of an output 2 stay, whatever the sparsity says; none: free"
    )

    @property
    def through_tfmot(self) -> bool:
        """Whether TF-MOT does it."""
        free = self.criterion == "magnitude" and self.scope == "local" and self.schedule != "cosine"
        return free and self.block == [1, 1] and not self.n_of_m


@dataclass(frozen=True)
class QuantisationAware(Training):
    """Training with kernels rounded to int8 per output channel, the grid that TFLite's dynamic-range converter will use."""

    kind: Literal["quantisation_aware"] = "quantisation_aware"
    layers: list[str] = option(["*"], "layer name patterns of the kernels that are rounded")
    learning_rate: float = option(2e-5, "peak learning rate of the stage")


@dataclass(frozen=True)
class Trimming(Training):
    """What stages with a token table of their own keep of it."""

    vocabulary: int = option(
        0, "rows of the token table that stay: special pieces, characters, and those that the training texts use most; 0: all"
    )
    most_vocabulary: int = option(
        0, "rows up to which all pieces that the training texts use stay, where these are more than `vocabulary`; 0: no more"
    )


@dataclass(frozen=True)
class Slim(Trimming):
    """Attention heads, feed-forward neurons and layers taken out of the encoder; what is left trains on."""

    kind: Literal["slim"] = "slim"
    keep_layers: list[int] = option([], "numbers of the layers that stay, from 0, or from -1 backwards; none: all")
    heads: float = option(1.0, "share of the attention heads of these layers that stay")
    neurons: float = option(1.0, "share of their feed-forward neurons that stay")
    criterion: Criterion = option("information", "what tells which heads and neurons are worth most")
    scope: Literal["global", "local"] = option("global", "whether all layers compete for one budget, or each keeps the same share")
    least_heads: int = option(1, "heads that a layer keeps whatever they are worth")
    least_neurons: int = option(32, "neurons that a layer keeps whatever they are worth")
    multiple: int = option(16, "what the number of neurons of a layer is rounded up to: processors compute by so many at once")
    texts: int = option(1024, "training texts that tell what heads and neurons are worth")
    epochs: int = option(4, "passes over the training rows")
    learning_rate: float = option(1e-4, "peak learning rate of the stage")
    freeze: list[str] = option([], "weight name patterns that do not learn; auto: those that the run froze")

    @property
    def of_encoders(self) -> list[str]:
        """As of every stage, and what is not a layer's units."""
        used = {"keep_layers": self.keep_layers, "vocabulary": self.vocabulary, "heads": self.heads < 1.0}
        return [*super().of_encoders, *(name for name, value in used.items() if value)]


@dataclass(frozen=True)
class Student(Trimming):
    """A small network of its own in the encoder's place; its token table begins with what the encoder says of each piece alone."""

    kind: Literal["student"] = "student"
    width: int = option(128, "numbers of an embedding and of a token's state")
    depth: int = option(1, "transformer layers, which begin at random; 0: the mean of the tokens' embeddings alone")
    head_width: int = option(32, "numbers of an attention head, of which a layer has as many as fill the width")
    feed_forward: int = option(256, "feed-forward neurons of each layer")
    epochs: int = option(10, "passes over the training rows")
    learning_rate: float = option(1e-3, "peak learning rate of the stage; 3e-3 suits embeddings alone")
    freeze: list[str] = option([], "weight name patterns that do not learn")

    @property
    def of_encoders(self) -> list[str]:
        """The stage itself."""
        return ["kind"]


STAGES: dict[str, type] = {"prune": Prune, "quantisation_aware": QuantisationAware, "slim": Slim, "student": Student}
Stage = Prune | QuantisationAware | Slim | Student


@dataclass(frozen=True)
class Recipe:
    """Stages that follow one another, each starting from the weights that the one before left; and what the file that they lead to promises to keep."""

    name: str
    description: str
    stages: tuple[Stage, ...]
    bounds: GateConfig = field(default_factory=GateConfig)
    version: int = VERSION

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for YAML."""
        stages = [{"kind": stage.kind, **dataclasses.asdict(stage)} for stage in self.stages]
        return {**dataclasses.asdict(self), "stages": stages, "bounds": self.stated}

    @property
    def stated(self) -> dict[str, float]:
        """The bounds that it states."""
        return {name: value for name, value in dataclasses.asdict(self.bounds).items() if value is not None}


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with tfarch, by name."""
    return {file.stem: file for file in sorted(SHIPPED.glob("*.yaml"))}


def load_recipe(name: str) -> Recipe:
    """A shipped recipe by name, or a recipe file.

    Raises:
        InputError: unknown name, another version, an unknown stage or setting, a value out of range; names the line and what is known.
    """
    shipped = shipped_recipes()
    if name in shipped:
        file = shipped[name]
    elif name.endswith((".yaml", ".yml")):
        file = Path(name)
    else:
        raise unknown("recipe", name, shipped, mend="or a file that ends in .yaml")
    values, lines = read_yaml(file)
    known = {"name", "description", "version", "stages", "bounds"}
    for key in values:
        if key not in known:
            raise unknown("setting", key, known, file=file, line=lines.get(key))
    if values.get("version") != VERSION:
        raise InputError(f"version {values.get('version')!r}: this tfarch reads version {VERSION}", file=file, line=lines.get("version", 1))
    listed = values.get("stages")
    if not isinstance(listed, list) or not listed:
        raise InputError("stages: expected a list of stages", file=file, line=lines.get("stages", 1))
    stages = []
    for index, stage in enumerate(listed):
        place = f"stages.{index}"
        kind = str(stage.get("kind") if isinstance(stage, dict) else stage)
        if kind not in STAGES:
            raise unknown("kind of stage", kind, STAGES, file=file, line=lines.get(f"{place}.kind", lines.get(place)))
        stages.append(_checked(from_values(STAGES[kind], stage, file=file, lines=lines, prefix=f"{place}."), file, lines, place))
    name = str(values.get("name", file.stem))
    if not re.fullmatch(r"[\w-][\w.-]*", name) or name == "trained":
        raise InputError(
            f"name={name!r}: files are named after it", file=file, line=lines.get("name"), mend="letters, digits, _ - . and not 'trained'"
        )
    bounds = from_values(GateConfig, values.get("bounds") or {}, file=file, lines=lines, prefix="bounds.")
    return Recipe(name, str(values.get("description", "")), tuple(stages), bounds)


def _checked(stage: Stage, file: Path, lines: dict[str, int], place: str) -> Stage:
    limits = {
        "sparsity": (0, 0.999),
        "initial_sparsity": (0, 0.999),
        "least_sparsity": (0, 1),
        "most_sparsity": (0, 1),
        "power": (0.1, 100),
        "start": (0, 1),
        "ramp": (0, 1),
        "frequency": (1, 10**9),
        "epochs": (1, 10**6),
        "learning_rate": (0, 1),
        "distillation": (0, 1),
        "temperature": (0.1, 100),
        "text_vectors": (0, 10**6),
        "hidden_states": (0, 10**6),
        "relations": (0, 10**6),
        "variations": (0, 1000),
        "heads": (0.001, 1),
        "neurons": (0.001, 1),
        "least_heads": (1, 10**6),
        "least_neurons": (1, 10**6),
        "multiple": (1, 4096),
        "texts": (1, 10**9),
        "vocabulary": (0, 10**9),
        "most_vocabulary": (0, 10**9),
        "width": (1, 4096),
        "depth": (0, 24),
        "head_width": (1, 4096),
        "feed_forward": (1, 2**16),
    }
    for name, (low, high) in limits.items():
        value = getattr(stage, name, low)
        if not low <= value <= high:
            raise InputError(f"{place}.{name}={value}: expected {low} to {high}", file=file, line=lines.get(f"{place}.{name}"))
    if stage.variations and not any(getattr(stage, name) for name in _TEACHES):
        raise InputError(
            f"{place}.variations={stage.variations}: nothing says what they are",
            file=file,
            line=lines.get(f"{place}.variations"),
            mend=f"{', '.join(_TEACHES[:-1])} or {_TEACHES[-1]} over 0",
        )
    if isinstance(stage, Prune) and stage.initial_sparsity > stage.sparsity:
        raise InputError(
            f"{place}.initial_sparsity={stage.initial_sparsity}: expected at most the sparsity, {stage.sparsity}",
            file=file,
            line=lines.get(f"{place}.initial_sparsity"),
        )
    if isinstance(stage, Prune):
        for name, holds, told in (
            ("block", len(stage.block) == 2 and min(stage.block) >= 1, "two numbers from 1, inputs and outputs"),
            ("n_of_m", not stage.n_of_m or (len(stage.n_of_m) == 2 and 1 <= stage.n_of_m[0] < stage.n_of_m[1]), "[n, m] with n < m"),
            ("n_of_m", not stage.n_of_m or stage.block == [1, 1], "no block beside it"),
            ("start", stage.start + stage.ramp <= 1, f"no more than the ramp of {stage.ramp} leaves"),
            (
                "least_sparsity",
                stage.least_sparsity <= stage.sparsity <= stage.most_sparsity,
                "at most the sparsity, and that at most most_sparsity",
            ),
        ):
            if not holds:
                raise InputError(f"{place}.{name}={getattr(stage, name)}: expected {told}", file=file, line=lines.get(f"{place}.{name}"))
    if isinstance(stage, Trimming) and stage.most_vocabulary and not 0 < stage.vocabulary <= stage.most_vocabulary:
        raise InputError(
            f"{place}.most_vocabulary={stage.most_vocabulary}: expected at least the vocabulary, {stage.vocabulary}, of which 0 keeps all",
            file=file,
            line=lines.get(f"{place}.most_vocabulary"),
        )
    if isinstance(stage, Student) and stage.depth and stage.width % stage.head_width:
        raise InputError(
            f"{place}.width={stage.width}: expected heads of {stage.head_width} numbers to fill it",
            file=file,
            line=lines.get(f"{place}.width", lines.get(f"{place}.head_width")),
            mend="another width or head_width",
        )
    if isinstance(stage, Slim) and stage.keep_layers != sorted(set(stage.keep_layers), key=lambda each: (each < 0, each)):
        raise InputError(
            f"{place}.keep_layers={stage.keep_layers}: expected rising numbers from 0, and after them rising ones below 0, of which -1 is the last layer",
            file=file,
            line=lines.get(f"{place}.keep_layers"),
        )
    return stage
