"""The generated project as a team would take it over: it compiles, the linters and its own tests pass, and the asset bundle
is one that the vendor's own model of jobs accepts (databricks-bundles refuses unknown fields and wrong types)."""

import glob
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import unittest

from emitted import write_project
from history_mapping import SOURCES, TARGETS

TOOLS = os.environ["PIPELINE_TOOLS"]  # a venv with requirements.txt


class Emitted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="nuvyn-emitted-")
        # Python cannot write zstd, which the project's own tests need for the events: plain text stands in for it.
        sources = [{**s, "file_pattern": s["file_pattern"].removesuffix(".zst"), "dialect": {**s["dialect"], "compression": ""}}
                   if s["name"] == "events" else s for s in SOURCES]
        cls.project = write_project(cls.folder, "handed_over", sources, TARGETS)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def test_compiles(self):
        files = glob.glob(os.path.join(self.project, "**", "*.py"), recursive=True)
        self.assertGreater(len(files), 20)
        for path in files:
            py_compile.compile(path, cfile=os.path.join(self.folder, "compiled"), doraise=True)

    def test_ruff(self):
        done = subprocess.run([os.path.join(TOOLS, "bin", "ruff"), "check", "--no-cache", "."], cwd=self.project,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_bundle(self):
        with open(os.path.join(self.project, "databricks.yml"), encoding="utf-8") as file:
            bundle = json.load(file)
        self.assertEqual(set(bundle), {"bundle", "variables", "targets", "resources"})
        self.assertEqual({name: target["mode"] for name, target in bundle["targets"].items()},
                         {"dev": "development", "prod": "production"})
        program = ("import json, sys; from databricks.bundles.jobs import Job\n"
                   "for job in json.load(sys.stdin).values(): assert job.keys() == Job.from_dict(job).as_dict().keys()")
        done = subprocess.run([os.path.join(TOOLS, "bin", "python"), "-c", program], capture_output=True, text=True,
                              input=json.dumps(bundle["resources"]["jobs"]))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_its_own_tests(self):
        """pytest stands in the tools' venv, Spark in the product's: the project's tests need both."""
        packages = glob.glob(os.path.join(TOOLS, "lib", "python3*", "site-packages"))
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp",
                               os.path.join(self.folder, "tmp")], cwd=self.project, capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": packages[0]})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("skipped", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
