# ---
# jupyter:
#   jupytext:
#     formats: py:percent,ipynb
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Compression: what can go from a model, how, and the proof on the file
#
# A small encoder is trained on the topics of the embedded financial headlines in a few seconds, and then made smaller in every way that tfarch knows. It starts from
# random weights, so its accuracy is that of a toy; what the notebook shows are the ways. On a pre-trained encoder they are the same commands: `run`, then
# `compress --recipe ... --from RUN`.
#
# The source is `compression.py`; `make notebooks` makes the `.ipynb` of it and runs it.

# %%
import base64
import json
import tempfile
from pathlib import Path

import numpy as np
from IPython.display import IFrame

import tfarch  # before TensorFlow: it settles that tf.keras is tf_keras

import tensorflow as tf  # isort: skip

from tfarch.compression.importance import importance
from tfarch.compression.recipe import load_recipe, shipped_recipes
from tfarch.data.arrays import Arrays
from tfarch.errors import GateError
from tfarch.evaluation import variants_table
from tfarch.evaluation.file_benchmark import benchmark
from tfarch.export.linter import examine
from tfarch.pipeline.model_job import compress_model
from tfarch.pipeline.own_model import Rows
from tfarch.pipeline.trained import TrainedModel
from tfarch.run_folder import RunFolder

# %%
SAMPLE = "../apps/finance_sentiment/data"
folder = Path(tempfile.mkdtemp())
settings = {
    "data": {"label_column": "topic"},
    "model": {"weights": "random", "layers": 3, "width": 64, "heads": 4, "feed_forward": 256, "vocabulary": 3000},
    "train": {"epochs": 12, "learning_rate": 0.002},
    "label_errors": {"find": False},
    "evaluate": {"latency_texts": 50},
}
report = tfarch.run(SAMPLE, folder / "run", settings=settings)
print(variants_table(report))

# %% [markdown]
# ## Rounding: the same network in a quarter of the bytes
#
# `float32`, `float16` and `dynamic_int8` above are the same weights. The int8 file keeps a byte for each weight and a scale for each output of a layer, and rounds activations while
# it runs. That costs no training, and is what ships unless you say otherwise.
#
# ## Zeros: smaller when packed, not faster
#
# A pruned weight is a zero that is stored and multiplied all the same. Only a gzipped file gets smaller. The zeros are counted in the exported file, not in the model.

# %%
for name in shipped_recipes():
    print(f"{name:<12} {load_recipe(name).description}")


