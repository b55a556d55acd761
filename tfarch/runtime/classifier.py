"""Text in, label out: a TFLite classifier run by LiteRT, with the tokeniser in front. TensorFlow is never imported."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tfarch.errors import BundleError, InputError
from tfarch.runtime.bundle import read_added, read_bundle, read_head, read_known_rows, read_out_of_scope
from tfarch.runtime.head import Head
from tfarch.runtime.known_rows import KnownRows
from tfarch.runtime.scope import ScopeRule
from tfarch.runtime.tokeniser import Tokeniser

if TYPE_CHECKING:
    from tfarch.runtime.explanation import Explanation, Method

INPUTS = ("ids", "mask", "segment_ids")
OUTPUT, VECTOR = "probabilities", "text_vector"
SIGNATURE = "serving_default"

# Lengths are padded to a multiple of this, so that fewer queries change the input's shape: a change costs 0.15 to 0.3 ms, a padded token
# its share of the model. 3 x 300 BANKING77 test questions one at a time, MiniLM-L6 dynamic int8, AVX2; time against exact lengths at 1 /
# 2 threads: multiple of 2: 0.99 / 0.98; of 4: 0.97 / 1.02; of 8: 1.09 / 0.96; of 16: 1.17 / 0.99.
_LENGTH_STEP = 4
# Texts are tokenised and sorted by length in windows of this many batches: enough to pad little, and memory stays bounded however many
# texts come.
_WINDOW_BATCHES = 64


@dataclass(frozen=True)
class Prediction:
    """What the model says of one text.

    text: as it was given.
    label, probability: the most probable class.
    out_of_scope: whether the text's score is under the bundle's threshold; None where the bundle has none.
    top: the most probable classes with their probabilities, best first.
    """

    text: str
    label: str
    probability: float
    out_of_scope: bool | None
    top: tuple[tuple[str, float], ...]

    def as_dict(self) -> dict[str, Any]:
        """The object that `predict --json` prints."""
        return {
            "text": self.text,
            "label": self.label,
            "probability": self.probability,
            "out_of_scope": self.out_of_scope,
            "top": [{"label": label, "probability": probability} for label, probability in self.top],
        }


class Classifier:
    """A TFLite classifier with its tokeniser and labels.

    It may be called from several threads: a lock lets one at a time into the interpreter, which is not re-entrant. For answers in
    parallel give each thread or process a classifier of its own; they share the file's pages, but each packs its weights for the
    processor (about the file's size).

    Args:
        model_file: a TFLite file with the signature `serving_default`: int32 ids, mask, segment_ids `[batch, length]` -> float32
            probabilities `[batch, classes]` and text_vector `[batch, width]`, which older files lack. Dynamic dimensions are resized; a fixed
            `[1, length]` is padded to, a text at a time.
        tokeniser: turns texts into ids; padding is id 0.
        labels: names of the classes in the order of the output.
        max_length: tokens of a text, [CLS] and [SEP] included; longer texts are cut (also to a shorter fixed length of the file).
        threads: threads of the interpreter.
        out_of_scope: the score and threshold of "I don't know", or None where no text is called out of scope.
        head: the last layer with the columns of classes that were added to the file's own; their labels are the last ones.
        added: gives the examples of these classes, when an explanation asks for them.
        rows: gives the training rows that are known, likewise.
        bundle: the whole of bundle.json, for whoever wants to look.

    Raises:
        BundleError: the file cannot be run, or does not fit the labels.
        InputError: `threads` is not a positive whole number.
    """

    def __init__(
        self,
        model_file: str | Path,
        tokeniser: Tokeniser,
        labels: Sequence[str],
        max_length: int,
        *,
        threads: int = 1,
        out_of_scope: ScopeRule | None = None,
        head: Head | None = None,
        added: Callable[[], Mapping[str, Sequence[str]]] = dict,
        rows: Callable[[], KnownRows | None] = lambda: None,
        bundle: Mapping[str, Any] | None = None,
    ):
        _require_positive("threads", threads)
        self.labels = tuple(labels)
        self.bundle = dict(bundle or {})
        self.tokeniser = tokeniser
        self.out_of_scope, self._head = out_of_scope, head
        self._added, self._rows = added, rows
        self._lock = threading.Lock()
        self._interpreter, self._inputs, self._outputs = _open(Path(model_file), threads)
        own = self._outputs[OUTPUT]["shape"][-1]
        if own != len(self.labels) and (head is None or own > len(self.labels)):
            raise BundleError(f"gives {own} probabilities, but there are {len(self.labels)} labels", file=model_file)
        if out_of_scope is not None and out_of_scope.score.needs_vectors and VECTOR not in self._outputs:
            raise BundleError(f"has no output {VECTOR}, which the out-of-scope method {out_of_scope.score.method} needs", file=model_file)
        # -1 where the file leaves a dimension open.
        self._fixed_batch, self._fixed_length = map(int, self._inputs["ids"]["shape_signature"])
        self._shape = tuple(map(int, self._inputs["ids"]["shape"]))
        self.max_length = max_length if self._fixed_length < 0 else min(max_length, self._fixed_length)

    def probabilities(self, texts: Sequence[str], *, batch_size: int = 32) -> np.ndarray:
        """Probabilities of the classes, float32 `[texts, classes]`, as `answers` gives them."""
        if self._head is not None:
            return self.answers(texts, batch_size=batch_size)[0]
        return self._answers(texts, batch_size, (OUTPUT,))[0]

    def vectors(self, texts: Sequence[str], *, batch_size: int = 32) -> np.ndarray:
        """The encoder's vectors of the texts, float32 `[texts, width]`, as `answers` gives them.

        Raises:
            InputError: as `answers`.
            BundleError: the file was exported without them.
        """
        return self._answers(texts, batch_size, (VECTOR,))[0]

    def answers(self, texts: Sequence[str], *, batch_size: int = 32) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of the classes, float32 `[texts, classes]`, and text vectors, `[texts, width]`, in the order of `texts`.

        Texts are sorted by length inside, so that a batch is padded little. The empty string is a text: [CLS] [SEP]. The company in a batch
        changes a text's probabilities by rounding alone: about 1e-7 in a float32 file, up to 2e-3 in an int8 one, which rounds activations.

        Raises:
            InputError: a text that is not str (names its index), or one str where a list of them is expected.
            BundleError: the file was exported without text vectors.
        """
        probabilities, vectors = self._answers(texts, batch_size, (OUTPUT, VECTOR))
        return (probabilities if self._head is None else self._head.extended(probabilities, vectors)), vectors

    def answers_of_ids(self, rows: Sequence[np.ndarray], *, batch_size: int = 32) -> tuple[np.ndarray, np.ndarray | None]:
        """As `answers` for texts that are token ids already, int32 `[tokens]` each; the vectors are None where the file has none."""
        names = (OUTPUT, VECTOR) if VECTOR in self._outputs else (OUTPUT,)
        probabilities, *rest = self._gather(rows, lambda part: part, batch_size, names)
        vectors = rest[0] if rest else None
        return (probabilities if self._head is None else self._head.extended(probabilities, vectors)), vectors

    def _answers(self, texts: Sequence[str], batch_size: int, names: tuple[str, ...]) -> tuple[np.ndarray, ...]:
        return self._gather(_checked(texts), lambda part: self.tokeniser.encode(part, self.max_length), batch_size, names)

    def _gather(
        self, texts: Sequence[Any], encode: Callable[[Sequence[Any]], Sequence[np.ndarray]], batch_size: int, names: tuple[str, ...]
    ) -> tuple[np.ndarray, ...]:
        """The outputs `[texts, ...]` of whatever `encode` makes token ids of."""
        _require_positive("batch_size", batch_size)
        for name in names:
            if name not in self._outputs:
                raise BundleError(f"the model file has no output {name}", mend="export it again with this version of tfarch")
        if self._fixed_batch > 0:
            batch_size = self._fixed_batch
        results = tuple(np.empty((len(texts), self._outputs[name]["shape"][-1]), np.float32) for name in names)
        window = batch_size * _WINDOW_BATCHES
        for start in range(0, len(texts), window):
            encoded = encode(texts[start : start + window])
            order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
            for first in range(0, len(order), batch_size):
                batch = order[first : first + batch_size]
                outputs = self._run([encoded[index] for index in batch], names)
                for result, output in zip(results, outputs, strict=True):
                    result[[start + index for index in batch]] = output
        return results

    def predict(self, texts: Sequence[str], *, top: int = 3, batch_size: int = 32) -> list[Prediction]:
        """The `top` most probable labels of each text, in the order of `texts`.

        >>> tfarch.load("saved_models/customer_service/bundle").predict(["where is my card?"])[0].label  # doctest: +SKIP
        'card_arrival'

        Raises:
            InputError: as `probabilities`; `top` under 1.
        """
        _require_positive("top", top)
        texts, rule = _checked(texts), self.out_of_scope
        if rule is None:
            probabilities = self.probabilities(texts, batch_size=batch_size)
            rejected = [None] * len(texts)
        elif rule.score.needs_vectors:
            probabilities, vectors = self.answers(texts, batch_size=batch_size)
            rejected = rule.rejects(probabilities, vectors).tolist()
        else:
            probabilities = self.probabilities(texts, batch_size=batch_size)
            rejected = rule.rejects(probabilities, None).tolist()
        return [self._prediction(*each, top) for each in zip(texts, probabilities, rejected, strict=True)]

    def explain(
        self,
        texts: Sequence[str],
        *,
        top: int = 3,
        nearest: int = 3,
        method: Method | None = None,
        rows: KnownRows | None = None,
        batch_size: int = 32,
    ) -> list[Explanation]:
        """Why each text is answered as it is: what its words count, the scope rule's score, and training rows that are near.

        A text of n words costs n + 2 texts by occlusion, at most 66; what is explained is what `predict` says.

        >>> found = tfarch.load("saved_models/customer_service/bundle").explain(["where is my card?"])  # doctest: +SKIP
        >>> found[0].moving()[0].text  # doctest: +SKIP
        'card'

        Args:
            top: labels of the prediction.
            nearest: training rows to show; 0: none.
            method: weighs the words; default: leaving them out, `tfarch.runtime.occlusion`.
            rows: the training rows to look among; default: those that the bundle holds.

        Raises:
            InputError: as `predict`.
        """
        from tfarch.runtime.explanation import NO_ROWS, NO_VECTORS, Scope, explanations
        from tfarch.runtime.occlusion import Occlusion

        _require_positive("top", top)
        texts, rule = _checked(texts), self.out_of_scope
        located = [self.tokeniser.locate(text, self.max_length) for text in texts]
        probabilities, vectors = self.answers_of_ids([each.ids for each in located], batch_size=batch_size)
        scopes: list[Scope | None] = [None] * len(texts)
        rejected = [None] * len(texts)
        if rule is not None:
            rejected = rule.rejects(probabilities, vectors).tolist()
            scores = rule.score(probabilities, vectors).tolist()
            scopes = [Scope(rule.score.method, score, rule.threshold) for score in scores]
        predictions = [self._prediction(*each, top) for each in zip(texts, probabilities, rejected, strict=True)]
        rows = rows or (self.known_rows if nearest else None)
        missing = () if not nearest or (rows and vectors is not None) else (NO_VECTORS if rows else NO_ROWS,)
        neighbours = [()] * len(texts) if not nearest or missing else rows.nearest(vectors, nearest)
        return explanations(located, predictions, scopes, neighbours, method or Occlusion(self, batch_size=batch_size), missing)

    @functools.cached_property
    def known_rows(self) -> KnownRows | None:
        """The training rows that the bundle holds with their texts, the examples of added classes among them; None where it holds none.

        Raises:
            BundleError: their files are damaged.
        """
        rows = self._rows()
        return None if rows is None else self.with_added(rows)

    def with_added(self, rows: KnownRows) -> KnownRows:
        """Training rows and the examples of the classes that were added."""
        added = [(text, label) for label, examples in self._added().items() for text in examples]
        if not added:
            return rows
        texts, labels = zip(*added, strict=True)
        return rows.with_rows(texts, labels, self.vectors(texts))

    def _prediction(self, text: str, probabilities: np.ndarray, rejected: bool | None, top: int) -> Prediction:
        best = np.argsort(-probabilities, kind="stable")[:top]
        ranked = tuple((self.labels[index], float(probabilities[index])) for index in best)
        label, probability = ranked[0]
        return Prediction(text, label, probability, rejected, ranked)

    def _run(self, rows: Sequence[np.ndarray], names: tuple[str, ...]) -> tuple[np.ndarray, ...]:
        """The outputs `[rows, ...]` of token ids, one batch."""
        longest = max(map(len, rows))
        length = self._fixed_length if self._fixed_length > 0 else min(-(-longest // _LENGTH_STEP) * _LENGTH_STEP, self.max_length)
        ids = np.zeros((len(rows), length), np.int32)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        with self._lock:
            if ids.shape != self._shape:
                for name in INPUTS:
                    self._interpreter.resize_tensor_input(self._inputs[name]["index"], ids.shape)
                self._interpreter.allocate_tensors()
                self._shape = ids.shape
            for name, values in zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True):
                self._interpreter.set_tensor(self._inputs[name]["index"], values)
            self._interpreter.invoke()
            return tuple(self._interpreter.get_tensor(self._outputs[name]["index"]) for name in names)


def load(bundle: str | Path, *, threads: int = 1, verify: bool = True) -> Classifier:
    """The classifier of a bundle folder, ready to answer.

    Args:
        bundle: the folder that holds bundle.json.
        threads: threads of the interpreter.
        verify: check the sha256 of the files that are opened (model, vocabulary, out-of-scope statistics); `verify_bundle` checks every file.

    Raises:
        BundleError: the bundle is damaged, incomplete or of a later format; says what is wrong and the mend.
    """
    found = read_bundle(bundle, verify=verify)
    tokeniser = found.description["tokeniser"]
    return Classifier(
        found.model_file,
        Tokeniser.from_file(found.vocabulary_file, lowercase=tokeniser["lowercase"], strip_accents=tokeniser["strip_accents"]),
        (*found.labels, *found.added_labels),
        found.max_length,
        threads=threads,
        out_of_scope=read_out_of_scope(found, verify=verify),
        head=read_head(found, verify=verify) if found.added_labels else None,
        added=lambda: read_added(found, verify=verify),
        rows=lambda: read_known_rows(found, verify=verify),
        bundle=found.description,
    )


def _open(file: Path, threads: int) -> tuple[Interpreter, dict[str, dict], dict[str, dict]]:
    """The interpreter of a file with the details of its inputs and outputs by name."""
    if not file.is_file():
        raise BundleError("there is no such model file", file=file)
    with open(file, "rb") as stream:
        if stream.read(8)[4:] != b"TFL3":
            raise BundleError("is not a TFLite file", file=file)
    try:
        interpreter = Interpreter(model_path=str(file), num_threads=threads)
        signatures = interpreter.get_signature_list()
        if SIGNATURE not in signatures:
            raise BundleError(f"has no signature {SIGNATURE!r}, only {sorted(signatures)}", file=file, mend="export it with tfarch")
        runner = interpreter.get_signature_runner(SIGNATURE)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        del runner  # the interpreter refuses to allocate while something else refers to it
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"LiteRT cannot run this file: {error}", file=file) from error
    if set(inputs) != set(INPUTS) or any(each["dtype"] is not np.int32 or len(each["shape"]) != 2 for each in inputs.values()):
        raise BundleError(f"has the inputs {sorted(inputs)}; expected int32 [batch, length] {', '.join(INPUTS)}", file=file)
    if inputs["ids"]["shape_signature"][0] not in (-1, 1):
        raise BundleError(f"takes {inputs['ids']['shape_signature'][0]} texts at a time; expected 1 or any number", file=file)
    if OUTPUT not in outputs:
        raise BundleError(f"has the outputs {sorted(outputs)}; expected {OUTPUT}", file=file)
    return interpreter, inputs, outputs


def _checked(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, (str, bytes)):
        raise InputError("expected a list of texts, not one text", mend="write [text]")
    texts = list(texts)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"text {index} is {text!r} ({type(text).__name__}), not a str")
    return texts


def _require_positive(name: str, value: int) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value!r}: expected a whole number from 1")
