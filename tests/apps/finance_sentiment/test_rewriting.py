"""A row varied into another piece of news: numbers, tickers and companies change, what the text says does not."""

import re

import numpy as np
import pytest

from apps.finance_sentiment.simulation import sample_rows
from apps.finance_sentiment.simulation.names import INVENTED, all_names, company_names, new_name
from apps.finance_sentiment.simulation.numbers import rescale
from apps.finance_sentiment.simulation.rewriting import vary


@pytest.mark.parametrize(
    ("text", "factor", "expected"),
    [
        # amounts
        ("Ombrel overpaid for its bakeries. Now comes the €900m bill", 0.9, "Ombrel overpaid for its bakeries. Now comes the €810m bill"),
        ("TOOL LIFTS FORECAST TO Y62 BLN FROM Y55 BLN", 1.2, "TOOL LIFTS FORECAST TO Y74 BLN FROM Y66 BLN"),
        (
            "raises its forecast from EUR 130–140 million to EUR 155–165 million",
            1.2,
            "raises its forecast from EUR 156–168 million to EUR 186–198 million",
        ),
        ("IPO PRICED AT $27 VS RANGE OF $22-$25", 1.2, "IPO PRICED AT $32 VS RANGE OF $26-$30"),
        ("yes it lost 4m. last yr it was 60m!!", 0.8, "yes it lost 3m. last yr it was 48m!!"),
        (
            "net debt was $1.84 billion on 30 September 2025, $1.85 billion in June",
            1.1,
            "net debt was $2.02 billion on 30 September 2025, $2.04 billion in June",
        ),
        ("CUTS PAYOUT TO 18 CENTS FROM 31 CENTS", 1.2, "CUTS PAYOUT TO 22 CENTS FROM 37 CENTS"),
        ("30 million instead of $900 million", 0.8, "24 million instead of $720 million"),
        ("target 95p, shares at 140p", 0.9, "target 86p, shares at 126p"),
        ("PRICED AT MYR 7.20/SHR CASH, 49% PREMIUM", 1.1, "PRICED AT MYR 7.92/SHR CASH, 49% PREMIUM"),
        # percentages
        ("UK CPI 3.9% Y/Y VS 3.5% EXPECTED; CORE AT 4.2%", 0.9, "UK CPI 3.5% Y/Y VS 3.1% EXPECTED; CORE AT 3.8%"),
        ("MEXICO Q1 GDP -0.6% Q/Q, PRIOR REVISED TO -0.2%", 1.3, "MEXICO Q1 GDP -0.8% Q/Q, PRIOR REVISED TO -0.3%"),
        ("9M net likely up 70-85%", 0.8, "9M net likely up 56-68%"),
        ("30-YEAR YIELD DOWN 31 BPS", 1.1, "30-YEAR YIELD DOWN 34 BPS"),
        (
            "TARIFF HOLDS AT 24% FROM JULY 1, SAYS G20 OFFICIAL AT 14:00 GMT",
            1.25,
            "TARIFF HOLDS AT 30% FROM JULY 1, SAYS G20 OFFICIAL AT 14:00 GMT",
        ),
        # counts
        ("to shed 1,400 jobs in 2026", 1.1, "to shed 1,500 jobs in 2026"),
        ("employed 14,212 people, compared with 14,198 in Q3", 1.1, "employed 15,633 people, compared with 15,618 in Q3"),
    ],
)
def test_numbers_that_may_change_change_together(text, factor, expected):
    assert rescale(text, factor) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Results for 2025 due on 12 February 2026",
        "Q3 call at 14:00 GMT, 0900 in Perth, 5 P.M. in Tokyo",
        "10-Q and 8-K filed; Gen4 replaces Gen3; T5 is now T5S; 5G in August",
        "HOUSEHOLD SPENDING 0.0% M/M VS 0.0% FORECAST",
        "Growth of 0% against 2% a year ago",
        "PANEL VOTES 14-0, the board 6-4; 50/50 imo; at 6x earnings",
        "from 50 to 46 francs, the shares at 31 still offer nearly 50% upside",  # 46 over 31 is the 50%
        "Profit fell 20% to $50 million from $62 million",  # so is 50 over 62
        "gdp revised UP to 2.7 from 1.9",
        "median 5.6 vs 5.1, spx futs -70",
        "up 3, then down 3, now flat",
        "Raises dividend to 9 naira from 6.50",
        "debt is down to 1.1 times EBITDA from 2.4 after we repaid €500 million",
        "Cuts cash rate by 25 basis points to 3.05 per cent",  # rates move by steps
        "pakistan +175bp out of nowhere",
        "EUR/CHF 0.9385 AT FIX, EUR/USD forecast at 1.10",
        "Sterling sails past $1.33",
        "every coin is backed at 102% by cash",  # 98 % would be bad news
        "wind fleet at 97% availability",
        "growth of 12m eps",  # twelve months
        "price target in 12m: unchanged",
        "a new 30% tax means that holders take home roughly a quarter less",
        "vietnam gdp 9.1%. nine point one",
        "block 9,120,000, version 4, phase 3",
        "S&P 500 and FTSE 100 flat",
        "14 OF 27 SEE HOLD IN JUNE, 13 SEE CUT",
        "the 9th, the website says 12th; 364 day bills; a 31-year streak; 27-MONTH LOW; 2 hrs",
        "No numbers here",
    ],
)
def test_numbers_whose_change_might_change_the_meaning_stay(text):
    assert [rescale(text, factor) for factor in (0.75, 0.9, 1.1, 1.3)] == [None] * 4


