"""What a place names: a file, a folder, an address, or a function of the user's; and what the help says of them."""

import io

import pytest

from apps.finance_sentiment.app import APP
from apps.finance_sentiment.stream.source import open_source, source_kind
from tests.tiny_sources import everything, lines, texts
from tfarch.cli import main
from tfarch.errors import InputError

pytestmark = pytest.mark.usefixtures("quick_looks")


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("-", "StandardInput"),
        ("{folder}", "FolderSource"),
        ("{folder}/a.jsonl", "FileSource"),
        ("{folder}/a.json", "FolderSource"),
        ("{folder}/a.txt", "FileSource"),
        ("http://127.0.0.1:9/feed", "FeedSource"),
        ("HTTPS://example.org/feed", "FeedSource"),
        ("listen:0", "HttpSource"),
    ],
)
def test_a_place_is_opened_by_what_it_is(tmp_path, monkeypatch, place, kind):
    for name in ("a.jsonl", "a.json", "a.txt"):
        (tmp_path / name).write_bytes(lines("a"))
    with open(tmp_path / "a.txt", "rb") as stream:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        source = open_source(place.format(folder=tmp_path))
        assert type(source).__name__ == kind
        assert source.name
        source.close()


OWN = """
from apps.finance_sentiment.stream.source import Record

class Ticks:
    name = "ticks"

    def __init__(self, follow):
        self.follow = follow

    def read(self, position=None):
        for number in range(position or 0, 3):
            yield Record({"time": number, "text": f"tick {number}, {self.follow}"}, number + 1, f"tick {number}")

    def close(self):
        pass

def ticks(reading):
    return Ticks(reading.follow)

def half(reading):
    return object()

nothing = 7
"""


def test_a_source_of_ones_own_is_a_function_of_a_module(tmp_path, monkeypatch):
    (tmp_path / "my_ticks.py").write_text(OWN)
    (tmp_path / "my_fault.py").write_text("import nowhere_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    source = open_source("python:my_ticks:ticks", follow=True)
    assert source.name == "ticks"
    assert texts(everything(source)) == ["tick 0, True", "tick 1, True", "tick 2, True"]
    assert texts(everything(open_source("python:my_ticks:ticks"), 2)) == ["tick 2, False"]
    for place, message in {
        "python:": "python:: names no function|python: names no function",
        "python:my_ticks": "names no function",
        "python:my_ticks:nowhere": "has no function nowhere",
        "python:my_ticks:nothing": "has no function nothing",
        "python:my_ticks:half": "gives a object, which is no source: it lacks name, read, close",
        "python:my_nowhere:ticks": "cannot be imported: No module named 'my_nowhere'",
        "python:my_fault:ticks": "cannot be imported: No module named 'nowhere_at_all'",
    }.items():
        with pytest.raises(InputError, match=message):
            open_source(place)


def test_a_feed_that_is_not_followed_says_that_it_is_looked_at_once(said):
    for follow in (False, True):
        open_source("https://example.org/feed?key=secret", follow=follow, say=said.append).close()
    assert said == ["the feed at example.org is looked at once; with --follow, every 300 s"]


def test_the_help_says_what_ends_what_is_posted_and_how_another_source_is_added(capsys):
    with pytest.raises(SystemExit):
        main(APP, ["watch", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    for part in (
        "go on where a file, folder, feed or Kafka topic ends for now; without it each is read once, and the watch ends",
        "POST /items",
        "application/json",
        "application/x-ndjson",
        '202 {"accepted": n}',
        "503 with Retry-After",
        "python:MODULE:FUNCTION",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("ftp://example.org/feed", "unknown kind of source 'ftp'; known: -, a file, a folder, http, https, kafka, listen"),
        ("news:2026.jsonl", r"a file of that name is \./news:2026\.jsonl"),
        ("nowhere.jsonl", r"nowhere\.jsonl: no such file or folder"),
        ("", "no such file or folder"),
        ("/dev/null", "neither a file nor a folder"),
        ("http://", "no address of a feed"),
        ("https://user:word@example.org/feed", "holds a user name"),
        ("listen:", "names no port"),
        ("listen:99999", "names no port"),
        ("kafka://nowhere", "is no Kafka topic"),
    ],
)
def test_a_place_that_cannot_be_opened_is_the_users_error(place, message):
    with pytest.raises(InputError, match=message) as error:
        open_source(place)
    assert "word" not in str(error.value)


def test_a_file_in_a_folder_that_is_not_there_is_not_waited_for(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_source(str(tmp_path / "nowhere" / "a.jsonl"), follow=True)


def test_a_kind_of_source_can_be_added_once(monkeypatch):
    monkeypatch.setattr("apps.finance_sentiment.stream.source._OPENERS", {})

    @source_kind("mail")
    def open_mail(place, reading):
        return place, reading.every

    assert open_source("mail:inbox", every=5.0) == ("mail:inbox", 5.0)
    for taken in ("mail", "https"):
        with pytest.raises(ValueError, match="already"):
            source_kind(taken)(open_mail)
