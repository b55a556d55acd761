"""The numbers of a text changed without changing what it says: all amounts by one factor, or else all percentages, or none.

A text's numbers often hang together ("6% vs 5%", "from 50 to 46 francs, 50% upside"), so that they are changed only where every number of
the text is understood. Amounts may all be multiplied as if in another currency: what was worked out from them still holds. Without
amounts, percentages may all be multiplied while none passes a hundred. Dates, times, durations, names with digits and votes stay.
"""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!,?\d)"
_RANGE = rf"(?<![\d.,])(?P<low>{_DIGITS})(?:\s?[-–]\s?(?P<high>{_DIGITS}))?"
_MULTIPLE = r"(?P<multiple>\s?(?i:trillion|billion|million|bln|mln|bn|mn)\b|[mb]\b)"
_CODES = (
    "AUD|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|MYR|NGN|NOK|NZD|PEN|PHP|PLN|SAR|SEK|SGD|THB|TRY|TWD|"
    "USD|ZAR"
)
_COINS = (
    "cents?|pence|bucks|dollars?|euros?|pounds?|francs?|yen|yuan|rupees?|rupiah|pesos?|naira|kron[ae]|kronor|kroner|baht|zloty|rand|lira"
)
_MONTH = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|"
    r"dec(?:ember)?)\b"
)
_SPAN = r"(?i:years?|yrs?|months?|mths?|weeks?|wks?|days?|hours?|hrs?|minutes?|mins?|sessions?|quarters?)\b"

# Each kind is looked for in what the ones before it have left. What is then still a number is not understood.
_KINDS = {
    kind: re.compile(pattern, re.VERBOSE)
    for kind, pattern in {
        "money": rf"""
            (?:[A-Z]{{0,3}}[$€£¥₹₦]|\b(?:{_CODES})[ ]|(?<![A-Za-z])[RY](?=\d)){_RANGE}(?:{_MULTIPLE}|[MB]\b)?
            """,
        "amount": rf"{_RANGE}(?:{_MULTIPLE}|[ ](?i:{_COINS})\b|[pc]\b)",
        "percent": rf"{_RANGE}\s?(?:%|(?i:per[ ]cent|percent|pct|pc)\b)",
        "points": rf"{_RANGE}\s?(?i:bps?|basis[ ]points?)\b",
        "fixed": rf"""
            (?<![\d.,])(?:19|20)\d\d(?![\d,.]*\d)                                 # a year
            | (?i:phase|block|version|unit|no\.|article|section|level|tier|stage)[ ]\d[\d,.]*\b
            | \b(?:S&P|FTSE|CAC|DAX|Nikkei|Stoxx)[ ]\d+\b
            | \b[^\W\d_]+[-+]?\d\w*                                               # Q3, FY25, G20, Gen4, Mbara-3, T+180
            | \b\d+-[QKF]\b | \b\d[GDQHM]\b                                       # 10-Q, 3G, 9M
            | \b\d{{1,2}}:\d\d\b | \b0\d{{3}}\b                                   # times
            | \b\d{{4}}[ ](?:GMT|UTC|CET|ET|EST)\b | \b\d{{1,2}}[ ]?(?i:[ap]\.m\.|[ap]m\b)
            | \b\d{{1,2}}(?:[ ](?:to|and)[ ]|[-–])\d{{1,2}}[ ]{_MONTH}              # dates
            | \b\d{{1,2}}(?i:st|nd|rd|th)?(?:[ ]of)?[ ]{_MONTH}
            | \b{_MONTH}[ ]\d{{1,2}}\b(?!\.\d)
            | \b\d+(?i:st|nd|rd|th)\b
            | \b\d+(?:\.\d+)?[-\s]?{_SPAN}
            | \b\d+/\d+\b | \b\d+(?:\.\d+)?x\b | \b\d{{1,2}}-\d{{1,2}}\b         # 50/50, 6x, a vote of 6-4
            """,
        "count": r"(?<![\d.,])(?P<low>\d{1,3}(?:,\d{3})+)(?![.,]?\d)",
        "other": r"(?P<low>\d[\d.,]*)",
    }.items()
}
# Words that may have been worked out from the percentages of the text, or spell them out.
_IN_WORDS = re.compile(r"\b(?:half|halves|halved|thirds?|a\s+quarter|fifths?|tenths?|twice|double[sd]?|triple[sd]?|point)\b", re.IGNORECASE)
_MONTHS_AHEAD = {3, 6, 9, 12, 18, 24}  # "12m" may be months
_MULTIPLES = {"t": 1e12, "b": 1e9, "m": 1e6, "": 1.0}
_NEARLY_ALL = 89  # percent: from here to 110 another value may say something else


@dataclass(frozen=True)
class _Number:
    """A number of a text: its kind, where its digits stand, and what its unit multiplies it by."""

    kind: str
    start: int
    digits: str
    multiple: float = 1.0

    @property
    def value(self) -> float:
        return float(self.digits.replace(",", ""))


