"""The norm that clipping bounds is that of the whole gradient, also of embeddings whose tokens come many times."""

import numpy as np
import pytest

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first
from tests.tiny_training import CLASSES, ROWS, SPEC, classifier
from tfarch.config import TrainConfig
from tfarch.data.batches import Examples
from tfarch.data.tokens import Tokens
from tfarch.training import Trainer, cross_entropy

LENGTH = 6


def repeated():
    """Every text repeats one token; the segment is that of all."""
    ids = np.repeat(np.arange(5, 5 + ROWS) % SPEC.vocabulary, LENGTH).astype(np.int32)
    tokens = Tokens(ids, np.arange(0, ids.size + 1, LENGTH, dtype=np.int64))
    return Examples(tokens, (np.arange(ROWS) % CLASSES).astype(np.int32), np.ones(ROWS, np.float32))


def step(**settings):
    """The change of each weight in one update of plain descent at rate 1, by name."""
    common = {
        "epochs": 1,
        "learning_rate": 1.0,
        "warmup": 0.0,
        "optimizer": "sgd",
        "precision": "float32",
        "devices": "cpu",
        "monitor": "last",
    }
    trainer = Trainer(TrainConfig(**{**common, "freeze": [], "batch_size": ROWS, **settings}))
    trained = trainer.fit(classifier, cross_entropy(), repeated(), lambda model: {})
    start = {variable.name.split(":")[0]: variable.numpy() for variable in classifier().variables}
    return {name: value - start[name] for name, value in trained.weights.items()}


def norm(change):
    return np.sqrt(sum((value**2).sum() for value in change.values()))


@pytest.mark.parametrize("frozen", [[], ["token_embedding/*"]], ids=["all trained", "token table frozen"])
def test_a_clipped_step_is_as_long_as_the_bound(frozen):
    assert norm(step(clip_norm=0.01, freeze=frozen)) == pytest.approx(0.01, rel=1e-3)


def test_a_gradient_just_within_the_bound_is_left_as_it_is():
    free = step(clip_norm=0.0)
    bounded = step(clip_norm=float(norm(free)) * 1.001)
    for name, value in free.items():
        np.testing.assert_allclose(bounded[name], value, atol=1e-6, err_msg=name)


def test_accumulation_changes_no_clipped_step():
    whole, parts = step(clip_norm=0.5), step(clip_norm=0.5, batch_size=ROWS // 2, accumulate=2)
    for name, value in whole.items():
        np.testing.assert_allclose(parts[name], value, atol=1e-5, err_msg=name)
