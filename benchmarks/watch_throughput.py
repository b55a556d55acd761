"""Items a second of `watch`, end to end, and its memory as they come by.

What it measures: a whole process `python -m apps.finance_sentiment watch` over a simulated stream in a file: read, deduplicate, classify with the bundle's file, count, detect,
store, write alerts; its start, what it learns of the usual and the words of its evidence are in the time. Memory is the process's resident size at every twentieth of the
items, and its peak. The simulated stream has headlines, statements and posts of the sample (15 words in the mean); about a third of its lines are repeated news, which costs no classification:
items a second are given for all lines, and for those that were classified. With `--headlines` the stream is the distinct real headlines of a folder (13 words), one after another.

What it costs: 120,000 lines two minutes on 2 cores, 600,000 eleven. What it last gave: RESULTS.md, "Watch".

    .venv/bin/python -m benchmarks.watch_throughput --bundle saved_models/finance_sentiment/bundle --lines 1000000
    .venv/bin/python -m benchmarks.watch_throughput --bundle saved_models/finance_sentiment/bundle --headlines FOLDER
"""

from __future__ import annotations

import argparse
import csv
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.workers import ROOT, table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--lines", type=int, default=100_000, help="at least (default 100,000)")
    parser.add_argument("--items-per-day", type=float, default=4000.0, help="stories a day of the stream (default 4000)")
    parser.add_argument("--headlines", type=Path, help="folder with all.csv, column text: its distinct texts are the stream")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write = _write_headlines if options.headlines else _write_stream
        lines = write(folder / "news.jsonl", options)
        watch = [
            sys.executable,
            "-m",
            "apps.finance_sentiment",
            "watch",
            "--json",
            "--input",
            str(folder / "news.jsonl"),
            "--state",
            str(folder / "state.sqlite"),
        ]
        with open(folder / "alerts.jsonl", "wb") as alerts, open(folder / "said.txt", "wb") as said:
            started = time.perf_counter()
            process = subprocess.Popen([*watch, "--bundle", str(options.bundle)], cwd=ROOT, stdout=alerts, stderr=said)
            memory, peak = _followed(process, folder / "state.sqlite", lines)
            seconds = time.perf_counter() - started
        if process.returncode:
            sys.exit((folder / "said.txt").read_text(encoding="utf-8"))
        counted = _counted(folder / "state.sqlite")
        alerts = (folder / "alerts.jsonl").read_bytes().count(b"\n")
    classified = counted["received"] - sum(count for what, count in counted.items() if what.startswith("duplicate"))
    figures = {
        "lines": counted["received"],
        "seconds": seconds,
        "lines_per_second": counted["received"] / seconds,
        "classified_per_second": classified / seconds,
        "alert_lines": alerts,
        "peak_mb": peak,
        "memory_mb": memory,
    }
    print(table(["lines", "seconds", "lines a second", "classified a second", "peak memory"],
                [[f"{lines:,}", f"{seconds:.0f}", f"{figures['lines_per_second']:.0f}", f"{figures['classified_per_second']:.0f}", f"{peak:.0f} MB"]]))  # fmt: skip
    print()
    print(table(["lines read", "resident memory, MB"], [[f"{count:,}", f"{size:.0f}"] for count, size in memory]))
    print(json.dumps(figures))
    return 0


def _write_stream(file: Path, options: argparse.Namespace) -> int:
    """Writes the stream and gives its lines."""
    from apps.finance_sentiment.simulation import StreamSettings, SurgeSettings, sample_rows, simulate, write

    stories = options.lines / 1.37  # with repeated, syndicated and edited items
    days = max(25, round(stories / options.items_per_day))
    settings = StreamSettings(days=days, items_per_day=stories / days, surges=SurgeSettings(history_days=min(21, days - 2)))
    simulated = simulate(sample_rows(), settings, seed=0)
    write(file, file.with_suffix(".truth.json"), simulated)
    return len(simulated.items)


def _write_headlines(file: Path, options: argparse.Namespace) -> int:
    """Writes the headlines as items, evenly over a month, and gives their number."""
    with open(options.headlines / "all.csv", newline="", encoding="utf-8") as stream:
        texts = list(dict.fromkeys(row["text"] for row in csv.DictReader(stream)))
    step = 30 * 86_400 / len(texts)
    with open(file, "w", encoding="utf-8") as out:
        for number, text in enumerate(texts):
            item = {"id": str(number), "time": 1_767_571_200 + number * step, "text": text, "publisher": f"Publisher {number % 10}"}
            out.write(json.dumps(item) + "\n")
    return len(texts)


def _followed(process: subprocess.Popen, state: Path, lines: int) -> tuple[list[tuple[int, float]], float]:
    """Lines read and resident megabytes, at about every twentieth of the lines, and the peak."""
    found, next_at, peak = [], lines / 20, 0.0
    while process.poll() is None:
        time.sleep(0.5)
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            sizes = {
                name: int(line.split()[1]) * 1024 / 1e6
                for line in status.splitlines()
                for name in ("VmRSS", "VmHWM")
                if line.startswith(name)
            }
            peak = max(peak, sizes.get("VmHWM", 0.0))
            received = _counted(state).get("received", 0)
        except (OSError, sqlite3.Error, TypeError):  # it begins, or ends
            continue
        if received >= next_at and "VmRSS" in sizes:  # a process that has ended has none
            found.append((received, sizes["VmRSS"]))
            next_at = received + lines / 20
    return found, peak


def _counted(state: Path) -> dict[str, int]:
    base = sqlite3.connect(f"file:{state}?mode=ro", uri=True)
    try:
        row = base.execute("SELECT value FROM facts WHERE name = 'engine'").fetchone()
    finally:
        base.close()
    return json.loads(row[0])["counted"]


if __name__ == "__main__":
    sys.exit(main())
