"""hyperopt's TPE, with what does not change between suggestions made once.

``hyperopt.tpe.suggest`` clones and walks the graph of the space at every call, splits the history in Python, and sums
the density of rounded values in a loop over observations: two thirds of its time at 1,000 trials with one whole
number in the space. ``Posterior`` takes the same draws from the same generator in the same order, and adds in the same
order too, so a seed and a history give the same suggestion to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy
from hyperopt import pyll, tpe

__all__ = ["Posterior"]

_PRIOR = 1.0  # hyperopt's weight of what is expected before the first trial


class Posterior:
    """Draws suggestions for one space.

    Args:
        domain: hyperopt's form of it.
        candidates: how many draws the best is taken of.
    """

    def __init__(self, domain: Any, candidates: int) -> None:
        self._domain = domain
        self._candidates = candidates
        self._idxs, self._vals, self._tids, self._losses, self._gamma = (pyll.Literal() for _ in range(5))
        # A copy per suggestion, in hyperopt: the numbers above are then constants in it.
        idxs, vals = tpe.build_posterior(
            domain.vh.v_expr,
            domain.vh.idxs_by_label(),
            domain.vh.vals_by_label(),
            self._idxs,
            self._vals,
            self._tids,
            self._losses,
            self._gamma,
            pyll.Literal(_PRIOR),
        )
        given = (self._idxs, self._vals, self._tids, self._losses, self._gamma, domain.s_new_ids, domain.s_rng)
        self._program = _Program(pyll.as_apply([idxs, vals]), given)
        self._offsets = {
            label: node.pos_args[0].obj
            for label, node in domain.params.items()
            if node.name == "randint" and len(node.pos_args) == 2
        }

    def suggest(self, documents: Sequence[Mapping[str, Any]], gamma: float, seed: int) -> dict[str, Any]:
        """One value for each label in use.

        Args:
            documents: of finished trials, by rising number.
            gamma: ``ceil(gamma * sqrt(len(documents)))``, at most 25, count as good.
            seed: of this suggestion.
        """
        idxs, vals = _columns(documents, self._domain.params)
        found, values = self._program.run(
            {
                self._idxs: idxs,
                self._vals: vals,
                self._tids: [document["tid"] for document in documents],
                self._losses: [document["result"]["loss"] for document in documents],
                self._gamma: gamma,
                self._domain.s_new_ids: list(range(self._candidates)),
                self._domain.s_rng: numpy.random.default_rng(seed),
            }
        )
        # All candidates have become the best one; a label that it does not use has none.
        used = [label for label in found if len(found[label])]
        return {label: values[label][0] + self._offsets.get(label, 0) for label in used}


class _Program:
    """A graph as a list of calls, in the order in which ``pyll.rec_eval`` makes them: they share a generator."""

    def __init__(self, top: Any, given: Iterable[Any]) -> None:
        self._top = top
        order = _order(top, set(given))
        # Its branches are evaluated only where they are taken.
        self._branches = any(node.name == "switch" for node in order)
        self._constants = {node: node.obj for node in order if isinstance(node, pyll.Literal)}
        known = {**pyll.scope._impls, **_QUICK}  # noqa: SLF001 - hyperopt has no public way to its functions
        self._calls = [
            (node, known[node.name], node.pos_args, node.named_args)
            for node in order
            if not isinstance(node, pyll.Literal) and not self._branches
        ]

    def run(self, given: Mapping[Any, Any]) -> Any:
        """The value at the top."""
        if self._branches:
            return pyll.rec_eval(self._top, memo=given, print_node_on_error=False)
        memo = {**self._constants, **given}
        for node, call, args, named in self._calls:
            value = call(*[memo[each] for each in args], **{name: memo[each] for name, each in named})
            # Some of hyperopt's functions answer with another graph.
            memo[node] = pyll.rec_eval(value) if isinstance(value, pyll.Apply) else value
        return memo[self._top]


def _order(top: Any, known: set[Any]) -> list[Any]:
    order, todo = [], [top]
    while todo:
        node = todo.pop()
        if node in known:
            continue
        missing = [each for each in node.inputs() if each not in known]
        if missing:
            todo += [node, *missing]
        else:
            known.add(node)
            order.append(node)
    return order


def _columns(documents: Sequence[Mapping[str, Any]], labels: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The trials that used each label, and its values there."""
    idxs: dict[str, Any] = {}
    vals: dict[str, Any] = {}
    miscs = [(document["tid"], document["misc"]["vals"]) for document in documents]
    for label in labels:
        idxs[label] = [tid for tid, values in miscs if values[label]]
        vals[label] = [values[label][0] for _, values in miscs if values[label]]
    return idxs, vals


