"""The sections of report.html, in their order. A section is a function that takes the report and gives its content, or None where the
report has nothing for it; a further one is written here or elsewhere and added to `SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfarch.evaluation.cost_section import cost, gate
from tfarch.evaluation.figures import (
    ABSENT,
    ACCURACY,
    SIZE,
    at,
    chosen_variant,
    latency,
    number_text,
    pair_text,
    scored_rows,
    seconds_text,
    share_text,
    threads_text,
    variant_columns,
)
from tfarch.evaluation.label_errors_section import label_errors
from tfarch.evaluation.made_section import made
from tfarch.evaluation.markup import Child, Markup, fact_list, figure, marked, named, quoted, scrolled, tag
from tfarch.evaluation.metrics import wilson_interval
from tfarch.evaluation.pairs_section import confused
from tfarch.evaluation.recipe_section import recipes
from tfarch.evaluation.rows_section import fewer_rows
from tfarch.evaluation.scope_section import out_of_scope
from tfarch.evaluation.svg import Line, Point, line_chart, reliability_diagram, scatter
from tfarch.evaluation.tasks import counted

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A titled part of the page; `name` is its anchor. One that is `of_task` says of each of several tasks something else."""

    name: str
    title: str
    content: Callable[[Report], Child]
    of_task: bool = True


def variants(report: Report) -> Child:
    """Every exported file beside the others, and the baselines below."""
    rows, baselines = report.get("variants") or [], report.get("baselines") or []
    if not rows and not baselines:
        return None
    columns = variant_columns([*rows, *baselines])
    best = {column.path: _best(column, rows) for column in columns}
    heads = [tag("th", "variant", scope="col")]
    heads += [tag("th", column.title, column.unit and tag("small", column.unit), scope="col", class_="number") for column in columns]
    lines = [_variant_row(row, columns, best, row["name"] == report.get("chosen")) for row in rows]
    if baselines:
        lines.append(tag("tr", tag("th", "baselines", scope="rowgroup", colspan=len(columns) + 1), class_="group"))
        lines += [_variant_row(row, columns, {}, False) for row in baselines]
    note = [
        "Measured on the exported files themselves. The file that ships is marked; the best figure of each column is bold. ",
        "MB: millions of bytes. ECE: expected calibration error. p50, p95: half, or 95 %, of the texts take at most this long, alone.",
    ]
    return [
        scrolled(tag("table", tag("thead", tag("tr", heads)), tag("tbody", lines), class_="figures pinned")),
        tag("p", note, class_="note"),
    ]


def trade(report: Report) -> Child:
    """Size against quality and latency against quality."""
    rows = [row for row in report.get("variants") or [] if ACCURACY.value(row) is not None]
    slow = [(row, latency(row)) for row in rows]
    fewest = min((speed[1] for _, speed in slow if speed), default=None)
    by_size = [_point(row, SIZE.value(row), report) for row in rows if SIZE.value(row)]
    by_speed = [_point(row, speed[0], report) for row, speed in slow if speed and speed[1] == fewest]
    plots = []
    if by_size:
        plots.append(
            figure(scatter(by_size, title="Size and accuracy", x="size of the file, MB", y="accuracy, %"), "Smaller is to the left.")
        )
    if by_speed:
        x = f"median ms of a text, {threads_text(fewest)}"
        plots.append(figure(scatter(by_speed, title="Latency and accuracy", x=x, y="accuracy, %"), "Faster is to the left."))
    bars = "Bars: 95 % interval of the accuracy (Wilson). Overlapping bars say that this test set cannot tell two files apart."
    return [tag("div", plots, class_="plots"), tag("p", bars, class_="note")] if plots else None


def probabilities(report: Report) -> Child:
    """The reliability diagram and the temperature."""
    diagram, calibration = report.get("reliability"), report.get("calibration")
    metrics = at(chosen_variant(report), "metrics") or {}
    facts = [
        ("calibration error (ECE)", number_text(metrics.get("ece"), 3)),
        ("negative log-likelihood, test", number_text(metrics.get("nll"), 3)),
        ("temperature", number_text(at(calibration, "temperature"), 3)),
        ("fitted on", at(calibration, "fitted_on")),
        ("NLL there, before and after", pair_text(at(calibration, "nll_before"), at(calibration, "nll_after"), 4)),
    ]
    plot = None
    if diagram and any(diagram["counts"]):
        drawn = reliability_diagram(diagram["edges"], diagram["accuracy"], diagram["confidence"], diagram["counts"])
        plot = figure(drawn, "Bars: share that is right. Ticks: what the model said. They meet where it is honest.")
    listed = fact_list(facts)
    return tag("div", plot, listed, class_="plots") if plot or (listed and calibration) else None


