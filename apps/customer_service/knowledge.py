"""What the assistant knows beside the model: answers and FAQ, as files of the bundle that can be changed without training anew.

bundle/answers.yaml         the answers by intent (`answers`)
bundle/faq.yaml             the FAQ's entries (`faq`)
bundle/knowledge.npz        the entries' text vectors, by the bundle's own model file
bundle.json, "knowledge"    the weights of the search, and the sha256 of the model file that made the vectors
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from apps.customer_service.answers import AnswerBook, answer_book, read_answers
from apps.customer_service.faq import FIELDS, Entry, Faq, entries_of, entry_vectors, read_faq, read_queries
from apps.customer_service.router import DEFAULT, INTENT, NOBODY, Router, fit_router
from apps.customer_service.router import FAQ as FROM_FAQ
from tfarch.errors import BundleError, InputError
from tfarch.export.bundle import arrays_file, update_bundle
from tfarch.runtime import Classifier, load_classifier, read_bundle
from tfarch.runtime.bundle import read_arrays
from tfarch.runtime.retrieval import Weights
from tfarch.settings import dump_yaml, read_yaml

ANSWERS, FAQ, QUERIES, VECTORS, FIELD = "answers.yaml", "faq.yaml", "faq_queries.csv", "knowledge.npz", "knowledge"

MEND = "the verb export puts what lies beside the data into the bundle again"


@dataclass(frozen=True)
class Knowledge:
    """Answers by intent and a searchable FAQ, either of which may be empty, and who answers a question."""

    answers: AnswerBook
    faq: Faq
    router: Router = DEFAULT


def load_knowledge(bundle: str | Path, classifier: Classifier) -> Knowledge:
    """The knowledge of a bundle; where it has none, both parts are empty. Vectors that another model file made are made anew.

    Raises:
        BundleError: a file is damaged.
    """
    found = read_bundle(bundle, verify=False)
    described = found.description.get(FIELD)
    if described is None:
        return Knowledge(AnswerBook({}, {}, {}), Faq((), np.empty((FIELDS, 0, 0))))
    answers = read_answers(found.path(ANSWERS)) if ANSWERS in found.description["files"] else AnswerBook({}, {}, {})
    entries = read_faq(found.path(FAQ)) if FAQ in found.description["files"] else ()
    try:
        weights = Weights(tuple(described["search"]["features"]), described["search"]["none"])
        router, maker = Router.from_dict(described["router"]), described["model_sha256"]
        nothing = Faq((), np.empty((FIELDS, 0, 0)), weights)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{FIELD} is damaged: {error}", file=found.path("bundle.json"), mend=MEND) from error
    if not entries:
        return Knowledge(answers, nothing, router)
    if maker != found.description["files"][found.description["model"]["file"]]:
        return Knowledge(answers, Faq.of(entries, classifier, weights), router)
    try:
        return Knowledge(answers, Faq(entries, read_arrays(found, VECTORS)["faq"], weights), router)
    except (KeyError, ValueError) as error:
        raise BundleError(f"cannot be used: {error}", file=found.path(VECTORS), mend=MEND) from error


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


def equip(bundle: str | Path, found: Found, *, in_scope: Sequence[str] = (), unanswered: Sequence[str] = ()) -> list[str]:
    """Puts what was found in a folder into a bundle, in place of what it knew. Where there are queries, the search is fitted on them, and with questions of
    the other kinds who answers.

    Args:
        in_scope: questions that an intent answers, which training did not see: validation's rows in scope.
        unanswered: questions that neither an intent nor an entry answers: validation's out-of-scope rows.

    Returns:
        The intents with answers that the bundle's model does not know.
    """
    classifier = load_classifier(bundle, verify=False)
    faq, router = Faq.of(found.entries, classifier), DEFAULT
    if in_scope:
        router = dataclasses.replace(router, spread=_spread(evidence(classifier, faq, in_scope)[1]))
    if found.queries:
        queries, ids = zip(*found.queries, strict=True)
        texts = [*queries, *unanswered]
        faq = faq.fitted(texts, [*ids, *[None] * len(unanswered)], classifier.vectors(texts))
        if in_scope and unanswered:
            router = fitted_router(classifier, faq, in_scope, queries, unanswered)
    write_knowledge(bundle, found.answers, faq, router)
    return [intent for intent in found.answers.get("answers", ()) if intent not in classifier.labels]


def fitted_router(classifier: Classifier, faq: Faq, in_scope: Sequence[str], queries: Sequence[str], unanswered: Sequence[str]) -> Router:
    """Who answers, fitted on questions of each kind."""
    texts = [*in_scope, *queries, *unanswered]
    kinds = [*[INTENT] * len(in_scope), *[FROM_FAQ] * len(queries), *[NOBODY] * len(unanswered)]
    probabilities, margins, entries = evidence(classifier, faq, texts)
    return fit_router(kinds, probabilities.max(axis=1), margins, entries[:, :-1].max(axis=1), _spread(margins[: len(in_scope)]))


def _spread(margins: np.ndarray) -> float:
    """The standard deviation that scope scores are measured in."""
    return float(margins.std()) or 1.0


def evidence(classifier: Classifier, faq: Faq, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What model and FAQ say of texts: probabilities `[n, classes]`, scope scores above the threshold `[n]`, and probabilities `[n, entries + 1]`."""
    probabilities, vectors = classifier.answers(texts)
    rule = classifier.out_of_scope
    margins = np.zeros(len(texts)) if rule is None else rule.score(probabilities, vectors) - rule.threshold
    return probabilities, margins, faq.probabilities(texts, vectors)


