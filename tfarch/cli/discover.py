"""The verb `discover`: what people ask that the model does not answer, grouped."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from tfarch.progress import say
from tfarch.quiet import quiet
from tfarch.run_folder import RunFolder

EXAMPLES = 5  # of a cluster that are shown


def discover_options(parser: argparse.ArgumentParser, out: str) -> None:
    """Its options beside those that all verbs have."""
    parser.add_argument(
        "--input", metavar="FILE", help="a text a line, or CSV/TSV/JSONL with the text column; - for standard input (default)"
    )
    parser.add_argument("--bundle", metavar="DIR", help="the bundle (default <out>/bundle)")
    parser.add_argument("--task", metavar="NAME", help="of a model of several tasks: whose answers count (default: its last)")
    parser.add_argument("--out", metavar="DIR", help=out)
    parser.add_argument("--text-column", metavar="NAME", help="column that holds the text (default text)")
    parser.add_argument("--min-size", type=int, default=3, metavar="N", help="texts of a cluster, at least (default 3)")
    parser.add_argument(
        "--below", type=float, default=0.3, metavar="P", help="best probability below which a text is unanswered (default 0.3)"
    )
    parser.add_argument(
        "--cosine", type=float, default=0.55, metavar="C", help="average cosine from which texts are of one cluster (default 0.55)"
    )
    parser.add_argument("--all", action="store_true", help="cluster all texts, also those that the model answers")
    parser.add_argument("--csv", metavar="FILE", help="write text,label of what was clustered: rows to look over, rename and train with")


def discover(options: argparse.Namespace, bundle: Path, texts: Sequence[str]) -> int:
    """Clusters `texts` and shows what came out."""
    from tfarch.data.writing import csv_text
    from tfarch.pipeline.discovery import discover as find
    from tfarch.runtime import MultitaskClassifier, load_classifier

    with quiet():  # LiteRT tells which delegate it takes
        tasks = MultitaskClassifier.of(load_classifier(bundle, threads=options.threads or min(4, len(os.sched_getaffinity(0)))))
    if options.task is not None:
        tasks = tasks.only(options.task)
    name, classifier = [*tasks.items()][-1]
    if len(tasks) > 1:
        say(f"by the answers of the task {name}; --task names another")
    found = find(classifier, texts, least=options.cosine, min_size=options.min_size, below=options.below, everything=options.all)
    if options.csv:
        file = Path(options.csv)
        RunFolder(file.parent).write(file, csv_text(("text", "label"), found.rows()))
        say(f"{len(found.rows()):,} rows were written: {file}")
    if options.json:
        print(json.dumps(found.as_dict(), ensure_ascii=False))
        return 0
    what = "texts" if options.all else "unanswered texts"
    print(f"{found.asked:,} texts, {len(found.texts):,} {what} in {len(found.clusters)} clusters, {len(found.left_over):,} in none.")
    for cluster in found.clusters:
        first, *others = (" ".join(found.texts[row].split())[:110] for row in cluster.rows[: EXAMPLES + 1])
        print(f"\n{cluster.name} ({len(cluster.rows)}): {', '.join(cluster.words)}\n    {first}")
        for text in others:
            print(f"      {text}")
    return 0
