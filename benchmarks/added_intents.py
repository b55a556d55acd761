"""Adding an intent by a few examples without training, beside training anew with them: how well it is known, what the others lose, and the time.

What it compares: `--new` intents, drawn by `--seed`, are left out of the training rows; `run` on the rest gives a bundle. `--examples` training rows of each
left-out intent, drawn too, are its examples. The answers are those of the bundles' files (int8) to the test rows:

- before anything is added;
- each intent added alone to a copy of the bundle, by the function that the verb `add-intent` calls; beside it the verb as a whole process, which also asks
  validation's rows before and after;
- all of them added to one copy, one after another;
- trained anew: `run` on the same rows and the examples of all left-out intents (of each ten it holds one out for validation, where no file gives it).

The runs have the default settings but for what bears on no answer and is left out (label errors, other variants, most of the latency): a user's run takes longer.
Intervals are Wilson's over the test rows; how the figures would differ with other intents they do not tell. The mean over the intents added alone has the interval
of as many rows as were asked: each new row was asked one bundle, each old row all of them.

What it costs: BANKING77, two trainings of 7 to 20 minutes on 2 cores, and 5 minutes more. What it last gave: RESULTS.md, "Added intents".

    .venv/bin/python -m benchmarks.added_intents --data FOLDER_OF_BANKING77 --out saved_models/added_intents

A run that is there already is not made again; one that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.customer_service.app import APP
from benchmarks.workers import table, timed
from tfarch.data.writing import csv_text
from tfarch.evaluation.metrics import paired_test, wilson_interval
from tfarch.export.added import add_class
from tfarch.quiet import quiet
from tfarch.runtime import load

OOS = "oos"
LEFT_OUT = ("label_errors.find=false", "export.variants=[dynamic_int8]", "evaluate.threads=[1]", "evaluate.latency_repeats=1")
GROUPS = ("new", "old", "all")
LIMIT_S = 12 * 3600  # of one run

Row = tuple[str, str]  # text, label


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=APP.sample, help="folder of train.csv, test.csv and maybe valid.csv (default: the embedded sample)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--new", type=int, default=7, help="intents that are left out and added")
    parser.add_argument("--examples", type=int, default=10, help="training rows of each that are its examples")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of intents and examples, and of the runs")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting that is not the default; repeatable")
    options = parser.parse_args()
    parts = {name: _read(options.data / f"{name}.csv") for name in ("train", "valid", "test") if (options.data / f"{name}.csv").is_file()}
    new = _choice(parts["train"], options.new, options.examples, options.seed)
    old = {name: [row for row in rows if row[1] not in new] for name, rows in parts.items()}
    examples = [(text, label) for label, texts in new.items() for text in texts]
    runs = {
        "before": _run(options, "before", old),
        "anew": _run(options, "anew", {**old, "train": [*old["train"], *examples], "test": parts["test"]}),
    }
    asked = Asked.of([row for row in parts["test"] if row[1] != OOS], new)
    before = asked.said_by(options.out / "before" / "bundle")
    alone = [_added_alone(options.out / "before", label, texts, asked, before) for label, texts in new.items()]
    together, seconds = _added_together(options.out / "before", new, asked)
    anew = asked.said_by(options.out / "anew" / "bundle")
    figures = {
        "before": asked.figures(before, ("old",)),
        "alone": _mean(asked, alone),
        "together": {**asked.figures(together), "seconds": seconds},
        "anew": asked.figures(anew),
    }
    paired = {group: paired_test(together.right[asked.rows[group]], anew.right[asked.rows[group]]) for group in GROUPS}
    each = [{"intent": label, **added.figures} for label, added in zip(new, alone, strict=True)]
    _print(figures, each, paired, runs)
    print(
        json.dumps({"examples": new, "runs": runs, "figures": figures, "each": each, "together_against_anew": paired}, ensure_ascii=False)
    )
    return 0


def _read(file: Path) -> list[Row]:
    with open(file, newline="", encoding="utf-8") as stream:
        return [(row["text"], row["label"]) for row in csv.DictReader(stream)]


def _choice(train: Sequence[Row], intents: int, examples: int, seed: int) -> dict[str, list[str]]:
    """The intents that are left out, in the order in which they are added, and different texts of each."""
    texts: dict[str, dict[str, None]] = {}
    for text, label in train:
        if label != OOS:
            texts.setdefault(label, {})[text.strip()] = None
    drawn = random.Random(seed)
    return {label: drawn.sample(list(texts[label]), examples) for label in drawn.sample(sorted(texts), intents)}


def _run(options: argparse.Namespace, name: str, parts: Mapping[str, Sequence[Row]]) -> dict:
    """Seconds and memory of `run` on these rows, a process of its own; the run lies in `<out>/<name>`."""
    out, data = options.out / name, options.out / f"{name}_data"
    files = {data / f"{part}.csv": csv_text(("text", "label"), rows).encode() for part, rows in parts.items()}
    figures = out / "whole_run.json"
    if figures.is_file():
        whole = json.loads(figures.read_text(encoding="utf-8"))
        if whole["settings"] != options.set or any(not file.is_file() or file.read_bytes() != rows for file, rows in files.items()):
            sys.exit(f"{out} holds a run on other rows or with other settings: choose another --out")
        return whole
    data.mkdir(parents=True, exist_ok=True)
    for file, rows in files.items():
        file.write_bytes(rows)
    print(f"run on {len(parts['train']):,} training rows into {out}", file=sys.stderr, flush=True)
    resumed = (out / "config.yaml").is_file()
    settings = [part for setting in (*LEFT_OUT, *options.set) for part in ("--set", setting)]
    command = [*_app("run"), "--data", str(data), "--out", str(out), "--seed", str(options.seed), "--json", *settings]
    whole = timed(command, limit_s=LIMIT_S)
    report = json.loads(whole.pop("stdout"))
    whole |= {"training_seconds": report["train"]["seconds"], "resumed": resumed, "settings": options.set, "machine": report["machine"]}
    figures.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    print(f"  {whole['seconds']:.0f} s", file=sys.stderr, flush=True)
    return whole


def _app(verb: str) -> list[str]:
    return [sys.executable, "-m", "apps.customer_service", verb]


@dataclass(frozen=True)
class Said:
    """What a bundle says of n test rows.

    labels: `[n]`, the most probable class.
    right: bool `[n]`.
    answered: bool `[n]`, right and not called out of scope.
    """

    labels: np.ndarray
    right: np.ndarray
    answered: np.ndarray


@dataclass(frozen=True)
class Asked:
    """The n test rows; all bundles get all of them, as a text's company in a batch moves an int8 file's answer by rounding.

    labels: `[n]`.
    rows: bool `[n]` by group: rows of the new intents, of the old ones, all.
    """

    texts: list[str]
    labels: np.ndarray
    rows: dict[str, np.ndarray]

    @classmethod
    def of(cls, test: Sequence[Row], new: Mapping[str, object]) -> Asked:
        """The rows of `new` and of all other intents."""
        labels = np.array([label for _, label in test])
        added = np.isin(labels, list(new))
        return cls([text for text, _ in test], labels, {"new": added, "old": ~added, "all": np.ones(len(test), bool)})

    def said_by(self, bundle: Path) -> Said:
        """The answers of a bundle's file."""
        with quiet():
            predictions = load(bundle, threads=2).predict(self.texts, top=1)
        labels = np.array([each.label for each in predictions])
        right = labels == self.labels
        return Said(labels, right, right & ~np.array([bool(each.out_of_scope) for each in predictions]))

    def figures(self, said: Said, groups: Sequence[str] = GROUPS) -> dict[str, dict]:
        """`accuracy` and `in_scope_accuracy` of each group, see `_share`."""
        return {
            "accuracy": {group: _share(said.right[self.rows[group]]) for group in groups},
            "in_scope_accuracy": {group: _share(said.answered[self.rows[group]]) for group in groups},
        }


