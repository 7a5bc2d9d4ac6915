"""Rehearses what pipelines do, so that the JVM can keep the classes that it takes: rehearse.py JARS ARCHIVE.

Spark and Delta load some twenty thousand classes before the first table is filled. Read from an archive they are there at
once, which spares a run some twenty seconds of processor time (install.sh makes the archive, session.py starts with it).
"""

import argparse
import os
import pathlib
import tempfile

import catalogs
import session
import statement

SALES = "id,day,amount\n" + "".join(f"{n % 40},2024-0{n % 9 + 1}-1{n % 9},{n}.5\n" for n in range(60))

STATEMENTS = (
    """CREATE TABLE IF NOT EXISTS bronze (id STRING, day STRING, amount STRING, _corrupt STRING, _at TIMESTAMP COMMENT 'when')
        USING DELTA COMMENT 'raw' TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')""",
    """CREATE TABLE sales (id BIGINT NOT NULL, day DATE, amount DECIMAL(12,2), hash STRING, version TIMESTAMP, current BOOLEAN)
        USING DELTA CLUSTER BY (day)""",
    "CREATE TABLE log (subject STRING, notes ARRAY<STRING>, logged_at TIMESTAMP) USING DELTA",
    "INSERT INTO bronze (id, day, amount, _corrupt, _at) SELECT * FROM incoming",
    """INSERT INTO log (subject, notes, logged_at) SELECT inline(from_json('[{"subject": "a", "notes": ["b"]}]',
        'array<struct<subject: string, notes: array<string>, logged_at: timestamp>>'))""",
    """MERGE INTO sales t USING typed s ON t.id <=> s.id WHEN MATCHED AND NOT (t.hash <=> s.hash) THEN UPDATE SET *
        WHEN NOT MATCHED THEN INSERT * WHEN NOT MATCHED BY SOURCE AND t.id > 1000 THEN DELETE""",
    """MERGE INTO sales t USING (SELECT * FROM typed WHERE id < 20) s ON t.id <=> s.id WHEN MATCHED THEN UPDATE SET amount = 1
        WHEN NOT MATCHED BY SOURCE THEN DELETE""",
    """SELECT day, count(DISTINCT id), sum(amount), max_by(struct(hash, amount), day), count_if(current), collect_set(hash),
        bit_xor(xxhash64(to_json(array(hash)))), min(lead) FROM (SELECT *, lead(day) OVER (PARTITION BY id ORDER BY day) AS lead,
        row_number() OVER (PARTITION BY current ORDER BY amount DESC NULLS LAST) AS rank FROM sales) WHERE rank > 1 GROUP BY day""",
    """SELECT b.id, s.amount, (SELECT count(*) FROM sales f ANTI JOIN log l ON f.hash = l.subject) AS missing, md5(s.hash),
        conv(substr(md5(s.hash), 1, 12), 16, 10), date_format(s.day, 'yyyyMMdd') FROM bronze b LEFT JOIN sales s ON b.id = s.id
        AND s.day >= DATE '2024-01-01' LEFT JOIN (SELECT DISTINCT subject, true AS found FROM log) k ON b.day = k.subject
        UNION ALL SELECT '1', 1, count(*), '', '', '' FROM log""",
    "SELECT count(*) FROM sales",
    "DESCRIBE HISTORY sales LIMIT 1",
    "SHOW TBLPROPERTIES bronze",
    "ALTER TABLE bronze ADD COLUMNS (more STRING)",
    "SELECT * FROM table_changes('bronze', 1)",
)


def views(spark, folder):
    """incoming: rows of a file; typed: what a pipeline makes of them."""
    path = str(folder / "sales.csv")
    pathlib.Path(path).write_text(SALES, encoding="utf-8")
    spark.read.format("binaryFile").load(path).selectExpr("path", "sha2(content, 256)").collect()
    spark.read.csv(path).first()
    spark.read.schema("id STRING, day STRING, amount STRING, _corrupt STRING").options(
        header=True, mode="PERMISSIVE", columnNameOfCorruptRecord="_corrupt").csv(path).selectExpr(
        "*", "current_timestamp() AS _at").createOrReplaceTempView("incoming")
    spark.sql("""
        SELECT id, day, amount, hash, version, current FROM (
            SELECT *, sha2(to_json(struct(id, day, amount)), 256) AS hash, row_number() OVER (PARTITION BY id ORDER BY
                struct(day, amount) DESC NULLS LAST) AS place, array_compact(array(CASE WHEN amount IS NULL THEN 'none' END)) AS reasons
            FROM (SELECT try_cast(btrim(id, ' ') AS BIGINT) AS id, CASE WHEN day RLIKE '^[0-9-]+$' THEN
                    try_cast(regexp_replace(day, '-', '-') AS DATE) END AS day, try_cast(regexp_extract(amount, '(.+)', 1)
                    AS DECIMAL(12,2)) AS amount, _at AS version, _corrupt IS NULL AS current FROM incoming))
        WHERE place = 1 AND size(reasons) = 0""").createOrReplaceTempView("typed")


def rehearse(spark, folder):
    spark.sql("USE main.default")
    views(spark, folder)
    for number, text in enumerate(STATEMENTS):
        chunks = folder / str(number)
        chunks.mkdir()
        frame = spark.sql(text)
        writer = statement.ChunkWriter(str(chunks), "JSON_ARRAY", frame.columns, 1 << 20)
        statement._write_rows(frame, frame.schema.fields, writer, {"disposition": "EXTERNAL_LINKS"})
        writer.finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("jars")
    parser.add_argument("archive")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nuvyn-rehearsal-") as folder:
        known = catalogs.Catalogs(os.path.join(folder, "unity"))
        known.create_catalog("main", True, None)
        spark = session.start(argparse.Namespace(jars=options.jars, root=known.root, work=folder, cores="2", memory="1g",
                                                 jit="quick", catalogs=known), archive_at_exit=options.archive)
        own = session.WorkspaceSession(spark, known)
        own.enter()
        rehearse(own, pathlib.Path(folder))
        jvm = spark.sparkContext._gateway.proc
        spark.stop()
        jvm.stdin.close()  # its sign to end; the archive is written then
        jvm.wait(120)


if __name__ == "__main__":
    main()
