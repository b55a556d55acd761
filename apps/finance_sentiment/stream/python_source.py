"""A source of the user's own, from a function in a Python module: a queue, a database, whatever there is no source for here."""

from __future__ import annotations

import importlib

from apps.finance_sentiment.stream.source import Reading, Source, source_kind
from tfarch.errors import InputError

_FORM = "python:MODULE:FUNCTION"


@source_kind("python")
def open_own(place: str, reading: Reading) -> Source:
    """What the function of `python:MODULE:FUNCTION` gives when it is called with the `Reading`.

    >>> class Ticks:  # in a file ticks.py, for python:ticks:open_ticks
    ...     name = "ticks"
    ...     def __init__(self, reading): self.follow = reading.follow
    ...     def read(self, position=None):
    ...         yield Record({"time": 0, "text": "Volvo cuts jobs"}, position, "tick 1")
    ...     def close(self): ...
    >>> def open_ticks(reading): return Ticks(reading)

    Raises:
        InputError: there is no such module or function, or what it gives is no `Source`.
    """
    module, _, function = place.partition(":")[2].partition(":")
    if not module or not function:
        raise InputError(f"{place} names no function", mend=_FORM)
    try:
        make = getattr(importlib.import_module(module), function, None)
    except (ImportError, SyntaxError) as error:
        raise InputError(f"{place}: the module {module} cannot be imported: {error}", mend="put its folder into PYTHONPATH") from error
    if not callable(make):
        raise InputError(f"{place}: the module {module} has no function {function}", mend=_FORM)
    source = make(reading)
    missing = [name for name in ("read", "close") if not callable(getattr(source, name, None))]
    if not isinstance(getattr(source, "name", None), str) or not source.name:
        missing.insert(0, "name")
    if missing:
        raise InputError(f"{place} gives a {type(source).__name__}, which is no source: it lacks {', '.join(missing)}")
    return source
