"""A bundle is written whole or not at all, and what is written can be read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tfarch
from tfarch.errors import BundleError, InputError, TfarchError
from tfarch.export.bundle import update_bundle, write_bundle
from tfarch.runtime.bundle import FORMAT_VERSION, read_bundle, verify_bundle

DESCRIPTION = {
    "app": "customer_service",
    "task": "text_classification",
    "name": "tiny",
    "labels": ["größer", "b"],
    "max_length": 16,
    "tokeniser": {"kind": "wordpiece", "lowercase": True, "strip_accents": True, "file": "vocab.txt"},
    "model": {"file": "model.tflite", "variant": "float32", "probabilities": True},
}
FILES = {"model.tflite": b"weights", "vocab.txt": "[PAD]\n[UNK]\n"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run" / "bundle"


def listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_what_is_written_can_be_read(folder):
    bundle = write_bundle(folder, DESCRIPTION, FILES)
    assert verify_bundle(folder) == bundle
    assert bundle.folder == folder
    written = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    assert written["format_version"] == FORMAT_VERSION
    assert written["tfarch_version"] == tfarch.__version__
    assert written["model"] == DESCRIPTION["model"] | {"bytes": 7}
    assert written["labels"] == DESCRIPTION["labels"]
    assert written["created"].endswith("Z")
    assert sorted(written["files"]) == ["model.tflite", "vocab.txt"]
    assert (folder / "vocab.txt").read_bytes() == b"[PAD]\n[UNK]\n"


def test_nothing_is_left_beside_it(folder):
    write_bundle(folder, DESCRIPTION, FILES)
    write_bundle(folder, DESCRIPTION, FILES)
    assert listing(folder.parent) == ["bundle", "bundle/bundle.json", "bundle/model.tflite", "bundle/vocab.txt"]


def test_a_folder_is_copied_with_every_file_hashed(folder, tmp_path):
    (tmp_path / "graph" / "variables").mkdir(parents=True)
    (tmp_path / "graph" / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "graph" / "variables" / "variables.index").write_bytes(b"index")
    bundle = write_bundle(folder, DESCRIPTION, {**FILES, "saved_model/1": tmp_path / "graph"})
    assert set(bundle.description["files"]) >= {"saved_model/1/saved_model.pb", "saved_model/1/variables/variables.index"}
    assert (tmp_path / "graph" / "saved_model.pb").exists()


def test_a_second_bundle_takes_the_place_of_the_first(folder):
    write_bundle(folder, DESCRIPTION, {**FILES, "MODEL_CARD.md": "old"})
    write_bundle(folder, DESCRIPTION | {"name": "second"}, FILES)
    assert read_bundle(folder).description["name"] == "second"
    assert not (folder / "MODEL_CARD.md").exists()


def test_an_update_keeps_what_it_does_not_name(folder):
    first = write_bundle(folder, DESCRIPTION, FILES)
    update_bundle(folder, {"temperature": 1.5}, {"MODEL_CARD.md": "# tiny\n"})
    bundle = verify_bundle(folder)
    assert bundle.description["temperature"] == 1.5
    assert bundle.description["created"] == first.description["created"]
    assert (folder / "MODEL_CARD.md").read_text() == "# tiny\n"
    assert (folder / "model.tflite").read_bytes() == b"weights"
    assert sorted(bundle.description["files"]) == ["MODEL_CARD.md", "model.tflite", "vocab.txt"]


def test_a_damaged_bundle_is_not_updated_as_if_it_were_sound(folder):
    write_bundle(folder, DESCRIPTION, FILES)
    (folder / "model.tflite").write_bytes(b"changed")
    with pytest.raises(BundleError, match="is not the file that was exported"):
        update_bundle(folder, {"temperature": 1.5})


@pytest.mark.parametrize(
    ("changes", "files", "error", "message"),
    [
        ({"labels": []}, {}, BundleError, "labels is empty"),
        ({"model": {"file": "other.tflite"}}, {}, BundleError, "files gives no sha256 of 'other.tflite'"),
        ({}, {"../outside.txt": "x"}, BundleError, "names a place outside the bundle"),
        ({}, {"bundle.json": "{}"}, InputError, "is made from the description"),
        ({}, {"saved_model/1": Path("nowhere")}, TfarchError, "could not be written: No such file or directory: nowhere"),
        ({"temperature": float("nan")}, {}, ValueError, "not JSON compliant"),
    ],
)
def test_a_failure_leaves_the_older_bundle_and_nothing_else(folder, changes, files, error, message):
    write_bundle(folder, DESCRIPTION | {"name": "older"}, FILES)
    before = listing(folder.parent)
    with pytest.raises(error, match=message):
        write_bundle(folder, DESCRIPTION | changes, FILES | files)
    assert verify_bundle(folder).description["name"] == "older"
    assert listing(folder.parent) == before


def test_a_failure_without_an_older_bundle_leaves_nothing(folder):
    with pytest.raises(BundleError, match="labels is empty"):
        write_bundle(folder, DESCRIPTION | {"labels": []}, FILES)
    assert listing(folder.parent) == []


FULL_DISK = """
import json, resource, sys
from tfarch.errors import TfarchError
from tfarch.export.bundle import write_bundle
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # no file may grow beyond this, as on a full disk
try:
    write_bundle(sys.argv[1], json.loads(sys.argv[2]), {"model.tflite": bytes(5000), "vocab.txt": ""})
except TfarchError as error:
    print(error)
"""


def test_a_file_that_cannot_grow_is_told_and_the_older_bundle_survives(folder):
    write_bundle(folder, DESCRIPTION, FILES)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(folder), json.dumps(DESCRIPTION)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"{folder}: the bundle could not be written: File too large")
    assert verify_bundle(folder).model_file.read_bytes() == b"weights"
    assert listing(folder.parent) == ["bundle", "bundle/bundle.json", "bundle/model.tflite", "bundle/vocab.txt"]


def test_a_process_that_ended_between_the_renames_loses_nothing(folder):
    write_bundle(folder, DESCRIPTION | {"name": "older"}, FILES)
    folder.rename(folder.with_name(".bundle.previous"))
    with pytest.raises(BundleError, match="labels is empty"):
        write_bundle(folder, DESCRIPTION | {"labels": []}, FILES)
    assert verify_bundle(folder).description["name"] == "older"


def test_a_half_written_folder_of_a_killed_process_is_cleared(folder):
    left_over = folder.with_name(".bundle.writing")
    left_over.mkdir(parents=True)
    (left_over / "stray.bin").write_bytes(b"x")
    write_bundle(folder, DESCRIPTION, FILES)
    assert sorted(read_bundle(folder).description["files"]) == ["model.tflite", "vocab.txt"]
    assert not left_over.exists()


def test_a_folder_that_is_no_bundle_is_left_alone(folder):
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds something that is not a bundle, and is left alone"):
        write_bundle(folder, DESCRIPTION, FILES)
    assert listing(folder.parent) == ["bundle", "bundle/thesis.txt"]
