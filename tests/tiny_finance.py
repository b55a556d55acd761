"""A bundle of averaged embeddings with the heads sentiment and topic, trained on the embedded sample within seconds: real answers, for tests of the watch."""

import contextlib
import functools
import io
import tempfile
from pathlib import Path

from apps.finance_sentiment.app import APP
from tfarch.cli import main

SETTINGS = """\
model: {structure: averaged, averaged_width: 16, vocabulary: 1500}
train: {epochs: 8, devices: cpu, precision: float32}
label_errors: {find: false}
export: {variants: [dynamic_int8], agreement_bound: 0}
evaluate: {latency_texts: 2, latency_repeats: 1, threads: [1]}
"""


@functools.cache
def bundle() -> Path:
    """The folder of the bundle, made once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="tiny_finance_"))
    settings = folder / "settings.yaml"
    settings.write_text(SETTINGS, encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main(APP, ["run", "--out", str(folder / "run"), "--config", str(settings)]) == 0
    return folder / "run" / "bundle"
