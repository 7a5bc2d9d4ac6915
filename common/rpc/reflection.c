/* The server-reflection protocol, v1 and v1alpha (the same messages), over the descriptor set embedded at build time. */
#include "common/rpc/server_internal.h"
#include "nuvyn/reflection.pb-c.h"

#include <google/protobuf/descriptor.pb-c.h>
#include <stdlib.h>
#include <string.h>

extern const uint8_t nv_rpc_descriptors[];
extern const uint64_t nv_rpc_descriptors_size;

typedef Google__Protobuf__FileDescriptorProto file_t;
typedef Google__Protobuf__DescriptorProto message_t;
typedef NvReflection__ServerReflectionResponse response_t;

typedef struct symbol {
    const char *name;
    size_t file;
} symbol_t;

typedef struct catalog {
    Google__Protobuf__FileDescriptorSet *set;
    symbol_t *symbols;
    size_t n, capacity;
    const char **services;
    size_t n_services, services_capacity;
} catalog_t;

/* One reflection stream: which files it has been given. */
typedef struct session {
    const catalog_t *catalog;
    bool *given;
} session_t;

/* ---- the catalog ---- */

static const char *add_symbol(catalog_t *catalog, size_t file, const char *scope, const char *name)
{
    char *full = *scope ? nv_printf(catalog, "%s.%s", scope, name) : nv_strdup(catalog, name);
    NV_PUSH(catalog, catalog->symbols, catalog->n, catalog->capacity) = (symbol_t){full, file};
    return full;
}

static void add_enum(catalog_t *catalog, size_t file, const char *scope,
                     const Google__Protobuf__EnumDescriptorProto *e)
{
    add_symbol(catalog, file, scope, e->name);
    for (size_t i = 0; i < e->n_value; i++)
        add_symbol(catalog, file, scope, e->value[i]->name);
}

static void add_message(catalog_t *catalog, size_t file, const char *scope, const message_t *message)
{
    const char *full = add_symbol(catalog, file, scope, message->name);
    for (size_t i = 0; i < message->n_field; i++)
        add_symbol(catalog, file, full, message->field[i]->name);
    for (size_t i = 0; i < message->n_enum_type; i++)
        add_enum(catalog, file, full, message->enum_type[i]);
    for (size_t i = 0; i < message->n_nested_type; i++)
        add_message(catalog, file, full, message->nested_type[i]);
}

static void add_file(catalog_t *catalog, size_t index)
{
    const file_t *file = catalog->set->file[index];
    const char *package = file->package ? file->package : "";
    for (size_t i = 0; i < file->n_message_type; i++)
        add_message(catalog, index, package, file->message_type[i]);
    for (size_t i = 0; i < file->n_enum_type; i++)
        add_enum(catalog, index, package, file->enum_type[i]);
    for (size_t i = 0; i < file->n_service; i++) {
        const Google__Protobuf__ServiceDescriptorProto *service = file->service[i];
        const char *full = add_symbol(catalog, index, package, service->name);
        NV_PUSH(catalog, catalog->services, catalog->n_services, catalog->services_capacity) = full;
        for (size_t m = 0; m < service->n_method; m++)
            add_symbol(catalog, index, full, service->method[m]->name);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const symbol_t *)a)->name, ((const symbol_t *)b)->name);
}

static bool load_catalog(nv_mem_t *ctx, catalog_t **out, nv_error_t *err)
{
    catalog_t *catalog = NV_NEW(ctx, catalog_t);
    ProtobufCAllocator allocator;
    nv_mem_protobuf(catalog, &allocator);
    size_t length = (size_t)nv_rpc_descriptors_size;
    catalog->set = google__protobuf__file_descriptor_set__unpack(&allocator, length, nv_rpc_descriptors);
    if (!catalog->set)
        return nv_fail(err, NV_DATA_LOSS, "embedded descriptor set: cannot be read");
    for (size_t i = 0; i < catalog->set->n_file; i++)
        add_file(catalog, i);
    qsort(catalog->symbols, catalog->n, sizeof *catalog->symbols, by_name);
    *out = catalog;
    return true;
}

static const file_t *file_by_name(const catalog_t *catalog, const char *name, size_t *index)
{
    for (*index = 0; *index < catalog->set->n_file; ++*index)
        if (strcmp(catalog->set->file[*index]->name, name) == 0)
            return catalog->set->file[*index];
    return NULL;
}

/* ---- answers ---- */

/* The file and, before it, what it imports; each once per stream. */
static void give_file(session_t *session, nv_mem_t *ctx, size_t index,
                      NvReflection__FileDescriptorResponse *out)
{
    const file_t *file = session->catalog->set->file[index];
    if (session->given[index])
        return;
    session->given[index] = true;
    for (size_t i = 0; i < file->n_dependency; i++) {
        size_t imported;
        if (file_by_name(session->catalog, file->dependency[i], &imported))
            give_file(session, ctx, imported, out);
    }
    ProtobufCBinaryData *slot = &out->file_descriptor_proto[out->n_file_descriptor_proto++];
    slot->len = google__protobuf__file_descriptor_proto__get_packed_size(file);
    slot->data = nv_alloc(ctx, slot->len + 1);
    google__protobuf__file_descriptor_proto__pack(file, slot->data);
}

