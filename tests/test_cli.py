"""What the command line answers before anything is trained: help, bad usage, bad settings, and all that data can have wrong with it."""

import re
import subprocess
import sys

import pytest

from tests.tiny_questions import APP, call, questions, write_csv, write_settings
from tfarch.cli.arguments import VERBS
from tfarch.config import Config
from tfarch.run_folder import RunFolder


@pytest.fixture
def data(tmp_path):
    """Writes rows.csv: bytes as they are, or rows of (text, label)."""

    def write(content=None, name="rows.csv"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
            return file
        return write_csv(file, content)

    return write


@pytest.fixture
def run(tmp_path):
    """Calls `run` on data, which must fail before the training: then TensorFlow has nothing to do."""
    return lambda file, *more: call(
        "run", "--data", file, "--out", tmp_path / "out", "--config", write_settings(tmp_path / "s.yaml"), *more
    )


# Help


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_every_setting_with_its_default(verb):
    answer = call(verb, "--help")
    assert answer.code == 0
    config = Config().with_values(APP.defaults)
    for name, _, text in Config.fields():
        value = config
        for part in name.split("."):
            value = getattr(value, part)
        assert re.search(
            rf"^  {re.escape(name)} +{re.escape(text)} \[{re.escape('none' if value is None else str(value))}\]$", answer.out, re.M
        ), name


def test_help_lists_the_verbs():
    assert {verb for verb in VERBS if re.search(rf"^    {verb} ", call("--help").out, re.M)} == set(VERBS)


LIGHT = """
import sys
from tests.tiny_questions import call
from tfarch.cli.arguments import VERBS
codes = [call(verb, "--help").code for verb in VERBS] + [call("check", "--data", sys.argv[1]).code, call("predict", "--bundle", "nowhere", "x").code]
print(codes, sorted({"tensorflow", "tf_keras", "keras", "tensorflow_text", "numpy"} & set(sys.modules)))
"""


def test_help_answers_at_once_and_so_loads_no_numpy():
    code = 'import sys\nfrom tests.tiny_questions import call\nprint(call("run", "--help").code, "numpy" in sys.modules)'
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]


def test_help_check_and_predict_never_import_tensorflow(data):
    done = subprocess.run([sys.executable, "-c", LIGHT, str(data())], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{[0] * (len(VERBS) + 1) + [2]} ['numpy']"  # numpy comes with the runtime


# Usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: VERB"),
        (["fly"], "invalid choice: 'fly' (choose from"),
        (["run", "--sed", "x"], "unrecognized arguments"),
        (["run", "--seed", "one"], "argument --seed: invalid int value: 'one'"),
        (["compress"], "the following arguments are required: --recipe, --from"),
    ],
)
def test_what_the_parser_refuses_is_exit_2(arguments, message):
    answer = call(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "--input", "f.txt", "text"], "error: texts are given both as arguments and by --input (give one of them)"),
        (["predict", "--threads", "0", "text"], "error: --threads 0: at least 1"),
        (["predict", "--bundle", "nowhere", "text"], "error: nowhere: there is no such bundle folder"),
        (["predict", "--config", "no.yaml", "text"], "error: no.yaml: cannot be read: No such file or directory"),
        (["check", "--data", "nowhere.csv"], "error: nowhere.csv: "),
        (["check", "--data", "tfds"], "error: tfds: "),
        (["check", "--seed", "-1"], "error: --seed: seed=-1: expected 0 to 4294967295"),
        (["check", "--set", "train.freeze=[a"], "error: --set 'train.freeze=[a': the value is not YAML"),
        (["check", "--set", "data.max_lenght=8"], "error: --set: unknown setting 'data.max_lenght'; known: data.addresses, data.draw, "),
        (["check", "--set", "train.batch_size=0"], "error: --set: train.batch_size=0: expected 1 or more"),
        (["export", "--out", "nowhere"], "error: nowhere: holds no run (the verbs train and run make one; --out names its folder)"),
        (["evaluate", "--out", "nowhere"], "error: nowhere: holds no run"),
        (["compress", "--recipe", "x", "--from", "nowhere"], "error: nowhere: holds no run"),
        (["report", "--out", "nowhere"], "error: nowhere/report.json: is not there yet (the verbs run and evaluate make it)"),
    ],
)
def test_bad_usage_is_exit_2_and_one_line(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = call(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(message)
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("verb", [["export", "--out"], ["evaluate", "--out"], ["compress", "--recipe", "small", "--from"]])
def test_a_run_of_another_app_is_refused(verb, tmp_path):
    (tmp_path / "config.yaml").write_text("made_by: {app: finance_sentiment}\n")
    answer = call(*verb, tmp_path)
    assert answer.code == 2
    assert answer.err == f"error: {tmp_path}: is a run of the app finance_sentiment (python -m apps.finance_sentiment goes on with it)\n"


def test_debug_shows_the_traceback(tmp_path):
    from tfarch.errors import BundleError

    with pytest.raises(BundleError):
        call("predict", "--bundle", tmp_path / "no", "--debug", "text")


def test_an_unknown_recipe_is_told_before_the_training(data, run):
    answer = run(data(), "--recipe", "fast")
    assert answer.code == 2
    assert answer.last.startswith("error: unknown recipe 'fast'; known: ")
    assert "training" not in answer.err


def test_a_weight_of_what_is_no_task_is_told_before_the_training(data, run):
    answer = run(data(), "--set", "train.task_weights={tone: 2}")
    assert answer.code == 2
    assert answer.last == "error: unknown task 'tone'; known: none (train.task_weights takes the names of data.tasks)"


def test_a_folder_that_another_run_holds_is_refused(data, run, tmp_path):
    with RunFolder(tmp_path / "out").locked():
        answer = run(data())
    assert answer.code == 2
    assert answer.last == f"error: {tmp_path / 'out'}: another run is working in this folder (wait for it, or choose another --out)"


# Data that cannot be used: exit 2, one line with file, line, value and mend


def test_an_empty_folder_is_told(run, tmp_path):
    (tmp_path / "empty").mkdir()
    answer = run(tmp_path / "empty")
    assert answer.code == 2
    assert answer.last.startswith(
        f"error: {tmp_path / 'empty'}: no train.csv, train.tsv or train.jsonl in this folder; it has no CSV, TSV, JSONL or Rasa file"
    )


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (
            b"question,label\na,b\n",
            ", line 1",
            "no column 'text'; its columns: 'question', 'label' (name the right one with --text-column)",
        ),
        (b"text,intent\na,b\n", ", line 1", "no column 'label'; its columns: 'text', 'intent' (name the right one with --label-column)"),
        (b"", "", "it is empty"),
        (b"text,label\n", "", "it has no rows"),
        (b"text,label\n ,card\n", ", line 2", "none of its 1 rows can be used; this one: empty text"),
        ("text,label\na,b\n".encode("utf-16"), "", "it is UTF-16 (save it as UTF-8)"),
        (b"text,label\none,card\ntwo,refund\n", "", "too few rows to split off a test part (give each label three different texts or more"),
    ],
)
def test_a_file_that_cannot_be_used_is_exit_2(data, run, content, place, message):
    file = data(content)
    answer = run(file)
    assert (answer.code, answer.out) == (2, "")
    assert answer.last.startswith(f"error: {file}{place}: {message}")


