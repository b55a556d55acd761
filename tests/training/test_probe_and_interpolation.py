"""What fine-tuning starts from, and where between that and its end the weights are taken."""

import numpy as np

from tfarch.training.interpolation import best_between, between
from tfarch.training.probe import L2, chosen_l2, fit_probe


def two_clouds(rows=200, width=6, shift=3.0, seed=0):
    random = np.random.default_rng(seed)
    targets = random.integers(0, 2, rows)
    features = random.normal(size=(rows, width)).astype(np.float32)
    features[:, 0] += shift * targets
    return features * 5.0 + 100.0, targets  # far from the origin, as pooled states are


def test_a_probe_parts_what_a_plane_parts():
    features, targets = two_clouds(shift=8.0)
    kernel, bias = fit_probe(features, targets, 2)
    assert kernel.shape == (6, 2)
    assert kernel.dtype == bias.dtype == np.float32
    assert ((features @ kernel + bias).argmax(1) == targets).mean() == 1.0


def test_a_probe_is_the_least_of_its_convex_loss():
    features, targets = two_clouds()
    scale, centre, l2 = features.std(axis=0).mean(), features.mean(axis=0), 0.01
    inputs = (features - centre) / scale

    def loss(kernel, bias):
        logits = inputs @ kernel + bias
        logits = logits - logits.max(1, keepdims=True)
        likelihood = logits[np.arange(len(targets)), targets] - np.log(np.exp(logits).sum(1))
        return -likelihood.mean() + l2 / 2 * (kernel**2).sum()

    kernel, bias = fit_probe(features, targets, 2, l2=l2, steps=400)
    kernel, bias = kernel * scale, bias + centre @ kernel
    found = loss(kernel, bias)
    random = np.random.default_rng(1)
    for size in (1e-1, 1e-2):
        for _ in range(20):
            assert loss(kernel + size * random.normal(size=kernel.shape), bias + size * random.normal(size=2)) > found


def test_features_that_do_not_vary_give_the_class_shares():
    kernel, bias = fit_probe(np.ones((10, 3), np.float32), np.array([0] * 8 + [1] * 2), 2)
    logits = np.ones(3, np.float32) @ kernel + bias
    assert np.isclose(np.exp(logits[0] - logits[1]), 4.0, rtol=0.05)


def test_classes_that_features_tell_apart_keep_the_mild_decay():
    features, targets = two_clouds(shift=8.0)
    assert chosen_l2(features, targets, 2, seed=0) == L2


def test_where_features_hardly_tell_the_classes_the_decay_grows_and_unseen_rows_are_told_better():
    random = np.random.default_rng(0)
    targets = random.integers(0, 3, 600)
    features = random.normal(size=(600, 80)).astype(np.float32)
    features[:, :3] += 0.6 * np.eye(3)[targets]
    train, unseen = slice(0, 120), slice(120, None)
    l2 = chosen_l2(features[train], targets[train], 3, seed=0)
    assert l2 > 10 * L2

    def unseen_loss(l2):
        kernel, bias = fit_probe(features[train], targets[train], 3, l2=l2)
        logits = features[unseen] @ kernel + bias
        return (np.log(np.exp(logits).sum(1)) - logits[np.arange(480), targets[unseen]]).mean()

    assert unseen_loss(l2) < np.log(3) < unseen_loss(L2)


def test_classes_of_one_row_leave_nothing_to_choose_by():
    assert chosen_l2(np.eye(3, dtype=np.float32), np.arange(3), 3, seed=0) == L2
    assert chosen_l2(np.eye(4, dtype=np.float32), np.array([0, 0, 1, 2]), 3, seed=0) >= L2


def test_the_point_of_least_loss_is_taken():
    start, end = (
        {"a": np.zeros(2, np.float32), "frozen": np.full(1, 0.1, np.float32)},
        {"a": np.ones(2, np.float32), "frozen": np.full(1, 0.1, np.float32)},
    )
    weights, share, losses = best_between(start, end, lambda weights: float((weights["a"][0] - 0.62) ** 2))
    assert share == 0.6
    assert np.allclose(weights["a"], 0.6)
    assert weights["frozen"] == end["frozen"]  # bit by bit: what was frozen stays
    assert losses[1.0] > losses[0.6]


def test_the_ends_are_the_ends():
    start, end = {"a": np.array([0.1], np.float32)}, {"a": np.array([0.7], np.float32)}
    assert between(start, end, 1.0)["a"] is end["a"]
    assert between(start, end, 0.0)["a"] == start["a"]
