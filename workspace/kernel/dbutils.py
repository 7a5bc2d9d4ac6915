"""dbutils as notebooks know it: widgets, notebook, fs, secrets and jobs.taskValues."""

import os
import shutil
from collections import namedtuple

FileInfo = namedtuple("FileInfo", "path name size modificationTime")


class NotebookExit(BaseException):
    """dbutils.notebook.exit(value)."""

    def __init__(self, value):
        super().__init__(value)
        self.value = value


class Widgets:
    def __init__(self, parameters):
        self._given = {key: str(value) for key, value in parameters.items()}
        self._defined = {}

    def _define(self, name, default):
        self._defined[str(name)] = str(default)

    def text(self, name, defaultValue="", label=None):
        self._define(name, defaultValue)

    def dropdown(self, name, defaultValue, choices, label=None):
        if defaultValue not in list(choices):
            raise ValueError(f"widget {name}: the default {defaultValue!r} is not one of its choices")
        self._define(name, defaultValue)

    combobox = dropdown

    def multiselect(self, name, defaultValue, choices, label=None):
        self._define(name, defaultValue)

    def get(self, name):
        if name in self._given:
            return self._given[name]
        if name in self._defined:
            return self._defined[name]
        raise ValueError(f"InputWidgetNotDefined: no input widget named {name} is defined, and no parameter was given")

    def getArgument(self, name, defaultValue=None):
        try:
            return self.get(name)
        except ValueError:
            if defaultValue is None:
                raise
            return defaultValue

    def getAll(self):
        return {**self._defined, **self._given}

    def remove(self, name):
        self._defined.pop(name, None)

    def removeAll(self):
        self._defined.clear()


class Notebook:
    def __init__(self, run):
        self._run = run

    def exit(self, value=""):
        raise NotebookExit(str(value))

    def run(self, path, timeout_seconds=0, arguments=None):
        return self._run(path, timeout_seconds, arguments or {})


class Files:
    def __init__(self, volumes):
        self._volumes = volumes

    def _real(self, path):
        shown = path
        for scheme in ("dbfs:", "file:"):
            if path.startswith(scheme):
                path = "/" + path[len(scheme):].lstrip("/")
        if not path.startswith("/"):
            raise ValueError(f"{shown}: expected an absolute path, such as /Volumes/<catalog>/<schema>/<volume>/<file>")
        return path, self._volumes.real(path)

    def _info(self, path, real):
        stat = os.stat(real)
        folder = os.path.isdir(real)
        name = os.path.basename(path.rstrip("/")) + ("/" if folder else "")
        shown = "dbfs:" + path.rstrip("/") + ("/" if folder else "")
        return FileInfo(shown, name, 0 if folder else stat.st_size, int(stat.st_mtime * 1000))

    def ls(self, path):
        path, real = self._real(path)
        if os.path.isfile(real):
            return [self._info(path, real)]
        return [self._info(path.rstrip("/") + "/" + name, os.path.join(real, name)) for name in sorted(os.listdir(real))]

    def head(self, path, maxBytes=65536):
        with open(self._real(path)[1], "rb") as file:
            return file.read(maxBytes).decode("utf-8", errors="replace")

    def put(self, path, contents, overwrite=False):
        with open(self._real(path)[1], "w" if overwrite else "x", encoding="utf-8") as file:
            file.write(contents)
        return True

    def mkdirs(self, path):
        os.makedirs(self._real(path)[1], exist_ok=True)
        return True

    def rm(self, path, recurse=False):
        real = self._real(path)[1]
        if not os.path.exists(real):
            return False
        if os.path.isdir(real) and recurse:
            shutil.rmtree(real)
        elif os.path.isdir(real):
            os.rmdir(real)
        else:
            os.remove(real)
        return True

    def cp(self, source, target, recurse=False):
        source, target = self._real(source)[1], self._real(target)[1]
        if os.path.isdir(source):
            if not recurse:
                raise ValueError(f"{source}: is a directory; pass recurse=True")
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, os.path.join(target, os.path.basename(source)) if os.path.isdir(target) else target)
        return True

    def mv(self, source, target, recurse=False):
        self.cp(source, target, recurse)
        return self.rm(source, recurse)


class Secrets:
    def __init__(self, call):
        self._call = call

    def get(self, scope, key):
        return self._call("secret_get", scope=scope, key=key)

    def getBytes(self, scope, key):
        return self.get(scope, key).encode()


class TaskValues:
    def __init__(self, call, task_run_id):
        self._call = call
        self._task_run_id = task_run_id

    def set(self, key, value):
        if self._task_run_id:
            self._call("task_value_set", task_run_id=self._task_run_id, key=key, value=value)

    def get(self, taskKey, key, default=None, debugValue=None):
        if not self._task_run_id:
            if debugValue is None:
                raise TypeError("taskValues.get: outside of a job, debugValue must be given")
            return debugValue
        found = self._call("task_value_get", task_run_id=self._task_run_id, task_key=taskKey, key=key)
        if found is not None:
            return found["value"]
        if default is None:
            raise ValueError(f"taskValues.get: task {taskKey} has set no value {key}, and no default was given")
        return default


class Jobs:
    def __init__(self, call, task_run_id):
        self.taskValues = TaskValues(call, task_run_id)


class DBUtils:
    def __init__(self, parameters, volumes, call, run_notebook, task_run_id):
        self.widgets = Widgets(parameters)
        self.notebook = Notebook(run_notebook)
        self.fs = Files(volumes)
        self.secrets = Secrets(call)
        self.jobs = Jobs(call, task_run_id)
