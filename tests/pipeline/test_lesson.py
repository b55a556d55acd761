"""What trains beside the labelled rows: the classes' names, and texts without labels."""

import itertools

import numpy as np
import pytest

import tfarch
from tests import tiny_encoder
from tests.tiny_questions import call, write_csv
from tfarch.config import Config
from tfarch.errors import InputError
from tfarch.pipeline.lesson import LABELLED, lesson_after, lesson_of
from tfarch.pipeline.prepare import prepare
from tfarch.training.inference import Forward

WORDS = ("card", "refund", "cafe")
CONFIG = {**tiny_encoder.CONFIG, "num_hidden_layers": 1, "max_position_embeddings": 16}
FILLERS = list(itertools.permutations(("where", "is", "my", "the"), 3))
UNKNOWN = [" ".join((*filler[:2], word, word, "?", *filler[2:])) for word in WORDS for filler in FILLERS[12:]]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    return tiny_encoder.write_folder(folder, CONFIG, tiny_encoder.hugging_face_tensors(CONFIG))


def rows_of(names=WORDS):
    return [
        (" ".join((*filler[:2], word, word, *filler[2:])), name) for word, name in zip(WORDS, names, strict=True) for filler in FILLERS[:12]
    ]


def config_of(data, encoder, *, data_settings=None, **train):
    return Config().with_values(
        {
            "data": {"path": str(data), "max_length": 12, "shots": 2, **(data_settings or {})},
            "model": {"weights": str(encoder)},
            "train": train,
        }
    )


def lesson(tmp_path, encoder, names=WORDS, data_settings=None, **train):
    config = config_of(write_csv(tmp_path / "rows.csv", rows_of(names)), encoder, data_settings=data_settings, **train)
    return lesson_of(config, prepare(config)[""], tmp_path)


def write_texts(file, texts):
    file.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return {"unlabelled": str(file)}


def test_names_that_say_what_the_rows_say_are_rows_too(tmp_path, encoder):
    found = lesson(tmp_path, encoder, names=[f"the_is_{word}_{word}_my" for word in WORDS])
    assert len(found) == 2 * 3 + 3
    assert found.targets.tolist()[-3:] == [0, 1, 2]
    told = found.figures["class_names"]
    assert told["used"]
    assert told["nll_with"] < told["nll_without"]


def test_names_that_say_something_else_are_left_out(tmp_path, encoder):
    found = lesson(tmp_path, encoder, names=("refund", "cafe", "card"))  # each the word of another class
    assert len(found) == 2 * 3
    told = found.figures["class_names"]
    assert not told["used"]
    assert told["nll_with"] > told["nll_without"]


def test_they_may_be_had_always_or_never(tmp_path, encoder):
    always = lesson(tmp_path, encoder, names=("refund", "cafe", "card"), class_names="always")
    assert len(always) == 9
    assert str(always) == "6 texts and 3 names of classes"
    never = lesson(tmp_path, encoder, class_names="never")
    assert len(never) == 6
    assert not never.figures


def test_texts_without_labels_train_as_what_the_probe_takes_them_for_and_count_half(tmp_path, encoder):
    found = lesson(tmp_path, encoder, data_settings=write_texts(tmp_path / "logs.txt", UNKNOWN), class_names="never")
    figures = found.figures["unlabelled"]
    assert figures["texts"] == len(UNKNOWN)
    assert str(found) == f"6 texts and {figures['taken']} texts without labels"
    assert 3 <= figures["taken"] == len(found) - 6 <= 3 * round(0.4 * len(UNKNOWN) / 3)
    assert found.counts.tolist() == [LABELLED] * 6 + [1.0] * figures["taken"]
    # In the vocabulary's order of their names, which is that of the classes.
    word_of = {token: number for number, word in enumerate(sorted(WORDS)) for token in [tiny_encoder.VOCABULARY.index(word)]}
    ids = [found.tokens.ids[start:end] for start, end in itertools.pairwise(found.tokens.offsets)]
    true = [next(word_of[token] for token in text.tolist() if token in word_of) for text in ids]
    assert true[:6] == found.targets.tolist()[:6]
    assert np.mean(np.array(true[6:]) == found.targets[6:]) > 0.8


def test_a_text_counts_once_and_none_that_is_a_row_of_the_data(tmp_path, encoder):
    again = [UNKNOWN[0].upper(), UNKNOWN[0], "", *(text for text, _ in rows_of())]
    unlabelled = write_texts(tmp_path / "logs.txt", [*UNKNOWN, *again])
    found = lesson(tmp_path, encoder, data_settings={**unlabelled, "shots": 0})
    assert found.figures["unlabelled"]["texts"] == len(UNKNOWN)


