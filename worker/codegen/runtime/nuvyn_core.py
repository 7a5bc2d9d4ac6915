# Databricks notebook source
# MAGIC %md
# MAGIC # nuvyn_core
# MAGIC What all notebooks of this project share: parameters, declarations, tables, the run log.
# MAGIC
# MAGIC Every layer is a function of the one before it, applied as a difference: bronze is appended to, everything else
# MAGIC is merged so that a run over input that was loaded already changes no row. Runs on Databricks (serverless
# MAGIC included) and on any Spark 4 with Delta Lake; `road()` says where the two differ and which way was taken.

# COMMAND ----------

import functools
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone

from pyspark.sql import Window
from pyspark.sql import functions as F

# COMMAND ----------

# DBTITLE 1,Parameters


def parameter(name, default):
    """The job's parameter, or the default where the notebook is run by hand."""
    dbutils.widgets.text(name, default)
    return dbutils.widgets.get(name)


CATALOG = parameter("catalog", "main")
SCHEMA = parameter("schema", "default")
VOLUME = parameter("volume", "/Volumes/main/default/raw").rstrip("/")
BATCH_ID = parameter("batch_id", "by-hand")
ON_CHANGE = parameter("on_change", "rebuild")  # a derived table whose mapping changed: "rebuild" or "fail"

LOAD = parameter("load", "changes")            # what of the layer before is read: what is new there, or "everything"

ON_DATABRICKS = "DATABRICKS_RUNTIME_VERSION" in os.environ
PARALLEL_LOADS = 4
MOST_OF_AN_ERROR = 2000  # characters of it that the run log keeps
CODE_VERSION = 2  # raised where a change of this code makes tables come out differently: they are then loaded whole
UNKNOWN_KEY, NOT_APPLICABLE_KEY = -1, -2
BEGINNING = "1900-01-01"
BLANKS = " \t\r\n\v\f"

spark.conf.set("spark.sql.session.timeZone", "UTC")


def road(feature, taken):
    """Says in the notebook's output which way was taken where Databricks and open-source Spark differ."""
    print(f"{feature}: {taken}")


# COMMAND ----------

# DBTITLE 1,Names and texts


def quoted(name):
    """A name as Spark SQL wants it, whatever is in it."""
    return "`" + name.replace("`", "``") + "`"


def literal(text):
    """A text as a Spark SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def full_name(table):
    return ".".join(quoted(part) for part in (CATALOG, SCHEMA, table))


def table(name):
    return spark.table(full_name(name))


def exists(name):
    return spark.catalog.tableExists(full_name(name))


def column(name):
    return F.col(quoted(name))


def content_hash(names):
    """A hash of the named columns in which nulls, empty texts and neighbouring columns cannot be mistaken."""
    return F.sha2(F.to_json(F.struct(*[column(n) for n in names])), 256)


def same(names, left="t", right="s"):
    """A null-safe SQL condition: both rows have equal values in all named columns."""
    return " AND ".join(f"{left}.{quoted(n)} <=> {right}.{quoted(n)}" for n in names) or "true"


def now():
    return datetime.now(timezone.utc).replace(tzinfo=None)


def utc(moment):
    """A moment that was collected, which Spark gives in the driver's time zone, as now() gives it."""
    return moment and moment.astimezone(timezone.utc).replace(tzinfo=None)


# COMMAND ----------

# DBTITLE 1,What the notebooks declare


def allowed_share(tier, limit):
    """The share of rows that may break a rule before the run fails: its limit, or else none for "fail", any for others."""
    return limit if limit > 0 else 0.0 if tier == "fail" else 1.0


@dataclass(frozen=True)
class Parse:
    """How raw text becomes a value: trim, null spellings, then the parser of the type. The rest is rejected."""

    trim: bool = True
    nulls: tuple = ()
    formats: tuple = ()
    decimal: str = "."
    group: str = ""
    currency: tuple = ()
    true: tuple = ()
    false: tuple = ()
    percent: bool = False
    parentheses: bool = False  # "(12.50)" and "$(12.50)" are negative
    trailing_minus: bool = False  # "12.50-" is negative


