# Databricks notebook source
# MAGIC %md
# MAGIC # nuvyn_star
# MAGIC Loads dimensions, facts and bridges from silver. A table is a function of silver (a history also of what it held
# MAGIC before) and is applied as one MERGE, so that a repetition changes nothing. Where nothing that a table is made of
# MAGIC changed, it is left alone; where its rows answer to those of silver one by one, only they are computed anew.

# COMMAND ----------

from dataclasses import replace

from pyspark.errors import PySparkException

MASK_PII = parameter("mask_pii", "no")           # "hash": texts that identify a person are pseudonyms in the star
SECRET_SCOPE = parameter("secret_scope", "")     # holds pii_pepper, which the pseudonyms depend on

MOST_CHANGED_MEMBERS = 100_000  # of a dimension, for which facts are found by their keys; beyond they are loaded whole
FIRST_DAY, LAST_DAY = "1900-01-01", "2100-12-31"  # what a calendar can hold

# COMMAND ----------

# DBTITLE 1,Reading silver and looking up dimensions


def silver(name, alias):
    return table(name).alias(alias)


def key_of(*business_key):
    """A surrogate key: 63 bits of a hash over the business key (and version), so that a rebuild gives the same key.

    90_quality proves that no two members share one. Negative keys are left to the unknown members.
    """
    return F.xxhash64(F.to_json(F.array(*[b.cast("string") for b in business_key]))).bitwiseAND(F.lit(0x7FFFFFFFFFFFFFFF))


def calendar_day(moment):
    """The day of a moment; null outside the years that a calendar can have: typing errors and sentinels."""
    day = F.to_date(moment)
    return F.when(day.between(F.lit(FIRST_DAY).cast("date"), F.lit(LAST_DAY).cast("date")), day)


def date_key(moment):
    """yyyymmdd, whatever the date dimension holds; -1 for null and for days that no calendar has."""
    key = F.date_format(calendar_day(moment), "yyyyMMdd").cast("bigint")
    return F.coalesce(key, F.lit(UNKNOWN_KEY).cast("bigint"))


class Lookup:
    """Finds the surrogate key of a dimension's member by its business key; for SCD2 as of a moment, else the last version.

    Never multiplies rows: versions do not overlap. Before the first version the first one counts, after a deletion the
    one before it, and where the moment is not known the last one. versions: the column that holds their start.
    """

    def __init__(self, alias, dimension, surrogate, business_key, versions=None, as_of=None):
        self.alias, self.dimension, self.surrogate = alias, dimension, surrogate
        self.business_key, self.versions, self.as_of = business_key, versions, as_of

    def members(self):
        """One row per version with the moments between which it counts: the first one has no start, the last no end."""
        known = table(self.dimension).where(column(self.surrogate) >= 0)
        if not self.versions:
            return known
        valid_from = column(self.versions)
        by_key = Window.partitionBy(*map(column, self.business_key)).orderBy(valid_from)
        start = F.when(F.lag(valid_from).over(by_key).isNotNull(), valid_from)
        known = known.withColumn("_starts", start).withColumn("_ends", F.lead(valid_from).over(by_key))
        return known if self.as_of is not None else known.where("_ends IS NULL")

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


def version_of(dimension):
    """Delta's version of a dimension when it was loaded last."""
    return json.loads(progress()[dimension]["state"])["now"]["version"] if dimension in progress() else None


