"""MODEL_CARD.md of a bundle, under the headings of Mitchell et al. 2019 ("Model Cards for Model Reporting"). Every figure is one that
the run measured; what was not measured says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tfarch.evaluation import stages
from tfarch.evaluation.figures import METHOD_NAMES, asked_and_found, at, chosen_variant, headline, rejection, scored_rows, variant_columns
from tfarch.evaluation.tasks import views

UNKNOWN = "unknown"
NOT_MEASURED = "not measured"
WEAKEST = 5
_OTHER_USE = (
    "Other languages, much longer texts and other subjects than the training data's are out of scope, and so is any decision about a "
    "person without a person's check."
)


def render_model_card(report: Mapping[str, Any], bundle: Mapping[str, Any]) -> str:
    """The card as Markdown.

    Args:
        report: report.json's content (DESIGN 4.3 and its optional parts).
        bundle: bundle.json's content; it need not hold `files` yet, of which the card is one.
    """
    name = bundle.get("name") or report.get("name") or bundle.get("app") or "model"
    seen = views(report)
    # Each task's report and bundle, as of a model of that task alone.
    tasks = {task: (seen.get(task, report), {**bundle, **own}) for task, own in (bundle.get("tasks") or {"": {}}).items()}

    def of_each(part: Callable[[Mapping[str, Any], Mapping[str, Any]], str]) -> str:
        return "\n\n".join(f"### {_plain(task)}\n\n{part(*own)}" if task else part(*own) for task, own in tasks.items())

    parts = [
        f"# {_plain(name)}",
        "\n\n".join(_plain(headline(view)) for view, _ in tasks.values() if headline(view))
        or "The quality of this model was not measured.",
        "*Made with `--quick`: good for a look at the pipeline, not for use.*" if report.get("quick") else "",
        "## Model details",
        _details(report, bundle, [own for _, own in tasks.values()]),
        _made_smaller(report),
        "## Intended use",
        of_each(lambda _, own: _intended(own)),
        _OTHER_USE,
        "## How to run it",
        _running(bundle),
        "## Factors",
        "Groups of people, languages, dialects and devices: not measured. The figures by class are below.",
        "## Metrics",
        "Accuracy, macro F1 (mean over the classes that occur), expected calibration error and negative log-likelihood, measured on the "
        "exported file. Latency: milliseconds of one text at a time, after warm-up.",
        "## Evaluation data",
        of_each(_evaluation_data),
        "## Training data",
        of_each(_training_data),
        "## Quantitative analyses",
        of_each(lambda view, _: _analyses(view)),
        "## Ethical considerations",
        "Bias between groups of people, and what a wrong answer costs whom: not measured. The texts of the training data were not searched "
        "for personal data.",
        "## Caveats and recommendations",
        _caveats(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _details(report: Mapping[str, Any], bundle: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> str:
    model, weights, machine = report.get("model") or {}, at(bundle, "provenance", "weights") or {}, report.get("machine") or {}
    shape = f"{model['layers']} layers, width {model['width']}" if model.get("layers") and model.get("width") else UNKNOWN
    return _list(
        [
            ("task", str(bundle.get("task") or UNKNOWN).replace("_", " ")),
            ("made", bundle.get("created")),
            ("made with", f"tfarch {bundle['tfarch_version']}" if bundle.get("tfarch_version") else None),
            ("structure", f"{model.get('structure', UNKNOWN)}; {shape}; {_count(model.get('parameters'))} parameters"),
            ("pre-trained weights", f"{weights.get('name') or UNKNOWN}, from {weights.get('source') or UNKNOWN}"),
            ("licence of these weights", weights.get("licence")),
            ("SHA-256 of these weights", weights.get("sha256")),
            ("file", f"{at(bundle, 'model', 'file') or UNKNOWN}, {at(bundle, 'model', 'variant') or UNKNOWN}, {_size(bundle)}"),
            ("classes", " and ".join(_count(len(own["labels"]) if own.get("labels") else None) for own in tasks)),
            ("longest text", _longest(bundle) if bundle.get("max_length") else None),
            ("trained on the machine", machine.get("cpu")),
            ("contact", None),
        ]
    )


def _made_smaller(report: Mapping[str, Any]) -> str:
    """Which recipe made the file of the trained model, and what each of its stages did."""
    applied = _recipe_of(report)
    if applied is None:
        return ""
    told, teacher = at(applied, "recipe", "description"), applied.get("teacher")
    rows = [
        [_plain(part) for part in (stages.title(number, stage, asked), stages.taught(stage, asked, at(applied, "teacher", "source")))]
        + [_plain(stages.left(stage)), f"{100 * stage['kernel_sparsity']:.1f} %", str(stage.get("epochs", ""))]
        for number, (stage, asked) in enumerate(zip(applied["stages"], stages.asked_of(applied), strict=True), 1)
    ]
    parts = [
        "### How it was made smaller",
        f"By the recipe {_code(applied['name'])}" + (f": {_plain(told)}." if told else "."),
        _table(["stage", "learned from, beside the labels", "what is left", "zeros in kernels", "epochs"], rows, align="---"),
    ]
    if teacher:
        parts.append(f"Another model taught it: {_plain(teacher['source'])}, a file of SHA-256 {teacher['sha256']}.")
    return "\n\n".join(parts)


def _recipe_of(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The recipe that made the file that ships, which is the last that was applied; None where it is of the trained model as it was."""
    return (report.get("compression") or [None])[-1]


