"""What counts as the same text."""

import pytest

from tfarch.data.normal_form import normal_form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What's my balance?", "whats  MY\tbalance"),
        ("e-mail, please!", "E mail please"),
        ("caf\u00e9", "cafe\u0301"),  # composed and decomposed
        ("\uff28\uff45\uff4c\uff4c\uff4f", "hello"),  # full-width letters
        ("zero\u200bwidth", "zero width"),
        ("Stra\u00dfe", "STRASSE"),
    ],
)
def test_case_spacing_and_punctuation_are_folded(one, other):
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("?", "!"), ("\u00a35", "$5"), ("\U0001f44d", "\U0001f44e"), ("\u0915\u093f", "\u0915\u093e"), ("C", "C++"), ("1.5", "15")],
)
def test_what_carries_meaning_stays_apart(one, other):
    assert normal_form(one) != normal_form(other)
