# Databricks notebook source
# MAGIC %md
# MAGIC # nuvyn_upkeep
# MAGIC What keeps the tables in shape, and the way back.

# COMMAND ----------

RETENTION_HOURS = int(parameter("retention_hours", "168"))  # how far back time travel and rollback reach
TO_BATCH = parameter("to_batch", "")                        # rollback: the batch that is to be undone, with all after it


def with_refused(tables):
    """Those of the tables that exist, and where their own rules refused rows."""
    return list(filter(exists, [*tables, *(f"{name}_refused" for name in tables)]))


def maintain(tables):
    """Compacts the tables (liquid clustering included) and removes files that no version within the retention needs. So also the
    control tables: each task adds a file to them, and each reads them."""
    def compacted(name):
        spark.sql(f"OPTIMIZE {full_name(name)}")
        spark.sql(f"VACUUM {full_name(name)} RETAIN {RETENTION_HOURS} HOURS")
        return {"files": spark.sql(f"DESCRIBE DETAIL {full_name(name)}").first()["numFiles"]}
    tables = [*with_refused(tables), *CONTROL_TABLES]
    with ThreadPoolExecutor(PARALLEL_LOADS) as pool:
        return dict(zip(tables, pool.map(compacted, tables)))


def roll_back(tables):
    """Restores every table to what it was when the batch began; the batch can then be run again from its files.

    Tables that did not exist then are dropped: the next run makes them. What is known of their progress goes first, so that
    a rollback that was cut off leaves tables that look older than they are, never newer.
    """
    began = table(BATCHES).where(F.col("batch_id") == TO_BATCH).select(F.col("batch_time").cast("string")).first()
    if began is None:
        raise ValueError(f"to_batch: {TO_BATCH!r} is none of the batches in {BATCHES}")
    done = {}
    for name in [PROGRESS, *with_refused([*tables, QUARANTINE, LEDGER])]:
        before = F.when(F.col("timestamp") <= F.lit(began[0]).cast("timestamp"), F.col("version"))
        version, newest = spark.sql(f"DESCRIBE HISTORY {full_name(name)}").agg(F.max(before), F.max("version")).first()
        if version is None:
            spark.sql(f"DROP TABLE {full_name(name)}")
        elif version < newest:  # what the batches did not touch is left alone
            spark.sql(f"RESTORE TABLE {full_name(name)} TO VERSION AS OF {version}")
        done[name] = {"version": version}
    spark.sql(f"DELETE FROM {full_name(BATCHES)} WHERE batch_time >= TIMESTAMP {literal(began[0])}")
    return done
