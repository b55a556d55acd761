"""Logs of behaviour: who did what with which item, when, and what the items are. From files to `Interactions` and a `Catalogue`, and how they are cut in time."""

from tfarch.data.behaviour.catalogue import Catalogue
from tfarch.data.behaviour.interactions import Interactions

__all__ = ["Catalogue", "Interactions"]
