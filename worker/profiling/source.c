#include "worker/profiling/source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/profiling/decode.h"
#include "worker/profiling/parquet.h"

enum { MAX_REJECTS = 16, RAW_BYTES = 256 * 1024, HEX = 65 };

struct source {
    source_config_t config;
    pthread_mutex_t lock;
    pthread_cond_t turn;
    int64_t next_index;
    bool stopped;
    bool ended;
    /* the file being read */
    size_t file;
    int fd;
    bool eof;
    bool bol;           /* the carried bytes start a record */
    nv_mem_t *file_ctx; /* of what follows */
    unpack_t *unpack;
    parquet_t *parquet;
    decoder_t decoder;
    EVP_MD_CTX *digest;
    int64_t line; /* of the next record */
    int to_skip;  /* lines before the data: preamble and header */
    bool in_long; /* skipping the rest of an over-long line */
    char *carry;
    size_t n_carry;
    size_t carry_capacity;
    unsigned char *raw;
    source_reject_t rejects[MAX_REJECTS];
    int64_t n_rejects;
    char (*digests)[HEX];
    _Atomic int64_t bytes;
};

static int release(void *ptr)
{
    source_t *source = ptr;
    nv_mem_free(source->file_ctx);
    source->file_ctx = NULL;
    if (source->fd >= 0)
        close(source->fd);
    EVP_MD_CTX_free(source->digest);
    free(source->carry);
    pthread_cond_destroy(&source->turn);
    pthread_mutex_destroy(&source->lock);
    return 0;
}

source_t *source_new(nv_mem_t *ctx, const source_config_t *config)
{
    source_t *source = NV_NEW(ctx, source_t);
    source->config = *config;
    source->fd = -1;
    source->raw = nv_alloc(source, RAW_BYTES);
    source->digests = nv_alloc_array(source, HEX, config->table->n_files);
    pthread_mutex_init(&source->lock, NULL);
    pthread_cond_init(&source->turn, NULL);
    nv_on_free(source, release);
    return source;
}

static const char *current_path(const source_t *source)
{
    return source->config.table->files[source->file]->path;
}

/* Every raw byte of a file comes by here once. */
static void take_raw(void *arg, const void *data, size_t length)
{
    source_t *source = arg;
    if (source->digest)
        EVP_DigestUpdate(source->digest, data, length);
    atomic_fetch_add_explicit(&source->bytes, (int64_t)length, memory_order_relaxed);
}

/* DuckDB opens the file by itself; its bytes are read for their digest only. */
static bool open_parquet(source_t *source, nv_error_t *err)
{
    size_t got = 1;
    while (source->digest && got)
        if (!unpack_read(source->unpack, source->raw, RAW_BYTES, &got, err))
            return false;
    return parquet_open(source->file_ctx, current_path(source), &source->parquet, err) &&
           parquet_start(source->parquet, source->config.names, source->config.dialect->n_columns, err);
}

static bool open_file(source_t *source, nv_error_t *err)
{
    const char *path = current_path(source);
    const sniff_encoding_t *encoding = &source->config.encodings[source->file];
    source->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0)
        return nv_fail_errno(err, errno, "cannot open %s", path);
    if (!file_is_unchanged(source->config.table->files[source->file], source->fd, err))
        return false;
    posix_fadvise(source->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    source->eof = false;
    source->decoder = (decoder_t){.encoding = encoding->encoding, .cr_only = source->config.dialect->cr_only};
    source->line = 1;
    source->to_skip = source->config.dialect->skip_lines + source->config.dialect->has_header;
    source->n_carry = 0;
    if (source->config.digest) {
        source->digest = EVP_MD_CTX_new();
        if (!source->digest || !EVP_DigestInit_ex(source->digest, EVP_sha256(), NULL))
            return nv_fail(err, NV_INTERNAL, "SHA-256 is not available");
    }
    source->file_ctx = nv_mem_child(source, "file");
    source->unpack =
        unpack_new(source->file_ctx, source->fd, path, source->config.kind.compression, take_raw, source);
    return source->config.kind.format != FILE_PARQUET || open_parquet(source, err);
}

