package io.nuvyn.workspace;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The catalog on disk. The folders are the truth, so that it can be read and changed by the workspace server and by
 * Spark alike, and so that a kill at any moment leaves a state that one rename or one Delta commit decides:
 *
 * <pre>
 * ROOT/CATALOG/catalog.json
 * ROOT/CATALOG/SCHEMA/schema.json
 * ROOT/CATALOG/SCHEMA/tables/TABLE/_delta_log/…     a managed table exists when its log has a commit
 * ROOT/CATALOG/SCHEMA/external/TABLE.json           an external table or a view
 * ROOT/CATALOG/SCHEMA/volumes/VOLUME/               a volume
 * ROOT/.trash/…                                     what was dropped, until the server empties it
 * </pre>
 */
final class UnityStore {
    private static final Pattern NAME = Pattern.compile("[a-z0-9_]{1,255}");
    static final ObjectMapper JSON = new ObjectMapper();

    private final Path root;

    UnityStore(String root) {
        this.root = Path.of(root).toAbsolutePath().normalize();
    }

    /** The stored form of a name: lower case, letters, digits and underscores. */
    static String name(String kind, String text) {
        String lower = text.toLowerCase(Locale.ROOT);
        if (!NAME.matcher(lower).matches()) {
            throw new IllegalArgumentException(
                kind + " name `" + text + "`: the local workspace allows letters, digits and _ (1 to 255 of them)");
        }
        return lower;
    }

    Path catalog(String catalog) {
        return root.resolve(name("catalog", catalog));
    }

    Path schema(String catalog, String schema) {
        return catalog(catalog).resolve(name("schema", schema));
    }

    Path managed(String catalog, String schema, String table) {
        return schema(catalog, schema).resolve("tables").resolve(name("table", table));
    }

    Path external(String catalog, String schema, String table) {
        return schema(catalog, schema).resolve("external").resolve(name("table", table) + ".json");
    }

    boolean schemaExists(String catalog, String schema) {
        return Files.isRegularFile(schema(catalog, schema).resolve("schema.json"));
    }

    /** A Delta table is there when its log has a commit or a checkpoint. */
    static boolean hasDeltaLog(Path table) {
        String[] log = table.resolve("_delta_log").toFile().list(
            (dir, file) -> file.endsWith(".json") || file.endsWith(".parquet"));
        return log != null && log.length > 0;
    }

    List<String> schemas(String catalog) {
        List<String> found = new ArrayList<>();
        for (String child : children(catalog(catalog))) {
            if (Files.isRegularFile(catalog(catalog).resolve(child).resolve("schema.json"))) {
                found.add(child);
            }
        }
        return found;
    }

    List<String> tables(String catalog, String schema) {
        List<String> found = new ArrayList<>();
        Path managed = schema(catalog, schema).resolve("tables");
        for (String child : children(managed)) {
            if (hasDeltaLog(managed.resolve(child))) {
                found.add(child);
            }
        }
        for (String child : children(schema(catalog, schema).resolve("external"))) {
            if (child.endsWith(".json")) {
                found.add(child.substring(0, child.length() - ".json".length()));
            }
        }
        Collections.sort(found);
        return found;
    }

    boolean hasVolumes(String catalog, String schema) {
        return !children(schema(catalog, schema).resolve("volumes")).isEmpty();
    }

    static List<String> children(Path folder) {
        String[] names = folder.toFile().list();
        List<String> sorted = new ArrayList<>(names == null ? List.of() : List.of(names));
        sorted.removeIf(child -> child.startsWith("."));
        Collections.sort(sorted);
        return sorted;
    }

    static ObjectNode read(Path file) {
        try {
            return (ObjectNode) JSON.readTree(file.toFile());
        } catch (NoSuchFileException | java.io.FileNotFoundException e) {
            return null;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Writes the file whole or not at all, and on disk when it returns. */
    static void write(Path file, ObjectNode value) {
        try {
            Files.createDirectories(file.getParent());
            Path draft = file.resolveSibling("." + file.getFileName() + "." + UUID.randomUUID());
            try (FileOutputStream out = new FileOutputStream(draft.toFile())) {
                out.write(JSON.writeValueAsBytes(value));
                out.getFD().sync();
            }
            Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Takes a file or folder out of the catalog in one rename. */
    void trash(Path path) {
        if (!Files.exists(path)) {
            return;
        }
        try {
            Path bin = root.resolve(".trash");
            Files.createDirectories(bin);
            Path gone = bin.resolve(UUID.randomUUID().toString());
            Files.move(path, gone, StandardCopyOption.ATOMIC_MOVE);
            deleteAll(gone.toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void deleteAll(File top) throws IOException {
        try (Stream<Path> paths = Files.walk(top.toPath())) {
            for (Path path : (Iterable<Path>) paths.sorted(Collections.reverseOrder())::iterator) {
                Files.deleteIfExists(path);
            }
        }
    }
}
