"""What repeats an item is found, whatever was done to it on its way; what only looks like it is another item."""

import itertools
import json
import random
import subprocess
import sys
from dataclasses import replace

import pytest

from apps.finance_sentiment.stream.duplicates import Duplicate, Duplicates
from apps.finance_sentiment.stream.headline import MOST_WORDS, words_of
from apps.finance_sentiment.stream.item import Item
from apps.finance_sentiment.stream.publishers import Families
from apps.finance_sentiment.stream.sketch_index import MOST_LISTED, SketchIndex
from tests.nasty_texts import NASTY

HOUR = 3600.0
NOW = 1_767_600_000.0
HEADLINE = "Volvo recalls 10,000 cars over brake software fault"
LONG = (
    "Volvo recalls 10,000 cars over a software fault in their brakes. The company said on Monday that the fault can make the pedal lose its effect when the "
    "driver slows down on long slopes, and that drivers are to visit a workshop before they use the regenerative mode again. Nobody has been hurt so far."
)


def item(text, publisher="The Wire", time=NOW, name=None):
    return Item(name or f"{publisher}/{text}", time, text, publisher)


def repeats(first, second, one="The Wire", other="Daily Post", **settings):
    """Whether a text is found to repeat another one, in either order."""
    found = []
    for earlier, later in (((first, one), (second, other)), ((second, other), (first, one))):
        duplicates = Duplicates(**settings)
        duplicates.add(item(*earlier, name="first"))
        duplicate = duplicates.find(item(*later, name="second"))
        assert duplicate is None or (duplicate.kind, duplicate.of) == ("text", "first")
        found.append(duplicate is not None)
    assert found[0] == found[1]
    return found[0]


# --- the same news from another publisher ---


@pytest.mark.parametrize(
    "text",
    [
        HEADLINE.upper(),
        "Volvo Recalls 10,000 Cars Over Brake Software Fault",
        "Volvo recalls 10000 cars, over brake-software fault!",
        f"UPDATE 2-{HEADLINE}",
        f"RPT-EXCLUSIVE-{HEADLINE}",
        f"BREAKING: {HEADLINE}",
        f"Breaking News - {HEADLINE}",
        f"[UPDATED] {HEADLINE}",
        f"{HEADLINE} (updated)",
        f"{HEADLINE} - Daily Post",
        f"{HEADLINE} | dailypost.com",
        f"{HEADLINE} (Daily Post UK)",
        f"{HEADLINE} https://t.co/x1 pic.twitter.com/abc",
        f"STOCKHOLM, Jan 5 (Agency) - {HEADLINE}",
        f"  “{HEADLINE}” ",
        "Volvo’s recalls: 10,000 cars over the brake software fault",
        f"{HEADLINE}, says",
        f"{HEADLINE} &amp;",
    ],
)
def test_a_headline_that_others_wrap_and_respell_is_the_same(text):
    assert repeats(HEADLINE, text, other="dailypost.com" if "dailypost" in text else "Daily Post")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "Acme raises 2.5 billion dollars in its offering of shares",
            "Acme raises $2.50bn in its offering of shares".replace("$2.50bn", "2.50bn $"),
        ),
        ("Output of Acme's plant fell 5 percent in the third quarter", "Output of Acme's plant fell 5% in the third quarter"),
        ("Output of Acme's plant fell 5 per cent in the third quarter", "Output of Acme's plant fell 5 pct in the third quarter"),
        (
            "Nestlé and Société Générale agree on a credit line for exports",
            "Nestle and Societe Generale agree on a credit line for exports",
        ),
        ("U.S. stocks open higher ahead of the central bank's meeting", "US stocks open higher ahead of the central bank's meeting"),
        ("日本銀行は金利を引き上げることを決定した", "【日本銀行】は、金利を引き上げることを決定した。"),
        (LONG, LONG.replace("long slopes", "steep slopes")),
        (LONG, LONG + " Reporting by Jane Doe"),
        (LONG * 4, "The company has more to say. " + LONG * 4),
    ],
)
def test_units_accents_and_details_of_a_long_report_do_not_make_another_one(first, second):
    assert repeats(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (HEADLINE, HEADLINE.replace("Volvo", "Scania")),
        (HEADLINE, HEADLINE.replace("10,000", "11,000")),
        (HEADLINE.upper(), HEADLINE.replace("Volvo", "Scania").upper()),
        (HEADLINE.lower(), HEADLINE.replace("Volvo", "Scania").lower()),
        (LONG, LONG.replace("Volvo", "Scania")),
        (LONG, LONG.replace("10,000", "11,000")),
        ("Shares fall in early trade after results", "Volvo shares fall in early trade after results"),
        ("$ABCD jumps most in a year on strong outlook for sales", "$EFGH jumps most in a year on strong outlook for sales"),
        ("$ABCD jumps most in a year on strong outlook for sales", "Stock jumps most in a year on strong outlook for sales"),
        ("Q3 profit of the group rises on strong demand for cars", "Q4 profit of the group rises on strong demand for cars"),
        ("Earnings per share of 0.05 were reported by the mining group", "Earnings per share of -0.05 were reported by the mining group"),
        ("Fund sells 5% stake in the port operator of the city", "Fund sells $5 stake in the port operator of the city"),
        ("Apple sues Samsung again over patents for folding screens", "Samsung sues Apple again over patents for folding screens"),
        ("Oil up and gold down ahead of the producers' meeting", "Gold up and oil down ahead of the producers' meeting"),
        ("The bank will cut its dividend this year, says chairman", "The bank will not cut its dividend this year, says chairman"),
        ("Shares of the group rise after its quarterly report", "Shares of the group fall after its quarterly report"),
        (HEADLINE, "Volvo calls back thousands of vehicles because their brakes may fail"),
        ("Shares fall", "Shares fall"),
        ("Interim report published", "Interim report published"),
        ("", ""),
        ("!!!", "???"),
    ],
)
def test_another_company_number_order_or_meaning_is_other_news(first, second):
    assert not repeats(first, second)


