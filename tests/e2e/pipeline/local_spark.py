"""Runs a generated project on a plain local Spark with Delta Lake: no workspace, no catalog service, no network.

The notebooks see `spark` and a `dbutils` that knows widgets and notebook.exit; cells are executed one after another,
%run cells in place, as a workspace does.
"""

import glob
import json
import os
import re
import shutil

from pyspark.sql import SparkSession

HOME = os.environ.get("NUVYN_HOME", os.path.expanduser("~/.cache/nuvyn"))
HEADER = "# Databricks notebook source"
SEPARATOR = "\n# COMMAND ----------\n"


def start_spark(folder, cores=2):
    jars = sorted(j for j in glob.glob(os.path.join(HOME, "jars", "*.jar")) if "delta" in os.path.basename(j))
    settings = {
        "spark.driver.memory": "2g",
        "spark.driver.extraClassPath": ":".join(jars),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.scheduler.mode": "FAIR",
        "spark.local.dir": os.path.join(folder, "local"),
        "spark.sql.warehouse.dir": os.path.join(folder, "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.sources.default": "delta",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "2",
    }
    builder = SparkSession.builder.master(f"local[{cores}]").appName("pipeline-test")
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


class Dbutils:
    def __init__(self, parameters):
        self.widgets = Widgets(parameters)
        self.notebook = self

    def exit(self, value):
        raise Exit(value)


def cells(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert text.startswith(HEADER + "\n"), path
    return [cell.strip("\n") for cell in text[len(HEADER):].split(SEPARATOR)]


def run_cells(path, scope):
    for number, cell in enumerate(cells(path)):
        included = re.fullmatch(r"# MAGIC %run (\S+)", cell.strip())
        if included:
            run_cells(os.path.join(os.path.dirname(path), included.group(1) + ".py"), scope)
        elif not cell.startswith("# MAGIC"):
            exec(compile(cell, f"{os.path.basename(path)}[{number}]", "exec"), scope)


class Project:
    """A generated project with a schema of its own."""

    def __init__(self, spark, folder, schema, volume):
        self.spark, self.folder, self.schema, self.volume = spark, folder, schema, volume
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS spark_catalog.`{schema}`")
        with open(os.path.join(folder, "job.json"), encoding="utf-8") as file:
            self.job = json.load(file)

    def run_notebook(self, key, **parameters):
        path = os.path.join(self.folder, "notebooks", key + ".py")
        given = {"catalog": "spark_catalog", "schema": self.schema, "volume": self.volume, **parameters}
        scope = {"spark": self.spark.newSession(), "dbutils": Dbutils(given), "__name__": "__main__"}
        try:
            run_cells(path, scope)
        except Exit as finished:
            return json.loads(str(finished))
        return None

    def run(self, batch, announce=lambda key, seconds: None, **parameters):
        """All tasks of the job in an order that respects depends_on; {task: what it returned}."""
        import time
        done, waiting = {}, {t["task_key"]: [d["task_key"] for d in t["depends_on"]] for t in self.job["tasks"]}
        while waiting:
            key = next(k for k, needed in waiting.items() if all(n in done for n in needed))
            del waiting[key]
            began = time.monotonic()
            done[key] = self.run_notebook(key, batch_id=batch, **parameters)
            announce(key, time.monotonic() - began)
        return done

    def rows(self, sql):
        self.spark.sql(f"USE spark_catalog.`{self.schema}`")
        return [tuple(row) for row in self.spark.sql(sql).collect()]


def land(source, volume, files="*.csv"):
    """Copies a batch of raw files into the volume, as deploy does."""
    os.makedirs(volume, exist_ok=True)
    for path in glob.glob(os.path.join(source, files)):
        shutil.copy(path, volume)
