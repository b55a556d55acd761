"""What a simulation hands over: the lines in the order in which they arrive, and the truth about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfarch.run_folder import RunFolder


@dataclass(frozen=True)
class Simulated:
    """A stream and its truth.

    items: in order of arrival, `{"id", "time", "text", "publisher"}` with the time of publication in ISO 8601 UTC, or a string, a
        malformed line as it stands. Line n of the file is item n - 1.
    truth: JSON values:

        - `seed` and `settings`;
        - `start`, `history_end` and `end` of the stream, ISO 8601; before `history_end` nothing surges;
        - `topics`, by name;
        - `surges`, each with `topic`, `start`, `end`, `factor`, `expected` (negative stories of the topic that its hours bring without it,
          in the mean) and `added` (how many it brought);
        - `silences`, each with `publisher`, `start` and `end`;
        - `labels`, `topic` and `sentiment` by id;
        - `duplicates`, by number of line (from 1, as text) for a line that tells again what another told before: `of`, the id of the first
          line to arrive with that story, and `kind`: "repeated" (same id, same text), "edited" (same id, other text) or "syndicated"
          (another id);
        - `malformed`, the numbers of the lines that are no item.
    """

    items: list[dict[str, str] | str]
    truth: dict[str, Any]


def write(out: str | Path, truth_file: str | Path, simulated: Simulated) -> None:
    """Writes the items as JSON Lines and the truth as JSON, each beside and renamed, so that neither file is ever half there.

    Raises:
        TfarchError: a file cannot be written.
    """
    out, truth_file = Path(out), Path(truth_file)
    RunFolder(out.parent).write(out, "".join(f"{_line(item)}\n" for item in simulated.items))
    RunFolder(truth_file.parent).write_json(truth_file, simulated.truth)


def _line(item: Mapping[str, str] | str) -> str:
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
