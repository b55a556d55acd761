"""The data of several tasks: a column for each in one table, or sets of their own; the same rows held out, and none that another task is tested on."""

from collections import Counter

import pytest

from tfarch.config import Config
from tfarch.data import check
from tfarch.data.tasks import load_tasks
from tfarch.errors import InputError

SENTIMENTS, TOPICS = ("bad", "good"), ("oil", "rates", "people")


def write(file, rows, header="text,sentiment,topic"):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def rows(count, first=0):
    """Rows of all pairs of labels in turn; every text is another."""
    return [f"news number {n},{SENTIMENTS[n % 2]},{TOPICS[n % 3]}" for n in range(first, first + count)]


def load(seed=0, weighted=(), **data):
    return load_tasks(Config().with_values({"data": data}).data, seed, weighted)


def both(path, **data):
    return load(path=str(path), tasks=["sentiment", "topic"], **data)


def test_a_table_gives_each_task_its_column_and_the_same_rows(tmp_path):
    found = both(write(tmp_path / "all.csv", rows(120)))
    assert list(found) == ["sentiment", "topic"]
    assert [each.labels for each in found.values()] == [SENTIMENTS, tuple(sorted(TOPICS))]
    for part in ("train", "valid", "test"):
        sentiment, topic = (each.parts[part].texts for each in found.values())
        assert sentiment == topic
    assert len(found["topic"].test) == 24


def test_one_task_is_the_data_set_as_it_ever_was(tmp_path):
    (name, found), *others = load(path=str(write(tmp_path / "all.csv", rows(60))), label_column="topic").items()
    assert (name, others) == ("", [])
    assert found.labels == tuple(sorted(TOPICS))


def test_a_row_that_lacks_a_label_is_a_row_of_the_other_task_alone_and_none_to_complain_of(tmp_path):
    lacking = ["half a row,,oil", "another half,good,"]
    found = both(write(tmp_path / "all.csv", [*rows(120), *lacking]))
    texts = {task: {text for part in each.parts.values() for text in part.texts} for task, each in found.items()}
    assert texts["sentiment"] ^ texts["topic"] == {"half a row", "another half"}
    assert "half a row" in texts["topic"]
    assert all(each.bad_rows == () for each in found.values())


def test_json_lines_may_leave_a_label_out_or_say_null(tmp_path):
    file = tmp_path / "all.jsonl"
    whole = [f'{{"text": "news {n}", "sentiment": "{SENTIMENTS[n % 2]}", "topic": "{TOPICS[n % 3]}"}}' for n in range(60)]
    file.write_text(
        "\n".join([*whole, '{"text": "a", "topic": "oil"}', '{"text": "b", "topic": "oil", "sentiment": null}']), encoding="utf-8"
    )
    found = both(file)
    assert sum(map(len, found["topic"].parts.values())) - sum(map(len, found["sentiment"].parts.values())) == 2
    assert found["sentiment"].bad_rows == ()


def test_a_folder_gives_the_parts_that_it_has(tmp_path):
    write(tmp_path / "set/train.csv", rows(60))
    write(tmp_path / "set/test.csv", rows(12, first=1000))
    found = both(tmp_path / "set")
    assert [len(each.test) for each in found.values()] == [12, 12]
    assert found["sentiment"].valid.texts == found["topic"].valid.texts
    assert found["sentiment"].split.startswith("Test from test.csv; validation (10 %) split off train.csv")


def test_a_limit_keeps_the_same_rows_of_all_tasks(tmp_path):
    found = both(write(tmp_path / "all.csv", rows(120)), limit=20)
    assert len(found["topic"].train) == 20
    assert found["sentiment"].train.texts == found["topic"].train.texts


MENDS = r"\(--sentiment-column NAME, --sentiment-data FILE, or --label-column COLUMN to learn one task alone\)$"


def test_an_empty_column_is_told_with_its_file_and_task(tmp_path):
    write(tmp_path / "set/train.csv", rows(60))
    write(tmp_path / "set/test.csv", ["a,,oil", "b,,rates"])
    with pytest.raises(InputError, match=rf"test\.csv: no row has a sentiment: the column 'sentiment' is empty {MENDS}"):
        both(tmp_path / "set")
    with pytest.raises(InputError, match=r"all\.csv: no row has a sentiment: the column 'mood' is empty"):
        both(write(tmp_path / "all.csv", ["a,,oil", ",,", "b,,rates"], "text,mood,topic"), task_columns={"sentiment": "mood"})


