"""Members that come, end and return in histories that the data date, and numbers that grow: worked out by hand, batch by batch. What
a batch computes of a history are the members that it touches."""

import unittest
from decimal import Decimal

from ecommerce_sttm import DAY, INTEGER, TEXT, Table, source
from emitted import changed_rows
from shop import Shop

MARKED = {"deletes": "DELETE_MODE_MARKER", "delete_column": "op", "delete_values": ["D"]}
SOURCES = [
    source("addresses", dict(customer_id=INTEGER, valid_from=DAY, city=TEXT, op=TEXT), ["customer_id", "valid_from"],
           pattern="addresses*.csv", policy=MARKED),
    source("accounts", dict(account_id=INTEGER, changed_on=DAY, plan=TEXT, op=TEXT), ["account_id"], pattern="accounts*.csv",
           policy=MARKED),
    source("readings", dict(reading_id=INTEGER, customer_id=INTEGER, read_on=DAY, units=INTEGER, amount=("10.2", {})),
           ["reading_id"], pattern="readings*.csv", policy={"changed_types": "DRIFT_ACTION_WIDEN"}),
]
TARGETS = []


def table(*args, **more):
    return Table(*args, targets=TARGETS, sources=SOURCES, **more)


address = table("dim_address", "DIMENSION", "SCD2", "addresses", grain=["customer_id"], effective_from="valid_from")
address.add("address_key", "i", "SURROGATE", key="SURROGATE").copy("d.customer_id", key="BUSINESS").copy("d.city", scd=2)
address.add("valid_from", "d", "SCD_FROM").add("valid_to", "d", "SCD_TO").add("is_current", "b", "SCD_CURRENT")

account = table("dim_account", "DIMENSION", "SCD2", "accounts", grain=["account_id"], effective_from="changed_on")
account.add("account_key", "i", "SURROGATE", key="SURROGATE").copy("d.account_id", key="BUSINESS").copy("d.plan", scd=2)
account.add("valid_from", "d", "SCD_FROM").add("valid_to", "d", "SCD_TO").add("is_current", "b", "SCD_CURRENT")

reading = table("fact_reading", "FACT", "MERGE", "readings", grain=["reading_id"], depends_on=["dim_address"])
reading.copy("d.reading_id", key="DEGENERATE")
reading.add("address_key", "i", "LOOKUP", "d.customer_id", dimension="dim_address", as_of="d.read_on", key="FOREIGN")
reading.copy("d.units", measure=True).copy("d.amount", measure=True)


