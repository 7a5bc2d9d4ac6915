# Databricks notebook source
# MAGIC %md
# MAGIC # nuvyn_quality
# MAGIC The checks of `90_quality`. Each one counts what breaks it and says so in the run log; one of tier fail ends the job.

# COMMAND ----------

import itertools

# COMMAND ----------

# DBTITLE 1,Quality


@dataclass(frozen=True)
class Rows:
    """Rules that each row of a table meets or not."""

    name: str
    rules: tuple
    where: str = "true"

    def looked_up(self, rows, mark):
        return rows

    def counts(self, mark):
        within = F.expr(self.where)
        broken = [F.count_if(within & ~F.coalesce(F.expr(r.condition), F.lit(True))) for r in self.rules]
        return [F.count_if(within), *broken]

    def verdicts(self, total, *broken):
        return [verdict(self.name, r.tier, f"{r.id}: {r.says}", n, total, r.limit) for r, n in zip(self.rules, broken)]


@dataclass(frozen=True)
class Unique:
    """No two rows are alike in the columns."""

    name: str
    columns: tuple
    where: str = "true"
    tier: str = "fail"

    def looked_up(self, rows, mark):
        return rows

    def counts(self, mark):
        within = F.expr(self.where)
        return [F.count_if(within), F.count_distinct(F.when(within, F.struct(*map(column, self.columns))))]

    def verdicts(self, total, distinct):
        return [verdict(self.name, self.tier, f"unique: {', '.join(self.columns)}", total - distinct, total)]


@dataclass(frozen=True)
class Reference:
    """Every value that is there is found in the other table."""

    name: str
    columns: tuple
    other: str
    other_columns: tuple
    tier: str = "fail"
    limit: float = 0.0

    def looked_up(self, rows, mark):
        """The rows with a column that is true where the reference is found; each of them once."""
        known = table(self.other).select(
            *[column(c).alias(f"{mark}_{n}") for n, c in enumerate(self.other_columns)]).distinct()
        matches = [column(c) == F.col(f"{mark}_{n}") for n, c in enumerate(self.columns)]
        return rows.join(known.withColumn(mark, F.lit(True)), matches, "left")

    def counts(self, mark):
        given = functools.reduce(lambda a, b: a & b, [column(c).isNotNull() for c in self.columns])
        return [F.count_if(given), F.count_if(given & F.col(mark).isNull())]

    def verdicts(self, total, broken):
        return [verdict(self.name, self.tier, f"{', '.join(self.columns)} in {self.other}", broken, total, self.limit)]


def checked_at_once(name, checks):
    """The outcomes of all checks of a table that count its rows, from one pass over it."""
    rows, counts = table(name), []
    for place, check in enumerate(checks):
        rows = check.looked_up(rows, f"_found_{place}")
        counts.append(check.counts(f"_found_{place}"))
    found = iter(rows.agg(*[c.alias(f"_{n}") for n, c in enumerate(itertools.chain(*counts))]).first())
    return [outcome for check, own in zip(checks, counts) for outcome in check.verdicts(*itertools.islice(found, len(own)))]


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


@dataclass(frozen=True)
class Balance:
    """source = loaded + quarantined + duplicates (+ dropped + deleting), counted in the tables and not taken from the load's word."""

    source: Source

    @property
    def name(self):
        return self.source.silver

    def verdicts(self, said, seen, loaded, held):
        """said: what the last load of silver counted."""
        without = {outcome: said[outcome] for outcome in ("duplicates", "dropped", "deleting") if said[outcome]}
        missing = abs(seen - loaded - held - sum(without.values()))
        rest = "".join(f" + {count} {outcome}" for outcome, count in without.items())
        yield verdict(self.name, "fail", f"{seen} in bronze = {loaded} loaded + {held} quarantined{rest}", missing, seen)
        yield verdict(self.name, "warn", "no row refused", held + said["dropped"], seen)


def balanced(checks):
    """The outcomes of the balances of all sources, from one query."""
    counted = [f"SELECT {literal(c.source.name)} AS source, {literal(place)} AS place, count(*) AS n "
               f"FROM {full_name(name)} WHERE {where}"
               for n, c in enumerate(checks) for place, name, where in (
                   ("seen", c.source.bronze, f"_batch_time <= :through_{n}"), ("loaded", c.source.silver, "true"))]
    counted.append(f"SELECT source, 'held', count(*) FROM {full_name(QUARANTINE)} GROUP BY source")
    through = {f"through_{n}": horizon(c.source.silver) for n, c in enumerate(checks)}
    found = {(r["source"], r["place"]): r["n"] for r in spark.sql(" UNION ALL ".join(counted), args=through).collect()}
    said = {c.source.name: json.loads(progress()[c.source.silver]["state"])["now"] for c in checks}
    return [outcome for c in checks for outcome in c.verdicts(said[c.source.name], *[
        found.get((c.source.name, place), 0) for place in ("seen", "loaded", "held")])]


def verdict(subject, tier, says, broken, total, limit=0.0):
    """Broken more often than allowed fails; broken at all is a warning."""
    status = "ok" if broken == 0 else "fail" if broken > allowed_share(tier, limit) * total else "warn"
    return subject, status, says, {"broken": broken, "rows": total}


def passes(checks):
    """How the checks are carried out: the balances together, those that count rows of one table together, others alone."""
    balances = [c for c in checks if isinstance(c, Balance)]
    if balances:
        yield functools.partial(balanced, balances)
    counting = [c for c in checks if isinstance(c, (Rows, Unique, Reference))]
    for name in dict.fromkeys(c.name for c in counting):
        yield functools.partial(checked_at_once, name, [c for c in counting if c.name == name])
    for check in checks:
        if isinstance(check, Reconciled):
            yield check.run


def judge(checks):
    """Runs all checks, logs each outcome, and fails the job when a check of tier fail is broken."""
    with ThreadPoolExecutor(PARALLEL_LOADS) as pool:
        outcomes = [outcome for found in pool.map(lambda run: list(run()), passes(checks)) for outcome in found]
    write_log("90_quality", outcomes)
    for subject, status, says, metrics in outcomes:
        if status != "ok":
            print(f"{status}: {subject}: {says}: {metrics['broken']} of {metrics['rows']} rows")
    failed = [f"{subject}: {says} ({metrics['broken']} rows)" for subject, status, says, metrics in outcomes if status == "fail"]
    if failed:
        raise RuntimeError("quality checks failed: " + "; ".join(failed))
    counts = {status: sum(1 for o in outcomes if o[1] == status) for status in ("ok", "warn", "fail")}
    dbutils.notebook.exit(json.dumps(counts))
