"""A text as the words that it is compared by: without labels, datelines, addresses and its publisher's name, numbers and units written in one way.

What tells two pieces of news apart stays, and is marked as such: names, tickers, numbers and negations.
"""

from __future__ import annotations

import functools
import hashlib
import html
import re
import unicodedata
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from apps.finance_sentiment.stream.publishers import Families

MOST_WORDS = 100  # that are compared: title and beginning
_MOST_CHARACTERS = 2_000  # in which these are looked for

# Kinds of words: what is said in passing, what is said, of whom, how much, and that it is not so.
LIGHT, PLAIN, NAME, NUMBER, NEGATION = range(5)

_TOKEN = re.compile(
    r"""
    (?P<ticker>\$[A-Za-z]{1,6}(?!\w))
    | (?P<symbol>[%$€£¥])
    | (?P<number>(?:(?<![\w.,)\]%])[-−])?\d+(?:[.,]\d+)*)
    | (?P<sign>[\u3041-\u30ff\u3400-\u9fff])  # written without spaces: each is a word
    | (?P<word>(?:[^\W\d_]\.){2,} | [^\W\d_][^\W_]*(?:['’&][^\W\d_]+)*)
    """,
    re.VERBOSE,
)
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_ARTICLES = frozenset(("a", "an", "the"))  # titles leave them out
_LIGHT_WORDS = frozenset((
    "after", "amid", "and", "are", "as", "at", "be", "been", "but", "by", "for", "from", "had", "has", "have", "he", "her", "his", "in", "into",
    "is", "it", "its", "of", "on", "or", "our", "over", "per", "reportedly", "reports", "s", "said", "say", "says", "she", "source", "sources", "than",
    "that", "their", "then", "these", "they", "this", "those", "to", "via", "was", "we", "were", "while", "will", "with", "would",
))  # fmt: skip
_NEGATIONS = frozenset((
    "arent", "cannot", "cant", "couldnt", "denied", "denies", "deny", "didnt", "doesnt", "dont", "hadnt", "hasnt", "havent", "isnt", "neither", "never",
    "no", "nor", "not", "shouldnt", "wasnt", "werent", "without", "wont", "wouldnt",
))  # fmt: skip
_ALIKE = {
    "$": "usd", "dollar": "usd", "dollars": "usd", "€": "eur", "euro": "eur", "euros": "eur", "£": "gbp", "¥": "jpy", "yen": "jpy",
    "pct": "%", "percent": "%",
}  # fmt: skip
_SCALES = {
    "k": "thousand", "m": "million", "mn": "million", "mln": "million", "b": "billion", "bn": "billion", "bln": "billion", "tn": "trillion",
    "trn": "trillion", "trln": "trillion",
}  # fmt: skip

