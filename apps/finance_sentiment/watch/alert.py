"""The life of an alert: pending, firing, resolved. Hysteresis at both ends, so that a statistic that wavers does not make an alert blink."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

PENDING, FIRING, RESOLVED = "pending", "firing", "resolved"
# An alert that was pending only is over when the statistic is back under this share of what made it pending.
_CALM = 0.5


@dataclass(frozen=True)
class Alert:
    """One topic's open alert.

    opened: event time at which it became pending, or fired at once; seconds since 1970.
    fired: event time of the first alarm, None while it is pending.
    group: the same for alerts that fired about the same time.
    """

    topic: int
    state: str
    opened: float
    fired: float | None = None
    last_alarm: float | None = None
    group: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def next_state(
    alert: Alert | None,
    *,
    topic: int,
    time: float,
    begun: float,
    statistic: float,
    alarm: bool,
    neutral: float,
    pending_at: float,
    calm: bool,
    rest_seconds: float,
    quiet_seconds: float,
    outlasted: bool,
) -> Alert | None:
    """The alert of a topic after a bucket; None where there is none, and an alert in the state `RESOLVED` where it is over.

    Args:
        alert: before it.
        time: event time at the bucket's end.
        begun: event time at which the statistic last left its neutral value.
        statistic, alarm: of this bucket.
        neutral: what the statistic is where nothing is more than usual.
        pending_at: statistic from which on an alert is pending.
        calm: whether the negatives are back to the usual.
        rest_seconds: in which the detector raises no other alarm after one: too soon to call it over.
        quiet_seconds: since the last alarm, after which it is over for the detector's silence alone.
        outlasted: whether an alert that fired has lasted so long that what it tells of is the usual now: it is over whatever comes in.
    """
    if alert is None:
        if alarm:
            return Alert(topic, FIRING, begun, time, time)
        return Alert(topic, PENDING, begun) if statistic > neutral and statistic >= pending_at else None
    if alert.state == FIRING and outlasted:
        return replace(alert, state=RESOLVED)
    if alarm:
        return replace(alert, state=FIRING, fired=alert.fired or time, last_alarm=time)
    low = statistic <= max(neutral, pending_at * _CALM)
    if alert.state == PENDING:
        return replace(alert, state=RESOLVED) if low else alert
    quiet = time - alert.last_alarm
    over = quiet >= rest_seconds and (calm or (low and quiet >= quiet_seconds))
    return replace(alert, state=RESOLVED) if over else alert