def _longest(bundle: Mapping[str, Any]) -> str:
    """What becomes of a text of more tokens than the model reads."""
    tokens = f"{bundle['max_length']} tokens"
    if not bundle.get("long_texts"):
        return f"{tokens}; the rest is cut"
    return f"{tokens}; texts longer than {tokens} are answered by their passages; the figures are of the first {tokens}"


def _intended(bundle: Mapping[str, Any]) -> str:
    labels, threshold = bundle.get("labels") or [], bundle.get("out_of_scope") or {}
    lines = [
        f"Giving a short text one of {len(labels)} labels, with the probability that it is right, for texts like those it was trained on:"
    ]
    if labels:
        lines.append(", ".join(_code(label) for label in labels) + ".")
    if threshold.get("threshold") is not None:
        score = _plain(METHOD_NAMES.get(threshold.get("method"), str(threshold.get("method", UNKNOWN))))
        lines.append(
            f"**Out of scope:** a text whose score by its {score} is below {threshold['threshold']:.3f} is answered as out of scope "
            f"(chosen on {_plain(threshold.get('chosen_on') or UNKNOWN)})."
        )
    else:
        lines.append("**Out of scope:** no threshold was chosen: the model gives every text one of its labels, however foreign the text.")
    return "\n\n".join(lines)


def _running(bundle: Mapping[str, Any]) -> str:
    file, saved = at(bundle, "model", "file") or "model.tflite", at(bundle, "saved_model", "path")
    parts = [
        "Without TensorFlow:",
        '```python\nimport tfarch\n\nclassifier = tfarch.load("bundle")\nprint(classifier.predict(["your text"]))\n```',
        f"`{file}` in any LiteRT (TFLite) interpreter, signature `serving_default`:",
        _tensors(bundle),
        "The ids are word pieces of `vocab.txt`, `[CLS]` first and `[SEP]` last; padding is 0 in all three inputs."
        + (
            " Each web address is read as the word http; MediaPipe does not do that."
            if at(bundle, "tokeniser", "shorten_addresses")
            else ""
        )
        + (
            " The probabilities are calibrated: the temperature is inside the file." if "temperature" in bundle or "tasks" in bundle else ""
        ),
    ]
    if saved:
        parts += [
            "As SavedModel, strings in, labels and probabilities out (or under TensorFlow Serving):",
            "```python\nimport tensorflow as tf\nimport tensorflow_text  # registers the tokeniser's operations\n\n"
            f'model = tf.saved_model.load("bundle/{saved}")\nprint(model.signatures["serving_default"](tf.constant(["your text"])))\n```',
        ]
    if bundle.get("long_texts"):
        parts.append(
            f"Only `tfarch` reads a long text by its passages: the interpreter and the SavedModel read its first {bundle.get('max_length')} tokens."
        )
    return "\n\n".join(parts)


