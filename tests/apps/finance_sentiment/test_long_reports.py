"""Reports that are longer than the model reads: `predict`, its explanations, the words of alerts and Python say the same of them."""

import csv
import json
import shutil

import numpy as np
import pytest
import yaml

import tfarch
from apps.customer_service.app import APP as CUSTOMER_SERVICE
from apps.finance_sentiment.app import APP
from apps.finance_sentiment.sentiment import scores
from apps.finance_sentiment.watch.reading import Reader
from tests import tiny_finance
from tests.tiny_questions import call
from tfarch.config import Config

BAD = "Kelmo Foods cuts its forecast after a weak quarter and the shares fell to a record low. "
GOOD = "Profit doubled at Tolvane Pharma, whose sales rose to a record and whose dividend grows. "
LONG = GOOD * 5 + BAD * 12


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Bundles that say that long texts are read by their passages, that they are not, and that say nothing of it."""
    made = {}
    for said in (True, False, None):
        made[said] = shutil.copytree(tiny_finance.bundle(), tmp_path_factory.mktemp("said") / "bundle")
        described = json.loads((made[said] / "bundle.json").read_text(encoding="utf-8"))
        described.pop("long_texts", None)
        described |= {} if said is None else {"long_texts": said}
        (made[said] / "bundle.json").write_text(json.dumps(described), encoding="utf-8")
    return made


def predict(bundle, *more):
    answer = call("predict", "--json", "--threads", 1, "--bundle", bundle, *more, app=APP)
    assert answer.code == 0, answer.err
    return [json.loads(line) for line in answer.out.splitlines()]


@pytest.mark.parametrize("said", [True, False])
def test_the_command_line_and_python_answer_as_the_bundle_says(bundles, said):
    model = tfarch.load(bundles[said])
    (told,) = predict(bundles[said], LONG)
    (found,) = model.predict([LONG])
    for task, own in found.items():
        assert {"text": LONG, **told[task]} == own.as_dict()
    assert told["score"] == scores(model, model.answers([LONG], long_texts=said)[0])[0]["score"]
    assert told["score"] != scores(model, model.answers([LONG], long_texts=not said)[0])[0]["score"]


def test_of_an_older_bundle_python_reads_the_beginning_and_the_command_line_all(bundles):
    assert predict(bundles[None], LONG) == predict(bundles[True], LONG)
    older, own = (tfarch.load(bundles[said]) for said in (None, False))
    assert older.predict([LONG]) == own.predict([LONG])


@pytest.mark.parametrize("said", [True, False, None])
def test_an_explanation_is_of_what_predict_says(bundles, said):
    (told,) = predict(bundles[said], LONG)
    (explained,) = predict(bundles[said], "--explain", "--nearest", 0, LONG)
    for task in ("sentiment", "topic"):
        words = explained[task].pop("explanation")["words"]
        assert (words[-1]["end"] == len(LONG.rstrip())) is (said is not False)
    assert explained == told


def test_the_score_is_shown_above_an_explanation(bundles):
    (told,) = predict(bundles[True], LONG)
    shown = call("predict", "--explain", "--threads", 1, "--bundle", bundles[True], LONG, app=APP).out
    assert shown.splitlines()[0] == f"score {told['score']:+.2f}"
    assert f"sentiment: {told['sentiment']['label']}" in shown
    alone = call("predict", "--explain", "--task", "topic", "--bundle", bundles[True], LONG, app=APP).out
    assert alone.startswith("topic: ")


@pytest.mark.parametrize("said", [True, False, None])
def test_a_watch_reads_and_explains_headlines_as_the_bundle_says(bundles, said):
    reader, sentiment = Reader(bundles[said], 1), tfarch.load(bundles[said])["sentiment"]
    all_of_it = said is not False
    (judged,) = reader.judge([LONG])
    probabilities = dict(zip(sentiment.labels, sentiment.probabilities([LONG], long_texts=all_of_it)[0], strict=True))
    assert judged.score == pytest.approx(float(probabilities["positive"] - probabilities["negative"]), abs=1e-5)
    (found,) = sentiment.explain([LONG], nearest=0, long_texts=all_of_it)
    (words,) = reader.moving_words([LONG])
    assert words == [{"word": word.text, "weight": round(found.moved(word), 3)} for word in found.moving()[:3]]
    assert judged.negative is (found.label == "negative")


def test_sentences_are_not_explained(bundles):
    answer = call("predict", "--explain", "--sentences", "--bundle", bundles[True], LONG, app=APP)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "error: --explain is of whole texts, --sentences of their sentences (give one of them)\n"


@pytest.mark.parametrize("app", [APP, CUSTOMER_SERVICE], ids=lambda app: app.name)
@pytest.mark.parametrize("more", [(), ("--explain",)])
@pytest.mark.parametrize("top", [0, -1])
def test_no_label_or_fewer_cannot_be_asked_for(bundles, app, more, top):
    answer = call("predict", *more, "--top", top, "--bundle", bundles[True], LONG, app=app)
    assert (answer.code, answer.out, answer.err) == (2, "", f"error: top={top}: expected a whole number from 1\n")


def test_a_file_is_one_text_where_that_is_asked(bundles, tmp_path):
    file = tmp_path / "report.txt"
    file.write_text(f"{GOOD}\n{BAD * 8}\n\n{BAD * 4}\n", encoding="utf-8")
    (told,) = predict(bundles[True], "--whole", "--input", file)
    assert told["text"] == file.read_text(encoding="utf-8").rstrip("\n")
    assert told == predict(bundles[True], told["text"])[0]
    answer = call("predict", "--json", "--threads", 1, "--bundle", bundles[True], "--whole", stdin=file.read_bytes(), app=APP)
    assert json.loads(answer.out) == told
    answer = call("predict", "--bundle", bundles[True], "--whole", "a text", app=APP)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "error: --whole is of a file or standard input, and texts are given as arguments (leave it out)\n"


# What a run says of them


def test_a_bundle_says_how_long_texts_are_answered_and_its_card_what_was_measured():
    bundle = tiny_finance.bundle()
    assert json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["long_texts"] is True
    assert (APP.long_texts, CUSTOMER_SERVICE.long_texts, Config().export.long_texts) == (True, False, False)
    report = json.loads((bundle.parent / "report.json").read_text(encoding="utf-8"))
    with open(APP.sample / "test.csv", newline="", encoding="utf-8") as stream:
        texts = [row["text"] for row in csv.DictReader(stream)]
    model = tfarch.load(bundle)
    longer = sum(len(ids) > model.network.max_length for ids in model.network.tokeniser.encode(texts, 10_000))
    assert longer
    card = (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    for task in ("sentiment", "topic"):
        data = report["tasks"][task]["data"]
        assert (data["over_long_test"], data["test"]) == (longer, len(texts))
    assert card.count(f"- **test texts longer than 64 tokens:** {longer} of {len(texts)} ({100 * longer / len(texts):.1f} %)\n") == 2
    assert "64 tokens; texts longer than 64 tokens are answered by their passages; the figures are of the first 64 tokens\n" in card


@pytest.mark.parametrize(("setting", "said"), [(None, True), ("export.long_texts=false", False)])
def test_a_run_of_before_is_exported_as_the_app_says_or_the_call(tmp_path, setting, said):
    run = shutil.copytree(tiny_finance.bundle().parent, tmp_path / "run")
    settings = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert settings["export"].pop("long_texts")
    (run / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    answer = call("export", "--out", run, *(("--set", setting) if setting else ()), app=APP)
    assert answer.code == 0, answer.err
    assert tfarch.load(run / "bundle").long_texts is said
    assert ("the rest is cut" in (run / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")) is not said


# discover


def discover(bundle, *more):
    return call("discover", "--json", "--bundle", bundle, *more, stdin=f"{BAD}\n{GOOD}\n{LONG}\n".encode(), app=APP)


def test_discover_goes_by_the_last_task_or_the_one_that_is_named(bundles):
    model = tfarch.load(bundles[True])
    texts = [BAD.strip(), GOOD.strip(), LONG.strip()]
    probabilities, _ = model.answers(texts)
    for task, more in (("topic", ()), ("topic", ("--task", "topic")), ("sentiment", ("--task", "sentiment"))):
        best = np.sort(probabilities[task].max(axis=1))
        below = float(best[:2].mean())  # one text is under it
        answer = discover(bundles[True], "--below", below, *more)
        assert answer.code == 0, answer.err
        rule = model[task].out_of_scope.rejects(probabilities[task], model.answers(texts)[1])
        assert json.loads(answer.out)["unanswered"] == int((rule | (probabilities[task].max(axis=1) < below)).sum())
        assert ("by the answers of the task topic" in answer.err) is (not more)


def test_discover_names_the_tasks_that_there_are(bundles):
    answer = discover(bundles[True], "--task", "mood")
    assert (answer.code, answer.out, answer.err) == (2, "", "error: unknown task 'mood'; known: sentiment, topic\n")
