"""What `--data` may name, and how missing parts come about."""

import hashlib
import json
import subprocess
import sys

import pytest

from tfarch.config import DataConfig
from tfarch.data import load_dataset
from tfarch.data.normal_form import normal_form
from tfarch.errors import InputError


def csv(rows):
    return "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)


def examples(count, prefix="", labels=("card", "loan")):
    return [(f"{prefix} {label} question {number}", label) for label in labels for number in range(count)]


@pytest.fixture
def folder(tmp_path):
    """Makes a folder of files: name -> rows."""

    def write(**files):
        path = tmp_path / "bank"
        path.mkdir()
        for name, rows in files.items():
            (path / f"{name}.csv").write_text(csv(rows), encoding="utf-8")
        return path

    return write


def test_a_folder_with_all_parts_is_taken_as_given(folder):
    path = folder(train=examples(5), val=examples(2, "v"), test=examples(3, "t"))
    dataset = load_dataset(path, DataConfig(), seed=0)
    assert dataset.name == "bank"
    assert [len(table) for table in dataset.parts.values()] == [10, 4, 6]
    assert [table.file for table in dataset.parts.values()] == ["train.csv", "val.csv", "test.csv"]
    assert dataset.labels == ("card", "loan")
    assert dataset.split == "All parts as given: train from train.csv, validation from val.csv, test from test.csv."
    assert dataset.sha256["val.csv"] == hashlib.sha256((path / "val.csv").read_bytes()).hexdigest()
    assert dataset.provenance["files"] == {"train": "train.csv", "valid": "val.csv", "test": "test.csv"}


@pytest.mark.parametrize("name", ["valid", "val", "validation", "Valid"])
def test_validation_goes_by_its_usual_names(folder, name):
    dataset = load_dataset(folder(**{"train": examples(5), name: examples(2, "v")}), DataConfig(), seed=0)
    assert dataset.valid.file == f"{name}.csv"
    assert len(dataset.valid) == 4


def test_a_folder_without_a_test_gets_one_from_its_training_rows(folder):
    dataset = load_dataset(folder(train=examples(50), valid=examples(5, "v")), DataConfig(), seed=3)
    assert [len(table) for table in dataset.parts.values()] == [80, 10, 20]
    assert dataset.test.file == "train.csv"
    expected = "Validation from valid.csv; test (20 %) split off train.csv, stratified by label with seed 3, equal texts kept together."
    assert dataset.split == expected


def test_a_folder_without_validation_gets_it_from_its_training_rows(folder):
    dataset = load_dataset(folder(train=examples(50), test=examples(5, "t")), DataConfig(), seed=0)
    assert [len(table) for table in dataset.parts.values()] == [90, 10, 10]
    assert dataset.split.startswith("Test from test.csv; validation (10 %) split off train.csv")


def test_one_file_is_split_in_three_by_the_fractions(tmp_path):
    (tmp_path / "all.csv").write_text(csv(examples(100)))
    dataset = load_dataset(tmp_path / "all.csv", DataConfig(test_fraction=0.25, valid_fraction=0.1), seed=0)
    assert [len(table) for table in dataset.parts.values()] == [135, 15, 50]
    assert dataset.split.startswith("Test (25 %) and validation (10 % of the rest) split off all.csv")
    texts = [text for table in dataset.parts.values() for text in table.texts]
    assert sorted(texts) == sorted(text for text, _ in examples(100))
    assert load_dataset(tmp_path / "all.csv", DataConfig(test_fraction=0.25), seed=0).test == dataset.test
    assert load_dataset(tmp_path / "all.csv", DataConfig(test_fraction=0.25), seed=1).test != dataset.test


def test_each_row_keeps_the_line_of_its_file_through_split_and_cut(tmp_path):
    rows = examples(40)
    (tmp_path / "all.jsonl").write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    dataset = load_dataset(tmp_path / "all.jsonl", DataConfig(limit=20), seed=0)
    assert len(dataset.train) == 20
    for table in dataset.parts.values():
        for text, label, line in zip(table.texts, table.labels, table.lines, strict=True):
            assert rows[line - 1] == (text, label)


def test_repeated_texts_do_not_straddle_the_split_of_one_file(tmp_path):
    rows = [(text + suffix, label) for text, label in examples(30) for suffix in ("", "?", " !")]
    (tmp_path / "all.csv").write_text(csv(rows))
    dataset = load_dataset(tmp_path / "all.csv", DataConfig(), seed=0)
    forms = [{normal_form(text) for text in table.texts} for table in dataset.parts.values()]
    assert all(forms)
    assert len(set.union(*forms)) == sum(map(len, forms))


def test_a_label_with_one_example_stays_in_train(tmp_path):
    (tmp_path / "all.csv").write_text(csv([("a lone question", "rare"), *examples(10)]))
    dataset = load_dataset(tmp_path / "all.csv", DataConfig(), seed=0)
    assert "rare" in dataset.train.labels
    assert dataset.labels == ("card", "loan", "rare")


