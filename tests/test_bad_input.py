"""What goes wrong around a run and is told in one line: odd arguments and streams, data that trains but should not be trusted, damaged run folders.

What `check` and the parser say is in test_cli.py, damaged bundles and full disks in pipeline/test_main_job.py.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.tiny_questions import OUT_OF_SCOPE, call, questions, write_csv, write_settings
from tfarch.errors import InputError


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return ["--config", write_settings(tmp_path_factory.mktemp("settings") / "settings.yaml"), "--set", "train.epochs=1"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, settings):
    """The folder of a finished run, to be read only."""
    folder = tmp_path_factory.mktemp("finished")
    answer = call("run", "--data", write_csv(folder / "rows.csv"), "--out", folder / "out", *settings)
    assert answer.code == 0, answer.err
    return folder / "out"


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


@pytest.fixture
def folder(tmp_path):
    """Writes a folder of data: train.csv, and the parts given."""

    def write(**parts):
        data = tmp_path / "questions"
        data.mkdir()
        for name, rows in {"train": questions(), **parts}.items():
            write_csv(data / f"{name}.csv", rows)
        return data

    return write


@pytest.fixture
def run(tmp_path, settings):
    return lambda data, *more: call("run", "--data", data, "--out", tmp_path / "out", *settings, *more)


def refused(answer, message):
    """Exit 2 with `message` as the only error, nothing on standard output, and no training."""
    assert (answer.code, answer.out) == (2, "")
    assert answer.last.startswith(f"error: {message}")
    assert answer.err.count("error: ") == 1
    assert "training" not in answer.err


# Arguments and streams


def test_more_threads_than_any_machine_has_are_refused_not_tried():
    answer = call("predict", "--threads", 100_000, "text")
    assert answer.code == 2
    assert re.fullmatch(r"error: --threads 100000: at least 1, at most \d+\n", answer.err)


def test_a_name_that_is_not_utf8_is_refused_before_the_work(run, tmp_path):
    file = write_csv(tmp_path / os.fsdecode(b"caf\xe9.csv"))
    refused(run(file), f"{str(file)!r} is not UTF-8 (rename what it names)")


def process(*arguments, closed="", encoding=None):
    """The command line in a process of its own, with standard streams closed as a shell does it."""
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "apps.customer_service", *map(os.fsencode, arguments)]
    return subprocess.run(command, capture_output=True, env={**os.environ, **({"PYTHONIOENCODING": encoding} if encoding else {})})


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_closed_streams_do_not_hinder_an_answer(finished, closed):
    done = process("predict", "--json", "--out", finished, "my card", closed=closed)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["text"] == "my card"


def test_a_closed_standard_output_takes_nothing_and_is_no_failure(finished):
    done = process("predict", "--out", finished, "my card", closed=">&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_errors_never_go_to_standard_output():
    done = process("predict", "--bundle", "nowhere", "text", closed="2>&-")
    assert (done.returncode, done.stdout) == (2, b"")


def test_json_is_utf8_on_a_terminal_of_any_encoding(finished):
    done = process("predict", "--json", "--out", finished, "größe", encoding="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout.decode("utf-8"))["text"] == "größe"


def test_letters_that_a_terminal_lacks_are_escaped(finished):
    done = process("predict", "--out", finished, "größe", encoding="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"gr\xf6\xdfe" in done.stdout


def test_an_argument_that_is_not_utf8_is_answered_as_a_line_of_standard_input_is(finished):
    by_argument = process("predict", "--json", "--out", finished, os.fsdecode(b"caf\xe9"))
    assert by_argument.returncode == 0
    assert by_argument.stdout.decode("utf-8") == call("predict", "--json", "--out", finished, stdin=b"caf\xe9\n").out


# Data that can be trained on, but


def test_a_run_warns_of_test_rows_that_are_in_train_and_names_the_place(run, folder):
    answer = run(folder(test=questions()))
    assert answer.code == 0
    assert re.search(
        r"^warning: \d+ test rows are also in train \(\d+ word for word\): their score flatters \(test.csv, line 2; the verb check shows more\)$",
        answer.err,
        re.M,
    )


def test_a_run_warns_of_a_label_with_one_example_and_of_skipped_rows(run, tmp_path):
    file = write_csv(tmp_path / "rows.csv", [*questions(), ("an odd one", "odd"), ("", "card")])
    answer = run(file)
    assert answer.code == 0
    assert re.search(r"^warning: 1 class has fewer than 5 training rows: 'odd' \(1\) \(rows.csv, line 80; ", answer.err, re.M)
    assert re.search(r"^warning: 1 row was unusable and skipped \(rows.csv line 81: empty text\)$", answer.err, re.M)


def test_a_run_takes_texts_of_a_million_characters_and_warns_of_them(run, folder):
    endless = [("word " * 200_000, "card"), ("x" * 1_000_000, "login"), ("日" * 1_000_000, "oos")]
    data = folder(train=[*questions(), endless[0]], test=[*questions(), *endless])
    answer = run(data, "--json")
    assert answer.code == 0
    assert re.search(r"^warning: \d+ of \d+ texts .* will be cut at data.max_length=16 \(", answer.err, re.M)
    assert len(answer.out) < 100_000  # the report shows the texts' beginnings


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_part_without_a_row_in_scope_is_refused_before_the_training(run, folder, part):
    data = folder(**{part: [(text, "oos") for text in OUT_OF_SCOPE]})
    refused(run(data), f"{data}: no {part} row ({part}.csv) is in scope: all are 'oos' (give it rows whose label is one of the classes)")


# What would fail after the training is told before it


@pytest.mark.parametrize("setting", ["export.variants=[int4]", "export.ship=int4"])
def test_an_unknown_variant_is_refused_before_the_training(run, folder, setting):
    refused(run(folder(), "--set", setting), "unknown variant 'int4'; known: dynamic_int8, float16, float32")


@pytest.mark.parametrize("name", ["variants", "bundle"])
def test_a_folder_of_the_user_s_own_is_left_alone_and_told_before_the_training(run, folder, tmp_path, name):
    mine = tmp_path / "out" / name / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    refused(run(folder()), f"{mine.parent}: holds something that no run wrote, and is left alone (move it, or choose another --out)")
    assert mine.read_text() == "years of work"


# Damage in the folder of a run


@pytest.mark.parametrize(
    ("verb", "name", "content"),
    [
        ("export", "checkpoints/trained.json", "{}"),
        ("export", "checkpoints/trained.json", "[]"),
        ("evaluate", "variants/manifest.json", '[{"file": "x"}]'),
        ("evaluate", "variants/manifest.json", "[]"),
        ("report", "report.json", "{}"),
        ("report", "report.json", "[]"),
    ],
)
def test_json_that_lacks_what_it_should_hold_is_told_as_damaged(copy, verb, name, content):
    (copy / name).write_text(content)
    before = (copy / "report.html").read_bytes()
    refused(call(verb, "--out", copy), f"{copy / name}: is damaged: ")
    assert (copy / "report.html").read_bytes() == before


def test_a_vocabulary_that_lost_a_piece_is_not_exported(copy):
    file = copy / "checkpoints" / "trained.vocab.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    refused(call("export", "--out", copy), f"{file}: is not the vocabulary of these weights ")


def test_debug_raises_what_is_wrong_with_a_run(copy):
    (copy / "report.json").write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        call("report", "--out", copy, "--debug")


def test_a_run_without_its_variants_names_the_verb_that_makes_them(copy):
    shutil.rmtree(copy / "variants")
    refused(call("evaluate", "--out", copy), f"{copy}/variants/manifest.json: is not there yet (the verbs export and run make it)")
