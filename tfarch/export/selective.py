"""Int8 files in which the weights of some layers stay as they are."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from tfarch.errors import InputError

_QUERY = re.compile(r"(layer_\d+)_attention/mul1$")  # the converter names a query's kernel after the product that scales it


def layer_of(tensor: str) -> str:
    """The layer that a file's constant belongs to: of `classifier/layer_0_key/MatMul` it is `layer_0_key`."""
    query = _QUERY.search(tensor)
    return f"{query[1]}_query" if query else tensor.split("/")[-2] if "/" in tensor else tensor


def with_float_weights(body: bytes, whole: bytes, patterns: Sequence[str]) -> bytes:
    """A dynamic int8 file whose layers that match a pattern have the float weights of the float32 file of the same model.

    Raises:
        InputError: no int8 weight is of such a layer; lists those that there are.
    """
    model, reference = (flatbuffer_utils.read_model_from_bytearray(bytearray(each)) for each in (body, whole))
    floats = {tensor.name: reference.buffers[tensor.buffer].data for tensor in reference.subgraphs[0].tensors}
    rounded = {}
    for tensor in model.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.INT8 and model.buffers[tensor.buffer].data is not None and floats.get(tensor.name) is not None:
            rounded[layer_of(tensor.name.decode())] = tensor
    chosen = [layer for layer in rounded if any(fnmatch.fnmatch(layer, pattern) for pattern in patterns)]
    if not chosen:
        raise InputError(f"export.keep_float: no layer matches {', '.join(patterns)}; layers with int8 weights: {', '.join(rounded)}")
    for layer in chosen:
        tensor = rounded[layer]
        tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
        model.buffers[tensor.buffer].data = floats[tensor.name]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
