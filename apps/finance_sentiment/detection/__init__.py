"""Is bad news of a topic surging? An answer with a stated number of false alarms per day.

What is usual for a topic and an hour of the week is fitted to a history (`Baseline`). A detector (`make_detector`, by a name of
`DETECTORS`) turns counts that come in into a statistic that rises with the evidence for more. How high it may rise before it is an alarm is
found on simulated streams (`calibrate`), and so is how long a surge then goes unnoticed (`expected_delays`). Stream and simulation raise
alarms by the one rule of `advance`. `bursts` looks back over a history instead.

    baseline = Baseline.fit(counts, negatives, start_time, 3600)
    detector = make_detector("negative_binomial_cusum", ratio=2.0)
    calibration = calibrate(detector, baseline.week(), baseline.size, 1 / 30, bucket_seconds=3600)  # one false alarm a month and topic
    statistics, alarms_raised = alarms(detector, new_negatives, baseline.mean(times), baseline.size, calibration.threshold)
"""

# The modules of detectors are imported for their names in the registry, too.
from apps.finance_sentiment.detection.alarm import advance, alarms
from apps.finance_sentiment.detection.baseline import Baseline
from apps.finance_sentiment.detection.calibration import Calibration, Simulation, calibrate
from apps.finance_sentiment.detection.count_cusum import NegativeBinomialCusum, PoissonCusum, odds_of_calm
from apps.finance_sentiment.detection.cusum import Cusum
from apps.finance_sentiment.detection.delays import Delays, expected_delays
from apps.finance_sentiment.detection.detector import DETECTORS, Detector, detector_from_dict, make_detector
from apps.finance_sentiment.detection.dispersion import ordinary_days
from apps.finance_sentiment.detection.ewma import Ewma
from apps.finance_sentiment.detection.kleinberg import Burst, bursts
from apps.finance_sentiment.detection.page_hinkley import PageHinkley
from apps.finance_sentiment.detection.ratio import Ratio
from apps.finance_sentiment.detection.sampling import gamma_poisson

__all__ = [
    "DETECTORS",
    "Baseline",
    "Burst",
    "Calibration",
    "Cusum",
    "Delays",
    "Detector",
    "Ewma",
    "NegativeBinomialCusum",
    "PageHinkley",
    "PoissonCusum",
    "Ratio",
    "Simulation",
    "advance",
    "alarms",
    "bursts",
    "calibrate",
    "detector_from_dict",
    "expected_delays",
    "gamma_poisson",
    "make_detector",
    "odds_of_calm",
    "ordinary_days",
]
