#include "common/core/json.h"

#include "common/core/json_lexer.h"

#include <stdlib.h>
#include <string.h>

struct nv_json {
    nv_json_kind_t kind;
    bool boolean;
    const char *key; /* of a member of an object */
    /* NUL-terminated bytes of a string, spelling of a number, name of the document (root). */
    const char *text;
    size_t length;            /* of text */
    struct nv_json *children; /* one block per container, so that a node's place is its index */
    size_t n_children;
    const struct nv_json *parent;
};

typedef struct reader {
    nv_mem_t *ctx;
    nv_json_lexer_t lexer;
    size_t nodes;
} reader_t;

static bool read_value(reader_t *r, const nv_json_token_t *token, int depth, nv_json_t *out, nv_error_t *err);

static bool unexpected(reader_t *r, const nv_json_token_t *token, const char *expected, nv_error_t *err)
{
    return nv_json_lexer_fail(&r->lexer, token->offset, err, "expected %s, got %s", expected,
                              nv_json_token_name(token->kind));
}

/* One member or element into *child; *token is its first token and leaves as the one after it. */
static bool read_child(reader_t *r, bool object, int depth, nv_json_token_t *token, nv_json_t *child,
                       nv_error_t *err)
{
    *child = (nv_json_t){0};
    if (object) {
        if (token->kind != NV_TOKEN_STRING)
            return unexpected(r, token, "a member name", err);
        child->key = nv_strndup(r->ctx, token->text, token->length);
        nv_json_token_t colon;
        if (!nv_json_lexer_next(&r->lexer, &colon, err))
            return false;
        if (colon.kind != NV_TOKEN_COLON)
            return unexpected(r, &colon, "\":\"", err);
        if (!nv_json_lexer_next(&r->lexer, token, err))
            return false;
    }
    return read_value(r, token, depth + 1, child, err) && nv_json_lexer_next(&r->lexer, token, err);
}

/* Children keep moving while the block grows; parents are linked once it stands. */
static void adopt(nv_json_t *node)
{
    for (size_t i = 0; i < node->n_children; i++) {
        nv_json_t *child = &node->children[i];
        child->parent = node;
        for (size_t j = 0; j < child->n_children; j++)
            child->children[j].parent = child;
    }
}

static bool read_container(reader_t *r, bool object, int depth, nv_json_t *out, nv_error_t *err)
{
    nv_json_token_kind_t close = object ? NV_TOKEN_OBJECT_END : NV_TOKEN_ARRAY_END;
    size_t capacity = 0;
    nv_json_token_t token;
    out->kind = object ? NV_JSON_OBJECT : NV_JSON_ARRAY;
    if (!nv_json_lexer_next(&r->lexer, &token, err))
        return false;
    if (token.kind == close)
        return true;
    for (;;) {
        if (++r->nodes > NV_JSON_MAX_NODES)
            return nv_fail(err, NV_RESOURCE_EXHAUSTED, "more than %d values", NV_JSON_MAX_NODES);
        nv_json_t child;
        if (!read_child(r, object, depth, &token, &child, err))
            return false;
        NV_PUSH(r->ctx, out->children, out->n_children, capacity) = child;
        if (token.kind == close)
            break;
        if (token.kind != NV_TOKEN_COMMA)
            return unexpected(r, &token, object ? "\",\" or \"}\"" : "\",\" or \"]\"", err);
        if (!nv_json_lexer_next(&r->lexer, &token, err))
            return false;
    }
    adopt(out);
    return true;
}

static bool read_value(reader_t *r, const nv_json_token_t *token, int depth, nv_json_t *out, nv_error_t *err)
{
    if (depth > NV_JSON_MAX_DEPTH)
        return nv_json_lexer_fail(&r->lexer, token->offset, err, "nested deeper than %d", NV_JSON_MAX_DEPTH);
    switch (token->kind) {
    case NV_TOKEN_OBJECT:
    case NV_TOKEN_ARRAY:
        return read_container(r, token->kind == NV_TOKEN_OBJECT, depth, out, err);
    case NV_TOKEN_STRING:
    case NV_TOKEN_NUMBER:
        out->kind = token->kind == NV_TOKEN_STRING ? NV_JSON_STRING : NV_JSON_NUMBER;
        char *copy = nv_alloc(r->ctx, token->length + 1); /* not strndup: a NUL byte inside must not cut it */
        memcpy(copy, token->text, token->length);
        out->text = copy;
        out->length = token->length;
        return true;
    case NV_TOKEN_TRUE:
    case NV_TOKEN_FALSE:
        out->kind = NV_JSON_BOOL;
        out->boolean = token->kind == NV_TOKEN_TRUE;
        return true;
    case NV_TOKEN_NULL:
        out->kind = NV_JSON_NULL;
        return true;
    default:
        return unexpected(r, token, "a value", err);
    }
}

