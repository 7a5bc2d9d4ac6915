# Databricks notebook source
# MAGIC %md
# MAGIC # nuvyn_bronze
# MAGIC Each file once, every value as text. Bronze itself knows which files it holds, so that its append is the one
# MAGIC atomic step of a load: a load that is killed neither loses nor doubles a file.

# COMMAND ----------

import csv
import re
import tempfile
from datetime import timedelta
from fnmatch import fnmatchcase
from urllib.parse import unquote

# COMMAND ----------

# DBTITLE 1,Which files are new

OVERLAP_HOURS = float(parameter("overlap_hours", "24"))  # how far behind the watermark known files are looked at again
BACKFILL_FROM = parameter("backfill_from", "")           # ISO 8601: known files changed since then are looked at again
HASHED_FILE_BYTES = 256 * 1024 * 1024
TABLES = "uc://"  # a volume "uc://catalog/schema": the sources are tables of that schema

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
    ("_file_modified_at", "TIMESTAMP", "the newest of a source is its watermark"),
)


def found_files():
    """All files below the volume. One listing for all sources, which reads no content."""
    if VOLUME.startswith(TABLES):
        return []
    listed = spark.read.format("binaryFile").option("recursiveFileLookup", True).load(VOLUME)
    listed = listed.select("path", "length", "modificationTime").orderBy("path").collect()
    return [{**f.asDict(), "name": below_volume(f["path"])} for f in listed]


def below_volume(path):
    path = unquote(path)
    return path[path.index(VOLUME) + len(VOLUME):].lstrip("/") if VOLUME in path else path


def looked_at_since(watermark):
    """From when on known files may have changed. A file with a name that bronze does not hold is always looked at."""
    if watermark is None:
        return datetime.min
    since = watermark - timedelta(hours=OVERLAP_HOURS)
    return min(since, datetime.fromisoformat(BACKFILL_FROM)) if BACKFILL_FROM else since


def fingerprints(files):
    """{path: a hash of the file's content}; of very large ones size and time stand for it."""
    found = {f["path"]: f"{f['length']}@{f['modificationTime']}" for f in files}
    small = sorted({f["path"] for f in files if f["length"] <= HASHED_FILE_BYTES})
    if small:
        rows = spark.read.format("binaryFile").load(small).select("path", F.sha2("content", 256).alias("hash")).collect()
        found |= {r["path"]: r["hash"] for r in rows}
    return found


def source_table(source):
    return ".".join(quoted(part) for part in (*VOLUME.removeprefix(TABLES).split("/"), source.pattern))


def table_as_file(source):
    """A table stands for one file, which is known by a hash of its rows in any order."""
    path = source_table(source)
    rows, header = read_table(source, path)
    texts = [F.coalesce(F.concat(F.lit("v"), F.col(f"_{n}")), F.lit("n")) for n in range(len(header))]
    total = [F.count("h"), F.sum(F.col("h").cast("decimal(38,0)")), F.bit_xor("h")]
    hashed = rows.select(F.xxhash64(*texts).alias("h")).agg(
        F.sha2(F.concat_ws("|", *[t.cast("string") for t in total]), 256).alias("fingerprint"))
    return {"path": path, "name": source.pattern, "length": 0, "modificationTime": now(), **hashed.first().asDict()}


def held_files(sources):
    """{source: {(file, fingerprint): the file's newest time}} of what bronze holds, from one query over all sources."""
    held = {s.name: {} for s in sources}
    asked = [table(s.bronze).groupBy("_source_file", "_fingerprint").agg(F.max("_file_modified_at").alias("at"))
             .select(F.lit(s.name).alias("source"), "*") for s in sources]
    for r in functools.reduce(lambda a, b: a.unionAll(b), asked).collect() if asked else ():
        held[r["source"]][r["_source_file"], r["_fingerprint"]] = r["at"]
    return held


def looked_at(source, files, held):
    """The source's files that bronze may not hold as they are now."""
    names = {name for name, _ in held}
    since = looked_at_since(max((at for at in held.values() if at), default=None))
    own = [f for f in files if fnmatchcase(f["name"].rsplit("/", 1)[-1], source.pattern)]
    return [f for f in own if f["name"] not in names or f["modificationTime"] >= since]


def new_files(sources, files, held):
    """{source: its files that bronze does not hold yet}. A table is one again whenever its rows have changed."""
    candidates = {s.name: looked_at(s, files, held.get(s.name, {})) for s in sources if s.format != "table"}
    prints = fingerprints([f for found in candidates.values() for f in found])
    candidates = {name: [{**f, "fingerprint": prints[f["path"]]} for f in found] for name, found in candidates.items()}
    candidates |= {s.name: [table_as_file(s)] for s in sources if s.format == "table"}
    return {name: [f for f in found if (f["name"], f["fingerprint"]) not in held.get(name, {})]
            for name, found in candidates.items()}


