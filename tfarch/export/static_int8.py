"""Full-integer TFLite files, for devices that compute in nothing else: weights and activations in int8, the ranges of the activations fixed by texts that are looked at.

Where there is floating point, dynamic-range int8 rounds less: it measures the range of each activation while it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize.calibrator import Calibrator, add_intermediate_tensors
from tensorflow.lite.tools import flatbuffer_utils

from tfarch.errors import unknown
from tfarch.export.graph_editing import code_of
from tfarch.quiet import quiet

_Op = schema.BuiltinOperator
_OF_MASKS = {_Op.ADD, _Op.SUB, _Op.MUL, _Op.RESHAPE, _Op.EXPAND_DIMS}  # what a mask goes through

# min_max: all that was seen. percentile: but for a ten-thousandth at each end. mse: the range by which the values that were seen are rounded with the least square error
# (Sung et al. 2015; Wu et al. 2020, "Integer Quantization for Deep Learning Inference", section 4.2, compare such ways).
Calibration = Literal["min_max", "percentile", "mse"]
CALIBRATIONS = get_args(Calibration)
CLIPPED = -30.0  # of an attention mask: exp(-30) is below what 256 steps of a softmax tell apart
_TAIL = 1e-4
_VALUES = 2_000  # of a tensor that are kept of each batch
_SHARES = np.linspace(0.2, 1.0, 33)  # of the range that are tried for the least error


def static_int8(body: bytes, batches: Sequence[Mapping[str, np.ndarray]], calibration: Calibration = "min_max") -> bytes:
    """A full-integer file of a float32 one. Inputs and outputs keep their types; operators that have no integer form stay float.

    Args:
        body: the float32 file.
        batches: inputs by the names of its signature, all of one shape, of whatever size it takes; they fix the ranges.
        calibration: of `CALIBRATIONS`.

    Raises:
        InputError: unknown calibration.
    """
    if calibration not in CALIBRATIONS:
        raise unknown("calibration", calibration, CALIBRATIONS)
    with quiet():
        body = with_clipped_masks(body)
        signature = _Opened(body).names
        seen = Calibrator(add_intermediate_tensors(body)).calibrate(lambda: ([batch[name] for name in signature] for batch in batches))
        if calibration != "min_max":
            seen = _with_ranges(seen, body, batches, calibration)
        return mlir_quantize(seen)


def with_clipped_masks(body: bytes) -> bytes:
    """A float32 file whose attention masks, numbers that are multiplied by the mask and added to what a softmax is of, are `CLIPPED` at least: in 256 steps from -100 or -1e9 on
    the scores themselves would be hardly one."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(body))
    graph = model.subgraphs[0]
    maker = {output: operator for operator in graph.operators for output in operator.outputs}
    waiting, seen = [index for operator in graph.operators if code_of(model, operator) == _Op.SOFTMAX for index in operator.inputs], set()
    while waiting:
        index = waiting.pop()
        tensor, operator = graph.tensors[index], maker.get(index)
        data = model.buffers[tensor.buffer].data
        if data is not None and tensor.type == schema.TensorType.FLOAT32 and len(data) == 4 and _number(data) < CLIPPED:
            model.buffers[tensor.buffer].data = np.array([CLIPPED], np.float32).view(np.uint8)
        if operator is not None and index not in seen and code_of(model, operator) in _OF_MASKS:
            waiting += [each for each in operator.inputs if each >= 0]
        seen.add(index)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _number(data) -> float:
    return float(np.frombuffer(bytes(bytearray(data)), np.float32)[0])


class _Opened:
    """A file whose every tensor can be read after a call."""

    def __init__(self, body: bytes):
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self.interpreter = Interpreter(model_content=body, experimental_preserve_all_tensors=True, experimental_op_resolver_type=resolver)
        runner = self.interpreter.get_signature_runner()
        own = {each["index"]: name for name, each in runner.get_input_details().items()}
        self._inputs = {own[each["index"]]: each for each in self.interpreter.get_input_details()}
        self.names = list(self._inputs)

    def values(self, batch: Mapping[str, np.ndarray], tensors: Sequence[int]) -> list[np.ndarray]:
        """The values of these tensors for a batch."""
        for name, each in self._inputs.items():
            self.interpreter.resize_tensor_input(each["index"], batch[name].shape)
        self.interpreter.allocate_tensors()
        for name, each in self._inputs.items():
            self.interpreter.set_tensor(each["index"], batch[name])
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(tensor) for tensor in tensors]


def _with_ranges(seen: bytes, body: bytes, batches: Sequence[Mapping[str, np.ndarray]], calibration: str) -> bytes:
    """The calibrated file with other ranges for the tensors that have one."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(seen))
    ranged = {
        place: tensor
        for place, tensor in enumerate(model.subgraphs[0].tensors)
        if tensor.quantization is not None and tensor.quantization.min is not None and len(tensor.quantization.min) == 1
    }
    opened, rng = _Opened(body), np.random.default_rng(0)
    kept: dict[int, list[np.ndarray]] = {place: [] for place in ranged}
    for batch in batches:
        for place, values in zip(ranged, opened.values(batch, list(ranged)), strict=True):
            flat = np.asarray(values, np.float64).ravel()
            kept[place].append(flat if len(flat) <= _VALUES else rng.choice(flat, _VALUES, replace=False))
    for place, tensor in ranged.items():
        values = np.concatenate(kept[place])
        low, high = _percentile(values) if calibration == "percentile" else _least_error(values)
        tensor.quantization.min, tensor.quantization.max = [float(low)], [float(high)]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _percentile(values: np.ndarray) -> tuple[float, float]:
    return tuple(np.quantile(values, [_TAIL, 1.0 - _TAIL]))


def _least_error(values: np.ndarray) -> tuple[float, float]:
    """The range, of shares of the whole one, whose 256 steps round the values with the least mean square error; it holds 0, as TFLite's does."""
    low, high = min(0.0, values.min()), max(0.0, values.max())
    if low == high:
        return low, high
    errors = [np.mean((_rounded(values, share * low, share * high) - values) ** 2) for share in _SHARES]
    share = _SHARES[int(np.argmin(errors))]
    return share * low, share * high


def _rounded(values: np.ndarray, low: float, high: float) -> np.ndarray:
    step = (high - low) / 255
    return np.clip(np.round((values - low) / step), 0, 255) * step + low
