"""Records come from files, folders and standard input, each once, through growing, rotation, truncation and a restart."""

import io
import json
import os
import random
import threading
import tracemalloc
from types import SimpleNamespace

import pytest

from apps.finance_sentiment.app import APP
from apps.finance_sentiment.stream import folder_source, json_document
from apps.finance_sentiment.stream.file_source import FileSource
from apps.finance_sentiment.stream.folder_source import FolderSource
from apps.finance_sentiment.stream.item import MalformedItem, parse_item
from apps.finance_sentiment.stream.json_document import read_document
from apps.finance_sentiment.stream.lines import MOST_LINE, LineCutter
from apps.finance_sentiment.stream.source import Reading, open_source, source_kind
from apps.finance_sentiment.stream.standard_input import StandardInput
from apps.finance_sentiment.watch.aside import SetAside
from tfarch.cli import main
from tfarch.errors import InputError


def line(text):
    return json.dumps({"time": 1, "text": text}) + "\n"


def lines(*texts):
    return "".join(map(line, texts)).encode()


def texts(records):
    return [parse_item(record.content).text for record in records]


def everything(source, position=None):
    """All records of a source that ends."""
    return [record for record in source.read(position) if record is not None]


class Followed:
    """A source that is followed, asked for what is there until it has nothing new twice in a row: once may be the look before."""

    def __init__(self, source, position=None):
        self.source = source
        self.records = source.read(position)

    def new(self):
        found, quiet = [], 0
        while quiet < 2:
            record = next(self.records)
            quiet = quiet + 1 if record is None else 0
            found += [record] if record else []
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.source.close()
        assert [record for record in self.records if record is not None] == []


@pytest.fixture
def said():
    return []


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch):
    for module in ("file_source", "folder_source", "standard_input"):
        monkeypatch.setattr(f"apps.finance_sentiment.stream.{module}._LOOK", 0.01)


@pytest.fixture
def follow(said):
    return Reading(follow=True, say=said.append)


@pytest.fixture
def once(said):
    return Reading(say=said.append)


# --- lines ---


def test_lines_are_the_same_however_the_bytes_arrive():
    content = "one\r\n\nzwölf\n" + "x" * 300 + "\nrest"
    expected = ["one", "", "zwölf", "x" * 300, "rest"]
    for size in (1, 2, 7, 1000):
        cutter, found = LineCutter(), []
        for start in range(0, len(content.encode()), size):
            found += cutter.feed(content.encode()[start : start + size])
        assert [each.content.decode() for each in [*found, cutter.rest()]] == expected
        assert cutter.rest() is None


