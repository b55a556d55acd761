"""The graph of an exported encoder: what a dynamic length costs is paid once, not around each product."""

import dataclasses

import pytest

from tests.tiny_training import CLASSES, SPEC
from tfarch.export.linter import examine
from tfarch.export.tflite import Converter
from tfarch.models.classifier import build_classifier, with_probabilities

LAYERS = 3
SPEC = dataclasses.replace(SPEC, heads=SPEC.heads * LAYERS, feed_forward=SPEC.feed_forward * LAYERS)


@pytest.fixture(scope="module", params=["float32", "dynamic_int8"])
def operators(request, tmp_path_factory):
    file = tmp_path_factory.mktemp("graph") / "model.tflite"
    with Converter.of_texts(with_probabilities(build_classifier(SPEC, CLASSES), 1.5)) as converter:
        file.write_bytes(converter.convert(request.param))
    return examine(file).operators


def test_a_product_of_every_dense_layer_is_one_operator(operators):
    assert operators["FULLY_CONNECTED"] == 4 * LAYERS + 1  # queries, keys and values are one
    assert operators["BATCH_MATMUL"] == 2 * LAYERS


def test_shapes_are_computed_once_for_all_layers_and_not_around_products(operators):
    assert operators["RESHAPE"] == 2 * LAYERS + 2  # heads of query, key and value, their context; all tokens in one row, and back
    assert operators["SHAPE"] + operators["PACK"] <= 4
    assert not {"REDUCE_PROD", "CONCATENATION"} & set(operators)
