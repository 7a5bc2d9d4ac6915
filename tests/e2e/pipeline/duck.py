"""Just enough of DuckDB's C library for an oracle: statements in, rows of texts out."""

import ctypes
import os


class Result(ctypes.Structure):
    _fields_ = [("columns", ctypes.c_uint64), ("rows", ctypes.c_uint64), ("changed", ctypes.c_uint64),
                ("data", ctypes.c_void_p), ("error", ctypes.c_char_p), ("internal", ctypes.c_void_p)]


class Duck:
    def __init__(self):
        home = os.environ.get("NUVYN_HOME", os.path.expanduser("~/.cache/nuvyn"))
        self.lib = ctypes.CDLL(os.path.join(home, "duckdb", "libduckdb.so"))
        self.lib.duckdb_value_varchar.restype = ctypes.c_void_p
        self.lib.duckdb_value_varchar.argtypes = [ctypes.POINTER(Result), ctypes.c_uint64, ctypes.c_uint64]
        self.lib.duckdb_result_error.restype = ctypes.c_char_p
        for name in ("duckdb_row_count", "duckdb_column_count"):
            getattr(self.lib, name).restype = ctypes.c_uint64
        self.lib.duckdb_free.argtypes = [ctypes.c_void_p]
        self.database, self.connection = ctypes.c_void_p(), ctypes.c_void_p()
        assert self.lib.duckdb_open(None, ctypes.byref(self.database)) == 0
        assert self.lib.duckdb_connect(self.database, ctypes.byref(self.connection)) == 0

    def rows(self, sql):
        result = Result()
        failed = self.lib.duckdb_query(self.connection, sql.encode(), ctypes.byref(result))
        if failed:
            raise RuntimeError(f"{self.lib.duckdb_result_error(ctypes.byref(result)).decode()}\nin {sql}")
        size = [self.lib.duckdb_row_count(ctypes.byref(result)), self.lib.duckdb_column_count(ctypes.byref(result))]
        found = [tuple(self._text(result, c, r) for c in range(size[1])) for r in range(size[0])]
        self.lib.duckdb_destroy_result(ctypes.byref(result))
        return found

    def _text(self, result, column, row):
        pointer = self.lib.duckdb_value_varchar(ctypes.byref(result), column, row)
        if not pointer:
            return None
        text = ctypes.string_at(pointer).decode()
        self.lib.duckdb_free(pointer)
        return text
