"""Findings: exact counts, a sentence for the reader, examples with their place."""

import pytest

from tfarch.config import DataConfig
from tfarch.data import BadRow, Dataset, Table, check

CLEAN = [(f"{word} {number}", label) for label, word in (("card", "lost plastic"), ("loan", "borrowed money")) for number in range(10)]


def table(rows, file):
    texts, labels = zip(*rows, strict=True)
    return Table(texts, labels, tuple(range(2, len(rows) + 2)), file)


def dataset(train=(), valid=(), test=(), bad_rows=(), clean=True):
    """A data set with the given rows after twenty clean ones in train, and two in each other part."""
    base = CLEAN if clean else []
    checks = [[(f"{part} {label}", label) for label in ("card", "loan")] if clean else [] for part in ("check", "final")]
    parts = [
        table([*rows, *more], f"{name}.csv")
        for name, rows, more in zip(("train", "valid", "test"), [base, *checks], (train, valid, test), strict=True)
    ]
    return Dataset(
        "bank",
        *parts,
        bad_rows=tuple(bad_rows),
        sha256={},
        split="",
        provenance={},
        oos_label="oos",
        left_out=Table((), (), (), "train.csv"),
    )


def findings(data, settings=None, token_lengths=None):
    return {finding.kind: finding for finding in check(data, settings or DataConfig(), token_lengths)}


def test_clean_data_gives_no_finding():
    assert check(dataset(), DataConfig()) == []


def test_bad_rows_are_told_with_their_lines():
    found = findings(dataset(bad_rows=[BadRow("train.csv", 7, "empty text"), BadRow("test.csv", 3, "a NUL byte")]))["bad_row"]
    assert (found.severity, found.count) == ("warning", 2)
    assert found.message == "2 rows were unusable and skipped (train.csv line 7: empty text; test.csv line 3: a NUL byte)."
    assert [(example.file, example.line, example.text) for example in found.examples] == [
        ("train.csv", 7, "empty text"),
        ("test.csv", 3, "a NUL byte"),
    ]


def test_test_rows_that_are_in_train_are_a_leak():
    found = findings(dataset(test=[("lost plastic 3", "card"), ("Lost plastic: 4!", "card"), *((f"new {n}", "loan") for n in range(60))]))[
        "leak"
    ]
    assert (found.severity, found.count) == ("warning", 2)
    assert found.message == "2 test rows are also in train (1 word for word): their score flatters."
    assert [(example.line, example.text) for example in found.examples] == [(4, "lost plastic 3"), (5, "Lost plastic: 4!")]


def test_a_test_that_is_mostly_in_train_is_an_error():
    assert findings(dataset(test=CLEAN))["leak"].severity == "error"


def test_test_rows_that_are_in_validation_are_a_leak_too():
    found = findings(dataset(test=[("check card", "card")]))["leak"]
    assert (
        found.message == "1 test row is also in validation (1 word for word): the temperature and the threshold were chosen with its help."
    )


def test_a_text_under_two_labels_shows_both():
    found = findings(dataset(train=[("Lost plastic, 3", "loan")], valid=[("borrowed money 0", "oos")]))["conflict"]
    assert found.count == 2
    assert found.message == "2 texts stand under two labels or more ('card' and 'loan'; 'loan' and 'oos')."
    assert [(each.file, each.line, each.label) for each in found.examples[:2]] == [("train.csv", 5, "card"), ("train.csv", 22, "loan")]
    assert [(each.file, each.line, each.label) for each in found.examples[2:]] == [("train.csv", 12, "loan"), ("valid.csv", 4, "oos")]


def test_duplicates_are_counted_word_for_word_and_but_for_spelling():
    found = findings(dataset(train=[("lost plastic 0", "card"), ("lost plastic 0", "card"), ("LOST  plastic 0?", "card")]))
    assert found["duplicate"].message == "2 training rows repeat an earlier one word for word: the model learns them twice."
    assert (found["duplicate"].count, found["near_duplicate"].count) == (2, 1)
    assert found["near_duplicate"].examples[0].text == "LOST  plastic 0?"
    assert "conflict" not in found


def test_classes_with_too_few_rows_are_named_with_their_counts():
    found = findings(dataset(train=[("rate one", "rates"), ("atm one", "atm"), ("atm two", "atm")], test=[("atm three", "atm")]))
    assert found["few_examples"].message == "2 classes have fewer than 5 training rows: 'rates' (1), 'atm' (2)."
    assert [example.label for example in found["few_examples"].examples] == ["rates", "atm"]


