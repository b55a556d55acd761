"""Alerts held against the truth of a stream: how many were false, which surges were found, and how soon.

Alerts come as `watch` writes them, a line for each change of one; only the change to "firing" counts. The truth is a simulation's, see
`simulation.Simulated`.
"""

from __future__ import annotations

import bisect
import datetime
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfarch.errors import InputError, unknown
from tfarch.evaluation.metrics import wilson_interval

STATES = ("pending", "firing", "resolved")
_DAY = 24.0  # hours


def read_alerts(file: str | Path) -> list[dict[str, Any]]:
    """The changes of surges' alerts that a JSON Lines file holds, in its order.

    Raises:
        InputError: it cannot be read, or a line is no change of an alert.
    """
    alerts = []
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        place = {"file": file, "line": number}
        try:
            alert = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"is not JSON: {getattr(error, 'msg', 'nested too deeply')}", **place) from error
        if not isinstance(alert, dict):
            raise InputError(f"is a JSON {type(alert).__name__}, not an object", **place)
        if alert.get("kind", "surge") != "surge":
            continue  # of a feed that fell silent
        for name in ("topic", "state", "time"):
            if not isinstance(alert.get(name), str):
                raise InputError(f"lacks {name}" if name not in alert else f"{name} is {alert[name]!r}, not text", **place)
        if alert["state"] not in STATES:
            raise unknown("state", alert["state"], STATES, **place)
        _seconds(alert["time"], **place)
        alerts.append(alert)
    return alerts


def read_truth(file: str | Path) -> dict[str, Any]:
    """The truth that a simulation wrote.

    Raises:
        InputError: it cannot be read, or lacks something that scoring needs.
    """
    try:
        truth = json.loads(_text(file))
    except json.JSONDecodeError as error:
        raise InputError(f"is not JSON: {error.msg}", file=file, line=error.lineno) from error
    if not isinstance(truth, dict):
        raise InputError("is no JSON object", file=file)
    for name, kind in (("history_end", str), ("end", str), ("topics", list), ("surges", list)):
        if not isinstance(truth.get(name), kind):
            raise InputError(f"lacks {name}" if name not in truth else f"{name} is no {kind.__name__}", file=file)
    if _seconds(truth["history_end"], file=file) >= _seconds(truth["end"], file=file):
        raise InputError(f"history_end {truth['history_end']} is not before end {truth['end']}", file=file)
    for number, surge in enumerate(truth["surges"], start=1):
        if not isinstance(surge, dict) or not {"topic", "start", "end", "factor"} <= surge.keys():
            raise InputError(f"surge {number} lacks topic, start, end or factor", file=file)
        if surge["topic"] not in truth["topics"]:
            raise unknown("topic", surge["topic"], truth["topics"], file=file)
        if not _seconds(surge["start"], file=file) < _seconds(surge["end"], file=file):
            raise InputError(f"surge {number} does not end after its start", file=file)
        if isinstance(surge["factor"], bool) or not isinstance(surge["factor"], (int, float)):
            raise InputError(f"surge {number}: factor is {surge['factor']!r}, not a number", file=file)
    return truth


