"""A small text model as a TFLite file."""

from tests.tiny_encoder import tf  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first
from tfarch.export.tflite import Converter
from tfarch.models.classifier import build_classifier, with_outputs
from tfarch.models.spec import EncoderSpec
from tfarch.runtime.signature import SINGLE

SPEC = EncoderSpec(vocabulary=4000, width=64, heads=(2, 2), head_width=32, feed_forward=(128, 128), positions=64)


def write_encoder(folder):
    """Writes it into `folder` and gives its path."""
    with Converter.of_texts(with_outputs(build_classifier(SPEC, 5), {SINGLE: 1.0})) as converter:
        file = folder / "encoder.tflite"
        file.write_bytes(converter.convert("float32"))
    return file
