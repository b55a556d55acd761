"""The data of several tasks that one encoder learns together: a `Dataset` for each, from a table with a column for each task, or from sets of their own.

No text trains that another task is tested on: the encoder is one, and it would have seen the text.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from tfarch.config import DataConfig
from tfarch.data.normal_form import normal_form
from tfarch.data.reading import EmptyColumnError, MissingColumnError
from tfarch.data.sources import SHOWN, Source, assembled, complete, file_in, load_dataset, read_source
from tfarch.data.split import cut_with, texts_with
from tfarch.data.tables import Dataset, Table
from tfarch.errors import InputError, unknown
from tfarch.runtime.signature import SINGLE


def load_tasks(data: DataConfig, seed: int, weighted: Iterable[str] = ()) -> dict[str, Dataset]:
    """The data set of each task of `data`, in their order; of one task alone under the name `SINGLE`.

    In a table with a column for each task a row may lack labels; parts that are split off it are the same rows for all tasks.

    Args:
        data: the tasks, where their rows are, and in which columns.
        seed: of the split, the cut and the draw.
        weighted: names of `train.task_weights`.

    Raises:
        InputError: see `load_dataset`; a task's name cannot be one, or a setting names a task that is none of `data.tasks`.
    """
    tasks = list(data.tasks or data.task_data)
    for task in tasks:
        if not re.fullmatch("[a-z][a-z0-9_]*", task) or tasks.count(task) > 1:
            mend = "small letters, digits and _, each name once"
            raise InputError(f"data.tasks={tasks}: {task!r} cannot name a head of the model", mend=mend)
    named = {"data.task_data": data.task_data, "data.task_columns": data.task_columns, "train.task_weights": weighted}
    for setting, names in named.items():
        for task in names:
            if task not in tasks:
                raise unknown("task", task, tasks or ["none"], mend=f"{setting} takes the names of data.tasks")
    if not tasks:
        return {SINGLE: load_dataset(_path(data), data, seed)}
    if not data.task_data:
        datasets = _joint(tasks, data, seed)
    elif data.path is not None:
        raise InputError("both data for all tasks and data of its own for one", mend="give one of them")
    else:  # a task without data has no head
        datasets = {task: _own(task, data, seed) for task in tasks if task in data.task_data}
    return dict(_apart(datasets, data))


def _path(data: DataConfig) -> str:
    if data.path is None:
        raise InputError("no data", mend="give a folder, a CSV, TSV or JSONL file, or tfds:NAME")
    return data.path


def _own(task: str, data: DataConfig, seed: int) -> Dataset:
    named = {task: data.task_columns[task]} if task in data.task_columns else {}
    own = dataclasses.replace(data, tasks=[], task_data={}, task_columns=named)
    columns = list(named.values()) or [data.label_column, task]
    for column in columns:
        try:
            return load_dataset(data.task_data[task], dataclasses.replace(own, label_column=column), seed)
        except MissingColumnError as error:
            if error.option == "text":
                raise
            missing = error
    mend = f"its labels stand in a column {' or '.join(map(repr, columns))}; name another with --{task}-column"
    raise InputError(f"task {task!r}: {missing.message}", file=missing.file, line=missing.line, mend=mend) from missing


def _joint(tasks: list[str], data: DataConfig, seed: int) -> dict[str, Dataset]:
    settings = {task: dataclasses.replace(data, label_column=data.task_columns.get(task, task)) for task in tasks}
    _require_columns_of_their_own(settings)
    sources = {task: _read(task, each) for task, each in settings.items()}
    given = {part for source in sources.values() for part in source.readings}
    # One table of all rows that have any label: its split and its cut are those of every task.
    united = {part: _united(source.readings[part].table for source in sources.values() if part in source.readings) for part in given}
    labels = _labels(sources, united["train"], None if data.oos_is_class else data.oos_label)
    whole = united["train"]
    split = complete(united, sources[tasks[0]], data, seed)
    split += _put_back(united, whole, [part for part in ("valid", "test") if part not in given], labels, seed)
    kept = set(united["train"].lines)
    if data.limit:
        kept = {united["train"].lines[row] for row in cut_with(united["train"], labels, data.limit, seed)}
    datasets = {}
    for task, source in sources.items():
        tables = {}
        for part, table in united.items():
            reading = source.readings.get(part if part in given else "train")
            tables[part] = table.select(()) if reading is None else _of_lines(reading.table, set(table.lines))
            if not tables[part]:
                mend = f"label more rows, or give the task rows of its own with --{task}-data FILE"
                raise InputError(f"no {SHOWN[part]} row has a {task}", file=source.file_of(part), mend=mend)
        chosen = [row for row, line in enumerate(tables["train"].lines) if line in kept]
        datasets[task] = assembled(source, tables, chosen, split, settings[task], seed)
    return datasets


def _require_columns_of_their_own(settings: Mapping[str, DataConfig]) -> None:
    first: dict[str, str] = {}
    for task, data in settings.items():
        other = first.setdefault(data.label_column, task)
        if other != task:
            mend = f"name another with --{other}-column or --{task}-column"
            raise InputError(f"the tasks {other} and {task} cannot both have the column {data.label_column!r}", mend=mend)


def _read(task: str, data: DataConfig) -> Source:
    """The rows of a table that have a label of the task, which stands in `data.label_column`."""
    try:
        return read_source(_path(data), data)
    except (MissingColumnError, EmptyColumnError) as error:
        if isinstance(error, EmptyColumnError):
            message = f"no row has a {task}: the column {data.label_column!r} is empty"
        elif error.option == "label":
            message = f"task {task!r}: {error.message}"
        else:
            raise
        several = f"--{task}-column NAME, --{task}-data FILE, or --label-column COLUMN to learn one task alone"
        mend = several if len(data.tasks) > 1 else f"name the right one with --{task}-column"
        raise InputError(message, file=error.file, line=error.line, mend=mend) from error


def _labels(sources: Mapping[str, Source], train: Table, oos_label: str | None) -> dict[int, set[tuple[str, str]]]:
    """The classes of each line of the training file, as task and label."""
    found: dict[int, set[tuple[str, str]]] = {line: set() for line in train.lines}
    for task, source in sources.items():
        table = source.readings["train"].table
        for line, label in zip(table.lines, table.labels, strict=True):
            if label != oos_label:
                found[line].add((task, label))
    return found


def _put_back(tables: dict[str, Table], whole: Table, parts: Collection[str], labels: Mapping[int, set[tuple[str, str]]], seed: int) -> str:
    """Moves texts of classes that train lacks, of whatever task, back into it from the `parts` that were split off `whole`, and says how many rows."""
    train = set(tables["train"].lines)
    lacking = set().union(*labels.values()).difference(*(labels[line] for line in train))
    lines = texts_with(lacking, [tables[part] for part in parts], labels, seed)
    if not lines:
        return ""
    for part in parts:
        tables[part] = _of_lines(tables[part], set(tables[part].lines) - lines)
    tables["train"] = _of_lines(whole, train | lines)
    rows, its = (f"{len(lines):,} rows", "their") if len(lines) > 1 else ("1 row", "its")
    return f" {rows} went back to train, which had none of {its} class."


def _united(tables: Iterable[Table]) -> Table:
    """The rows of all tables, which are of one file, each once, with the label of the first that has one."""
    rows: dict[int, tuple[str, str]] = {}
    file = ""
    for table in tables:
        file = table.file
        for line, text, label in zip(table.lines, table.texts, table.labels, strict=True):
            rows.setdefault(line, (text, label))
    lines = tuple(sorted(rows))
    return Table(tuple(rows[line][0] for line in lines), tuple(rows[line][1] for line in lines), lines, file)


def _of_lines(table: Table, lines: set[int]) -> Table:
    return table.select(row for row, line in enumerate(table.lines) if line in lines)


def _apart(datasets: Mapping[str, Dataset], data: DataConfig) -> Iterator[tuple[str, Dataset]]:
    """The data sets without training rows whose text another task is validated or tested on.

    Raises:
        InputError: no row of a class is left; names the first that was taken out.
    """
    held = {task: {part: set(map(normal_form, each.parts[part].texts)) for part in ("test", "valid")} for task, each in datasets.items()}
    for task, dataset in datasets.items():
        others = {part: set().union(*(held[other][part] for other in held if other != task)) for part in ("test", "valid")}
        elsewhere = frozenset().union(*others.values())
        forms, left_out = list(map(normal_form, dataset.train.texts)), dataset.left_out
        out = {part: [row for row, form in enumerate(forms) if form in others[part]] for part in ("test", "valid")}
        out["valid"] = sorted(set(out["valid"]).difference(out["test"]))
        apart = dataclasses.replace(
            dataset,
            train=dataset.train.select(row for row, form in enumerate(forms) if form not in elsewhere),
            left_out=left_out.select(row for row, text in enumerate(left_out.texts) if normal_form(text) not in elsewhere),
            taken_out={part: dataset.train.select(rows) for part, rows in out.items() if rows},
            held_elsewhere=elsewhere,
        )
        lost = set(dataset.labels).difference(apart.labels)
        if lost:
            row = next(row for row, label in enumerate(dataset.train.labels) if label in lost)
            told = f"label {dataset.train.labels[row]!r} is in no training row but such as a task is validated or tested on"
            file = file_in(data.task_data.get(task, data.path), dataset.provenance, dataset.train)
            mend = "add training rows with it, or take its rows out of validation and test"
            raise InputError(told, file=file, line=dataset.train.lines[row], mend=mend)
        yield task, apart
