"""Alerts are scored as one would by hand: what is false, what is a hit, how late, and how sure that is."""

import json
import re

import pytest

from apps.finance_sentiment.scoring import poisson_interval, read_alerts, read_truth, score, score_table
from apps.finance_sentiment.simulation import StreamSettings, SurgeSettings, sample_rows, simulate, write
from tfarch.errors import InputError


def surge(topic, start, end, factor=2.0):
    return {"topic": topic, "start": start, "end": end, "factor": factor, "expected": 5.0, "added": 6}


def truth(*surges, topics=("energy", "legal")):
    """Ten days to score, from the 11th to the 20th."""
    return {"history_end": "2026-01-11T00:00:00Z", "end": "2026-01-21T00:00:00Z", "topics": list(topics), "surges": list(surges)}


def fires(topic, time, state="firing"):
    return {
        "topic": topic,
        "state": state,
        "time": time,
        "opened": time,
        "negative_share": 0.6,
        "baseline": 0.3,
        "items": 9,
        "evidence": [],
    }


# The surge of a whole day, with six hours of grace until 2026-01-16T06:00.
ENERGY = surge("energy", "2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z")
LEGAL = surge("legal", "2026-01-17T00:00:00Z", "2026-01-18T18:00:00Z", 4.0)


def test_no_alerts_find_nothing_and_are_never_false():
    result = score([], truth(ENERGY))
    assert (result["alerts"], result["false_alarms"], result["repeated"]) == (0, 0, 0)
    assert (result["surges_total"], result["detected"], result["recall"], result["recall_within_a_day"]) == (1, 0, 0.0, 0.0)
    assert result["delay_hours"] == {"of_detected": {"p50": None, "p90": None}, "of_all": {"p50": None, "p90": None}}
    assert result["surges"] == [{**ENERGY, "delay_hours": None}]
    # Two topics of ten days, without a surge of 24 hours and its 6 hours of grace.
    assert result["topic_days"] == pytest.approx(18.75)
    assert result["false_alarms_per_topic_day"] == 0
    assert result["false_alarms_interval"] == pytest.approx([0, 3.689 / 18.75], abs=1e-4)


def test_the_first_alert_of_a_surge_is_the_hit_and_the_next_is_repeated():
    alerts = [fires("energy", "2026-01-15T12:00:00Z"), fires("energy", "2026-01-15T03:30:00Z"), fires("energy", "2026-01-16T01:00:00Z")]
    result = score(alerts, truth(ENERGY))
    assert (result["alerts"], result["detected"], result["repeated"], result["false_alarms"]) == (3, 1, 2, 0)
    assert result["surges"][0]["delay_hours"] == 3.5


