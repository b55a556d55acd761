"""Training examples of Rasa's NLU format, version 2 and 3 (rasa.com/docs, "NLU training data"): YAML files with the key `nlu`.

    nlu:
    - intent: order_tracking
      examples: |
        - where is my parcel
        - has order [123456](order_number) left

Each example becomes a row; marks of entities are taken off, their words stay. Synonyms, lookup tables and regular expressions are no examples and are
left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from tfarch.config import DataConfig
from tfarch.data.reading import Reading, RowCollector
from tfarch.errors import InputError
from tfarch.settings import yaml_errors

SUFFIXES = (".yml", ".yaml")
# [words](entity), [words]{"entity": "..."}; [words][{...}, {...}] for several
_ENTITY = re.compile(r"\[([^\[\]]+)\](?:\([^()]*\)|\{[^{}]*\}|\[\{.*?\}\])")


def read_rasa(path: Path, data: DataConfig) -> Reading:
    """The examples of one file with their intents as labels.

    Raises:
        InputError: the file cannot be read, is not YAML with the key `nlu`, has no example, or a bad one and `data.strict` is set; or several
            tasks ask for a label each.
    """
    if len(data.tasks) > 1:
        own = " ".join(f"--{task}-data FILE" for task in data.tasks)
        raise InputError(
            f"a text of a Rasa file has one label, its intent, and {len(data.tasks)} tasks ask for one each",
            file=path,
            mend=f"give each task data of its own: {own}",
        )
    with yaml_errors(path):
        body = path.read_bytes()
        root = yaml.compose(body.decode("utf-8-sig"), Loader=yaml.SafeLoader)  # the nodes alone: they know their lines
    items = _value(root, "nlu")
    if not isinstance(items, yaml.SequenceNode):
        raise InputError("it has no list named nlu: it is no training data of Rasa", file=path)
    rows = RowCollector(path, path.name, data.strict)
    for item in items.value:
        intent, examples = _value(item, "intent"), _value(item, "examples")
        if intent is None:  # a synonym, a lookup table, a regular expression
            continue
        if not isinstance(intent, yaml.ScalarNode) or examples is None:
            rows.skip(item.start_mark.line + 1, "an intent without examples")
            continue
        for line, text in _examples(examples):
            rows.add(line, _ENTITY.sub(r"\1", text), intent.value)
    return rows.finish(hashlib.sha256(body).hexdigest())


def _examples(node: yaml.Node) -> Iterator[tuple[int, str]]:
    """Line and text of each example: of a block with a dash before each, or of a list of texts or of mappings with the key `text`."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            text = _value(item, "text") if isinstance(item, yaml.MappingNode) else item
            yield item.start_mark.line + 1, text.value.strip() if isinstance(text, yaml.ScalarNode) else ""
        return
    if not isinstance(node, yaml.ScalarNode):
        yield node.start_mark.line + 1, ""
        return
    first = node.start_mark.line + (2 if node.style in ("|", ">") else 1)  # a block begins on the line below its mark
    for number, line in enumerate(node.value.split("\n")):
        if line.strip():
            yield first + number, line.strip().removeprefix("-").strip()


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value of a key of a mapping; None where it is no mapping or lacks the key."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)
