"""The kernel's pure Python: notebook source, SQL text, catalogs, volumes, dbutils. Needs no Spark."""

import ctypes
import pathlib
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "workspace" / "kernel"))

import catalogs
import dbutils
import effort
import grants
import interrupt
import source
import sqltext
import volumes


class Source(unittest.TestCase):
    def cells(self, text, language="PYTHON"):
        return [(cell.kind, cell.text, cell.line) for cell in source.parse(text, language)]

    def test_cells_and_lines(self):
        text = ("# Databricks notebook source\n# MAGIC %md\n# MAGIC # Title\n\n# COMMAND ----------\n\n"
                "# DBTITLE 1,Named\nx = 1\n\ny = 2\n\n# COMMAND ----------\n\n# MAGIC %sql SELECT 1;\n# MAGIC SELECT 2\n")
        self.assertEqual(self.cells(text), [("md", "\n# Title", 2), ("python", "x = 1\n\ny = 2", 8),
                                            ("sql", "SELECT 1;\nSELECT 2", 14)])

    def test_windows_lines_and_no_header(self):
        self.assertEqual(self.cells("# Databricks notebook source\r\na = 1\r\n"), [("python", "a = 1", 2)])
        self.assertEqual(self.cells("a = 1"), [("python", "a = 1", 1)])
        self.assertEqual(self.cells(""), [])

    def test_sql_notebook(self):
        text = "-- Databricks notebook source\nSELECT 1\n-- COMMAND ----------\n-- MAGIC %python\n-- MAGIC x = 1"
        self.assertEqual(self.cells(text, "SQL"), [("sql", "SELECT 1", 2), ("python", "\nx = 1", 4)])

    def test_run_and_pip(self):
        text = "# MAGIC %run ./lib $a=\"1\"\n# COMMAND ----------\n# MAGIC %pip install x"
        self.assertEqual([(c.kind, c.argument) for c in source.parse(text, "PYTHON")],
                         [("run", './lib $a="1"'), ("pip", "install x")])

    def test_other_languages_are_refused(self):
        with self.assertRaisesRegex(source.SourceError, "SCALA"):
            source.parse("", "SCALA")

    def test_resolve(self):
        self.assertEqual(source.resolve("/a/b/c", "./lib"), "/a/b/lib")
        self.assertEqual(source.resolve("/a/b/c", "../lib"), "/a/lib")
        self.assertEqual(source.resolve("/a/b/c", "/x/y"), "/x/y")
        with self.assertRaises(source.SourceError):
            source.resolve("/a", "../../x")