static bool close_file(source_t *source, nv_error_t *err)
{
    nv_mem_free(source->file_ctx);
    source->file_ctx = NULL;
    source->parquet = NULL;
    if (source->digest) {
        unsigned char sum[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        EVP_DigestFinal_ex(source->digest, sum, &n);
        for (unsigned i = 0; i < n && i < 32; i++) {
            source->digests[source->file][2 * i] = "0123456789abcdef"[sum[i] >> 4];
            source->digests[source->file][2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
        }
        EVP_MD_CTX_free(source->digest);
        source->digest = NULL;
    }
    bool ok = file_is_unchanged(source->config.table->files[source->file], source->fd, err);
    close(source->fd);
    source->fd = -1;
    source->file++;
    return ok;
}

/* Appends decoded text to out (room bytes); *added 0 only at the end of the file. */
static bool read_text(source_t *source, char *out, size_t room, bool first, size_t *added, nv_error_t *err)
{
    size_t bom = first ? source->config.encodings[source->file].bom : 0;
    bool direct = source->decoder.encoding == TEXT_UTF8;
    *added = 0;
    do {
        size_t want = decoder_chunk(&source->decoder, room);
        if (!direct && want > RAW_BYTES)
            want = RAW_BYTES;
        unsigned char *into = direct ? (unsigned char *)out : source->raw;
        size_t got = 0;
        if (!unpack_read(source->unpack, into, want, &got, err))
            return false;
        source->eof = got == 0;
        if (got == 0)
            return true;
        size_t drop = bom < got ? bom : got;
        bom -= drop;
        if (source->decoder.encoding == TEXT_LATIN1 && encoding_is_code_page((char *)into, got))
            return nv_fail(err, NV_INVALID_ARGUMENT, "%s: %s", current_path(source), encoding_code_page);
        *added = decoder_run(&source->decoder, into + drop, got - drop, out);
    } while (*added == 0);
    return true;
}

static void reject(source_t *source, const char *text, size_t length, const char *reason)
{
    if (source->n_rejects < MAX_REJECTS) {
        source_reject_t *out = &source->rejects[source->n_rejects];
        *out = (source_reject_t){.file = source->file, .line = source->line, .reason = reason};
        out->length = length < sizeof out->text ? length : sizeof out->text;
        memcpy(out->text, text, out->length);
    }
    source->n_rejects++;
}

static void reserve(source_block_t *block, size_t capacity)
{
    if (capacity <= block->capacity)
        return;
    char *grown = realloc(block->data, capacity + SOURCE_SLACK);
    if (!grown)
        abort();
    block->data = grown;
    block->capacity = capacity;
}

static void keep_carry(source_t *source, const char *data, size_t length)
{
    if (length > source->carry_capacity) {
        char *grown = realloc(source->carry, length);
        if (!grown)
            abort();
        source->carry = grown;
        source->carry_capacity = length;
    }
    if (length)
        memcpy(source->carry, data, length);
    source->n_carry = length;
}

/* Takes whole lines off the front while there are any to skip (preamble, header). A header may be a quoted record over
 * several lines, so the header itself is skipped as a record. */
static size_t skip_lines(source_t *source, const char *data, size_t length)
{
    size_t at = 0;
    const sniff_dialect_t *d = source->config.dialect;
    while (source->to_skip) {
        const char *end = NULL;
        bool header = d->has_header && source->to_skip == 1;
        if (header) {
            char *scratch = nv_alloc(source, length - at + 1);
            csv_record_t record = {.scratch = scratch};
            csv_split(&d->csv, data + at, data + length, &record);
            nv_mem_free(scratch);
            bool complete = record.status != CSV_INCOMPLETE && (record.end[-1] == '\n' || source->eof);
            end = complete ? record.end : NULL;
            /* blank lines before the header are no header */
            if (end && csv_is_blank(data + at, end))
                source->to_skip++;
        } else {
            const char *newline = memchr(data + at, '\n', length - at);
            end = newline ? newline + 1 : NULL;
        }
        if (at == length || !end)
            break;
        source->line += csv_count_newlines(data + at, end);
        at = (size_t)(end - data);
        source->to_skip--;
    }
    return at;
}

/* The front of the data is a record that is too long or never closed: rejects its first line. Returns the bytes done. */
static size_t reject_front(source_t *source, const char *data, size_t length, const char *reason)
{
    const char *newline = memchr(data, '\n', length);
    reject(source, data, newline ? (size_t)(newline - data) : length, reason);
    if (newline) {
        source->line++;
        return (size_t)(newline - data) + 1;
    }
    source->in_long = !source->eof;
    return length;
}

/* Drops the rest of an over-long line. */
static size_t skip_long(source_t *source, const char *data, size_t length)
{
    const char *newline = memchr(data, '\n', length);
    if (!newline)
        return length;
    source->in_long = false;
    source->line++;
    return (size_t)(newline - data) + 1;
}

/* How much of the data can be handed out: the whole records at its front. At the end of the file that is everything,
 * unless a quote stays open. */
static size_t whole_records(source_t *source, const char *data, size_t length, bool *open)
{
    const char *end = csv_last_end(&source->config.dialect->csv, data, length, open);
    if (source->eof && !*open)
        return length;
    return end ? (size_t)(end - data) : 0;
}

/* Fills the block from the current file. block->length 0: the file has ended. */
static bool fill(source_t *source, source_block_t *block, bool first, nv_error_t *err)
{
    reserve(block, source->config.block_bytes + source->n_carry);
    memcpy(block->data, source->carry ? source->carry : "", source->n_carry);
    size_t length = source->n_carry;
    size_t start = 0; /* bytes at the front that are done with */
    source->n_carry = 0;
    for (;;) {
        size_t room = block->capacity - length;
        size_t added = 0;
        if (!source->eof && room >= 64 && !read_text(source, block->data + length, room, first, &added, err))
            return false;
        first = false;
        length += added;
        if (source->in_long)
            start += skip_long(source, block->data + start, length - start);
        if (!source->in_long && source->to_skip)
            start += skip_lines(source, block->data + start, length - start);
        bool ready = !source->in_long && !source->to_skip;
        bool open = false;
        bool full = block->capacity - length < 64;
        bool ask = ready && (full || source->eof);
        size_t whole = ask ? whole_records(source, block->data + start, length - start, &open) : 0;
        if (whole) {
            keep_carry(source, block->data + start + whole, length - start - whole);
            if (start)
                memmove(block->data, block->data + start, whole);
            block->length = whole;
            return true;
        }
        if (source->eof) {
            if (start == length)
                break;
            if (!ready) { /* a header without end */
                start = length;
                break;
            }
            start += reject_front(source, block->data + start, length - start, "a quote is never closed");
            continue;
        }
        if (!full)
            continue;
        if (start) {
            memmove(block->data, block->data + start, length - start);
            length -= start;
            start = 0;
        } else if (length < source->config.max_line_bytes) {
            size_t larger = block->capacity * 2;
            reserve(block, larger < source->config.max_line_bytes + 128
                               ? larger
                               : source->config.max_line_bytes + 128);
        } else {
            start = reject_front(source, block->data, length,
                                 open ? "a quote is not closed within the longest line allowed"
                                      : "the line is longer than allowed");
        }
    }
    block->length = 0;
    return true;
}

/* The block from the next rows of a Parquet file; rows count as lines. */
static bool fill_rows(source_t *source, source_block_t *block, nv_error_t *err)
{
    block->length = 0;
    while (block->length < source->config.block_bytes) {
        const char *text;
        size_t length;
        int64_t rows;
        if (!parquet_read(source->parquet, &text, &length, &rows, err))
            return false;
        if (!rows)
            break;
        reserve(block, block->length + length);
        memcpy(block->data + block->length, text, length);
        block->length += length;
        source->line += rows;
    }
    return true;
}

/* The next block, whoever it belongs to. */
static bool advance(source_t *source, source_block_t *block, nv_error_t *err)
{
    while (source->file < source->config.table->n_files) {
        bool first = source->fd < 0;
        if (first && !open_file(source, err))
            return false;
        block->file = source->file;
        block->first_line = source->line;
        if (source->parquet) {
            if (!fill_rows(source, block, err))
                return false;
        } else {
            if (!fill(source, block, first, err))
                return false;
            block->first_line = source->line;
            source->line += csv_count_newlines(block->data, block->data + block->length);
        }
        if (block->length)
            return true;
        if (!close_file(source, err))
            return false;
    }
    source->ended = true;
    return true;
}

bool source_next(source_t *source, size_t lane, source_block_t *block, bool *more, nv_error_t *err)
{
    pthread_mutex_lock(&source->lock);
    bool ok = true;
    while (!source->ended && !source->stopped && (size_t)source->next_index % source->config.lanes != lane)
        pthread_cond_wait(&source->turn, &source->lock);
    if (source->stopped) {
        ok = nv_fail(err, NV_CANCELLED, "stopped");
    } else if (!source->ended) {
        ok = advance(source, block, err);
        block->index = source->next_index++;
    }
    if (!ok)
        source->stopped = true;
    *more = ok && !source->ended;
    pthread_cond_broadcast(&source->turn);
    pthread_mutex_unlock(&source->lock);
    return ok;
}

void source_stop(source_t *source)
{
    pthread_mutex_lock(&source->lock);
    source->stopped = true;
    pthread_cond_broadcast(&source->turn);
    pthread_mutex_unlock(&source->lock);
}

const source_reject_t *source_rejects(const source_t *source, size_t *n, int64_t *n_all)
{
    *n = (size_t)(source->n_rejects < MAX_REJECTS ? source->n_rejects : MAX_REJECTS);
    *n_all = source->n_rejects;
    return source->rejects;
}

int64_t source_bytes(const source_t *source)
{
    return atomic_load_explicit(&source->bytes, memory_order_relaxed);
}

const char *source_digest(const source_t *source, size_t file)
{
    assert(file < source->config.table->n_files);
    return source->digests[file];
}
