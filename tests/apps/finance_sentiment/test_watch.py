"""The verb `watch` from a file to alerts: what it prints, keeps, sets aside and delivers, and that bad luck costs nothing."""

import contextlib
import http.server
import json
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from apps.finance_sentiment.app import APP
from tests import tiny_questions
from tests.tiny_finance import bundle

KEYS = {"topic", "state", "time", "opened", "negative_share", "baseline", "items", "evidence", "detector", "model"}
ROOT = Path(__file__).parents[3]
QUICK = ("--false-alarms-per-day", "0.3", "--watch", "history_days=14")


def call(*arguments, stdin=b""):
    """(exit code, standard output, standard error) of a verb in this process."""
    answer = tiny_questions.call(*arguments, stdin=stdin, app=APP)
    return answer.code, answer.out, answer.err


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """(file, truth) of four weeks of news, some lines of it broken."""
    file = tmp_path_factory.mktemp("stream") / "news.jsonl"
    more = ("--days", 28, "--history-days", 14, "--surges-per-topic-week", 1, "--malformed", 0.002, "--items-per-day", 120)
    code, out, err = call("simulate", "--json", "--out", file, "--seed", 3, *more)
    assert code == 0, err
    return file, json.loads(out)["truth"]


def watch(folder, source, *more, stdin=b""):
    own = ("--bundle", bundle(), "--state", folder / "state.sqlite", "--json", *QUICK)
    return call("watch", "--input", source, *own, *more, stdin=stdin)


@pytest.fixture(scope="module")
def watched(stream, tmp_path_factory):
    """(folder, lines, what was said) of a watch over the whole stream."""
    folder = tmp_path_factory.mktemp("watched")
    code, out, err = watch(folder, stream[0], "--alerts", folder / "alerts.jsonl")
    assert code == 0, err
    return folder, lines_of(out), err


def test_a_line_per_alert_change_has_what_the_contract_says(watched):
    _, lines, _ = watched
    surges = [line for line in lines if line["kind"] == "surge"]
    assert {line["state"] for line in surges} == {"pending", "firing", "resolved"}
    assert all(line.keys() >= KEYS for line in surges)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))


def test_the_file_of_alerts_has_the_same_lines(watched):
    folder, lines, _ = watched
    assert lines_of((folder / "alerts.jsonl").read_text(encoding="utf-8")) == lines


def test_each_topic_goes_from_nothing_to_pending_or_firing_and_back(watched):
    _, lines, _ = watched
    after = {None: {"pending", "firing"}, "pending": {"firing", "resolved"}, "firing": {"resolved"}, "resolved": {"pending", "firing"}}
    state = {}
    for line in lines:
        if line["kind"] == "surge":
            assert line["state"] in after[state.get(line["topic"])]
            state[line["topic"]] = line["state"]


def test_evidence_that_fires_says_which_words_made_it_bad(watched):
    _, lines, _ = watched
    evidence = [each for line in lines if line["state"] == "firing" and line["topic"] for each in line["evidence"]]
    assert evidence
    assert all(word["word"] in each["text"] for each in evidence for word in each["words"])
    assert sum(bool(each["words"]) for each in evidence) > len(evidence) / 2


def test_what_is_no_item_is_counted_and_set_aside_with_its_place_and_reason(watched, stream):
    folder, _, said = watched
    truth = json.loads(Path(stream[1]).read_text(encoding="utf-8"))
    aside = lines_of((folder / "state.sqlite.malformed.jsonl").read_text(encoding="utf-8"))
    assert [each["place"] for each in aside] == [f"{stream[0].name}, line {number}" for number in truth["malformed"]]
    raw = stream[0].read_text(encoding="utf-8").splitlines()
    assert [each["content"] for each in aside] == [raw[number - 1] for number in truth["malformed"]]
    assert f"{len(aside):,} malformed" in said


def test_repeated_news_is_counted_once(watched, stream):
    _, _, said = watched
    truth = json.loads(Path(stream[1]).read_text(encoding="utf-8"))
    kinds = [each["kind"] for each in truth["duplicates"].values()]
    counted = {what: int(count.replace(",", "")) for count, what in (part.split(" ", 1) for part in said.splitlines()[-2].split(", "))}
    assert counted["duplicate by id"] == pytest.approx(kinds.count("repeated"), rel=0.1, abs=3)
    assert counted["duplicate by edit"] == pytest.approx(kinds.count("edited"), rel=0.1, abs=3)
    assert counted["duplicate by text"] == pytest.approx(kinds.count("syndicated"), rel=0.25)


