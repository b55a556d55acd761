"""What compression promises is counted on the TFLite file: its zeros, its bytes, its operators."""

import dataclasses

import numpy as np
import pytest

from tests.tiny_training import CLASSES, ENCODER_KERNELS, SPEC, examples
from tfarch.export.linter import examine, lint
from tfarch.export.tflite import VARIANTS, Converter
from tfarch.models.classifier import build_classifier, with_probabilities
from tfarch.models.weights import get_weights, set_weights

# Big enough that the weights, not the graph, make up the file.
BIG = dataclasses.replace(SPEC, vocabulary=4000, width=64, head_width=32, feed_forward=(256,))


@pytest.fixture(scope="module")
def pruned():
    """A classifier with 40 % of its encoder kernels at zero, small weights first."""
    model = build_classifier(BIG, CLASSES)
    weights = get_weights(model)
    for name in ENCODER_KERNELS:
        weights[name][np.abs(weights[name]) < np.quantile(np.abs(weights[name]), 0.4)] = 0.0
    set_weights(model, weights)
    return model


@pytest.fixture(scope="module")
def files(pruned, tmp_path_factory):
    """The TFLite file of each variant."""
    folder = tmp_path_factory.mktemp("files")
    with Converter.of_texts(with_probabilities(pruned, 1.0)) as converter:
        texts = [examples().tokens.padded(range(begin, begin + 8), 8) for begin in (0, 8)]
        for variant in VARIANTS:
            (folder / f"{variant}.tflite").write_bytes(converter.convert(variant, texts))
    return {variant: folder / f"{variant}.tflite" for variant in VARIANTS}


def share_of_zeros(weights):
    kernels = [value for name, value in weights.items() if name.endswith("/kernel")]
    return sum((value == 0).sum() for value in kernels) / sum(value.size for value in kernels)


def test_the_float_files_hold_exactly_the_zeros_of_the_kernels(files, pruned):
    expected = share_of_zeros(get_weights(pruned))
    assert 0.39 < expected < 0.4  # the head is not pruned
    assert examine(files["float32"]).sparsity("FULLY_CONNECTED") == pytest.approx(expected, abs=1e-9)
    assert examine(files["float16"]).sparsity("FULLY_CONNECTED") == pytest.approx(expected, abs=1e-9)


def test_the_int8_file_holds_these_zeros_and_those_that_rounding_makes(files, pruned):
    weights = get_weights(pruned)
    for name in ENCODER_KERNELS:
        weights[name] = np.round(weights[name] / (np.abs(weights[name]).max(axis=0) / np.float32(127)))
    expected = share_of_zeros(weights)
    assert expected >= share_of_zeros(get_weights(pruned))
    assert examine(files["dynamic_int8"]).sparsity("FULLY_CONNECTED") == pytest.approx(expected, abs=1e-9)


def test_float16_halves_and_int8_quarters_the_bytes(files):
    float32 = files["float32"].stat().st_size
    assert files["float16"].stat().st_size / float32 == pytest.approx(0.5, abs=0.03)
    steps = 4 * (BIG.vocabulary + BIG.positions)  # of the tables' rows
    assert (files["dynamic_int8"].stat().st_size - steps) / float32 == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_may_ship_and_holds_no_operator_of_others(files, variant):
    assert lint(files[variant]) == []
    assert examine(files[variant]).custom == ()
    assert examine(files[variant]).dynamic


@pytest.mark.parametrize(("variant", "dtype"), [("float32", "float32"), ("float16", "float16"), ("dynamic_int8", "int8")])
def test_the_encoders_kernels_and_the_token_table_are_stored_in_the_variants_type(files, variant, dtype):
    weights = examine(files[variant]).weights
    attention = [64 * 64] * 4 if variant == "float16" else [3 * 64 * 64, 64 * 64]  # queries, keys and values in one
    assert sorted(each.elements for each in weights if each.dtype == dtype and each.elements >= 1024) == sorted(
        [4000 * 64, 16 * 64, *attention, *[64 * 256] * 2]
    )
