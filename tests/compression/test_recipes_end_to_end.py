"""A recipe from a CSV to a measured bundle, and a further one from the finished run: what the report says is what the files hold."""

import json
import subprocess
import sys

import numpy as np
import pytest

import tfarch
from tests.tiny_questions import call
from tfarch.cli.compression import main
from tfarch.errors import InputError
from tfarch.export.linter import examine
from tfarch.models.weights import load_weights
from tfarch.pipeline.trained import TrainedModel
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import verify_bundle
from tfarch.runtime.tokeniser import Tokeniser
from tfarch.settings import dump_yaml

TEXTS = {"lost": "my card was stolen", "refund": "money back for this order", "greeting": "hello dear people"}
SETTINGS = {
    "model": {"weights": "random", "layers": 1, "width": 32, "heads": 2, "feed_forward": 64},
    "train": {"epochs": 1, "learning_rate": 0.003, "batch_size": 32, "precision": "bfloat16"},  # which stages must not take over
    "compress": {"recipe": "prune50_qat"},
    # A model this small hesitates between its labels: rounding may tip more answers than the default bound allows.
    "export": {"variants": ["float32", "dynamic_int8"], "agreement_bound": 0.5},
    "evaluate": {"threads": [1], "latency_texts": 4, "latency_repeats": 1},
}
ENCODER, HEAD = 4 * 32 * 32 + 2 * 32 * 64, 32 * len(TEXTS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folder of `run` with prune50_qat and that of `compress` with qat on top of its trained model."""
    folder = tmp_path_factory.mktemp("recipes")
    rows = [f"{text} no {number},{label}" for label, text in TEXTS.items() for number in range(14)]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    tfarch.run(folder / "rows.csv", folder / "run", settings=SETTINGS)
    answer = call("compress", "--recipe", "qat", "--from", folder / "run", "--out", folder / "qat", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out) == report_of(folder / "qat")
    return folder / "run", folder / "qat"


def report_of(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def variants_of(folder):
    return {each["name"]: each for each in report_of(folder)["variants"]}


def test_the_report_tells_the_stages_of_the_recipe(folders):
    (entry,) = report_of(folders[0])["compression"]
    assert entry["name"] == "prune50_qat"
    assert [(stage["kind"], stage["kernel_sparsity"], stage["epochs"], stage["precision"]) for stage in entry["stages"]] == [
        ("prune", 0.5, 2, "float32"),
        ("quantisation_aware", 0.5, 1, "float32"),
    ]


def test_a_run_is_a_model_of_ones_own_too(folders, tmp_path, capsys):
    assert main(["compress", str(folders[0]), "--recipe", "qat", "--out", str(tmp_path / "out")]) == 0
    assert "bundle/" in capsys.readouterr().out.splitlines()[-1]
    own = report_of(tmp_path / "out")
    assert own["app"] == report_of(folders[0])["app"]
    for key in ("bytes", "metrics"):
        assert variants_of(tmp_path / "out")["qat_dynamic_int8"][key] == variants_of(folders[1])["qat_dynamic_int8"][key]
    assert main(["compress", str(folders[0]), "--recipe", "qat", "--out", str(tmp_path / "none"), "--data", "rows.npz"]) == 2
    assert "--data: a run has its own rows" in capsys.readouterr().err


def test_a_file_of_a_run_is_asked_for_texts_with_its_own_pieces(folders, tmp_path, capsys):
    rows = [*((text, label) for label, text in TEXTS.items()), ("is it raining", "weather"), ("and tomorrow", "weather")]
    (tmp_path / "rows.tsv").write_text("\n".join(["words\tmeant", *("\t".join(row) for row in rows)]) + "\n", encoding="utf-8")
    probabilities = tfarch.load(folders[1] / "bundle").probabilities(list(TEXTS.values()))
    right = np.mean(probabilities.argmax(axis=1) == [sorted(TEXTS).index(label) for label in TEXTS])
    asked = ["--data", str(tmp_path / "rows.tsv"), "--text-column", "words", "--label-column", "meant"]
    assert main(["benchmark", str(folders[1] / "bundle" / "model.tflite"), "--repeats", "1", *asked, "--json"]) == 0
    quality = json.loads(capsys.readouterr().out)["quality"]
    assert (quality["rows"], quality["accuracy"], quality["left_out"]) == (3, pytest.approx(right), {"weather": 2})
    assert main(["benchmark", str(folders[1] / variants_of(folders[1])["float32"]["file"]), "--repeats", "1", *asked]) == 0
    shown = capsys.readouterr().out
    assert " of 3 rows" in shown
    assert "2 rows left out, whose labels the file does not know: weather 2" in shown
    (tmp_path / "alone.tflite").write_bytes((folders[1] / "bundle" / "model.tflite").read_bytes())
    assert main(["benchmark", str(tmp_path / "alone.tflite"), "--repeats", "1", *asked]) == 2
    assert "stands beside no bundle.json" in capsys.readouterr().err


def test_every_variant_of_the_plain_and_of_the_compressed_model_is_measured(folders):
    variants = variants_of(folders[0])
    assert list(variants) == ["float32", "dynamic_int8", "prune50_qat_float32", "prune50_qat_dynamic_int8"]
    for each in variants.values():
        file = folders[0] / each["file"]
        assert each["bytes"] == file.stat().st_size
        assert each["sparsity"] == examine(file).sparsity("FULLY_CONNECTED")
        assert 0 <= each["metrics"]["accuracy"] <= 1
        assert each["latency_ms"]["threads_1"]["p50"] > 0


def test_the_sparsity_of_the_compressed_files_is_that_of_the_recipe(folders):
    variants = variants_of(folders[0])
    assert variants["float32"]["sparsity"] == 0
    expected = 0.5 * ENCODER / (ENCODER + HEAD)
    assert variants["prune50_qat_float32"]["sparsity"] == pytest.approx(expected, abs=1e-3)
    assert expected - 1e-3 < variants["prune50_qat_dynamic_int8"]["sparsity"] < expected + 0.02  # rounding makes a few more zeros


def test_zeros_make_the_compressed_file_smaller_when_packed_and_only_then(folders):
    variants = variants_of(folders[0])
    plain, pruned = variants["float32"], variants["prune50_qat_float32"]
    assert pruned["gzip_bytes"] < 0.95 * plain["gzip_bytes"]
    assert pruned["bytes"] == pytest.approx(plain["bytes"], rel=0.01)


def test_the_compressed_model_ships_in_a_sound_bundle(folders):
    for folder, name in zip(folders, ("prune50_qat_dynamic_int8", "qat_dynamic_int8"), strict=True):
        report = report_of(folder)
        assert report["chosen"] == name
        assert report["parity"]["holds"]
        assert variants_of(folder)[name]["file"] == "bundle/model.tflite"
        assert verify_bundle(folder / "bundle").description["model"]["variant"] == name
        answer = tfarch.load(folder / "bundle").predict(["money back please"])[0]
        assert answer.label in TEXTS


def test_a_further_recipe_starts_from_the_trained_model_not_from_the_compressed_one(folders):
    variants = variants_of(folders[1])
    assert list(variants) == ["float32", "dynamic_int8", "qat_float32", "qat_dynamic_int8"]
    assert variants["qat_float32"]["sparsity"] == 0
    before, after = (load_weights(folder / "checkpoints" / "trained.safetensors") for folder in folders)
    assert all((before[name] == after[name]).all() for name in before)
    trained = load_weights(folders[1] / "checkpoints" / "qat.safetensors")
    assert trained.keys() == before.keys()
    assert any((trained[name] != before[name]).any() for name in before)


def test_a_recipe_that_finds_no_layer_is_refused_before_any_training(tmp_path):
    rows = [f"{text} no {number},{label}" for label, text in TEXTS.items() for number in range(6)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    settings = {"model": {"structure": "averaged"}, "compress": {"recipe": "prune30"}}
    with pytest.raises(InputError, match=r"no layer matches layer_\*.*head"):
        tfarch.run(tmp_path / "rows.csv", tmp_path / "run", settings=settings)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_recipe_that_was_edited_is_applied_anew(tmp_path):
    rows = [f"{text} no {number},{label}" for label, text in TEXTS.items() for number in range(14)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    recipe = tmp_path / "mine.yaml"
    settings = {**SETTINGS, "compress": {"recipe": str(recipe)}}
    for sparsity in (0.3, 0.7):
        recipe.write_text(f"version: 1\nname: mine\nstages:\n  - {{kind: prune, sparsity: {sparsity}}}\n", encoding="utf-8")
        trained = tfarch.train(tmp_path / "rows.csv", tmp_path / "run", settings=settings)
        (stage,) = trained.only.stages[-1].figures["stages"]
        assert stage["kernel_sparsity"] == pytest.approx(sparsity, abs=0.01)


SLIM = """
version: 1
name: thin
stages:
  - {kind: slim, keep_layers: [0, -1], heads: 0.5, neurons: 0.5, multiple: 8, least_neurons: 8, vocabulary: 40, epochs: 2, distillation: 0.5}
  - {kind: prune, sparsity: 0.3, text_vectors: 2.0}
  - {kind: quantisation_aware, distillation: 1.0, text_vectors: 1.0}
"""


def test_a_slimmed_model_is_smaller_in_every_part_and_goes_on_through_the_recipe(tmp_path):
    rows = [f"{text} no {number},{label}" for label, text in TEXTS.items() for number in range(14)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "thin.yaml").write_text(SLIM, encoding="utf-8")
    settings = {**SETTINGS, "model": {**SETTINGS["model"], "layers": 3}, "compress": {"recipe": str(tmp_path / "thin.yaml")}}
    report = tfarch.run(tmp_path / "rows.csv", tmp_path / "run", settings=settings)
    slim, pruned, quantised = report["compression"][0]["stages"]
    assert (slim["layers"], len(slim["heads"])) == (2, 2)
    assert 2 <= sum(slim["heads"]) <= 3  # half of four, and one of each layer at least
    assert 64 <= sum(slim["neurons"]) <= 64 + 2 * 8  # half of them, rounded up to eights
    assert all(count % 8 == 0 for count in slim["neurons"])
    assert (slim["kind"], slim["epochs"], quantised["kind"]) == ("slim", 2, "quantisation_aware")
    assert pruned["kernel_sparsity"] == quantised["kernel_sparsity"] == pytest.approx(0.3, abs=0.01)
    assert report["model"]["layers"] == 2
    vocabulary = (tmp_path / "run" / "bundle" / "vocab.txt").read_text(encoding="utf-8").splitlines()
    whole = (tmp_path / "run" / "checkpoints" / "trained.vocab.txt").read_text(encoding="utf-8").splitlines()
    assert slim["vocabulary"] == len(vocabulary) < len(whole)
    assert set(vocabulary) < set(whole)
    weights = {name: load_weights(tmp_path / "run" / "checkpoints" / f"{name}.safetensors") for name in ("trained", "thin")}
    positions = {name: len(each["position_embedding/embeddings"]) for name, each in weights.items()}
    assert positions["thin"] == 64 < positions["trained"]  # as many as the longest text that is read has tokens
    sizes = {name: sum(value.size for key, value in each.items() if key.startswith("layer_")) for name, each in weights.items()}
    assert sizes["thin"] < 0.5 * sizes["trained"]  # two of three layers, half of each
    assert report["model"]["parameters"] == sum(value.size for value in weights["thin"].values())
    variants = variants_of(tmp_path / "run")
    assert variants["thin_float32"]["bytes"] < variants["float32"]["bytes"]
    assert report["chosen"] == "thin_dynamic_int8"
    shown = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "1. slim by information<small>50 % of the loss by the answers of the trained model</small>" in shown
    assert f"{len(vocabulary)} pieces; width 32; 2 layers; heads {', '.join(map(str, slim['heads']))}; neurons" in shown
    assert "2. prune<small>its text vectors</small>" in shown
    assert "3. quantisation aware" in shown
    assert report["parity"]["holds"]
    again = TrainedModel.load(RunFolder(tmp_path / "run"))
    assert [stage.spec.layers for stage in again.only.stages] == [3, 2]
    assert again.only.stages[1].tokeniser.vocabulary == tuple(vocabulary)
    assert again.start.tokeniser.vocabulary == tuple(whole)
    assert tfarch.load(tmp_path / "run" / "bundle").predict(["money back please"])[0].label in TEXTS


AVERAGED = """
version: 1
name: mean
stages:
  - {kind: slim, neurons: 0.5, least_neurons: 8, epochs: 1, distillation: 0.5, variations: 3}
  - {kind: student, depth: 0, width: 8, vocabulary: 40, most_vocabulary: 1000, epochs: 2, distillation: 0.5, variations: 1}
  - {kind: quantisation_aware}
"""


def asked_about(err):
    """How many texts the trained model was asked about, part by part."""
    return [int(line.split()[-2].replace(",", "")) for line in err.splitlines() if line.startswith("asking the trained model about")]


def test_embeddings_take_the_place_of_the_encoder(folders, tmp_path):
    (tmp_path / "mean.yaml").write_text(AVERAGED, encoding="utf-8")
    for kept in (folders[0] / "cache").glob("answers-*"):
        kept.unlink()
    answer = call("compress", "--recipe", tmp_path / "mean.yaml", "--from", folders[0], "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    asked = asked_about(answer.err)
    assert len(asked) == 2  # what the second stage asks about, the first one has heard
    assert 2 * asked[0] < asked[1] <= 3 * asked[0]
    report = report_of(tmp_path / "out")
    average = report["compression"][0]["stages"][1]
    vocabulary = (tmp_path / "out" / "bundle" / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert (average["width"], average["epochs"], average["vocabulary"]) == (8, 2, len(vocabulary))
    whole = Tokeniser.from_file(tmp_path / "out" / "checkpoints" / "trained.vocab.txt")
    used = {whole.vocabulary[each] for ids in whole.encode(list(TEXTS.values()), 64) for each in ids}
    assert any(len(piece) > 3 for piece in used - {"[CLS]", "[SEP]"})
    assert used <= set(vocabulary) < set(whole.vocabulary)  # characters alone would be more than the 40 that are asked for
    weights = load_weights(tmp_path / "out" / "checkpoints" / "mean.safetensors")
    assert {name: value.shape for name, value in weights.items()} == {
        "token_embedding/embeddings": (len(vocabulary), 8),
        "head/kernel": (8, len(TEXTS)),
        "head/bias": (len(TEXTS),),
    }
    assert report["model"]["structure"] == "averaged"
    assert report["model"]["parameters"] == sum(value.size for value in weights.values())
    assert report["chosen"] == "mean_dynamic_int8"
    assert report["parity"]["holds"]
    variants = variants_of(tmp_path / "out")
    assert variants["mean_float32"]["bytes"] < variants["float32"]["bytes"]
    shown = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"{len(vocabulary)} pieces; width 8; averaged" in shown
    assert [stage.spec.structure for stage in TrainedModel.load(RunFolder(tmp_path / "out")).only.stages] == ["encoder", "averaged"]
    assert tfarch.load(tmp_path / "out" / "bundle").predict(["money back please"])[0].label in TEXTS


NARROW = """
version: 1
name: narrow
stages:
  - {kind: student, width: 16, depth: 2, head_width: 8, feed_forward: 24, vocabulary: 40, epochs: 2, distillation: 0.5, relations: 0.1}
  - {kind: slim, keep_layers: [0], neurons: 0.5, least_neurons: 8, multiple: 4, epochs: 1}
  - {kind: quantisation_aware}
"""


def test_a_narrower_encoder_takes_its_place_and_is_slimmed_further(folders, tmp_path):
    (tmp_path / "narrow.yaml").write_text(NARROW, encoding="utf-8")
    answer = call("compress", "--recipe", tmp_path / "narrow.yaml", "--from", folders[0], "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    report = report_of(tmp_path / "out")
    student, slim, _ = report["compression"][0]["stages"]
    assert (student["width"], student["layers"], student["heads"], student["neurons"]) == (16, 2, [2, 2], [24, 24])
    assert (slim["width"], slim["layers"], slim["heads"], slim["neurons"]) == (16, 1, [2], [12])
    spec = TrainedModel.load(RunFolder(tmp_path / "out")).only.stages[1].spec
    before = TrainedModel.load(RunFolder(folders[0])).only.stages[0].spec
    assert (spec.gelu, spec.pooling, spec.unit_vectors) == (before.gelu, before.pooling, before.unit_vectors)
    weights = load_weights(tmp_path / "out" / "checkpoints" / "narrow.safetensors")
    assert weights["layer_0_feed_forward_in/kernel"].shape == (16, 12)
    assert report["chosen"] == "narrow_dynamic_int8"
    assert report["parity"]["holds"]
    shown = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"{student['vocabulary']} pieces; width 16; 1 layer; heads 2; neurons 12" in shown
    assert tfarch.load(tmp_path / "out" / "bundle").predict(["money back please"])[0].label in TEXTS


def test_what_is_left_learns_as_a_whole_but_for_what_the_stage_freezes(folders, tmp_path):
    before, table = load_weights(folders[0] / "checkpoints" / "trained.safetensors"), "token_embedding/embeddings"
    for name, freeze in (("free", ""), ("held", "freeze: [token_embedding/*, layer_0_query/*], ")):
        stage = f"{{kind: slim, neurons: 0.5, least_neurons: 8, {freeze}epochs: 1, learning_rate: 0.001}}"
        (tmp_path / f"{name}.yaml").write_text(f"version: 1\nstages: [{stage}]\n", encoding="utf-8")
        answer = call("compress", "--recipe", tmp_path / f"{name}.yaml", "--from", folders[0], "--out", tmp_path / name)
        assert answer.code == 0, answer.err
        after = load_weights(tmp_path / name / "checkpoints" / f"{name}.safetensors")
        still = [key for key in (table, "layer_0_query/kernel", "layer_0_key/kernel") if (after[key] == before[key]).all()]
        assert still == ([table, "layer_0_query/kernel"] if name == "held" else [])


@pytest.mark.parametrize(
    ("model", "stage", "message"),
    [
        ({"structure": "averaged"}, "{kind: slim, heads: 0.5}", "the averaged structure has no heads, neurons or layers that could go"),
        (SETTINGS["model"], "{kind: slim, keep_layers: [0, 1]}", r"keep_layers=\[0, 1\]: there the encoder has the layers 0 to 0"),
        (SETTINGS["model"], "{kind: slim, keep_layers: [0, -1]}", r"keep_layers=\[0, -1\]: there the encoder has the layers 0 to 0"),
        (
            SETTINGS["model"],
            "{kind: student, width: 33, depth: 0}",
            "stages.0.width=33: the text vectors that the embeddings begin with have 32 numbers",
        ),
        (
            SETTINGS["model"],
            "{kind: student, width: 8, depth: 0, text_vectors: 1}",
            "text_vectors: the teacher's have 32 numbers, this model's 8",
        ),
        (
            SETTINGS["model"],
            "{kind: student, width: 8, depth: 0, relations: 1}",
            "the averaged structure has no layers whose states could be compared",
        ),
        (
            SETTINGS["model"],
            "{kind: student, width: 8, head_width: 4, hidden_states: 1}",
            "hidden_states: the trained model's have 32 numbers, this model's 8",
        ),
        (SETTINGS["model"], "{kind: slim, keep_layers: [-2]}", r"keep_layers=\[-2\]: there the encoder has the layers 0 to 0"),
    ],
)
def test_what_does_not_fit_the_structure_is_refused_before_any_training(tmp_path, model, stage, message):
    rows = [f"{text} no {number},{label}" for label, text in TEXTS.items() for number in range(6)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(f"version: 1\nname: mine\nstages:\n  - {stage}\n", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        tfarch.run(tmp_path / "rows.csv", tmp_path / "run", settings={"model": model, "compress": {"recipe": str(tmp_path / "mine.yaml")}})
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_bound_that_a_recipe_promises_and_does_not_keep_ends_with_1_and_is_in_the_report(folders, tmp_path):
    (tmp_path / "promise.yaml").write_text(
        "version: 1\nname: promise\nstages:\n  - {kind: quantisation_aware}\nbounds: {megabytes: 0.001, flips: 1.0}\n", encoding="utf-8"
    )
    answer = call("compress", "--recipe", tmp_path / "promise.yaml", "--from", folders[0], "--out", tmp_path / "out")
    assert answer.code == 1
    assert answer.err.splitlines()[-1].startswith("error: gate.megabytes: 0.")
    report = report_of(tmp_path / "out")
    assert {row["bound"]: row["holds"] for row in report["gate"]} == {"megabytes": False, "flips": True}
    assert report["cost"]["against"] == "float32"
    assert report["cost"]["rows"] == 8
    assert report["cost"]["typos"]["rows"] == 8
    assert [each["name"] for each in report["cost"]["variants"]] == ["dynamic_int8", "promise_float32", "promise_dynamic_int8"]
    whole = variants_of(tmp_path / "out")
    for each in report["cost"]["variants"]:
        assert each["accuracy"] == whole[each["name"]]["metrics"]["accuracy"]
        assert 0.0 <= each["typos"]["typos"] <= 1.0
    again = call("evaluate", "--out", tmp_path / "out", "--set", "gate.megabytes=5")
    assert again.code == 0, again.err


def test_a_static_int8_file_is_made_of_training_texts_and_measured(folders):
    answer = call("export", "--out", folders[1], "--set", "export.variants=[float32,dynamic_int8,static_int8]", "--json")
    assert answer.code == 0, answer.err
    assert "static_int8.tflite" in " ".join(each["file"] for each in json.loads(answer.out))
    answer = call("evaluate", "--out", folders[1])
    assert answer.code == 0, answer.err
    variants = variants_of(folders[1])
    assert {"static_int8", "qat_static_int8"} <= set(variants)
    assert variants["static_int8"]["parity"]["label_agreement"] >= 0.5
    assert variants["static_int8"]["bytes"] < variants["float32"]["bytes"]


def test_logical_devices_train_and_then_prune_in_a_process_of_its_own(tmp_path):
    rows = [f"{text} no {number},{label}" for label, text in TEXTS.items() for number in range(14)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "settings.yaml").write_text(dump_yaml({**SETTINGS, "compress": {"recipe": "none"}}), encoding="utf-8")
    data = ["--data", str(tmp_path / "rows.csv"), "--config", str(tmp_path / "settings.yaml")]
    refused = call("run", *data, "--recipe", "prune30", "--devices", "cpu:2", "--out", tmp_path / "none")
    assert refused.code == 2
    assert "recipe prune30 on cpu:2" in refused.err
    assert "compress --recipe NAME --from RUN" in refused.err
    assert not (tmp_path / "none" / "checkpoints").exists()
    for verb, asked in (
        ("run", [*data, "--out", str(tmp_path / "run")]),
        ("compress", ["--recipe", "prune30", "--from", str(tmp_path / "run"), "--out", str(tmp_path / "pruned")]),
    ):
        command = [sys.executable, "-m", "apps.customer_service", verb, *asked, "--devices", "cpu:2"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
    report = report_of(tmp_path / "pruned")
    (stage,) = report["compression"][0]["stages"]
    assert report["train"]["replicas"] == stage["replicas"] == 2
    assert stage["kernel_sparsity"] == pytest.approx(0.3, abs=0.01)
