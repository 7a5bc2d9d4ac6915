"""Catalogs, schemas, volumes and views on disk, beside the Java catalog that does the tables (UnityStore.java)."""

import json
import os
import re
import shutil
import time
import uuid

_NAME = re.compile(r"[a-z0-9_]{1,255}")


class CatalogError(Exception):
    """What was asked of the catalog cannot be; the text says why, with the class of error first."""


class Catalogs:
    def __init__(self, root):
        self.root = os.path.realpath(root)

    @staticmethod
    def name(kind, text):
        lower = text.lower()
        if not _NAME.fullmatch(lower):
            raise CatalogError(f"[INVALID_NAME] {kind} name `{text}`: the local workspace allows letters, digits and _")
        if kind == "catalog" and ("__" in lower or lower.endswith("_")):
            raise CatalogError(f"[INVALID_NAME] catalog name `{text}`: neither __ nor a trailing _ is allowed")
        return lower

    def _at(self, *names):
        return os.path.join(self.root, *names)

    def write(self, path, value):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        draft = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{uuid.uuid4()}")
        with open(draft, "w", encoding="utf-8") as out:
            json.dump(value, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, path)

    def trash(self, path):
        os.makedirs(self._at(".trash"), exist_ok=True)
        gone = self._at(".trash", str(uuid.uuid4()))
        os.rename(path, gone)
        if os.path.isdir(gone):
            shutil.rmtree(gone, ignore_errors=True)
        else:
            os.remove(gone)

    def names(self):
        found = [n for n in os.listdir(self.root) if os.path.isfile(self._at(n, "catalog.json"))]
        return sorted(found)

    def _now(self, comment):
        now = int(time.time() * 1000)
        return {"comment": comment, "created_at": now, "updated_at": now, "properties": {}}

    def create_catalog(self, name, quiet, comment):
        name = self.name("catalog", name)
        if os.path.exists(self._at(name, "catalog.json")):
            if quiet:
                return
            raise CatalogError(f"[CATALOG_ALREADY_EXISTS] Catalog '{name}' already exists")
        self.write(self._at(name, "default", "schema.json"), self._now("Default schema (auto-created)"))
        self.write(self._at(name, "catalog.json"), self._now(comment))

    def drop_catalog(self, name, quiet, cascade):
        name = self.name("catalog", name)
        if not os.path.exists(self._at(name, "catalog.json")):
            if quiet:
                return
            raise CatalogError(f"[CATALOG_NOT_FOUND] Catalog '{name}' does not exist")
        schemas = [s for s in os.listdir(self._at(name)) if os.path.isdir(self._at(name, s)) and s != "default"]
        if schemas and not cascade:
            raise CatalogError(f"[CATALOG_NOT_EMPTY] Catalog '{name}' is not empty: it has the schemas {', '.join(sorted(schemas))}")
        self.trash(self._at(name))

    def _schema(self, catalog, schema):
        catalog, schema = self.name("catalog", catalog), self.name("schema", schema)
        if not os.path.isfile(self._at(catalog, schema, "schema.json")):
            raise CatalogError(f"[SCHEMA_NOT_FOUND] Schema '{catalog}.{schema}' does not exist")
        return catalog, schema

    def create_volume(self, catalog, schema, volume, quiet, comment):
        catalog, schema = self._schema(catalog, schema)
        path = self._at(catalog, schema, "volumes", self.name("volume", volume))
        if os.path.isdir(path):
            if quiet:
                return
            raise CatalogError(f"[VOLUME_ALREADY_EXISTS] Volume '{catalog}.{schema}.{volume}' already exists")
        self.write(self._at(catalog, schema, "volumes", f".{volume.lower()}.json"), self._now(comment))
        os.makedirs(path)

    def drop_volume(self, catalog, schema, volume, quiet):
        catalog, schema = self._schema(catalog, schema)
        path = self._at(catalog, schema, "volumes", self.name("volume", volume))
        if not os.path.isdir(path):
            if quiet:
                return
            raise CatalogError(f"[VOLUME_NOT_FOUND] Volume '{catalog}.{schema}.{volume}' does not exist")
        self.trash(path)

    def volumes(self, catalog, schema):
        catalog, schema = self._schema(catalog, schema)
        folder = self._at(catalog, schema, "volumes")
        if not os.path.isdir(folder):
            return []
        return sorted(n for n in os.listdir(folder) if not n.startswith("."))

    def schemas(self, catalog):
        folder = self._at(self.name("catalog", catalog))
        return sorted(n for n in os.listdir(folder) if os.path.isfile(os.path.join(folder, n, "schema.json")))

    def comment(self, catalog, schema=None):
        names = (catalog, schema, "schema.json") if schema else (catalog, "catalog.json")
        return self._kept(self._at(*names)).get("comment")

    @staticmethod
    def _kept(path):
        try:
            with open(path, encoding="utf-8") as file:
                return json.load(file)
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def tables(self, catalog, schema):
        """(name, MANAGED, EXTERNAL or VIEW, what its file says) of every table and view."""
        base = self._at(*self._schema(catalog, schema))
        managed, external = os.path.join(base, "tables"), os.path.join(base, "external")
        found = []
        for name in os.listdir(managed) if os.path.isdir(managed) else []:
            if os.path.isdir(os.path.join(managed, name, "_delta_log")):
                found.append((name, "MANAGED", {}))
        for name in os.listdir(external) if os.path.isdir(external) else []:
            if name.endswith(".json") and not name.startswith("."):
                kept = self._kept(os.path.join(external, name))
                found.append((name[:-len(".json")], kept.get("table_type") or "EXTERNAL", kept))
        return sorted(found, key=lambda table: table[0])

    # ---- views

    def _external(self, catalog, schema, name):
        return self._at(catalog, schema, "external", self.name("view", name) + ".json")

    def has_view(self, catalog, schema, name):
        catalog, schema = self._schema(catalog, schema)
        try:
            with open(self._external(catalog, schema, name), encoding="utf-8") as file:
                return json.load(file).get("table_type") == "VIEW"
        except FileNotFoundError:
            return False

    def save_view(self, catalog, schema, name, text, schema_json, properties, comment):
        self.write(self._external(catalog, schema, name), {
            "table_type": "VIEW", "view_text": text, "schema": schema_json, "properties": properties,
            "comment": comment, "created_at": int(time.time() * 1000)})

    def drop_view(self, catalog, schema, name):
        catalog, schema = self._schema(catalog, schema)
        self.trash(self._external(catalog, schema, name))
