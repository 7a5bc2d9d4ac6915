"""The official Databricks SDK against the local workspace, unchanged, with OAuth M2M."""

import base64
import datetime
import gzip
import io
import os
import time
import unittest
import uuid

import requests
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.service import catalog, jobs, sql
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language

HOST = os.environ["WORKSPACE_URL"]
SECRET = os.environ["WORKSPACE_SECRET"]


def client():
    return WorkspaceClient(host=HOST, client_id="nuvyn", client_secret=SECRET, auth_type="oauth-m2m")


def notebook(*cells):
    return "# Databricks notebook source\n" + "\n\n# COMMAND ----------\n\n".join(cells) + "\n"


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.w = client()
        cls.warehouse = next(iter(cls.w.warehouses.list())).id
        cls.folder = f"/Users/test/{uuid.uuid4().hex[:8]}"
        cls.w.workspace.mkdirs(cls.folder)

    def token(self):
        return self.w.config.authenticate()["Authorization"]

    def put_notebook(self, name, text, language=Language.PYTHON):
        path = f"{self.folder}/{name}"
        self.w.workspace.import_(path, content=base64.b64encode(text.encode()).decode(), format=ImportFormat.SOURCE,
                                 language=language, overwrite=True)
        return path

    def sql(self, text, **options):
        """Runs a statement to its end, however slow the machine is."""
        reply = self.w.statement_execution.execute_statement(text, self.warehouse, wait_timeout="50s", **options)
        end = time.time() + 300
        while reply.status.state.value in ("PENDING", "RUNNING") and time.time() < end:
            time.sleep(0.5)
            reply = self.w.statement_execution.get_statement(reply.statement_id)
        return reply

    def rows(self, text, **options):
        reply = self.sql(text, **options)
        self.assertEqual(reply.status.state, sql.StatementState.SUCCEEDED, reply.status.error)
        return reply.result.data_array or []

    def task(self, key, path, **options):
        return jobs.Task(task_key=key, notebook_task=jobs.NotebookTask(notebook_path=path, **options.pop("notebook", {})),
                         **options)

    def run_job(self, tasks, **options):
        """Creates a job, runs it to its end and returns the run."""
        job = self.w.jobs.create(name=f"t-{uuid.uuid4().hex[:8]}", tasks=tasks, **options.pop("settings", {}))
        run = self.w.jobs.run_now(job.job_id, **options)
        return self.finish(run.run_id)

    def finish(self, run_id, seconds=600):
        end = time.time() + seconds
        while time.time() < end:
            run = self.w.jobs.get_run(run_id)
            if run.state.life_cycle_state.value in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
                return run
            time.sleep(0.2)
        self.fail(f"run {run_id} did not end in {seconds} s")


class Identity(Base):
    def test_me(self):
        self.assertEqual(self.w.current_user.me().user_name, "nuvyn")
        self.assertGreater(self.w.get_workspace_id(), 0)

    def test_wrong_secret_is_refused(self):
        wrong = WorkspaceClient(host=HOST, client_id="nuvyn", client_secret="wrong", auth_type="oauth-m2m")
        with self.assertRaisesRegex(ValueError, "invalid_client|authentication failed"):
            wrong.current_user.me()

    def test_no_and_bad_tokens_are_refused(self):
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer nvt.1-00.00"}):
            reply = requests.get(HOST + "/api/2.0/preview/scim/v2/Me", headers=headers)
            self.assertEqual((reply.status_code, reply.json()["error_code"]), (401, "UNAUTHENTICATED"))

    def test_unknown_route_names_itself(self):
        reply = requests.get(HOST + "/api/2.0/clusters/list", headers={"Authorization": self.token()})
        self.assertEqual(reply.status_code, 501)
        self.assertIn("GET /api/2.0/clusters/list", reply.json()["message"])


