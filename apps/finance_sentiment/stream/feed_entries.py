"""What a feed's bytes hold: its entries as objects that are items, without HTML."""

from __future__ import annotations

import calendar
import hashlib
import html
import io
import re
import time
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from tfarch.data.moments import iso_time

_CLOSED = re.compile(rb"</\s*(?:\w+:)?(?:rss|feed|rdf)\s*>", re.IGNORECASE)
_GLOBAL_ID = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")  # an address, urn: or tag:, which nobody else uses
# Elements that part no words; every other one does.
_INLINE = frozenset(
    (
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "cite",
        "code",
        "em",
        "font",
        "i",
        "mark",
        "q",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "u",
        "wbr",
    )
)
# What feedparser is known to let through on bytes that are no feed: broken dates, encodings, numbers and nesting.
_FAULTS = (ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError, RecursionError)


class NotAFeedError(ValueError):
    """Bytes that are no RSS and no Atom; the message says what they are."""


def read_feed(content: bytes, address: str, content_type: str = "") -> tuple[list[dict[str, str]], bool]:
    """The entries of a feed, oldest first as far as they tell, and whether it was well-formed.

    An entry becomes `{"id", "time", "text", "publisher"}`: the text is its title and summary, the time when it was published, else updated, else now, the
    publisher whom the entry names as its source, else the feed's title. An id that only this feed understands ("17") has the feed's host before it; without
    one an entry is named by its link, or a hash of its text. Entries without text are left out.

    Args:
        content: as fetched.
        address: of the feed.
        content_type: as the server names it.

    Raises:
        NotAFeedError: it is none, or the half of one.
    """
    import feedparser  # here, for it takes longer to import than all the rest

    try:
        # In a stream: bytes would be taken for the name of a file first.
        feed = feedparser.parse(
            io.BytesIO(content), response_headers={"content-type": content_type}, sanitize_html=False, resolve_relative_uris=False
        )
    except _FAULTS as error:
        raise NotAFeedError(f"it cannot be read ({type(error).__name__})") from error
    if not feed.get("version"):
        raise NotAFeedError("it is neither RSS nor Atom")
    well_formed = not feed.bozo or isinstance(feed.bozo_exception, feedparser.CharacterEncodingOverride | feedparser.NonXMLContentType)
    if not well_formed and not _CLOSED.search(content[-4096:].replace(b"\0", b"")):
        raise NotAFeedError("it breaks off before its end")
    host = urlsplit(address).hostname or address
    title = _text(feed.feed.get("title_detail")) or host
    found = [(_moment(entry), entry) for entry in reversed(feed.entries)]  # feeds begin with the newest
    found.sort(key=lambda each: each[0])
    items = [_item(entry, moment, title, host) for moment, entry in found]
    return [item for item in items if item["text"]], well_formed


def plain_text(markup: str) -> str:
    """HTML as a reader sees it, on one line: without tags, scripts and styles, entities decoded.

    >>> plain_text("<p>Up&nbsp;3&#37;</p><p>Down</p>")
    'Up 3% Down'
    """
    if "<" in markup:
        reader = _Text()
        reader.feed(markup)
        reader.close()
        markup = "".join(reader.parts)
    return " ".join(html.unescape(markup).split())


class _Text(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attributes) -> None:
        self._unseen += tag in ("script", "style")
        if tag not in _INLINE:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in ("script", "style")))
        if tag not in _INLINE:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)


def _item(entry: Mapping[str, Any], moment: float, title: str, host: str) -> dict[str, str]:
    text = _joined(_text(entry.get("title_detail")), _text(entry.get("summary_detail")) or plain_text(entry.get("summary", "")))
    name = (entry.get("id") or entry.get("link") or hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]).strip()
    source = entry.get("source") or {}
    return {
        "id": name if _GLOBAL_ID.match(name) else f"{host}/{name}",
        "time": iso_time(moment),
        "text": text,
        "publisher": plain_text(source.get("title") or "") or title,
    }


def _text(detail: Mapping[str, str] | None) -> str:
    """What a title or summary says; plain text may hold "P<E", which is no tag."""
    if not detail:
        return ""
    value = detail.get("value") or ""
    return " ".join(html.unescape(value).split()) if detail.get("type") == "text/plain" else plain_text(value)


def _joined(title: str, summary: str) -> str:
    """Title and summary as sentences; one alone where the other only repeats it."""
    if not summary or summary == title:
        return title
    if not title or summary.casefold().startswith(title.casefold()):
        return summary
    return f"{title} {summary}" if title[-1] in ".!?:;…" else f"{title}. {summary}"


def _moment(entry: dict[str, Any]) -> float:
    """Seconds since 1970 of an entry; now where it tells none that can be."""
    for name in ("published_parsed", "updated_parsed"):
        # Of the entry as a plain dict: feedparser's own look-up gives one time for the other.
        if parts := dict.get(entry, name):
            try:
                seconds = float(calendar.timegm(parts))
            except (ValueError, OverflowError):
                continue
            if 0 <= seconds < 7_258_118_400:  # to 2200, as items have it
                return seconds
    return time.time()
