package io.nuvyn.workspace;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.URI;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.catalyst.TableIdentifier;
import org.apache.spark.sql.catalyst.analysis.NamespaceAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.NonEmptyNamespaceException;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.catalyst.catalog.CatalogDatabase;
import org.apache.spark.sql.catalyst.catalog.SessionCatalog;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.StagingTableCatalog;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableCatalogCapability;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.TableWritePrivilege;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.delta.DeltaLog;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import scala.Option;

/**
 * One Unity-Catalog-like catalog of the local workspace: CATALOG.schema.table.
 *
 * Delta Lake's own catalog does all the work, in the session catalog, where every Delta command is at home: the schema
 * `main.bronze` is there the database `main__bronze`. This class translates names, and brings the session catalog's
 * (in-memory) entries in line with what is on disk each time a name is looked up: the disk is the truth (UnityStore).
 */
public final class UnityCatalog implements StagingTableCatalog, SupportsNamespaces {
    private String catalog;
    private UnityStore store;

    @Override
    public void initialize(String name, CaseInsensitiveStringMap options) {
        String root = options.get("root");
        if (root == null) {
            throw new IllegalArgumentException("spark.sql.catalog." + name + ".root is not set");
        }
        catalog = UnityStore.name("catalog", name);
        if (catalog.contains("__") || catalog.endsWith("_")) {
            throw new IllegalArgumentException(
                "catalog name `" + name + "`: the local workspace allows neither __ nor a trailing _ in it");
        }
        store = new UnityStore(root);
    }

    @Override
    public String name() {
        return catalog;
    }

    @Override
    public String[] defaultNamespace() {
        return new String[] {"default"};
    }

    @Override
    public Set<TableCatalogCapability> capabilities() {
        return Set.of(TableCatalogCapability.SUPPORTS_CREATE_TABLE_WITH_GENERATED_COLUMNS,
                      TableCatalogCapability.SUPPORT_COLUMN_DEFAULT_VALUE,
                      TableCatalogCapability.SUPPORTS_CREATE_TABLE_WITH_IDENTITY_COLUMNS);
    }

    // ---- the session catalog behind

    private static SparkSession spark() {
        return (SparkSession) SparkSession.active();
    }

    private static StagingTableCatalog delta() {
        return (StagingTableCatalog) spark().sessionState().catalogManager().v2SessionCatalog();
    }

    private static SessionCatalog session() {
        return spark().sessionState().catalog();
    }

    private String database(String schema) {
        return catalog + "__" + UnityStore.name("schema", schema);
    }

    private String schemaOf(String[] namespace) throws NoSuchNamespaceException {
        if (namespace.length != 1 || !store.schemaExists(catalog, namespace[0])) {
            throw new NoSuchNamespaceException(qualified(namespace));
        }
        return UnityStore.name("schema", namespace[0]);
    }

    private String[] qualified(String[] namespace) {
        String[] all = new String[namespace.length + 1];
        all[0] = catalog;
        System.arraycopy(namespace, 0, all, 1, namespace.length);
        return all;
    }

    /** The name in the session catalog, the schema's database being there. */
    private Identifier inner(Identifier ident) throws NoSuchNamespaceException {
        String schema = schemaOf(ident.namespace());
        String database = database(schema);
        URI location = store.schema(catalog, schema).resolve("tables").toUri();
        if (!session().databaseExists(database)) {
            session().createDatabase(
                new CatalogDatabase(database, "", location, scala.collection.immutable.Map$.MODULE$.empty()), true);
        }
        return Identifier.of(new String[] {database}, UnityStore.name("table", ident.name()));
    }

    private static TableIdentifier v1(Identifier inner) {
        return new TableIdentifier(inner.name(), Option.apply(inner.namespace()[0]), Option.empty());
    }

    /** delta.`/some/path`: no name of ours. */
    private static boolean isPath(Identifier ident) {
        return ident.namespace().length == 1 && ident.namespace()[0].equalsIgnoreCase("delta")
            && ident.name().contains("/");
    }

