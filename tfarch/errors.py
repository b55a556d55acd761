"""The one exception family of tfarch: every message is written for the reader who has to mend something.

The command line turns an `InputError` into exit code 2 and any other `TfarchError` into exit code 1, each as one line without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class TfarchError(Exception):
    """The work failed, or a stated bound did not hold (exit code 1)."""


class InputError(TfarchError):
    """What the user gave cannot be used (exit code 2).

    Args:
        message: what is wrong, with the offending value.
        file: the file it stands in, if any.
        line: its line, from 1, if known.
        mend: what to do about it.
    """

    def __init__(self, message: str, *, file: str | Path | None = None, line: int | None = None, mend: str | None = None):
        place = "" if file is None else f"{file}: " if line is None else f"{file}, line {line}: "
        super().__init__(f"{place}{message}" + ("" if mend is None else f" ({mend})"))
        self.message, self.file, self.line, self.mend = message, file, line, mend


class GateError(TfarchError):
    """A measured figure is outside the bound that was stated for it (exit code 1)."""


class NonFiniteLossError(TfarchError):
    """The training loss became NaN or infinite (exit code 1)."""


class BundleError(InputError):
    """A bundle is damaged, incomplete or of another format (exit code 2)."""


def unknown(kind: str, name: str, known: Iterable[str], **place) -> InputError:
    """The error for a name that is in no list: it shows the list."""
    return InputError(f"unknown {kind} {name!r}; known: {', '.join(sorted(map(str, known)))}", **place)
