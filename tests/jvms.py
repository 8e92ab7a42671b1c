"""JVMs of tests live for seconds, most of which they would spend on loading Spark's classes and on compiling them.

``python -m tests.jvms FILE`` keeps the classes as a JVM has them once they are loaded and checked, an archive that
``scripts/test`` makes once; ``SPARKML_TESTS_CLASSES`` names it for tests. A JVM without one starts all the same.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["BRIEF_EXECUTORS", "CLASS_PATH", "ENVIRONMENT"]

#: The second compiler costs more time than it saves, and so do the threads of a collector of large heaps.
BRIEF = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def class_path() -> str:
    """What spark-submit gives a JVM; an archive is taken where a class path begins like that, and not with a folder.

    Empty where pyspark is not a folder: slots that import a module of tests have it as a zip.
    """
    found = importlib.util.find_spec("pyspark")
    assert found is not None and found.origin is not None
    jars = Path(found.origin).parent / "jars"
    first = next(jars.glob("slf4j-api-*.jar"), None)
    return f"{first}:{jars}/*" if first else ""


ARCHIVE = os.environ.get("SPARKML_TESTS_CLASSES", "")
#: For JVMs whose class path begins with the folder of their configuration; empty where there is no archive.
CLASS_PATH = class_path() if ARCHIVE else ""
# An archive of another Java is passed over; that is no news for those who read what a JVM prints.
SHARED = f'{BRIEF} "-XX:SharedArchiveFile={ARCHIVE}" -Xlog:disable' if ARCHIVE else BRIEF
#: For Spark executors, which take nothing from the environment.
BRIEF_EXECUTORS = {"spark.executor.defaultJavaOptions": SHARED} | (
    {"spark.executor.extraClassPath": CLASS_PATH} if ARCHIVE else {}
)
#: For the JVMs that spark-submit and spark-class start, and those in which they make their commands.
ENVIRONMENT = {"SPARK_SUBMIT_OPTS": SHARED, "SPARK_DAEMON_JAVA_OPTS": SHARED, "SPARK_LAUNCHER_OPTS": BRIEF} | (
    {"SPARK_DAEMON_CLASSPATH": CLASS_PATH} if ARCHIVE else {}
)


def archive(path: Path) -> None:
    """Has a JVM load what tests use of Spark, and keep it when it ends."""
    from pyspark.sql import SparkSession

    part = path.with_suffix(f".{os.getpid()}.part")
    os.environ["SPARK_SUBMIT_OPTS"] = f'{BRIEF} "-XX:ArchiveClassesAtExit={part}" -Xlog:disable'
    options = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": "0",
    }
    builder = SparkSession.builder.master("local[2]").appName("classes")
    for key, value in options.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    rows = path.with_suffix(".rows")
    _use(session, rows)
    shutil.rmtree(rows)
    gateway = session.sparkContext._gateway
    assert gateway is not None
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(200)
    part.replace(path)


def _use(session: SparkSession, folder: Path) -> None:
    """Rows by SQL, Arrow, Parquet and Python."""
    rows = session.range(1000).selectExpr(
        "id % 7 AS k", "id AS v", "CAST(id AS STRING) AS s", "timestamp_seconds(id) AS t"
    )
    sums = rows.groupBy("k").agg({"v": "sum", "s": "max"})
    sums.join(rows, "k").orderBy("k").collect()
    rows.createOrReplaceTempView("rows")
    frame = session.sql("SELECT *, sum(v) OVER (PARTITION BY k ORDER BY t) AS total FROM rows").toPandas()
    session.createDataFrame(frame).mapInPandas(lambda frames: frames, "k long").count()
    rows.write.mode("overwrite").parquet(str(folder))
    session.read.parquet(str(folder)).filter("k > 1").count()
    session.sparkContext.parallelize(range(4), 2).map(str).collect()


if __name__ == "__main__":
    archive(Path(sys.argv[1]).resolve())
