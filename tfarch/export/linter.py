"""What is inside a TFLite file, and whether it may ship: operators, inputs and outputs, weights, metadata. Read from the file, not from
what made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfarch.errors import InputError
from tfarch.export.metadata import read_metadata, signature_names
from tfarch.runtime.signature import INPUTS, OUTPUT, VECTOR

_OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_TYPES = {code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")}
_WEIGHT_TYPES = {"float32": np.float32, "float16": np.float16, "int8": np.int8}
_ALIGNMENT = 16


@dataclass(frozen=True)
class TensorFacts:
    """An input or output of the file.

    name: in the signature `serving_default`; '' where it stands in none.
    dtype: as TFLite names it, in lower case.
    shape: None for a dynamic dimension.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class WeightFacts:
    """A constant matrix of the file: a kernel or a table.

    operator: the operator that reads it (FULLY_CONNECTED, GATHER, ...), behind a DEQUANTIZE if there is one.
    dtype: float32, float16 or int8.
    elements, zeros: numbers, and how many of them are exactly 0 (in int8: the quantised value 0).
    bytes: their size in the file.
    aligned: whether they start at a multiple of 16 bytes, as schema.fbs demands; the converter's own files often do not, `write_metadata`
        mends it.
    """

    name: str
    operator: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    zeros: int
    bytes: int
    aligned: bool

    @property
    def sparsity(self) -> float:
        return self.zeros / self.elements


@dataclass(frozen=True)
class FileFacts:
    """What a TFLite file holds.

    operators: how often each operator occurs, over all sub-graphs; a custom operator under its own name.
    custom: names of the custom operators; those of TensorFlow begin with Flex.
    inputs, outputs: in the file's order.
    weights: every constant matrix once, however many operators share it.
    """

    bytes: int
    subgraphs: int
    operators: dict[str, int]
    custom: tuple[str, ...]
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    weights: tuple[WeightFacts, ...]

    @property
    def dynamic(self) -> bool:
        """Whether an input's batch or length is open."""
        return any(size is None for each in self.inputs for size in each.shape)

    def sparsity(self, operator: str | None = None) -> float:
        """The share of exact zeros in all weights, or in those that `operator` reads (FULLY_CONNECTED: dense kernels); 0 for none."""
        chosen = [each for each in self.weights if operator in (None, each.operator)]
        elements = sum(each.elements for each in chosen)
        return sum(each.zeros for each in chosen) / elements if elements else 0.0

    def weight_bytes(self) -> dict[str, int]:
        """Bytes of the weights by dtype."""
        total: Counter[str] = Counter()
        for each in self.weights:
            total[each.dtype] += each.bytes
        return dict(total)


def examine(path: str | Path) -> FileFacts:
    """Reads what a TFLite file holds, without running it.

    Raises:
        InputError: not a TFLite file.
    """
    body = Path(path).read_bytes()
    if body[4:8] != b"TFL3":
        raise InputError("is not a TFLite file", file=path)
    model = schema.Model.GetRootAs(body)
    operators, custom = _operators(model)
    graph = model.Subgraphs(0)
    input_names, output_names = signature_names(model)
    return FileFacts(
        bytes=len(body),
        subgraphs=model.SubgraphsLength(),
        operators=operators,
        custom=custom,
        inputs=tuple(_tensor(graph.Tensors(graph.Inputs(i)), name) for i, name in enumerate(input_names)),
        outputs=tuple(_tensor(graph.Tensors(graph.Outputs(i)), name) for i, name in enumerate(output_names)),
        weights=tuple(_weights(model, body)),
    )


def lint(path: str | Path, *, inputs: Sequence[str] = INPUTS, outputs: Sequence[str] = (OUTPUT, VECTOR)) -> list[str]:
    """Why a TFLite file may not ship, a sentence each; an empty list for a good one.

    Args:
        path: the file.
        inputs: names that its int32 inputs `[batch, length]` must have in the signature `serving_default`, in any order.
        outputs: names that its float32 outputs `[batch, size]` must have, in any order where there are no metadata; those after the first may be absent.

    Raises:
        InputError: not a TFLite file.
    """
    facts = examine(path)
    problems = []
    for name in facts.custom:
        what = (
            "Flex operator: TensorFlow itself would have to be linked in"
            if name.startswith("Flex")
            else "custom operator: no runtime knows it"
        )
        problems.append(f"{name} is a {what}")
    if facts.subgraphs != 1:
        problems.append(f"{facts.subgraphs} sub-graphs: MediaPipe's Text Classifier takes one")
    if sorted(each.name for each in facts.inputs) != sorted(inputs):
        problems.append(f"inputs are named {[each.name for each in facts.inputs]}, not {list(inputs)}")
    for each in facts.inputs:
        if each.dtype != "int32" or len(each.shape) != 2:
            problems.append(f"input {each.name!r} is {_form(each)}, not int32 [batch, length]")
    if len({each.shape for each in facts.inputs}) > 1:
        problems.append(f"inputs differ in shape: {', '.join(f'{each.name} {_form(each)}' for each in facts.inputs)}")
    names = [each.name for each in facts.outputs]
    if outputs[0] not in names or not {*names} <= {*outputs}:
        problems.append(f"outputs are named {names}, not {list(outputs)}")
    for each in facts.outputs:
        if each.dtype != "float32" or len(each.shape) != 2 or each.shape[-1] is None:
            problems.append(f"output {each.name!r} is {_form(each)}, not float32 [batch, size]")
    return problems + _metadata_problems(path, facts)


