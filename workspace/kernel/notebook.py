"""Runs a notebook, cell by cell, in a namespace and a Spark session of its own."""

import ast
import linecache
import re
import shlex
import sys
import threading
import traceback

import source
import sqltext
from dbutils import DBUtils, NotebookExit
from interrupt import Cancelled
from session import WorkspaceSession, outward

MAX_RESULT = 5 * 1024 * 1024
MAX_LOGS = 5 * 1024 * 1024
MAX_DEPTH = 16
_output = threading.local()
_compiling = threading.Lock()  # CPython 3.11 loses count when two threads build syntax trees at once: SystemError


class ThreadOutput:
    """sys.stdout and sys.stderr: what a notebook's thread writes goes to its logs, the rest to the process's own."""

    def __init__(self, fallback):
        self._fallback = fallback

    def write(self, text):
        logs = getattr(_output, "logs", None)
        return logs.write(text) if logs else self._fallback.write(text)

    def flush(self):
        if not getattr(_output, "logs", None):
            self._fallback.flush()

    def __getattr__(self, name):
        return getattr(self._fallback, name)


class Logs:
    def __init__(self):
        self._parts, self._size, self.truncated = [], 0, False

    def write(self, text):
        room = MAX_LOGS - self._size
        if len(text) > room:
            self.truncated = True
        text_in = text[:room]
        self._parts.append(text_in)
        self._size += len(text_in)
        return len(text)

    def text(self):
        return "".join(self._parts)


def install_output():
    sys.stdout, sys.stderr = ThreadOutput(sys.stdout), ThreadOutput(sys.stderr)


def display(value=None, *_args, **_kwargs):
    """Shows a DataFrame's first rows, or any other value, in the run's logs."""
    if hasattr(value, "_jdf"):
        print(outward(value._jdf.showString(20, 60, False)))
    elif value is not None:
        print(value)


