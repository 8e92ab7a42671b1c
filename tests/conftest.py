"""What all tests share: an environment without telemetry, one Spark session for each module, the tree read once."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clusters import end_jvm, forget_connect
from tests.jvms import ENVIRONMENT
from tests.sharing import pytest_runtestloop  # noqa: F401  # a hook

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkml_track.testing.objects import ObjectServer

# Before anything imports pyspark or mlflow: slots take the interpreter of the tests, nothing leaves the machine.
os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
os.environ.update(ENVIRONMENT)
FOREIGN = ("SPARKML_HOME", "MLFLOW_TRACKING", "MLFLOW_REGISTRY", "MLFLOW_EXPERIMENT", "MLFLOW_RUN")
# A home, a master, a tracking server or the way to another machine of the caller must not reach the tests.
for name in (
    "SPARKML_HOME",
    "SPARK_HOME",
    "SPARK_REMOTE",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_RUN_ID",
    "SSH_CONNECTION",
    "JUPYTERHUB_USER",
    "COLAB_RELEASE_TAG",
    "KUBERNETES_SERVICE_HOST",
):
    os.environ.pop(name, None)

ROOT = Path(__file__).resolve().parent.parent


# In the environment of every process that a test starts, and of theirs.
MARK = f"SPARKML_TESTS={uuid.uuid4().hex}"
os.environ.update([MARK.split("=")])


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an empty, migrated database; made once, since that takes two seconds."""
    from sparkml_track.trackers import open_tracker

    home = tmp_path_factory.mktemp("pristine")
    open_tracker(None, home).close()
    return home


@pytest.fixture
def home(pristine: Path, tmp_path: Path) -> Path:
    shutil.copy(pristine / "mlflow.db", tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture(scope="session")
def object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """S3 on loopback, for all tests that ask for it."""
    from sparkml_track.testing.objects import ObjectServer

    with ObjectServer(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture
def s3(object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address in it that no other test has; the environment leads there."""
    from sparkml_track.testing.objects import BUCKET

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in object_server.environ.items():
        monkeypatch.setenv(name, value)
    object_server.fail()
    yield f"s3://{BUCKET}/{uuid.uuid4().hex}"
    object_server.fail()


@pytest.fixture(autouse=True)
def own_logger() -> Iterator[None]:
    """The command line logs to stderr from then on; the next test, which may look at what is logged, must not."""
    logger = logging.getLogger("sparkml_track")
    level, rest = logger.level, (logger.propagate, list(logger.handlers))
    yield
    logger.setLevel(level)
    logger.propagate, logger.handlers = rest


@pytest.fixture(autouse=True)
def own_code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A process has one module of a name: what a test wrote and imported is not in the way of the next one's."""
    before = set(sys.modules)
    yield
    temporary = str(tmp_path_factory.getbasetemp())
    for name in sys.modules.keys() - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(temporary):
            del sys.modules[name]
    sys.path[:] = [each for each in sys.path if not each.startswith(temporary)]


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """After the last test no process that one of them started is left."""
    yield
    forget_connect()
    end_jvm()
    deadline = time.monotonic() + 30
    while left := started_by_tests():
        if time.monotonic() > deadline:
            pytest.fail("processes of the tests are still running:\n" + "\n".join(left))
        time.sleep(0.1)


def started_by_tests() -> list[str]:
    """Id and command of each living process that carries the mark."""
    return [f"{path.name} {text}" for path in Path("/proc").glob("[0-9]*") if (text := command_of(path))]


def command_of(process: Path) -> str:
    try:
        if MARK.encode() not in (process / "environ").read_bytes().split(b"\0"):
            return ""
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it ended, or is another user's
        return ""


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One local[2] session for the tests of a module; its warehouse is a temporary folder."""
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    builder = SparkSession.builder.master("local[2]").appName("tests")
    options = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    for key, value in options.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()
