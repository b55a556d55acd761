"""What the trained model says of texts: calibrated as its file is, and asked for once."""

import dataclasses

import numpy as np
import pytest

import tfarch
from tests.compression.test_recipes_end_to_end import SETTINGS, TEXTS, asked_about
from tests.tiny_questions import call
from tfarch.compression.recipe import Slim
from tfarch.config import Config
from tfarch.pipeline.prepare import prepare
from tfarch.pipeline.taught import Asked, Teaching, lessons_of
from tfarch.pipeline.trained import TrainedModel
from tfarch.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run without a recipe."""
    folder = tmp_path_factory.mktemp("taught")
    rows = [f"{text} no {number},{label}" for label, text in TEXTS.items() for number in range(14)]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    tfarch.run(folder / "rows.csv", folder / "run", settings={**SETTINGS, "compress": {"recipe": "none"}})
    return folder / "run"


def test_what_the_trained_model_teaches_has_the_temperature_of_its_file(run, tmp_path):
    folder = RunFolder(run)
    config, trained = Config().with_file(folder.config), TrainedModel.load(folder)
    tasks = prepare(config, folder.cache, start=trained.start, labels=trained.labels)
    taught = {}
    for calibrated, asked in ((1.0, 0.6), (3.0, 0.2), (1.0, 0.2)):
        stage = dataclasses.replace(trained.only.stages[0], calibration={"temperature": calibrated})
        own = trained.with_stages({"": [stage]})
        said = Asked(own, "float32", tmp_path)
        teaching = Teaching(config, tasks, lessons_of(config, tasks, own, folder, said), own, folder, said)
        taught[calibrated, asked] = teaching.examples(Slim(distillation=0.5, temperature=asked), width=32).targets
    np.testing.assert_allclose(taught[3.0, 0.2], taught[1.0, 0.6], atol=1e-6)
    assert np.abs(taught[3.0, 0.2] - taught[1.0, 0.2]).max() > 0.05


TAUGHT = """
version: 1
name: taught
stages:
  - {kind: student, depth: 0, width: 8, vocabulary: 40, epochs: 1, distillation: 0.5, variations: VARIATIONS}
"""


def test_a_run_is_asked_once_for_all_recipes(run, tmp_path):
    asked, weights = [], []
    for kept in (run / "cache").glob("answers-*"):
        kept.unlink()
    for name, variations, spoilt in (("first", 1, False), ("again", 1, False), ("more", 2, False), ("mended", 1, True)):
        (tmp_path / "taught.yaml").write_text(TAUGHT.replace("VARIATIONS", str(variations)), encoding="utf-8")
        if spoilt:
            for kept in (run / "cache").glob("answers-*"):
                kept.write_bytes(kept.read_bytes()[:100])
        answer = call("compress", "--recipe", tmp_path / "taught.yaml", "--from", run, "--out", tmp_path / name)
        assert answer.code == 0, answer.err
        asked.append(asked_about(answer.err))
        weights.append((tmp_path / name / "checkpoints" / "taught.safetensors").read_bytes())
    rows, varied = asked[0]
    assert asked == [[rows, varied], [], [asked[2][0]], [rows, varied]]
    assert varied < asked[2][0]
    assert weights[0] == weights[1] == weights[3]
