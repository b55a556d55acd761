"""Wrong labels planted among the rows of a run are found, listed with their places, and stand in the report."""

import csv
import itertools
import json

import pytest

from tests import tiny_encoder
from tests.tiny_questions import WORDS, call, write_csv, write_settings
from tfarch.run_folder import RunFolder

OPENINGS = ("my", "the", 'a "good"')
WRONG = {3: "refund", 40: "card"}  # row -> the label it gets in the place of its own


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder whose training rows hold two wrong labels; its other parts hold none."""
    folder = tmp_path_factory.mktemp("data")
    rows = [
        (f"{opening} {' '.join(pair)}", label)
        for label, words in WORDS.items()
        for pair in itertools.permutations(words, 2)
        for opening in OPENINGS
    ]
    train = rows[::2]
    for row, label in WRONG.items():
        train[row] = (train[row][0], label)
    quoted = [(text.replace('"', '""'), label) for text, label in train]
    write_csv(folder / "train.csv", quoted)
    write_csv(folder / "valid.csv", [(text.replace('"', '""'), label) for text, label in [*rows[1::4], ("who are you", "oos")]])
    write_csv(folder / "test.csv", [(text.replace('"', '""'), label) for text, label in rows[3::4]])
    return folder, train


def run(data, out, *settings, verb="run"):
    answer = call(verb, "--data", data[0], "--out", out, "--config", write_settings(out.parent / "settings.yaml"), *settings)
    assert answer.code == 0, answer.err
    return answer


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    return RunFolder(out), run(data, out)


def suspects(folder):
    with open(folder.label_errors, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_planted_errors_lead_the_list_with_file_line_and_suggestion(data, done):
    found = suspects(done[0])[: len(WRONG)]
    assert {(each["file"], int(each["line"]), each["text"], each["label"]) for each in found} == {
        ("train.csv", row + 2, data[1][row][0], label) for row, label in WRONG.items()
    }
    assert all(set(WORDS[each["suggested"]]) & set(each["text"].split()) for each in found)
    assert all(float(each["score"]) > 0 for each in found)


def test_the_report_tells_how_many_and_shows_them(done):
    folder, answer = done
    report = json.loads(folder.report_json.read_text(encoding="utf-8"))
    section = report["label_errors"]
    assert section["rows"] == {"train": 54, "valid": 27, "test": 27}
    assert sum(section["suspects"].values()) == len(suspects(folder))
    assert section["noise"]["interval"][0] <= section["noise"]["rate"] <= section["noise"]["interval"][1]
    assert {each["line"] for each in section["top"][:2]} == {row + 2 for row in WRONG}
    assert "Labels that are likely wrong" in folder.report_html.read_text(encoding="utf-8")
    assert f"mislabelled: {folder.label_errors}" in answer.out


def test_the_same_command_leaves_the_list_as_it_is(data, done):
    folder, _ = done
    before = folder.label_errors.read_bytes()
    folder.label_errors.write_bytes(before + b"worked on")
    answer = run(data, folder.path, verb="train")
    assert "likely wrong" not in answer.err
    assert folder.label_errors.read_bytes() == before + b"worked on"
    folder.label_errors.write_bytes(before)


def test_other_data_have_no_findings_in_the_report(data, done, tmp_path):
    folder, _ = done
    other = tmp_path / "other"
    other.mkdir()
    for part in ("train", "valid", "test"):
        (other / f"{part}.csv").write_bytes((data[0] / f"{part}.csv").read_bytes() + b"my card at last,card\n")
    kept = folder.report_json.read_bytes()
    answer = call("evaluate", "--data", other, "--out", folder.path, "--json")
    assert "label_errors" not in json.loads(answer.out)
    folder.report_json.write_bytes(kept)


def test_it_can_be_turned_off(data, tmp_path):
    answer = run(data, tmp_path / "out", "--set", "label_errors.find=false", verb="train")
    assert "likely wrong" not in answer.err
    assert not (tmp_path / "out" / "label_errors.csv").exists()


def test_no_more_rows_of_a_part_are_looked_at_than_asked(data, tmp_path):
    run(data, tmp_path / "out", "--set", "label_errors.most_rows=30", verb="train")
    found = json.loads((tmp_path / "out" / "checkpoints" / "label_errors.json").read_text(encoding="utf-8"))
    assert sum(found["rows"].values()) + found["left_out"] == 30 + 27 + 27


def test_too_few_rows_are_told_and_nothing_is_written(tmp_path):
    rows = [(f"{opening} {label}", label) for label in WORDS for opening in ("my", "the", "a", "no")]
    answer = call(
        "train", "--data", write_csv(tmp_path / "few.csv", rows), "--out", tmp_path / "out", "--config", write_settings(tmp_path / "s.yaml")
    )
    assert answer.code == 0, answer.err
    assert "too few rows of each class to tell which labels are wrong" in answer.err
    assert not (tmp_path / "out" / "label_errors.csv").exists()


def test_a_pre_trained_encoder_is_gone_through_once_for_probe_and_findings(tmp_path, monkeypatch):
    from tfarch.pipeline import untrained

    passes = []
    forward = untrained.Forward
    monkeypatch.setattr(untrained, "Forward", lambda model: lambda tokens: passes.append(len(tokens)) or forward(model)(tokens))
    config = {**tiny_encoder.CONFIG, "num_hidden_layers": 1, "max_position_embeddings": 16}
    encoder = tiny_encoder.write_folder(tmp_path / "tiny", config, tiny_encoder.hugging_face_tensors(config))
    fillers = [" ".join(each) for each in itertools.permutations(("where", "is", "my", "the"), 3)]
    rows = [(f"{filler} {word}", word) for word in ("card", "refund", "cafe") for filler in fillers]
    arguments = ["--data", write_csv(tmp_path / "rows.csv", rows), "--config", write_settings(tmp_path / "s.yaml")]
    model = f"model={{structure: encoder, weights: {encoder}}}"
    settings = ["--set", model, "--set", "data.max_length=12", "--set", "train.class_names=never"]  # names are further texts
    answer = call("train", *arguments, "--out", tmp_path / "out", *settings)
    assert answer.code == 0, answer.err
    found = json.loads((tmp_path / "out" / "checkpoints" / "label_errors.json").read_text(encoding="utf-8"))
    assert found["vectors"] == "tiny before the training"
    assert passes == list(found["rows"].values())  # train, valid, test; the probe makes no further pass
