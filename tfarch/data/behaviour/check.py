"""What is wrong, or worth knowing, about a log and its items before anything is learned from them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tfarch.data.behaviour.catalogue import Catalogue
from tfarch.data.behaviour.cuts import LEAST_ROWS, QUANTILES, rolling_cuts
from tfarch.data.behaviour.interactions import Interactions
from tfarch.data.check import MOST_EXAMPLES, Example, Finding, shortened
from tfarch.data.moments import iso_time
from tfarch.data.tables import BadRow

LARGE_SHARE = 0.05  # from which on what is odd is more than a few odd rows
FEW_QUERIES = 30  # of a window, under which its figures say little
BURST = 20  # events of a user in one second: an import, and no behaviour


@dataclass(frozen=True)
class LogSurvey:
    """A log with where its rows stand, as the checks take it.

    catalogue: of the log's items, in their order; items that no table tells of have no text.
    lines: of each event in its file; None where it came from no file.
    dated: whether its events have times.
    bad_rows: of log and item table.
    liked: from which value on an event is what its user wanted.
    """

    log: Interactions
    catalogue: Catalogue
    lines: np.ndarray | None
    file: str
    dated: bool
    bad_rows: tuple[BadRow, ...]
    liked: float

    def examples(self, rows: Iterable[int]) -> tuple[Example, ...]:
        """Events, each as its user and its item."""
        return tuple(self._example(int(row)) for row, _ in zip(rows, range(MOST_EXAMPLES), strict=False))

    def _example(self, row: int) -> Example:
        item = self.log.items[row]
        told = self.catalogue.titles[item] or self.log.item_ids[item]
        line = 0 if self.lines is None else int(self.lines[row])
        return Example(self.file, line, self.log.user_ids[self.log.users[row]], shortened(f"{told}, {iso_time(self.log.times[row])}"))

    def items(self, numbers: Iterable[int]) -> tuple[Example, ...]:
        return tuple(
            Example("items", 0, self.log.item_ids[number], shortened(self.catalogue.titles[number]))
            for number, _ in zip(numbers, range(MOST_EXAMPLES), strict=False)
        )


def check_log(survey: LogSurvey) -> list[Finding]:
    """All findings, gravest first."""
    findings = [finding for run in CHECKS for finding in run(survey)]
    return sorted(findings, key=lambda finding: ("error", "warning", "note").index(finding.severity))


def bad_rows(survey: LogSurvey) -> Iterator[Finding]:
    """Rows of the files that could not be used."""
    if bad := survey.bad_rows:
        examples = tuple(Example(row.file, row.line, "", row.reason) for row in bad[:MOST_EXAMPLES])
        severity = "warning" if len(bad) > LARGE_SHARE * (len(bad) + len(survey.log)) else "note"
        yield Finding("bad_rows", severity, len(bad), f"Rows that could not be used and were left out: {len(bad):,}.", examples)


def items_without_text(survey: LogSurvey) -> Iterator[Finding]:
    """Items that nothing can be said of but by their events: as new ones nobody will be shown them."""
    lacking = np.flatnonzero([not text for text in survey.catalogue.texts])
    if len(lacking):
        share = len(lacking) / len(survey.catalogue)
        message = f"Items without text: {len(lacking):,} of {len(survey.catalogue):,}. Without events nothing is known of them."
        yield Finding("items_without_text", "warning" if share > LARGE_SHARE else "note", len(lacking), message, survey.items(lacking))


def items_of_one_text(survey: LogSurvey) -> Iterator[Finding]:
    """Items that only their ids tell apart."""
    texts, counts = np.unique([text for text in survey.catalogue.texts if text] or [""], return_counts=True)
    repeated = set(texts[counts > 1].tolist())
    if count := int(counts[counts > 1].sum()):
        same = [number for number, text in enumerate(survey.catalogue.texts) if text in repeated]
        same.sort(key=lambda number: survey.catalogue.texts[number])
        yield Finding("items_of_one_text", "note", count, f"Items whose text another one has too: {count:,}.", survey.items(same))


def users_with_one_event(survey: LogSurvey) -> Iterator[Finding]:
    """Users of whom nothing can be learned: one event foretells none."""
    counts = np.bincount(survey.log.users, minlength=len(survey.log.user_ids))
    if single := int((counts == 1).sum()):
        rows = np.flatnonzero(counts[survey.log.users] == 1)
        message = f"Users with one event: {single:,} of {int((counts > 0).sum()):,}. They say how popular an item is, and nothing more."
        yield Finding("users_with_one_event", "note", single, message, survey.examples(rows))


def no_times(survey: LogSurvey) -> Iterator[Finding]:
    """A log whose order is that of its file."""
    if not survey.dated:
        message = "The events have no times: the order of the file is taken for that of time, and what is recent cannot be told."
        yield Finding("no_times", "warning", len(survey.log), message)


def events_out_of_time(survey: LogSurvey) -> Iterator[Finding]:
    """Events of the future, and events before their item came into being."""
    if not survey.dated:
        return
    if len(future := np.flatnonzero(survey.log.times > time.time())):
        message = f"Events in the future: {len(future):,}. Are their times seconds since 1970?"
        yield Finding("events_in_the_future", "error", len(future), message, survey.examples(future))
    early = np.flatnonzero(survey.log.times < survey.catalogue.since[survey.log.items])
    if len(early):
        severity = "warning" if len(early) > LARGE_SHARE * len(survey.log) else "note"
        message = f"Events older than their item is said to be: {len(early):,}."
        yield Finding("events_before_their_item", severity, len(early), message, survey.examples(early))


def repeated_events(survey: LogSurvey) -> Iterator[Finding]:
    """Events that stand twice, word for word."""
    log = survey.log
    columns = np.stack([log.users, log.items, log.behaviours, log.times], axis=1)
    _, first, counts = np.unique(columns, axis=0, return_index=True, return_counts=True)
    if repeated := int((counts - 1).sum()):
        severity = "warning" if repeated > LARGE_SHARE * len(log) else "note"
        message = f"Events of the user, item, behaviour and time of another one: {repeated:,}."
        yield Finding("repeated_events", severity, repeated, message, survey.examples(np.sort(first[counts > 1])))


def bursts(survey: LogSurvey) -> Iterator[Finding]:
    """Many events of one user in one second: they have no order, so that what follows what cannot be learned from them."""
    log = survey.log
    if not survey.dated:
        return
    seconds = np.stack([log.users, np.floor(log.times)], axis=1)
    _, first, place, counts = np.unique(seconds, axis=0, return_index=True, return_inverse=True, return_counts=True)
    many = int((counts[place.ravel()] >= BURST).sum())
    if many:
        severity = "warning" if many > LARGE_SHARE * len(log) else "note"
        message = f"Events among {BURST} or more of one user in one second: {many:,}. They were imported, and are in no order that could be learned."
        yield Finding("bursts", severity, many, message, survey.examples(np.sort(first[counts >= BURST])))


def nothing_wanted(survey: LogSurvey) -> Iterator[Finding]:
    """A value from which on events count as wanted, that hardly any has."""
    wanted = int((survey.log.values >= survey.liked).sum())
    if not wanted:
        message = f"No event has a value of {survey.liked:g} or more, from which on it counts as what its user wanted."
        yield Finding("nothing_wanted", "error", 0, message)


def had_before(survey: LogSurvey) -> Iterator[Finding]:
    """What a user is asked for after a moment though he had it before: no candidate, or the answer would be known."""
    log, rows = survey.log, []
    for fold in rolling_cuts(log):  # which stops where anything of the future is learned from
        for query in fold.queries:
            rows.append(query.wanted[np.isin(log.items[query.wanted], log.items[query.known])])
    found = np.unique(np.concatenate([np.zeros(0, np.int64), *rows]))
    if len(found):
        message = f"Events that are asked for though their user had had the item before: {len(found):,}. They are passed over when it is measured."
        yield Finding("had_before", "note", len(found), message, survey.examples(found))


def few_queries(survey: LogSurvey) -> Iterator[Finding]:
    """Windows in which hardly a user has enough events to be asked for."""
    counts = [len(fold.queries) for fold in rolling_cuts(survey.log)]
    if max(counts) < FEW_QUERIES:
        windows = ", ".join(f"{count} after {quantile:g}" for count, quantile in zip(counts, QUANTILES, strict=True))
        message = f"Few users have {LEAST_ROWS} events or more in a window of time ({windows} of the events): the figures will say little."
        yield Finding("few_queries", "error" if not sum(counts) else "warning", sum(counts), message)


CHECKS = (
    bad_rows, items_without_text, items_of_one_text, users_with_one_event, no_times, events_out_of_time, repeated_events, bursts, nothing_wanted, had_before, few_queries,
)  # fmt: skip
