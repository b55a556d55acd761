"""Labelled text in: tables from files, their checks and splits, tokens, and length-bucketed batches."""

from tfarch.data.check import Example, Finding, check
from tfarch.data.reading import read_texts, texts_in
from tfarch.data.sources import load_dataset
from tfarch.data.tables import BadRow, Dataset, Table

__all__ = ["BadRow", "Dataset", "Example", "Finding", "Table", "check", "load_dataset", "read_texts", "texts_in"]
