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
    pending_at: float,
    ratio: float,
    resolve_ratio: float,
    quiet_seconds: float,
) -> Alert | None:
    """The alert of a topic after a bucket; None where there is none, and an alert in the state `RESOLVED` where it is over.

    Args:
        alert: before it.
        time: event time at the bucket's end.
        begun: event time at which the statistic last left 0.
        statistic, alarm: of this bucket.
        pending_at: statistic from which on an alert is pending.
        ratio: negatives of the last hours over what was expected.
        resolve_ratio: under which an alert that fired is over.
        quiet_seconds: that must have passed since its last alarm.
    """
    if alert is None:
        if alarm:
            return Alert(topic, FIRING, begun, time, time)
        return Alert(topic, PENDING, begun) if statistic >= pending_at else None
    if alarm:
        return replace(alert, state=FIRING, fired=alert.fired or time, last_alarm=time)
    if alert.state == PENDING:
        return replace(alert, state=RESOLVED) if statistic < pending_at * _CALM else alert
    over = ratio < resolve_ratio and time - alert.last_alarm >= quiet_seconds
    return replace(alert, state=RESOLVED) if over else alert
