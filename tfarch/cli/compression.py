"""`python -m tfarch.compression`: the recipes that there are, and what any TFLite file costs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from tfarch.cli import answered

LENGTHS, THREADS, REPEATS = (16, 64), (1, 2), 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tfarch.compression", description="Recipes, and what a TFLite file costs.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    told = "list the recipes that come with tfarch; an app's verbs `compress --recipe NAME` and `run --recipe NAME` apply them"
    _shared(verbs.add_parser("recipes", help="list the recipes that come with tfarch", description=told))
    costs = "latency, memory, bytes and delegated operators of any TFLite file"
    own = verbs.add_parser("benchmark", help=costs, description=costs)
    own.add_argument("file", metavar="FILE")
    counts = {"nargs": "+", "type": _count}
    own.add_argument(
        "--lengths",
        default=list(LENGTHS),
        metavar="N",
        help=f"open dimensions but the batch, in turn (default {_spaced(LENGTHS)})",
        **counts,
    )
    own.add_argument(
        "--threads", default=list(THREADS), metavar="N", help=f"of the interpreter, in turn (default {_spaced(THREADS)})", **counts
    )
    own.add_argument("--repeats", type=_count, default=REPEATS, metavar="N", help=f"timed passes of ten calls (default {REPEATS})")
    _shared(own)
    return answered(parser, arguments, _work)


def _work(options: argparse.Namespace) -> int:
    found = _recipes() if options.verb == "recipes" else _benchmark(options)
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print(_recipes_text(found) if options.verb == "recipes" else _benchmark_text(found))
    return 0


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10**6:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1")
    return int(text)


def _spaced(values: Sequence[int]) -> str:
    return " ".join(map(str, values))


def _recipes() -> list[dict[str, Any]]:
    from tfarch.compression.recipe import load_recipe, shipped_recipes

    return [{**load_recipe(name).as_dict(), "header": _header(file)} for name, file in shipped_recipes().items()]


def _header(file: Any) -> str:
    """The comment that a recipe begins with: what it costs and gives."""
    lines = file.read_text(encoding="utf-8").splitlines()
    end = next(place for place, line in enumerate([*lines, ""]) if not line.startswith("#"))
    return " ".join(line.lstrip("# ").rstrip() for line in lines[:end])


def _recipes_text(recipes: Sequence[dict[str, Any]]) -> str:
    width = max(len(each["name"]) for each in recipes)
    blocks = []
    for each in recipes:
        stages = ", ".join(stage["kind"] for stage in each["stages"])
        blocks.append(f"{each['name']:<{width}}  {each['description']} ({stages})\n{'':<{width}}  {each['header']}")
    return "\n".join(blocks)


def _benchmark(options: argparse.Namespace) -> dict[str, Any]:
    from tfarch.evaluation.file_benchmark import benchmark
    from tfarch.quiet import quiet

    with quiet():  # LiteRT tells which delegate it takes
        return benchmark(options.file, lengths=options.lengths, threads=options.threads, repeats=options.repeats)


def _benchmark_text(found: dict[str, Any]) -> str:
    lines = [
        f"{found['file']}: {found['bytes'] / 1e6:.2f} MB, {found['gzip_bytes'] / 1e6:.2f} MB gzipped, {found['memory_mb']:.1f} MB in memory",
        f"{found['operators']} operators, {100 * found['delegated']:.0f} % of them delegated in {found['stretches']} stretches",
        f"{found['machine']['cpu']}, LiteRT {found['machine']['litert']}",
        "",
        f"{'threads':>7}  {'length':>6}  {'p50':>9}  {'p95':>9}  {'p99':>9}",
    ]
    for threads, lengths in found["latency_ms"].items():
        for length, each in lengths.items():
            lines.append(
                f"{threads.removeprefix('threads_'):>7}  {length:>6}  "
                + "  ".join(f"{each[name]:>6.2f} ms" for name in ("p50", "p95", "p99"))
            )
    return "\n".join(lines)
