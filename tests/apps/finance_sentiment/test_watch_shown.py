"""Alerts that are one group say so, on the terminal and in the timeline, and the timeline names the publishers."""

import re

from apps.finance_sentiment.watch.shown import alert_text
from apps.finance_sentiment.watch.timeline import _alerts, _feeds


def alert(topic, time="2026-02-01T10:00:00Z", group=None, publishers=("Harbour Courier",)):
    return {
        "kind": "surge",
        "topic": topic,
        "state": "firing",
        "time": time,
        "opened": "2026-02-01T08:00:00Z",
        "negative_share": 0.8,
        "baseline": 0.3,
        "items": 10,
        "negatives": 8,
        "expected_negatives": 2.5,
        "evidence": [],
        "publishers": list(publishers),
        "group": group or f"{topic} {time}",
        "detector": {"name": "ewma", "statistic": 4.0, "threshold": 3.0, "false_alarms_per_day": 0.1},
        "model": "m",
    }


OIL = alert("oil")
RATES = alert("rates", "2026-02-01T11:00:00Z", OIL["group"])
GOLD = alert("gold", "2026-03-01T11:00:00Z")


def words(page):
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_an_alert_of_another_ones_group_says_so_on_the_terminal_and_one_of_its_own_does_not():
    assert "    in one group with oil 2026-02-01T10:00:00Z" in alert_text(RATES).splitlines()
    assert "group" not in alert_text(OIL)
    assert "group" not in alert_text({**RATES, "state": "resolved"})
    assert "\x1b" not in alert_text({**RATES, "group": "\x1b[31mred 2026-02-01T10:00:00Z"})


def test_the_timeline_names_the_group_of_an_alert_and_its_publishers():
    shown = [words(each) for each in re.findall(r"<details>.*?</details>", _alerts([OIL, RATES, GOLD]))]
    assert "One group with: oil" in shown[1]
    assert "One group with: rates" in shown[2]
    assert "group" not in shown[0]
    assert all("Publishers: Harbour Courier" in each for each in shown)


def test_many_publishers_are_counted_and_their_names_cannot_be_tags():
    page = _alerts([alert("oil", publishers=[f"<b>{number}" for number in range(15)])])
    assert page.count("&lt;b&gt;") == 12
    assert "and 3 more" in page
    assert "Publishers" not in _alerts([alert("oil", publishers=())])


def test_publishers_that_fell_silent_together_are_named_where_one_line_tells_of_all():
    silent = {
        "kind": "silent_feed",
        "topic": None,
        "publisher": "3 of 4 publishers",
        "publishers": ["Wire", "Post", "\x1b[31mTimes"],
        "state": "firing",
        "time": "2026-02-01T10:00:00Z",
        "opened": "2026-02-01T02:00:00Z",
        "expected_items": 40.0,
    }
    assert alert_text(silent).splitlines()[1] == "    Wire, Post, �[31mTimes"
    assert "3 of 4 publishers Wire , Post" in words(_feeds([silent]))
    assert alert_text({**silent, "silenced_until": "2026-02-02T00:00:00Z"}).splitlines()[1] == "    silenced until 2026-02-02T00:00:00Z"
    alone = {**silent, "publisher": "Wire", "publishers": []}
    assert len(alert_text(alone).splitlines()) == 1
