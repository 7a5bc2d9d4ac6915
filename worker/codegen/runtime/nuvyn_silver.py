# Databricks notebook source
# MAGIC %md
# MAGIC # nuvyn_silver
# MAGIC Typed and checked rows, one per key. Silver is a function of bronze up to a batch, so that late and out-of-order
# MAGIC files need no case of their own: source = loaded + superseded + quarantined + dropped + deleting rows. A batch
# MAGIC computes anew the keys that it brings, from all their rows in bronze, and the whole source where rows depend on others.

# COMMAND ----------

import dataclasses
import re

DIGITS = {"%Y": r"(\d{4})", "%m": r"(\d{1,2})", "%d": r"(\d{1,2})", "%H": r"(\d{1,2})", "%I": r"(\d{1,2})",
          "%M": r"(\d{2})", "%S": r"(\d{2})", "%f": r"(\d{1,9})", "%p": r"([AaPp][Mm])",
          "%z": r"([+-]\d{2}(?::?\d{2})?)", "%b": r"([A-Za-z]{3})", "%B": r"([A-Za-z]{3,9})"}
MONTHS = ["january", "february", "march", "april", "may", "june",
          "july", "august", "september", "october", "november", "december"]

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
    one_mark = f"(?!.*(?:{marks}).*(?:{marks}))" if marks else ""
    return rf"^{one_mark}([+-]?{before}[+-]?)(?={re.escape(parse.decimal)}?\d){whole}{fraction}{exponent}{percent}{after}$"


def unsigned(text, parse):
    """The number without the parentheses or the minus behind it that make it negative."""
    forms = [r"^([^\d%.,]*)\((.+)\)([^\d%.,]*)$"] * parse.parentheses + [r"^(.+)-$"] * parse.trailing_minus
    groups = "".join(f"${n + 1}" for n in range(3 * parse.parentheses + parse.trailing_minus))
    return F.regexp_replace(text, "|".join(forms), groups) if forms else text


def finite(value, type):
    """The value, where it is a number: 1e400 is none."""
    return F.when(F.abs(value) != float("inf"), value) if type == "DOUBLE" else value


def parse_plain_number(text, type):
    """A number with nothing around it and a decimal point: what most exports write."""
    scale = int(re.search(r"(\d+)\)$", type).group(1)) if type.startswith("DECIMAL") else 0
    digits = r"\d+" if scale == 0 else rf"(\d+(\.\d{{1,{scale}}})?|\.\d{{1,{scale}}})"
    if type == "DOUBLE":
        digits = r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?"
    return F.when(text.rlike(f"^[+-]?{digits}$"), finite(text.try_cast(type), type))


def parse_number(text, parse, type):
    if parse.decimal == "." and not (parse.group or parse.currency or parse.percent or parse.parentheses or parse.trailing_minus):
        return parse_plain_number(text, type)
    bare = unsigned(text, parse)
    pattern = number_pattern(parse, type)
    sign = F.regexp_replace(F.regexp_extract(bare, pattern, 1), "[^+-]", "")
    whole = F.regexp_extract(bare, pattern, 2)
    whole = F.replace(whole, F.lit(parse.group), F.lit("")) if parse.group else whole
    fraction, exponent = F.regexp_extract(bare, pattern, 3), F.regexp_extract(bare, pattern, 4)
    fits = bare.rlike(pattern)
    if type.startswith("DECIMAL"):
        fits &= F.length(fraction) <= int(re.search(r"(\d+)\)$", type).group(1))
    digits = F.concat(sign, whole) if type == "BIGINT" else F.concat(sign, whole, F.lit("."), fraction, F.lit("0"), exponent)
    value = F.when(fits, finite(digits.try_cast(type), type))
    return F.when(bare == text, value).when(sign == "", -value) if bare is not text else value


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

# DBTITLE 1,How far a source has drifted

WHOLE_DIGITS, MOST_SCALE = 18, 18  # a BIGINT holds any 18 digits; a widened decimal keeps as many after the point


def in_force(source):
    """The source with the columns that bronze was given since the mapping was written."""
    known = {c.name for c in source.columns}
    added = [f.name for f in table(source.bronze).schema.fields if f.name not in known and not f.name.startswith("_")]
    return dataclasses.replace(source, columns=source.columns + tuple(Raw(n, n, "STRING") for n in added))


