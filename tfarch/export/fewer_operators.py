"""The same computation in fewer operators than the converter leaves of an encoder: two of its patterns are found in a file's graph and written again.

Queries, keys and values are three products of one input, whose heads are told apart three times: here one product with the three kernels one after another, one
reshaping, one transposition, and one split. Each output channel keeps its own kernel, step and bias, so the numbers are the same, to the bit in a dynamic int8 file's products.

Layer normalisation, `x * (s * gamma) + (beta - m * (s * gamma))` with the mean m and the inverse deviation s, is `(x - m) * s * gamma + beta`: the difference stands in the variance already.
It is the same but for the rounding of floats, which it does less of.

An operator costs twice: when it runs, and when a text of another length settles all shapes anew. What is gained: benchmarks/RESULTS.md, "Latency".
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from tfarch.export.graph_editing import add_tensor, code_of, drop_unused, operator_of

_Op, _Type = schema.BuiltinOperator, schema.TensorType


def with_fewer_operators(body: bytes) -> bytes:
    """A file that gives what this one gives. Where neither pattern is found, or there is more than one graph (loops), it is the same file."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(body))
    if len(model.subgraphs) > 1:
        return body
    graph = _Graph(model)
    roots = [each for each in graph.operators if graph.code(each) == _Op.RSQRT]
    written = [_normalise(graph, root) for root in roots] + [_join(graph, heads) for heads in list(_heads_of_one_input(graph))]
    if not any(written):
        return body
    drop_unused(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


class _Graph:
    """The first graph of a file, and who makes and who reads each of its tensors."""

    def __init__(self, model: schema.ModelT):
        self.model = model
        self.operators, self.tensors = model.subgraphs[0].operators, model.subgraphs[0].tensors
        self._ends = set(model.subgraphs[0].outputs)
        self._maker = {index: operator for operator in self.operators for index in operator.outputs}
        self._readers: dict[int, list[schema.OperatorT]] = {}
        for operator in self.operators:
            for index in operator.inputs:
                self._readers.setdefault(index, []).append(operator)
        self.shapes: dict[tuple[int, int], int | None] = {}  # see `_shape_of_more_heads`

    def code(self, operator: schema.OperatorT | None) -> int | None:
        return None if operator is None else code_of(self.model, operator)

    def maker(self, index: int) -> schema.OperatorT | None:
        """None of a constant, and of an input of the file."""
        return self._maker.get(index)

    def readers(self, index: int, *codes: int) -> list[schema.OperatorT] | None:
        """They, in the order of `codes`, where they are operators of these and no others, and the file does not give the tensor; else None."""
        readers = self._readers.get(index, [])
        if index in self._ends or sorted(map(self.code, readers)) != sorted(codes):
            return None
        return sorted(readers, key=lambda each: codes.index(self.code(each)))

    def constant(self, index: int) -> np.ndarray | None:
        """The numbers of a constant of float32, int32 or int8."""
        tensor = self.tensors[index]
        data = self.model.buffers[tensor.buffer].data
        if data is None or index in self._maker or tensor.type not in _KINDS:
            return None
        return np.frombuffer(bytes(bytearray(data)), _KINDS[tensor.type]).reshape([] if tensor.shape is None else tensor.shape)

    def add(self, like: int, name: str, *, axis: int = 0, times: int = 1) -> int:
        """The number of a new tensor that an operator writes: of the shape of another, so many times as large in one axis, whose size is known."""
        known = self.tensors[like]
        sizes = [None if each is None else list(each) for each in (known.shape, known.shapeSignature)]
        for each in sizes:
            if each and times > 1:
                each[axis] *= times
        index = add_tensor(self.model, name, sizes[0])
        self.tensors[index].shapeSignature = sizes[1]
        return index

    def place(self, operator: schema.OperatorT) -> int:
        return next(place for place, each in enumerate(self.operators) if each is operator)

    def replace(self, old: list[schema.OperatorT], new: list[schema.OperatorT]) -> None:
        """Puts `new` where the first of `old` was, and takes all of these out."""
        first = min(map(self.place, old))
        gone = {id(each) for each in old}
        kept = [[each for each in part if id(each) not in gone] for part in (self.operators[:first], self.operators[first:])]
        self.operators[:] = [*kept[0], *new, *kept[1]]


_KINDS = {_Type.FLOAT32: np.float32, _Type.INT32: np.int32, _Type.INT8: np.int8}


def _normalise(graph: _Graph, root: schema.OperatorT) -> bool:
    """Writes the layer normalisation around `root`, its inverse square root, anew, if it is one; whether it is.

    The converter leaves: m = MEAN(x), SQUARED_DIFFERENCE(x, m), MEAN, ADD, RSQRT, MUL by gamma = g, MUL(x, g), MUL(m, g), SUB(beta, m * g), ADD.
    """
    shifted = graph.maker(root.inputs[0])
    variance = graph.maker(shifted.inputs[0]) if graph.code(shifted) == _Op.ADD else None
    squares = graph.maker(variance.inputs[0]) if graph.code(variance) == _Op.MEAN else None
    if graph.code(squares) != _Op.SQUARED_DIFFERENCE or not graph.readers(squares.outputs[0], _Op.MEAN):
        return False
    whole, mean = squares.inputs
    if graph.code(graph.maker(mean)) != _Op.MEAN or not graph.readers(mean, _Op.SQUARED_DIFFERENCE, _Op.MUL):
        return False
    scaled = (graph.readers(root.outputs[0], _Op.MUL) or [None])[0]
    products = graph.readers(scaled.outputs[0], _Op.MUL, _Op.MUL) if scaled else None
    of_whole, of_mean = ([each for each in products or () if index in each.inputs] for index in (whole, mean))
    if len(of_whole) != 1 or len(of_mean) != 1:
        return False
    less, last = graph.readers(of_mean[0].outputs[0], _Op.SUB), graph.readers(of_whole[0].outputs[0], _Op.ADD)
    if not less or not last or less[0].inputs[1] != of_mean[0].outputs[0] or graph.readers(less[0].outputs[0], _Op.ADD) != last:
        return False
    gamma, beta, end = next(index for index in scaled.inputs if index != root.outputs[0]), less[0].inputs[0], last[0].outputs[0]
    name = graph.tensors[end].name.decode()
    difference, even, product = (graph.add(whole, f"{name}/{part}") for part in ("difference", "even", "product"))

    def times(one: int, other: int, result: int) -> schema.OperatorT:
        return _wired(scaled, [one, other], [result])

    graph.replace([squares], [_wired(less[0], [whole, mean], [difference]), times(difference, difference, squares.outputs[0])])
    graph.replace(
        [scaled, *of_whole, *of_mean, *less, *last],
        [times(difference, root.outputs[0], even), times(even, gamma, product), _wired(last[0], [product, beta], [end])],
    )
    return True


def _wired(operator: schema.OperatorT, inputs: Sequence[int], outputs: Sequence[int]) -> schema.OperatorT:
    """An operator with the options of another."""
    made = copy.copy(operator)
    made.inputs, made.outputs = list(inputs), list(outputs)
    return made


_Heads = list[tuple[schema.OperatorT, schema.OperatorT, schema.OperatorT]]  # of one input: FULLY_CONNECTED, RESHAPE and TRANSPOSE of each


def _heads_of_one_input(graph: _Graph) -> Iterator[_Heads]:
    """Two to four products of one input whose outputs are told apart into as many heads in the same way."""
    found: dict[tuple, _Heads] = {}
    for product in graph.operators:
        if graph.code(product) != _Op.FULLY_CONNECTED or graph.constant(product.inputs[1]) is None:
            continue
        reshape = graph.readers(product.outputs[0], _Op.RESHAPE)
        transpose = graph.readers(reshape[0].outputs[0], _Op.TRANSPOSE) if reshape else None
        order = graph.constant(transpose[0].inputs[1]) if transpose else None
        if order is None or len(order) < 3 or len(reshape[0].inputs) < 2:
            continue
        kernel, shape = graph.tensors[product.inputs[1]], graph.constant(reshape[0].inputs[1])
        if np.prod(graph.tensors[reshape[0].outputs[0]].shape[-2:]) != kernel.shape[0]:
            continue  # what is told apart is not the outputs of a token
        shape = reshape[0].inputs[1] if shape is None else tuple(shape)
        alike = (product.inputs[0], shape, tuple(order), kernel.type, tuple(kernel.shape), str(vars(product.builtinOptions)))
        found.setdefault(alike, []).append((product, reshape[0], transpose[0]))
    yield from (each for each in found.values() if 2 <= len(each) <= 4)  # XNNPACK splits into so many at most


def _join(graph: _Graph, heads: _Heads) -> bool:
    """Writes one product instead of several; whether the shape of their heads is known before them."""
    (product, reshape, transpose), count = heads[0], len(heads)
    pack = graph.maker(reshape.inputs[1])
    if pack is not None and graph.place(pack) > min(graph.place(each) for each, _, _ in heads):
        return False
    shape = _shape_of_more_heads(graph, reshape.inputs[1], count)
    if shape is None:
        return False
    kernel, bias = _stacked(graph, [each for each, _, _ in heads])
    name = ";".join(graph.tensors[each.outputs[0]].name.decode() for each, _, _ in heads)  # as the converter names what it joins
    axis = len(graph.tensors[reshape.outputs[0]].shape) - 2
    turned_axis = list(graph.constant(transpose.inputs[1])).index(axis)
    flat = graph.add(product.outputs[0], name, axis=-1, times=count)
    apart = graph.add(reshape.outputs[0], f"{name}/heads", axis=axis, times=count)
    turned = graph.add(transpose.outputs[0], f"{name}/turned", axis=turned_axis, times=count)
    reshaped = _wired(reshape, [flat, shape], [apart])
    reshaped.builtinOptionsType, reshaped.builtinOptions = schema.BuiltinOptions.NONE, None  # they name the shape of before
    split = operator_of(graph.model, _Op.SPLIT, [_whole_numbers(graph, turned_axis), turned], [each.outputs[0] for _, _, each in heads])
    split.builtinOptionsType, split.builtinOptions = schema.BuiltinOptions.SplitOptions, schema.SplitOptionsT()
    split.builtinOptions.numSplits = count
    joined = [
        _wired(product, [product.inputs[0], kernel, bias], [flat]),
        reshaped,
        _wired(transpose, [apart, transpose.inputs[1]], [turned]),
    ]
    graph.replace([each for three in heads for each in three], [*joined, split])
    return True


def _shape_of_more_heads(graph: _Graph, shape: int, count: int) -> int | None:
    """The shape `[..., count * heads, width]` where this one is `[..., heads, width]`, once for all who need it; None where heads and width are not known."""
    if (shape, count) not in graph.shapes:
        graph.shapes[shape, count] = _made_shape(graph, shape, count)
    return graph.shapes[shape, count]


def _made_shape(graph: _Graph, shape: int, count: int) -> int | None:
    sizes, pack = graph.constant(shape), graph.maker(shape)
    if sizes is not None:
        return _whole_numbers(graph, [*sizes[:-2], sizes[-2] * count, sizes[-1]]) if (sizes[-2:] > 0).all() else None
    heads, width = (graph.constant(index) for index in pack.inputs[-2:]) if graph.code(pack) == _Op.PACK else (None, None)
    if heads is None or width is None:
        return None
    made = add_tensor(graph.model, f"{graph.tensors[shape].name.decode()}/{count}", [len(pack.inputs)], kind=_Type.INT32)
    more = _wired(pack, [*pack.inputs[:-2], _whole_numbers(graph, heads * count), pack.inputs[-1]], [made])
    graph.operators.insert(graph.place(pack) + 1, more)
    return made


def _stacked(graph: _Graph, products: list[schema.OperatorT]) -> tuple[int, int]:
    """The kernels `[outputs, inputs]` of several products one after another, and their biases; -1 where none has one."""
    kernels, first = [each.inputs[1] for each in products], graph.tensors[products[0].inputs[1]]
    name = ";".join(graph.tensors[each].name.decode() for each in kernels)
    values = np.concatenate([graph.constant(each) for each in kernels])
    kernel = add_tensor(graph.model, name, values.shape, values.view(np.uint8).ravel(), kind=first.type)
    if first.type == _Type.INT8:
        steps = [graph.tensors[each].quantization for each in kernels]
        each_row = [np.broadcast_to(np.asarray(one.scale, np.float32), [len(values) // len(kernels)]) for one in steps]
        quantisation = copy.copy(first.quantization)
        quantisation.scale, quantisation.zeroPoint = np.concatenate(each_row), np.zeros(len(values), np.int64)
        quantisation.quantizedDimension, quantisation.min, quantisation.max = 0, None, None
        graph.tensors[kernel].quantization = quantisation
    biases = [each.inputs[2] if len(each.inputs) > 2 else -1 for each in products]
    if all(index < 0 for index in biases):
        return kernel, -1
    rows = len(values) // len(kernels)
    held = np.concatenate([np.zeros(rows, np.float32) if index < 0 else graph.constant(index) for index in biases])
    name = ";".join(graph.tensors[index].name.decode() for index in biases if index >= 0)
    return kernel, add_tensor(graph.model, name, [len(held)], held.view(np.uint8))


def _whole_numbers(graph: _Graph, values: np.ndarray | list[int] | int) -> int:
    """A constant of int32, a scalar or a vector."""
    values = np.asarray(values, np.int32)
    return add_tensor(graph.model, f"whole_numbers_{len(graph.tensors)}", values.shape, values.reshape(-1).view(np.uint8), kind=_Type.INT32)
