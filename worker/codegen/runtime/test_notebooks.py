"""The project as text: every notebook compiles, knows every name that it uses, and is where the job looks for it."""

import json
import pathlib

import pytest
from local_spark import cells

ROOT = pathlib.Path(__file__).resolve().parent.parent
STEPS = sorted(p for p in (ROOT / "notebooks").glob("*.py") if p.name[0].isdigit())


@pytest.mark.parametrize("path", STEPS, ids=lambda p: p.stem)
def test_names(path):
    """A notebook and what it pulls in are one program: nothing in it is undefined, and nothing is defined twice."""
    api, messages = pytest.importorskip("pyflakes.api"), pytest.importorskip("pyflakes.messages")
    found = []

    class Reporter:
        def unexpectedError(self, filename, message):
            found.append(message)

        def syntaxError(self, filename, message, lineno, offset, text):
            found.append(f"{message}: {text}")

        def flake(self, message):
            workspace = isinstance(message, messages.UndefinedName) and message.message_args[0] in ("spark", "dbutils")
            if not workspace and not isinstance(message, (messages.UnusedImport, messages.RedefinedWhileUnused)):
                found.append(str(message))

    api.check("\n".join(text for _, text in cells(str(path))), path.name, Reporter())
    assert found == []


def test_job_and_bundle():
    job = json.loads((ROOT / "job.json").read_text(encoding="utf-8"))
    keys = [t["task_key"] for t in job["tasks"]]
    for number, task in enumerate(job["tasks"]):
        assert (ROOT / (task["notebook_task"]["notebook_path"] + ".py")).is_file()
        assert all(d["task_key"] in keys[:number] for d in task["depends_on"]), task["task_key"]
    bundle = json.loads((ROOT / "databricks.yml").read_text(encoding="utf-8"))  # YAML 1.2 takes JSON as it is
    for resource in bundle["resources"]["jobs"].values():
        for task in resource["tasks"]:
            assert (ROOT / task["notebook_task"]["notebook_path"]).is_file()
