"""What a model is made of, as plain data: it travels in checkpoints and reports, and is all that is needed to build the model again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from tfarch.errors import InputError, unknown


@dataclass(frozen=True)
class EncoderSpec:
    """A post-norm transformer encoder as BERT's. Heads and feed-forward widths stand per layer, so that slimmed layers may differ."""

    vocabulary: int  # rows of the token table
    width: int
    heads: tuple[int, ...]
    head_width: int
    feed_forward: tuple[int, ...]
    positions: int = 512
    segments: int = 2
    gelu: Literal["exact", "tanh"] = "exact"
    norm_epsilon: float = 1e-12
    pooling: Literal["mean", "first"] = "mean"
    unit_vectors: bool = False  # the text vector scaled to a root mean square of 1
    structure: Literal["encoder"] = "encoder"

    def __post_init__(self):
        if not self.heads or len(self.heads) != len(self.feed_forward):
            raise InputError(
                f"an encoder has one head count and one feed-forward width per layer, not {self.heads} and {self.feed_forward}"
            )
        _check_sizes(self, ("vocabulary", "width", "heads", "head_width", "feed_forward", "positions", "segments"))
        for name, choices in (("gelu", ("exact", "tanh")), ("pooling", ("mean", "first"))):
            if getattr(self, name) not in choices:
                raise unknown(name, getattr(self, name), choices)

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return len(self.heads)


@dataclass(frozen=True)
class AveragedSpec:
    """The mean of the tokens' embeddings: the smallest structure (Joulin et al. 2017, on word pieces)."""

    vocabulary: int
    width: int = 64
    unit_vectors: bool = False  # as of an encoder
    structure: Literal["averaged"] = "averaged"

    def __post_init__(self):
        _check_sizes(self, ("vocabulary", "width"))

    @property
    def layers(self) -> int:
        """It has no layer between the table and the head."""
        return 0


Spec = EncoderSpec | AveragedSpec


def _check_sizes(spec: Spec, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(spec, name)
        if not all(isinstance(size, int) and size > 0 for size in (value if isinstance(value, tuple) else (value,))):
            raise InputError(f"{name}={value} of the {spec.structure} structure: expected whole numbers above 0")


def spec_from_dict(values: dict[str, Any]) -> Spec:
    """The spec that `spec_as_dict` wrote.

    Raises:
        InputError: the structure or a field is unknown, a field is missing, or a value is none that a model can have.
    """
    kinds = {"encoder": EncoderSpec, "averaged": AveragedSpec}
    kind = kinds.get(values.get("structure"))
    if kind is None:
        raise unknown("structure", values.get("structure"), kinds)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in values:
        if key not in fields:
            raise unknown(f"field of the {values['structure']} structure", key, fields)
    missing = [name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in values]
    if missing:
        raise InputError(f"the {values['structure']} structure lacks {', '.join(missing)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def spec_as_dict(spec: Spec) -> dict[str, Any]:
    """The spec as plain values for JSON."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(spec).items()}
