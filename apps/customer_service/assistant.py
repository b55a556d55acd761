"""Answers a customer's message: each question in it by the answer of its intent, by the FAQ, by asking back, or by handing over to a person; and says
which of these it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from apps.customer_service.knowledge import Knowledge, load_knowledge
from apps.customer_service.questions import Understanding, questions
from tfarch.runtime import Classifier, load

SURE = 0.5  # least probability at which an intent, or an entry of the FAQ, answers
LIKELY = 0.5  # least probability of two intents together at which the app asks which of them is meant

ASK = "Is it about {first}, or about {second}?"
HAND_OVER = "That I can't answer. I pass you on to a person."
UNKNOWN = "About “{question}” I know nothing; a person can help with that."


@dataclass(frozen=True)
class Reply:
    """What is said to one question.

    question: its words, as the customer wrote them.
    text: the answer.
    source: "intent", "faq", "ask" (which of two is meant) or "handover".
    name: the intent, or the FAQ's entry; None where a person must answer.
    probability: that it is this one.
    choices: the two intents that are asked about.
    slots: what was filled into the answer.
    """

    question: str
    text: str
    source: str
    name: str | None
    probability: float
    choices: tuple[str, ...] = ()
    slots: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The object that `answer --json` prints for it."""
        return {
            "question": self.question,
            "text": self.text,
            "source": self.source,
            "name": self.name,
            "probability": self.probability,
            "choices": list(self.choices),
            "slots": dict(self.slots),
        }


@dataclass
class Conversation:
    """What is known of a customer from what was said before: the slots' values, what was asked back, how often each intent was answered."""

    slots: dict[str, str] = field(default_factory=dict)
    asked: Reply | None = None
    answered: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Answers:
    """What the model says of some texts."""

    probabilities: np.ndarray  # [n, classes]
    in_scope: np.ndarray  # bool [n]
    faq: np.ndarray  # [n, entries + 1]


class Assistant:
    """Answers messages with a classifier and what is known.

    >>> assistant = Assistant.load("saved_models/customer_service/bundle")                    # doctest: +SKIP
    >>> [reply.text for reply in assistant.reply("where is order LK-123456?")]                # doctest: +SKIP
    """

    def __init__(self, classifier: Classifier, knowledge: Knowledge):
        self.classifier, self.knowledge = classifier, knowledge

    @classmethod
    def load(cls, bundle: str | Path, *, threads: int = 1) -> Assistant:
        """The assistant of a bundle.

        Raises:
            BundleError: the bundle is damaged.
        """
        classifier = load(bundle, threads=threads)
        return cls(classifier, load_knowledge(bundle, classifier))

    def reply(self, message: str, conversation: Conversation | None = None) -> list[Reply]:
        """A reply to each question of the message, in their order. `conversation` is gone on with, and changed."""
        conversation = conversation or Conversation()
        conversation.slots.update(self.knowledge.answers.values(message))
        chosen = self._chosen(message, conversation.asked)
        conversation.asked = None
        if chosen:
            return [self._answered(message, chosen, 1.0, conversation)]
        parts = questions(message, self.understand) if message.strip() else [message.strip()]
        answers = self._answers(parts)
        replies = [self._reply(part, answers, row, conversation, alone=len(parts) == 1) for row, part in enumerate(parts)]
        asked = [reply for reply in replies if reply.source == "ask"]
        conversation.asked = asked[-1] if asked else None
        return replies

    def understand(self, texts: Sequence[str]) -> list[Understanding]:
        """What each text is taken for: an intent, an entry of the FAQ (`faq:` and its id), or nothing that is known."""
        return [self._understood(*each) for each in self._each(self._answers(texts))]

    def _answers(self, texts: Sequence[str]) -> _Answers:
        probabilities, vectors = self.classifier.answers(texts)
        rule = self.classifier.out_of_scope
        in_scope = np.ones(len(texts), bool) if rule is None else ~rule.rejects(probabilities, vectors)
        return _Answers(probabilities, in_scope, self.knowledge.faq.probabilities(texts, vectors))

    @staticmethod
    def _each(answers: _Answers):
        return zip(answers.probabilities, answers.in_scope, answers.faq, strict=True)

    def _understood(self, probabilities: np.ndarray, in_scope: bool, faq: np.ndarray) -> Understanding:
        best, entry = int(probabilities.argmax()), int(faq.argmax())
        intent = float(probabilities[best]) if in_scope else 0.0
        found = float(faq[entry]) if entry < len(self.knowledge.faq.entries) else 0.0
        if max(intent, found) < SURE:
            return Understanding(None, 1.0 - max(intent, found))
        if intent >= found:
            return Understanding(self.classifier.labels[best], intent)
        return Understanding(f"faq:{self.knowledge.faq.entries[entry].id}", found)

    def _reply(self, question: str, answers: _Answers, row: int, conversation: Conversation, *, alone: bool) -> Reply:
        probabilities, faq = answers.probabilities[row], answers.faq[row]
        found = self._understood(probabilities, bool(answers.in_scope[row]), faq)
        if found.meaning is not None and found.meaning.startswith("faq:"):
            entry = self.knowledge.faq.entries[int(faq.argmax())]
            return Reply(question, entry.answer, "faq", entry.id, found.confidence)
        if found.meaning is not None:
            return self._answered(question, found.meaning, found.confidence, conversation)
        first, second = (int(place) for place in np.argsort(-probabilities, kind="stable")[:2])
        if answers.in_scope[row] and probabilities[first] + probabilities[second] >= LIKELY:
            names = (self.classifier.labels[first], self.classifier.labels[second])
            text = ASK.format(first=_spoken(names[0]), second=_spoken(names[1]))
            return Reply(question, text, "ask", None, float(probabilities[first]), names)
        text = HAND_OVER if alone else UNKNOWN.format(question=question)
        return Reply(question, text, "handover", None, found.confidence)

    def _answered(self, question: str, intent: str, probability: float, conversation: Conversation) -> Reply:
        turn = conversation.answered.get(intent, 0)
        answer = self.knowledge.answers.answer(intent, conversation.slots, turn)
        conversation.answered[intent] = turn + 1
        if answer is None:  # an intent that is understood but that nobody wrote an answer for
            return Reply(question, HAND_OVER, "handover", intent, probability)
        return Reply(question, answer.text, "intent", intent, probability, slots=answer.slots)

    @staticmethod
    def _chosen(message: str, asked: Reply | None) -> str | None:
        """The intent that the customer chose of the two asked about: by number, "first" or "second", or by words of its name."""
        words = "".join(letter if letter.isalnum() else " " for letter in message.lower()).split()
        if asked is None or not words or len(words) > 6:
            return None
        for place, (number, order) in enumerate((("1", "first"), ("2", "second"))):
            if number in words or order in words:
                return asked.choices[place]
        shared = [len(set(words) & set(name.lower().split("_"))) for name in asked.choices]
        return None if shared[0] == shared[1] else asked.choices[int(shared[1] > shared[0])]


def _spoken(label: str) -> str:
    return " ".join(label.replace("_", " ").split())
