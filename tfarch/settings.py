"""Settings as frozen dataclasses that round-trip through YAML and the command line. Nothing here imports TensorFlow.

They are built in layers, later ones win: the defaults of the fields, the app's own, `--quick`, each `--config FILE.yaml`, each `--set section.key=value`.
Every field carries its help; `Settings.fields()` lists them for `--help`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, Union

import yaml

from tfarch.errors import InputError, unknown


def option(default: Any, help: str, *, least: float | None = None, most: float | None = None) -> Any:
    """A dataclass field with a default, its help text, and the bounds of its value (of each item of a list)."""
    metadata = {"help": help, "least": least, "most": most}
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """All settings of a kind of run: a dataclass of sections, each a dataclass of `option` fields, and the seed."""

    def with_values(self, values: Mapping[str, Any], *, file: str | Path | None = None, lines: Mapping[str, int] | None = None) -> Self:
        """A copy with the nested `values` laid over it.

        Raises:
            InputError: an unknown section or key (lists the known ones) or a value of the wrong type; names `file` and the line in `lines`.
        """
        return _merge(self, values, "", file, lines or {})

    def with_setting(self, setting: str) -> Self:
        """A copy with one `section.key=value` of the command line laid over it; the value is read as YAML."""
        key, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"--set {setting!r} has no '='", mend="write --set section.key=value")
        try:
            values: Any = _parse(text)[0] if text else ""
        except yaml.YAMLError as error:
            raise InputError(f"--set {setting!r}: the value is not YAML: {_problem(error)}", mend="put it in quotes") from error
        for part in reversed(key.strip().split(".")):
            values = {part: values}
        return self.with_values(values, file="--set")

    def with_file(self, path: str | Path) -> Self:
        """A copy with a YAML file laid over it."""
        values, lines = read_yaml(path)
        values.pop("made_by", None)  # what a run records of itself beside its settings
        return self.with_values(values, file=path, lines=lines)

    def as_dict(self) -> dict[str, Any]:
        """The settings as nested plain values, ready for YAML or JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def fields(cls) -> Iterator[tuple[str, Any, str]]:
        """Each setting's dotted name, default and help."""
        for top in dataclasses.fields(cls):
            if top.default_factory is dataclasses.MISSING:
                yield top.name, top.default, top.metadata["help"]
                continue
            for each in dataclasses.fields(top.default_factory):  # type: ignore[arg-type]
                default = each.default if each.default is not dataclasses.MISSING else each.default_factory()
                yield f"{top.name}.{each.name}", default, each.metadata["help"]


def read_yaml(path: str | Path) -> tuple[dict[str, Any], dict[str, int]]:
    """A YAML mapping and the line of each of its dotted keys.

    Raises:
        InputError: the file is missing, is not YAML or is not a mapping.
    """
    with yaml_errors(path):
        values, node = _parse(Path(path).read_text(encoding="utf-8-sig"))
    if values is None:
        return {}, {}
    if not isinstance(values, dict):
        raise InputError("expected 'section: ...' at the top", file=path, line=1)
    lines: dict[str, int] = {}

    def walk(node, prefix):
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                lines[prefix + str(key.value)] = key.start_mark.line + 1
                walk(value, f"{prefix}{key.value}.")
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                lines[f"{prefix}{index}"] = value.start_mark.line + 1
                walk(value, f"{prefix}{index}.")

    walk(node, "")
    return values, lines


@contextlib.contextmanager
def yaml_errors(path: str | Path) -> Iterator[None]:
    """What goes wrong while a YAML file is read, as an `InputError` that names the file and the line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 (byte {error.start})", file=path, mend="save the file as UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(f"not YAML: {_problem(error)}", file=path, line=mark.line + 1 if mark else None) from error


class _Loader(yaml.SafeLoader):
    """The safe loader, whose errors are all `YAMLError`s with their place."""

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except (ValueError, AttributeError, IndexError) as error:  # such as the date 2024-02-30
            problem = f"{node.value[:40]!r} is not a valid {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


def _parse(text: str) -> tuple[Any, yaml.Node | None]:
    """What a YAML text says, and its nodes."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return None if node is None else loader.construct_document(node), node
    except RecursionError as error:
        raise yaml.YAMLError("nested too deeply") from error


def _problem(error: yaml.YAMLError) -> str:
    """What is wrong, on one line."""
    return getattr(error, "problem", None) or str(error).splitlines()[0]


