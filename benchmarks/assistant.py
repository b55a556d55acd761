"""How well the customer service's assistant does what it is for, on a company's questions that its fitting did not see.

What it measures, on the bundle of a run on the embedded sample:

- the FAQ's search: whether the right entry comes first (P@1) and its mean reciprocal rank (MRR), by words alone, by the text vectors, and by both, on half of
  faq_queries.csv; the weights are fitted on the other half;
- who answers: what is said to the held-out queries, to the test rows in scope and to those out of scope; the router is fitted on the first half of the
  queries and validation's rows;
- messages.jsonl: how many are divided into as many questions as they hold, and whether these are answered by what they should be.

What it costs: a minute. What it last gave: RESULTS.md, "The assistant".

    .venv/bin/python -m apps.customer_service run && .venv/bin/python -m benchmarks.assistant
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps.customer_service.answers import read_answers
from apps.customer_service.app import APP
from apps.customer_service.assistant import Assistant
from apps.customer_service.faq import Faq
from apps.customer_service.knowledge import Found, Knowledge, fitted_router, read_folder
from apps.customer_service.questions import questions
from benchmarks.workers import table
from tfarch.runtime import Classifier, load
from tfarch.runtime.retrieval import Words, cosines

NOBODY = "nobody"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=APP.default_out / "bundle")
    options = parser.parse_args()
    classifier, found = load(options.bundle, threads=2), read_folder(APP.sample)
    rows = {part: _rows(APP.sample / f"{part}.csv") for part in ("valid", "test")}
    fitting, held = _halves(found)
    faq, router = _fitted(classifier, found, fitting, rows["valid"])
    assistant = Assistant(classifier, Knowledge(read_answers(APP.sample / "answers.yaml"), faq, router))
    figures = {"search": _search(classifier, faq, held), "answers": _who(assistant, held, rows["test"]), "messages": _messages(assistant)}
    print(json.dumps(figures))
    return 0


def _rows(file: Path) -> list[tuple[str, str]]:
    with open(file, newline="", encoding="utf-8") as stream:
        return [(row["text"], NOBODY if row["label"] == "oos" else row["label"]) for row in csv.DictReader(stream)]


def _halves(found: Found) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Every other query of each entry."""
    seen: Counter[str] = Counter()
    halves: tuple[list, list] = ([], [])
    for text, name in found.queries:
        halves[seen[name] % 2].append((text, name))
        seen[name] += 1
    return halves


def _fitted(classifier: Classifier, found: Found, fitting: Sequence[tuple[str, str]], valid: Sequence[tuple[str, str]]):
    in_scope, unanswered = ([text for text, label in valid if (label == NOBODY) is out] for out in (False, True))
    queries, ids = zip(*fitting, strict=True)
    texts = [*queries, *unanswered]
    faq = Faq.of(found.entries, classifier).fitted(texts, [*ids, *[None] * len(unanswered)], classifier.vectors(texts))
    return faq, fitted_router(classifier, faq, in_scope, queries, unanswered)


def _search(classifier: Classifier, faq: Faq, held: Sequence[tuple[str, str]]) -> dict:
    texts, ids = zip(*held, strict=True)
    places = {entry.id: place for place, entry in enumerate(faq.entries)}
    targets = np.array([places[name] for name in ids])
    vectors = classifier.vectors(texts)
    words = Words([f"{entry.question} {entry.answer}" for entry in faq.entries]).scores(texts)
    ways = {
        "BM25": words,
        "text vectors, question": cosines(vectors, faq.vectors[0]),
        "text vectors, answer": cosines(vectors, faq.vectors[1]),
        "all, weights fitted on the other half": faq.probabilities(texts, vectors)[:, :-1],
    }
    found = {}
    for name, scores in ways.items():
        own = scores[np.arange(len(targets)), targets][:, None]
        rank = 1 + (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2  # of equal ones the middle
        found[name] = {"p_at_1": float((rank == 1).mean()), "mrr": float((1 / rank).mean())}
    print(table(["search", "P@1", "MRR"], [[name, f"{100 * each['p_at_1']:.1f} %", f"{each['mrr']:.3f}"] for name, each in found.items()]))
    return found


def _who(assistant: Assistant, held: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]]) -> dict:
    groups = {
        "queries of the FAQ": [(text, f"faq:{name}") for text, name in held],
        "test rows in scope": [row for row in test if row[1] != NOBODY],
        "test rows out of scope": [row for row in test if row[1] == NOBODY],
    }
    found = {}
    for name, rows in groups.items():
        said = [_said(assistant, text) for text, _ in rows]
        found[name] = {
            "right": float(np.mean([each == wanted for each, (_, wanted) in zip(said, rows, strict=True)])),
            "intent": float(np.mean([each != NOBODY and not each.startswith("faq:") for each in said])),
            "faq": float(np.mean([each.startswith("faq:") for each in said])),
            "nobody": float(np.mean([each == NOBODY for each in said])),
        }
    lines = [[name, *(f"{100 * each[key]:.1f} %" for key in ("right", "intent", "faq", "nobody"))] for name, each in found.items()]
    print(table(["", "treated rightly", "answered by an intent", "by the FAQ", "asked back or handed over"], lines))
    return found


def _said(assistant: Assistant, question: str) -> str:
    """What answers one question."""
    (reply,) = assistant.reply_to([question])
    return NOBODY if reply.source not in ("intent", "faq") else f"faq:{reply.name}" if reply.source == "faq" else str(reply.name)


def _messages(assistant: Assistant) -> dict:
    with open(APP.sample / "messages.jsonl", encoding="utf-8") as lines:
        messages = [json.loads(line) for line in lines]
    whole, parted, hits, wanted, given = [], [], 0, 0, 0
    for message in messages:
        parts = questions(message["text"], assistant.understand)
        (whole if len(message["parts"]) == 1 else parted).append(len(parts) == len(message["parts"]))
        said = Counter(_said(assistant, part) for part in parts)
        right = Counter(NOBODY if part["label"] == "oos" else part["label"] for part in message["parts"])
        hits, wanted, given = hits + (said & right).total(), wanted + right.total(), given + said.total()
    found = {
        "single_stay_whole": float(np.mean(whole)),
        "several_are_parted": float(np.mean(parted)),
        "questions_answered_rightly": hits / wanted,
        "replies_right": hits / given,
    }
    print(table(["messages", ""], [[name.replace("_", " "), f"{100 * value:.1f} %"] for name, value in found.items()]))
    return found


if __name__ == "__main__":
    sys.exit(main())
