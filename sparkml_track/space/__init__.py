"""Search spaces: a dictionary of distributions, choices, plain values and nested dictionaries.

    space = parse({"lr": loguniform(1e-4, 1),
                   "model": choice({"kind": "linear"}, {"kind": "forest", "depth": randint(2, 20)})})

What a trial gets has the shape of the space, nested where the choice was: ``{"lr": 0.1, "model": {"kind": "forest",
"depth": 7}}``. What is recorded is flattened with dots: ``model.kind``, ``model.depth``; values, never indices.
Parameters are JSON values: a tuple comes out as a list, and a list is one value, never taken apart.

Inside, each random decision is a *leaf* with a key of its own: ``model`` for which option, ``model[1].depth`` for what
is inside the second one. So two options may both have a ``depth``.

    distributions  what one number may be: ``uniform``, ``loguniform`` ... with their inverses
    tree           the tree of groups, choices and leaves inside a space
    space          ``Space``: decisions to parameters and back
    parsing        ``parse``: from what the user wrote to a space, all problems at once
"""

from __future__ import annotations

from sparkml_track.space.distributions import (
    Distribution,
    LogNormal,
    LogUniform,
    Normal,
    QLogUniform,
    QUniform,
    RandInt,
    Uniform,
    lognormal,
    loguniform,
    normal,
    qloguniform,
    quniform,
    randint,
    uniform,
)
from sparkml_track.space.parsing import parse
from sparkml_track.space.space import Space
from sparkml_track.space.tree import Choice, Group, Leaf, choice, flatten

__all__ = [
    "Choice",
    "Distribution",
    "Group",
    "Leaf",
    "LogNormal",
    "LogUniform",
    "Normal",
    "QLogUniform",
    "QUniform",
    "RandInt",
    "Space",
    "Uniform",
    "choice",
    "flatten",
    "lognormal",
    "loguniform",
    "normal",
    "parse",
    "qloguniform",
    "quniform",
    "randint",
    "uniform",
]
