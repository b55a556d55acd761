"""A source that fails ends alone: what it gave is judged and stored, the others are watched on, and its error is the watch's in the end."""

import json
import threading

import pytest

from apps.finance_sentiment.watch.outputs import LineStream
from apps.finance_sentiment.watch.store import Store
from tests.tiny_watch import DAYS, HOUR, Given, calm, item, surge, watch
from tfarch.errors import InputError

BEGIN = 1_800_000_000 // HOUR * HOUR
STREAM = [*calm(BEGIN), *surge(BEGIN + DAYS * 24 * HOUR)]


def counted(folder):
    store = Store(folder / "state.sqlite", read_only=True)
    try:
        return store.fact("engine")["counted"]
    finally:
        store.close()


def test_what_a_source_gave_before_it_failed_is_judged_and_stored(tmp_path):
    with pytest.raises(InputError, match="broke off"):
        watch(tmp_path, Given([*STREAM, InputError("broke off")]))
    assert counted(tmp_path)["received"] == counted(tmp_path)["counted"] == len(STREAM)


def test_the_other_sources_are_watched_to_their_end_and_the_failure_is_told_at_once(tmp_path):
    told, waited = threading.Event(), []
    said = []

    def say(message):
        said.append(message)
        told.set()

    other = Given([lambda: waited.append(told.wait(10)), *STREAM], name="other")
    with pytest.raises(InputError, match="broke off"):
        watch(tmp_path, Given([InputError("broke off")], name="feed:http://host/x?key=s3cret"), other, say=say)
    assert waited == [True]
    assert counted(tmp_path)["received"] == len(STREAM)
    assert said == ["warning: feed:http://host/x failed: broke off; the other sources are watched on"]


def test_outputs_get_what_there_was_though_the_only_source_failed(tmp_path, capsys):
    with pytest.raises(ValueError, match="a fault of ours"):
        watch(tmp_path, Given([*STREAM, ValueError("a fault of ours")]), outputs=[LineStream])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any(line["state"] == "firing" for line in lines)


def test_an_item_that_is_nested_too_deeply_is_no_failure_of_its_source(tmp_path):
    deep = {}
    for _ in range(3000):
        deep = {"a": deep}
    watch(tmp_path, Given([{"id": "1", "time": BEGIN, "text": "Oil falls", "more": deep}, item(BEGIN + 60, 1)]))
    assert counted(tmp_path)["counted"] == 2