_UPDATES = r"updated?|updates|correct(?:ed|s|ion)|refile[ds]?|rpt|repeat|amended|revised|clarification|recasts"
_UPDATE = re.compile(_UPDATES, re.IGNORECASE)
_LABEL = rf"{_UPDATES}|breaking(?: news)?|exclusive|alert|flash|just in|developing|urgent|live|watch|video|analysis|focus|factbox|brief|snap|wrapup"
_PREFIX = re.compile(
    rf"\s*(?:[\[(]\s*(?P<boxed>{_LABEL})(?:\s*\d{{1,2}})?\s*[\])]\s*[-–—:|]*"
    rf"|(?P<bare>{_LABEL})(?:\s*\d{{1,2}})?(?:\s*:|(?P<tight>[-–—])(?=\S)|\s+[-–—|]+\s))\s*",
    re.IGNORECASE,
)
_MOST_LABELS = 4  # "RPT-UPDATE 2-EXCLUSIVE-" has three
_REMARK = re.compile(rf"[\[(]\s*(?:{_UPDATES}|adds|writes through|rewrites)\b[^\])]{{0,80}}[\])]", re.IGNORECASE)
_DATELINE = re.compile(r"\b[A-Z][A-Z.'’/ ]{2,30}(?:, [A-Z][a-z]{2,8}\.? \d{1,2})?\s\([A-Z][\w .]{1,28}\)\s[-–—]+\s")
_ADDRESS = re.compile(r"(?:https?://|www\.|pic\.twitter\.com/)\S+", re.IGNORECASE)
_TAIL = re.compile(r"\s(?:[-–—|]\s+(?P<behind>(?:(?!\s[-–—|]\s).){2,60})|[(\[](?P<within>[^()\[\]]{2,60})[)\]])\s*$")
_TAIL_CHARACTERS = 70
_LEAD = re.compile(r"\s*([^:]{2,60}):\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Words:
    """What is compared of a text.

    hashes: of its first `MOST_WORDS` words in their order, the same on every machine; unsigned, 32 bits.
    kinds: of these words, a byte each.
    update: whether it says that it corrects or continues another text.
    cased: whether capitals tell names from other words. In a title, a shout or a whisper they do not, and every word may be a name.
    """

    hashes: array
    kinds: bytes
    update: bool
    cased: bool


def words_of(text: str, publisher: str, families: Families) -> Words:
    """What is compared of a text.

    Args:
        publisher: whoever published it: a name of its family is dropped before the text ("The Wire: ") and behind it (" - The Wire", "(Wire UK)").
        families: that know its names.
    """
    text = text[:_MOST_CHARACTERS]
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text, update = _without_labels(_ADDRESS.sub(" ", text))
    text = _DATELINE.sub(" ", _without_publisher(text, publisher, families), count=1)
    tokens = list(islice(_tokens(text), MOST_WORDS))
    cased = text != text.lower() and _tells_names([capital for _, kind, capital in tokens if kind == PLAIN])
    kinds = bytes(NAME if kind == PLAIN and (capital or not cased) else kind for _, kind, capital in tokens)
    return Words(array("I", [_hash(word) for word, _, _ in tokens]), kinds, update, cased)


def _without_labels(text: str) -> tuple[str, bool]:
    """A text without "BREAKING:", "UPDATE 2-" or "(Adds details)", and whether one of them says that it is an update."""
    update = False
    for _ in range(_MOST_LABELS):
        found = _PREFIX.match(text)
        if not found or found.end() == len(text):
            break
        label = found["boxed"] or found["bare"]
        if found["tight"] and not label.isupper():  # a word: Live-streaming
            break
        update = update or _UPDATE.fullmatch(label) is not None
        text = text[found.end() :]
    if ("(" in text or "[" in text) and (found := _REMARK.search(text)) and found.span() != (0, len(text)):
        return _REMARK.sub(" ", text), True
    return text, update


def _without_publisher(text: str, publisher: str, families: Families) -> str:
    if (found := _LEAD.match(text)) and (family := families.of(publisher)) and families.of(found[1]) == family:
        text = text[found.end() :]
    end = text[-_TAIL_CHARACTERS:]
    if (found := _TAIL.search(end)) and found.start() + len(text) - len(end) > 0:
        family = families.of(publisher)
        if family and families.of(found["behind"] or found["within"]) == family:
            return text[: len(text) - len(end) + found.start()]
    return text


def _tokens(text: str) -> Iterator[tuple[str, int, bool]]:
    """Words in one spelling, with their kind and whether they have a capital letter; names are still plain words."""
    before = ""
    number = False
    for found in _TOKEN.finditer(text):
        group, token = found.lastgroup, found[0]
        if group == "number":
            yield _number(token), NUMBER, False
            before, number = "", True
            continue
        if group == "ticker":
            word, kind = token[1:].casefold(), NAME
        elif group == "word":
            word = _word(token)
            if number and word in _SCALES:
                word = _SCALES[word]
            elif word == "cent" and before == "per":
                word = "%"
            elif word in _ARTICLES:
                continue
            word = _ALIKE.get(word, word)
            kind = LIGHT if word in _LIGHT_WORDS else NEGATION if word in _NEGATIONS else PLAIN
            if not word.isalpha() and any(map(str.isdigit, word)):  # Q3
                kind = NUMBER
        else:
            word, kind = _ALIKE.get(token, token), PLAIN
        yield word, kind, not token.islower() and token.casefold() != token
        before, number = word, False


def _word(token: str) -> str:
    word = token.casefold()
    if not word.isascii():
        word = "".join(letter for letter in unicodedata.normalize("NFKD", word) if not "\u0300" <= letter <= "\u036f").replace("’", "'")
    if "'" in word:
        word = word.removesuffix("'s").replace("'", "")
    return word.replace(".", "")


def _number(token: str) -> str:
    """1,000.50 as 1000.5."""
    token = token.replace("−", "-")
    token = token.replace(",", "") if _THOUSANDS.fullmatch(token) else token.replace(",", ".")
    return token.rstrip("0").rstrip(".") if token.count(".") == 1 else token


def _tells_names(capitals: list[bool]) -> bool:
    """Whether words with a capital are names, given which of the plain words have one: enough have none. The first says nothing."""
    upper = sum(capitals[1:])
    lower = len(capitals) - 1 - upper
    return lower > 0 and 2 * lower >= upper


@functools.lru_cache(maxsize=1 << 16)
def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=4).digest(), "big")