def test_the_publisher_before_a_text_is_no_part_of_it_and_a_company_is():
    duplicates = Duplicates()
    duplicates.add(item("Bids cover barely half of Kenya's infrastructure bond", "Meridian Wire"))
    assert duplicates.find(item("Evening Star: Bids cover barely half of Kenya's infrastructure bond", "Evening Star")).kind == "text"
    assert duplicates.find(item("Tanzania: Bids cover barely half of Kenya's infrastructure bond", "Evening Star")) is None


# --- within a family of publishers ---


@pytest.mark.parametrize(
    "text",
    [
        "Volvo recalls 10,000 cars over brake fault",
        f"{HEADLINE}, drivers are asked to visit workshops",
        f"UPDATE 1-{HEADLINE.replace('10,000', '12,000')}",
        f"CORRECTED-{HEADLINE.replace('10,000', '1,000')}",
        f"{HEADLINE.replace('10,000', '12,000')} (Adds details, background)",
        f"UPDATE 1-{HEADLINE.replace('fault', 'problem')}",
        f"Update 1: {HEADLINE.replace('10,000', '12,000').title()}",
    ],
)
def test_a_house_may_reword_its_own_text_and_correct_what_it_marks_as_corrected(text):
    assert repeats(HEADLINE, text, other="The Wire UK")
    if "UPDATE" in text or "fault" not in text or "12,000" in text or "drivers" in text:
        assert not repeats(HEADLINE, text, other="Daily Post")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (HEADLINE, HEADLINE.replace("10,000", "12,000")),
        (HEADLINE, HEADLINE.replace("Volvo", "Scania")),
        (HEADLINE, f"UPDATE 1-{HEADLINE.replace('Volvo', 'Scania')}"),
        (HEADLINE.title(), f"UPDATE 1-{HEADLINE.replace('Volvo', 'Scania').title()}"),
        ("Volvo shares rise in Stockholm after results", "Volvo shares fall in Stockholm after results"),
        ("Volvo plans job cuts", "Volvo denies plans for job cuts"),
        ("Shares fall", "Bonds fall"),
    ],
)
def test_other_news_of_one_house_stays_other_news(first, second):
    assert not repeats(first, second, other="thewire.com")