class Changes:
    """What a load of the table has to look at.

    silver: {alias: silver table} of what its rows are made of; also: further silver tables that it depends on. mapping:
    the fingerprint of how its rows are made. lookups: those of the rows, by which facts follow their dimensions. by_row: a
    row of the table answers to one row of the driving silver table and has its key, so that rows can be computed anew one
    by one. by_member: the versions of a member answer to rows that never change their member.
    """

    def __init__(self, target, mapping, silver, also=(), lookups=(), by_row=False, by_member=False):
        self.name, self.aliases, self.inputs, self.lookups = target.name, list(silver), {*silver.values(), *also}, lookups
        self.keeps_versions = target.surrogate is not None
        columns = [{**vars(c), "value": str(c.value), "comment": None} for c in target.columns]
        self.mapping = hash_of(mapping, columns, target.key, repr(target.rules), [repr(vars(look)) for look in lookups],
                               sorted(self.inputs), MASK_PII)
        self.began_at = now()
        self.scope = scope_of(target.name, self.mapping, self.inputs) if exists(target.name) else Scope()
        self.versions = {look.dimension: version_of(look.dimension) for look in lookups}
        in_part = (by_row or by_member) and self.scope.after is not None
        self.touched = {look.alias: self.changed_members(look) for look in lookups} if in_part else {}
        in_part = in_part and None not in self.touched.values()
        self.by_row, self.by_member = by_row and in_part, by_member and in_part

    @property
    def none(self):
        """Nothing that the table is made of was loaded since."""
        inputs = {*self.inputs, *self.versions}.intersection(progress())
        return self.scope.after is not None and all(progress()[i]["began_at"] < progress()[self.name]["began_at"] for i in inputs)

    def changed_members(self, look):
        """The business keys of the members that changed since the last load; None where the dimension cannot tell."""
        seen, version = self.scope.state["versions"].get(look.dimension), self.versions[look.dimension]
        known = progress().get(look.dimension)
        if seen is None or known is None or (known["anew_at"] or datetime.min) > progress()[self.name]["began_at"]:
            return None
        if version == seen:
            return []
        try:
            feed = (spark.read.option("readChangeFeed", "true").option("startingVersion", seen + 1)
                    .option("endingVersion", version).table(full_name(look.dimension)))
            keys = feed.select(*[column(k).cast("string").alias(k) for k in look.business_key]).dropna().distinct()
            found = [tuple(r) for r in keys.limit(MOST_CHANGED_MEMBERS + 1).collect()]
        except PySparkException as error:
            road(self.name, f"loaded whole, the changes of {look.dimension} cannot be read: {str(error).splitlines()[0]}")
            return None
        return found if len(found) <= MOST_CHANGED_MEMBERS else None

    def only(self, rows):
        """Of the rows those that may come out differently: changed in silver, or the member that they refer to changed. Where
        members are computed anew all rows stay, and _concerned tells."""
        if not (self.by_row or self.by_member):
            return rows
        concerned = newest_change(*self.aliases) > F.lit(self.scope.after)
        for place, look in enumerate(self.lookups):
            if self.touched[look.alias]:
                names = [f"_touched_{place}_{n}" for n in range(len(look.business_key))]
                keys = few_rows(self.touched[look.alias], ", ".join(f"{name} STRING" for name in names))
                matches = [F.col(name) == value.cast("string") for name, value in zip(names, look.business_key.values())]
                rows = rows.join(F.broadcast(keys), matches, "left")
                concerned |= F.col(names[0]).isNotNull()
        return rows.where(concerned) if self.by_row else rows.withColumn("_concerned", concerned)

    def skipped(self):
        """The metrics of a load that had nothing to do."""
        metrics = json.loads(progress()[self.name]["state"])["now"]["metrics"]
        return {self.name: {"inserted": 0, "updated": 0, "deleted": 0, **metrics}}

    def noted(self, metrics):
        """Notes how far the table is now."""
        version = spark.sql(f"DESCRIBE HISTORY {full_name(self.name)} LIMIT 1").first()["version"] if self.keeps_versions else None
        stays = {k: n for k, n in metrics.items() if k not in ("inserted", "updated", "deleted")}
        state = {"before": self.scope.state, "now": {"versions": self.versions, "version": version, "metrics": stays}}
        since = self.scope.after if self.by_row or self.by_member else None
        write_progress([(self.name, self.mapping, since, horizon(self.name), state, self.began_at)])
        return {self.name: metrics}


def newest_change(*aliases):
    """When the newest of the joined silver rows changed."""
    return F.greatest(*[F.col(f"{a}._changed_at") for a in aliases]) if len(aliases) > 1 else F.col(f"{aliases[0]}._changed_at")


# COMMAND ----------

# DBTITLE 1,Loading the star


def primary_key(target):
    return [target.surrogate] if target.surrogate else [n for n in target.key if n in filled(target)]


def filled(target):
    """Columns that are never null: the surrogate key and references to dimensions, which have a member for everything."""
    return [c.name for c in target.columns if c.name == target.surrogate or c.references]


def sought_by(target):
    """Columns by which rows are sought: keys, references and what the table is clustered by, not what is read of the rows."""
    keys = {*filled(target), *target.key, *target.cluster_by}
    return [c.name for c in target.columns if c.name in keys and c.type != "BOOLEAN"]


