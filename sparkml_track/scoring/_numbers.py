"""What a score is: one number, or several that a model gives for each row."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sparkml_track.errors import NotBuilt
from sparkml_track.refs import ModelRef
from sparkml_track.registries import Signature
from sparkml_track.scoring._worker import width_of

__all__ = ["numbers_of"]


def numbers_of(fitted: Any, signature: Signature, model: ModelRef, sample: Callable[[], Any]) -> list[str]:
    """The names of the numbers of a score, in their order; one number has the name of the model.

    Probabilities of two classes are one number, that of the second. Those of more classes have the names of these.
    A model of several outputs gives one number for each, named by its place: the prediction, or the probability of the
    second class.

    Args:
        fitted: the model.
        signature: of it.
        model: its name and version.
        sample: gives a few rows as it takes them; only asked of models that predict.

    Raises:
        NotBuilt: an output of several has more than two classes.
    """
    if signature.method != "predict_proba":
        return _places(_width(fitted, signature, sample), model)
    classes: Any = getattr(fitted, "classes_", (0, 1))
    if not isinstance(classes, list):
        return [model.name] if len(classes) == 2 else [str(each) for each in classes]
    many = [place for place, each in enumerate(classes) if len(each) != 2]
    if many:
        raise NotBuilt(
            f"{model} has {len(classes)} outputs, and output {many[0]} tells {len(classes[many[0]])} classes apart; "
            "batch scoring takes several outputs of two classes each, or one output of any number of classes: register "
            "a model for each output"
        )
    return _places(len(classes), model)


def _width(fitted: Any, signature: Signature, sample: Callable[[], Any]) -> int:
    """What it gives for the first row that it takes; what it raises is a problem of rows, and reported as such."""
    rows = sample()
    for place in range(len(rows)):
        with suppress(Exception):
            return width_of(getattr(fitted, signature.method)(rows.iloc[place : place + 1]))
    return 1


def _places(count: int, model: ModelRef) -> list[str]:
    return [model.name] if count == 1 else [str(place) for place in range(count)]
