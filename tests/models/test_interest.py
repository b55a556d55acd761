"""The interest model: what a user's state depends on, what ids add and to whom, what is no wrong answer; and it learns who follows whom."""

import numpy as np
import pytest

from tests.tiny_encoder import SPEC, randomise, tf
from tests.tiny_interest import ITEMS, TOKENS, sequences
from tfarch.data.batches import Batch
from tfarch.models.interest import InterestSpec, build_interest, item_tower
from tfarch.models.weights import get_weights, named_variables, set_weights


def batch_of(*histories, **columns):
    found = sequences([np.array(each) for each in histories], **columns)
    return found.batch(Batch(np.arange(len(found)), 6), 1.0)


def logits(model, batch):
    return model({name: batch[name] for name in model.input_names}).numpy()[0]


def model_of(seed=0, **settings):
    model = randomise(build_interest(InterestSpec(SPEC, width=8, **settings), ITEMS), seed)
    for name in ("seen", "batches"):
        named_variables(model)[f"sampling/{name}"].assign(np.zeros(ITEMS) if name == "seen" else 0.0)
    return model


def states(model, batch):
    inner = tf.keras.Model(model.inputs, model.get_layer("user_states").output)
    return inner({name: batch[name] for name in model.input_names}).numpy()


@pytest.mark.parametrize("user_tower", ["mean", "attention"])
def test_a_state_knows_what_came_before_and_not_what_comes_later(user_tower):
    model = model_of(user_tower=user_tower)
    one, later, earlier = (states(model, batch_of(each))[0] for each in ([0, 1, 2, 3, 4], [0, 1, 2, 4, 3], [1, 0, 2, 3, 4]))
    np.testing.assert_allclose(one[:3], later[:3], atol=1e-5)
    assert np.abs(one[3] - later[3]).max() > 1e-3
    assert np.abs(one[2:] - earlier[2:]).max(axis=1).min() > 1e-3  # the order counts


@pytest.mark.parametrize("user_tower", ["mean", "attention"])
def test_padding_has_no_say(user_tower):
    model = model_of(user_tower=user_tower)
    alone, beside = states(model, batch_of([5, 1, 2])), states(model, batch_of([5, 1, 2], [3, 4, 0, 6, 1, 2]))
    np.testing.assert_allclose(alone[0, :2], beside[0, :2], atol=1e-5)


def test_what_a_user_has_elsewhere_is_no_wrong_answer():
    found = logits(model_of(), batch_of([0, 1, 2], [3, 4]))
    assert (found[0, 0] > -1e8).tolist() == [False, True, False, True, True]  # 1 comes next; 3 and 4 are the other's
    assert (found[1, 0] > -1e8).tolist() == [True, True, True, False, True]


def test_an_event_counts_by_its_amount_and_its_behaviour():
    model = model_of(behaviours=2)
    named_variables(model)["event_weights/logs"].assign([0.0, -50.0])
    named_variables(model)["fading_mean/log_odds"].assign(50.0)  # nothing fades
    plain = states(model, batch_of([0, 2, 4]))[0, 1]
    unweighed = states(model, batch_of([0, 1, 2, 4], amounts=[1, 0, 1, 1]))[0, 2]
    weak = states(model, batch_of([0, 1, 2, 4], behaviours=[0, 1, 0, 0]))[0, 2]
    np.testing.assert_allclose(unweighed, plain, atol=1e-5)
    np.testing.assert_allclose(weak, plain, atol=1e-5)
    assert np.abs(states(model, batch_of([0, 1, 2, 4]))[0, 2] - plain).max() > 1e-3


def test_the_older_an_event_the_less_it_counts():
    model = model_of()
    named_variables(model)["fading_mean/log_odds"].assign(-50.0)  # all but the last fades
    np.testing.assert_allclose(states(model, batch_of([0, 1, 2, 3]))[0, 2], states(model, batch_of([2, 3]))[0, 0], atol=1e-5)


def test_an_id_says_nothing_of_an_item_without_events():
    spec = InterestSpec(SPEC, width=8, ids=ITEMS)
    model = randomise(item_tower(spec))
    counts = np.array([0, 1, 5, 50, 500, 0, 3, 0, 2, 7], np.float32)
    named_variables(model)["item_ids/counts"].assign(counts)
    texts = TOKENS.padded(np.arange(ITEMS), 4)
    whole = model({**texts, "items": np.arange(ITEMS, dtype=np.int32)}).numpy()
    text_alone = model({**texts, "items": np.full(ITEMS, -1, np.int32)}).numpy()
    moved = np.abs(whole - text_alone).max(axis=1)
    assert moved[counts == 0].max() == 0.0
    assert moved[counts > 0].min() > 1e-3
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1.0, atol=1e-5)


def test_the_sampling_probability_is_counted_in_training_alone():
    model, batch = model_of(), batch_of([0, 1], [0, 2])
    inputs = {name: batch[name] for name in model.input_names}
    seen, batches = (named_variables(model)[f"sampling/{name}"] for name in ("seen", "batches"))
    model(inputs)
    assert batches.numpy() == 0.0
    for _ in range(3):
        model(inputs, training=True)
    assert seen.numpy().tolist() == [3.0, 3.0, 3.0, *[0.0] * 7]
    assert batches.numpy() == 3.0


def test_the_item_tower_has_the_weights_of_the_model_that_was_trained():
    spec = InterestSpec(SPEC, width=8, ids=ITEMS)
    trained, tower = randomise(build_interest(spec, ITEMS)), item_tower(spec)
    names = set(named_variables(tower))
    set_weights(tower, {name: value for name, value in get_weights(trained).items() if name in names})
    assert names < set(named_variables(trained))