def test_a_short_text_is_only_repeated_word_for_word_and_by_one_house():
    assert repeats("Shares fall", "SHARES FALL!", other="The Wire")
    assert not repeats("Shares fall", "Shares fall", other="")
    assert not repeats("Shares fall", "Shares fall", one="", other="")


@pytest.mark.parametrize(
    ("names", "family"),
    [
        (
            [
                "Reuters",
                "REUTERS UK",
                "reuters.com",
                "https://www.reuters.com/markets?x=1",
                "uk.reuters.com",
                "reuters.co.uk",
                "The Reuters ",
            ],
            "reuters",
        ),
        (["Financial Times", "Financial Times (Asia)", "the financial times united states"], "financial times"),
        (["Times of India", "The Times of India"], "times of india"),
        (["Les Échos", "les echos France"], "les echos"),
        (["China Daily"], "china daily"),
        (["USA Today", "USA Today, U.S."], "usa today"),
        (["Air India"], "air india"),
        (["UK"], "uk"),
        (["The"], "the"),
        (["S&P Global", "S&P"], "s&p"),
        (["", "  ", "!"], ""),
    ],
)
def test_publishers_that_are_editions_of_one_are_a_family(names, family):
    assert {Families().of(name) for name in names} == {family}


def test_a_table_puts_publishers_together():
    families = Families({"dow jones": ["*Wall Street Journal*", "marketwatch*", "Barron's"], "other": ["*"]})
    found = [families.of(name) for name in ("The Wall Street Journal Asia", "MarketWatch.com", "BARRON'S", "Barrons?", "a.c")]
    assert found == ["dow jones", "dow jones", "dow jones", "other", "other"]
    assert not repeats("Shares fall", "Shares fall", one="MarketWatch", other="Barron's")
    assert repeats("Shares fall", "Shares fall", one="MarketWatch", other="Barron's", families={"dow jones": ["marketwatch", "barron's"]})


# --- ids ---


def test_an_item_that_comes_again_is_known_by_its_id():
    duplicates = Duplicates()
    first = item(HEADLINE, name="a")
    assert duplicates.find(first) is None
    duplicates.add(first)
    assert duplicates.find(first) == Duplicate("id", "a", 1.0)
    duplicates.add(first)
    assert duplicates.find(item(f" {HEADLINE}\n", "Daily Post", NOW + 90 * HOUR, "a")) == Duplicate("id", "a", 1.0)
    assert len(duplicates) == 1


def test_an_item_with_another_text_is_an_edit_and_takes_the_place_of_the_older_one():
    duplicates = Duplicates()
    duplicates.add(item(HEADLINE, name="a"))
    edited = item("Scania opens a plant for electric trucks in the north", name="a")
    found = duplicates.find(edited)
    assert (found.kind, found.of) == ("edit", "a")
    assert found.similarity < 0.2
    duplicates.add(edited)
    assert len(duplicates) == 1
    assert duplicates.find(edited).kind == "id"
    assert duplicates.find(item(HEADLINE, "Daily Post")) is None
    assert duplicates.find(item(edited.text, "Daily Post")) == Duplicate("text", "a", 1.0)


def test_what_repeats_a_repetition_is_traced_to_the_first():
    duplicates = Duplicates()
    for number, publisher in enumerate(("The Wire", "Daily Post", "Evening Star")):
        repeated = item(HEADLINE, publisher, NOW + number * 30 * HOUR, f"item {number}")
        if number:
            assert duplicates.find(repeated) == Duplicate("text", "item 0", 1.0)
        duplicates.add(repeated)
    assert duplicates.find(item(HEADLINE, "The Wire", NOW, "item 1")).kind == "id"


