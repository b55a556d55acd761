"""Texts that are longer than the model reads: answered and explained by their passages where the bundle says so, by their beginning where not."""

import json

import numpy as np
import pytest

from tests.tiny_classifier import MAX_LENGTH, VOCABULARY
from tests.tiny_planted import DESCRIPTION, LABELS, PLANTED, planted_tflite
from tfarch.errors import InputError
from tfarch.export.bundle import write_bundle
from tfarch.runtime import Classifier, KnownRows, MultitaskClassifier, Network, Tokeniser, load
from tfarch.runtime.explanation import Completeness, Weights
from tfarch.runtime.occlusion import Occlusion
from tfarch.runtime.passages import of_long_texts, passages
from tfarch.runtime.scope import ScopeRule, Score, unit

TOKENISER = Tokeniser(VOCABULARY)
LONG = "Where is my card? " * 3 + "Please refund. " * 6 + "It is lost."
SHORT = "where is my refund?"
SPANS = passages(LONG, TOKENISER, MAX_LENGTH)
TEXTS = [SHORT, LONG, "", LONG]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    (folder / "model.tflite").write_bytes(planted_tflite("encoder"))
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in VOCABULARY), encoding="utf-8")
    return {each.name: each for each in folder.iterdir()}


@pytest.fixture(scope="module")
def network(files):
    return Network(files["model.tflite"], TOKENISER, MAX_LENGTH)


@pytest.fixture(scope="module")
def expected(network):
    return dict(zip(("probabilities", "text_vector"), of_long_texts(network, TEXTS, ["probabilities", "text_vector"]), strict=True))


def judged(network, said=True, **settings):
    """A classifier whose bundle says `long_texts`, or says nothing."""
    return Classifier(network, LABELS, bundle={} if said is None else {"long_texts": said}, **settings)


def several(network, said=True):
    own = judged(network, said)
    return MultitaskClassifier(network, {"one": own, "other": own}, bundle=own.bundle)


def test_the_long_text_of_these_tests_has_passages_that_are_answered_differently(network):
    answers = judged(network).probabilities([LONG[start:end] for start, end in SPANS]).argmax(axis=1)
    assert len(SPANS) > 2
    assert len(set(answers.tolist())) == 2


# Which of the two


@pytest.mark.parametrize(
    ("said", "asked", "by_passages"),
    [(True, None, True), (False, None, False), (None, None, False), (True, False, False), (False, True, True), (None, True, True)],
)
def test_the_bundle_says_how_long_texts_are_answered_unless_the_call_does(network, expected, said, asked, by_passages):
    wanted = expected["probabilities"] if by_passages else network.of_texts(TEXTS, ["probabilities"])[0]
    classifier, tasks = judged(network, said), several(network, said)
    probabilities, vectors = classifier.answers(TEXTS, long_texts=asked)
    np.testing.assert_array_equal(probabilities, wanted)
    np.testing.assert_array_equal(classifier.probabilities(TEXTS, long_texts=asked), wanted)
    np.testing.assert_array_equal(classifier.vectors(TEXTS, long_texts=asked), vectors)
    np.testing.assert_array_equal(tasks.answers(TEXTS, long_texts=asked)[0]["other"], wanted)
    for found in (classifier.predict(TEXTS, long_texts=asked), [each["one"] for each in tasks.predict(TEXTS, long_texts=asked)]):
        np.testing.assert_array_equal([each.probability for each in found], wanted.max(axis=1))


def test_a_loaded_bundle_answers_long_texts_as_it_says(files, tmp_path, expected):
    for said, wanted in (({"long_texts": True}, True), ({"long_texts": False}, False), ({}, False)):
        write_bundle(tmp_path / "bundle", {**DESCRIPTION, **said}, files)
        classifier = load(tmp_path / "bundle")
        assert classifier.long_texts is wanted
        (found,) = classifier.predict([LONG])
        assert (found.probability == pytest.approx(float(expected["probabilities"][1].max()), abs=1e-6)) is wanted


# Why


def test_what_is_explained_is_what_predict_says(network):
    rule = ScopeRule(Score("max_probability"), 0.6)
    classifier = judged(network, out_of_scope=rule)
    said = classifier.predict(TEXTS, top=2)
    for long_texts in (None, True):
        assert [found.prediction for found in classifier.explain(TEXTS, top=2, long_texts=long_texts)] == said
    scores = [found.scope.score for found in classifier.explain(TEXTS)]
    np.testing.assert_allclose(scores, rule.score(*classifier.answers(TEXTS)))
    assert [found.prediction for found in classifier.explain(TEXTS, long_texts=False)] == classifier.predict(TEXTS, long_texts=False)


