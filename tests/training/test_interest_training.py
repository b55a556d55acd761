"""The interest model learns what follows what, on one replica or two, and says of items and users what it learned."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from tests.tiny_encoder import SPEC, randomise
from tests.tiny_interest import ITEMS, TOKENS, rings, sequences
from tfarch.config import TrainConfig
from tfarch.data.batches import Batch
from tfarch.data.behaviour import Interactions
from tfarch.models.interest import InterestSpec, build_interest
from tfarch.models.item_factors import ItemFactors
from tfarch.models.weights import get_weights
from tfarch.training.interest import OWN, Interest, rearranged, sequences_of, states_of, train_interest, with_hard_negatives

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


@pytest.mark.parametrize("below", [0, 1, 2])
def test_the_states_of_lower_layers_are_as_good_as_the_texts(below):
    whole = InterestSpec(SPEC, width=8, ids=ITEMS)
    weights = get_weights(randomise(build_interest(whole, ITEMS)))
    upper = dataclasses.replace(whole, below=below)
    states = states_of(SPEC, weights, TOKENS, below)
    assert len(states.values) == (ITEMS if below == SPEC.layers else len(TOKENS.ids))
    one, other = Interest.of(whole, weights, TOKENS), Interest.of(upper, weights, states)
    np.testing.assert_allclose(one.vectors, other.vectors, atol=5e-3)  # float16
    tower = other.text_tower()
    text_alone = tower(TOKENS.padded(np.arange(ITEMS), 3))["text_vector"].numpy()
    plain = Interest.of(dataclasses.replace(whole, ids=0), weights, TOKENS)
    np.testing.assert_allclose(text_alone, plain.vectors, atol=1e-5)


def test_only_the_layers_above_learn_where_states_are_given():
    spec = InterestSpec(SPEC, below=1, width=8)
    weights = {
        name: value for name, value in get_weights(randomise(build_interest(InterestSpec(SPEC, width=8), ITEMS))).items() if "_" in name
    }
    encoder = {name: value for name, value in weights.items() if not name.startswith(OWN)}
    data = dataclasses.replace(sequences(rings()), tokens=states_of(SPEC, encoder, TOKENS, 1))
    trained = train_interest(spec, encoder, data, COUNTS, dataclasses.replace(SETTINGS, epochs=8, freeze=[]), seed=1, dropout=0.0)
    assert {name for name in trained.weights if name.startswith(("layer_0", "token_", "position_"))} == set()
    assert np.abs(trained.weights["layer_1_query/kernel"] - encoder["layer_1_query/kernel"]).max() > 1e-3
    losses = [epoch["loss"] for epoch in trained.figures["history"]]
    assert losses[-1] < losses[0]


def test_weights_move_to_other_items_and_behaviours_by_their_names():
    weights = {
        "item_ids/table": np.array([[1.0], [2.0]]),
        "item_ids/counts": np.array([5.0, 6.0]),
        "sampling/seen": np.array([3.0, 4.0]),
        "event_weights/logs": np.array([7.0]),
        "x": np.ones(1),
    }
    found = rearranged(weights, (("a", "b"), ("click",)), (("b", "new", "a"), ("buy", "click")), np.array([9, 0, 8]))
    assert found["item_ids/table"].tolist() == [[2.0], [0.0], [1.0]]
    assert found["sampling/seen"].tolist() == [4.0, 0.0, 3.0]
    assert found["item_ids/counts"].tolist() == [9.0, 0.0, 8.0]
    assert found["event_weights/logs"].tolist() == [0.0, 7.0]
    assert found["x"] is weights["x"]


def test_only_later_events_are_foretold_where_that_is_asked():
    log = Interactions.of(
        ["u"] * 4,
        ["0", "1", "2", "3"],
        np.arange(4.0),
        values=np.array([5.0, 1.0, 5.0, 1.0]),
        item_ids=[str(item) for item in range(ITEMS)],
    )
    assert sequences_of(log, TOKENS, 4.0).wanted.tolist() == pytest.approx([1.0, 0.2, 1.0, 0.2])
    assert sequences_of(log, TOKENS, 4.0, after=1.0).wanted.tolist() == pytest.approx([0.0, 0.0, 1.0, 0.2])


def test_a_match_model_tells_what_a_user_wants_from_what_he_does_not():
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(80), 8)
    items = np.concatenate([rng.permutation(ITEMS)[:8] for _ in range(80)])
    wanted = items % 2 == users % 2
    names = [str(item) for item in range(ITEMS)]
    log = Interactions.of(
        [str(user) for user in users], [names[item] for item in items], np.arange(640.0), values=np.where(wanted, 5.0, 1.0), item_ids=names
    )
    spec = InterestSpec(SPEC, width=8, objective="match")
    data = sequences_of(log, TOKENS, 4.0, match=True)
    trained = train_interest(spec, {}, data, COUNTS, dataclasses.replace(SETTINGS, epochs=12), seed=1, dropout=0.0)
    interest = Interest.of(spec, trained.weights, TOKENS)
    assert interest.users.matches
    for parity in (0, 1):
        state = interest.state(np.array([parity, 2 + parity, 1 - parity]), np.zeros(3), np.array([1.0, 1.0, 0.4]))
        chances = interest.users.chances(state, interest.vectors)
        assert chances[4 + parity :: 2].min() > chances[5 - parity :: 2].max()


def test_hard_negatives_are_what_a_linear_model_would_have_thought():
    data = sequences([np.array([0, 1, 2, 3, 4, 5, 6]), np.array([7, 8])], longest=4)
    sources, targets = np.ones((ITEMS, 1), np.float32), np.arange(ITEMS, dtype=np.float32)[:, None]
    found = with_hard_negatives(data, ItemFactors(sources, targets), 1)
    assert found.targets.tolist() == [0, 0, 1]
    assert found.negatives.tolist() == [[9], [8], [9]]
    batch = found.batch(Batch(np.array([2]), 2), 1.0)
    assert batch["items"].tolist() == [[7, 8, 9]]
    assert batch["had"].tolist() == [[[True, True, False]]]
    assert found.count_tokens(np.array([2])) == 9
