"""The verb `watch` with a source of the user's own, and with a stream that comes a second time."""

import json

from apps.finance_sentiment.app import APP
from apps.finance_sentiment.stream.item import parse_time
from tests import tiny_questions
from tests.tiny_finance import bundle
from tfarch.data.moments import iso_time

OWN = """
from apps.finance_sentiment.stream.source import Record

class Ticks:
    name = "ticks"

    def read(self, position=None):
        for number in range(position or 0, 3):
            yield Record({"id": str(number), "time": number * 60, "text": f"Plant{number} of Company{number} opens"}, number + 1, f"tick {number}")

    def close(self):
        pass

def ticks(reading):
    assert not reading.follow
    return Ticks()
"""


def watch(folder, *more):
    """What became of the items, by a watch that goes on from what the folder holds."""
    answer = tiny_questions.call("watch", *more, "--bundle", bundle(), "--state", folder / "state.sqlite", "--json", app=APP)
    assert answer.code == 0, answer.err
    (told,) = [line for line in answer.err.splitlines() if " received" in line]
    return {what: int(count.replace(",", "")) for count, what in (part.split(" ", 1) for part in told.split(", "))}


def test_a_source_of_ones_own_is_watched_and_gone_on_with(tmp_path, monkeypatch):
    (tmp_path / "own_ticks.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    assert watch(tmp_path, "--input", "python:own_ticks:ticks")["received"] == 3
    assert watch(tmp_path, "--input", "python:own_ticks:ticks")["received"] == 3  # nothing was left to read


def test_a_file_that_was_renamed_is_read_again_but_not_counted_again(tmp_path):
    begin = parse_time("2026-01-05")
    rows = [
        {"id": str(n), "time": iso_time(begin + n * 3600), "text": f"Company{n} opens plant{n} in town{n}", "publisher": "Wire"}
        for n in range(240)
    ]
    first, second = tmp_path / "news.jsonl", tmp_path / "news.copy.jsonl"
    first.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    counted = watch(tmp_path, "--input", first)
    assert counted["counted"] + counted.get("without a topic", 0) == 240
    first.rename(second)
    again = watch(tmp_path, "--input", second)
    assert again["received"] == 480
    assert {name: again.get(name) for name in ("counted", "without a topic")} == {
        name: counted.get(name) for name in ("counted", "without a topic")
    }
    assert again["older than the duplicates remember"] + again["duplicate by id"] == 240
