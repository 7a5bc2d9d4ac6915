"""GRANT, REVOKE and SHOW GRANTS: kept and told, not enforced, because the local workspace has one user, who may do everything.

A pipeline that grants works unchanged and can be looked at; what Unity Catalog refuses (an unknown privilege, an object that
is not there) is refused here too. Grants live in one file beside the catalogs, each with what identifies its object, so that
they end with it.
"""

import json
import os
import threading

from catalogs import CatalogError

PRIVILEGES = {
    "ALL PRIVILEGES", "APPLY TAG", "BROWSE", "CREATE CATALOG", "CREATE FUNCTION", "CREATE MATERIALIZED VIEW", "CREATE MODEL",
    "CREATE SCHEMA", "CREATE TABLE", "CREATE VOLUME", "EXECUTE", "EXTERNAL USE SCHEMA", "MANAGE", "MODIFY", "READ VOLUME",
    "REFRESH", "SELECT", "USE CATALOG", "USE SCHEMA", "WRITE VOLUME",
}
_OLD_NAMES = {"USAGE": "USE SCHEMA", "CREATE": "CREATE TABLE", "READ FILES": "READ VOLUME", "WRITE FILES": "WRITE VOLUME"}
_lock = threading.Lock()  # over the one file
_PARTS = {"METASTORE": 0, "CATALOG": 1, "SCHEMA": 2, "TABLE": 3, "VOLUME": 3}


def privileges(text):
    """The privileges of a comma list, as Unity Catalog calls them."""
    found = []
    for word in text.split(","):
        name = " ".join(word.upper().replace("_", " ").split())
        name = _OLD_NAMES.get(name, name)
        if name not in PRIVILEGES:
            raise CatalogError(f"[INVALID_PARAMETER_VALUE] privilege {word.strip()!r} is unknown: expected one of "
                               f"{', '.join(sorted(PRIVILEGES))}")
        found.append(name)
    return found


def kind_of(word):
    """The kind of object that GRANT … ON names; a table when it names none."""
    kind = {"DATABASE": "SCHEMA", "VIEW": "TABLE", None: "TABLE"}.get(word and word.upper(), word and word.upper())
    if kind not in _PARTS:
        raise CatalogError(f"[UNSUPPORTED] grants on a {kind}: the local workspace has them on metastore, catalogs, schemas, "
                           "tables, views and volumes")
    return kind


def name_parts(kind):
    return _PARTS[kind]


def _created(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file).get("created_at", 0)
    except (FileNotFoundError, NotADirectoryError):
        return None


class Grants:
    def __init__(self, root):
        self._root = root
        self._file = os.path.join(root, ".grants.json")

    def _identity(self, kind, name):
        """What tells an object from a later one of its name, 0 where nothing does; None where it is not there."""
        base = os.path.join(self._root, *name[:2])
        if kind == "METASTORE":
            return 0
        if kind in ("CATALOG", "SCHEMA"):
            return _created(os.path.join(base, kind.lower() + ".json"))
        if kind == "VOLUME":
            there = os.path.isdir(os.path.join(base, "volumes", name[2]))
            return _created(os.path.join(base, "volumes", f".{name[2]}.json")) or 0 if there else None
        log = os.path.join(base, "tables", name[2], "_delta_log")
        if os.path.isdir(log):
            first = os.path.join(log, "0" * 20 + ".json")
            return os.stat(first).st_mtime_ns if os.path.exists(first) else 0
        return 0 if os.path.exists(os.path.join(base, "external", name[2] + ".json")) else None

    def _read(self):
        """{(kind, name): (identity, {principal: [privileges]})}, of objects that are still there."""
        try:
            with open(self._file, encoding="utf-8") as file:
                rows = json.load(file)
        except FileNotFoundError:
            return {}
        entries = {(row["kind"], tuple(row["name"])): (row["identity"], row["grants"]) for row in rows}
        return {key: entry for key, entry in entries.items() if self._is_same(key, entry[0])}

    def _is_same(self, key, identity):
        now = self._identity(*key)
        return now is not None and (now == identity or not now or not identity)

    def _write(self, entries, write):
        rows = [{"kind": kind, "name": list(name), "identity": identity, "grants": grants}
                for (kind, name), (identity, grants) in sorted(entries.items()) if grants]
        write(self._file, rows)

    def _checked(self, kind, name):
        identity = self._identity(kind, name)
        if identity is None:
            raise CatalogError(f"[{'TABLE_OR_VIEW' if kind == 'TABLE' else kind}_NOT_FOUND] {kind.capitalize()} "
                               f"'{'.'.join(name)}' does not exist")
        return identity

    def change(self, kind, name, principal, wanted, granted, write):
        """GRANT (granted) or REVOKE. write(path, value) replaces a file at once."""
        name = tuple(part.lower() for part in name)
        with _lock:
            identity = self._checked(kind, name)
            entries = self._read()
            of = entries.get((kind, name), (identity, {}))[1]
            had = set(of.get(principal, []))
            left = had | set(wanted) if granted else set() if "ALL PRIVILEGES" in wanted else had - set(wanted)
            of = {**of, principal: sorted(left)}
            entries[(kind, name)] = (identity, {who: what for who, what in of.items() if what})
            self._write(entries, write)

    def show(self, kind, name, principal=None):
        """Rows of SHOW GRANTS: principal, privilege, kind and name of the object. With what is granted on the objects around it."""
        name = tuple(part.lower() for part in name)
        with _lock:
            self._checked(kind, name)
            entries = self._read()
        around = [("METASTORE", ()), ("CATALOG", name[:1]), ("SCHEMA", name[:2]), (kind, name)]
        rows = []
        for key in dict.fromkeys(key for key in around if len(key[1]) == _PARTS[key[0]] <= _PARTS[kind]):
            for who, what in sorted(entries.get(key, (0, {}))[1].items()):
                if principal in (None, who):
                    rows += [(who, privilege, key[0], ".".join(key[1])) for privilege in what]
        return rows