class NotebookRun:
    """One run: the top notebook and everything it pulls in with %run."""

    def __init__(self, kernel, request):
        self.kernel = kernel
        self.request = request
        self.path = request["path"]
        self.session = WorkspaceSession(kernel.spark, kernel.catalogs)
        self.depth = request.get("depth", 0)
        self.cells_done = 0
        dbutils = DBUtils(request.get("parameters", {}), kernel.volumes, kernel.wire.call, self._run_other,
                          request.get("task_run_id"))
        self.namespace = {"__name__": "__main__", "spark": self.session, "sc": kernel.spark.sparkContext,
                          "dbutils": dbutils, "display": display, "displayHTML": display, "sql": self.session.sql,
                          "table": self.session.table, "getArgument": dbutils.widgets.getArgument}

    def run(self):
        """The outcome as the server stores it."""
        logs = Logs()
        self.request.setdefault("logs", logs)  # of the top notebook, for whoever gives it up
        outer, _output.logs = getattr(_output, "logs", None), logs
        previous = self.session.enter()
        try:
            outcome = self._outcome()
        finally:
            self.session.leave(previous)
            _output.logs = outer
        outcome.update(logs=logs.text(), logs_truncated=logs.truncated)
        return outcome

    def _outcome(self):
        try:
            self._run_source(self.path, self.request["source"], self.request["language"])
            return {"state": "SUCCESS"}
        except NotebookExit as done:
            value = done.value
            return {"state": "SUCCESS", "result": value[:MAX_RESULT], "truncated": len(value) > MAX_RESULT}
        except (Cancelled, KeyboardInterrupt):
            return {"state": "CANCELED", "error": "The run was cancelled"}
        except SystemExit as done:
            if done.code in (None, 0):
                return {"state": "SUCCESS"}
            return {"state": "FAILED", "error": f"SystemExit: {done.code}", "error_trace": ""}
        except BaseException as error:  # a notebook may raise anything
            return {"state": "FAILED", "error": outward(f"{type(error).__name__}: {error}")[:65536],
                    "error_trace": outward(self._trace(error))[:262144]}

    def _trace(self, error):
        frames = traceback.extract_tb(error.__traceback__)
        shown = [frame for frame in frames if frame.filename.startswith("/") and "::" in frame.filename] or frames
        head = "Traceback (most recent call last):\n" + "".join(traceback.format_list(shown))
        return head + "".join(traceback.format_exception_only(type(error), error))

    # ---- cells

    def _run_source(self, path, text, language):
        if self.depth > MAX_DEPTH:
            raise RecursionError(f"{path}: more than {MAX_DEPTH} notebooks deep")
        for number, cell in enumerate(source.parse(text, language), 1):
            if self.kernel.is_cancelled(self.request["id"]):
                raise Cancelled()
            self._run_cell(path, number, cell)
            self.cells_done += 1

    def _run_cell(self, path, number, cell):
        runner = getattr(self, "_cell_" + cell.kind, None)
        if runner is None:
            raise NotImplementedError(f"{path}, cell {number} (line {cell.line}): %{cell.kind} cells are not supported "
                                      "by the local workspace (python, sql, md and run are)")
        runner(path, number, cell)

    def _cell_md(self, path, number, cell):
        """Text for readers."""

    _cell_md_sandbox = _cell_md

    def _cell_pip(self, path, number, cell):
        raise NotImplementedError(f"{path}, cell {number} (line {cell.line}): %pip {cell.argument}: the local workspace "
                                  "runs all notebooks in one Python environment and installs nothing into it")

    def _cell_python(self, path, number, cell):
        name = f"{path}::cell {number}"
        lines = [""] * (cell.line - 1) + cell.text.split("\n")
        linecache.cache[name] = (0, None, [line + "\n" for line in lines], name)
        with _compiling:
            tree = ast.parse("\n" * (cell.line - 1) + cell.text, filename=name)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            body = compile(tree, name, "exec")
            ending = compile(ast.Expression(last.value), name, "eval") if last is not None else None
        exec(body, self.namespace)
        if ending is not None:
            value = eval(ending, self.namespace)
            if value is not None:
                print(outward(repr(value)))

    def _cell_sql(self, path, number, cell):
        for statement in sqltext.split(cell.text):
            result = self.session.sql(statement)
            self.namespace["_sqldf"] = result
            if result.columns:
                display(result)

    def _cell_run(self, path, number, cell):
        words = shlex.split(cell.text.split("\n")[0]) if cell.text else []
        if not words:
            raise source.SourceError(f"{path}, cell {number}: %run needs the path of a notebook")
        widgets = self.namespace["dbutils"].widgets
        for word in words[1:]:
            match = re.fullmatch(r"\$(\w+)=(.*)", word, re.DOTALL)
            if not match:
                raise source.SourceError(f"{path}, cell {number}: %run … {word}: expected $name=\"value\"")
            widgets._given[match.group(1)] = match.group(2)
        target = source.resolve(path, words[0])
        found = self.kernel.wire.call("notebook_source", path=target)
        self.depth += 1
        try:
            self._run_source(target, found["source"], found["language"])
        finally:
            self.depth -= 1

    def _run_other(self, path, timeout_seconds, arguments):
        """dbutils.notebook.run: another notebook, on its own, with its own session."""
        target = source.resolve(self.path, path)
        found = self.kernel.wire.call("notebook_source", path=target)
        child = NotebookRun(self.kernel, {**self.request, "path": target, "source": found["source"],
                                          "language": found["language"], "parameters": arguments,
                                          "depth": self.depth + 1})
        timer = None
        if timeout_seconds:
            timer = threading.Timer(timeout_seconds, self.kernel.spark.sparkContext.cancelJobGroup,
                                    [self.request["group"]])
            timer.start()
        try:
            outcome = child.run()
        finally:
            if timer:
                timer.cancel()
        sys.stdout.write(outcome["logs"])
        if outcome["state"] == "CANCELED":
            raise Cancelled()
        if outcome["state"] != "SUCCESS":
            raise RuntimeError(f"WorkflowException: notebook {target} failed: {outcome['error']}")
        return outcome.get("result", "")
