"""The peers of `benchmarks.latency`, in the bench environment: ONNX Runtime and PyTorch, with the run's own network and weights."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.workers import serve_calls


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--onnx", type=Path, required=True, help="folder of the exported files")
    parser.add_argument("--export", action="store_true", help="write the ONNX files and end")
    parser.add_argument("--serve", help="engine")
    parser.add_argument("--ids", type=Path)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.export:
        from benchmarks.torch_network import load_network

        export(load_network(options.run / "checkpoints", dropout=0.0, fusable=True), options.onnx)
        return 0
    rows = {int(length): value for length, value in np.load(options.ids).items()}
    make = _pytorch if options.serve == "pytorch_eager" else _onnx_runtime
    call = make(options.serve, options.run / "checkpoints", options.onnx, options.threads)
    serve_calls(call, rows)
    return 0


def export(network, folder: Path) -> None:
    """plain.onnx, its fused form, and the dynamic int8 of both, per tensor and per channel, of a `Network` that is fusable.

    Weights take 7 bits where the processor has no VNNI, as ONNX Runtime's documentation advises: its sums of two 8-bit products saturate at 16 bits there.
    """
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    example = torch.ones((1, 16), dtype=torch.int64)
    names = ["ids", "mask", "segment_ids"]
    axes = {name: {0: "batch", 1: "length"} for name in names} | {"logits": {0: "batch"}}
    plain = folder / "plain.onnx"
    torch.onnx.export(
        network, (example, example, torch.zeros_like(example)), str(plain), input_names=names, output_names=["logits"],
        dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip
    layer = network.layers[0]
    options = FusionOptions("bert")
    options.enable_skip_layer_norm = options.enable_gelu = options.enable_attention = True
    fused = optimizer.optimize_model(
        str(plain), "bert", num_heads=layer.heads, hidden_size=layer.query.in_features, optimization_options=options, opt_level=1
    )
    print(f"fused: {fused.get_fused_operator_statistics()}", file=sys.stderr)
    fused.save_model_to_file(str(folder / "fused.onnx"))
    vnni = "vnni" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    for source, name in (("plain.onnx", "onnx_int8"), ("fused.onnx", "onnx_fused_int8")):
        for per_channel, suffix in ((False, ""), (True, "_per_channel")):
            quantize_dynamic(
                str(folder / source),
                str(folder / f"{name}{suffix}.onnx"),
                per_channel=per_channel,
                weight_type=QuantType.QInt8,
                reduce_range=not vnni,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # shape inference does not know the fused operators
            )


def _onnx_runtime(engine: str, checkpoints: Path, folder: Path, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    file = {"onnx_fused_float32": "fused.onnx"}.get(engine, f"{engine}.onnx")
    session = onnxruntime.InferenceSession(str(folder / file), options, providers=["CPUExecutionProvider"])

    def call(row: np.ndarray) -> np.ndarray:
        ids = row.astype(np.int64)
        return session.run(None, {"ids": ids, "mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)})[0]

    return call


def _pytorch(engine: str, checkpoints: Path, folder: Path, threads: int):
    import torch

    from benchmarks.torch_network import load_network

    torch.set_num_threads(threads)
    network = load_network(checkpoints, dropout=0.0)

    def call(row: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            ids = torch.from_numpy(row.astype(np.int64))
            return torch.softmax(network(ids, torch.ones_like(ids), torch.zeros_like(ids)), dim=-1).numpy()

    return call


if __name__ == "__main__":
    sys.exit(main())
