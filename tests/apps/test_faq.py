"""The FAQ's file, and finding its entries."""

from pathlib import Path

import numpy as np
import pytest

from apps.customer_service.faq import Entry, Faq, entries_of, entry_vectors, read_faq, read_queries
from tfarch.errors import InputError
from tfarch.runtime.retrieval import Weights

SAMPLE = Path(__file__).parents[2] / "apps/customer_service/data"
ENTRIES = (Entry("ip", "Can I have a static IP?", "Yes, in the app."), Entry("eco", "Are you green?", "Our trees say so."))
VECTORS = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.2], [0.2, 1.0]], [[1.0, 0.1], [0.1, 1.0]]])


def test_the_entry_whose_vector_and_words_are_near_is_the_most_probable():
    faq = Faq(ENTRIES, VECTORS)
    found = faq.probabilities(["a static ip please", "trees"], np.array([[1.0, 0.1], [0.1, 1.0]]))
    assert found.shape == (2, 3)
    assert found.argmax(axis=1).tolist() == [0, 1]
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_a_question_far_from_every_entry_has_none():
    assert Faq(ENTRIES, VECTORS).probabilities(["who won"], np.array([[-1.0, -1.0]])).argmax() == 2


def test_a_long_answer_is_read_whole_passage_by_passage():
    class Lengths:
        """Gives a text the vector (its words, 1)."""

        def vectors(self, texts):
            return np.array([[len(text.split()), 1.0] for text in texts])

    long = Entry("long", "How is it?", f"{'word ' * 19}end. {'word ' * 24}end.")  # 20 and 25 words: two passages
    question, answer, both = entry_vectors([ENTRIES[0], long], Lengths())
    assert question.tolist() == [[6.0, 1.0], [3.0, 1.0]]
    directions = [np.array([words, 1.0]) / np.hypot(words, 1.0) for words in (20, 25, 23, 28)]
    np.testing.assert_allclose(answer[1], (directions[0] + directions[1]) / 2, rtol=1e-6)
    np.testing.assert_allclose(both[1], (directions[2] + directions[3]) / 2, rtol=1e-6)
    np.testing.assert_allclose(answer[0], np.array([4, 1]) / np.hypot(4, 1), rtol=1e-6)


def test_vectors_or_weights_of_other_fields_are_refused():
    with pytest.raises(ValueError, match="2 entries"):
        Faq(ENTRIES, VECTORS[:2])
    with pytest.raises(ValueError, match="3 weights, not 4"):
        Faq(ENTRIES, VECTORS, Weights((10.0, 10.0, 6.0), 5.0))


def test_an_empty_faq_never_answers():
    np.testing.assert_array_equal(Faq((), np.empty((3, 0, 0))).probabilities(["a", "b"], np.zeros((2, 2))), np.ones((2, 1)))


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