static bool read_document(reader_t *r, nv_json_t *root, nv_error_t *err)
{
    nv_json_token_t token;
    if (r->lexer.length > NV_JSON_MAX_BYTES)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "larger than %d bytes", NV_JSON_MAX_BYTES);
    if (!nv_json_lexer_next(&r->lexer, &token, err) || !read_value(r, &token, 1, root, err))
        return false;
    adopt(root);
    if (!nv_json_lexer_next(&r->lexer, &token, err))
        return false;
    if (token.kind != NV_TOKEN_END)
        return unexpected(r, &token, "the end", err);
    return true;
}

bool nv_json_parse(nv_mem_t *ctx, const char *what, const char *text, size_t length, const nv_json_t **out,
                   nv_error_t *err)
{
    nv_mem_t *tree = nv_mem_child(ctx, "json");
    reader_t reader = {.ctx = tree, .lexer = nv_json_lexer_make(tree, text, length)};
    nv_json_t *root = NV_NEW(tree, nv_json_t);
    if (!read_document(&reader, root, err)) {
        nv_mem_free(tree);
        return nv_wrap(err, "%s", what);
    }
    root->key = nv_strdup(tree, what); /* the root has no key of its own: it carries the document's name */
    *out = root;
    return true;
}

nv_json_kind_t nv_json_kind(const nv_json_t *node)
{
    return node ? node->kind : NV_JSON_NULL;
}

size_t nv_json_size(const nv_json_t *node)
{
    return node ? node->n_children : 0;
}

const nv_json_t *nv_json_at(const nv_json_t *node, size_t index)
{
    return node && index < node->n_children ? &node->children[index] : NULL;
}

const char *nv_json_key_at(const nv_json_t *node, size_t index)
{
    return node && node->kind == NV_JSON_OBJECT && index < node->n_children ? node->children[index].key
                                                                            : NULL;
}

static const nv_json_t *find_member(const nv_json_t *node, const char *key, size_t length)
{
    if (!node || node->kind != NV_JSON_OBJECT)
        return NULL;
    for (size_t i = node->n_children; i-- > 0;) {
        const char *name = node->children[i].key;
        if (strncmp(name, key, length) == 0 && name[length] == '\0')
            return &node->children[i];
    }
    return NULL;
}

const nv_json_t *nv_json_member(const nv_json_t *node, const char *key)
{
    return find_member(node, key, strlen(key));
}

const nv_json_t *nv_json_get(const nv_json_t *node, const char *path)
{
    while (node && *path) {
        if (*path == '[') {
            char *end;
            size_t index = strtoul(path + 1, &end, 10);
            node = node->kind == NV_JSON_ARRAY && *end == ']' ? nv_json_at(node, index) : NULL;
            path = *end ? end + 1 : end;
        } else {
            size_t n = strcspn(path, ".[");
            node = find_member(node, path, n);
            path += n;
        }
        if (*path == '.')
            path++;
    }
    return node;
}

/* "jobs/list: jobs[3].settings" of a node. */
static void add_place(const nv_json_t *node, nv_buf_t *out)
{
    const nv_json_t *parent = node->parent;
    if (!parent) {
        nv_buf_printf(out, "%s: ", node->key);
        return;
    }
    add_place(parent, out);
    if (parent->kind == NV_JSON_ARRAY)
        nv_buf_printf(out, "[%zu]", (size_t)(node - parent->children));
    else
        nv_buf_printf(out, "%s%s", parent->parent ? "." : "", node->key);
}

static const char *const kind_names[] = {"null",     "a boolean", "a number",
                                         "a string", "an array",  "an object"};

