"""The one Spark of the workspace, and a session of it for each notebook and statement."""

import glob
import json
import logging
import os
import re
import shutil
import threading

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

import effort
import grants
import infoschema
import readfiles
import sqltext
from catalogs import CatalogError

_CLASS = "io.nuvyn.workspace.UnityCatalog"
_FILES = "io.nuvyn.workspace.VolumesFileSystem"
_CONTEXT = "io.nuvyn.workspace.VolumesFileContext"
_current = threading.local()


def _java_folder():
    """Where Spark's scripts look for java."""
    home = os.environ.get("JAVA_HOME")
    return os.path.join(home, "bin") if home else os.environ.get("PATH", "")


def _class_archive(jars, write_to):
    """The JVM's options about the archive of Spark's classes (rehearse.py): writing it, or reading it where it is there.

    An archive that another JVM or other jars made is passed over by the JVM, which says so in its log."""
    archive = os.path.join(jars, "classes.jsa")
    if write_to:
        return f'"-XX:ArchiveClassesAtExit={write_to}"'
    return f'"-XX:SharedArchiveFile={archive}"' if os.path.isfile(archive) else ""


def start(options, archive_at_exit=None):
    """Starts Spark. options: root, jars, work, cores, memory, jit.

    jit "quick" leaves out the JVM's second compiler, and as long as the workspace holds little data the compilation of queries
    (effort.py): most of that work would never pay off. "full" is for long runs over much data."""
    if shutil.which("java", path=_java_folder()) is None:
        raise RuntimeError(f"there is no Java in {_java_folder()}: install openjdk-17-jre-headless, or set JAVA_HOME")
    jars = sorted(glob.glob(os.path.join(options.jars, "*.jar")))
    if not any("delta-spark" in jar for jar in jars) or not any("nuvyn-catalog" in jar for jar in jars):
        raise RuntimeError(f"{options.jars}: the Delta Lake and catalog jars are not there; run workspace/kernel/install.sh")
    here = os.path.dirname(os.path.abspath(__file__))
    # Spark looks its machine's name up and does not start where nothing answers: a laptop without a network, a container.
    os.environ.setdefault("SPARK_LOCAL_HOSTNAME", "localhost")
    settings = {
        "spark.driver.memory": options.memory,
        "spark.driver.extraClassPath": ":".join(jars),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        # With one tier the JVM reserves 48 MB for compiled code. A pipeline of some twenty tasks fills that, and from then on
        # everything is interpreted: several times slower, for good.
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{here}/log4j2.properties "
                                         f"{_class_archive(options.jars, archive_at_exit)} -XX:+UseParallelGC "
                                         "-XX:MetaspaceSize=256m "  # each growth from less is a full collection
                                         f"-XX:TieredStopAtLevel={4 if options.jit == 'full' else 1} "
                                         "-XX:ReservedCodeCacheSize=256m -Duser.timezone=UTC",
        "spark.ui.enabled": "false",
        "spark.sql.ui.explainMode": "simple",  # of each query, for nobody: there is no UI
        "spark.ui.showConsoleProgress": "false",
        "spark.scheduler.mode": "FAIR",
        "spark.local.dir": os.path.join(options.work, "spark"),
        "spark.sql.warehouse.dir": os.path.join(options.work, "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": options.cores,
        "spark.sql.sources.default": "delta",
        "spark.sql.legacy.createHiveTableByDefault": "false",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.defaultCatalog": "main",
        "spark.sql.pyspark.dataFrameQueryContext.enabled": "false",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.databricks.delta.vacuum.parallelDelete.enabled": "false",
        "spark.nuvyn.jit": options.jit,
        "spark.hadoop.nuvyn.unity.root": options.root,
        "spark.hadoop.io.compression.codecs": "io.nuvyn.workspace.ZstdCodec",
        "spark.hadoop.fs.file.impl": _FILES,
        "spark.hadoop.fs.dbfs.impl": _FILES,
        "spark.hadoop.fs.AbstractFileSystem.file.impl": _CONTEXT,
        "spark.hadoop.fs.AbstractFileSystem.dbfs.impl": _CONTEXT,
    }
    for name in options.catalogs.names():
        settings[f"spark.sql.catalog.{name}"] = _CLASS
        settings[f"spark.sql.catalog.{name}.root"] = options.root
    builder = SparkSession.builder.master(f"local[{options.cores}]").appName("nuvyn-workspace")
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    # Every failed query would be logged with its stack; the run or statement that failed carries the error.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL + 1)
    logging.getLogger("DataFrameQueryContextLogger").setLevel(logging.CRITICAL + 1)
    _bind_builder()
    return spark


def _bind_builder():
    """In a notebook, SparkSession.builder.getOrCreate() and getActiveSession() give the notebook's own session."""
    original = SparkSession.Builder.getOrCreate

    def get_or_create(self):
        return getattr(_current, "session", None) or original(self)

    SparkSession.Builder.getOrCreate = get_or_create
    SparkSession.getActiveSession = classmethod(lambda cls: getattr(_current, "session", None))
    SparkSession.active = classmethod(lambda cls: getattr(_current, "session", None))


class WorkspaceSession(SparkSession):
    """A session that also carries out the statements only Databricks knows: catalogs, volumes, views by full name."""

    def __init__(self, base, catalogs):
        self._catalogs = self.catalogs = catalogs
        self.grants = grants.Grants(catalogs.root)
        super().__init__(base.sparkContext, base._jsparkSession.newSession())
        self._root = base.conf.get("spark.hadoop.nuvyn.unity.root", None) or catalogs.root
        if base.conf.get("spark.nuvyn.jit") == "quick" and effort.is_little(self._root):
            for key, value in effort.LITTLE.items():
                self.conf.set(key, value)
        self.refresh_catalogs()

    def enter(self):
        """Makes this the session of the calling thread. Returns what leave() wants."""
        previous = getattr(_current, "session", None)
        _current.session = self
        self._jvm.SparkSession.setActiveSession(self._jsparkSession)
        return previous

    def leave(self, previous):
        _current.session = previous
        if previous is not None:
            self._jvm.SparkSession.setActiveSession(previous._jsparkSession)
        else:
            self._jvm.SparkSession.clearActiveSession()

    def refresh_catalogs(self):
        for name in self._catalogs.names():
            if self.conf.get(f"spark.sql.catalog.{name}", None) is None:
                self.conf.set(f"spark.sql.catalog.{name}.root", self._root)
                self.conf.set(f"spark.sql.catalog.{name}", _CLASS)

    def stop(self):
        raise RuntimeError("spark.stop(): the session belongs to the workspace")

    def sql(self, sqlQuery, args=None, **kwargs):
        self.refresh_catalogs()
        known = None if kwargs else sqltext.recognize(sqlQuery)
        if known is None:
            return super().sql(readfiles.expand(self, infoschema.expand(self, sqlQuery)), args, **kwargs)
        kind, groups = known
        try:
            return getattr(self, "_" + kind)(groups, sqlQuery, args)
        except CatalogError as error:
            raise CatalogError(str(error)) from None

    # ---- statements of our own

    def _none(self):
        return super().sql("SELECT 1 AS x WHERE false").select()

    def local_rows(self, schema, rows):
        """A frame of the rows (tuples), without the Python workers that createDataFrame would start."""
        names = [field.split()[0] for field in schema.split(", ")]
        text = json.dumps([dict(zip(names, row)) for row in rows])
        return super().sql("SELECT inline(from_json(:rows, :kind))", {"rows": text, "kind": f"array<struct<{schema}>>"})

    def _rows(self, columns, rows):
        return self.local_rows(", ".join(f"{column} string" for column in columns), rows)

    def _full(self, name):
        """The three parts of a name, the current catalog and schema filled in."""
        found = sqltext.parts(name)
        if len(found) < 3:
            found = [self.catalog.currentDatabase()] + found if len(found) == 1 else found
            found = [self.catalog.currentCatalog()] + found if len(found) == 2 else found
        return found

    def _create_catalog(self, groups, *_):
        self._catalogs.create_catalog(sqltext.parts(groups["name"])[0], groups["quiet"], sqltext.literal(groups["comment"]))
        self.refresh_catalogs()
        return self._none()

    def _drop_catalog(self, groups, *_):
        cascade = (groups["mode"] or "").upper() == "CASCADE"
        self._catalogs.drop_catalog(sqltext.parts(groups["name"])[0], groups["quiet"], cascade)
        return self._none()

    def _show_catalogs(self, groups, *_):
        like = re.compile((groups["like"] or "'*'")[1:-1].replace("*", ".*").replace("%", ".*"), re.IGNORECASE)
        return self._rows(["catalog"], [(name,) for name in self._catalogs.names() if like.fullmatch(name)])

    def _use_catalog(self, groups, *_):
        name = sqltext.parts(groups["name"].strip("'"))[0].lower()
        if name not in self._catalogs.names() and name != "spark_catalog":
            raise CatalogError(f"[CATALOG_NOT_FOUND] Catalog '{name}' does not exist")
        return super().sql(f"SET CATALOG `{name}`")

    def _create_volume(self, groups, *_):
        self._catalogs.create_volume(*self._full(groups["name"]), groups["quiet"], sqltext.literal(groups["comment"]))
        return self._none()

    def _create_external_volume(self, *_):
        raise CatalogError("[UNSUPPORTED] CREATE EXTERNAL VOLUME: the local workspace has managed volumes only")

    def _drop_volume(self, groups, *_):
        self._catalogs.drop_volume(*self._full(groups["name"]), groups["quiet"])
        return self._none()

    def _show_volumes(self, groups, *_):
        found = sqltext.parts(groups["name"]) if groups["name"] else [self.catalog.currentDatabase()]
        catalog, schema = found if len(found) == 2 else [self.catalog.currentCatalog(), *found]
        return self._rows(["database", "volume_name"], [(schema, v) for v in self._catalogs.volumes(catalog, schema)])

    def _list(self, groups, *_):
        found = readfiles.listing(self, sqltext.literal(groups["path"]))
        return found.limit(int(groups["limit"])) if groups["limit"] else found

    def _securable(self, groups):
        """(kind, name) of what a GRANT is on."""
        kind = grants.kind_of("METASTORE" if groups["metastore"] else groups["kind"])
        if kind in ("TABLE", "VOLUME"):
            return kind, self._full(groups["name"])
        found = sqltext.parts(groups["name"] or "")
        if kind == "SCHEMA" and len(found) == 1:
            found = [self.catalog.currentCatalog(), *found]
        if len(found) != grants.name_parts(kind):
            raise CatalogError(f"[PARSE_SYNTAX_ERROR] {groups['name']} is no name of a {kind.lower()}")
        return kind, found

    def _grant(self, groups, *_):
        self.grants.change(*self._securable(groups), groups["principal"].strip("`"), grants.privileges(groups["privileges"]),
                           not groups["revoke"], self._catalogs.write)
        return self._none()

    def _show_grants(self, groups, *_):
        principal = groups["principal"].strip("`") if groups["principal"] else None
        rows = self.grants.show(*self._securable(groups), principal)
        return self._rows(["Principal", "ActionType", "ObjectType", "ObjectKey"], rows)

    def _bad_grant(self, groups, text, *_):
        raise CatalogError(f"[PARSE_SYNTAX_ERROR] {text.strip()[:200]}: expected GRANT privileges ON [kind] name TO principal, "
                           "REVOKE … FROM principal or SHOW GRANTS [principal] ON [kind] name")

    def _create_view(self, groups, text, args):
        catalog, schema, name = self._full(groups["name"])
        if catalog == "spark_catalog":
            return super().sql(text, args)
        exists = self.catalog.tableExists(f"`{catalog}`.`{schema}`.`{name}`")
        is_view = exists and self._catalogs.has_view(catalog, schema, name)
        if exists and groups["quiet"]:
            return self._none()
        if exists and not (groups["replace"] and is_view):
            raise CatalogError(f"[TABLE_OR_VIEW_ALREADY_EXISTS] `{catalog}`.`{schema}`.`{name}` already exists")
        self._catalogs._schema(catalog, schema)
        self.catalog.tableExists(f"`{catalog}`.`{schema}`.`x`")  # brings the schema's database into the session catalog
        inner = f"spark_catalog.`{catalog.lower()}__{schema.lower()}`.`{name.lower()}`"
        super().sql(f"CREATE OR REPLACE VIEW {inner} {groups['rest']}", args)
        entry = self._jsparkSession.sessionState().catalog().getTableMetadata(
            self._jsparkSession.sessionState().sqlParser().parseTableIdentifier(inner.partition(".")[2]))
        pairs = self._jvm.scala.jdk.javaapi.CollectionConverters.asJava(entry.properties())
        comment = entry.comment().get() if entry.comment().isDefined() else None
        self._catalogs.save_view(catalog.lower(), schema.lower(), name, entry.viewText().get(), entry.schema().json(),
                                 dict(pairs), comment)
        return self._none()

    def _drop_view(self, groups, text, args):
        catalog, schema, name = self._full(groups["name"])
        if len(sqltext.parts(groups["name"])) == 1 and self.catalog.dropTempView(name):
            return self._none()
        if catalog == "spark_catalog":
            return super().sql(text, args)
        if not self._catalogs.has_view(catalog, schema, name):
            if groups["quiet"]:
                return self._none()
            raise CatalogError(f"[TABLE_OR_VIEW_NOT_FOUND] The view `{catalog}`.`{schema}`.`{name}` cannot be found")
        self._catalogs.drop_view(catalog, schema, name)
        super().sql(f"DROP VIEW IF EXISTS spark_catalog.`{catalog.lower()}__{schema.lower()}`.`{name.lower()}`")
        return self._none()


def reason(error):
    """What went wrong, without the Java stack that Python's bridge puts into its text."""
    if not isinstance(error, Py4JJavaError):
        return str(error) or type(error).__name__
    thrown = error.java_exception
    kind = thrown.getClass().getSimpleName()
    message = thrown.getMessage()
    return f"{kind}: {message}" if message else kind


def outward(text):
    """Names in Spark's messages as the user wrote them: spark_catalog.main__bronze.t is main.bronze.t."""
    text = re.sub(r"`spark_catalog`\.`([a-z0-9_]*?[a-z0-9])__([a-z0-9_]+)`", r"`\1`.`\2`", text)
    return re.sub(r"spark_catalog\.([a-z0-9_]*?[a-z0-9])__([a-z0-9_]+)", r"\1.\2", text)