def test_a_factor_that_would_turn_the_order_or_pass_a_hundred_percent_is_refused():
    assert rescale("CORE 2.1% VS 2.0%", 0.76) == "CORE 1.6% VS 1.5%"
    assert rescale("CORE 2.1% VS 2.0%", 0.25) is None  # both 0.5%
    assert rescale("approved by 80% of holders", 1.2) is None
    assert rescale("shares fell 2%", 1.1) is None  # still 2%
    assert rescale("a charge of $900 million", 1.2) is None  # $1080 million is not how it is written


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Msasani Cement warns", ("msasani",)),
        ("EU CLEARS BALTRONA-VISTULEX TIE-UP", ("baltrona", "vistulex")),
        ("tarrosa says the wells are back online", ("tarrosa",)),
        ("Hidrena Cement warns of a loss", ("hidrena",)),
        ("Debt of Hidrena Shipping has doubled since the spring", ("hidrena",)),
        ("Strong Steel Demand Lifts Tokyo", ()),  # a title may capitalise any word
        ("STRONG STEEL DEMAND LIFTS TOKYO", ()),
        ("Hong Kong Telecom pays more than last year", ()),  # a part of a longer name
        ("European Gas is dearer than ever since the summer", ()),
        ("Norges Bank raises its rate again", ()),
        ("Natural Gas was dear all through the winter", ()),
        ("Turkish lira slides to a record low", ()),
    ],
)
def test_company_names_are_recognised_where_that_is_safe(text, names):
    assert company_names(text) == names


def masked(text):
    """What has to stay: everything but names, tickers and digits."""
    text = re.sub(r"(?<![\w$])\$[A-Z]{3,6}\b", "$T", text)
    text = re.sub(r"\d[\d,]*(?:\.\d+)?", "#", text)
    return text


def test_varying_a_row_changes_nothing_but_names_tickers_and_numbers():
    rng, changed = np.random.default_rng(0), 0
    for text, _, _ in sample_rows(("train", "valid", "test")):
        names = company_names(text)
        for _ in range(3):
            other = vary(text, rng)
            changed += other != text
            words, others = (re.split(r"([^\W\d_]+)", masked(each)) for each in (text, other))
            assert len(words) == len(others)
            for word, new in zip(words, others, strict=True):
                assert word == new or (word.lower() in names and (word.isupper(), word.islower()) == (new.isupper(), new.islower()))
    assert changed > 3 * 500


def test_names_and_tickers_change_alike_all_through_a_text():
    rng = np.random.default_rng(0)
    text = "$OKVL up 8%: Sarnholt says SARNHOLT'S offer for $OKVL stands, $PLRSC is out"
    other = re.fullmatch(r"\$(\w{6}) up \d+%: (\w+) says (\w+)'S offer for \$(\w{6}) stands, \$(\w{6}) is out", vary(text, rng))
    assert other[1] == other[4] != other[5]
    assert other[2].upper() == other[3] != "SARNHOLT"


def test_a_ticker_stays_where_it_abbreviates_a_name_that_stays():
    assert vary("the castelpine shutdown is old news $CSTLP", np.random.default_rng(0)) == "the castelpine shutdown is old news $CSTLP"


def test_no_new_name_is_an_old_one_or_has_a_word_of_good_or_bad_news_in_it():
    told = re.compile("loss|lose|gain|win|cut|rise|fall|sink|beat|miss|drop|jump|sell|buy|hike|good|bad|dead|sick|weak|strong|fraud|boost")
    names = {name.lower() for name in all_names()}
    rng = np.random.default_rng(0)
    assert len(names) > 10_000
    assert not {new_name(rng).lower() for _ in range(2_000)} & INVENTED
    assert [name for name in names if told.search(name)] == []
