"""Tables in memory are as good as files."""

import numpy as np
import pandas as pd
import pytest

from apps.recommender.settings import DataSettings
from apps.recommender.source import load, load_frames
from tests.tiny_behaviour import write_files
from tfarch.errors import InputError


def test_frames_give_what_their_files_give(tmp_path):
    events, items = write_files(tmp_path)
    data = DataSettings(interactions=str(events), items=str(items), liked=4.0)
    one, other = load(data), load_frames(pd.read_csv(events), pd.read_csv(items), DataSettings(liked=4.0))
    for name in ("users", "items", "values", "times"):
        np.testing.assert_array_equal(getattr(one.log, name), getattr(other.log, name))
    assert one.catalogue.texts == other.catalogue.texts
    assert (other.name, other.survey.liked) == ("events", 4.0)


def test_a_frame_without_a_column_says_which(tmp_path):
    with pytest.raises(InputError, match="no column 'item'; its columns: 'user', 'thing'"):
        load_frames(pd.DataFrame({"user": ["a"], "thing": ["b"]}))
    alone = load_frames(pd.DataFrame({"who": ["a", "b"], "item": ["x", "y"]}), data=DataSettings(user_column="who"))
    assert alone.log.user_ids == ("a", "b")
