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
# # Finance sentiment: topic and mood of the news, and an alarm that keeps its word
#
# One model tells two things of a financial text, its topic and its sentiment; a watch counts them as they arrive and raises an alert when bad news of a topic surges,
# with about as many false alarms as you said you would accept. This notebook does both on the embedded sample, in about three minutes: a quick training, which is a
# look at what comes out and not a model to keep, and a simulated stream whose surges are known.
#
# The source is `finance_sentiment.py`; `make notebooks` makes the `.ipynb` of it and runs it.

# %%
import base64
import contextlib
import io
import json
import tempfile
from pathlib import Path

from IPython.display import IFrame

import tfarch
from apps.finance_sentiment.app import APP
from apps.finance_sentiment.scoring import read_alerts, read_truth, score, score_table
from apps.finance_sentiment.sentiment import scores
from apps.finance_sentiment.simulation import StreamSettings, SurgeSettings, sample_rows, simulate, write
from apps.finance_sentiment.watch.shown import alert_text
from tfarch import cli
from tfarch.config import Config
from tfarch.evaluation import variants_table
from tfarch.evaluation.tasks import views

# %% [markdown]
# ## Two tasks, one table
#
# The sample has a column for each task. A row may lack one of its labels; or each task has data of its own (`task_data`), and no row has both.

# %%
config = Config().with_values(APP.defaults).with_values(APP.quick)
for task, (dataset, findings) in tfarch.check(APP.sample, config=config).items():
    print(f"{task}: {len(dataset.train)} training rows, {', '.join(dataset.labels)}")
    for finding in findings:
        print(f"- {finding.severity}: {finding.message}")

# %% [markdown]
# ## The main job
#
# One encoder, a head for each task, trained together; one file answers both. Every figure is measured on the exported file.

# %%
out = Path(tempfile.mkdtemp()) / "run"
report = tfarch.run(APP.sample, out, config=config, app=APP.name, licence=APP.sample_licence, quick=True)

# %%
for task, view in views(report).items():
    print(f"{task}\n{variants_table(view)}\n")

# %% [markdown]
# ## Ask it
#
# `score` is the probability of positive less that of negative, from -1 to 1.

# %%
model = tfarch.load(out / "bundle")
headlines = [
    "Loss narrows at Tolvane Pharma",
    "Kelmo Foods cuts its forecast after a weak quarter",
    "Central bank leaves rates where they are",
]
probabilities, _ = model.answers(headlines)
for text, found, told in zip(headlines, model.predict(headlines), scores(model, probabilities), strict=True):
    print(f"{found['sentiment'].label:<9} {told['score']:+.2f}  {found['topic'].label:<13} {text}")

# %% [markdown]
# A text that is longer than the model reads at once is answered by all of its passages; `long_texts=False` asks for its beginning alone.

# %%
long_text = " ".join(f"{headline}." for headline in headlines[:1] * 8 + headlines[1:2] * 16)
print(*(scores(model, model.answers([long_text], long_texts=each)[0]) for each in (None, False)))

# %% [markdown]
# Why? Each word is left out in turn: what the answer's log-odds lose is its weight.

# %%
(explained,) = model["sentiment"].explain(headlines[1:2], nearest=0)
for word in explained.moving():
    print(f"{explained.moved(word):+.2f}  {word.text}")

# %% [markdown]
# ## A stream to watch
#
# Five weeks of news, made from texts that the training never saw: a rhythm of the week, publishers that repeat one another, late and edited items, silent feeds. The first three
# weeks are quiet; after them bad news surges now and then, and the truth says when.

# %%
stream, truth_file = out / "stream.jsonl", out / "truth.json"
settings = StreamSettings(days=35, surges=SurgeSettings(per_topic_week=0.7))
simulated = simulate(sample_rows(), settings, seed=1)
write(stream, truth_file, simulated)
print(f"{len(simulated.items):,} items, {len(simulated.truth['surges'])} surges")
print(json.dumps(simulated.items[0], indent=1))

# %% [markdown]
# ## Watch it
#
# We accept a false alarm in ten days of each topic. The watch learns from the first three weeks what is usual for each topic and hour of the week, finds on simulated streams how high its
# statistic may rise for that many false alarms, and says how soon surges of several sizes will then be noticed. Stop it at any point and start it again: it goes on.

# %%
alerts_file, state = out / "alerts.jsonl", out / "watch.sqlite"
watch = ["watch", "--input", stream, "--bundle", out / "bundle", "--state", state, "--alerts", alerts_file, "--false-alarms-per-day", 0.1]
with contextlib.redirect_stdout(io.StringIO()) as told:
    code = cli.main(APP, [str(each) for each in watch])
fired = [line for line in read_alerts(alerts_file) if line["state"] == "firing"]
for line in fired[:2]:
    print(alert_text(line))
print(f"... {len(fired)} alerts fired, {len(told.getvalue().splitlines())} lines were told")

# %% [markdown]
# ## Was it right?
#
# A model after one quick pass mistakes many topics, so this is not what a trained one reaches: `benchmarks/RESULTS.md` has that.

# %%
alerts, truth = read_alerts(alerts_file), read_truth(truth_file)
print(score_table(score(alerts, truth)))

# %% [markdown]
# ## The timeline
#
# The verb `report --state` writes one page without anything from a network.

# %%
timeline = out / "timeline.html"
cli.main(APP, ["report", "--state", str(state), "--timeline", str(timeline)])
page = base64.b64encode(timeline.read_bytes()).decode()
IFrame(f"data:text/html;base64,{page}", width="100%", height=600)
