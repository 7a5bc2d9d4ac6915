# Databricks notebook source
# MAGIC %md
# MAGIC # nuvyn_quality
# MAGIC The checks of `90_quality`. Each one counts what breaks it and says so in the run log; one of tier fail ends the job.

# COMMAND ----------

# DBTITLE 1,Quality


def row_counts(*frames):
    """How many rows each of the frames has, counted in one query."""
    counted = [f.agg(F.count(F.lit(1)).alias("n")).select(F.lit(place).alias("place"), "n") for place, f in enumerate(frames)]
    return [r["n"] for r in sorted(functools.reduce(lambda a, b: a.unionAll(b), counted).collect())]


@dataclass(frozen=True)
class Rows:
    """Rules that each row of a table meets or not, all counted in one pass."""

    name: str
    rules: tuple
    where: str = "true"

    def run(self):
        counted = [F.count_if(~F.coalesce(F.expr(r.condition), F.lit(True))) for r in self.rules]
        total, *broken = table(self.name).where(self.where).agg(F.count(F.lit(1)), *counted).first()
        return [verdict(self.name, r.tier, f"{r.id}: {r.says}", n, total, r.limit) for r, n in zip(self.rules, broken)]


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
        return [verdict(self.name, self.tier, f"unique: {', '.join(self.columns)}", broken, total)]


@dataclass(frozen=True)
class Reference:
    """Every value that is there is found in the other table."""

    name: str
    columns: tuple
    other: str
    other_columns: tuple
    tier: str = "fail"
    limit: float = 0.0

    def run(self):
        given = table(self.name).select(*[column(c).alias(f"_{n}") for n, c in enumerate(self.columns)]).dropna()
        known = table(self.other).select(*[column(c).alias(f"_{n}") for n, c in enumerate(self.other_columns)]).distinct()
        found = given.join(known.withColumn("_found", F.lit(True)), [f"_{n}" for n in range(len(self.columns))], "left")
        total, broken = found.agg(F.count(F.lit(1)), F.count_if(F.col("_found").isNull())).first()
        says = f"{', '.join(self.columns)} in {self.other}"
        return [verdict(self.name, self.tier, says, broken, total, self.limit)]


@dataclass(frozen=True)
class Reconciled:
    """The table has the rows of the silver table that drives it, no more and no less, and the same sum of each measure.

    sums: (column of the table, column of silver). Rows that the table's own rules refuse are accounted for.
    """

    name: str
    driving: str
    sums: tuple = ()
    refused: str = None

    def run(self):
        living = table(self.driving).where("_deleted_at IS NULL")
        of_silver = living.agg(F.count(F.lit(1)), *[F.sum(column(of)) for _, of in self.sums])
        of_table = table(self.name).agg(F.count(F.lit(1)), *[F.sum(column(name)) for name, _ in self.sums])
        sides = of_silver.crossJoin(of_table).first()  # one row each
        (expected, *wanted), (has, *found) = sides[:1 + len(self.sums)], sides[1 + len(self.sums):]
        aside = table(self.refused).count() if self.refused and exists(self.refused) else 0
        yield verdict(self.name, "fail", f"as many rows as {self.driving}", abs(expected - has - aside), expected)
        for (name, of), given, there in zip(self.sums, wanted, found):
            differs = abs((given or 0) - (there or 0)) > (1e-9 * abs(given or 0) if isinstance(given, float) else 0)
            yield verdict(self.name, "fail", f"sum of {name} is that of {self.driving}.{of}: {given}", max(has, 1) if differs else 0, has)


@functools.cache
def silver_metrics():
    """What the last load of silver in this batch counted, per source."""
    logged = table(RUN_LOG).where((F.col("step") == "20_silver") & (F.col("batch_id") == BATCH_ID)).orderBy("logged_at")
    return {r["subject"]: json.loads(r["metrics"]) for r in logged.collect()}


@dataclass(frozen=True)
class Balance:
    """source = loaded + quarantined + duplicates (+ dropped + deleting), counted in the tables and not taken from the load's word."""

    source: Source

    @property
    def name(self):
        return self.source.silver

    def run(self):
        said = silver_metrics()[self.source.name]
        seen, loaded, held = row_counts(
            table(self.source.bronze).where(F.col("_batch_time") <= F.lit(horizon(self.source.silver))),
            table(self.source.silver), table(QUARANTINE).where(F.col("source") == self.source.name))
        without = {outcome: said[outcome] for outcome in ("duplicates", "dropped", "deleting") if said[outcome]}
        missing = abs(seen - loaded - held - sum(without.values()))
        rest = "".join(f" + {count} {outcome}" for outcome, count in without.items())
        yield verdict(self.name, "fail", f"{seen} in bronze = {loaded} loaded + {held} quarantined{rest}", missing, seen)
        yield verdict(self.name, "warn", "no row refused", held + said["dropped"], seen)


def verdict(subject, tier, says, broken, total, limit=0.0):
    """Broken more often than allowed fails; broken at all is a warning."""
    status = "ok" if broken == 0 else "fail" if broken > allowed_share(tier, limit) * total else "warn"
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
