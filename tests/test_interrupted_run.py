"""Ctrl-C ends the work whenever it comes, also in the midst of native code, and promises no more than holds."""

import contextlib
import dataclasses
import io
import signal
import subprocess
import sys
import time

import pytest

from tests.tiny_questions import APP, call, write_csv, write_settings
from tfarch.app import Verb
from tfarch.cli import main


class InterruptedAsItGoes:
    """Python cannot raise from a finaliser: it prints the exception and forgets it."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def interrupt_where_python_forgets_it(options, config):
    InterruptedAsItGoes()
    for _ in range(200):
        time.sleep(0.05)
    return 0


def interrupt(options, config):
    signal.raise_signal(signal.SIGINT)
    return 0


@pytest.mark.parametrize("work", [interrupt, interrupt_where_python_forgets_it])
def test_an_interrupt_ends_the_work_with_130(work):
    app = dataclasses.replace(APP, verbs=(Verb("work", "works", lambda parser: None, work),))
    with contextlib.redirect_stderr(io.StringIO()) as told:
        assert main(app, ["work"]) == 130
    assert told.getvalue() == "\ninterrupted\n"  # this verb is not one that goes on where it stopped


def test_debug_shows_where_it_was_interrupted():
    app = dataclasses.replace(APP, verbs=(Verb("work", "works", lambda parser: None, interrupt),))
    with pytest.raises(KeyboardInterrupt):
        main(app, ["work", "--debug"])


def test_the_conversion_can_be_interrupted_and_the_same_command_trains_no_more(tmp_path):
    arguments = ["run", "--data", write_csv(tmp_path / "rows.csv"), "--out", tmp_path / "out"]
    arguments = [*map(str, arguments), "--config", str(write_settings(tmp_path / "settings.yaml")), "--set", "train.epochs=1"]
    with subprocess.Popen([sys.executable, "-m", "apps.customer_service", *arguments], stderr=subprocess.PIPE, text=True) as child:
        for line in child.stderr:
            if line.startswith("exporting float32"):
                child.send_signal(signal.SIGINT)
                break
        told = child.stderr.read()
    assert child.returncode == 130, told
    assert told.endswith("\ninterrupted; the same command goes on where this one stopped\n")
    assert not (tmp_path / "out" / "bundle").exists()
    again = call(*arguments)
    assert again.code == 0
    assert "already trained: step " in again.err
    assert (tmp_path / "out" / "bundle" / "bundle.json").is_file()
