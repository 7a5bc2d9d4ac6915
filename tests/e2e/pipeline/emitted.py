"""Writes the project of a mapping and lands raw files. PIPELINE_GENERATE is the program that writes a project."""

import glob
import json
import os
import shutil
import subprocess


def write_project(folder, name, sources, targets):
    """The folder of the project that is generated from the mapping."""
    mapping = {"name": name, "version": "1", "method": "human", "source_root": "data", "sources": sources, "targets": targets}
    path = os.path.join(folder, f"{name}.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(mapping, file)
    project = os.path.join(folder, f"{name}-project")
    subprocess.run([os.environ["PIPELINE_GENERATE"], path, project], check=True)
    return project


def land(source, volume, files="*.csv"):
    """Copies a batch of raw files into the volume, as deploy does."""
    os.makedirs(volume, exist_ok=True)
    for path in glob.glob(os.path.join(source, files)):
        shutil.copy(path, volume)


def changed_rows(done):
    """{table: rows that the run wrote} over silver and star, from what the notebooks returned."""
    return {table: m["inserted"] + m["updated"] + m["deleted"] for step, tables in done.items() if step[0] in "2345"
            for table, m in tables.items()}