def training(report: Report) -> Child:
    """Loss and accuracy by epoch, and what the training took."""
    made = report.get("train") or {}
    history = made.get("history") or []
    plots = []
    losses = [_curve(history, "loss", "train", "first"), _curve(history, "valid_loss", "validation", "second")]
    accuracy = _curve(
        [{**row, "share": row["valid_accuracy"] * 100} for row in history if row.get("valid_accuracy") is not None],
        "share",
        "validation",
        "second",
    )
    best = made.get("best_epoch")
    epochs = "epoch" if best is None else f"epoch ({best} was kept)"
    for curves, title, y in ((losses, "Loss", "loss"), ([accuracy], "Accuracy", "accuracy, %")):
        drawn = [curve for curve in curves if curve]
        if drawn:
            plots.append(figure(line_chart(drawn, title=title, x=epochs, y=y, mark=best), None))
    speed = made.get("examples_per_second")
    facts = [
        ("time", seconds_text(made.get("seconds"))),
        (
            "throughput",
            speed
            and f"{speed:,.0f} examples/s" + (f", {made['tokens_per_second']:,.0f} tokens/s" if made.get("tokens_per_second") else ""),
        ),
        ("updates", number_text(made.get("steps"))),
        ("epochs", number_text(made.get("epochs"))),
        ("epoch kept", number_text(best)),
        ("trainings averaged", number_text(made.get("soup"))),
        ("taken on the way from the probe to it", share_text(at(made, "interpolation", "share"))),
        ("class names trained as rows", _class_names(made.get("class_names"))),
        ("texts without labels", _unlabelled(made.get("unlabelled"))),
        ("labels guessed by a first training", counted(at(made, "guessed_labels", "rows") or {}) or None),
        ("precision", made.get("precision")),
        ("replicas", number_text(made.get("replicas"))),
    ]
    listed = fact_list(facts)
    return [tag("div", plots, class_="plots") if plots else None, listed] if plots or listed else None


def _class_names(figures: Report | None) -> str | None:
    if not figures:
        return None
    if "nll_with" not in figures:
        return "yes, as asked for"
    why = f"loss of rows that heads have not seen: {figures['nll_with']:.3f} with them, {figures['nll_without']:.3f} without"
    return f"{'yes' if figures['used'] else 'no'} ({why})"


def _unlabelled(figures: Report | None) -> str | None:
    if not figures:
        return None
    source = "training rows that were left out, their labels unseen" if figures["source"] == "rest" else figures["source"]
    return f"{figures['texts']:,} ({source}), of which {figures['taken']:,} trained as the class that they look like"


def classes(report: Report) -> Child:
    """The per-class table of the shipped file, weakest first; sorted by a click."""
    variant = chosen_variant(report)
    table = at(variant, "metrics", "per_class")
    if not table:
        return None
    titles = ("class", "precision", "recall", "F1", "rows")
    heads = []
    for place, title in enumerate(titles):
        order = "ascending" if title == "F1" else None
        heads.append(tag("th", tag("button", title, type="button"), scope="col", class_=place and "number", aria_sort=order))
    lines = []
    for label, figures in sorted(table.items(), key=lambda item: item[1]["f1"]):
        cells = [tag("th", named(label), scope="row", data_value=label)]
        cells += [tag("td", f"{figures[key] * 100:.1f}", class_="number", data_value=figures[key]) for key in ("precision", "recall")]
        bar = tag("span", class_="meter", style=f"--share:{figures['f1']:.3f}")
        cells.append(tag("td", bar, f"{figures['f1'] * 100:.1f}", class_="number", data_value=figures["f1"]))
        cells.append(tag("td", f"{figures['support']:,}", class_="number", data_value=figures["support"]))
        lines.append(tag("tr", cells))
    count = len(table)
    note = f"{count} classes of {variant['name']}, in per cent; weakest F1 first. A click on a heading sorts by it."
    body = tag("table", tag("thead", tag("tr", heads)), tag("tbody", lines), class_="figures sortable")
    return [tag("p", note, class_="note"), scrolled(body, tall=count > 16)]