    /** Looks on disk, and makes the session catalog agree. False: there is no such table. */
    private boolean sync(Identifier ident) throws NoSuchNamespaceException {
        Identifier inner = inner(ident);
        String schema = ident.namespace()[0];
        ObjectNode external = UnityStore.read(store.external(catalog, schema, ident.name()));
        Path managed = store.managed(catalog, schema, ident.name());
        boolean onDisk = external != null || UnityStore.hasDeltaLog(managed);
        boolean inMemory = session().tableExists(v1(inner));
        if (onDisk && !inMemory) {
            session().createTable(external != null ? CatalogEntries.external(v1(inner), external)
                                                   : CatalogEntries.managed(v1(inner), managed.toUri()), true, false);
        } else if (!onDisk && inMemory) {
            forget(inner);
        }
        return onDisk;
    }

    private static void forget(Identifier inner) {
        session().dropTable(v1(inner), true, true);
    }

    private Identifier existing(Identifier ident) throws NoSuchTableException {
        if (isPath(ident)) {
            return ident;
        }
        try {
            if (sync(ident)) {
                return inner(ident);
            }
        } catch (NoSuchNamespaceException e) {
            // The table's absence is what the caller asked about.
        }
        throw new NoSuchTableException(Identifier.of(qualified(ident.namespace()), ident.name()));
    }

    // ---- tables

    @Override
    public Identifier[] listTables(String[] namespace) throws NoSuchNamespaceException {
        String schema = schemaOf(namespace);
        List<String> names = store.tables(catalog, schema);
        return names.stream().map(name -> Identifier.of(new String[] {schema}, name)).toArray(Identifier[]::new);
    }

    @Override
    public Table loadTable(Identifier ident) throws NoSuchTableException {
        return delta().loadTable(existing(ident));
    }

    @Override
    public Table loadTable(Identifier ident, Set<TableWritePrivilege> privileges) throws NoSuchTableException {
        return delta().loadTable(existing(ident), privileges);
    }

    @Override
    public Table loadTable(Identifier ident, String version) throws NoSuchTableException {
        return delta().loadTable(existing(ident), version);
    }

    @Override
    public Table loadTable(Identifier ident, long timestamp) throws NoSuchTableException {
        return delta().loadTable(existing(ident), timestamp);
    }

    @Override
    public void invalidateTable(Identifier ident) {
        try {
            delta().invalidateTable(inner(ident));
        } catch (NoSuchNamespaceException e) {
            // Nothing is cached of a schema that is not there.
        }
    }

    @Override
    public boolean tableExists(Identifier ident) {
        try {
            return sync(ident);
        } catch (NoSuchNamespaceException e) {
            return false;
        }
    }

    /** Readies the place of a new table: what an aborted attempt left there goes, an external table is written down. */
    private Identifier prepare(Identifier ident, StructType schema, Map<String, String> properties)
        throws NoSuchNamespaceException {
        boolean exists = sync(ident);
        String schemaName = ident.namespace()[0];
        String provider = properties.getOrDefault(PROP_PROVIDER, "delta");
        if (properties.containsKey(TableCatalog.PROP_LOCATION)) {
            if (!exists) {
                UnityStore.write(store.external(catalog, schemaName, ident.name()),
                                 CatalogEntries.describe(provider, properties, schema));
            }
        } else if (!provider.equalsIgnoreCase("delta")) {
            throw new IllegalArgumentException("managed table " + catalog + "." + schemaName + "." + ident.name()
                                               + " USING " + provider + ": managed tables are Delta tables; give a LOCATION");
        } else if (!exists) {
            Path managed = store.managed(catalog, schemaName, ident.name());
            store.trash(managed);
            forgetLog(managed);
        }
        return inner(ident);
    }

    /** Delta keeps logs by path in memory; a new table may come to lie where one was dropped, by us or by the server. */
    private static void forgetLog(Path table) {
        DeltaLog.invalidateCache(spark(), new org.apache.hadoop.fs.Path(table.toUri()));
    }

    private void withdraw(Identifier ident) {
        Path file = store.external(catalog, ident.namespace()[0], ident.name());
        store.trash(file);
    }

    private static Map<String, String> asDelta(Map<String, String> properties) {
        Map<String, String> all = new HashMap<>(properties);
        all.putIfAbsent(TableCatalog.PROP_PROVIDER, "delta");
        return all;
    }

