"""A few generated source systems through their generated projects: after each batch every table must hold, row by row, what the
reference holds, and a batch that a rule must stop stops for that reason. PROPERTY_EXPORT writes a case (files of two days, mapping,
expected checksums), PIPELINE_GENERATE its project."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from local_spark import Project, start_spark


class Sample(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="nuvyn-sample-")
        cls.spark = start_spark(cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.spark.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def export(self, seed):
        folder = os.path.join(self.folder, f"seed-{seed}")
        subprocess.run([os.environ["PROPERTY_EXPORT"], seed, folder], check=True)
        subprocess.run([os.environ["PIPELINE_GENERATE"], f"{folder}/sttm.json", f"{folder}/project"], check=True)
        with open(f"{folder}/expected.json", encoding="utf-8") as file:
            return folder, json.load(file)

    def agree(self, project, seed, expected):
        for table in expected["tables"]:
            found = project.rows(table["sql"])[0][0]
            self.assertEqual(found, table["holds"], f"seed {seed}, {expected['batch']}: {table['name']} by {table['sql']}")

    def ask_as_the_tester(self, project, seed, expected):
        """The Tester's own statements, as it sends them to a warehouse."""
        for group in expected.get("groups", []):
            answers = project.rows(group["sql"])[0]
            for check, answer in zip(group["checks"], answers, strict=True):
                given, wanted = None if answer is None else str(answer), check["expected"]
                if check["about"]:
                    self.assertAlmostEqual(float(given), float(wanted), delta=1e-9 * max(1, abs(float(wanted))))
                elif not check["warns"]:
                    self.assertEqual(given, wanted, f"seed {seed}: {check['name']}")

    def test_projects_hold_what_the_reference_holds(self):
        for seed in os.environ["PROPERTY_SEEDS"].split():
            with self.subTest(seed=seed):
                folder, batches = self.export(seed)
                volume = os.path.join(folder, "volume")
                project = Project(self.spark, f"{folder}/project", f"seed_{seed}", volume)
                for expected in batches:
                    if os.path.isdir(f"{folder}/{expected['batch']}"):
                        shutil.copytree(f"{folder}/{expected['batch']}", f"{volume}/{expected['batch']}")
                    if "stops" in expected:
                        self.assertRaisesRegex(RuntimeError, re.escape(expected["stops"]), project.run, expected["batch"])
                        break
                    project.run(expected["batch"])
                    self.agree(project, seed, expected)
                    self.ask_as_the_tester(project, seed, expected)
                print(f"seed {seed}: {len(batches)} batches agree", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