def test_the_rows_that_were_left_out_can_be_learned_from_their_labels_unseen(tmp_path, encoder):
    config = config_of(write_csv(tmp_path / "rows.csv", rows_of()), encoder, data_settings={"unlabelled": "rest"})
    prepared = prepare(config)[""]
    rows = sum(len(part) for part in prepared.dataset.parts.values())
    found = lesson_of(config, prepared, tmp_path)
    assert found.figures["unlabelled"]["texts"] == 36 - rows > 0


def test_no_text_that_another_task_is_validated_or_tested_on_is_learned_from(tmp_path, encoder):
    held = {"valid": UNKNOWN[1::9], "test": UNKNOWN[::6]}
    (tmp_path / "tones").mkdir()
    for part, texts in {"train": [f"{text} card" for text in UNKNOWN], **held}.items():
        write_csv(tmp_path / "tones" / f"{part}.csv", [(text, ("calm", "upset")[number % 2]) for number, text in enumerate(texts)])
    own = {"about": str(write_csv(tmp_path / "rows.csv", rows_of())), "tone": str(tmp_path / "tones")}
    logs = write_texts(tmp_path / "logs.txt", [text.upper() for text in UNKNOWN])
    config = config_of("", encoder, data_settings={"path": None, "task_data": own, **logs}, class_names="never")
    found = lesson_of(config, prepare(config)["about"], tmp_path)
    assert found.figures["unlabelled"]["texts"] == len(UNKNOWN) - sum(map(len, held.values()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unlabelled": "rest", "shots": 0}, "data.unlabelled=rest: data.shots and data.limit leave no row out"),
        ({"unlabelled": "nowhere.txt"}, "nowhere.txt: cannot be read"),
    ],
)
def test_where_there_are_none_it_says_so(tmp_path, encoder, settings, message):
    with pytest.raises(InputError, match=message):
        lesson(tmp_path, encoder, data_settings=settings)


def test_a_run_learns_from_them_and_its_report_says_of_how_many(tmp_path, encoder):
    data = write_csv(tmp_path / "rows.csv", rows_of())
    logs = tmp_path / "logs.txt"
    write_texts(logs, UNKNOWN)
    settings = ["model.dropout=0", "train.epochs=1", "data.max_length=12", "export.variants=[float32]", "export.ship=float32"]
    settings += ["evaluate.latency_texts=1", "evaluate.threads=[1]", f"model.weights={encoder}", "export.agreement_bound=0"]
    answer = call(
        *("run", "--data", data, "--out", tmp_path / "out", "--shots", 2, "--draws", 1, "--unlabelled", logs, "--json"),
        *(part for setting in settings for part in ("--set", setting)),
    )
    assert answer.code == 0, answer.err
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "texts without labels" in report


def test_a_file_that_is_not_there_is_told_before_any_work(tmp_path, encoder):
    data, settings = write_csv(tmp_path / "rows.csv", rows_of()), ["--set", f"model.weights={encoder}", "--set", "data.max_length=12"]
    answer = call("run", "--data", data, "--out", tmp_path / "out", *settings, "--unlabelled", tmp_path / "no.txt")
    assert answer.code == 2
    assert answer.last.endswith("no.txt: cannot be read: No such file or directory")
    assert not (tmp_path / "out" / "label_errors.csv").exists()


def test_without_anything_pre_trained_it_is_refused(tmp_path):
    data = write_csv(tmp_path / "rows.csv", rows_of())
    settings = {"data": {"unlabelled": "rest", "shots": 2}, "model": {"structure": "averaged"}}
    with pytest.raises(InputError, match="only a pre-trained encoder can tell what they are"):
        tfarch.train(data, tmp_path / "out", settings=settings)


def test_a_recipe_learns_from_the_same_kinds_of_rows_by_what_the_trained_model_says(tmp_path, encoder):
    unlabelled = write_texts(tmp_path / "logs.txt", UNKNOWN)
    data = write_csv(tmp_path / "rows.csv", rows_of())
    config = config_of(data, encoder, data_settings=unlabelled, class_names="always", epochs=1)
    trained = tfarch.train(data, tmp_path / "out", config=config)
    again = prepare(config, tmp_path, start=trained.start, labels=trained.labels)[""]  # as the verb compress has it: no pre-trained weights
    found = lesson_after(config, again, trained.only, tmp_path, Forward(trained.build(0)))
    assert sorted(found.targets[:6].tolist()) == [0, 0, 1, 1, 2, 2]
    assert found.targets[6:9].tolist() == [0, 1, 2]
    assert found.counts.tolist() == [LABELLED] * 9 + [1.0] * (len(found) - 9)
    model, rows = trained.build(0), range(9, len(found))
    longest = int(found.tokens.lengths.max())
    said = [model(found.tokens.padded([row], longest)).numpy().argmax() for row in rows]
    assert said == found.targets.tolist()[9:]
    assert len(rows) >= 3
