"""The PyTorch loops of `benchmarks.training_throughput`, in the bench environment."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from benchmarks.torch_network import load_network
from benchmarks.workers import serve

BATCH, CHECKED = 32, 256


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--serve", required=True, help="way")
    options = parser.parse_args()
    data = dict(np.load(options.plan))
    network = load_network(options.run / "checkpoints").train()
    if options.serve.endswith("frozen"):
        network.token_embedding.weight.requires_grad_(False)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": 0.01},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, eps=1e-8, fused=True)
    batches = _random(data) if options.serve == "pytorch_usual" else _bucketed(data)
    precision = torch.bfloat16 if "bfloat16" in options.serve else None

    def answer(updates: int) -> float | list[int]:
        if not updates:
            return _labels(network, data)
        start = time.perf_counter()
        for _ in range(updates):
            ids, mask, targets = next(batches)
            with torch.autocast("cpu", dtype=precision or torch.bfloat16, enabled=precision is not None):
                logits = network(ids, mask, torch.zeros_like(ids))
            loss = functional.cross_entropy(logits, targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            loss.item()
        return updates * BATCH / (time.perf_counter() - start)

    serve(answer)
    return 0


def _labels(network: torch.nn.Module, data) -> list[int]:
    """What the network, not yet trained further, gives to the first texts."""
    network.eval()
    with torch.no_grad():
        labels = []
        for row in range(CHECKED):
            ids, mask, _ = _padded(data, np.array([row]), int(data["offsets"][row + 1] - data["offsets"][row]))
            labels.append(int(network(ids, mask, torch.zeros_like(ids)).argmax()))
    network.train()
    return labels


def _random(data) -> Iterator[tuple[torch.Tensor, ...]]:
    """Random batches, padded to the longest of each."""
    random = np.random.default_rng(0)
    lengths = np.diff(data["offsets"])
    while True:
        order = random.permutation(len(lengths))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            yield _padded(data, rows, int(lengths[rows].max()))


def _bucketed(data) -> Iterator[tuple[torch.Tensor, ...]]:
    """The batches that tfarch planned."""
    ends = np.cumsum(data["sizes"])
    while True:
        for end, size, length in zip(ends, data["sizes"], data["lengths"], strict=True):
            yield _padded(data, data["rows"][end - size : end], int(length))


def _padded(data, rows: np.ndarray, length: int) -> tuple[torch.Tensor, ...]:
    ids = np.zeros((len(rows), length), np.int64)
    mask = np.zeros_like(ids)
    for place, row in enumerate(rows):
        text = data["ids"][data["offsets"][row] : data["offsets"][row + 1]][:length]
        ids[place, : len(text)], mask[place, : len(text)] = text, 1
    return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(data["targets"][rows].astype(np.int64))


if __name__ == "__main__":
    sys.exit(main())
