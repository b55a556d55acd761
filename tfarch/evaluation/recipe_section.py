"""The section of report.html on what a recipe did, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfarch.evaluation.figures import at, number_text, seconds_text
from tfarch.evaluation.markup import Child, Markup, named, scrolled, tag

Report = Mapping[str, Any]
_HEADS = ("stage", "what is left", "zeros in kernels", "epochs", "time", "validation accuracy")


def recipes(report: Report) -> Child:
    """A table for each recipe that was applied."""
    return [_recipe(each) for each in report.get("compression") or []] or None


def _recipe(applied: Report) -> list[Child]:
    told = at(applied, "recipe", "description")
    asked = at(applied, "recipe", "stages") or [{}] * len(applied["stages"])
    rows = [_row(number, stage, settings) for number, (stage, settings) in enumerate(zip(applied["stages"], asked, strict=True), 1)]
    heads = [tag("th", head, scope="col", class_="number" if place > 1 else None) for place, head in enumerate(_HEADS)]
    table = tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), class_="figures stages")
    return [tag("h3", named(applied["name"])), tag("p", told, class_="note") if told else None, scrolled(table)]


def _row(number: int, stage: Report, settings: Report) -> Markup:
    last = (stage.get("history") or [{}])[-1]
    figures = [
        f"{100 * stage['kernel_sparsity']:.1f} %",
        number_text(stage.get("epochs")),
        seconds_text(stage.get("seconds")),
        f"{100 * last['valid_accuracy']:.2f} %" if last.get("valid_accuracy") is not None else "",
    ]
    kind, taught = f"{number}. {stage['kind'].replace('_', ' ')}" + _how(settings), _taught(settings)
    return tag(
        "tr",
        tag("th", kind, taught and tag("small", taught), scope="row"),
        tag("td", _left(stage)),
        [tag("td", each, class_="number") for each in figures],
    )


def _taught(settings: Report) -> str:
    """What the stage learned from beside the labels."""
    parts = []
    if settings.get("distillation"):
        parts.append(f"{100 * settings['distillation']:.0f} % of the loss by the trained model's answers")
    inner = {"text_vectors": "its text vectors", "hidden_states": "the states of its tokens", "relations": "how its tokens relate"}
    parts += [told for name, told in inner.items() if settings.get(name)]
    if settings.get("variations"):
        parts.append(f"{settings['variations']} texts made of each training text")
    return ", ".join(parts)


def _how(settings: Report) -> str:
    """What told what to prune, where it is not what TF-MOT does."""
    parts = []
    if settings.get("criterion", "magnitude") != "magnitude":
        parts.append(f"by {settings['criterion']}")
    if settings.get("n_of_m"):
        parts.append("{} of {}".format(*settings["n_of_m"]))
    elif settings.get("block", [1, 1]) != [1, 1]:
        parts.append("in blocks of {} x {}".format(*settings["block"]))
    if settings.get("kind") == "prune" and settings.get("scope") == "global":
        parts.append("one budget for all kernels")
    return f" {', '.join(parts)}" if parts else ""


def _left(stage: Report) -> str:
    """The structure that a stage of slimming or a student leaves; of another stage nothing is told, as it changes none."""
    if "units" in stage:
        return "; ".join(f"{count} units of {layer}" for layer, count in stage["units"].items())
    if "vocabulary" not in stage:
        return ""
    told = [f"{stage['vocabulary']:,} pieces"]
    if "width" in stage:
        told.append(f"width {stage['width']}")
    if "layers" not in stage:
        told.append("averaged")
    else:
        told.append(f"{stage['layers']} layer{'s' * (stage['layers'] > 1)}")
        told += [f"{name} {', '.join(map(str, stage[name]))}" for name in ("heads", "neurons")]
    return "; ".join(told)