@dataclass(frozen=True)
class Alone:
    """A bundle with one intent more: the intent's test rows, bool `[n]`, what the bundle says, and the figures."""

    own: np.ndarray
    said: Said
    figures: dict


def _added_alone(run: Path, label: str, texts: Sequence[str], asked: Asked, before: Said) -> Alone:
    with tempfile.TemporaryDirectory() as folder:
        bundle = _copy(run, Path(folder) / "function")
        seconds = _add(bundle, label, texts)
        said = asked.said_by(bundle)
        verb = _by_verb(_copy(run, Path(folder) / "verb"), label, texts)
    own, old = asked.labels == label, asked.rows["old"]
    against = paired_test(said.right[old], before.right[old])
    figures = {
        "seconds": seconds,
        "verb": verb,
        "accuracy": {"new": _share(said.right[own]), "old": _share(said.right[old])},
        "in_scope_accuracy": {"new": _share(said.answered[own]), "old": _share(said.answered[old])},
        "moved": int((said.labels[old] != before.labels[old]).sum()),
        "lost": against["lost"],
        "won": against["won"],
    }
    print(f"{label}: {figures}", file=sys.stderr, flush=True)
    return Alone(own, said, figures)


def _added_together(run: Path, new: Mapping[str, Sequence[str]], asked: Asked) -> tuple[Said, list[float]]:
    """The answers with all intents added, and the seconds that each one took."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = _copy(run, Path(folder))
        seconds = [_add(bundle, label, texts) for label, texts in new.items()]
        return asked.said_by(bundle), seconds


def _copy(run: Path, folder: Path) -> Path:
    """A fresh copy of a run's bundle, with the run's settings beside it: there the verb learns which rows are validation's."""
    shutil.copytree(run / "bundle", folder / "bundle")
    shutil.copy(run / "config.yaml", folder)
    return folder / "bundle"


