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
# # Customer service: from a table of questions to a small, proven model file
#
# This notebook does the main job of tfarch on its embedded sample, the messages to an invented broadband provider, with the settings of `--quick`:
# half of the rows and one pass, about a minute. It is a look at what comes out, not a model to keep: `make demo` makes that.
#
# The source is `customer_service.py`; `make notebooks` makes the `.ipynb` of it and runs it.

# %%
import base64
import tempfile
from pathlib import Path

from IPython.display import IFrame, Markdown

import tfarch
from apps.customer_service.app import APP, equip
from apps.customer_service.assistant import Assistant, Conversation
from apps.customer_service.knowledge import add_faq
from tfarch.config import Config
from tfarch.evaluation import variants_table
from tfarch.pipeline.run_beside import known_rows_of
from tfarch.run_folder import RunFolder

# %% [markdown]
# ## Look at the data first
#
# `check` tells what would harm a model or flatter its score: bad rows, duplicates, the same text under two labels, test rows that are also in train.
# Your own data: a folder with `train.csv` (and `valid.csv`, `test.csv` if you have them) or one CSV, TSV or JSONL file in the place of `SAMPLE`.

# %%
SAMPLE = "../apps/customer_service/data"
dataset, findings = tfarch.check(SAMPLE)
print(f"{len(dataset.train):,} training rows, {len(dataset.labels)} classes. {dataset.split}")
for finding in findings:
    print(f"- {finding.severity}: {finding.message}")

# %%
for text, label in list(zip(dataset.train.texts, dataset.train.labels, strict=True))[:5]:
    print(f"{label:<22} {text}")

# %% [markdown]
# ## The main job
#
# `run` trains, exports and measures. Every figure in the report is measured on the exported file, with the runtime that ships, and not on the Keras
# model that it came from.

# %%
out = Path(tempfile.mkdtemp()) / "run"
report = tfarch.run(SAMPLE, out, settings=APP.quick, app=APP.name, licence=APP.sample_licence, quick=True)

# %%
print(variants_table(report))

# %% [markdown]
# ## Ask it
#
# `tfarch.load` needs no TensorFlow: LiteRT and a tokeniser are all that answers. A text that looks less in scope than the threshold is called out of scope.

# %%
classifier = tfarch.load(out / "bundle")
questions = ["the internet is down again!!", "can i move my bill to the 15th", "whats the weather tomorrow"]
for prediction in classifier.predict(questions):
    verdict = "out of scope" if prediction.out_of_scope else prediction.label
    others = ", ".join(f"{label} {probability:.2f}" for label, probability in prediction.top)
    print(f"{verdict:<20} {prediction.text}\n{'':<20} {others}")

# %% [markdown]
# Why? Each word is left out in turn: what the answer's log-odds lose is its weight. Beside it the training rows that are nearest, which lie in the run's folder.

# %%
(why,) = classifier.explain(["the internet is down again!!"], rows=known_rows_of(RunFolder(out)))
for word in why.words:
    print(f"{word.text:<10} {word.weight:+.2f}")
for row in why.nearest:
    print(f"{row.cosine:.2f}  {row.label:<20} {row.text}")

# %% [markdown]
# ## What it does not know
#
# Six scores tell a text in scope from others. Each has its threshold, chosen on validation; the one that serves best there ships with the bundle.

# %%
print(f"{'score':<20} {'in scope, right':>16} {'out of scope, rejected':>24} {'AUROC':>7}")
for each in report["out_of_scope"]["methods"]:
    mark = "*" if each["method"] == report["out_of_scope"]["method"] else " "
    found = each["metrics"]
    print(f"{mark} {each['method']:<18} {found['in_scope_accuracy']:>16.1%} {found['oos_recall']:>24.1%} {found['oos_auroc']:>7.3f}")

# %% [markdown]
# ## Let it answer
#
# Answers for the intents and an FAQ lie beside the sample's rows. They go into the bundle, and the assistant answers from them: each question of a message by
# itself, with what the customer said filled in. A model of one quick pass is unsure: it often asks back, or hands over to a person.

# %%
equip(out / "bundle", Config().with_values({"data": {"path": str(SAMPLE)}}))
assistant, conversation = Assistant.load(out / "bundle"), Conversation()
for message in ["i want to talk to a real person", "do you have a discount for students, and how do i unlock my phone"]:
    for reply in assistant.reply(message, conversation):
        print(f"{reply.question}\n    {reply.text}\n    ({reply.source} {reply.name or ''}, {reply.probability:.0%})\n")

# %% [markdown]
# Both can be changed without training: what is added is found at once.

# %%
add_faq(out / "bundle", "Do you sell umbrellas?", "No, but the weather is on us.", "umbrellas")
print(Assistant.load(out / "bundle").reply("can i buy an umbrella from you")[0].text)

# %% [markdown]
# ## What it takes for what
#
# The pairs of classes that are mixed up most, with the texts: the best place to look for labels that are wrong or classes that are one.

# %%
for pair in report["confusions"][:3]:
    print(f"{pair['label']} taken for {pair['predicted']}, {pair['count']} times")
    for text in pair["examples"][:2]:
        print(f"    {text}")

# %% [markdown]
# ## The report
#
# The same for people, in one file: tables, the plot of size against quality, the reliability diagram, and how it was made. Here is its beginning.

# %%
page = base64.b64encode((out / "report.html").read_bytes()).decode()
IFrame(f"data:text/html;base64,{page}", width="100%", height=600)

# %% [markdown]
# ## What ships
#
# The bundle is all that another machine needs. Its `bundle.json` lists labels, tokeniser, threshold, where weights and data come from, and the sha256 of
# every file.

# %%
for file in sorted((out / "bundle").rglob("*")):
    if file.is_file():
        print(f"{file.stat().st_size:>12,}  {file.relative_to(out)}")

# %%
Markdown((out / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8"))