static bool mismatch(const nv_json_t *node, const char *path, const nv_json_t *found, const char *expected,
                     nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("json error");
    nv_buf_t place = nv_buf_make(ctx, 1024);
    if (node)
        add_place(node, &place);
    const char *dot = node && node->parent && *path && *path != '[' ? "." : "";
    if (!found)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s%s%s: expected %s, but it is missing",
                       nv_buf_text(&place), dot, path, expected);
    if (found->text)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s%s%s: expected %s, got %.*s%.60s%.*s",
                       nv_buf_text(&place), dot, path, expected, found->kind == NV_JSON_STRING, "\"",
                       found->text, found->kind == NV_JSON_STRING, "\"");
    return nv_fail(err, NV_INVALID_ARGUMENT, "%s%s%s: expected %s, got %s", nv_buf_text(&place), dot, path,
                   expected, kind_names[found->kind]);
}

static bool is_c_string(const nv_json_t *node)
{
    return node && node->kind == NV_JSON_STRING && strlen(node->text) == node->length;
}

bool nv_json_string(const nv_json_t *node, const char *path, const char **out, nv_error_t *err)
{
    const nv_json_t *found = nv_json_get(node, path);
    if (!is_c_string(found))
        return mismatch(node, path, found, "a string (without NUL)", err);
    *out = found->text;
    return true;
}

static bool to_int64(const nv_json_t *node, int64_t *out)
{
    bool is_integer;
    return node && (node->kind == NV_JSON_NUMBER || node->kind == NV_JSON_STRING) &&
           nv_json_text_int64(node->text, node->length, out, &is_integer);
}

static bool to_double(const nv_json_t *node, double *out)
{
    return node && node->kind == NV_JSON_NUMBER && nv_json_text_double(node->text, node->length, out);
}

bool nv_json_int64(const nv_json_t *node, const char *path, int64_t *out, nv_error_t *err)
{
    const nv_json_t *found = nv_json_get(node, path);
    return to_int64(found, out) || mismatch(node, path, found, "a 64-bit integer", err);
}

bool nv_json_double(const nv_json_t *node, const char *path, double *out, nv_error_t *err)
{
    const nv_json_t *found = nv_json_get(node, path);
    return to_double(found, out) || mismatch(node, path, found, "a number", err);
}

bool nv_json_bool(const nv_json_t *node, const char *path, bool *out, nv_error_t *err)
{
    const nv_json_t *found = nv_json_get(node, path);
    if (!found || found->kind != NV_JSON_BOOL)
        return mismatch(node, path, found, "a boolean", err);
    *out = found->boolean;
    return true;
}

bool nv_json_array(const nv_json_t *node, const char *path, const nv_json_t **out, nv_error_t *err)
{
    *out = nv_json_get(node, path);
    return nv_json_kind(*out) == NV_JSON_ARRAY || mismatch(node, path, *out, "an array", err);
}

const char *nv_json_string_or(const nv_json_t *node, const char *path, const char *fallback)
{
    const nv_json_t *found = nv_json_get(node, path);
    return is_c_string(found) ? found->text : fallback;
}

int64_t nv_json_int64_or(const nv_json_t *node, const char *path, int64_t fallback)
{
    int64_t value;
    return to_int64(nv_json_get(node, path), &value) ? value : fallback;
}

bool nv_json_bool_or(const nv_json_t *node, const char *path, bool fallback)
{
    const nv_json_t *found = nv_json_get(node, path);
    return nv_json_kind(found) == NV_JSON_BOOL ? found->boolean : fallback;
}

const char *nv_json_scalar_text(const nv_json_t *node)
{
    if (!node)
        return NULL;
    if (node->kind == NV_JSON_BOOL)
        return node->boolean ? "true" : "false";
    return node->kind == NV_JSON_NUMBER || is_c_string(node) ? node->text : NULL;
}

void nv_json_put_value(nv_json_writer_t *w, const char *key, const nv_json_t *value)
{
    switch (nv_json_kind(value)) {
    case NV_JSON_NULL:
        nv_json_put_null(w, key);
        return;
    case NV_JSON_BOOL:
        nv_json_put_bool(w, key, value->boolean);
        return;
    case NV_JSON_NUMBER:
        nv_json_put_raw(w, key, value->text);
        return;
    case NV_JSON_STRING:
        nv_json_put_text(w, key, value->text, value->length);
        return;
    case NV_JSON_ARRAY:
    case NV_JSON_OBJECT:
        break;
    }
    bool object = value->kind == NV_JSON_OBJECT;
    object ? nv_json_open_object(w, key) : nv_json_open_array(w, key);
    for (size_t i = 0; i < value->n_children; i++)
        nv_json_put_value(w, object ? value->children[i].key : NULL, &value->children[i]);
    object ? nv_json_close_object(w) : nv_json_close_array(w);
}
