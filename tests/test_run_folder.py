"""A run's folder: files are whole or not there, one process works in it at a time, and what is wrong with it is told."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tfarch.config import Config
from tfarch.errors import InputError, TfarchError
from tfarch.run_folder import RunFolder, git_revision, now


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs" / "mine")


def listing(folder):
    return sorted(path.name for path in folder.path.iterdir())


# Writing


def test_a_file_is_written_with_its_folder_and_nothing_beside_it(folder):
    folder.write(folder.report_html, "größe")
    assert folder.report_html.read_text(encoding="utf-8") == "größe"
    assert listing(folder) == ["report.html"]


def test_json_is_read_back(folder):
    folder.write_json(folder.report_json, {"label": "größe", "value": 0.1})
    assert folder.read_json(folder.report_json, "x") == {"label": "größe", "value": 0.1}


def test_values_that_json_lacks_are_refused_and_the_older_file_stays(folder):
    folder.write_json(folder.report_json, {"value": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write_json(folder.report_json, {"value": float("nan")})
    assert folder.read_json(folder.report_json, "x") == {"value": 1}


def test_a_failed_rename_leaves_the_older_file_and_nothing_beside_it(folder, tmp_path):
    (folder.path / "report.json" / "inner").mkdir(parents=True)  # a folder in the file's place cannot be replaced
    with pytest.raises(TfarchError, match=r"report.json could not be written: Is a directory"):
        folder.write_json(folder.report_json, {})
    assert listing(folder) == ["report.json"]


FULL_DISK = """
import resource, sys
from tfarch.errors import TfarchError
from tfarch.run_folder import RunFolder
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # no file may grow beyond this, as on a full disk
folder = RunFolder(sys.argv[1])
try:
    folder.write(folder.report_html, "new" * 5000)
except TfarchError as error:
    print(error)
"""


def test_on_a_full_disk_the_older_file_survives(folder):
    folder.write(folder.report_html, "old")
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(folder.path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{folder.report_html} could not be written: File too large\n"
    assert folder.report_html.read_text() == "old"
    assert listing(folder) == ["report.html"]


# Replacing a folder


def write_board(folder, text, error=None):
    with folder.replacing(folder.board) as beside:
        (beside / "events").write_text(text)
        if error is not None:
            raise error


def test_a_folder_is_replaced_whole(folder):
    write_board(folder, "old")
    with folder.replacing(folder.board) as beside:
        (beside / "other").write_text("new")
        assert [path.name for path in folder.board.iterdir()] == ["events"], "the older one is there until the new one is whole"
    assert [path.name for path in folder.board.iterdir()] == ["other"]
    assert [path.name for path in folder.tensorboard.iterdir()] == ["evaluate"]


def test_where_writing_fails_the_older_folder_stays(folder):
    write_board(folder, "old")
    for error, told in ((OSError(28, "No space left on device"), TfarchError), (KeyboardInterrupt(), KeyboardInterrupt)):
        with pytest.raises(told):
            write_board(folder, "half", error)
        assert (folder.board / "events").read_text() == "old"
        assert [path.name for path in folder.tensorboard.iterdir()] == ["evaluate"]


def test_a_folder_that_cannot_be_written_is_told(folder):
    folder.write(folder.tensorboard, "a file in its place")
    with pytest.raises(TfarchError, match=re.escape(f"{folder.board} could not be written: Not a directory")):
        write_board(folder, "new")


def test_a_process_that_ended_between_the_two_renames_loses_nothing(folder):
    write_board(folder, "old")
    os.rename(folder.board, folder.tensorboard / ".evaluate.previous")
    with pytest.raises(TfarchError):
        write_board(folder, "half", OSError(28, "No space left on device"))
    assert (folder.board / "events").read_text() == "old"


# Reading


def test_a_file_that_is_not_there_names_the_command_that_makes_it(folder):
    with pytest.raises(InputError, match=re.escape(f"{folder.report_json}: is not there yet (the verb run makes it)")):
        folder.read_json(folder.report_json, "the verb run makes it")


@pytest.mark.parametrize("content", [b'{"a": 1', b"", b'{"a": "caf\xe9"}'])
def test_a_damaged_file_is_told(folder, content):
    folder.path.mkdir(parents=True)
    folder.report_json.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(f"{folder.report_json}: is damaged: ")):
        folder.read_json(folder.report_json, "the verb run makes it")


# The lock


def test_a_folder_is_made_and_open_to_one_at_a_time(folder):
    with folder.locked(), pytest.raises(InputError) as caught, RunFolder(folder.path).locked():
        pass
    assert str(caught.value) == f"{folder.path}: another run is working in this folder (wait for it, or choose another --out)"
    with RunFolder(folder.path).locked():  # free again
        pass


def test_a_lock_goes_with_the_process_that_held_it(folder):
    code = "import os, sys; from tfarch.run_folder import RunFolder\nwith RunFolder(sys.argv[1]).locked(): print('held', flush=True); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, str(folder.path)], capture_output=True, text=True).stdout == "held\n"
    with folder.locked():
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for path, reason in ((tmp_path / "file", "File exists"), (tmp_path / "file" / "below", "Not a directory")):
        with (
            pytest.raises(InputError, match=re.escape(f"{path}: cannot be written: {reason} (choose another --out)")),
            RunFolder(path).locked(),
        ):
            pass


# What made it


def test_the_config_tells_what_made_the_run_and_is_read_back(folder):
    config = Config().with_values({"seed": 7, "train": {"learning_rate": 1e-5}})
    folder.write_config(config, "customer_service", "python -m apps.customer_service run", {"rows.csv": "abc"})
    assert Config().with_file(folder.config) == config
    text = folder.config.read_text(encoding="utf-8")
    for part in ("made_by:", "tfarch: ", "git_revision: ", "command: python -m apps.customer_service run", "rows.csv: abc", "cpu: "):
        assert part in text


def test_times_are_utc_to_the_second():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now())


def test_the_revision_is_none_where_there_is_no_git(monkeypatch):
    monkeypatch.setenv("PATH", os.fspath(Path(__file__).parent))
    assert git_revision() is None