def test_of_a_line_that_is_too_long_only_the_beginning_is_kept():
    cutter = LineCutter()
    for _ in range(3 * MOST_LINE // 1000):
        assert not list(cutter.feed("ü".encode() * 500))
        assert len(cutter.peek()) <= MOST_LINE + 1
    (found,) = cutter.feed(b"\n")
    assert found.cut
    assert found.content == "ü".encode() * 500 + b" [cut]"
    assert found.length == 3 * MOST_LINE + 1


# --- a file ---


def test_the_lines_of_a_file_are_records_that_say_where_they_stand(tmp_path, once):
    file = tmp_path / "news.jsonl"
    file.write_bytes(lines("a") + b"\n \n" + lines("b") + b"rubbish\n" + line("c").strip().encode())
    records = everything(FileSource(file, once))
    assert [record.place for record in records] == [f"news.jsonl, line {number}" for number in (1, 4, 5, 6)]
    assert texts([records[0], records[1], records[3]]) == ["a", "b", "c"]
    assert records[2].content == b"rubbish"
    assert all(record.acknowledge is None for record in records)


@pytest.mark.parametrize("read_before", range(5))
def test_a_file_is_read_on_from_any_record(tmp_path, once, said, read_before):
    file = tmp_path / "news.jsonl"
    file.write_bytes(lines("a", "b" * 400, "c", "d"))
    records = everything(FileSource(file, once))
    position = json.loads(json.dumps(records[read_before - 1].position)) if read_before else None
    again = everything(FileSource(file, once), position)
    assert again == records[read_before:]
    assert said == []


def test_while_a_file_is_followed_a_line_without_its_end_is_waited_for(tmp_path, follow):
    file = tmp_path / "news.jsonl"
    first, second = lines("a"), lines("bcd")
    file.write_bytes(first + second[:9])
    with Followed(FileSource(file, follow)) as source:
        assert texts(source.new()) == ["a"]
        with file.open("ab") as writer:
            writer.write(second[9:-1])
            writer.flush()
            assert source.new() == []
            writer.write(b"\n")
        assert texts(source.new()) == ["bcd"]


def test_a_file_may_come_later_than_who_follows_it(tmp_path, follow):
    file = tmp_path / "news.jsonl"
    with Followed(open_source(str(file), follow=True, say=follow.say)) as source:
        assert source.new() == []
        file.write_bytes(lines("a"))
        assert texts(source.new()) == ["a"]


def test_a_line_that_is_too_long_is_a_malformed_record_and_the_next_one_is_fine(tmp_path, once):
    file = tmp_path / "news.jsonl"
    long = line("x" * 3 * MOST_LINE).encode()
    file.write_bytes(lines("a") + long + lines("b"))
    first, cut, last = everything(FileSource(file, once))
    assert cut.place == f"news.jsonl, line 2 ({len(long):,} bytes, cut: at most 1,000,000)"
    assert len(cut.content) < 2000
    with pytest.raises(MalformedItem):
        parse_item(cut.content)
    assert texts([first, last]) == ["a", "b"]
    assert texts(everything(FileSource(file, once), cut.position)) == ["b"]


def test_an_object_followed_by_blanks_beyond_the_longest_line_is_no_item(tmp_path, once):
    file = tmp_path / "news.jsonl"
    file.write_bytes(line("a").strip().encode() + b" " * MOST_LINE + b'{"text": "b"}\n')
    with pytest.raises(MalformedItem):
        parse_item(everything(FileSource(file, once))[0].content)


def test_of_a_file_that_was_moved_aside_the_end_is_read_before_the_new_one(tmp_path, follow, said):
    file = tmp_path / "news.jsonl"
    file.write_bytes(lines("a"))
    with Followed(FileSource(file, follow)) as source:
        assert texts(source.new()) == ["a"]
        with file.open("ab") as slow_writer:
            file.rename(tmp_path / "news.jsonl.1")
            assert source.new() == []
            slow_writer.write(lines("b"))
        file.write_bytes(lines("c"))
        found = source.new()
        found += source.new()
        assert texts(found) == ["b", "c"]
        assert found[1].place == "news.jsonl, line 1"
    assert said == []


def test_of_a_file_that_was_moved_aside_while_nobody_read_the_end_is_read_too(tmp_path, once, said):
    file = tmp_path / "news.jsonl"
    file.write_bytes(lines("a", "b", "c"))
    position = everything(FileSource(file, once))[0].position
    file.rename(tmp_path / "news-20260301.jsonl")
    file.write_bytes(lines("d"))
    records = everything(FileSource(file, once), position)
    assert texts(records) == ["b", "c", "d"]
    assert texts(everything(FileSource(file, once), records[0].position)) == ["c", "d"]
    assert texts(everything(FileSource(file, once), records[2].position)) == []
    assert said == []


def test_a_file_that_another_has_replaced_is_read_from_its_beginning(tmp_path, once, said):
    file, other = tmp_path / "news.jsonl", tmp_path / "other"
    file.write_bytes(lines("a", "b"))
    position = everything(FileSource(file, once))[1].position
    other.write_bytes(lines("c", "d", "e"))
    other.replace(file)
    assert texts(everything(FileSource(file, once), position)) == ["c", "d", "e"]
    assert len(said) == 1
    assert "is not the file that was read before" in said[0]


def test_a_copy_of_a_file_is_read_on(tmp_path, once, said):
    """As a backup that was put back: another inode, the same bytes."""
    file, other = tmp_path / "news.jsonl", tmp_path / "other"
    file.write_bytes(lines("a", "b"))
    position = everything(FileSource(file, once))[0].position
    other.write_bytes(file.read_bytes() + lines("c"))
    other.replace(file)
    assert texts(everything(FileSource(file, once), position)) == ["b", "c"]
    assert said == []


@pytest.mark.parametrize("anew", [("c",), ("c", "d", "e", "f", "g")], ids=["shorter", "longer"])
def test_a_file_that_is_written_anew_while_it_is_followed_is_read_from_its_beginning(tmp_path, follow, said, anew):
    file = tmp_path / "news.jsonl"
    file.write_bytes(lines("a" * 200, "b" * 200))
    with Followed(FileSource(file, follow)) as source:
        assert len(source.new()) == 2
        with file.open("r+b") as writer:  # copytruncate: the inode stays
            writer.truncate(0)
            writer.write(lines(*(text * 200 for text in anew)))
        assert texts(source.new()) == [text * 200 for text in anew]
    assert len(said) == 1
    assert "shortened or written anew" in said[0]


def test_a_long_file_is_read_on_from_far_in_and_its_middle_may_not_have_changed_at_the_position(tmp_path, once, said):
    file = tmp_path / "news.jsonl"
    content = lines(*(f"text {number}" for number in range(20_000)))
    file.write_bytes(content)
    records = everything(FileSource(file, once))
    assert len(records) == 20_000
    assert everything(FileSource(file, once), records[15_000].position) == records[15_001:]
    end = records[15_000].position["offset"]
    file.write_bytes(content[: end - 10] + b"#" * 8 + content[end - 2 :])
    assert len(everything(FileSource(file, once), records[15_000].position)) == 20_000
    assert len(said) == 1


def test_a_link_that_is_set_to_the_next_days_file_is_one_source(tmp_path, follow):
    link = tmp_path / "news.jsonl"
    for day in ("1", "2"):
        (tmp_path / f"{day}.log").write_bytes(lines(day))
    link.symlink_to(tmp_path / "1.log")
    source = FileSource(link, follow)
    name = source.name
    with Followed(source) as followed:
        assert texts(followed.new()) == ["1"]
        link.unlink()
        link.symlink_to(tmp_path / "2.log")
        assert texts(followed.new() + followed.new()) == ["2"]
        assert FileSource(link, follow).name == name


def test_closing_from_another_thread_ends_the_reading(tmp_path, follow):
    file = tmp_path / "news.jsonl"
    file.write_bytes(lines("a"))
    source = FileSource(file, follow)
    closer = threading.Timer(0.1, source.close)
    closer.start()
    assert texts(record for record in source.read() if record) == ["a"]
    closer.join()
    source.close()


# --- a folder ---


def test_the_files_of_a_folder_are_read_in_the_order_of_their_names(tmp_path, once):
    (tmp_path / "b.ndjson").write_bytes(lines("3", "4"))
    (tmp_path / "a.jsonl").write_bytes(lines("1", "2"))
    (tmp_path / "c.json").write_text(json.dumps([{"time": 1, "text": "5"}, {"time": 1, "text": "6"}, 7], indent=1))
    (tmp_path / "d.json").write_text(json.dumps({"time": 1, "text": "8"}, indent=1))
    (tmp_path / "e.JSON").write_bytes(lines("9", "10"))  # lines, whatever it is called
    for other in (".hidden.jsonl", "f.jsonl.part", "notes.txt"):
        (tmp_path / other).write_bytes(lines("no"))
    (tmp_path / "g.json").mkdir()
    records = everything(FolderSource(tmp_path, once))
    assert texts(records[:6] + records[7:]) == ["1", "2", "3", "4", "5", "6", "8", "9", "10"]
    assert records[6].content == b"7"
    assert [record.place for record in (records[0], records[4], records[6])] == ["a.jsonl, line 1", "c.json, item 1", "c.json, item 3"]


def test_a_folder_is_read_on_from_any_record(tmp_path, once, said):
    (tmp_path / "a.jsonl").write_bytes(lines("1", "2"))
    (tmp_path / "b.json").write_text(json.dumps([{"time": 1, "text": "3"}, {"time": 1, "text": "4"}]))
    (tmp_path / "c.jsonl").write_bytes(lines("5"))
    records = everything(FolderSource(tmp_path, once))
    positions = [json.dumps(record.position) for record in records]
    for number, position in enumerate(positions):
        assert everything(FolderSource(tmp_path, once), json.loads(position)) == records[number + 1 :]
    assert [json.dumps(record.position) for record in records] == positions  # none was changed after it was handed out
    assert said == []


def test_a_followed_folder_gives_what_is_added_to_it(tmp_path, follow):
    (tmp_path / "b.jsonl").write_bytes(lines("1"))
    with Followed(FolderSource(tmp_path, follow)) as source:
        assert texts(source.new()) == ["1"]
        (tmp_path / "a.jsonl").write_bytes(lines("2"))
        with (tmp_path / "b.jsonl").open("ab") as writer:
            writer.write(lines("3") + line("4").encode()[:10])
        assert texts(source.new()) == ["2", "3"]
        with (tmp_path / "b.jsonl").open("ab") as writer:
            writer.write(line("4").encode()[10:-1])
        assert texts(source.new()) == ["4"]  # whole, though its end is still missing
        with (tmp_path / "b.jsonl").open("ab") as writer:
            writer.write(b"\n" + lines("5"))
        found = source.new()
        assert texts(found) == ["5"]
        assert found[0].place == "b.jsonl, line 4"


def test_a_document_that_is_moved_into_place_or_grows_is_read_when_it_is_whole(tmp_path, follow):
    first = json.dumps([{"time": 1, "text": "1"}, {"time": 1, "text": "2"}])
    (tmp_path / "a.json").write_text(first[:20])
    with Followed(FolderSource(tmp_path, follow)) as source:
        assert source.new() == []
        (tmp_path / "a.json").write_text(first)
        (tmp_path / "b.json.part").write_text('{"time": 1, "text": "3"}')
        (tmp_path / "b.json.part").rename(tmp_path / "b.json")
        assert texts(source.new()) == ["1", "2", "3"]


def test_a_document_that_stays_half_is_malformed(tmp_path, follow, monkeypatch):
    (tmp_path / "a.json").write_text('[{"time": 1, "te')
    monkeypatch.setattr(folder_source, "SETTLED", 0.0)
    with Followed(FolderSource(tmp_path, follow)) as source:
        (found,) = source.new()
        assert found.place.startswith("a.json: not JSON")
        with pytest.raises(MalformedItem):
            parse_item(found.content)
        assert source.new() == []


def test_a_document_that_was_changed_is_read_anew(tmp_path, once):
    file = tmp_path / "a.json"
    file.write_text(json.dumps([{"time": 1, "text": "1"}]))
    position = everything(FolderSource(tmp_path, once))[-1].position
    file.write_text(json.dumps([{"time": 1, "text": "1"}, {"time": 1, "text": "2"}]))
    assert texts(everything(FolderSource(tmp_path, once), position)) == ["1", "2"]


def test_a_document_that_is_too_large_is_malformed(tmp_path, once, monkeypatch):
    monkeypatch.setattr(folder_source, "MOST_DOCUMENT", 100)
    (tmp_path / "a.json").write_text(json.dumps([{"time": 1, "text": "x" * 200}], indent=1))
    (found,) = everything(FolderSource(tmp_path, once))
    assert found.place == "a.json: of more than 100 bytes: write it as JSON Lines"


def test_the_positions_of_many_files_are_not_kept_with_every_record(tmp_path, once, monkeypatch):
    monkeypatch.setattr(folder_source, "_SHARED", 50)
    for number in range(2_000):
        (tmp_path / f"{number:04}.jsonl").write_bytes(lines(f"{number}a", f"{number}b"))
    tracemalloc.start()
    try:
        records = everything(FolderSource(tmp_path, once))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1_500 * len(records)
    for number in (0, 1, 777, 2_500, 3_999):
        files = records[number].position["files"]
        assert list(files) == [f"{each:04}.jsonl" for each in range(number // 2 + 1)]
        assert json.loads(json.dumps(records[number].position)) == records[number].position
    assert everything(FolderSource(tmp_path, once), records[2_500].position) == records[2_501:]


def test_what_is_kept_of_a_file_goes_with_the_file(tmp_path, once):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(lines(name))
    position = everything(FolderSource(tmp_path, once))[-1].position
    (tmp_path / "a.jsonl").unlink()
    with (tmp_path / "b.jsonl").open("ab") as writer:
        writer.write(lines("c"))
    (found,) = everything(FolderSource(tmp_path, once), position)
    assert list(found.position["files"]) == ["b.jsonl"]


def test_a_single_json_document_is_a_source(tmp_path):
    file = tmp_path / "news.json"
    file.write_text(json.dumps([{"time": 1, "text": "1"}, {"time": 1, "text": "2"}], indent=2))
    assert texts(everything(open_source(str(file)))) == ["1", "2"]


# --- a document ---


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        " [ ] ",
        "{}",
        "7",
        '"text"',
        "null",
        '[{"a": "[{\\"]"}, [1, "]"], "x,y", -1.5e3, null, true,false ,\n"\\\\"]',
        '[{"time": 1, "text": "größer \U0001f697 \\ud83d"},{}]',
        json.dumps([{"id": str(n), "text": f'"{n}", [{{'} for n in range(50)], indent=2),
    ],
)
def test_the_elements_of_a_document_are_found_as_json_has_them(content):
    value = json.loads(content)
    found = read_document(b"\xef\xbb\xbf" + content.encode())
    assert [json.loads(each) for each in found] == (value if isinstance(value, list) else [value])


def test_what_the_reader_of_json_refuses_is_refused_and_nothing_else():
    rng, whole = random.Random(0), json.dumps([{"a": [1, {"b": 'x"y\\'}], "c": None}, "s", 2.5, [], {}, True])
    agreed = 0
    for _ in range(20_000):
        place, length = rng.randrange(len(whole)), rng.randrange(3)
        broken = whole[:place] + "".join(rng.choices('{}[]",:\\1 a', k=rng.randrange(3))) + whole[place + length :]
        try:
            value = json.loads(broken)
        except ValueError:
            with pytest.raises(ValueError, match="not JSON"):
                read_document(broken.encode())
            continue
        agreed += 1
        assert [json.loads(each) for each in read_document(broken.encode())] == (value if isinstance(value, list) else [value])
    assert agreed > 500


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "not UTF-8"),
        (b"", "not JSON"),
        (b'"' + b'\\"' * 500_000, "not JSON: Unterminated string"),
        (b'[{"a":' + b"[" * 100_000, "nested too deeply"),
        (b"[" + b"[" * 65 + b"]" * 65 + b"]", "nested too deeply"),
        (b"[" + b"{}," * 1_200_000 + b"{}]", "of more than 2,000,000 strings and brackets"),
        (b"[" + b"1," * 2_200_000 + b"1]", "of more than 2,000,000 strings and brackets"),
        (b'{"a":[' + b"{}," * 1_200_000 + b"{}]}", "of more than 2,000,000 strings and brackets"),
    ],
)
def test_a_document_that_would_cost_too_much_is_refused_before_it_is_read(content, message, monkeypatch):
    monkeypatch.setattr(json_document, "json", SimpleNamespace(loads=lambda text: None, JSONDecodeError=json.JSONDecodeError))
    with pytest.raises(ValueError, match=message):
        read_document(content)


