package io.nuvyn.workspace;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;

/**
 * The same file system for those who come through Hadoop's FileContext: Delta's log and streaming checkpoints. Without it
 * they would go past the volumes, to a folder /Volumes of the machine.
 */
public class VolumesFileContext extends DelegateToFileSystem {
    public VolumesFileContext(URI uri, Configuration conf) throws IOException, URISyntaxException {
        super(uri, initialized(uri, conf), conf, uri.getScheme(), false);
    }

    private static VolumesFileSystem initialized(URI uri, Configuration conf) throws IOException {
        VolumesFileSystem fileSystem = new VolumesFileSystem();
        fileSystem.initialize(uri, conf);
        return fileSystem;
    }

    @Override
    public boolean isValidName(String name) {
        return true;
    }
}
