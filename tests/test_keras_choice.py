"""Which Keras TensorFlow uses is settled before it is too late, and what is too late is told with its mend."""

import os
import subprocess
import sys

import pytest


def run(code, **environment):
    """Standard error of Python code in a fresh process, with `TF_USE_LEGACY_KERAS` only where it is given; None where it went well."""
    own = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run([sys.executable, "-c", code], env={**own, **environment}, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr


def test_tensorflow_may_come_first_where_it_was_told_to_use_tf_keras():
    code = "import tensorflow as tf; import tfarch; assert 'tf_keras' in tf.keras.Model.__module__, tf.keras.Model.__module__"
    assert run(code, TF_USE_LEGACY_KERAS="1") is None


@pytest.mark.parametrize(
    ("code", "environment", "message"),
    [
        ("import tensorflow as tf; tf.keras.Model; import tfarch", {}, "TensorFlow was imported before tfarch and uses Keras 3."),
        ("import tfarch", {"TF_USE_LEGACY_KERAS": "0"}, "tfarch needs tf_keras as tf.keras, but TF_USE_LEGACY_KERAS=0"),
    ],
)
def test_keras_3_is_refused_with_the_mend(code, environment, message):
    told = run(code, **environment).splitlines()[-1]
    assert told.startswith(f"ImportError: {message}")
    assert "set TF_USE_LEGACY_KERAS=1, or import tfarch before tensorflow" in told