def score(alerts: Sequence[Mapping[str, Any]], truth: Mapping[str, Any], *, grace_hours: float = 6.0) -> dict[str, Any]:
    """How good the alerts are, from the end of the history to the end of the stream.

    The first alert of a topic that fires between the start of one of its surges and `grace_hours` after its end, both included, finds that
    surge; another one there is `repeated`, neither a hit nor false; any other is false, also one that fired before the surge and goes on
    into it.

    Args:
        alerts: `topic`, `state` and `time` (ISO 8601) of each change.
        truth: what scoring needs of it is `history_end`, `end`, `topics` and `surges`.

    Returns:
        JSON values. `period` with `start` and `end`, and `grace_hours`; `alerts`, how many fired in it, and `outside_period`;
        `false_alarms`; `topic_days`, of all topics together outside surges and their grace; `false_alarms_per_topic_day` and its exact 95
        % `false_alarms_interval`, None where there is no topic-day; `repeated`; over all surges, and for each factor in `by_factor`, what
        `_found` tells; `surges`, as in the truth, each with `delay_hours` from its start, None where it was missed.

    Raises:
        InputError: an alert of an unknown topic, or a time that is none.
    """
    for alert in alerts:
        if alert["topic"] not in truth["topics"]:
            raise unknown("topic", alert["topic"], truth["topics"])
    start, end = _seconds(truth["history_end"]), _seconds(truth["end"])
    surges = [_Surge(dict(each), _seconds(each["start"]), _seconds(each["end"]) + grace_hours * 3600) for each in truth["surges"]]
    false, repeated, outside = 0, 0, 0
    fired = sorted((_seconds(alert["time"]), alert["topic"]) for alert in alerts if alert["state"] == "firing")
    for time, topic in fired:
        around = [surge for surge in surges if surge.told["topic"] == topic and surge.start <= time <= surge.end]
        missed = [surge for surge in around if surge.delay is None]
        if not start <= time <= end:
            outside += 1
        elif missed:
            missed[0].delay = (time - missed[0].start) / 3600
        elif around:
            repeated += 1
        else:
            false += 1
    days = sum(_quiet([surge for surge in surges if surge.told["topic"] == topic], start, end) for topic in truth["topics"]) / 86_400
    factors = sorted({surge.told["factor"] for surge in surges})
    return {
        "period": {"start": truth["history_end"], "end": truth["end"]},
        "grace_hours": grace_hours,
        "alerts": len(fired) - outside,
        "outside_period": outside,
        "false_alarms": false,
        "topic_days": days,
        "false_alarms_per_topic_day": false / days if days else None,
        "false_alarms_interval": [bound / days for bound in poisson_interval(false)] if days else None,
        "repeated": repeated,
        **_found(surges),
        "by_factor": {f"{factor:g}": _found([surge for surge in surges if surge.told["factor"] == factor]) for factor in factors},
        "surges": [{**surge.told, "delay_hours": surge.delay} for surge in surges],
    }


def score_table(result: Mapping[str, Any]) -> str:
    """What `score` found, as text for a terminal, at most 100 columns wide."""
    false, days = result["false_alarms"], result["topic_days"]
    lines = [
        f"{result['period']['start']} to {result['period']['end']}, {result['grace_hours']:g} h of grace after a surge",
        f"alerts {result['alerts']}: {result['detected']} found a surge, {result['repeated']} repeated, {false} false"
        f" ({result['outside_period']} more fired outside the period)",
        f"false alarms: {false} in {days:.1f} topic-days",
    ]
    if days:
        low, high = result["false_alarms_interval"]
        lines[-1] += f", {result['false_alarms_per_topic_day']:.4f} a topic-day (95 %: {low:.4f} to {high:.4f})"
    if not result["surges"]:
        return "\n".join([*lines, "no surge to find"]) + "\n"
    lines += [
        "",
        f"{'factor':<8}{'surges':>7}{'found':>7}{'recall':>9}{'95 %':>16}{'in a day':>10}"
        f"{'delay p50':>11}{'p90':>7}{'of found p50':>14}{'p90':>7}",
    ]
    for name, found in {"all": result, **result["by_factor"]}.items():
        low, high = found["recall_interval"]
        every, detected = found["delay_hours"]["of_all"], found["delay_hours"]["of_detected"]
        lines.append(
            f"{name:<8}{found['surges_total']:>7}{found['detected']:>7}{found['recall']:>9.3f}{f'{low:.3f} to {high:.3f}':>16}"
            f"{found['recall_within_a_day']:>10.3f}{_hours(every['p50']):>11}{_hours(every['p90']):>7}"
            f"{_hours(detected['p50']):>14}{_hours(detected['p90']):>7}"
        )
    lines += ["", f"{'surge of':<26}{'start':<22}{'hours':>6}{'factor':>8}{'expected':>10}{'added':>7}{'delay':>8}"]
    for surge in result["surges"]:
        hours = (_seconds(surge["end"]) - _seconds(surge["start"])) / 3600
        lines.append(
            f"{surge['topic'][:24]:<26}{surge['start'][:20]:<22}{hours:>6.0f}{surge['factor']:>8g}"
            f"{surge.get('expected', '-'):>10}{surge.get('added', '-'):>7}{_hours(surge['delay_hours']):>8}"
        )
    return "\n".join(lines) + "\n"


