"""The app of financial texts on its embedded sample: both tasks of it, or one column alone, and the score that it adds."""

import json

import numpy as np
import pytest

from apps.finance_sentiment.app import APP
from apps.finance_sentiment.sentiment import end_of, scores
from tfarch import cli

# A model of averaged token vectors learns nothing worth telling of in a pass, and is trained in seconds.
SMALL = {
    "model": {"structure": "averaged", "width": 16},
    "train": {"epochs": 1},
    "label_errors": {"find": False},
    "evaluate": {"latency_texts": 5, "latency_repeats": 1, "threads": [1]},
    "export": {"variants": ["dynamic_int8"], "agreement_bound": 0.0},
}
HEADLINE = "Kelmo Foods cuts its forecast after a weak quarter"
REPORT = f"{HEADLINE}. The shares fell 4%. " + "Analysts had expected a better year, and say so in their notes. " * 12


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    file = tmp_path_factory.mktemp("settings") / "small.yaml"
    file.write_text(json.dumps(SMALL), encoding="utf-8")
    return file


@pytest.fixture
def call(capsys):
    """Calls a verb of the app and gives the lines that it prints as JSON."""

    def run(verb, *more):
        assert cli.main(APP, [verb, "--json", *map(str, more)]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_the_checks_of_the_sample_complain_of_nothing(call):
    (found,) = call("check")
    assert {task: each["classes"] for task, each in found["tasks"].items()} == {"sentiment": 3, "topic": 12}
    findings = [finding for each in found["tasks"].values() for finding in each["findings"]]
    assert [each["message"] for each in findings if each["severity"] != "note"] == []


def test_one_column_alone_can_be_asked_for(call):
    (found,) = call("check", "--label-column", "topic")
    assert {task: each["classes"] for task, each in found["tasks"].items()} == {"topic": 12}


def write(file, header, count=60):
    """Rows of a sentiment and a topic each, under `header`."""
    rows = (f"news {n % 7} {n},{('negative', 'positive')[n % 2]},{('oil', 'rates', 'people')[n % 3]}" for n in range(count))
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def test_columns_of_other_names_are_named_by_task(call, tmp_path):
    file = write(tmp_path / "all.csv", "text,mood,theme")
    (found,) = call("check", "--data", file, "--sentiment-column", "mood", "--topic-column", "theme")
    assert {task: each["classes"] for task, each in found["tasks"].items()} == {"sentiment": 2, "topic": 3}
    (found,) = call("check", "--sentiment-data", file, "--topic-data", file, "--label-column", "mood", "--topic-column", "theme")
    assert {task: each["classes"] for task, each in found["tasks"].items()} == {"sentiment": 2, "topic": 3}
    (found,) = call("check", "--data", file, "--label-column", "topic", "--topic-column", "theme")
    assert {task: each["classes"] for task, each in found["tasks"].items()} == {"topic": 3}


def test_a_column_named_by_task_is_laid_over_those_of_the_settings_and_one_alone_forgets_them(call, tmp_path):
    file = write(tmp_path / "all.csv", "text,mood,theme")
    settings = tmp_path / "settings.yaml"
    settings.write_text("data: {task_columns: {sentiment: mood, topic: nothing}}", encoding="utf-8")
    (found,) = call("check", "--data", file, "--config", settings, "--topic-column", "theme")
    assert found["tasks"].keys() == {"sentiment", "topic"}
    (found,) = call("check", "--data", file, "--config", settings, "--label-column", "theme")
    assert found["classes"] == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            (),
            "task 'sentiment': no column 'sentiment'; its columns: 'text', 'mood', 'topic' (--sentiment-column NAME, --sentiment-data FILE",
        ),
        (
            ("--label-column", "topic", "--sentiment-column", "mood"),
            "--label-column topic: one column is learned alone, and --sentiment-column",
        ),
        (("--set", "data.task_columns={mood: mood}"), "unknown task 'mood'; known: sentiment, topic"),
    ],
)
def test_a_column_that_cannot_be_is_told(tmp_path, capsys, options, told):
    file = write(tmp_path / "all.csv", "text,mood,topic")
    assert cli.main(APP, ["check", "--data", str(file), *options]) == 2
    assert told in capsys.readouterr().err


def test_a_run_gives_one_bundle_for_topic_and_sentiment(call, small, tmp_path):
    (report,) = call("run", "--out", tmp_path, "--config", small)
    (variant,) = (row for row in report["variants"] if row["name"] == report["chosen"])
    assert variant["metrics"].keys() == {"sentiment", "topic"}
    (told,) = call("predict", "--out", tmp_path, HEADLINE)
    assert {each["label"] for each in told["sentiment"]["top"]} == {"negative", "neutral", "positive"}
    probabilities = {each["label"]: each["probability"] for each in told["sentiment"]["top"]}
    assert told["score"] == pytest.approx(probabilities["positive"] - probabilities["negative"], abs=1e-4)

    # A report that is longer than the model reads at once is answered by all of it, and each sentence where that is asked.
    (whole,) = call("predict", "--out", tmp_path, "--sentences", REPORT)
    assert len(whole["sentences"]) == 14
    assert whole["sentences"][0]["text"] == f"{HEADLINE}."
    assert whole["sentences"][0]["sentiment"].keys() == whole["sentiment"].keys()
    (start,) = call("predict", "--out", tmp_path, REPORT[:300])
    assert start["score"] != whole["score"]


def test_data_of_their_own_train_both_tasks(call, small, tmp_path):
    moods = [f"mood {n % 7} {n},{('negative', 'positive')[n % 2]}" for n in range(60)]
    topics = [f"theme {n % 5} {n},{('oil', 'rates', 'people')[n % 3]}" for n in range(60)]
    for name, rows in (("moods", moods), ("topics", topics)):
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    own = ("--sentiment-data", tmp_path / "moods.csv", "--topic-data", tmp_path / "topics.csv")
    (report,) = call("run", "--out", tmp_path / "out", "--config", small, *own)
    assert {task: each["data"]["classes"] for task, each in report["tasks"].items()} == {"sentiment": 2, "topic": 3}
    assert report["data"]["sha256"].keys() == {"sentiment/moods.csv", "topic/topics.csv"}

    # One table takes the place of both sets when the model is measured again.
    rows = [f"{text},{mood},{('oil', 'rates', 'people')[n % 3]}" for n, (text, mood) in enumerate(row.split(",") for row in moods)]
    (tmp_path / "both.csv").write_text("\n".join(["text,sentiment,topic", *rows]), encoding="utf-8")
    (again,) = call("evaluate", "--out", tmp_path / "out", "--data", tmp_path / "both.csv")
    assert again["data"]["sha256"].keys() == {"both.csv"}


@pytest.mark.parametrize(
    ("labels", "ends"),
    [
        (("negative", "neutral", "positive"), (0, 2)),
        (("Bullish", "Bearish"), (1, 0)),
        (("1", "0", "-1"), (2, 0)),
        (("up", "down"), (None, None)),
    ],
)
def test_the_ends_of_a_scale_are_known_by_their_names(labels, ends):
    assert (end_of(labels, "negative"), end_of(labels, "positive")) == ends


def test_a_model_without_such_ends_has_no_score():
    class Task:
        labels = ("up", "down")

    assert scores({"sentiment": Task}, {"sentiment": np.ones((2, 2))}) == [{}, {}]
