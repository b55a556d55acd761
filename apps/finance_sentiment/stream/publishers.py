"""Publishers that are one house: Reuters, reuters.com and Reuters UK, or whom a table puts together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

_HOST = re.compile(r"(?:https?://)?((?:[\w-]+\.)+[a-z]{2,24})(?:[:/].*)?$")
# Labels that stand for no name where a host ends: example.co.uk, example.com.au.
_SECOND_LEVEL = frozenset(("ac", "co", "com", "edu", "gov", "net", "org"))
# Of editions, where they stand behind a name: "Reuters UK", not "China Daily".
_EDITIONS = frozenset(
    ["africa", "america", "americas", "apac", "arabia", "argentina", "asia", "australia", "austria", "belgium", "brasil", "brazil", "canada", "chile", "china", "colombia", "deutsch", "deutschland", "denmark", "dubai", "edition", "emea", "en", "english", "espana", "europa", "europe", "finland", "france", "germany", "global", "greece", "hk", "home", "hongkong", "india", "indonesia", "international", "ireland", "israel", "italia", "italy", "japan", "kenya", "korea", "latam", "london", "malaysia", "mexico", "middleeast", "netherlands", "newzealand", "nigeria", "nordic", "norway", "online", "pakistan", "philippines", "poland", "portugal", "russia", "singapore", "southafrica", "spain", "sweden", "switzerland", "taiwan", "thailand", "turkey", "uae", "uk", "us", "usa", "vietnam", "worldwide"]
)
_TWO_WORDS = {("hong", "kong"), ("latin", "america"), ("middle", "east"), ("new", "zealand"), ("north", "america"), ("south", "africa"), ("united", "kingdom"), ("united", "states")}
_PREPOSITIONS = frozenset(("and", "de", "for", "from", "in", "of"))  # behind them a country belongs to the name: Times of India
_SHORTEST = 5  # letters that have to be left: Air India is no edition of Air


class Families:
    """Which family a publisher belongs to.

    Args:
        patterns: family -> patterns of publishers' names with `*`, in any case; the first that fits counts.
    """

    def __init__(self, patterns: Mapping[str, Sequence[str]] | None = None):
        self._patterns = [
            (family, re.compile(".*".join(map(re.escape, pattern.casefold().split("*"))) + "$", re.DOTALL))
            for family, names in (patterns or {}).items()
            for pattern in names
        ]

    def of(self, publisher: str) -> str:
        """The family's name; by the table, else the publisher's own name without the, edition and domain. Empty where no publisher is named.

        >>> [Families().of(name) for name in ("Reuters UK", "reuters.com", "The REUTERS")]
        ['reuters', 'reuters', 'reuters']
        """
        name = " ".join(publisher.casefold().split())
        for family, pattern in self._patterns:
            if pattern.match(name):
                return family
        return _own_name(name)


def _own_name(name: str) -> str:
    if host := _HOST.match(name):
        labels = host[1].split(".")[:-1]
        while len(labels) > 1 and labels[-1] in _SECOND_LEVEL:
            labels.pop()
        return labels[-1].replace("-", " ")
    plain = "".join(character for character in unicodedata.normalize("NFKD", name) if not unicodedata.combining(character))
    words = re.findall(r"[\w&]+", plain.replace("'", "").replace("’", "").replace("u.s.", "us").replace("u.k.", "uk"))
    if len(words) > 1 and words[0] == "the":
        words = words[1:]
    while (ending := 2 if tuple(words[-2:]) in _TWO_WORDS else int(bool(words) and words[-1] in _EDITIONS)) and _is_name(words[:-ending]):
        words = words[:-ending]
    return " ".join(words)


def _is_name(words: list[str]) -> bool:
    return bool(words) and words[-1] not in _PREPOSITIONS and sum(map(len, words)) >= _SHORTEST
