"""A message is taken apart into its questions, by what its pieces mean."""

import pytest

from apps.customer_service.questions import Understanding, pieces, questions


def by_words(meanings):
    """Understands a text by the words in it: one meaning is certain, several or none are not understood."""

    def understand(texts):
        found = []
        for text in texts:
            meant = [meaning for word, meaning in meanings.items() if word in text.lower()]
            found.append(Understanding(meant[0], 0.9) if len(set(meant)) == 1 else Understanding(meant[0] if meant else None, 0.4))
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
        ("my bill, my parcel and a static ip, please", ["my bill", "my parcel", "a static ip, please"]),
        ("  ", [""]),
        ("hello", ["hello"]),
    ],
)
def test_the_questions_of_a_message(message, expected):
    assert questions(message, UNDERSTAND) == expected


def test_two_pieces_that_are_better_understood_together_are_one_question():
    def understand(texts):
        return [Understanding("both", 0.9) if "," in text else Understanding(text.strip()[0], 0.6) for text in texts]

    assert questions("apples, pears", understand) == ["apples, pears"]


def test_pieces_stand_in_the_message_in_their_order():
    message = "One, two and three. 4) four\n\nfive; six? PS seven"
    found = pieces(message)
    assert found == ["One", "two", "and three.", "four", "five;", "six?", "PS seven"]
    assert [message.index(piece) for piece in found] == sorted(message.index(piece) for piece in found)


def test_a_decimal_point_and_a_time_part_nothing():
    assert pieces("it costs 4.50 at 10.30 not 5") == ["it costs 4.50 at 10.30 not 5"]


def test_a_very_long_message_has_not_more_pieces_than_are_worth_looking_at():
    found = pieces("Why? " * 1000)
    assert len(found) == 16
    assert len(questions("parcel. " * 1000, UNDERSTAND)) == 1