def test_a_part_that_was_split_off_without_a_row_of_a_task_is_told(tmp_path):
    lacking = [f"text {n},,{TOPICS[n % 3]}" for n in range(97)]
    with pytest.raises(
        InputError, match=r"all\.csv: no (test|validation) row has a sentiment \(label more rows, or .*--sentiment-data FILE"
    ):
        both(write(tmp_path / "all.csv", [*rows(3), *lacking]))


# A class of the second task that is rare


def rare(*labels, count=120):
    """Rows of which single ones have a topic that no other has."""
    found = rows(count)
    for place, label in enumerate(labels):
        found[7 * place] = f"odd text {place},bad,{label}"
    return found


@pytest.mark.parametrize("seed", range(6))
def test_every_class_is_trained_whichever_rows_the_first_tasks_labels_hold_out(tmp_path, seed):
    names = [f"rare{n}" for n in range(9)]
    written = rare(*names)
    file = write(tmp_path / "all.csv", written)
    found = both(file, seed=seed)
    assert found["topic"].labels == tuple(sorted([*TOPICS, *names]))
    assert Counter(label for table in found["topic"].parts.values() for label in table.labels) == Counter(
        row.split(",")[2] for row in written
    )
    for part, table in found["sentiment"].parts.items():
        assert table.texts == found["topic"].parts[part].texts
        assert list(table.lines) == sorted(table.lines)
    assert both(file, seed=seed)["topic"].parts == found["topic"].parts


def test_only_as_many_rows_go_back_to_train_as_it_lacks_classes_and_validation_gives_them_first(tmp_path):
    written = rows(200)
    plain = both(write(tmp_path / "all.csv", written))["topic"]
    assert plain.split.endswith("equal texts kept together.")
    test, valid = plain.test.lines, plain.valid.lines
    for line, name in {test[0]: "one", test[1]: "one", valid[0]: "one", test[2]: "two", valid[1]: "three"}.items():
        written[line - 2] = written[line - 2].rpartition(",")[0] + f",{name}"
    found = both(write(tmp_path / "all.csv", written))
    moved = set(found["topic"].train.lines) - set(plain.train.lines)
    assert moved == {valid[0], valid[1], test[2]}
    assert found["topic"].split.endswith("equal texts kept together. 3 rows went back to train, which had none of their class.")
    assert set(found["topic"].test.lines) == set(plain.test.lines) - moved
    assert found["topic"].test.labels.count("one") == 2


def test_a_text_that_stands_twice_goes_back_whole(tmp_path):
    file = write(tmp_path / "all.csv", [*rows(100), "An odd text,bad,rare", "AN ODD TEXT!,bad,rare"])
    found = [both(file, seed=seed)["topic"] for seed in range(12)]
    assert any("2 rows went back to train" in each.split for each in found)
    assert all(each.train.labels.count("rare") == 2 and not each.taken_out for each in found)


def test_a_test_that_was_given_is_never_taken_from(tmp_path):
    write(tmp_path / "set/train.csv", rows(60))
    write(tmp_path / "set/test.csv", [*rows(12, first=1000), "an odd text,bad,rare"])
    with pytest.raises(InputError, match=r"test\.csv, line 14: label 'rare' is in no training row"):
        both(tmp_path / "set")


def test_a_limit_leaves_every_task_its_classes(tmp_path):
    names = [f"rare{n}" for n in range(4)]
    file = write(tmp_path / "all.csv", rare(*names))
    for seed in range(4):
        found = both(file, seed=seed, limit=12)
        assert len(found["topic"].train) == len(found["sentiment"].train) == 12
        assert set(found["topic"].train.labels) == {*TOPICS, *names}
        assert set(found["sentiment"].train.labels) == set(SENTIMENTS)
    with pytest.raises(InputError, match=r"data\.limit=3 cannot hold the labels of all tasks of all\.csv \(take \d+ or more\)"):
        both(file, limit=3)


@pytest.mark.parametrize("column", ["label", "topic"])
def test_sets_of_their_own_have_the_labels_in_the_common_column_or_in_the_tasks(tmp_path, column):
    first = write(tmp_path / "one.csv", [f"mood {n},{SENTIMENTS[n % 2]}" for n in range(40)], "text,label")
    second = write(tmp_path / "two.csv", [f"theme {n},{TOPICS[n % 3]}" for n in range(60)], f"text,{column}")
    found = load(tasks=["sentiment", "topic"], task_data={"sentiment": str(first), "topic": str(second)})
    assert [sum(map(len, each.parts.values())) for each in found.values()] == [40, 60]
    assert found["topic"].labels == tuple(sorted(TOPICS))


