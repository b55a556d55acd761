"""How long a user waits for a first answer, and how much memory prediction takes.

What it measures, each as a whole process, the median of several: `--help` of the app and of a verb; `predict` of one text; a Python process that
loads a bundle and answers once (`tfarch.load(bundle).predict([text])`), the interpreter's own start apart; peak resident memory of these, and of
`predict` over a whole file.

What it costs: a minute. What it last gave: RESULTS.md, "Start-up and memory".

    .venv/bin/python -m benchmarks.startup_and_memory --run saved_models/banking77/seed_0 --input FILE.csv
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.workers import median, table, timed

REPEATS = 7
ANSWER = (
    "import time; start = time.perf_counter(); import sys, tfarch; "
    "tfarch.load(sys.argv[1]).predict(['where is my card?']); print(time.perf_counter() - start)"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a run")
    parser.add_argument("--input", type=Path, required=True, help="CSV with a column text, for predict")
    options = parser.parse_args()
    app, bundle = [sys.executable, "-m", "apps.customer_service"], str(options.run / "bundle")
    commands = {
        "`--help`": [*app, "--help"],
        "`run --help`": [*app, "run", "--help"],
        "`predict TEXT`": [*app, "predict", "--bundle", bundle, "where is my card?"],
        "Python: load and first answer": [sys.executable, "-c", ANSWER, bundle],
        "Python alone": [sys.executable, "-c", "pass"],
        f"`predict --input` ({options.input.name})": [*app, "predict", "--json", "--bundle", bundle, "--input", str(options.input)],
    }
    rows, figures = [], {}
    for name, command in commands.items():
        timed(command)  # the files are in the page cache afterwards
        found = [timed(command) for _ in range(REPEATS)]
        seconds, memory = median([each["seconds"] for each in found]), median([each["peak_mb"] for each in found])
        inside = f"{median([float(each['stdout']) for each in found]):.2f} s" if command[1:3] == ["-c", ANSWER] else ""
        figures[name] = {"seconds": seconds, "peak_mb": memory}
        rows.append([name, f"{seconds:.2f} s", inside, f"{memory:.0f} MB"])
    print(table(["", "whole process", "from its first line on", "peak memory"], rows))
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
