"""TFLite metadata: labels and vocabulary inside the file, in the layout that MediaPipe's Text Classifier reads.

A file with metadata is three things one after another: the model's FlatBuffer, which holds the metadata's own FlatBuffer (file identifier
M001) in its buffer TFLITE_METADATA, and a zip archive of the files that the metadata names. MediaPipe finds the inputs by the metadata's
names ids, mask and segment_ids, the vocabulary in the sub-graph's BertTokenizerOptions, the labels as TENSOR_AXIS_LABELS of the output
(mediapipe/calculators/tensor/bert_preprocessor_calculator.cc, mediapipe/tasks/cc/text/utils/text_model_utils.cc).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import number_types
from flatbuffers.table import Table

from tfarch.errors import InputError
from tfarch.runtime.signature import INPUTS, OUTPUT, SIGNATURE, VECTOR

METADATA_BUFFER = "TFLITE_METADATA"
LABELS_FILE = "labels.txt"
VOCABULARY_FILE = "vocab.txt"

# The tables of metadata_schema.fbs 1.5.0 (google-ai-edge/mediapipe, mediapipe/tasks/metadata): fields in the schema's order, which gives
# them their ids. A union is two fields, its type and its table. Later fields that tfarch neither writes nor reads are left out.
_TABLES: dict[str, dict[str, str]] = {
    "ModelMetadata": {
        "name": "string",
        "description": "string",
        "version": "string",
        "subgraph_metadata": "[SubGraphMetadata]",
        "author": "string",
        "license": "string",
        "associated_files": "[AssociatedFile]",
        "min_parser_version": "string",
    },
    "SubGraphMetadata": {
        "name": "string",
        "description": "string",
        "input_tensor_metadata": "[TensorMetadata]",
        "output_tensor_metadata": "[TensorMetadata]",
        "associated_files": "[AssociatedFile]",
        "input_process_units": "[ProcessUnit]",
        "output_process_units": "[ProcessUnit]",
    },
    "TensorMetadata": {
        "name": "string",
        "description": "string",
        "dimension_names": "[string]",
        "content": "Content",
        "process_units": "[ProcessUnit]",
        "stats": "Stats",
        "associated_files": "[AssociatedFile]",
    },
    "Content": {"content_properties": "union ContentProperties"},
    "ProcessUnit": {"options": "union ProcessUnitOptions"},
    "AssociatedFile": {
        "name": "string",
        "description": "string",
        "type": "enum AssociatedFileType",
        "locale": "string",
        "version": "string",
    },
    "Stats": {"max": "[float]", "min": "[float]"},
    "BertTokenizerOptions": {"vocab_file": "[AssociatedFile]"},
    "FeatureProperties": {},
}
_UNIONS = {
    "ContentProperties": ("NONE", "FeatureProperties", "ImageProperties", "BoundingBoxProperties", "AudioProperties"),
    "ProcessUnitOptions": (
        "NONE",
        "NormalizationOptions",
        "ScoreCalibrationOptions",
        "ScoreThresholdingOptions",
        "BertTokenizerOptions",
        "SentencePieceTokenizerOptions",
        "RegexTokenizerOptions",
    ),
}
_ENUMS = {
    "AssociatedFileType": (
        "UNKNOWN",
        "DESCRIPTIONS",
        "TENSOR_AXIS_LABELS",
        "TENSOR_VALUE_LABELS",
        "TENSOR_AXIS_SCORE_CALIBRATION",
        "VOCABULARY",
        "SCANN_INDEX_FILE",
    )
}
# BertTokenizerOptions and input_process_units came with version 1.1.0 of the schema.
_MIN_PARSER_VERSION = "1.1.0"
_ALIGNMENT = 16

_DESCRIPTIONS = {
    "ids": "Word piece ids of the text: [CLS], pieces, [SEP]; at most {max_length}",
    "mask": "1 for every id of the text, 0 for padding",
    "segment_ids": "0 for every id: one text",
    OUTPUT: "Calibrated probability of every label",
    VECTOR: "The encoder's vector of the text, which the last layer reads; no scores of labels",
}


def write_metadata(
    tflite: bytes | str | Path,
    *,
    name: str,
    description: str,
    labels: Mapping[str, Sequence[str]],
    vocabulary: str,
    max_length: int,
    licence: str,
    version: str,
) -> bytes:
    """A TFLite classifier with metadata, labels.txt and vocab.txt inside.

    The weights keep their bytes and are aligned to 16, so the file gives the same answers. Its inputs are described in the file's own
    order, which the converter chooses; the probabilities become its first outputs, as MediaPipe's Text Classifier takes every output for the scores
    of a head and its users look at the first. Older metadata give way. The same arguments give the same bytes.

    Args:
        tflite: the converter's file or its bytes: a signature `serving_default` with the inputs ids, mask and segment_ids, and the
            probabilities of each task, alone or with text_vector.
        name, description, version: of the model, for whoever reads the file.
        labels: of each output with probabilities the names of its classes, in their order; outputs stand in the file in this order.
        vocabulary: the text of vocab.txt, a word piece a line.
        max_length: tokens that a text is cut to. MediaPipe cuts only for files of fixed length; for others it is told to the reader.
        licence: of the model.

    Raises:
        InputError: not a TFLite classifier with these tensors, or labels that do not fit its output or a line each.
    """
    body, where = (tflite, None) if isinstance(tflite, bytes) else (Path(tflite).read_bytes(), tflite)
    model = _model(body, where)
    if any(model.Buffers(index).Offset() > 1 for index in range(model.BuffersLength())):
        raise InputError("keeps weights outside the FlatBuffer (a file over 2 GB)", file=where)
    inputs, outputs = signature_names(model)
    if sorted(inputs) != sorted(INPUTS) or not set(labels) <= {*outputs} <= {*labels, VECTOR}:
        expected = f"{', '.join(INPUTS)}, and {', '.join(labels)} with or without {VECTOR}"
        raise InputError(f"has inputs {inputs} and outputs {outputs}; expected {expected}", file=where)
    order = [*(outputs.index(each) for each in labels), *(place for place, each in enumerate(outputs) if each not in labels)]
    for output, names in labels.items():
        _check_labels(names, model, outputs.index(output), where)
    label_files = {output: f"{output.removesuffix(OUTPUT)}{LABELS_FILE}" for output in labels}

    metadata = {
        "name": name,
        "description": description,
        "version": version,
        "license": licence,
        "min_parser_version": _MIN_PARSER_VERSION,
        "subgraph_metadata": [
            {
                "name": SIGNATURE,
                "input_tensor_metadata": [_tensor(each, _DESCRIPTIONS[each].format(max_length=max_length)) for each in inputs],
                "output_tensor_metadata": [
                    *(_scores(output, label_files[output]) for output in labels),
                    *(_tensor(outputs[place], _DESCRIPTIONS[outputs[place]]) for place in order[len(labels) :]),
                ],
                "input_process_units": [
                    {
                        "options": {
                            "BertTokenizerOptions": {
                                "vocab_file": [{"name": VOCABULARY_FILE, "description": "Word pieces, a line each", "type": "VOCABULARY"}]
                            }
                        }
                    }
                ],
            }
        ],
    }
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write_table(builder, "ModelMetadata", metadata), b"M001")
    described = _with_buffer(model, METADATA_BUFFER, bytes(builder.Output()), order)
    lists = {label_files[output]: "".join(f"{label}\n" for label in names) for output, names in labels.items()}
    return _append_files(described, {**lists, VOCABULARY_FILE: vocabulary})


def read_metadata(tflite: bytes | str | Path) -> dict[str, Any]:
    """The metadata of a TFLite file as nested plain values named as in the schema, and `files`: the texts of the packed files by name.

    Empty where the file has no metadata.

    Raises:
        InputError: not a TFLite file, metadata of another kind, or damaged packed files.
    """
    body, where = (tflite, None) if isinstance(tflite, bytes) else (Path(tflite).read_bytes(), tflite)
    model = _model(body, where)
    for entry in map(model.Metadata, range(model.MetadataLength())):
        if entry.Name() == METADATA_BUFFER.encode():
            data = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
            if data[4:8] != b"M001":
                raise InputError(f"has metadata of the unknown kind {data[4:8]!r}; known: M001", file=where)
            root = Table(bytearray(data), int.from_bytes(data[:4], "little"))
            return _read_table(root, "ModelMetadata") | {"files": _packed_files(body, where)}
    return {}


def signature_names(model: schema.Model) -> tuple[list[str], list[str]]:
    """The signature's names of the inputs and of the outputs, in the order of the file's tensors; '' for one without a name."""
    graph = model.Subgraphs(0)
    for index in range(model.SignatureDefsLength()):
        signature = model.SignatureDefs(index)
        if signature.SignatureKey() == SIGNATURE.encode():
            inputs = {signature.Inputs(i).TensorIndex(): signature.Inputs(i).Name().decode() for i in range(signature.InputsLength())}
            outputs = {signature.Outputs(i).TensorIndex(): signature.Outputs(i).Name().decode() for i in range(signature.OutputsLength())}
            return (
                [inputs.get(graph.Inputs(i), "") for i in range(graph.InputsLength())],
                [outputs.get(graph.Outputs(i), "") for i in range(graph.OutputsLength())],
            )
    return [""] * graph.InputsLength(), [""] * graph.OutputsLength()


def _model(body: bytes, where: str | Path | None) -> schema.Model:
    if body[4:8] != b"TFL3":
        raise InputError("is not a TFLite file", file=where)
    return schema.Model.GetRootAs(body)


def _check_labels(labels: Sequence[str], model: schema.Model, output: int, where: str | Path | None) -> None:
    for index, label in enumerate(labels):
        if not label or label.splitlines() != [label] or label != label.strip():
            raise InputError(f"label {index} is {label!r}: it cannot stand on a line of {LABELS_FILE}", mend="rename it")
    graph = model.Subgraphs(0)
    classes = int(graph.Tensors(graph.Outputs(output)).ShapeAsNumpy()[-1])
    if classes != len(labels):
        raise InputError(f"gives {classes} probabilities, but there are {len(labels)} labels", file=where)


def _tensor(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "description": description, "content": {"content_properties": {"FeatureProperties": {}}}}


def _scores(output: str, labels_file: str) -> dict[str, Any]:
    """An output with probabilities, whose labels stand in a file of their own."""
    listed = {"name": labels_file, "description": "Labels of the output, a line each", "type": "TENSOR_AXIS_LABELS"}
    return _tensor(output, _DESCRIPTIONS[OUTPUT]) | {"stats": {"max": [1.0], "min": [0.0]}, "associated_files": [listed]}


class _AlignedBuffer(schema.BufferT):
    """A buffer of the model whose data start at a multiple of 16 bytes, as schema.fbs demands; the generated code, and so the converter,
    forgets."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 (overrides the generated method)
        if self.data is not None:
            builder.Prep(_ALIGNMENT, len(self.data))
        return super().Pack(builder)


