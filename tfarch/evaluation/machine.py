"""The machine that figures were measured on: int8 accuracy and latency differ between processors, so every report names its own.

Nothing heavy is imported: versions are read from the installed packages' metadata.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

FLAGS = {  # what decides the speed of small matrices: the kernel's name -> the name in reports
    **{name: name for name in ("avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16")},
    **{name: name for name in ("amx_tile", "amx_int8", "amx_bf16")},
    **{"asimd": "neon", "neon": "neon", "asimddp": "dotprod", "asimdhp": "fp16"},
    **{name: name for name in ("i8mm", "bf16", "sve", "sve2")},
}
PACKAGES = {  # name in reports -> distributions that may provide it
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos"),
    "tf_keras": ("tf_keras", "tf_keras-nightly"),
    "tfmot": ("tensorflow-model-optimization",),
    "litert": ("ai-edge-litert",),
    "tokenizers": ("tokenizers",),
    "numpy": ("numpy",),
}


def describe() -> dict[str, Any]:
    """The facts of this machine: `cpu`, `cores` (that this process may use), `flags`, `memory_gib`, `gpus`, `platform`, `python`, and the
    version of each package in `PACKAGES` (None where it is not installed). Holds no host or user name."""
    cpu, flags = _processor()
    return {
        "cpu": cpu,
        "cores": usable_cores(),
        "flags": flags,
        "memory_gib": _memory_gib(),
        "gpus": _gpus(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(distributions) for name, distributions in PACKAGES.items()},
    }


def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware (AVX512-BF16 or AMX-BF16); elsewhere it is slower than float32."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(_processor()[1])


def usable_cores() -> int:
    """The cores that this process may run on, which in a container can be fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_cpuinfo(text: str) -> tuple[str | None, list[str]]:
    """The processor's name (None where Linux does not tell, as on ARM) and its flags of interest, from the text of /proc/cpuinfo."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip().lower(), value.strip())
    present = set(fields.get("flags", fields.get("features", "")).split())
    flags = dict.fromkeys(name for flag, name in FLAGS.items() if flag in present)
    return fields.get("model name"), list(flags)


def _processor() -> tuple[str, list[str]]:
    fallback = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        name, flags = read_cpuinfo(cpuinfo.read_text(encoding="utf-8", errors="replace"))
        return name or fallback, flags
    if platform.system() == "Darwin":
        name = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False).stdout.strip()
        return name or fallback, ["neon"] if platform.machine() == "arm64" else []
    return fallback, []


def _memory_gib() -> float | None:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):  # Windows
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def _gpus() -> list[str]:
    """Names of the NVIDIA GPUs that the kernel driver lists."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = (line for file in files for line in file.read_text(encoding="utf-8", errors="replace").splitlines())
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


def _version(distributions: tuple[str, ...]) -> str | None:
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None
