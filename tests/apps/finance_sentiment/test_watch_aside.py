"""What is set aside stays: no file that is there is emptied, none grows by what nobody wrote, and nothing is too odd to be kept."""

import json
import types

import pytest

from apps.finance_sentiment.stream.source import Record
from apps.finance_sentiment.watch.aside import SetAside, as_text
from tests.tiny_watch import Given, watch


def kept(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def contents(file):
    return [each["content"] for each in kept(file)]


def nested(depth):
    value = "inmost"
    for number in range(depth):
        value = {"a": value} if number % 2 else [value, None, {}, []]
    return {"text": value, "more": [1.5, True, 'a "b"']}


def test_a_new_state_beside_an_old_file_goes_on_behind_what_is_there(tmp_path):
    watch(tmp_path, Given([b"first"]))
    (tmp_path / "state.sqlite").unlink()
    watch(tmp_path, Given([b"second"]))
    assert contents(tmp_path / "aside.jsonl") == ["first", "second"]


def test_a_new_state_that_is_killed_before_its_first_batch_was_stored_has_each_once(tmp_path):
    watch(tmp_path, Given([b"first"]))
    (tmp_path / "state.sqlite").unlink()

    class KilledError(Exception):
        pass

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("apps.finance_sentiment.watch.loop.Watch._store", lambda *_: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            watch(tmp_path, Given([b"second"]))
    watch(tmp_path, Given([b"second"]))
    assert contents(tmp_path / "aside.jsonl") == ["first", "second"]


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path):
    watch(tmp_path, Given([b"first"]))
    (tmp_path / "aside.jsonl").rename(tmp_path / "moved.jsonl")
    watch(tmp_path, Given([b"first", b"second"]))
    watch(tmp_path, Given([b"first", b"second", b"third"]))
    assert contents(tmp_path / "moved.jsonl") == ["first"]
    assert contents(tmp_path / "aside.jsonl") == ["second", "third"]


def test_a_file_that_is_moved_away_while_the_watch_is_at_work_is_begun_anew(tmp_path):
    aside = SetAside(tmp_path / "aside.jsonl", None)
    aside.add([(Record(b"first", 1, "x 1"), "odd")])
    (tmp_path / "aside.jsonl").unlink()
    aside.add([(Record(b"second", 2, "x 2"), "odd")])
    assert aside.size == (tmp_path / "aside.jsonl").stat().st_size
    assert contents(tmp_path / "aside.jsonl") == ["second"]


@pytest.mark.parametrize("depth", [985, 3000])
def test_an_item_of_any_depth_is_kept_whole_and_ends_nothing(tmp_path, depth):
    value = nested(depth)
    watch(tmp_path, Given([value, b"next"]))
    first, second = contents(tmp_path / "aside.jsonl")
    if isinstance(first, dict):  # how deep a Python writes and reads JSON itself differs by its version
        first = json.dumps(first)
    assert first.startswith('{"text": ')
    assert first.endswith('"more": [1.5, true, "a \\"b\\""]}')
    assert first.count("inmost") == 1
    assert (first.count("{"), first.count("[")) == (first.count("}"), first.count("]"))
    assert second == "next"


def test_json_without_recursion_is_json(tmp_path, monkeypatch):
    def too_deep(*_, **__):
        raise RecursionError

    value, plain = nested(7), json.dumps
    with monkeypatch.context() as patched:
        patched.setattr(
            "apps.finance_sentiment.watch.aside.json.dumps", lambda each, **more: too_deep() if each is value else plain(each, **more)
        )
        text = as_text(value)
    assert json.loads(text) == value


@pytest.mark.parametrize("content", [types.MappingProxyType({"text": 1}), {"text": {1, 2}}, {"text": b"\xff"}, {("a", 1): object}])
def test_what_json_has_no_word_for_is_kept_as_python_shows_it(tmp_path, content):
    watch(tmp_path, Given([content]))
    assert contents(tmp_path / "aside.jsonl") == [repr(content)]
