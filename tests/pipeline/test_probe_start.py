"""Fine-tuning a pre-trained encoder: the head starts from the linear probe, and the weights that are kept lie between the probe and the end."""

import itertools
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import tfarch
from tests import tiny_encoder
from tests.tiny_questions import write_csv
from tfarch.config import Config
from tfarch.errors import InputError
from tfarch.pipeline import training_job
from tfarch.pipeline.prepare import prepare
from tfarch.run_folder import RunFolder
from tfarch.training.probe import chosen_l2, fit_probe

TABLE, KERNEL, BIAS = "token_embedding/embeddings", "head/kernel", "head/bias"
STILL = {"learning_rate": 1e-9, "epochs": 1, "interpolate": False}  # what is trained at this rate ends where it started
WORDS = ("card", "refund", "cafe")
CONFIG = {**tiny_encoder.CONFIG, "num_hidden_layers": 1, "max_position_embeddings": 16}  # the first bucket's length
TENSORS = tiny_encoder.hugging_face_tensors(CONFIG)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A Hugging Face style folder of the tiny encoder."""
    return tiny_encoder.write_folder(tmp_path_factory.mktemp("weights") / "tiny", CONFIG, TENSORS)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sixty texts of three classes in the tiny encoder's words; some of another class's word, so that no model gets all of them right."""
    fillers = list(itertools.permutations(("where", "is", "my", "the"), 3))[:20]
    rows = [(" ".join((*filler, word if number % 5 else "lost")), word) for word in WORDS for number, filler in enumerate(fillers, start=1)]
    return write_csv(tmp_path_factory.mktemp("data") / "rows.csv", rows)


def settings(encoder, **train):
    return {
        "data": {"max_length": 12},
        "model": {"weights": str(encoder), "dropout": 0},
        "train": {
            "epochs": 2,
            "batch_size": 8,
            "devices": "cpu",
            "precision": "float32",
            "learning_rate": 0.02,
            "class_names": "never",
            **train,
        },
    }


def train(data, out, encoder, **options):
    """The trained stage of a run, its weights as they lie in `checkpoints/`."""
    stage = tfarch.train(data, out, settings=settings(encoder, **options)).only.stages[0]
    return stage, load_file(out / "checkpoints" / "trained.safetensors")


def probes(out):
    return sorted((out / "cache").glob("probe-*.safetensors"))


@pytest.fixture(scope="module")
def run(data, encoder, tmp_path_factory):
    """(folder, trained stage, weights) of a run with the head's and the interpolation's defaults."""
    out = tmp_path_factory.mktemp("run")
    return out, *train(data, out, encoder)


@pytest.fixture(scope="module")
def still(data, encoder, tmp_path_factory):
    """(folder, weights) of a run whose weights do not move."""
    out = tmp_path_factory.mktemp("still")
    return out, train(data, out, encoder, **STILL)[1]


def test_the_head_starts_from_the_probe_of_the_untrained_encoder(data, encoder, still):
    _, weights = still
    rows = prepare(Config().with_values({**settings(encoder), "data": {"path": str(data), "max_length": 12}}))[""].train
    vectors = []
    for row in range(len(rows.texts)):
        ids = rows.tokens.ids[rows.tokens.offsets[row] : rows.tokens.offsets[row + 1]]
        nothing = np.zeros_like(ids)
        vectors.append(tiny_encoder.numpy_bert(TENSORS, CONFIG, ids, nothing + 1, nothing).mean(axis=0))
    scaled = np.array(vectors) / np.sqrt(np.mean(np.square(vectors), axis=1, keepdims=True))
    scaled = scaled.astype(np.float32)
    kernel, bias = fit_probe(scaled, rows.targets, len(WORDS), l2=chosen_l2(scaled, rows.targets, len(WORDS), seed=0))
    assert np.allclose(weights[KERNEL], kernel, rtol=1e-3, atol=1e-3)
    assert np.allclose(weights[BIAS], bias, rtol=1e-3)


def test_the_figures_say_where_between_the_ends_the_weights_were_taken(run):
    out, stage, _ = run
    written = json.loads((out / "checkpoints" / "trained.json").read_text(encoding="utf-8"))["tasks"][""]["stages"][0]["figures"][
        "interpolation"
    ]
    assert written == stage.figures["interpolation"]
    assert 0 < written["share"] <= 1
    assert written["valid_nll"][f"{written['share']:g}"] == min(written["valid_nll"].values())