class Workspace(Base):
    def test_import_export_round_trip(self):
        text = notebook("print('ü')")
        path = self.put_notebook("round", text)
        status = self.w.workspace.get_status(path)
        self.assertEqual((status.object_type.value, status.language), ("NOTEBOOK", Language.PYTHON))
        self.assertGreater(status.object_id, 2**53)
        exported = self.w.workspace.export(path, format=ExportFormat.SOURCE)
        self.assertEqual(base64.b64decode(exported.content).decode(), text)
        with self.w.workspace.download(path) as stream:
            self.assertEqual(stream.read().decode(), text)

    def test_multipart_upload_with_auto_format_drops_the_extension(self):
        self.w.workspace.upload(f"{self.folder}/auto.py", io.BytesIO(notebook("1").encode()), format=ImportFormat.AUTO)
        self.assertEqual(self.w.workspace.get_status(f"{self.folder}/auto").object_type.value, "NOTEBOOK")
        self.w.workspace.upload(f"{self.folder}/plain.py", io.BytesIO(b"x = 1\n"), format=ImportFormat.AUTO)
        self.assertEqual(self.w.workspace.get_status(f"{self.folder}/plain.py").object_type.value, "FILE")

    def test_errors(self):
        path = self.put_notebook("exists", notebook("1"))
        content = base64.b64encode(b"# Databricks notebook source\n").decode()
        with self.assertRaises(errors.ResourceAlreadyExists):
            self.w.workspace.import_(path, content=content, format=ImportFormat.SOURCE, language=Language.PYTHON)
        with self.assertRaises(errors.NotFound):
            self.w.workspace.import_("/no/such/parent/x", content=content, format=ImportFormat.SOURCE,
                                     language=Language.PYTHON)
        with self.assertRaisesRegex(errors.NotFound, "doesn't exist"):
            self.w.workspace.get_status("/no/such/thing")
        with self.assertRaisesRegex(errors.BadRequest, "not empty"):
            self.w.workspace.delete(self.folder)
        with self.assertRaisesRegex(errors.InvalidParameterValue, r"\.\."):
            self.w.workspace.mkdirs("/Users/../etc")

    def test_list_and_recursive_delete(self):
        self.w.workspace.mkdirs(f"{self.folder}/deep/er")
        self.put_notebook("deep/er/n", notebook("1"))
        found = {o.path for o in self.w.workspace.list(f"{self.folder}/deep", recursive=True)}
        self.assertEqual(found, {f"{self.folder}/deep/er/n"})
        self.w.workspace.delete(f"{self.folder}/deep", recursive=True)
        with self.assertRaises(errors.NotFound):
            self.w.workspace.get_status(f"{self.folder}/deep/er/n")


