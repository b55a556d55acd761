"""Which label of a sentiment is its negative end and which its positive one, and the score between them."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from apps.finance_sentiment.app import APP
from apps.finance_sentiment.sentiment import ends_of, scores
from tfarch.config import Config
from tfarch.errors import InputError


@pytest.mark.parametrize(
    ("labels", "ends"),
    [
        (("negative", "neutral", "positive"), (0, 2)),
        (("Bullish", "Bearish"), (1, 0)),
        (("neu", "pos", "neg"), (2, 1)),
        (("-1", "0", "1"), (0, 2)),
        (("1.0", "-1.0"), (1, 0)),
    ],
)
def test_the_ends_are_known_by_the_names_that_data_give_them(labels, ends):
    assert ends_of(labels) == ends


@pytest.mark.parametrize("labels", [("0", "1", "2"), ("0", "1"), ("calm", "angry")])
def test_labels_that_name_no_end_are_an_error_that_says_which_names_are_known(labels):
    with pytest.raises(InputError, match=r"none of the sentiments .* is negative.*bearish"):
        ends_of(labels)


def test_the_score_is_what_is_positive_less_what_is_negative():
    tasks = {"sentiment": SimpleNamespace(labels=("bearish", "bullish", "neutral")), "topic": SimpleNamespace(labels=("a", "b"))}
    own = np.array([[0.7, 0.1, 0.2], [0.0, 1.0, 0.0]])
    assert scores(tasks, {"sentiment": own, "topic": own[:, :2]}) == [{"score": -0.6}, {"score": 1.0}]
    tasks["sentiment"].labels = ("0", "1", "2")
    assert scores(tasks, {"sentiment": own, "topic": own[:, :2]}) == [{}, {}]


def test_sentiments_without_ends_are_told_before_any_work(tmp_path, capsys):
    file = tmp_path / "rows.csv"
    for labels, told in (("012", True), (("negative", "neutral", "positive"), False)):
        rows = "".join(f"text {n},{labels[n % 3]},{'ab'[n % 2]}\n" for n in range(60))
        file.write_text("text,sentiment,topic\n" + rows, encoding="utf-8")
        data = dataclasses.replace(Config().with_values(APP.defaults).data, path=str(file))
        APP.examine(dataclasses.replace(Config(), data=data))
        assert ("none of the sentiments 0, 1, 2 is negative" in capsys.readouterr().err) is told