@dataclass(frozen=True)
class Raw:
    """A column of a source: its name in the file, its name and type in silver, and how it is parsed."""

    header: str
    name: str
    type: str
    parse: Parse = Parse()
    comment: str = ""
    pii: str = ""
    unparsed: str = "quarantine"  # tier of a value that does not parse; "warn" makes it null
    limit: float = 0.0            # share of a batch's rows that may not parse before the run fails


@dataclass(frozen=True)
class Rule:
    """A condition that good rows meet, as Spark SQL over the named columns. tier: warn, drop, quarantine or fail."""

    id: str
    tier: str
    condition: str
    says: str
    limit: float = 0.0


@dataclass(frozen=True)
class Refers:
    """A row whose columns are found in no good row of another source is quarantined; it returns by itself later."""

    id: str
    columns: tuple
    other: str
    other_columns: tuple
    says: str
    limit: float = 0.0


@dataclass(frozen=True)
class Distinct:
    """Of several records with the same values in the columns the newest is loaded, the others are quarantined."""

    id: str
    columns: tuple
    says: str


@dataclass(frozen=True)
class Snapshot:
    """Each batch holds the whole table: a key that it lacks is deleted, unless too many are gone at once."""

    max_share: float = 0.5


@dataclass(frozen=True)
class Marker:
    """A row with one of the values in the column deletes its key.

    dated_by: the column that dates what happens to the members of a history, their deletion as well; where it is empty, the
    batch does. member: what identifies a member where the key is that of a version: a marker then ends the member.
    """

    column: str
    values: tuple
    dated_by: str = None
    member: tuple = ()


@dataclass(frozen=True)
class Source:
    """A raw table: which files, how they are read, what identifies a record, and how it may change."""

    name: str
    bronze: str
    silver: str
    pattern: str
    columns: tuple
    format: str = "csv"              # or "jsonl", "parquet"; "table": the pattern is its name
    options: dict = None             # of Spark's CSV reader
    header: bool = True
    skip_lines: int = 0              # what stands before the header
    key: tuple = ()
    latest_by: tuple = ()
    rules: tuple = ()
    refers: tuple = ()
    distinct: tuple = ()
    new_columns: str = "rescue"      # or "add", "fail"
    missing_columns: str = "fail"    # or "null"
    changed_types: str = "rescue"    # or "widen"
    deletes: object = None           # Snapshot or Marker


@dataclass(frozen=True)
class Mapped:
    """A target column with the line of the mapping it comes from."""

    line: str
    name: str
    type: str
    value: object = None
    comment: str = ""
    scd: int = 1
    unknown: str = None
    audit: str = ""                  # batch_id, loaded_at, row_hash or source_file: never makes a row differ
    references: str = ""             # the dimension whose surrogate key this is
    pii: str = ""
    widens: bool = False             # takes the type of its source where that became wider


@dataclass(frozen=True)
class Target:
    """A table of the star."""

    name: str
    comment: str
    columns: tuple
    key: tuple                       # business key of a dimension, grain of a fact or bridge
    surrogate: str = None
    valid_from: str = None           # SCD2: the columns that hold the validity
    valid_to: str = None
    current: str = None
    inferred: str = None             # true for members that are known by references only
    cluster_by: tuple = ()
    rules: tuple = ()

    def names(self, **wanted):
        return [c.name for c in self.columns if all(getattr(c, k) == v for k, v in wanted.items())]


# COMMAND ----------

# DBTITLE 1,Tables

EMPTY = set()  # the tables that this notebook created and has not filled yet


def ddl(name, type, comment, not_null=False):
    return f"{quoted(name)} {type}" + (" NOT NULL" if not_null else "") + (f" COMMENT {literal(comment)}" if comment else "")


def create_table(name, columns, comment, cluster_by=(), not_null=(), properties=None, anew=False):
    """Creates the table if it is missing; anew: empty in any case, former versions stay. columns: (name, type, comment)."""
    listed = ", ".join(ddl(*c, not_null=c[0] in not_null) for c in columns)
    clustered = f" CLUSTER BY ({', '.join(quoted(c) for c in cluster_by[:4])})" if cluster_by else ""
    given = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in (properties or {}).items())
    create = "CREATE OR REPLACE TABLE" if anew else "CREATE TABLE IF NOT EXISTS"
    spark.sql(f"{create} {full_name(name)} ({listed}) USING DELTA{clustered} "
              f"COMMENT {literal(comment)}" + (f" TBLPROPERTIES ({given})" if given else ""))


