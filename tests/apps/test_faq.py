"""The FAQ's file, and finding its entries."""

from pathlib import Path

import numpy as np
import pytest

from apps.customer_service.faq import Entry, Faq, entries_of, read_faq, read_queries
from tfarch.errors import InputError

SAMPLE = Path(__file__).parents[2] / "apps/customer_service/data"
ENTRIES = (Entry("ip", "Can I have a static IP?", "Yes, in the app."), Entry("eco", "Are you green?", "Our trees say so."))
VECTORS = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.2], [0.2, 1.0]]])


def test_the_entry_whose_vector_and_words_are_near_is_the_most_probable():
    faq = Faq(ENTRIES, VECTORS)
    found = faq.probabilities(["a static ip please", "trees"], np.array([[1.0, 0.1], [0.1, 1.0]]))
    assert found.shape == (2, 3)
    assert found.argmax(axis=1).tolist() == [0, 1]
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_a_question_far_from_every_entry_has_none():
    assert Faq(ENTRIES, VECTORS).probabilities(["who won"], np.array([[-1.0, -1.0]])).argmax() == 2


def test_an_empty_faq_never_answers():
    np.testing.assert_array_equal(Faq((), np.empty((2, 0, 0))).probabilities(["a", "b"], np.zeros((2, 2))), np.ones((2, 1)))


def test_weights_are_fitted_on_questions_whose_entry_is_known():
    faq = Faq(ENTRIES, VECTORS)
    questions = ["static ip", "tree", "who won", "a static one", "green?", "buy milk"]
    vectors = np.array([[1, 0.2], [0.2, 1], [-1, -1], [1, 0.1], [0, 1], [-1, 0]], float)
    fitted = faq.fitted(questions, ["ip", "eco", None, "ip", "eco", None], vectors)
    assert fitted.weights != faq.weights
    assert fitted.probabilities(questions, vectors).argmax(axis=1).tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b", "expected a list of entries"),
        ("- {id: a, question: b}", "entry 1: expected id, question and answer"),
        ("- {id: a, question: b, answer: 3}", "entry 1: answer is 3, not a text"),
        ("- {id: a, question: b, answer: ' '}", "entry 1: answer is ' ', not a text"),
        ("- {id: a, question: b, answer: c}\n- {id: a, question: d, answer: e}", "entry 2: the id 'a' stands twice"),
    ],
)
def test_a_wrong_file_is_told_with_its_entry(tmp_path, text, message):
    (tmp_path / "faq.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"faq\.yaml: {message}"):
        read_faq(tmp_path / "faq.yaml")


def test_what_is_not_yaml_is_told_with_its_line(tmp_path):
    (tmp_path / "faq.yaml").write_text("- {id: a, question: b, answer: c}\n- [\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"faq\.yaml, line [23]: not YAML"):
        read_faq(tmp_path / "faq.yaml")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"faq\.yaml: cannot be read: No such file"):
        read_faq(tmp_path / "faq.yaml")


def test_queries_name_entries_that_there_are(tmp_path):
    file = tmp_path / "q.csv"
    file.write_text('text,id\n"what, now",ip\nwhere,else\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"q\.csv, line 3: no entry has the id 'else'"):
        read_queries(file, ["ip"])
    assert read_queries(file, ["ip", "else"]) == [("what, now", "ip"), ("where", "else")]
    file.write_text("text,label\na,b\n", encoding="utf-8")
    with pytest.raises(InputError, match="expected text and id"):
        read_queries(file, ["ip"])


def test_the_sample_has_60_entries_each_asked_for_in_four_ways():
    entries = read_faq(SAMPLE / "faq.yaml")
    queries = read_queries(SAMPLE / "faq_queries.csv", [entry.id for entry in entries])
    assert len(entries) == 60
    assert len({text for text, _ in queries}) == 240
    assert {sum(name == entry.id for _, name in queries) for entry in entries} == {4}
    assert entries_of([entry.as_dict() for entry in entries]) == entries
