"""What is done to a TFLite file's graph after the converter: operators and tensors added to the object form of its flatbuffer, and taken out of it."""

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


def add_tensor(
    model: schema.ModelT, name: str, shape: Sequence[int], data: bytes | None = None, *, kind: int = schema.TensorType.FLOAT32
) -> int:
    """The number of a new tensor of the first graph: a constant of `data`, or one that an operator writes; `kind` is its `TensorType`."""
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), kind, 0
    if data is not None:
        buffer = schema.BufferT()
        buffer.data = data
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def drop_unused(model: schema.ModelT) -> None:
    """Takes out the operators of the first graph, which is the only one, whose results nobody reads, and what then belongs to none: codes of operators, tensors, buffers."""
    (graph,) = model.subgraphs
    named = [entry for signature in model.signatureDefs or () for entry in [*signature.inputs, *signature.outputs]]
    ends = {*graph.inputs, *graph.outputs, *(entry.tensorIndex for entry in named)}
    kept_operators, read = [], set(ends)
    for operator in reversed(graph.operators):  # those who read come after those who make
        if not len(operator.outputs) or read.intersection(operator.outputs):
            kept_operators.append(operator)
            read.update(operator.inputs)
    graph.operators = kept_operators[::-1]
    codes = sorted({operator.opcodeIndex for operator in graph.operators})
    model.operatorCodes = [model.operatorCodes[index] for index in codes]
    for operator in graph.operators:
        operator.opcodeIndex = codes.index(operator.opcodeIndex)
    used = ends | {index for operator in graph.operators for index in [*operator.inputs, *operator.outputs]} - {-1}
    kept = sorted(used)
    place = {old: new for new, old in enumerate(kept)} | {-1: -1}
    graph.tensors = [graph.tensors[index] for index in kept]
    graph.inputs, graph.outputs = ([place[index] for index in each] for each in (graph.inputs, graph.outputs))
    for operator in graph.operators:
        operator.inputs, operator.outputs = ([place[index] for index in each] for each in (operator.inputs, operator.outputs))
    for entry in named:
        entry.tensorIndex = place[entry.tensorIndex]
    owners = [*graph.tensors, *(model.metadata or ())]
    buffers = sorted({0, *(each.buffer for each in owners)})  # the first is the one of all that have no data
    place = {old: new for new, old in enumerate(buffers)}
    model.buffers = [model.buffers[index] for index in buffers]
    for each in owners:
        each.buffer = place[each.buffer]
