"""Publishers that are one house: Reuters, reuters.com and Reuters UK, or whom a table puts together."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping, Sequence

_HOST = re.compile(r"(?:https?://)?((?:[\w-]+\.)+[a-z]{2,24})(?:[:/].*)?")
# Labels that stand for no name where a host ends: example.co.uk, example.com.au.
_SECOND_LEVEL = frozenset(("ac", "co", "com", "edu", "gov", "net", "org"))
# Of editions, where they stand behind a name: "Reuters UK", not "China Daily".
_EDITIONS = frozenset((
    "africa", "america", "americas", "apac", "arabia", "argentina", "asia", "australia", "austria", "belgium", "brasil", "brazil",
    "canada", "chile", "china", "colombia", "deutsch", "deutschland", "denmark", "dubai", "edition", "emea", "english", "espana",
    "europa", "europe", "finland", "france", "germany", "global", "greece", "hk", "india", "indonesia", "international", "ireland",
    "israel", "italia", "italy", "japan", "kenya", "korea", "latam", "london", "malaysia", "mexico", "netherlands", "nigeria", "nordic",
    "norway", "online", "pakistan", "philippines", "poland", "portugal", "russia", "singapore", "spain", "sweden", "switzerland",
    "taiwan", "thailand", "turkey", "uae", "uk", "us", "usa", "vietnam", "worldwide",
))  # fmt: skip
_EDITIONS_OF_TWO_WORDS = frozenset((
    ("hong", "kong"), ("latin", "america"), ("middle", "east"), ("new", "york"), ("new", "zealand"), ("north", "america"),
    ("saudi", "arabia"), ("south", "africa"), ("south", "korea"), ("united", "kingdom"), ("united", "states"),
))  # fmt: skip
_PREPOSITIONS = frozenset(("and", "de", "for", "from", "in", "of"))  # behind them a country belongs to the name: Times of India
# What is no publisher's name alone: Air India is no edition of Air.
_GENERIC = frozenset(
    ("air", "bank", "business", "daily", "news", "post", "press", "radio", "royal", "telecom", "times", "today", "tribune", "voice")
)


class Families:
    """Which family a publisher belongs to.

    Args:
        patterns: family -> patterns of publishers' names with `*` for anything, in any case; the first that fits counts.
    """

    def __init__(self, patterns: Mapping[str, Sequence[str]] | None = None):
        self._patterns = [
            (family, re.compile(".*".join(map(re.escape, pattern.casefold().split("*"))), re.DOTALL))
            for family, names in (patterns or {}).items()
            for pattern in names
        ]
        self.of = functools.lru_cache(maxsize=4096)(self._of)

    def _of(self, publisher: str) -> str:
        """The family's name: by the table, else the publisher's own without the, edition and domain; empty where no publisher is named.

        >>> [Families().of(name) for name in ("Reuters UK", "reuters.com", "The REUTERS")]
        ['reuters', 'reuters', 'reuters']
        """
        name = " ".join(publisher.casefold().split())
        for family, pattern in self._patterns:
            if pattern.fullmatch(name):
                return family
        return _own_name(name)


def _own_name(name: str) -> str:
    if host := _HOST.fullmatch(name):
        labels = host[1].split(".")[:-1]
        while len(labels) > 1 and labels[-1] in _SECOND_LEVEL:
            labels.pop()
        return labels[-1].replace("-", " ")
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    words = re.findall(r"[\w&]+", re.sub(r"['’.](?=\w)|(?<=\w)['’.]", "", plain))
    if len(words) > 1 and words[0] == "the":
        words = words[1:]
    while (rest := _without_edition(words)) != words and _is_name(rest):
        words = rest
    return " ".join(words)


def _without_edition(words: list[str]) -> list[str]:
    if tuple(words[-2:]) in _EDITIONS_OF_TWO_WORDS:
        return words[:-2]
    return words[:-1] if words and words[-1] in _EDITIONS else words


def _is_name(words: list[str]) -> bool:
    return bool(words) and words[-1] not in _PREPOSITIONS and not (len(words) == 1 and words[0] in _GENERIC)
