"""TensorBoard on finished runs: what was written is the shipped file's, and the real server shows it in every tab."""

import io
import json
import shutil
from urllib.parse import parse_qsl

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.pr_curve import metadata as curve_metadata

import tfarch

import tensorflow as tf  # isort: skip

from tests.real_tensorboard import wait
from tests.tiny_questions import LABELS
from tfarch.config import Config
from tfarch.data import load_dataset
from tfarch.errors import TfarchError
from tfarch.evaluation.board.confusion_picture import draw

RUN = "wide"
RUNS = {"narrow/tensorboard/evaluate", "wide/tensorboard/evaluate"}


class Written:
    """The event file of a run, and what its bundle answers when it is asked again."""

    def __init__(self, out):
        self.out, self.folder = out, out / "tensorboard" / "evaluate"
        self.events = EventAccumulator(str(self.folder), size_guidance={"tensors": 0}).Reload()
        self.report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        self.shipped = next(each for each in self.report["variants"] if each["name"] == self.report["chosen"])
        config = Config().with_file(out / "config.yaml")
        table = load_dataset(config.data.path, config.data, config.seed).test
        self.texts = table.texts
        self.targets = np.array([LABELS.index(label) if label in LABELS else -1 for label in table.labels])
        self.probabilities, self.vectors = tfarch.load(out / "bundle").answers(table.texts)

    @property
    def tags(self):
        return self.events.Tags()["tensors"]

    def tensor(self, tag):
        (event,) = self.events.Tensors(tag)
        return tf.make_ndarray(event.tensor_proto)

    def content(self, tag):
        return self.events.SummaryMetadata(tag).plugin_data.content

    @property
    def in_scope(self):
        """Probabilities and targets of the rows in scope."""
        return self.probabilities[self.targets >= 0], self.targets[self.targets >= 0]


@pytest.fixture(scope="module")
def written(saved_models):
    return Written(saved_models / RUN)


# What was written


def test_the_figures_are_those_of_the_report(written):
    found = {tag.removeprefix("shipped/"): float(written.tensor(tag)) for tag in written.tags if tag.startswith("shipped/")}
    metrics = written.shipped["metrics"]
    assert found == pytest.approx(
        {
            **{name: metrics[name] for name in ("accuracy", "macro_f1", "ece")},
            "size_mb": (written.out / "bundle" / "model.tflite").stat().st_size / 1e6,
            "latency_p50_ms": written.shipped["latency_ms"]["threads_1"]["p50"],
        },
        rel=1e-6,
    )


def test_the_confusion_matrix_is_that_of_the_bundle(written):
    probabilities, targets = written.in_scope
    counts = np.zeros((3, 3), int)
    for row, target in zip(probabilities, targets, strict=True):
        counts[target, row.argmax()] += 1
    assert 0 < np.trace(counts) < counts.sum()
    width, height, png = written.tensor("confusion/all_classes").tolist()
    picture = Image.open(io.BytesIO(png))
    assert picture.size == (int(width), int(height))
    drawn = draw(counts, counts.sum(axis=1), LABELS, f"{written.report['chosen']}, {len(targets)} test rows in scope")
    assert np.array_equal(np.asarray(picture), np.asarray(drawn))


def test_three_classes_need_no_second_picture(written):
    assert "confusion/most_errors" not in written.tags


def test_every_class_and_their_average_has_its_curve(written):
    probabilities, targets = written.in_scope
    curves = {
        tag: written.tensor(tag) for tag in written.tags if written.events.SummaryMetadata(tag).plugin_data.plugin_name == "pr_curves"
    }
    assert curves.keys() == {"micro_average", *(f"class/{label}" for label in LABELS)}
    one_of = targets[:, None] == np.arange(3)
    for tag, positive, scores in [
        ("micro_average", one_of.ravel(), probabilities.ravel()),
        *((f"class/{label}", one_of[:, number], probabilities[:, number]) for number, label in enumerate(LABELS)),
    ]:
        thresholds = np.linspace(0, 1, curve_metadata.parse_plugin_metadata(written.content(tag)).num_thresholds)
        for threshold, (tp, fp, tn, fn, precision, recall) in zip(thresholds, curves[tag].T, strict=True):
            found = scores >= threshold
            assert (tp, fp, tn, fn) == (
                (found & positive).sum(),
                (found & ~positive).sum(),
                (~found & ~positive).sum(),
                (~found & positive).sum(),
            )
            assert recall == pytest.approx(positive[found].sum() / positive.sum())
            assert precision == pytest.approx(positive[found].mean() if found.any() else 0)


def test_the_settings_are_those_that_the_run_settled_on(written):
    start = hparams_metadata.parse_session_start_info_plugin_data(written.content(hparams_metadata.SESSION_START_INFO_TAG))
    found = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    assert found["train.learning_rate"] == 0.05
    assert found["train.epochs"] == 8
    assert found["train.batch_size"] == 8
    assert found["model.structure"] == "averaged"
    assert found["model.width"] == 16
    assert found["data.max_length"] == 16
    assert found["data.rows"] == written.report["data"]["train"]
    assert found["export.ship"] == "dynamic_int8"
    known = {name for name, _, _ in Config.fields()}
    assert found.keys() - known == {"data.name", "data.rows", "model.parameters"}
    assert start.group_name == f"{RUN} {written.report['created']}"