def from_values(
    cls: type, values: Mapping[str, Any], *, file: str | Path | None = None, lines: Mapping[str, int] | None = None, prefix: str = ""
):
    """An instance of the dataclass `cls` from plain values, with the checks of `Settings.with_values`; fields without default must be given."""
    hints = typing.get_type_hints(cls)
    known = {each.name: each for each in dataclasses.fields(cls)}
    place = {"file": file, "line": (lines or {}).get(prefix.rstrip("."))}
    if not isinstance(values, Mapping):
        raise InputError(f"{prefix.rstrip('.') or cls.__name__} takes settings, not {values!r}", **place)
    for key in values:
        if key not in known:
            raise unknown("setting", prefix + str(key), known, file=file, line=(lines or {}).get(prefix + str(key)))
    missing = [
        n for n, f in known.items() if n not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise InputError(f"{prefix.rstrip('.') or cls.__name__} lacks {', '.join(missing)}", **place)
    checked = {k: check_value(hints[k], v, prefix + k, file, (lines or {}).get(prefix + k)) for k, v in values.items()}
    for key, value in checked.items():
        if "least" in known[key].metadata:
            _check_bounds(known[key].metadata, value, prefix + key, file, (lines or {}).get(prefix + key))
    return cls(**checked)


def _merge(settings: Any, values: Mapping[str, Any], prefix: str, file, lines: Mapping[str, int]) -> Any:
    known = {each.name: each for each in dataclasses.fields(settings)}
    if not isinstance(values, Mapping):
        raise InputError(f"{prefix.rstrip('.')} takes settings, not {values!r}", file=file, line=lines.get(prefix.rstrip(".")))
    hints = typing.get_type_hints(type(settings))
    changed = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if key not in known:
            raise unknown("setting", name, (prefix + each for each in known), file=file, line=lines.get(name))
        current = getattr(settings, key)
        if dataclasses.is_dataclass(current):
            changed[key] = _merge(current, value, f"{name}.", file, lines)
        else:
            changed[key] = check_value(hints[key], value, name, file, lines.get(name))
            _check_bounds(known[key].metadata, changed[key], name, file, lines.get(name))
    return dataclasses.replace(settings, **changed)


def check_value(hint: Any, value: Any, name: str, file=None, line: int | None = None) -> Any:
    """`value` as the type that `hint` states (int, float, bool, str, None, Literal, list, dict, union).

    Raises:
        InputError: it is none of these; says what was expected.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        # YAML reads a bare 'none' as text but 'off' and 'no' as False: only exact choices are taken.
        if value in args:
            return value
        raise InputError(f"{name}={value!r}: expected one of {', '.join(map(str, args))}", file=file, line=line)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return check_value(next(each for each in args if each is not type(None)), value, name, file, line)
    if origin is list:
        items = value if isinstance(value, (list, tuple)) else [value]
        return [check_value(args[0], each, f"{name}[{index}]", file, line) for index, each in enumerate(items)]
    if origin is dict:
        if not isinstance(value, Mapping):
            raise InputError(f"{name}={value!r}: expected names with a value each", file=file, line=line)
        return {str(key): check_value(args[1], each, f"{name}.{key}", file, line) for key, each in value.items()}
    if hint is float:
        if isinstance(value, str):  # YAML 1.1 reads 1e-3 (no dot) as text
            with contextlib.suppress(ValueError):
                value = float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if not abs(value) <= sys.float_info.max:  # NaN, infinity, or a whole number beyond them
                raise InputError(f"{name}={value!r}: expected a finite number", file=file, line=line)
            return float(value)
    elif (hint is int and isinstance(value, int) and not isinstance(value, bool)) or (hint in (bool, str) and isinstance(value, hint)):
        return value
    elif hint is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    elif hint is Any or hint is dict:
        return value
    raise InputError(f"{name}={value!r}: expected {getattr(hint, '__name__', hint)}", file=file, line=line)


def _check_bounds(metadata: Mapping[str, Any], value: Any, name: str, file, line: int | None) -> None:
    """`value` lies within the bounds of its `option`.

    Raises:
        InputError: it does not; says what was expected.
    """
    least, most = metadata["least"], metadata["most"]
    if least is None:
        return
    for each in value if isinstance(value, list) else value.values() if isinstance(value, dict) else [value]:
        if each is not None and not least <= each <= (math.inf if most is None else most):
            expected = f"{least} or more" if most is None else f"{least} to {most}"
            raise InputError(f"{name}={value!r}: expected {expected}", file=file, line=line)


def dump_yaml(values: Mapping[str, Any]) -> str:
    """Plain values as YAML, keys in the order given."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, default_flow_style=False, width=120)
