"""`check` of the recommender: what it is given, what it says, and its exit codes."""

import json

import pytest

from apps.recommender.app import APP
from tfarch import cli

EVENTS = "who,what,when\n" + "".join(f"u{row % 40},i{row % 7},{1_600_000_000 + 3600 * row}\n" for row in range(8000))
COLUMNS = ["--user-column", "who", "--item-column", "what", "--set", "data.time_column=when"]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "log.csv").write_text(EVENTS, encoding="utf-8")
    (tmp_path / "items.csv").write_text("what,title\n" + "".join(f"i{item},Thing {item}\n" for item in range(6)), encoding="utf-8")
    return ["--interactions", str(tmp_path / "log.csv"), "--items", str(tmp_path / "items.csv")]


def run(capsys, *arguments):
    code = cli.main(APP, ["check", *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_own_files_with_columns_of_other_names_are_looked_at(files, capsys):
    code, out, _ = run(capsys, *files, *COLUMNS, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["name"], told["events"], told["users"], told["items"]) == ("log", 8000, 40, 7)
    assert [(finding["kind"], finding["count"]) for finding in told["findings"]] == [("items_without_text", 1), ("had_before", 800)]
    assert told["findings"][0]["examples"][0]["label"] == "i6"


def test_people_read_the_findings_with_their_rows(files, capsys):
    code, out, _ = run(capsys, *files[:2], *COLUMNS, "--set", "data.liked=2")
    assert code == 1  # nothing is wanted
    assert "log: 8,000 events, 40 users, 7 items" in out
    assert "error: No event has a value of 2 or more" in out
    assert "warning: Items without text: 7 of 7." in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--interactions", "no.csv"], "error: no.csv: cannot be read: No such file"),
        (["--items", "no.csv"], "error: no.csv: items without events (give the events with --interactions)"),
        (["--set", "data.users=who"], "unknown setting 'data.users'; known: data.behaviour_column"),
        (["--set", "seed=-1"], "seed=-1: expected 0 to"),
    ],
)
def test_what_cannot_be_used_is_exit_2_and_one_line(arguments, message, capsys):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_missing_column_lists_those_that_there_are(files, capsys):
    code, _, err = run(capsys, *files[:2])
    assert code == 2
    assert "log.csv, line 1: no column 'user'; its columns: 'who', 'what', 'when' (name the right one with --user-column)" in err
