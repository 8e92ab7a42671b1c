"""What of hyperopt's insides its samplers rest on: it is pinned below 0.4, and these say what a newer one breaks."""

from __future__ import annotations

import tomllib
from inspect import signature
from pathlib import Path

import hyperopt
import pytest
from hyperopt import hp, pyll, tpe

ROOT = Path(__file__).resolve().parents[2]
#: Functions called by name or replaced in the graph, with their parameters.
PRIVATE = {
    "build_posterior": (
        "specs prior_idxs prior_vals obs_idxs obs_vals obs_loss_idxs obs_loss_vals oloss_gamma prior_weight"
    ),
    "GMM1_lpdf": "samples weights mus sigmas low high q",
    "LGMM1_lpdf": "samples weights mus sigmas low high q",
    "ap_split_trials": "o_idxs o_vals l_idxs l_vals gamma gamma_cap",
    "normal_cdf": "x mu sigma",
    "lognormal_cdf": "x mu sigma",
}


def test_a_release_that_nobody_has_looked_at_is_not_installed() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert next(each for each in dependencies if each.startswith("hyperopt")) == "hyperopt>=0.3,<0.4"
    assert hyperopt.__version__.startswith("0.3.")


@pytest.mark.parametrize("name", PRIVATE)
def test_the_quicker_tpe_stands_on_a_function_that_is_as_it_was(name: str) -> None:
    function = getattr(tpe, name)
    found = " ".join(signature(getattr(function, "fn", function)).parameters)
    assert found == PRIVATE[name], f"tpe.{name} has changed: _hyperopt_tpe.py replaces or calls it with these"


@pytest.mark.parametrize("name", ["ap_split_trials", "GMM1_lpdf", "LGMM1_lpdf"])
def test_the_quicker_tpe_replaces_a_node_that_the_graph_still_has(name: str) -> None:
    assert name in pyll.scope._impls, f"_hyperopt_tpe.py replaces {name!r}, which would now be computed the slow way"


def test_the_parts_of_a_domain_are_where_they_were() -> None:
    domain = hyperopt.Domain(lambda _: 0.0, {"x": hp.uniform("x", 0, 1), "r": hp.randint("r", 2, 6)})
    assert set(domain.params) == {"x", "r"}
    assert domain.params["r"].name == "randint"
    assert domain.params["r"].pos_args[0].obj == 2, "_hyperopt_tpe.py adds the lower bound of randint itself"
    for name in ("v_expr", "idxs_by_label", "vals_by_label"):
        assert hasattr(domain.vh, name)
    assert isinstance(domain.s_rng, pyll.Apply)
    assert isinstance(domain.s_new_ids, pyll.Apply)
