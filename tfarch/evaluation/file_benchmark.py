"""How fast and how large any TFLite file is, whoever made it: latency by threads and length, memory, and what of it the processor's delegate takes.

`python -m tfarch.compression benchmark FILE` shows it. Nothing but LiteRT and numpy is imported.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tfarch.errors import InputError
from tfarch.evaluation.latency import measure_in_turn
from tfarch.evaluation.machine import describe

CALLS = 10  # of a pass; passes of all candidates alternate
_DELEGATE = "DELEGATE"


def benchmark(file: str | Path, *, lengths: Sequence[int] = (16, 64), threads: Sequence[int] = (1,), repeats: int = 20) -> dict[str, Any]:
    """Measures a file on inputs of ones (whole numbers and bools) and of normal numbers, one of each batch; open dimensions behind the first, or the only one, are `lengths`.

    Args:
        lengths: one of them does for a file without open dimensions.
        threads: of the interpreter.
        repeats: passes of `CALLS` calls that are timed, after three that are not.

    Returns:
        `bytes`, `gzip_bytes`, `operators`, `delegated` (the share of operators that the delegate takes) in `stretches`, `memory_mb` (resident memory that the file takes,
        opened and run on the longest input), `latency_ms` (`{"threads_1": {"16": {"p50", "p95", "p99", "mean", "n"}}}`) and `machine`.

    Raises:
        InputError: not a file that LiteRT runs, or one that takes strings.
    """
    file = Path(file)
    body = _read(file)
    if not _Opened(file, max(lengths), 1).open_dimensions:
        lengths = lengths[:1]
    runs = {f"{count} {length}": _Opened(file, length, count).run for count in threads for length in lengths}
    found = measure_in_turn(runs, [""] * CALLS, repeats, warmup=3)
    return {
        "file": str(file),
        "bytes": len(body),
        "gzip_bytes": len(gzip.compress(body, 9)),
        **_delegation(file, max(lengths)),
        "memory_mb": _memory_mb(file, max(lengths)),
        "latency_ms": {f"threads_{count}": {str(length): found[f"{count} {length}"] for length in lengths} for count in threads},
        "machine": describe(),
    }


def in_turn(files: Mapping[str, Path], *, length: int = 64, threads: int = 1, repeats: int = 20) -> dict[str, dict[str, Any]]:
    """Latencies of several files by their names, their passes alternating: `{name: {"threads_1": {"p50", ...}}}`; see `benchmark`."""
    runs = {name: _Opened(file, length, threads).run for name, file in files.items()}
    return {name: {f"threads_{threads}": found} for name, found in measure_in_turn(runs, [""] * CALLS, repeats, warmup=3).items()}


def _read(file: Path) -> bytes:
    if not file.is_file():
        raise InputError("no such file", file=file)
    body = file.read_bytes()
    if body[4:8] != b"TFL3":
        raise InputError("is not a TFLite file", file=file)
    return body


class _Opened:
    """A file with inputs of one length, ready to run.

    open_dimensions: whether it has some that are no batch.
    """

    def __init__(self, file: Path, length: int, threads: int):
        try:
            self.interpreter, rng = Interpreter(model_path=str(file), num_threads=threads), np.random.default_rng(0)
            self.open_dimensions, values = False, {}
            for each in self.interpreter.get_input_details():
                signature = [int(size) for size in each["shape_signature"]]
                shape = [size if size >= 0 else 1 if place == 0 and len(signature) > 1 else length for place, size in enumerate(signature)]
                self.open_dimensions |= any(size < 0 for size in signature[len(signature) > 1 :])
                if each["dtype"] in (np.bytes_, np.str_, np.object_):
                    raise InputError(f"its input {each['name']!r} takes strings: there is nothing to make them of", file=file)
                if shape != list(each["shape"]):
                    self.interpreter.resize_tensor_input(each["index"], shape)
                normal = np.issubdtype(each["dtype"], np.floating)
                values[each["index"]] = (rng.normal(size=shape) if normal else np.ones(shape)).astype(each["dtype"])
            self.interpreter.allocate_tensors()
            for index, value in values.items():
                self.interpreter.set_tensor(index, value)
        except (ValueError, RuntimeError) as error:
            raise InputError(f"LiteRT cannot run this file: {error}", file=file) from error

    def run(self, _: object = None) -> None:
        self.interpreter.invoke()


def _delegation(file: Path, length: int) -> dict[str, Any]:
    """How many operators the first sub-graph has, what share of them stands behind the delegate's nodes, and how many such nodes there are."""
    nodes = _Opened(file, length, 1).interpreter._get_ops_details()
    own = [node for node in nodes if node["op_name"] != _DELEGATE]
    stretches = [node for node in nodes if node["op_name"] == _DELEGATE]
    maker = {tensor: place for place, node in enumerate(own) for tensor in node["outputs"].tolist()}
    taken: set[int] = set()
    for stretch in stretches:
        given, wanted = set(stretch["inputs"].tolist()), stretch["outputs"].tolist()
        while wanted:
            tensor = wanted.pop()
            place = None if tensor in given else maker.get(tensor)
            if place is not None and place not in taken:
                taken.add(place)
                wanted += [each for each in own[place]["inputs"].tolist() if each >= 0]
    return {"operators": len(own), "delegated": len(taken) / max(1, len(own)), "stretches": len(stretches)}


def _memory_mb(file: Path, length: int) -> float:
    """Measured in a process of its own: in this one others may have left room for it."""
    asked = [sys.executable, "-m", __name__, str(file), str(length)]
    return float(json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout))


def _grown_mb(file: Path, length: int) -> float:
    before = _resident_mb()
    opened = _Opened(file, length, 1)
    for _ in range(3):
        opened.run()
    return _resident_mb() - before


def _resident_mb() -> float:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # elsewhere the most that it was, in bytes


if __name__ == "__main__":
    print(_grown_mb(Path(sys.argv[1]), int(sys.argv[2])))
