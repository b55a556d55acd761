"""Measuring several programs in one run: each lives in a process of its own, and they work in turn, a round at a time.

A machine that slows down, or a neighbour that wakes up, then slows all of them; and each peer may live in the environment that its packages
need (`make bench-env`). A worker answers one line of JSON for each line of JSON. Standard library only: both environments import this file.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"


class Worker:
    """A process that is asked and answers; while it is not asked it waits and costs nothing.

    Args:
        module: module of this folder that calls `serve`.
        arguments: its command line.
        peer: runs in the bench environment.
    """

    def __init__(self, module: str, *arguments: str, peer: bool = False):
        if peer and not BENCH_PYTHON.exists():
            sys.exit("the bench environment is not there: make bench-env")
        python = str(BENCH_PYTHON) if peer else sys.executable
        self._process = subprocess.Popen(
            [python, "-m", f"benchmarks.{module}", *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.name = " ".join([module, *arguments])

    def ask(self, **request: Any) -> Any:
        """The worker's answer to one request."""
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def require_one_network(labels: dict[str, Sequence[int]], ours: str, least: Callable[[str], float]) -> None:
    """Ends the run where a worker labels texts otherwise than ours does: it would not be the same network that is timed.

    Args:
        labels: of the same texts, by name of the worker.
        ours: the name of the one that the others are held to.
        least: share of equal labels that a worker must reach, by its name.
    """
    for name, found in labels.items():
        equal = sum(a == b for a, b in zip(found, labels[ours], strict=True)) / len(found)
        if equal < least(name):
            sys.exit(f"{name} gives {100 * equal:.1f} % of the texts the label that {ours} gives")


def serve(answer: Callable[..., Any]) -> None:
    """Answers requests until standard input ends. What libraries print goes to standard error."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=out, flush=True)


def peak_mb() -> float:
    """The most resident memory of this process so far, in megabytes of 10^6 bytes.

    Not `ru_maxrss`, which begins at what the process that started this one held then.
    """
    (line,) = [line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024 / 1e6


def serve_calls(call: Callable[[Any], Any], rows: dict[int, Any]) -> None:
    """Answers `length, count` with the milliseconds of `count` calls, and a count of 0 with the label that each row of that length gets.

    Args:
        call: ids `[1, length]` -> scores `[1, classes]`.
        rows: ids `[rows, length]` by length.
    """

    def answer(length: int, count: int) -> list[float] | list[int]:
        return time_calls(call, rows[length], count) if count else [int(call(row[None])[0].argmax()) for row in rows[length]]

    serve(answer)


def timed(command: Sequence[str], *, limit_s: float = 3600, env: dict[str, str] | None = None) -> dict[str, Any]:
    """A whole command: `seconds` of wall time, `peak_mb` of the process (resident, megabytes of 10^6 bytes), `stdout`; exits where it fails."""
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        # Both pipes are small here or read at the end; a verb's progress is not, so it is drained by a thread.
        stdout, stderr = _drained(process)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out, err = stdout(), stderr()
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{err[-2000:]}")
    if seconds > limit_s:
        sys.exit(f"{' '.join(command)} took {seconds:.0f} s")
    return {"seconds": seconds, "peak_mb": usage.ru_maxrss * 1024 / 1e6, "stdout": out}


def _drained(process: subprocess.Popen) -> tuple[Callable[[], str], Callable[[], str]]:
    import threading

    results: dict[str, bytes] = {}

    def drain(name: str, stream) -> None:
        results[name] = stream.read()

    threads = {name: threading.Thread(target=drain, args=(name, getattr(process, name))) for name in ("stdout", "stderr")}
    for thread in threads.values():
        thread.start()

    def text(name: str) -> str:
        threads[name].join()
        return results[name].decode("utf-8", "replace")

    return lambda: text("stdout"), lambda: text("stderr")


def time_calls(call: Callable[[Any], Any], rows: Sequence[Any], count: int) -> list[float]:
    """Milliseconds of `count` calls, a row of ids `[1, length]` each, of an array `[rows, length]`."""
    times = []
    for index in range(count):
        row = rows[index % len(rows)][None]
        start = time.perf_counter_ns()
        call(row)
        times.append((time.perf_counter_ns() - start) / 1e6)
    return times


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return float(statistics.median(values))


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])