def _metadata_problems(path: str | Path, facts: FileFacts) -> list[str]:
    """What in the metadata contradicts the file; none for a file without metadata."""
    metadata = read_metadata(path)
    if not metadata:
        return []
    problems = []
    (described,) = metadata["subgraph_metadata"]
    for side, tensors in (("input", facts.inputs), ("output", facts.outputs)):
        names, stated = [each.name for each in tensors], [each["name"] for each in described[f"{side}_tensor_metadata"]]
        if stated != names:
            problems.append(f"the metadata lists the {side}s {stated}, the file's order is {names}")
    for tensor, facts_of_it in zip(described["output_tensor_metadata"], facts.outputs, strict=False):
        for file in tensor.get("associated_files", ()):
            labels = metadata["files"].get(file["name"])
            if labels is None:
                problems.append(f"the metadata names {file['name']}, which is not packed in the file")
            elif file["type"] == "TENSOR_AXIS_LABELS" and len(labels.splitlines()) != facts_of_it.shape[-1]:
                problems.append(f"{file['name']} has {len(labels.splitlines())} labels, the output {facts_of_it.shape[-1]} classes")
    for unit in described.get("input_process_units", ()):
        for file in unit["options"].get("BertTokenizerOptions", {}).get("vocab_file", ()):
            if file["name"] not in metadata["files"]:
                problems.append(f"the metadata names {file['name']}, which is not packed in the file")
    return problems


def _form(tensor: TensorFacts) -> str:
    return f"{tensor.dtype} [{', '.join('?' if size is None else str(size) for size in tensor.shape)}]"


def _operators(model: schema.Model) -> tuple[dict[str, int], tuple[str, ...]]:
    names = [_operator_name(model.OperatorCodes(index)) for index in range(model.OperatorCodesLength())]
    counts: Counter[str] = Counter()
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        counts.update(names[graph.Operators(index).OpcodeIndex()] for index in range(graph.OperatorsLength()))
    custom = [
        _operator_name(code) for code in map(model.OperatorCodes, range(model.OperatorCodesLength())) if code.CustomCode() is not None
    ]
    return dict(sorted(counts.items())), tuple(sorted(custom))


def _operator_name(code: schema.OperatorCode) -> str:
    if code.CustomCode() is not None:
        return code.CustomCode().decode()
    # Operators under 127 may stand in the older, one-byte field alone.
    return _OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]


def _tensor(tensor: schema.Tensor, name: str) -> TensorFacts:
    sizes = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else tensor.ShapeAsNumpy() if tensor.ShapeLength() else ()
    return TensorFacts(name, _TYPES[tensor.Type()], tuple(None if size < 0 else int(size) for size in sizes))


def _weights(model: schema.Model, body: bytes) -> list[WeightFacts]:
    start = np.frombuffer(body, np.uint8).ctypes.data
    found: dict[int, WeightFacts] = {}
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        readers = _readers(model, graph)
        for index in range(graph.TensorsLength()):
            tensor = graph.Tensors(index)
            dtype, buffer = _TYPES[tensor.Type()], model.Buffers(tensor.Buffer())
            shape = tuple(map(int, tensor.ShapeAsNumpy())) if tensor.ShapeLength() else ()
            # A matrix has two dimensions over 1: masks, biases and scales that are broadcast are none.
            if tensor.Buffer() in found or not buffer.DataLength() or dtype not in _WEIGHT_TYPES or sum(size > 1 for size in shape) < 2:
                continue
            data = buffer.DataAsNumpy()
            values = data.view(_WEIGHT_TYPES[dtype])
            found[tensor.Buffer()] = WeightFacts(
                name=tensor.Name().decode(),
                operator=readers.get(index, ""),
                dtype=dtype,
                shape=shape,
                elements=values.size,
                zeros=int(values.size - np.count_nonzero(values)),
                bytes=data.size,
                aligned=(data.ctypes.data - start) % _ALIGNMENT == 0,
            )
    return list(found.values())


def _readers(model: schema.Model, graph: schema.SubGraph) -> dict[int, str]:
    """The operator that reads each tensor; that of the DEQUANTIZE's output where one stands between."""
    readers: dict[int, str] = {}
    behind: dict[int, int] = {}
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        name = _operator_name(model.OperatorCodes(operator.OpcodeIndex()))
        for index in range(operator.InputsLength()):
            readers[operator.Inputs(index)] = name
            if name == "DEQUANTIZE":
                behind[operator.Inputs(index)] = operator.Outputs(0)
    return readers | {tensor: readers.get(output, "DEQUANTIZE") for tensor, output in behind.items()}
