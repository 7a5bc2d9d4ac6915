"""The agents against the local workspace: deploy, run and prove the sample data; the same task again; tables that somebody
tampered with. Run by run.sh."""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "workspace")]
from server import Server  # noqa: E402

TARGETS = {"dim_date", "dim_customer", "fact_payment"}
SOURCES = {"customers", "orders", "payments"}


class Agents(unittest.TestCase):
    """The tests build on each other, in the order of their names."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.start().wait_for_spark()
        cls.token = cls.get_token()
        cls.mapping = pathlib.Path(cls.server.state) / "mapping.json"
        full = json.loads(subprocess.run([sys.executable, HERE.parent / "ecommerce_sttm.py"], check=True,
                                         capture_output=True).stdout)
        full["sources"] = [s for s in full["sources"] if s["name"] in SOURCES]
        full["targets"] = [t for t in full["targets"] if t["name"] in TARGETS]
        cls.mapping.write_text(json.dumps(full), encoding="utf-8")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    @classmethod
    def call(cls, path, data, headers):
        request = urllib.request.Request(cls.server.url + path, data=data, headers=headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    @classmethod
    def get_token(cls):
        login = base64.b64encode(f"nuvyn:{cls.server.secret}".encode()).decode()
        return cls.call("/oidc/v1/token", b"grant_type=client_credentials&scope=all-apis",
                        {"Authorization": f"Basic {login}", "Content-Type": "application/x-www-form-urlencoded"})["access_token"]

    def sql(self, statement):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.server.url + "/api/2.0/sql/warehouses", headers=headers)
        with urllib.request.urlopen(request) as answer:
            warehouse = json.load(answer)["warehouses"][0]["id"]
        body = json.dumps({"warehouse_id": warehouse, "statement": statement, "wait_timeout": "50s"}).encode()
        answer = self.call("/api/2.0/sql/statements", body, headers)
        self.assertEqual(answer["status"]["state"], "SUCCEEDED", answer)

    def run_agents(self, run_id):
        done = subprocess.run([os.environ["PIPELINE_AGENTS"], self.server.url, self.token, self.mapping, run_id],
                              capture_output=True, text=True)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode, done.stdout

    def test_1_deploys_runs_and_proves(self):
        status, text = self.run_agents("run-1")
        self.assertEqual(status, 0, text)
        self.assertIn("validate: pass", text)
        self.assertIn("0 failed, 0 errors", text)
        self.assertIn("silver_orders rows=9000 source=9045 quarantined=4 duplicates=41", text)

    def test_2_the_same_task_is_the_same_run(self):
        status, text = self.run_agents("run-1")
        self.assertEqual(status, 0, text)
        self.assertIn("0 files sent (4 unchanged)", text)
        self.assertIn("reset", text)

    def test_3_finds_what_is_wrong(self):
        self.sql("UPDATE main.ecommerce.fact_payment SET amount = amount + 0.01 WHERE payment_id = 'PAY0000007'")
        status, text = self.run_agents("run-1")
        self.assertEqual(status, 1, text)
        self.assertIn("reconcile_sum of fact_payment.amount", text)
        self.assertIn("validate: fail generate", text)

    def test_4_a_wrong_reference_too(self):
        self.sql("UPDATE main.ecommerce.fact_payment SET amount = amount - 0.01 WHERE payment_id = 'PAY0000007'")
        self.sql("UPDATE main.ecommerce.fact_payment SET customer_key = "
                 "(SELECT max(customer_key) FROM main.ecommerce.dim_customer) WHERE payment_id = 'PAY0000008'")
        status, text = self.run_agents("run-1")
        self.assertEqual(status, 1, text)
        self.assertIn("reconcile_reference of fact_payment.customer_key", text)
        self.assertNotIn("reconcile_sum", text)

    def test_5_the_next_run_mends_it(self):
        status, text = self.run_agents("run-2")
        self.assertEqual(status, 0, text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
