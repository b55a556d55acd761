"""Settings in layers: later ones win, what is wrong is told with its place, and what is written is read back the same."""

import dataclasses
import subprocess
import sys
import typing

import pytest

from tfarch.config import Config, OutOfScopeConfig
from tfarch.errors import InputError
from tfarch.runtime.scope import METHODS
from tfarch.settings import dump_yaml


@pytest.fixture
def yaml_file(tmp_path):
    """Writes text or bytes as settings.yaml."""

    def write(content):
        file = tmp_path / "settings.yaml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def error_of(call, *arguments):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return caught.value


# Layers


def test_later_layers_win_and_leave_the_rest(yaml_file):
    config = Config().with_values({"train": {"epochs": 2, "batch_size": 8}})
    config = config.with_file(yaml_file("train:\n  epochs: 3\nseed: 5\n")).with_setting("train.epochs=4")
    assert (config.train.epochs, config.train.batch_size, config.seed) == (4, 8, 5)
    assert config.train.optimizer == Config().train.optimizer


def test_a_layer_changes_a_copy():
    config = Config()
    config.with_setting("train.epochs=9")
    assert config == Config()


def test_lists_are_not_shared_between_configs():
    assert Config().train.freeze is not Config().train.freeze


def test_an_empty_file_changes_nothing(yaml_file):
    assert Config().with_file(yaml_file("# nothing yet\n")) == Config()


def test_what_a_run_records_of_itself_is_passed_over(yaml_file):
    assert Config().with_file(yaml_file("seed: 3\nmade_by: {app: x, data: {rows.csv: abc}}\n")).seed == 3


def test_a_written_config_is_read_back_the_same(yaml_file):
    config = Config().with_values(
        {
            "data": {"path": "übung/größe.csv", "text_column": "null", "oos_label": "1e3"},
            "train": {"learning_rate": 1e-5, "freeze": [], "xla": True, "head_start": "random"},
            "export": {"lengths": [16, 32], "parity_bound": 1e-4},
        }
    )
    assert Config().with_file(yaml_file(dump_yaml(config.as_dict()))) == config


# The command line's --set


@pytest.mark.parametrize(
    ("setting", "section", "field", "value"),
    [
        ("train.learning_rate=1e-3", "train", "learning_rate", 0.001),
        ("train.learning_rate=1", "train", "learning_rate", 1.0),
        ("train.xla=true", "train", "xla", True),
        ("train.freeze=[]", "train", "freeze", []),
        ("train.freeze=token_embedding/*", "train", "freeze", ["token_embedding/*"]),
        ("export.lengths=[16, 32]", "export", "lengths", [16, 32]),
        ("data.path=null", "data", "path", None),
        ("data.text_column=", "data", "text_column", ""),
        ("data.label_column=2024", "data", "label_column", "2024"),
        ("data.path=a=b.csv", "data", "path", "a=b.csv"),
    ],
)
def test_set_reads_the_value_as_yaml(setting, section, field, value):
    found = getattr(getattr(Config().with_setting(setting), section), field)
    assert found == value
    assert type(found) is type(value)


def test_the_methods_that_can_be_asked_for_are_those_that_there_are():
    hint = typing.get_type_hints(OutOfScopeConfig)["method"]
    assert typing.get_args(hint) == ("auto", *METHODS)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.epochs", "--set 'train.epochs' has no '=' (write --set section.key=value)"),
        ("train.freeze=[a", "--set 'train.freeze=[a': the value is not YAML"),
        ('data.path="open', "the value is not YAML"),
        ("data.path=@home", "the value is not YAML"),
        ("data.path=a\x07b", "the value is not YAML"),
        ("data.path=2024-02-30", "the value is not YAML: '2024-02-30' is not a valid timestamp"),
        ("seed=0x_", "the value is not YAML: '0x_' is not a valid int"),
        ("train.freeze=" + "[" * 3000, "the value is not YAML: nested too deeply"),
        ("=5", "unknown setting ''"),
        (
            "epochs=5",
            "unknown setting 'epochs'; known: compress, data, evaluate, export, gate, label_errors, model, out_of_scope, seed, train",
        ),
        ("train.epoch=5", "unknown setting 'train.epoch'; known: train.accumulate, "),
        ("train=5", "train takes settings, not 5"),
        ("train.epochs.x=5", "train.epochs={'x': 5}: expected int"),
    ],
)
def test_set_tells_what_is_wrong_on_one_line(setting, message):
    error = str(error_of(Config().with_setting, setting))
    assert message in error
    assert "\n" not in error