def _add(bundle: Path, label: str, texts: Sequence[str]) -> float:
    """Seconds of adding an intent."""
    with quiet():
        start = time.perf_counter()
        add_class(bundle, label, texts)
        return time.perf_counter() - start


def _by_verb(bundle: Path, label: str, texts: Sequence[str]) -> dict:
    """Seconds of the verb as a whole process, and what it says of validation's rows."""
    examples = bundle.with_name("examples.csv")
    examples.write_bytes(csv_text(("text",), [(text,) for text in texts]).encode())
    whole = timed([*_app("add-intent"), label, "--input", str(examples), "--bundle", str(bundle), "--json"])
    told = json.loads(whole["stdout"])
    return {"seconds": whole["seconds"], "checked": told["checked"], "lost": len(told["lost"]), "won": len(told["won"])}


def _share(right: np.ndarray) -> dict[str, float | list[float]]:
    """The share that is right and its interval, of rows `[n]` that are right or not; or of the share of bundles, 0 to 1, that have each row right."""
    return {"share": float(right.mean()), "interval": list(wilson_interval(round(float(right.sum())), len(right)))}


def _mean(asked: Asked, alone: Sequence[Alone]) -> dict[str, dict]:
    """The mean over the bundles: each new row is asked one of them, each old row all."""
    old = asked.rows["old"]
    return {
        measure: {
            "new": _share(np.concatenate([getattr(each.said, kind)[each.own] for each in alone])),
            "old": _share(np.mean([getattr(each.said, kind)[old] for each in alone], axis=0)),
        }
        for measure, kind in (("accuracy", "right"), ("in_scope_accuracy", "answered"))
    }


def _print(figures: dict[str, dict], each: Sequence[dict], paired: dict[str, dict], runs: dict[str, dict]) -> None:
    seconds = [one["seconds"] for one in each]
    verbs = [one["verb"]["seconds"] for one in each]
    together = figures["together"]["seconds"]
    ways = {
        "before": ("before", _minutes(runs["before"], "training_seconds"), _minutes(runs["before"], "seconds")),
        "alone": (f"each of {len(each)} added alone, mean", f"{statistics.mean(seconds):.2f} s", f"{statistics.mean(verbs):.1f} s"),
        "together": (f"all {len(each)} added", f"{sum(together):.2f} s", ""),
        "anew": ("trained anew with the examples", _minutes(runs["anew"], "training_seconds"), _minutes(runs["anew"], "seconds")),
    }
    for measure, title in (
        ("accuracy", "accuracy, 95 % interval"),
        ("in_scope_accuracy", "the same, where out of scope is a wrong answer"),
    ):
        rows = []
        for name, (way, *took) in ways.items():
            found = figures[name][measure]
            rows.append([way, *(_cell(found[group]) if group in found else "" for group in GROUPS), *took])
        print(table([title, "new intents", "old intents", "all", "adding or training", "whole process"], rows) + "\n")
    header = ["added alone", "its rows right", "old rows right", "old answers moved", "lost", "won", "adding", "the verb"]
    rows = []
    for one in each:
        shares = [_cell(one["accuracy"][group]) for group in ("new", "old")]
        took = [f"{one['seconds']:.2f} s", f"{one['verb']['seconds']:.1f} s"]
        rows.append([one["intent"], *shares, one["moved"], one["lost"], one["won"], *took])
    print(table(header, rows) + "\n")
    rows = [[group, found["won"], found["lost"], f"{found['p_value']:.2g}"] for group, found in paired.items()]
    print(table(["test rows", "right only with all added", "right only trained anew", "p (McNemar, exact)"], rows) + "\n")


def _minutes(run: dict, name: str) -> str:
    return f"{run[name] / 60:.1f} min" + (" since it was resumed" if run["resumed"] else "")


def _cell(found: dict) -> str:
    low, high = found["interval"]
    return f"{100 * found['share']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


if __name__ == "__main__":
    sys.exit(main())
