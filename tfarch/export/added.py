"""Adds classes to a bundle without training, and takes them out again: further columns of the head, in seconds.

The examples lie in the bundle as `added.csv`, for a training that takes them in.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfarch.errors import InputError
from tfarch.export.bundle import arrays_file, update_bundle
from tfarch.runtime import Classifier, load, read_bundle
from tfarch.runtime.bundle import ADDED, Bundle, read_added, read_head, read_out_of_scope

FEWEST = 2  # examples of a class


def added_examples(bundle: str | Path) -> dict[str, list[str]]:
    """The examples of each class that was added, in the order in which they were."""
    return read_added(read_bundle(bundle, verify=False))


def add_class(bundle: str | Path, label: str, texts: Sequence[str]) -> Bundle:
    """Adds a class by a few examples; one of that name that was added before is replaced.

    Raises:
        InputError: the model was trained on a class of that name, there are too few examples, or one is empty.
        BundleError: the bundle is damaged, or was exported without what this needs.
    """
    found = read_bundle(bundle, verify=False)
    texts = list(dict.fromkeys(text.strip() for text in texts))
    if label in found.labels:
        raise InputError(f"{label!r} is one of the classes that the model was trained on", mend="choose another name, or train anew")
    if not label.strip() or label.splitlines() != [label]:
        raise InputError(f"{label!r} is no name of a class")
    if len(texts) < FEWEST or not all(texts):
        raise InputError(
            f"{len(texts)} different examples of {label!r}, none of which may be empty: at least {FEWEST} are needed, 10 are good"
        )
    return _with(found, {**added_examples(bundle), label: texts})


def remove_class(bundle: str | Path, label: str) -> Bundle:
    """Takes out a class that was added.

    Raises:
        InputError: no class of that name was added.
    """
    examples = added_examples(bundle)
    if label not in examples:
        raise InputError(f"no class {label!r} was added to this bundle")
    return _with(read_bundle(bundle, verify=False), {name: texts for name, texts in examples.items() if name != label})


def _with(found: Bundle, examples: Mapping[str, Sequence[str]]) -> Bundle:
    """The bundle with these added classes and no others."""
    classifier, head, rule = load(found.folder, verify=False), read_head(found), read_out_of_scope(found)
    before = added_examples(found.folder)
    head = head.first(len(found.labels))
    score = None if rule is None else rule.score.without_classes(len(before), sum(map(len, before.values())))
    for texts in examples.values():
        vectors = classifier.vectors(texts)
        head = head.with_class(vectors)
        score = None if score is None else score.with_class(head.kernel[:, -1], float(head.bias[-1]), vectors)
    described = found.description["head"]
    files: dict[str, bytes | str] = {described["file"]: arrays_file(**head.as_arrays())}
    if score is not None and score.statistics:
        files[found.description["out_of_scope"]["file"]] = arrays_file(**score.statistics)
    if examples:
        files[ADDED] = _table(examples)
    changes = {"head": {**described, "added_labels": list(examples)}}
    return update_bundle(found.folder, changes, files, without=() if examples else (ADDED,))


def _table(examples: Mapping[str, Sequence[str]]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["text", "label"])
    writer.writerows((text, label) for label, texts in examples.items() for text in texts)
    return table.getvalue()


@dataclass(frozen=True)
class Moved:
    """What a change of a bundle did to questions whose class is known.

    rows: how many were asked.
    lost, won: (text, label, said before, said now) of those that were right and are not, and the other way round.
    """

    rows: int
    lost: tuple[tuple[str, str, str, str], ...]
    won: tuple[tuple[str, str, str, str], ...]


def moved(before: Classifier, after: Classifier, texts: Sequence[str], labels: Sequence[str]) -> Moved:
    """The regression check: the same questions, before and after."""
    then, now = ([prediction.label for prediction in each.predict(texts)] for each in (before, after))
    changed = [each for each in zip(texts, labels, then, now, strict=True) if each[2] != each[3]]
    lost, won = (tuple(each for each in changed if each[place] == each[1]) for place in (2, 3))
    return Moved(len(texts), lost, won)