def test_the_expected_delays_are_told_when_the_usual_is_learned(watched):
    _, _, said = watched
    assert "learned what is usual; negative_binomial_cusum at 0.3 false alarms a day and topic" in said
    assert said.count("earnings") == 1  # once, though it is learned anew every week


def test_the_alerts_can_be_scored(watched, stream):
    folder, _, _ = watched
    code, out, err = call("score", "--json", "--alerts", folder / "alerts.jsonl", "--truth", stream[1])
    assert code == 0, err
    assert json.loads(out)["surges_total"] > 0
    code, out, _ = call("score", "--alerts", folder / "alerts.jsonl", "--truth", stream[1])
    assert code == 0
    assert "false alarms" in out


def test_a_grace_below_nothing_and_a_truth_in_the_place_of_the_stream_are_refused(watched, stream, tmp_path):
    code, out, err = call("score", "--alerts", watched[0] / "alerts.jsonl", "--truth", stream[1], "--grace-hours", "-1")
    assert (code, out) == (2, "")
    assert "--grace-hours -1 (0 or more)" in err
    code, out, err = call("simulate", "--out", tmp_path / "stream.jsonl", "--truth", tmp_path / "stream.jsonl")
    assert (code, out) == (2, "")
    assert "is the file of the stream" in err
    assert not list(tmp_path.iterdir())


def test_a_second_call_has_nothing_left_to_do(watched, stream):
    folder, lines, _ = watched
    code, out, _ = watch(folder, stream[0], "--alerts", folder / "alerts.jsonl")
    assert (code, out) == (0, "")
    assert lines_of((folder / "alerts.jsonl").read_text(encoding="utf-8")) == lines


def test_the_timeline_is_one_page_with_every_topic_and_alert(watched):
    folder, lines, _ = watched
    code, out, err = call("report", "--json", "--state", folder / "state.sqlite")
    assert code == 0, err
    told = json.loads(out)
    page = (folder / "state.html").read_text(encoding="utf-8")
    assert told["alerts"] == sum(line["state"] == "firing" and line["kind"] == "surge" for line in lines)
    assert page.count("<svg") == told["topics"] == 12
    assert page.count("<details>") == told["alerts"]
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script src" not in page


def test_a_stream_in_two_parts_gives_what_it_gives_in_one(watched, stream, tmp_path):
    _, lines, _ = watched
    whole = stream[0].read_bytes().splitlines(keepends=True)
    file, found = tmp_path / stream[0].name, []
    for part in (whole[:1500], whole[1500:]):
        with open(file, "ab") as grown:
            grown.writelines(part)
        code, out, err = watch(tmp_path, file)
        assert code == 0, err
        found += lines_of(out)
    assert found == lines


def test_standard_input_is_read_too(stream, watched, tmp_path):
    _, lines, _ = watched
    own = ("--bundle", bundle(), "--state", tmp_path / "state.sqlite", "--json", *QUICK)
    command = [sys.executable, "-m", "apps.finance_sentiment", "watch", *map(str, own)]
    done = subprocess.run(command, input=stream[0].read_bytes(), capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()
    assert lines_of(done.stdout.decode()) == lines


def test_people_get_text_and_nothing_that_a_terminal_obeys(stream, watched, tmp_path):
    evil = {"id": "1", "time": "2026-01-05T01:00:00Z", "text": "\x1b[31mred\x07", "publisher": "\x1b]0;x\x07"}
    file = tmp_path / "news.jsonl"
    file.write_bytes(json.dumps(evil).encode() + b"\n" + stream[0].read_bytes())
    own = ("--bundle", bundle(), "--state", tmp_path / "state.sqlite", *QUICK)
    code, out, _ = call("watch", "--input", file, *own)
    assert code == 0
    assert "FIRING" in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) < 200


def test_a_silenced_topic_is_followed_but_not_told(watched, stream, tmp_path):
    _, lines, _ = watched
    topic = next(line["topic"] for line in lines if line["state"] == "firing" and line["topic"])
    code, out, err = watch(tmp_path, stream[0], "--silence", f"{topic}=/2027-01-01")
    assert code == 0, err
    assert [line["topic"] for line in lines_of(out)] == [line["topic"] for line in lines if line["topic"] != topic]
    call("report", "--state", tmp_path / "state.sqlite")
    assert "silenced" in (tmp_path / "state.html").read_text(encoding="utf-8")


