"""The verb `discover` on a real, tiny bundle: which texts are clustered, what is shown and written, and what it refuses."""

import csv
import json
import subprocess
import sys

import pytest

import tfarch
from tests.tiny_questions import LABELS, OUT_OF_SCOPE, WORDS, call, questions, write_csv, write_settings

TEXTS = [text for text, label in questions() if label != "oos"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    settings = ["--config", write_settings(folder / "settings.yaml"), "--set", "train.epochs=12", "--set", "train.monitor=last"]
    answer = call("run", "--data", write_csv(folder / "train.csv"), "--out", folder / "out", *settings)
    assert answer.code == 0, answer.err
    return folder / "out" / "bundle"


@pytest.fixture
def asked(tmp_path):
    """A text file of questions in and out of scope."""
    file = tmp_path / "asked.txt"
    file.write_text("\n".join([*TEXTS, *OUT_OF_SCOPE, "", "  "]) + "\n", encoding="utf-8")
    return file


def discover(bundle, *arguments, **options):
    answer = call("discover", "--bundle", bundle, *arguments, **options)
    assert answer.code == 0, answer.err
    return answer


def as_json(bundle, *arguments, **options):
    return json.loads(discover(bundle, "--json", *arguments, **options).out)


def test_what_the_model_tells_apart_falls_into_clusters_of_one_class_each(bundle, asked):
    found = as_json(bundle, "--input", asked, "--all")
    classes = [
        {label for label, words in WORDS.items() for text in cluster["texts"] if words[0] in text.split()} for cluster in found["clusters"]
    ]
    assert all(len(each) <= 1 for each in classes)
    assert sum(cluster["size"] for cluster in found["clusters"]) + len(found["left_over"]) == len(TEXTS) + len(OUT_OF_SCOPE)


def test_by_default_only_what_the_model_does_not_answer_is_clustered(bundle, asked):
    found = as_json(bundle, "--input", asked, "--min-size", 2, "--below", 0)
    said = tfarch.load(bundle, threads=2).predict([*TEXTS, *OUT_OF_SCOPE])
    unanswered = {each.text for each in said if each.out_of_scope}
    clustered = {text for cluster in found["clusters"] for text in cluster["texts"]}
    assert clustered | set(found["left_over"]) == unanswered
    assert found["asked"] == len(TEXTS) + len(OUT_OF_SCOPE)
    assert found["unanswered"] == len(unanswered) > 0


def test_an_unsure_answer_is_none(bundle, asked):
    assert as_json(bundle, "--input", asked, "--below", 1)["unanswered"] == len(TEXTS) + len(OUT_OF_SCOPE)


def test_what_predict_prints_can_be_read(bundle, asked, tmp_path):
    lines = tmp_path / "answers.jsonl"
    lines.write_text(call("predict", "--bundle", bundle, "--json", "--input", asked).out, encoding="utf-8")
    assert as_json(bundle, "--input", lines, "--all") == as_json(bundle, "--input", asked, "--all")


def test_the_same_texts_give_the_same_clusters_also_from_standard_input(bundle, asked):
    first = as_json(bundle, "--input", asked, "--all")
    assert as_json(bundle, "--all", stdin=asked.read_bytes()) == first


def test_the_csv_holds_the_rows_under_the_names_of_their_clusters_and_can_become_an_intent(bundle, asked, tmp_path):
    file = tmp_path / "candidates.csv"
    found = as_json(bundle, "--input", asked, "--all", "--csv", file)
    with open(file, newline="", encoding="utf-8") as stream:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(stream)]
    assert rows == [(text, cluster["name"]) for cluster in found["clusters"] for text in cluster["texts"]]
    assert not {label for _, label in rows} & {*LABELS}


def test_people_see_size_words_the_medoid_and_examples(bundle, asked):
    found, shown = as_json(bundle, "--input", asked, "--all"), discover(bundle, "--input", asked, "--all").out
    first = found["clusters"][0]
    assert f"{first['name']} ({first['size']}): {', '.join(first['words'])}\n    {first['medoid']}\n" in shown
    assert f"      {first['texts'][1]}" in shown
    assert shown.splitlines()[0].startswith(f"{found['asked']:,} texts, ")


def test_nothing_asked_is_nothing_found(bundle):
    found = as_json(bundle, stdin=b"\n")
    assert found == {"asked": 0, "unanswered": 0, "clusters": [], "left_over": []}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--min-size", "1"], "error: min-size 1: a cluster has 2 texts or more\n"),
        (["--cosine", "2"], "error: cosine 2: expected -1 to 1\n"),
        (["--task", "topic"], "error: task 'topic': the model has one task, without a name (leave it out)\n"),
        (["--input", "no.csv"], "error: no.csv: cannot be read: No such file or directory\n"),
        (["--bundle", "nowhere"], "error: nowhere: there is no such bundle folder"),
    ],
)
def test_what_cannot_be_done_is_exit_2_and_one_line(bundle, arguments, message):
    answer = call("discover", "--bundle", bundle, *arguments, stdin=b"where is my card\n")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(message)


def test_it_needs_no_tensorflow(bundle, asked):
    code = "import sys\nfrom tests.tiny_questions import call\nprint(call(*sys.argv[1:]).code, 'tensorflow' in sys.modules)"
    command = [sys.executable, "-c", code, "discover", "--bundle", str(bundle), "--input", str(asked), "--all"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["0", "False"]
