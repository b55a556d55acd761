"""What the stages of a recipe did, in words: for report.html and for the model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfarch.evaluation.figures import at

Report = Mapping[str, Any]


def asked_of(applied: Report) -> list[Report]:
    """The settings of each stage of a recipe that was applied; empty ones where the report does not hold them."""
    return at(applied, "recipe", "stages") or [{}] * len(applied["stages"])


def title(number: int, stage: Report, asked: Report) -> str:
    """The stage's number and kind, and what told what is to go, where it is not what TF-MOT does."""
    parts = []
    chooses = asked.get("kind") != "slim" or min(asked.get("heads", 1.0), asked.get("neurons", 1.0)) < 1.0
    if chooses and asked.get("criterion", "magnitude") != "magnitude":
        parts.append(f"by {asked['criterion']}")
    if asked.get("n_of_m"):
        parts.append("{} of {}".format(*asked["n_of_m"]))
    elif asked.get("block", [1, 1]) != [1, 1]:
        parts.append("in blocks of {} x {}".format(*asked["block"]))
    if asked.get("kind") == "prune" and asked.get("scope") == "global":
        parts.append("one budget for all kernels")
    return f"{number}. {stage['kind'].replace('_', ' ')} {', '.join(parts)}".rstrip()


def taught(stage: Report, asked: Report, teacher: str | None = None) -> str:
    """What the stage learned from beside the labels; `teacher` names a model that is not the trained one."""
    parts = []
    if asked.get("distillation"):
        parts.append(f"{100 * asked['distillation']:.0f} % of the loss by the answers of {teacher or 'the trained model'}")
    inner = {"text_vectors": "its text vectors", "hidden_states": "the states of its tokens", "relations": "how its tokens relate"}
    parts += [told for name, told in inner.items() if asked.get(name)]
    texts = stage.get("texts") or {}
    if texts.get("unlabelled"):
        parts.append(f"{texts['unlabelled']:,} texts without labels")
    if texts.get("made"):
        parts.append(f"{texts['made']:,} texts made of the {texts['rows']:,} that are trained on")
    elif asked.get("variations"):
        parts.append(f"{asked['variations']} texts made of each training text")
    return ", ".join(parts)


def left(stage: Report) -> str:
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
