"""Clusters of texts: their order, their names, and what is left over."""

import numpy as np

from tfarch.evaluation.discovery import distinguishing_words, find_clusters

TEXTS = [
    "where can I park my car",
    "is there a parking permit for my car",
    "parking permit please",
    "permit to park",
    "who won the match",
    "what was the score of the match",
    "the match tonight?",
    "sing me a song",
    "parking permit, please!",
]
VECTORS = np.array(
    [[1, 0.3, 0], [1, 0.1, 0], [1, 0, 0], [1, -0.2, 0], [0, 1, 0], [0.1, 1, 0], [0, 1, 0.2], [0, 0, 1], [1, 0, 0]], np.float32
)
GROUPS = np.array([0, 1, 2, 3, 4, 5, 6, 7, 2])


def clusters(**options):
    return find_clusters(TEXTS, VECTORS, GROUPS, **{"least": 0.8, "min_size": 3, **options})


def test_the_largest_comes_first_its_most_typical_text_in_front():
    found = clusters()
    assert [set(each.rows) for each in found] == [{0, 1, 2, 3, 8}, {4, 5, 6}]
    assert [each.rows[0] for each in found] == [2, 4]


def test_what_is_in_no_cluster_of_the_least_size_is_left_over():
    assert [len(each.rows) for each in clusters(min_size=4)] == [5]
    assert clusters(min_size=6) == []


def test_a_name_is_made_of_words_that_the_other_texts_lack():
    first, second = clusters()
    assert first.words[:2] == ("permit", "parking")
    assert first.name == "permit_parking_car"
    assert second.words == ("match",)
    assert first.as_dict(TEXTS)["medoid"] == "parking permit please"


def test_a_name_that_is_taken_gets_a_number():
    assert [each.name for each in clusters(taken=("match", "match_2"))][1] == "match_3"


def test_a_long_text_does_not_name_its_cluster():
    texts = ["refund refund refund refund " + " ".join(f"word{letter}" for letter in "abcdefgh"), "parcel", "parcel lost", "song"]
    assert distinguishing_words(texts, [[0, 1, 2]]) == [("parcel",)]


def test_texts_without_a_word_have_a_name_too():
    found = find_clusters(["??", "!!", "12"], np.ones((3, 2), np.float32), np.arange(3), least=0.5, min_size=2)
    assert [(each.name, each.words) for each in found] == [("unnamed", ())]


def test_no_text_has_no_cluster():
    assert find_clusters([], np.empty((0, 3), np.float32), np.empty(0, int), least=0.5, min_size=2) == []


def test_topics_that_were_planted_among_single_questions_are_found_again():
    random = np.random.default_rng(0)
    topics = np.repeat(np.arange(5), [12, 9, 7, 5, 3])
    centres = random.normal(size=(5, 40))
    vectors = np.concatenate([centres[topics] + random.normal(size=(36, 40)) * 0.5, random.normal(size=(30, 40))]).astype(np.float32)
    order = random.permutation(66)
    texts = [f"question {row}" for row in order]
    found = find_clusters(texts, vectors[order], np.arange(66), least=0.55, min_size=3)
    assert [{int(order[row]) for row in each.rows} for each in found] == [set(np.flatnonzero(topics == topic)) for topic in range(5)]