def digits(c):
    """(digits before, digits after the point) of a raw number."""
    text = cleaned(column(c.name), c.parse)
    bare = unsigned(text, c.parse)
    pattern = number_pattern(c.parse, "DECIMAL")
    whole = F.regexp_extract(bare, pattern, 2)
    whole = F.replace(whole, F.lit(c.parse.group), F.lit("")) if c.parse.group else whole
    return (F.max(F.when(bare.rlike(pattern), F.length(whole))), F.max(F.length(F.regexp_extract(bare, pattern, 3))))


def widened_since(source):
    """The time of the batch up to which silver's types hold every number; None where that is not known."""
    done = progress().get(source.silver)
    if LOAD == "everything" or done is None or batch_time() < done["through"]:
        return None
    declared = json.loads(done["state"]).get("declared")
    return None if declared != hash_of(repr(source)) else done["since"] if batch_time() == done["through"] else done["through"]


def widened(source):
    """Number columns with a type that holds every number that bronze has seen: what silver has, where no newer one is wider."""
    numbers = [c for c in source.columns if c.type == "BIGINT" or c.type.startswith("DECIMAL")]
    if not numbers:
        return source
    rows, types, since = table(source.bronze), {c.name: c.type for c in numbers}, widened_since(source)
    if since:
        rows = rows.where(F.col("_batch_time") > F.lit(since))
        types = {f.name: f.dataType.simpleString().upper() for f in table(source.silver).schema.fields}
    seen = list(rows.agg(*[extent for c in numbers for extent in digits(c)]).first())
    for c, whole, scale in zip(numbers, seen[0::2], seen[1::2]):
        precision, held = (19, 0) if types[c.name] == "BIGINT" else map(int, re.findall(r"\d+", types[c.name]))
        scale = max(held, min(scale or 0, MOST_SCALE))
        fits = (whole or 0) <= (WHOLE_DIGITS if types[c.name] == "BIGINT" else precision - held)
        if scale > held or not fits:
            types[c.name] = f"DECIMAL(38,{scale})"
            road(source.name, f"{c.name} is widened from {c.type} to {types[c.name]}")
    columns = tuple(dataclasses.replace(c, type=types[c.name]) if c in numbers else c for c in source.columns)
    return dataclasses.replace(source, columns=columns)


# COMMAND ----------

# DBTITLE 1,Which rows are refused

LOAD_ORDER = ("_batch_time", "_source_file", "_position")


def decided_by(source):
    """The columns whose rows decide each other's outcome: the key, or the member that a marker ends."""
    return source.deletes.member or source.key if isinstance(source.deletes, Marker) else source.key


def bronze_rows(source, after=None):
    """Bronze up to the horizon; after the batch of a time: all rows of the keys that came since then."""
    rows = table(source.bronze).where(F.col("_batch_time") <= F.lit(horizon(source.silver)))
    if after is None:
        return rows
    key = [parsed(c) for c in source.columns if c.name in decided_by(source)]
    came = rows.where(F.col("_batch_time") > F.lit(after)).select(*[k.alias(f"_key_{n}") for n, k in enumerate(key)])
    return rows.join(came.distinct(), [k.eqNullSafe(F.col(f"_key_{n}")) for n, k in enumerate(key)], "left_semi")


@dataclass(frozen=True)
class Refusal:
    """Something that a row may break, and what happens then: a rule, a value that does not parse, a broken line."""

    id: str
    tier: str
    broken: object  # a condition
    reason: object
    limit: float = 0.0


def refusals(source):
    """Everything that a row of the source can be refused or warned for by itself."""
    yield Refusal("line", "quarantine", F.col("_corrupt_record").isNotNull(),
                  F.lit("the line has too few or too many fields"))
    for c in source.columns:
        if c.type != "STRING" or c.parse.formats:
            raw = column(f"_raw_{c.name}")
            yield Refusal(f"{c.name}: parses", c.unparsed, cleaned(raw, c.parse).isNotNull() & column(c.name).isNull(),
                          F.concat(F.lit(f"{c.header}: not {c.type}: "), raw), c.limit)
    for rule in source.rules:
        yield Refusal(rule.id, rule.tier, ~F.coalesce(F.expr(rule.condition), F.lit(True)),
                      F.lit(f"{rule.id}: {rule.says}"), rule.limit)