def test_only_the_change_to_firing_counts():
    alerts = [fires("energy", "2026-01-15T03:00:00Z", state) for state in ("pending", "resolved")]
    result = score(alerts, truth(ENERGY))
    assert (result["alerts"], result["detected"], result["false_alarms"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("time", "hit"),
    [
        ("2026-01-14T23:59:59Z", False),
        ("2026-01-15T00:00:00Z", True),
        ("2026-01-16T00:00:00Z", True),
        ("2026-01-16T06:00:00Z", True),
        ("2026-01-16T06:00:01Z", False),
        ("2026-01-15T02:00:00+05:00", False),  # the evening before in UTC
    ],
)
def test_an_alert_hits_from_the_start_of_the_surge_to_the_end_of_its_grace(time, hit):
    result = score([fires("energy", time)], truth(ENERGY))
    assert (result["detected"], result["false_alarms"]) == ((1, 0) if hit else (0, 1))


def test_the_grace_is_what_it_is_set_to():
    alert = fires("energy", "2026-01-16T05:00:00Z")
    assert score([alert], truth(ENERGY), grace_hours=0)["false_alarms"] == 1
    assert score([alert], truth(ENERGY), grace_hours=0)["topic_days"] == 19
    assert score([alert], truth(ENERGY), grace_hours=5)["detected"] == 1


def test_a_surge_of_another_topic_excuses_nothing():
    result = score([fires("legal", "2026-01-15T03:00:00Z")], truth(ENERGY))
    assert (result["detected"], result["false_alarms"]) == (0, 1)


def test_what_fires_before_the_history_ends_or_after_the_stream_is_left_out():
    alerts = [fires("energy", "2026-01-10T23:59:59Z"), fires("energy", "2026-01-21T00:00:01Z"), fires("energy", "2026-01-11T00:00:00Z")]
    result = score(alerts, truth(ENERGY))
    assert (result["alerts"], result["outside_period"], result["false_alarms"]) == (1, 2, 1)


def test_topic_days_leave_out_what_of_a_surge_and_its_grace_lies_in_the_period():
    # Ten days; of the first surge 30 hours, of the second only the 12 hours until the end, of two that meet each hour once.
    late = surge("energy", "2026-01-20T12:00:00Z", "2026-01-21T00:00:00Z")
    one, other = (
        surge("legal", "2026-01-12T00:00:00Z", "2026-01-13T00:00:00Z"),
        surge("legal", "2026-01-13T02:00:00Z", "2026-01-13T12:00:00Z"),
    )
    assert score([], truth(ENERGY, late, topics=["energy"]))["topic_days"] == pytest.approx(10 - 30 / 24 - 12 / 24)
    assert score([], truth(one, other, topics=["legal"]))["topic_days"] == pytest.approx(10 - 42 / 24)


def test_a_surge_that_is_found_after_a_day_counts_for_recall_but_not_within_a_day():
    alerts = [fires("energy", "2026-01-15T02:00:00Z"), fires("legal", "2026-01-18T03:00:00Z")]
    result = score(alerts, truth(ENERGY, LEGAL))
    assert [each["delay_hours"] for each in result["surges"]] == [2, 27]
    assert (result["recall"], result["recall_within_a_day"]) == (1.0, 0.5)
    on_the_dot = score([fires("legal", "2026-01-18T00:00:00Z")], truth(LEGAL))
    assert on_the_dot["recall_within_a_day"] == 1.0


def test_delays_are_told_of_what_was_found_and_of_all():
    surges = [surge("energy", f"2026-01-{day}T00:00:00Z", f"2026-01-{day}T12:00:00Z") for day in range(11, 21)]

    def delays(found):
        return score([fires("energy", f"2026-01-{11 + n}T{n + 1:02}:00:00Z") for n in range(found)], truth(*surges))["delay_hours"]

    # Ten surges, found after 1, 2, 3 ... hours: the fifth and the ninth smallest.
    assert delays(10) == {"of_detected": {"p50": 5, "p90": 9}, "of_all": {"p50": 5, "p90": 9}}
    assert delays(9) == {"of_detected": {"p50": 5, "p90": 9}, "of_all": {"p50": 5, "p90": 9}}
    assert delays(8) == {"of_detected": {"p50": 4, "p90": 8}, "of_all": {"p50": 5, "p90": None}}
    assert delays(4) == {"of_detected": {"p50": 2, "p90": 4}, "of_all": {"p50": None, "p90": None}}


def test_each_factor_is_told_apart():
    result = score([fires("legal", "2026-01-17T05:00:00Z")], truth(ENERGY, LEGAL))
    assert sorted(result["by_factor"]) == ["2", "4"]
    assert (result["by_factor"]["2"]["surges_total"], result["by_factor"]["2"]["detected"]) == (1, 0)
    assert (result["by_factor"]["4"]["recall"], result["by_factor"]["4"]["delay_hours"]["of_all"]["p50"]) == (1.0, 5)
    assert result["recall"] == 0.5
    # Wilson, one of two
    assert result["recall_interval"] == pytest.approx([0.0945, 0.9055], abs=1e-4)


def test_a_truth_without_surges_has_no_recall():
    result = score([fires("energy", "2026-01-15T00:00:00Z")], truth())
    assert (result["surges_total"], result["recall"], result["recall_interval"], result["by_factor"]) == (0, None, None, {})
    assert result["false_alarms_per_topic_day"] == 1 / 20
    assert score_table(result).splitlines()[-1] == "no surge to find"


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [(0, 0, 3.6889), (1, 0.02532, 5.5716), (2, 0.2422, 7.2247), (10, 4.7954, 18.3904), (50, 37.1110, 65.9183), (100, 81.3639, 121.6272)],
)
def test_the_poisson_interval_is_that_of_the_tables(events, low, high):
    assert poisson_interval(events) == pytest.approx((low, high), abs=1e-3)


def test_the_poisson_interval_of_another_confidence():
    assert poisson_interval(0, 0.9)[1] == pytest.approx(2.9957, abs=1e-4)