class Hook(http.server.BaseHTTPRequestHandler):
    """Takes alerts; the first requests are refused."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked += 1
        if self.server.asked <= self.server.refuse:
            self.send_response(503)
        else:
            self.server.got.append((self.headers["Idempotency-Key"], body))
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


@contextlib.contextmanager
def hook(refuse=0, port=0):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Hook)
    server.asked, server.refuse, server.got = 0, refuse, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_webhook_gets_every_alert_in_order_though_it_refuses_at_first(watched, stream, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "apps.finance_sentiment.watch.outputs.Webhook.__init__.__kwdefaults__", {"timeout": 2.0, "first_wait": 0.05, "longest_wait": 1.0}
    )
    _, lines, _ = watched
    with hook(refuse=2) as server:
        code, _, err = watch(tmp_path, stream[0], "--webhook", f"http://127.0.0.1:{server.server_port}/alerts")
    assert code == 0, err
    assert [body for _, body in server.got] == lines
    assert [key for key, _ in server.got] == [f"{line['seq']}-{line['time']}" for line in lines]
    assert "status 503; trying again" in err


def test_a_webhook_that_is_down_gets_what_it_missed_the_next_time(watched, stream, tmp_path, monkeypatch):
    monkeypatch.setattr("apps.finance_sentiment.watch.outputs.Webhook.close.__defaults__", (0.2,))
    _, lines, _ = watched
    with hook() as server:
        port = server.server_port
    address = f"http://127.0.0.1:{port}/alerts"
    code, out, err = watch(tmp_path, stream[0], "--webhook", address)
    assert code == 0, err
    assert lines_of(out) == lines
    monkeypatch.undo()
    with hook(port=port) as server:
        assert watch(tmp_path, stream[0], "--webhook", address)[0] == 0
    assert [body for _, body in server.got] == lines


def test_a_full_disk_is_told_and_costs_no_alert(watched, stream, tmp_path):
    _, lines, _ = watched
    alerts = tmp_path / "alerts.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))  # neither the state nor anything else grows beyond
        code, _, err = watch(tmp_path, stream[0], "--alerts", alerts)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert code == 1
    assert "could not be written" in err.splitlines()[-1]
    assert watch(tmp_path, stream[0], "--alerts", alerts)[0] == 0
    assert lines_of(alerts.read_text(encoding="utf-8")) == lines


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--watch", "history=3"), "unknown setting 'history'"),
        (("--watch", "history_days"), "has no '='"),
        (("--watch", "history_days=["), "--watch 'history_days=[': '[' is no value"),
        (("--watch", "history_days=2026-99-99"), "'2026-99-99' is no value"),
        (("--watch", "history_days=" + "[" * 5000), "is no value"),
        (("--watch", "history_days="), "history_days"),
        (("--detector", "magic"), "unknown detector 'magic'"),
        (("--silence", "oil=yesterday/"), "write TOPIC or TOPIC=FROM/UNTIL"),
        (("--family", "Wire"), "write NAME=PATTERN"),
        (("--webhook", "ftp://x"), "no http or https address"),
        (("--input", "nowhere.jsonl"), "no such file or folder"),
        (("--bundle", "nowhere"), "there is no such bundle folder"),
    ],
)
def test_bad_usage_is_told_in_one_line(tmp_path, more, message):
    code, out, err = call("watch", "--bundle", bundle(), "--state", tmp_path / "state.sqlite", "--json", *more)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]


def test_two_watches_do_not_work_with_one_state(tmp_path, stream):
    from apps.finance_sentiment.watch.store import Store

    store = Store(tmp_path / "state.sqlite")
    try:
        code, _, err = watch(tmp_path, stream[0])
    finally:
        store.close()
    assert code == 2
    assert "another watch works with this state" in err


def test_a_state_that_is_another_database_is_left_alone(tmp_path, stream):
    with sqlite3.connect(tmp_path / "state.sqlite") as base:
        base.execute("CREATE TABLE notes (text TEXT)")
    base.close()
    before = (tmp_path / "state.sqlite").read_bytes()
    code, _, err = watch(tmp_path, stream[0])
    assert code == 2
    assert "is no state of a watch but another database" in err
    assert (tmp_path / "state.sqlite").read_bytes() == before


def test_what_is_no_state_is_left_alone(tmp_path, stream):
    (tmp_path / "state.sqlite").write_text("my notes, not a database at all, and longer than a header of one", encoding="utf-8")
    code, _, err = watch(tmp_path, stream[0])
    assert code == 2
    assert "is no state of a watch" in err
    assert (tmp_path / "state.sqlite").read_text(encoding="utf-8").startswith("my notes")


def test_a_state_of_another_format_is_refused(watched, tmp_path, stream):
    from apps.finance_sentiment.watch.store import Store

    Store(tmp_path / "state.sqlite").write(facts={}, positions={})
    with sqlite3.connect(tmp_path / "state.sqlite") as base:
        base.execute("UPDATE facts SET value = '99' WHERE name = 'version'")
    code, _, err = watch(tmp_path, stream[0])
    assert code == 2
    assert "was written in format 99" in err
