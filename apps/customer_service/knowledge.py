"""What the assistant knows beside the model: answers and FAQ, as files of the bundle that can be changed without training anew.

bundle/answers.yaml         the answers by intent (`answers`)
bundle/faq.yaml             the FAQ's entries (`faq`)
bundle/knowledge.npz        the entries' text vectors, by the bundle's own model file
bundle.json, "knowledge"    the weights of the search, and the sha256 of the model file that made the vectors
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from apps.customer_service.answers import AnswerBook, answer_book, read_answers
from apps.customer_service.faq import Entry, Faq, entries_of, read_faq, read_queries
from tfarch.config import dump_yaml, read_yaml
from tfarch.errors import BundleError, InputError
from tfarch.export.bundle import update_bundle
from tfarch.runtime import Classifier, load, read_bundle
from tfarch.runtime.retrieval import Weights

ANSWERS, FAQ, QUERIES, VECTORS, FIELD = "answers.yaml", "faq.yaml", "faq_queries.csv", "knowledge.npz", "knowledge"


@dataclass(frozen=True)
class Knowledge:
    """Answers by intent and a searchable FAQ; either may be empty."""

    answers: AnswerBook
    faq: Faq


def load_knowledge(bundle: str | Path, classifier: Classifier) -> Knowledge:
    """The knowledge of a bundle; where it has none, both parts are empty. Vectors that another model file made are made anew.

    Raises:
        BundleError: a file is damaged.
    """
    found = read_bundle(bundle, verify=False)
    described = found.description.get(FIELD)
    if described is None:
        return Knowledge(AnswerBook({}, {}, {}), Faq((), np.empty((0, 0))))
    answers = read_answers(found.path(ANSWERS)) if ANSWERS in found.description["files"] else AnswerBook({}, {}, {})
    entries = read_faq(found.path(FAQ)) if FAQ in found.description["files"] else ()
    weights = Weights(**described["weights"])
    if not entries:
        return Knowledge(answers, Faq((), np.empty((0, 0)), weights))
    if described["model_sha256"] != found.description["files"][found.description["model"]["file"]]:
        return Knowledge(answers, Faq.of(entries, classifier, weights))
    file = found.path(VECTORS)
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return Knowledge(answers, Faq(entries, arrays["faq"], weights))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"cannot be used: {error}", file=file, mend="put the knowledge into the bundle again") from error


@dataclass(frozen=True)
class Found:
    """What lies in a folder: answers as plain values, entries of the FAQ, and queries with the id of the entry that answers them."""

    answers: dict[str, Any]
    entries: tuple[Entry, ...]
    queries: list[tuple[str, str]]


def read_folder(folder: str | Path) -> Found:
    """The files answers.yaml, faq.yaml and faq_queries.csv of a folder, none of which must be there.

    Raises:
        InputError: one is not as it must be.
    """
    answers, faq, queries = (Path(folder) / name for name in (ANSWERS, FAQ, QUERIES))
    values: dict[str, Any] = {}
    if answers.is_file():
        values, lines = read_yaml(answers)
        answer_book(values, answers, lines)
    entries = read_faq(faq) if faq.is_file() else ()
    return Found(values, entries, read_queries(queries, [entry.id for entry in entries]) if queries.is_file() else [])


def equip(bundle: str | Path, found: Found, *, unanswered: Sequence[str] = ()) -> list[str]:
    """Puts what was found in a folder into a bundle, in place of what it knew. Where there are queries, the search is fitted on them.

    Args:
        unanswered: questions that no entry answers, such as validation's out-of-scope rows: they teach the search to say so.

    Returns:
        The intents with answers that the bundle's model does not know.
    """
    classifier = load(bundle, verify=False)
    faq = Faq.of(found.entries, classifier)
    if found.queries:
        texts, ids = [*(text for text, _ in found.queries), *unanswered], [*(name for _, name in found.queries), *[None] * len(unanswered)]
        faq = faq.fitted(texts, ids, classifier.vectors(texts))
    write_knowledge(bundle, found.answers, faq)
    return [intent for intent in found.answers.get("answers", ()) if intent not in classifier.labels]


def write_knowledge(bundle: str | Path, answers: dict[str, Any], faq: Faq) -> None:
    """Writes both into the bundle; `answers` as plain values, see `answers.read_answers`.

    Raises:
        InputError: the answers are not as they must be.
    """
    found = read_bundle(bundle, verify=False)
    files: dict[str, str | bytes] = {}
    if answers:
        answer_book(answers, ANSWERS)
        files[ANSWERS] = dump_yaml(answers)
    if faq.entries:
        files[FAQ] = yaml.safe_dump([entry.as_dict() for entry in faq.entries], sort_keys=False, allow_unicode=True, width=120)
        vectors = io.BytesIO()
        np.savez(vectors, faq=faq.vectors.astype(np.float32))
        files[VECTORS] = vectors.getvalue()
    described = {"weights": faq.weights.as_dict(), "model_sha256": found.description["files"][found.description["model"]["file"]]}
    update_bundle(bundle, {FIELD: described}, files, without=[name for name in (ANSWERS, FAQ, VECTORS) if name not in files])


def edit_answer(bundle: str | Path, intent: str, variants: Sequence[str]) -> None:
    """Gives an intent these answers, in place of those that it had.

    Raises:
        InputError: the model knows no such intent, or a variant names a slot that there is not.
    """
    classifier = load(bundle, verify=False)
    if intent not in classifier.labels:
        raise InputError(f"the model knows no intent {intent!r}", mend="the labels stand in bundle.json")
    answers = _answers(bundle)
    answers["answers"] = {**(answers.get("answers") or {}), intent: list(variants)}
    write_knowledge(bundle, answers, load_knowledge(bundle, classifier).faq)


def add_faq(bundle: str | Path, question: str, answer: str, name: str) -> None:
    """Adds an entry to the FAQ, or replaces the one of that name.

    Raises:
        InputError: a text is empty.
    """
    classifier = load(bundle, verify=False)
    old = load_knowledge(bundle, classifier).faq
    kept = [place for place, entry in enumerate(old.entries) if entry.id != name]
    entries = entries_of([*(old.entries[place].as_dict() for place in kept), {"id": name, "question": question, "answer": answer}])
    added = classifier.vectors([entries[-1].text])
    vectors = np.concatenate([old.vectors[kept], added]) if kept else added
    write_knowledge(bundle, _answers(bundle), Faq(entries, vectors, old.weights))


def remove(bundle: str | Path, name: str) -> str:
    """Removes an entry of the FAQ, or the answers of an intent; says which it was.

    Raises:
        InputError: neither has that name.
    """
    classifier = load(bundle, verify=False)
    old, answers = load_knowledge(bundle, classifier).faq, _answers(bundle)
    kept = [place for place, entry in enumerate(old.entries) if entry.id != name]
    if len(kept) < len(old.entries):
        faq = Faq([old.entries[place] for place in kept], old.vectors[kept], old.weights)
        write_knowledge(bundle, answers, faq)
        return "an entry of the FAQ"
    if name in (answers.get("answers") or {}):
        answers["answers"] = {intent: variants for intent, variants in answers["answers"].items() if intent != name}
        write_knowledge(bundle, answers if answers["answers"] else {}, old)
        return "the answers of an intent"
    raise InputError(f"nothing in this bundle is named {name!r}: neither an entry of the FAQ nor an intent with answers")


def _answers(bundle: str | Path) -> dict[str, Any]:
    found = read_bundle(bundle, verify=False)
    return read_yaml(found.path(ANSWERS))[0] if ANSWERS in found.description["files"] else {}
