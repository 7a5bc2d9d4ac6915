"""One SQL statement of the Statement Execution API: its result goes to chunk files that the server hands out."""

import csv
import datetime
import decimal
import io
import json
import os

from pyspark.sql import functions as F
from pyspark.sql import types as T

from catalogs import CatalogError
from session import WorkspaceSession, outward, reason

_TYPE_NAMES = {
    T.ByteType: "BYTE", T.ShortType: "SHORT", T.IntegerType: "INT", T.LongType: "LONG", T.FloatType: "FLOAT",
    T.DoubleType: "DOUBLE", T.DecimalType: "DECIMAL", T.StringType: "STRING", T.VarcharType: "STRING",
    T.CharType: "STRING", T.BooleanType: "BOOLEAN", T.DateType: "DATE", T.TimestampType: "TIMESTAMP",
    T.TimestampNTZType: "TIMESTAMP_NTZ", T.BinaryType: "BINARY", T.ArrayType: "ARRAY", T.MapType: "MAP",
    T.StructType: "STRUCT", T.NullType: "NULL", T.DayTimeIntervalType: "INTERVAL", T.YearMonthIntervalType: "INTERVAL",
    T.CalendarIntervalType: "INTERVAL", T.VariantType: "VARIANT",
}


def type_name(data_type):
    return _TYPE_NAMES.get(type(data_type), "STRING")


def column_info(field, position):
    text = field.dataType.simpleString().upper()
    info = {"name": field.name, "position": position, "type_name": type_name(field.dataType), "type_text": text}
    if isinstance(field.dataType, T.DecimalType):
        info["type_precision"], info["type_scale"] = field.dataType.precision, field.dataType.scale
    return info


class BadParameter(Exception):
    pass


def parameter(given):
    """A named parameter as a Python value that Spark takes as a literal of the declared type."""
    value, declared = given.get("value"), (given.get("type") or "STRING").upper()
    if value is None:
        return None
    try:
        return _converted(value, declared)
    except (ValueError, ArithmeticError) as error:
        raise BadParameter(f"parameter {given['name']}: {value!r} is not a {declared}: {error}") from None


def _converted(value, declared):
    base = declared.partition("(")[0].strip()
    if base in ("STRING", "VARCHAR", "CHAR"):
        return value
    if base in ("INT", "INTEGER", "LONG", "BIGINT", "SHORT", "SMALLINT", "BYTE", "TINYINT"):
        return int(value)
    if base in ("DOUBLE", "FLOAT", "REAL"):
        return float(value)
    if base in ("DECIMAL", "NUMERIC", "DEC"):
        return decimal.Decimal(value)
    if base == "BOOLEAN":
        if value.lower() not in ("true", "false"):
            raise ValueError("expected true or false")
        return value.lower() == "true"
    if base == "DATE":
        return datetime.date.fromisoformat(value)
    if base in ("TIMESTAMP", "TIMESTAMP_NTZ"):
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    raise ValueError("this type is not supported for parameters")


def as_text(name, data_type):
    """The cell as the API prints it: text, or null."""
    column = F.col(name)
    if isinstance(data_type, T.TimestampType):
        return F.date_format(column, "yyyy-MM-dd'T'HH:mm:ss.SSSXXX")
    if isinstance(data_type, T.TimestampNTZType):
        return F.date_format(column, "yyyy-MM-dd'T'HH:mm:ss.SSS")
    if isinstance(data_type, T.BinaryType):
        return F.base64(column)
    if isinstance(data_type, (T.ArrayType, T.MapType, T.StructType, T.VariantType)):
        return F.to_json(column)
    return column.cast("string")