def ensure_table(name, columns, comment, cluster_by=(), not_null=(), derived=True, properties=None, anew=False):
    """Creates the table, or brings it to its declaration; true where it was created. New columns are added; a derived
    table whose types changed is made anew from the layer before it (on_change=rebuild), never silently anything else."""
    if exists(name) and not anew:
        has = {f.name.lower(): f.dataType.simpleString().upper() for f in table(name).schema.fields}
        added = [c for c in columns if c[0].lower() not in has]
        changed = [c[0] for c in columns if has.get(c[0].lower(), c[1].upper()) != c[1].upper()]
        if changed and not (derived and ON_CHANGE == "rebuild"):
            raise ValueError(f"{name}: the table differs from the mapping in {', '.join(changed)}; migrate it, or run with "
                             "on_change=rebuild to make derived tables anew from bronze")
        if not changed:
            if added:
                spark.sql(f"ALTER TABLE {full_name(name)} ADD COLUMNS ({', '.join(ddl(*c) for c in added)})")
                road(name, f"columns added: {', '.join(c[0] for c in added)}")
            return False
        road(name, f"rebuilt from bronze, because the type of {', '.join(changed)} changed")
        anew = True
    forget_progress(name)
    create_table(name, columns, comment, cluster_by, not_null, properties, anew)
    EMPTY.add(name)
    return True


def tag_pii(name, columns):
    """Tags columns that hold personal data, where the catalog has column tags. columns: those of a declaration."""
    for c in columns:
        if c.pii and ON_DATABRICKS:
            spark.sql(f"ALTER TABLE {full_name(name)} ALTER COLUMN {quoted(c.name)} SET TAGS ('pii' = {literal(c.pii)})")


def pii_property(columns):
    """What says so where the catalog has none."""
    personal = {c.name: c.pii for c in columns if c.pii}
    return {"nuvyn.pii": json.dumps(personal, sort_keys=True)} if personal and not ON_DATABRICKS else {}


def skipping_property(names):
    """Statistics, by which files are passed over, for these columns alone: those of all take as long as writing the rows."""
    return {"delta.dataSkippingStatsColumns": ",".join(map(quoted, names))}


def few_rows(rows, schema):
    """Rows that the driver knows, as a DataFrame; no Python worker has to start for them."""
    names = [field.split()[0] for field in schema.split(", ")]
    given = json.dumps([dict(zip(names, row)) for row in rows], default=lambda moment: moment.isoformat())
    return spark.range(1).select(F.inline(F.from_json(F.lit(given), f"array<struct<{schema}>>")))


def append(name, rows):
    """Adds the rows to the table, by column name, in one transaction."""
    EMPTY.discard(name)
    view = f"appended_{name}"
    rows.createOrReplaceTempView(view)
    listed = ", ".join(map(quoted, rows.columns))
    spark.sql(f"INSERT INTO {full_name(name)} ({listed}) SELECT {listed} FROM {quoted(view)}")
    spark.catalog.dropTempView(view)


