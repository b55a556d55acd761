"""`run` leaves a bundle and a report, and `recommend` shows users what they like, and why."""

import csv
import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from apps.recommender.app import APP
from apps.recommender.proof import proof
from tests.real_tensorboard import real_tensorboard, wait
from tests.tiny_behaviour import write_files
from tfarch import cli
from tfarch.runtime.bundle import verify_bundle
from tfarch.runtime.recommender import Recommender, load_recommender

SETTINGS = ["--set", "data.liked=4", "--set", "evaluate.quantiles=[0.7]", "--set", "evaluate.least_rows=5"]
SETTINGS += ["--set", "interest.epochs=2", "--set", "interest.width=16", "--set", "interest.user_tower=mean"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the files, and the run made of them."""
    folder = tmp_path_factory.mktemp("behaviour")
    events, items = write_files(folder)
    arguments = ["run", "--interactions", str(events), "--items", str(items), "--out", str(folder / "run"), *SETTINGS]
    assert cli.main(APP, arguments) == 0
    return folder


def recommend(capsys, place, *arguments):
    data = ["--interactions", str(place / "events.csv"), "--items", str(place / "items.csv")]
    code = cli.main(APP, ["recommend", "--bundle", str(place / "run" / "bundle"), *data, *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_report_has_every_view_of_ours_and_of_what_is_popular(place):
    report = json.loads((place / "run" / "report.json").read_text(encoding="utf-8"))
    assert report["task"] == "recommendation"
    assert report["data"]["events"] > 2000
    ours, popular = report["variants"]
    assert (ours["name"], popular["name"]) == ("recommender", "popular")
    for view in ("warm", "all", "cold"):
        assert ours["metrics"][view]["queries"] == popular["metrics"][view]["queries"] > 5
        assert ours["metrics"][view]["ndcg_at_10"] > 1.5 * popular["metrics"][view]["ndcg_at_10"]
    assert 0 < popular["lists"]["coverage"] < ours["lists"]["coverage"] <= 1
    assert (place / "run" / "config.yaml").is_file()
    assert set(report["weights"]) == set(load_recommender(place / "run" / "bundle").ranker.names)
    assert report["files"]["recommender.tflite"] > 10_000


def test_every_file_that_recommends_is_asked_and_says_what_was_learned(place):
    report = json.loads((place / "run" / "report.json").read_text(encoding="utf-8"))
    proven = report["proof"]
    assert proven["queries"] > 50
    assert set(proven["files"]) == {"arrays.npz", "recommender.tflite", "saved_model/1"}
    for name, each in proven["files"].items():
        assert each["same"] > 0.995, name
        assert ("p50" in each) == (name != "saved_model/1")
        if "p50" in each:
            assert 0 < each["p50"] <= each["p95"] <= each["p99"]
    assert "of ten items the same" in (place / "run" / "report.html").read_text(encoding="utf-8")


def test_a_file_that_says_something_else_is_told(place, tmp_path, capsys):
    recommender = load_recommender(place / "run" / "bundle")
    histories = [recommender.history([item]) for item in recommender.ids[:40]]
    other = Recommender(
        dataclasses.replace(recommender.signals),
        dataclasses.replace(recommender.ranker, weights=-recommender.ranker.weights),
        *(recommender.ids, recommender.titles, recommender.behaviours, recommender.categories, recommender.liked),
    )
    found = proof(place / "run" / "bundle", other, histories)
    assert all(each["same"] < 0.5 for each in found["files"].values())
    assert "warning: recommender.tflite lists" in capsys.readouterr().err


def test_the_report_is_a_page_for_people(place):
    page = (place / "run" / "report.html").read_text(encoding="utf-8")
    report = json.loads((place / "run" / "report.json").read_text(encoding="utf-8"))
    figures = report["variants"][0]["metrics"]["all"]
    assert f"{figures['ndcg_at_10']:.4f}" in page
    assert report["examples"][0]["items"][0]["title"] in page
    assert "quick run" not in page
    assert not re.search(r"(src|href)=.https?:", page)


def test_every_user_has_his_figures(place):
    with open(place / "run" / "users.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    figures = json.loads((place / "run" / "report.json").read_text(encoding="utf-8"))["variants"][0]["metrics"]
    for view in ("warm", "all", "cold"):
        own = [row for row in rows if row["view"] == view]
        assert sum(int(row["queries"]) for row in own) == figures[view]["queries"]
        mean = np.average([float(row["ndcg_at_10"]) for row in own], weights=[int(row["queries"]) for row in own])
        assert mean == pytest.approx(figures[view]["ndcg_at_10"], abs=1e-3)


def test_tensorboard_shows_the_figures_of_each_way_and_the_items_vectors(place):
    report = json.loads((place / "run" / "report.json").read_text(encoding="utf-8"))
    with real_tensorboard(place / "run" / "tensorboard", scalars=4) as board:
        assert {each["name"] for each in report["variants"]} == {"recommender", "popular"}
        assert set(board.ask("scalars", "tags")) == {"recommender", "popular", "interest", "interest_first_half"}
        losses = [value for _, _, value in board.ask("scalars", "scalars", run="interest", tag="loss")]
        assert np.isfinite(losses).all()
        assert losses[-1] > 0
        for variant in report["variants"]:
            ((_, _, value),) = board.ask("scalars", "scalars", run=variant["name"], tag="cold/ndcg_at_10")
            assert value == pytest.approx(variant["metrics"]["cold"]["ndcg_at_10"])
        assert wait(lambda: board.ask("projector", "runs") == ["recommender"], seconds=30)
        (embedding,) = board.ask("projector", "info", run="recommender")["embeddings"]
        assert embedding["tensorName"] == "item_vectors"
        rows = board.raw("plugin/projector/metadata", run="recommender", name=embedding["tensorName"]).decode().splitlines()
        vectors = np.frombuffer(board.raw("plugin/projector/tensor", run="recommender", name=embedding["tensorName"]), np.float32)
    assert embedding["tensorShape"] == [360, 16]
    assert rows[0] == "title\tcategory\tevents"
    found = load_recommender(place / "run" / "bundle")
    first = np.argsort(-found.signals.counts[:, 0], kind="stable")[0]
    assert rows[1].split("\t")[0] == found.titles[first]
    np.testing.assert_allclose(vectors[:16], found.signals.vectors[first], rtol=1e-3, atol=1e-4)


def test_a_quick_run_says_that_it_is_one_and_an_index_ships_where_it_is_wanted(place, tmp_path, capsys):
    data = ["--interactions", str(place / "events.csv"), "--items", str(place / "items.csv"), "--out", str(tmp_path / "run")]
    small = ["--set", "export.search=approximate", "--set", "export.index=int8", "--set", "export.saved_model=false"]
    assert cli.main(APP, ["run", *data, *small, "--quick", "--set", "data.liked=4", "--set", "evaluate.least_rows=5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["quick"] is True
    assert "quick run" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    found = load_recommender(tmp_path / "run" / "bundle")
    assert len(found.nearest) == 360
    assert found.recommend(found.history(["2", "6"]), 1)[0].item not in ("2", "6")
    assert {"nearest.voyager", "recommender.tflite"} < report["files"].keys()
    assert not any(name.startswith("saved_model") for name in report["files"])


def test_the_bundle_is_sound_and_has_what_was_learned(place):
    verify_bundle(place / "run" / "bundle")
    found = load_recommender(place / "run" / "bundle")
    assert len(found.ids) == 360
    assert "interest" in found.ranker.names


def test_users_are_recommended_what_they_like_and_have_not_had(place, capsys):
    code, out, _ = recommend(capsys, place, "--user", "u0", "u1", "u2", "-k", "5", "--json")
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["user"] for line in lines] == ["u0", "u1", "u2"]
    had = {tuple(row.split(",")[:2]) for row in (place / "events.csv").read_text(encoding="utf-8").splitlines()}
    for number, line in enumerate(lines):
        assert len(line["items"]) == 5
        assert sum(int(each["item"]) % 4 == number for each in line["items"]) >= 4
        assert not any((line["user"], each["item"]) in had for each in line["items"])
        assert line["items"][0]["title"] == f"Thing {line['items'][0]['item']}"


def test_users_are_looked_for_in_the_log_that_the_bundle_was_made_of(place, tmp_path, capsys):
    asked = ["recommend", "--user", "u1", "--json", "--bundle"]
    assert cli.main(APP, [*asked, str(place / "run" / "bundle")]) == 0
    assert capsys.readouterr().out == recommend(capsys, place, "--user", "u1", "--json")[1]
    shutil.copytree(place / "run" / "bundle", tmp_path / "bundle")
    assert cli.main(APP, [*asked, str(tmp_path / "bundle")]) == 2
    assert "the bundle was made of events, and where its users' events are is not told (give --interactions)" in capsys.readouterr().err


def test_events_of_items_that_came_after_the_bundle_are_passed_over_and_told(place, tmp_path, capsys):
    events = (place / "events.csv").read_text(encoding="utf-8") + "u0,unheard-of,999999999,5\n"
    (tmp_path / "later.csv").write_text(events, encoding="utf-8")
    asked = [
        "recommend",
        "--bundle",
        str(place / "run" / "bundle"),
        "--interactions",
        str(tmp_path / "later.csv"),
        "--user",
        "u0",
        "--json",
    ]
    assert cli.main(APP, asked) == 0
    told = capsys.readouterr()
    assert "warning: 1 of" in told.err
    assert json.loads(told.out)["items"] == json.loads(recommend(capsys, place, "--user", "u0", "--json")[1])["items"]


def test_a_history_of_items_needs_no_user_and_says_why(place, capsys):
    code, out, _ = recommend(capsys, place, "--history", "2, 6,10", "--explain")
    assert code == 0
    assert out.startswith("this history\n")
    assert len(re.findall(r"^ +[-\d.]+  Thing ", out, re.MULTILINE)) == 10
    assert re.search(r"because of Thing (2|6|10) \+", out)
    assert "interest " in out
    code, out, _ = recommend(capsys, place, "--history", "2,6,10", "--explain", "--json")
    items = json.loads(out)["items"]
    for each in items:
        assert sum(each["parts"].values()) == pytest.approx(each["score"], abs=1e-3)
        assert set(each["events"]) == {"Thing 2", "Thing 6", "Thing 10"}


def test_lists_and_variety_change_what_is_shown(place, capsys):
    code, out, _ = recommend(capsys, place, "--history", "2", "--allow", "6, 10,3", "--deny", "10", "--json")
    assert code == 0
    assert [each["item"] for each in json.loads(out)["items"]] == ["6", "3"]
    plain, various = (
        [each["item"] for each in json.loads(recommend(capsys, place, "--history", "2,6,10", "--variety", variety, "--json")[1])["items"]]
        for variety in ("0", "0.9")
    )
    assert plain[0] == various[0]
    assert set(plain) != set(various)


def test_similar_items_are_of_its_kind(place, capsys):
    code = cli.main(APP, ["similar", "--bundle", str(place / "run" / "bundle"), "8", "9", "-k", "5", "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    for line, number in zip(lines, (8, 9), strict=True):
        assert (line["item"], line["title"]) == (str(number), f"Thing {number}")
        assert sum(int(each["item"]) % 4 == number % 4 for each in line["items"]) >= 4
        assert str(number) not in {each["item"] for each in line["items"]}


def test_what_somebody_wants_can_be_told_in_words(place, capsys):
    code, out, _ = recommend(capsys, place, "--history-text", "violin and cello", "a piano", "-k", "5", "--json")
    assert code == 0
    assert sum(int(each["item"]) % 4 == 0 for each in json.loads(out)["items"]) >= 4
    code, out, _ = recommend(capsys, place, "--history", "1", "--history-text", "football", "-k", "5", "--json")
    assert sum(int(each["item"]) % 4 == 1 for each in json.loads(out)["items"]) >= 4


def test_the_exported_files_recommend_the_same(place, capsys):
    bundle = load_recommender(place / "run" / "bundle")
    found = bundle.recommend(bundle.history(["2", "6", "10"]), k=5)
    run = Interpreter(model_path=str(place / "run" / "bundle" / "recommender.tflite")).get_signature_runner("serving_default")
    numbers = np.array([bundle.number(item) for item in ("2", "6", "10")], np.int32)
    told = run(items=numbers, wanted=np.ones(3, np.float32), behaviours=np.zeros(3, np.int32), k=np.int32(5))
    assert [bundle.ids[number] for number in told["items"]] == [each.item for each in found]
    np.testing.assert_allclose(told["scores"], [each.score for each in found], rtol=1e-3)
    assert (place / "run" / "bundle" / "saved_model" / "1" / "saved_model.pb").is_file()


def test_new_items_are_recommended_without_learning_again(place, tmp_path, capsys):
    shutil.copytree(place / "run" / "bundle", tmp_path / "bundle")
    items = "item,title,description,category\nnew-1,Nocturnes,piano violin cello,piano\nnew-2,Cup final,football goal,football\n5,Thing five,castle dragon,\n"
    (tmp_path / "new.csv").write_text(items, encoding="utf-8")
    update = ["update-items", "--bundle", str(tmp_path / "bundle"), "--items", str(tmp_path / "new.csv")]
    assert cli.main(APP, update) == 0
    assert "2 items came to" in capsys.readouterr().out
    verify_bundle(tmp_path / "bundle")
    found = load_recommender(tmp_path / "bundle")
    assert (len(found.ids), found.titles[found.number("5")]) == (362, "Thing five")
    arguments = ["recommend", "--bundle", str(tmp_path / "bundle"), "--history-text", "violin", "--allow", "new-1,new-2", "--json"]
    assert cli.main(APP, arguments) == 0
    assert [each["item"] for each in json.loads(capsys.readouterr().out)["items"]] == ["new-1", "new-2"]
    run = Interpreter(model_path=str(tmp_path / "bundle" / "recommender.tflite")).get_signature_runner("serving_default")
    told = run(items=np.array([0], np.int32), wanted=np.ones(1, np.float32), behaviours=np.zeros(1, np.int32), k=np.int32(362))
    assert 361 in told["items"]
    assert cli.main(APP, [*update[:-1], str(tmp_path / "no.csv")]) == 2
    assert "no.csv: cannot be read" in capsys.readouterr().err


def test_a_run_goes_on_with_newer_events_and_tells_what_moved(place, tmp_path, capsys):
    rows = (place / "events.csv").read_text(encoding="utf-8").splitlines()
    by_time = sorted(rows[1:], key=lambda row: float(row.split(",")[2]))
    first, newer = by_time[: 4 * len(by_time) // 5], by_time[4 * len(by_time) // 5 :]
    newer += [f"u99,{4 * number + 2},{float(by_time[-1].split(',')[2]) + number + 1},5" for number in range(5)]
    for name, own in (("first.csv", first), ("newer.csv", newer)):
        (tmp_path / name).write_text("\n".join([rows[0], *own]) + "\n", encoding="utf-8")
    (tmp_path / "new.csv").write_text("item,title,description,category\nnew,Quartets,violin cello,piano\n", encoding="utf-8")
    data = ["--interactions", str(tmp_path / "first.csv"), "--items", str(place / "items.csv")]
    assert cli.main(APP, ["run", *data, "--out", str(tmp_path / "run"), *SETTINGS, "--set", "interest.epochs=4"]) == 0
    more = ["fit-more", "--run", str(tmp_path / "run"), "--out", str(tmp_path / "more"), "--items", str(tmp_path / "new.csv")]
    capsys.readouterr()
    assert cli.main(APP, [*more, "--interactions", str(tmp_path / "newer.csv")]) == 0
    assert f"newer: {len(newer):,} events, 1 users, 1 items" in capsys.readouterr().out
    report = json.loads((tmp_path / "more" / "report.json").read_text(encoding="utf-8"))
    assert 0.3 < report["moved"]["vectors"]["mean_cosine"] < 1.0
    assert report["moved"]["lists"]["users"] == 61
    before, after = (report["forecast"][name]["warm"] for name in ("as_it_was", "gone_on"))
    assert before["queries"] == after["queries"] > 5
    assert report["forecast"]["difference"]["warm"][0] == pytest.approx(after["ndcg_at_10"] - before["ndcg_at_10"]) != 0.0
    assert len(report["moved"]["rising"]) == 10
    shown = (tmp_path / "more" / "report.html").read_text(encoding="utf-8")
    assert f"{len(newer):,} newer events, 1 new users, 1 new items" in shown
    assert all(f"{each['ndcg_at_10']:.4f}" in shown for each in (before, after))
    assert f"{report['moved']['rising'][0][1]:+,}" in shown
    verify_bundle(tmp_path / "more" / "bundle")
    one, other = (load_recommender(tmp_path / name / "bundle") for name in ("run", "more"))
    assert other.ids == (*one.ids, "new")
    assert other.signals.counts[:, 0].sum() == len(by_time) + 5
    assert other.ranker.weights.tolist() == one.ranker.weights.tolist()
    assert cli.main(APP, [*more, "--interactions", str(tmp_path / "first.csv")]) == 2
    assert "none of these events is newer" in capsys.readouterr().err
    latest = float(by_time[-1].split(",")[2]) + 100
    (tmp_path / "latest.csv").write_text(f"{rows[0]}\nu99,new,{latest},5\n", encoding="utf-8")
    again = ["fit-more", "--run", str(tmp_path / "more"), "--out", str(tmp_path / "again"), "--interactions", str(tmp_path / "latest.csv")]
    assert cli.main(APP, again) == 0  # from all that the run before knew
    third = load_recommender(tmp_path / "again" / "bundle")
    assert (third.ids, third.categories) == (other.ids, other.categories)
    assert third.signals.counts[:, 0].sum() == len(by_time) + 6
    np.testing.assert_array_equal(third.signals.since, other.signals.since)
    (tmp_path / "undated.csv").write_text("user,item\nu99,new\n", encoding="utf-8")
    assert cli.main(APP, [*again[:-1], str(tmp_path / "undated.csv")]) == 2
    assert "neither older nor newer" in capsys.readouterr().err


def test_somebody_new_gets_what_is_wanted_by_all(place, capsys):
    code, out, _ = recommend(capsys, place, "--history", "", "--json")
    assert code == 0
    assert len(json.loads(out)["items"]) == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--user", "u99"], "no user 'u99' in the log; near: u9"),
        (["--history", "nothing"], "no item 'nothing' among 360"),
        ([], "nobody to recommend to (give --user or --history)"),
        (["--user", "u1", "--history", "1"], "both users and a history"),
        (["--history", "1", "-k", "0"], "k=0: 1 or more"),
        (["--history", "1", "--variety", "2"], "variety=2.0: 0 to 1"),
        (["--history", "1", "--allow", "x"], "no item 'x'"),
    ],
)
def test_whom_it_does_not_know_it_tells(place, capsys, arguments, message):
    code, out, err = recommend(capsys, place, *arguments)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("split", "told"), [("last", "last event of each user"), ("random", "0.3 of each user's events"), ("cold_items", "")]
)
def test_it_can_be_measured_by_other_splits_which_say_that_they_leak_time(place, tmp_path, capsys, split, told):
    data = ["--interactions", str(place / "events.csv"), "--items", str(place / "items.csv"), "--out", str(tmp_path / "run")]
    light = [
        "--set",
        "interest.structure=none",
        "--set",
        "export.saved_model=false",
        "--set",
        "export.tflite=false",
        "--set",
        "data.liked=4",
    ]
    assert cli.main(APP, ["run", *data, *light, "--set", f"evaluate.split={split}", "--set", "evaluate.share=0.3"]) == 0
    assert told in capsys.readouterr().err
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert report["split"] == {"by": split, "leaks_time": True}
    assert set(report["variants"][0]["metrics"]) >= ({"cold"} if split == "cold_items" else {"warm"})
    assert "leaks time" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_a_log_of_which_nobody_can_be_asked_is_told(tmp_path, capsys):
    (tmp_path / "log.csv").write_text("user,item,timestamp\n" + "".join(f"u{n},i{n % 3},{n}\n" for n in range(50)), encoding="utf-8")
    code = cli.main(APP, ["run", "--interactions", str(tmp_path / "log.csv"), "--out", str(tmp_path / "run")])
    assert code == 2
    assert "no user has 10 events after one of the moments" in capsys.readouterr().err


def test_a_log_in_which_nothing_is_wanted_is_told(place, tmp_path, capsys):
    data = ["--interactions", str(place / "events.csv"), "--items", str(place / "items.csv"), "--out", str(tmp_path / "run")]
    code = cli.main(APP, ["run", *data, *SETTINGS, "--set", "data.liked=9", "--set", "interest.structure=none"])
    told = capsys.readouterr().err
    assert code == 2
    assert "No event has a value of 9 or more" in told
    assert "one he wanted (data.liked) at their end" in told
