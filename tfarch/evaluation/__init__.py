"""Measures exported files and shows what came out: metrics, calibration, latency, reports. Nothing here imports TensorFlow."""

from tfarch.evaluation.calibration import Temperature, fit_temperature, reliability
from tfarch.evaluation.confusion import confusions, worst
from tfarch.evaluation.html import render_html
from tfarch.evaluation.latency import measure, measure_in_turn
from tfarch.evaluation.machine import describe, has_fast_bfloat16
from tfarch.evaluation.metrics import classification_metrics, wilson_interval
from tfarch.evaluation.model_card import render_model_card
from tfarch.evaluation.out_of_scope import Answers, Choice, choose, fit_scores
from tfarch.evaluation.selective import risk_coverage
from tfarch.evaluation.terminal import variants_table

__all__ = [
    "Answers",
    "Choice",
    "Temperature",
    "choose",
    "classification_metrics",
    "confusions",
    "describe",
    "fit_scores",
    "fit_temperature",
    "has_fast_bfloat16",
    "measure",
    "measure_in_turn",
    "reliability",
    "render_html",
    "render_model_card",
    "risk_coverage",
    "variants_table",
    "wilson_interval",
    "worst",
]
