"""The main job through the command line, from a CSV to a bundle that answers; and what bad luck on the way costs: a message, and nothing else."""

import json
import shutil
import subprocess
import sys

import pytest
import yaml

import tfarch
from tests.tiny_questions import LABELS, call, questions, write_csv, write_settings
from tfarch.config import DataConfig
from tfarch.data import load_dataset
from tfarch.runtime.bundle import verify_bundle

REPORT = {"task", "data", "train", "variants", "chosen", "machine", "seed"}
VARIANT = {"name", "file", "bytes", "gzip_bytes", "sparsity", "metrics", "latency_ms", "parity", "paired"}
METRICS = {"accuracy", "macro_f1", "ece", "nll", "per_class", "in_scope_accuracy", "oos_recall", "oos_auroc", "fpr95"}
TEXTS = ["where is my card", "locked password now?", "größe 日本 🎉", "my refund, please"]


class Job:
    """One finished `run --json`, whose folder lends itself to many tests."""

    def __init__(self, folder, *settings):
        self.out, self.settings = folder / "out", ["--config", write_settings(folder / "settings.yaml"), *settings]
        self.train = write_csv(folder / "train.csv")
        self.answer = self.call("run", "--data", self.train, "--json")
        assert self.answer.code == 0, self.answer.err
        self.report = json.loads(self.answer.out)

    def call(self, verb, *arguments, out=None):
        return call(verb, "--out", out or self.out, *(() if verb in ("predict", "report") else self.settings), *arguments)


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return Job(tmp_path_factory.mktemp("averaged"))


@pytest.fixture
def copy(job, tmp_path):
    """A copy of the finished run, to be damaged."""
    return shutil.copytree(job.out, tmp_path / "copy")


def json_lines(answer):
    assert answer.code == 0, answer.err
    return [json.loads(line) for line in answer.out.splitlines()]