@pytest.mark.parametrize("part", ["test", "valid"])
def test_an_unknown_label_in_a_part_is_told_with_its_line(data, run, part):
    folder = data(name="folder/train.csv").parent
    write_csv(folder / f"{part}.csv", [("my card", "card"), ("my refund", "Refund")])
    answer = run(folder)
    assert (answer.code, answer.out) == (2, "")
    assert answer.last == f"error: {folder / part}.csv, line 3: label 'Refund' is in no training row (did you mean 'refund'?)"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b",card\n", "empty text"),
        (b'"my card,card\n', "the quote opened on line 2 is never closed"),
        (b"my card,card,extra\n", "3 columns where the header has 2"),
        (b"caf\xe9,card\n", "not UTF-8 (byte 0xe9)"),
    ],
)
def test_a_bad_row_is_skipped_and_reported_or_stops_a_strict_run(data, run, row, reason):
    sound = "".join(f"{text},{label}\n" for text, label in questions() if "," not in text).encode()
    file = data(b"text,label\n" + row + sound)
    checked = call("check", "--data", file)
    assert checked.code == 0
    assert f"1 row was unusable and skipped (rows.csv line 2: {reason}" in checked.out
    strict = run(file, "--set", "data.strict=true")
    assert strict.code == 2
    assert strict.last.startswith(f"error: {file}, line 2: {reason}")


# Data that can be used, but


def findings(*arguments):
    answer = call("check", *arguments)
    return answer.code, [line for line in answer.out.splitlines() if line.startswith(("error: ", "warning: ", "note: "))]


def test_sound_data_has_nothing_to_complain_of(data):
    answer = call("check", "--data", data())
    assert answer.code == 0
    assert answer.out.endswith("Nothing to complain of.\n")


def test_a_label_with_one_example_is_a_warning(data):
    code, found = findings("--data", data([*questions(), ("an odd one", "odd")]))
    assert code == 0
    assert any(line.startswith("warning: 1 class has fewer than 5 training rows: 'odd' (1)") for line in found)


def test_a_text_of_a_million_characters_is_a_warning(data):
    code, found = findings("--data", data([*questions(), ("word " * 200_000, "card")]))
    assert code == 0
    assert any(re.match(r"warning: 1 of 79 texts .* \(the longest 1,000,000\) and will be cut", line) for line in found)


def test_test_rows_that_are_in_train_are_an_error_of_check(data):
    folder = data(name="folder/train.csv").parent
    write_csv(folder / "test.csv", [(text, label) for text, label in questions() if label != "oos"][:12])
    code, found = findings("--data", folder)
    assert code == 1
    assert re.fullmatch(r"error: \d+ test rows are also in train \(\d+ word for word\): their score flatters\.", found[0])
