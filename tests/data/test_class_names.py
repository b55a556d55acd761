"""Labels as a reader would say them."""

import pytest

from tfarch.data.class_names import spoken


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("card_arrival", "card arrival"),
        ("cardArrival", "card Arrival"),
        ("Card / arrival?", "Card arrival"),
        ("get-a-VISA-card", "get a VISA card"),
        ("größe_ändern", "größe ändern"),
        ("42", "42"),
        ("?", "?"),  # nothing to say: as it stands
    ],
)
def test_a_label_is_its_words(label, words):
    assert spoken(label) == words