def test_a_document_is_not_held_as_objects():
    content = b"[" + b"{}," * 300_000 + b"{}]"
    tracemalloc.start()
    try:
        assert len(read_document(content)) == 300_001
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20 * len(content)
    assert most < 60 * 300_001  # an empty object takes 64 bytes, and the list 8


def test_an_element_of_a_document_may_be_as_long_as_a_line_and_as_deep_as_is_meant(tmp_path, once):
    deep = '{"time": 1, "text": "deep", "more": ' + "[" * 63 + "]" * 63 + "}"
    (tmp_path / "a.json").write_text(
        f'[{json.dumps({"time": 1, "text": "x" * MOST_LINE})},\n{deep},\n{line("c").strip()},\n{{"id": {"9" * 5000}}}]'
    )
    cut, deep, last, digits = everything(FolderSource(tmp_path, once))
    assert len(cut.content) < 2000
    for each in (cut, digits):
        with pytest.raises(MalformedItem):
            parse_item(each.content)
    assert texts([deep, last]) == ["deep", "c"]
    assert SetAside(tmp_path / "aside.jsonl", None).add([(each, "x") for each in (cut, deep)]) is None


# --- standard input ---


def test_standard_input_is_read_to_its_end_and_says_that_it_cannot_be_read_again(once, said):
    reader, writer = os.pipe()
    with open(reader, "rb") as stream:
        records = StandardInput(once, stream).read()
        os.write(writer, lines("a") + b"\nrubbish\n" + line("b").encode()[:5])
        first, second = next(records), next(records)
        assert next(records) is None
        os.write(writer, line("b").strip().encode()[5:])
        os.close(writer)
        third = next(record for record in records if record)
        assert list(records) == []
    assert texts([first, third]) == ["a", "b"]
    assert second.content == b"rubbish"
    assert [record.place for record in (first, second, third)] == [f"standard input, line {number}" for number in (1, 3, 4)]
    assert {record.position for record in (first, second, third)} == {None}
    assert len(said) == 1
    assert "cannot be read a second time" in said[0]


