"""Analyst and Developer ask a model in a real stack (control plane, worker, mTLS, sealed credential): what they ask, what comes
of wrong answers, what a person sees of it, and that the key stays where it was put.

The tenant has no workspace, so the run ends at deploy: all that concerns the model is before it.
"""

import glob
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from fake_llm import FakeLlm
from test_agents import CUSTOMERS, ORDERS

BUILD = os.environ["NUVYN_BUILD"]
KEY = "sk-this-key-must-stay-sealed-7f3a91"
SERVER = FakeLlm()


class Stack:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="nuvyn-e2e-llm-")
        self.state = self.folder.name + "/state"
        self.processes = []
        os.makedirs(self.state + "/controlplane")
        self.ctl("certs", "init")
        for identity in (["controlplane", "--dns", "localhost", "--ip", "127.0.0.1"], ["pool/default/worker/worker-1"],
                         ["operator/local", "--file", "operator"]):
            self.ctl("certs", "issue", *identity)
        plane = self.state + "/controlplane"
        home = os.environ.get("NUVYN_HOME", os.path.expanduser("~/.cache/nuvyn"))
        self.start("controlplane", "--state-dir", plane, "--listen", "127.0.0.1:0", "--vector-extension", home + "/sqlite-vec/vec0.so")
        for _ in range(200):
            if os.path.exists(plane + "/address") and self.ctl("health", check=False).returncode == 0:
                break
            time.sleep(0.05)
        with open(plane + "/address") as file:
            self.start("worker", "--address", file.read().strip(), certificate="worker-1")

    def start(self, program, *options, certificate=None):
        certs, log = self.state + "/certs/", open(f"{self.folder.name}/{program}.log", "wb")
        self.processes.append(subprocess.Popen(
            [f"{BUILD}/bin/nuvyn-{program}", *options, "--ca", certs + "ca.crt", "--cert", f"{certs}{certificate or program}.crt",
             "--key", f"{certs}{certificate or program}.key", "--log-format", "json", "--log-level", "debug"],
            stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}))

    def ctl(self, *words, check=True, **environment):
        done = subprocess.run([f"{BUILD}/bin/nuvynctl", *words, "--state-dir", self.state], capture_output=True, text=True,
                              timeout=120, env={"PATH": os.environ["PATH"], "NUVYN_TENANT": "shop", **environment})
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(30)
        self.folder.cleanup()


class AgentsAskInAStack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.source = cls.stack.folder.name + "/source"
        os.makedirs(cls.source)
        for name, text in (("customers.csv", CUSTOMERS), ("orders.csv", ORDERS)):
            with open(f"{cls.source}/{name}", "w") as file:
                file.write(text)
        cls.stack.ctl("tenant", "create", "shop")

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def run_with(self, model):
        """A run's text for people, its events, and the folder of its artifacts."""
        SERVER.reset()
        self.stack.ctl("tenant", "set-credential", "shop", "--llm-shared-pools", NUVYN_LLM_BASE_URL=SERVER.url + "/v1", NUVYN_LLM_MODEL=model,
                       NUVYN_LLM_API_KEY=KEY, NUVYN_LLM_SHARED_POOLS="true")
        run = self.stack.ctl("run", "submit", "--source", self.source, "--no-knowledge").stdout.strip()
        text = self.stack.ctl("run", "watch", run, check=False)
        events = self.stack.ctl("run", "watch", run, "-o", "json", check=False).stdout
        folder = f"{self.stack.folder.name}/output-{model}"
        self.stack.ctl("run", "fetch", run, "--to", folder)
        self.assertEqual(text.returncode, 1)
        self.assertIn("deploy: the tenant's workspace credential", text.stdout)
        return text.stdout, events, folder

    def notebooks(self, folder):
        return "".join(pathlib.Path(path).read_text() for path in sorted(glob.glob(folder + "/project/notebooks/*.py")))

    def assert_key_is_nowhere(self, *texts):
        for text in texts:
            self.assertNotIn(KEY, text)
        files = [path for path in glob.glob(self.stack.folder.name + "/**", recursive=True) if os.path.isfile(path)]
        self.assertTrue(any(path.endswith(".log") and os.path.getsize(path) for path in files))
        self.assertTrue(any("/controlplane/" in path for path in files))
        for path in files:
            with open(path, "rb") as file:
                self.assertNotIn(KEY.encode(), file.read(), path)

    def test_a_model_that_learns(self):
        text, events, folder = self.run_with("learns")
        names = [r["response_format"]["json_schema"]["name"] for _, _, r in SERVER.requests]
        self.assertEqual(names, ["design_proposal"] * 4 + ["description_proposal"] * 2)  # asked and mended: relate, design, generate
        for repair, reason in zip(SERVER.requests[1::2], ('there is no table "x"', 'there is no table "x"',
                                                          'there is no target "dim_invented"')):
            self.assertIn(reason, repair[2]["messages"][-1]["content"])
        self.assertIn("Told by the model of dim_customer", self.notebooks(folder))
        self.assertNotIn("dim_invented", self.notebooks(folder))
        self.assertIn('{"targets": [{"target": "dim_invented"', text)  # the answer as it streamed
        self.assertIn('"kind":"token"', events)
        self.assertIn("the data contradicts the answer: ", text)
        self.assertIn('there is no target "dim_invented"', text)
        self.assertTrue(all(headers["Authorization"] == "Bearer " + KEY for _, headers, _ in SERVER.requests))
        self.assertFalse(any(KEY in json.dumps(body) for _, _, body in SERVER.requests))
        self.assert_key_is_nowhere(text, events)

    def test_models_that_do_not_help(self):
        for model, said in (("bad-key", "Incorrect API key"), ("never-valid", "no usable answer"), ("too-long", "maximum context length")):
            with self.subTest(model=model):
                text, events, folder = self.run_with(model)
                self.assertIn("on evidence alone: the language model did not help", text)
                self.assertIn(said, text)
                self.assertIn("described from the mapping alone", text)
                self.assertRegex(text, "no language model took part|nothing it said was taken|no answer that could be read")
                self.assertNotIn("Told by the model", self.notebooks(folder))
                self.assert_key_is_nowhere(text, events)


if __name__ == "__main__":
    unittest.main(verbosity=2)
