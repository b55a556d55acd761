"""Two finished runs side by side, and TensorBoard showing both: for the tests of what people look at."""

import pytest
import yaml

import tfarch
from tests.real_tensorboard import real_tensorboard
from tests.tiny_questions import OPENINGS, OUT_OF_SCOPE, SETTINGS, WORDS, questions, write_csv

# Test rows hold a word of another class now and then: nobody gets all of them right.
TEST = [(f"{opening} {word}", label) for label, words in WORDS.items() for word in (*words, "account refund pin") for opening in OPENINGS]
WIDTHS = {"narrow": 4, "wide": 16}
EPOCHS = 8  # some updates of which TensorBoard is told


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory):
    """A folder with a run in `narrow` and one in `wide`, of other embeddings."""
    parent, data = tmp_path_factory.mktemp("saved_models"), tmp_path_factory.mktemp("tiny_desk")
    write_csv(data / "train.csv", questions())
    write_csv(data / "test.csv", [*TEST, *((text, "oos") for text in OUT_OF_SCOPE)])
    for name, width in WIDTHS.items():
        settings = yaml.safe_load(SETTINGS)
        settings["model"]["averaged_width"], settings["train"]["epochs"] = width, EPOCHS
        tfarch.run(data, out=parent / name, settings=settings)
    return parent


@pytest.fixture(scope="session")
def board(saved_models):
    """A real TensorBoard on both runs, as `tensorboard --logdir saved_models` starts it."""
    with real_tensorboard(saved_models, scalars=4, images=2, pr_curves=2) as server:
        yield server
