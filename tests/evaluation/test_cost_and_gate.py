"""What a file costs against float32 is counted as by hand, and the gate says of each bound whether it holds."""

import dataclasses

import numpy as np
import pytest

from tfarch.compression.recipe import load_recipe
from tfarch.config import Config, GateConfig
from tfarch.errors import GateError, InputError
from tfarch.evaluation import cost_section
from tfarch.evaluation.cost import cost, in_short, typos
from tfarch.evaluation.gate import asked_for, gate, require_gate
from tfarch.evaluation.markup import join
from tfarch.evaluation.typos import with_typo

LABELS = ("a", "b", "c", "d")
TEXTS = ["x" * length for length in (2, 3, 4, 20, 30, 40, 200, 300, 400)]
TARGETS = np.array([0, 0, 1, 1, 2, 2, 3, 3, 0])
BEFORE = np.array([0, 0, 1, 1, 2, 2, 3, 0, 1])  # two wrong
NOW = np.array([0, 1, 1, 1, 2, 0, 3, 3, 2])  # two lost, one gained, one otherwise wrong


def probabilities(answers, sureness):
    found = np.full((len(answers), len(LABELS)), 0.01)
    found[np.arange(len(answers)), answers] = sureness
    return found


@pytest.fixture
def found():
    sure = np.array([0.5, 0.6, 0.7, 0.8, 0.5, 0.9, 0.4, 0.4, 0.4])
    return cost(probabilities(NOW, sure), probabilities(BEFORE, sure), TARGETS, LABELS, TEXTS, np.array([50, 40, 3, 30]))


def test_flips_are_counted_both_ways_and_those_lost_shown_surest_first(found):
    flips = found["flips"]
    assert (flips["count"], flips["lost"], flips["gained"]) == (4, 2, 1)
    assert [(each["label"], each["predicted"], len(each["text"])) for each in flips["examples"]] == [("c", "a", 40), ("a", "b", 3)]
    assert (found["rows"], found["accuracy"], found["reference_accuracy"]) == (9, pytest.approx(6 / 9), pytest.approx(7 / 9))


def test_slices_are_thirds_by_length_and_the_classes_with_the_fewest_training_rows(found):
    slices = {each["name"]: (each["rows"], each["accuracy"], each["reference_accuracy"]) for each in found["slices"]}
    third = pytest.approx
    assert slices == {
        "up to 14 characters": (3, third(2 / 3), 1.0),
        "15 to 93 characters": (3, third(2 / 3), 1.0),
        "over 93 characters": (3, third(2 / 3), third(1 / 3)),
        "the class with the fewest training rows": (2, 0.5, 1.0),
    }


def test_classes_are_told_by_recall(found):
    assert [(each["name"], each["rows"], each["accuracy"], each["reference_accuracy"]) for each in found["classes"]] == [
        ("a", 3, pytest.approx(1 / 3), pytest.approx(2 / 3)),
        ("b", 2, 1.0, 1.0),
        ("c", 2, 0.5, 1.0),
        ("d", 2, 1.0, 0.5),
    ]


def test_a_typo_changes_one_word_by_one_slip_and_leaves_short_words_alone():
    rng = np.random.default_rng(0)
    kinds = set()
    for _ in range(200):
        slipped = with_typo("the transfer is late", rng)
        words = slipped.split(" ")
        assert len(words) == 4
        changed = [(before, after) for before, after in zip(["the", "transfer", "is", "late"], words, strict=True) if before != after]
        assert [before for before, _ in changed] in ([], ["transfer"], ["late"])  # doubled letters swap into themselves in other words
        for before, after in changed:
            assert after[0] == before[0]
            kinds.add(len(after) - len(before))
    assert kinds == {-1, 0, 1}
    assert with_typo("to be or not", rng) == "to be or not"
    assert with_typo("", rng) == ""


def test_typos_are_measured_on_the_same_rows_by_both_models():
    asked = []

    def model(texts):
        asked.append(list(texts))
        return probabilities(np.array([0 if "transfer" in text else 1 for text in texts]), 0.9)

    texts, targets = ["my transfer came", "my card"] * 30, np.array([0, 1] * 30)
    answers = {"one": probabilities(targets, 0.9), "other": probabilities(1 - targets, 0.9)}
    rows, found = typos({"one": model, "other": model}, answers, texts, targets, rows=40, seed=3)
    slipped, again = asked
    assert again == slipped
    assert len(slipped) == rows == 40
    assert not set(slipped) <= set(texts)
    assert (found["one"]["clean"], found["other"]["clean"]) == (1.0, 0.0)
    assert found["one"]["typos"] == found["other"]["typos"] < 1.0


def test_a_file_is_told_in_short_by_what_loses_most(found):
    short = in_short({**found, "classes": [{**each, "rows": 10 * each["rows"]} for each in found["classes"]]})
    assert short["flips"] == {"count": 4, "lost": 2, "gained": 1}
    assert (short["worst_class"]["name"], short["worst_slice"]) == ("c", None)  # slices of so few rows say nothing


def variant(name, **figures):
    metrics = {"accuracy": 0.9, "ece": 0.02, "oos_auroc": 0.95, **figures.pop("metrics", {})}
    return {"name": name, "bytes": 20_000_000, "latency_ms": {"threads_1": {"p50": 4.0}}, "metrics": metrics, **figures}