def _tensors(bundle: Mapping[str, Any]) -> str:
    rows = []
    for way in ("inputs", "outputs"):
        for tensor in at(bundle, "signature", way) or []:
            shape = ", ".join("any" if size is None else str(size) for size in tensor.get("shape") or [])
            rows.append([way.removesuffix("s"), _code(tensor["name"]), tensor.get("dtype") or UNKNOWN, f"[{shape}]"])
    return _table(["", "name", "type", "shape"], rows, align="---") if rows else f"Inputs and outputs: {UNKNOWN}."


def _evaluation_data(report: Mapping[str, Any], bundle: Mapping[str, Any]) -> str:
    data, variant = report.get("data") or {}, chosen_variant(report) or {}
    longer, rows = data.get("over_long_test"), data.get("test")
    return _list(
        [
            ("name", data.get("name")),
            ("test rows in scope that were scored", _count(scored_rows(variant))),
            ("test rows out of scope", _count(data.get("out_of_scope_test"))),
            (
                f"test texts longer than {_count(bundle.get('max_length'))} tokens",
                f"{longer:,} of {rows:,} ({100 * longer / rows:.1f} %)" if rows and longer is not None else None,
            ),
            *((f"SHA-256 of {name}", digest) for name, digest in (data.get("sha256") or {}).items()),
        ]
    )


def _training_data(report: Mapping[str, Any], bundle: Mapping[str, Any]) -> str:
    data, origin = report.get("data") or {}, at(bundle, "provenance", "data") or {}
    facts = _list(
        [
            ("name", origin.get("name") or data.get("name")),
            ("licence of the data", origin.get("licence")),
            ("training rows", _count(data.get("train"))),
            *_beside_the_rows(report),
            ("validation rows", _count(data.get("valid"))),
        ]
    )
    findings = [
        f"- {_plain(str(each.get('severity', 'note')))}: {_plain(each.get('message') or each.get('kind') or '')}"
        for each in data.get("findings") or []
    ]
    if bundle.get("examples"):
        file = _code(bundle["examples"]["texts"])
        facts += f"\n\nThis bundle holds texts of training rows ({file}), for showing which are nearest to a text."
    return facts + ("\n\nWhat the checks of the data found:\n\n" + "\n".join(findings) if findings else "")


