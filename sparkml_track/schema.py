"""The public names that outlive a process: run tags, journal records, failure reasons, artifact names.

Dashboards, queries and older releases depend on these. Adding is free; renaming is a breaking change.
"""

from __future__ import annotations

__all__ = [
    "ARROW_SOURCE",
    "ARTIFACT_LOG",
    "ARTIFACT_LOG_BESIDE",
    "ARTIFACT_OBJECTIVE",
    "ARTIFACT_PACKAGES",
    "ARTIFACT_PARETO",
    "ARTIFACT_REPORT",
    "ARTIFACT_SPACE",
    "ARTIFACT_SPARK_CONF",
    "ARTIFACT_SPEC",
    "ARTIFACT_TRIALS",
    "ATTR_DRIVER",
    "COLUMN_ROLE",
    "PREFIX",
    "PROPERTY_HOME",
    "PROPERTY_OWNER",
    "PROPERTY_TAG",
    "REASONS",
    "RECORDS",
    "TAG_APPROVAL",
    "TAG_ARTIFACTS",
    "TAG_ATTEMPTS",
    "TAG_BEST",
    "TAG_CODE_CHANGED",
    "TAG_CPU",
    "TAG_DECIDED_BY",
    "TAG_DECISIONS",
    "TAG_DEPLOYED",
    "TAG_DIGEST",
    "TAG_FILES",
    "TAG_FINGERPRINT",
    "TAG_FOLDER",
    "TAG_HOST",
    "TAG_IMPORTED_FROM",
    "TAG_IMPORTED_RUN",
    "TAG_KEY",
    "TAG_KIND",
    "TAG_MEMORY",
    "TAG_MESSAGE",
    "TAG_MODEL",
    "TAG_MODEL_RUN",
    "TAG_MONITORING",
    "TAG_NAME",
    "TAG_NESTED",
    "TAG_NUMBER",
    "TAG_PAGE",
    "TAG_PARENT",
    "TAG_PARETO",
    "TAG_PLATFORM",
    "TAG_PYTHON",
    "TAG_REASON",
    "TAG_REPLACES",
    "TAG_RETRAIN",
    "TAG_ROWS",
    "TAG_SEED",
    "TAG_SPARK_APPLICATION",
    "TAG_SPARK_MASTER",
    "TAG_SPARK_VERSION",
    "TAG_STATE",
    "TAG_SWEEP",
    "TAG_SWEEP_RUN",
    "TAG_TABLE",
    "TAG_VERDICT",
    "TAG_VERDICT_WHY",
    "TAG_VERSION",
]

PREFIX = "sparkml."  # of every tag of ours

# Run tags. TAG_PARENT is MLflow's own: its UI nests by it.
TAG_PARENT = "mlflow.parentRunId"
TAG_KIND = "sparkml.kind"  # sweep, trial, nested (inside a trial), model, scoring, monitoring
TAG_SWEEP = "sparkml.sweep"  # the sweep id, on the parent run and each child run
TAG_KEY = "sparkml.key"  # "<sweep id>/<trial number>": the identity of a child run
TAG_NESTED = "sparkml.nested"  # on a run inside that of a trial: its id there, which no other one has
TAG_NUMBER = "sparkml.number"  # the trial's number
TAG_STATE = "sparkml.state"  # finished, pruned, failed, killed, running
TAG_REASON = "sparkml.reason"  # one of REASONS
TAG_MESSAGE = "sparkml.message"  # for a person, clipped
TAG_ATTEMPTS = "sparkml.attempts"  # how many attempts the trial had
TAG_CPU = "sparkml.cpu.seconds"  # of processors, of the accepted attempt; of several units all of them
TAG_MEMORY = "sparkml.memory.bytes"  # at the peak of the process that had the accepted attempt
TAG_HOST = "sparkml.host"  # where the accepted attempt ran
TAG_ARTIFACTS = "sparkml.artifacts"  # why files of the run could not be kept
TAG_FOLDER = "sparkml.artifact_folder"  # under artifact_root, with what the trial left; else that is in the run
TAG_BEST = "sparkml.best"  # on the parent: the number of the best trial
TAG_PARETO = "sparkml.pareto"  # on the parent, with several objectives: the numbers of the Pareto front, by comma
TAG_PAGE = "sparkml.page"  # on the parent: the address of the sweep's page, on the server that shows this run
TAG_FINGERPRINT = "sparkml.fingerprint"  # on the parent: digests of spec, space, data, code and packages, as JSON
TAG_DIGEST = "sparkml.digest"  # on the parent: over (trial, state, value) of all accepted results

# Where a run came from.
TAG_PYTHON = "sparkml.python"
TAG_PLATFORM = "sparkml.platform"
TAG_VERSION = "sparkml.version."  # + package name
TAG_CODE_CHANGED = "sparkml.code.changed"  # whether the checkout had changes that were not committed
TAG_SPARK_VERSION = "sparkml.spark.version"
TAG_SPARK_MASTER = "sparkml.spark.master"
TAG_SPARK_APPLICATION = "sparkml.spark.application"