@dataclass
class _Surge:
    """A surge as the truth tells it; from when to when, grace included, an alert is a hit (seconds); the hours until the first one."""

    told: dict[str, Any]
    start: float
    end: float
    delay: float | None = None


def _found(surges: Sequence[_Surge]) -> dict[str, Any]:
    """`surges_total`; `detected`, `recall` and its 95 % `recall_interval` (Wilson 1927); the same for those found at most 24 hours after
    their start, `..._within_a_day`; and the median and the ninth decile of `delay_hours`, `of_detected` and `of_all`, where a missed surge
    counts as infinitely late: None where the quantile is not reached."""
    delays = sorted(math.inf if surge.delay is None else surge.delay for surge in surges)
    found = [delay for delay in delays if delay < math.inf]
    soon = bisect.bisect_right(delays, _DAY)
    return {
        "surges_total": len(surges),
        "detected": len(found),
        "recall": len(found) / len(surges) if surges else None,
        "recall_interval": list(wilson_interval(len(found), len(surges))) if surges else None,
        "detected_within_a_day": soon,
        "recall_within_a_day": soon / len(surges) if surges else None,
        "recall_within_a_day_interval": list(wilson_interval(soon, len(surges))) if surges else None,
        "delay_hours": {
            "of_detected": {"p50": _quantile(found, 50), "p90": _quantile(found, 90)},
            "of_all": {"p50": _quantile(delays, 50), "p90": _quantile(delays, 90)},
        },
    }


def poisson_interval(events: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of the mean of a Poisson count (Garwood 1936): the means at which so many events or more, and so many or fewer,
    have half of the rest of the probability each, found by bisection.

    >>> [round(each, 3) for each in poisson_interval(10)]
    [4.795, 18.39]
    """
    tail = (1 - confidence) / 2
    low = 0.0 if events == 0 else _root(lambda mean: 1 - _poisson_cdf(events - 1, mean), tail, 0.0, float(events))
    high = _root(lambda mean: -_poisson_cdf(events, mean), -tail, float(events), events + 10 * math.sqrt(events + 1) + 10)
    return low, high


def _poisson_cdf(most: int, mean: float) -> float:
    """The probability of at most so many events."""
    if mean == 0:
        return 1.0
    return math.fsum(math.exp(count * math.log(mean) - mean - math.lgamma(count + 1)) for count in range(most + 1))


def _root(rising: Callable[[float], float], value: float, low: float, high: float) -> float:
    """Where a rising function has a value, between `low` and `high`."""
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < value:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _quantile(delays: Sequence[float], percent: int) -> float | None:
    """The smallest of sorted delays that so many percent of them do not exceed; None where there are none or it is infinite."""
    if not delays:
        return None
    delay = delays[-(-percent * len(delays) // 100) - 1]
    return delay if delay < math.inf else None


def _quiet(surges: Sequence[_Surge], start: float, end: float) -> float:
    """Seconds of a topic's period outside its surges and their grace."""
    quiet, reached = 0.0, start
    for surge in sorted(surges, key=lambda surge: surge.start):
        quiet += max(0.0, min(surge.start, end) - reached)
        reached = max(reached, surge.end)
    return quiet + max(0.0, end - reached)


def _hours(delay: float | None) -> str:
    return "-" if delay is None else f"{delay:.1f}"


def _seconds(time: Any, **place: Any) -> float:
    try:
        moment = datetime.datetime.fromisoformat(time)
    except (TypeError, ValueError) as error:
        raise InputError(f"time {time!r} is not ISO 8601", **place) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def _text(file: str | Path) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from error
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 (byte {error.start})", file=file) from error