def test_a_word_weighs_what_it_weighs_in_its_passage_by_the_share_of_that(network):
    classifier = judged(network, out_of_scope=ScopeRule(Score("max_probability"), 0.6))
    _, found, _, again = classifier.explain(TEXTS)
    assert again.words == found.words
    assert [word.text for word in found.words] == LONG.replace(".", " .").replace("?", " ?").split()
    assert all(LONG[word.start : word.end] == word.text for word in found.words)
    tokens = [len(TOKENISER.encode([LONG[start:end]], MAX_LENGTH)[0]) - 2 for start, end in SPANS]
    assert len(set(tokens)) > 1
    located = [TOKENISER.locate(LONG[start:end], MAX_LENGTH) for start, end in SPANS]
    weights = Occlusion(classifier)(located, [found.label] * len(located))
    shares = np.array(tokens) / sum(tokens)
    wanted = [
        np.concatenate([share * getattr(each, name) for each, share in zip(weights, shares, strict=True)]) for name in ("words", "scope")
    ]
    np.testing.assert_allclose([word.weight for word in found.words], wanted[0], atol=1e-5)
    np.testing.assert_allclose([word.scope for word in found.words], wanted[1], atol=1e-5)
    assert found.label == PLANTED
    assert {word.text for word in found.moving()} == {PLANTED}


def test_it_is_told_that_a_text_was_read_by_its_passages_and_of_which_a_note_is(network):
    text = f"{LONG} {' '.join(['Please refund.'] * 4)} {'my' * 40}"
    (found,) = judged(network).explain([text], nearest=0)
    passages_of_it = len(passages(text, TOKENISER, MAX_LENGTH))
    assert found.notes[0].startswith(f"it was read by its {passages_of_it} passages: ")
    assert len(found.notes) == 1

    class Noting(Occlusion):
        def __call__(self, texts, labels):
            found = super().__call__(texts, labels)
            return [Weights(each.words, notes=("seen",) if "lost" in text.text else ()) for each, text in zip(found, texts, strict=True)]

    classifier = judged(network)
    (found,) = classifier.explain([LONG], nearest=0, method=Noting(classifier))
    assert found.notes[1:] == ("of 1 of them: seen",)
    assert classifier.explain(["lost"], nearest=0, method=Noting(classifier))[0].notes == ("seen",)


def test_the_work_that_a_long_text_makes_is_bounded(network):
    classifier = judged(network)
    asked, answer = [], classifier.answers_of_ids
    classifier.answers_of_ids = lambda rows, **settings: asked.append(len(rows)) or answer(rows, **settings)
    text = "Where is my lost card please? " * 200
    count = len(passages(text, TOKENISER, MAX_LENGTH))
    (found,) = classifier.explain([text], nearest=0)
    assert count == 100
    assert sum(asked) <= 512 + 2 * count
    assert len(found.words) == 7 * 200
    assert found.notes[1] == "of 100 of them: it has many words: 3 neighbours at a time were left out together"


def test_sums_of_gradients_are_put_together_as_the_words_are(network):
    class Summing(Occlusion):
        def __call__(self, texts, labels):
            found = super().__call__(texts, labels)
            return [Weights(each.words, completeness=Completeness(each.words.sum() + 0.5, each.words.sum(), 0.6, 8)) for each in found]

    classifier = judged(network)
    (found,) = classifier.explain([LONG], nearest=0, method=Summing(classifier))
    assert found.completeness.total == pytest.approx(sum(word.weight for word in found.words))
    assert found.completeness.gap == pytest.approx(0.5)
    assert (found.completeness.tolerance, found.completeness.steps) == (pytest.approx(0.6), 8)


def test_the_nearest_rows_are_those_of_the_whole_text(network, expected):
    texts = ["please refund", "where is my card"]
    rows = KnownRows(tuple(texts), ("refund", "card"), unit(judged(network).vectors(texts)))
    (found,) = judged(network).explain([LONG], nearest=2, rows=rows)
    cosines = unit(expected["text_vector"][1:2]) @ rows.vectors.T
    np.testing.assert_allclose(sorted((row.cosine for row in found.nearest), reverse=True), sorted(cosines[0], reverse=True), atol=1e-5)
    assert json.loads(json.dumps(found.as_dict()))["nearest"][0]["label"] == found.nearest[0].label


# Tasks by name


def test_one_task_of_several_is_chosen_by_its_name(network):
    tasks = several(network)
    assert list(tasks.only("other")) == ["other"]
    assert tasks.only("other").long_texts
    with pytest.raises(InputError, match="unknown task 'third'; known: one, other"):
        tasks.only("third")


def test_one_task_alone_is_a_task_without_a_name(network):
    tasks = MultitaskClassifier.of(judged(network))
    assert (list(tasks), tasks.long_texts) == ([""], True)
    assert MultitaskClassifier.of(tasks) is tasks
    with pytest.raises(InputError, match=r"task 'one': the model has one task, without a name \(leave it out\)"):
        tasks.only("one")


@pytest.mark.parametrize("top", [0, -1])
def test_no_label_or_fewer_cannot_be_asked_for(network, top):
    classifier = judged(network)
    with pytest.raises(InputError, match=f"top={top}: expected a whole number from 1"):
        classifier.predictions([SHORT], *classifier.answers([SHORT]), top=top)
