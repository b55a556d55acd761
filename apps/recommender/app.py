"""What makes this app: its settings and its verbs."""

from apps.recommender.settings import RecommenderSettings
from apps.recommender.verbs import VERBS
from tfarch.app import App

APP = App(
    name="recommender",
    title="Tells what a user will want next, from what he did and from the items' texts; new users and new items included.",
    quick={"evaluate": {"quantiles": [0.8]}, "interest": {"epochs": 2}},
    verbs=VERBS,
    settings=RecommenderSettings(),
    classifies=False,
)
