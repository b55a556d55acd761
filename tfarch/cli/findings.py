"""What `check` found, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfarch.data import Finding


def print_findings(findings: Sequence[Finding]) -> None:
    """Each with its rows; or that there is none."""
    for finding in findings:
        print(f"\n{finding.severity}: {finding.message}")
        for example in finding.examples:
            place = f"{example.file}, line {example.line}" if example.line else example.file
            print(f"    {place}: " + " | ".join(part for part in (example.label, example.text) if part))
    if not findings:
        print("Nothing to complain of.")
