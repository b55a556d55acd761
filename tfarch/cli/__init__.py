"""The command line that every app has: `python -m apps.<app> VERB [options]`.

Nothing heavy is imported before a verb does its work, so that `--help` answers at once. Results go to standard output, all else to standard error.
Exit codes: 0 done, 1 the work failed or a gate did not hold, 2 bad usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

from tfarch.app import App
from tfarch.cli.arguments import check_usage, parser_of
from tfarch.cli.verbs import run_verb
from tfarch.errors import InputError, TfarchError
from tfarch.progress import say

# Verbs whose work is resumed.
RESUMED = ("run", "train", "compress")


def main(app: App, arguments: Sequence[str] | None = None) -> int:
    """Runs one verb of `app` and returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command = shlex.join(["python", "-m", f"apps.{app.name}", *arguments])

    def work(options: argparse.Namespace) -> int:
        check_usage(options, arguments)
        return run_verb(app, options, command)

    return answered(parser_of(app), arguments, work)


def answered(parser: argparse.ArgumentParser, arguments: Sequence[str] | None, work: Callable[[argparse.Namespace], int]) -> int:
    """Parses the arguments, does the work and returns its exit code, or that of what went wrong, which is told in a line.

    Args:
        parser: has `verb`, `json` and `debug`.
    """
    _open_streams()
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a letter is no reason to fail; JSON is UTF-8 everywhere
        sys.stdout.reconfigure(encoding="utf-8" if options.json else None, errors="backslashreplace")
    try:
        with _interrupts_kept():
            code = work(options)
        sys.stdout.flush()
        return code
    except TfarchError as error:
        if options.debug:
            raise
        say(f"error: {error}")
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        if options.debug:
            raise
        say("\ninterrupted" + ("; the same command goes on where this one stopped" if options.verb in RESUMED else ""))
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone: nothing more to say to it
        return 0
    except (OSError, MemoryError) as error:
        if options.debug:
            raise
        say(f"error: {type(error).__name__}: {error} (--debug shows where)")
        return 1


def _open_streams() -> None:
    """A standard stream that the caller closed becomes the null device: no file that is opened later may take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - as long as the process


@contextlib.contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Ctrl-C during native work is raised in whatever Python runs next, which after a conversion is mostly a weak reference's callback;
    Python cannot raise from there and would forget it: it is sent once more."""
    shown = sys.unraisablehook

    def hook(unraisable) -> None:
        if unraisable.exc_type is not KeyboardInterrupt:
            return shown(unraisable)
        again = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = shown