REPORT = {
    "chosen": "small",
    "variants": [
        variant("float32", latency_ms={"threads_1": {"p50": 12.0}}),
        variant("dynamic_int8"),
        variant("small", bytes=5_000_000, latency_ms={"threads_1": {"p50": 1.0}}, metrics={"accuracy": 0.89, "oos_auroc": 0.9}),
    ],
    "cost": {
        "rows": 100,
        "flips": {"lost": 3},
        "classes": [
            {"name": "a", "rows": 30, "accuracy": 0.8, "reference_accuracy": 0.9},
            {"name": "few", "rows": 19, "accuracy": 0.0, "reference_accuracy": 1.0},
        ],
        "slices": [{"name": "short", "rows": 33, "accuracy": 0.88, "reference_accuracy": 0.9}],
        "typos": {"clean": 0.9, "typos": 0.8, "reference_clean": 0.9, "reference_typos": 0.85},
    },
}
FOUND = {
    "accuracy": 0.89,
    "accuracy_loss": 0.01,
    "class_loss": 0.1,  # of classes with rows enough
    "slice_loss": 0.02,
    "flips": 0.03,
    "typo_loss": 0.05,
    "ece": 0.02,
    "auroc_loss": 0.05,
    "megabytes": 5.0,
    "latency": 0.25,
}


def test_every_bound_has_its_figure_and_holds_on_the_right_side_of_it_alone():
    assert set(FOUND) == set(GateConfig.__dataclass_fields__)
    for name, value in FOUND.items():
        step = -1e-6 if name == "accuracy" else 1e-6
        for asked, holds in ((value + step, True), (value - step, False)):
            (row,) = gate(REPORT, {name: asked})
            assert (row["bound"], row["found"], row["holds"]) == (name, pytest.approx(value), holds)


def test_a_figure_that_a_run_does_not_have_holds_no_bound():
    (row,) = gate({**REPORT, "cost": None}, {"flips": 1.0})
    assert (row["found"], row["holds"]) == (None, False)
    with pytest.raises(GateError, match=r"gate.flips: this run has no such figure, asked at most 1"):
        require_gate([row])


def test_all_broken_bounds_are_named_and_none_that_holds():
    rows = gate(REPORT, {"accuracy": 0.95, "megabytes": 4.0, "ece": 0.5})
    with pytest.raises(GateError, match=r"^gate.accuracy: 0.89, asked at least 0.95; gate.megabytes: 5, asked at most 4$"):
        require_gate(rows)
    require_gate(gate(REPORT, {"ece": 0.5}))


def test_bounds_of_several_tasks_are_asked_of_each_and_what_they_share_once():
    metrics = {"mood": {"accuracy": 0.9}, "topic": {"accuracy": 0.7}}
    report = {
        "chosen": "float32",
        "variants": [{**variant("float32"), "metrics": metrics}],
        "tasks": {"mood": {}, "topic": {}},
    }
    rows = gate(report, {"accuracy": 0.8, "megabytes": 30})
    assert [(row["bound"], row.get("task"), row["holds"]) for row in rows] == [
        ("accuracy", "mood", True),
        ("accuracy", "topic", False),
        ("megabytes", None, True),
    ]


def test_settings_win_over_what_a_recipe_promises(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("version: 1\nstages:\n  - {kind: prune}\nbounds: {megabytes: 6, accuracy_loss: 0.005}\n", encoding="utf-8")
    recipe = load_recipe(str(file))
    assert recipe.stated == {"megabytes": 6.0, "accuracy_loss": 0.005}
    config = Config().with_setting("gate.megabytes=7").with_setting("gate.ece=0.1")
    assert asked_for(dataclasses.asdict(config.gate), recipe.stated) == {"megabytes": 7.0, "accuracy_loss": 0.005, "ece": 0.1}
    file.write_text("version: 1\nstages:\n  - {kind: prune}\nbounds: {flips: 2}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 4: bounds.flips=2.0: expected 0 to 1"):
        load_recipe(str(file))
    with pytest.raises(InputError, match=r"gate.accuracy=2.0: expected 0 to 1"):
        Config().with_setting("gate.accuracy=2")


def test_the_page_shows_what_is_lost_and_what_is_broken(found):
    page = join(cost_section.cost({"cost": {"against": "float32", **found, "typos": REPORT["cost"]["typos"] | {"rows": 40}}}))
    for told in ("4 of 9", "right answers lost", "over 93 characters", "80.0 %, without 90.0 (40 rows)", "said now"):
        assert told in page
    files = [{"name": name, **in_short(found), "typos": {"clean": 0.9, "typos": 0.7654}} for name in ("small", "dynamic_int8")]
    page = join(cost_section.cost({"chosen": "small", "cost": {"against": "float32", **found, "variants": files}}))
    for told in ("<b>small</b>", "dynamic_int8", "-11.11", "76.5", "none"):
        assert told in page
    page = join(cost_section.gate({"gate": gate(REPORT, {"accuracy": 0.95, "ece": 0.5})}))
    assert page.count("broken</td>") == 1
    assert page.count("holds</td>") == 1
    assert cost_section.cost({}) is None
    assert cost_section.gate({"gate": []}) is None
