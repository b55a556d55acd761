"""The app of financial texts on its embedded sample: its column is the sentiment, the topic is another one's to ask for."""

import json

import pytest

from apps.finance_sentiment.app import APP
from tfarch import cli

# A model of averaged token vectors learns nothing worth telling of in a pass, and is trained in seconds.
SMALL = {
    "model": {"structure": "averaged", "width": 16},
    "train": {"epochs": 1},
    "label_errors": {"find": False},
    "evaluate": {"latency_texts": 5, "latency_repeats": 1, "threads": [1]},
    "export": {"variants": ["dynamic_int8"]},
}


@pytest.fixture
def call(capsys):
    """Calls a verb of the app and gives what it prints as JSON."""

    def run(verb, *more):
        assert cli.main(APP, [verb, "--json", *map(str, more)]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize(("options", "classes"), [((), 3), (("--label-column", "topic"), 12)])
def test_the_checks_of_the_sample_complain_of_nothing(call, options, classes):
    found = call("check", *options)
    assert found["classes"] == classes
    assert [each["message"] for each in found["findings"] if each["severity"] != "note"] == []


def test_a_run_gives_a_bundle_that_tells_sentiments(call, tmp_path):
    settings = tmp_path / "small.yaml"
    settings.write_text(json.dumps(SMALL), encoding="utf-8")
    out = tmp_path / "out"
    report = call("run", "--out", out, "--config", settings)
    assert report["app"] == "finance_sentiment"
    assert report["data"]["test"] == 288
    told = call("predict", "--out", out, "--top", 3, "Kelmo Foods cuts its forecast after a weak quarter")
    assert {each["label"] for each in told["top"]} == {"negative", "neutral", "positive"}
    bundle = json.loads((out / "bundle" / "bundle.json").read_text(encoding="utf-8"))
    assert bundle["labels"] == ["negative", "neutral", "positive"]
