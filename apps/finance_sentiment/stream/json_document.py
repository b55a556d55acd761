"""JSON that is no lines: one object, or a list of them, as the contents of records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from apps.finance_sentiment.stream.lines import MOST_LINE, shortened


def read_document(content: bytes) -> list[bytes | Mapping[str, Any]]:
    """The elements of a list, or the one object; what is neither is handed on as bytes, for whoever counts what is malformed.

    Raises:
        ValueError: no UTF-8, or no JSON; the message says which.
    """
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise ValueError("not JSON: nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    return [each if isinstance(each, dict) else _as_bytes(each) for each in (value if isinstance(value, list) else [value])]


def is_object(line: bytes) -> bool:
    """Whether a line is a whole JSON object: one that is still being written is none, since no part of an object is an object."""
    if not line.strip().startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _as_bytes(value: Any) -> bytes:
    content = json.dumps(value).encode()
    return content if len(content) <= MOST_LINE else shortened(content)