class Jobs(Base):
    def test_create_run_wait_and_output(self):
        path = self.put_notebook("greet", notebook(
            'dbutils.widgets.text("who", "nobody")', 'print("working")',
            'dbutils.notebook.exit("hello " + dbutils.widgets.get("who"))'))
        job = self.w.jobs.create(name="greet", tasks=[self.task("only", path, notebook={"base_parameters": {"who": "you"}})])
        self.assertGreater(job.job_id, 2**53)
        run = self.w.jobs.run_now(job.job_id).result(timeout=datetime.timedelta(minutes=10))
        self.assertEqual(run.state.result_state, jobs.RunResultState.SUCCESS)
        output = self.w.jobs.get_run_output(run.tasks[0].run_id)
        self.assertEqual(output.notebook_output.result, "hello you")
        self.assertIn("working", output.logs)
        self.w.jobs.delete(job.job_id)
        with self.assertRaisesRegex(errors.DatabricksError, "does not exist"):
            self.w.jobs.get(job.job_id)

    def test_notebook_params_override(self):
        path = self.put_notebook("param", notebook('dbutils.notebook.exit(dbutils.widgets.get("p"))'))
        run = self.run_job([self.task("t", path, notebook={"base_parameters": {"p": "base"}})],
                           notebook_params={"p": "given"})
        self.assertEqual(self.w.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result, "given")

    def test_job_parameters_and_task_values(self):
        first = self.put_notebook("first", notebook('dbutils.jobs.taskValues.set("n", 7)'))
        second = self.put_notebook("second", notebook(
            'n = dbutils.jobs.taskValues.get("a", "n")',
            'dbutils.notebook.exit(f"{n} {dbutils.widgets.get(\'day\')} {dbutils.widgets.get(\'ref\')}")'))
        run = self.run_job(
            [self.task("a", first),
             self.task("b", second, depends_on=[jobs.TaskDependency("a")],
                       notebook={"base_parameters": {"ref": "{{tasks.a.values.n}}-{{job.parameters.day}}"}})],
            settings={"parameters": [jobs.JobParameterDefinition(name="day", default="mon")]}, job_parameters={"day": "tue"})
        done = {t.task_key: t for t in run.tasks}
        self.assertEqual(self.w.jobs.get_run_output(done["b"].run_id).notebook_output.result, "7 tue 7-tue")

    def test_failure_stops_what_depends_on_it(self):
        bad = self.put_notebook("bad", notebook("x = 1", "raise ValueError('boom')"))
        good = self.put_notebook("good", notebook("1"))
        run = self.run_job([
            self.task("bad", bad), self.task("after", good, depends_on=[jobs.TaskDependency("bad")]),
            self.task("always", good, depends_on=[jobs.TaskDependency("bad")], run_if=jobs.RunIf.ALL_DONE),
            self.task("apart", good)])
        results = {t.task_key: t.state.result_state.value for t in run.tasks}
        self.assertEqual(results, {"bad": "FAILED", "after": "UPSTREAM_FAILED", "always": "SUCCESS", "apart": "SUCCESS"})
        self.assertEqual(run.state.result_state.value, "FAILED")
        failed = next(t for t in run.tasks if t.task_key == "bad")
        output = self.w.jobs.get_run_output(failed.run_id)
        self.assertEqual(output.error, "ValueError: boom")
        self.assertRegex(output.error_trace, r"bad::cell 2.*line 6")

    def test_retry(self):
        flag = f"/Volumes/main/default/flags/{uuid.uuid4().hex}"
        self.rows("CREATE VOLUME IF NOT EXISTS main.default.flags")
        path = self.put_notebook("flaky", notebook(
            f"import os\nif not os.path.exists('{flag}'):\n    open('{flag}', 'w').close()\n    raise OSError('first time')"))
        run = self.run_job([self.task("t", path, max_retries=2, min_retry_interval_millis=10)])
        self.assertEqual(run.state.result_state.value, "SUCCESS")
        self.assertEqual([(t.attempt_number, t.state.result_state.value) for t in run.tasks],
                         [(0, "FAILED"), (1, "SUCCESS")])

    def test_timeout_and_cancel(self):
        path = self.put_notebook("slow", notebook("import time\nwhile True:\n    time.sleep(0.05)"))
        run = self.run_job([self.task("t", path, timeout_seconds=1)])
        self.assertEqual(run.tasks[0].state.result_state.value, "TIMEDOUT")
        waiter = self.w.jobs.submit(run_name="c", tasks=[jobs.SubmitTask(
            task_key="t", notebook_task=jobs.NotebookTask(notebook_path=path))])
        while self.w.jobs.get_run(waiter.run_id).tasks[0].state.life_cycle_state.value != "RUNNING":
            time.sleep(0.1)
        self.w.jobs.cancel_run(waiter.run_id)
        self.assertEqual(self.finish(waiter.run_id).state.result_state.value, "CANCELED")

    def test_blocking_python_is_cancelled(self):
        calls = {"sleep": "import time\ntime.sleep(3600)", "wait": "import threading\nthreading.Event().wait()",
                 "child": "import subprocess\nsubprocess.run(['sleep', '60'])"}
        for name, call in calls.items():
            path = self.put_notebook(f"block_{name}", notebook(f"print('begun')\n{call}\nprint('went on')"))
            waiter = self.w.jobs.submit(run_name=name, tasks=[jobs.SubmitTask(
                task_key="t", notebook_task=jobs.NotebookTask(notebook_path=path))])
            while self.w.jobs.get_run(waiter.run_id).tasks[0].state.life_cycle_state.value != "RUNNING":
                time.sleep(0.1)
            time.sleep(1)
            begin = time.monotonic()
            self.w.jobs.cancel_run(waiter.run_id)
            run = self.finish(waiter.run_id, 30)
            self.assertEqual(run.state.result_state.value, "CANCELED", name)
            self.assertLess(time.monotonic() - begin, 15, name)
            self.assertNotIn("went on", self.w.jobs.get_run_output(run.tasks[0].run_id).logs or "", name)
        run = self.run_job([self.task("t", path, timeout_seconds=2)])
        self.assertEqual(run.tasks[0].state.result_state.value, "TIMEDOUT")

    def test_idempotency_token(self):
        path = self.put_notebook("once", notebook("1"))
        job = self.w.jobs.create(name="once", tasks=[self.task("t", path)])
        token = uuid.uuid4().hex
        first = self.w.jobs.run_now(job.job_id, idempotency_token=token)
        second = self.w.jobs.run_now(job.job_id, idempotency_token=token)
        self.assertEqual(first.run_id, second.run_id)
        self.finish(first.run_id)
        self.assertEqual(len(list(self.w.jobs.list_runs(job_id=job.job_id))), 1)

    def test_list_pages(self):
        path = self.put_notebook("p", notebook("1"))
        name = f"page-{uuid.uuid4().hex[:6]}"
        made = {self.w.jobs.create(name=name, tasks=[self.task("t", path)]).job_id for _ in range(7)}
        self.assertEqual({j.job_id for j in self.w.jobs.list(limit=3, name=name.upper())}, made)

    def test_settings_reset_update(self):
        path = self.put_notebook("s", notebook("1"))
        job = self.w.jobs.create(name="before", tasks=[self.task("t", path)], tags={"a": "b"})
        self.w.jobs.update(job.job_id, new_settings=jobs.JobSettings(name="after"))
        settings = self.w.jobs.get(job.job_id).settings
        self.assertEqual((settings.name, settings.tags), ("after", {"a": "b"}))
        self.w.jobs.reset(job.job_id, jobs.JobSettings(name="reset", tasks=[self.task("u", path)]))
        settings = self.w.jobs.get(job.job_id).settings
        self.assertEqual((settings.name, settings.tags, settings.tasks[0].task_key), ("reset", None, "u"))

    def test_bad_settings(self):
        path = self.put_notebook("b", notebook("1"))
        cycle = [self.task("a", path, depends_on=[jobs.TaskDependency("b")]),
                 self.task("b", path, depends_on=[jobs.TaskDependency("a")])]
        for tasks, words in ((cycle, "cycle"), ([self.task("a", path), self.task("a", path)], "twice"),
                             ([self.task("a", path, depends_on=[jobs.TaskDependency("zz")])], "zz"), ([], "tasks")):
            with self.assertRaisesRegex(errors.BadRequest, words):
                self.w.jobs.create(name="bad", tasks=tasks)

    def test_missing_notebook_and_missing_run(self):
        run = self.run_job([self.task("t", "/no/such/notebook")])
        self.assertEqual(run.state.result_state.value, "FAILED")
        self.assertIn("doesn't exist", self.w.jobs.get_run_output(run.tasks[0].run_id).error)
        with self.assertRaisesRegex(errors.DatabricksError, "does not exist"):
            self.w.jobs.get_run(4711)

    def test_repair(self):
        flag = f"/Volumes/main/default/flags/{uuid.uuid4().hex}"
        self.rows("CREATE VOLUME IF NOT EXISTS main.default.flags")
        path = self.put_notebook("needs", notebook(f"open('{flag}').close()"))
        good = self.put_notebook("fine", notebook("1"))
        run = self.run_job([self.task("a", good), self.task("b", path, depends_on=[jobs.TaskDependency("a")])])
        self.assertEqual(run.state.result_state.value, "FAILED")
        self.w.files.upload(flag, io.BytesIO(b"x"))
        self.w.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True)
        self.assertEqual(self.finish(run.run_id).state.result_state.value, "SUCCESS")

    def test_run_and_notebook_run(self):
        self.put_notebook("lib", notebook("def double(x):\n    return 2 * x"))
        self.put_notebook("child", notebook('dbutils.notebook.exit(dbutils.widgets.get("n") + "!")'))
        path = self.put_notebook("parent", notebook(
            "# MAGIC %md\n# MAGIC # Title", "# MAGIC %run ./lib",
            'answer = dbutils.notebook.run("./child", 60, {"n": str(double(21))})', "dbutils.notebook.exit(answer)"))
        run = self.run_job([self.task("t", path)])
        self.assertEqual(self.w.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result, "42!")

    def test_pip_is_refused_clearly(self):
        path = self.put_notebook("pip", notebook("# MAGIC %pip install x"))
        run = self.run_job([self.task("t", path)])
        self.assertIn("%pip install x", self.w.jobs.get_run_output(run.tasks[0].run_id).error)

    def test_secrets_in_a_notebook(self):
        scope = f"s{uuid.uuid4().hex[:6]}"
        self.w.secrets.create_scope(scope)
        self.w.secrets.put_secret(scope, "k", string_value="v1")
        with self.assertRaises(errors.ResourceAlreadyExists):
            self.w.secrets.create_scope(scope)
        path = self.put_notebook("secret", notebook(f'dbutils.notebook.exit(dbutils.secrets.get("{scope}", "k"))'))
        run = self.run_job([self.task("t", path)])
        self.assertEqual(self.w.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result, "v1")
        self.assertEqual(base64.b64decode(self.w.secrets.get_secret(scope, "k").value), b"v1")
        self.assertEqual([s.key for s in self.w.secrets.list_secrets(scope)], ["k"])
        self.w.secrets.delete_scope(scope)