def write_knowledge(bundle: str | Path, answers: dict[str, Any], faq: Faq, router: Router) -> None:
    """Writes all into the bundle; `answers` as plain values, see `answers.read_answers`.

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
        files[VECTORS] = arrays_file(faq=faq.vectors.astype(np.float32))
    model = found.description["files"][found.description["model"]["file"]]
    described = {"search": asdict(faq.weights), "router": router.as_dict(), "model_sha256": model}
    update_bundle(bundle, {FIELD: described}, files, without=[name for name in (ANSWERS, FAQ, VECTORS) if name not in files])


def edit_answer(bundle: str | Path, intent: str, variants: Sequence[str]) -> None:
    """Gives an intent these answers, in place of those that it had.

    Raises:
        InputError: the model knows no such intent, or a variant names a slot that there is not.
    """
    classifier = load_classifier(bundle, verify=False)
    if intent not in classifier.labels:
        raise InputError(f"the model knows no intent {intent!r}", mend="the labels stand in bundle.json")
    answers = _answers(bundle)
    answers["answers"] = {**(answers.get("answers") or {}), intent: list(variants)}
    old = load_knowledge(bundle, classifier)
    write_knowledge(bundle, answers, old.faq, old.router)


def add_faq(bundle: str | Path, question: str, answer: str, name: str) -> None:
    """Adds an entry to the FAQ, or replaces the one of that name.

    Raises:
        InputError: a text is empty.
    """
    classifier = load_classifier(bundle, verify=False)
    knowledge = load_knowledge(bundle, classifier)
    old = knowledge.faq
    kept = [place for place, entry in enumerate(old.entries) if entry.id != name]
    entries = entries_of([*(old.entries[place].as_dict() for place in kept), {"id": name, "question": question, "answer": answer}])
    added = entry_vectors(entries[-1:], classifier)
    vectors = np.concatenate([old.vectors[:, kept], added], axis=1) if kept else added
    write_knowledge(bundle, _answers(bundle), Faq(entries, vectors, old.weights), knowledge.router)


def remove(bundle: str | Path, name: str) -> str:
    """Removes an entry of the FAQ, or the answers of an intent; says which it was.

    Raises:
        InputError: neither has that name.
    """
    classifier = load_classifier(bundle, verify=False)
    knowledge, answers = load_knowledge(bundle, classifier), _answers(bundle)
    old = knowledge.faq
    kept = [place for place, entry in enumerate(old.entries) if entry.id != name]
    if len(kept) < len(old.entries):
        faq = Faq([old.entries[place] for place in kept], old.vectors[:, kept], old.weights)
        write_knowledge(bundle, answers, faq, knowledge.router)
        return "an entry of the FAQ"
    if name in (answers.get("answers") or {}):
        answers["answers"] = {intent: variants for intent, variants in answers["answers"].items() if intent != name}
        write_knowledge(bundle, answers if answers["answers"] else {}, old, knowledge.router)
        return "the answers of an intent"
    raise InputError(f"nothing in this bundle is named {name!r}: neither an entry of the FAQ nor an intent with answers")


def _answers(bundle: str | Path) -> dict[str, Any]:
    found = read_bundle(bundle, verify=False)
    return read_yaml(found.path(ANSWERS))[0] if ANSWERS in found.description["files"] else {}
