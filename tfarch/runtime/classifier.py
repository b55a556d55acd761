"""Text in, label out: one task of a network, with its labels and its rule of what is out of scope."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tfarch.errors import BundleError
from tfarch.runtime.head import Head
from tfarch.runtime.known_rows import KnownRows
from tfarch.runtime.network import Network, checked, require_positive
from tfarch.runtime.passages import Parts, of_texts
from tfarch.runtime.scope import ScopeRule
from tfarch.runtime.signature import OUTPUT, VECTOR
from tfarch.runtime.tokeniser import Tokeniser

if TYPE_CHECKING:
    from tfarch.runtime.explanation import Explanation, Method


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
    """One task of a network: its labels, its rule of what is out of scope, and the classes that were added to it.

    Args:
        network: the file with its tokeniser.
        labels: names of the classes in the order of the output.
        output: which of the file's outputs holds their probabilities.
        out_of_scope: the score and threshold of "I don't know", or None where no text is called out of scope.
        head: the last layer with the columns of classes that were added to the file's own; their labels are the last ones.
        added: gives the examples of these classes, when an explanation asks for them.
        rows: gives the training rows that are known, likewise.
        bundle: the whole of bundle.json, for whoever wants to look; its `long_texts` is the default of all that takes texts.

    Raises:
        BundleError: the file does not fit the labels.
    """

    def __init__(
        self,
        network: Network,
        labels: Sequence[str],
        *,
        output: str = OUTPUT,
        out_of_scope: ScopeRule | None = None,
        head: Head | None = None,
        added: Callable[[], Mapping[str, Sequence[str]]] = dict,
        rows: Callable[[], KnownRows | None] = lambda: None,
        bundle: Mapping[str, Any] | None = None,
    ):
        self.network, self.output = network, output
        self.labels = tuple(labels)
        self.bundle = dict(bundle or {})
        self.long_texts = bool(self.bundle.get("long_texts"))
        self.out_of_scope, self._head = out_of_scope, head
        self._added, self._rows = added, rows
        own = network.widths.get(output)
        if own is None:
            raise BundleError(f"has the outputs {sorted(network.widths)}; expected {output}", file=network.file)
        if own != len(self.labels) and (head is None or own > len(self.labels)):
            raise BundleError(f"gives {own} probabilities, but there are {len(self.labels)} labels", file=network.file)
        if out_of_scope is not None and out_of_scope.score.needs_vectors and VECTOR not in network.widths:
            method = out_of_scope.score.method
            raise BundleError(f"has no output {VECTOR}, which the out-of-scope method {method} needs", file=network.file)

    @property
    def tokeniser(self) -> Tokeniser:
        """The network's."""
        return self.network.tokeniser

    @property
    def max_length(self) -> int:
        """Tokens of a text, [CLS] and [SEP] included; longer texts are cut, or read by their passages (`long_texts`)."""
        return self.network.max_length

    def probabilities(self, texts: Sequence[str], *, batch_size: int = 32, long_texts: bool | None = None) -> np.ndarray:
        """Probabilities of the classes, float32 `[texts, classes]`, as `answers` gives them."""
        if self._head is not None:
            return self.answers(texts, batch_size=batch_size, long_texts=long_texts)[0]
        return self._outputs(texts, (self.output,), batch_size, long_texts)[0]

    def vectors(self, texts: Sequence[str], *, batch_size: int = 32, long_texts: bool | None = None) -> np.ndarray:
        """The encoder's vectors of the texts, float32 `[texts, width]`, as `answers` gives them.

        Raises:
            InputError: as `answers`.
            BundleError: the file was exported without them.
        """
        return self._outputs(texts, (VECTOR,), batch_size, long_texts)[0]

    def answers(self, texts: Sequence[str], *, batch_size: int = 32, long_texts: bool | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of the classes, float32 `[texts, classes]`, and text vectors, `[texts, width]`, in the order of `texts`; see `Network.of_texts`.

        Args:
            long_texts: a text that is too long for the model is answered by all of its passages, and not by its beginning; default: as the bundle says.

        Raises:
            InputError: a text that is not str (names its index), or one str where a list of them is expected.
            BundleError: the file was exported without text vectors.
        """
        probabilities, vectors = self._outputs(texts, (self.output, VECTOR), batch_size, long_texts)
        return self.extended(probabilities, vectors), vectors

    def answers_of_ids(
        self, rows: Sequence[np.ndarray], *, batch_size: int = 32, parts: Parts | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """As `answers` for texts that are token ids already, int32 `[tokens]` each, or for those whose `parts` they are; the vectors are None where the file
        has none."""
        names = (self.output, VECTOR) if VECTOR in self.network.widths else (self.output,)
        outputs = self.network.of_ids(rows, names, batch_size=batch_size)
        probabilities, *rest = outputs if parts is None else parts.together(outputs, names, list(map(len, rows)))
        vectors = rest[0] if rest else None
        return self.extended(probabilities, vectors), vectors

    def extended(self, probabilities: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """The network's probabilities of this task `[texts, own classes]` with those of the classes that were added."""
        return probabilities if self._head is None else self._head.extended(probabilities, vectors)

    def _outputs(self, texts: Sequence[str], names: Sequence[str], batch_size: int, long_texts: bool | None) -> tuple[np.ndarray, ...]:
        long_texts = self.long_texts if long_texts is None else long_texts
        return of_texts(self.network, texts, names, long_texts=long_texts, batch_size=batch_size)

    def predict(self, texts: Sequence[str], *, top: int = 3, batch_size: int = 32, long_texts: bool | None = None) -> list[Prediction]:
        """The `top` most probable labels of each text, in the order of `texts`; `long_texts` as of `answers`.

        >>> tfarch.load("saved_models/customer_service/bundle").predict(["where is my card?"])[0].label  # doctest: +SKIP
        'card_arrival'

        Raises:
            InputError: as `probabilities`; `top` under 1.
        """
        require_positive("top", top)
        texts, rule = checked(texts), self.out_of_scope
        if rule is not None and rule.score.needs_vectors:
            return self.predictions(texts, *self.answers(texts, batch_size=batch_size, long_texts=long_texts), top=top)
        return self.predictions(texts, self.probabilities(texts, batch_size=batch_size, long_texts=long_texts), None, top=top)

    def predictions(self, texts: Sequence[str], probabilities: np.ndarray, vectors: np.ndarray | None, *, top: int = 3) -> list[Prediction]:
        """What `predict` says of texts whose probabilities `[texts, classes]` and, where the rule needs them, vectors `[texts, width]` are known.

        Raises:
            InputError: `top` under 1.
        """
        require_positive("top", top)
        rule = self.out_of_scope
        rejected = [None] * len(texts) if rule is None else rule.rejects(probabilities, vectors).tolist()
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
        long_texts: bool | None = None,
    ) -> list[Explanation]:
        """Why each text is answered as it is: what its words count, the scope rule's score, and training rows that are near.

        A text of n words costs n + 2 texts by occlusion, at most 66; one of p passages at most 512 + 2 p, or 3 p. What is explained is what `predict` says.

        >>> found = tfarch.load("saved_models/customer_service/bundle").explain(["where is my card?"])  # doctest: +SKIP
        >>> found[0].moving()[0].text  # doctest: +SKIP
        'card'

        Args:
            top: labels of the prediction.
            nearest: training rows to show; 0: none.
            method: weighs the words; default: leaving them out, `tfarch.runtime.occlusion`.
            rows: the training rows to look among; default: those that the bundle holds.
            long_texts: as of `answers`; a word of a passage counts in the text what it counts there, by the passage's share of the tokens.

        Raises:
            InputError: as `predict`.
        """
        from tfarch.runtime.explanation import NO_ROWS, NO_VECTORS, Scope, explanations
        from tfarch.runtime.occlusion import Occlusion

        require_positive("top", top)
        texts, rule = checked(texts), self.out_of_scope
        long_texts = self.long_texts if long_texts is None else long_texts
        parts = Parts.of(texts, self.tokeniser, self.max_length) if long_texts else Parts.whole(texts)
        counts = parts.counts.tolist()
        located = [
            dataclasses.replace(self.tokeniser.locate(text, self.max_length), passages=counts[owner])
            for text, owner in zip(parts.texts, parts.owners, strict=True)
        ]
        probabilities, vectors = self.answers_of_ids([each.ids for each in located], batch_size=batch_size, parts=parts)
        scopes: list[Scope | None] = [None] * len(texts)
        if rule is not None:
            scores = rule.score(probabilities, vectors).tolist()
            scopes = [Scope(rule.score.method, score, rule.threshold) for score in scores]
        predictions = self.predictions(texts, probabilities, vectors, top=top)
        rows = rows or (self.known_rows if nearest else None)
        missing = () if not nearest or (rows and vectors is not None) else (NO_VECTORS if rows else NO_ROWS,)
        neighbours = [()] * len(texts) if not nearest or missing else rows.nearest(vectors, nearest)
        return explanations(parts, located, predictions, scopes, neighbours, method or Occlusion(self, batch_size=batch_size), missing)

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
