"""The interest model learns what follows what, on one replica or two, and says of items and users what it learned."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.tiny_encoder import SPEC, randomise
from tests.tiny_interest import ITEMS, TOKENS, rings, sequences
from tfarch.config import TrainConfig
from tfarch.data.batches import Batch
from tfarch.models.interest import InterestSpec, build_interest
from tfarch.models.weights import get_weights
from tfarch.training.interest import Interest, train_interest

SETTINGS = TrainConfig(epochs=16, batch_size=8, learning_rate=2e-2, freeze=["position_embedding/*"], monitor="last", precision="float32")
COUNTS = np.bincount(np.concatenate(rings()), minlength=ITEMS)

# A process of its own: logical devices must be asked for before TensorFlow starts.
TWO = """
import dataclasses, json
import tests.tiny_encoder as tiny
import numpy as np
from tests.tiny_interest import ITEMS, rings, sequences
from tfarch.config import TrainConfig
from tfarch.models.interest import InterestSpec
from tfarch.training.interest import train_interest
settings = TrainConfig(epochs=8, batch_size=8, learning_rate=2e-2, freeze=["position_embedding/*"], monitor="last", precision="float32", devices="cpu:2")
trained = train_interest(InterestSpec(tiny.SPEC, width=8), {}, sequences(rings()), np.ones(ITEMS), settings, seed=1, dropout=0.0)
print(json.dumps({"replicas": trained.figures["replicas"], "losses": [epoch["loss"] for epoch in trained.figures["history"]]}))
"""


@pytest.mark.parametrize(("user_tower", "ids"), [("mean", 0), ("attention", ITEMS)])
def test_it_learns_what_follows_what(user_tower, ids):
    told = []

    def evaluate(interest):
        told.append(next_is_first(interest))
        return {"valid_first": told[-1]}

    spec = InterestSpec(SPEC, width=8, user_tower=user_tower, ids=ids)
    trained = train_interest(spec, {}, sequences(rings()), COUNTS, SETTINGS, seed=1, dropout=0.0, evaluate=evaluate)
    assert told[-1] >= 0.8
    assert trained.figures["history"][-1]["valid_first"] == told[-1]
    assert next_is_first(Interest.of(spec, trained.weights, TOKENS)) == told[-1]


def next_is_first(interest):
    """How often the next item is the one of the highest score, among those not had."""
    found = []
    for history in rings(20, 3, seed=5):
        scores = interest.vectors @ interest.state(history[:2], np.zeros(2), np.ones(2))
        scores[history[:2]] = -2.0
        found.append(scores.argmax() == history[2])
    return float(np.mean(found))


@pytest.mark.parametrize("user_tower", ["mean", "attention"])
def test_the_towers_say_what_the_trained_model_says(user_tower):
    spec = InterestSpec(SPEC, width=8, user_tower=user_tower, ids=ITEMS, behaviours=2)
    model = randomise(build_interest(spec, ITEMS))
    interest = Interest.of(spec, get_weights(model), TOKENS)
    data = sequences([np.array([3, 1, 4, 5])], behaviours=[0, 1, 1, 0], amounts=[1, 2, 0.5, 1])
    batch = data.batch(Batch(np.array([0]), 4), 1.0)
    inner = type(model)(model.inputs, [model.get_layer(name).output for name in ("item_vectors", "user_states")])
    vectors, states = inner({name: batch[name] for name in inner.input_names})
    np.testing.assert_allclose(interest.vectors[[1, 3, 4, 5]], vectors, atol=1e-5)
    for length in (1, 2, 3):
        state = interest.state(np.array([3, 1, 4])[:length], np.array([0, 1, 1])[:length], np.array([1, 2, 0.5])[:length])
        np.testing.assert_allclose(state, states[0, length - 1], atol=1e-5)
    assert interest.state(np.array([]), np.array([]), np.array([])).tolist() == [0.0] * 8


def test_two_replicas_learn_it_too():
    done = subprocess.run([sys.executable, "-c", TWO], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["replicas"] == 2
    assert told["losses"][-1] < 0.6 * told["losses"][0]
