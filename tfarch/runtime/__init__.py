"""Runs a finished bundle with LiteRT and `tokenizers` alone: no TensorFlow, first answer within half a second of the process's start."""

from tfarch.runtime.bundle import Bundle, read_bundle, verify_bundle
from tfarch.runtime.classifier import Classifier, Prediction
from tfarch.runtime.known_rows import KnownRows
from tfarch.runtime.loading import load, load_classifier
from tfarch.runtime.multitask import MultitaskClassifier
from tfarch.runtime.network import Network
from tfarch.runtime.recommender import Recommender
from tfarch.runtime.tokeniser import Tokeniser

__all__ = [
    "Bundle",
    "Classifier",
    "KnownRows",
    "MultitaskClassifier",
    "Network",
    "Prediction",
    "Recommender",
    "Tokeniser",
    "load",
    "load_classifier",
    "read_bundle",
    "verify_bundle",
]