def test_out_of_scope_rows_are_in_the_tables_but_no_class(folder):
    path = folder(train=examples(5), valid=[*examples(2, "v"), ("weather", "oos")], test=[*examples(2, "t"), ("football", "oos")])
    dataset = load_dataset(path, DataConfig(), seed=0)
    assert dataset.labels == ("card", "loan")
    assert (dataset.valid.labels[-1], dataset.oos_label) == ("oos", "oos")


def test_out_of_scope_is_a_class_on_request(tmp_path):
    (tmp_path / "all.csv").write_text(csv([*examples(9), *((f"weather {n}", "oos") for n in range(9))]))
    dataset = load_dataset(tmp_path / "all.csv", DataConfig(oos_is_class=True), seed=0)
    assert dataset.labels == ("card", "loan", "oos")
    assert dataset.oos_label is None


def test_a_test_label_that_train_lacks_is_refused_with_its_place(folder):
    path = folder(train=examples(5), valid=examples(2, "v"), test=[*examples(1, "t"), ("hm", "Card "), ("hm", "mortgage")])
    with pytest.raises(
        InputError, match=r"test.csv, line 4: label 'Card ' is in no training row, nor is 1 more label \(did you mean 'card'\?\)"
    ):
        load_dataset(path, DataConfig(), seed=0)


def test_fewer_than_two_classes_are_refused(folder):
    path = folder(train=[*examples(9, labels=("card",)), ("weather", "oos"), ("football", "oos")])
    with pytest.raises(InputError, match=r"train.csv: its training rows have the label 'card' only: two or more"):
        load_dataset(path, DataConfig(), seed=0)


def test_too_few_rows_to_split_are_refused(tmp_path):
    (tmp_path / "all.csv").write_text(csv(examples(2)))
    with pytest.raises(InputError, match="too few rows to split off a validation part"):
        load_dataset(tmp_path / "all.csv", DataConfig(), seed=0)


def test_bad_rows_of_every_file_are_collected(folder):
    path = folder(train=[*examples(5), ("", "card")], valid=[("", "loan"), *examples(2, "v")], test=examples(2, "t"))
    assert [(row.file, row.line) for row in load_dataset(path, DataConfig(), seed=0).bad_rows] == [("train.csv", 12), ("valid.csv", 2)]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"valid_fraction": 0.0}, "data.valid_fraction=0"),
        ({"test_fraction": 1.5}, "data.test_fraction=1.5"),
        ({"limit": -1}, "data.limit=-1"),
    ],
)
def test_settings_without_sense_are_refused(tmp_path, setting, message):
    (tmp_path / "all.csv").write_text(csv(examples(10)))
    with pytest.raises(InputError, match=message):
        load_dataset(tmp_path / "all.csv", DataConfig(**setting), seed=0)


def test_a_place_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such file or folder .give a folder with train.csv"):
        load_dataset(tmp_path / "nowhere", DataConfig(), seed=0)


def test_a_folder_without_training_rows_says_what_it_has(folder):
    with pytest.raises(InputError, match=r"bank: no train.csv.*it has all.csv, test.csv"):
        load_dataset(folder(all=examples(5), test=examples(5)), DataConfig(), seed=0)


def test_two_files_for_one_part_are_refused(folder):
    with pytest.raises(InputError, match=r"val.csv and valid.csv both stand for valid"):
        load_dataset(folder(train=examples(5), val=examples(5), valid=examples(5)), DataConfig(), seed=0)


def test_reading_a_file_imports_no_tensorflow(tmp_path):
    (tmp_path / "all.csv").write_text(csv(examples(10)))
    program = (
        "import sys; from tfarch.config import DataConfig; from tfarch.data import check, load_dataset; "
        "check(load_dataset(sys.argv[1], DataConfig(), 0), DataConfig()); "
        "sys.exit(bool({'tensorflow', 'tensorflow_datasets'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path / "all.csv")], check=False).returncode == 0


def test_validation_takes_no_more_rows_than_it_needs(folder):
    path = folder(train=examples(400), test=examples(3, "t"))
    dataset = load_dataset(path, DataConfig(valid_most=30), seed=0)
    assert len(dataset.valid) == 30
    assert len(dataset.train) == 770
    assert "validation (30 rows) split off train.csv" in dataset.split
    assert len(load_dataset(path, DataConfig(valid_most=0), seed=0).valid) == 80, "0: no bound"


def test_a_folder_called_data_is_named_after_the_folder_around_it(tmp_path):
    path = tmp_path / "bank" / "data"
    path.mkdir(parents=True)
    (path / "train.csv").write_text(csv(examples(9)), encoding="utf-8")
    assert load_dataset(path, DataConfig(), seed=0).name == "bank"
