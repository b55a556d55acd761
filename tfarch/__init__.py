"""tfarch: labelled text in, a small, fast, proven model file out.

Importing this package imports no TensorFlow: `tfarch.load(bundle)` runs a finished bundle with LiteRT alone. It only settles which Keras
TensorFlow will use: TF-MOT accepts nothing but Keras 2 (`tf_keras`), and TensorFlow decides when it is first imported.
"""

import os
import sys

__version__ = "0.1.0"

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
# Errors too: where something fails Python raises it, and what remains is news such as "no CUDA driver" on every machine without a GPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns oneDNN on by itself only where the processor has AVX512-VNNI or better. On AVX2 it trains MiniLM 1.8 times as fast (measured).
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def _require_legacy_keras() -> None:
    """Fails with the mend where TensorFlow has already settled on Keras 3, which TF-MOT refuses."""
    mend = "set TF_USE_LEGACY_KERAS=1, or import tfarch before tensorflow"
    if os.environ["TF_USE_LEGACY_KERAS"] not in ("1", "true", "True"):
        raise ImportError(f"tfarch needs tf_keras as tf.keras, but TF_USE_LEGACY_KERAS={os.environ['TF_USE_LEGACY_KERAS']}: {mend}")
    tensorflow = sys.modules.get("tensorflow")
    # While TensorFlow is half imported (a package it imports may import us) it has no `keras` yet, and will read the variable set above.
    version = getattr(getattr(tensorflow, "keras", None), "__version__", "2")  # tf_keras, whose module this is then, may have none
    if version.startswith("3"):
        raise ImportError(f"TensorFlow was imported before tfarch and uses Keras {version}: {mend}")


_require_legacy_keras()


def __getattr__(name: str):
    """`tfarch.load` and the verbs of `tfarch.pipeline`, imported when first asked for."""
    if name == "load":
        from tfarch.runtime import load

        return load
    if name in ("run", "check", "train", "compress", "export", "evaluate"):
        from tfarch import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module 'tfarch' has no attribute {name!r}")
