"""The agents with a model that helps, misleads or misbehaves: `nuvyn-worker analyze` against the server beside this file.

Whatever the model does, the run succeeds on what the data proves; what it got wrong goes back to it; and the ending says what was
asked.
"""

import json
import os
import re
import subprocess
import tempfile
import unittest

from fake_llm import FakeLlm

WORKER = os.environ["NUVYN_WORKER"]
SERVER = FakeLlm()

CUSTOMERS = "customer_id,name,city\n" + "".join(f"{i},Name {i},City {i % 7}\n" for i in range(1, 101))
ORDERS = "order_id,customer_id,ordered,amount\n" + "".join(
    f"{1000 + i},{i % 100 + 1},2024-03-{i % 28 + 1:02d},{i * 1.25 + 3:.2f}\n" for i in range(400))


def analyze(model, *options):
    SERVER.reset()
    environment = {"PATH": os.environ["PATH"], "NUVYN_LLM_BASE_URL": SERVER.url + "/v1", "NUVYN_LLM_MODEL": model}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("customers.csv", CUSTOMERS), ("orders.csv", ORDERS)):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        done = subprocess.run([WORKER, "analyze", "--source-dir", folder, "--name", "shop", *options], env=environment,
                              capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ending(text):
    found = re.search(r"(\d+) model calls, (\d+) tokens", text)
    return found and (int(found.group(1)), int(found.group(2)))


class Analyst(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.alone = json.loads(analyze("good", "--no-llm", "--format", "keys"))

    def test_the_evidence_alone_suffices(self):
        self.assertEqual(self.alone["primary_keys"], {"customers": ["customer_id"], "orders": ["order_id"]})
        self.assertIn("no language model took part", analyze("good", "--no-llm"))
        self.assertEqual(SERVER.requests, [])

    def test_what_the_data_contradicts_goes_back(self):
        text = analyze("good")
        self.assertIn("nothing it said was taken", text)
        said = [r["messages"][-1]["content"] for _, _, r in SERVER.requests]
        repairs = [s for s in said if "there is no table" in s]
        self.assertTrue(repairs, said)
        self.assertIn('there is no table "x"', repairs[0])
        calls, tokens = ending(text)
        self.assertEqual(calls, len(SERVER.requests))
        self.assertEqual(tokens, 12 * calls)  # what the server counts per answer

    def test_ids_that_were_not_shown_go_back(self):
        analyze("wrong-facts")
        said = "".join(r["messages"][-1]["content"] for _, _, r in SERVER.requests)
        self.assertIn('"J99" is not one of the ids shown', said)

    def test_no_misbehaviour_changes_what_the_data_proves(self):
        for model in ("good", "wrong-facts", "never-valid", "huge-numbers", "bad-key", "too-long", "truncate", "error-in-stream",
                      "nonsense", "no-schema"):
            with self.subTest(model=model):
                self.assertEqual(json.loads(analyze(model, "--format", "keys")), self.alone)
                self.assertTrue(SERVER.requests)

    def test_a_model_that_never_helped_is_not_credited(self):
        self.assertIn("nothing it said was taken", analyze("never-valid"))

    def test_relations_and_meaning_are_asked_apart(self):
        analyze("learns")
        system = [next(m["content"] for m in r["messages"] if m["role"] == "system") for _, _, r in SERVER.requests]
        self.assertIn("You review how raw tables relate", system[0])
        self.assertIn("You say what raw tables mean", system[-1])
        self.assertNotIn("Checked against the data", SERVER.requests[0][2]["messages"][-1]["content"])
        self.assertIn("Checked against the data, these items", SERVER.requests[1][2]["messages"][-1]["content"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
