"""The sample data over two days, on a plain local Spark: first load, the same again, a second day, a poisoned batch, a
rebuild. Run by local_spark.sh."""

import os
import shutil
import tempfile
import unittest

import ecommerce_sttm
from emitted import changed_rows, land, write_project
from local_spark import Project, start_spark

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "data")
SOURCES = {"customers", "customer_addresses", "orders", "payments"}
TARGETS = {"dim_date", "dim_customer", "dim_customer_address", "fact_payment"}
STAR = sorted(TARGETS)


class PipelineOverTime(unittest.TestCase):
    """The tests build on each other, in the order of their names."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="nuvyn-pipeline-")
        cls.spark = start_spark(cls.folder)
        cls.volume = os.path.join(cls.folder, "raw")
        mapped = ([s for s in ecommerce_sttm.SOURCES if s["name"] in SOURCES],
                  [t for t in ecommerce_sttm.TARGETS if t["name"] in TARGETS])
        cls.project = Project(cls.spark, write_project(cls.folder, "shop", *mapped), "shop", cls.volume)
        land(os.path.join(DATA, "ecommerce"), cls.volume)

    @classmethod
    def tearDownClass(cls):
        cls.spark.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def rows(self, sql):
        return self.project.rows(sql)

    def one(self, sql):
        return self.rows(sql)[0][0]

    def content(self):
        """Everything in the star but when it was loaded."""
        return {t: sorted(self.rows(f"SELECT to_json(struct(* EXCEPT (batch_id))) FROM {t}"
                                    if t == "dim_customer" else f"SELECT to_json(struct(*)) FROM {t}")) for t in STAR}

    def test_1_first_load(self):
        done = self.project.run("day-1")
        silver = done["20_silver"]
        self.assertEqual({k: silver["customers"][k] for k in ("source", "loaded", "quarantined", "duplicates")},
                         {"source": 1514, "loaded": 1500, "quarantined": 0, "duplicates": 14})
        self.assertEqual({k: silver["orders"][k] for k in ("source", "loaded", "quarantined", "duplicates")},
                         {"source": 9045, "loaded": 9000, "quarantined": 4, "duplicates": 41})
        self.assertEqual(self.one("SELECT count(*) FROM nuvyn_quarantine"), 4)
        self.assertEqual(self.one("SELECT count(*) FROM dim_customer WHERE customer_key < 0"), 2)
        self.assertEqual(self.one("SELECT CAST(sum(amount) AS STRING) FROM fact_payment"), self.payments())
        self.assertEqual(self.one("SELECT count(*) FROM fact_payment WHERE customer_key = -1"), 24)
        self.assertEqual(done["90_quality"]["fail"], 0)

    def payments(self):
        """The sum of all payments, computed without Spark: every payment once, decimal commas."""
        import csv
        from decimal import Decimal
        with open(os.path.join(DATA, "ecommerce", "payments.csv"), encoding="utf-8", newline="") as file:
            amounts = {r["payment_id"]: r["amount"] for r in csv.DictReader(file, delimiter=";")}
        return str(sum(Decimal(a.replace(".", "").replace(",", ".")) for a in amounts.values()))

    def test_2_the_same_input_again(self):
        before = self.content()
        for batch in ("day-1", "day-1-again"):
            done = self.project.run(batch)
            self.assertEqual({n: m["new_files"] for n, m in done["10_bronze"].items()}, {n: 0 for n in SOURCES})
            self.assertEqual(set(changed_rows(done).values()), {0}, changed_rows(done))
        for t in STAR:
            last = self.project.spark.sql(f"DESCRIBE HISTORY spark_catalog.shop.{t} LIMIT 1").first()
            self.assertEqual(last["operation"], "MERGE")
            for name in ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted"):
                self.assertEqual(last["operationMetrics"][name], "0", (t, name))
        self.assertEqual(self.content(), before)

    def test_3_second_day(self):
        keys = set(self.rows("SELECT customer_id, customer_key FROM dim_customer WHERE is_current AND customer_key >= 0"))
        land(os.path.join(DATA, "ecommerce-day2"), os.path.join(self.volume, "day2"))
        self.project.run("day-2")
        self.assertEqual(self.one("SELECT count(*) FROM dim_customer WHERE NOT is_current"), 45)
        self.assertEqual(self.one("SELECT count(*) FROM dim_customer WHERE is_current AND customer_key >= 0"), 1530)
        self.assertEqual(self.one("SELECT count(*) FROM bronze_customers WHERE _rescued_data LIKE '%preferred_language%'"), 75)
        self.assertEqual(self.one("SELECT count(*) FROM silver_orders"), 9152)
        self.assertTrue(keys <= set(self.rows("SELECT customer_id, customer_key FROM dim_customer")))
        overlaps = self.one("""SELECT count(*) FROM dim_customer_address a JOIN dim_customer_address b
            ON a.customer_id = b.customer_id AND a.address_key < b.address_key
            AND a.valid_from < coalesce(b.valid_to, DATE '9999-01-01') AND b.valid_from < coalesce(a.valid_to, DATE '9999-01-01')""")
        self.assertEqual(overlaps, 0)

    def test_4_rebuild_from_bronze(self):
        before = self.content()
        for name in [*STAR, *(f"silver_{s}" for s in SOURCES)]:
            self.project.spark.sql(f"DROP TABLE spark_catalog.shop.{name}")
        for batch in ("day-1", "day-1-again", "day-2"):
            self.project.run(batch)
        self.assertEqual(self.content(), before)

    def test_5_poisoned_batch(self):
        bronze = self.one("SELECT count(*) FROM bronze_payments")
        loaded = self.one("SELECT count(*) FROM silver_payments")
        os.makedirs(os.path.join(self.volume, "day3"))
        with open(os.path.join(self.volume, "day3", "payments.csv"), "w", encoding="utf-8") as file:
            file.write("payment_id;order_id;method;amount;paid_at;status\n"
                       "PAY9000001;500001;card;1.000,00;2026-01-02 10:00:00;settled\n"
                       "PAY9000002;500001;card;free;2026-01-02 10:00:00;settled\n"
                       "PAY9000003;500001;card;1,00;2026-02-30 10:00:00;settled\n"
                       "PAY9000004;500001;card\n")
        done = self.project.run("day-3")
        self.assertEqual(done["20_silver"]["payments"]["quarantined"], 3)
        self.assertEqual(self.one("SELECT count(*) FROM bronze_payments"), bronze + 4)
        self.assertEqual(self.one("SELECT count(*) FROM silver_payments"), loaded + 1)
        reasons = self.rows("SELECT _reasons[0] FROM nuvyn_quarantine WHERE source = 'payments' ORDER BY record")
        self.assertEqual(sorted(r[0] for r in reasons), ["amount: not DECIMAL(12,2): free",
                                                         "paid_at: not TIMESTAMP: 2026-02-30 10:00:00",
                                                         "the line has too few or too many fields"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