def test_a_set_of_its_own_for_one_task_alone_is_a_model_of_that_task(tmp_path):
    file = write(tmp_path / "one.csv", [f"mood {n},{SENTIMENTS[n % 2]}" for n in range(40)], "text,label")
    assert list(load(tasks=["sentiment", "topic"], task_data={"sentiment": str(file)})) == ["sentiment"]


def test_a_text_that_one_task_is_tested_on_trains_no_other(tmp_path):
    write(tmp_path / "mood/train.csv", [f"mood {n},{SENTIMENTS[n % 2]}" for n in range(40)], "text,label")
    write(tmp_path / "mood/test.csv", ["Theme 7!,bad", "theme 8,good"], "text,label")
    themes = write(tmp_path / "two.csv", [f"theme {n},{TOPICS[n % 3]}" for n in range(90)], "text,label")
    # As `theme 7` may have been drawn for the topic's own test, it must be gone from training either way.
    found = load(task_data={"sentiment": str(tmp_path / "mood"), "topic": str(themes)})
    assert not {"theme 7", "theme 8"} & set(found["topic"].train.texts)
    assert found["sentiment"].test.texts == ("Theme 7!", "theme 8")


def test_rows_that_are_left_out_for_the_sake_of_a_test_are_told_with_their_lines(tmp_path):
    write(tmp_path / "set/train.csv", rows(90))
    write(tmp_path / "set/test.csv", rows(27))
    found = both(tmp_path / "set")
    for dataset in found.values():
        assert not set(dataset.train.texts) & set(dataset.test.texts)
        (finding,) = (each for each in check(dataset, Config().data) if each.kind == "taken_out")
        kept, gone = len(dataset.train) + len(dataset.valid), len(dataset.taken_out["test"])
        assert (finding.severity, finding.count) == ("warning", gone)
        assert kept + gone == 90
        assert finding.message == f"{gone} training rows are also test rows of a task and were left out: one encoder learns for all tasks."
        assert {each.file for each in finding.examples} == {"train.csv"}
        assert finding.examples[0].text == f"news number {finding.examples[0].line - 2}"


def test_rows_that_another_task_is_validated_on_are_told_of_the_task_that_lacks_them(tmp_path):
    moods = [f"mood {n},{SENTIMENTS[n % 2]}" for n in range(40)]
    write(tmp_path / "mood/train.csv", moods, "text,label")
    write(tmp_path / "mood/valid.csv", ["Theme 7!,bad", "theme 8,good"], "text,label")
    write(tmp_path / "theme/train.csv", [f"theme {n},{TOPICS[n % 3]}" for n in range(90)], "text,label")
    for part in ("valid", "test"):
        write(tmp_path / f"theme/{part}.csv", [f"{part} {n},{TOPICS[n % 3]}" for n in range(9)], "text,label")
    found = load(task_data={"sentiment": str(tmp_path / "mood"), "topic": str(tmp_path / "theme")})
    assert not found["sentiment"].taken_out
    (finding,) = (each for each in check(found["topic"], Config().data) if each.kind == "taken_out")
    assert finding.message == "2 training rows are also validation rows of a task and were left out: one encoder learns for all tasks."
    assert [(each.file, each.line, each.text) for each in finding.examples] == [("train.csv", 9, "theme 7"), ("train.csv", 10, "theme 8")]


def test_a_class_that_loses_its_last_training_row_to_another_tasks_test_is_an_error(tmp_path):
    write(tmp_path / "mood/train.csv", [f"mood {n},{SENTIMENTS[n % 2]}" for n in range(40)], "text,label")
    write(tmp_path / "mood/test.csv", ["odd one,bad", "a mood,good"], "text,label")
    write(tmp_path / "theme/train.csv", [*(f"theme {n},{TOPICS[n % 3]}" for n in range(90)), "Odd one,rare"], "text,label")
    own = {"sentiment": str(tmp_path / "mood"), "topic": str(tmp_path / "theme")}
    with pytest.raises(
        InputError, match=r"theme/train\.csv, line 92: label 'rare' is in no training row but such as a task is validated or"
    ):
        load(task_data=own)


def test_what_a_limit_leaves_out_is_no_text_that_another_task_is_tested_on(tmp_path):
    write(tmp_path / "mood/train.csv", [f"mood {n},{SENTIMENTS[n % 2]}" for n in range(40)], "text,label")
    write(tmp_path / "mood/test.csv", [f"theme {n},{SENTIMENTS[n % 2]}" for n in range(80)], "text,label")
    themes = write(tmp_path / "two.csv", [f"theme {n},{TOPICS[n % 3]}" for n in range(160)], "text,label")
    found = load(task_data={"sentiment": str(tmp_path / "mood"), "topic": str(themes)}, limit=30)["topic"]
    assert found.left_out.texts
    assert not {f"theme {n}" for n in range(80)} & set(found.left_out.texts)
    assert "theme 7" in found.held_elsewhere


