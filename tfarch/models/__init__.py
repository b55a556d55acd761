"""Structures and pre-trained weights: from settings to a model that is ready to train."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tfarch.config import ModelConfig
from tfarch.errors import InputError
from tfarch.models.spec import AveragedSpec, EncoderSpec, Spec
from tfarch.runtime.tokeniser import Tokeniser

RANDOM = {
    "name": "random initial weights",
    "licence": "none needed",
    "source": "this run",
}  # where weights of no pre-trained model come from


@dataclass(frozen=True)
class Start:
    """What training starts from: a structure, a tokeniser, and the weights of the body (none: random)."""

    spec: Spec
    tokeniser: Tokeniser
    weights: dict[str, np.ndarray]
    provenance: dict[str, str]


def start_from(settings: ModelConfig, texts: Iterable[str], *, shorten_addresses: bool = False) -> Start:
    """The structure that `settings` ask for; `texts` (training rows only) teach the tokeniser where no pre-trained one is used. It reads web addresses as a word where
    `shorten_addresses` says so.

    Raises:
        InputError: the weights cannot be found, or do not fit.
    """
    if settings.structure == "averaged" or settings.weights == "random":
        tokeniser = Tokeniser.train(texts, settings.vocabulary, shorten_addresses=shorten_addresses)
        if settings.structure == "averaged":
            spec: Spec = AveragedSpec(len(tokeniser), settings.averaged_width)
        else:
            layers = settings.layers or 4
            if settings.heads < 1 or settings.width % settings.heads:
                raise InputError(f"model.width={settings.width} is not a multiple of model.heads={settings.heads}")
            spec = EncoderSpec(
                vocabulary=len(tokeniser),
                width=settings.width,
                heads=(settings.heads,) * layers,
                head_width=settings.width // settings.heads,
                feed_forward=(settings.feed_forward,) * layers,
                gelu=settings.gelu,
                pooling=settings.pooling,
            )
        return Start(spec, tokeniser, {}, RANDOM)

    from tfarch.models.pretrained import load_pretrained

    pretrained = load_pretrained(settings.weights)
    if settings.layers:
        pretrained = pretrained.with_layers(settings.layers)
    spec = dataclasses.replace(pretrained.spec, pooling=settings.pooling, unit_vectors=settings.unit_vectors)
    tokeniser = pretrained.tokeniser.with_short_addresses() if shorten_addresses else pretrained.tokeniser
    return Start(spec, tokeniser, pretrained.weights, pretrained.provenance)
