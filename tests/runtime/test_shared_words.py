"""Words that items share, against BM25 as it is written, and what each item of a history gave."""

import numpy as np
import pytest

from tfarch.runtime.shared_words import SharedWords

TEXTS = ["Toy Story. Children, Animation", "Toy Story 2. Children, Animation", "Heat. Crime", "", "Crime Story crime"]


def bm25(query, text):
    documents = [each.lower().replace(".", " ").replace(",", " ").split() for each in TEXTS]
    words, mean = text.lower().replace(".", " ").replace(",", " ").split(), np.mean([len(each) for each in documents])
    total = 0.0
    for word in query.lower().replace(".", " ").replace(",", " ").split():
        having = sum(word in each for each in documents)
        count = words.count(word)
        idf = np.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
        total += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(words) / mean)) if count else 0.0
    return total


def test_the_scores_of_one_item_are_bm25_with_its_text_as_query():
    index = SharedWords.of(TEXTS)
    for number, query in enumerate(TEXTS):
        expected = [bm25(query, text) for text in TEXTS]
        np.testing.assert_allclose(index.scores(np.array([number]), np.ones(1)), expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(index.scores_of_texts([query], np.ones(1)), expected, rtol=1e-5, atol=1e-6)


def test_a_history_scores_as_the_weighted_sum_of_its_items():
    index, weights = SharedWords.of(TEXTS), np.array([0.5, 2.0, -1.0])
    alone = [index.scores(np.array([item]), np.ones(1)) for item in (0, 2, 4)]
    np.testing.assert_allclose(index.scores(np.array([0, 2, 4]), weights), weights @ np.array(alone), rtol=1e-5, atol=1e-6)


def test_what_no_item_says_counts_nothing():
    index = SharedWords.of(TEXTS)
    assert index.scores_of_texts(["zebra"], np.ones(1)).tolist() == [0.0] * 5
    assert index.scores(np.array([], int), np.array([])).tolist() == [0.0] * 5


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_items_without_words_share_none(texts):
    index = SharedWords.of(texts)
    assert len(index) == len(texts)
    assert index.scores_of_texts(["toy"], np.ones(1)).tolist() == [0.0] * len(texts)