# Models: on versions, and on runs that made or used them.
TAG_FILES = "sparkml.files"  # on a model version: JSON, path of each model file to its SHA-256
TAG_TABLE = "sparkml.table."  # + data name, on a run: "<table>@v<version>"
TAG_ROWS = "sparkml.rows."  # + data name, on a dataset input: how many rows were read
TAG_VERDICT = "sparkml.verdict"  # the alias a candidate got
TAG_VERDICT_WHY = "sparkml.verdict.why"
TAG_REPLACES = "sparkml.replaces"  # the version it took over from, or waits to, as champion; empty where none was
TAG_APPROVAL = "sparkml.approval"  # pending, approved, rejected, withdrawn
TAG_DECISIONS = "sparkml.decisions"  # JSON, the last ones of people about a version: what, by, at, why
TAG_DEPLOYED = "sparkml.deployed"  # JSON, where a version was put to work last: project, to, where, at, by
TAG_SWEEP_RUN = "sparkml.sweep.run"  # the parent run of the sweep that found a model's parameters
TAG_MODEL = "sparkml.model"  # "<name>/<version>" that was used
TAG_MODEL_RUN = "sparkml.model.run"  # the run that made it
TAG_MONITORING = "sparkml.monitoring"  # on a monitoring run: the run_id of its rows in the tables of monitoring

# In studies of Optuna.
ATTR_DRIVER = "sparkml.driver"  # system attribute of a trial: host, process and its start, of the driver that has it

#: In the metadata of a table's columns: what a column is for.
COLUMN_ROLE = "sparkml.role"
#: In the properties of a table.
PROPERTY_OWNER = "sparkml.owner"
PROPERTY_HOME = "sparkml.home"  # in another catalog: which home a table came from
PROPERTY_TAG = "sparkml.tags."  # + a tag's name
#: Among the attributes of a data frame of pandas, and of an Arrow table as pandas knows them: the version that its rows
#: were read from.
ARROW_SOURCE = "sparkml.source"
TAG_NAME = "sparkml.name."  # + a metric's or param's name as the store takes it, on a run: the name it was given
TAG_DECIDED_BY = "sparkml.promotion.metric"  # the metric that decided about a candidate
TAG_IMPORTED_FROM = "sparkml.imported.from"  # on imported runs: the store that they were in, without secrets
TAG_IMPORTED_RUN = "sparkml.imported.run"  # and the id that a parent or a child run had there
TAG_RETRAIN = "sparkml.retrain.why"  # on the parent run of a sweep that monitoring began: its verdict
TAG_SEED = "sparkml.promotion.seed"  # of its refit

# Journal records, in the order a trial makes them.
RECORDS = frozenset(
    {
        "plan",  # the sweep: spec, space, fingerprint
        "parent",  # the parent run was created
        "asked",  # a trial exists: number, params, seed
        "suggested",  # params that a trial was given while it ran: a front door's
        "submitted",  # an attempt was given to the executor
        "reported",  # metrics of a step
        "logged",  # what an attempt logged through MLflow
        "lost",  # an attempt ended without an outcome
        "unit",  # the outcome of a unit, where trials have several
        "accepted",  # the outcome of a trial: the accounting rests on these
        "retried",  # accepted trials that are executed again: interrupted ones, and failed ones if the user asks
        "extended",  # a sweep that may have more trials than it was planned with
        "late",  # how many late answers were refused so far, by all drivers
        "published",  # child runs up to here are in the tracking store
        "ended",  # the sweep ended, with its counts
    }
)

# Why an attempt did not finish. "a user's error" is recorded and the sweep goes on; "lost" is retried.
REASONS = frozenset(
    {
        "exception",  # the objective raised
        "signal",  # killed by a signal (segmentation fault)
        "exit",  # the process ended by itself
        "timeout",  # over trial_timeout
        "memory",  # over the memory limit
        "result",  # returned something that is not a metric
        "data",  # the data could not be read
        "pruned",  # a pruner's decision
        "cancelled",  # the user or a limit of the sweep ended it
        "worker lost",  # the worker or its Spark executor is gone
    }
)

# Artifacts of the parent run.
ARTIFACT_SPEC = "sweep/spec.json"
ARTIFACT_SPACE = "sweep/space.yaml"  # as a config file has it
ARTIFACT_OBJECTIVE = "sweep/objective.py"  # its source, where there is one
ARTIFACT_PACKAGES = "sweep/requirements.txt"  # what was installed where the sweep was started
ARTIFACT_SPARK_CONF = "sweep/spark.conf"  # without secrets
ARTIFACT_TRIALS = "sweep/trials.json"  # MLflow table format
ARTIFACT_PARETO = "sweep/pareto.json"  # the same for the Pareto front, where there are several objectives
ARTIFACT_REPORT = "sweep/report.html"
ARTIFACT_LOG = "log.txt"  # of a child run
ARTIFACT_LOG_BESIDE = "log.sparkml.txt"  # the same, where the trial left a log.txt of its own