# COMMAND ----------

# DBTITLE 1,Reading files: fields by place, every one as text


def leading_records(source, path):
    """How many records of Spark's reader the lines before the header are: it passes over empty ones."""
    return sum(1 for line in spark.read.text(path).head(source.skip_lines) if line[0]) if source.skip_lines else 0


def header_of(source, path, leading):
    """The fields of the header line, the one after the leading records; None where there is none."""
    if not leading:
        return spark.read.options(**source.options).csv(path).first()
    uncut = {**source.options, "sep": "\x01", "quote": "", "multiLine": False}
    lines = spark.read.schema("line STRING").options(**uncut).csv(path).head(leading + 1)
    quote = {"quotechar": source.options["quote"]} if source.options["quote"] else {"quoting": csv.QUOTE_NONE}
    return next(csv.reader([lines[-1][0]], delimiter=source.options["sep"], **quote)) if len(lines) > leading else None


def read_csv(source, path):
    """The rows of a delimited file, and its header."""
    leading = leading_records(source, path)
    header = [c.header for c in source.columns]
    if source.header:
        first = header_of(source, path, leading)
        if first is None:
            raise ValueError(f"{path}: no header line")
        header = [(name or "").lstrip("\ufeff").strip(BLANKS) for name in first]
    schema = ", ".join(f"_{n} STRING" for n in range(len(header))) + ", _corrupt_record STRING"
    rows = spark.read.schema(schema).options(**source.options, header=source.header and not leading, mode="PERMISSIVE",
                                             columnNameOfCorruptRecord="_corrupt_record").csv(path)
    if leading:  # a file that may have line breaks in quotes is one partition: its records are numbered from 0
        rows = rows.select("*", "_metadata", F.monotonically_increasing_id().alias("_record"))
        rows = rows.where(F.col("_record") >= leading + source.header)
    return rows, header


def read_jsonl(source, path):
    """One JSON object a line; nested values stay JSON text. Its header: the mapping's fields and every further one."""
    lines = spark.read.text(path).where("btrim(value) != ''").withColumn(
        "_fields", F.from_json("value", "map<string,string>"))
    found = {r[0] for r in lines.select(F.explode(F.map_keys("_fields"))).distinct().collect()}
    header = [c.header for c in source.columns]
    header += sorted(found.difference(header))
    fields = [F.col("_fields")[name].alias(f"_{n}") for n, name in enumerate(header)]
    return lines.select(*fields, F.when(F.col("_fields").isNull(), F.col("value")).alias("_corrupt_record"),
                        "_metadata"), header


def as_texts(rows, place):
    """Typed columns as the texts that the mapping parses, nested ones as JSON, and their names."""
    texts = [F.to_json(column(f.name), {"ignoreNullFields": "false"})
             if f.dataType.typeName() in ("struct", "array", "map", "variant") else column(f.name).cast("string")
             for f in rows.schema.fields]
    return rows.select(*[text.alias(f"_{n}") for n, text in enumerate(texts)],
                       F.lit(None).cast("string").alias("_corrupt_record"), place.alias("_metadata")), rows.columns


def read_parquet(source, path):
    return as_texts(spark.read.parquet(path), F.col("_metadata"))


def read_table(source, path):
    return as_texts(spark.table(path), F.struct(F.lit(0).alias("file_block_start")))


READERS = {"csv": read_csv, "jsonl": read_jsonl, "parquet": read_parquet, "table": read_table}


def readable(path):
    """The path Spark can read. It unpacks .gz itself, and .zst where Hadoop has its native library; else we do."""
    if ON_DATABRICKS or not path.endswith(".zst"):
        return path
    jvm = spark._jvm
    packed = jvm.org.apache.hadoop.fs.Path(path)
    content = packed.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf()).open(packed)
    unpacked = tempfile.mkdtemp(prefix="nuvyn-zst-") + "/" + os.path.basename(unquote(path))[:-len(".zst")]
    jvm.java.nio.file.Files.copy(jvm.com.github.luben.zstd.ZstdInputStreamNoFinalizer(content),
                                 jvm.java.nio.file.Path.of(unpacked, spark.sparkContext._gateway.new_array(jvm.String, 0)),
                                 spark.sparkContext._gateway.new_array(jvm.java.nio.file.CopyOption, 0))
    road(path, f"unpacked to {unpacked}: open-source Hadoop lacks zstd")
    return unpacked


# COMMAND ----------

# DBTITLE 1,Where a file differs from the mapping


def added_name(source, header):
    """The bronze column of a field that the mapping does not know; none where the name is taken."""
    name = re.sub(r"\W+", "_", header, flags=re.ASCII).strip("_").lower()
    return name if name and not name[0].isdigit() and name not in {c.name.lower() for c in source.columns} else None