def test_a_result_is_json_and_its_table_fits_a_terminal():
    named = surge("a_topic_with_a_name_that_is_longer_than_it_need_be", "2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z")
    result = score([fires("energy", "2026-01-15T03:00:00Z")], truth(ENERGY, named, LEGAL, topics=("energy", "legal", named["topic"])))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    table = score_table(result)
    assert max(map(len, table.splitlines())) <= 100
    assert re.search(r"^alerts 1: 1 found a surge, 0 repeated, 0 false \(0 more fired outside the period\)$", table, re.MULTILINE)
    assert re.search(r"^all +3 +1 +0\.333 +0\.061 to 0\.792 +0\.333 +- +- +3\.0 +3\.0$", table, re.MULTILINE)
    assert re.search(r"^energy +2026-01-15T00:00:00Z +24 +2 +5\.0 +6 +3\.0$", table, re.MULTILINE)


def test_an_alert_of_an_unknown_topic_is_an_error():
    with pytest.raises(InputError, match="unknown topic 'sports'; known: energy, legal"):
        score([fires("sports", "2026-01-15T03:00:00Z", "pending")], truth(ENERGY))


def test_alerts_are_read_as_they_stand(tmp_path):
    alerts = [fires("energy", "2026-01-15T03:00:00Z", state) for state in ("pending", "firing", "resolved")]
    alerts[1]["evidence"] = ["Profit\u2028halves\x85again"]  # line ends of other standards, which JSON Lines does not know
    file = tmp_path / "alerts.jsonl"
    file.write_text("\n".join(json.dumps(each, ensure_ascii=False) for each in alerts) + "\n\n", encoding="utf-8")
    assert read_alerts(file) == alerts


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"topic": "energy"', "is not JSON"),
        ("[1, 2]", "is a JSON list, not an object"),
        ('{"state": "firing", "time": "2026-01-15T03:00:00Z"}', "lacks topic"),
        ('{"topic": 3, "state": "firing", "time": "2026-01-15T03:00:00Z"}', "topic is 3, not text"),
        (
            '{"topic": "energy", "state": "fired", "time": "2026-01-15T03:00:00Z"}',
            "unknown state 'fired'; known: firing, pending, resolved",
        ),
        ('{"topic": "energy", "state": "firing", "time": "noon"}', "time 'noon' is not ISO 8601"),
    ],
)
def test_a_line_that_is_no_alert_is_named(tmp_path, line, said):
    file = tmp_path / "alerts.jsonl"
    file.write_text(json.dumps(fires("energy", "2026-01-15T03:00:00Z")) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(f"{file}, line 2: {said}")):
        read_alerts(file)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for read in (read_alerts, read_truth):
        with pytest.raises(InputError, match="none: cannot be read"):
            read(tmp_path / "none")
        with pytest.raises(InputError, match="bytes: is not UTF-8"):
            read(tmp_path / "bytes")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"surges": None}, "surges is no list"),
        ({"history_end": "soon"}, "time 'soon' is not ISO 8601"),
        ({"end": "2026-01-11T00:00:00Z"}, "history_end 2026-01-11T00:00:00Z is not before end"),
        ({"surges": [{"topic": "energy"}]}, "surge 1 lacks topic, start, end or factor"),
        ({"surges": [surge("sports", "2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z")]}, "unknown topic 'sports'"),
        ({"surges": [surge("energy", "2026-01-15T00:00:00Z", "2026-01-15T00:00:00Z")]}, "surge 1 does not end after its start"),
        ({"surges": [surge("energy", "2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z", "2")]}, "surge 1: factor is '2', not a number"),
    ],
)
def test_a_truth_that_cannot_be_used_says_why(tmp_path, change, said):
    file = tmp_path / "truth.json"
    file.write_text(json.dumps({**truth(ENERGY), **change}), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(said)):
        read_truth(file)


def test_a_truth_that_is_no_json_names_the_line(tmp_path):
    file = tmp_path / "truth.json"
    file.write_text('{\n"topics": [\n}', encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(f"{file}, line 3: is not JSON")):
        read_truth(file)
    file.write_text('{"end": "2026-01-11T00:00:00Z"}', encoding="utf-8")
    with pytest.raises(InputError, match="lacks history_end"):
        read_truth(file)


def test_a_simulated_stream_is_scored_from_its_file(tmp_path):
    settings = StreamSettings(days=9, items_per_day=40, surges=SurgeSettings(per_topic_week=1, history_days=2))
    write(tmp_path / "items.jsonl", tmp_path / "truth.json", simulate(sample_rows(), settings, seed=0))
    told = read_truth(tmp_path / "truth.json")
    result = score([fires(each["topic"], each["start"]) for each in told["surges"]], told)
    assert result["surges_total"] == result["detected"] == len(told["surges"]) > 3
    assert result["false_alarms"] == 0
    assert result["delay_hours"]["of_all"] == {"p50": 0, "p90": 0}
