"""The whole job on a local Spark, over small batches made from what nuvyn_sources declares.

The tests build on each other, in their order.
"""

import csv
import gzip
import json
import pathlib
from datetime import datetime

import pytest

ROWS = 5


def raw_text(column, n):
    """A text that the column's parser takes, different for each n; equal for columns of the same name and type."""
    if column.parse.formats:
        return datetime(2024, 3, n, 10, 20, 30).strftime(column.parse.formats[0])
    if column.type == "BOOLEAN":
        return column.parse.true[0] if n % 2 else column.parse.false[0]
    if column.type.startswith("DECIMAL"):
        precision, scale = (int(part) for part in column.type[8:-1].split(","))
        whole = str(n) if precision > scale else "0"
        return whole + (column.parse.decimal + str(n) if scale else "")
    return f"{n}{column.parse.decimal}5" if column.type == "DOUBLE" else str(n)


def write(spark, source, volume, name, rows):
    """One file of the source. rows: lists of texts in the order of its columns."""
    path = pathlib.Path(volume) / source.pattern.replace("*", name)
    headers = [c.header for c in source.columns]
    if source.format == "parquet":
        schema = ", ".join(f"`{h}` STRING" for h in headers)
        spark.createDataFrame([tuple(r) for r in rows], schema).coalesce(1).write.mode("overwrite").parquet(str(path) + ".folder")
        next(pathlib.Path(str(path) + ".folder").glob("part-*.parquet")).rename(path)
        return
    if path.suffix == ".zst":
        pytest.skip("no zstd in Python")
    opened = gzip.open if path.suffix == ".gz" else open
    encoding = (source.options or {}).get("encoding", "utf-8")
    with opened(path, "wt", encoding=encoding, newline="") as file:
        if source.format == "jsonl":
            file.writelines(json.dumps(dict(zip(headers, row))) + "\n" for row in rows)
            return
        writer = csv.writer(file, delimiter=source.options["sep"], quotechar=source.options["quote"] or None)
        writer.writerows(([headers] if source.header else []) + rows)


@pytest.fixture(scope="module")
def sources(project):
    return project.scope("nuvyn_sources")[0]["SOURCES"]


def sample(source):
    return [[raw_text(c, n) for c in source.columns] for n in range(1, ROWS + 1)]


def test_first_load(spark, project, sources):
    for source in sources:
        write(spark, source, project.volume, "first", sample(source))
    done = project.run("first")
    for source in sources:
        counts = done["20_silver"][source.name]
        assert counts["source"] == ROWS
        assert counts["source"] == sum(counts[o] for o in ("loaded", "quarantined", "duplicates", "dropped", "deleting"))
    assert done["90_quality"]["fail"] == 0


def test_repetition_changes_nothing(project):
    done = project.run("second")
    assert all(metrics["new_files"] == 0 for metrics in done["10_bronze"].values())
    for step, tables in done.items():
        for table, metrics in tables.items() if step[:2] in ("20", "30", "40", "50") else ():
            assert (metrics["inserted"], metrics["updated"], metrics["deleted"]) == (0, 0, 0), table


def test_what_does_not_parse_is_quarantined(spark, project, sources):
    """One bad value among rows that are known already: it is refused, and nothing else changes."""
    source = next((s for s in sources if any(c.type == "BIGINT" and c.unparsed == "quarantine" for c in s.columns)), None)
    if source is None:
        pytest.skip("no source with a whole number whose errors are quarantined")
    place = next(n for n, c in enumerate(source.columns) if c.type == "BIGINT" and c.unparsed == "quarantine")
    bad = sample(source)[0]
    bad[place] = "not a number"
    write(spark, source, project.volume, "third", sample(source) * 8 + [bad])
    held = project.rows(f"SELECT count(*) FROM nuvyn_quarantine WHERE source = '{source.name}'")[0][0]
    metrics = project.run("third")["20_silver"][source.name]
    assert metrics["quarantined"] == held + 1
    assert metrics["inserted"] == 0


CASES = [
    ("BIGINT", {}, " 42 ", "42"), ("BIGINT", {}, "4 2", None), ("BIGINT", {}, "9223372036854775808", None),
    ("DECIMAL(12,2)", {"group": ",", "currency": ("$",)}, "$1,234.50", "1234.50"),
    ("DECIMAL(12,2)", {"decimal": ",", "group": "."}, "1.234,5", "1234.50"),
    ("DECIMAL(12,2)", {"parentheses": True}, "(12.5)", "-12.50"), ("DECIMAL(12,2)", {}, "1.005", None),
    ("DECIMAL(12,2)", {"parentheses": True}, "(-12.5)", None),
    ("DECIMAL(12,2)", {"parentheses": True, "currency": ("$",)}, "$(12.5)", "-12.50"),
    ("DECIMAL(12,2)", {"trailing_minus": True}, "12.5-", "-12.50"), ("BIGINT", {"trailing_minus": True}, "-12-", None),
    ("DOUBLE", {"trailing_minus": True}, "1e3-", "-1000.0"), ("DOUBLE", {"group": ","}, "e3", None),
    ("DOUBLE", {}, "1e400", None),
    ("DECIMAL(12,2)", {"currency": ("$", "USD")}, "$5 USD", None),
    ("DATE", {"formats": ("%d.%m.%Y",)}, "29.02.2024", "2024-02-29"),
    ("DATE", {"formats": ("%d.%m.%Y",)}, "29.02.2023", None),
    ("TIMESTAMP", {"formats": ("%Y-%m-%d %H:%M:%S",)}, "2024-01-02 03:04:05", "2024-01-02 03:04:05"),
    ("BOOLEAN", {"true": ("yes",), "false": ("no",)}, "YES", "true"), ("STRING", {"nulls": ("N/A",)}, "N/A", None),
]


def test_parsing(spark, project):
    """The parsers, held against values that were worked out by hand."""
    scope = project.scope("nuvyn_core", "nuvyn_silver")[0]
    raw = [scope["Raw"](f"c{n}", f"c{n}", type, scope["Parse"](**options)) for n, (type, options, _, _) in enumerate(CASES)]
    texts = spark.createDataFrame([tuple(text for _, _, text, _ in CASES)], ", ".join(f"c{n} STRING" for n in range(len(CASES))))
    values = texts.select(*[scope["parsed"](c).cast("string") for c in raw]).first()
    assert list(values) == [expected for _, _, _, expected in CASES]


def test_lines_before_the_header(project, tmp_path):
    """They are passed over, an empty one among them; a header may hold quotes and a value a line break."""
    scope = project.scope("nuvyn_core", "nuvyn_bronze")[0]
    path = tmp_path / "report.csv"
    path.write_text('Report, of 2024\n\nby, hand, of Ann\nid,"the ""note"""\n1,"two\nlines"\n2,x\n', encoding="utf-8")
    columns = (scope["Raw"]("id", "id", "BIGINT"), scope["Raw"]('the "note"', "note", "STRING"))
    options = {"sep": ",", "quote": '"', "escape": '"', "encoding": "UTF-8", "multiLine": True}
    source = scope["Source"]("report", "bronze", "silver", "report.csv", columns, options=options, skip_lines=3)
    rows, header = scope["read_csv"](source, str(path))
    assert header == [c.header for c in columns]
    assert [tuple(r) for r in rows.select("_0", "_1").collect()] == [("1", "two\nlines"), ("2", "x")]