def typed(source, after=None):
    """Every bronze row that counts, typed, with the ids of what it breaks and the reasons for which it is refused."""
    rows = (bronze_rows(source, after)
            .select(*[parsed(c).alias(c.name) for c in source.columns],
                    *[column(c.name).alias(f"_raw_{c.name}") for c in source.columns],
                    "_corrupt_record", "_fingerprint", "_batch_id", *LOAD_ORDER))
    found = list(refusals(source))
    reasons = [F.when(r.broken, r.reason) for r in found if r.tier == "quarantine"]
    drops = [r.broken for r in found if r.tier == "drop"]
    return (rows.withColumn("_broken", F.array_compact(F.array(*[F.when(r.broken, F.lit(r.id)) for r in found])))
            .withColumn("_reasons", F.array_compact(F.array(*reasons)))
            .withColumn("_dropped", functools.reduce(lambda a, b: a | b, drops, F.lit(False)))
            .withColumn("_row_hash", content_hash([c.name for c in source.columns])))


def referring(rows, source, sources):
    """Adds the reason to rows that refer to no row of another source. Only what the other row is by itself counts."""
    for refers in source.refers:
        other = typed(sources[refers.other]).where((F.size("_reasons") == 0) & ~F.col("_dropped"))
        known = other.select(*[column(c).alias(f"_known_{n}") for n, c in enumerate(refers.other_columns)]).distinct()
        matches = [column(c) == F.col(f"_known_{n}") for n, c in enumerate(refers.columns)]
        given = functools.reduce(lambda a, b: a & b, [column(c).isNotNull() for c in refers.columns])
        missing = given & F.col("_known_0").isNull()
        rows = (rows.join(known, matches, "left")
                .withColumn("_broken", F.when(missing, F.array_append("_broken", F.lit(refers.id))).otherwise(F.col("_broken")))
                .withColumn("_reasons", F.when(missing, F.array_append("_reasons", F.lit(f"{refers.id}: {refers.says}")))
                            .otherwise(F.col("_reasons")))
                .drop(*[f"_known_{n}" for n in range(len(refers.columns))]))
    return rows


# COMMAND ----------

# DBTITLE 1,Which rows are loaded


def classified(source, sources, after=None):
    """Every bronze row with its outcome: loaded, duplicate (or superseded), quarantined, dropped or deleting."""
    rows = referring(typed(source, after), source, sources)
    marks = F.lit(False)
    if isinstance(source.deletes, Marker):
        marks = F.coalesce(column(source.deletes.column).cast("string").isin(*source.deletes.values), F.lit(False))
    key = [column(n) for n in source.key or ("_row_hash",)]
    order = F.struct(*[column(n) for n in source.latest_by], *LOAD_ORDER)
    rows = (rows.withColumn("_good", (F.size("_reasons") == 0) & ~F.col("_dropped"))
            .withColumn("_marks", marks).withColumn("_order", order)
            .withColumn("_rank", F.row_number().over(
                Window.partitionBy("_good", "_marks", *key).orderBy(F.col("_order").desc_nulls_last()))))
    outcome = (F.when(F.size("_reasons") > 0, "quarantined").when(F.col("_dropped"), "dropped")
               .when(F.col("_marks"), "deleting").when(F.col("_rank") > 1, "duplicate").otherwise("loaded"))
    rows = deletions(source, rows.withColumn("_outcome", outcome), key)
    for distinct in source.distinct:
        rows = only_newest(rows, distinct)
    return rows


def only_newest(rows, distinct):
    """Quarantines all but the newest of the records that share the values that must be distinct."""
    given = functools.reduce(lambda a, b: a & b, [column(c).isNotNull() for c in distinct.columns])
    contends = (F.col("_outcome") == "loaded") & given
    place = F.row_number().over(Window.partitionBy(contends, *map(column, distinct.columns))
                                .orderBy(F.col("_order").desc_nulls_last()))
    refused = contends & (F.col("_place") > 1)
    reason = F.array_append("_reasons", F.lit(f"{distinct.id}: {distinct.says}"))
    return (rows.withColumn("_place", place)
            .withColumn("_reasons", F.when(refused, reason).otherwise(F.col("_reasons")))
            .withColumn("_outcome", F.when(refused, "quarantined").otherwise(F.col("_outcome"))).drop("_place"))


