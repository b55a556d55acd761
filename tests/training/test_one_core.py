"""On one core an epoch ends when its last update is done: nothing waits for a thread of its input."""

import os
import subprocess
import sys

import pytest

CHILD = """
import time
import tests.tiny_training as tiny
class Slow(tiny.Callback):
    def after_update(self, step, values):
        time.sleep(0.6)  # the input's iterator is asked for seconds, as in a real epoch
        self.done = time.perf_counter()
slow = Slow()
tiny.fit(tiny.classifier, [slow], epochs=1, devices="cpu:2")
print(time.perf_counter() - slow.done)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot keep a process to one core")
def test_the_end_of_an_epoch_on_one_core_waits_for_nothing():
    one = min(os.sched_getaffinity(0))
    done = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {one}), check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) < 1.0
