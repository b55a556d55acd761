"""Int8 files that compute in float: their weights are whole numbers in the file and become floats when it is loaded.

Where a dynamic int8 file rounds each layer's input while it runs, this one rounds nothing but the weights, so it answers nearer to the float32 file, takes as long as that, and needs as much memory.
"""

from __future__ import annotations

from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from tfarch.export.graph_editing import add_tensor, code_of, operator_of

_Op = schema.BuiltinOperator


def with_weights_alone_rounded(body: bytes) -> bytes:
    """A dynamic int8 file whose products take float inputs and its weights times their steps."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(body))
    graph = model.subgraphs[0]
    floats: dict[int, int] = {}
    placed = []
    for operator in graph.operators:
        if code_of(model, operator) in (_Op.FULLY_CONNECTED, _Op.BATCH_MATMUL):
            for place, index in enumerate(operator.inputs):
                weights = graph.tensors[index] if index >= 0 else None
                if weights is None or weights.type != schema.TensorType.INT8 or model.buffers[weights.buffer].data is None:
                    continue
                if index not in floats:
                    floats[index] = add_tensor(model, f"{weights.name.decode()}/float", weights.shape)
                    placed.append(operator_of(model, _Op.DEQUANTIZE, [index], [floats[index]]))
                operator.inputs[place] = floats[index]
        placed.append(operator)
    graph.operators = placed
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
