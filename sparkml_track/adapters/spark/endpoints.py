"""Servers of SQL inside the driver's JVM: Spark Connect as a plug-in, JDBC and ODBC by Spark's Thrift server."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_track.adapters.spark.errors import first_line, is_spark_error, translated
from sparkml_track.errors import SetupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Endpoints", "start_jdbc", "why_ended"]

_TOKEN = "spark.connect.authenticate.token"  # noqa: S105  # the name of a setting
_AUTHENTICATION = "spark.hadoop.hive.server2.authentication"
#: What Hive's server knows of passwords; NONE and NOSASL take any name.
_BY_PASSWORD = frozenset({"LDAP", "KERBEROS", "PAM", "CUSTOM"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the driver listens.

    Attributes:
        host: an address of this machine.
        jdbc: the port of the Thrift server, 0 for none.
        connect: the port of Spark Connect, 0 for none.
        scratch: a folder for what Hive's code leaves behind.
    """

    host: str
    jdbc: int
    connect: int
    scratch: Path

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches them."""
        return self.host in _LOOPBACK

    def conf(self) -> dict[str, str]:
        """Settings of the session, which must be new."""
        found = {"spark.scheduler.mode": "FAIR"}
        if self.connect:
            found |= {
                "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
                "spark.connect.grpc.binding.address": self.host,
                "spark.connect.grpc.binding.port": str(self.connect),
            }
        if self.jdbc:
            hive = {
                "server2.thrift.bind.host": self.host,
                "server2.thrift.port": str(self.jdbc),
                # Each would make folders under /tmp, which servers of several users then fight over.
                "server2.logging.operation.enabled": "false",
                "exec.scratchdir": str(self.scratch / "scratch"),
                "exec.local.scratchdir": str(self.scratch / "local"),
                "downloaded.resources.dir": str(self.scratch / "resources"),
            }
            found |= {f"spark.hadoop.hive.{key}": value for key, value in hive.items()}
        return found

    def open_to_all(self, conf: Mapping[str, object], environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """The endpoints that ask nobody for a password, and how each would.

        Args:
            conf: settings that the user gave.
            environ: where Spark looks for its token; that of the process by default.
        """
        environ = os.environ if environ is None else environ
        found = []
        if self.jdbc and str(conf.get(_AUTHENTICATION, "NONE")).upper() not in _BY_PASSWORD:
            found.append(f"JDBC (set {_AUTHENTICATION}: LDAP and its URL under spark.conf of the config)")
        if self.connect and not (environ.get("SPARK_CONNECT_AUTHENTICATE_TOKEN") or conf.get(_TOKEN)):
            found.append("Spark Connect (set the environment variable SPARK_CONNECT_AUTHENTICATE_TOKEN)")
        return tuple(found)


def start_jdbc(spark: SparkSession, endpoints: Endpoints) -> Callable[[], None]:
    """Starts the Thrift server; a session that was made with ``Endpoints.conf`` is needed.

    Returns:
        What stops it.

    Raises:
        SetupError: this Spark has none, or it does not start.
    """
    for name in ("scratch", "local", "resources"):
        (endpoints.scratch / name).mkdir(parents=True, exist_ok=True)
    from py4j.java_gateway import JavaPackage

    jvm: Any = spark._jvm  # noqa: SLF001  # there is no other door
    start = jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2
    if isinstance(start, JavaPackage):
        raise SetupError(
            "this Spark has no Thrift server (its jar spark-hive-thriftserver is missing), so there is no JDBC; use "
            "the Spark inside of pip's pyspark, or serve Spark Connect alone (--jdbc 0)"
        )
    with translated("starting the Thrift server", SetupError, "see whether the port is free, or choose another"):
        server = start.startWithSparkSession(spark._jsparkSession, False)  # noqa: SLF001

    def stop() -> None:
        with translated("stopping the Thrift server", SetupError):
            server.stop()

    return stop


def why_ended(spark: SparkSession) -> str:
    """Why a session can no longer be used, empty if it can."""
    try:
        stopped = spark.sparkContext._jsc.sc().isStopped()  # noqa: SLF001
    except Exception as error:
        if not is_spark_error(error) and not isinstance(error, OSError | AttributeError):
            raise
        return first_line(error)
    return "its context was stopped" if stopped else ""