def constraints(target):
    """Informational constraints: Unity Catalog shows and uses them, 90_quality proves them."""
    if target.surrogate or set(target.key) <= set(filled(target)):
        yield f"CONSTRAINT {quoted('pk_' + target.name)} PRIMARY KEY ({', '.join(map(quoted, primary_key(target)))}) RELY"
    for c in target.columns:
        if c.references:
            name = quoted(f"fk_{target.name}_{c.name}")
            yield f"CONSTRAINT {name} FOREIGN KEY ({quoted(c.name)}) REFERENCES {full_name(c.references)}"


def ensure_target(target, properties=None, anew=False):
    """Creates the table with its constraints and tags. Open-source Delta knows neither: properties of the table tell."""
    columns = tuple((c.name, c.type, f"{c.line}: {c.comment}" if c.comment else c.line) for c in target.columns)
    told = {} if ON_DATABRICKS else {f"nuvyn.constraint.{n}": text for n, text in enumerate(constraints(target))}
    told |= {"delta.enableChangeDataFeed": "true"} if target.surrogate else {}  # facts read which members changed
    told |= skipping_property(sought_by(target))
    if not ensure_table(target.name, columns, target.comment, target.cluster_by, filled(target),
                        properties={**pii_property(target.columns), **told, **(properties or {})}, anew=anew):
        return
    road("constraints and tags", "Unity Catalog" if ON_DATABRICKS else "table properties")
    tag_pii(target.name, target.columns)
    for constraint in constraints(target) if ON_DATABRICKS else ():
        spark.sql(f"ALTER TABLE {full_name(target.name)} ADD {constraint}")


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
    ensure_target(target, {"nuvyn.mapping": mapping}, anew=True)


def pepper():
    """The secret that pseudonyms depend on, read where Spark needs it so that it stands in no plan and no log."""
    if not SECRET_SCOPE:
        raise ValueError("mask_pii=hash needs the parameter secret_scope: the scope that holds the secret pii_pepper")
    if ON_DATABRICKS:
        return F.expr(f"secret({literal(SECRET_SCOPE)}, 'pii_pepper')")
    return F.lit(dbutils.secrets.get(SECRET_SCOPE, "pii_pepper"))


def masked(target, c):
    """The column's value; a pseudonym where it identifies a person and is not what members are found by."""
    if MASK_PII != "hash" or c.pii != "direct" or c.type != "STRING" or c.name in target.key:
        return c.value
    inner = F.sha2(F.concat(pepper(), F.lit(":"), c.value), 256)
    return F.sha2(F.concat(pepper(), F.lit(":"), inner), 256)


def as_wide_as_source(target, rows):
    """The target with number columns as wide as what they are copied from, where the mapping lets them follow."""
    following = [c for c in target.columns if c.widens]
    if not following:
        return target
    given = rows.select(*[c.value.alias(c.name) for c in following]).schema
    wide = {f.name: f.dataType.simpleString().upper() for f in given.fields}
    columns = tuple(replace(c, type=wide[c.name]) if wide.get(c.name, "").startswith("DECIMAL(38") else c
                    for c in target.columns)
    return replace(target, columns=columns)


def projected(target, rows, *extra):
    """The target's columns as the mapping says, typed; audit columns last. Keys and validity come later."""
    mapped = sorted((c for c in target.columns if c.value is not None), key=lambda c: bool(c.audit))
    return rows.select(*[masked(target, c).cast(c.type).alias(c.name) for c in mapped], *extra)


def unknown_members(target):
    """The rows for references that lead nowhere (-1) and that do not apply (-2)."""
    def value(c, key):
        if c.name == target.surrogate:
            return F.lit(key).cast(c.type)
        if c.references:
            return F.lit(UNKNOWN_KEY).cast(c.type)
        if c.name == target.valid_from:
            return F.lit(BEGINNING).cast(c.type)
        if c.name in (target.current, target.inferred):
            return F.lit(c.name == target.current)
        return F.lit(c.unknown).try_cast(c.type)
    rows = [spark.range(1).select(*[value(c, key).alias(c.name) for c in target.columns])
            for key in (UNKNOWN_KEY, NOT_APPLICABLE_KEY)]
    return rows[0].unionByName(rows[1])


