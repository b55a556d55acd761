"""Settings that could not work are refused when the watch begins, and not after the weeks in which it learns."""

import pytest

from apps.finance_sentiment.watch.settings import WatchSettings
from tfarch.errors import InputError


@pytest.mark.parametrize(("minutes", "rate", "fits"), [(1, 0.01, 3), (2, 1e-4, 3), (1, 1e-4, 3)])
def test_what_could_not_be_simulated_is_refused_and_the_bucket_named_that_can(minutes, rate, fits):
    with pytest.raises(InputError, match=f"false alarms per day .* need .* simulated days of {1440 // minutes} buckets"):
        WatchSettings(bucket_minutes=minutes, false_alarms_per_day=rate)
    assert WatchSettings(bucket_minutes=fits, false_alarms_per_day=rate).bucket_minutes == fits


@pytest.mark.parametrize("value", [1e308, float("inf"), float("nan"), 10**400])
def test_a_value_beyond_all_measure_is_refused(value):
    with pytest.raises(InputError, match="cooldown_hours is"):
        WatchSettings(cooldown_hours=value)
