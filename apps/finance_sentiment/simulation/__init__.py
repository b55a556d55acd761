"""News streams with known surges: what a detector of surges is measured on.

`simulate` makes a stream from labelled rows, `inject_surges` adds surges to real items; `write` lays down what either made.
"""

from apps.finance_sentiment.simulation.injection import inject_surges
from apps.finance_sentiment.simulation.rows import sample_rows
from apps.finance_sentiment.simulation.settings import StreamSettings, SurgeSettings
from apps.finance_sentiment.simulation.simulated import Simulated, write
from apps.finance_sentiment.simulation.stream import simulate

__all__ = ["Simulated", "StreamSettings", "SurgeSettings", "inject_surges", "sample_rows", "simulate", "write"]
