"""Whether a recipe fits data, model and devices: told before the training and not after it."""

from __future__ import annotations

from tfarch.compression.pruning import chosen_layers
from tfarch.compression.recipe import Prune, Recipe, Slim, Student
from tfarch.compression.slimming import Kept, slimmed_spec
from tfarch.compression.sparsity import require_blocks
from tfarch.compression.student import student_spec
from tfarch.errors import InputError
from tfarch.models.classifier import build_classifier
from tfarch.models.spec import EncoderSpec, Spec
from tfarch.pipeline.fitting import classes_of, start_of
from tfarch.pipeline.prepare import Tasks
from tfarch.pipeline.teachers import load_teacher, require_like_vectors


def require_fitting(recipe: Recipe, tasks: Tasks, teacher: str | None) -> None:
    """Every stage of `recipe` finds layers to work on, and the teacher that is asked for knows what it is to teach.

    Raises:
        InputError: one does not; lists the layers that there are.
    """
    spec = before = start_of(tasks).spec
    if teacher is not None:
        load_teacher(teacher, tasks)
    for number, stage in enumerate(recipe.stages):
        place = f"stages.{number}"
        if isinstance(stage, Slim):
            spec = _with_layers_kept(spec, stage, place)
        elif isinstance(stage, Student):
            spec = _of_student(spec, stage, place)
        else:
            plain = build_classifier(spec, classes_of(tasks))
            chosen = chosen_layers(plain, stage.layers)
            if isinstance(stage, Prune):
                require_blocks({name: plain.get_layer(name).kernel.shape for name in chosen}, stage)
        inner = [name for name in ("hidden_states", "relations") if getattr(stage, name)]
        if inner and teacher is not None:
            raise InputError(f"{place}.{inner[0]}: only the trained model's inner states can be looked at, not those of {teacher}")
        if inner and not isinstance(spec, EncoderSpec):
            raise InputError(f"{place}: the {spec.structure} structure has no layers whose states could be compared")
        if stage.hidden_states and spec.width != before.width:
            raise InputError(
                f"{place}.hidden_states: the trained model's have {before.width} numbers, this model's {spec.width}",
                mend="relations compare models of any width",
            )
        if stage.text_vectors and teacher is None:
            require_like_vectors(spec.width, before.width)


def require_own_process(recipe: Recipe, devices: str, *, after_training: bool) -> None:
    """Several logical CPU devices prune through TF-MOT in the first training of a process alone: in a later one TensorFlow no longer joins TF-MOT's masks of one with those of the other.

    Raises:
        InputError: the recipe would do so later.
    """
    kind, _, count = devices.partition(":")
    later = recipe.stages if after_training else recipe.stages[1:]
    if kind == "cpu" and count not in ("", "1") and any(isinstance(stage, Prune) and stage.through_tfmot for stage in later):
        mend = (
            "run without --recipe, and then compress --recipe NAME --from RUN"
            if after_training
            else "prune in the first stage, or on one device"
        )
        raise InputError(f"recipe {recipe.name} on {devices}: such devices prune in the first training of a process alone", mend=mend)


def _with_layers_kept(spec: Spec, stage: Slim, place: str) -> Spec:
    if not isinstance(spec, EncoderSpec):
        if stage.keep_layers or stage.heads < 1.0 or stage.neurons < 1.0:
            raise InputError(f"{place}: the {spec.structure} structure has no heads, neurons or layers that could go")
        return spec
    if not stage.keep_layers:
        return spec
    try:
        return slimmed_spec(spec, Kept.of_layers(spec, stage.keep_layers))
    except ValueError as error:
        raise InputError(f"{place}.keep_layers={stage.keep_layers}: there the encoder has the layers 0 to {spec.layers - 1}") from error


def _of_student(spec: Spec, stage: Student, place: str) -> Spec:
    if stage.width > spec.width:
        raise InputError(f"{place}.width={stage.width}: the text vectors that the embeddings begin with have {spec.width} numbers")
    return student_spec(stage, spec, min(spec.vocabulary, stage.vocabulary or spec.vocabulary), positions=1)
