"""What makes this app: its settings and its verbs."""

from pathlib import Path

from apps.recommender.movielens import LICENCE
from apps.recommender.settings import RecommenderSettings
from apps.recommender.verbs import VERBS
from tfarch.app import App

APP = App(
    name="recommender",
    title="Tells what a user will want next, from what he did and from the items' texts; new users and new items included.",
    sample=Path(__file__).parent,
    sample_licence=LICENCE,
    verbs=VERBS,
    settings=RecommenderSettings(),
    classifies=False,
)