    @Override
    public Table createTable(Identifier ident, Column[] columns, Transform[] partitions, Map<String, String> given)
        throws TableAlreadyExistsException, NoSuchNamespaceException {
        if (sync(ident)) {
            throw new TableAlreadyExistsException(Identifier.of(qualified(ident.namespace()), ident.name()));
        }
        Map<String, String> properties = asDelta(given);
        Identifier inner = prepare(ident, CatalogEntries.structOf(columns), properties);
        try {
            Table created = delta().createTable(inner, columns, partitions, properties);
            if (properties.get(TableCatalog.PROP_PROVIDER).equalsIgnoreCase("delta")) {
                return created;
            }
            forget(inner); // Spark reads other formats here only from an entry of our making
            return loadTable(ident);
        } catch (NoSuchTableException e) {
            throw new IllegalStateException(e);
        } catch (RuntimeException | TableAlreadyExistsException | NoSuchNamespaceException e) {
            withdraw(ident);
            throw e;
        }
    }

    @Override
    public StagedTable stageCreate(Identifier ident, Column[] columns, Transform[] partitions,
                                   Map<String, String> given)
        throws TableAlreadyExistsException, NoSuchNamespaceException {
        if (sync(ident)) {
            throw new TableAlreadyExistsException(Identifier.of(qualified(ident.namespace()), ident.name()));
        }
        Map<String, String> properties = asDelta(given);
        return delta().stageCreate(prepare(ident, CatalogEntries.structOf(columns), properties), columns, partitions,
                                   properties);
    }

    @Override
    public StagedTable stageReplace(Identifier ident, Column[] columns, Transform[] partitions,
                                    Map<String, String> given)
        throws NoSuchNamespaceException, NoSuchTableException {
        return delta().stageReplace(existing(ident), columns, partitions, asDelta(given));
    }

    @Override
    public StagedTable stageCreateOrReplace(Identifier ident, Column[] columns, Transform[] partitions,
                                            Map<String, String> given) throws NoSuchNamespaceException {
        Map<String, String> properties = asDelta(given);
        return delta().stageCreateOrReplace(prepare(ident, CatalogEntries.structOf(columns), properties), columns,
                                            partitions, properties);
    }

    @Override
    public Table alterTable(Identifier ident, TableChange... changes) throws NoSuchTableException {
        return delta().alterTable(existing(ident), changes);
    }

    @Override
    public boolean dropTable(Identifier ident) {
        try {
            if (!sync(ident)) {
                return false;
            }
            Identifier inner = inner(ident);
            Path managed = store.managed(catalog, ident.namespace()[0], ident.name());
            store.trash(store.external(catalog, ident.namespace()[0], ident.name()));
            store.trash(managed);
            forget(inner);
            forgetLog(managed);
            return true;
        } catch (NoSuchNamespaceException e) {
            return false;
        }
    }

    @Override
    public boolean purgeTable(Identifier ident) {
        return dropTable(ident);
    }

