"""A two-layer encoder of width 8, its weights in a Hugging Face style folder, and the same encoder in plain numpy, for tests of models."""

import json
import math
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tfarch.models.encoder import text_inputs, token_states
from tfarch.models.spec import EncoderSpec

VOCABULARY = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "where",
    "is",
    "my",
    "card",
    "the",
    "lost",
    "##s",
    "refund",
    "?",
    "cafe",
    "café",
)
SPEC = EncoderSpec(vocabulary=len(VOCABULARY), width=8, heads=(2, 2), head_width=4, feed_forward=(16, 16), positions=12)
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "vocab_size": SPEC.vocabulary,
    "hidden_size": SPEC.width,
    "num_hidden_layers": SPEC.layers,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": SPEC.positions,
    "type_vocab_size": SPEC.segments,
    "layer_norm_eps": 1e-12,
}


def batch(*texts: list[int], length: int | None = None, segments: int = 0) -> dict[str, np.ndarray]:
    """The model's inputs for texts of token ids, padded to `length`; the last `segments` tokens of each text are of segment 1."""
    length = length or max(map(len, texts))
    ids, mask, segment_ids = (np.zeros((len(texts), length), np.int32) for _ in range(3))
    for row, text in enumerate(texts):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
        segment_ids[row, len(text) - segments : len(text)] = 1
    return {"ids": ids, "mask": mask, "segment_ids": segment_ids}


RAGGED = batch([2, 5, 6, 7, 8, 3], [2, 10, 3], [2, 12, 13, 3], segments=2)


def randomise(model: tf.keras.Model, seed: int = 0) -> tf.keras.Model:
    """`model` with every floating-point weight random, norms and biases too, so that none can be left out unseen."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.dtype.is_floating:
            variable.assign(random.normal(_mean(variable.name), 0.5, variable.shape))
    return model


def _mean(name: str) -> float:
    return 1.0 if "gamma" in name or name.endswith("LayerNorm.weight") else 0.0  # norms round 0 would hide what lies before them


def states_model(spec: EncoderSpec = SPEC) -> tf.keras.Model:
    """The encoder's token states `[batch, length, width]`."""
    inputs = text_inputs()
    return tf.keras.Model(inputs, token_states(spec, inputs))


def hugging_face_tensors(config: dict = CONFIG, seed: int = 0) -> dict[str, np.ndarray]:
    """Random tensors under BERT's names in Hugging Face's files; `Linear` weights are `[out, in]`."""
    random = np.random.default_rng(seed)
    width, inner = config["hidden_size"], config["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], width),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
        "pooler.dense.weight": (width, width),
        "pooler.dense.bias": (width,),
    }
    for index in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{index}"
        for name, out, rows in (
            *((f"attention.self.{role}", width, width) for role in ("query", "key", "value")),
            ("attention.output.dense", width, width),
            ("intermediate.dense", inner, width),
            ("output.dense", width, inner),
        ):
            shapes |= {f"{at}.{name}.weight": (out, rows), f"{at}.{name}.bias": (out,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{at}.{name}.weight": (width,), f"{at}.{name}.bias": (width,)}
    return {name: random.normal(_mean(name), 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def write_folder(folder: Path, config: dict = CONFIG, tensors: dict[str, np.ndarray] | None = None, prefix: str = "") -> Path:
    """A Hugging Face style folder of the tiny encoder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in VOCABULARY), encoding="utf-8")
    tensors = hugging_face_tensors() if tensors is None else tensors
    save_file({prefix + name: np.ascontiguousarray(value) for name, value in tensors.items()}, folder / "model.safetensors")
    return folder


def gelu(x: np.ndarray, kind: str = "exact") -> np.ndarray:
    """GELU (Hendrycks and Gimpel 2016) by `math.erf`, or its tanh approximation."""
    if kind == "tanh":
        return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def attention(query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray, heads: int) -> np.ndarray:
    """softmax(q k^T / sqrt(d)) v (Vaswani et al. 2017) of one text, head by head; padded keys take no part at all."""
    kept = mask.astype(bool)
    parts = []
    for q, k, v in zip(*(np.split(each, heads, axis=-1) for each in (query, key, value)), strict=True):
        scores = q @ k[kept].T / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        parts.append(scores / scores.sum(axis=-1, keepdims=True) @ v[kept])
    return np.concatenate(parts, axis=-1)


def numpy_bert(tensors: dict[str, np.ndarray], config: dict, ids: np.ndarray, mask: np.ndarray, segment_ids: np.ndarray) -> np.ndarray:
    """Token states `[length, width]` of one text, from Hugging Face's tensors, in float64."""
    tensors = {name: value.astype(np.float64) for name, value in tensors.items()}
    kind = "exact" if config["hidden_act"] == "gelu" else "tanh"

    def linear(name, x):
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(name, x):
        x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + config["layer_norm_eps"])
        return x * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    tokens, positions, segments = (tensors[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type"))
    states = norm("embeddings.LayerNorm", tokens[ids] + positions[: len(ids)] + segments[segment_ids])
    for index in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{index}"
        projected = [linear(f"{at}.attention.self.{role}", states) for role in ("query", "key", "value")]
        attended = linear(f"{at}.attention.output.dense", attention(*projected, mask, config["num_attention_heads"]))
        states = norm(f"{at}.attention.output.LayerNorm", states + attended)
        hidden = linear(f"{at}.output.dense", gelu(linear(f"{at}.intermediate.dense", states), kind))
        states = norm(f"{at}.output.LayerNorm", states + hidden)
    return states
