"""The kernel: one process with one Spark, told by the workspace server what to run (wire.py).

    main.py --fd N --root UNITY --jars DIR --work DIR [--cores 2] [--memory 2g] [--jit quick|full]
"""

import argparse
import ctypes
import os
import socket
import subprocess
import sys
import threading
import time
import traceback

import catalogs
import interrupt
import notebook
import session
import statement
import volumes
import wire


MAX_STATEMENTS = 8  # at once; more wait their turn
ABANDON_SECONDS = {"notebook": 5, "python": 5, "statement": 20}


class Kernel:
    def __init__(self, options):
        self.options = options
        self.wire = wire.Wire(socket.socket(fileno=options.fd))
        self.catalogs = options.catalogs = catalogs.Catalogs(options.root)
        self.volumes = volumes.Volumes(options.root)
        self.spark = None
        self._running = {}
        self._cancelled = set()
        self._lock = threading.Lock()
        self._statements = threading.BoundedSemaphore(MAX_STATEMENTS)

    def serve(self):
        started = time.monotonic()
        try:
            self.spark = session.start(self.options)
        except Exception as error:
            self.wire.send({"event": "failed", "message": f"Spark did not start: {error}"})
            raise
        self.volumes.install()
        notebook.install_output()
        interrupt.install_sleep()
        self.wire.send({"event": "ready", "seconds": time.monotonic() - started, "spark": self.spark.version})
        threading.Thread(target=self._warm, name="warm", daemon=True).start()
        threading.Thread(target=self._watch_jvm, name="watch", daemon=True).start()
        while True:
            request = self.wire.receive()
            if request is None:
                return
            self._take(request)

    def _watch_jvm(self):
        """Without its JVM this process is of no use: the server starts another."""
        self.spark.sparkContext._gateway.proc.wait()
        sys.__stderr__.write("kernel: the Spark driver (JVM) has ended\n")
        os._exit(70)

    def _warm(self):
        """Runs one small query, so that the first real one finds code loaded and compiled."""
        own = session.WorkspaceSession(self.spark, self.catalogs)
        own.sql("SELECT count(*) FROM (SELECT explode(sequence(1, 100)) AS x) GROUP BY x % 3").collect()

    # ---- requests

    def _take(self, request):
        operations = {"statement": self._statement, "notebook": self._notebook, "python": self._python,
                      "describe": self._describe}
        if request["op"] == "cancel":
            self._cancel(request["target"])
            return
        run = operations.get(request["op"])
        if run is None:
            self.wire.send({"id": request["id"], "result": {"state": "FAILED", "error": f"unknown op {request['op']}"}})
            return
        thread = threading.Thread(target=self._carry_out, args=(run, request), name=f"{request['op']}-{request['id']}",
                                  daemon=True)
        with self._lock:
            self._running[request["id"]] = (thread, request)
        thread.start()

    def _carry_out(self, run, request):
        """Runs the request and answers it, once, whatever a cancel throws into this thread and when; unless _interrupt has
        given it up and answered already."""
        result = None
        while True:
            try:
                result = result or self._result_of(run, request)
                with self._lock:  # _interrupt throws under this lock too: after it nothing more comes
                    given_up = self._running.pop(request["id"], None) is None
                    self._cancelled.discard(request["id"])
                break
            except interrupt.Cancelled:
                result = result or {"state": "CANCELED", "error": "The run was cancelled"}
        if given_up:
            return
        if result.get("state") == "FAILED" and self._driver_is_dead(result):
            threading.Event().wait()  # the process ends, and the server says why
        self._answer(request["id"], result)

    def _driver_is_dead(self, result):
        """Whether a failure is but the sign of a JVM that has gone, which may show a moment later."""
        words = str(result.get("error") or result.get("message"))
        suspicious = any(sign in words for sign in ("Py4JNetworkError", "Py4JError", "Connection refused", "Connection reset",
                                                    "Broken pipe"))
        try:
            self.spark.sparkContext._gateway.proc.wait(2 if suspicious else 0)
            return True
        except subprocess.TimeoutExpired:
            return False

    def _result_of(self, run, request):
        request["group"] = f"nuvyn-{request['id']}"
        try:
            self.spark.sparkContext.setJobGroup(request["group"], request["op"], interruptOnCancel=True)
            result = run(request)
        except interrupt.Cancelled:
            raise
        except BaseException as error:  # whatever it was, the server must get an answer
            result = {"state": "FAILED", "error_code": "INTERNAL_ERROR", "message": str(error),
                      "error": f"{type(error).__name__}: {error}", "error_trace": traceback.format_exc()}
        if self.is_cancelled(request["id"]) and result.get("state") == "FAILED":
            result["state"] = "CANCELED"
        return result

    def _answer(self, number, result):
        try:
            self.wire.send({"id": number, "result": result})
        except ValueError as error:
            self.wire.send({"id": number, "result": {"state": "FAILED", "error_code": "RESOURCE_EXHAUSTED",
                                                     "message": str(error), "error": str(error)}})

    def is_cancelled(self, number):
        with self._lock:
            return number in self._cancelled

    def _cancel(self, number):
        """Stops the Spark jobs of a request, then its Python. It answers the request itself."""
        with self._lock:
            if number not in self._running:
                return
            self._cancelled.add(number)
            thread, request = self._running[number]
        threading.Thread(target=self._interrupt, args=(thread, request), daemon=True).start()

    def _interrupt(self, thread, request):
        """A cancel reaches a thread between two bytecodes only. What is inside of one long call in C is given up: the request
        is answered, and the thread ends as soon as the call does, before it carries out anything else."""
        end = time.monotonic() + ABANDON_SECONDS.get(request["op"], 20)
        given_up = False
        while not given_up:
            self.spark.sparkContext.cancelJobGroup(f"nuvyn-{request['id']}")
            thread.join(0.2)
            with self._lock:
                if request["id"] not in self._running:
                    return
                if request["op"] in ("notebook", "python"):
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident),
                                                               ctypes.py_object(interrupt.Cancelled))
                given_up = time.monotonic() >= end
                if given_up:
                    self._running.pop(request["id"])
        logs = request.get("logs")
        self._answer(request["id"], {"state": "CANCELED", "logs": logs.text() if logs else "",
                                     "error": "The run was cancelled inside of a call that cannot be interrupted"})

    def _statement(self, request):
        while not self._statements.acquire(timeout=0.2):
            if self.is_cancelled(request["id"]):
                return {"state": "CANCELED"}
        try:
            return statement.run(self, request)
        finally:
            self._statements.release()

    def _notebook(self, request):
        return notebook.NotebookRun(self, request).run()

    def _python(self, request):
        """spark_python_task: a file with its arguments, in the same surroundings as a notebook."""
        run = notebook.NotebookRun(self, {**request, "language": "PYTHON"})
        run.namespace["__file__"] = request["path"]
        sys.argv = [request["path"], *request.get("argv", [])]
        return run.run()

    def _describe(self, request):
        """Columns and properties of tables, for the catalog's REST API."""
        own = session.WorkspaceSession(self.spark, self.catalogs)
        previous = own.enter()
        try:
            return {"tables": [self._describe_one(own, *name) for name in request["tables"]]}
        finally:
            own.leave(previous)

    @staticmethod
    def _describe_one(own, catalog, schema, table):
        name = f"`{catalog}`.`{schema}`.`{table}`"
        try:
            fields = own.table(name).schema.fields
        except Exception as error:  # dropped or broken meanwhile: the others are still wanted
            return {"error": session.outward(session.reason(error))}
        columns = []
        for position, field in enumerate(fields):
            info = statement.column_info(field, position)
            info.update(type_text=field.dataType.simpleString(), type_json=field.json(), nullable=field.nullable)
            if field.metadata.get("comment"):
                info["comment"] = field.metadata["comment"]
            columns.append(info)
        try:
            detail = own.sql(f"DESCRIBE DETAIL {name}").collect()[0].asDict()
        except Exception:  # views and files of other formats have no detail
            return {"columns": columns}
        stamp = lambda value: int(value.timestamp() * 1000) if value else None
        return {"columns": columns, "id": detail.get("id"), "comment": detail.get("description"),
                "properties": detail.get("properties") or {}, "created_at": stamp(detail.get("createdAt")),
                "updated_at": stamp(detail.get("lastModified")), "partition_columns": detail.get("partitionColumns")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--jars", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--cores", default="2")
    parser.add_argument("--memory", default="2g")
    parser.add_argument("--jit", choices=("quick", "full"), default="quick")
    options = parser.parse_args()
    os.environ["TZ"] = "UTC"
    time.tzset()
    os.makedirs(options.work, exist_ok=True)
    os.chdir(options.work)
    kernel = Kernel(options)
    try:
        kernel.serve()
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