def test_classes_that_a_part_lacks_are_told_for_each_part():
    unmeasured = [each for each in check(dataset(train=[("rate one", "rates")]), DataConfig()) if each.kind == "unmeasured"]
    assert [(each.severity, each.message) for each in unmeasured] == [
        ("warning", "1 class has no test row, so nothing there measures it: 'rates' (1 in train)."),
        ("note", "1 class has no validation row, so nothing there measures it: 'rates' (1 in train)."),
    ]


@pytest.mark.parametrize(("most", "severity"), [(100, None), (101, "note"), (500, "note"), (501, "warning")])
def test_imbalance_is_a_note_above_ten_and_a_warning_above_fifty(most, severity):
    rows = [*((f"text {number}", "big") for number in range(most)), *CLEAN]
    found = findings(dataset(train=rows, valid=[("v", "big"), *CLEAN[:1]], test=[("t", "big"), *CLEAN[-1:]], clean=False)).get("imbalance")
    assert (found and found.severity) == severity
    if found:
        assert found.count == 2
        assert found.message.startswith(
            f"The largest class, 'big' ({most:,} training rows), is {most / 10:.1f} times the smallest, 'card' (10);"
        )


def test_a_part_with_one_label_only_is_suspicious():
    found = findings(dataset(test=[(f"t {number}", "card") for number in range(30)], clean=False, train=CLEAN, valid=CLEAN[:1]))[
        "one_label"
    ]
    assert (found.severity, found.count) == ("error", 30)
    assert "30 of 30 test rows have one and the same label, 'card'" in found.message


def test_labels_that_differ_by_case_or_spacing_are_shown_together():
    found = findings(dataset(train=[("one", "Card"), ("two", "card "), ("three", "OOS")]))["labels_alike"]
    assert found.count == 2
    assert "'Card' and 'card' and 'card '" in found.message
    assert "'OOS' and 'oos'" in found.message


def test_texts_without_a_letter_or_digit_are_empty():
    found = findings(dataset(train=[("...", "card"), ("\u4f60\u597d", "card")]))["empty"]
    assert (found.count, found.examples[0].text) == (1, "...")


def test_over_long_texts_are_judged_by_characters_and_a_huge_one_is_a_warning():
    rows = [("x" * 385, "card"), ("y" * 384, "card")]
    many = [(f"filler {number}", "loan") for number in range(50)]
    found = findings(dataset(train=[*rows, *many]), DataConfig(max_length=64))["over_long"]
    assert (found.severity, found.count) == ("note", 1)
    assert "longer than 384 characters (the longest 385)" in found.message
    huge = findings(dataset(train=[("word " * 200_000, "card"), *many]))["over_long"]
    assert (huge.severity, len(huge.examples[0].text)) == ("warning", 200)
    assert "the longest 1,000,000" in huge.message


def test_over_long_texts_are_judged_by_tokens_where_they_are_known():
    lengths = {"train": [10] * 17 + [65, 64, 90], "valid": [10, 70], "test": [10, 10]}
    found = findings(dataset(), DataConfig(max_length=64), lengths)["over_long"]
    assert found.count == 3
    assert found.message == "3 of 24 texts (12 %) are longer than 64 tokens (the longest 90) and will be cut at data.max_length=64."
    assert (found.severity, found.examples[0].line) == ("warning", 21)


def test_spoilt_characters_are_found_and_line_breaks_are_not():
    found = findings(dataset(train=[("na\ufffdve", "card"), ("a\x85b", "card"), ("line\nbreak\tand tab", "card")]))["spoilt_characters"]
    assert [example.line for example in found.examples] == [22, 23]


def test_examples_stop_at_ten_while_the_count_is_exact():
    found = findings(dataset(train=[(f"lost plastic {n % 10}", "card") for n in range(25)]))["duplicate"]
    assert (found.count, len(found.examples)) == (25, 10)


def test_findings_come_gravest_first_as_plain_values():
    found = check(dataset(train=[("lost plastic 0", "card"), ("only", "rare")], test=CLEAN), DataConfig())
    severities = [finding.severity for finding in found]
    assert severities == sorted(severities, key=("error", "warning", "note").index)
    assert set(severities) == {"error", "warning", "note"}
    plain = found[0].as_dict()
    assert plain["examples"][0] == {"file": "test.csv", "line": 4, "label": "card", "text": "lost plastic 0"}
    assert set(plain) == {"kind", "severity", "count", "message", "examples"}
