"""What only this app knows: its sample, how it likes to train, its verbs, and what it puts into a bundle."""

from pathlib import Path

from apps.customer_service.verbs import VERBS
from tfarch.app import App
from tfarch.config import Config
from tfarch.progress import say


def examine(config: Config) -> None:
    """Answers and FAQ in the data's folder are as they must be: told before the training."""
    from apps.customer_service.knowledge import read_folder

    read_folder(config.data.path or "")


def equip(bundle: Path, config: Config) -> None:
    """Answers and FAQ that lie in the data's folder (answers.yaml, faq.yaml, faq_queries.csv) go into the bundle."""
    from apps.customer_service.knowledge import equip as put
    from apps.customer_service.knowledge import read_folder
    from tfarch.data import load_dataset

    found = read_folder(config.data.path or "")
    if not found.answers and not found.entries:
        return
    valid = load_dataset(config.data.path, config.data, config.seed).valid
    rows = list(zip(valid.texts, valid.labels, strict=True))
    in_scope, unanswered = ([text for text, label in rows if (label == config.data.oos_label) is out] for out in (False, True))
    for intent in put(bundle, found, in_scope=in_scope, unanswered=unanswered):
        say(f"warning: answers.yaml has answers for {intent!r}, an intent that the model does not know")
    intents = len(found.answers.get("answers", ()))
    say(f"answers of {intents} intents and an FAQ of {len(found.entries)} entries went into the bundle: try the verb chat")


APP = App(
    name="customer_service",
    title="Understands a customer's question: intent with an honest probability, or out of scope.",
    sample=Path(__file__).parent / "data",
    sample_licence="Apache-2.0",
    # Half of the rows and one pass: a look at what comes out, not a model to keep.
    quick={
        "data": {"limit": 440},
        "train": {"epochs": 1},
        "evaluate": {"latency_texts": 50, "latency_repeats": 1},
        "export": {"variants": ["float32", "dynamic_int8"], "agreement_bound": 0.8},
    },
    verbs=VERBS,
    examine=examine,
    equip=equip,
)
