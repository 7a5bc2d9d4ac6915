package io.nuvyn.workspace;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;

/**
 * The local file system in which /Volumes/CATALOG/SCHEMA/VOLUME/… is a volume of the local workspace. No folder or link
 * of that name has to exist on the machine. Registered for the schemes file: and dbfs:.
 */
public class VolumesFileSystem extends LocalFileSystem {
    static final String ROOT = "nuvyn.unity.root";

    public VolumesFileSystem() {
        super(new Raw());
    }

    @Override
    public void initialize(URI uri, Configuration conf) throws IOException {
        super.initialize(uri, conf);
        setWriteChecksum(false);
        setVerifyChecksum(false);
    }

    /** Where a path really lies; null when it is not below /Volumes. */
    static File real(File path, String root) {
        String text = path.getPath();
        if (root == null || !(text.equals("/Volumes") || text.startsWith("/Volumes/"))) {
            return null;
        }
        String[] parts = text.substring("/Volumes".length()).split("/");
        if (parts.length < 4) {
            throw new IllegalArgumentException(text + ": expected /Volumes/<catalog>/<schema>/<volume>/<path>");
        }
        UnityStore store = new UnityStore(root);
        java.nio.file.Path volume =
            store.schema(parts[1], parts[2]).resolve("volumes").resolve(UnityStore.name("volume", parts[3]));
        java.nio.file.Path real = volume;
        for (int i = 4; i < parts.length; i++) {
            real = real.resolve(parts[i]);
        }
        if (!real.normalize().startsWith(volume)) {
            throw new IllegalArgumentException(text + ": leaves its volume");
        }
        return real.normalize().toFile();
    }

    private static final class Raw extends RawLocalFileSystem {
        @Override
        public File pathToFile(Path path) {
            File plain = super.pathToFile(path.toUri().getScheme() == null ? path : new Path(path.toUri().getPath()));
            File real = real(plain, getConf() == null ? null : getConf().get(ROOT));
            return real == null ? plain : real;
        }

        @Override
        protected void checkPath(Path path) {
            String scheme = path.toUri().getScheme();
            if (scheme == null || !scheme.equals("dbfs")) {
                super.checkPath(path);
            }
        }

        private boolean isVirtual(Path path) {
            return real(new File(path.toUri().getPath()), getConf().get(ROOT)) != null;
        }

        /** Like the parent's, but the status carries the path that was asked for, not the one behind it. */
        @Override
        public FileStatus getFileStatus(Path path) throws IOException {
            if (!isVirtual(path)) {
                return super.getFileStatus(path);
            }
            File file = pathToFile(path);
            if (!file.exists()) {
                throw new FileNotFoundException("File " + path + " does not exist");
            }
            return new FileStatus(file.length(), file.isDirectory(), 1, getDefaultBlockSize(path), file.lastModified(),
                                  path.makeQualified(getUri(), getWorkingDirectory()));
        }

        @Override
        public FileStatus[] listStatus(Path path) throws IOException {
            if (isVirtual(path) && !pathToFile(path).isDirectory()) {
                return new FileStatus[] {getFileStatus(path)};
            }
            return super.listStatus(path);
        }
    }
}