# %%
def recipe(name: str, *stages: str, bounds: str = "{}") -> str:
    """A recipe as a file."""
    file = folder / f"{name}.yaml"
    lines = ["version: 1", f"name: {name}", "stages:", *(f"  - {{{stage}}}" for stage in stages), f"bounds: {bounds}"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


pruned = tfarch.compress(
    recipe("zeros", "kind: prune, sparsity: 0.7, epochs: 2, criterion: movement, scope: global"), folder / "run", folder / "zeros"
)
print(variants_table(pruned))
file = next(each["file"] for each in pruned["variants"] if each["name"] == "zeros_float32")
print(
    f"\nzeros in the encoder's and the head's kernels of {file}: {100 * examine(folder / 'zeros' / file).sparsity('FULLY_CONNECTED'):.1f} %"
)

# %% [markdown]
# ## Slimming: what is worth least is taken out
#
# A head or a neuron has a worth: the length of its weights, or what the loss says of it. `information` is half the mean square of the loss's slope by a gate at its output, which stands for
# what the loss is expected to rise by if the gate closes.

# %%
trained = TrainedModel.load(RunFolder(folder / "run"))
stage = trained.only.stages[0]
worth = importance("magnitude", trained.only.build(stage), stage.spec, None, None)
for number, heads in enumerate(worth.heads):
    print(f"layer {number}: heads by the length of their weights", np.round(heads, 2))

# %% [markdown]
# Two of the three layers, half of the heads and neurons, and the pieces of the vocabulary that the texts use most, taught by the whole model: its answers, and how its tokens attend to one another.
# What is left is an ordinary smaller encoder with a tokeniser of its own; the last stage trains it on the grid of the int8 file.

# %%
slim = "kind: slim, keep_layers: [0, 2], heads: 0.5, neurons: 0.5, vocabulary: 1200, epochs: 4, learning_rate: 0.002, distillation: 0.5, relations: 0.5"
small = tfarch.compress(recipe("thin", slim, "kind: quantisation_aware, distillation: 0.5"), folder / "run", folder / "thin")
print(variants_table(small))
print(json.dumps({name: small["compression"][0]["stages"][0][name] for name in ("vocabulary", "layers", "heads", "neurons")}))

# %% [markdown]
# ## What it costs
#
# Accuracy alone hides what flips. Beside the float32 file: the answers that differ, right ones lost and gained, by length, by rare classes, and what a typo in each text does to either.

# %%
cost = small["cost"]
print(
    f"{cost['flips']['count']} of {cost['rows']} answers differ: {cost['flips']['lost']} right ones lost, {cost['flips']['gained']} gained"
)
for part in cost["slices"]:
    print(f"{part['name']:<50} {100 * part['accuracy']:5.1f} %, float32 {100 * part['reference_accuracy']:5.1f} % ({part['rows']} rows)")
typos = cost["typos"]
print(
    f"with a typo in each text {100 * typos['typos']:.1f} % instead of {100 * typos['clean']:.1f}, float32 {100 * typos['reference_typos']:.1f} instead of {100 * typos['reference_clean']:.1f}"
)

# %% [markdown]
# ## The report is a gate
#
# A recipe may promise bounds, and settings may ask for them (`--set gate.flips=0.01`). Where one is broken, the command ends with exit code 1, in Python with `GateError`; the report is written all the same.

# %%
try:
    tfarch.compress(
        recipe("promise", "kind: quantisation_aware", bounds="{megabytes: 0.01, accuracy_loss: 0.5}"), folder / "run", folder / "promise"
    )
except GateError as error:
    print("GateError:", error)

# %% [markdown]
# ## Any file, measured
#
# `python -m tfarch.compression benchmark FILE` measures any TFLite file: bytes, memory, what share of its operators the processor's delegate takes, and latency by threads and length.

# %%
for place in (folder / "run", folder / "thin"):
    found = benchmark(place / "bundle" / "model.tflite", lengths=(16, 64), repeats=5)
    times = ", ".join(f"{length} tokens {each['p50']:.2f} ms" for length, each in found["latency_ms"]["threads_1"].items())
    print(f"{place.name:<5} {found['bytes'] / 1e3:6.0f} kB, {100 * found['delegated']:.0f} % delegated; {times}")

# %% [markdown]
# ## A model of your own
#
# A functional tf_keras model that was made elsewhere, with its rows as arrays. On the command line:
# `python -m tfarch.compression compress model.keras --data rows.npz --recipe mine.yaml --out out`.

# %%
random = np.random.default_rng(0)
centres = random.normal(0, 1, (5, 32))
classes = random.integers(0, 5, 3000)
inputs = (centres[classes] + random.normal(0, 1.5, (3000, 32))).astype(np.float32)
own = tf.keras.Sequential(
    [tf.keras.layers.Dense(512, "relu", input_shape=(32,)), tf.keras.layers.Dense(512, "relu"), tf.keras.layers.Dense(5)]
)
own.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
own.fit(inputs, classes, epochs=3, verbose=0)
stages = ("kind: slim, neurons: 0.25, epochs: 2, learning_rate: 0.001, distillation: 0.5", "kind: quantisation_aware")
rows = Rows(Arrays({own.input_names[0]: inputs}), classes)
print(variants_table(compress_model(own, load_recipe(recipe("quarter", *stages)), rows, folder / "own")))

# %%
page = base64.b64encode((folder / "thin" / "report.html").read_bytes()).decode()
IFrame(f"data:text/html;base64,{page}", width="100%", height=600)
