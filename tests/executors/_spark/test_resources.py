"""How many slots there can be, by the settings of an application: without a JVM."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sparkml_track.executors import Resources
from sparkml_track.executors._spark import resources


def context(master: str, **conf: str) -> Any:
    return SimpleNamespace(master=master, _conf={name.replace("_", "."): text for name, text in conf.items()})


@pytest.mark.parametrize(
    ("there", "cpus", "in_all"),
    [
        (context("local[4]"), 1, 4),
        (context("local[4]"), 3, 1),
        (context("local-cluster[3,2,1024]"), 1, 6),
        (context("local-cluster[3,3,1024]", spark_task_cpus="2"), 2, 3),
        (context("yarn", spark_executor_instances="4", spark_executor_cores="2"), 1, 8),
        (context("k8s://https://there:6443"), 1, 2),
        (context("spark://there:7077"), 1, 0),
        (context("yarn", spark_dynamicAllocation_enabled="true", spark_dynamicAllocation_maxExecutors="7"), 1, 7),
    ],
)
def test_what_there_can_be_is_known_unless_workers_may_join(
    there: Any, cpus: int, in_all: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_concurrent", lambda *_: 4)
    assert resources.grant(there, Resources(cpus=cpus)).in_all == in_all
