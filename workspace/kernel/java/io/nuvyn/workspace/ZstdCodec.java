package io.nuvyn.workspace;

import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import com.github.luben.zstd.ZstdOutputStreamNoFinalizer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionInputStream;
import org.apache.hadoop.io.compress.CompressionOutputStream;
import org.apache.hadoop.io.compress.Compressor;
import org.apache.hadoop.io.compress.Decompressor;

/**
 * Files that end in .zst, as Databricks reads them. Hadoop has a codec of its own for them, which needs Hadoop's native
 * library; this one takes the library that Spark brings along for its shuffles.
 */
public final class ZstdCodec implements CompressionCodec {
    @Override
    public CompressionInputStream createInputStream(InputStream in) throws IOException {
        ZstdInputStreamNoFinalizer plain = new ZstdInputStreamNoFinalizer(in);
        return new CompressionInputStream(in) {
            @Override
            public int read(byte[] to, int offset, int length) throws IOException {
                return plain.read(to, offset, length);
            }

            @Override
            public int read() throws IOException {
                return plain.read();
            }

            @Override
            public void resetState() {
                throw new UnsupportedOperationException("a .zst file is read once, from its beginning");
            }

            @Override
            public void close() throws IOException {
                plain.close();
                super.close();
            }
        };
    }

    @Override
    public CompressionInputStream createInputStream(InputStream in, Decompressor none) throws IOException {
        return createInputStream(in);
    }

    @Override
    public CompressionOutputStream createOutputStream(OutputStream out) throws IOException {
        ZstdOutputStreamNoFinalizer packed = new ZstdOutputStreamNoFinalizer(out);
        return new CompressionOutputStream(out) {
            @Override
            public void write(byte[] from, int offset, int length) throws IOException {
                packed.write(from, offset, length);
            }

            @Override
            public void write(int value) throws IOException {
                packed.write(value);
            }

            @Override
            public void finish() throws IOException {
                packed.close();
            }

            @Override
            public void resetState() {
                throw new UnsupportedOperationException("a .zst file is written once, from its beginning");
            }
        };
    }

    @Override
    public CompressionOutputStream createOutputStream(OutputStream out, Compressor none) throws IOException {
        return createOutputStream(out);
    }

    @Override
    public Class<? extends Compressor> getCompressorType() {
        return null;
    }

    @Override
    public Compressor createCompressor() {
        return null;
    }

    @Override
    public Class<? extends Decompressor> getDecompressorType() {
        return null;
    }

    @Override
    public Decompressor createDecompressor() {
        return null;
    }

    @Override
    public String getDefaultExtension() {
        return ".zst";
    }
}
