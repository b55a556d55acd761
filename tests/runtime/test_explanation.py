"""Explanations by occlusion equal asking the file again without each word, whatever the text; and what is not known is said."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.tiny_classifier import MAX_LENGTH, VOCABULARY
from tests.tiny_planted import DESCRIPTION, LABELS, PLANTED, SPECS, planted_tflite
from tfarch.errors import BundleError, InputError
from tfarch.export.bundle import arrays_file, update_bundle, write_bundle
from tfarch.runtime import Classifier, KnownRows, Network, Tokeniser, load
from tfarch.runtime.explanation import NO_ROWS, Word, strongest
from tfarch.runtime.occlusion import MOST_STRETCHES, log_odds, stretches
from tfarch.runtime.scope import ScopeRule, Score, unit

TOKENISER = Tokeniser(VOCABULARY)
TEXTS = ("where is my refund?", "please refund my lost card", "my card is lost")
ROWS = (("where is my card", "card"), ("my refund please", "refund"), ("the lost card", "card"), ("refund ?", "refund"))


def judged(file, **settings):
    return Classifier(Network(file, TOKENISER, MAX_LENGTH), LABELS, **settings)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    for structure in SPECS:
        (folder / f"{structure}.tflite").write_bytes(planted_tflite(structure))
    return {structure: folder / f"{structure}.tflite" for structure in SPECS}


@pytest.fixture(scope="module")
def classifier(files):
    return judged(files["encoder"])


@pytest.fixture(scope="module")
def rows(classifier):
    texts, labels = zip(*ROWS, strict=True)
    return KnownRows(texts, labels, unit(classifier.vectors(texts)).astype(np.float16))


@pytest.fixture
def bundle(files, rows, tmp_path):
    """A bundle with the texts of its training rows."""
    description = {**DESCRIPTION, "examples": {"texts": "examples.json", "vectors": "examples.npz"}}
    contents = {"model.tflite": files["encoder"], "vocab.txt": "".join(f"{piece}\n" for piece in VOCABULARY)}
    contents |= {"examples.json": rows.as_json(), "examples.npz": arrays_file(vectors=rows.vectors)}
    write_bundle(tmp_path / "bundle", description, contents)
    return tmp_path / "bundle"


# Words


@pytest.mark.parametrize("structure", SPECS)
@pytest.mark.parametrize("text", [text for text in TEXTS if PLANTED in text])
def test_the_word_that_decides_weighs_most(files, structure, text):
    (found,) = judged(files[structure]).explain([text])
    assert found.label == found.prediction.label == PLANTED
    assert found.moving()[0].text == PLANTED
    assert found.moving()[0].weight > 2 * max(abs(word.weight) for word in found.words if word.text != PLANTED)


@pytest.mark.parametrize("structure", SPECS)
def test_a_weight_is_what_the_log_odds_lose_when_the_text_is_written_without_the_word(files, structure):
    classifier = judged(files[structure])
    for found in classifier.explain(TEXTS):
        text, label = found.prediction.text, LABELS.index(found.label)
        without = [text[: word.start] + " " + text[word.end :] for word in found.words]
        odds = log_odds(classifier.probabilities([text, *without]), label)
        np.testing.assert_allclose([word.weight for word in found.words], odds[0] - odds[1:], atol=1e-4)


def test_words_are_cut_out_of_the_text_by_their_places_and_come_in_its_order(classifier):
    text = "Réfund — my card, my CARD 🎉"
    (found,) = classifier.explain([text])
    assert [word.text for word in found.words] == ["Réfund", "—", "my", "card", ",", "my", "CARD", "🎉"]
    assert all(text[word.start : word.end] == word.text for word in found.words)


def test_many_texts_at_once_are_explained_as_each_alone(classifier):
    together = classifier.explain(TEXTS * 15)
    for place, found in enumerate(together):
        (alone,) = classifier.explain([TEXTS[place % len(TEXTS)]])
        np.testing.assert_allclose([word.weight for word in found.words], [word.weight for word in alone.words], atol=1e-4)


def test_what_is_explained_is_what_predict_says(classifier):
    assert [found.prediction for found in classifier.explain(TEXTS, top=2)] == classifier.predict(TEXTS, top=2)


@pytest.mark.parametrize("text", ["", " \t", "\u200b"])
def test_a_text_without_words_has_none_to_weigh(classifier, rows, text):
    (found,) = classifier.explain([text], rows=rows)
    assert (found.words, found.moving()) == ((), ())
    assert len(found.nearest) == 3
    assert json.loads(json.dumps(found.as_dict()))["words"] == []


def test_no_text_has_no_explanation(classifier):
    assert classifier.explain([]) == []


def test_words_that_the_model_did_not_read_are_told(classifier):
    (found,) = classifier.explain(["my card " * 20])
    assert len(found.words) == MAX_LENGTH - 2
    assert found.notes[0] == f"only its first {MAX_LENGTH - 2} words were read: the rest is beyond the model's longest text"


def test_a_long_text_costs_no_more_than_the_bound_and_says_that_neighbours_share(files):
    classifier = Classifier(Network(files["averaged"], TOKENISER, 400), LABELS)
    asked, answer = [], classifier.answers_of_ids
    classifier.answers_of_ids = lambda rows, **settings: asked.append(len(rows)) or answer(rows, **settings)
    text = "my card " * 60 + PLANTED + " my card" * 60
    (found,) = classifier.explain([text])
    assert asked == [1, 1 + -(-241 // 4)]
    assert len(found.words) == 241
    assert found.notes[0] == "it has many words: 4 neighbours at a time were left out together"
    assert PLANTED in [word.text for word in found.moving(4)]


def test_stretches_hold_every_word_once():
    for words in (0, 1, MOST_STRETCHES, MOST_STRETCHES + 1, 1000):
        parts = stretches(words, MOST_STRETCHES)
        assert len(parts) <= MOST_STRETCHES
        assert [word for part in parts for word in part] == list(range(words))
    assert all(len(part) == 1 for part in stretches(MOST_STRETCHES, MOST_STRETCHES))


def test_log_odds_are_the_difference_of_logits_and_finite_at_the_ends():
    found = log_odds(np.array([[0.5, 0.25, 0.25], [1.0, 1e-9, 0.0], [0.0, 1.0, 0.0]], np.float32), 0)
    np.testing.assert_allclose(found, [0.0, np.log(1e9), np.log(1e-12)], atol=1e-5)


def test_the_strongest_come_first_for_or_against_and_the_weak_are_left_out():
    words = tuple(Word(str(weight), 0, 1, weight) for weight in (1.0, -3.0, 0.1, 2.0, 0.0))
    assert [word.weight for word in strongest(words, lambda word: word.weight)] == [-3.0, 2.0, 1.0]
    assert strongest(words[-1:], lambda word: word.weight) == ()


# Scope


def test_the_scope_score_its_threshold_and_what_each_word_did_to_it(files):
    rule = ScopeRule(Score("max_probability"), 0.6)
    classifier = judged(files["encoder"], out_of_scope=rule)
    for found in classifier.explain(TEXTS):
        text = found.prediction.text
        without = [text[: word.start] + " " + text[word.end :] for word in found.words]
        scores = classifier.probabilities([text, *without]).max(axis=1)
        assert found.scope.as_dict() == {"method": "max_probability", "score": pytest.approx(scores[0], abs=1e-5), "threshold": 0.6}
        assert found.prediction.out_of_scope is bool(found.scope.score < 0.6)
        np.testing.assert_allclose([word.scope for word in found.words], scores[0] - scores[1:], atol=1e-5)


def test_of_a_text_out_of_scope_the_words_that_move_are_those_that_moved_the_score(files):
    classifier = judged(files["encoder"], out_of_scope=ScopeRule(Score("max_probability"), 1.1))
    (found,) = classifier.explain([TEXTS[0]])
    assert found.by_scope
    assert found.moving()[0] == max(found.words, key=lambda word: abs(word.scope))
    assert found.moved(found.words[0]) == found.words[0].scope


def test_without_a_rule_there_is_no_score(classifier):
    (found,) = classifier.explain([TEXTS[0]])
    assert found.scope is None
    assert "scope" not in found.words[0].as_dict()


# Nearest training rows


def test_the_nearest_rows_are_those_of_brute_force(classifier, rows):
    for found in classifier.explain(TEXTS, nearest=2, rows=rows):
        own = classifier.vectors([found.prediction.text])[0].astype(np.float64)
        cosines = {}
        for (text, label), vector in zip(ROWS, classifier.vectors([text for text, _ in ROWS]).astype(np.float64), strict=True):
            cosines[text, label] = vector @ own / np.linalg.norm(vector) / np.linalg.norm(own)
        expected = sorted(cosines, key=cosines.get, reverse=True)[:2]
        assert [(row.text, row.label) for row in found.nearest] == expected
        np.testing.assert_allclose([row.cosine for row in found.nearest], [cosines[each] for each in expected], atol=2e-3)


def test_a_training_row_is_nearest_to_itself(classifier, rows):
    for found, (text, label) in zip(classifier.explain([text for text, _ in ROWS], nearest=1, rows=rows), ROWS, strict=True):
        assert (found.nearest[0].text, found.nearest[0].label) == (text, label)
        assert found.nearest[0].cosine == pytest.approx(1.0, abs=2e-3)


def test_a_bundle_with_example_texts_shows_them(bundle):
    (found,) = load(bundle).explain([ROWS[0][0]])
    assert (found.nearest[0].text, found.nearest[0].label) == ROWS[0]
    assert found.notes == ()


def test_a_bundle_without_example_texts_says_so(bundle):
    update_bundle(bundle, {"examples": None}, without=("examples.json", "examples.npz"))
    (found,) = load(bundle).explain([TEXTS[0]])
    assert found.nearest == ()
    assert found.notes == (NO_ROWS,)
    assert load(bundle).explain([TEXTS[0]], nearest=0)[0].notes == ()


def test_damaged_example_texts_are_told_when_they_are_asked_for(bundle):
    (bundle / "examples.json").write_text("{}")
    classifier = load(bundle)
    assert classifier.predict([TEXTS[0]])
    with pytest.raises(BundleError, match=r"examples\.json: is not the file that was exported"):
        classifier.explain([TEXTS[0]])
    with pytest.raises(BundleError, match=r"examples\.json: is damaged: holds no texts and labels"):
        load(bundle, verify=False).explain([TEXTS[0]])


def test_example_texts_without_a_hash_are_refused(bundle):
    described = json.loads((bundle / "bundle.json").read_text())
    del described["files"]["examples.npz"]
    (bundle / "bundle.json").write_text(json.dumps(described))
    with pytest.raises(BundleError, match=r"files gives no sha256 of 'examples.npz', which examples.vectors names"):
        load(bundle)


def test_rows_that_do_not_fit_one_another_are_refused(rows):
    with pytest.raises(ValueError, match="4 texts, 4 labels and vectors"):
        KnownRows(rows.texts, rows.labels, rows.vectors[:3])
    assert KnownRows.from_json(rows.as_json(), rows.vectors).texts == rows.texts
    odd = KnownRows(("\ud800 lone",), ("a",), rows.vectors[:1])
    assert KnownRows.from_json(odd.as_json().encode().decode(), odd.vectors).texts == odd.texts


# Shape and surroundings


def test_an_explanation_is_json_with_the_documented_keys(bundle):
    (found,) = load(bundle).explain([TEXTS[0]])
    written = json.loads(json.dumps(found.as_dict()))
    assert written.keys() == {"method", "label", "words", "scope", "nearest", "notes"}
    assert written["method"] == "occlusion"
    assert all(word.keys() == {"text", "start", "end", "weight"} for word in written["words"])
    assert [row.keys() for row in written["nearest"]] == [{"text", "label", "cosine"}] * 3


@pytest.mark.parametrize("texts", ["where is my card", [None]])
def test_what_is_no_list_of_texts_is_refused(classifier, texts):
    with pytest.raises(InputError):
        classifier.explain(texts)


LIGHT = """
import sys, tfarch
found = tfarch.load(sys.argv[1]).explain(["where is my refund"])[0]
print(found.moving()[0].text, len(found.nearest), sorted({"tensorflow", "tf_keras", "keras", "scipy", "pandas", "safetensors"} & set(sys.modules)))
"""


def test_explaining_needs_no_tensorflow(bundle):
    done = subprocess.run([sys.executable, "-c", LIGHT, str(bundle)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{PLANTED} 3 []\n"
