"""The folder of one run: what lies where, written beside and renamed, and open to one process at a time."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfarch import __version__
from tfarch.errors import InputError, TfarchError
from tfarch.settings import Settings, dump_yaml, read_yaml


class RunFolder:
    """Paths and files of `<out>/`; `task` names the files that each of several tasks has of its own."""

    def __init__(self, path: str | Path, task: str = ""):
        self.path, self._before_suffix = Path(path), f".{task}" if task else ""

    def of_task(self, task: str) -> RunFolder:
        """The same folder, with the files of this task."""
        return RunFolder(self.path, task)

    @property
    def checkpoints(self) -> Path:
        """States to resume from, and the trained weights of each stage."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """Event files, a folder for each training."""
        return self.path / "tensorboard"

    @property
    def board(self) -> Path:
        """What TensorBoard shows of the file that ships, among the folders of the trainings."""
        return self.tensorboard / "evaluate"

    @property
    def cache(self) -> Path:
        """Token ids, text vectors of the untrained encoder, and what the trained model says of texts; all of it is made again where it is gone."""
        return self.path / "cache"

    @property
    def variants(self) -> Path:
        """TFLite files that were measured but do not ship."""
        return self.path / "variants"

    @property
    def bundle(self) -> Path:
        """What ships."""
        return self.path / "bundle"

    @property
    def config(self) -> Path:
        """All settings of the run, and what made it."""
        return self.path / "config.yaml"

    @property
    def app(self) -> str | None:
        """What made the run, as its config tells."""
        values, _ = read_yaml(self.config)
        made_by = values.get("made_by")
        return made_by.get("app") if isinstance(made_by, dict) else None

    @property
    def report_json(self) -> Path:
        """The measured figures."""
        return self.path / "report.json"

    @property
    def report_html(self) -> Path:
        """The same for people."""
        return self.path / "report.html"

    @property
    def label_errors(self) -> Path:
        """Rows whose label is likely wrong, for a person to work through."""
        return self.path / f"label_errors{self._before_suffix}.csv"

    @property
    def label_errors_found(self) -> Path:
        """What the report says of them."""
        return self.checkpoints / f"label_errors{self._before_suffix}.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[RunFolder]:
        """The folder, made if need be, for this process alone; the lock goes with the process, however it ends.

        Raises:
            InputError: another run works in it, or it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / ".lock", "w")  # noqa: SIM115 - held until the end of the block
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", file=self.path, mend="choose another --out") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise InputError(
                    "another run is working in this folder", file=self.path, mend="wait for it, or choose another --out"
                ) from error
            yield self

    def write(self, file: Path, text: str) -> None:
        """Writes `text` beside `file` and renames it: an older file is whole until the new one is.

        Raises:
            TfarchError: the disk is full or the folder cannot be written.
        """
        temporary = file.with_name(f".{file.name}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, file)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise TfarchError(f"{file} could not be written: {error.strerror}") from error

    @contextlib.contextmanager
    def replacing(self, place: Path) -> Iterator[Path]:
        """An empty folder beside `place` to write into, which takes its place at the end of the block: until then, and where the block fails, what
        was there stays.

        Raises:
            TfarchError: the disk is full or the folder cannot be written.
        """
        beside, previous = place.with_name(f".{place.name}.part"), place.with_name(f".{place.name}.previous")
        try:
            _tidy(place, beside, previous)
            beside.mkdir(parents=True)
            yield beside
            if place.exists():
                os.rename(place, previous)
            os.rename(beside, place)
        except OSError as error:
            raise TfarchError(f"{place} could not be written: {error.strerror}") from error
        finally:
            _tidy(place, beside, previous)

    def write_json(self, file: Path, values: Any) -> None:
        """Writes values as JSON, see `write`."""
        self.write(file, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def read_json(self, file: Path, mend: str) -> Any:
        """Reads a JSON file of this folder.

        Raises:
            InputError: it is missing or damaged; `mend` says which command makes it.
        """
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError("is not there yet", file=file, mend=mend) from error
        except ValueError as error:
            raise InputError(f"is damaged: {error}", file=file, mend=mend) from error

    def write_config(self, config: Settings, app: str, command: str, data: dict[str, Any]) -> None:
        """Writes `config.yaml`: the settings as resolved, and under `made_by` what else the run depends on. `--config` reads it back."""
        from tfarch.evaluation.machine import describe  # with it comes numpy, which `--help` does not need

        made_by = {
            "app": app,
            "tfarch": __version__,
            "git_revision": git_revision(),
            "command": command,
            "started": now(),
            "machine": describe(),
            "data": data,
        }
        self.write(self.config, dump_yaml({**config.as_dict(), "made_by": made_by}))


def _tidy(place: Path, beside: Path, previous: Path) -> None:
    """Puts the older folder back where the work ended between the two renames, and removes what is left over."""
    if previous.exists() and not place.exists():
        os.rename(previous, place)
    for left_over in (beside, previous):
        shutil.rmtree(left_over, ignore_errors=True)


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def git_revision() -> str | None:
    """The commit that this code stands at, with `+` where files are changed; None outside a checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changed else "")