def errors(report: Report) -> Child:
    """The errors that the model was surest of."""
    rows = report.get("worst") or []
    if not rows:
        return None
    lines = []
    for row in rows:
        lines.append(
            tag(
                "tr",
                tag("td", marked(row["text"], row.get("words") or []), data_title="text"),
                tag("td", named(row["label"]), data_title="labelled"),
                tag("td", named(row["predicted"]), data_title="predicted"),
                tag("td", f"{row['probability'] * 100:.1f} %", class_="number", data_title="probability"),
            )
        )
    heads = [tag("th", title, scope="col") for title in ("text", "labelled", "predicted")]
    heads.append(tag("th", "probability", scope="col", class_="number"))
    sentences = ["Either the model or the label is wrong here: worth reading before anything is tuned."]
    if any(row.get("words") for row in rows):
        sentences.append(
            " Marked: the words that moved the answer most, with the change of its log-odds by the word (+ for what was predicted, "
            "\N{MINUS SIGN} against it), found by leaving each word out."
        )
    note = tag("p", sentences, class_="note")
    return [note, tag("table", tag("thead", tag("tr", heads)), tag("tbody", lines), class_="stacked")]


def data(report: Report) -> Child:
    """The data's counts and what the checks found, with places."""
    about = report.get("data") or {}
    if not about:
        return None
    facts = [
        ("name", about.get("name")),
        ("training rows", number_text(about.get("train"))),
        ("validation rows", number_text(about.get("valid"))),
        ("test rows", number_text(about.get("test"))),
        ("of these out of scope", number_text(about.get("out_of_scope_test") or None)),
        ("classes", number_text(about.get("classes"))),
    ]
    return [fact_list(facts), findings_list(about.get("findings"))]


def findings_list(findings: Sequence[Report] | None) -> Child:
    """What checks found, gravest first, with examples; None: nothing was checked."""
    items = [_finding(each) for each in sorted(findings or [], key=lambda each: _severity(each)[0])]
    listed = tag("ul", items, class_="findings") if items else None
    return [listed, tag("p", "The checks found nothing to mend.", class_="note") if findings == [] else None]


def parity(report: Report) -> Child:
    """How far the exported files are from the Keras model, and the compressed ones from float32."""
    figures = report.get("parity") or {}
    names = {"keras_saved_model": "SavedModel", "keras_tflite": "TFLite float32", "keras_runtime": "tfarch.runtime"}
    bound = figures.get("bound")
    lines = []
    for key, title in names.items():
        if figures.get(key) is not None:
            lines.append(_parity_row(title, "Keras", figures[key], None, None if bound is None else figures[key] <= bound))
    for row in report.get("variants") or []:
        found = row.get("parity")
        if found and found.get("against") != row["name"]:
            lines.append(
                _parity_row(row["name"], found.get("against"), found.get("max_abs_difference"), found.get("label_agreement"), None)
            )
    if not lines:
        return None
    titles = [("file", False), ("against", False), ("largest difference of a probability", True), ("same label, %", True), ("bound", True)]
    heads = [tag("th", title, scope="col", class_="number" if right else None) for title, right in titles]
    texts = figures.get("texts")
    notes = [
        f"Over {texts:,} texts. " if texts else None,
        f"The bound for the uncompressed forms is {bound:g}. " if bound is not None else None,
        None if figures.get("holds") is None else "The gate holds." if figures["holds"] else tag("b", "The gate does not hold."),
    ]
    return [tag("p", notes, class_="note"), scrolled(tag("table", tag("thead", tag("tr", heads)), tag("tbody", lines), class_="figures"))]


