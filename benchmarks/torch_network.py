"""The encoder and head of a run as a PyTorch module, with the run's own weights: what the peers of the benchmarks train, export and time.

Plain modules and `scaled_dot_product_attention`, which is the fastest eager way on a processor; `fusable` writes attention as the products that
ONNX Runtime's optimiser knows how to fuse. Lives in the bench environment: nothing of tfarch is imported.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional


class Layer(nn.Module):
    """One post-norm transformer layer."""

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float, epsilon: float, fusable: bool):
        super().__init__()
        self.heads, self.fusable = heads, fusable
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.attention_output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=epsilon)
        self.feed_forward_in, self.feed_forward_out = nn.Linear(width, feed_forward), nn.Linear(feed_forward, width)
        self.feed_forward_norm = nn.LayerNorm(width, eps=epsilon)
        self.dropout = nn.Dropout(dropout)

    def _split(self, states):
        return states.view(states.shape[0], states.shape[1], self.heads, states.shape[-1] // self.heads).transpose(1, 2)

    def forward(self, states, bias):
        query, key, value = self._split(self.query(states)), self._split(self.key(states)), self._split(self.value(states))
        if self.fusable:
            scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(query.shape[-1]) + bias
            attended = torch.matmul(torch.softmax(scores, dim=-1), value)
        else:
            attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        attended = attended.transpose(1, 2).reshape(states.shape)
        states = self.attention_norm(self.dropout(self.attention_output(attended)) + states)
        hidden = functional.gelu(self.feed_forward_in(states))
        return self.feed_forward_norm(self.dropout(self.feed_forward_out(hidden)) + states)


class Network(nn.Module):
    """int64 ids, mask, segment_ids `[batch, length]` -> float32 logits `[batch, classes]`."""

    def __init__(self, spec: dict, classes: int, *, dropout: float = 0.1, fusable: bool = False):
        super().__init__()
        if (spec["gelu"], spec["pooling"]) != ("exact", "mean"):
            raise SystemExit(
                f"the peers' network has exact GELU and mean pooling alone, the run's has {spec['gelu']} and {spec['pooling']}"
            )
        self.unit_vectors = spec["unit_vectors"]
        width, epsilon = spec["width"], spec["norm_epsilon"]
        self.token_embedding = nn.Embedding(spec["vocabulary"], width)
        self.position_embedding = nn.Embedding(spec["positions"], width)
        self.segment_embedding = nn.Embedding(spec["segments"], width)
        self.embedding_norm = nn.LayerNorm(width, eps=epsilon)
        sizes = zip(spec["heads"], spec["feed_forward"], strict=True)
        self.layers = nn.ModuleList(Layer(width, heads, ff, dropout, epsilon, fusable) for heads, ff in sizes)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)

    def forward(self, ids, mask, segment_ids):
        positions = torch.arange(ids.shape[1], device=ids.device)
        states = self.token_embedding(ids) + self.position_embedding(positions) + self.segment_embedding(segment_ids)
        states = self.dropout(self.embedding_norm(states))
        bias = (1.0 - mask[:, None, None, :].to(torch.float32)) * -10000.0
        for layer in self.layers:
            states = layer(states, bias)
        weights = mask[:, :, None].to(states.dtype)
        vector = (states * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        if self.unit_vectors:
            vector = vector * torch.rsqrt(vector.square().mean(-1, keepdim=True) + 1e-12)
        return self.head(self.dropout(vector)).float()


def load_network(checkpoints: str | Path, **options) -> Network:
    """The network of a run's `checkpoints/` folder with the weights of its first stage."""
    checkpoints = Path(checkpoints)
    made = json.loads((checkpoints / "trained.json").read_text(encoding="utf-8"))
    ours = load_file(checkpoints / made["weights"][0])
    network = Network(made["specs"][0], len(made["tasks"][""]["labels"]), **options)
    state = {_theirs(name): value.T.contiguous() if name.endswith("/kernel") else value for name, value in ours.items()}
    network.load_state_dict(state)
    return network.eval()


def _theirs(name: str) -> str:
    """`layer_0_query/kernel` -> `layers.0.query.weight`."""
    layer, weight = name.split("/")
    weight = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias", "embeddings": "weight"}[weight]
    if layer.startswith("layer_"):
        _, number, role = layer.split("_", 2)
        layer = f"layers.{number}.{role}"
    return f"{layer}.{weight}"
