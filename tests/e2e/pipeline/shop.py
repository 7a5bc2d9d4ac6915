"""A small shop whose files arrive day by day, on a plain local Spark, and the oracle that replays them."""

import gzip
import json
import os
import shutil
import tempfile
import time
import unittest

from duck import Duck
from emitted import write_project
from local_spark import Project, start_spark
from oracle import ACTUAL, Oracle, actual

SALES = "sale_id,sold_on,customer_id,product_id,store_id,quantity,amount,status"
CUSTOMERS = "customer_id,changed_on,name,tier,email"


class Shop(unittest.TestCase):
    """What tests over several days share. They build on each other, in the order of their names."""

    SCHEMA, SOURCES, TARGETS, STAR, COMPARED = "", (), (), (), tuple(ACTUAL)

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix=f"nuvyn-{cls.SCHEMA}-")
        cls.spark = start_spark(cls.folder)
        cls.volume = os.path.join(cls.folder, "raw")
        cls.project_folder = write_project(cls.folder, cls.SCHEMA, cls.SOURCES, cls.TARGETS)
        cls.project = Project(cls.spark, cls.project_folder, cls.SCHEMA, cls.volume)
        cls.oracle, cls.duck = Oracle(), Duck()

    @classmethod
    def tearDownClass(cls):
        cls.spark.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    # ---- raw files

    def place(self, batch, name):
        os.makedirs(os.path.join(self.volume, batch), exist_ok=True)
        return os.path.join(self.volume, batch, name)

    def lines(self, source, batch, header, lines):
        path = self.place(batch, f"{source}.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([header, *lines, ""]))
        return source, path, f"{batch}/{source}.csv"

    def customers(self, batch, *lines, header=CUSTOMERS):
        return self.lines("customers", batch, header, lines)

    def payments(self, batch, *lines):
        return self.lines("payments", batch, "payment_id,paid_on,customer_id,product_id,amount,op", lines)

    def sales(self, batch, *lines, header=SALES):
        path = self.place(batch, "sales.csv.gz")
        with gzip.GzipFile(path, "wb", mtime=0) as file:
            file.write("\n".join([header, *lines, ""]).encode())
        return "sales", path, f"{batch}/sales.csv.gz"

    def products(self, batch, *rows):
        path = self.place(batch, "products.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            for product_id, title, price in rows:
                file.write(json.dumps({"product_id": product_id, "title": title, "price": price}) + "\n")
        return "products", path, f"{batch}/products.jsonl"

    def stores(self, batch, *rows):
        path = self.place(batch, "stores.parquet")
        values = ", ".join(str(row) for row in rows)
        self.duck.rows(f"COPY (SELECT * FROM (VALUES {values}) t(store_id, city, op)) TO '{path}' (FORMAT parquet)")
        return "stores", path, f"{batch}/stores.parquet"

    def events(self, batch, *rows):
        path = self.place(batch, "events.csv.zst")
        values = ", ".join(str(row) for row in rows)
        self.duck.rows(f"COPY (SELECT * FROM (VALUES {values}) t(happened_at, kind)) TO '{path}' (FORMAT csv, COMPRESSION zstd)")
        return "events", path, f"{batch}/events.csv.zst"

    # ---- running and judging

    def run_batch(self, batch, **parameters):
        """Runs the job, and says how long it took and what took longest."""
        took, began = {}, time.monotonic()
        try:
            return self.project.run(batch, took.__setitem__, **parameters)
        finally:
            longest = sorted(took, key=took.get, reverse=True)[:3]
            print(f"{batch}: {time.monotonic() - began:.0f} s ({', '.join(f'{key} {took[key]:.0f}' for key in longest)})", flush=True)

    def arrive(self, batch, *files):
        done = self.run_batch(batch)
        self.oracle.arrives(batch, files)
        self.agree()
        return done

    def agree(self):
        for name in self.COMPARED:
            with self.subTest(table=name):
                self.assertEqual(actual(self.project, name), self.oracle.expected(name))

    def one(self, sql):
        return self.project.rows(sql)[0][0]

    def keys(self):
        return {t: sorted(self.project.rows(f"SELECT to_json(struct(*)) FROM {t}")) for t in self.STAR}
