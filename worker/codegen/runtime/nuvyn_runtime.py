# Databricks notebook source
# MAGIC %md
# MAGIC # nuvyn_runtime
# MAGIC What all notebooks of this project share; they pull it in with `%run ./nuvyn_runtime`.
# MAGIC
# MAGIC Every layer is a function of the one before it, applied as a difference: bronze is appended to, everything else
# MAGIC is merged so that a run over input that was loaded already changes no row. Runs on Databricks (serverless
# MAGIC included) and on any Spark 4 with Delta Lake; `road()` says where the two differ and which way was taken.

# COMMAND ----------

import functools
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from urllib.parse import unquote

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

PARALLEL_LOADS = 4
UNKNOWN_KEY, NOT_APPLICABLE_KEY = -1, -2
BEGINNING = "1900-01-01"
HASHED_FILE_BYTES = 256 * 1024 * 1024
BLANKS = " \t\r\n\v\f"
DIGITS = {"%Y": r"(\d{4})", "%m": r"(\d{1,2})", "%d": r"(\d{1,2})", "%H": r"(\d{1,2})", "%I": r"(\d{1,2})",
          "%M": r"(\d{2})", "%S": r"(\d{2})", "%f": r"(\d{1,9})", "%p": r"([AaPp][Mm])",
          "%z": r"([+-]\d{2}(?::?\d{2})?)", "%b": r"([A-Za-z]{3})", "%B": r"([A-Za-z]{3,9})"}
MONTHS = "january february march april may june july august september october november december".split()

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


# COMMAND ----------

# DBTITLE 1,What the notebooks declare


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
    parentheses: bool = False


@dataclass(frozen=True)
class Raw:
    """A column of a source: its name in the file, its name and type in silver, and how it is parsed."""

    header: str
    name: str
    type: str
    parse: Parse = Parse()
    comment: str = ""
    unparsed: str = "quarantine"  # or "warn": the value becomes null, or "fail"


@dataclass(frozen=True)
class Rule:
    """A condition that good rows meet, as Spark SQL over the named columns. tier: warn, quarantine or fail."""

    id: str
    tier: str
    condition: str
    says: str
    threshold: float = 0.0


@dataclass(frozen=True)
class Source:
    """A raw table: which files, how they are read, what identifies a record."""

    name: str
    bronze: str
    silver: str
    pattern: str
    options: dict
    columns: tuple
    header: bool = True
    key: tuple = ()
    latest_by: tuple = ()
    rules: tuple = ()


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
    cluster_by: tuple = ()
    rules: tuple = ()

    def names(self, **wanted):
        return [c.name for c in self.columns if all(getattr(c, k) == v for k, v in wanted.items())]


# COMMAND ----------

# DBTITLE 1,Parsing


def cleaned(raw, parse):
    """The text that is to be parsed; null where the rule calls it null."""
    text = F.btrim(raw, F.lit(BLANKS)) if parse.trim else raw
    return F.when(~F.coalesce(text, F.lit("")).isin("", *parse.nulls), text)


def iso_patterns(format):
    """A strptime format as (pattern, ISO replacement) pairs; two where a two-digit year may mean two centuries."""
    pieces = re.findall(r"%.|[^%]+", format)
    at = {piece: n + 1 for n, piece in enumerate(p for p in pieces if p in DIGITS or p == "%y")}
    year, month = at.get("%Y", at.get("%y")), at.get("%m", at.get("%b", at.get("%B")))
    hour = at.get("%H", at.get("%I"))
    date = f"${year}-${month}-${at['%d']}" if year else "1970-01-01"
    time = f" ${hour}:${at['%M']}:" + (f"${at['%S']}" if "%S" in at else "00") if hour else ""
    rest = (f".${at['%f']}" if "%f" in at else "") + (f" ${at['%p']}" if "%p" in at else "")
    iso = date + time + rest + (f"${at['%z']}" if "%z" in at else "")
    centuries = {"19": r"(69|[7-9]\d)", "20": r"([0-5]\d|6[0-8])"} if "%y" in at else {"": ""}
    for century, two_digits in centuries.items():
        pattern = "".join(two_digits if p == "%y" else DIGITS.get(p, re.escape(p)) for p in pieces)
        yield f"^{pattern}$", century + iso


def numbered_months(text):
    """English month names, short or long, as their numbers."""
    for number, name in enumerate(MONTHS, 1):
        text = F.regexp_replace(text, f"(?i)-({name}|{name[:3]})-", f"-{number}-")
    return text


def parse_moment(text, parse, type):
    """The first format that fits and names a moment that exists."""
    tried = []
    for format in parse.formats:
        for pattern, iso in iso_patterns(format):
            moment = F.regexp_replace(text, pattern, iso)
            if "%b" in format or "%B" in format:
                moment = numbered_months(moment)
            if "%p" in format:
                hours = "h:mm:ss.SSSSSSSSS a" if "%f" in format else "h:mm:ss a"
                value = F.try_to_timestamp(F.upper(moment), F.lit("y-M-d " + hours)).cast(type)
            else:
                value = moment.try_cast("timestamp").cast(type)
            tried.append(F.when(text.rlike(pattern), value))
    return F.coalesce(*tried) if tried else F.lit(None).cast(type)