def test_of_several_the_likest_is_named():
    duplicates = Duplicates()
    for name, more in (("a", "in long spring tests abroad"), ("b", "as drivers complain"), ("c", "and seats that do not fold")):
        news = item(f"{HEADLINE} {more}", name=name)
        assert duplicates.find(news) is None
        duplicates.add(news)
    assert duplicates.find(item(HEADLINE)).of == "b"


@pytest.mark.parametrize(("one", "other"), [("The Wire", "Daily Post"), ("", ""), ("The Wire", ""), ("", "Daily Post")])
def test_the_same_id_with_other_news_is_another_item_unless_one_house_gave_it(one, other):
    duplicates = Duplicates()
    first, second = item(HEADLINE, one, name="17"), item("Bids cover barely half of Kenya's infrastructure bond", other, name="17")
    for _ in range(2):
        for news in (first, second):
            found = duplicates.find(news)
            duplicates.add(news)
    assert found == Duplicate("id", "17", 1.0)
    assert duplicates.find(first).kind == "id"
    assert len(duplicates) == 2
    assert duplicates.find(item(HEADLINE, "Evening Star")) == Duplicate("text", "17", 1.0)
    edited = item("UPDATE 1-Bids cover barely half of Kenya's infrastructure bond", other, name="17")
    assert duplicates.find(edited).kind == "edit"
    duplicates.add(edited)
    assert len(duplicates) == 2
    assert duplicates.find(first).kind == "id"


def test_two_sources_that_number_their_items_lose_none():
    duplicates, found = Duplicates(), []
    for number in range(100):
        for publisher, text in (
            ("The Wire", f"Company{number} opens plant{number} in town{number}"),
            ("Daily Post", f"Bank{number} cuts {number} jobs"),
        ):
            news = item(text, publisher, NOW + number, str(number))
            found.append(duplicates.find(news))
            duplicates.add(news)
    assert found == [None] * 200
    restored = Duplicates.restored(json.loads(json.dumps(duplicates.entries_since_last_take())))
    assert restored._entries == duplicates._entries
    assert restored._others == duplicates._others
    assert restored.find(item("Bank7 cuts 7 jobs", "Daily Post", NOW, "7")).kind == "id"


def test_an_aggregator_that_keeps_the_id_of_what_it_takes_over_brings_no_other_item():
    duplicates = Duplicates()
    duplicates.add(item(HEADLINE, "The Wire", name="a"))
    assert duplicates.find(item(HEADLINE.upper(), "Daily Post", name="a")) is not None
    assert duplicates.find(item(f"{HEADLINE} again", "Daily Post", name="a")).kind == "edit"


def test_an_id_that_everything_has_keeps_no_more_than_a_few():
    duplicates = Duplicates()
    for number in range(200):
        news = item(f"Company{number} opens plant{number} in town{number}", "", NOW + number, "news")
        assert duplicates.find(news) is None
        duplicates.add(news)
    assert len(duplicates) == 8
    assert duplicates.find(news).kind == "id"
    assert len(duplicates.entries_since_last_take()) == 8
    assert len(duplicates._others["news"]) == 7


def test_an_item_of_an_unbelievable_time_that_comes_again_with_another_one_is_news():
    duplicates = filled(100, step=HOUR)
    now = NOW + 100 * HOUR
    wrong, mended = (item(HEADLINE, time=time, name="a") for time in (now + 100 * HOUR, now))
    duplicates.add(wrong)
    assert duplicates.find(wrong).kind == "id"
    assert duplicates.find(mended) is None
    duplicates.add(mended)
    assert duplicates.find(mended).kind == "id"
    assert duplicates.find(item(HEADLINE, "Daily Post", now)) == Duplicate("text", "a", 1.0)


# --- time and memory ---


