"""The verb `predict`: labels of texts with their probabilities, of every task of the model, and why."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfarch.app import App
from tfarch.cli.arguments import config_of, out_of
from tfarch.cli.texts import batches_of
from tfarch.errors import InputError
from tfarch.quiet import quiet, start_tensorflow

if TYPE_CHECKING:
    from tfarch.runtime import Classifier, MultitaskClassifier, Prediction
    from tfarch.runtime.explanation import Explanation


def predict(app: App, options: argparse.Namespace, command: str) -> int:
    """Prints a line for each text; with `--json` an object, of a model of several tasks with one of each."""
    from tfarch.runtime import MultitaskClassifier, load_classifier
    from tfarch.runtime.network import require_positive

    config = config_of(app, options)
    if options.texts and options.input:
        raise InputError("texts are given both as arguments and by --input", mend="give one of them")
    if not options.explain and (options.method is not None or options.nearest is not None):
        raise InputError("--method and --nearest say how to explain", mend="add --explain")
    if options.explain and getattr(options, "sentences", False):
        raise InputError("--explain is of whole texts, --sentences of their sentences", mend="give one of them")
    require_positive("top", options.top)
    bundle = Path(options.bundle) if options.bundle else out_of(app, options) / "bundle"
    threads = options.threads or min(4, len(os.sched_getaffinity(0)))
    with quiet():  # LiteRT tells which delegate it takes
        tasks = MultitaskClassifier.of(load_classifier(bundle, threads=threads))
    if options.explain:
        return _explain(app, options, tasks, batches_of(options, config, 32), bundle)
    for texts in batches_of(options, config):
        for text, answer in zip(texts, _answers(app, tasks, texts, options), strict=True):
            print(json.dumps(answer.as_dict(text), ensure_ascii=False) if options.json else answer.line(text))
        sys.stdout.flush()
    return 0


class _Answer:
    """What the tasks say of one text, what the app makes of it, and what they say of its sentences where that was asked."""

    def __init__(self, tasks: Mapping[str, Classifier], found: Mapping[str, Prediction], extra: Mapping[str, float]):
        self._tasks, self._found, self._extra = tasks, found, extra
        self.sentences: list[tuple[str, _Answer]] = []

    def as_dict(self, text: str) -> dict[str, Any]:
        """The object that `predict --json` prints."""
        told: dict[str, Any] = {"text": text}
        for task, prediction in self._found.items():
            own = prediction.as_dict()
            del own["text"]
            told |= {task: own} if task else own
        told |= self._extra
        if self.sentences:
            told["sentences"] = [answer.as_dict(sentence) for sentence, answer in self.sentences]
        return told

    def line(self, text: str) -> str:
        """The line for people, with one for each sentence below it."""
        extra = _figures(self._extra)
        if "" in self._found:
            own = prediction_line(self._found[""], self._tasks[""], text)
        else:
            labels = "  ".join(_label(prediction, self._tasks[task]) for task, prediction in self._found.items())
            own = f"{labels}  {extra}{' '.join(text.split())[:80]}"
        return "\n".join([own, *(f"    {answer.line(sentence)}" for sentence, answer in self.sentences)])


def _answers(app: App, tasks: MultitaskClassifier, texts: Sequence[str], options: argparse.Namespace) -> list[_Answer]:
    from tfarch.runtime.passages import sentences

    answers = _of_texts(app, tasks, texts, options.top)
    if not getattr(options, "sentences", False):
        return answers
    parts = [[text[start:end] for start, end in sentences(text)] for text in texts]
    found = iter(_of_texts(app, tasks, [part for each in parts for part in each], options.top))
    for answer, own in zip(answers, parts, strict=True):
        answer.sentences = [(part, next(found)) for part in own]
    return answers


def _of_texts(app: App, tasks: MultitaskClassifier, texts: Sequence[str], top: int) -> list[_Answer]:
    long_texts = _long_texts(app, tasks)
    if "" in tasks and app.measure is None:
        predictions = {"": tasks[""].predict(texts, top=top, long_texts=long_texts)}
        extras: Sequence[Mapping[str, float]] = [{}] * len(texts)
    else:
        probabilities, vectors = tasks.answers(texts, long_texts=long_texts)
        predictions = {task: each.predictions(texts, probabilities[task], vectors, top=top) for task, each in tasks.items()}
        extras = app.measure(tasks, probabilities) if app.measure else [{}] * len(texts)
    rows = zip(*predictions.values(), extras, strict=True)
    return [_Answer(tasks, dict(zip(predictions, row[:-1], strict=True)), row[-1]) for row in rows]


def _long_texts(app: App, tasks: MultitaskClassifier) -> bool:
    """Whether long texts are answered by all of their passages: as the bundle says, and as the app does where an older one does not say."""
    return tasks.bundle.get("long_texts", app.long_texts)


def _figures(extra: Mapping[str, float]) -> str:
    return "".join(f"{name} {value:+.2f}  " for name, value in extra.items())


def prediction_line(prediction: Prediction, classifier: Classifier, text: str) -> str:
    """A prediction for people."""
    others = ", ".join(f"{name} {probability:.2f}" for name, probability in prediction.top[0 if prediction.out_of_scope else 1 :])
    return f"{_label(prediction, classifier)}  {' '.join(text.split())[:80]}" + (f"  ({others})" if others else "")


def _label(prediction: Prediction, classifier: Classifier) -> str:
    label = "out of scope" if prediction.out_of_scope else prediction.label
    return f"{label:<{max(map(len, classifier.labels))}}  {prediction.probability:.2f}"


def _explain(app: App, options: argparse.Namespace, tasks: MultitaskClassifier, texts: Iterable[Sequence[str]], bundle: Path) -> int:
    """`predict --explain`: the run that the bundle lies in lends what the bundle lacks, training rows and the float model."""
    from tfarch.cli.explained import colours, shown

    nearest = 3 if options.nearest is None else options.nearest
    if nearest < 0:
        raise InputError(f"--nearest {nearest}: at least 0")
    if getattr(options, "task", None) is not None:
        tasks = tasks.only(options.task)
    long_texts = _long_texts(app, tasks)
    lent = {task: _lent(task, classifier, bundle, options.method, nearest) for task, classifier in tasks.items()}
    colour = colours()
    for chunk in texts:
        explained = {
            task: classifier.explain(chunk, top=options.top, nearest=nearest, long_texts=long_texts, **lent[task])
            for task, classifier in tasks.items()
        }
        extras = app.measure(tasks, tasks.answers(chunk, long_texts=long_texts)[0]) if app.measure else [{}] * len(chunk)
        for number, (text, extra) in enumerate(zip(chunk, extras, strict=True)):
            found = {task: each[number] for task, each in explained.items()}
            if options.json:
                print(json.dumps({"text": text, **_explained(found), **extra}, ensure_ascii=False))
            else:
                if extra:
                    print(_figures(extra).rstrip())
                for task, each in found.items():
                    before = f"{task}: " if task else ""
                    print(f"{before}{prediction_line(each.prediction, tasks[task], text)}\n{shown(each, colour=colour)}")
        sys.stdout.flush()
    return 0


def _explained(found: Mapping[str, Explanation]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for task, each in found.items():
        own = {**each.prediction.as_dict(), "explanation": each.as_dict()}
        del own["text"]
        told |= {task: own} if task else own
    return told


def _lent(task: str, classifier: Classifier, bundle: Path, method: str | None, nearest: int) -> dict[str, Any]:
    """The method and the training rows that the run lends, as `Classifier.explain` takes them."""
    from tfarch.pipeline.run_beside import known_rows_of, run_beside

    run, lent = run_beside(bundle, task), {}
    if method == "integrated_gradients":
        if run is None:
            raise InputError(
                "integrated gradients need the weights of the run that made this bundle, and they are not in the folder above it",
                file=bundle,
                mend="name the run by --out, or leave out --method",
            )
        start_tensorflow()
        from tfarch.pipeline.explanation_job import GradientMethod

        lent["method"] = GradientMethod(run, task)
    if nearest and classifier.known_rows is None and run is not None:
        kept = known_rows_of(run, task)
        lent["rows"] = None if kept is None else classifier.with_added(kept)
    return lent