def write_target(target, rows, key, refused, delete_where=None, gone=None):
    """Merges rows that hold all columns of the target but the audit ones, which never make a row differ."""
    content = target.names(audit="")
    stamps = {"batch_id": F.lit(BATCH_ID), "loaded_at": F.lit(batch_time()), "row_hash": content_hash(content)}
    for c in target.columns:
        if c.audit in stamps:
            rows = rows.withColumn(c.name, stamps[c.audit].cast(c.type))
    compared = [n for n in content if n not in key]
    rows = rows.select(*map(column, target.names()), *([gone] if gone else []))
    created = target.name in EMPTY
    metrics = merge(target.name, rows, key, compared, delete_where=delete_where, gone=gone)
    return {**metrics, **refused, "rows": metrics["inserted"] if created else table(target.name).count()}


def refuse(target, rows):
    """Rows that keep the target's rules of tier drop and quarantine; the quarantined ones go to <target>_refused."""
    rules = [r for r in target.rules if r.tier in ("drop", "quarantine")]
    if not rules:
        return rows, {}
    broken = {r.id: ~F.coalesce(F.expr(r.condition), F.lit(True)) for r in rules}
    kept = functools.reduce(lambda a, b: a & b, [~b for b in broken.values()])
    held = functools.reduce(lambda a, b: a | b, [broken[r.id] for r in rules if r.tier == "quarantine"], F.lit(False))
    total, *counts = rows.agg(F.count(F.lit(1)), *[F.count_if(b) for b in broken.values()]).first()
    for rule, count in zip(rules, counts):
        if count > allowed_share(rule.tier, rule.limit) * total:
            raise RuntimeError(f"quality checks failed: {target.name}: {rule.id} is broken by {count} of {total} rows")
    names = [f.name for f in rows.schema.fields]
    aside = f"{target.name}_refused"
    empty = not exists(aside)
    create_table(aside, [(f.name, f.dataType.simpleString(), "") for f in rows.schema.fields]
                 + [("_reasons", "ARRAY<STRING>", "why the row was refused")], f"Rows that the rules of {target.name} refuse")
    reasons = F.array_compact(F.array(*[F.when(broken[r.id], F.lit(f"{r.id}: {r.says}")) for r in rules]))
    merge(aside, rows.where(held).withColumn("_reasons", reasons), target.key, [*names, "_reasons"], delete_where="true",
          empty=empty)
    return rows.where(kept), {"refused": table(aside).count()}


@dataclass(frozen=True)
class ReferredBy:
    """A silver table whose columns refer to the dimension, in the order of its business key."""

    silver: str
    columns: tuple


def inferred_members(target, members, referred_by):
    """A member with nothing but its business key for each reference that leads nowhere yet: a late-arriving dimension.

    It has the surrogate key that the member will have, and gives way to the member when that arrives.
    """
    if not referred_by:
        return members.where("false").select(*map(column, target.key), F.lit(True).alias(target.inferred))
    types = {c.name: c.type for c in target.columns}
    referred = [table(r.silver).select(*[column(c).try_cast(types[k]).alias(k) for c, k in zip(r.columns, target.key)])
                for r in referred_by]
    keys = functools.reduce(lambda a, b: a.unionByName(b), referred).dropna().distinct()
    missing = keys.join(members.select(*map(column, target.key)), list(target.key), "left_anti")
    for c in target.columns:
        if c.references:
            missing = missing.withColumn(c.name, F.lit(UNKNOWN_KEY).cast(c.type))
    return missing.withColumn(target.inferred, F.lit(True))


def load_dimension(target, rows, changes, referred_by=()):
    """SCD1: one row per business key, overwritten when an attribute changes."""
    if changes.none:
        return changes.skipped()
    target = as_wide_as_source(target, rows)
    ensure_target(target)
    given = projected(target, rows, newest_change(*changes.aliases).alias("_effective")).dropna(subset=list(target.key))
    members, refused = refuse(target, one_per_key(given, target.key, ["_effective"]).drop("_effective"))
    if target.inferred:
        members = members.withColumn(target.inferred, F.lit(False))
        members = members.unionByName(inferred_members(target, members, referred_by), allowMissingColumns=True)
    members = members.withColumn(target.surrogate, key_of(*map(column, target.key)))
    rows = members.unionByName(unknown_members(target), allowMissingColumns=True)
    return changes.noted(write_target(target, rows, (target.surrogate,), refused,
                                      delete_where=f"t.{quoted(target.inferred)}" if target.inferred else None))


HELD, GIVEN, DELETED, GAP = range(4)  # what happened to a member; at the same moment the later kind counts


