"""`ranx` on rankings, for `benchmarks.ranking_measures`; runs in the bench environment."""

from __future__ import annotations

import sys

from benchmarks.workers import serve


def _answer(wanted: list[list[int]], scores: list[list[float]], measures: list[str]) -> dict[str, list[float]]:
    """Each measure of each query: `wanted` numbers of entries, `scores` of all entries."""
    from ranx import Qrels, Run, evaluate

    names = [f"q{query:05}" for query in range(len(wanted))]
    right = Qrels({name: {str(entry): 1 for entry in each} for name, each in zip(names, wanted, strict=True)})
    ranked = Run({name: {str(entry): score for entry, score in enumerate(each)} for name, each in zip(names, scores, strict=True)})
    found = evaluate(right, ranked, measures, return_mean=False)
    return {measure: [float(value) for value in found[measure]] for measure in measures}


if __name__ == "__main__":
    serve(_answer)
    sys.exit(0)
