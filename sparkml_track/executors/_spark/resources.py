"""What Spark gives to a slot: cores by spark.task.cpus, by a stage-level profile, or by leaving slots unused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sparkml_track.errors import SpecError
from sparkml_track.executors._base import Resources

__all__ = ["Grant", "conf_of", "grant", "is_local"]


@dataclass(frozen=True, slots=True)
class Grant:
    """How the slots of an executor get their resources.

    Attributes:
        slots: counts those there are now, at least 1.
        apply: asks for the resources on an RDD.
        most: slots that dynamic allocation can bring, 0 without it.
        in_all: slots that there will ever be, by the settings; 0 where more may join at any time.
    """

    slots: Callable[[], int]
    apply: Callable[[Any], Any]
    most: int = 0
    in_all: int = 0


def conf_of(context: Any) -> Any:
    """The settings of an application, to read only: ``getConf`` copies them, a hundred calls into the JVM."""
    return context._conf  # noqa: SLF001


def is_local(context: Any) -> bool:
    """Whether tasks run on the driver's host as its children: not so on local-cluster."""
    return str(context.master).startswith("local") and "cluster" not in context.master


def grant(context: Any, resources: Resources) -> Grant:
    """Finds out how slots get what is asked for.

    Local masters know no profiles: there a slot of n cpus is one task, and n - 1 more stay unused.

    Raises:
        SpecError: no slot can have it; says what slots have.
    """
    cpus = int(conf_of(context).get("spark.task.cpus", "1"))
    gpus = float(conf_of(context).get("spark.task.resource.gpu.amount", "0"))
    if is_local(context):
        return _local(context, resources, cpus, gpus)
    most = _most(context, max(cpus, resources.cpus))
    in_all = most or _in_all(context, max(cpus, resources.cpus))
    if resources.cpus <= cpus and resources.gpus <= gpus:
        return Grant(lambda: _concurrent(context), lambda rdd: rdd, most, in_all)
    return replace(_profile(context, resources), most=most, in_all=in_all)


def _most(context: Any, cpus: int) -> int:
    conf = conf_of(context)
    if conf.get("spark.dynamicAllocation.enabled", "false") != "true":
        return 0
    executors = int(conf.get("spark.dynamicAllocation.maxExecutors", "1000000"))
    return min(1_000_000, executors * max(1, (_executor(context)[0] or 1) // cpus))


def _in_all(context: Any, cpus: int) -> int:
    """Slots of all executors that there will be without dynamic allocation."""
    if context.master.startswith("local-cluster"):
        executors = int(context.master.partition("[")[2].split(",")[0])
    elif context.master.startswith(("yarn", "k8s")):
        executors = int(conf_of(context).get("spark.executor.instances", "2"))
    else:
        return 0
    return executors * ((_executor(context)[0] or 1) // cpus)


def _local(context: Any, resources: Resources, cpus: int, gpus: float) -> Grant:
    there = _concurrent(context)
    if resources.gpus > gpus:
        raise SpecError(
            f"resources: an attempt needs {resources.gpus} gpus; master {context.master} has none to give: use a "
            "cluster that has spark.executor.resource.gpu.amount set, or executor='processes'"
        )
    if resources.cpus > there * cpus:
        raise SpecError(
            f"resources: an attempt needs {resources.cpus} cpus, slots have {there * cpus} (master {context.master})"
        )
    share = -(-resources.cpus // cpus)
    slots = max(1, there // share)
    return Grant(lambda: max(1, _concurrent(context) // share), lambda rdd: rdd, in_all=slots)


def _profile(context: Any, resources: Resources) -> Grant:
    """Slots by a stage-level profile of task resources, as Spark 3.4 and later allow on their clusters."""
    cores, gpus = _executor(context)
    for what, needed, there in (("cpus", resources.cpus, cores), ("gpus", resources.gpus, gpus)):
        if there is not None and needed > there:
            raise SpecError(
                f"resources: an attempt needs {needed} {what}, slots have {there} (of one Spark executor on "
                f"{context.master}): ask for fewer, or start Spark with larger executors"
            )
    from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    requests = TaskResourceRequests().cpus(resources.cpus)
    if resources.gpus:
        requests = requests.resource("gpu", resources.gpus)
    profile = ResourceProfileBuilder().require(requests).build
    probe = context.parallelize([0], 1).withResources(profile)
    java = probe._jrdd.rdd().getResourceProfile()  # noqa: SLF001
    return Grant(lambda: _concurrent(context, java), lambda rdd: rdd.withResources(profile))


def _executor(context: Any) -> tuple[int | None, int]:
    """Cores and gpus of one Spark executor; cores None where that depends on the host."""
    conf = conf_of(context)
    text = conf.get("spark.executor.cores")
    if text is None and context.master.startswith("local-cluster"):
        text = context.master.partition("[")[2].split(",")[1]
    if text is None and not context.master.startswith("spark://"):
        text = "1"  # YARN's and Kubernetes' default
    return None if text is None else int(text), int(float(conf.get("spark.executor.resource.gpu.amount", "0")))


def _concurrent(context: Any, profile: Any = None) -> int:
    """Tasks that run at one time, 1 while there is no Spark executor yet."""
    scala = context._jsc.sc()  # noqa: SLF001
    profile = profile or scala.resourceProfileManager().defaultResourceProfile()
    return max(1, int(scala.maxNumConcurrentTasks(profile)))
