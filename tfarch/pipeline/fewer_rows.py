"""What fewer training rows give: further runs on draws of some rows of each class, and on shares of all rows (the learning curve).

Each is a whole run in a folder of its own under `<out>/fewer_rows/`, with the files that are compared and nothing else, measured on the same test rows.
The folder is the state: a run that is there with the same settings is not made again, and `evaluate` finds it.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfarch.config import Config
from tfarch.errors import InputError
from tfarch.evaluation.figures import REFERENCE
from tfarch.evaluation.tasks import views
from tfarch.run_folder import RunFolder
from tfarch.runtime.signature import SINGLE

FOLDER = "fewer_rows"
# Where there are few rows, the last epoch is taken as it is: accuracy then owes nothing to validation's labels, which may be more than those that train.
WITHOUT_VALIDATION = {"monitor": "last", "interpolate": False}


def of_shots(config: Config, shots: int) -> Config:
    """The settings of a run on `shots` training rows of each class; validation's rows settle temperature and threshold alone.

    Raises:
        InputError: that is not one row or more.
    """
    if shots < 1:
        raise InputError(f"--shots {shots}: at least 1")
    return config.with_values({"data": {"shots": shots}, "train": WITHOUT_VALIDATION})


def require_usable(config: Config, draws: int, shares: Sequence[float]) -> None:
    """Raises:
    InputError: there is nothing to draw, or a share is none.
    """
    if draws < 1 or (draws > 1 and not config.data.shots):
        raise InputError(f"{draws} draws of all rows", mend="give --shots K, the rows of each class that are drawn")
    if shares and config.data.task_data:
        raise InputError("a learning curve over tasks with data of their own", mend="give one table with a column for each task")
    if shares and config.data.shots:
        raise InputError("a learning curve over draws of a few rows of each class", mend="ask for --shots or for --learning-curve")
    for share in shares:
        if not 0 < share <= 1:
            raise InputError(f"a share of {share:g} of the training rows", mend="give shares between 0 and 1")


def draws(config: Config, count: int) -> list[Config]:
    """The settings of the further draws, the run's own left out: `count` in all."""
    first = config.data.draw
    return [_smaller(config, draw=number) for number in range(first + 1, first + count)]


def curve(config: Config, shares: Sequence[float], rows: int) -> list[Config]:
    """The settings of a run for each share of the `rows` training rows."""
    return [_smaller(config, limit=round(share * rows)) for share in sorted(shares) if share < 1]


def folder_of(out: Path, config: Config) -> Path:
    """Where such a run lies."""
    data = config.data
    return out / FOLDER / (f"draw_{data.draw}" if data.shots else f"rows_{data.limit}")


def is_made(folder: Path, config: Config, sha256: dict[str, str]) -> bool:
    """Whether the run of these settings on the data with these hashes is there, finished."""
    report = _report(folder)
    return report is not None and report["config"] == config.as_dict() and report["data"]["sha256"] == sha256


def found(folder: RunFolder, config: Config, report: dict[str, Any]) -> dict[str, Any]:
    """The report's sections `shots` and `learning_curve`, of the runs that lie in the folder; empty where there are none. Of several tasks they stand
    with the others of each task.

    Args:
        config: the settings of the run itself.
        report: its figures, which are the first draw, or the curve's end.
    """
    same_data = [each for each in _reports(folder.path) if each["data"]["sha256"] == report["data"]["sha256"]]
    smaller = [views(each) for each in same_data if _is_smaller(each["config"], config)]
    if not smaller:
        return {}
    sections = {task: _section(config, [view, *(each[task] for each in smaller)]) for task, view in views(report).items()}
    return sections[SINGLE] if SINGLE in sections else {"tasks": {task: {**report["tasks"][task], **own} for task, own in sections.items()}}


def rows_of(report: dict[str, Any]) -> int:
    """The training rows that a learning curve takes shares of."""
    return max(view["data"]["train"] for view in views(report).values())


def _section(config: Config, reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    points = sorted(map(_figures, reports), key=lambda each: (each["rows"], each["draw"]))
    if not config.data.shots:
        return {"learning_curve": points}
    accuracies = [100 * each["accuracy"] for each in points]
    mean, deviation = statistics.mean(accuracies), statistics.stdev(accuracies)
    return {"shots": {"of_each_class": config.data.shots, "draws": points, "accuracy": {"mean": mean / 100, "deviation": deviation / 100}}}


def _smaller(config: Config, **data: int) -> Config:
    values = {"data": data, "export": {"variants": sorted({REFERENCE, config.export.ship}), "agreement_bound": 0.0}}
    cheap = {"threads": [1], "latency_texts": 1, "latency_repeats": 1}
    return config.with_values({**values, "evaluate": cheap, "label_errors": {"find": False}})


def _is_smaller(settings: dict[str, Any], config: Config) -> bool:
    """Whether these are the settings of a further draw of `config`, or of a share of its rows."""
    varied = "draw" if config.data.shots else "limit"
    return settings == _smaller(config, **{varied: settings["data"][varied]}).as_dict()


def _reports(out: Path) -> Iterator[dict[str, Any]]:
    for file in sorted((out / FOLDER).glob("*/report.json")):
        report = _report(file.parent)
        if report is not None:
            yield report


def _report(folder: Path) -> dict[str, Any] | None:
    """The report of a run that is finished, None where it is not there or damaged: it is made again."""
    try:
        return json.loads(RunFolder(folder).report_json.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _figures(report: Mapping[str, Any]) -> dict[str, Any]:
    """Rows, draw, and the shipped file's accuracy on the test rows with its interval."""
    metrics = next(each["metrics"] for each in report["variants"] if each["name"] == report["chosen"])
    figures = {name: metrics[name] for name in ("accuracy", "accuracy_interval", "macro_f1")}
    return {"rows": report["data"]["train"], "draw": report["config"]["data"]["draw"], **figures}
