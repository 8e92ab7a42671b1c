"""How points of a hyperopt expression are recorded: a parameter for each label in use, a choice by its option's value.

The labels are those of ``argmin``. What is recorded leads back to hyperopt's values: the forms of a choice's options
differ, unless the options are equal and it does not matter which is taken.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hyperopt import pyll

from sparkml_track import objective as objectives
from sparkml_track.space import Group, Space
from sparkml_track.trial import Params

__all__ = ["Labels"]

#: Characters of a value that is not a number.
_LONGEST = 250
#: What MLflow does not take in a name.
_FOREIGN = re.compile(r"[^\w\-. :/]")
#: Casts that say nothing of what is drawn.
_CASTS = frozenset({"float", "int", "hyperopt_param"})
_DRAWN = object()


class Labels:
    """The labels of an expression.

    Args:
        expression: of ``hp.*`` nodes, with a Domain made of it before, which refuses wrong ones.

    Attributes:
        names: labels to the names they are recorded under.
        options: labels of choices to the recorded forms of their options, as JSON.
    """

    def __init__(self, expression: Any) -> None:
        nodes = pyll.dfs(expression)
        self._drawn = {_label(node): node.arg["obj"] for node in nodes if node.name == "hyperopt_param"}
        self.names = _unique({label: _FOREIGN.sub("_", str(label)) for label in self._drawn})
        choices = [node for node in nodes if node.name == "switch" and node.pos_args[0].name == "hyperopt_param"]
        self._forms = {_label(node.pos_args[0]): _forms(node.pos_args[1:]) for node in choices}
        self.options = {label: [_json(form) for form in forms] for label, forms in self._forms.items()}

    def space(self) -> Space:
        """What is searched, as text for each label: a record, which nothing samples."""
        return Space(Group(tuple(self.texts().items())))

    def texts(self) -> dict[str, str]:
        """The same by the names that labels are recorded under."""
        return {self.names[label]: self._text(label) for label in self._drawn}

    def recorded(self, values: Mapping[str, Any]) -> Params:
        """Parameters of hyperopt's values; those of labels that the expression does not have are left out.

        Raises:
            ValueError: there is no such option.
        """
        known = {label: _plain(value) for label, value in values.items() if label in self._drawn}
        return {self.names[label]: self._form(label, value) for label, value in known.items()}

    def _form(self, label: str, value: Any) -> object:
        forms = self._forms.get(label)
        if forms is None:
            return value
        if not isinstance(value, int | float) or value not in range(len(forms)):
            raise ValueError(f"{label!r} is {value!r}; allowed is the index of an option, from 0 to {len(forms) - 1}")
        return forms[int(value)]

    def _text(self, label: str) -> str:
        forms = self._forms.get(label)
        text = _text(self._drawn[label]) if forms is None else f"choice({', '.join(map(str, forms))})"
        return _clipped(text)


def _label(node: Any) -> str:
    label: str = node.arg["label"].obj
    return label


def _unique(names: Mapping[str, str]) -> dict[str, str]:
    """The same, but for names that several labels would share."""
    counts = Counter(names.values())
    return {label: name if counts[name] == 1 else f"{name} {i}" for i, (label, name) in enumerate(names.items())}


def _plain(value: Any) -> Any:
    """A number of numpy's as one of Python's."""
    return value.item() if hasattr(value, "item") else value


def _forms(options: Sequence[Any]) -> list[object]:
    forms = [_form(option) for option in options]
    counts = Counter(map(_json, forms))
    return [
        form if counts[_json(form)] == 1 or _is_exact(form, option) else f"{_text(option)} (option {i})"
        for i, (form, option) in enumerate(zip(forms, options, strict=True))
    ]


def _is_exact(form: object, node: Any) -> bool:
    """Whether the option is the plain value that is recorded, so that another one of this form is equal to it."""
    return node.name == "literal" and isinstance(node.obj, bool | int | float | str | None) and form == node.obj


def _form(node: Any) -> object:
    """A JSON value for an option: itself if it is plain; of a mapping what is not drawn."""
    found = _constant(node)
    return _text(node) if found is _DRAWN or found == {} else found


def _constant(node: Any) -> object:
    if node.name == "literal":
        return _literal(node.obj)
    if node.name == "dict" and not node.pos_args:
        inside = {_FOREIGN.sub("_", name): _constant(below) for name, below in node.named_args}
        return {name: value for name, value in inside.items() if value is not _DRAWN and value != {}}
    if node.name == "pos_args":
        values = [_constant(below) for below in node.pos_args]
        return _DRAWN if _DRAWN in values else values
    return _DRAWN


def _literal(value: Any) -> object:
    value = _plain(value) if getattr(value, "shape", None) == () else value
    if value is None or isinstance(value, bool | int | float):
        return value
    return value if isinstance(value, str) and len(value) <= _LONGEST else _shown(value)


def _text(node: Any) -> str:
    """An expression in a line: what is drawn by its label, where it is not the whole."""
    if node.name == "literal":
        return str(_literal(node.obj)) if not isinstance(node.obj, str) else repr(node.obj)
    if node.name == "hyperopt_param":
        return _label(node)
    if node.name in _CASTS and len(node.pos_args) == 1:
        return _text(node.pos_args[0])
    arguments = [*map(_text, node.pos_args), *(f"{name}={_text(below)}" for name, below in node.named_args)]
    return _clipped(f"{node.name}({', '.join(arguments)})")


def _shown(value: object) -> str:
    """An object by its name, its repr if that is short and the same in every process, else its type."""
    if hasattr(value, "__qualname__"):
        return _clipped(objectives.name_of(value))
    text = value if isinstance(value, str) else repr(value)
    kind = type(value)
    return _clipped(text) if "\n" not in text and " at 0x" not in text else f"{kind.__module__}.{kind.__qualname__}"


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _json(form: object) -> str:
    return json.dumps(form, sort_keys=True)