class ChunkWriter:
    """Writes rows (JSON arrays of text) to chunk files, each closed when it has reached its size."""

    def __init__(self, folder, kind, columns, chunk_bytes):
        self.folder, self.kind, self.columns, self.chunk_bytes = folder, kind, columns, chunk_bytes
        self.chunks, self.rows, self.bytes = [], 0, 0
        self._part, self._part_rows, self._part_bytes = [], 0, 0
        os.makedirs(folder, exist_ok=True)

    def add(self, row):
        text = row if self.kind == "JSON_ARRAY" else self._csv(json.loads(row))
        self._part.append(text)
        self._part_rows += 1
        self._part_bytes += len(text.encode())
        if self._part_bytes >= self.chunk_bytes:
            self._close_chunk()

    @staticmethod
    def _csv(cells):
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerow(["null" if cell is None else cell for cell in cells])
        return out.getvalue()

    def _close_chunk(self):
        index = len(self.chunks)
        if self.kind == "JSON_ARRAY":
            text = "[" + ",".join(self._part) + "]"
        else:
            head = self._csv(self.columns) if index == 0 else ""
            text = head + "".join(self._part)
        data = text.encode()
        with open(os.path.join(self.folder, f"chunk-{index}"), "wb") as out:
            out.write(data)
        self.chunks.append({"chunk_index": index, "row_offset": self.rows, "row_count": self._part_rows,
                            "byte_count": len(data)})
        self.rows += self._part_rows
        self.bytes += len(data)
        self._part, self._part_rows, self._part_bytes = [], 0, 0

    def total_bytes(self):
        return self.bytes + self._part_bytes

    def total_rows(self):
        return self.rows + self._part_rows

    def finish(self):
        if self._part or not self.chunks:
            self._close_chunk()


def failed(code, message):
    return {"state": "FAILED", "error_code": code, "message": outward(message)[:65536]}


def run(kernel, request):
    session = WorkspaceSession(kernel.spark, kernel.catalogs)
    previous = session.enter()
    try:
        return _run(session, request)
    except (CatalogError, BadParameter) as error:
        return failed("BAD_REQUEST", str(error))
    except Exception as error:  # Spark raises many kinds; each is the statement's failure
        if kernel.is_cancelled(request["id"]):
            return {"state": "CANCELED"}
        return failed("BAD_REQUEST", reason(error))
    finally:
        session.leave(previous)


def _quoted(name):
    return "`" + name.replace("`", "``") + "`"


def _run(session, request):
    if request.get("catalog"):
        session.sql(f"USE CATALOG {_quoted(request['catalog'])}")
    if request.get("schema"):
        session.sql(f"USE {_quoted(request['schema'])}")
    arguments = {given["name"]: parameter(given) for given in request.get("parameters") or []}
    frame = session.sql(request["statement"], args=arguments or None)
    fields = frame.schema.fields
    columns = [column_info(field, position) for position, field in enumerate(fields)]
    kind = "CSV" if request.get("format") == "CSV" else "JSON_ARRAY"
    writer = ChunkWriter(request["dir"], kind, [f.name for f in fields], request["chunk_bytes"])
    truncated = _write_rows(frame, fields, writer, request) if fields else False
    if truncated is None:
        return failed("BAD_REQUEST", f"Inline byte limit exceeded. Statements executed with disposition=INLINE can have "
                                     f"a result size of at most {request['inline_bytes']} bytes. Please execute the "
                                     "statement with disposition=EXTERNAL_LINKS if you want to download the full result.")
    writer.finish()
    return {"state": "SUCCEEDED", "columns": columns, "chunks": writer.chunks, "total_row_count": writer.rows,
            "total_byte_count": writer.bytes, "truncated": truncated}


def _write_rows(frame, fields, writer, request):
    """False: all rows were written. True: cut at a limit of the caller's. None: more than fits inline."""
    names = [f"c{i}" for i in range(len(fields))]
    texts = [as_text(name, field.dataType) for name, field in zip(names, fields)]
    rows = frame.toDF(*names).select(F.to_json(F.array(*texts), {"ignoreNullFields": "false"}))
    row_limit, byte_limit = request.get("row_limit"), request.get("byte_limit")
    if row_limit:
        rows = rows.limit(row_limit + 1)
    for row in rows.toLocalIterator(prefetchPartitions=True):
        if row_limit and writer.total_rows() >= row_limit:
            return True
        if byte_limit and writer.total_bytes() + len(row[0]) > byte_limit:
            return True
        writer.add(row[0])
        if request["disposition"] == "INLINE" and writer.total_bytes() > request["inline_bytes"]:
            return None
    return False