def contents(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


# run


def test_run_prints_one_json_document_with_the_keys_of_the_report(job):
    assert job.answer.out.count("\n") == 1
    report = job.report
    assert report.keys() >= REPORT
    assert report["data"].keys() >= {"name", "train", "test", "classes", "sha256"}
    assert report["train"].keys() >= {"seconds", "examples_per_second", "tokens_per_second", "steps"}
    assert report["machine"].keys() >= {"cpu", "cores", "flags", "tensorflow"}
    assert report["seed"] == 0
    assert [each["name"] for each in report["variants"]] == ["float32", "dynamic_int8"]
    for each in report["variants"]:
        assert each.keys() >= VARIANT
        assert each["metrics"].keys() >= METRICS
        assert each["latency_ms"]["threads_1"].keys() >= {"p50", "p95"}
        assert each["bytes"] == (job.out / each["file"]).stat().st_size
    assert report["chosen"] == "dynamic_int8"


def test_without_json_run_ends_with_the_table_what_rejecting_costs_and_the_places(job, copy):
    answer = job.call("run", "--data", job.train, out=copy)
    assert answer.code == 0, answer.err
    metrics = next(each["metrics"] for each in job.report["variants"] if each["name"] == "dynamic_int8")
    assert "* dynamic_int8" in answer.out
    assert f"{metrics['oos_recall'] * 100:.1f} % of what is out of scope is turned away" in answer.out.replace("\n", " ")
    assert f"with that, {metrics['in_scope_accuracy'] * 100:.1f} %" in answer.out.replace("\n", " ")
    assert answer.out.splitlines()[-4:] == [
        f"what ships   {copy}/bundle",
        f"report       {copy}/report.html",
        f"figures      {copy}/report.json",
        f"TensorBoard  {copy}/tensorboard",
    ]


def test_a_quick_run_in_a_process_of_its_own_on_one_thread_says_that_it_was_quick(job, tmp_path):
    options = ["--set", "model.structure=averaged", "--set", "model.averaged_width=8", "--set", "export.agreement_bound=0"]
    command = [sys.executable, "-m", "apps.customer_service", "run", "--quick", "--threads", "1", "--json", *options]
    done = subprocess.run([*command, "--data", str(job.train), "--out", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["quick"] is True
    assert len(report["train"]["history"]) == 1
    assert "quick run" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "--quick" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_run_leaves_the_folder_of_the_contract(job):
    for name in ("config.yaml", "report.json", "report.html", "checkpoints/trained.json", "tensorboard/fit", "variants/float32.tflite"):
        assert (job.out / name).exists(), name
    for name in ("bundle.json", "model.tflite", "saved_model/1/saved_model.pb", "vocab.txt", "MODEL_CARD.md"):
        assert (job.out / "bundle" / name).is_file(), name
    assert json.loads((job.out / "report.json").read_text(encoding="utf-8")) == job.report
    assert verify_bundle(job.out / "bundle").labels == LABELS
    assert [path.name for path in job.out.rglob("*.part")] == []


def test_run_learns_the_questions(job):
    assert job.report["variants"][0]["metrics"]["accuracy"] > 0.6  # a third by chance


def test_the_float_paths_agree(job):
    assert job.report["parity"]["holds"]


def test_the_same_command_does_not_train_again_and_says_so(job):
    answer = job.call("train", "--data", job.train)
    assert answer.code == 0
    assert "already trained: step " in answer.err
    assert answer.out.splitlines()[-1].endswith(f"next: python -m apps.customer_service export --out {job.out}")


def test_the_config_of_a_run_given_back_makes_the_same_settings(job, tmp_path):
    answer = call("train", "--config", job.out / "config.yaml", "--out", tmp_path / "again", "--json")
    assert answer.code == 0
    first, again = (yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")) for folder in (job.out, tmp_path / "again"))
    assert first["made_by"].keys() >= {"app", "tfarch", "git_revision", "command", "machine", "data"}
    assert first.pop("made_by")["data"] == again.pop("made_by")["data"]
    assert again == first
    assert json.loads(answer.out)["trained"]["history"][-1]["loss"] == pytest.approx(job.report["train"]["history"][-1]["loss"], rel=1e-5)


def test_the_seed_changes_the_split(job):
    tests = [load_dataset(str(job.train), DataConfig(), seed).test.texts for seed in (0, 1)]
    assert tests[0] != tests[1]
    assert sorted(map(len, tests)) == [job.report["data"]["test"]] * 2


# predict


def test_predict_gives_a_json_line_with_the_documented_keys_for_each_argument(job):
    lines = json_lines(job.call("predict", "--json", "--top", 2, *TEXTS))
    assert [line["text"] for line in lines] == TEXTS
    for line in lines:
        assert line.keys() == {"text", "label", "probability", "out_of_scope", "top"}
        assert [each.keys() for each in line["top"]] == [{"label", "probability"}] * 2
        assert line["top"][0] == {"label": line["label"], "probability": line["probability"]}


def test_predict_answers_as_the_loaded_bundle_does(job):
    lines = json_lines(job.call("predict", "--json", "--threads", 1, *TEXTS))
    assert lines == [each.as_dict() for each in tfarch.load(job.out / "bundle").predict(TEXTS)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("texts.txt", "\n".join(TEXTS) + "\n"),
        ("texts.csv", "id,text\n" + "".join(f'1,"{text}"\n' for text in TEXTS)),
        ("texts.tsv", "text\tid\n" + "".join(f"{text}\t1\n" for text in TEXTS)),
        ("texts.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)),
    ],
)
def test_predict_reads_files_of_every_kind(job, tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert [line["text"] for line in json_lines(job.call("predict", "--json", "--input", tmp_path / name))] == TEXTS


@pytest.mark.parametrize("more", [(), ("--input", "-")])
def test_predict_reads_standard_input_a_line_each(job, more):
    answer = call("predict", "--out", job.out, "--json", *more, stdin="\r\n".join(TEXTS).encode())
    assert [line["text"] for line in json_lines(answer)] == TEXTS


def test_predict_of_nothing_prints_nothing(job):
    assert json_lines(call("predict", "--out", job.out, "--json")) == []


def test_predict_takes_empty_undecodable_and_endless_texts(job):
    lines = json_lines(call("predict", "--out", job.out, "--json", stdin=b"\ncaf\xe9\n" + b"word " * 200_000 + b"\n"))
    assert [len(line["text"]) for line in lines] == [0, 4, 1_000_000]


def test_predict_without_json_is_a_line_for_people(job):
    assert job.call("predict", "where is my card").out.split()[:1] in [[label] for label in (*LABELS, "out")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "no.txt"], "error: no.txt: cannot be read: No such file or directory"),
        (["--input", "no.csv"], "error: no.csv: cannot be read: No such file or directory"),
        (["--top", "0", "text"], "error: top=0: expected a whole number from 1"),
    ],
)
def test_predict_tells_what_it_cannot_take(job, arguments, message):
    answer = job.call("predict", *arguments)
    assert (answer.code, answer.out, answer.err) == (2, "", message + "\n")


def test_predict_whose_reader_has_gone_ends_quietly_and_without_tensorflow(job, tmp_path):
    (tmp_path / "many.txt").write_text("where is my card\n" * 20_000)
    code = (
        "import sys; from apps.customer_service.app import APP; from tfarch.cli import main\n"
        "code = main(APP, sys.argv[1:]); sys.stderr.write('tensorflow' * ('tensorflow' in sys.modules)); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "predict", "--json", "--bundle", str(job.out / "bundle"), "--input", str(tmp_path / "many.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert json.loads(child.stdout.readline())["text"] == "where is my card"
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


# The other verbs


def test_evaluate_measures_the_same_files_again(job, copy):
    answer = job.call("evaluate", "--json", out=copy)
    assert answer.code == 0
    again = json.loads(answer.out)
    assert [each["metrics"] for each in again["variants"]] == [each["metrics"] for each in job.report["variants"]]


def test_evaluate_on_other_data_counts_its_rows(job, copy, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    write_csv(folder / "train.csv")
    write_csv(folder / "test.csv", questions()[:7])
    assert json.loads(job.call("evaluate", "--data", folder, "--json", out=copy).out)["data"]["test"] == 7


def test_evaluate_on_data_with_a_label_that_the_model_lacks_is_exit_2(job, copy, tmp_path):
    other = write_csv(tmp_path / "other.csv", [*questions(), *((f"a parcel {number}", "parcel") for number in range(9))])
    answer = job.call("evaluate", "--data", other, out=copy)
    assert answer.code == 2
    assert answer.last == f"error: {other}: the train rows have the label 'parcel', which the model does not know"


def test_export_lists_its_files_and_the_one_that_ships(job, copy):
    answer = job.call("export", "--json", out=copy)
    assert answer.code == 0
    files = json.loads(answer.out)
    assert {each["name"]: each["ships"] for each in files} == {"float32": False, "dynamic_int8": True}
    assert (copy / "bundle" / "model.tflite").stat().st_size == next(each["bytes"] for each in files if each["ships"])
    assert sorted(path.name for path in copy.iterdir()) == sorted(path.name for path in job.out.iterdir())


def test_report_shows_the_table_and_writes_the_page_again(job, copy):
    (copy / "report.html").unlink()
    answer = call("report", "--out", copy)
    assert answer.code == 0
    assert "dynamic_int8" in answer.out
    assert (copy / "report.html").stat().st_size > 10_000
    assert json.loads(call("report", "--out", copy, "--json").out) == job.report


def test_check_gives_rows_and_findings_as_json(job):
    checked = json.loads(call("check", "--data", job.train, "--json").out)
    assert checked["classes"] == len(LABELS)
    assert checked["train"] + checked["valid"] + checked["test"] == len(questions())
    assert checked["findings"] == []


def test_an_encoder_goes_the_same_way(tmp_path):
    model = "{structure: encoder, weights: random, layers: 1, width: 16, heads: 2, feed_forward: 32, vocabulary: 120}"
    job = Job(tmp_path, "--set", f"model={model}", "--set", "train.epochs=1")
    assert job.report["parity"]["holds"]
    assert job.report["model"]["layers"] == 1
    assert json_lines(job.call("predict", "--json", "--threads", 1, *TEXTS)) == [
        each.as_dict() for each in tfarch.load(job.out / "bundle").predict(TEXTS)
    ]


# The gate


def test_a_gate_that_does_not_hold_is_exit_1_with_the_report_written_and_said(job, copy):
    (copy / "report.json").unlink()
    answer = job.call("evaluate", "--set", "export.parity_bound=0", "--json", out=copy)
    assert answer.code == 1
    assert json.loads(answer.out) == json.loads((copy / "report.json").read_text(encoding="utf-8"))
    assert answer.err.splitlines()[-2] == f"the report was written: {copy / 'report.html'}"
    assert answer.last.startswith("error: parity: keras_")
    assert answer.last.endswith("over the bound 0 (export.parity_bound)")
    assert not json.loads((copy / "report.json").read_text(encoding="utf-8"))["parity"]["holds"]


# Damage


def flip(file):
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model.tflite", flip, "is not the file that was exported: its sha256 is "),
        ("vocab.txt", flip, "is not the file that was exported: its sha256 is "),
        ("vocab.txt", lambda file: file.unlink(), "the file is missing from the bundle (copy the bundle again from where it was made)"),
        ("bundle.json", lambda file: file.write_bytes(file.read_bytes()[:300]), "is not JSON: "),
        ("bundle.json", lambda file: file.unlink(), "holds no bundle.json"),
    ],
)
def test_a_damaged_bundle_is_exit_2_and_names_the_file(job, copy, name, damage, message):
    file = copy / "bundle" / name
    damage(file)
    answer = call("predict", "--out", copy, "text")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"error: {file.parent if 'holds no' in message else file}")
    assert message in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("name", ["trained.json", "trained.safetensors"])
def test_damaged_weights_are_exit_2_and_name_the_file(job, copy, name):
    file = copy / "checkpoints" / name
    file.write_bytes(file.read_bytes()[:100])
    answer = job.call("export", out=copy)
    assert answer.code == 2
    assert answer.last.startswith(f"error: {file}: ")


# A full disk and Ctrl-C, in processes of their own

FULL_DISK = """
import resource, sys
from tests.tiny_questions import call
import tfarch.quiet
tfarch.quiet.start_tensorflow()
run = sys.argv[1:5]
for limit, *arguments in ((2000, "train", *sys.argv[1:], "--seed", "1"), (12000, "export", *run), (40000, "export", *run), (4000, "evaluate", *run)):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))  # no file may grow beyond this, as on a full disk
    answer = call(*arguments)
    print(answer.code, answer.last, "the report was written" in answer.err)
"""


def test_on_a_full_disk_the_work_fails_in_one_line_and_what_was_there_stays(job, copy):
    before = contents(copy)
    settings = ["--out", str(copy), *map(str, job.settings), "--data", str(job.train)]
    done = subprocess.run([sys.executable, "-c", FULL_DISK, *settings], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 4, done.stderr
    for line in lines:
        assert line.startswith("1 error: ")
        assert "could not be written: " in line
        assert line.endswith(("File too large False", "(os error 27) False"))
    after = contents(copy)
    kept = [name for name in before if name.startswith(("bundle/", "variants/", "report."))]
    assert kept
    assert {name: after.get(name) == before[name] for name in kept} == dict.fromkeys(kept, True)
    assert [name for name in after if ".part" in name or "previous" in name or "writing" in name] == []


INTERRUPTED = """
import os, signal, sys
from tests.tiny_questions import call
from tfarch.training.callbacks import ShowProgress
shown = ShowProgress.after_update
def interrupted(self, step, values):
    shown(self, step, values)
    if step == 12:
        os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does
ShowProgress.after_update = interrupted
answer = call(*sys.argv[1:])
sys.stderr.write(answer.err)
sys.exit(answer.code)
"""


def test_ctrl_c_is_exit_130_and_the_same_command_goes_on_and_says_so(job, tmp_path):
    arguments = ["train", "--out", tmp_path / "out", *job.settings, "--data", job.train, "--set", "train.checkpoint_every=5", "--json"]
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "interrupted; the same command goes on where this one stopped"
    assert "Traceback" not in done.stderr
    again = call(*arguments)
    assert again.code == 0
    assert "resuming: step 10, epoch 2" in again.err
    assert json.loads(again.out)["trained"]["history"][-1]["loss"] == pytest.approx(job.report["train"]["history"][-1]["loss"], rel=1e-4)
