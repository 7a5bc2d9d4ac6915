"""Every notebook that is generated must compile, also from a mapping full of hostile names and texts, and such texts must
come out as data: check_python.py PIPELINE_GENERATE MAPPING.json"""

import ast
import json
import pathlib
import subprocess
import sys
import tempfile

HOSTILE = ['"', "'''", '"""; import os; os.system("x")', "a\n# COMMAND ----------\n\n# MAGIC %sh rm -rf /", "back\\slash",
           "`; DROP TABLE x; --", "ключ 🦆", "\u202eevil\u2028line", "{braces} %s $1", "# MAGIC %sh ls"]


def generate(program, mapping, folder):
    path = pathlib.Path(folder) / "mapping.json"
    path.write_text(json.dumps(mapping), encoding="utf-8")
    subprocess.run([program, path, pathlib.Path(folder) / "project"], check=True)
    return sorted((pathlib.Path(folder) / "project" / "notebooks").glob("*.py"))


def constants(notebooks):
    found = set()
    for notebook in notebooks:
        for node in ast.walk(ast.parse(notebook.read_text(encoding="utf-8"), str(notebook))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def executable_lines(notebooks):
    return [line for n in notebooks for line in n.read_text(encoding="utf-8").split("\n")
            if line.startswith("# MAGIC %") and not line.startswith(("# MAGIC %md", "# MAGIC %run ./nuvyn_"))]


def poison(mapping):
    """Puts hostile text wherever a mapping has free text."""
    texts = []

    def next_text():
        texts.append(HOSTILE[len(texts) % len(HOSTILE)] + str(len(texts)))
        return texts[-1]

    mapping["name"] = "shop " + HOSTILE[3]
    for source in mapping["sources"]:
        for column in source["columns"]:
            column["name"] = next_text()
            column["parse"].setdefault("null_spellings", []).append(next_text())
    for target in mapping["targets"]:
        target["description"] = next_text()
        target["grain"] = HOSTILE[3]
        for column in target["columns"]:
            column["description"] = next_text()
            column["mapping_id"] = next_text()
    return texts


def main():
    program, path = sys.argv[1:]
    mapping = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        notebooks = generate(program, mapping, folder)
        constants(notebooks)
        assert executable_lines(notebooks) == [], executable_lines(notebooks)
    texts = poison(mapping)
    with tempfile.TemporaryDirectory() as folder:
        notebooks = generate(program, mapping, folder)
        lost = set(texts) - constants(notebooks)
        assert not lost, f"not found again as data: {lost}"
        assert executable_lines(notebooks) == [], executable_lines(notebooks)
    print(f"{len(notebooks)} notebooks compile; {len(texts)} hostile texts are data")


if __name__ == "__main__":
    main()