def test_standard_input_ends_when_it_is_closed_though_nothing_comes(once):
    reader, writer = os.pipe()
    with open(reader, "rb") as stream:
        source = StandardInput(once, stream)
        records = source.read()
        assert next(records) is None
        source.close()
        assert list(records) == []
    os.close(writer)


# --- what a place is ---


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("-", "StandardInput"),
        ("{folder}", "FolderSource"),
        ("{folder}/a.jsonl", "FileSource"),
        ("{folder}/a.json", "FolderSource"),
        ("{folder}/a.txt", "FileSource"),
        ("http://127.0.0.1:9/feed", "FeedSource"),
        ("HTTPS://example.org/feed", "FeedSource"),
        ("listen:0", "HttpSource"),
    ],
)
def test_a_place_is_opened_by_what_it_is(tmp_path, monkeypatch, place, kind):
    for name in ("a.jsonl", "a.json", "a.txt"):
        (tmp_path / name).write_bytes(lines("a"))
    with open(tmp_path / "a.txt", "rb") as stream:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        source = open_source(place.format(folder=tmp_path))
        assert type(source).__name__ == kind
        assert source.name
        source.close()


OWN = """
from apps.finance_sentiment.stream.source import Record

class Ticks:
    name = "ticks"

    def __init__(self, follow):
        self.follow = follow

    def read(self, position=None):
        for number in range(position or 0, 3):
            yield Record({"time": number, "text": f"tick {number}, {self.follow}"}, number + 1, f"tick {number}")

    def close(self):
        pass

def ticks(reading):
    return Ticks(reading.follow)

def half(reading):
    return object()

nothing = 7
"""