def deletions(source, rows, key):
    """Dates the deletion of a key: by its newest marker, or by the first snapshot that lacks it."""
    by_key = Window.partitionBy(*key)
    if isinstance(source.deletes, Marker):
        rows = rows.withColumn("_at", moment_of(source.deletes))
        marked = F.max(F.when(F.col("_good") & F.col("_marks"), F.struct("_order", "_at"))).over(by_key)
        rows = rows.withColumn("_mark", marked).withColumn(
            "_deleted_at", F.when(F.col("_mark._order") > F.col("_order"), F.col("_mark._order._batch_time")))
        return ended(source, rows, by_key)
    if isinstance(source.deletes, Snapshot):
        batches = bronze_rows(source).agg(
            F.sort_array(F.collect_set("_batch_time")).alias("_batches"))
        later = F.filter("_batches", lambda at: at > F.col("_last_seen"))
        return (rows.withColumn("_last_seen", F.max("_batch_time").over(by_key)).crossJoin(F.broadcast(batches))
                .withColumn("_deleted_at", F.get(later, F.lit(0))))
    return rows.withColumn("_deleted_at", F.lit(None).cast("timestamp"))


def moment_of(deletes):
    """When what a row says came into force: as the row dates it; a deletion else when its batch came."""
    undated = F.when(F.col("_marks"), F.col("_batch_time")).otherwise(F.lit(BEGINNING).cast("timestamp"))
    return F.coalesce(column(deletes.dated_by).cast("timestamp"), undated) if deletes.dated_by else undated


def ended(source, rows, by_key):
    """Dates the end of a member by the marker that follows a row of it, where a history is dated by the data.

    A marker without a row of its own key stands among the rows of its member. One that takes the place of the last row says
    when the member ended only where its date is a later one; else the batch does, so that no deletion erases a version.
    """
    if not source.deletes.dated_by:
        return rows
    has_row = F.max(F.col("_good") & ~F.col("_marks")).over(by_key)
    counts = F.col("_good") & (F.col("_rank") == 1) & ~(F.col("_marks") & has_row)
    in_time = Window.partitionBy("_counts", *map(column, decided_by(source))).orderBy("_at", "_marks", "_order")
    rows = rows.withColumn("_counts", counts).withColumn("_next", F.lead(F.struct("_marks", "_at")).over(in_time))
    later = F.when(F.col("_mark._at") > F.col("_at"), F.col("_mark._at"))
    own = F.when(F.col("_deleted_at").isNotNull(), F.coalesce(later, F.greatest("_deleted_at", "_at")))
    ends = F.when(F.col("_next").isNull(), own).when(F.col("_next._marks"), F.col("_next._at"))
    return rows.withColumn("_ended_at", F.when(F.col("_counts"), ends))


# COMMAND ----------

# DBTITLE 1,Loading

SILVER_COLUMNS = (
    ("_row_hash", "STRING", "SHA-256 over the typed values"),
    ("_source_file", "STRING", "file the row was first loaded from"),
    ("_changed_at", "TIMESTAMP", "time of the batch that brought or changed the row"),
    ("_batch_id", "STRING", "the batch that brought or changed the row"),
    ("_deleted_at", "TIMESTAMP", "time of the batch that showed that the source no longer has the row"),
)
ENDED_COLUMN = ("_ended_at", "TIMESTAMP", "when the member was deleted after this row, as the marker dates it")
OUTCOMES = {"loaded": "loaded", "quarantined": "quarantined", "duplicate": "duplicates", "dropped": "dropped",
            "deleting": "deleting"}


def dates_deletions(source):
    """Whether silver says when members ended, for a history that the data date."""
    return isinstance(source.deletes, Marker) and source.deletes.dated_by is not None


