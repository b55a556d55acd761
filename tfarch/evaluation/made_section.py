"""The section of report.html on how a run was made: command, settings, machine, versions, hashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tfarch.evaluation.figures import ABSENT, at, number_text
from tfarch.evaluation.markup import Child, fact_list, tag

Report = Mapping[str, Any]
# Facts of the machine whose names in report.json are not how people write them.
_MACHINE = {"cpu": "CPU", "gpus": "GPUs", "memory_gib": "memory, GiB", "tensorflow": "TensorFlow", "tfmot": "TF-MOT", "litert": "LiteRT"}


def made(report: Report) -> Child:
    """All that is needed to make it again: command, settings, machine, versions, hashes."""
    machine = dict(report.get("machine") or {})
    model = report.get("model") or {}
    facts = [
        ("made", report.get("created")),
        ("seed", _plain(report.get("seed"))),
        ("structure", model.get("structure")),
        ("weights", model.get("weights")),
        ("layers × width", _plain(model.get("layers")) and f"{model['layers']} × {model.get('width', ABSENT)}"),
        ("parameters", number_text(model.get("parameters"))),
        ("revision", report.get("revision")),
    ]
    command = report.get("command")
    blocks: list[Child] = [tag("pre", tag("code", command)) if command else None, fact_list(facts)]
    if machine:
        listed = fact_list([(_MACHINE.get(key, key), _plain(value)) for key, value in machine.items()])
        blocks.append([tag("h3", "Machine and versions"), listed])
    hashes = [(name, digest) for name, digest in (at(report, "data", "sha256") or {}).items()]
    if hashes:
        blocks.append([tag("h3", "SHA-256 of the data"), fact_list([(name, tag("code", digest)) for name, digest in hashes])])
    settings = list(_flat(report.get("config") or {}))
    if settings:
        body = fact_list([(key, tag("code", value)) for key, value in settings])
        blocks.append(tag("details", tag("summary", f"All {len(settings)} settings"), body))
    return blocks if command or machine or settings or hashes or any(value for _, value in facts) else None


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Nested settings as dotted names and values."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _plain(value) or "none"


def _plain(value: Any) -> str | None:
    if value is None:
        return None
    return ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)
