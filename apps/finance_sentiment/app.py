"""What only this app knows: its sample, and which of its columns it learns."""

from pathlib import Path

from tfarch.app import App

APP = App(
    name="finance_sentiment",
    title="Tells the sentiment of a financial text: negative, neutral or positive.",
    sample=Path(__file__).parent / "data",
    sample_licence="Apache-2.0",
    defaults={"data": {"label_column": "sentiment"}},
    # Half of the rows and one pass: a look at what comes out, not a model to keep.
    quick={
        "data": {"limit": 360},
        "train": {"epochs": 1},
        "evaluate": {"latency_texts": 50, "latency_repeats": 1},
        "export": {"variants": ["float32", "dynamic_int8"], "agreement_bound": 0.8},
    },
)