def load_history(target, rows, changes, effective_from=None, ended_at=None, all_versions=False, referred_by=()):
    """SCD2: a version per change of an SCD2 attribute, half-open intervals, one current version per business key.

    Versions are dated by the data (effective_from), or else by the batch that brought the change, and then the first
    one is valid from the beginning. The versions that the table holds stay history: silver may know only the last one,
    unless it has all_versions. A member that the source deleted has no current version any more: it ends when the data
    say so (ended_at), or else with the batch that showed it.
    """
    if changes.none:
        return changes.skipped()
    target = as_wide_as_source(target, rows)
    keep_history(target)
    given, refused = refuse(target, given_versions(target, rows, changes, effective_from, ended_at))
    held = table(target.name).where(column(target.surrogate) >= 0)
    if changes.by_member:
        members = given.where("_concerned").select(*map(column, target.key)).distinct()
        given, held = (rows.join(members, list(target.key), "left_semi") for rows in (given.drop("_concerned"), held))
    if target.inferred:
        held = held.where(~column(target.inferred))
    versions = collapsed(target, events_of(target, given, held, all_versions), from_beginning=effective_from is None)
    if target.inferred:
        beginning = F.lit(BEGINNING).cast(given.schema["_from"].dataType)
        inferred = inferred_members(target, versions, referred_by)
        first = inferred.withColumn(target.valid_from, beginning).withColumn(target.current, F.lit(True))
        versions = versions.withColumn(target.inferred, F.lit(False)).unionByName(first, allowMissingColumns=True)
    versions = versions.withColumn(target.surrogate, key_of(*map(column, target.key), column(target.valid_from)))
    if changes.by_member:
        former = held.join(versions, target.surrogate, "left_anti").select(column(target.surrogate), F.lit(True).alias("_gone"))
        rows = versions.withColumn("_gone", F.lit(False)).unionByName(former, allowMissingColumns=True)
        return changes.noted(write_target(target, rows, (target.surrogate,), refused, gone="_gone"))
    rows = versions.unionByName(unknown_members(target), allowMissingColumns=True)
    return changes.noted(write_target(target, rows, (target.surrogate,), refused,
                                      delete_where=f"t.{quoted(target.surrogate)} >= 0"))


def given_versions(target, rows, changes, effective_from, ended_at):
    """Silver's rows as versions: since when each counts (_from), when it was deleted, when the data say its member ended."""
    type = next(c.type for c in target.columns if c.name == target.valid_from)
    effective = newest_change(*changes.aliases) if effective_from is None else effective_from.cast("timestamp")
    further = [F.coalesce(effective, F.lit(BEGINNING).cast("timestamp")).cast(type).alias("_from"),
               F.col(f"{changes.aliases[0]}._deleted_at").alias("_deleted_at")]
    if ended_at is not None:
        further.append(ended_at.cast(type).alias("_ended"))
    if changes.by_member:
        further.append(F.col("_concerned"))
    return projected(target, rows, *further).dropna(subset=list(target.key))


def events_of(target, given, held, all_versions):
    """What happened to each member, one event per moment: versions that silver gives and that the table holds, deletions that
    silver shows, and gaps that former ones left in the table."""
    names = [c.name for c in target.columns if c.value is not None]
    events = (given.withColumn("_living", F.col("_deleted_at").isNull()).drop("_deleted_at", "_ended")
              .withColumn("_rank", F.lit(GIVEN))
              .unionByName(held.select(*map(column, names), column(target.valid_from).alias("_from"))
                           .withColumn("_rank", F.lit(HELD)), allowMissingColumns=True)
              .withColumn("_gone", F.lit(False)))
    ends = endings(target, given).withColumn("_rank", F.lit(DELETED))
    if not all_versions:
        ends = ends.unionByName(gaps(target, held).withColumn("_rank", F.lit(GAP)))
    events = without_returned(target, events.unionByName(ends, allowMissingColumns=True))
    return one_per_key(events, (*target.key, "_from"), ["_rank"])


def endings(target, given):
    """When members were deleted, by what silver says: as the marker dates it, or by the batch that showed the last row gone."""
    key = list(map(column, target.key))
    if "_ended" in given.columns:
        return given.where("_ended IS NOT NULL").select(*key, F.col("_ended").alias("_from"), F.lit(True).alias("_gone"))
    gone_at = F.max("_deleted_at").cast(given.schema["_from"].dataType)
    gone = F.bool_and(F.col("_deleted_at").isNotNull())
    return given.groupBy(*key).agg(gone_at.alias("_from"), gone.alias("_gone")).where("_gone")