@pytest.mark.parametrize(("hours", "found"), [(0, True), (47.9, True), (-47.9, True), (48.1, False), (-48.1, False)])
def test_a_text_is_repeated_within_the_window_of_event_time(hours, found):
    duplicates = Duplicates()
    duplicates.add(item(HEADLINE))
    assert (duplicates.find(item(HEADLINE, "Daily Post", NOW + hours * HOUR)) is not None) == found


def filled(count, *, start=0, step=60.0, **settings):
    """A memory of items that say different things, a minute apart."""
    duplicates = Duplicates(**settings)
    for number in range(start, start + count):
        duplicates.add(numbered(number, step))
    return duplicates


def numbered(number, step=60.0, publisher="The Wire"):
    return item(f"Company{number} opens plant{number} in town{number}", publisher, NOW + number * step, f"{publisher} {number}")


def remembered(duplicates, number):
    return duplicates.find(numbered(number, publisher="The Wire")) is not None


def test_of_more_than_the_most_the_oldest_by_event_time_go():
    duplicates = filled(100, most=100)
    duplicates.add(item("A late one", time=NOW - HOUR, name="late"))
    assert len(duplicates) == 100
    assert duplicates.find(item("A late one", time=NOW - HOUR, name="late")) is None
    assert remembered(duplicates, 0)
    for number in range(100, 110):
        duplicates.add(numbered(number))
    assert len(duplicates) == 100
    assert [remembered(duplicates, number) for number in (9, 10, 109)] == [False, True, True]


def test_what_is_older_than_the_window_goes():
    duplicates = filled(1000, step=HOUR)
    assert 48 <= len(duplicates) <= 48 + 63
    assert remembered(duplicates, 1000 - 48)
    assert not remembered(duplicates, 1000 - 48 - 63)


def test_a_single_item_from_the_far_future_flushes_nothing_and_goes_in_time():
    duplicates = filled(200)
    future = item("Tickets for the world fair are on sale", time=NOW + 100 * 365 * 24 * HOUR, name="future")
    duplicates.add(future)
    assert len(duplicates) == 201
    assert all(remembered(duplicates, number) for number in range(200))
    assert duplicates.find(future).kind == "id"
    for number in range(200, 400):
        duplicates.add(numbered(number, HOUR))
    assert duplicates.find(future) is None


def test_a_first_item_from_the_far_future_does_not_keep_the_others_out():
    duplicates = Duplicates()
    duplicates.add(item("Tickets for the world fair are on sale", time=NOW + 100 * 365 * 24 * HOUR))
    for number in range(50):
        duplicates.add(numbered(number))
    assert all(remembered(duplicates, number) for number in range(50))


def test_many_items_from_the_far_future_do_not_take_all_the_room():
    duplicates = Duplicates(most=100)
    for number in range(400):
        duplicates.add(numbered(number))
        if number % 3 == 0:
            duplicates.add(item(f"Event{number} is planned", time=NOW + 50 * 365 * 24 * HOUR, name=f"future {number}"))
    assert all(remembered(duplicates, number) for number in range(350, 400))


def test_an_older_archive_that_is_read_behind_a_newer_one_is_remembered_too():
    duplicates = filled(500)
    for number in range(500):
        duplicates.add(item(f"Firm{number} shuts shop{number} in place{number}", time=NOW - 60 * 24 * HOUR + number, name=f"old {number}"))
    old = [duplicates.find(item(f"Firm{n} shuts shop{n} in place{n}", time=NOW - 60 * 24 * HOUR + n, name=f"old {n}")) for n in range(500)]
    assert all(found is not None and found.kind == "id" for found in old)


def test_a_stream_that_pauses_for_weeks_goes_on():
    duplicates = filled(200)
    later = 60 * 24 * 30
    for number in range(later, later + 200):
        duplicates.add(numbered(number))
    assert len(duplicates) == 200
    assert remembered(duplicates, later)