def number_pattern(parse, type):
    """The digits of a number between what the rule lets stand around them: sign, whole, fraction and exponent."""
    marks = "|".join(re.escape(mark) for mark in parse.currency)
    before, after = (f"(?:(?:{marks}) *)?", f"(?: *(?:{marks}))?") if marks else ("", "")
    whole = rf"(\d[\d{re.escape(parse.group)}]*)?" if parse.group else r"(\d+)?"
    fraction = "()" if type == "BIGINT" else rf"(?:{re.escape(parse.decimal)}(\d{'*' if type == 'DOUBLE' else '+'}))?"
    exponent = r"([eE][+-]?\d{1,3})?" if type == "DOUBLE" else "()"
    percent = "(?: *%)?" if parse.percent else ""
    return rf"^(?=.*\d)([+-]?{before}[+-]?){whole}{fraction}{exponent}{after}{percent}$"


def parse_plain_number(text, type):
    """A number with nothing around it and a decimal point: what most exports write."""
    scale = int(re.search(r"(\d+)\)$", type).group(1)) if type.startswith("DECIMAL") else 0
    digits = r"\d+" if scale == 0 else rf"(\d+(\.\d{{1,{scale}}})?|\.\d{{1,{scale}}})"
    if type == "DOUBLE":
        digits = r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?"
    return F.when(text.rlike(f"^[+-]?{digits}$"), text.try_cast(type))


def parse_number(text, parse, type):
    if parse.decimal == "." and not (parse.group or parse.currency or parse.percent or parse.parentheses):
        return parse_plain_number(text, type)
    bare = F.regexp_replace(text, r"^\((.+)\)$", "$1") if parse.parentheses else text
    pattern = number_pattern(parse, type)
    sign = F.regexp_replace(F.regexp_extract(bare, pattern, 1), "[^+-]", "")
    whole = F.regexp_extract(bare, pattern, 2)
    whole = F.replace(whole, F.lit(parse.group), F.lit("")) if parse.group else whole
    fraction, exponent = F.regexp_extract(bare, pattern, 3), F.regexp_extract(bare, pattern, 4)
    fits = bare.rlike(pattern)
    if type.startswith("DECIMAL"):
        fits &= F.length(fraction) <= int(re.search(r"(\d+)\)$", type).group(1))
    digits = F.concat(sign, whole) if type == "BIGINT" else F.concat(sign, whole, F.lit("."), fraction, F.lit("0"), exponent)
    value = F.when(fits, digits.try_cast(type))
    return F.when(bare == text, value).otherwise(-value) if parse.parentheses else value


def parsed(raw):
    """The typed value of a raw column; null where it is null or does not parse."""
    text = cleaned(column(raw.name), raw.parse)
    if raw.type == "BOOLEAN":
        return (F.when(F.lower(text).isin(*raw.parse.true), F.lit(True))
                .when(F.lower(text).isin(*raw.parse.false), F.lit(False)))
    if raw.type in ("DATE", "TIMESTAMP"):
        return parse_moment(text, raw.parse, raw.type)
    if raw.type == "STRING" and raw.parse.formats:  # a time of day: Spark has no such type
        moment = parse_moment(text, raw.parse, "TIMESTAMP")
        return F.date_format(moment, "HH:mm:ss")
    if raw.type == "STRING":
        return text
    return parse_number(text, raw.parse, raw.type)


# COMMAND ----------

# DBTITLE 1,Tables


def ddl(name, type, comment):
    return f"{quoted(name)} {type}" + (f" COMMENT {literal(comment)}" if comment else "")


def create_table(name, columns, comment, cluster_by=()):
    """Creates the table if it is missing. columns: (name, type, comment)."""
    listed = ", ".join(ddl(*c) for c in columns)
    clustered = f" CLUSTER BY ({', '.join(quoted(c) for c in cluster_by[:4])})" if cluster_by else ""
    spark.sql(f"CREATE TABLE IF NOT EXISTS {full_name(name)} ({listed}) USING DELTA{clustered} "
              f"COMMENT {literal(comment)}")


