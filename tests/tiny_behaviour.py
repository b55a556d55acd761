"""A log whose truth is known: users who like one of four kinds of items, of which a new one comes up every day or so."""

import numpy as np

from tfarch.data.behaviour import Catalogue, Interactions

KINDS, OF_EACH, USERS, EVENTS = 4, 90, 60, 60
WORDS = ("piano violin cello", "football tennis goal", "pasta pizza risotto", "castle knight dragon")
DAY = 86_400.0


def behaviour(seed=0):
    """Interactions, rated 5 where the kind is the user's and 1 where it is not, and the catalogue: user u likes kind u % 4, item i is of kind i % 4."""
    rng, items = np.random.default_rng(seed), KINDS * OF_EACH
    begins = np.sort(rng.random(items)) * 90 * DAY
    texts = [" ".join(rng.permutation(WORDS[item % KINDS].split())[:2]) for item in range(items)]
    users, taken, times, values = [], [], [], []
    for user in range(USERS):
        had = set()
        for time in np.sort(rng.random(EVENTS)) * 100 * DAY:
            kind = user % KINDS if rng.random() < 0.8 else int(rng.integers(KINDS))
            there = [item for item in np.flatnonzero(begins <= time) if item % KINDS == kind and item not in had]
            if there:
                item = int(rng.choice(there))
                had.add(item)
                users.append(f"u{user}")
                taken.append(str(item))
                times.append(time)
                values.append(5.0 if kind == user % KINDS else 1.0)
    ids = tuple(str(item) for item in range(items))
    categories = tuple((WORDS[item % KINDS].split()[0],) for item in range(items))
    log = Interactions.of(users, taken, np.array(times), values=np.array(values), item_ids=ids)
    return log, Catalogue(ids, tuple(f"Thing {item}" for item in ids), tuple(texts), categories, begins)


def write_files(folder, seed=0):
    """The same as two CSV files: events and items."""
    log, catalogue = behaviour(seed)
    events = ["user,item,timestamp,rating"]
    events += [
        f"{log.user_ids[user]},{log.item_ids[item]},{time:.0f},{value:g}"
        for user, item, time, value in zip(log.users, log.items, log.times, log.values, strict=True)
    ]
    items = ["item,title,description,category,since"]
    items += [
        f"{each},{title},{text},{kinds[0]},{since:.0f}"
        for each, title, text, kinds, since in zip(
            catalogue.ids, catalogue.titles, catalogue.texts, catalogue.categories, catalogue.since, strict=True
        )
    ]
    for name, lines in (("events.csv", events), ("items.csv", items)):
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "events.csv", folder / "items.csv"