def test_a_source_of_ones_own_is_a_function_of_a_module(tmp_path, monkeypatch):
    (tmp_path / "my_ticks.py").write_text(OWN)
    (tmp_path / "my_fault.py").write_text("import nowhere_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    source = open_source("python:my_ticks:ticks", follow=True)
    assert source.name == "ticks"
    assert texts(everything(source)) == ["tick 0, True", "tick 1, True", "tick 2, True"]
    assert texts(everything(open_source("python:my_ticks:ticks"), 2)) == ["tick 2, False"]
    for place, message in {
        "python:": "python:: names no function|python: names no function",
        "python:my_ticks": "names no function",
        "python:my_ticks:nowhere": "has no function nowhere",
        "python:my_ticks:nothing": "has no function nothing",
        "python:my_ticks:half": "gives a object, which is no source: it lacks name, read, close",
        "python:my_nowhere:ticks": "cannot be imported: No module named 'my_nowhere'",
        "python:my_fault:ticks": "cannot be imported: No module named 'nowhere_at_all'",
    }.items():
        with pytest.raises(InputError, match=message):
            open_source(place)


def test_a_feed_that_is_not_followed_says_that_it_is_looked_at_once(said):
    for follow in (False, True):
        open_source("https://example.org/feed?key=secret", follow=follow, say=said.append).close()
    assert said == ["the feed at example.org is looked at once; with --follow, every 300 s"]


def test_the_help_says_what_ends_what_is_posted_and_how_another_source_is_added(capsys):
    with pytest.raises(SystemExit):
        main(APP, ["watch", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    for part in (
        "go on where a file, folder, feed or Kafka topic ends for now; without it each is read once, and the watch ends",
        "POST /items",
        "application/json",
        "application/x-ndjson",
        '202 {"accepted": n}',
        "503 with Retry-After",
        "python:MODULE:FUNCTION",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("ftp://example.org/feed", "unknown kind of source 'ftp'; known: -, a file, a folder, http, https, kafka, listen"),
        ("news:2026.jsonl", r"a file of that name is \./news:2026\.jsonl"),
        ("nowhere.jsonl", r"nowhere\.jsonl: no such file or folder"),
        ("", "no such file or folder"),
        ("/dev/null", "neither a file nor a folder"),
        ("http://", "no address of a feed"),
        ("https://user:word@example.org/feed", "holds a user name"),
        ("listen:", "names no port"),
        ("listen:99999", "names no port"),
        ("kafka://nowhere", "is no Kafka topic"),
    ],
)
def test_a_place_that_cannot_be_opened_is_the_users_error(place, message):
    with pytest.raises(InputError, match=message) as error:
        open_source(place)
    assert "word" not in str(error.value)


def test_a_file_in_a_folder_that_is_not_there_is_not_waited_for(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_source(str(tmp_path / "nowhere" / "a.jsonl"), follow=True)


def test_a_kind_of_source_can_be_added_once(monkeypatch):
    monkeypatch.setattr("apps.finance_sentiment.stream.source._OPENERS", {})

    @source_kind("mail")
    def open_mail(place, reading):
        return place, reading.every

    assert open_source("mail:inbox", every=5.0) == ("mail:inbox", 5.0)
    for taken in ("mail", "https"):
        with pytest.raises(ValueError, match="already"):
            source_kind(taken)(open_mail)