def test_an_item_that_is_edited_without_end_takes_no_more_room():
    duplicates = filled(10)
    for number in range(2000):
        duplicates.add(item(f"Version {number} of the story", name="edited", time=NOW))
        duplicates.add(item("Fixed text of a story", name=f"fixed {number % 3}", time=NOW + number % 7))
    assert len(duplicates) == 14
    assert len(duplicates._oldest) < 200
    assert len(duplicates.entries_since_last_take()) == 14
    assert len(duplicates._by_words._listed) < 200


def test_what_is_forgotten_leaves_nothing_behind():
    duplicates = filled(50, most=50)
    listed = len(duplicates._by_words._listed)
    for number in range(50, 1000):
        duplicates.add(numbered(number))
    assert len(duplicates._by_words._listed) == listed
    assert len(duplicates.entries_since_last_take()) == 50
    for number in range(1000, 2000):
        duplicates.add(numbered(number))
    assert sum("forgotten" in row for row in duplicates.entries_since_last_take()) == 50  # of what was taken; the rest came and went


@pytest.mark.parametrize("settings", [{"window_seconds": 0.0}, {"most": 0}, {"window_seconds": float("nan")}])
def test_a_memory_for_nothing_is_a_mistake(settings):
    with pytest.raises(ValueError, match="nothing can be remembered"):
        Duplicates(**settings)


# --- finding it among many ---