def earlier_counts(source, after):
    """How many of the rows had which outcome before the batches after a time. Where keys are computed anew by themselves,
    only the newest row of a key can have changed its outcome since."""
    came_before = F.col("_batch_time") <= F.lit(after)
    good = came_before & F.col("_outcome").isin("loaded", "duplicate")
    keys = F.count_distinct(F.when(good, F.struct(*map(column, source.key))))
    return {"loaded": keys, "duplicate": F.count_if(good) - keys,
            **{o: F.count_if(came_before & (F.col("_outcome") == o)) for o in ("quarantined", "dropped", "deleting")}}


def counted(source, rows, scope):
    """What became of all rows of the source, and how often each rule is broken as (count, of how many rows): rules that
    refuse are measured on the rows of this batch, so that a poisoned day is not diluted by good years, others on what is
    loaded."""
    rules = [*refusals(source), *source.refers]
    measured = [F.col("_outcome") == "loaded" if getattr(r, "tier", "") in ("warn", "fail") else F.col("_batch_id") == BATCH_ID
                for r in rules]
    found = [F.struct(F.count_if(of & F.array_contains("_broken", r.id)), F.count_if(of)) for r, of in zip(rules, measured)]
    earlier = earlier_counts(source, scope.after) if scope.after else dict.fromkeys(OUTCOMES, F.lit(0))
    counts = list(rows.agg(*[F.count_if(F.col("_outcome") == o) - earlier[o] for o in OUTCOMES], *found).first())
    outcomes = {name: (scope.state or {}).get(name, 0) + count for name, count in zip(OUTCOMES.values(), counts)}
    broken = [(rule, *count) for rule, count in zip(rules, counts[len(OUTCOMES):])]
    return {"source": sum(outcomes.values()), **outcomes}, broken


def tolerated(source, broken):
    """Stops the load before anything is published where a rule is broken more often than it allows."""
    for rule, count, of in broken:
        if count > allowed_share(getattr(rule, "tier", "quarantine"), rule.limit) * of:
            raise RuntimeError(f"quality checks failed: {source.silver}: {rule.id} is broken by {count} of {of} rows")


def load_silver(source, sources, scope):
    """Brings silver to the state that bronze implies, and counts every row."""
    rows = classified(source, sources, scope.after)
    metrics, broken = counted(source, rows, scope)
    tolerated(source, broken)
    deleted = ["_deleted_at", *(["_ended_at"] if dates_deletions(source) else [])]
    good = rows.where("_outcome = 'loaded'").select(
        *[column(c.name) for c in source.columns], "_row_hash", "_source_file",
        F.lit(batch_time()).alias("_changed_at"), F.lit(BATCH_ID).alias("_batch_id"), *deleted)
    if isinstance(source.deletes, Snapshot):
        refuse_shrunk(source, good)
    changed = merge(source.silver, good, key=source.key or ("_row_hash",), compared=("_row_hash", *deleted),
                    delete_where=None if scope.after else "true", counted=metrics["loaded"])
    notes = [f"{rule.id}: broken by {count} of {of} rows" for rule, count, of in broken if count]
    return {**metrics, **changed, "broken": {rule.id: count for rule, count, _ in broken if count}, "notes": notes}


def prepared(source):
    """The source with numbers as wide as need be, and its silver table."""
    source = widened(source) if source.changed_types == "widen" else source
    columns = tuple((c.name, c.type, c.comment) for c in source.columns) + SILVER_COLUMNS
    columns += (ENDED_COLUMN,) if dates_deletions(source) else ()
    found_by = [c.name for c in source.columns if c.name in source.key and c.type != "BOOLEAN"]
    if ensure_table(source.silver, columns, f"{source.name}: typed and clean, one row per key",
                    properties={**pii_property(source.columns), **skipping_property([*found_by, "_changed_at"])}):
        tag_pii(source.silver, source.columns)
    return source


def refuse_shrunk(source, good):
    """A snapshot that lacks too much is a broken delivery, not a wave of deletions. Only keys that silver holds as living
    can get lost: a row that a rule held back until now, or one that a rebuild reads again, is none of them."""
    living = table(source.silver).where("_deleted_at IS NULL").alias("t")
    gone = good.where("_deleted_at IS NOT NULL").alias("s")
    held = living.count()
    lacking = living.join(gone, F.expr(same(source.key or ("_row_hash",))), "left_semi").count()
    if lacking > source.deletes.max_share * held:
        raise RuntimeError(f"{source.name}: the snapshot lacks {lacking} of {held} keys, more than the share of "
                           f"{source.deletes.max_share:g} that may be deleted at once")