class Members(Shop):
    SCHEMA, SOURCES, TARGETS, STAR = "members", SOURCES, TARGETS, ("dim_address", "dim_account", "fact_reading")
    BATCH = "its batch"  # where nothing but the batch dates an end

    def brings(self, batch, addresses=(), accounts=(), readings=()):
        if addresses:
            self.lines("addresses", batch, "customer_id,valid_from,city,op", addresses)
        if accounts:
            self.lines("accounts", batch, "account_id,changed_on,plan,op", accounts)
        if readings:
            self.lines("readings", batch, "reading_id,customer_id,read_on,units,amount", readings)
        return self.project.run(batch)

    def versions(self, name, key, attribute):
        """{member: [(attribute, from, to)]}, of dates in 2025 month and day."""
        today = self.one("SELECT max(CAST(CAST(batch_time AS DATE) AS STRING)) FROM nuvyn_batch")[:7]
        def day(date):
            return None if date is None else self.BATCH if date[:7] == today else date[5:]
        found = {}
        for member, value, start, end, current in self.project.rows(
                f"SELECT {key}, {attribute}, CAST(valid_from AS STRING), CAST(valid_to AS STRING), is_current FROM {name} "
                f"WHERE {key} IS NOT NULL ORDER BY {key}, valid_from"):
            self.assertEqual(current, end is None)
            found.setdefault(member, []).append((value, day(start), day(end)))
        return found

    def holds(self, addresses, accounts, readings):
        self.assertEqual(self.versions("dim_address", "customer_id", "city"), addresses)
        self.assertEqual(self.versions("dim_account", "account_id", "plan"), accounts)
        self.assertEqual(self.project.rows("SELECT reading_id, city, units, amount FROM fact_reading JOIN dim_address USING (address_key)"
                                           " ORDER BY reading_id"),
                         [(id, city, units if isinstance(units, int) else Decimal(units), Decimal(amount))
                          for id, city, units, amount in readings])

    def merged(self, name):
        """How many rows the last MERGE into the table was given."""
        return int(self.spark.sql(f"DESCRIBE HISTORY spark_catalog.members.{name} LIMIT 1").first()["operationMetrics"]["numSourceRows"])

    def test_1_first_day(self):
        self.brings("day-1", ["1,2025-01-01,Oslo,", "2,2025-01-01,Bergen,", "3,2025-01-01,Narvik,"],
                    ["10,2025-01-01,free,", "11,2025-01-01,free,", "12,2025-01-01,free,"],
                    ["1,1,2025-02-15,1,1.50", "2,2,2025-02-15,7,2.25"])
        self.holds({1: [("Oslo", "01-01", None)], 2: [("Bergen", "01-01", None)], 3: [("Narvik", "01-01", None)]},
                   {10: [("free", "01-01", None)], 11: [("free", "01-01", None)], 12: [("free", "01-01", None)]},
                   [(1, "Oslo", 1, "1.50"), (2, "Bergen", 7, "2.25")])

    def test_2_members_end(self):
        """With a date of their own, as customer 1 and account 10; with that of the version or with none, and the batch dates them.
        Whole numbers become decimals and numbers beyond 64 bits, decimals get more digits on both sides."""
        self.brings("day-2", ["1,2025-03-01,Bodo,", "1,2025-05-01,,D", "2,2025-01-01,Bergen,D", "3,,,D"],
                    ["10,2025-04-01,,D", "11,2025-01-01,free,D", "12,,,D"],
                    ["3,1,2025-04-01,2.5,1.2345", "4,1,2025-05-20,9223372036854775808,123456789012.5"])
        self.holds({1: [("Oslo", "01-01", "03-01"), ("Bodo", "03-01", "05-01")], 2: [("Bergen", "01-01", self.BATCH)],
                    3: [("Narvik", "01-01", self.BATCH)]},
                   {10: [("free", "01-01", "04-01")], 11: [("free", "01-01", self.BATCH)], 12: [("free", "01-01", self.BATCH)]},
                   [(1, "Oslo", "1", "1.50"), (2, "Bergen", "7", "2.25"), (3, "Bodo", "2.5", "1.2345"),
                    (4, "Bodo", "9223372036854775808", "123456789012.5")])
        self.assertEqual(self.project.rows("SELECT typeof(units), typeof(amount) FROM fact_reading LIMIT 1"),
                         [("decimal(38,1)", "decimal(38,4)")])

    def test_3_members_return(self):
        """Later than their end, with the row that they had, or with one that lies before their end. A late version of customer 1
        lies between two others and takes a fact along. Customer 3 is touched by nothing."""
        self.brings("day-3", ["1,2025-06-01,Tromso,", "1,2025-02-01,Moss,", "2,2025-01-01,Bergen,", "4,2025-01-01,Alta,"],
                    ["10,2025-07-01,pro,", "11,2025-01-01,free,", "12,2025-02-01,pro,"])
        self.holds({1: [("Oslo", "01-01", "02-01"), ("Moss", "02-01", "03-01"), ("Bodo", "03-01", "05-01"), ("Tromso", "06-01", None)],
                    2: [("Bergen", "01-01", None)], 3: [("Narvik", "01-01", self.BATCH)], 4: [("Alta", "01-01", None)]},
                   {10: [("free", "01-01", "04-01"), ("pro", "07-01", None)], 11: [("free", "01-01", None)],
                    12: [("free", "01-01", "02-01"), ("pro", "02-01", None)]},
                   [(1, "Moss", "1", "1.50"), (2, "Bergen", "7", "2.25"), (3, "Bodo", "2.5", "1.2345"),
                    (4, "Bodo", "9223372036854775808", "123456789012.5")])
        self.assertEqual(self.merged("dim_address"), 6)

    def test_4_several_markers(self):
        """The first one after a version ends it. No account comes, and a reading with another digit."""
        before = self.keys()["dim_account"]
        self.brings("day-4", ["1,2025-07-01,,D", "1,2025-06-15,,D"], readings=["5,4,2025-07-01,1.25,0.5"])
        self.holds({1: [("Oslo", "01-01", "02-01"), ("Moss", "02-01", "03-01"), ("Bodo", "03-01", "05-01"), ("Tromso", "06-01", "06-15")],
                    2: [("Bergen", "01-01", None)], 3: [("Narvik", "01-01", self.BATCH)], 4: [("Alta", "01-01", None)]},
                   {10: [("free", "01-01", "04-01"), ("pro", "07-01", None)], 11: [("free", "01-01", None)],
                    12: [("free", "01-01", "02-01"), ("pro", "02-01", None)]},
                   [(1, "Moss", "1", "1.50"), (2, "Bergen", "7", "2.25"), (3, "Bodo", "2.5", "1.2345"),
                    (4, "Bodo", "9223372036854775808", "123456789012.5"), (5, "Alta", "1.25", "0.5")])
        self.assertEqual(self.merged("dim_address"), 4)
        self.assertEqual(self.keys()["dim_account"], before)

    def test_5_everything_changes_nothing(self):
        """What increments made of the tables is what a whole load makes of them."""
        before = self.keys()
        self.assertEqual(set(changed_rows(self.project.run("day-5", load="everything")).values()), {0})
        self.assertEqual(self.keys(), before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
