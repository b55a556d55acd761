"""The names of an exported file's inputs and outputs, as export writes and the runtime reads them."""

from __future__ import annotations

SIGNATURE = "serving_default"
INPUTS = ("ids", "mask", "segment_ids")
OUTPUT, VECTOR = "probabilities", "text_vector"
SINGLE = ""  # the name of the task of a model that has one only


def output_of(task: str) -> str:
    """The output with the probabilities of a task's classes."""
    return f"{task}_{OUTPUT}" if task else OUTPUT


def is_output_of_task(name: str) -> bool:
    """Whether an output of this name holds probabilities."""
    return name == OUTPUT or name.endswith(f"_{OUTPUT}")
