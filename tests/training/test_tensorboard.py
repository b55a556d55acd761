"""What TensorBoard gets, read back from the event files, and what throughput counts."""

import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tests.tiny_training import ROWS, UPDATES, Told, Watch, classifier, fit
from tfarch.errors import TfarchError
from tfarch.training.callbacks import Callback, TensorBoard

EVALUATION = 0.5  # seconds


def written(folder):
    """(step, value) of each scalar by tag, and all tags."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    tags = events.Tags()["tensors"]
    values = {tag: [(event.step, tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)] for tag in tags}
    return {tag: [(step, float(value)) for step, value in pairs] for tag, pairs in values.items() if pairs[0][1].ndim == 0}, tags


def test_scalars_are_those_of_the_updates(tmp_path):
    values = Told()
    fit(classifier, [TensorBoard(tmp_path, every=1), values], epochs=2)
    scalars, _ = written(tmp_path)
    for name in ("learning_rate", "examples_per_second"):
        assert scalars[name] == [(step, pytest.approx(each[name], rel=1e-6)) for step, each in values.seen.items()]
    assert len(values.seen) == 2 * UPDATES


def test_metrics_stand_at_the_steps_where_epochs_end(tmp_path):
    scores = iter([0.25, 0.75])
    fit(classifier, [TensorBoard(tmp_path)], epochs=2, evaluate=lambda model: {"valid_accuracy": next(scores)})
    scalars, _ = written(tmp_path)
    assert scalars["valid_accuracy"] == [(UPDATES, 0.25), (2 * UPDATES, 0.75)]


def test_what_was_written_until_a_training_broke_off_is_kept_and_every_callback_is_ended(tmp_path):
    ended = []

    class Stops(Callback):
        def after_update(self, step, values):
            if step == UPDATES - 1:
                raise KeyboardInterrupt

        def end(self):
            ended.append(self)

    stops = Stops()
    with pytest.raises(KeyboardInterrupt):
        fit(classifier, [TensorBoard(tmp_path, every=1), stops])
    scalars, _ = written(tmp_path)
    assert [step for step, _ in scalars["learning_rate"]] == list(range(1, UPDATES))
    assert ended == [stops]


def test_scalars_are_written_every_so_many_updates_and_at_the_last(tmp_path):
    fit(classifier, [TensorBoard(tmp_path, every=4)], epochs=3)
    scalars, _ = written(tmp_path)
    assert [step for step, _ in scalars["learning_rate"]] == [4, 8, 9]


@pytest.mark.parametrize("asked", [False, True])
def test_histograms_are_there_only_where_asked_for(tmp_path, asked):
    fit(classifier, [TensorBoard(tmp_path, histograms=asked)], epochs=1)
    _, tags = written(tmp_path)
    assert ("layer_0_query/kernel" in tags) is asked


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TfarchError, match=r"file: TensorBoard's figures could not be written: Not a directory$"):
        fit(classifier, [TensorBoard(tmp_path / "file")], epochs=1)


def test_a_training_that_is_done_already_writes_no_further_file(tmp_path):
    for _ in range(2):
        fit(classifier, [TensorBoard(tmp_path / "board")], epochs=1, folder=tmp_path / "checkpoints")
    assert len(list((tmp_path / "board").iterdir())) == 1


def test_throughput_leaves_the_evaluation_out_and_the_time_counts_it():
    def evaluate(model):
        time.sleep(EVALUATION)
        return {}

    watch = Watch(lambda model: None)
    figures = fit(classifier, [watch], epochs=2, evaluate=evaluate).figures
    updating = 2 * ROWS / figures["examples_per_second"]
    assert 0 < updating <= figures["seconds"] - 2 * EVALUATION
