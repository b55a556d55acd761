"""What native libraries write to standard error is caught, and shown only where it may explain a failure."""

import logging
import os

import pytest

from tfarch.errors import InputError
from tfarch.quiet import quiet


def native(text):
    """Writes to the descriptor, as C++ does, past Python's streams."""
    os.write(2, text.encode())


def native_then_raise(error):
    native("the reason")
    raise error


def test_chatter_is_swallowed_and_standard_error_is_given_back(capfd):
    native("before ")
    with quiet():
        native("chatter ")
    native("after")
    assert capfd.readouterr().err == "before after"


def test_a_failure_shows_what_was_said_before_it(capfd):
    with pytest.raises(ZeroDivisionError), quiet():
        native_then_raise(ZeroDivisionError())
    assert capfd.readouterr().err == "the reason"


def test_our_own_errors_need_no_chatter(capfd):
    with pytest.raises(InputError), quiet():
        native_then_raise(InputError("says it all"))
    assert capfd.readouterr().err == ""


def test_tensorflow_warnings_are_back_afterwards():
    logger = logging.getLogger("tensorflow")
    before = logger.level
    with quiet():
        assert not logger.isEnabledFor(logging.WARNING)
    assert logger.level == before
