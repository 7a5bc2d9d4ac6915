"""Asks the exported questions of the tables that the generated project has loaded from DIR: ask.py DIR, in the folder that holds
questions.json and project. Exit status 1 when an answer differs from the raw tables'."""

import json
import math
import os
import re
import shutil
import sys

from local_spark import Project, start_spark

SCHEMA = "questions"


def in_spark(sql):
    """The same SELECT in Spark's words. There an average of decimals has but four digits more than they have, so doubles are taken."""
    sql = re.sub(r'"([^"]*)"', r"`\1`", sql).replace(" AS VARCHAR)", " AS STRING)")
    sql = re.sub(r"\bavg\(([^()]+)\)", r"avg(CAST(\1 AS DOUBLE))", sql)
    sql = re.sub(r"strftime\(([^,]+), '%Y-%m'\)", r"date_format(\1, 'yyyy-MM')", sql)
    return re.sub(r"\bstar\.", f"spark_catalog.{SCHEMA}.", sql)


def same(a, b):
    if a is None or b is None:
        return a is b
    return math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-9)


def agree(wanted, found):
    return wanted.keys() == found.keys() and all(same(wanted[group], found[group]) for group in wanted)


def main(data):
    folder = os.getcwd()
    shutil.copytree(data, "volume", ignore=lambda _, names: [n for n in names if n.endswith((".json", ".md", ".py"))])
    with open("questions.json", encoding="utf-8") as file:
        questions = json.load(file)
    spark = start_spark(folder)
    project = Project(spark, f"{folder}/project", SCHEMA, f"{folder}/volume")
    project.run("day1")
    differing = 0
    for question in questions:
        sql = in_spark(question["star"])
        wanted = dict(json.loads(question["answer"] or "[]"))
        found = dict(project.rows(sql))
        if not agree(wanted, found):
            differing += 1
            print(f"  DIFFERS  {question['text']}\n           {sql}\n           wanted {wanted}\n           found  {found}")
    spark.stop()
    print(f"{len(questions)} questions of the loaded tables, {len(questions) - differing} agree with the raw files")
    return 1 if differing or not questions else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
