"""A bundle folder made ready to answer."""

from __future__ import annotations

from pathlib import Path

from tfarch.runtime.bundle import (
    RECOMMENDATION,
    Bundle,
    open_bundle,
    read_added,
    read_bundle,
    read_head,
    read_known_rows,
    read_out_of_scope,
)
from tfarch.runtime.classifier import Classifier
from tfarch.runtime.multitask import MultitaskClassifier
from tfarch.runtime.network import Network
from tfarch.runtime.recommender import Recommender, load_recommender
from tfarch.runtime.signature import SINGLE, output_of
from tfarch.runtime.tokeniser import Tokeniser, flags_of


def load(bundle: str | Path, *, threads: int = 1, verify: bool = True) -> Classifier | MultitaskClassifier | Recommender:
    """What a bundle folder holds, ready to answer: a classifier (see `load_classifier`) or a recommender.

    Args:
        bundle: the folder that holds bundle.json.
        threads: threads of a classifier's interpreter.
        verify: check the sha256 of the files that are opened.

    Raises:
        BundleError: the bundle is damaged, incomplete or of a later format; says what is wrong and the mend.
    """
    if open_bundle(bundle).description["task"] == RECOMMENDATION:
        return load_recommender(bundle, verify=verify)
    return load_classifier(bundle, threads=threads, verify=verify)


def load_classifier(bundle: str | Path, *, threads: int = 1, verify: bool = True) -> Classifier | MultitaskClassifier:
    """The classifier of a bundle folder, ready to answer; of a model of several tasks, of all of them.

    Args:
        bundle: the folder that holds bundle.json.
        threads: threads of the interpreter.
        verify: check the sha256 of the files that are opened (model, vocabulary, out-of-scope statistics); `verify_bundle` checks every file.

    Raises:
        BundleError: the bundle is damaged, incomplete or of a later format; says what is wrong and the mend.
    """
    found = read_bundle(bundle, verify=verify)
    tokeniser = Tokeniser.from_file(found.vocabulary_file, **flags_of(found.description["tokeniser"]))
    network = Network(found.model_file, tokeniser, found.max_length, threads=threads)
    tasks = {task: _of_task(found.of_task(task), network, output_of(task), verify) for task in found.tasks}
    return tasks[SINGLE] if SINGLE in tasks else MultitaskClassifier(network, tasks, bundle=found.description)


def _of_task(found: Bundle, network: Network, output: str, verify: bool) -> Classifier:
    return Classifier(
        network,
        (*found.labels, *found.added_labels),
        output=output,
        out_of_scope=read_out_of_scope(found, verify=verify),
        head=read_head(found, verify=verify) if found.added_labels else None,
        added=lambda: read_added(found, verify=verify),
        rows=lambda: read_known_rows(found, verify=verify),
        bundle=found.description,
    )
