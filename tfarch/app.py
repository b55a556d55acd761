"""What makes an app of the core: its name, its embedded sample, its defaults and its own verbs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfarch.config import Config
from tfarch.settings import Settings


@dataclass(frozen=True)
class Verb:
    """A verb of an app: one that only it has, or one of all classifiers that it has more of.

    help: one line for `--help`.
    options: adds its options to the parser, of a verb of all classifiers to those that it has.
    run: does the work by the app's settings and returns the exit code; None leaves it to the verb of all classifiers.
    """

    name: str
    help: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Any], int | None]


@dataclass(frozen=True)
class App:
    """An application over the shared core.

    name: as in `python -m apps.<name>` and `saved_models/<name>`.
    title: one sentence on what its user gets.
    sample: folder of its embedded sample; None: a classifier needs one, other apps need not.
    sample_licence: licence of the sample.
    defaults: settings laid over the core's, before the user's.
    quick: settings of `--quick`.
    verbs: its own.
    settings: of its runs, before `defaults` are laid over them: those of a classifier, or of a kind of its own.
    classifies: whether it has the verbs of a classifier beside its own.
    examine: looks at what only this app reads beside the data, before any work; raises `InputError`.
    equip: puts that into a bundle that was just made, by the settings that made it.
    measure: further figures of each text, from the tasks' classifiers and their probabilities `[texts, classes]`.
    """

    name: str
    title: str
    sample: Path | None = None
    sample_licence: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    verbs: tuple[Verb, ...] = ()
    settings: Settings = field(default_factory=Config)
    classifies: bool = True
    examine: Callable[[Config], None] | None = None
    equip: Callable[[Path, Config], None] | None = None
    measure: Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[Mapping[str, float]]] | None = None

    @property
    def tasks(self) -> tuple[str, ...]:
        """What its model learns together; none: one task without a name."""
        return tuple(self.defaults.get("data", {}).get("tasks", ()))

    @property
    def long_texts(self) -> bool:
        """Whether its bundles answer a text that is too long for the model by all of its passages; `predict` tells of each sentence where that is asked."""
        return bool(self.defaults.get("export", {}).get("long_texts", False))

    @property
    def default_out(self) -> Path:
        """Where its runs are written if nothing else is said."""
        return Path("saved_models") / self.name