def _beside_the_rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else was trained on, where there was any."""
    names, learned = at(report, "train", "class_names", "used"), at(report, "train", "unlabelled")
    facts = [("names of the classes", "trained as a row each")] if names else []
    if learned:
        what = f"{learned['taken']:,} of {learned['texts']:,} ({learned['source']}) trained as the class that a probe took them for"
        facts.append(("texts without labels", what))
    applied = _recipe_of(report) or {}
    if beside := applied.get("unlabelled"):
        who = at(applied, "teacher", "source") or "the trained model"
        what = f"{beside['texts']:,} ({beside['source']}, SHA-256 {beside['sha256']}), by what {who} says of them"
        facts.append(("texts without labels, for the recipe", what))
    if guessed := (at(report, "train", "guessed_labels", "rows") or {}).get(report.get("of_task")):
        facts.append(("labels that a first training guessed", f"{guessed:,}, each at half the weight of one that was given"))
    return facts


def _analyses(report: Mapping[str, Any]) -> str:
    variant = chosen_variant(report)
    if variant is None:
        return f"The shipped file: {NOT_MEASURED}."
    columns = variant_columns([variant])
    interval = at(variant, "metrics", "accuracy_interval")
    parts = [
        _table([_plain(variant["name"]), "figure"], [[_plain(each.title), f"{each.text(variant)} {each.unit}".strip()] for each in columns])
    ]
    if interval:
        parts.append(f"95 % interval of the accuracy (Wilson): {interval[0] * 100:.2f} to {interval[1] * 100:.2f} %.")
    if flips := at(report, "cost", "flips"):
        rows, against = report["cost"]["rows"], _plain(report["cost"]["against"])
        parts.append(
            f"Beside {against} of the trained model: of {rows:,} answers {flips['lost']:,} right ones are lost, {flips['gained']:,} gained."
        )
    bounds = [_bound(row) for row in report.get("gate") or [] if row.get("task") in (None, report.get("of_task"))]
    if bounds:
        parts.append(f"Bounds that were asked for: {'; '.join(bounds)}.")
    if at(variant, "metrics", "oos_recall") is None:
        parts.append(f"Recognising texts that are out of scope: {NOT_MEASURED}.")
    let_in = at(variant, "metrics", "fpr95")
    if let_in is not None:
        parts.append(f"Where 95 % of what is in scope is accepted, {let_in * 100:.1f} % of what is out of scope is accepted too (FPR95).")
    if rejection(variant):
        parts.append(rejection(variant))
    compared = [row for row in [*report["variants"], *(report.get("baselines") or [])] if row is not variant]
    if compared:
        shown = [each for each in variant_columns([variant, *compared]) if each.title in ("size", "accuracy", "macro F1")]
        rows = [[_plain(row["name"]), *(each.text(row) for each in shown)] for row in [variant, *compared]]
        parts.append("Beside the other files and baselines:")
        parts.append(_table(["", *(f"{each.title}, {each.unit}" for each in shown)], rows))
    classes = at(variant, "metrics", "per_class") or {}
    weakest = sorted((item for item in classes.items() if item[1]["support"]), key=lambda item: item[1]["f1"])[:WEAKEST]
    if weakest:
        rows = [
            [_code(label), *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")), str(row["support"])] for label, row in weakest
        ]
        parts += [
            f"The weakest {len(weakest)} of {len(classes)} classes:",
            _table(["class", "precision", "recall", "F1", "test rows"], rows),
        ]
    return "\n\n".join(parts)


def _bound(row: Mapping[str, Any]) -> str:
    asked, found = asked_and_found(row)
    return _plain(f"{row['bound'].replace('_', ' ')} {asked} ({'holds' if row['holds'] else 'BROKEN'}: {found})")


def _caveats(report: Mapping[str, Any]) -> str:
    machine, parity = report.get("machine") or {}, report.get("parity") or {}
    flags = ", ".join(machine.get("flags") or []) or UNKNOWN
    lines = [
        f"Accuracy of int8 files and latency differ between processors; these were measured on {_plain(machine.get('cpu') or UNKNOWN)} "
        f"({_count(machine.get('cores'))} cores; {flags}).",
        f"Trained once, with seed {report.get('seed', UNKNOWN)}; how much another seed changes the figures: {NOT_MEASURED}.",
        "Probabilities are calibrated on validation rows; on texts of another kind they are not.",
    ]
    if parity.get("holds") is not None:
        verdict = "agree" if parity["holds"] else "do NOT agree"
        bound, texts = parity.get("bound", UNKNOWN), _count(parity.get("texts"))
        lines.append(f"Keras, SavedModel, TFLite and the runtime {verdict} within {bound} on {texts} texts.")
    return "\n".join(f"- {line}" for line in lines)


def _list(facts: Iterable[tuple[str, str | None]]) -> str:
    return "\n".join(f"- **{_plain(name)}:** {_plain(UNKNOWN if value is None else value)}" for name, value in facts)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "---:") -> str:
    """A table whose first column is flush left; `align` is Markdown's mark for the others."""
    lines = [heads, ["---", *[align] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Text on one line, with Markdown's and HTML's special characters escaped (an underscore inside a word is not special)."""
    text = re.sub(r"([\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(str(text).split()))
    return text.encode("utf-8", "replace").decode("utf-8")


def _code(text: str) -> str:
    """A label as a code span that holds whatever the label holds, inside a table too."""
    text = " ".join(str(text).split()).encode("utf-8", "replace").decode("utf-8").replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _size(bundle: Mapping[str, Any]) -> str:
    size = at(bundle, "model", "bytes")
    return f"{size / 1e6:.2f} MB" if size else UNKNOWN