def placed(source, header):
    """({bronze column: place in the file}, [(header, place) of unknown fields], [what differs from the mapping])."""
    expected = {c.header: c.name for c in source.columns}
    if len(header) == len(source.columns) and len(set(header)) < len(header):  # names repeat: columns by place
        return {c.name: n for n, c in enumerate(source.columns)}, [], []
    places = {expected[name]: n for n, name in enumerate(header) if name in expected}
    missing = [name for name in expected if name not in header]
    unknown = [(name, n) for n, name in enumerate(header) if name not in expected]
    notes = []
    if missing and source.missing_columns == "fail":
        raise ValueError(f"{source.name}: columns missing in the file: {', '.join(missing)}; found: {', '.join(header)}")
    if missing:
        notes.append(f"columns missing, null here: {', '.join(missing)}")
    if unknown and source.new_columns == "fail":
        raise ValueError(f"{source.name}: columns that the mapping does not know: {', '.join(n for n, _ in unknown)}")
    if source.new_columns == "add":
        names = {added_name(source, name): n for name, n in reversed(unknown)}
        added = {name: n for name, n in names.items() if name}
        places.update(added)
        notes += [f"columns added: {', '.join(sorted(added))}"] if added else []
        unknown = [(name, n) for name, n in unknown if n not in added.values()]
    if unknown:
        notes.append(f"unknown columns kept in _rescued_data: {', '.join(name for name, _ in unknown)}")
    return places, unknown, notes


def read_file(source, file):
    """The rows of one file as bronze wants them, and what was found different in it."""
    rows, header = READERS[source.format](source, readable(file["path"]))
    places, unknown, notes = placed(source, header)
    names = [c.name for c in source.columns] + sorted(set(places).difference(c.name for c in source.columns))
    rescued = F.to_json(F.struct(*[F.col(f"_{n}").alias(name) for name, n in unknown])) if unknown else F.lit(None)
    place = F.format_string("%015d-%020d", F.col("_metadata.file_block_start"), F.monotonically_increasing_id())
    rows = rows.select(
        *[(F.col(f"_{places[n]}") if n in places else F.lit(None).cast("string")).alias(n) for n in names],
        rescued.cast("string").alias("_rescued_data"),
        F.col("_corrupt_record"),
        F.lit(file["name"]).alias("_source_file"),
        F.lit(file["fingerprint"]).alias("_fingerprint"),
        place.alias("_position"),
        F.lit(BATCH_ID).alias("_batch_id"),
        F.lit(batch_time()).alias("_batch_time"),
        F.current_timestamp().alias("_loaded_at"),
        F.lit(file["modificationTime"]).alias("_file_modified_at"),
    )
    return rows.withColumn("_row_hash", content_hash([*names, "_corrupt_record"])), [f"{file['name']}: {n}" for n in notes]


# COMMAND ----------

# DBTITLE 1,Loading


def bronze_columns(source):
    return tuple((c.name, "STRING", f"raw text of {c.header}") for c in source.columns) + BRONZE_COLUMNS


def ensure_bronze(source):
    """True where the table was created."""
    created = ensure_table(source.bronze, bronze_columns(source), f"Raw rows of {source.pattern}", derived=False,
                           properties={**pii_property(source.columns), **skipping_property(["_batch_time"])})
    if created:
        tag_pii(source.bronze, source.columns)
    return created


def load_bronze(source, added):
    """Appends the source's new files in one transaction."""
    if not added:
        return [], []
    read = [read_file(source, f) for f in added]
    rows = functools.reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), [r for r, _ in read])
    declared = {name for name, _, _ in bronze_columns(source)}
    further = tuple((name, "STRING", "added by the load: the mapping does not know it") for name in rows.columns
                    if name not in declared)
    if further:
        ensure_table(source.bronze, further, "", derived=False)
    append(source.bronze, rows)
    entries = [(source.name, f["name"], f["length"], f["fingerprint"], BATCH_ID) for f in added]
    return entries, [note for _, notes in read for note in notes]


def load_all_bronze(sources):
    """Loads all sources and enters what was loaded into the ledger, which is for people: bronze knows its files."""
    created = in_parallel(ensure_bronze, sources)
    added = new_files(sources, found_files(), held_files([s for s in sources if not created[s.name]]))
    loaded = in_parallel(lambda source: load_bronze(source, added[source.name]), sources)
    entries = [entry for added, _ in loaded.values() for entry in added]
    if entries:
        schema = ", ".join(f"{name} {type}" for name, type, _ in CONTROL_TABLES[LEDGER])
        append(LEDGER, few_rows(entries, schema))
    return {name: {"new_files": len(added), "notes": notes} for name, (added, notes) in loaded.items()}
