"""information_schema, as far as tools and pipelines ask it: each of its views is computed when a statement names it.

`information_schema.tables` speaks of the current catalog, `main.information_schema.tables` of that one and
`system.information_schema.tables` of all. Views that could hold something here: catalogs, schemata, tables, columns, views,
volumes, table_privileges. Open-source Delta keeps no primary or foreign keys, so the views about constraints are there and
empty; any other is refused by name.
"""

import re

import sqltext
from catalogs import CatalogError

_NAME = re.compile(rf"(?:({sqltext.IDENT})\s*\.\s*)?`?information_schema`?\s*\.\s*({sqltext.IDENT})", re.IGNORECASE)
_COLUMNS = {
    "catalogs": "catalog_name string, catalog_owner string, comment string",
    "schemata": "catalog_name string, schema_name string, schema_owner string, comment string",
    "tables": "table_catalog string, table_schema string, table_name string, table_type string, is_insertable_into string, "
              "commit_action string, table_owner string, comment string, data_source_format string",
    "columns": "table_catalog string, table_schema string, table_name string, column_name string, ordinal_position int, "
               "column_default string, is_nullable string, full_data_type string, data_type string, "
               "numeric_precision int, numeric_scale int, partition_ordinal_position int, comment string",
    "views": "table_catalog string, table_schema string, table_name string, view_definition string, check_option string, "
             "is_updatable string, is_insertable_into string",
    "volumes": "volume_catalog string, volume_schema string, volume_name string, volume_type string, volume_owner string, "
               "comment string",
    "table_privileges": "grantor string, grantee string, table_catalog string, table_schema string, table_name string, "
                        "privilege_type string, is_grantable string, inherited_from string",
    "table_constraints": "constraint_catalog string, constraint_schema string, constraint_name string, table_catalog string, "
                         "table_schema string, table_name string, constraint_type string, is_deferrable string, "
                         "initially_deferred string, enforced string",
    "key_column_usage": "constraint_catalog string, constraint_schema string, constraint_name string, table_catalog string, "
                        "table_schema string, table_name string, column_name string, ordinal_position int, "
                        "position_in_unique_constraint int",
    "constraint_column_usage": "table_catalog string, table_schema string, table_name string, column_name string, "
                               "constraint_catalog string, constraint_schema string, constraint_name string",
    "constraint_table_usage": "constraint_catalog string, constraint_schema string, constraint_name string, "
                              "table_catalog string, table_schema string, table_name string",
    "referential_constraints": "constraint_catalog string, constraint_schema string, constraint_name string, "
                               "unique_constraint_catalog string, unique_constraint_schema string, "
                               "unique_constraint_name string, match_option string, update_rule string, delete_rule string",
}
OWNER = "nuvyn"


def expand(session, text):
    """The statement with its views of information_schema replaced by temporary views of the session."""
    if "information_schema" not in text.lower():
        return text
    out, start, i = [], 0, 0
    while i < len(text):
        match = _NAME.match(text, i)
        if match and (i == 0 or not (text[i - 1].isalnum() or text[i - 1] in "_.`")):
            out += [text[start:i], _view(session, *match.groups())]
            start = i = match.end()
        elif text[i].isalnum() or text[i] == "_":
            i = re.compile(r"\w+").match(text, i).end()
        else:
            i = sqltext.skip(text, i)
    return "".join(out) + text[start:]


def _view(session, catalog, name):
    name = name.strip("`").lower()
    if name not in _COLUMNS:
        raise CatalogError(f"[TABLE_OR_VIEW_NOT_FOUND] information_schema.{name}: the local workspace has "
                           f"{', '.join(sorted(_COLUMNS))}")
    catalog = (catalog or session.catalog.currentCatalog()).strip("`").lower()
    if catalog not in (*session.catalogs.names(), "system"):
        raise CatalogError(f"[CATALOG_NOT_FOUND] Catalog '{catalog}' does not exist")
    catalogs = session.catalogs.names() if catalog == "system" else [catalog]
    rows = [row for each in catalogs for row in _ROWS.get(name, _none)(session, each)]
    view = f"nuvyn_information_{catalog}_{name}"
    session.local_rows(_COLUMNS[name], rows).createOrReplaceTempView(view)
    return view


def _none(_session, _catalog):
    return []


def _all_catalogs(session, catalog):
    return [(catalog, OWNER, session.catalogs.comment(catalog))]


def _schemata(session, catalog):
    found = [(catalog, schema, OWNER, session.catalogs.comment(catalog, schema)) for schema in session.catalogs.schemas(catalog)]
    return [*found, (catalog, "information_schema", OWNER, None)]


def _tables(session, catalog):
    rows = []
    for schema in session.catalogs.schemas(catalog):
        for name, kind, kept in session.catalogs.tables(catalog, schema):
            view = kind == "VIEW"
            rows.append((catalog, schema, name, kind, "NO" if view else "YES", "PRESERVE", OWNER, kept.get("comment"),
                         None if view else "DELTA"))
    return rows


def _simple(kind):
    """DATA_TYPE: the type without what it is made of, as Unity Catalog calls it."""
    name = re.match(r"\w+", kind.simpleString())[0]
    return {"bigint": "LONG", "smallint": "SHORT", "tinyint": "BYTE"}.get(name, name.upper())


def _columns(session, catalog):
    rows = []
    for schema in session.catalogs.schemas(catalog):
        for name, _, _ in session.catalogs.tables(catalog, schema):
            try:
                fields = session.table(f"`{catalog}`.`{schema}`.`{name}`").schema.fields
            except Exception:  # dropped or broken meanwhile: the others are still wanted
                continue
            for position, field in enumerate(fields):
                kind = field.dataType
                rows.append((catalog, schema, name, field.name, position, None, "YES" if field.nullable else "NO",
                             kind.simpleString(), _simple(kind), getattr(kind, "precision", None),
                             getattr(kind, "scale", None), None, field.metadata.get("comment")))
    return rows


def _views(session, catalog):
    return [(catalog, schema, name, kept.get("view_text"), "NONE", "NO", "NO")
            for schema in session.catalogs.schemas(catalog)
            for name, kind, kept in session.catalogs.tables(catalog, schema) if kind == "VIEW"]


def _volumes(session, catalog):
    return [(catalog, schema, name, "MANAGED", OWNER, None) for schema in session.catalogs.schemas(catalog)
            for name in session.catalogs.volumes(catalog, schema)]


def _privileges(session, catalog):
    rows = []
    for schema in session.catalogs.schemas(catalog):
        for name, _, _ in session.catalogs.tables(catalog, schema):
            for who, what, kind, origin in session.grants.show("TABLE", (catalog, schema, name)):
                rows.append((OWNER, who, catalog, schema, name, what.replace(" ", "_"), "NO",
                             "NONE" if kind == "TABLE" else kind))
    return rows


_ROWS = {"catalogs": _all_catalogs, "schemata": _schemata, "tables": _tables, "columns": _columns, "views": _views,
         "volumes": _volumes, "table_privileges": _privileges}