def merge(name, rows, key, compared, delete_where=None, gone=None, empty=False, counted=None):
    """Brings the table to the state of `rows`: one MERGE that touches only rows that differ in `compared`.

    rows holds at most one row per key. delete_where: rows of the table that are in no row of `rows` and meet this
    condition are deleted. gone: a column of `rows`, true where the key has no row any more. empty: the table is known to be;
    it is filled without a comparison, as one that was created just now. counted: how many `rows` there are, where that is
    known. Returns what was changed.
    """
    columns = [c for c in rows.columns if c != gone]
    if empty or name in EMPTY:
        append(name, rows.where(~column(gone)).select(*map(column, columns)) if gone else rows)
        return {"inserted": table(name).count() if counted is None else counted, "updated": 0, "deleted": 0}
    view = f"incoming_{name}"
    rows.createOrReplaceTempView(view)
    listed, values = ", ".join(map(quoted, columns)), ", ".join(f"s.{quoted(c)}" for c in columns)
    changes = ", ".join(f"t.{quoted(c)} = s.{quoted(c)}" for c in columns)
    delete = f"WHEN NOT MATCHED BY SOURCE AND {delete_where} THEN DELETE" if delete_where else ""
    remove, living = (f"WHEN MATCHED AND s.{quoted(gone)} THEN DELETE", f"AND NOT s.{quoted(gone)}") if gone else ("", "")
    done = spark.sql(f"""
        MERGE INTO {full_name(name)} t USING {quoted(view)} s ON {same(key)}
        {remove}
        WHEN MATCHED AND NOT ({same(compared)}) THEN UPDATE SET {changes}
        WHEN NOT MATCHED {living} THEN INSERT ({listed}) VALUES ({values})
        {delete}""").first()
    spark.catalog.dropTempView(view)
    return {"inserted": done["num_inserted_rows"], "updated": done["num_updated_rows"],
            "deleted": done["num_deleted_rows"]}


def one_per_key(rows, key, newest):
    """One row per key, the newest; ties are broken by content, column by column, so that every run decides alike."""
    if not key:
        return rows
    order = [column(n).desc_nulls_last() for n in (*newest, *rows.columns)]
    ranked = rows.withColumn("_rank", F.row_number().over(Window.partitionBy(*map(column, key)).orderBy(*order)))
    return ranked.where("_rank = 1").drop("_rank")


# COMMAND ----------

# DBTITLE 1,Control tables and the run log

BATCHES, LEDGER, QUARANTINE, RUN_LOG = "nuvyn_batch", "nuvyn_file_ledger", "nuvyn_quarantine", "nuvyn_run_log"
PROGRESS = "nuvyn_progress"
CONTROL_TABLES = {
    BATCHES: (("batch_id", "STRING", "as given to the job"),
              ("batch_time", "TIMESTAMP", "when the batch was first seen; kept when it is run again")),
    LEDGER: (("source", "STRING", "logical table"), ("path", "STRING", "below the volume"),
             ("bytes", "BIGINT", ""), ("fingerprint", "STRING", "SHA-256 of the content, or size and time if large"),
             ("batch_id", "STRING", "the batch that loaded it")),
    QUARANTINE: (("source", "STRING", "logical table"), ("_reasons", "ARRAY<STRING>", "why the row was refused"),
                 ("record", "STRING", "JSON of the raw values"), ("_source_file", "STRING", "path below the volume"),
                 ("_fingerprint", "STRING", "content hash of the file"), ("_position", "STRING", "place in the file"),
                 ("_batch_id", "STRING", "the batch that brought it")),
    RUN_LOG: (("batch_id", "STRING", ""), ("step", "STRING", "notebook"), ("subject", "STRING", "table"),
              ("status", "STRING", "ok, warn or fail"), ("message", "STRING", ""),
              ("metrics", "STRING", "JSON"), ("logged_at", "TIMESTAMP", "")),
    PROGRESS: (("subject", "STRING", "table; its newest row counts"),
               ("mapping", "STRING", "hash of what the table was loaded under"),
               ("since", "TIMESTAMP", "time of the batch after which the load looked for changes; null: it was a whole load"),
               ("through", "TIMESTAMP", "time of the newest batch that is in the table; null: the table was made anew"),
               ("state", "STRING", "JSON of what the next load goes on from: before this batch, and now"),
               ("began_at", "TIMESTAMP", "when the load began to read"), ("noted_at", "TIMESTAMP", "")),
}


@functools.cache
def batch_time():
    """When this batch was first seen: the same in every notebook, and when the batch is run again."""
    return table(BATCHES).where(F.col("batch_id") == BATCH_ID).first()["batch_time"]


def start_batch():
    empty = not exists(BATCHES)
    with ThreadPoolExecutor(PARALLEL_LOADS) as pool:
        list(pool.map(lambda name: create_table(name, CONTROL_TABLES[name], "kept by the pipeline"), CONTROL_TABLES))
    first = few_rows([(BATCH_ID, now())], "batch_id STRING, batch_time TIMESTAMP")
    merge(BATCHES, first, key=("batch_id",), compared=("batch_id",), empty=empty)


