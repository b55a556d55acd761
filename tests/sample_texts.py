"""Whether the texts of an embedded sample were written one by one: how alike the closest two are, and how often they begin alike."""

import csv
import itertools
import re
from collections import Counter, defaultdict


def rows_of(folder, parts, *columns):
    """The part of every row, and what stands in its columns."""
    found = []
    for part in parts:
        with open(folder / f"{part}.csv", encoding="utf-8", newline="") as file:
            found += [(part, *(row[column] for column in columns)) for row in csv.DictReader(file)]
    return found


def words(text):
    """Its words in lower case."""
    return re.findall(r"[\w']+", text.lower())


def pairs(text):
    """The word pairs of a text; of a single word, the word."""
    found = words(text)
    return set(itertools.pairwise(found)) or set(found)


def closest(texts):
    """The two texts with the largest Jaccard index of their word pairs, and that index. Only texts that share a pair are compared."""
    shingles, holders = [pairs(text) for text in texts], defaultdict(list)
    shared = Counter()
    for index, each in enumerate(shingles):
        for pair in each:
            shared.update((other, index) for other in holders[pair])
            holders[pair].append(index)
    index = {(a, b): count / len(shingles[a] | shingles[b]) for (a, b), count in shared.items()}
    a, b = max(index, key=index.get)
    return index[a, b], texts[a], texts[b]


def openings(texts, length):
    """How many texts begin with the same words, by these; a text of no more than `length` words is no opening."""
    return Counter(" ".join(words(text)[:length]) for text in texts if len(words(text)) > length)
