"""Runs the notebooks of this project on a plain local Spark with Delta Lake, without a workspace.

DELTA_JARS may name a folder that holds the Delta jars; otherwise Spark fetches them from Maven Central.
"""

import glob
import json
import os
import re
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from pyspark.sql import SparkSession

HEADER = "# Databricks notebook source"
SEPARATOR = "\n# COMMAND ----------\n"
PARALLEL_TASKS = 4


def start_spark(folder, cores=2):
    """A session whose tables stand below the folder."""
    settings = {
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.scheduler.mode": "FAIR",
        "spark.local.dir": os.path.join(folder, "local"),
        "spark.sql.warehouse.dir": os.path.join(folder, "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        # Rows are few and queries many: what compiles or plans for speed would never pay off.
        # With one tier the JVM reserves 48 MB for compiled code; a few runs fill that, and the rest would be interpreted.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseParallelGC",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",  # VACUUM lists a table in as many tasks; else 10,000
        "spark.sql.sources.default": "delta",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "1",
    }
    jars = sorted(glob.glob(os.path.join(os.environ.get("DELTA_JARS", ""), "delta-*.jar")))
    builder = SparkSession.builder.master(f"local[{cores}]").appName("pipeline-test")
    if jars:
        settings["spark.driver.extraClassPath"] = ":".join(jars)
    else:
        from delta import configure_spark_with_delta_pip
        builder = configure_spark_with_delta_pip(builder)
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


class Exit(Exception):
    """dbutils.notebook.exit"""


class Widgets:
    def __init__(self, given):
        self.given, self.defaults = given, {}

    def text(self, name, default, label=None):
        self.defaults[name] = default

    def get(self, name):
        return self.given.get(name, self.defaults[name])


class Secrets:
    def __init__(self, known):
        self.known = known

    def get(self, scope, key):
        return self.known[scope, key]


class Dbutils:
    """What the notebooks use of Databricks' dbutils."""

    def __init__(self, parameters, secrets):
        self.widgets = Widgets(parameters)
        self.secrets = Secrets(secrets)
        self.notebook = self

    def exit(self, value):
        raise Exit(value)


def cells(path):
    """The cells of a notebook with everything that it pulls in with %run: (name for error messages, Python text)."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert text.startswith(HEADER + "\n"), path
    for number, cell in enumerate(text[len(HEADER):].split(SEPARATOR)):
        included = re.fullmatch(r"# MAGIC %run (\S+)", cell.strip())
        if included:
            yield from cells(os.path.join(os.path.dirname(path), included.group(1) + ".py"))
        elif not cell.strip("\n").startswith("# MAGIC"):
            yield f"{os.path.basename(path)}[{number}]", cell


class Project:
    """This project with a schema of its own."""

    def __init__(self, spark, folder, schema, volume, secrets=None):
        self.spark, self.folder, self.schema, self.volume = spark, folder, schema, volume
        self.secrets = secrets or {}
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS spark_catalog.`{schema}`")
        with open(os.path.join(folder, "job.json"), encoding="utf-8") as file:
            self.job = json.load(file)

    def scope(self, *keys, **parameters):
        """The names that notebooks leave behind, run one after the other, and what the last one returned."""
        given = {"catalog": "spark_catalog", "schema": self.schema, "volume": self.volume, **parameters}
        scope = {"spark": self.spark.newSession(), "dbutils": Dbutils(given, self.secrets), "__name__": "__main__"}
        try:
            for key in keys:
                for name, text in cells(os.path.join(self.folder, "notebooks", key + ".py")):
                    exec(compile(text, name, "exec"), scope)  # noqa: S102 (a notebook is a program to run)
        except Exit as finished:
            return scope, json.loads(str(finished))
        return scope, None

    def run_notebook(self, key, **parameters):
        return self.scope(key, **parameters)[1]

    def run(self, batch, announce=lambda key, seconds: None, **parameters):
        """All tasks of the job, each as soon as those that it depends on are done; {task: what it returned}."""
        def timed(key):
            began = time.monotonic()
            return self.run_notebook(key, batch_id=batch, **parameters), time.monotonic() - began

        waiting = {t["task_key"]: {d["task_key"] for d in t["depends_on"]} for t in self.job["tasks"]}
        done, running = {}, {}
        with ThreadPoolExecutor(PARALLEL_TASKS) as pool:
            while waiting or running:
                for key in [k for k, needed in waiting.items() if needed <= done.keys()]:
                    del waiting[key]
                    running[pool.submit(timed, key)] = key
                for finished in wait(running, return_when=FIRST_COMPLETED).done:
                    key = running.pop(finished)
                    done[key], seconds = finished.result()
                    announce(key, seconds)
        return done

    def rows(self, sql):
        self.spark.sql(f"USE spark_catalog.`{self.schema}`")
        return [tuple(row) for row in self.spark.sql(sql).collect()]
