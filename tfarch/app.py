"""What makes an app of the core: its name, its embedded sample, its defaults and its own verbs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfarch.config import Config


@dataclass(frozen=True)
class Verb:
    """A verb that only one app has.

    help: one line for `--help`.
    options: adds its options to the parser.
    run: does the work and returns the exit code.
    """

    name: str
    help: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Config], int]


@dataclass(frozen=True)
class App:
    """An application over the shared core.

    name: as in `python -m apps.<name>` and `saved_models/<name>`.
    title: one sentence on what its user gets.
    sample: folder of its embedded sample.
    sample_licence: licence of the sample.
    defaults: settings laid over the core's, before the user's.
    quick: settings of `--quick`.
    verbs: its own.
    examine: looks at what only this app reads beside the data, before any work; raises `InputError`.
    equip: puts that into a bundle that was just made, by the settings that made it.
    """

    name: str
    title: str
    sample: Path
    sample_licence: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    verbs: tuple[Verb, ...] = ()
    examine: Callable[[Config], None] | None = None
    equip: Callable[[Path, Config], None] | None = None

    @property
    def default_out(self) -> Path:
        """Where its runs are written if nothing else is said."""
        return Path("saved_models") / self.name