def without_returned(target, events):
    """The events without the gaps of members that are there again: silver's living row is newer than its end."""
    lives_from = F.max(F.when(F.col("_living"), F.col("_from"))).over(Window.partitionBy(*map(column, target.key)))
    return (events.withColumn("_lives_from", lives_from)
            .where((F.col("_rank") != GAP) | F.col("_lives_from").isNull() | (F.col("_from") < F.col("_lives_from")))
            .drop("_lives_from", "_living"))


def gaps(target, held):
    """When members that the table holds were deleted: where a version ends and no other begins."""
    by_key = Window.partitionBy(*map(column, target.key)).orderBy(column(target.valid_from))
    ended = held.withColumn("_next", F.lead(column(target.valid_from)).over(by_key)).where(
        column(target.valid_to).isNotNull() & ~column(target.valid_to).eqNullSafe(F.col("_next")))
    return ended.select(*map(column, target.key), column(target.valid_to).alias("_from"), F.lit(True).alias("_gone"))


def collapsed(target, events, from_beginning):
    """Events per business key as versions: those that change no SCD2 attribute are none, SCD1 attributes are the last."""
    member = Window.partitionBy(*map(column, target.key))
    in_order, whole = member.orderBy("_from"), member.orderBy("_from").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    tracked = F.when(~F.col("_gone"), content_hash(target.names(scd=2, audit="")))
    filled_in = [(F.last, target.names(scd=1, audit="")), (F.first, target.names(scd=0))]
    for of, names in filled_in:
        for name in set(names).intersection(events.columns).difference(target.key):
            value = of(F.when(~F.col("_gone"), F.struct(column(name).alias("is"))), ignorenulls=True).over(whole)
            events = events.withColumn(name, value["is"])
    first = F.lag("_from").over(in_order).isNull()
    start = F.col("_from")
    if from_beginning:
        start = F.when(first, F.lit(BEGINNING).cast(events.schema["_from"].dataType)).otherwise(start)
    changes = (events.withColumn("_before", F.lag(tracked).over(in_order)).withColumn("_start", start)
               .where(F.col("_gone") | ~F.col("_before").eqNullSafe(tracked)))
    return (changes.withColumn(target.valid_from, F.col("_start"))
            .withColumn(target.valid_to, F.lead("_from").over(in_order))
            .withColumn(target.current, F.col(target.valid_to).isNull())
            .where(~F.col("_gone")).drop("_before", "_from", "_start", "_gone", "_rank"))


def load_rows(target, rows, changes):
    """Facts and bridges: one row per grain, changed where it differs, removed where silver no longer has it."""
    if changes.none:
        return changes.skipped()
    target = as_wide_as_source(target, rows)
    ensure_target(target)
    gone = F.col(f"{changes.aliases[0]}._deleted_at").isNotNull()
    wanted = projected(target, rows, gone.alias("_gone"), newest_change(*changes.aliases).alias("_effective"))
    if changes.by_row:
        wanted = one_per_key(wanted, target.key, ["_effective"]).drop("_effective")
        return changes.noted(write_target(target, wanted, target.key, {}, gone="_gone"))
    living = wanted.where(~F.col("_gone")).drop("_gone")
    wanted, refused = refuse(target, one_per_key(living, target.key, ["_effective"]).drop("_effective"))
    return changes.noted(write_target(target, wanted, target.key, refused, delete_where="true"))


def calendar_span(first, last, dated_by):
    """From the first to the last day, and by whole years as far as the silver columns of dated_by reach."""
    given = [table(silver_name).select(calendar_day(column(name)).alias("day")) for silver_name, name in dated_by]
    if given:
        earliest, latest = functools.reduce(lambda a, b: a.unionByName(b), given).agg(F.min("day"), F.max("day")).first()
        first = min(first, f"{earliest:%Y}-01-01") if earliest else first
        last = max(last, f"{latest:%Y}-12-31") if latest else last
    return first, last


def load_dates(target, first, last, dated_by, changes):
    """One row per day, as many years as silver needs, and one row for the unknown day."""
    if changes.none:
        return changes.skipped()
    ensure_target(target)
    first, last = calendar_span(first, last, dated_by)
    days = spark.sql(f"SELECT explode(sequence(DATE {literal(first)}, DATE {literal(last)})) AS day").alias("d")
    rows = projected(target, days).unionByName(unknown_members(target).where(column(target.surrogate) == UNKNOWN_KEY))
    return changes.noted(write_target(target, rows, (target.surrogate,), {}, delete_where="true"))
