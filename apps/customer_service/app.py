"""What only this app knows: its sample, and how it likes to train."""

from pathlib import Path

from tfarch.app import App

APP = App(
    name="customer_service",
    title="Understands a customer's question: intent with an honest probability, or out of scope.",
    sample=Path(__file__).parent / "data",
    sample_licence="Apache-2.0",
    # Half of the rows and one pass: a look at what comes out, not a model to keep.
    quick={
        "data": {"limit": 440},
        "train": {"epochs": 1},
        "evaluate": {"latency_texts": 50, "latency_repeats": 1},
        "export": {"variants": ["float32", "dynamic_int8"], "agreement_bound": 0.8},
    },
)
