"""A TFLite file run by LiteRT, with the tokeniser in front: texts in, the outputs that are asked for out. TensorFlow is never imported."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tfarch.errors import BundleError, InputError
from tfarch.runtime.signature import INPUTS, SIGNATURE, VECTOR, is_output_of_task
from tfarch.runtime.tokeniser import Tokeniser

# Lengths are padded to a multiple of this, so that fewer queries change the input's shape: a change costs 0.15 to 0.3 ms, a padded token
# its share of the model. 3 x 300 BANKING77 test questions one at a time, MiniLM-L6 dynamic int8, AVX2; time against exact lengths at 1 /
# 2 threads: multiple of 2: 0.99 / 0.98; of 4: 0.97 / 1.02; of 8: 1.09 / 0.96; of 16: 1.17 / 0.99.
_LENGTH_STEP = 4
# Texts are tokenised and sorted by length in windows of this many batches: enough to pad little, and memory stays bounded however many
# texts come.
_WINDOW_BATCHES = 64


class Network:
    """An interpreter with the tokeniser of its file.

    It may be called from several threads: a lock lets one at a time into the interpreter, which is not re-entrant. For answers in
    parallel give each thread or process a network of its own; they share the file's pages, but each packs its weights for the
    processor (about the file's size).

    Args:
        model_file: a TFLite file with the signature `serving_default`: int32 ids, mask, segment_ids `[batch, length]` -> float32 outputs
            `[batch, ...]`, probabilities or text vectors among them (see `tfarch.runtime.signature`). Dynamic dimensions are resized; a fixed `[1, length]`
            is padded to, a text at a time.
        tokeniser: turns texts into ids; padding is id 0.
        max_length: tokens of a text, [CLS] and [SEP] included; longer texts are cut (also to a shorter fixed length of the file).
        threads: threads of the interpreter.

    Raises:
        BundleError: the file cannot be run.
        InputError: `threads` is not a positive whole number.
    """

    def __init__(self, model_file: str | Path, tokeniser: Tokeniser, max_length: int, *, threads: int = 1):
        require_positive("threads", threads)
        self.file, self.tokeniser = Path(model_file), tokeniser
        self._lock = threading.Lock()
        self._interpreter, self._inputs, self._outputs = _open(self.file, threads)
        # -1 where the file leaves a dimension open.
        self._fixed_batch, self._fixed_length = map(int, self._inputs["ids"]["shape_signature"])
        self._shape = tuple(map(int, self._inputs["ids"]["shape"]))
        self.max_length = max_length if self._fixed_length < 0 else min(max_length, self._fixed_length)

    @property
    def widths(self) -> dict[str, int]:
        """The size of each output's last dimension, by name."""
        return {name: int(each["shape"][-1]) for name, each in self._outputs.items()}

    def of_texts(self, texts: Sequence[str], names: Sequence[str], *, batch_size: int = 32) -> tuple[np.ndarray, ...]:
        """The outputs `names`, float32 `[texts, ...]` each, in the order of `texts`.

        Texts are sorted by length inside, so that a batch is padded little. The empty string is a text: [CLS] [SEP]. The company in a batch
        changes a text's probabilities by rounding alone: about 1e-7 in a float32 file, up to 2e-3 in an int8 one, which rounds activations.

        Raises:
            InputError: a text that is not str (names its index), or one str where a list of them is expected.
            BundleError: the file has no output of such a name.
        """
        return self._gather(checked(texts), lambda part: self.tokeniser.encode(part, self.max_length), batch_size, names)

    def of_ids(self, rows: Sequence[np.ndarray], names: Sequence[str], *, batch_size: int = 32) -> tuple[np.ndarray, ...]:
        """As `of_texts` for texts that are token ids already, int32 `[tokens]` each."""
        return self._gather(rows, lambda part: part, batch_size, names)

    def _gather(
        self, texts: Sequence[Any], encode: Callable[[Sequence[Any]], Sequence[np.ndarray]], batch_size: int, names: Sequence[str]
    ) -> tuple[np.ndarray, ...]:
        """The outputs `[texts, ...]` of whatever `encode` makes token ids of."""
        require_positive("batch_size", batch_size)
        for name in names:
            if name not in self._outputs:
                raise BundleError(f"the model file has no output {name}", mend="export it again with this version of tfarch")
        if self._fixed_batch > 0:
            batch_size = self._fixed_batch
        results = tuple(np.empty((len(texts), self._outputs[name]["shape"][-1]), np.float32) for name in names)
        window = batch_size * _WINDOW_BATCHES
        for start in range(0, len(texts), window):
            encoded = encode(texts[start : start + window])
            order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
            for first in range(0, len(order), batch_size):
                batch = order[first : first + batch_size]
                outputs = self._run([encoded[index] for index in batch], names)
                for result, output in zip(results, outputs, strict=True):
                    result[[start + index for index in batch]] = output
        return results

    def _run(self, rows: Sequence[np.ndarray], names: Sequence[str]) -> tuple[np.ndarray, ...]:
        """The outputs `[rows, ...]` of token ids, one batch."""
        longest = max(map(len, rows))
        length = self._fixed_length if self._fixed_length > 0 else min(-(-longest // _LENGTH_STEP) * _LENGTH_STEP, self.max_length)
        ids = np.zeros((len(rows), length), np.int32)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        with self._lock:
            if ids.shape != self._shape:
                for name in INPUTS:
                    self._interpreter.resize_tensor_input(self._inputs[name]["index"], ids.shape)
                self._interpreter.allocate_tensors()
                self._shape = ids.shape
            for name, values in zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True):
                self._interpreter.set_tensor(self._inputs[name]["index"], values)
            self._interpreter.invoke()
            return tuple(self._interpreter.get_tensor(self._outputs[name]["index"]) for name in names)


def _open(file: Path, threads: int) -> tuple[Interpreter, dict[str, dict], dict[str, dict]]:
    """The interpreter of a file with the details of its inputs and outputs by name."""
    if not file.is_file():
        raise BundleError("there is no such model file", file=file)
    with open(file, "rb") as stream:
        if stream.read(8)[4:] != b"TFL3":
            raise BundleError("is not a TFLite file", file=file)
    try:
        interpreter = Interpreter(model_path=str(file), num_threads=threads)
        signatures = interpreter.get_signature_list()
        if SIGNATURE not in signatures:
            raise BundleError(f"has no signature {SIGNATURE!r}, only {sorted(signatures)}", file=file, mend="export it with tfarch")
        runner = interpreter.get_signature_runner(SIGNATURE)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        del runner  # the interpreter refuses to allocate while something else refers to it
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"LiteRT cannot run this file: {error}", file=file) from error
    if set(inputs) != set(INPUTS) or any(each["dtype"] is not np.int32 or len(each["shape"]) != 2 for each in inputs.values()):
        raise BundleError(f"has the inputs {sorted(inputs)}; expected int32 [batch, length] {', '.join(INPUTS)}", file=file)
    if inputs["ids"]["shape_signature"][0] not in (-1, 1):
        raise BundleError(f"takes {inputs['ids']['shape_signature'][0]} texts at a time; expected 1 or any number", file=file)
    if not any(map(is_output_of_task, outputs)) and VECTOR not in outputs:
        raise BundleError(f"has the outputs {sorted(outputs)}; expected probabilities or text vectors", file=file)
    return interpreter, inputs, outputs


def checked(texts: Iterable[str]) -> list[str]:
    """The texts as a list.

    Raises:
        InputError: one of them is not str (names its index), or they are one str.
    """
    if isinstance(texts, (str, bytes)):
        raise InputError("expected a list of texts, not one text", mend="write [text]")
    texts = list(texts)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"text {index} is {text!r} ({type(text).__name__}), not a str")
    return texts


def require_positive(name: str, value: int) -> None:
    """Raises:
    InputError: `value` is no whole number from 1.
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value!r}: expected a whole number from 1")