def ensure_table(name, columns, comment, cluster_by=(), derived=True):
    """Creates the table, or brings it to its declaration: new columns are added, never silently anything else."""
    if exists(name):
        has = {f.name.lower(): f.dataType.simpleString().upper() for f in table(name).schema.fields}
        added = [c for c in columns if c[0].lower() not in has]
        changed = [c[0] for c in columns if has.get(c[0].lower(), c[1].upper()) != c[1].upper()]
        if not added and not changed:
            return
        if not derived and not changed:
            spark.sql(f"ALTER TABLE {full_name(name)} ADD COLUMNS ({', '.join(ddl(*c) for c in added)})")
            road(name, f"columns added: {', '.join(c[0] for c in added)}")
            return
        differing = ", ".join(changed + [c[0] for c in added])
        if not derived or ON_CHANGE != "rebuild":
            raise ValueError(f"{name}: the table differs from the mapping in {differing}; migrate it, or run with "
                             "on_change=rebuild to make derived tables anew from bronze")
        spark.sql(f"DROP TABLE {full_name(name)}")
        road(name, f"rebuilt from bronze, because the mapping of {differing} changed")
    create_table(name, columns, comment, cluster_by)


def append(name, rows):
    """Adds the rows to the table, by column name, in one transaction."""
    view = f"appended_{name}"
    rows.createOrReplaceTempView(view)
    listed = ", ".join(map(quoted, rows.columns))
    spark.sql(f"INSERT INTO {full_name(name)} ({listed}) SELECT {listed} FROM {quoted(view)}")
    spark.catalog.dropTempView(view)


