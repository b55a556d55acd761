"""What a report says of the machine."""

import json
import platform
import subprocess
import sys

import numpy as np
import pytest

from tfarch.evaluation.machine import describe, has_fast_bfloat16, read_cpuinfo

X86 = """processor\t: 0
model name\t: AMD EPYC 9R14
flags\t\t: fpu sse2 avx avx2 fma avx512f avx512_vnni avx512_bf16 vnmi

processor\t: 1
model name\t: another
"""
ARM = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd aes asimddp i8mm bf16\nCPU implementer\t: 0x41\n"


@pytest.mark.parametrize(
    ("text", "name", "flags"),
    [
        (X86, "AMD EPYC 9R14", ["avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16"]),
        (ARM, None, ["neon", "dotprod", "i8mm", "bf16"]),
        ("", None, []),
    ],
)
def test_processor_and_flags_are_read_from_the_kernels_text(text, name, flags):
    assert read_cpuinfo(text) == (name, flags)


def test_this_machine_is_described_in_plain_values():
    found = json.loads(json.dumps(describe()))
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["memory_gib"] > 0
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["numpy"] == np.__version__
    assert {"tensorflow", "tf_keras", "tfmot", "litert", "tokenizers"} <= set(found)
    assert platform.node() not in (value for value in found.values() if isinstance(value, str))


def test_fast_bfloat16_is_claimed_only_with_its_flag():
    assert has_fast_bfloat16() == bool({"avx512_bf16", "amx_bf16"} & set(describe()["flags"]))


def test_evaluation_needs_no_tensorflow():
    code = "import sys, tfarch.evaluation as e; e.describe(); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