def rescale(text: str, factor: float) -> str | None:
    """The text with its amounts, or else its percentages, or else its counts multiplied by `factor` and rounded as the least round of them
    was; None where they have to stay: there are none, a number is not understood, or the new ones would not stand in the order of the old.

    >>> rescale("Wexmar to pay $50 million, twice what it had set aside in Q3", 1.1)
    'Wexmar to pay $55 million, twice what it had set aside in Q3'
    >>> rescale("UK CPI 3.9% Y/Y VS 3.5% EXPECTED", 1.1)
    'UK CPI 4.3% Y/Y VS 3.9% EXPECTED'
    >>> rescale("Profit fell 20% to $50 million from $62 million", 1.1) is None  # the percentage ties the two amounts together
    True
    """
    numbers = _numbers(text)
    kinds = {kind: [number for number in numbers if number.kind == kind] for kind in ("amount", "percent", "count", "other")}
    chosen = kinds["amount"] or kinds["percent"] or kinds["count"]
    tied = len(kinds["amount"]) > 1 and kinds["percent"]
    if kinds["other"] or not chosen or tied:
        return None
    zeros = min(_round_digits(number.digits) for number in chosen)
    digits = [_rounded(number.digits, number.value * factor, zeros) for number in chosen]
    old = [number.value * number.multiple for number in chosen]
    new = [float(each.replace(",", "")) * number.multiple for each, number in zip(digits, chosen, strict=True)]
    if old == new or not all(old) or not all(new) or not _in_the_same_order(old, new):
        return None
    if any(_whole(each) > 3 >= _whole(number.digits) for each, number in zip(digits, chosen, strict=True)):  # "$1060 million"
        return None
    if chosen is kinds["percent"] and (_IN_WORDS.search(text) or not all(map(_says_the_same, old, new))):
        return None
    for number, each in sorted(zip(chosen, digits, strict=True), key=lambda pair: -pair[0].start):
        text = text[: number.start] + each + text[number.start + len(number.digits) :]
    return text


@functools.lru_cache(maxsize=4096)  # a row is used many times
def _numbers(text: str) -> tuple[_Number, ...]:
    """The numbers of a text that may have to do with one another: amounts, percentages, counts, and others, whose meaning is not clear."""
    found = []
    for kind, pattern in _KINDS.items():
        for match in pattern.finditer(text):
            if kind != "fixed":
                found += _read(kind, match)
        # Letters in the place of what was understood: nothing moves, and no digit is found twice.
        text = pattern.sub(lambda match: re.sub(r"\d", "#", match[0]), text)
    return tuple(found)


def _read(kind: str, match: re.Match[str]) -> list[_Number]:
    """One number, or the two of a range."""
    groups = match.groupdict()
    unit = (groups.get("multiple") or "").strip().lower()[:1]
    multiple = 0.01 if kind == "points" else _MULTIPLES[unit]
    kind = {"money": "amount", "points": "percent"}.get(kind, kind) if _clear(kind, match) else "other"
    return [_Number(kind, match.start(group), groups[group], multiple) for group in ("low", "high") if groups.get(group)]


def _clear(kind: str, match: re.Match[str]) -> bool:
    """Whether another value would be as likely: a rate moves by steps, a price below two is often an exchange rate, and "12m" may be
    months."""
    digits = match["low"].rstrip(".,").replace(",", "")
    if kind == "points":
        return float(digits) % 25 != 0
    if kind == "money":
        return match["multiple"] is not None or "." not in digits or float(digits) >= 2
    if kind == "amount":
        return not (match["multiple"] == "m" and float(digits) in _MONTHS_AHEAD)
    return True


def _round_digits(digits: str) -> int:
    """How many digits before the decimal point are zeros that stand for nothing, behind the first two digits."""
    whole, _, decimals = digits.replace(",", "").partition(".")
    return 0 if decimals else min(len(whole) - len(whole.rstrip("0")), max(0, len(whole) - 2))


def _rounded(digits: str, value: float, zeros: int) -> str:
    """A value written as `digits` are: as many decimals, thousands parted or not, and with so many zeros at its end."""
    decimals = len(digits.partition(".")[2])
    value = round(value / 10**zeros) * 10**zeros if zeros else value
    return f"{value:,.{decimals}f}" if "," in digits else f"{value:.{decimals}f}"


def _whole(digits: str) -> int:
    """How many characters stand before the decimal point."""
    return len(digits.partition(".")[0])


def _in_the_same_order(old: list[float], new: list[float]) -> bool:
    pairs = itertools.combinations(zip(old, new, strict=True), 2)
    return all((a < b) == (c < d) and (a > b) == (c > d) for (a, c), (b, d) in pairs)


def _says_the_same(old: float, new: float) -> bool:
    """Whether neither percentage is nearly all, and both are less or both more than that."""
    return (old < _NEARLY_ALL and new < _NEARLY_ALL) or (old > 110 and new > 110)