class Statements(Base):
    def test_types_and_parameters(self):
        reply = self.sql("SELECT :a AS a, :b AS b, CAST(1.5 AS DECIMAL(10,2)) AS c, true AS d, DATE'2024-02-03' AS e, "
                         "TIMESTAMP'2024-01-01 00:00:00.5' AS f, array(1, NULL) AS g, :n AS n",
                         parameters=[sql.StatementParameterListItem(name="a", value="7", type="INT"),
                                     sql.StatementParameterListItem(name="b", value="x' OR 1=1"),
                                     sql.StatementParameterListItem(name="n", type="DATE")])
        self.assertEqual(reply.status.state.value, "SUCCEEDED", reply.status.error)
        self.assertEqual(reply.result.data_array, [["7", "x' OR 1=1", "1.50", "true", "2024-02-03",
                                                    "2024-01-01T00:00:00.500Z", "[1,null]", None]])
        types = [c.type_name.value for c in reply.manifest.schema.columns][:7]
        self.assertEqual(types, ["INT", "STRING", "DECIMAL", "BOOLEAN", "DATE", "TIMESTAMP", "ARRAY"])
        self.assertEqual((reply.manifest.schema.columns[2].type_precision, reply.manifest.schema.columns[2].type_scale),
                         (10, 2))

    def test_chunks(self):
        reply = self.sql("SELECT id, repeat('x', 100) AS t FROM range(60000) ORDER BY id")
        self.assertGreater(reply.manifest.total_chunk_count, 1)
        seen, chunk = [], reply.result
        while True:
            seen += [int(row[0]) for row in chunk.data_array]
            if chunk.next_chunk_index is None:
                break
            chunk = self.w.statement_execution.get_statement_result_chunk_n(reply.statement_id, chunk.next_chunk_index)
        self.assertEqual(seen, list(range(60000)))
        self.assertEqual(reply.manifest.total_row_count, 60000)

    def test_external_links(self):
        reply = self.sql("SELECT id, CAST(NULL AS STRING) AS n FROM range(3) ORDER BY id",
                         disposition=sql.Disposition.EXTERNAL_LINKS, format=sql.Format.CSV)
        link = reply.result.external_links[0].external_link
        self.assertEqual(requests.get(link).text, "id,n\n0,null\n1,null\n2,null\n")
        self.assertEqual(requests.get(link[:-4] + "0000").status_code, 403)
        self.assertEqual(requests.get(link, headers={"Authorization": self.token()}).status_code, 400)

    def test_failure_is_a_state(self):
        reply = self.sql("SELECT * FROM main.default.no_such_table")
        self.assertEqual(reply.status.state.value, "FAILED")
        self.assertIn("TABLE_OR_VIEW_NOT_FOUND", reply.status.error.message)

    def test_wait_and_cancel(self):
        endless = "SELECT count(*) FROM range(100000000000) a CROSS JOIN range(10000)"
        reply = self.w.statement_execution.execute_statement(endless, self.warehouse, wait_timeout="0s")
        self.assertIn(reply.status.state.value, ("PENDING", "RUNNING"))
        self.w.statement_execution.cancel_execution(reply.statement_id)
        for _ in range(600):
            state = self.w.statement_execution.get_statement(reply.statement_id).status.state.value
            if state not in ("PENDING", "RUNNING"):
                break
            time.sleep(0.1)
        self.assertEqual(state, "CANCELED")
        reply = self.w.statement_execution.execute_statement(
            endless, self.warehouse, wait_timeout="5s", on_wait_timeout=sql.ExecuteStatementRequestOnWaitTimeout.CANCEL)
        self.assertEqual(reply.status.state.value, "CANCELED")

    def test_bad_requests(self):
        with self.assertRaises(errors.NotFound):
            self.w.statement_execution.execute_statement("SELECT 1", "nope")
        with self.assertRaisesRegex(errors.BadRequest, "wait_timeout"):
            self.w.statement_execution.execute_statement("SELECT 1", self.warehouse, wait_timeout="3s")
        reply = self.sql("SELECT :d", parameters=[sql.StatementParameterListItem(name="d", value="zz", type="DATE")])
        self.assertIn("parameter d", reply.status.error.message)

    def test_limits(self):
        reply = self.sql("SELECT id FROM range(100)", row_limit=5)
        self.assertEqual((len(reply.result.data_array), reply.manifest.truncated), (5, True))
        reply = self.sql("SELECT repeat('x', 1000000) FROM range(40)")
        self.assertIn("Inline byte limit exceeded", reply.status.error.message)


