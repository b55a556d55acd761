"""A message is taken apart into its questions, by what its pieces mean."""

import itertools

import numpy as np
import pytest

from apps.customer_service.questions import MOST_PIECES, Understanding, _most_worth, pieces, questions


def by_words(meanings):
    """Understands a text by the words in it: one meaning is nearly certain, several are doubtful, and without any it is taken for the first."""

    def understand(texts):
        found = []
        for text in texts:
            meant = [meaning for word, meaning in meanings.items() if word in text.lower()]
            found.append(Understanding(*((meant[0], 0.9) if len(set(meant)) == 1 else (meant[0], 0.5) if meant else ("tracking", 0.1))))
        return found

    return understand


UNDERSTAND = by_words({"parcel": "tracking", "van": "tracking", "static": "faq:static_ip", "bill": "bill"})


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Where is my parcel?", ["Where is my parcel?"]),
        ("Where is my parcel? Can I have a static ip?", ["Where is my parcel?", "Can I have a static ip?"]),
        ("where is my parcel and can i have a static ip", ["where is my parcel", "can i have a static ip"]),
        ("parcel?\nand also: bill", ["parcel?", "bill"]),
        ("1) my bill 2) my parcel", ["my bill", "my parcel"]),
        ("It rained. My parcel, the one with the van, is late.", ["It rained. My parcel, the one with the van, is late."]),
        ("Good day. I am new here, and my bill is odd", ["Good day. I am new here, and my bill is odd"]),
        (
            "my bill is odd, where is my parcel and can i have a static ip",
            ["my bill is odd", "where is my parcel", "can i have a static ip"],
        ),
        ("  ", [""]),
        ("hello", ["hello"]),
    ],
)
def test_the_questions_of_a_message(message, expected):
    assert questions(message, UNDERSTAND) == expected


def test_two_pieces_that_are_better_understood_together_are_one_question():
    def understand(texts):
        return [Understanding("both", 0.9) if "And" in text else Understanding(text[0], 0.6) for text in texts]

    assert questions("apples and so on. And pears and so on.", understand) == ["apples and so on. And pears and so on."]


def test_a_weak_cut_costs_more_than_a_strong_one():
    def understand(texts):
        return [Understanding(text[0], 0.8 if len(text) < 20 else 0.9) for text in texts]

    assert questions("apples are red, pears are green", understand) == ["apples are red, pears are green"]
    assert questions("apples are red. pears are green", understand) == ["apples are red.", "pears are green"]


def test_what_is_put_as_a_question_is_one_more_easily():
    def understand(texts):
        return [Understanding(text[4], 0.55 if len(text) < 20 else 0.7) for text in texts]

    assert questions("the apples red. the pears green", understand) == ["the apples red. the pears green"]
    assert questions("are apples red? are pears green?", understand) == ["are apples red?", "are pears green?"]


def test_the_division_is_the_one_that_is_worth_most():
    """Against trying every division of up to seven pieces."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        count = int(rng.integers(1, 8))
        worth = {(i, j): (str(rng.integers(3)), float(rng.normal())) for i in range(count) for j in range(i, count)}

        def total(spans, worth=worth):
            meanings = [worth[span][0] for span in spans]
            return -np.inf if any(a == b for a, b in itertools.pairwise(meanings)) else sum(worth[span][1] for span in spans)

        divisions = []
        for cuts in itertools.product((False, True), repeat=count - 1):
            ends = [place for place, cut in enumerate(cuts) if cut] + [count - 1]
            divisions.append([(start, end) for start, end in zip([0, *(end + 1 for end in ends[:-1])], ends, strict=True)])
        assert total(_most_worth(count, worth)) == pytest.approx(max(map(total, divisions)))


def test_pieces_stand_in_the_message_in_their_order():
    message = "One, two and three. 4) four\n\nfive; six? PS seven"
    found = pieces(message)
    assert found == ["One", "two", "and three.", "four", "five;", "six?", "PS seven"]
    assert [message.index(piece) for piece in found] == sorted(message.index(piece) for piece in found)


def test_a_decimal_point_and_a_time_part_nothing():
    assert pieces("it costs 4.50 at 10.30 not 5") == ["it costs 4.50 at 10.30 not 5"]


def test_a_very_long_message_has_not_more_pieces_than_are_worth_looking_at():
    found = pieces("Why? " * 1000)
    assert len(found) == MOST_PIECES
    assert len(questions("parcel. " * 1000, UNDERSTAND)) == 1