def test_the_weights_that_are_kept_are_those_of_that_share(run):
    _, stage, weights = run
    share = stage.figures["interpolation"]["share"]
    assert stage.calibration["nll_after"] == pytest.approx(stage.figures["interpolation"]["valid_nll"][f"{share:g}"], rel=1e-5)
    assert weights.keys() == stage.weights.keys()
    assert all(np.array_equal(weights[name], stage.weights[name]) for name in weights)


def test_the_frozen_token_table_is_that_of_the_folder_bit_by_bit(run):
    _, stage, weights = run
    assert stage.figures["frozen"] == ["token_embedding/*"]
    assert np.array_equal(weights[TABLE], TENSORS["embeddings.word_embeddings.weight"])


def test_what_is_not_frozen_has_been_trained(run):
    _, _, weights = run
    assert not np.allclose(weights["layer_0_query/kernel"], TENSORS["encoder.layer.0.attention.self.query.weight"].T, atol=1e-3)


def test_a_random_start_has_no_probe_and_no_interpolation(data, encoder, tmp_path):
    stage, _ = train(data, tmp_path, encoder, head_start="random", epochs=1)
    assert "interpolation" not in stage.figures
    assert probes(tmp_path) == []


def test_the_same_command_keeps_the_weights_bit_by_bit(data, encoder, run, capsys):
    out, stage, weights = run
    again, kept = train(data, out, encoder)
    assert "already trained: step " in capsys.readouterr().err
    assert again.figures["interpolation"] == stage.figures["interpolation"]
    assert all(np.array_equal(kept[name], weights[name]) for name in weights)


def test_a_run_that_goes_on_takes_the_probe_from_the_cache(data, encoder, still, tmp_path):
    shutil.copytree(still[0] / "cache", tmp_path / "cache")  # as a run leaves it that ends before its first checkpoint
    (file,) = probes(tmp_path)
    marked = {KERNEL: np.full_like(load_file(file)[KERNEL], 0.25), BIAS: np.arange(len(WORDS), dtype=np.float32)}
    save_file(marked, file)
    _, weights = train(data, tmp_path, encoder, **STILL)
    assert np.allclose(weights[KERNEL], marked[KERNEL], atol=1e-6)
    assert np.allclose(weights[BIAS], marked[BIAS], atol=1e-6)


def test_a_run_reports_the_share(data, encoder, run):
    out, stage, _ = run
    more = {"export": {"variants": ["float32"], "ship": "float32"}, "evaluate": {"latency_texts": 1, "latency_repeats": 1, "threads": [1]}}
    report = tfarch.run(data, out, settings={**settings(encoder), **more})
    assert report["train"]["interpolation"] == stage.figures["interpolation"]
    assert report["model"]["weights"] == "tiny"
    assert RunFolder(out).report_html.is_file()


def test_other_weights_in_the_same_folder_are_trained_anew(data, encoder, still):
    out, _ = still
    tensors = tiny_encoder.hugging_face_tensors(CONFIG, seed=1)
    tiny_encoder.write_folder(encoder, CONFIG, tensors)
    try:
        _, weights = train(data, out, encoder, **STILL)
    finally:
        tiny_encoder.write_folder(encoder, CONFIG, TENSORS)
    assert np.array_equal(weights[TABLE], tensors["embeddings.word_embeddings.weight"])
    assert len(probes(out)) == 2


def test_several_trainings_from_one_start_become_the_mean_of_their_weights(data, encoder, tmp_path, monkeypatch, capsys):
    members, mean_of = [], training_job.mean_of

    def kept(given):
        members[:] = given
        return mean_of(given)

    monkeypatch.setattr(training_job, "mean_of", kept)
    stage, weights = train(data, tmp_path / "one", encoder, interpolate=False)
    alone = dict(weights)
    assert "soup" not in stage.figures
    seconds = stage.figures["seconds"]
    stage, weights = train(data, tmp_path / "one", encoder, interpolate=False, soup=2)
    assert "already trained: step " in capsys.readouterr().err  # the first of the two is the one that was there
    assert stage.figures["soup"] == len(members) == 2
    assert stage.figures["seconds"] > seconds
    for name, value in weights.items():
        assert np.array_equal(members[0][name], alone[name])
        np.testing.assert_allclose(value, (members[0][name] + members[1][name]) / 2, rtol=1e-6, atol=1e-7)
    assert not np.allclose(members[0]["layer_0_query/kernel"], members[1]["layer_0_query/kernel"], atol=1e-4)


def test_trainings_from_random_weights_are_not_averaged(data, tmp_path):
    asked = {"model": {"structure": "averaged"}, "train": {"soup": 2, "epochs": 1}}
    with pytest.raises(InputError, match=r"train.soup=2: only trainings from the same pre-trained weights"):
        tfarch.train(data, tmp_path, settings=asked)