def test_the_projector_has_every_test_row(written):
    header, *rows = [line.split("\t") for line in (written.folder / "rows.tsv").read_text(encoding="utf-8").splitlines()]
    vectors = np.loadtxt(written.folder / "text_vectors.tsv", delimiter="\t")
    assert vectors == pytest.approx(written.vectors, rel=1e-4, abs=1e-6)
    names = {-1: "oos", **dict(enumerate(LABELS))}
    assert header == ["label", "predicted", "outcome", "text"]
    assert [(label, predicted, text) for label, predicted, _, text in rows] == [
        (names[target], LABELS[row.argmax()], text)
        for target, row, text in zip(written.targets, written.probabilities, written.texts, strict=True)
    ]


def test_evaluate_replaces_what_an_earlier_one_wrote(saved_models, tmp_path):
    out = shutil.copytree(saved_models / RUN, tmp_path / RUN)
    before = {path.name for path in (out / "tensorboard" / "evaluate").iterdir()}
    tfarch.evaluate(out)
    after = [path.name for path in (out / "tensorboard" / "evaluate").iterdir()]
    assert len(after) == len(before) == 4
    again = Written(out)
    assert all(len(again.events.Tensors(tag)) == 1 for tag in again.tags)
    assert sorted(path.name for path in (out / "tensorboard").iterdir()) == ["evaluate", "fit"]


def test_a_folder_that_cannot_be_written_is_told_after_the_report_was_written(saved_models, tmp_path):
    out = shutil.copytree(saved_models / RUN, tmp_path / RUN)
    shutil.rmtree(out / "tensorboard")
    (out / "tensorboard").write_text("in the way")
    (out / "report.json").unlink()
    with pytest.raises(TfarchError, match="tensorboard/evaluate could not be written: Not a directory"):
        tfarch.evaluate(out)
    assert (out / "report.json").is_file()


# What the real TensorBoard shows


def test_every_tab_is_on(board):
    tabs = {"scalars", "images", "pr_curves", "projector", "hparams"}
    assert wait(lambda: board.on(tabs) == tabs, seconds=30)


def test_scalars_are_there_for_training_and_evaluation(board):
    tags = board.ask("scalars", "tags")
    assert set(tags) > RUNS
    assert "shipped/accuracy" in tags[f"{RUN}/tensorboard/evaluate"]
    assert "loss" in tags[f"{RUN}/tensorboard/fit"]
    ((_, step, value),) = board.ask("scalars", "scalars", run=f"{RUN}/tensorboard/evaluate", tag="shipped/size_mb")
    assert step == 0
    assert value > 0


def test_the_confusion_matrix_is_served_as_it_was_written(board, written):
    (told,) = board.ask("images", "images", run=f"{RUN}/tensorboard/evaluate", tag="confusion/all_classes", sample=0)
    served = board.raw("plugin/images/individualImage", **dict(parse_qsl(told["query"])))
    assert served == written.tensor("confusion/all_classes")[2]


def test_curves_of_both_runs_are_served(board):
    tags = board.ask("pr_curves", "tags")
    assert set(tags) == RUNS
    assert all(set(found) == {"micro_average", *(f"class/{label}" for label in LABELS)} for found in tags.values())
    ((curve,),) = board.ask("pr_curves", "pr_curves", run=f"{RUN}/tensorboard/evaluate", tag="micro_average").values()
    assert curve["recall"][0] == 1
    assert curve["thresholds"][:2] == [0, 0.005]
    assert curve["true_positives"][0] == sum(curve[name][-1] for name in ("true_positives", "false_negatives"))


def test_the_projector_serves_vectors_and_rows(board, saved_models):
    assert set(board.ask("projector", "runs")) >= RUNS
    run = f"{RUN}/tensorboard/evaluate"
    (embedding,) = board.ask("projector", "info", run=run)["embeddings"]
    rows = board.raw("plugin/projector/metadata", run=run, name=embedding["tensorName"]).decode().splitlines()[1:]
    vectors = np.frombuffer(board.raw("plugin/projector/tensor", run=run, name=embedding["tensorName"]), np.float32)
    assert embedding["tensorShape"] == [len(rows), 16]
    assert vectors.reshape(len(rows), 16) == pytest.approx(np.loadtxt(saved_models / run / "text_vectors.tsv"), rel=1e-5)


def test_both_runs_can_be_compared_by_what_they_differ_in(board):
    experiment = board.ask("hparams", "experiment", {})
    differ = {each["name"] for each in experiment["hparamInfos"] if each.get("differs")}
    assert differ == {"model.width", "model.parameters"}
    metrics = [each["name"] for each in experiment["metricInfos"]]
    wanted = {f"shipped/{name}" for name in ("accuracy", "macro_f1", "ece", "size_mb", "latency_p50_ms")}
    assert {each["tag"] for each in metrics} == wanted
    request = {"allowedStatuses": ["STATUS_SUCCESS"], "colParams": [{"metric": name} for name in metrics], "startIndex": 0, "sliceSize": 10}
    groups = board.ask("hparams", "session_groups", request)["sessionGroups"]
    assert sorted(group["hparams"]["model.width"] for group in groups) == [4, 16]
    assert all({each["name"]["tag"] for each in group["metricValues"]} == wanted for group in groups)
