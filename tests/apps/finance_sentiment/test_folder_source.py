"""Records come from the files of a folder in the order of their names, each once, through new files, growing ones and a restart."""

import json
import tracemalloc

import pytest

from apps.finance_sentiment.stream import folder_source
from apps.finance_sentiment.stream.folder_source import FolderSource
from apps.finance_sentiment.stream.item import MalformedItem, parse_item
from apps.finance_sentiment.stream.source import open_source
from tests.tiny_sources import Followed, everything, line, lines, texts

pytestmark = pytest.mark.usefixtures("quick_looks")


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
