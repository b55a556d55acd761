"""Answers a customer's message: each question in it by the answer of its intent, by the FAQ, by asking back, or by handing over to a person; and says
which of these it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from apps.customer_service.knowledge import Knowledge, evidence, load_knowledge
from apps.customer_service.questions import Understanding, questions
from apps.customer_service.router import FAQ, INTENT, NOBODY
from tfarch.data.class_names import spoken
from tfarch.runtime import Classifier, load_classifier

# An intent or an entry answers where it is at least this many times as probable as that nobody can: a question that could have been answered and is handed
# over counts twice as much as an answer to one that none is meant for.
EAGER = 0.5
LIKELY = 0.5  # least probability of two intents together at which the app asks which of them is meant

# Five digits or more, with the letters that belong to them.
_IDENTIFIER = re.compile(r"\b(?:[A-Z]{1,3} |[A-Za-z]{1,3}-?)?\d[\d-]{3,}\d\b")

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
    """What model, FAQ and router say of n texts."""

    probabilities: np.ndarray  # of the intents [n, classes]
    entries: np.ndarray  # of the FAQ's entries [n, entries + 1]
    ways: np.ndarray  # that the intent answers, the FAQ, nobody [n, 3]


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
        classifier = load_classifier(bundle, threads=threads)
        return cls(classifier, load_knowledge(bundle, classifier))

    def reply(self, message: str, conversation: Conversation | None = None) -> list[Reply]:
        """A reply to each question of the message, in their order. `conversation` is gone on with, and changed."""
        conversation = conversation or Conversation()
        conversation.slots.update(self.knowledge.answers.values(message))
        chosen = self._chosen(message, conversation.asked)
        conversation.asked = None
        if chosen:
            return [self._answered(message, chosen, 1.0, conversation)]
        replies = self.reply_to(questions(message, self.understand), conversation)
        asked = [reply for reply in replies if reply.source == "ask"]
        conversation.asked = asked[-1] if asked else None
        return replies

    def reply_to(self, parts: Sequence[str], conversation: Conversation | None = None) -> list[Reply]:
        """A reply to each of these questions, which are taken as they are."""
        conversation = conversation or Conversation()
        answers = self._answers(parts)
        return [self._reply(part, answers, row, conversation, alone=len(parts) == 1) for row, part in enumerate(parts)]

    def understand(self, texts: Sequence[str]) -> list[Understanding]:
        """The likeliest meaning of each text, an intent or an entry of the FAQ (`faq:` and its id), with the probability that it is this one."""
        answers = self._answers(texts)
        return [self._likeliest(answers, row) for row in range(len(texts))]

    def _answers(self, texts: Sequence[str]) -> _Answers:
        probabilities, margins, entries = evidence(self.classifier, self.knowledge.faq, [_readable(text) for text in texts])
        best = entries[:, :-1].max(axis=1, initial=0.0)
        return _Answers(probabilities, entries, self.knowledge.router.probabilities(probabilities.max(axis=1), margins, best))

    def _likeliest(self, answers: _Answers, row: int) -> Understanding:
        probabilities, entries, ways = answers.probabilities[row], answers.entries[row][:-1], answers.ways[row]
        best = int(probabilities.argmax())
        intent = float(ways[INTENT] * probabilities[best])
        if not len(entries):
            return Understanding(self.classifier.labels[best], intent)
        entry = int(entries.argmax())
        found = float(ways[FAQ] * entries[entry] / max(entries.sum(), 1e-12))
        if found > intent:
            return Understanding(f"faq:{self.knowledge.faq.entries[entry].id}", found)
        return Understanding(self.classifier.labels[best], intent)

    def _reply(self, question: str, answers: _Answers, row: int, conversation: Conversation, *, alone: bool) -> Reply:
        probabilities, ways = answers.probabilities[row], answers.ways[row]
        found = self._likeliest(answers, row)
        if found.confidence >= EAGER * ways[NOBODY]:
            if not found.meaning.startswith("faq:"):
                return self._answered(question, found.meaning, found.confidence, conversation)
            entry = self.knowledge.faq.entries[int(answers.entries[row][:-1].argmax())]
            return Reply(question, entry.answer, "faq", entry.id, found.confidence)
        first, second = (int(place) for place in np.argsort(-probabilities, kind="stable")[:2])
        if ways[INTENT] * (probabilities[first] + probabilities[second]) >= LIKELY:
            names = (self.classifier.labels[first], self.classifier.labels[second])
            text = ASK.format(first=spoken(names[0]), second=spoken(names[1]))
            return Reply(question, text, "ask", None, found.confidence, names)
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


def _readable(text: str) -> str:
    """A text without numbers of orders, cards and the like, which tell the model nothing and which training never saw: "where is order LK-482913?" is taken
    for a return with 32 %, without the number for what it is with 87 %."""
    return " ".join(_IDENTIFIER.sub("", text).split()) or text
