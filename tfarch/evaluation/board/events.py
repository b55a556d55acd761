"""TensorBoard's event file and the summaries in it, as protocol buffers: no TensorFlow, and what goes wrong in writing is an `OSError`."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.image.metadata import create_summary_metadata as image_metadata
from tensorboard.plugins.scalar.metadata import create_summary_metadata as scalar_metadata
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

FORMAT = "brain.Event:2"  # what the first record of an event file says


def write_events(folder: Path, summaries: Iterable[Summary]) -> None:
    """Writes one event file into `folder`, every summary at step 0: a finished file has no steps.

    Raises:
        OSError: it cannot be written.
    """
    now = time.time()
    with open(folder / f"events.out.tfevents.{now:.0f}.tfarch", "wb") as file:
        records = RecordWriter(file)
        records.write(Event(wall_time=now, file_version=FORMAT).SerializeToString())
        for summary in summaries:
            records.write(Event(wall_time=now, step=0, summary=summary).SerializeToString())


def scalar(tag: str, value: float) -> Summary:
    """A number."""
    return with_tensor(tag, np.float32(value), scalar_metadata(None, None))


def image(tag: str, picture: Image.Image, description: str) -> Summary:
    """A picture, as PNG; the description is Markdown."""
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    parts = [str(picture.width).encode(), str(picture.height).encode(), content.getvalue()]
    tensor = TensorProto(dtype=DT_STRING, tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(parts))]), string_val=parts)
    return _summary(tag, tensor, image_metadata(None, description))


def with_tensor(tag: str, values: np.ndarray, metadata: SummaryMetadata) -> Summary:
    """Numbers of any shape for the plugin that `metadata` names."""
    return _summary(tag, make_tensor_proto(values), metadata)


def _summary(tag: str, tensor: TensorProto, metadata: SummaryMetadata) -> Summary:
    return Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=metadata)])