def refused(source, sources, scope):
    """The source's rows for the quarantine; of those that it holds already none are decided anew within a scope."""
    if source.distinct:
        rows = classified(source, sources, scope.after).where("_outcome = 'quarantined'")
    else:  # a row is refused by itself, whatever others have its key
        rows = referring(typed(source), source, sources).where(F.size("_reasons") > 0)
    if scope.after:
        rows = rows.where(F.col("_batch_time") > F.lit(scope.after))
    record = F.to_json(F.struct(F.col("_corrupt_record").alias("line"),
                                *[column(f"_raw_{c.name}").alias(c.header) for c in source.columns]))
    return rows.select(
        F.lit(source.name).alias("source"), "_reasons", record.alias("record"),
        "_source_file", "_fingerprint", "_position", "_batch_id")


def by_key(source):
    """Whether the rows of a key decide its row in silver alone. Not so where there is no key to find them by, where rows
    depend on rows of other keys, and where a rule is measured on everything that is loaded."""
    measured_on_all = [r for r in refusals(source) if r.tier in ("warn", "fail") and r.limit > 0]
    return bool(source.key) and not (source.refers or source.distinct or isinstance(source.deletes, Snapshot) or measured_on_all)


def with_new_rows(sources, scopes):
    """The names of the sources of which bronze holds rows that silver has not seen."""
    found = [table(s.bronze).where(F.col("_batch_time") > F.lit(scopes[s.name].after)).limit(1)
             .select(F.lit(s.name).alias("source")) for s in sources if scopes[s.name].after]
    return {r["source"] for r in functools.reduce(lambda a, b: a.unionAll(b), found).collect()} if found else set()


def scopes_of(sources):
    """{name: what is to be looked at} of the sources that are to be loaded."""
    scopes = {s.name: scope_of(s.silver, hash_of(repr(s))) for s in sources}
    new = with_new_rows(sources, scopes)
    new |= {s.name for s in sources if not scopes[s.name].after}
    concerned = [s for s in sources if s.name in new or any(r.other in new for r in s.refers)]
    return {s.name: scopes[s.name] if by_key(s) else Scope() for s in concerned}


def fill_quarantine(loaded, sources, scopes):
    """Brings the quarantine to what the loaded sources refused."""
    held = {r["source"] for r in table(QUARANTINE).select("source").distinct().collect()}
    whole = [name for name, m in loaded.items() if not scopes[name].after and (m["quarantined"] or name in held)]
    further = [name for name, m in loaded.items() if scopes[name].after and m["quarantined"] > scopes[name].state["quarantined"]]
    if whole or further:
        rows = [refused(sources[name], sources, scopes[name]) for name in whole + further]
        merge(QUARANTINE, functools.reduce(lambda a, b: a.unionByName(b), rows),
              key=("source", "_source_file", "_fingerprint", "_position"), compared=("_reasons",),
              delete_where=f"t.source IN ({', '.join(map(literal, whole))})" if whole else None, empty=not held)


def load_all_silver(sources):
    """Loads the sources that have something new; then the quarantine is brought to what they refused, in one merge."""
    began_at, before = now(), dict(progress())
    declared = {source.name: in_force(source) for source in sources}
    sources = in_parallel(prepared, declared.values())
    scopes = scopes_of(list(sources.values()))
    loaded = in_parallel(lambda source: load_silver(source, sources, scopes[source.name]),
                         [s for name, s in sources.items() if name in scopes])
    fill_quarantine(loaded, sources, scopes)
    counts = {name: {c: m[c] for c in ("source", *OUTCOMES.values())} for name, m in loaded.items()}
    states = {name: {"declared": hash_of(repr(declared[name])), "before": scopes[name].state, "now": count}
              for name, count in counts.items()}
    write_progress([(sources[name].silver, hash_of(repr(sources[name])), scopes[name].after, horizon(sources[name].silver),
                     state, began_at) for name, state in states.items()])
    idle = {"inserted": 0, "updated": 0, "deleted": 0, "broken": {}}
    return {name: loaded.get(name) or {**json.loads(before[s.silver]["state"])["now"], **idle} for name, s in sources.items()}