static void answer_file(session_t *session, nv_mem_t *ctx, size_t index, response_t *out)
{
    NvReflection__FileDescriptorResponse *files = NV_NEW(ctx, NvReflection__FileDescriptorResponse);
    nv_reflection__file_descriptor_response__init(files);
    files->file_descriptor_proto = NV_NEW_ARRAY(ctx, ProtobufCBinaryData, session->catalog->set->n_file);
    session->given[index] = false; /* what is asked for by name is given again */
    give_file(session, ctx, index, files);
    out->message_response_case =
        NV_REFLECTION__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    out->file_descriptor_response = files;
}

static void answer_unknown(nv_mem_t *ctx, const char *what, response_t *out)
{
    NvReflection__ErrorResponse *error = NV_NEW(ctx, NvReflection__ErrorResponse);
    nv_reflection__error_response__init(error);
    error->error_code = NV_NOT_FOUND;
    error->error_message = nv_printf(ctx, "\"%.200s\": not found", what);
    out->message_response_case = NV_REFLECTION__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    out->error_response = error;
}

static void answer_services(const catalog_t *catalog, nv_mem_t *ctx, response_t *out)
{
    NvReflection__ListServiceResponse *list = NV_NEW(ctx, NvReflection__ListServiceResponse);
    nv_reflection__list_service_response__init(list);
    list->service = NV_NEW_ARRAY(ctx, NvReflection__ServiceResponse *, catalog->n_services);
    for (size_t i = 0; i < catalog->n_services; i++) {
        NvReflection__ServiceResponse *service = NV_NEW(ctx, NvReflection__ServiceResponse);
        nv_reflection__service_response__init(service);
        service->name = (char *)(uintptr_t)catalog->services[i];
        list->service[list->n_service++] = service;
    }
    out->message_response_case =
        NV_REFLECTION__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    out->list_services_response = list;
}

static void answer(session_t *session, nv_mem_t *ctx, const NvReflection__ServerReflectionRequest *asked,
                   response_t *out)
{
    const catalog_t *catalog = session->catalog;
    size_t index;
    symbol_t key, *found;
    switch (asked->message_request_case) {
    case NV_REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        answer_services(catalog, ctx, out);
        return;
    case NV_REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        if (file_by_name(catalog, asked->file_by_filename, &index))
            answer_file(session, ctx, index, out);
        else
            answer_unknown(ctx, asked->file_by_filename, out);
        return;
    case NV_REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        key.name = asked->file_containing_symbol;
        found = bsearch(&key, catalog->symbols, catalog->n, sizeof key, by_name);
        if (found)
            answer_file(session, ctx, found->file, out);
        else
            answer_unknown(ctx, asked->file_containing_symbol, out);
        return;
    default:
        answer_unknown(ctx, "extension", out);
    }
}

/* ---- the stream ---- */

static bool opened(void *service, nv_rpc_stream_t *stream, void **user, nv_error_t *err)
{
    session_t *session = NV_NEW(NULL, session_t);
    (void)stream;
    (void)err;
    session->catalog = service;
    session->given = NV_NEW_ARRAY(session, bool, session->catalog->set->n_file);
    *user = session;
    return true;
}

static void asked(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message)
{
    NvReflection__ServerReflectionRequest *request = (NvReflection__ServerReflectionRequest *)message;
    response_t response = NV_REFLECTION__SERVER_REFLECTION_RESPONSE__INIT;
    nv_error_t err = NV_ERROR_INIT;
    response.valid_host = request->host;
    response.original_request = request;
    answer(user, ctx, request, &response);
    if (!nv_rpc_stream_send(stream, &response.base, &err))
        nv_rpc_stream_abort(stream, err.code, err.message);
    nv_mem_free(ctx);
}

static void no_more(nv_rpc_stream_t *stream, void *user)
{
    (void)user;
    nv_rpc_stream_finish(stream, NULL);
}

static void over(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    (void)stream;
    (void)status;
    nv_mem_free(user);
}

bool nv_rpc_reflection_register(nv_rpc_server_t *server, nv_error_t *err)
{
    static const nv_rpc_stream_ops_t ops = {.message = asked, .half_closed = no_more, .closed = over};
    catalog_t *catalog = NULL;
    if (!load_catalog(server, &catalog, err))
        return false;
    nv_rpc_method_t method = {.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                              .kind = NV_RPC_BIDI,
                              .input = &nv_reflection__server_reflection_request__descriptor,
                              .output = &nv_reflection__server_reflection_response__descriptor,
                              .open = opened,
                              .ops = &ops,
                              .service = catalog};
    nv_rpc_server_add(server, &method);
    method.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    nv_rpc_server_add(server, &method);
    return true;
}
