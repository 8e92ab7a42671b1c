"""The Spark session: the one that is there, else a new one, by default on every core of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.adapters.spark.connect import address_of, wait_for_server
from sparkml_track.adapters.spark.errors import first_line, is_spark_error
from sparkml_track.config.settings import SparkSettings
from sparkml_track.errors import SetupError
from sparkml_track.home import Home

if TYPE_CHECKING:
    # For annotations elsewhere.
    from pyspark.sql import SparkSession as SparkSession  # noqa: PLC0414

__all__ = ["SparkSession", "java_problem", "local_or_active"]

_JAVA = 17
_INSTALL = "install it (on Debian or Ubuntu: apt-get install openjdk-17-jre-headless) or set JAVA_HOME"

# What the package relies on, wherever Spark runs.
_ALWAYS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}

# A laptop: nothing listens beyond loopback, and all fits in 4 GiB beside the Python processes of the slots.
_LOCAL = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1500m",
    "spark.sql.shuffle.partitions": "8",
    "spark.ui.enabled": "false",
    # Its bar would write into ours.
    "spark.ui.showConsoleProgress": "false",
}

# Spark's own default prints how to change it, four times.
_LOG4J = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = console
# To Spark pyspark is a shell, which is set to WARN, aloud, unless its own logger has a level.
logger.python.name = org.apache.spark.api.python.PythonGatewayServer
logger.python.level = error
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} spark %p %c{1}: %m%n%ex
"""


def local_or_active(
    settings: SparkSettings | None = None, home: Home | None = None, name: str = "sparkml_track"
) -> SparkSession:
    """The active session, else a new one.

    Under spark-submit its master and its settings come before ours. A new session on a local master keeps to
    loopback and to the home folder. Times are UTC in SQL; ``collect()`` of timestamps gives local ones, as always in
    Spark. The session is the caller's to stop.

    Args:
        settings: the master and Spark's own settings for a new session.
        home: where Spark's own files go.
        name: shown in Spark's UI.

    Raises:
        SetupError: Java is missing or too old, or Spark does not start; one sentence.
    """
    settings = settings or SparkSettings()
    try:
        if (active := _active()) is not None:
            return active
        # Asked only now: it takes a tenth of a second.
        if not (_submitted() or _remote(settings)) and (problem := java_problem()):
            raise SetupError(problem)
        return _new(settings, home or Home.find(), name)
    except Exception as error:
        # A URL that cannot be read is a plain ValueError in pyspark.
        if not is_spark_error(error) and not (_remote(settings) and isinstance(error, ValueError | OSError)):
            raise
        where = redacted(os.environ.get("SPARK_REMOTE") or settings.master)
        raise SetupError(
            f"Spark does not start on {where} ({first_line(error)}): check that the master can be reached"
        ) from error


def _active() -> SparkSession | None:
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession()


def _new(settings: SparkSettings, home: Home, name: str) -> SparkSession:
    from pyspark.sql import SparkSession

    options = _options(settings, home)
    if settings.master.startswith("local") and not _submitted():
        # Read when the JVM starts: slots take this interpreter, and the host name is not looked up.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = SparkSession.builder.appName(name)
    for key, value in options.items():
        builder = builder.config(key, value)
    if not _remote(settings):
        return builder.getOrCreate()
    url = os.environ.get("SPARK_REMOTE") or settings.master
    if url.startswith("sc://"):  # else it is a local server, which is yet to be started
        wait_for_server(address_of(url))
    return builder.remote(url).getOrCreate()


def _options(settings: SparkSettings, home: Home) -> dict[str, str]:
    own = {key: _text(value) for key, value in settings.conf.items()}
    if _remote(settings):
        return {**_ALWAYS, **own}
    if _submitted():
        return _not_given({**_ALWAYS, **own})
    chosen = {"spark.master": settings.master} if "--master" not in os.environ.get("PYSPARK_SUBMIT_ARGS", "") else {}
    local = {**_LOCAL, **_folders(home)} if settings.master.startswith("local") else {}
    return {**_ALWAYS, **local, **own, **chosen}


def _folders(home: Home) -> dict[str, str]:
    home.make()
    log4j = home.spark / "log4j2.properties"
    log4j.write_text(_LOG4J)
    java = {"derby.system.home": home.spark, "log4j2.configurationFile": log4j}
    return {
        "spark.sql.warehouse.dir": str(home.spark / "warehouse"),
        # Comes before spark.driver.extraJavaOptions, which stays the user's. Quoted for blanks in the path.
        "spark.driver.defaultJavaOptions": " ".join(f'"-D{key}={value}"' for key, value in java.items()),
    }


def _not_given(options: Mapping[str, str]) -> dict[str, str]:
    """Without what spark-submit or its defaults file says."""
    from pyspark import SparkConf, SparkContext

    # Attaches to the JVM of spark-submit; without it SparkConf is empty.
    SparkContext._ensure_initialized()  # noqa: SLF001
    given = SparkConf()
    return {key: value for key, value in options.items() if not given.contains(key)}


def _submitted() -> bool:
    """Whether spark-submit started this process; then its JVM is there and has a master."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _remote(settings: SparkSettings) -> bool:
    return bool(os.environ.get("SPARK_REMOTE")) or settings.master.startswith("sc://")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def java_problem(environ: Mapping[str, str] | None = None) -> str | None:
    """What is wrong with the Java that Spark would start, in one sentence; None if nothing is.

    Args:
        environ: where JAVA_HOME and PATH are looked up; the process's by default.
    """
    environ = os.environ if environ is None else environ
    home = environ.get("JAVA_HOME")
    java = shutil.which(f"{home}/bin/java" if home else "java", path=environ.get("PATH"))
    if java is None:
        where = f"JAVA_HOME is {home}, which has no bin/java" if home else "there is no java on PATH"
        return f"Spark needs Java {_JAVA} or later and {where}: {_INSTALL}"
    version = _java_version(java)
    if version is None:
        return f"Spark needs Java {_JAVA} or later and `{java} -version` does not print one: {_INSTALL}"
    if version < _JAVA:
        return f"Spark needs Java {_JAVA} or later and {java} is Java {version}: {_INSTALL}"
    return None


def _java_version(java: str) -> int | None:
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603  # a Java that the user chose
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Java 8 calls itself 1.8.
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(found[1]) if found else None
