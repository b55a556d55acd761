"""Each score of how much a text looks in scope, against its definition written out row by row."""

import numpy as np
import pytest

from tfarch.runtime.scope import METHODS, ScopeRule, Score, typical, unit

ROWS, WIDTH, CLASSES = 50, 6, 4
RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(size=(ROWS, WIDTH)).astype(np.float32)
KERNEL, BIAS = RANDOM.normal(size=(WIDTH, CLASSES)).astype(np.float32), RANDOM.normal(size=CLASSES).astype(np.float32)
LOGITS = VECTORS @ KERNEL + BIAS
PROBABILITIES = (np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)).astype(np.float32)
NEIGHBOURS = unit(RANDOM.normal(size=(30, WIDTH)))
CENTRES, RADII = unit(RANDOM.normal(size=(CLASSES, WIDTH))) * 0.8, RANDOM.uniform(0.2, 1.0, CLASSES).astype(np.float32)
STATISTICS = {
    "kernel": KERNEL,
    "bias": BIAS,
    "whitening": np.eye(WIDTH, dtype=np.float32),
    "means": CENTRES,
    "neighbours": NEIGHBOURS,
    "nth": np.array(1),
    "centres": CENTRES,
    "radii": RADII,
    "typical": np.array([[0.5, 2.0, 0.4], [1.0, 3.0, 0.2]], np.float32),
}


def test_the_highest_probability_is_read_off():
    np.testing.assert_allclose(Score("max_probability")(PROBABILITIES, None), PROBABILITIES.max(axis=1))


def test_the_energy_is_the_log_of_the_summed_exponentials_of_the_logits():
    found = Score("energy", {"kernel": KERNEL, "bias": BIAS})(PROBABILITIES, VECTORS)
    np.testing.assert_allclose(found, np.log(np.exp(LOGITS.astype(np.float64)).sum(axis=1)), atol=1e-5)


def test_large_logits_do_not_overflow_the_energy():
    found = Score("energy", {"kernel": KERNEL * 1e4, "bias": BIAS})(PROBABILITIES, VECTORS)
    np.testing.assert_allclose(found, (VECTORS.astype(np.float64) @ (KERNEL * 1e4) + BIAS).max(axis=1), rtol=1e-6)


def test_the_mahalanobis_distance_is_measured_in_the_metric_of_the_covariance():
    mixing = RANDOM.normal(size=(WIDTH, WIDTH))
    covariance = mixing @ mixing.T + np.eye(WIDTH)
    whitening = np.linalg.cholesky(np.linalg.inv(covariance))
    means = RANDOM.normal(size=(CLASSES, WIDTH))
    found = Score("mahalanobis", {"whitening": whitening.astype(np.float32), "means": (means @ whitening).astype(np.float32)})(
        None or PROBABILITIES, VECTORS
    )
    expected = [-min((v - m) @ np.linalg.inv(covariance) @ (v - m) for m in means) for v in VECTORS.astype(np.float64)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("nth", [1, 3, 30])
def test_the_cosine_to_the_nth_nearest_neighbour(nth):
    found = Score("nearest_neighbour", {"neighbours": NEIGHBOURS, "nth": np.array(nth)})(PROBABILITIES, VECTORS)
    cosines = np.sort(unit(VECTORS) @ NEIGHBOURS.T, axis=1)[:, ::-1]
    np.testing.assert_allclose(found, cosines[:, nth - 1], atol=1e-6)


def test_neighbours_are_looked_at_in_pieces_of_the_rows():
    score = Score("nearest_neighbour", {"neighbours": NEIGHBOURS, "nth": np.array(1)})
    many = np.tile(VECTORS, (50, 1))
    np.testing.assert_allclose(score(np.tile(PROBABILITIES, (50, 1)), many), np.tile(score(PROBABILITIES, VECTORS), 50), atol=1e-6)


def test_the_boundary_is_measured_in_radii_of_the_class_that_is_nearest_by_them():
    found = Score("adaptive_boundary", {"centres": CENTRES, "radii": RADII})(PROBABILITIES, VECTORS)
    expected = [-min(np.linalg.norm(v - c) / r for c, r in zip(CENTRES, RADII, strict=True)) for v in unit(VECTORS)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_row_below_the_threshold_is_rejected_and_one_at_it_is_not():
    score = Score("max_probability")
    scores = score(PROBABILITIES, None)
    rule = ScopeRule(score, float(np.median(scores)))
    assert rule.rejects(PROBABILITIES, None).sum() == ROWS // 2
    assert not ScopeRule(score, float(scores.min())).rejects(PROBABILITIES, None).any()


def test_what_is_combined_counts_in_deviations_from_what_is_typical():
    found = Score("combined", STATISTICS)(PROBABILITIES, VECTORS)
    highest = PROBABILITIES.max(axis=1)
    parts = [
        np.log(highest / (1 - highest)),
        *(Score(method, STATISTICS)(PROBABILITIES, VECTORS) for method in ("energy", "nearest_neighbour")),
    ]
    mean, spread = STATISTICS["typical"]
    np.testing.assert_allclose(found, sum((part - m) / s for part, m, s in zip(parts, mean, spread, strict=True)), rtol=1e-5)


def test_over_the_rows_that_are_typical_it_is_nothing_on_average():
    measured = typical((PROBABILITIES, VECTORS), STATISTICS)
    assert Score("combined", {**STATISTICS, "typical": measured})(PROBABILITIES, VECTORS).mean() == pytest.approx(0, abs=1e-5)
    assert (measured[1] > 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_no_row_gives_no_score(method):
    assert Score(method, STATISTICS)(np.empty((0, CLASSES)), np.empty((0, WIDTH))).shape == (0,)


def statistics_of(method):
    """Those that the method has in a bundle, and no others."""
    names = {
        "max_probability": (),
        "energy": ("kernel", "bias"),
        "mahalanobis": ("whitening", "means"),
        "nearest_neighbour": ("neighbours", "nth"),
        "adaptive_boundary": ("centres", "radii"),
        "combined": ("kernel", "bias", "neighbours", "nth", "typical"),
    }[method]
    return {name: STATISTICS[name] for name in names}


@pytest.mark.parametrize("method", METHODS)
def test_a_class_that_is_added_is_in_scope_and_can_be_left_again(method):
    score = Score(method, statistics_of(method))
    new = (5 + RANDOM.normal(size=(4, WIDTH)) / 10).astype(np.float32)
    wider = score.with_class(np.full(WIDTH, 2.0, np.float32), 0.0, new)
    if method != "max_probability":
        assert (wider(PROBABILITIES[:4], new) > score(PROBABILITIES[:4], new)).all()
    again = wider.without_classes(1, len(new))
    np.testing.assert_array_equal(again(PROBABILITIES, VECTORS), score(PROBABILITIES, VECTORS))


def test_a_score_without_its_statistics_is_refused():
    with pytest.raises(ValueError, match="energy lacks bias"):
        Score("energy", {"kernel": KERNEL})
    with pytest.raises(ValueError, match="unknown method 'magic'; known: max_probability, energy"):
        Score("magic")


def test_vectors_of_zeros_keep_their_length():
    np.testing.assert_array_equal(unit(np.zeros((1, 3))), np.zeros((1, 3)))
