"""Records come from a file, each once, through growing, rotation, truncation and a restart."""

import json
import threading

import pytest

from apps.finance_sentiment.stream.file_source import FileSource
from apps.finance_sentiment.stream.item import MalformedItem, parse_item
from apps.finance_sentiment.stream.lines import MOST_LINE, LineCutter
from apps.finance_sentiment.stream.source import open_source
from tests.tiny_sources import Followed, everything, line, lines, texts

pytestmark = pytest.mark.usefixtures("quick_looks")


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
