"""An RSS or Atom feed as a source: asked now and then, gently, and forgiven whatever it answers."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from apps.finance_sentiment.stream.feed_entries import NotAFeedError, read_feed
from apps.finance_sentiment.stream.fetching import MOST_SECONDS, Document, Fetch, FetchError
from apps.finance_sentiment.stream.source import Reading, Record, source_kind
from tfarch.errors import InputError

LONGEST_BACKOFF = 900.0  # seconds between two looks at a feed that fails, unless it asks for more
MOST_ENTRIES = 1_000  # of a document, the newest
_MOST_SEEN = 2 * MOST_ENTRIES
_SHORTEST = 1.0  # seconds between two looks that a person may ask for
_READING_SECONDS = 30.0  # that reading a document may take, five megabytes of rubbish too, before a person is told
_LOOK = 0.5  # seconds before None is handed on


class FeedSource:
    """The entries of a feed that were not there, or read otherwise, when it was looked at before.

    The position is `{"etag", "modified", "seen"}`: what the server is shown so that it need not answer twice (RFC 9110, 13.1), and hashes of the entries
    that were handed out, for a feed shows an entry for weeks, longer than `duplicates` remembers it. A feed that fails is told of once, and asked again
    after longer and longer pauses, drawn at random so that many do not ask together (Brooker 2015, Exponential Backoff and Jitter). One that answers 410
    (gone for good) ends. Not followed, it is looked at once.

    Args:
        address: http or https.
        seconds: for one answer.
    """

    def __init__(self, address: str, reading: Reading, *, seconds: float = MOST_SECONDS):
        self.name = f"feed:{address}"
        self.address, self.reading, self.seconds = address, reading, seconds
        parts = urlsplit(address)
        self._shown = f"{parts.scheme}://{parts.netloc}{parts.path}"  # without a query, which may hold a key
        self._closed = threading.Event()
        self._failures = 0
        self._told: set[str] = set()

    def read(self, position: dict[str, Any] | None = None) -> Iterator[Record | None]:
        """See `Source.read`."""
        etag, modified = (position or {}).get("etag", ""), (position or {}).get("modified", "")
        seen = dict.fromkeys((position or {}).get("seen", ()))  # in the order in which they were seen last
        while not self._closed.is_set():
            look = _Look(Fetch(self.address, etag, modified, self.seconds), self.address)
            yield from self._wait_for(look)
            if self._closed.is_set():
                return
            if look.error is not None:
                if self._failed(look.error):
                    return
            elif look.document is not None:
                self._worked(look)
                new = _new(look.items, seen)
                for number, (mark, item) in enumerate(new, 1):
                    seen[mark] = None
                    if number == len(new):  # only then is the document done with
                        etag, modified = look.document.etag, look.document.modified
                    known = {"etag": etag, "modified": modified, "seen": list(seen)[-_MOST_SEEN:]}
                    yield Record(item, known, f"{self._shown}, entry {item['id']}")
                etag, modified = look.document.etag, look.document.modified
                seen = dict.fromkeys(list(seen)[-_MOST_SEEN:])
            if not self.reading.follow:
                return
            yield from self._pause(self._seconds_until_next(look.error))

    def close(self) -> None:
        """Ends reading."""
        self._closed.set()

    def _wait_for(self, look: _Look) -> Iterator[None]:
        """Until the feed was looked at, or that takes far too long: a name that is not found out, a document that is hard to read."""
        look.start()
        until = time.monotonic() + self.seconds + _READING_SECONDS
        while look.is_alive() and not self._closed.is_set():
            if time.monotonic() > until:
                self._failures += 1
                self._tell("it has not been read yet; waiting for that")
                until = float("inf")  # a second look would only double what goes on
            yield None
            look.join(_LOOK)
        look.fetch.end()

    def _worked(self, look: _Look) -> None:
        if self._failures:
            self._failures = 0
            self._told.clear()
            self.reading.say(f"{self._shown} answers again")
        if not look.well_formed:
            self._tell("it is not well-formed XML; it is read as far as it can be")

    def _failed(self, error: FetchError | NotAFeedError) -> bool:
        """Tells of it; whether that is the end of the feed."""
        self._failures += 1
        gone = isinstance(error, FetchError) and error.status == 410
        self._tell(f"{error}; {'the feed has ended' if gone else 'it is asked again later' if self.reading.follow else 'nothing was read'}")
        return gone

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self.reading.say(f"{self._shown}: {message}")

    def _seconds_until_next(self, error: FetchError | NotAFeedError | None) -> float:
        if error is None:
            return self.reading.every
        longest = min(LONGEST_BACKOFF, self.reading.every * 2 ** min(self._failures, 30))
        return max(self.reading.every, random.uniform(0.5, 1.0) * longest, getattr(error, "retry_after", None) or 0.0)

    def _pause(self, seconds: float) -> Iterator[None]:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._closed.is_set():
            yield None
            self._closed.wait(min(_LOOK, left))


class _Look(threading.Thread):
    """One look at a feed, beside the reader: what came, or why nothing did."""

    def __init__(self, fetch: Fetch, address: str):
        super().__init__(name="feed", daemon=True)
        self.fetch, self.address = fetch, address
        self.document: Document | None = None
        self.items: list[dict[str, str]] = []
        self.well_formed = True
        self.error: FetchError | NotAFeedError | None = NotAFeedError("it cannot be read")  # until it was

    def run(self) -> None:
        try:
            document = self.fetch.run()
            if document.content is not None:
                self.items, self.well_formed = read_feed(document.content, self.address, document.content_type)
            self.document, self.error = document, None
        except (FetchError, NotAFeedError) as error:
            self.error = error


def _new(items: list[dict[str, str]], seen: dict[str, None]) -> list[tuple[str, dict[str, str]]]:
    """The entries that were not seen as they are now, each with its mark; the others count as seen now."""
    new = []
    for item in items[-MOST_ENTRIES:]:
        # Without the time: an entry that tells none has another one each time.
        mark = hashlib.blake2b(f"{item['id']}\n{item['text']}".encode("utf-8", "replace"), digest_size=6).hexdigest()
        if mark in seen:
            seen[mark] = seen.pop(mark)
        else:
            new.append((mark, item))
    return new


@source_kind("http", "https")
def open_feed(place: str, reading: Reading) -> FeedSource:
    """A feed by its address.

    Raises:
        InputError: the address has no host, holds a password or what would have to be percent-encoded, or it is to be asked more than once a second.
    """
    parts = urlsplit(place)
    if not parts.hostname or not place.isascii() or any(character.isspace() for character in place):
        raise InputError(f"{place} is no address of a feed", mend="https://host/path, percent-encoded")
    if parts.username is not None:
        raise InputError(f"the address of a feed at {parts.hostname} holds a user name, which is not sent", mend="leave it out")
    if not reading.every >= _SHORTEST:
        raise InputError(f"a feed is to be asked every {reading.every:g} s; at least {_SHORTEST:g}")
    if not reading.follow:
        reading.say(f"the feed at {parts.hostname} is looked at once; with --follow, every {reading.every:g} s")
    return FeedSource(place, reading)
