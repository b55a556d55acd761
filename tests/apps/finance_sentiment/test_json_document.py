"""The items of one JSON document are found without holding it as objects, and what would cost too much is refused."""

import json
import random
import tracemalloc
from types import SimpleNamespace

import pytest

from apps.finance_sentiment.stream import json_document
from apps.finance_sentiment.stream.folder_source import FolderSource
from apps.finance_sentiment.stream.item import MalformedItem, parse_item
from apps.finance_sentiment.stream.json_document import read_document
from apps.finance_sentiment.stream.lines import MOST_LINE
from apps.finance_sentiment.watch.aside import SetAside
from tests.tiny_sources import everything, line, texts

pytestmark = pytest.mark.usefixtures("quick_looks")


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
