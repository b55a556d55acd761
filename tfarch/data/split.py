"""Stratified, seeded choice of rows: the part that is held out for validation or test, the cut of a training set to a limit, and few rows of each class.

The split goes by one label of a row. Where a row has more of them, `texts_with` and `cut_with` see to it that none is lost for training.

Rows are ordered by a hash of the seed and their normal form, so a choice follows from seed and content: the order of the rows in the file
does not matter, and a row that is added or removed moves few others. The rows of one normal form stay together.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping

from tfarch.data.normal_form import normal_form
from tfarch.data.tables import Table
from tfarch.errors import InputError


def hold_out(table: Table, fraction: float, seed: int, part: str, leave: int = 1) -> tuple[list[int], list[int]]:
    """Splits rows in two, label by label in proportion.

    A label with two or more different texts gives at least one of them; a label with one gives none. Texts that stand under two labels are
    kept back: nobody could score them. The rows of one normal form are never parted.

    Args:
        table: the rows.
        fraction: share of them to hold out, between 0 and 1 (exclusive).
        seed: another seed holds out other rows.
        part: what they are held out for ("valid", "test"); each part draws its own rows from one seed.
        leave: keep at least this many different texts of each label, where it has more than that.

    Returns:
        Row numbers that are kept and row numbers that are held out, each in ascending order.
    """
    units: dict[str, list[list[int]]] = defaultdict(list)  # label -> rows of each of its texts
    for rows in _by_text(table, seed, part):
        labels = {table.labels[row] for row in rows}
        if len(labels) == 1:
            units[labels.pop()].append(rows)
    held: list[int] = []
    seats = _apportion(
        {label: sum(map(len, texts)) for label, texts in units.items()}, {k: int(len(v) > 1) for k, v in units.items()}, fraction
    )
    for label, texts in units.items():
        most = len(texts) - min(leave, len(texts) - 1) if len(texts) > 1 else 0
        chosen: list[list[int]] = []
        room = seats[label]
        for rows in texts:
            if len(chosen) < most and len(rows) <= room:
                chosen.append(rows)
                room -= len(rows)
        if most and not chosen:  # every text is repeated more often than there is room: the one that overshoots least
            chosen.append(min(texts, key=len))
        held.extend(row for rows in chosen for row in rows)
    out = set(held)
    return [row for row in range(len(table)) if row not in out], sorted(held)


def cut(table: Table, limit: int, seed: int) -> list[int]:
    """Row numbers, ascending, of at most `limit` rows: label by label in proportion, at least one of each. A larger limit only adds rows.

    Raises:
        InputError: `limit` is below the number of labels.
    """
    if len(table) <= limit:
        return list(range(len(table)))
    rows: dict[str, list[int]] = defaultdict(list)
    for same in _by_text(table, seed, "limit"):
        for row in same:
            rows[table.labels[row]].append(row)
    if limit < len(rows):
        raise InputError(f"data.limit={limit} cannot hold the {len(rows)} labels of {table.file}", mend=f"take {len(rows)} or more")
    seats = _apportion({label: len(each) for label, each in rows.items()}, dict.fromkeys(rows, 1), limit / len(table))
    return sorted(row for label, each in rows.items() for row in each[: seats[label]])


def texts_with(wanted: Collection[Hashable], tables: Iterable[Table], labels: Mapping[int, Collection[Hashable]], seed: int) -> set[int]:
    """Lines of few texts that together have the labels `wanted`, as far as there are any: those with most of them first, of these the first
    table's, then by the seed.

    Args:
        wanted: labels.
        tables: the rows; each keeps one text or more, and the rows of one normal form are never parted.
        labels: of each line.
        seed: another seed chooses other texts.
    """
    missing, chosen = set(wanted), set()
    texts, left = [], []  # (number of its table, its lines, the wanted labels that it has) of each text that has any; texts of each table
    for number, table in enumerate(tables if missing else ()):
        groups = [[table.lines[row] for row in rows] for rows in _by_text(table, seed, "labels")]
        left.append(len(groups))
        texts += [
            (number, lines, has) for lines in groups if (has := missing.intersection(label for line in lines for label in labels[line]))
        ]
    for least in range(max((len(has) for _, _, has in texts), default=0), 0, -1):
        for number, lines, has in texts:
            if len(has & missing) >= least and left[number] > 1:
                chosen.update(lines)
                missing -= has
                left[number] -= 1
    return chosen


def cut_with(table: Table, labels: Mapping[int, Collection[Hashable]], limit: int, seed: int) -> list[int]:
    """As `cut`, but a row of each of `labels` (of each line) that it leaves out takes the place of a row whose own stand in others too.

    Raises:
        InputError: see `cut`; or `limit` rows cannot have all of them.
    """
    kept = set(cut(table, limit, seed))
    counts = Counter(label for row in kept for label in labels[table.lines[row]])
    lines = texts_with({label for line in table.lines for label in labels[line]}.difference(counts), [table], labels, seed)
    added = {row for row, line in enumerate(table.lines) if line in lines}
    kept |= added
    counts.update(label for row in added for label in labels[table.lines[row]])
    for row in reversed([row for rows in _by_text(table, seed, "limit") for row in rows] if added else []):
        own = labels[table.lines[row]]
        if len(kept) > limit and row in kept and row not in added and all(counts[label] > 1 for label in own):
            kept.remove(row)
            counts.subtract(own)
    if len(kept) > limit:
        raise InputError(f"data.limit={limit} cannot hold the labels of all tasks of {table.file}", mend=f"take {len(kept)} or more")
    return sorted(kept)


def draw(table: Table, shots: int, seed: int, number: int) -> list[int]:
    """Row numbers, ascending, of `shots` rows of each label, all rows of a label that has fewer; each `number` draws anew. A text under two labels
    counts for each."""
    seats = dict.fromkeys(table.labels, shots)
    chosen = []
    for same in _by_text(table, seed, f"draw {number}"):
        for row in same:
            if seats[table.labels[row]]:
                seats[table.labels[row]] -= 1
                chosen.append(row)
    return sorted(chosen)


def _by_text(table: Table, seed: int, part: str) -> list[list[int]]:
    """Rows grouped by normal form, in the order of the hash of seed, part and normal form."""
    groups: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(table.texts):
        groups[normal_form(text)].append(row)

    def order(form: str) -> bytes:
        return hashlib.blake2b(f"{seed}\0{part}\0{form}".encode("utf-8", "surrogatepass"), digest_size=16).digest()

    return [groups[form] for form in sorted(groups, key=order)]


def _apportion(sizes: Mapping[str, int], least: Mapping[str, int], share: float) -> dict[str, int]:
    """Seats for each label: `share` of all rows in sum, in proportion to `sizes` by the method of Sainte-Laguë, at least `least` for each.

    Each next seat goes to the label with the largest size / (2 * seats + 1); ties to the label that sorts first.
    """
    seats = dict(least)
    total = round(share * sum(sizes.values()))
    queue = [(-size / (2 * seats[label] + 1), label) for label, size in sizes.items() if seats[label] < size]
    heapq.heapify(queue)
    for _ in range(total - sum(seats.values())):
        if not queue:
            break
        label = queue[0][1]
        seats[label] += 1
        if seats[label] < sizes[label]:
            heapq.heapreplace(queue, (-sizes[label] / (2 * seats[label] + 1), label))
        else:
            heapq.heappop(queue)
    return seats
