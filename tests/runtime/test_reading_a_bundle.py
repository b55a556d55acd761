"""A bundle that is damaged, incomplete or of a later format is refused with what is wrong and what to do; a sound one is read."""

import json

import numpy as np
import pytest

from tfarch.errors import BundleError
from tfarch.runtime.bundle import read_bundle, read_out_of_scope, sha256, verify_bundle

FILES = {"model.tflite": b"weights", "vocab.txt": b"[PAD]\n[UNK]\n", "saved_model/1/saved_model.pb": b"graph"}


@pytest.fixture
def folder(tmp_path):
    """A folder whose files fit its bundle.json; nothing in this file opens the model."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    describe(tmp_path)
    return tmp_path


def describe(folder, **changes):
    values = {
        "format_version": 1,
        "tfarch_version": "0.1.0",
        "task": "text_classification",
        "labels": ["a", "b"],
        "max_length": 16,
        "tokeniser": {"kind": "wordpiece", "lowercase": True, "strip_accents": True, "file": "vocab.txt"},
        "model": {"file": "model.tflite", "variant": "float32", "bytes": 7, "probabilities": True},
        "out_of_scope": {"method": "max_probability", "threshold": 0.5},
        "files": {name: sha256(folder / name) for name in FILES},
    } | changes
    (folder / "bundle.json").write_text(json.dumps({name: value for name, value in values.items() if value is not ...}), encoding="utf-8")


def test_a_sound_bundle_is_read_and_verified(folder):
    bundle = read_bundle(folder)
    assert bundle.labels == ("a", "b")
    assert bundle.max_length == 16
    assert bundle.model_file == folder / "model.tflite"
    assert bundle.vocabulary_file == folder / "vocab.txt"
    assert verify_bundle(folder) == bundle


def test_a_field_of_a_later_minor_version_does_not_hinder(folder):
    describe(folder, something_new={"x": 1}, out_of_scope=None)
    assert read_bundle(folder).description["something_new"] == {"x": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 3, "tfarch_version": "9.9.9"}, r"format_version 3 was written by tfarch 9\.9\.9.*update tfarch"),
        ({"format_version": 0}, "format_version 0 does not exist"),
        ({"format_version": ...}, "lacks 'format_version'"),
        ({"format_version": "1"}, "format_version is '1', which has the wrong type"),
        ({"task": "regression"}, "unknown task 'regression'; known: text_classification"),
        ({"labels": ...}, "lacks 'labels'"),
        ({"labels": []}, "labels is empty"),
        ({"labels": ["a", ""]}, r"labels\[1\] is ''"),
        ({"labels": ["a", 2]}, r"labels\[1\] is 2"),
        ({"labels": ["a", "b", "a"]}, "label 'a' stands twice"),
        ({"max_length": ...}, "lacks 'max_length'"),
        ({"max_length": True}, "max_length is True, which has the wrong type"),
        ({"max_length": 2}, "max_length=2: expected at least 3"),
        ({"tokeniser": {"kind": "sentencepiece", "file": "vocab.txt"}}, "unknown tokeniser 'sentencepiece'; known: wordpiece"),
        ({"tokeniser": {"kind": "wordpiece", "file": "vocab.txt"}}, "lacks 'tokeniser.lowercase'"),
        ({"tokeniser": ["wordpiece"]}, "lacks 'tokeniser.kind'"),
        ({"long_texts": "yes"}, r"long_texts is 'yes', which has the wrong type \(export the bundle again\)"),
        ({"long_texts": 1}, "long_texts is 1, which has the wrong type"),
        ({"long_texts": None}, "long_texts is None, which has the wrong type"),
        ({"model": {}}, "lacks 'model.file'"),
        ({"model": {"file": "other.tflite"}}, "files gives no sha256 of 'other.tflite', which model.file names"),
        ({"model": {"file": "../model.tflite"}}, r"'\.\./model\.tflite' names a place outside the bundle"),
        ({"files": {"saved_model/../../../etc/passwd": "0"}}, "names a place outside the bundle"),
        ({"files": {"/etc/passwd": "0"}}, "'/etc/passwd' names a place outside the bundle"),
        ({"files": {"C:\\secret.txt": "0"}}, "names a place outside the bundle"),
        ({"files": {"..\\secret.txt": "0"}}, "names a place outside the bundle"),
        ({"out_of_scope": {"method": "magic", "threshold": 1}}, r"unknown out_of_scope\.method 'magic'; known: max_probability"),
        ({"out_of_scope": {"method": "max_probability"}}, "lacks 'out_of_scope.threshold'"),
        (
            {"out_of_scope": {"method": "energy", "threshold": 1, "file": "scope.npz"}},
            r"files gives no sha256 of 'scope\.npz', which out_of_scope\.file names",
        ),
    ],
)
def test_a_wrong_field_is_named_with_the_file(folder, changes, message):
    describe(folder, **changes)
    with pytest.raises(BundleError, match=message) as raised:
        read_bundle(folder)
    assert str(raised.value).startswith(f"{folder / 'bundle.json'}: ")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(BundleError, match="nowhere: there is no such bundle folder"):
        read_bundle(tmp_path / "nowhere")


def test_a_folder_without_description_is_no_bundle(folder):
    (folder / "bundle.json").unlink()
    with pytest.raises(BundleError, match=r"holds no bundle\.json$"):
        read_bundle(folder)


def test_the_folder_of_a_run_is_answered_with_the_bundle_in_it(folder, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    folder.rename(run / "bundle")
    with pytest.raises(BundleError, match=rf"holds no bundle\.json \(load {run / 'bundle'}\)"):
        read_bundle(run)


def test_the_description_itself_is_answered_with_its_folder(folder):
    with pytest.raises(BundleError, match=rf"a bundle is the folder that holds it \(load {folder}\)"):
        read_bundle(folder / "bundle.json")


def test_what_is_not_json_is_told_with_its_line(folder):
    (folder / "bundle.json").write_text('{\n"labels": [\n}', encoding="utf-8")
    with pytest.raises(BundleError, match=r"bundle\.json, line 3: is not JSON: .*copy the bundle again"):
        read_bundle(folder)


def test_what_is_not_utf8_is_told(folder):
    (folder / "bundle.json").write_bytes(b'{"labels": ["\xff"]}')
    with pytest.raises(BundleError, match=r"is not UTF-8 \(byte 13\)"):
        read_bundle(folder)


def test_what_is_not_an_object_is_told(folder):
    (folder / "bundle.json").write_text("[]", encoding="utf-8")
    with pytest.raises(BundleError, match="expected an object, found list"):
        read_bundle(folder)


@pytest.mark.parametrize("name", ["model.tflite", "vocab.txt"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: the file is missing from the bundle"):
        read_bundle(folder)


@pytest.mark.parametrize("name", ["model.tflite", "vocab.txt"])
def test_a_changed_file_is_named_unless_verification_is_off(folder, name):
    (folder / name).write_bytes(b"changed")
    with pytest.raises(BundleError, match=f"{name}: is not the file that was exported: its sha256 is"):
        read_bundle(folder)
    assert read_bundle(folder, verify=False).labels == ("a", "b")


def test_a_changed_saved_model_is_found_by_verifying_all(folder):
    (folder / "saved_model/1/saved_model.pb").write_bytes(b"changed")
    assert read_bundle(folder).labels == ("a", "b")
    with pytest.raises(BundleError, match=r"saved_model\.pb: is not the file that was exported"):
        verify_bundle(folder)


def test_a_missing_saved_model_is_found_by_verifying_all(folder):
    (folder / "saved_model/1/saved_model.pb").unlink()
    with pytest.raises(BundleError, match=r"saved_model\.pb: the file is missing"):
        verify_bundle(folder)


STATISTICS = {"kernel": np.eye(2, dtype=np.float32), "bias": np.array([0.0, 1.0], np.float32)}


def with_statistics(folder, **arrays):
    np.savez(folder / "scope.npz", **arrays)
    files = {name: sha256(folder / name) for name in (*FILES, "scope.npz")}
    describe(folder, out_of_scope={"method": "energy", "threshold": -1.5, "file": "scope.npz"}, files=files)
    return read_bundle(folder)


def test_the_statistics_of_the_out_of_scope_rule_are_read(folder):
    rule = read_out_of_scope(with_statistics(folder, **STATISTICS))
    assert (rule.score.method, rule.threshold) == ("energy", -1.5)
    np.testing.assert_array_equal(rule.score.statistics["kernel"], STATISTICS["kernel"])


def test_a_bundle_without_a_rule_has_none(folder):
    describe(folder, out_of_scope=None)
    assert read_out_of_scope(read_bundle(folder)) is None


def test_statistics_that_lack_an_array_are_told(folder):
    with pytest.raises(BundleError, match=r"scope\.npz: energy lacks bias \(export the bundle again\)"):
        read_out_of_scope(with_statistics(folder, kernel=STATISTICS["kernel"]))


def test_changed_statistics_are_found_where_they_are_opened(folder):
    bundle = with_statistics(folder, **STATISTICS)
    (folder / "scope.npz").write_bytes(b"changed")
    with pytest.raises(BundleError, match=r"scope\.npz: is not the file that was exported"):
        read_out_of_scope(bundle)
    with pytest.raises(BundleError, match=r"scope\.npz: holds no arrays"):
        read_out_of_scope(bundle, verify=False)
    (folder / "scope.npz").unlink()
    with pytest.raises(BundleError, match=r"scope\.npz: the file is missing"):
        read_out_of_scope(bundle)


def test_statistics_that_would_run_code_are_refused(folder):
    np.savez(folder / "scope.npz", kernel=np.array([{}], dtype=object))
    describe(
        folder,
        out_of_scope={"method": "energy", "threshold": 0, "file": "scope.npz"},
        files={name: sha256(folder / name) for name in (*FILES, "scope.npz")},
    )
    with pytest.raises(BundleError, match=r"scope\.npz: holds no arrays: Object arrays cannot be loaded"):
        read_out_of_scope(read_bundle(folder))
