"""A pipeline over two weeks of trouble, on a plain local Spark: after each batch every table must hold exactly what DuckDB
replays from the raw files (oracle.py), to the row."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

from emitted import changed_rows
from history_mapping import SOURCES, TARGETS
from local_spark import Project, start_spark
from shop import CUSTOMERS, Shop

STAR = ("dim_date", "dim_customer", "dim_product", "dim_store", "fact_sale", "fact_payment", "fact_event")


def adopt(spark, folder, schema):
    """The tables of another process's catalog, found in its warehouse."""
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS spark_catalog.{schema}")
    place = os.path.join(folder, "warehouse", f"{schema}.db")
    for name in os.listdir(place):
        spark.sql(f"CREATE TABLE spark_catalog.{schema}.{name} USING DELTA LOCATION '{place}/{name}'")


class History(Shop):
    SCHEMA, SOURCES, TARGETS, STAR = "history", SOURCES, TARGETS, STAR

    def refuse(self, batch, says):
        """The run stops with these words, which the run log keeps, and has published nothing: no table of the star has a new
        version. Then the batch is undone."""
        before = self.versions()
        with self.assertRaisesRegex(RuntimeError, says):
            self.run_batch(batch)
        self.assertEqual(self.versions(), before)
        [(logged,)] = self.project.rows(f"SELECT message FROM nuvyn_run_log WHERE batch_id = '{batch}' AND status = 'fail'")
        self.assertRegex(logged, says)
        shutil.rmtree(os.path.join(self.volume, batch))
        self.project.run_notebook("96_rollback", batch_id="undo", to_batch=batch)
        self.assertEqual(self.versions(), before)

    def versions(self):
        return {t: self.spark.sql(f"DESCRIBE HISTORY spark_catalog.`history`.{t} LIMIT 1").first()["version"] for t in STAR}

    def test_01_initial_load(self):
        done = self.arrive(
            "day-01",
            self.customers("day-01", "1,2025-01-01,Ann,gold,ann@x", "2,2025-01-05,Bob,silver,bob@x", "3,2025-01-09,Cyd,gold,"),
            self.products("day-01", (1, "Tea", 2.5), (2, "Cup", 7), (3, "Pot", 19.99)),
            self.stores("day-01", ("N", "Narvik", "I"), ("O", "Oslo", "I")),
            self.sales("day-01", "1,2025-02-01,1,1,N,1,2.50,ok", "2,2025-02-01,2,2,O,2,14.00,ok", "2,2025-02-01,2,2,O,2,14.00,ok",
                       "3,2025-02-02,,3,,1,19.99,ok", "4,2025-02-02,1,9,N,1,5.00,test", "5,2025-02-03,3,1,N,-1,2.50,ok"),
            self.payments("day-01", "1,2025-02-01,1,1,2.50,", "2,2025-02-01,2,2,14.00,", "3,2025-02-20,1,,1.00,", "4,2025-02-21,7,3,9.00,",
                          "5,2025-02-21,3,9,9.00,", "6,2025-02-21,3,3,9.00,"),
            self.events("day-01", ("2025-02-01 10:00:00", "open"), ("2025-02-01 10:00:00", "open"), ("2025-02-01 18:00:00", "close")))
        self.assertEqual(done["90_quality"]["fail"], 0)

    def test_02_same_batch_again(self):
        done = self.run_batch("day-01")
        self.assertEqual(set(changed_rows(done).values()), {0}, changed_rows(done))
        for t in STAR:
            last = self.spark.sql(f"DESCRIBE HISTORY spark_catalog.`history`.{t} LIMIT 1").first()
            self.assertEqual(last["operation"], "MERGE")
            for name in ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted"):
                self.assertEqual(last["operationMetrics"][name], "0", (t, name))

    def test_03_changes_late_facts_and_a_new_column(self):
        """Customer 1 was silver from March on; a sale of February comes late and one of April in time. Customer 7 and store
        X are not known yet."""
        done = self.arrive(
            "day-03",
            self.customers("day-03", "1,2025-03-01,Anna,silver,ann@x,no", "4,2025-03-02,Dag,gold,dag@x,se",
                           header=CUSTOMERS + ",language"),
            self.products("day-03", (1, "Tea", 2.75), (2, "Cup", 7), (3, "Teapot", 19.99)),
            self.sales("day-03", "6,2025-02-15,1,1,N,1,2.50,ok", "7,2025-04-01,1,1,N,1,2.75,ok", "8,2025-04-01,7,1,N,1,2.75,ok",
                       "9,2025-04-01,4,2,X,1,7.00,ok", "2,2025-02-01,2,2,O,3,21.00,ok"),
            self.payments("day-03", "7,2025-04-01,1,1,2.75,", "2,2025-02-01,2,2,21.00,", "8,2025-04-01,7,1,2.75,"))
        self.assertEqual(done["40_fact_payment"]["fact_payment"]["inserted"], 2)
        self.assertIn("columns added: language", done["10_bronze"]["customers"]["notes"][0])
        self.assertEqual(self.project.rows("SELECT customer_id, language FROM silver_customers WHERE language IS NOT NULL"
                                           " ORDER BY 1"), [(1, "no"), (4, "se")])

    def test_04_out_of_order(self):
        """Arrives last and lies before: customer 1 was bronze in mid-February, which the late sale of day 3 now sees. The
        missing customer and store arrive. Columns are reordered, quantities have become decimals, one column is missing,
        product 2 and store O are gone, events come a second time, two sales lie after the mapping's calendar."""
        self.arrive(
            "day-04",
            self.customers("day-04", "7,2025-03-20,Gry,gold,gry@x", "1,2025-02-10,Ann,bronze,ann@x"),
            self.products("day-04", (1, "Tea", 2.75), (3, "Teapot", 18.5)),
            self.stores("day-04", ("X", "Tromsø", "I"), ("O", "Oslo", "D")),
            self.sales("day-04", "ok,10,2025-04-02,7,1,X,2.5,6.88", "ok,11,2025-04-02,2,2,O,1,7.00",
                       "ok,24,2027-02-03,1,1,N,1,2.75", "ok,25,9999-12-31,1,1,N,1,2.75",
                       header="status,sale_id,sold_on,customer_id,product_id,store_id,quantity,amount"),
            self.payments("day-04", "6,,,,,D", "2,2025-02-03,2,2,21.00,", "5,2025-02-21,3,9,8.00,"),
            self.events("day-04", ("2025-02-01 10:00:00", "open"), ("2025-04-02 10:00:00", "open")))
        self.assertEqual(self.one("SELECT typeof(quantity) FROM fact_sale LIMIT 1"), "decimal(38,1)")

    def test_05_poisoned_batch(self):
        """Every row comes to something that is counted: broken lines, values that do not parse, dates that do not exist."""
        bronze = self.one("SELECT count(*) FROM bronze_sales")
        self.arrive(
            "day-05",
            self.customers("day-05", "8,2025-02-30,Ulf,gold,ulf@x", "nine,2025-05-01,Eva,gold,e@x", "9,2025-05-01,Eva,gold,e@x"),
            self.products("day-05", (1, "Tea", 2.75), (2, "Cup", 7), (3, "Teapot", 18.5)),
            self.sales("day-05", "12,2025-05-01,9,1,N,1,2.75,ok", "13,2025-05-01,1,1", "14,2025-05-01,1,1,N,many,2.75,ok",
                       "15,2025-02-29,1,1,N,1,2.75,ok", "16,2025-05-01,99,1,N,1,2.75,ok", "17,2025-05-01,1,1,N,1,free,ok",
                       "18,2025-05-01,1,2,N,1,-5000.00,ok", "19,2025-05-01,1,1,N,1,1.00,ok,too,many",
                       "99999999999999999999,2025-05-01,1,1,N,1,1.00,ok"),
            self.payments("day-05", "9,2025-05-01,9,1,nothing,", "6,2025-05-01,3,3,9.00,", "4,2025-02-21,7,3,9.00"))
        self.assertEqual(self.one("SELECT count(*) FROM bronze_sales"), bronze + 9)

    def test_06_a_rule_of_tier_fail(self):
        self.sales("day-06", "20,2025-05-02,1,1,N,1,2.75,ok", ",2025-05-02,1,1,N,1,2.75,ok")
        self.refuse("day-06", "Q5 is broken by 1 of")

    def test_07_a_batch_over_its_threshold(self):
        self.sales("day-07", "20,2025-05-02,1,1,N,1,a lot,ok", "21,2025-05-02,1,1,N,1,more,ok")
        self.refuse("day-07", "amount: parses is broken by 2 of 2 rows")

    def test_08_a_source_that_shrinks(self):
        self.products("day-08", (1, "Tea", 2.75))
        self.refuse("day-08", "the snapshot lacks 2 of 3 keys")
        self.agree()

    def test_09_killed_in_a_merge(self):
        """kill -9 for the whole process while it writes the files of a MERGE; the batch is then simply run again."""
        files = [self.sales("day-09", *(f"{n},2025-06-01,1,1,N,1,2.75,ok" for n in range(100, 400))),
                 self.products("day-09", (1, "Tea", 3), (2, "Cup", 7), (3, "Teapot", 18.5))]
        table = os.path.join(self.folder, "warehouse", "history.db", "silver_sales")
        commits = os.listdir(os.path.join(table, "_delta_log"))
        with open(os.path.join(self.folder, "killed.log"), "w", encoding="utf-8") as log:
            child = subprocess.Popen([sys.executable, __file__, "run", self.folder, self.project_folder, self.volume, "day-09"],
                                     start_new_session=True, stdout=log, stderr=log)
        data = {name for name in os.listdir(table) if name.endswith(".parquet")}
        while child.poll() is None and data >= {name for name in os.listdir(table) if name.endswith(".parquet")}:
            time.sleep(0.001)
        self.assertIsNone(child.poll(), "the run ended before a MERGE wrote anything")
        os.killpg(child.pid, signal.SIGKILL)
        self.assertEqual(child.wait(), -signal.SIGKILL)
        print(f"killed with {len(set(os.listdir(os.path.join(table, '_delta_log'))).difference(commits))} further commits")
        self.arrive("day-09", *files)

    def test_10_everything_changes_nothing(self):
        """What increments made of the tables is what a whole load makes of them."""
        done = self.run_batch("day-10", load="everything")
        self.oracle.arrives("day-10", [])
        self.assertEqual(set(changed_rows(done).values()), {0}, changed_rows(done))
        self.agree()

    def test_11_rebuild_from_bronze(self):
        before = self.keys()
        for name in [*STAR, *(s["silver_name"] for s in SOURCES), "fact_sale_refused", "nuvyn_quarantine"]:
            self.spark.sql(f"DROP TABLE spark_catalog.history.{name}")
        for batch in filter(self.oracle.brought, self.oracle.batches):
            self.run_batch(batch)
        self.assertEqual(self.keys(), before)
        self.agree()

    def test_12_maintenance(self):
        """Nothing is lost, and what each task adds a file to, the control tables, is compact again."""
        done = self.project.run_notebook("95_maintenance", batch_id="weekly")
        self.assertEqual(done["nuvyn_progress"], {"files": 1})
        self.assertIn("fact_sale_refused", done)
        self.agree()

    def test_13_pseudonyms(self):
        """Names become pseudonyms that depend on a secret; without it the run stops."""
        newest = self.one("SELECT max_by(batch_id, batch_time) FROM nuvyn_batch")
        with self.assertRaisesRegex(ValueError, "secret_scope"):
            self.project.run_notebook("30_dim_customer", batch_id=newest, mask_pii="hash")
        self.project.secrets["nuvyn", "pii_pepper"] = "salt and pepper"
        self.project.run_notebook("30_dim_customer", batch_id=newest, mask_pii="hash", secret_scope="nuvyn")
        self.assertEqual(self.one("SELECT count(*) FROM dim_customer WHERE length(name) <> 64"), 0)
        self.assertEqual(json.loads(self.spark.sql("SHOW TBLPROPERTIES spark_catalog.history.dim_customer ('nuvyn.pii')")
                                    .first()["value"]), {"email": "direct", "name": "direct"})


def run_batch(folder, project_folder, volume, batch):
    spark = start_spark(folder)
    adopt(spark, folder, "history")
    Project(spark, project_folder, "history", volume).run(batch)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run_batch(*sys.argv[2:])
    else:
        unittest.main(verbosity=2)
