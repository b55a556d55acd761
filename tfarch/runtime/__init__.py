"""Runs a finished bundle with LiteRT and `tokenizers` alone: no TensorFlow, first answer within half a second of the process's start."""

from tfarch.runtime.bundle import Bundle, read_bundle, verify_bundle
from tfarch.runtime.classifier import Classifier, Prediction, load
from tfarch.runtime.known_rows import KnownRows
from tfarch.runtime.tokeniser import Tokeniser

__all__ = ["Bundle", "Classifier", "KnownRows", "Prediction", "Tokeniser", "load", "read_bundle", "verify_bundle"]