# -- quicker forms of hyperopt's functions, by their names


def _split(o_idxs: Any, o_vals: Any, l_idxs: Any, l_vals: Any, gamma: float) -> tuple[Any, Any]:
    """``ap_split_trials``: values of good trials, and of the others."""
    best = int(min(numpy.ceil(gamma * numpy.sqrt(len(l_vals))), tpe.DEFAULT_LF))
    good = numpy.zeros(len(l_vals), dtype=bool)
    good[numpy.argsort(numpy.asarray(l_vals))[:best]] = True
    values = numpy.asarray(o_vals)
    below = good[numpy.searchsorted(l_idxs, o_idxs)]  # numbers of trials rise
    return values[below], values[~below]


def _normal(  # noqa: PLR0913 - as hyperopt calls it
    samples: Any, weights: Any, mus: Any, sigmas: Any, low: Any = None, high: Any = None, q: Any = None
) -> Any:
    """``GMM1_lpdf``; of rounded values for all observations at one time."""
    mixture = (weights, mus, sigmas)
    if q is None or not samples.size:
        return tpe.GMM1_lpdf(samples, *mixture, low, high, q)
    lower = samples - q / 2 if low is None else numpy.maximum(samples - q / 2, low)
    return _of_bins(tpe.normal_cdf, (lower, _upper(samples, q, high)), mixture, (low, high))


def _lognormal(  # noqa: PLR0913 - as hyperopt calls it
    samples: Any, weights: Any, mus: Any, sigmas: Any, low: Any = None, high: Any = None, q: Any = None
) -> Any:
    """``LGMM1_lpdf``, likewise."""
    mixture = (weights, mus, sigmas)
    if q is None or not samples.size:
        return tpe.LGMM1_lpdf(samples, *mixture, low, high, q)
    lower = samples - q / 2 if low is None else numpy.maximum(samples - q / 2, numpy.exp(low))
    upper = _upper(samples, q, None if high is None else numpy.exp(high))
    return _of_bins(tpe.lognormal_cdf, (numpy.maximum(0, lower), upper), mixture, (low, high))


def _upper(samples: Any, q: float, high: Any) -> Any:
    return samples + q / 2 if high is None else numpy.minimum(samples + q / 2, high)


def _of_bins(cdf: Callable[..., Any], ends: tuple[Any, Any], mixture: Sequence[Any], bounds: tuple[Any, Any]) -> Any:
    weights, mus, sigmas = map(numpy.asarray, mixture)
    column = (mus[:, None], sigmas[:, None])
    chances = weights[:, None] * cdf(ends[1], *column)
    chances -= weights[:, None] * cdf(ends[0], *column)
    low, high = bounds
    accepted = 1.0
    if low is not None or high is not None:
        accepted = numpy.sum(weights * (tpe.normal_cdf(high, mus, sigmas) - tpe.normal_cdf(low, mus, sigmas)))
    with numpy.errstate(divide="ignore", invalid="ignore"):
        # Rows are added up one after the other, as hyperopt's loop does.
        return numpy.log(chances.sum(axis=0)) - numpy.log(accepted)


_QUICK: Mapping[str, Callable[..., Any]] = {
    "ap_split_trials": _split,
    "GMM1_lpdf": _normal,
    "LGMM1_lpdf": _lognormal,
}
