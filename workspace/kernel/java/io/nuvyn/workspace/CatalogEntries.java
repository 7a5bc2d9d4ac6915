package io.nuvyn.workspace;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.URI;
import java.util.Iterator;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.TableIdentifier;
import org.apache.spark.sql.catalyst.catalog.CatalogStorageFormat;
import org.apache.spark.sql.catalyst.catalog.CatalogTable;
import org.apache.spark.sql.catalyst.catalog.CatalogTableType;
import org.apache.spark.sql.connector.catalog.CatalogV2Util;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.collection.immutable.Nil$;

/** Session-catalog entries out of what is on disk, and back. */
@SuppressWarnings({"unchecked", "rawtypes"}) // Scala's collections come without their types
final class CatalogEntries {
    private CatalogEntries() {
    }

    static StructType structOf(Column[] columns) {
        return CatalogV2Util.v2ColumnsToStructType(columns);
    }

    /** What is written down about an external table. */
    static ObjectNode describe(String provider, Map<String, String> properties, StructType schema) {
        ObjectNode node = UnityStore.JSON.createObjectNode();
        ObjectNode options = UnityStore.JSON.createObjectNode();
        properties.forEach((key, value) -> {
            if (key.startsWith(TableCatalog.OPTION_PREFIX)) {
                options.put(key.substring(TableCatalog.OPTION_PREFIX.length()), value);
            }
        });
        node.put("table_type", "EXTERNAL");
        node.put("provider", provider.toLowerCase(java.util.Locale.ROOT));
        node.put("location", properties.get(TableCatalog.PROP_LOCATION));
        node.put("comment", properties.get(TableCatalog.PROP_COMMENT));
        node.put("schema", schema.json());
        node.put("created_at", System.currentTimeMillis());
        node.set("options", options);
        return node;
    }

    static CatalogTable managed(TableIdentifier name, URI location) {
        return entry(name, CatalogTableType.MANAGED(), location, "delta", new StructType(), none(), none(), null);
    }

    static CatalogTable external(TableIdentifier name, ObjectNode stored) {
        if (stored.path("table_type").asText().equals("VIEW")) {
            return entry(name, CatalogTableType.VIEW(), null, null, schemaOf(stored), none(),
                         mapOf(stored.path("properties")), stored.path("view_text").asText());
        }
        String provider = stored.path("provider").asText("delta");
        URI location = new Path(stored.path("location").asText()).toUri();
        StructType schema = provider.equals("delta") ? new StructType() : schemaOf(stored);
        return entry(name, CatalogTableType.EXTERNAL(), location, provider, schema, mapOf(stored.path("options")),
                     none(), null);
    }

    private static StructType schemaOf(ObjectNode stored) {
        return (StructType) DataType.fromJson(stored.path("schema").asText("{\"type\":\"struct\",\"fields\":[]}"));
    }

    private static scala.collection.immutable.Map<String, String> none() {
        return scala.collection.immutable.Map$.MODULE$.empty();
    }

    private static scala.collection.immutable.Map<String, String> mapOf(JsonNode object) {
        scala.collection.immutable.Map<String, String> map = none();
        for (Iterator<Map.Entry<String, JsonNode>> it = object.fields(); it.hasNext();) {
            Map.Entry<String, JsonNode> field = it.next();
            map = map.updated(field.getKey(), field.getValue().asText());
        }
        return map;
    }

    private static CatalogTable entry(TableIdentifier name, CatalogTableType type, URI location, String provider,
                                      StructType schema, scala.collection.immutable.Map<String, String> options,
                                      scala.collection.immutable.Map<String, String> properties, String viewText) {
        CatalogStorageFormat storage = new CatalogStorageFormat(Option.apply(location), Option.empty(), Option.empty(),
                                                                Option.empty(), false, options);
        return new CatalogTable(name, type, storage, schema, Option.apply(provider), empty(), Option.empty(), "",
                                System.currentTimeMillis(), -1, "", properties, Option.empty(), Option.apply(viewText),
                                Option.empty(), Option.empty(), empty(), false, true, none(), Option.apply(viewText));
    }

    private static scala.collection.immutable.Seq<String> empty() {
        return (scala.collection.immutable.Seq<String>) (Object) Nil$.MODULE$;
    }
}
