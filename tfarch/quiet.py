"""Keeps the native libraries' chatter off standard error, which belongs to our own messages: it is shown only where something failed.

TensorFlow's C++ side logs a screen of notices before it can be told not to, and the converter and LiteRT heed no log level at all: the file
descriptor is the only handle on them.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

from tfarch.errors import TfarchError

_SHOWN = 4000  # bytes of what was caught that are shown after a failure


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What is written to file descriptor 2 inside, and TensorFlow's Python warnings, are caught; shown where the block fails with
    something other than our own errors, which say what is wrong themselves.

    The descriptor is the process's: do not use it where other threads have something to say.
    """
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with contextlib.suppress(AttributeError, ValueError):  # standard error may be absent or closed
        sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        try:
            kept = os.dup(2)
        except OSError:
            kept = None
        if kept is not None:
            os.dup2(caught.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        except (TfarchError, KeyboardInterrupt):
            failed = False
            raise
        finally:
            logger.setLevel(level)
            if kept is not None:
                with contextlib.suppress(AttributeError, ValueError):
                    sys.stderr.flush()
                os.dup2(kept, 2)
                os.close(kept)
                if failed:
                    caught.seek(0)
                    io.FileIO(2, "w", closefd=False).write(caught.read()[-_SHOWN:])


def start_tensorflow() -> None:
    """Imports TensorFlow, and lets it look for its devices, without the notices of both; costs a few seconds the first time."""
    if "tensorflow" in sys.modules:
        return
    with quiet():
        import tensorflow as tf

        tf.config.list_physical_devices()
