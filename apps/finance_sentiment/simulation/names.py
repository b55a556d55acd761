"""Invented companies: which words of a text are one's name, and new names and tickers to put in their place."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import numpy as np

# The invented names of the sample's valid and test parts. Any other name is left alone, unless `_OF_A_SECTOR` shows that it is one.
INVENTED = frozenset(
    """
    abrantia aldermoss almedra altacori ardmoyle arkwell asempa asuboa atacoya baltrona bellatro bexhall bindarra bitharrow boldray
    bosporel braganova brenholt candelro castelmar castlepyne cervara chaiyarat clonmarra copperlane cormesa corvane daeronix dalwhin
    danubrix dormelle dunmarra dunmarrow ferrowick gdynska grantmoor grumbach gulbarra haidora hallingdorf halvetti halvorin haneul
    harcastle harrowdene hashigawa havelko hesslingen hexworth hradnik hyeonsan ibarrola ibexhollow illyra indravar ipanuba jandera
    jorvanta kafuvela kaimoa karafuu karatsuno kavindro kestrelon kestvik kibanda kiruva kivuna koramba kranzler kuramochi kuusamaa
    lathgrove lindqvar lindqvarn lumarro lumbrella lumebrook lunqiao lusaro marlinette marlpit matsukaze mbeluzi mekora merrowdale
    minatohara moldrek montferrat morvane mosswell msasani mwambao nilbridge nishimori nordhavsund norrby norrvik nunataq okavale
    okelande okonta ombrel ondrava ontrevimab optavelle orbivane orrinport osamori osterbeck ostwerk pagelink pampeira pangolo
    pellingate penglian perlisco perunika pinehollow plessardin polvarin portmoor pravelle quennell quillmere quiltra quintavale rasifa
    rautavik ravelund ridgemoor rokkano rüttimann sahelia sandaru sarnholt savantu semolara sengkarang sepedara serimbas shinkaida
    skagervik skarnes sojalva solvane solvenna sorbello sorvella stellard stellwag stromvale sundhavn tarangi tarbesco tarrosa tarrowby
    tasmore tesseria thyolani tolvane tolvanen tormesa trueleigh tuulimaki tuulimäki tyndrum ulvering vaguelis varello varmdal varrick
    velaquis veldmark vintrel vistulex vossenkamp wendolin wexmoor xinyaohe yamanobe yamashiro yarrabee zambrika zavetta zellorian
    zemcaptide zephavor zephrane zuberia zymbrel
    """.split()  # noqa: SIM905 - quoted one by one they would be a page
)

_WORD = re.compile(r"[^\W\d_]+")
# "Hidrena Cement": one capitalised word before what companies call themselves by, both as names are written inside a sentence. A
# capitalised word right before it would be a part of the name, or of something else ("Hong Kong Telecom").
_OF_A_SECTOR = re.compile(
    r"(?<![\w$-])(?P<name>[A-Z][a-zà-ÿ]{3,}) "
    r"(?:Airlines|Autos?|Breweries|Cables|Cement|Chemicals|Coal|Copper|Dairy|Energy|Ferries|Foods|Gaming|Gas|Glass|Gold|Hydro|Insurance|"
    r"Logistics|Marine|Media|Medical|Metals|Motors|Optics|Optical|Paper|Petroleum|Pharma|Pharmaceuticals|Pipelines|Pumps|Rail|Robotics|"
    r"Salmon|Shipping|Solar|Steel|Telecom|Textiles|Therapeutics|Tobacco|Tyres)\b"
)
_BEFORE = re.compile(r"(?:[A-Z][\w&’'.-]*|&)\s+$")
_ORDINARY = re.compile(
    r"[a-z]+(?:an|ern|ese|ish|ch|ss)|natural|crude|clean|green|white|black|blue|north|south|east|west|precious", re.IGNORECASE
)
_TITLE_CASE = 0.6  # a text of which more words are capitalised may capitalise any word

_STARTS = "Bal Bren Cal Dor Dras Fen Gal Hal Isk Jor Kel Lor Mel Nor Os Pel Quil Ros Tar Ul Vel Ves Wex Yar Zel".split()  # noqa: SIM905
_MIDDLES = "a ab ad am an av e em en er ev i id il im o od om on or u um".split()  # noqa: SIM905
_ENDS = "ba beck bria dale dis dra gard ka lia lund mark mont mora na nia quist ra ria sund tar tis va vik zia".split()  # noqa: SIM905


@functools.lru_cache(maxsize=4096)  # a row is used many times
def company_names(text: str) -> tuple[str, ...]:
    """The words of a text that name an invented company, in lower case, each once: those of `INVENTED` in any case, and a capitalised word
    before a word that companies call themselves by, unless the text capitalises its words anyway or the word may be an ordinary one."""
    words = _WORD.findall(text)
    found = [word.lower() for word in words if word.lower() in INVENTED]
    if sum(word[0].isupper() for word in words) <= _TITLE_CASE * len(words):
        for match in _OF_A_SECTOR.finditer(text):
            if not _BEFORE.search(text[: match.start()]) and not _ORDINARY.fullmatch(match["name"]):
                found.append(match["name"].lower())
    return tuple(dict.fromkeys(found))


def rename(text: str, names: dict[str, str]) -> str:
    """The text with other names, each in the case of the one that it replaces; `names` are in lower case, what they become is
    capitalised."""

    def replaced(match: re.Match[str]) -> str:
        word = match[0]
        name = names.get(word.lower())
        if name is None:
            return word
        return name.upper() if word.isupper() else name.lower() if word.islower() else name

    return _WORD.sub(replaced, text)


def all_names() -> Iterator[str]:
    """Every name that `new_name` can give."""
    return (start + middle + end for start in _STARTS for middle in _MIDDLES for end in _ENDS)


def new_name(rng: np.random.Generator) -> str:
    """A capitalised name that no text of the sample has."""
    while True:
        name = "".join(part[int(rng.integers(len(part)))] for part in (_STARTS, _MIDDLES, _ENDS))
        if name.lower() not in INVENTED:
            return name


def new_ticker(rng: np.random.Generator) -> str:
    """A ticker without its dollar sign: six letters, one more than shares have where a dollar sign stands before them, so that it is
    nobody's."""
    return "".join(letters[int(rng.integers(len(letters)))] for letters in (*["BDFGHJKLMNPRSTVWXZ"] * 5, "AEIOU"))
