"""A watch that is killed at any point and started again tells every alert once: a hundred kills, and the file is byte for byte that of a quiet run."""

import json
import os
import random
import signal
import time

import numpy as np
import pytest

from apps.finance_sentiment.stream.duplicates import Duplicates
from apps.finance_sentiment.stream.source import open_source
from apps.finance_sentiment.watch import loop
from apps.finance_sentiment.watch.engine import Engine
from apps.finance_sentiment.watch.loop import Watch, restored
from apps.finance_sentiment.watch.outputs import AlertFile
from apps.finance_sentiment.watch.reading import Reader
from apps.finance_sentiment.watch.settings import WatchSettings
from apps.finance_sentiment.watch.store import Store
from tests.tiny_finance import bundle

KILLS = 100
# One topic and many alerts: its thresholds are found in a fraction of a second, so that a process that lives as long gets on.
SETTINGS = WatchSettings(history_days=7, false_alarms_per_day=1.0, cooldown_hours=1, resolve_odds=5, silent_feeds_per_day=0.0)


class OneTopic(Reader):
    """The model's sentiment; every item is of one topic."""

    def __init__(self):
        super().__init__(bundle(), threads=1)
        self.topic = None


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """Five weeks of items, with broken lines, repeated ones and clumps of bad news."""
    rng, rows = np.random.default_rng(0), []
    bad = ["Shares plunge as the fraud case widens", "Loss widens and the dividend is cut", "Bankruptcy looms for the lender"]
    good = ["Profit beats forecasts and guidance is raised", "Record orders lift the shares", "Dividend rises after a strong year"]
    for hour in range(35 * 24):
        clump = 4 if hour % 61 == 0 else 1
        for number in range(rng.poisson(1.2 * clump)):
            text = (bad if rng.random() < 0.35 * min(clump, 2) else good)[rng.integers(3)]
            when = f"2026-{1 + hour // 24 // 28:02}-{1 + hour // 24 % 28:02}T{hour % 24:02}:{rng.integers(60):02}:00Z"
            name = f"{chr(65 + int(rng.integers(26)))}{rng.integers(10**6)}"
            rows.append(
                json.dumps({"id": f"{hour}.{number}", "time": when, "text": f"{name}: {text} by {rng.integers(90)}%", "publisher": "W"})
            )
            if rng.random() < 0.02:
                rows.append(rows[-1] if rng.random() < 0.5 else rows[-1][:20])
    file = tmp_path_factory.mktemp("stream") / "news.jsonl"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def watch(stream, folder):
    """A watch over the stream, from what the folder holds to the end."""
    reader = OneTopic()  # one of a process's own: threads do not outlive a fork
    store = Store(folder / "state.sqlite")
    engine = Engine(reader.topics, reader.version, SETTINGS)
    aside, duplicates = restored(engine, store, folder / "aside.jsonl", Duplicates.restored)
    outputs = [AlertFile(folder / "alerts.jsonl", store)]
    Watch(reader, engine, store, aside, duplicates, outputs, words=False).run([open_source(str(stream))])
    store.close()


@pytest.mark.slow
def test_a_hundred_kills_lose_and_repeat_nothing(stream, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "BATCH", 16)
    calm, harsh = tmp_path / "calm", tmp_path / "harsh"
    started = time.monotonic()
    watch(stream, calm)
    whole = time.monotonic() - started
    expected = {name: (calm / name).read_bytes() for name in ("alerts.jsonl", "aside.jsonl")}
    assert expected["alerts.jsonl"].count(b'"firing"') >= 5
    assert expected["aside.jsonl"].count(b"\n") >= 5

    chance, kills, rounds = random.Random(1), 0, 0
    while kills < KILLS:
        child = os.fork()
        if child == 0:
            try:
                watch(stream, harsh)
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0.02, max(0.3, whole / 20)))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            kills += 1
            continue
        # It came to its end before it was killed: what it left is held against the quiet run, and all begins anew.
        rounds += 1
        assert {name: (harsh / name).read_bytes() for name in expected} == expected
        harsh = tmp_path / f"harsh {rounds}"
    watch(stream, harsh)
    assert {name: (harsh / name).read_bytes() for name in expected} == expected
