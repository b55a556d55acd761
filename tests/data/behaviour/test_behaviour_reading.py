"""Files of events and items: every column may have another name, some may be missing, and a bad row is told with its line."""

import numpy as np
import pytest

from tfarch.data.behaviour.reading import EventColumns, ItemColumns, read_events, read_items
from tfarch.errors import InputError


def write(folder, name, text):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_events_are_put_in_the_order_of_time(tmp_path):
    file = write(tmp_path, "log.csv", "user,item,behaviour,timestamp\nann,b,click,30\nbob,a,buy,10\nann,a,click,20\nann,c,click,20\n")
    found = read_events(file)
    log = found.log
    assert found.lines.tolist() == [3, 4, 5, 2]
    assert log.times.tolist() == [10.0, 20.0, 20.0, 30.0]
    assert [log.item_ids[item] for item in log.items] == ["a", "a", "c", "b"]
    assert [log.user_ids[user] for user in log.users] == ["bob", "ann", "ann", "ann"]
    assert [log.behaviour_names[each] for each in log.behaviours] == ["buy", "click", "click", "click"]
    assert log.values.tolist() == [1.0] * 4


def test_a_log_may_have_neither_behaviours_nor_times_nor_ratings(tmp_path):
    found = read_events(write(tmp_path, "log.tsv", "user\titem\nu1\tx\nu1\ty\nu0\tx\n"))
    assert not found.dated
    assert found.log.times.tolist() == [0.0, 1.0, 2.0]
    assert found.log.behaviour_names == ("",)


def test_times_are_dates_or_seconds(tmp_path):
    rows = "u,i,1995\nu,i,2024-03-01\nu,i,2024-03-01T12:00:00Z\nu,i,1260759144\n"
    times = read_events(write(tmp_path, "log.csv", f"user,item,timestamp\n{rows}")).log.times
    assert times.tolist() == [1995.0, 1260759144.0, 1709251200.0, 1709294400.0]


def test_columns_may_have_other_names_and_json_lines_other_order(tmp_path):
    file = write(tmp_path, "log.jsonl", '{"film": 7, "who": "a", "when": 5, "stars": 4.5}\n{"who": "b", "film": "8", "when": 4}\n')
    log = read_events(file, EventColumns(user="who", item="film", time="when", value="stars")).log
    assert log.item_ids == ("7", "8")
    assert log.values.tolist() == [1.0, 4.5]


def test_items_of_a_catalogue_keep_their_numbers(tmp_path):
    items = read_items(write(tmp_path, "items.csv", "item,title\nz,Last\na,First\n")).catalogue
    log = read_events(write(tmp_path, "log.csv", "user,item\nu,new\nu,a\n"), items=items.ids).log
    assert log.item_ids == ("z", "a", "new")
    assert log.items.tolist() == [2, 1]
    whole = items.with_ids(log.item_ids)
    assert whole.ids == log.item_ids
    assert whole.texts == ("Last", "First", "")
    assert np.isnan(whole.since).all()


def test_bad_rows_are_told_with_their_lines_and_the_others_kept(tmp_path):
    rows = ["ann,a,3,5", ",a,3,5", "ann,,3,5", "ann,a,soon,5", "ann,a,3,many", "ann,a,3,nan", "ann,a,3", "bob,b,4,2"]
    found = read_events(write(tmp_path, "log.csv", "user,item,timestamp,rating\n" + "\n".join(rows) + "\n"))
    assert len(found.log) == 2
    told = [(row.line, row.reason) for row in found.bad_rows]
    assert told == [
        (3, "empty user"),
        (4, "empty item"),
        (5, "time 'soon' is not ISO 8601"),
        (6, "'many' is no number"),
        (7, "'nan' is no finite number"),
        (8, "3 columns where the header has 4"),
    ]


def test_a_strict_reader_stops_at_the_first_bad_row(tmp_path):
    file = write(tmp_path, "log.csv", "user,item\nann,a\n,b\n")
    with pytest.raises(InputError, match=r"log.csv, line 3: empty user \(mend the row"):
        read_events(file, strict=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,thing\nu,i\n", "no column 'item'; its columns: 'user', 'thing'"),
        ("user,item\n", "it has no events"),
        ("user,item\n,\n", "none of its 1 rows can be used; this one: empty user"),
        ("user,item,timestamp\nu,i,5\nu,j,\n", "line 3: this event has no time, others have one"),
        ("", "it is empty"),
    ],
)
def test_a_file_that_is_no_log_says_why(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_events(write(tmp_path, "log.csv", text))


def test_an_item_has_a_text_of_what_is_said_of_it(tmp_path):
    table = 'item,title,description,tags,category,since\n1,Toy Story,"Toys live.",pixar|fun,Animation|Children,1995\n2,Heat,,,,\n'
    items = read_items(write(tmp_path, "items.csv", table)).catalogue
    assert items.texts == ("Toy Story. Toys live. pixar, fun", "Heat")
    assert items.categories == (("Animation", "Children"), ())
    assert items.since[0] == 788918400.0
    assert np.isnan(items.since[1])


def test_an_item_is_since_a_year_a_date_or_a_second(tmp_path):
    table = "item,since\na,1995\nb,1902\nc,2024-03-01\nd,1260759144\ne,\nf,1955-06-01\ng,1969-12-31T23:00:00+00:00\nh,-3600.5\ni,soon\n"
    found = read_items(write(tmp_path, "items.csv", table))
    times = [788918400.0, -2145916800.0, 1709251200.0, 1260759144.0, np.nan, -460339200.0, -3600.0, -3600.5]
    np.testing.assert_array_equal(found.catalogue.since, times)
    assert [(row.line, row.reason) for row in found.bad_rows] == [(10, "since 'soon' is no year, no date of ISO 8601 and no seconds")]


def test_an_item_table_may_have_other_columns(tmp_path):
    items = read_items(
        write(tmp_path, "items.csv", "sku;name\nx1;Red shoe\n"), ItemColumns(item="sku", title="name", texts=("name",))
    ).catalogue
    assert (items.ids, items.titles, items.texts) == (("x1",), ("Red shoe",), ("Red shoe",))


def test_of_an_item_that_stands_twice_the_first_row_counts(tmp_path):
    found = read_items(write(tmp_path, "items.csv", "item,title\na,One\na,Two\n"))
    assert found.catalogue.titles == ("One",)
    assert [(row.line, row.reason) for row in found.bad_rows] == [(3, "item 'a' stands twice")]