def merge(name, rows, key, compared, delete_where=None):
    """Brings the table to the state of `rows`: one MERGE that touches only rows that differ in `compared`.

    rows holds at most one row per key. delete_where: rows of the table that are in no row of `rows` and meet this
    condition are deleted. Returns what was changed. An empty table is filled without a comparison.
    """
    if table(name).isEmpty():
        append(name, rows)
        return {"inserted": table(name).count(), "updated": 0, "deleted": 0}
    columns = rows.columns
    view = f"incoming_{name}"
    rows.createOrReplaceTempView(view)
    listed, values = ", ".join(map(quoted, columns)), ", ".join(f"s.{quoted(c)}" for c in columns)
    changes = ", ".join(f"t.{quoted(c)} = s.{quoted(c)}" for c in columns)
    delete = f"WHEN NOT MATCHED BY SOURCE AND {delete_where} THEN DELETE" if delete_where else ""
    done = spark.sql(f"""
        MERGE INTO {full_name(name)} t USING {quoted(view)} s ON {same(key)}
        WHEN MATCHED AND NOT ({same(compared)}) THEN UPDATE SET {changes}
        WHEN NOT MATCHED THEN INSERT ({listed}) VALUES ({values})
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
}


@functools.cache
def batch_time():
    """When this batch was first seen: the same in every notebook, and when the batch is run again."""
    return table(BATCHES).where(F.col("batch_id") == BATCH_ID).first()["batch_time"]


def start_batch():
    for name, columns in CONTROL_TABLES.items():
        create_table(name, columns, "kept by the pipeline")
    first = spark.createDataFrame([(BATCH_ID, now())], "batch_id STRING, batch_time TIMESTAMP")
    merge(BATCHES, first, key=("batch_id",), compared=("batch_id",))


def write_log(step, entries):
    """entries: (subject, status, message, metrics)."""
    at = now()
    rows = [(BATCH_ID, step, subject, status, message, json.dumps(metrics, default=str), at)
            for subject, status, message, metrics in entries]
    schema = "batch_id STRING, step STRING, subject STRING, status STRING, message STRING, metrics STRING, " \
             "logged_at TIMESTAMP"
    append(RUN_LOG, spark.createDataFrame(rows, schema))


def in_parallel(work, items):
    """work(item) for all items, a few at a time; every failure is reported with the item's name."""
    with ThreadPoolExecutor(PARALLEL_LOADS) as pool:
        futures = {item.name: pool.submit(work, item) for item in items}
    failed = {name: future.exception() for name, future in futures.items() if future.exception()}
    if failed:
        raise RuntimeError("; ".join(f"{name}: {error}" for name, error in failed.items())) from next(iter(failed.values()))
    return {name: future.result() for name, future in futures.items()}


def finish(step, metrics):
    """Writes the run log and ends the notebook with its metrics as JSON."""
    write_log(step, [(subject, "ok", "", m) for subject, m in metrics.items()])
    dbutils.notebook.exit(json.dumps(metrics, default=str))


# COMMAND ----------

# DBTITLE 1,Bronze: each file once, every value as text

BRONZE_COLUMNS = (
    ("_rescued_data", "STRING", "JSON of fields that the mapping does not know"),
    ("_corrupt_record", "STRING", "the line, where it has too few or too many fields"),
    ("_source_file", "STRING", "path below the volume"),
    ("_fingerprint", "STRING", "content hash of the file"),
    ("_position", "STRING", "orders the rows of one file as they stand in it"),
    ("_row_hash", "STRING", "SHA-256 over all values"),
    ("_batch_id", "STRING", ""),
    ("_batch_time", "TIMESTAMP", "when the batch was first seen"),
    ("_loaded_at", "TIMESTAMP", ""),
)


def found_files():
    """All files below the volume: path, path below the volume, size, fingerprint. One listing for all sources."""
    files = spark.read.format("binaryFile").option("recursiveFileLookup", True).load(VOLUME)
    hashed = files.where(F.col("length") <= HASHED_FILE_BYTES).withColumn("fingerprint", F.sha2("content", 256))
    large = files.where(F.col("length") > HASHED_FILE_BYTES).withColumn(
        "fingerprint", F.concat_ws("@", "length", "modificationTime"))
    listed = hashed.unionByName(large).select("path", "length", "fingerprint").orderBy("path").collect()
    return [{**f.asDict(), "name": below_volume(f["path"])} for f in listed]


def below_volume(path):
    path = unquote(path)
    return path[path.index(VOLUME) + len(VOLUME):].lstrip("/") if VOLUME in path else path


def new_files(source, files):
    """Files that bronze does not hold yet. Bronze itself decides: its append is the one atomic step of a load."""
    own = [f for f in files if fnmatchcase(f["name"].rsplit("/", 1)[-1], source.pattern)]
    held = (table(source.bronze).where(F.col("_source_file").isin([f["name"] for f in own]))
            .select("_source_file", "_fingerprint").distinct().collect())
    held = {(r["_source_file"], r["_fingerprint"]) for r in held}
    return [f for f in own if (f["name"], f["fingerprint"]) not in held]


def header_of(source, path):
    """The column names of a file, in its order; without a header line those of the mapping."""
    if not source.header:
        return [c.header for c in source.columns]
    first = spark.read.options(**source.options).csv(path).first()
    if first is None:
        raise ValueError(f"{path}: no header line")
    return [(name or "").lstrip("\ufeff").strip(BLANKS) for name in first]


def file_schema(source, header):
    """(name per field of the file, unknown field names): known columns by name, or by place where names repeat."""
    expected = [c.header for c in source.columns]
    if len(header) == len(expected) and len(set(header)) < len(header):
        return [c.name for c in source.columns], []
    names = {c.header: c.name for c in source.columns}
    missing = [name for name in expected if name not in header]
    if missing:
        raise ValueError(f"{source.name}: columns missing in the file: {', '.join(missing)}; found: {', '.join(header)}")
    unknown = [f"_unknown_{n}" for n, name in enumerate(header) if name not in names]
    return [names.get(name, f"_unknown_{n}") for n, name in enumerate(header)], unknown


def read_file(source, file):
    """The rows of one file as bronze wants them."""
    header = header_of(source, file["path"])
    fields, unknown = file_schema(source, header)
    schema = ", ".join(f"{quoted(n)} STRING" for n in fields) + ", _corrupt_record STRING"
    rows = (spark.read.schema(schema)
            .options(**source.options, header=source.header, mode="PERMISSIVE",
                     columnNameOfCorruptRecord="_corrupt_record")
            .csv(file["path"]))
    names = [c.name for c in source.columns]
    rescued = F.to_json(F.struct(*[F.col(u).alias(header[int(u[9:])]) for u in unknown])) if unknown else F.lit(None)
    if unknown:
        road(source.name, f"{file['name']} has columns that the mapping does not know; kept in _rescued_data")
    place = F.format_string("%015d-%020d", F.col("_metadata.file_block_start"), F.monotonically_increasing_id())
    return rows.select(
        *[column(n) for n in names],
        rescued.cast("string").alias("_rescued_data"),
        F.col("_corrupt_record"),
        F.lit(file["name"]).alias("_source_file"),
        F.lit(file["fingerprint"]).alias("_fingerprint"),
        place.alias("_position"),
        content_hash(names + ["_corrupt_record"]).alias("_row_hash"),
        F.lit(BATCH_ID).alias("_batch_id"),
        F.lit(batch_time()).alias("_batch_time"),
        F.lit(now()).alias("_loaded_at"),
    )


def load_bronze(source, files):
    """Appends the source's new files in one transaction."""
    columns = tuple((c.name, "STRING", f"raw text of {c.header}") for c in source.columns) + BRONZE_COLUMNS
    ensure_table(source.bronze, columns, f"Raw rows of {source.pattern}", derived=False)
    added = new_files(source, files)
    if added:
        rows = functools.reduce(lambda a, b: a.unionByName(b), [read_file(source, f) for f in added])
        append(source.bronze, rows)
    return [(source.name, f["name"], f["length"], f["fingerprint"], BATCH_ID) for f in added]


def load_all_bronze(sources):
    """Loads all sources and enters what was loaded into the ledger, which is for people: bronze knows its files."""
    files = found_files()
    loaded = in_parallel(lambda source: load_bronze(source, files), sources)
    entries = [entry for added in loaded.values() for entry in added]
    if entries:
        schema = ", ".join(f"{name} {type}" for name, type, _ in CONTROL_TABLES[LEDGER])
        append(LEDGER, spark.createDataFrame(entries, schema))
    return {name: {"new_files": len(added)} for name, added in loaded.items()}


# COMMAND ----------

# DBTITLE 1,Silver: typed, checked, one row per key

LOAD_ORDER = ("_batch_time", "_source_file", "_position")
SILVER_COLUMNS = (
    ("_row_hash", "STRING", "SHA-256 over the typed values"),
    ("_source_file", "STRING", "file the row was first loaded from"),
    ("_changed_at", "TIMESTAMP", "time of the batch that brought or changed the row"),
    ("_batch_id", "STRING", "the batch that brought or changed the row"),
)


def horizon(source):
    """Batches up to here count: this one, or a later one that silver has already seen."""
    seen = table(source.silver).agg(F.max("_changed_at")).first()[0]
    return max(t for t in (batch_time(), seen) if t is not None)


def reasons(source):
    """The reasons for which a row is refused; empty for a good one."""
    found = [F.when(F.col("_corrupt_record").isNotNull(), F.lit("the line has too few or too many fields"))]
    for c in source.columns:
        if c.unparsed == "quarantine" and (c.type != "STRING" or c.parse.formats):
            unparsed = cleaned(column(f"_raw_{c.name}"), c.parse).isNotNull() & column(c.name).isNull()
            found.append(F.when(unparsed, F.concat(F.lit(f"{c.header}: not {c.type}: "), column(f"_raw_{c.name}"))))
    for rule in source.rules:
        if rule.tier == "quarantine":
            found.append(F.when(~F.coalesce(F.expr(rule.condition), F.lit(True)), F.lit(f"{rule.id}: {rule.says}")))
    return F.array_compact(F.array(*found))


def classified(source):
    """Every bronze row, typed, with its outcome: loaded, duplicate (or superseded) or quarantined."""
    names = [c.name for c in source.columns]
    typed = (table(source.bronze).where(F.col("_batch_time") <= F.lit(horizon(source)))
             .select(*[parsed(c).alias(c.name) for c in source.columns],
                     *[column(n).alias(f"_raw_{n}") for n in names],
                     "_corrupt_record", "_fingerprint", "_batch_id", *LOAD_ORDER)
             .withColumn("_reasons", reasons(source))
             .withColumn("_good", F.size("_reasons") == 0)
             .withColumn("_row_hash", content_hash(names)))
    newest = [column(n).desc_nulls_last() for n in source.latest_by] + [F.col(n).desc() for n in LOAD_ORDER]
    same_key = Window.partitionBy("_good", *[column(n) for n in source.key or ("_row_hash",)]).orderBy(*newest)
    return typed.withColumn("_rank", F.row_number().over(same_key)).withColumn(
        "_outcome", F.when(~F.col("_good"), "quarantined").when(F.col("_rank") > 1, "duplicate").otherwise("loaded"))


def load_silver(source):
    """Brings silver to the state that bronze implies, and counts every row."""
    columns = tuple((c.name, c.type, c.comment) for c in source.columns) + SILVER_COLUMNS
    ensure_table(source.silver, columns, f"{source.name}: typed and clean, one row per key")
    rows = classified(source)
    counts = {r["_outcome"]: r["count"] for r in rows.groupBy("_outcome").count().collect()}
    good = rows.where("_outcome = 'loaded'").select(
        *[column(c.name) for c in source.columns], "_row_hash", "_source_file",
        F.lit(batch_time()).alias("_changed_at"), F.lit(BATCH_ID).alias("_batch_id"))
    metrics = merge(source.silver, good, key=source.key or ("_row_hash",), compared=("_row_hash",), delete_where="true")
    return {"source": sum(counts.values()), "loaded": counts.get("loaded", 0),
            "quarantined": counts.get("quarantined", 0), "duplicates": counts.get("duplicate", 0), **metrics}


def refused(source):
    """The source's rows for the quarantine."""
    record = F.to_json(F.struct(F.col("_corrupt_record").alias("line"),
                                *[column(f"_raw_{c.name}").alias(c.header) for c in source.columns]))
    return classified(source).where("_outcome = 'quarantined'").select(
        F.lit(source.name).alias("source"), "_reasons", record.alias("record"),
        "_source_file", "_fingerprint", "_position", "_batch_id")


def load_all_silver(sources):
    """Loads all sources; then the quarantine is brought to what they refused, in one merge."""
    metrics = in_parallel(load_silver, sources)
    holding = {r["source"] for r in table(QUARANTINE).select("source").distinct().collect()}
    concerned = [s for s in sources if metrics[s.name]["quarantined"] or s.name in holding]
    if concerned:
        rows = functools.reduce(lambda a, b: a.unionByName(b), [refused(s) for s in concerned])
        merge(QUARANTINE, rows, key=("source", "_source_file", "_fingerprint", "_position"), compared=("_reasons",),
              delete_where=f"t.source IN ({', '.join(literal(s.name) for s in concerned)})")
    return metrics


# COMMAND ----------

# DBTITLE 1,Reading silver and looking up dimensions


def silver(name, alias):
    return table(name).alias(alias)


def key_of(*business_key):
    """A surrogate key: 63 bits of a hash over the business key (and version), so that a rebuild gives the same key.

    90_quality proves that no two members share one. Negative keys are left to the unknown members.
    """
    return F.xxhash64(F.to_json(F.array(*[b.cast("string") for b in business_key]))).bitwiseAND(F.lit(0x7FFFFFFFFFFFFFFF))


def date_key(moment, dates):
    """yyyymmdd; -1 for null and for days outside the date dimension."""
    day = F.to_date(moment)
    return F.when(day.between(F.lit(dates[0]).cast("date"), F.lit(dates[1]).cast("date")),
                  F.date_format(day, "yyyyMMdd").cast("bigint")).otherwise(F.lit(UNKNOWN_KEY).cast("bigint"))


class Lookup:
    """Finds the surrogate key of a dimension's member by its business key; for SCD2 as of a moment, else the current.

    Never multiplies rows: a business key has one current version, and versions do not overlap. Before the first
    version the first one counts, and where the moment is not known the current one.
    """

    def __init__(self, alias, dimension, surrogate, business_key, versions=None, as_of=None):
        self.alias, self.dimension, self.surrogate = alias, dimension, surrogate
        self.business_key, self.versions, self.as_of = business_key, versions, as_of

    def members(self):
        known = table(self.dimension).where(column(self.surrogate) >= 0)
        if not self.versions:
            return known
        valid_from, valid_to, current = self.versions
        if self.as_of is None:
            return known.where(column(current))
        by_key = Window.partitionBy(*map(column, self.business_key)).orderBy(column(valid_from))
        start = F.when(F.lag(column(valid_from)).over(by_key).isNotNull(), column(valid_from))
        return known.withColumn("_starts", start).withColumn("_ends", column(valid_to))

    def join(self, rows):
        side = self.members().alias(self.alias)
        condition = F.lit(True)
        for name, value in self.business_key.items():
            condition &= F.col(f"{self.alias}.{quoted(name)}") == value
        if self.versions and self.as_of is not None:
            starts, ends = F.col(f"{self.alias}._starts"), F.col(f"{self.alias}._ends")
            moment = self.as_of.cast("timestamp")
            in_force = (starts.isNull() | (moment >= starts)) & (ends.isNull() | (moment < ends))
            condition &= F.when(moment.isNull(), ends.isNull()).otherwise(in_force)
        return rows.join(side, condition, "left")

    @property
    def key(self):
        """-2 where the reference is empty, -1 where it leads nowhere."""
        empty = functools.reduce(lambda a, b: a | b, [value.isNull() for value in self.business_key.values()])
        found = F.col(f"{self.alias}.{quoted(self.surrogate)}")
        return F.when(empty, F.lit(NOT_APPLICABLE_KEY)).otherwise(F.coalesce(found, F.lit(UNKNOWN_KEY))).cast("bigint")


def newest_change(*aliases):
    """When the newest of the joined silver rows changed."""
    return F.greatest(*[F.col(f"{a}._changed_at") for a in aliases]) if len(aliases) > 1 else F.col(f"{aliases[0]}._changed_at")


# COMMAND ----------

# DBTITLE 1,Loading the star


def ensure_target(target):
    ensure_table(target.name, tuple((c.name, c.type, f"{c.line}: {c.comment}" if c.comment else c.line)
                                    for c in target.columns), target.comment, target.cluster_by)


def keep_history(target):
    """A history whose mapping changed is started anew (on_change=rebuild); versions that only it held are kept aside."""
    said = json.dumps([(c.name, c.type, str(c.value), c.scd) for c in target.columns] + [target.key])
    mapping = hashlib.sha256(said.encode()).hexdigest()
    if exists(target.name):
        known = {r["key"]: r["value"] for r in spark.sql(f"SHOW TBLPROPERTIES {full_name(target.name)}").collect()}
        if known.get("nuvyn.mapping", mapping) == mapping:
            return
        if ON_CHANGE != "rebuild":
            raise ValueError(f"{target.name}: the table differs from the mapping; migrate it, or run with on_change=rebuild")
        if not table(target.name).where(column(target.valid_to).isNotNull()).isEmpty():
            aside = f"{target.name}_until_{now():%Y%m%d%H%M%S}"
            spark.sql(f"CREATE TABLE {full_name(aside)} USING DELTA AS SELECT * FROM {full_name(target.name)}")
            road(target.name, f"history under the former mapping is kept as {aside}")
        spark.sql(f"DROP TABLE {full_name(target.name)}")
    ensure_target(target)
    spark.sql(f"ALTER TABLE {full_name(target.name)} SET TBLPROPERTIES ('nuvyn.mapping' = '{mapping}')")


def projected(target, rows, *extra):
    """The target's columns as the mapping says, typed; audit columns last. Keys and validity come later."""
    mapped = sorted((c for c in target.columns if c.value is not None), key=lambda c: bool(c.audit))
    return rows.select(*[c.value.cast(c.type).alias(c.name) for c in mapped], *extra)


def unknown_members(target):
    """The rows for references that lead nowhere (-1) and that do not apply (-2)."""
    def value(c, key):
        if c.name == target.surrogate:
            return F.lit(key).cast(c.type)
        if c.name == target.valid_from:
            return F.lit(BEGINNING).cast(c.type)
        if c.name == target.current:
            return F.lit(True)
        return F.lit(c.unknown).try_cast(c.type)
    rows = [spark.range(1).select(*[value(c, key).alias(c.name) for c in target.columns])
            for key in (UNKNOWN_KEY, NOT_APPLICABLE_KEY)]
    return rows[0].unionByName(rows[1])


def write_target(target, rows, key, delete_where=None):
    """Merges rows that hold all columns of the target but the audit ones, which never make a row differ."""
    content = target.names(audit="")
    stamps = {"batch_id": F.lit(BATCH_ID), "loaded_at": F.lit(batch_time()), "row_hash": content_hash(content)}
    for c in target.columns:
        if c.audit in stamps:
            rows = rows.withColumn(c.name, stamps[c.audit].cast(c.type))
    compared = [n for n in content if n not in key]
    metrics = merge(target.name, rows.select(*map(column, target.names())), key, compared, delete_where=delete_where)
    return {target.name: {**metrics, "rows": table(target.name).count()}}


def load_dimension(target, rows, *aliases):
    """SCD1: one row per business key, overwritten when an attribute changes."""
    ensure_target(target)
    given = projected(target, rows, newest_change(*aliases).alias("_effective")).dropna(subset=list(target.key))
    members = one_per_key(given, target.key, ["_effective"]).drop("_effective")
    members = members.withColumn(target.surrogate, key_of(*map(column, target.key)))
    return write_target(target, members.unionByName(unknown_members(target), allowMissingColumns=True), (target.surrogate,))


def load_history(target, rows, *aliases, effective_from=None):
    """SCD2: a version per change of an SCD2 attribute, half-open intervals, one current version per business key.

    Versions are dated by the data (effective_from), or else by the batch that brought the change, and then the first
    one is valid from the beginning. The versions that the table holds stay history: silver may know only the last one.
    """
    keep_history(target)
    effective = effective_from.cast("timestamp") if effective_from is not None else newest_change(*aliases)
    valid_from_type = next(c.type for c in target.columns if c.name == target.valid_from)
    effective = F.coalesce(effective, F.lit(BEGINNING).cast("timestamp")).cast(valid_from_type)
    events = projected(target, rows, effective.alias("_from"), F.lit(1).alias("_incoming")).dropna(subset=list(target.key))
    held = table(target.name).where(column(target.surrogate) >= 0)
    events = events.unionByName(held.select(
        *[column(c.name) for c in target.columns if c.value is not None],
        column(target.valid_from).alias("_from"), F.lit(0).alias("_incoming")))
    versions = collapsed(target, one_per_key(events, (*target.key, "_from"), ["_incoming"]), effective_from is None)
    rows = versions.unionByName(unknown_members(target), allowMissingColumns=True)
    return write_target(target, rows, (target.surrogate,), delete_where=f"t.{quoted(target.surrogate)} >= 0")


def collapsed(target, events, from_beginning):
    """Events per business key as versions: those that change no SCD2 attribute are none, SCD1 attributes are the last."""
    member = Window.partitionBy(*map(column, target.key))
    in_order, whole = member.orderBy("_from"), member.orderBy("_from").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    tracked = content_hash(target.names(scd=2, audit=""))
    for name in target.names(scd=1, audit=""):
        if name in events.columns and name not in target.key:
            events = events.withColumn(name, F.last(column(name)).over(whole))
    for name in set(target.names(scd=0)) - set(target.key):
        events = events.withColumn(name, F.first(column(name)).over(whole))
    changed = events.withColumn("_before", F.lag(tracked).over(in_order)).where(~F.col("_before").eqNullSafe(tracked))
    first = F.lag("_from").over(in_order).isNull()
    start = F.col("_from")
    if from_beginning:
        start = F.when(first, F.lit(BEGINNING).cast(events.schema["_from"].dataType)).otherwise(start)
    return (changed.withColumn(target.valid_from, start)
            .withColumn(target.valid_to, F.lead("_from").over(in_order))
            .withColumn(target.current, F.col(target.valid_to).isNull())
            .withColumn(target.surrogate, key_of(*map(column, target.key), column(target.valid_from)))
            .drop("_before", "_from", "_incoming"))


def load_rows(target, rows, *aliases):
    """Facts and bridges: one row per grain, changed where it differs, removed where silver no longer has it."""
    ensure_target(target)
    wanted = projected(target, rows, newest_change(*aliases).alias("_effective"))
    wanted = one_per_key(wanted, target.key, ["_effective"]).drop("_effective")
    return write_target(target, wanted, target.key, delete_where="true")


def load_dates(target, first, last):
    """One row per day, and one for the unknown day."""
    ensure_target(target)
    days = spark.sql(f"SELECT explode(sequence(DATE {literal(first)}, DATE {literal(last)})) AS day").alias("d")
    rows = projected(target, days).unionByName(unknown_members(target).where(column(target.surrogate) == UNKNOWN_KEY))
    return write_target(target, rows, (target.surrogate,))


# COMMAND ----------

# DBTITLE 1,Quality


@dataclass(frozen=True)
class Rows:
    """Rules that each row of a table meets or not, all counted in one pass."""

    name: str
    rules: tuple
    where: str = "true"

    def run(self):
        counted = [F.count_if(~F.coalesce(F.expr(r.condition), F.lit(True))) for r in self.rules]
        total, *broken = table(self.name).where(self.where).agg(F.count(F.lit(1)), *counted).first()
        return [verdict(self.name, r.tier, f"{r.id}: {r.says}", n, total, r.threshold) for r, n in zip(self.rules, broken)]


@dataclass(frozen=True)
class Unique:
    """No two rows are alike in the columns."""

    name: str
    columns: tuple
    where: str = "true"
    tier: str = "fail"

    def run(self):
        groups = table(self.name).where(self.where).groupBy(*map(column, self.columns)).count()
        total, broken = groups.agg(F.coalesce(F.sum("count"), F.lit(0)), F.coalesce(F.sum(F.col("count") - 1), F.lit(0))).first()
        return [verdict(self.name, self.tier, f"unique: {', '.join(self.columns)}", broken, total, 0.0)]


@dataclass(frozen=True)
class Reference:
    """Every value that is there is found in the other table."""

    name: str
    columns: tuple
    other: str
    other_columns: tuple
    tier: str = "fail"
    threshold: float = 0.0

    def run(self):
        given = table(self.name).select(*[column(c).alias(f"_{n}") for n, c in enumerate(self.columns)]).dropna()
        known = table(self.other).select(*[column(c).alias(f"_{n}") for n, c in enumerate(self.other_columns)]).distinct()
        broken = given.join(known, [f"_{n}" for n in range(len(self.columns))], "left_anti").count()
        says = f"{', '.join(self.columns)} in {self.other}"
        return [verdict(self.name, self.tier, says, broken, given.count(), self.threshold)]


@dataclass(frozen=True)
class SameCount:
    """The table has as many rows as the silver table that drives it."""

    name: str
    driving: str

    def run(self):
        has, expected = table(self.name).count(), table(self.driving).count()
        return [verdict(self.name, "fail", f"as many rows as {self.driving}", abs(has - expected), expected, 0.0)]


@functools.cache
def silver_metrics():
    """What the last load of silver in this batch counted, per source."""
    logged = table(RUN_LOG).where((F.col("step") == "20_silver") & (F.col("batch_id") == BATCH_ID)).orderBy("logged_at")
    return {r["subject"]: json.loads(r["metrics"]) for r in logged.collect()}


@dataclass(frozen=True)
class Balance:
    """source = loaded + quarantined + duplicates, counted in the tables and not taken from the load's word."""

    source: Source

    @property
    def name(self):
        return self.source.silver

    def run(self):
        said = silver_metrics()[self.source.name]
        seen = table(self.source.bronze).where(F.col("_batch_time") <= F.lit(horizon(self.source))).count()
        loaded = table(self.source.silver).count()
        held = table(QUARANTINE).where(F.col("source") == self.source.name).count()
        missing = abs(seen - loaded - held - said["duplicates"])
        says = f"{seen} in bronze = {loaded} loaded + {held} quarantined + {said['duplicates']} duplicates"
        return [verdict(self.name, "fail", says, missing, seen, 0.0),
                verdict(self.name, "warn", "no row refused", held, seen, 0.0)]


def verdict(subject, tier, says, broken, total, threshold):
    status = "ok" if broken <= threshold * total else "fail" if tier == "fail" else "warn"
    return subject, status, says, {"broken": broken, "rows": total}


def judge(checks):
    """Runs all checks, logs each outcome, and fails the job when a check of tier fail is broken."""
    with ThreadPoolExecutor(PARALLEL_LOADS) as pool:
        outcomes = [outcome for found in pool.map(lambda check: check.run(), checks) for outcome in found]
    write_log("90_quality", outcomes)
    for subject, status, says, metrics in outcomes:
        if status != "ok":
            print(f"{status}: {subject}: {says}: {metrics['broken']} of {metrics['rows']} rows")
    failed = [f"{subject}: {says} ({metrics['broken']} rows)" for subject, status, says, metrics in outcomes if status == "fail"]
    if failed:
        raise RuntimeError("quality checks failed: " + "; ".join(failed))
    counts = {status: sum(1 for o in outcomes if o[1] == status) for status in ("ok", "warn", "fail")}
    dbutils.notebook.exit(json.dumps(counts))