def invented(rng, words=9):
    common = rng.sample(("shares", "profit", "market", "bank", "wall", "street"), words // 3)
    return " ".join([*common, *(f"w{letters}" for letters in rng.sample(RARE, words - len(common)))])


RARE = ["".join(letters) for letters in itertools.product("abcdefghijklmno", repeat=3)]


def test_among_thousands_of_headlines_the_repeated_ones_are_found_and_no_others():
    rng = random.Random(0)
    texts = [invented(rng) for _ in range(3000)]
    duplicates = Duplicates()
    for number, text in enumerate(texts):
        news = item(f"Company{number} {text}", f"Publisher{number % 7}", NOW + number, f"item {number}")
        assert duplicates.find(news) is None
        duplicates.add(news)
    found = 0
    for number in range(0, 3000, 3):
        words = f"Company{number} {texts[number]}".split()
        words.insert(rng.randrange(1, len(words)), "today")
        duplicate = duplicates.find(item(" ".join(words), "Copycat", NOW + 3000, "copy"))
        found += duplicate is not None and duplicate.of == f"item {number}"
    assert found >= 995


def test_a_phrase_that_everybody_uses_hides_nothing():
    duplicates = Duplicates()
    for number in range(20 * MOST_LISTED):
        duplicates.add(
            item(f"Stock market today on wall street: Company{number} leads sector{number} higher by noon", name=f"item {number}")
        )
    for number in (0, 5 * MOST_LISTED, 19 * MOST_LISTED):
        text = f"Stock market today on Wall Street: Company{number} leads sector{number} higher by noon"
        assert duplicates.find(item(text, "Daily Post")) == Duplicate("text", f"item {number}", 1.0)


def test_the_index_forgets_what_is_taken_out():
    index = SketchIndex()
    texts = [words_of(f"{word} one two three four", "", Families()).hashes for word in ("a", "b", "c")]
    for key, hashes in enumerate(texts):
        index.add(hashes, key)
    assert sorted(index.similar(texts[0])) == [0, 1, 2]
    for key, hashes in enumerate(texts):
        index.remove(hashes, key)
        index.remove(hashes, key)  # once more is nothing
    assert index.similar(texts[0]) == []
    assert index._listed == {}


# --- a restart ---


def stream(rng, count):
    """Items of every kind: new ones, repeated, edited, late, from nowhere in time."""
    items = []
    for number in range(count):
        time = NOW + number * 300.0 + rng.choice((0, 0, 0, -4 * HOUR, -80 * HOUR, 4000 * HOUR))
        publisher = rng.choice(("The Wire", "The Wire UK", "Daily Post", ""))
        if items and rng.random() < 0.4:
            old = rng.choice(items[-50:])
            text = rng.choice((old.text, f"UPDATE 1-{old.text}", f"{old.text} - {publisher}", f"{old.text} again"))
            items.append(Item(rng.choice((old.id, f"item {number}")), time, text, publisher))
        else:
            items.append(Item(f"item {number}", time, f"Company{rng.randrange(200)} {invented(rng, 6)}", publisher))
    return items


@pytest.mark.parametrize("settings", [{}, {"most": 60}, {"window_seconds": 5 * HOUR, "families": {"all": ["the wire*", "daily post"]}}])
def test_after_a_restart_everything_is_found_that_would_have_been(settings):
    items = stream(random.Random(1), 900)
    duplicates, kept, kinds = Duplicates(**settings), {}, set()
    for number, each in enumerate(items):
        found = duplicates.find(each)
        kinds.add(found.kind if found else None)
        duplicates.add(each)
        if number % 100 == 99:
            for row in json.loads(json.dumps(duplicates.entries_since_last_take())):
                kept[row["id"]] = row
            kept = {name: row for name, row in kept.items() if "forgotten" not in row}
            rows = list(kept.values())
            random.Random(number).shuffle(rows)
            restored = Duplicates.restored(rows, **settings)
            assert len(restored) == len(duplicates)
            assert restored._entries == duplicates._entries
            assert restored.entries_since_last_take() == []
            duplicates = restored
    assert kinds == {None, "id", "edit", "text"}
    once = Duplicates(**settings)
    for each in items:
        once.add(each)
    assert list(once._entries) == list(duplicates._entries)
    assert [replace(entry, order=0) for entry in once._entries.values()] == [
        replace(entry, order=0) for entry in duplicates._entries.values()
    ]


def test_rows_may_be_kept_one_behind_the_other():
    items, duplicates, log = stream(random.Random(2), 400), Duplicates(most=50), []
    for each in items:
        duplicates.add(each)
        log += duplicates.entries_since_last_take()
    assert Duplicates.restored(log, most=50)._entries == duplicates._entries
    assert len(Duplicates.restored(log, most=20)) == 20


def test_rows_are_taken_once_and_only_of_what_is_remembered():
    duplicates = filled(5)
    assert [row["id"] for row in duplicates.entries_since_last_take()] == [f"The Wire {number}" for number in range(5)]
    assert duplicates.entries_since_last_take() == []
    duplicates.add(numbered(3))
    assert duplicates.entries_since_last_take() == []
    duplicates.add(item("Another text", name="The Wire 3"))
    assert [row["id"] for row in duplicates.entries_since_last_take()] == ["The Wire 3"]


def test_rows_are_the_same_in_every_process():
    """Python's own hashes are salted anew in each."""
    script = (
        "import json\n"
        "from apps.finance_sentiment.stream.duplicates import Duplicates\n"
        "from apps.finance_sentiment.stream.item import Item\n"
        "duplicates = Duplicates()\n"
        f"duplicates.add(Item('a', 1e9, {LONG!r}, 'The Wire'))\n"
        "print(json.dumps(duplicates.entries_since_last_take()))\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed, "PATH": ""}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


# --- whatever comes ---


def test_texts_of_every_kind_are_compared_without_a_fault():
    duplicates = Duplicates()
    rng = random.Random(0)
    alphabet = "aA1 .,-–'’$%€(&[)]:|\n\u0301é漢あ\U0001f697\u200b\ud800"
    texts = [
        *NASTY,
        *("".join(rng.choices(alphabet, k=rng.randrange(60))) for _ in range(2000)),
        "(" * 5000,
        "A" * 5000,
        " - " * 2000,
        "1," * 3000,
    ]
    for number, text in enumerate(texts):
        news = Item(f"item {number}", NOW, text, "".join(rng.choices(alphabet, k=rng.randrange(10))))
        duplicates.find(news)
        duplicates.add(news)
    assert len(duplicates) == len(texts)


def test_of_a_long_text_the_beginning_is_compared():
    words = words_of("word " * 10_000, "", Families())
    assert len(words.hashes) == len(words.kinds) == MOST_WORDS
