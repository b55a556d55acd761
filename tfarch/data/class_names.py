"""Class names as a reader would say them: a name is often the shortest question of its class."""

from __future__ import annotations

import re

_HUMP = re.compile("(?<=[a-z])(?=[A-Z])")
_JOINT = re.compile(r"[\W_]+")


def spoken(label: str) -> str:
    """The words of a label, joined by single spaces.

    >>> spoken("card_arrival"), spoken("cardArrival"), spoken("Card: arrival")
    ('card arrival', 'card Arrival', 'Card arrival')
    """
    return _JOINT.sub(" ", _HUMP.sub(" ", label)).strip() or label
