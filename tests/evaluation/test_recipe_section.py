"""What a recipe did is told stage by stage; a report without one has no such section."""

from tfarch.evaluation.markup import join
from tfarch.evaluation.recipe_section import recipes

TRAINED = {"epochs": 2, "seconds": 90.0, "history": [{"valid_accuracy": 0.5}, {"valid_accuracy": 0.75}]}
SLIM = {
    "kind": "slim",
    "kernel_sparsity": 0.0,
    "vocabulary": 8000,
    "width": 384,
    "layers": 2,
    "heads": [3, 12],
    "neurons": [64, 512],
    **TRAINED,
}
PRUNE = {"kind": "prune", "kernel_sparsity": 0.305, "epochs": 1, "seconds": 300.0, "history": []}
ASKED = [{"kind": "slim", "distillation": 0.5, "text_vectors": 1.0}, {"kind": "prune", "distillation": 0.0, "text_vectors": 0.0}]


def shown(*applied):
    return join(recipes({"compression": list(applied)}))


def test_every_stage_is_a_row_with_what_it_left_and_took():
    page = shown({"name": "thin", "recipe": {"description": "half & half", "stages": ASKED}, "stages": [SLIM, PRUNE]})
    assert "<h3" in page
    assert "half &amp; half" in page
    assert "1. slim<small>50 % of the loss by the answers of the trained model, its text vectors</small>" in page
    assert "8,000 pieces; width 384; 2 layers; heads 3, 12; neurons 64, 512" in page
    assert all(each in page for each in ("75.00 %", "90.0 s", "30.5 %", "5 min 0 s"))
    assert "2. prune<" in page


def test_a_student_has_one_layer_or_none():
    left = {"kind": "student", "kernel_sparsity": 0.0, "vocabulary": 500, "width": 64}
    page = shown({"name": "thin", "stages": [left, {**left, "layers": 1, "heads": [2], "neurons": [128]}]})
    assert "<td>500 pieces; width 64; averaged</td>" in page
    assert "<td>500 pieces; width 64; 1 layer; heads 2; neurons 128</td>" in page
    assert "None" not in page


def test_who_taught_and_on_which_texts_is_told():
    taught = {**PRUNE, "texts": {"rows": 9043, "unlabelled": 31559, "made": 36172}}
    asked = {"kind": "prune", "distillation": 0.9, "variations": 4}
    page = shown({"name": "thin", "recipe": {"stages": [asked]}, "stages": [taught], "teacher": {"source": "large", "sha256": "ab"}})
    told = "90 % of the loss by the answers of large, 31,559 texts without labels, 36,172 texts made of the 9,043 that are trained on"
    assert f"1. prune<small>{told}</small>" in page
    taught["texts"] = {"rows": 9043, "unlabelled": 0, "made": 0}
    page = shown({"name": "thin", "recipe": {"stages": [{**asked, "variations": 0}]}, "stages": [taught]})
    assert "1. prune<small>90 % of the loss by the answers of the trained model</small>" in page


def test_a_criterion_is_named_where_it_chose_something():
    asked = {"kind": "slim", "criterion": "information", "keep_layers": [0, -1], "heads": 1.0, "neurons": 1.0}
    assert "1. slim<" in shown({"name": "thin", "recipe": {"stages": [asked]}, "stages": [SLIM]})
    assert "1. slim by information<" in shown({"name": "thin", "recipe": {"stages": [{**asked, "neurons": 0.5}]}, "stages": [SLIM]})


def test_without_a_recipe_there_is_nothing_to_tell():
    assert recipes({}) is None
    assert recipes({"compression": []}) is None


def test_what_told_what_to_prune_is_said_where_it_is_more_than_magnitude():
    asked = {"kind": "prune", "criterion": "movement", "scope": "global", "block": [4, 1], "n_of_m": [], "relations": 0.5}
    page = shown({"name": "thin", "recipe": {"stages": [asked]}, "stages": [PRUNE]})
    assert "1. prune by movement, in blocks of 4 x 1, one budget for all kernels<small>how its tokens relate</small>" in page
    page = shown(
        {"name": "thin", "recipe": {"stages": [{**asked, "n_of_m": [2, 4], "scope": "local", "relations": 0.0}]}, "stages": [PRUNE]}
    )
    assert "1. prune by movement, 2 of 4<" in page
