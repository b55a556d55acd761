"""The time of the stream: how far it has come, by what its items say, and not by the clock on the wall. A file is watched as the stream that it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

RUN = 3  # items in a row that have to agree on a time before it is believed
MOST_OF = (5, 9)  # or so many of the last so many, where others come between them
UNDO = 15  # items in a row, for which a time is given up that fewer had agreed on
ALONE = 31  # items in a row that are believed though they do not agree, or are of one publisher: longer than most calendars
_REMEMBERED = 63  # items by which it is known who mostly speaks


class Vote(NamedTuple):
    """What one item says of the time."""

    id: str
    time: float
    publisher: str


@dataclass
class StreamClock:
    """The event time that enough items agree on.

    Time goes on to where `RUN` items in a row are at least, none of them further than a jump from another, or most of the last ones where old and new are
    mixed. An item has one vote, however often it comes. One publisher alone is not enough where others speak, unless most of what there was is his, or for
    `ALONE` items nobody else was heard: a calendar of next week's events is no news from there. Up to `near_seconds` ahead of that an item is believed by itself.

    Time goes back where it had been no more than a guess: from a first item that `RUN` others contradict, and from a jump that fewer items bore out than now
    contradict it, `UNDO` in a row. It does not go back for old items that are read again.

    jump_seconds: an item that is further ahead cannot be counted yet.
    near_seconds: that one item may be wrong without harm: what is no later still counts.
    sure: the time without the last items' part.
    held: items that bore it out since the last jump, up to `UNDO`.
    anew: whether time has made a jump to where nothing from before tells anything, until somebody has seen to that.
    """

    jump_seconds: float
    near_seconds: float = 0.0
    now: float | None = None
    sure: float = 0.0
    held: int = 0
    anew: bool = False
    votes: list[Vote] = field(default_factory=list)

    def advance(self, vote: Vote, *, fresh: bool = True) -> bool:
        """Takes an item; whether it can be counted at its time, and is not one of unbelievable time.

        Args:
            fresh: whether it is news: what only repeats an item proves nothing.
        """
        if self.now is None:
            self.now = self.sure = vote.time
        if fresh:
            self.votes = [*(each for each in self.votes if (each.id, each.publisher) != (vote.id, vote.publisher)), vote][-_REMEMBERED:]
            if vote.time > self.sure:
                self._go_on()
            elif vote.time < self.now - self.near_seconds:
                self._go_back()
        if self.now < vote.time <= self.sure + self.near_seconds:
            self.now = vote.time
        if fresh and self.now - self.near_seconds <= vote.time <= self.now:
            self.held = min(UNDO, self.held + 1)
        return vote.time <= self.now + self.jump_seconds

    def _go_on(self) -> None:
        found = self._agreed(self.votes[-RUN:], RUN) or self._agreed(self.votes[-MOST_OF[1] :], MOST_OF[0]) or self._settled()
        if found is None:
            return
        if found > self.now + self.jump_seconds:
            self.anew = self.anew or self.held < RUN  # of a wrong first item
            self.held = 0
        self.now, self.sure, self.held = max(self.now, found), found, min(UNDO, max(self.held, RUN - 1) + 1)

    def _agreed(self, votes: Sequence[Vote], enough: int) -> float | None:
        """The latest time, ahead of what is sure, that `enough` of these are at or shortly behind."""
        ahead = sorted((vote for vote in votes if vote.time > self.sure), key=lambda vote: vote.time)
        for first in range(len(ahead) - enough, -1, -1):
            agreeing = [vote for vote in ahead[first:] if vote.time <= ahead[first].time + self.jump_seconds]
            if len(agreeing) >= enough and self._may_be_believed({vote.publisher for vote in agreeing}):
                return ahead[first].time
        return None

    def _settled(self) -> float | None:
        """The middle of the last items, where all are ahead and one of their publishers was right before."""
        last = sorted(vote.time for vote in self.votes[-ALONE:])
        publishers = {vote.publisher for vote in self.votes[-ALONE:]}
        known = any(vote.publisher in publishers for vote in self.votes if vote.time <= self.sure)
        return last[(ALONE - 1) // 2] if len(last) == ALONE and last[0] > self.sure and known else None

    def _may_be_believed(self, publishers: set[str]) -> bool:
        """Whether these publishers are more than one of several who is seldom heard otherwise. One without a name may be anybody."""
        if len(publishers) > 1 or "" in publishers or self.held < RUN:
            return True
        before = [vote.publisher in publishers for vote in self.votes if vote.time <= self.sure]
        return 2 * sum(before) >= len(before)

    def _go_back(self) -> None:
        a_guess = self.held < RUN
        enough, far = (RUN, self.near_seconds) if a_guess else (UNDO, self.jump_seconds)
        last = sorted(vote.time for vote in self.votes[-enough:])
        if self.held == UNDO or len(last) < enough or last[-1] >= self.now - far or (a_guess and last[-1] - last[0] > self.jump_seconds):
            return
        self.now = self.sure = last[0] if a_guess else last[(enough - 1) // 2]
        self.held, self.anew = enough, True

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: value for name, value in asdict(self).items() if name not in ("jump_seconds", "near_seconds")}

    @classmethod
    def from_dict(cls, record: dict[str, Any], jump_seconds: float, near_seconds: float) -> StreamClock:
        """What `as_dict` gave; of an older state the time alone."""
        clock = cls(jump_seconds, near_seconds, record["now"])
        clock.sure, clock.held, clock.anew = record.get("sure", record["now"] or 0.0), record.get("held", UNDO), record.get("anew", False)
        clock.votes = [Vote(*each) for each in record.get("votes", ())]
        return clock