def _with_buffer(model: schema.Model, name: str, content: bytes, order: Sequence[int]) -> bytes:
    """The model with a buffer known by `name` in its list of metadata, in place of an older one of that name, and its outputs in the `order` of their
    places; all buffers aligned."""
    copy = schema.ModelT.InitFromObj(model)
    copy.subgraphs[0].outputs = [int(copy.subgraphs[0].outputs[place]) for place in order]
    copy.metadata = [each for each in copy.metadata or () if each.name != name.encode()]
    copy.buffers.append(schema.BufferT(np.frombuffer(content, np.uint8)))
    copy.metadata.append(schema.MetadataT(name, len(copy.buffers) - 1))
    copy.buffers = [_AlignedBuffer(each.data, each.offset, each.size) for each in copy.buffers]
    builder = flatbuffers.Builder(1024)
    builder.Finish(copy.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _write_table(builder: flatbuffers.Builder, kind: str, values: Mapping[str, Any]) -> int:
    """Writes a table of `_TABLES` and gives its offset; values that are not given are left out."""
    slots: list[tuple[int, str, Any]] = []
    slot = 0
    for field, form in _TABLES[kind].items():
        value = values.get(field)
        width = 2 if form.startswith("union ") else 1
        if value is not None:
            slots += _write_children(builder, slot, form, value)
        slot += width
    builder.StartObject(slot)
    for place, form, value in slots:
        if form == "byte":
            builder.PrependInt8Slot(place, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(place, value, 0)
    return builder.EndObject()


def _write_children(builder: flatbuffers.Builder, slot: int, form: str, value: Any) -> list[tuple[int, str, Any]]:
    """Writes what a field refers to; gives what stands in the table itself as (field id, byte or offset, value)."""
    if form == "string":
        return [(slot, "offset", builder.CreateString(value))]
    if form.startswith("enum "):
        return [(slot, "byte", _ENUMS[form.removeprefix("enum ")].index(value))]
    if form.startswith("union "):
        ((kind, table),) = value.items()
        return [(slot, "byte", _UNIONS[form.removeprefix("union ")].index(kind)), (slot + 1, "offset", _write_table(builder, kind, table))]
    if form == "[float]":
        builder.StartVector(4, len(value), 4)
        for each in reversed(value):
            builder.PrependFloat32(each)
        return [(slot, "offset", builder.EndVector())]
    if form == "[string]":
        return [(slot, "offset", _write_offsets(builder, [builder.CreateString(each) for each in value]))]
    if form.startswith("["):
        return [(slot, "offset", _write_offsets(builder, [_write_table(builder, form[1:-1], each) for each in value]))]
    return [(slot, "offset", _write_table(builder, form, value))]


def _write_offsets(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for each in reversed(offsets):
        builder.PrependUOffsetTRelative(each)
    return builder.EndVector()


def _read_table(table: Table, kind: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    field_id = 0
    for field, form in _TABLES[kind].items():
        slot = _slot(table, field_id)
        if form.startswith("union "):
            inner = _slot(table, field_id + 1)
            if slot and inner:
                chosen = _UNIONS[form.removeprefix("union ")][table.Get(number_types.Uint8Flags, table.Pos + slot)]
                inside = _read_table(Table(table.Bytes, table.Indirect(table.Pos + inner)), chosen) if chosen in _TABLES else {}
                values[field] = {chosen: inside}
            field_id += 2
            continue
        if slot:
            values[field] = _read_value(table, slot, form)
        elif form.startswith("enum "):  # 0 is not stored
            values[field] = _ENUMS[form.removeprefix("enum ")][0]
        field_id += 1
    return values


def _read_value(table: Table, slot: int, form: str) -> Any:
    if form == "string":
        return table.String(table.Pos + slot).decode()
    if form.startswith("enum "):
        return _ENUMS[form.removeprefix("enum ")][table.Get(number_types.Int8Flags, table.Pos + slot)]
    if not form.startswith("["):
        return _read_table(Table(table.Bytes, table.Indirect(table.Pos + slot)), form)
    places = [table.Vector(slot) + 4 * index for index in range(table.VectorLen(slot))]
    if form == "[float]":
        return [table.Get(number_types.Float32Flags, place) for place in places]
    if form == "[string]":
        return [table.String(place).decode() for place in places]
    return [_read_table(Table(table.Bytes, table.Indirect(place)), form[1:-1]) for place in places]


def _append_files(model: bytes, files: Mapping[str, str]) -> bytes:
    """The model with a zip archive behind it, stored and with a fixed time, so that the same files give the same bytes."""
    result = io.BytesIO()
    result.write(model)
    with zipfile.ZipFile(result, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, text.encode("utf-8"))
    return result.getvalue()


def _slot(table: Table, field: int) -> int:
    """Where a field's value lies from the table's beginning; 0 where it is absent."""
    return table.Offset(4 + 2 * field)


def _packed_files(body: bytes, where: str | Path | None) -> dict[str, str]:
    if not zipfile.is_zipfile(io.BytesIO(body)):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise InputError(f"the files packed in it are damaged: {error}", file=where) from error