# Columns of other names


def test_columns_may_have_other_names_than_the_tasks(tmp_path):
    file = write(tmp_path / "all.csv", rows(60), "text,mood,topic")
    found = both(file, task_columns={"sentiment": "mood"})
    assert found["sentiment"].labels == SENTIMENTS
    assert found["topic"].labels == tuple(sorted(TOPICS))


def test_a_tasks_own_column_goes_before_the_common_one_in_data_of_its_own(tmp_path):
    first = write(tmp_path / "one.csv", [f"mood {n},wrong,{SENTIMENTS[n % 2]}" for n in range(40)], "text,label,mood")
    second = write(tmp_path / "two.csv", [f"theme {n},{TOPICS[n % 3]}" for n in range(60)], "text,label")
    own = {"sentiment": str(first), "topic": str(second)}
    found = load(tasks=["sentiment", "topic"], task_data=own, task_columns={"sentiment": "mood"})
    assert [each.labels for each in found.values()] == [SENTIMENTS, tuple(sorted(TOPICS))]
    with pytest.raises(
        InputError, match=r"task 'sentiment': no column 'tone'; .*stand in a column 'tone'; name another with --sentiment-col"
    ):
        load(task_data=own, task_columns={"sentiment": "tone"})


def test_one_column_is_not_the_labels_of_two_tasks(tmp_path):
    file = write(tmp_path / "all.csv", rows(60))
    with pytest.raises(InputError, match="the tasks sentiment and topic cannot both have the column 'topic'"):
        both(file, task_columns={"sentiment": "topic"})


def test_a_rasa_file_has_one_label_a_text_and_so_is_none_for_several_tasks(tmp_path):
    file = tmp_path / "nlu.yml"
    body = "".join(f"- intent: {topic}\n  examples: |\n" + "".join(f"    - {topic} {n}\n" for n in range(20)) for topic in TOPICS)
    file.write_text(f"nlu:\n{body}", encoding="utf-8")
    with pytest.raises(InputError, match=r"nlu\.yml: a text of a Rasa .*own: --sentiment-data FILE --topic-data FILE\)"):
        both(file)
    assert load(path=str(file), tasks=["topic"])["topic"].labels == tuple(sorted(TOPICS))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"tasks": ["Sentiment"], "path": "x.csv"}, "'Sentiment' cannot name a head"),
        ({"tasks": ["a", "a"], "path": "x.csv"}, "'a' cannot name a head"),
        ({"tasks": ["a"], "task_data": {"b": "x.csv"}}, "unknown task 'b'; known: a"),
        ({"tasks": ["a", "b"], "path": "x.csv", "task_columns": {"c": "x"}}, r"unknown task 'c'; known: a, b \(data.task_columns takes"),
        ({"path": "x.csv", "task_columns": {"c": "x"}}, "unknown task 'c'; known: none"),
        ({"tasks": ["a", "b"], "path": "x.csv", "weighted": {"c": 2.0}}, r"unknown task 'c'; known: a, b \(train.task_weights takes the"),
        ({"task_data": {"a": "x.csv"}, "path": "y.csv"}, "both data for all tasks and data of its own"),
        ({"tasks": ["a", "b"]}, "no data"),
    ],
)
def test_what_cannot_be_is_told(data, told):
    with pytest.raises(InputError, match=told):
        load(**data)


def test_a_column_that_is_missing_is_told_with_those_that_there_are(tmp_path):
    file = write(tmp_path / "one.csv", ["a,b"], "text,mood")
    with pytest.raises(
        InputError, match=rf"one\.csv, line 1: task 'sentiment': no column 'sentiment'; its columns: 'text', 'mood' {MENDS}"
    ):
        both(file)
    with pytest.raises(InputError, match=r"task 'topic': no column 'topic'; .* \(name the right one with --topic-column\)$"):
        load(path=str(file), tasks=["topic"])
    with pytest.raises(InputError, match=r"no column 'question'; .* \(name the right one with --text-column\)$"):
        both(file, text_column="question")
    with pytest.raises(InputError, match=r"no column 'question'; .* \(name the right one with --text-column\)$"):
        load(task_data={"sentiment": str(file)}, text_column="question")
    with pytest.raises(InputError, match=r"its labels stand in a column 'label' or 'sentiment'"):
        load(task_data={"sentiment": str(file)})