    @Override
    public void renameTable(Identifier from, Identifier target)
        throws NoSuchTableException, TableAlreadyExistsException {
        Identifier to = withoutCatalog(target, from.namespace());
        if (from.namespace().length != 1 || to.namespace().length != 1
            || !from.namespace()[0].equalsIgnoreCase(to.namespace()[0])) {
            throw new UnsupportedOperationException("RENAME TO another schema: not supported by the local workspace");
        }
        Identifier inner = existing(from);
        if (tableExists(to)) {
            throw new TableAlreadyExistsException(Identifier.of(qualified(to.namespace()), to.name()));
        }
        String schema = from.namespace()[0];
        try {
            Path external = store.external(catalog, schema, from.name());
            Path source = external.toFile().exists() ? external : store.managed(catalog, schema, from.name());
            Path renamed = source == external ? store.external(catalog, schema, to.name())
                                             : store.managed(catalog, schema, to.name());
            java.nio.file.Files.move(source, renamed, java.nio.file.StandardCopyOption.ATOMIC_MOVE);
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        forget(inner);
    }

    /** RENAME TO hands the new name over as written: t, schema.t or catalog.schema.t. */
    private Identifier withoutCatalog(Identifier ident, String[] current) {
        String[] namespace = ident.namespace();
        if (namespace.length == 0) {
            return Identifier.of(current, ident.name());
        }
        if (namespace.length == 2 && namespace[0].equalsIgnoreCase(catalog)) {
            return Identifier.of(new String[] {namespace[1]}, ident.name());
        }
        return ident;
    }

    // ---- schemas

    @Override
    public String[][] listNamespaces() {
        return store.schemas(catalog).stream().map(name -> new String[] {name}).toArray(String[][]::new);
    }

    @Override
    public String[][] listNamespaces(String[] namespace) throws NoSuchNamespaceException {
        if (namespace.length == 0) {
            return listNamespaces();
        }
        schemaOf(namespace);
        return new String[0][];
    }

    @Override
    public boolean namespaceExists(String[] namespace) {
        return namespace.length == 1 && store.schemaExists(catalog, namespace[0]);
    }

    @Override
    public Map<String, String> loadNamespaceMetadata(String[] namespace) throws NoSuchNamespaceException {
        String schema = schemaOf(namespace);
        ObjectNode stored = UnityStore.read(store.schema(catalog, schema).resolve("schema.json"));
        Map<String, String> metadata = new LinkedHashMap<>();
        if (stored != null) {
            stored.path("properties").fields().forEachRemaining(e -> metadata.put(e.getKey(), e.getValue().asText()));
            metadata.put(TableCatalog.PROP_COMMENT, stored.path("comment").asText(""));
            metadata.put(TableCatalog.PROP_OWNER, stored.path("owner").asText(""));
        }
        metadata.put(TableCatalog.PROP_LOCATION, store.schema(catalog, schema).resolve("tables").toUri().toString());
        return metadata;
    }

    @Override
    public void createNamespace(String[] namespace, Map<String, String> metadata)
        throws NamespaceAlreadyExistsException {
        if (namespace.length != 1) {
            throw new IllegalArgumentException("a schema has a name of two parts, catalog.schema: "
                                               + String.join(".", qualified(namespace)));
        }
        if (namespaceExists(namespace)) {
            throw new NamespaceAlreadyExistsException(qualified(namespace));
        }
        if (metadata.containsKey(TableCatalog.PROP_LOCATION)) {
            throw new UnsupportedOperationException("CREATE SCHEMA … LOCATION: not supported by the local workspace");
        }
        writeSchema(namespace[0], metadata, System.currentTimeMillis());
    }

    private void writeSchema(String schema, Map<String, String> metadata, long createdAt) {
        Map<String, String> properties = new HashMap<>(metadata);
        ObjectNode stored = UnityStore.JSON.createObjectNode();
        stored.put("comment", properties.remove(TableCatalog.PROP_COMMENT));
        stored.put("owner", properties.remove(TableCatalog.PROP_OWNER));
        properties.remove(TableCatalog.PROP_LOCATION);
        stored.put("created_at", createdAt);
        stored.put("updated_at", System.currentTimeMillis());
        stored.set("properties", UnityStore.JSON.valueToTree(properties));
        UnityStore.write(store.schema(catalog, schema).resolve("schema.json"), stored);
    }

    @Override
    public void alterNamespace(String[] namespace, NamespaceChange... changes) throws NoSuchNamespaceException {
        String schema = schemaOf(namespace);
        Map<String, String> metadata = loadNamespaceMetadata(namespace);
        for (NamespaceChange change : changes) {
            if (change instanceof NamespaceChange.SetProperty set) {
                metadata.put(set.property(), set.value());
            } else if (change instanceof NamespaceChange.RemoveProperty remove) {
                metadata.remove(remove.property());
            }
        }
        ObjectNode stored = UnityStore.read(store.schema(catalog, schema).resolve("schema.json"));
        writeSchema(schema, metadata, stored == null ? 0 : stored.path("created_at").asLong());
    }

    @Override
    public boolean dropNamespace(String[] namespace, boolean cascade)
        throws NoSuchNamespaceException, NonEmptyNamespaceException {
        String schema = schemaOf(namespace);
        boolean empty = store.tables(catalog, schema).isEmpty() && !store.hasVolumes(catalog, schema);
        if (!empty && !cascade) {
            throw new NonEmptyNamespaceException(qualified(namespace));
        }
        store.trash(store.schema(catalog, schema));
        if (session().databaseExists(database(schema))) {
            session().dropDatabase(database(schema), true, true);
        }
        return true;
    }
}