def write_log(step, entries):
    """entries: (subject, status, message, metrics)."""
    at = now()
    rows = [(BATCH_ID, step, subject, status, message, json.dumps(metrics, default=str), at)
            for subject, status, message, metrics in entries]
    schema = "batch_id STRING, step STRING, subject STRING, status STRING, message STRING, metrics STRING, " \
             "logged_at TIMESTAMP"
    append(RUN_LOG, few_rows(rows, schema))


# COMMAND ----------

# DBTITLE 1,How far each table is


@functools.cache
def progress():
    """{table: its newest row of progress, when its last whole load began, and when it was made anew}."""
    newest = F.max_by(F.struct("mapping", "since", "through", "state", "began_at"), "noted_at").alias("newest")
    whole = F.max(F.when(F.col("since").isNull(), F.col("began_at"))).alias("whole_at")
    anew = F.max(F.when(F.col("through").isNull(), F.col("noted_at"))).alias("anew_at")
    rows = table(PROGRESS).groupBy("subject").agg(newest, whole, anew).collect()
    return {r["subject"]: {**r["newest"].asDict(), "whole_at": r["whole_at"], "anew_at": r["anew_at"]}
            for r in rows if r["newest"]["through"]}


def write_progress(rows):
    """rows: (subject, mapping, since, through, state, began_at)."""
    schema = ", ".join(f"{name} {type}" for name, type, _ in CONTROL_TABLES[PROGRESS])
    if rows:
        append(PROGRESS, few_rows([(name, mapping, utc(since), utc(through), json.dumps(state), began_at, now())
                                   for name, mapping, since, through, state, began_at in rows], schema))


def forget_progress(name):
    """Before a table is made anew: its next load must be a whole one, also where this one does not come to its end."""
    if progress().pop(name, None):
        write_progress([(name, None, None, None, {}, now())])


def horizon(name):
    """Batches up to here count in the table: this one, or a later one that it has already seen."""
    return max(batch_time(), progress()[name]["through"]) if name in progress() else batch_time()


@dataclass(frozen=True)
class Scope:
    """What a load has to look at: what changed after the batch of this time (None: everything), and the state then."""

    after: object = None
    state: dict = None


def scope_of(name, mapping, inputs=()):
    """The part of its inputs that the table has not seen. Everything where that cannot be told: after a change of the
    mapping, a whole load of an input, or where an older batch is run again; and on demand (load=everything)."""
    done = progress().get(name)
    if LOAD == "everything" or done is None or done["mapping"] != mapping or batch_time() < done["through"]:
        return Scope()
    if any(i not in progress() or (progress()[i]["whole_at"] or datetime.min) > done["began_at"] for i in inputs):
        return Scope()
    state = json.loads(done["state"])
    if batch_time() == done["through"]:  # the same batch again
        return Scope(done["since"], state["before"])
    return Scope(done["through"], state["now"])


def hash_of(*said):
    return hashlib.sha256(json.dumps([CODE_VERSION, *said], default=str).encode()).hexdigest()


# COMMAND ----------

# DBTITLE 1,Running and reporting


def in_parallel(work, items):
    """work(item) for all items, a few at a time; every failure is reported with the item's name."""
    with ThreadPoolExecutor(PARALLEL_LOADS) as pool:
        futures = {item.name: pool.submit(work, item) for item in items}
    failed = {name: future.exception() for name, future in futures.items() if future.exception()}
    if failed:
        raise RuntimeError("; ".join(f"{name}: {error}" for name, error in failed.items())) from next(iter(failed.values()))
    return {name: future.result() for name, future in futures.items()}


def finish(step, load):
    """Loads, writes to the run log what was done or why it failed, and ends the notebook with the metrics as JSON.

    load() returns {subject: metrics}; what stands under "notes" is a warning.
    """
    try:
        metrics = load()
    except Exception as error:
        write_log(step, [(step, "fail", str(error)[:MOST_OF_AN_ERROR], {})])
        raise
    write_log(step, [(subject, "warn" if m.get("notes") else "ok", "; ".join(m.get("notes", ())), m)
                     for subject, m in metrics.items()])
    dbutils.notebook.exit(json.dumps(metrics, default=str))