# Types


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train": {"epochs": 1.5}}, "train.epochs=1.5: expected int"),
        ({"train": {"epochs": True}}, "train.epochs=True: expected int"),
        ({"train": {"epochs": "three"}}, "train.epochs='three': expected int"),
        ({"train": {"learning_rate": "fast"}}, "train.learning_rate='fast': expected float"),
        ({"train": {"learning_rate": False}}, "train.learning_rate=False: expected float"),
        ({"train": {"xla": 1}}, "train.xla=1: expected bool"),
        ({"train": {"optimizer": "lion"}}, "train.optimizer='lion': expected one of adamw, adam, sgd"),
        ({"train": {"class_weights": False}}, "train.class_weights=False: expected one of none, balanced, sqrt"),
        ({"data": {"text_column": ["a"]}}, "data.text_column=['a']: expected str"),
        ({"data": {"path": {}}}, "data.path={}: expected str"),
        ({"export": {"lengths": [16, "x"]}}, "export.lengths[1]='x': expected int"),
        ({"seed": "a"}, "seed='a': expected int"),
        ({"train": None}, "train takes settings, not None"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_what_was_expected(values, message):
    assert str(error_of(Config().with_values, values)) == message


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.batch_size=0", "train.batch_size=0: expected 1 or more"),
        ("train.epochs=-1", "train.epochs=-1: expected 0 or more"),
        ("train.learning_rate=.nan", "train.learning_rate=nan: expected a finite number"),
        ("train.learning_rate=.inf", "train.learning_rate=inf: expected a finite number"),
        (f"train.learning_rate=1{'0' * 400}", f"train.learning_rate=1{'0' * 400}: expected a finite number"),
        ("data.valid_fraction=-.inf", "data.valid_fraction=-inf: expected a finite number"),
        ("train.warmup=5", "train.warmup=5.0: expected 0 to 1"),
        ("data.max_length=2", "data.max_length=2: expected 3 or more"),
        ("evaluate.bins=0", "evaluate.bins=0: expected 1 or more"),
        ("evaluate.threads=[1, 0]", "evaluate.threads=[1, 0]: expected 1 or more"),
        ("seed=-1", "seed=-1: expected 0 to 4294967295"),
    ],
)
def test_a_value_out_of_its_range_is_told_with_the_range(setting, message):
    assert str(error_of(Config().with_setting, setting)) == f"--set: {message}"


def test_bounds_that_are_named_in_a_file_are_told_with_their_line(yaml_file):
    file = yaml_file("train:\n  epochs: 1\n  batch_size: 0\n")
    assert str(error_of(Config().with_file, file)) == f"{file}, line 3: train.batch_size=0: expected 1 or more"


@pytest.mark.parametrize("text", ["1e-3", "1.0e-3", "0.001"])
def test_a_file_may_write_a_small_number_in_any_way(yaml_file, text):
    assert Config().with_file(yaml_file(f"train:\n  learning_rate: {text}\n")).train.learning_rate == 0.001


# Files


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("seed: 1\ntrain:\n  epochs: 2\n  epoch: 3\n", 4, "unknown setting 'train.epoch'; known: train.accumulate, train.batch_size"),
        ("seed: 1\n\ntrains:\n  epochs: 2\n", 3, "unknown setting 'trains'; known: compress, data"),
        ("# a comment\ntrain:\n  epochs: many\n", 3, "train.epochs='many': expected int"),
        ("train:\n  - epochs\n", 1, "train takes settings, not ['epochs']"),
        ("train:\n  epochs: [1\nseed: 2\n", 3, "not YAML"),
        ("train:\n\tepochs: 1\n", 2, "not YAML"),
        ("- a\n- b\n", 1, "expected 'section: ...' at the top"),
        (b"seed: 1\ndata: {path: caf\xe9.csv}\n", None, "not UTF-8 (byte 24)"),
        (b"seed: 1\x07\n", None, "not YAML"),
        ("seed: *nowhere\n", 1, "not YAML"),
        ("data:\n  path: 2024-02-30\n", 2, "not YAML: '2024-02-30' is not a valid timestamp"),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_line(yaml_file, content, line, message):
    file = yaml_file(content)
    error = error_of(Config().with_file, file)
    assert message in str(error)
    assert str(error).startswith(f"{file}, line {line}: " if line else f"{file}: ")
    assert "\n" not in str(error)


def test_a_file_that_is_not_there_or_a_folder_is_told(tmp_path):
    assert str(error_of(Config().with_file, tmp_path / "no.yaml")) == f"{tmp_path / 'no.yaml'}: cannot be read: No such file or directory"
    assert "Is a directory" in str(error_of(Config().with_file, tmp_path))


# What there is


def test_fields_lists_every_setting_with_default_and_help():
    listed = {name: (default, text) for name, default, text in Config.fields()}
    config = Config()
    expected = {
        f"{section.name}.{each.name}": getattr(getattr(config, section.name), each.name)
        for section in dataclasses.fields(Config)
        if section.name != "seed"
        for each in dataclasses.fields(getattr(config, section.name))
    } | {"seed": 0}
    assert {name: default for name, (default, _) in listed.items()} == expected
    assert all(text.strip() for _, text in listed.values())


@pytest.mark.parametrize(("name", "default"), [(name, default) for name, default, _ in Config.fields()])
def test_every_default_is_a_value_that_its_own_type_takes(name, default):
    values = default
    for part in reversed(name.split(".")):
        values = {part: values}
    assert Config().with_values(values) == Config()


def test_settings_and_errors_need_neither_tensorflow_nor_numpy():
    code = "import sys, tfarch.config, tfarch.errors, tfarch.app; print(*sorted({'tensorflow', 'numpy', 'tf_keras'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
