"""How long one text takes. Several candidates are measured in turn, pass by pass, so that a machine that slows down slows all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np


def measure(run: Callable[[str], object], texts: Sequence[str], repeats: int, warmup: int = 1) -> dict[str, float]:
    """Latency of `run`, one text at a time.

    Args:
        run: answers one text.
        texts: what it is asked, in this order, in each pass.
        repeats: timed passes over the texts, at least 1.
        warmup: passes before them that are not timed.

    Returns:
        `p50`, `p95`, `p99` (linear interpolation) and `mean` in milliseconds, and `n`, the timed calls.

    Raises:
        ValueError: no texts or no repeats.
    """
    return measure_in_turn({"run": run}, texts, repeats, warmup)["run"]


def measure_in_turn(
    candidates: Mapping[str, Callable[[str], object]], texts: Sequence[str], repeats: int, warmup: int = 1
) -> dict[str, dict[str, float]]:
    """`measure` of each candidate by its name; their passes alternate (A B A B ...), the warm-up's too.

    A whole pass stays with one candidate: alternating text by text would time each with the other's weights in the cache.
    """
    if not len(texts) or repeats < 1:
        raise ValueError("latency needs at least one text and one repeat")
    passes: dict[str, list[np.ndarray]] = {name: [] for name in candidates}
    for turn in range(warmup + repeats):
        for name, run in candidates.items():
            times = _one_pass(run, texts)
            if turn >= warmup:
                passes[name].append(times)
    return {name: _summary(np.concatenate(times)) for name, times in passes.items()}


def _one_pass(run: Callable[[str], object], texts: Sequence[str]) -> np.ndarray:
    """Milliseconds of each call, `[len(texts)]`."""
    times = np.empty(len(texts), np.int64)
    for index, text in enumerate(texts):
        start = time.perf_counter_ns()
        run(text)
        times[index] = time.perf_counter_ns() - start
    return times / 1e6


def _summary(times: np.ndarray) -> dict[str, float]:
    shares = {f"p{share}": float(np.percentile(times, share)) for share in (50, 95, 99)}
    return {**shares, "mean": float(times.mean()), "n": len(times)}
