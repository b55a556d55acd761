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
# # Recommender: what a user will want next, new users and new items included
#
# A log of behaviour and the items' texts become a small bundle that recommends in milliseconds, without TensorFlow. This notebook learns from the small MovieLens set (100,004 ratings, for
# research) in a few minutes: a quick run, which is a look at what comes out and not a model to keep.
#
# The source is `recommender.py`; `make notebooks` makes the `.ipynb` of it and runs it.

# %%
import base64
import tempfile
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from IPython.display import IFrame

from apps.recommender.app import APP
from apps.recommender.job import run
from apps.recommender.report import views_table
from apps.recommender.source import load
from tfarch.data.behaviour.check import check_log
from tfarch.runtime.new_items import NewItem, with_items
from tfarch.runtime.recommender import load_recommender

# %% [markdown]
# ## The data, and what is odd about it
#
# An event is a user, an item, a time, and maybe what he did and a rating; `liked` says from which rating on an event is what he wanted.

# %%
settings = APP.settings.with_values(APP.quick)
source = load(settings.data)
print(f"{len(source.log):,} events, {len(source.log.user_ids):,} users, {len(source.catalogue):,} items")
for finding in check_log(source.survey):
    print(f"- {finding.severity}: {finding.message}")

# %% [markdown]
# ## The main job
#
# Everything up to a moment is learned, and users are asked for what they do next. New items are those that nobody had had until then: only their texts speak for them.

# %%
out = Path(tempfile.mkdtemp()) / "run"
report = run(settings, out, "the notebook", quick=True)
print(views_table(report))

# %% [markdown]
# ## Recommend
#
# For a history of items, whether its user was in the log or not. Each score is a sum of what spoke for the item.

# %%
recommender = load_recommender(out / "bundle")
history = recommender.history(
    [
        recommender.ids[recommender.titles.index(title)]
        for title in ("Toy Story (1995)", "Babe (1995)", "Wallace & Gromit: A Close Shave (1995)")
    ]
)
for each in recommender.recommend(history, 5, explain=True):
    most = sorted(each.parts.items(), key=lambda part: -part[1])[:2]
    print(f"{each.score:6.2f}  {each.title:60}  " + ", ".join(f"{name} {value:+.2f}" for name, value in most))

# %% [markdown]
# What somebody wants can also be told in words, and lists can be made various.

# %%
for each in recommender.recommend(recommender.history([], texts=["a western of the sixties", "gunfighters"]), 5, variety=0.3):
    print(f"{each.score:6.2f}  {each.title}")

# %% [markdown]
# ## New items
#
# Their texts are encoded and indexed; nothing is learned again. The verb `update-items` does it for a bundle. Of three films that nobody has seen, the first is for who likes the films above.

# %%
films = {
    "The Penguins' Winter (2016)": ("Animation", "Children", "Comedy"),
    "The Last Ledger (2016)": ("Documentary",),
    "Night of the Flensers (2016)": ("Horror", "Thriller"),
}
new = [NewItem(title, title, f"{title}. {', '.join(kinds)}", kinds, source.log.times[-1]) for title, kinds in films.items()]
longer = with_items(recommender, new)
for each in longer.recommend(longer.history([recommender.ids[item] for item in history.items]), 3, allow=list(films)):
    print(f"{each.score:6.2f}  {each.title}")

# %% [markdown]
# ## The file for devices
#
# `recommender.tflite` takes numbers of items and gives the best ones, with LiteRT alone; the SavedModel beside it takes and gives ids.

# %%
best = Interpreter(model_path=str(out / "bundle" / "recommender.tflite")).get_signature_runner("serving_default")
told = best(
    items=history.items.astype(np.int32),
    wanted=history.wanted.astype(np.float32),
    behaviours=history.behaviours.astype(np.int32),
    k=np.int32(5),
)
assert [recommender.ids[item] for item in told["items"]] == [each.item for each in recommender.recommend(history, 5)]
print({name: f"{size / 1e6:.2f} MB" for name, size in report["files"].items() if name.endswith((".tflite", ".npz"))})

# %% [markdown]
# ## The report
#
# `report.html` has the figures of every view, what counts, and what a few users get. `tensorboard --logdir` on the run's folder shows the items in the projector, near to what is wanted by the same people.

# %%
print(f"tensorboard --logdir {out / 'tensorboard'}")
page = base64.b64encode((out / "report.html").read_bytes()).decode()
IFrame(f"data:text/html;base64,{page}", width="100%", height=400)
