"""How much of labelled rows a TFLite file gets right: texts for a file of a run, arrays for any other. TensorFlow is not needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tfarch.config import DataConfig
from tfarch.data.arrays import ONE_INPUT, read_npz
from tfarch.data.reading import read_table
from tfarch.errors import InputError
from tfarch.evaluation.metrics import wilson_interval
from tfarch.export.metadata import VOCABULARY_FILE, read_metadata
from tfarch.runtime.bundle import CLASSIFICATION, DESCRIPTION, MULTITASK, Bundle, open_bundle
from tfarch.runtime.network import Network
from tfarch.runtime.signature import SINGLE, output_of
from tfarch.runtime.tokeniser import Tokeniser, flags_of

BATCH = 32


def file_accuracy(file: str | Path, data: str | Path, *, text_column: str = "text", label_column: str = "label") -> dict[str, Any]:
    """What the file gets right of the rows in `data`.

    Args:
        file: with texts, one of a run, in its `bundle` or `variants`; with arrays, any.
        data: a CSV, TSV or JSON Lines file with texts and labels, of several tasks in columns of their names; or an `.npz` file: inputs by their names, of one input also `x`,
            and `y`, class numbers `[n]` or the numbers that the first output should give, `[n, ...]`. A single output is yes where it is over 0.5, or, where it is no probability, over 0.

    Returns:
        `rows`, `accuracy` and `accuracy_interval` (95 %), or `mse`; of texts also `left_out`, how many rows have a label that the file does not know, by label; of several tasks such a dictionary for
        each under `tasks`.

    Raises:
        InputError: the rows cannot be read or do not fit the file.
    """
    file, data = Path(file), Path(data)
    if data.suffix == ".npz":
        return _of_arrays(file, data)
    bundle = _bundle_of(file)
    vocabulary = read_metadata(file).get("files", {}).get(VOCABULARY_FILE)
    if vocabulary is None:
        raise InputError(f"has no {VOCABULARY_FILE} inside, so texts cannot be read", file=file, mend="give rows of numbers as .npz")
    tokeniser = Tokeniser(vocabulary.splitlines(), **flags_of(bundle.description["tokeniser"]))
    network = Network(file, tokeniser, bundle.max_length)
    found = {}
    for task in bundle.tasks:
        one = task == SINGLE
        columns = DataConfig(text_column=text_column, label_column=label_column if one else task, tasks=[] if one else list(bundle.tasks))
        table = read_table(data, columns).table
        found[task] = _of_texts(network, output_of(task), bundle.of_task(task).labels, table.texts, table.labels, data)
    return found.get(SINGLE, {"tasks": found})


def _bundle_of(file: Path) -> Bundle:
    for place in (file.parent, file.parent.parent / "bundle"):
        if (place / DESCRIPTION).is_file():
            return open_bundle(place, (CLASSIFICATION, MULTITASK))
    raise InputError(
        f"stands beside no {DESCRIPTION}, which says how texts are read",
        file=file,
        mend="give the file in a run's bundle or variants, or rows of numbers as .npz",
    )


def _of_texts(
    network: Network, output: str, labels: Sequence[str], texts: Sequence[str], truth: Sequence[str], data: Path
) -> dict[str, Any]:
    number = {label: place for place, label in enumerate(labels)}
    rows = [place for place, label in enumerate(truth) if label in number]
    if not rows:
        raise InputError(f"none of its labels is one of the file's, such as {', '.join(labels[:3])}", file=data)
    (probabilities,) = network.of_texts([texts[row] for row in rows], (output,))
    right = probabilities.argmax(axis=1) == [number[truth[row]] for row in rows]
    return {**_shares(right), "left_out": dict(Counter(label for label in truth if label and label not in number))}


def _of_arrays(file: Path, data: Path) -> dict[str, Any]:
    arrays, targets = read_npz(data)
    outputs = _outputs(file, arrays, len(targets), data)
    if targets.dtype.kind in "iub" and targets.ndim == 1 and outputs.ndim == 2:
        if outputs.shape[1] > 1:
            return _shares(outputs.argmax(axis=1) == targets)
        least = 0.5 if outputs.min() >= 0.0 and outputs.max() <= 1.0 else 0.0
        return _shares((outputs[:, 0] > least) == targets.astype(bool))
    if targets.size != outputs.size:
        raise InputError(f"y is {targets.shape}, the file gives {outputs.shape}", file=data)
    return {"rows": len(targets), "mse": float(np.mean((outputs.reshape(targets.shape) - targets) ** 2))}


def _outputs(file: Path, arrays: Mapping[str, np.ndarray], count: int, data: Path) -> np.ndarray:
    """The first output for each row, `[n, ...]`."""
    try:
        interpreter = Interpreter(model_path=str(file))
        inputs, output = _named_inputs(interpreter), interpreter.get_output_details()[0]["index"]
        if len(inputs) == 1 and ONE_INPUT in arrays:
            arrays = {next(iter(inputs)): arrays[ONE_INPUT]}
        missing = sorted(set(inputs) - set(arrays))
        if missing:
            raise InputError(f"lacks {', '.join(missing)}; it holds {', '.join(arrays) or 'nothing'}", file=data)
        for name in inputs:
            if arrays[name].ndim < 1 or len(arrays[name]) != count or not count:
                raise InputError(f"{name} is {arrays[name].shape} for {count} rows of y", file=data)
        fixed = max(int(each["shape_signature"][0]) if len(each["shape_signature"]) else -1 for each in inputs.values())
        size, found = fixed if fixed > 0 else BATCH, []
        for begin in range(0, count, size):
            own = min(size, count - begin)
            rows = np.resize(np.arange(begin, begin + own), size) if fixed > 0 else np.arange(begin, begin + own)
            for name, each in inputs.items():
                interpreter.resize_tensor_input(each["index"], [len(rows), *arrays[name].shape[1:]], strict=True)
            interpreter.allocate_tensors()
            for name, each in inputs.items():
                interpreter.set_tensor(each["index"], arrays[name][rows].astype(each["dtype"]))
            interpreter.invoke()
            found.append(interpreter.get_tensor(output)[:own].copy())
    except (ValueError, RuntimeError) as error:
        raise InputError(f"LiteRT cannot run this file on these rows: {error}", file=file) from error
    return np.concatenate(found)


def _named_inputs(interpreter: Interpreter) -> dict[str, dict[str, Any]]:
    """The inputs by the signature's names, or the tensors' where there is none."""
    signatures = interpreter.get_signature_list()
    if not signatures:
        return {each["name"]: each for each in interpreter.get_input_details()}
    names = interpreter.get_signature_runner(next(iter(signatures))).get_input_details()
    own = {each["index"]: each for each in interpreter.get_input_details()}
    return {name: own[each["index"]] for name, each in names.items()}


def _shares(right: np.ndarray) -> dict[str, Any]:
    return {
        "rows": len(right),
        "accuracy": float(np.mean(right)),
        "accuracy_interval": list(wilson_interval(int(np.sum(right)), len(right))),
    }