class Effort(unittest.TestCase):
    def test_little_data(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            self.assertTrue(effort.is_little(folder))
            (root / "main" / "raw").mkdir(parents=True)
            with open(root / "main" / "raw" / "sales.csv", "wb") as file:
                file.truncate(effort.LITTLE_BYTES)
            self.assertTrue(effort.is_little(folder))
            (root / "main" / "more.csv").write_text("x")
            self.assertFalse(effort.is_little(folder))

    def test_many_files_are_not_little(self):
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(effort, "MOST_FILES", 2):
            for name in "ab":
                pathlib.Path(folder, name).touch()
            self.assertTrue(effort.is_little(folder))
            pathlib.Path(folder, "c").touch()
            self.assertFalse(effort.is_little(folder))

    def test_a_folder_that_is_gone(self):
        self.assertTrue(effort.is_little("/no/such/folder"))


class SqlText(unittest.TestCase):
    def test_split(self):
        self.assertEqual(sqltext.split("a; b -- x;y\n; /* ; */ ;; 'q;''r' ; \"s;\\\";t\"; `u;v`"),
                         ["a", "b -- x;y", "'q;''r'", '"s;\\";t"', "`u;v`"])
        self.assertEqual(sqltext.split("-- only words\n"), [])
        self.assertEqual(sqltext.split("'open"), ["'open"])
        self.assertEqual(sqltext.split("/* open"), [])

    def test_recognize(self):
        for text, kind, name in (("CREATE CATALOG IF NOT EXISTS `x` COMMENT 'it''s'", "create_catalog", ["x"]),
                                 ("-- c\ncreate volume a.b.c;", "create_volume", ["a", "b", "c"]),
                                 ("USE CATALOG main", "use_catalog", ["main"]),
                                 ("/* c */ DROP VIEW IF EXISTS v", "drop_view", ["v"]),
                                 ("CREATE OR REPLACE VIEW a.`b c`.v(x) AS SELECT 1", "create_view", ["a", "b c", "v"])):
            found, groups = sqltext.recognize(text)
            self.assertEqual((found, sqltext.parts(groups["name"])), (kind, name))
        self.assertEqual(sqltext.literal("'it''s'"), "it's")
        for text in ("SELECT 1", "CREATE TEMP VIEW v AS SELECT 1", "CREATE SCHEMA a.b", "SHOW TABLES", "CREATE TABLE viewer (a INT)"):
            self.assertIsNone(sqltext.recognize(text), text)


class Grants(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.catalogs = catalogs.Catalogs(folder.name)
        self.catalogs.create_catalog("main", False, None)
        self.catalogs.create_volume("main", "default", "v", False, None)
        self.grants = grants.Grants(folder.name)

    def change(self, text, kind, name, principal, granted=True):
        self.grants.change(kind, name, principal, grants.privileges(text), granted, self.catalogs.write)

    def test_recognized(self):
        kind, groups = sqltext.recognize("GRANT SELECT, MODIFY ON TABLE main.a.`b c` TO `data engineers`;")
        self.assertEqual((kind, groups["kind"], groups["name"], groups["principal"], groups["revoke"]),
                         ("grant", "TABLE", "main.a.`b c`", "`data engineers`", None))
        kind, groups = sqltext.recognize("revoke use catalog on catalog main from x@y.z")
        self.assertEqual((kind, groups["privileges"], groups["principal"], groups["revoke"]),
                         ("grant", "use catalog", "x@y.z", "revoke"))
        kind, groups = sqltext.recognize("SHOW GRANTS `a b` ON SCHEMA main.default")
        self.assertEqual((kind, groups["principal"], groups["kind"]), ("show_grants", "`a b`", "SCHEMA"))
        kind, groups = sqltext.recognize("SHOW GRANTS ON main.default.t")
        self.assertEqual((kind, groups["principal"], groups["name"]), ("show_grants", None, "main.default.t"))
        self.assertEqual(sqltext.recognize("GRANT SELECT TO x")[0], "bad_grant")

    def test_change_and_show(self):
        self.change("USE CATALOG", "CATALOG", ["main"], "a")
        self.change("READ_VOLUME, write volume", "VOLUME", ["main", "default", "V"], "b")
        self.change("WRITE VOLUME", "VOLUME", ["main", "default", "v"], "b", granted=False)
        rows = [("a", "USE CATALOG", "CATALOG", "main"), ("b", "READ VOLUME", "VOLUME", "main.default.v")]
        self.assertEqual(self.grants.show("VOLUME", ["main", "default", "v"]), rows)
        self.assertEqual(self.grants.show("VOLUME", ["main", "default", "v"], "b"), rows[1:])
        self.assertEqual(self.grants.show("SCHEMA", ["main", "default"]), rows[:1])

    def test_they_end_with_their_object(self):
        self.change("READ VOLUME", "VOLUME", ["main", "default", "v"], "b")
        self.catalogs.drop_volume("main", "default", "v", False)
        with self.assertRaisesRegex(catalogs.CatalogError, "does not exist"):
            self.grants.show("VOLUME", ["main", "default", "v"])
        time.sleep(0.002)  # objects are told apart by the millisecond of their making
        self.catalogs.create_volume("main", "default", "v", False, None)
        self.assertEqual(self.grants.show("VOLUME", ["main", "default", "v"]), [])

    def test_refused(self):
        with self.assertRaisesRegex(catalogs.CatalogError, "'FLY' is unknown"):
            grants.privileges("SELECT, FLY")
        with self.assertRaisesRegex(catalogs.CatalogError, "FUNCTION"):
            grants.kind_of("function")


class Sleep(unittest.TestCase):
    def test_takes_as_long_as_said_and_can_be_interrupted(self):
        whole = time.sleep
        self.addCleanup(setattr, time, "sleep", whole)
        interrupt.install_sleep()
        begin = time.monotonic()
        time.sleep(0.25)
        self.assertAlmostEqual(time.monotonic() - begin, 0.25, delta=0.2)
        for wrong, kind in ((-1, ValueError), ("1", TypeError)):
            with self.assertRaises(kind):
                time.sleep(wrong)
        ended = threading.Event()

        def run():
            try:
                time.sleep(3600)
            except interrupt.Cancelled:
                ended.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        whole(0.2)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(interrupt.Cancelled))
        self.assertTrue(ended.wait(5))


class OnDisk(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.catalogs = catalogs.Catalogs(self.root)
        self.volumes = volumes.Volumes(self.root)

    def test_catalogs_and_volumes(self):
        self.catalogs.create_catalog("Main", None, "words")
        self.assertEqual(self.catalogs.names(), ["main"])
        with self.assertRaisesRegex(catalogs.CatalogError, "already exists"):
            self.catalogs.create_catalog("main", None, None)
        self.catalogs.create_catalog("main", "IF NOT EXISTS", None)
        self.catalogs.create_volume("main", "default", "v", None, None)
        self.assertEqual(self.catalogs.volumes("main", "default"), ["v"])
        self.catalogs.drop_volume("main", "default", "v", None)
        with self.assertRaisesRegex(catalogs.CatalogError, "VOLUME_NOT_FOUND"):
            self.catalogs.drop_volume("main", "default", "v", None)
        self.catalogs.drop_catalog("main", None, False)
        self.assertEqual(self.catalogs.names(), [])
        for name in ("a-b", "a__b", "a_", "", "../x"):
            with self.assertRaises(catalogs.CatalogError):
                self.catalogs.create_catalog(name, None, None)

    def test_paths(self):
        base = f"{self.volumes.root}/main/s/volumes/v"
        self.assertEqual(self.volumes.real("/Volumes/Main/s/v/a/b"), base + "/a/b")
        self.assertEqual(self.volumes.real("/dbfs/Volumes/main/s/v/x"), base + "/x")
        self.assertEqual(self.volumes.real(b"/Volumes/main/s/v"), base)
        self.assertEqual(self.volumes.real(pathlib.PurePosixPath("/Volumes/main/s/v/x")), base + "/x")
        for other in ("/tmp/x", 3, "Volumes/x", "/Volumesx/a"):
            self.assertEqual(self.volumes.real(other), other)
        with self.assertRaises(PermissionError):
            self.volumes.real("/Volumes/main/s/v/../../../../x")
        with self.assertRaises(ValueError):
            self.volumes.real("/Volumes/main/../etc/passwd")


class Widgets(unittest.TestCase):
    def test_values(self):
        widgets = dbutils.Widgets({"given": 1})
        widgets.text("given", "default")
        widgets.dropdown("choice", "a", ["a", "b"])
        self.assertEqual((widgets.get("given"), widgets.get("choice")), ("1", "a"))
        self.assertEqual(widgets.getAll(), {"given": "1", "choice": "a"})
        with self.assertRaisesRegex(ValueError, "InputWidgetNotDefined.*nope"):
            widgets.get("nope")
        with self.assertRaises(ValueError):
            widgets.dropdown("bad", "z", ["a"])

    def test_task_values_outside_of_a_job(self):
        values = dbutils.TaskValues(None, None)
        self.assertEqual(values.get("t", "k", debugValue=5), 5)
        with self.assertRaises(TypeError):
            values.get("t", "k")


if __name__ == "__main__":
    unittest.main()
