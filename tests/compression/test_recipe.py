"""A recipe is a text file that is read exactly, or refused with the line and what is known."""

import pytest

from tfarch.compression.recipe import Prune, QuantisationAware, load_recipe, shipped_recipes
from tfarch.errors import InputError
from tfarch.settings import dump_yaml


@pytest.fixture
def recipe(tmp_path):
    """Writes a recipe file and gives its path."""

    def write(text):
        file = tmp_path / "mine.yaml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write


def test_the_shipped_recipes_are_these():
    assert sorted(shipped_recipes()) == ["averaged", "prune30", "prune50_qat", "qat", "small", "tiny"]


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_bears_the_name_of_its_file_and_survives_the_way_through_yaml(name, recipe):
    loaded = load_recipe(name)
    assert loaded.name == name
    assert loaded.description
    assert load_recipe(recipe(dump_yaml(loaded.as_dict()))) == loaded


def test_settings_that_are_left_out_have_their_defaults(recipe):
    loaded = load_recipe(recipe("version: 1\nstages:\n  - kind: prune\n    sparsity: 0.7\n  - kind: quantisation_aware\n"))
    assert loaded.name == "mine"
    assert loaded.stages == (Prune(sparsity=0.7), QuantisationAware())


def test_an_unknown_name_lists_the_shipped_recipes():
    with pytest.raises(
        InputError,
        match=r"unknown recipe 'prune99'; known: averaged, prune30, prune50_qat, qat, small, tiny \(or a file that ends in \.yaml\)",
    ):
        load_recipe("prune99")


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match=r"nowhere\.yaml: cannot be read"):
        load_recipe("nowhere.yaml")


STAGE = "version: 1\nname: mine\nstages:\n  - kind: prune\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (STAGE + "    sparsty: 0.5\n", 5, "unknown setting 'stages.0.sparsty'; known: block, criterion, distillation, .* sparsity"),
        (STAGE + "author: me\n", 5, "unknown setting 'author'; known: bounds, description, name, stages, version"),
        (STAGE + "  - kind: thin\n", 5, "unknown kind of stage 'thin'; known: prune, quantisation_aware, slim, student"),
        (STAGE + "  - thin\n", 5, "unknown kind of stage 'thin'"),
        (STAGE + "  - kind: slim\n    keep_layers: [2, 0]\n", 6, r"stages.1.keep_layers=\[2, 0\]: expected rising numbers from 0"),
        (STAGE + "  - kind: slim\n    keep_layers: [-1, 0]\n", 6, r"stages.1.keep_layers=\[-1, 0\]: expected rising numbers from 0"),
        (STAGE + "  - kind: slim\n    heads: 0.0\n", 6, "stages.1.heads=0.0: expected 0.001 to 1"),
        (STAGE + "  - kind: student\n    width: 48\n", 6, "stages.1.width=48: expected heads of 32 numbers to fill it"),
        (STAGE + "  - kind: student\n    head_width: 96\n", 6, "stages.1.width=128: expected heads of 96 numbers to fill it"),
        (STAGE + "  - kind: student\n    depth: -1\n", 6, "stages.1.depth=-1: expected 0 to 24"),
        (STAGE + "  - kind: slim\n    criterion: luck\n", 6, "stages.1.criterion='luck': expected one of magnitude, gradient, information"),
        (
            STAGE + "  - kind: slim\n    vocabulary: 900\n    most_vocabulary: 800\n",
            7,
            "stages.1.most_vocabulary=800: expected at least the vocabulary, 900",
        ),
        (STAGE + "  - kind: student\n    most_vocabulary: 800\n", 6, "stages.1.most_vocabulary=800: expected at least the vocabulary, 0"),
        (STAGE + "    distillation: 2\n", 5, "stages.0.distillation=2.0: expected 0 to 1"),
        (STAGE + "  - [prune]\n", 5, "unknown kind of stage"),
        ("version: 2\nstages:\n  - kind: prune\n", 1, "version 2: this tfarch reads version 1"),
        ("name: mine\nstages:\n  - kind: prune\n", 1, "version None: this tfarch reads version 1"),
        ("version: 1\nname: mine\n", 1, "stages: expected a list of stages"),
        ("version: 1\nstages: []\n", 2, "stages: expected a list of stages"),
        (STAGE + "    sparsity: 1.0\n", 5, "stages.0.sparsity=1.0: expected 0 to 0.999"),
        (STAGE + "    epochs: 0\n", 5, "stages.0.epochs=0: expected 1 to"),
        (STAGE + "    learning_rate: -1\n", 5, "stages.0.learning_rate=-1.0: expected 0 to 1"),
        (STAGE + "    ramp: .nan\n", 5, "stages.0.ramp=nan: expected a finite number"),
        (STAGE + "    start: 0.5\n", 5, "stages.0.start=0.5: expected no more than the ramp of 0.6 leaves"),
        (STAGE + "    sparsity: half\n", 5, "stages.0.sparsity='half': expected float"),
        (STAGE + "    schedule: linear\n", 5, "stages.0.schedule='linear': expected one of polynomial, cubic, cosine, constant"),
        (STAGE + "    criterion: luck\n", 5, "stages.0.criterion='luck': expected one of magnitude, gradient, information, movement"),
        (STAGE + "    block: [4]\n", 5, r"stages.0.block=\[4\]: expected two numbers from 1"),
        (STAGE + "    n_of_m: [4, 4]\n", 5, r"stages.0.n_of_m=\[4, 4\]: expected \[n, m\] with n < m"),
        (STAGE + "    block: [2, 2]\n    n_of_m: [2, 4]\n", 6, r"stages.0.n_of_m=\[2, 4\]: expected no block beside it"),
        (STAGE + "    least_sparsity: 0.4\n", 5, "stages.0.least_sparsity=0.4: expected at most the sparsity"),
        (
            STAGE + "    variations: 2\n",
            5,
            r"stages.0.variations=2: nothing says what they are \(distillation, text_vectors, hidden_states or relations over 0\)",
        ),
        (STAGE + "    initial_sparsity: 0.5\n", 5, "stages.0.initial_sparsity=0.5: expected at most the sparsity, 0.3"),
        ("version: 1\nname: ../mine\nstages:\n  - kind: prune\n", 2, "name='../mine': files are named after it"),
        ("version: 1\nname: trained\nstages:\n  - kind: prune\n", 2, "name='trained': files are named after it"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(recipe, text, line, message):
    with pytest.raises(InputError, match=message) as raised:
        load_recipe(recipe(text))
    assert raised.value.line == line
