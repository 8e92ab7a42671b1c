"""What a request gives beside rows: params, held to what the model's signature says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sparkml_track.serving.protocol.refused import Refused

__all__ = ["Param", "checked_params"]

_TAKES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "string": (str,),
}


@dataclass(frozen=True, slots=True)
class Param:
    """A param that a model takes.

    Attributes:
        name: of it.
        kind: its type, by MLflow's name.
        default: where a request gives none.
        is_list: whether it is a list of values of that type.
    """

    name: str
    kind: str
    default: object = None
    is_list: bool = False


def checked_params(given: Mapping[str, object], known: Mapping[str, Param]) -> dict[str, object]:
    """The params of a request, with the defaults of those that it does not give.

    Raises:
        Refused: the model takes no such param, or it has another type.
    """
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        takes = f"takes the params {', '.join(known)}" if known else "takes no params"
        raise Refused(f"the param {', '.join(map(repr, unknown)):.300} is unknown: this version {takes}")
    for name, value in given.items():
        param = known[name]
        values = value if param.is_list and isinstance(value, list) else [value]
        if (param.is_list and not isinstance(value, list)) or not all(_fits(each, param.kind) for each in values):
            wanted = f"a list of {param.kind}" if param.is_list else param.kind
            raise Refused(f"the param {name!r} is {value!r:.60}, it must be {wanted}")
    return {name: given.get(name, param.default) for name, param in known.items()}


def _fits(value: object, kind: str) -> bool:
    types = _TAKES.get(kind)
    return types is None or (isinstance(value, types) and (bool in types or not isinstance(value, bool)))