SECTIONS = (
    Section("variants", "Variants", variants),
    Section("trade", "Size, latency, quality", trade),
    Section("probabilities", "Probabilities", probabilities),
    Section("scope", "Out of scope", out_of_scope),
    Section("classes", "Classes", classes),
    Section("labels", "Labels that are likely wrong", label_errors),
    Section("confusions", "Confusions", confused),
    Section("errors", "Surest errors", errors),
    Section("training", "Training", training, of_task=False),
    Section("cost", "What it costs against float32", cost),
    Section("gate", "Bounds", gate, of_task=False),
    Section("recipe", "What the recipe did", recipes, of_task=False),
    Section("rows", "Training rows", fewer_rows),
    Section("data", "Data", data),
    Section("parity", "Parity", parity, of_task=False),
    Section("made", "How it was made", made, of_task=False),
)


def _variant_row(row: Report, columns: Sequence, best: Mapping, chosen: bool) -> Markup:
    name = tag("th", named(row["name"]), tag("span", "ships", class_="badge") if chosen else None, scope="row")
    cells = []
    for column in columns:
        text = column.text(row)
        bold = text != ABSENT and text == best.get(column.path)
        cells.append(tag("td", tag("b", text) if bold else text, class_="number" + (" absent" if text == ABSENT else "")))
    return tag("tr", name, cells, class_="chosen" if chosen else None)


def _best(column, rows: Sequence[Report]) -> str | None:
    """The best figure of a column as written; None where all are equal or there is no better and worse."""
    high = {"accuracy", "macro_f1", "in_scope_accuracy", "oos_recall", "oos_auroc"}
    low = {"bytes", "gzip_bytes", "ece", "nll", "mse", "p50", "p95"}
    values = [value for row in rows if (value := column.value(row)) is not None]
    if column.path[-1] not in high | low or len({f"{value:.{column.digits}f}" for value in values}) < 2:
        return None
    return f"{(max if column.path[-1] in high else min)(values):,.{column.digits}f}"


def _point(row: Report, x: float, report: Report) -> Point:
    kind = "chosen" if row["name"] == report.get("chosen") else "reference" if row["name"] == "float32" else ""
    interval, rows = at(row, "metrics", "accuracy_interval"), scored_rows(row)
    if interval is None and rows:
        interval = wilson_interval(round(row["metrics"]["accuracy"] * rows), rows)
    low, high = (None, None) if interval is None else (interval[0] * 100, interval[1] * 100)
    return Point(x, ACCURACY.value(row), row["name"], kind, low, high)


def _curve(history: Sequence[Report], key: str, name: str, kind: str) -> Line | None:
    known = [row for row in history if row.get(key) is not None]
    return Line(name, [row["epoch"] for row in known], [row[key] for row in known], kind) if known else None


def _severity(finding: Report) -> tuple[int, str]:
    names = ("error", "warning", "note")
    name = finding.get("severity")
    return (names.index(name), name) if name in names else (len(names), "note")


def _finding(finding: Report) -> Markup:
    severity = _severity(finding)[1]
    head = [tag("span", severity, class_=f"badge {severity}"), " ", finding.get("message") or finding.get("kind", "")]
    examples = []
    for each in finding.get("examples") or []:
        place = ":".join(str(part) for part in (each.get("file"), each.get("line")) if part is not None)
        parts = [tag("code", place) if place else None, named(each["label"]) if each.get("label") else None]
        parts.append(quoted(each["text"]) if each.get("text") is not None else None)
        examples.append(tag("li", [[part, " "] for part in parts if part is not None]))
    more = (finding.get("count") or 0) - len(examples)
    if examples and more > 0:
        examples.append(tag("li", f"and {more:,} more", class_="faint"))
    if not examples:
        return tag("li", tag("p", head))
    return tag("li", tag("details", tag("summary", head), tag("ul", examples), open=severity != "note"))


def _parity_row(name: str, against: str | None, difference: float | None, agreement: float | None, holds: bool | None) -> Markup:
    verdict = ABSENT if holds is None else "holds" if holds else "broken"
    return tag(
        "tr",
        tag("th", name, scope="row"),
        tag("td", against or ABSENT),
        tag("td", ABSENT if difference is None else f"{difference:.1e}", class_="number"),
        tag("td", ABSENT if agreement is None else f"{agreement * 100:.2f}", class_="number"),
        tag("td", verdict, class_=f"number verdict {verdict}" if holds is not None else "number"),
    )
