/* One side of the comparison with protobuf's Python package. Line protocol on stdin/stdout, base64 on the wire:
 *   generate <count>          -> lines "<type> <packed> <json>"
 *   (each further line) "<type> <json>" -> "ok <packed>" or "no <error>"
 */
#include "common/contract/codec.h"
#include "common/core/base64.h"
#include "random_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ProtobufCMessageDescriptor *type_named(const char *name)
{
    for (size_t i = 0; contract_types[i]; i++)
        if (strcmp(contract_types[i]->name, name) == 0)
            return contract_types[i];
    return NULL;
}

static void generate(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("generate");
        nv_error_t err = NV_ERROR_INIT;
        uint64_t seed = i + 1;
        const ProtobufCMessageDescriptor *type = contract_types[i % 16];
        ProtobufCMessage *message = random_message(ctx, type, &seed, 3);
        uint8_t *bytes;
        size_t n_bytes;
        char *json;
        size_t n_json;
        nv_pack(ctx, message, &bytes, &n_bytes);
        if (!nv_json_encode(ctx, message, 0, &json, &n_json, &err)) {
            fprintf(stderr, "%s\n", err.message);
            exit(1);
        }
        printf("%s =%s =%s\n", type->name, nv_base64_encode(ctx, bytes, n_bytes),
               nv_base64_encode(ctx, json, n_json));
    }
    puts("end");
    fflush(stdout);
}

static void answer(nv_mem_t *ctx, const char *name, const char *encoded)
{
    nv_error_t err = NV_ERROR_INIT;
    uint8_t *json;
    size_t n_json;
    ProtobufCMessage *message;
    if (!nv_base64_decode(ctx, encoded, strlen(encoded), &json, &n_json)) {
        puts("no bad base64");
    } else if (!nv_json_decode(ctx, type_named(name), "doc", (char *)json, n_json, 0, &message, &err)) {
        printf("no %s\n", err.message);
    } else {
        uint8_t *bytes;
        size_t n_bytes;
        nv_pack(ctx, message, &bytes, &n_bytes);
        printf("ok =%s\n", nv_base64_encode(ctx, bytes, n_bytes));
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    generate(argc > 1 ? strtoull(argv[1], NULL, 10) : 100);
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t n; (n = getline(&line, &capacity, stdin)) > 0;) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("line");
        line[strcspn(line, "\n")] = '\0';
        char *space = strstr(line, " =");
        if (!space)
            break;
        *space = '\0';
        answer(ctx, line, space + 2);
    }
    free(line);
    return 0;
}
