"""Progress on a terminal is one line that is rewritten; in a pipe or file it is a line now and then, without control characters."""

import io

import pytest

from tfarch import progress
from tfarch.progress import Progress, duration, say


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test winds."""
    time = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: time[0])
    return time


streams = pytest.mark.parametrize("kind", [io.StringIO, Terminal], ids=["pipe", "terminal"])


def on(monkeypatch, stream):
    """The stream as standard error; set in the test itself, as pytest sets its own between a fixture and the test."""
    monkeypatch.setattr("sys.stderr", stream)
    return stream


def test_messages_go_to_standard_error(capsys):
    say("a message")
    assert capsys.readouterr() == ("", "a message\n")


def test_a_pipe_gets_a_line_every_ten_seconds(monkeypatch, clock):
    stream = on(monkeypatch, io.StringIO())
    bar = Progress("fit", 100)
    for done in range(1, 31):
        clock[0] += 1.0
        bar.update(done, "loss 0.5")
    assert stream.getvalue() == "".join(
        f"fit  {done}/100  loss 0.5  {left} left\n" for done, left in ((10, "1 min 30 s"), (20, "1 min 20 s"), (30, "1 min 10 s"))
    )


def test_a_terminal_gets_one_line_rewritten_and_cleared(monkeypatch, clock):
    stream = on(monkeypatch, Terminal())
    bar = Progress("fit", 10)
    for done in (1, 2):
        clock[0] += 1.0
        bar.update(done)
    bar.close()
    assert stream.getvalue() == "\r\033[Kfit  1/10    9 s left\r\033[Kfit  2/10    8 s left\r\033[K"


@streams
def test_updates_in_quick_succession_are_not_all_shown(monkeypatch, clock, kind):
    stream = on(monkeypatch, kind())
    bar = Progress("fit", 1000)
    for done in range(1, 100):
        clock[0] += 0.001
        bar.update(done)
    assert stream.getvalue() == ""


@streams
def test_the_last_one_is_always_shown(monkeypatch, clock, kind):
    stream = on(monkeypatch, kind())
    Progress("fit", 3).update(3)
    assert "fit  3/3    0 s left" in stream.getvalue()


def test_a_message_stands_on_a_line_of_its_own(monkeypatch, clock):
    stream = on(monkeypatch, Terminal())
    bar = Progress("fit", 10)
    clock[0] += 1.0
    bar.update(5)
    bar.line("epoch 1: valid_accuracy 0.9")
    assert stream.getvalue().endswith("\r\033[Kfit  epoch 1: valid_accuracy 0.9\n")


def test_what_was_done_before_a_resume_does_not_flatter_the_time_left(monkeypatch, clock):
    stream = on(monkeypatch, io.StringIO())
    bar = Progress("fit", 100, done=90)
    clock[0] += 10.0
    bar.update(95)  # five steps in ten seconds: ten more for the last five
    assert stream.getvalue() == "fit  95/100    10 s left\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.9, "1 h 0 min"),
        (3900, "1 h 5 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_durations_are_read_at_a_glance(seconds, text):
    assert duration(seconds) == text
