"""A batch computes what it changes and nothing else, and what comes out is what a whole load makes of the same files."""

import os
import unittest

from emitted import changed_rows
from history_mapping import SOURCES, TARGETS
from shop import Shop

STAR = ("dim_date", "dim_customer", "dim_product", "fact_payment")


class Increments(Shop):
    SCHEMA, STAR = "increments", STAR
    SOURCES = [s for s in SOURCES if s["name"] in ("customers", "products", "payments")]
    TARGETS = [t for t in TARGETS if t["name"] in STAR]
    COMPARED = ("silver_customers", *STAR)

    def versions(self):
        return {t: self.spark.sql(f"DESCRIBE HISTORY spark_catalog.{self.SCHEMA}.{t} LIMIT 1").first()["version"]
                for t in (*STAR, *(s["silver_name"] for s in self.SOURCES))}

    def counts(self, done, source):
        return tuple(done["20_silver"][source][c] for c in ("source", "loaded", "quarantined", "duplicates", "dropped", "deleting"))

    def test_1_first_day(self):
        done = self.arrive(
            "day-1",
            self.customers("day-1", "1,2025-01-01,Ann,gold,ann@x", "2,2025-01-05,Bob,silver,bob@x"),
            self.products("day-1", (1, "Tea", 2.5), (2, "Cup", 7)),
            self.payments("day-1", "1,2025-02-01,1,1,2.50,", "2,2025-02-01,2,2,14.00,", "2,2025-02-01,2,2,14.00,",
                          "3,2025-02-20,7,2,1.00,", "4,2025-02-21,,1,some,", "5,2025-02-22,1,2,7.00,"))
        self.assertEqual(self.counts(done, "payments"), (6, 4, 1, 1, 0, 0))

    def test_2_nothing_new_touches_no_table(self):
        before = self.versions()
        done = self.project.run("day-2")
        self.oracle.arrives("day-2", [])
        self.assertEqual(set(changed_rows(done).values()), {0})
        self.assertEqual(self.versions(), before)
        self.assertEqual(self.counts(done, "payments"), (6, 4, 1, 1, 0, 0))
        self.assertEqual(done["40_fact_payment"]["fact_payment"]["rows"], 4)
        self.agree()

    def test_3_corrections_and_deletes(self):
        """Payment 2 is corrected and 5 deleted; no dimension changes, and the others are not looked at."""
        before = self.versions()
        done = self.arrive("day-3", self.payments("day-3", "2,2025-02-02,2,1,13.00,", "5,,,,,D", "6,2028-02-22,1,2,7.00,",
                                                  "7,2025-02-22,1,2,many,"))
        fact = done["40_fact_payment"]["fact_payment"]
        self.assertEqual((fact["inserted"], fact["updated"], fact["deleted"], fact["rows"]), (1, 1, 1, 4))
        self.assertEqual(self.counts(done, "payments"), (10, 5, 2, 2, 0, 1))
        self.assertIn("amount: parses: broken by 1 of 4 rows", done["20_silver"]["payments"]["notes"])
        changed = {t for t, version in self.versions().items() if version != before[t]}
        self.assertEqual(changed, {"silver_payments", "fact_payment", "dim_date"})

    def test_4_members_that_change_take_their_facts_along(self):
        """No payment comes; customer 7 arrives late, customer 1 was silver for a week, product 2 has a new price."""
        self.arrive("day-4", self.customers("day-4", "7,2025-01-09,Gry,gold,gry@x", "1,2025-01-30,Ann,silver,ann@x",
                                            "1,2025-02-06,Ann,gold,ann@x"),
                    self.products("day-4", (1, "Tea", 2.5), (2, "Cup", 8)))

    def test_5_the_same_batch_again(self):
        before = self.keys()
        self.assertEqual(set(changed_rows(self.project.run("day-4")).values()), {0})
        self.assertEqual(self.keys(), before)

    def test_6_an_older_batch_with_a_late_file(self):
        """The batch of day 3 is run again after day 4, and finds a file that it had not seen."""
        path = os.path.join(self.volume, "day-3", "payments-late.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("payment_id,paid_on,customer_id,product_id,amount,op\n8,2025-02-03,1,1,3.00,\n")
        done = self.project.run("day-3")
        self.assertEqual(done["40_fact_payment"]["fact_payment"]["inserted"], 1)
        self.assertEqual(self.one("SELECT count(*) FROM fact_payment WHERE payment_id = 8 AND customer_key > 0"), 1)

    def test_7_everything_changes_nothing(self):
        """What increments made of the tables is what a whole load makes of them."""
        done = self.project.run("day-5", load="everything")
        self.assertEqual(set(changed_rows(done).values()), {0}, changed_rows(done))


if __name__ == "__main__":
    unittest.main(verbosity=2)
