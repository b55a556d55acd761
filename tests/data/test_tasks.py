"""The data of several tasks: a column for each in one table, or sets of their own; the same rows held out, and none that another task is tested on."""

import pytest

from tfarch.config import Config
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


def load(seed=0, **data):
    return load_tasks(Config().with_values({"data": data}).data, seed)


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


def test_a_part_without_labels_of_a_task_is_told_with_its_file(tmp_path):
    write(tmp_path / "set/train.csv", rows(60))
    write(tmp_path / "set/test.csv", ["a,,oil", "b,,rates"])
    with pytest.raises(InputError, match=r"test\.csv: it has no rows"):
        both(tmp_path / "set")


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


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"tasks": ["Sentiment"], "path": "x.csv"}, "'Sentiment' cannot name a head"),
        ({"tasks": ["a", "a"], "path": "x.csv"}, "'a' cannot name a head"),
        ({"tasks": ["a"], "task_data": {"b": "x.csv"}}, "unknown task 'b'; known: a"),
        ({"task_data": {"a": "x.csv"}, "path": "y.csv"}, "both data for all tasks and data of its own"),
        ({"tasks": ["a", "b"]}, "no data"),
    ],
)
def test_what_cannot_be_is_told(data, told):
    with pytest.raises(InputError, match=told):
        load(**data)


def test_a_column_that_is_missing_is_told_with_those_that_there_are(tmp_path):
    file = write(tmp_path / "one.csv", ["a,b"], "text,mood")
    with pytest.raises(InputError, match=r"no column 'sentiment'; its columns: 'text', 'mood'"):
        both(file)
    with pytest.raises(InputError, match=r"its labels stand in a column 'label' or 'sentiment'"):
        load(task_data={"sentiment": str(file)})
