"""A log and a later one become one, and a catalogue gets the items of another: nothing stands twice, and numbers stay."""

import numpy as np

from tfarch.data.behaviour import Catalogue, Interactions


def log(users, items, times, behaviours=None, values=None, **more):
    return Interactions.of(users, items, np.array(times, float), behaviours, values and np.array(values), **more)


def told(found):
    return [
        (found.user_ids[user], found.item_ids[item], found.behaviour_names[behaviour], value, time)
        for user, item, behaviour, value, time in zip(found.users, found.items, found.behaviours, found.values, found.times, strict=True)
    ]


def test_events_of_both_logs_stand_once_in_the_order_of_time():
    one = log(["a", "b", "a"], ["x", "y", "y"], [1, 3, 5], ["buy", "click", "buy"], [1.0, 2.0, 3.0], item_ids=["y", "z", "x"])
    other = log(["b", "c", "a"], ["y", "new", "y"], [3, 4, 6], ["click", "click", "buy"], [9.0, 1.0, 1.0])
    found = one.and_also(other)
    assert told(found) == [
        ("a", "x", "buy", 1.0, 1.0),
        ("b", "y", "click", 9.0, 3.0),  # the same event, as it was told last
        ("c", "new", "click", 1.0, 4.0),
        ("a", "y", "buy", 3.0, 5.0),
        ("a", "y", "buy", 1.0, 6.0),
    ]
    assert found.item_ids == ("y", "z", "x", "new")
    assert found.user_ids == ("a", "b", "c")


def test_items_of_another_catalogue_replace_those_of_the_same_id_and_follow_the_others():
    one = Catalogue(("x", "y"), ("X", "Y"), ("ex", "why"), (("k",), ()), np.array([1.0, np.nan]))
    other = Catalogue(("new", "y"), ("N", "Y2"), ("en", "why not"), ((), ("k", "l")), np.array([3.0, 4.0]))
    found = one.replaced_by(other)
    assert (found.ids, found.titles, found.texts) == (("x", "y", "new"), ("X", "Y2", "N"), ("ex", "why not", "en"))
    assert found.categories == (("k",), ("k", "l"), ())
    assert found.since.tolist() == [1.0, 4.0, 3.0]