class Catalog(Base):
    def setUp(self):
        self.schema = f"s{uuid.uuid4().hex[:8]}"
        self.w.schemas.create(self.schema, "main", comment="made by a test")
        self.addCleanup(self.w.schemas.delete, f"main.{self.schema}", force=True)

    def test_sql_and_rest_see_one_catalog(self):
        name = f"main.{self.schema}.t"
        self.rows(f"CREATE TABLE {name} (id BIGINT COMMENT 'key', v STRING) COMMENT 'a table'")
        self.rows(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b')")
        table = self.w.tables.get(name)
        self.assertEqual([(c.name, c.type_text, c.comment) for c in table.columns],
                         [("id", "bigint", "key"), ("v", "string", None)])
        self.assertEqual((table.comment, table.table_type.value, table.data_source_format.value),
                         ("a table", "MANAGED", "DELTA"))
        self.assertTrue(self.w.tables.exists(name).table_exists)
        self.assertEqual([t.name for t in self.w.tables.list("main", self.schema)], ["t"])
        self.w.tables.delete(name)
        self.assertFalse(self.w.tables.exists(name).table_exists)
        self.assertEqual(self.sql(f"SELECT * FROM {name}").status.state.value, "FAILED")
        with self.assertRaisesRegex(errors.NotFound, "does not exist"):
            self.w.tables.get(name)
        self.rows(f"CREATE TABLE {name} (other STRING)")  # where the dropped one was
        self.assertEqual(self.rows(f"SELECT * FROM {name}"), [])

    def test_delta_in_three_level_names(self):
        name = f"main.{self.schema}.d"
        self.rows(f"CREATE OR REPLACE TABLE {name} AS SELECT id, 'old' AS v FROM range(3)")
        self.rows(f"MERGE INTO {name} t USING (SELECT 2 AS id UNION ALL SELECT 9) s ON t.id = s.id "
                  "WHEN MATCHED THEN UPDATE SET v = 'new' WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, 'ins')")
        self.assertEqual(self.rows(f"SELECT id, v FROM {name} ORDER BY id"),
                         [["0", "old"], ["1", "old"], ["2", "new"], ["9", "ins"]])
        self.rows(f"ALTER TABLE {name} ADD COLUMNS (w INT COMMENT 'later')")
        self.rows(f"COMMENT ON TABLE {name} IS 'words'")
        self.rows(f"ALTER TABLE {name} SET TBLPROPERTIES ('a' = 'b')")
        history = [row[4] for row in self.rows(f"DESCRIBE HISTORY {name}")]
        self.assertEqual(history[0], "SET TBLPROPERTIES")
        self.assertIn("MERGE", history)
        self.assertEqual(len(self.rows(f"SELECT * FROM {name} VERSION AS OF 0")), 3)
        self.assertEqual(self.rows(f"SHOW TABLES IN main.{self.schema}"), [[self.schema, "d", "false"]])
        self.rows(f"ALTER TABLE {name} RENAME TO main.{self.schema}.e")
        self.assertEqual(len(self.rows(f"SELECT * FROM main.{self.schema}.e")), 4)
        self.rows(f"DROP TABLE main.{self.schema}.e")
        self.rows(f"CREATE TABLE main.{self.schema}.e (other INT)")
        self.assertEqual(self.rows(f"SELECT * FROM main.{self.schema}.e"), [])

    def test_views(self):
        self.rows("CREATE TABLE t AS SELECT 1 AS x", catalog="main", schema=self.schema)
        self.rows("CREATE VIEW v AS SELECT x + 1 AS y FROM t", catalog="main", schema=self.schema)
        self.assertEqual(self.rows(f"SELECT y FROM main.{self.schema}.v"), [["2"]])
        self.assertEqual(self.w.tables.get(f"main.{self.schema}.v").table_type.value, "VIEW")
        self.rows(f"DROP VIEW main.{self.schema}.v")
        self.assertFalse(self.w.tables.exists(f"main.{self.schema}.v").table_exists)

    def test_grants(self):
        name = f"main.{self.schema}.granted"
        self.rows(f"CREATE TABLE {name} AS SELECT 1 AS x")
        self.rows(f"GRANT SELECT, MODIFY ON TABLE {name} TO `data engineers`")
        self.rows(f"GRANT USE SCHEMA ON SCHEMA main.{self.schema} TO analysts")
        self.rows(f"REVOKE MODIFY ON {name} FROM `data engineers`")
        self.assertEqual(self.rows(f"SHOW GRANTS ON TABLE {name}"),
                         [["analysts", "USE SCHEMA", "SCHEMA", f"main.{self.schema}"],
                          ["data engineers", "SELECT", "TABLE", name]])
        self.assertEqual(self.rows(f"SHOW GRANTS analysts ON {name}"),
                         [["analysts", "USE SCHEMA", "SCHEMA", f"main.{self.schema}"]])
        self.assertEqual(self.rows("SELECT grantee, privilege_type, inherited_from FROM main.information_schema.table_privileges "
                                   f"WHERE table_schema = '{self.schema}' AND table_name = 'granted' ORDER BY 1"),
                         [["analysts", "USE_SCHEMA", "SCHEMA"], ["data engineers", "SELECT", "NONE"]])
        self.rows(f"DROP TABLE {name}")
        self.assertIn("does not exist", self.sql(f"SHOW GRANTS ON TABLE {name}").status.error.message)
        for text, words in (("GRANT FLY ON TABLE t TO x", "'FLY' is unknown"), ("GRANT SELECT TO x", "expected GRANT"),
                            ("GRANT SELECT ON FUNCTION f TO x", "FUNCTION")):
            self.assertIn(words, self.sql(text).status.error.message)

    def test_information_schema(self):
        self.rows(f"CREATE TABLE main.{self.schema}.info (a INT NOT NULL COMMENT 'first', `b-c` DECIMAL(9,2), "
                  "d ARRAY<STRING>) COMMENT 'told'")
        self.rows(f"CREATE VIEW main.{self.schema}.seen AS SELECT a FROM main.{self.schema}.info")
        here = {"catalog": "main", "schema": self.schema}
        self.assertEqual(self.rows("SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = "
                                   f"'{self.schema}' AND table_name IN ('info', 'seen') ORDER BY 1", **here),
                         [["info", "MANAGED"], ["seen", "VIEW"]])
        self.assertEqual(self.rows("SELECT column_name, ordinal_position, is_nullable, full_data_type, data_type, "
                                   "numeric_scale, comment FROM `main`.`information_schema`.`columns` WHERE table_schema = "
                                   f"'{self.schema}' AND table_name = 'info' ORDER BY ordinal_position"),
                         [["a", "0", "NO", "int", "INT", None, "first"], ["b-c", "1", "YES", "decimal(9,2)", "DECIMAL", "2", None],
                          ["d", "2", "YES", "array<string>", "ARRAY", None, None]])
        self.assertEqual(self.rows("SELECT count(*) FROM system.information_schema.schemata s JOIN "
                                   "main.information_schema.schemata m USING (catalog_name, schema_name) WHERE schema_name = "
                                   f"'{self.schema}'"), [["1"]])
        self.assertEqual(self.rows("SELECT * FROM main.information_schema.table_constraints"), [])
        self.assertEqual(self.rows("SELECT 'information_schema.tables' AS x"), [["information_schema.tables"]])
        error = self.sql("SELECT * FROM main.information_schema.nonsense").status.error.message
        self.assertIn("information_schema.nonsense", error)

    def test_packed_files(self):
        lines = b'{"a": 1}\n{"a": 2}\n'
        self.w.volumes.create("main", self.schema, "packed", catalog.VolumeType.MANAGED)
        folder = f"/Volumes/main/{self.schema}/packed"
        self.w.files.upload(f"{folder}/x.jsonl.gz", io.BytesIO(gzip.compress(lines)))
        self.assertEqual(self.rows(f"SELECT a FROM read_files('{folder}/x.jsonl.gz', format => 'json') ORDER BY a"),
                         [["1"], ["2"]])
        for text in ("LIST 's3://bucket/folder'", "SELECT * FROM read_files('s3://bucket/f.csv', format => 'csv')"):
            message = self.sql(text).status.error.message
            self.assertIn("s3", message)
            self.assertNotIn("\tat ", message)
        self.assertIn("does not exist", self.sql(f"LIST '{folder}/none'").status.error.message)

    def test_catalogs_schemas_volumes(self):
        other = f"c{uuid.uuid4().hex[:8]}"
        self.w.catalogs.create(other, comment="c")
        self.assertIn(other, [c.name for c in self.w.catalogs.list(max_results=1)])
        self.rows(f"CREATE TABLE {other}.default.t AS SELECT 1 AS x")
        self.assertEqual(self.rows(f"SELECT x FROM {other}.default.t"), [["1"]])
        with self.assertRaises(errors.BadRequest):
            self.w.catalogs.delete(other)
        self.w.catalogs.delete(other, force=True)
        with self.assertRaises(errors.NotFound):
            self.w.catalogs.get(other)
        with self.assertRaisesRegex(errors.BadRequest, "already exists"):
            self.w.schemas.create(self.schema, "main")
        self.w.volumes.create("main", self.schema, "raw", catalog.VolumeType.MANAGED)
        self.assertEqual([v.name for v in self.w.volumes.list("main", self.schema)], ["raw"])
        self.assertEqual(self.rows(f"SHOW VOLUMES IN main.{self.schema}"), [[self.schema, "raw"]])
        with self.assertRaisesRegex(errors.BadRequest, "not empty"):
            self.w.schemas.delete(f"main.{self.schema}")


class Files(Base):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.volume = f"v{uuid.uuid4().hex[:8]}"
        cls.w.volumes.create("main", "default", cls.volume, catalog.VolumeType.MANAGED)
        cls.base = f"/Volumes/main/default/{cls.volume}"

    def test_upload_download(self):
        data = os.urandom(3_000_000)
        path = f"{self.base}/a dir/ü %.bin"
        self.w.files.upload(path, io.BytesIO(data), overwrite=True)
        self.assertEqual(self.w.files.download(path).contents.read(), data)
        meta = self.w.files.get_metadata(path)
        self.assertEqual(meta.content_length, len(data))
        with self.assertRaises(errors.AlreadyExists):
            self.w.files.upload(path, io.BytesIO(b"x"), overwrite=False)
        self.w.files.delete(path)
        with self.assertRaises(errors.NotFound):
            self.w.files.download(path)

    def test_range(self):
        path = f"{self.base}/range"
        self.w.files.upload(path, io.BytesIO(b"0123456789"), overwrite=True)
        url = f"{HOST}/api/2.0/fs/files{path}"
        for header, status, body in (("bytes=2-4", 206, b"234"), ("bytes=7-", 206, b"789"), ("bytes=-2", 206, b"89"),
                                     ("bytes=20-", 416, None), ("nonsense", 200, b"0123456789")):
            reply = requests.get(url, headers={"Authorization": self.token(), "Range": header})
            self.assertEqual(reply.status_code, status, header)
            if body is not None:
                self.assertEqual(reply.content, body, header)

    def test_directories(self):
        self.w.files.create_directory(f"{self.base}/d/e")
        self.w.files.create_directory(f"{self.base}/d/e")
        for i in range(5):
            self.w.files.upload(f"{self.base}/d/e/{i}", io.BytesIO(b"x"), overwrite=True)
        listed = [(e.name, e.file_size) for e in self.w.files.list_directory_contents(f"{self.base}/d/e", page_size=2)]
        self.assertEqual(listed, [(str(i), 1) for i in range(5)])
        with self.assertRaises(errors.BadRequest):
            self.w.files.delete_directory(f"{self.base}/d")
        with self.assertRaises(errors.NotFound):
            list(self.w.files.list_directory_contents(f"{self.base}/nope"))

    def test_traversal_is_refused(self):
        for bad in ("/Volumes/main/default/%s/../../../../workspace.db", "/Volumes/main/default/%s/%%2e%%2e/x",
                    "/Volumes/main/..%%2f..%%2f..%%2fworkspace.db", "/etc/passwd"):
            url = f"{HOST}/api/2.0/fs/files" + (bad % self.volume if "%s" in bad else bad.replace("%%", "%"))
            request = requests.Request("GET", url, headers={"Authorization": self.token()}).prepare()
            request.url = url  # as written: no client-side normalizing
            reply = requests.Session().send(request, verify=os.environ.get("REQUESTS_CA_BUNDLE", True))
            self.assertIn(reply.status_code, (400, 404), url)

    def test_notebooks_see_volumes(self):
        self.w.files.upload(f"{self.base}/in/x.csv", io.BytesIO(b"id,n\n1,a\n2,b\n"), overwrite=True)
        path = self.put_notebook("vol", notebook(
            f'df = spark.read.option("header", True).csv("{self.base}/in/x.csv")',
            f'assert df.count() == spark.read.option("header", True).csv("dbfs:{self.base}/in").count()',
            f'import pathlib\nassert open("{self.base}/in/x.csv").read() == pathlib.Path("{self.base}/in/x.csv").read_text()',
            f'assert [f.name for f in dbutils.fs.ls("{self.base}/in")] == ["x.csv"]',
            f'df.coalesce(1).write.mode("overwrite").json("{self.base}/out")',
            f'df.write.format("delta").save("{self.base}/delta")\n'
            f'spark.sql("CREATE TABLE main.default.{self.volume}_x USING delta LOCATION \'{self.base}/delta\'")\n'
            f'assert spark.table("main.default.{self.volume}_x").count() == 2',
            f'(spark.readStream.schema(df.schema).option("header", True).csv("{self.base}/in").writeStream\n'
            f' .trigger(availableNow=True).option("checkpointLocation", "{self.base}/_checkpoint")\n'
            f' .toTable("main.default.{self.volume}_s").awaitTermination())\n'
            f'assert spark.table("main.default.{self.volume}_s").count() == 2',
            f'from delta.tables import DeltaTable\ndf.write.mode("overwrite").saveAsTable("main.default.{self.volume}")\n'
            f'DeltaTable.forName(spark, "main.default.{self.volume}").delete("id = 1")',
            f'dbutils.notebook.exit(str(spark.table("main.default.{self.volume}").count()))'))
        run = self.run_job([self.task("t", path)])
        output = self.w.jobs.get_run_output(run.tasks[0].run_id)
        self.assertEqual(output.notebook_output and output.notebook_output.result, "1", output.error_trace)
        names = [e.name for e in self.w.files.list_directory_contents(f"{self.base}/out")]
        self.assertTrue(any(n.startswith("part-") for n in names), names)


class Faults(Base):
    def fault(self, **fault):
        reply = requests.post(HOST + "/test/faults", json=fault, headers={"Authorization": self.token()})
        self.assertEqual(reply.status_code, 200, reply.text)

    def test_429_with_retry_after(self):
        self.fault(path="/api/2.0/preview/scim/v2/Me", count=1, status=429, headers="Retry-After: 1\r\n",
                   body='{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"slow down"}')
        start = time.time()
        self.assertEqual(self.w.current_user.me().user_name, "nuvyn")
        self.assertGreater(time.time() - start, 0.9)

    def test_reply_lost_after_the_effect(self):
        path = self.put_notebook("lost", notebook("1"))
        job = self.w.jobs.create(name="lost", tasks=[self.task("t", path)])
        self.fault(path="/api/2.?/jobs/run-now", method="POST", count=1, status=0)
        token = uuid.uuid4().hex
        run = self.w.jobs.run_now(job.job_id, idempotency_token=token)  # the SDK sends it again
        self.finish(run.run_id)
        self.assertEqual(len(list(self.w.jobs.list_runs(job_id=job.job_id))), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
