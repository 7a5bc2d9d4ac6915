"""read_files(…) and LIST, which Databricks SQL has and open-source Spark lacks: the table function reads files by their
path with the options of Spark's readers, LIST says what lies in a folder.

A statement's calls are found in its text, read through a DataFrame reader into temporary views of the session, and
replaced by the views' names. The options are the documented ones of Databricks' read_files; what only Auto Loader has
is refused by name.
"""

import re

from py4j.protocol import Py4JJavaError

import sqltext
from catalogs import CatalogError

_CALL = re.compile(r"\bread_files\s*\(", re.IGNORECASE)
_OPTION = re.compile(r"\s*(`[^`]+`|[A-Za-z_][\w.]*)\s*=>\s*", re.DOTALL)
_FORMATS = ("csv", "json", "parquet", "text", "binaryfile", "orc", "xml")
_READERS = {"binaryfile": "binaryFile"}
_RENAMED = {"filenamepattern": "pathGlobFilter"}
_REFUSED = ("rescueddatacolumn", "schemahints", "schemaevolutionmode", "inferschema", "skiprows")


def listing(session, path):
    """The rows of LIST: path, name, size, modification time. Folders have a slash at the end of their name."""
    jvm, conf = session._jvm, session._jsparkSession.sessionState().newHadoopConf()
    rows = []
    try:
        folder = jvm.org.apache.hadoop.fs.Path(path)
        found = folder.getFileSystem(conf).listStatus(folder)
    except Py4JJavaError as error:
        raise CatalogError(f"[UNSUPPORTED] LIST {path}: {error.java_exception.getMessage()}") from None
    for status in found:
        name = status.getPath().getName() + ("/" if status.isDirectory() else "")
        rows.append((path.rstrip("/") + "/" + name, name, status.getLen(), status.getModificationTime()))
    frame = session.local_rows("path string, name string, size bigint, ms bigint", sorted(rows))
    return frame.selectExpr("path", "name", "size", "timestamp_millis(ms) AS modification_time")


def expand(session, text):
    """The statement with its read_files calls replaced by temporary views of this session."""
    out, start = [], 0
    for begin, end in _calls(text):
        view = f"nuvyn_read_files_{len(out)}"
        _reader(session, text[text.index("(", begin) + 1:end - 1], "_metadata" in text).createOrReplaceTempView(view)
        out += [text[start:begin], view]
        start = end
    return "".join(out) + text[start:]


def _calls(text):
    """(begin, end) of every call outside quotes and comments."""
    i, found = 0, []
    while i < len(text):
        match = _CALL.match(text, i)
        if match and (i == 0 or not (text[i - 1].isalnum() or text[i - 1] in "_.")):
            end = _closing(text, match.end())
            found.append((i, end))
            i = end
        else:
            i = sqltext.skip(text, i)
    return found


def _closing(text, i):
    depth = 1
    while i < len(text):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return i + 1
        i = sqltext.skip(text, i)
    raise CatalogError("[PARSE_SYNTAX_ERROR] read_files: the closing parenthesis is missing")


def _arguments(text):
    parts, start, i = [], 0, 0
    while i < len(text):
        if text[i] == ",":
            parts.append(text[start:i])
            start = i + 1
        i = sqltext.skip(text, i)
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def _literal(text, what):
    text = text.strip()
    if re.fullmatch(r"true|false|-?\d+", text, re.IGNORECASE):
        return text.lower()
    if len(text) > 1 and text[0] in "'\"" and sqltext.skip(text, 0) == len(text):
        return sqltext.literal(text)
    raise CatalogError(f"[INVALID_PARAMETER_VALUE] read_files: {what}: expected a literal, not {text[:80]}")


def _reader(session, text, with_metadata):
    path, *rest = _arguments(text) or [""]
    path, options, schema = _literal(path, "path"), {}, None
    for argument in rest:
        name = _OPTION.match(argument)
        if name is None:
            raise CatalogError(f"[PARSE_SYNTAX_ERROR] read_files: expected option => value, not {argument[:80]}")
        key = name.group(1).strip("`")
        if key.lower() in _REFUSED:
            raise CatalogError(f"[UNSUPPORTED] read_files: the local workspace does not have the option {key}")
        options[_RENAMED.get(key.lower(), key)] = _literal(argument[name.end():], key)
    kind = options.pop("format", "").lower()
    if kind not in _FORMATS:
        raise CatalogError(f"[INVALID_PARAMETER_VALUE] read_files: format: expected one of {', '.join(_FORMATS)}; the "
                           "local workspace does not detect it")
    if not re.search(r"[*?\[{]", path):
        options.setdefault("recursiveFileLookup", "true")
    schema = options.pop("schema", None)
    reader = session.read.format(_READERS.get(kind, kind)).options(**options)
    frame = (reader.schema(schema) if schema else reader).load(path)
    return frame.select("*", "_metadata") if with_metadata else frame
