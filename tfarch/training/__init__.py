"""The shared base trainer, its objectives, schedules and callbacks."""

from tfarch.training.callbacks import Callback, ShowProgress, TensorBoard
from tfarch.training.objectives import class_weights, classification_objective, cross_entropy, joint_objective
from tfarch.training.trainer import Trained, Trainer, resolve_freeze

__all__ = [
    "Callback",
    "ShowProgress",
    "TensorBoard",
    "Trained",
    "Trainer",
    "class_weights",
    "classification_objective",
    "cross_entropy",
    "joint_objective",
    "resolve_freeze",
]
