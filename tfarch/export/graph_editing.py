"""What is done to a TFLite file's graph after the converter: operators and tensors added to the object form of its flatbuffer."""

from __future__ import annotations

from collections.abc import Sequence

from tensorflow.lite.python import schema_py_generated as schema


def code_of(model: schema.ModelT, operator: schema.OperatorT) -> int:
    """The `BuiltinOperator` that an operator is."""
    code = model.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def operator_of(model: schema.ModelT, code: int, inputs: Sequence[int], outputs: Sequence[int]) -> schema.OperatorT:
    """A new operator, without options, which is not placed yet; its code joins those of the file where they lack it."""
    made = schema.OperatorT()
    made.inputs, made.outputs = list(inputs), list(outputs)
    codes = [max(each.builtinCode, each.deprecatedBuiltinCode) for each in model.operatorCodes]
    if code not in codes:
        added = schema.OperatorCodeT()
        added.builtinCode, added.deprecatedBuiltinCode, added.version = code, min(code, 127), 1
        model.operatorCodes.append(added)
        codes.append(code)
    made.opcodeIndex = codes.index(code)
    return made


def add_tensor(model: schema.ModelT, name: str, shape: Sequence[int], data: bytes | None = None) -> int:
    """The number of a new float32 tensor of the first graph: a constant of `data`, or one that an operator writes."""
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), schema.TensorType.FLOAT32, 0
    if data is not None:
        buffer = schema.BufferT()
        buffer.data = data
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1
